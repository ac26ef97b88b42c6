//! What admission asks the kernel: registered keys and consumed ids, as far as it has applied.

use super::Kernel;
use crate::admission::{AdmissionState, Seen};
use crate::format::{EnvelopeHeader, Id16, Key32};

impl AdmissionState for Kernel {
    fn signer(&self, key: &Key32) -> Option<Id16> {
        let key = self.state.keys.find_row(*key)?;
        Some(self.state.principals.get(key.principal).id)
    }

    fn seen(&self, principal: &Id16, header: EnvelopeHeader<'_>) -> Seen {
        let Some(principal) = self.state.principals.find(*principal) else {
            return Seen::No;
        };
        let Some(live) = self.state.live_ids.find((principal, header.envelope_id())) else {
            return Seen::No;
        };
        let first_sequence = live.first_sequence;
        if live.header_digest == header.digest() {
            Seen::Duplicate { first_sequence }
        } else {
            Seen::Conflict { first_sequence }
        }
    }

    fn live_ids(&self, principal: &Id16) -> u32 {
        let row = self.state.principals.find_row(*principal);
        row.map_or(0, |principal| principal.live_id_count)
    }
}
