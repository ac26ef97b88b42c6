//! Packing, merging and searching against plain lists.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::format::Id16;
use crate::kernel::Slot;

const FIRST: u64 = 1_000_000;

/// What a run holds: (account, sequence number) and tag.
type Postings = BTreeMap<(Id16, u64), u8>;

fn id_of(slot: Slot) -> Id16 {
    // Another order than that of the slots.
    (u128::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_0C9D_4B2E_1A87)).to_be_bytes()
}

/// A chunk of `(slot, step to the next record, tag)`.
fn chunk(first_sequence: u64, steps: &[(Slot, u32, u8)]) -> (Chunk, Postings) {
    let (mut place, mut expected) = (0, Postings::new());
    let mut postings = Vec::new();
    for &(slot, step, tag) in steps {
        // A posting has 24 bits for its place.
        place = (place + step).min((1 << 24) - 1);
        postings.push(posting(slot, place, tag));
        *expected
            .entry((id_of(slot), first_sequence + u64::from(place)))
            .or_default() |= tag;
    }
    let chunk = Chunk {
        first_sequence,
        end_sequence: first_sequence + u64::from(place) + 1,
        is_complete: true,
        postings,
    };
    (chunk, expected)
}

fn pack(chunk: &Chunk) -> Vec<Page> {
    let groups = chunk.groups();
    let ids: Vec<Id16> = groups.slots().iter().copied().map(id_of).collect();
    groups.pack(&ids)
}

fn read(pages: &[Page]) -> Postings {
    let mut found = Postings::new();
    let mut before = None;
    for page in pages {
        let view = PageView::parse(&page.bytes).expect("a page");
        for entry in 0..view.count() {
            let account = view.account(entry);
            let add = |sequence, tag| {
                if entry == 0 && found.is_empty() {
                    assert_eq!((page.account, page.sequence), (account, sequence));
                }
                assert!(before < Some((account, sequence)), "in order, each once");
                before = Some((account, sequence));
                found.insert((account, sequence), tag);
            };
            view.each(entry, add).expect("an entry");
        }
    }
    found
}

/// All that a search finds in these pages, one after the other in its order.
fn search_pages(pages: &[Page], search: &mut Search) {
    let mut pages: Vec<&Page> = pages.iter().collect();
    if search.is_newest_first() {
        pages.reverse();
    }
    for page in pages {
        search.page(&page.bytes).expect("a page");
    }
}

fn steps(accounts: Slot, length: usize) -> impl Strategy<Value = Vec<(Slot, u32, u8)>> {
    let tag = prop_oneof![8 => Just(4_u8), 1 => Just(tag::SWEPT), 1 => Just(4 | tag::REFUSED)];
    let step = prop_oneof![3 => Just(0_u32), 3 => Just(1), 1 => 2..70_000_u32];
    prop::collection::vec((0..accounts, step, tag), 1..length)
}

fn merge(runs: &[Vec<Page>], base: u64) -> Vec<Page> {
    let mut merge = Merge::new(base, runs.len());
    let mut next: Vec<_> = runs.iter().map(|run| run.iter()).collect();
    let mut pages = Vec::new();
    while let MergeStep::Feed(input) = merge.run().expect("pages") {
        let page = next[input].next().map(|page| page.bytes.clone());
        merge.feed(input, page).expect("a page");
        pages.extend(merge.take_pages());
    }
    pages.extend(merge.finish());
    pages
}

