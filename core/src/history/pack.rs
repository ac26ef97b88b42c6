//! Pages out of postings that come in order.
//!
//! A page is closed as soon as its directory and steps have 32 KiB, be it in the middle of an
//! account, whose entry then goes on on the next page. Where pages end depends on the postings
//! alone.

use super::page::{put_varint, EACH, ENTRY_BYTES, HEADER_BYTES, UNIFORM, VERSION};
use crate::format::Id16;

/// Bytes of directory and steps at which a page is closed.
const PAGE_BYTES: usize = 32 * 1024;

/// A page, and the posting it begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub account: Id16,
    pub sequence: u64,
    /// Postings on it.
    pub count: u64,
    pub bytes: Vec<u8>,
}

/// Makes the pages of one run.
pub struct Packer {
    base: u64,
    account: Id16,
    /// Of the posting before on this page and of this account.
    last: u64,
    count: u64,
    first_tag: u8,
    is_uniform: bool,
    steps: Vec<u8>,
    tags: Vec<u8>,
    directory: Vec<u8>,
    bodies: Vec<u8>,
    /// What the page under way begins with.
    begins: Option<(Id16, u64)>,
    page_count: u64,
    pages: Vec<Page>,
}

impl Packer {
    /// No sequence number will be below `base`.
    pub fn new(base: u64) -> Self {
        Self {
            base,
            account: Id16::default(),
            last: base,
            count: 0,
            first_tag: 0,
            is_uniform: true,
            steps: Vec::new(),
            tags: Vec::new(),
            directory: Vec::new(),
            bodies: Vec::new(),
            begins: None,
            page_count: 0,
            pages: Vec::new(),
        }
    }

    /// What is pushed from now on is of this account, not below the one before.
    pub fn begin(&mut self, account: Id16) {
        if account != self.account {
            self.end_entry();
            self.account = account;
        }
    }

    /// Adds a posting of the account; sequence numbers ascend.
    #[inline]
    pub fn push(&mut self, sequence: u64, tag: u8) {
        if self.count == 0 {
            self.begins.get_or_insert((self.account, sequence));
            self.first_tag = tag;
        }
        put_varint(&mut self.steps, sequence - self.last);
        self.is_uniform &= tag == self.first_tag;
        self.tags.push(tag);
        self.last = sequence;
        self.count += 1;
        self.page_count += 1;
        let directory = self.directory.len() + ENTRY_BYTES;
        if directory + self.bodies.len() + self.steps.len() >= PAGE_BYTES {
            self.end_page();
        }
    }

    fn end_entry(&mut self) {
        if self.count == 0 {
            return;
        }
        self.directory.extend_from_slice(&self.account);
        // Pages stay far below 4 GiB: a posting adds at most eleven bytes to one below 32 KiB.
        self.directory
            .extend_from_slice(&(self.bodies.len() as u32).to_le_bytes());
        put_varint(&mut self.bodies, self.count);
        if self.is_uniform {
            self.bodies.extend_from_slice(&[UNIFORM, self.first_tag]);
            self.bodies.append(&mut self.steps);
        } else {
            self.bodies.push(EACH);
            self.bodies.append(&mut self.steps);
            self.bodies.append(&mut self.tags);
        }
        self.steps.clear();
        self.tags.clear();
        self.is_uniform = true;
        self.count = 0;
        self.last = self.base;
    }

    fn end_page(&mut self) {
        self.end_entry();
        let Some((account, sequence)) = self.begins.take() else {
            return;
        };
        let count = self.directory.len() / ENTRY_BYTES;
        let bodies_at = HEADER_BYTES + self.directory.len();
        let mut bytes = Vec::with_capacity(bodies_at + self.bodies.len());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&(count as u32).to_le_bytes());
        bytes.extend_from_slice(&self.base.to_le_bytes());
        for entry in self.directory.chunks_exact(ENTRY_BYTES) {
            let offset = crate::format::u32_at(entry, 16) + bodies_at as u32;
            bytes.extend_from_slice(&entry[..16]);
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.append(&mut self.bodies);
        self.directory.clear();
        self.pages.push(Page {
            account,
            sequence,
            count: std::mem::take(&mut self.page_count),
            bytes,
        });
    }

    /// The pages that are closed, once.
    pub fn take_pages(&mut self) -> Vec<Page> {
        std::mem::take(&mut self.pages)
    }

    /// The last pages.
    pub fn finish(mut self) -> Vec<Page> {
        self.end_page();
        self.pages
    }
}
