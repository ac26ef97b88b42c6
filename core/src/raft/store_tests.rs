use proptest::prelude::*;

use super::*;

fn entry(index: u64, term: u64) -> Entry {
    Entry {
        index,
        term,
        data: Bytes::from(vec![term as u8; 10]),
        ..Entry::default()
    }
}

fn empty() -> LogStore {
    LogStore::new(
        HardState::default(),
        ConfState::from((vec![1], vec![])),
        Vec::new(),
        0,
        Vec::new(),
    )
    .unwrap()
}

/// A store whose log has the given terms, everything in memory.
fn with_terms(terms: &[u64]) -> LogStore {
    let mut store = empty();
    let entries: Vec<Entry> = (1..).zip(terms).map(|(i, term)| entry(i, *term)).collect();
    store.append(&entries);
    store
}

fn unavailable(result: Result<Vec<Entry>>) -> bool {
    matches!(
        result,
        Err(Error::Store(StorageError::LogTemporarilyUnavailable))
    )
}

#[test]
fn a_read_below_the_tail_becomes_one_want() {
    let mut store = with_terms(&[1; 9]);
    store.trim(5, 0);
    for _ in 0..3 {
        let read = store.entries(2, 10, Some(1000), GetEntriesContext::empty(true));
        assert!(unavailable(read));
    }
    assert_eq!(store.take_wants(), [Want { low: 2, high: 6 }]);
    assert!(unavailable(store.entries(
        2,
        10,
        None,
        GetEntriesContext::empty(true)
    )));
    assert_eq!(store.take_wants(), []); // still open
    store.close_want(2);
    assert!(unavailable(store.entries(
        2,
        10,
        None,
        GetEntriesContext::empty(true)
    )));
    assert_eq!(store.take_wants(), [Want { low: 2, high: 6 }]);
}

#[test]
fn the_slot_answers_below_the_tail_and_respects_the_limit() {
    let mut store = with_terms(&[1; 9]);
    store.trim(5, 0);
    store.set_slot(vec![entry(2, 1), entry(3, 1), entry(4, 1)]);
    let read = |max| {
        let found = store.entries(3, 10, max, GetEntriesContext::empty(true));
        found
            .unwrap()
            .iter()
            .map(|entry| entry.index)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(None), [3, 4]);
    assert_eq!(read(Some(1)), [3]); // at least one
    assert!(unavailable(store.entries(
        5,
        10,
        None,
        GetEntriesContext::empty(true)
    )));
    assert!(unavailable(store.entries(
        1,
        10,
        None,
        GetEntriesContext::empty(true)
    )));
}

#[test]
fn trim_keeps_the_budget_and_what_is_not_allowed_yet() {
    let mut store = with_terms(&[1; 9]);
    assert_eq!(store.trim(9, 3 * 34), 7);
    assert_eq!(store.tail_bytes(), 3 * 34);
    assert_eq!(store.trim(7, 0), 8);
    assert_eq!(store.trim(9, 0), 10);
    assert_eq!(store.tail_bytes(), 0);
}

#[test]
fn contradictions_at_the_start_are_refused() {
    let start = |runs: &[(u64, u64)], last, tail: Vec<Entry>| {
        let members = ConfState::from((vec![1], vec![]));
        LogStore::new(HardState::default(), members, runs.to_vec(), last, tail).map(|_| ())
    };
    assert!(start(&[], 0, vec![]).is_ok());
    assert!(start(&[(1, 1), (3, 4)], 5, vec![entry(4, 4), entry(5, 4)]).is_ok());
    assert!(start(&[(2, 1)], 5, vec![]).is_err());
    assert!(start(&[(1, 0)], 5, vec![]).is_err());
    assert!(start(&[(1, 2), (3, 2)], 5, vec![]).is_err());
    assert!(start(&[(1, 2), (6, 3)], 5, vec![]).is_err());
    assert!(start(&[(1, 2)], 0, vec![]).is_err());
    assert!(start(&[], 5, vec![]).is_err());
    assert!(start(&[(1, 2)], 5, vec![entry(4, 2)]).is_err());
    assert!(start(&[(1, 2)], 5, vec![entry(5, 1)]).is_err());
    assert!(start(&[(1, 2)], 1, vec![entry(1, 2), entry(2, 2)]).is_err());
}

#[test]
#[should_panic(expected = "append at")]
fn a_hole_in_the_log_stops_the_process() {
    with_terms(&[1, 1]).append(&[entry(4, 1)]);
}

/// The log as a plain list, to compare with.
fn naive_hint(terms: &[u64], index: u64, term: u64) -> u64 {
    let mut at = index.min(terms.len() as u64);
    while at > 0 && terms[at as usize - 1] > term {
        at -= 1;
    }
    at
}

proptest! {
    /// Appends, overwrites and trims keep terms, tail and sizes equal to those of a plain list.
    #[test]
    fn the_store_is_a_list(
        steps in proptest::collection::vec((0..6u64, 1..4usize, 0..3u64, 0..8u64), 1..20),
    ) {
        let mut store = empty();
        let mut terms: Vec<u64> = Vec::new();
        let mut trimmed = 0u64;
        for (back, count, term_step, trim) in steps {
            let keep = (terms.len() as u64).saturating_sub(back).max(trimmed) as usize;
            terms.truncate(keep);
            let term = terms.last().copied().unwrap_or(1) + term_step;
            let first = keep as u64 + 1;
            let new: Vec<Entry> = (first..).take(count).map(|index| entry(index, term)).collect();
            terms.resize(keep + count, term);
            store.append(&new);
            trimmed = trimmed.max(trim.min(terms.len() as u64));
            prop_assert_eq!(store.trim(trimmed, 0), trimmed + 1);

            prop_assert_eq!(store.last(), terms.len() as u64);
            for (index, term) in (1..).zip(&terms) {
                prop_assert_eq!(store.term_of(index), Some(*term));
            }
            prop_assert_eq!(store.term_of(store.last() + 1), None);
            prop_assert_eq!(store.tail_bytes(), (terms.len() as u64 - trimmed) * 34);
            for index in 0..terms.len() as u64 + 2 {
                for term in 0..terms.last().unwrap() + 2 {
                    let expected = naive_hint(&terms, index, term);
                    prop_assert_eq!(store.conflict_hint(index, term), expected);
                }
            }
        }
    }
}
