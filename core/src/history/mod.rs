//! The history index by account: where an account's records are, as packed postings.
//!
//! A *posting* is (account, sequence number, tag): record `sequence` has to do with the account.
//! The kernel gathers them while it applies (`kernel/gather.rs`), for some hundred thousand records
//! at a time: a *chunk*. A chunk is packed into a *run* of pages, sorted by account and then by
//! sequence number; runs of neighbouring chunks are merged into longer ones, so that an account
//! with few records in a long ledger has them on few pages. Runs are a pure function of the log and
//! of the size of a chunk.
//!
//! | file | what |
//! |---|---|
//! | `tag` | what a posting says of its record |
//! | `chunk` | what the kernel gathered, before it is packed |
//! | `page`, `pack` | the bytes of a page; pages out of postings in order |
//! | `merge` | one run out of several |
//! | `search` | the postings of one account in a range, filtered, from any of these |
//! | `cut` | records and their CONTs out of a block, by sequence number |

mod chunk;
mod cut;
mod merge;
mod pack;
mod page;
#[cfg(feature = "python")]
mod python;
mod search;
pub mod tag;
#[cfg(test)]
mod tests;

pub use chunk::{posting, search_postings, Chunk, MAX_CHUNK_RECORDS};
pub use cut::{cut_conts, cut_records, CutError, CUT_BYTES};
pub use merge::{Merge, MergeStep};
pub use pack::{Packer, Page};
pub use page::{PageError, PageView};
#[cfg(feature = "python")]
pub use python::{keyed_pages, register, KeyedPages, PyChunk, PySearch};
pub use search::{Accept, Search};