proptest! {
    #[test]
    fn what_is_packed_can_be_read(steps in steps(40, 3_000)) {
        let (chunk, expected) = chunk(FIRST, &steps);
        prop_assert_eq!(read(&pack(&chunk)), expected);
    }

    #[test]
    fn a_merged_run_is_that_of_one_chunk(
        steps in prop::collection::vec(steps(30, 800), 1..6),
    ) {
        let (mut first, mut runs, mut all) = (FIRST, Vec::new(), Postings::new());
        for steps in &steps {
            let (chunk, postings) = chunk(first, steps);
            first = chunk.end_sequence;
            runs.push(pack(&chunk));
            all.extend(postings);
        }
        let merged = merge(&runs, FIRST);
        prop_assert_eq!(read(&merged), all.clone());
        // The bytes depend on the postings alone, not on what they were merged from.
        let mut packer = Packer::new(FIRST);
        for (&(account, sequence), &tag) in &all {
            packer.begin(account);
            packer.push(sequence, tag);
        }
        prop_assert_eq!(packer.finish(), merged);
    }

    #[test]
    fn searches_find_what_a_scan_finds(
        steps in steps(5, 2_000),
        account in 0..6_u32,
        (low, width) in (0..40_u64, 0..200_000_u64),
        newest_first: bool,
        limit in 1..50_usize,
        only_done: bool,
    ) {
        let (chunk, expected) = chunk(FIRST, &steps);
        let range = (FIRST + low * 1_000, FIRST + low * 1_000 + width);
        let mut accept = Accept::all();
        if only_done {
            accept.always = std::array::from_fn(|tag| tag as u8 & tag::REFUSED == 0);
        }
        let id = id_of(account);
        let mut wanted: Vec<(u64, u8)> = expected
            .range((id, range.0)..(id, range.1))
            .map(|(&(_, sequence), &tag)| (sequence, tag))
            .filter(|&(_, tag)| accept.always[usize::from(tag)])
            .collect();
        if newest_first {
            wanted.reverse();
        }
        wanted.truncate(limit);
        let mut in_chunk = Search::new(id, range, newest_first, limit, accept);
        let mut in_pages = in_chunk.clone();
        chunk.search(account, &mut in_chunk);
        search_pages(&pack(&chunk), &mut in_pages);
        for search in [in_chunk, in_pages] {
            let found: Vec<(u64, u8)> =
                search.sequences.iter().copied().zip(search.tags.iter().copied()).collect();
            prop_assert_eq!(found, wanted.clone());
        }
    }

    #[test]
    fn no_bytes_make_a_page_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut search = Search::new([7; 16], (0, u64::MAX), true, 10, Accept::all());
        let _ = search.page(&bytes);
        // The same with a header that fits, so that the bodies are reached.
        if bytes.len() > 40 {
            bytes[..8].copy_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
            bytes[16..32].copy_from_slice(&[7; 16]);
            bytes[32..36].copy_from_slice(&[36, 0, 0, 0]);
            let _ = search.page(&bytes);
            let mut merge = Merge::new(0, 1);
            let _ = merge.feed(0, Some(bytes));
            let _ = merge.run();
        }
    }
}

#[test]
fn an_account_of_many_records_goes_on_over_pages() {
    let steps: Vec<(Slot, u32, u8)> = (0..100_000)
        .map(|number| (u32::from(number % 10 == 0), 1, 4))
        .collect();
    let (chunk, expected) = chunk(FIRST, &steps);
    let pages = pack(&chunk);
    assert!(pages.len() > 2);
    assert!(pages.iter().all(|page| page.bytes.len() < 33 * 1024));
    assert_eq!(read(&pages), expected);
    let mut search = Search::new(id_of(0), (0, u64::MAX), true, 100_000, Accept::all());
    search_pages(&pages, &mut search);
    assert_eq!(search.sequences.len(), 90_000);
    assert!(search.sequences.is_sorted_by(|a, b| a > b));
}

#[test]
fn a_listed_posting_is_found_and_no_other() {
    let steps: Vec<(Slot, u32, u8)> = (0..1_000).map(|_| (3, 1, 4)).collect();
    let (chunk, _) = chunk(FIRST, &steps);
    let accept = Accept {
        always: [false; 256],
        if_listed: [true; 256],
        listed: vec![FIRST + 7, FIRST + 500, FIRST + 5_000],
    };
    let mut search = Search::new(id_of(3), (0, u64::MAX), false, 10, accept);
    search_pages(&pack(&chunk), &mut search);
    assert_eq!(search.sequences, [FIRST + 7, FIRST + 500]);
    assert!(!search.is_full());
}

#[test]
fn a_range_is_narrowed_never_widened() {
    let mut search = Search::new([1; 16], (10, 20), false, 5, Accept::all());
    search.narrow(5, 18);
    assert_eq!((search.low(), search.high()), (10, 18));
    search.add(9, 4);
    search.add(18, 4);
    search.add(17, 4);
    assert_eq!(search.sequences, [17]);
}

#[test]
fn broken_pages_are_told_apart() {
    let (chunk, _) = chunk(FIRST, &[(1, 0, 4), (1, 1, 4)]);
    let page = pack(&chunk).remove(0).bytes;
    let error = |bytes: &[u8]| {
        let mut search = Search::new(id_of(1), (0, u64::MAX), false, 9, Accept::all());
        search.page(bytes).err().map(|error| error.0)
    };
    assert_eq!(error(&page), None);
    assert_eq!(error(&page[..15]), Some("shorter than its header"));
    assert_eq!(error(&page[..20]), Some("its directory does not fit"));
    assert_eq!(error(&page[..page.len() - 1]), Some("a number is cut off"));
    let with = |at: usize, byte: u8| {
        let mut bytes = page.clone();
        bytes[at] = byte;
        error(&bytes)
    };
    assert_eq!(with(0, 2), Some("unknown version"));
    assert_eq!(with(32, 200), Some("an entry leaves the page"));
    assert_eq!(
        with(36, 0),
        Some("an entry has another length than it says")
    );
    assert_eq!(with(36, 1), Some("bytes behind an entry"));
    assert_eq!(with(37, 9), Some("an entry of unknown form"));
    assert_eq!(
        with(page.len() - 1, 0),
        Some("a sequence number stands twice")
    );
}
