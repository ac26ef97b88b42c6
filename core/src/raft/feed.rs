//! Feeding followers that lag behind what is in memory.
//!
//! Raft asks for a range below the tail, gets "temporarily unavailable", and asks again with every
//! heartbeat answer and proposal. The store keeps one want per place; the shell reads it from disk
//! once, and the answer serves every follower that stands in the range. The entries live in the
//! store's slot for this one call: they are immutable history, not part of the tail.

use raft::eraftpb::{Entry, EntryType};

use super::engine::RaftEngine;
use super::limits::FETCH_BYTES;
use super::setup::{invalid, Refusal};
use super::store::Want;

impl RaftEngine {
    /// Ranges that lagging followers need from disk, each with one follower that waits for it.
    /// Each is returned once and stays open until [`RaftEngine::fetched`] answers it.
    pub fn take_wants(&mut self) -> Vec<(Want, u64)> {
        let wants = self.raw.mut_store().take_wants();
        let peers = self.raw.raft.prs();
        let waiting = |low: u64| {
            let ids = peers.iter().filter(|(_, peer)| peer.next_idx == low);
            ids.map(|(id, _)| *id).min().unwrap_or(0)
        };
        wants.into_iter().map(|w| (w, waiting(w.low))).collect()
    }

    /// Answers the want at `low` with entries read from disk; with none if they could not be read.
    /// Feeds every follower that stands in the range, as far as its window allows.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] if the entries are not the log's entries from `low` on, or exceed
    /// [`FETCH_BYTES`].
    pub fn fetched(&mut self, low: u64, entries: Vec<Entry>) -> Result<(), Refusal> {
        self.raw.mut_store().close_want(low);
        let store = self.raw.store();
        let mut bytes = 0;
        for (expected, entry) in (low..).zip(&entries) {
            let fits = entry.index == expected && store.term_of(expected) == Some(entry.term);
            if !fits || entry.get_entry_type() != EntryType::EntryNormal {
                return invalid(format!(
                    "({}, term {}) is not the entry at {expected}",
                    entry.index, entry.term
                ));
            }
            bytes += entry.data.len() as u64;
        }
        if entries.len() > 1 && bytes > FETCH_BYTES {
            return invalid(format!("piece of {bytes} bytes"));
        }
        let Some(last) = entries.last().map(|entry| entry.index) else {
            return Ok(());
        };
        if self.is_leader() {
            self.raw.mut_store().set_slot(entries);
            for id in self.peers_waiting_in(low, last) {
                self.feed(id);
            }
            self.raw.mut_store().set_slot(Vec::new());
        }
        Ok(())
    }

    fn peers_waiting_in(&self, low: u64, last: u64) -> Vec<u64> {
        let raft = &self.raw.raft;
        let mut ids: Vec<u64> = raft
            .prs()
            .iter()
            .filter(|(id, peer)| **id != raft.id && (low..=last).contains(&peer.next_idx))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Sends what is in memory or in the slot until the window is full or the disk is needed.
    fn feed(&mut self, id: u64) {
        let last = self.raw.raft.raft_log.last_index();
        while let Some(peer) = self.raw.raft.prs().get(id) {
            let next = peer.next_idx;
            if peer.is_paused() || next > last {
                return;
            }
            self.raw.raft.send_append(id);
            let moved = self.raw.raft.prs().get(id).map(|peer| peer.next_idx);
            if moved == Some(next) {
                return; // a want was noted, or a probe is on its way
            }
        }
    }
}
