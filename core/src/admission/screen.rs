//! The cheap checks of one envelope, in this order; the first that fails gives the code.
//!
//! | check | code |
//! |---|---|
//! | header fields | MALFORMED |
//! | ledger id | WRONG_LEDGER |
//! | signer's key is known | UNKNOWN_SIGNER |
//! | id not consumed | DUPLICATE, ID_CONFLICT |
//! | id time against valid_until | BAD_ID_TIME |
//! | id time at most 5 s ahead | ID_IN_FUTURE |
//! | valid_until not passed | TOO_LATE |
//! | grid | MALFORMED |
//! | room for another live id of the principal | OVERLOADED |
//!
//! The id comes before the times, so that a resend is answered at any time.

use hashbrown::HashMap;

use crate::format::limits::ID_FUTURE_TOLERANCE_NS;
use crate::format::{
    check_grid_shape, Code, EnvelopeHeader, EnvelopeView, Genesis, Hash32, Id16, Key32, Refusal,
};

/// What admission asks the state as far as this node has applied. The kernel answers.
pub trait AdmissionState {
    /// Principal of a registered key, whatever the key's status (that is decided at apply).
    fn signer(&self, key: &Key32) -> Option<Id16>;

    /// Whether `(principal, envelope id)` is consumed, and by whom.
    ///
    /// The implementation computes `header.digest()` only if the id is there to compare with.
    fn seen(&self, principal: &Id16, header: EnvelopeHeader<'_>) -> Seen;

    /// Live envelope ids of a principal.
    fn live_ids(&self, principal: &Id16) -> u32;
}

/// What became of an id before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    No,
    /// The same header was ordered.
    Duplicate {
        /// Its first sequence number.
        first_sequence: u64,
    },
    /// Another header consumed the id.
    Conflict {
        /// Its first sequence number.
        first_sequence: u64,
    },
}

/// The checks of one call, and what it has learnt of signers so far.
pub(super) struct Screen<'a, S> {
    state: &'a S,
    ledger_id: Hash32,
    max_lifetime_ns: u64,
    cap_live_ids: u32,
    now_ns: u64,
    /// Answers of the state: most calls have far fewer signers than envelopes.
    signers: HashMap<Key32, Option<Id16>>,
    /// Live ids that each principal may still add.
    room: HashMap<Id16, u32>,
}

impl<'a, S: AdmissionState> Screen<'a, S> {
    pub(super) fn new(now_ns: u64, genesis: &Genesis, state: &'a S) -> Self {
        Self {
            state,
            ledger_id: genesis.ledger_id,
            max_lifetime_ns: genesis.max_lifetime_ns,
            cap_live_ids: genesis.cap_live_ids,
            now_ns,
            signers: HashMap::new(),
            room: HashMap::new(),
        }
    }

    /// Whether the envelope may go on to `verify`.
    ///
    /// # Errors
    /// The first check that fails, in the order of the module's table.
    pub(super) fn check(&mut self, envelope: EnvelopeView<'_>) -> Result<Seen, Refusal> {
        envelope.check_shape()?;
        let header = envelope.header();
        if *header.ledger_id() != self.ledger_id {
            return Err(Refusal::new(
                Code::WrongLedger,
                "envelope of another ledger",
            ));
        }
        let Some(principal) = self.signer(header.signer()) else {
            let why = "the signer's key is not registered as far as this node has applied";
            return Err(Refusal::new(Code::UnknownSigner, why));
        };
        let seen = self.state.seen(&principal, header);
        if seen != Seen::No {
            return Ok(seen);
        }
        envelope.check_binding(&self.ledger_id, self.max_lifetime_ns)?;
        self.check_now(header)?;
        check_grid_shape(envelope)?;
        self.take_room(principal)?;
        Ok(Seen::No)
    }

    fn signer(&mut self, key: &Key32) -> Option<Id16> {
        let state = self.state;
        *self
            .signers
            .entry(*key)
            .or_insert_with(|| state.signer(key))
    }

    fn check_now(&self, header: EnvelopeHeader<'_>) -> Result<(), Refusal> {
        if header.id_time_ns() > self.now_ns.saturating_add(ID_FUTURE_TOLERANCE_NS) {
            let why = "the id was made more than 5 s from now";
            return Err(Refusal::new(Code::IdInFuture, why));
        }
        if header.valid_until_ns() < self.now_ns {
            return Err(Refusal::new(Code::TooLate, "valid_until has passed"));
        }
        Ok(())
    }

    fn take_room(&mut self, principal: Id16) -> Result<(), Refusal> {
        let (state, cap) = (self.state, self.cap_live_ids);
        let room = self
            .room
            .entry(principal)
            .or_insert_with(|| cap.saturating_sub(state.live_ids(&principal)));
        match room.checked_sub(1) {
            Some(left) => {
                *room = left;
                Ok(())
            }
            None => {
                let why = "the principal has as many live envelope ids as it may";
                Err(Refusal::new(Code::Overloaded, why))
            }
        }
    }
}
