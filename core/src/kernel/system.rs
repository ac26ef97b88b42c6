//! Group 10: TICK.

use super::input::{Input, Outcome, NODE};
use super::state::State;

/// Moves log time, which the block has done already.
pub fn tick(state: &State, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 112)?;
    input.check_signer(state, &NODE)
}
