//! One run out of several neighbouring ones, in bounded memory.
//!
//! The inputs are runs in the order of their sequence numbers, page by page. All of an account's
//! postings in one input come before those in the next, so merging is putting entries one behind
//! the other: the smallest account first, of equal ones that of the earlier run.

use super::pack::{Packer, Page};
use super::page::{PageError, PageView};
use crate::format::Id16;

/// What a merge needs to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeStep {
    /// The next page of this input, or its end.
    Feed(usize),
    /// Nothing; `finish` has the last pages.
    Done,
}

/// A page under way of one input.
#[derive(Default)]
struct Input {
    page: Vec<u8>,
    next_entry: usize,
    /// Of the next entry; None behind the last one of the page.
    account: Option<Id16>,
    has_ended: bool,
}

impl Input {
    fn of(page: Vec<u8>) -> Result<Self, PageError> {
        let account = Some(PageView::parse(&page)?.account(0));
        Ok(Self {
            page,
            account,
            ..Self::default()
        })
    }

    fn is_waiting(&self) -> bool {
        !self.has_ended && self.account.is_none()
    }

    /// Moves the next entry to `packer`.
    fn move_entry(&mut self, packer: &mut Packer) -> Result<(), PageError> {
        let page = PageView::parse(&self.page)?;
        page.each(self.next_entry, |sequence, tag| packer.push(sequence, tag))?;
        self.next_entry += 1;
        let has_more = self.next_entry < page.count();
        self.account = has_more.then(|| page.account(self.next_entry));
        Ok(())
    }
}

/// A merge under way.
pub struct Merge {
    inputs: Vec<Input>,
    packer: Packer,
}

impl Merge {
    /// Of so many runs, the first of which begins at `base`.
    pub fn new(base: u64, input_count: usize) -> Self {
        Self {
            inputs: (0..input_count).map(|_| Input::default()).collect(),
            packer: Packer::new(base),
        }
    }

    /// Gives an input its next page, or none once it has ended.
    ///
    /// # Errors
    /// [`PageError`]
    pub fn feed(&mut self, input: usize, page: Option<Vec<u8>>) -> Result<(), PageError> {
        self.inputs[input] = match page {
            Some(page) => Input::of(page)?,
            None => Input {
                has_ended: true,
                ..Input::default()
            },
        };
        Ok(())
    }

    /// Goes on as far as the pages at hand allow.
    ///
    /// # Errors
    /// [`PageError`]; the merge is then of no more use.
    pub fn run(&mut self) -> Result<MergeStep, PageError> {
        loop {
            if let Some(waiting) = self.inputs.iter().position(Input::is_waiting) {
                return Ok(MergeStep::Feed(waiting));
            }
            let accounts = self.inputs.iter().zip(0..);
            let heads = accounts.filter_map(|(input, number)| Some((input.account?, number)));
            // Of equal accounts that of the earlier run.
            let Some((account, number)) = heads.min() else {
                return Ok(MergeStep::Done);
            };
            let number: usize = number;
            self.packer.begin(account);
            self.inputs[number].move_entry(&mut self.packer)?;
        }
    }

    /// The pages that are closed, once.
    pub fn take_pages(&mut self) -> Vec<Page> {
        self.packer.take_pages()
    }

    /// The last pages.
    pub fn finish(self) -> Vec<Page> {
        self.packer.finish()
    }
}
