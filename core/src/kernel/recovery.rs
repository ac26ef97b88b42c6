//! Group 1: RECOVER, VETO, and what becomes of a recovery that nobody vetoed.

use std::collections::BTreeMap;

use super::decode::{array, require as require_row, Decoded, RowError};
use super::encode::{table, write_row, RowWriter, ROW_BYTES};
use super::input::{require, Input, Outcome, OWNER, RECOVERY};
use super::journal::Undo;
use super::key::{check_cap, check_principal, revoke_at};
use super::rows::{scope, Key};
use super::schedule::Schedule;
use super::state::{broken, State};
use super::table::Slot;
use crate::format::limits::RECOVERY_RANGE_NS;
use crate::format::{u64_at, Code, Id16, Key32};

const ROW: usize = ROW_BYTES[table::RECOVERY as usize];

/// Table 31: a recovery that is pending.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    pub principal: Slot,
    /// The key that is to become OWNER.
    pub key: Key32,
    /// The RECOVERY key that began it.
    pub recovery_key: Slot,
    /// Sequence number of its RECOVER.
    pub begun_at: u64,
    pub due_ns: u64,
}

/// All that are pending, one of a principal at most.
#[derive(Default)]
pub struct Recoveries {
    /// By the principal's id.
    rows: BTreeMap<Id16, Recovery>,
    /// Principals by the key that is to become OWNER.
    by_key: BTreeMap<Key32, Id16>,
    /// Slots of principals in the order of (due_ns, id).
    due: Schedule,
}

impl Recoveries {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// When the first of them takes effect.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.due.next_ns()
    }
}

/// Announces a new OWNER key in place of all there are.
pub fn recover(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let (key, delay_ns) = (*record.array::<32>(8), record.u64(120));
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    require(RECOVERY_RANGE_NS.contains(&delay_ns), Code::BadField)?;
    input.check_signer(state, &RECOVERY)?;
    check_principal(state, input)?;
    require(!state.knows_key(key), Code::KeyExists)?;
    let is_pending = state.recovery_of(input.principal).is_some();
    require(!is_pending, Code::RecoveryPending)?;
    check_cap(state, input)?;

    state.put_recovery(
        input.principal,
        Some(Recovery {
            principal: input.principal,
            key,
            recovery_key: input.key,
            begun_at: input.sequence,
            due_ns: input.t.saturating_add(delay_ns),
        }),
    );
    Ok(())
}

/// Ends the pending recovery, and revokes the key that began it.
pub fn veto(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(40, 112)?;
    input.check_signer(state, &OWNER)?;
    let row = *state
        .recovery_of(input.principal)
        .filter(|row| row.key == *record.array::<32>(8) && row.due_ns > input.t)
        .ok_or(Code::RecoveryNotFound)?;

    state.put_recovery(input.principal, None);
    revoke_at(state.key_mut(row.recovery_key), input.sequence);
    Ok(())
}

impl State {
    /// Whether a key is registered, or is to be by a recovery that is pending.
    pub fn knows_key(&self, key: Key32) -> bool {
        self.keys.find(key).is_some() || self.recoveries.by_key.contains_key(&key)
    }

    /// What counts for the cap on keys: those there are, and one to come.
    pub fn key_count(&self, principal: Slot) -> usize {
        let coming = usize::from(self.recovery_of(principal).is_some());
        self.principals.get(principal).keys.len() + coming
    }

    /// What is pending for a principal.
    pub fn recovery_of(&self, principal: Slot) -> Option<&Recovery> {
        self.recoveries.rows.get(&self.principals.get(principal).id)
    }

    /// Whether a recovery is pending that this key began.
    pub fn is_recovering_by(&self, key: Slot) -> bool {
        self.recovery_of(self.keys.get(key).principal)
            .is_some_and(|row| row.recovery_key == key)
    }

    /// Writes the row of a principal, or takes it away.
    fn put_recovery(&mut self, principal: Slot, row: Option<Recovery>) {
        let old = self.set_recovery(principal, row);
        self.journal.note(|| Undo::RecoveryPut(principal, old));
    }

    /// As `put_recovery`, without a note; answers with the row that was there.
    pub fn set_recovery(&mut self, principal: Slot, row: Option<Recovery>) -> Option<Recovery> {
        let id = self.principals.get(principal).id;
        let all = &mut self.recoveries;
        let old = all.rows.remove(&id);
        if let Some(old) = &old {
            all.by_key.remove(&old.key);
            all.due.remove(old.due_ns, id);
        }
        if let Some(row) = row {
            all.rows.insert(id, row);
            all.by_key.insert(row.key, id);
            all.due.insert(row.due_ns, id, principal);
        }
        old
    }

    /// Lets the recoveries that are due at `t` take effect, at most `budget`, which it lowers.
    #[cold]
    pub fn sweep_recoveries(&mut self, t: u64, sequence: u64, budget: &mut u32) {
        while *budget > 0 && self.recoveries.next_ns() <= t {
            let Some(principal) = self.recoveries.due.first() else {
                return;
            };
            *budget -= 1;
            let Some(row) = self.set_recovery(principal, None) else {
                broken("a recovery is due that is not pending")
            };
            for slot in self.principals.get(principal).keys.clone() {
                let key = self.keys.get(slot);
                if key.scope == scope::OWNER && !key.revoked {
                    revoke_at(self.key_mut(slot), sequence);
                }
            }
            self.insert_key(Key {
                key: row.key,
                principal,
                scope: scope::OWNER,
                revoked: false,
                registered_at: sequence,
                until_ns: 0,
                revoked_at: 0,
                line: Slot::MAX,
                parent: Slot::MAX,
            });
        }
    }

    pub fn recovery_row(&self, row: &Recovery) -> [u8; ROW] {
        RowWriter::new()
            .put(&self.principals.get(row.principal).id)
            .put(&row.key)
            .put(&self.keys.get(row.recovery_key).key)
            .u64(row.begun_at)
            .u64(row.due_ns)
            .done()
    }

    pub fn write_recoveries(&self, sink: &mut impl FnMut(&[u8])) {
        for row in self.recoveries.rows.values() {
            write_row(sink, table::RECOVERY, &self.recovery_row(row));
        }
    }

    pub fn decode_recovery(&mut self, row: &[u8]) -> Decoded {
        let principal = self.principal_at(row, 0)?;
        let missing = || RowError("a recovery by a key that is not there".to_owned());
        let recovery = Recovery {
            principal,
            key: array(row, 16),
            recovery_key: self.keys.find(array::<32>(row, 48)).ok_or_else(missing)?,
            begun_at: u64_at(row, 80),
            due_ns: u64_at(row, 88),
        };
        require_row(!self.knows_key(recovery.key), "a recovery to a known key")?;
        self.set_recovery(principal, Some(recovery));
        Ok(())
    }

    /// Whether each is begun by an active RECOVERY key of its principal, and is still to come.
    pub fn verify_recoveries(&self, problems: &mut Vec<String>) {
        let all = &self.recoveries;
        let are_right = all.rows.values().all(|row| {
            let key = self.keys.get(row.recovery_key);
            key.principal == row.principal
                && key.scope == scope::RECOVERY
                && !key.revoked
                && row.begun_at < self.next_sequence
                && all.by_key.get(&row.key) == Some(&self.principals.get(row.principal).id)
                && self.keys.find(row.key).is_none()
        });
        let moments = all.rows.values().map(|row| row.due_ns);
        let are_ordered = super::invariants::is_scheduled(&all.due, moments);
        if !are_right || !are_ordered || all.by_key.len() != all.rows.len() {
            problems.push("a recovery is wrong".to_owned());
        }
    }
}
