//! Lines of keys: a key with those that replaced it by rotation, and the lines above it
//! (semantics.md, "Lines of keys"). A line goes by the slot of its first key.

use super::input::{require, Input, Outcome};
use super::rows::scope;
use super::state::State;
use super::table::Slot;
use crate::format::{Code, Key32};

impl State {
    /// The first key of a key's line.
    #[inline]
    pub fn line_of(&self, key: Slot) -> Slot {
        match self.keys.get(key).line {
            Slot::MAX => key,
            line => line,
        }
    }

    /// A key's line and the lines above it, nearest first.
    pub fn chain_of(&self, key: Slot) -> Vec<Slot> {
        let mut chain = vec![self.line_of(key)];
        let mut line = chain[0];
        loop {
            line = self.keys.get(line).parent;
            if line == Slot::MAX {
                return chain;
            }
            chain.push(line);
        }
    }

    /// The SPEND keys of a principal, whatever their status.
    pub fn spend_keys(&self, principal: Slot) -> impl Iterator<Item = Slot> + '_ {
        let keys = self.principals.get(principal).keys.iter().copied();
        keys.filter(|&slot| self.keys.get(slot).scope == scope::SPEND)
    }

    /// Each line above a key still has a key that may sign.
    #[cold]
    pub fn check_above(&self, key: Slot, t: u64) -> Outcome {
        let principal = self.keys.get(key).principal;
        for &line in &self.chain_of(key)[1..] {
            let of_line = || {
                let keys = self.spend_keys(principal);
                let own = keys.filter(|&slot| self.line_of(slot) == line);
                own.map(|slot| self.keys.get(slot))
            };
            // The line's first key, mostly its only one, is found without a search.
            if self.keys.get(line).is_active(t) || of_line().any(|row| row.is_active(t)) {
                continue;
            }
            let newest = of_line().max_by_key(|row| row.registered_at);
            let is_revoked = newest.is_some_and(|row| row.revoked);
            return Err(if is_revoked {
                Code::KeyRevoked
            } else {
                Code::KeyExpired
            });
        }
        Ok(())
    }
}

impl Input<'_> {
    /// Whether a SPEND key signs.
    pub fn is_spend(&self, state: &State) -> bool {
        state.keys.get(self.key).scope == scope::SPEND
    }

    /// A SPEND key of the signer's principal, whatever its status.
    pub fn own_spend_key(&self, state: &State, key: Key32) -> Result<Slot, Code> {
        let slot = state.keys.find(key).ok_or(Code::KeyNotFound)?;
        let row = state.keys.get(slot);
        let is_own = row.principal == self.principal && row.scope == scope::SPEND;
        require(is_own, Code::KeyNotFound)?;
        Ok(slot)
    }

    /// A SPEND key that signs is of this key's line or of one above it.
    pub fn check_is_above_or_owner(&self, state: &State, key: Slot) -> Outcome {
        let own = state.line_of(self.key);
        let may = !self.is_spend(state) || state.chain_of(key).contains(&own);
        require(may, Code::ScopeDenied)
    }
}
