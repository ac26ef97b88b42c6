//! One kernel for many threads: one applies, others read and admit.
//!
//! Whoever changes the kernel takes it out of the cell and puts it back when done. A panic on the
//! way (a broken invariant) leaves the cell empty, and everything after it is refused: a state
//! that was half changed is never read again.

use parking_lot::RwLock;

use super::Kernel;
use crate::admission::{AdmissionState, Seen};
use crate::format::{EnvelopeHeader, Id16, Key32};

/// The kernel panicked before, and is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// A kernel, or nothing after a panic.
pub struct Cell {
    kernel: RwLock<Option<Box<Kernel>>>,
}

impl Cell {
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel: RwLock::new(Some(Box::new(kernel))),
        }
    }

    /// # Errors
    /// [`Broken`]
    pub fn change<T>(&self, change: impl FnOnce(&mut Kernel) -> T) -> Result<T, Broken> {
        let mut guard = self.kernel.write();
        let mut kernel = guard.take().ok_or(Broken)?;
        let answer = change(&mut kernel);
        *guard = Some(kernel);
        Ok(answer)
    }

    /// # Errors
    /// [`Broken`]
    pub fn read<T>(&self, read: impl FnOnce(&Kernel) -> T) -> Result<T, Broken> {
        let guard = self.kernel.read();
        guard.as_deref().map(read).ok_or(Broken)
    }
}

/// Locks for each question, so that a long admission never holds up a block. A kernel that is gone
/// knows no signer; whoever admits looks for that afterwards.
impl AdmissionState for Cell {
    fn signer(&self, key: &Key32) -> Option<Id16> {
        self.read(|kernel| kernel.signer(key)).ok().flatten()
    }

    fn seen(&self, principal: &Id16, header: EnvelopeHeader<'_>) -> Seen {
        self.read(|kernel| kernel.seen(principal, header))
            .unwrap_or(Seen::No)
    }

    fn live_ids(&self, principal: &Id16) -> u32 {
        self.read(|kernel| kernel.live_ids(principal)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, AssertUnwindSafe};

    use super::*;
    use crate::kernel::collisions::genesis;

    fn cell() -> Cell {
        Cell::new(Kernel::new(genesis()))
    }

    #[test]
    fn changes_are_seen_by_readers() {
        let cell = cell();
        let change = |kernel: &mut Kernel| kernel.state.next_sequence = 9;
        assert_eq!(cell.change(change), Ok(()));
        assert_eq!(cell.read(|kernel| kernel.state.next_sequence), Ok(9));
        assert!(AdmissionState::signer(&cell, &[2; 32]).is_some());
    }

    #[test]
    fn a_kernel_that_panicked_is_never_used_again() {
        let cell = cell();
        let panics = AssertUnwindSafe(|| cell.change(|_| -> () { panic!("a broken invariant") }));
        assert!(catch_unwind(panics).is_err());
        assert_eq!(cell.read(|_| ()), Err(Broken));
        assert_eq!(cell.change(|_| ()), Err(Broken));
        assert!(AdmissionState::signer(&cell, &[2; 32]).is_none());
    }
}
