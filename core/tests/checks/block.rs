use proptest::prelude::*;
use tallystick_core::format::{kind, write_block_header, Code};
use tallystick_core::verify::{check_block, BlockContext, CheckedBlock};

use crate::support::*;

fn check_with(
    block: &[u8],
    threads: usize,
    edit: impl Fn(&mut BlockContext<'_>),
) -> Result<CheckedBlock, Code> {
    let genesis = genesis();
    let mut context = BlockContext {
        ledger_id: &genesis.ledger_id,
        max_lifetime_ns: genesis.max_lifetime_ns,
        next_sequence: 1,
        min_timestamp_ns: NOW_NS,
    };
    edit(&mut context);
    check_block(block, &context, &SECRET, threads).map_err(|refusal| refusal.code)
}

fn check(block: &[u8]) -> Result<CheckedBlock, Code> {
    check_with(block, 1, |_| {})
}

fn rich_envelopes() -> Vec<Vec<u8>> {
    let ledger_id = genesis().ledger_id;
    let registration = principal_record(&ledger_id, &signing_key(50), [7; 16]);
    vec![
        small_envelope(0, 2),
        Draft::new(1, [registration, transfers(2, 5)].concat()).seal(&signing_key(1)),
        Draft::new(2, [name_with_conts(2), transfers(1, 6)].concat()).seal(&signing_key(2)),
    ]
}

#[test]
fn a_good_block_says_what_follows_it() {
    let block = block(&rich_envelopes());
    for threads in [0, 1, 2, 5] {
        let checked = check_with(&block, threads, |_| {}).unwrap();
        let expected = CheckedBlock {
            record_count: 8,
            envelope_count: 3,
            next_sequence: 9,
            min_next_timestamp_ns: NOW_NS + 8,
            signatures: 4,
        };
        assert_eq!(checked, expected);
    }
}

#[test]
fn the_largest_blocks_pass() {
    let one = vec![Draft::new(1, transfers(8_190, 0)).seal(&signing_key(0))];
    let full = block(&one);
    assert_eq!(full.len(), 64 + (1 << 20));
    for threads in [1, 2] {
        assert_eq!(
            check_with(&full, threads, |_| {}).unwrap().record_count,
            8_190
        );
    }
    let many: Vec<Vec<u8>> = (0..2_730).map(|n| small_envelope(n, 64)).collect();
    assert_eq!(
        check_with(&block(&many), 2, |_| {}).unwrap().signatures,
        2_730
    );
    let too_many: Vec<Vec<u8>> = (0..2_731).map(|n| small_envelope(n, 64)).collect();
    assert_eq!(check(&block(&too_many)), Err(Code::Malformed));
}

#[test]
fn a_block_must_fit_its_place() {
    let block = block(&rich_envelopes());
    let malformed = Err(Code::Malformed);
    assert_eq!(
        check_with(&block, 1, |context| context.next_sequence = 2),
        malformed
    );
    assert_eq!(
        check_with(&block, 1, |context| context.min_timestamp_ns += 1),
        malformed
    );
    assert!(check_with(&block, 1, |context| context.min_timestamp_ns -= 1).is_ok());
    let other = [0; 32];
    let foreign = check_with(&block, 1, |context| {
        context.max_lifetime_ns = 59 * SECOND_NS
    });
    assert_eq!(foreign, Err(Code::BadIdTime));
    let genesis = genesis();
    let context = BlockContext {
        ledger_id: &other,
        max_lifetime_ns: genesis.max_lifetime_ns,
        next_sequence: 1,
        min_timestamp_ns: NOW_NS,
    };
    let refusal = check_block(&block, &context, &SECRET, 1).unwrap_err();
    assert_eq!(refusal.code, Code::WrongLedger);
    assert!(
        refusal.detail.starts_with("envelope 0: "),
        "{}",
        refusal.detail
    );
}

#[test]
fn ids_may_be_five_seconds_ahead() {
    let ahead = |ms: u64| {
        let mut draft = Draft::new(1, transfers(1, 0));
        draft.id_ms += ms;
        check(&block(&[draft.seal(&signing_key(0))]))
    };
    assert!(ahead(5_000).is_ok());
    assert_eq!(ahead(5_001), Err(Code::IdInFuture));
}

#[test]
fn each_way_to_be_wrong_has_its_code() {
    let key = signing_key(3);
    let ledger_id = genesis().ledger_id;
    let good = small_envelope(0, 2);
    let with = |envelope: Vec<u8>| check(&block(&[good.clone(), envelope]));
    let registration = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut record = principal_record(&ledger_id, &signing_key(50), [7; 16]);
        edit(&mut record);
        with(Draft::new(1, record).seal(&key))
    };
    assert!(registration(&|_| {}).is_ok());
    assert_eq!(
        registration(&|record| record[50] ^= 1),
        Err(Code::BadPossession)
    );
    assert_eq!(
        registration(&|record| record[104] ^= 1),
        Err(Code::BadPossession)
    );
    assert_eq!(
        registration(&|record| record[8..40].fill(0)),
        Err(Code::BadKey)
    );
    for operation in 0..=255 {
        let mut unproven = record(kind::KEY, 1);
        unproven[6] = operation;
        unproven[8..40].copy_from_slice(&public_key(&signing_key(50)));
        let expected = match operation {
            1 | 3 => Err(Code::BadPossession),
            _ => Ok(()),
        };
        let result = with(Draft::new(1, unproven.to_vec()).seal(&key));
        assert_eq!(result.map(|_| ()), expected, "operation {operation}");
    }
    let mut tampered = Draft::new(1, transfers(2, 1)).seal(&key);
    *tampered.last_mut().unwrap() ^= 1;
    assert_eq!(with(tampered), Err(Code::BadRoot));
    let mut unsigned = Draft::new(1, transfers(2, 1)).seal(&key);
    unsigned[200] ^= 1;
    assert_eq!(with(unsigned), Err(Code::BadSignature));
    let mut cont = name_with_conts(2);
    cont[200] ^= 1;
    assert_eq!(with(Draft::new(1, cont).seal(&key)), Err(Code::Malformed));
    let grid = [&transfers(1, 1)[..], &record(kind::CONT, 1)].concat();
    assert_eq!(with(Draft::new(1, grid).seal(&key)), Err(Code::Malformed));
    let mut header = Draft::new(1, transfers(1, 0)).header(&key);
    header[6] = 2;
    assert_eq!(
        with(seal_header(&header, &transfers(1, 0), &key)),
        Err(Code::Malformed)
    );
}

/// Contents are checked in groups; a bad root is found at the edges of each.
#[test]
fn a_bad_root_is_found_wherever_it_stands() {
    let envelopes: Vec<Vec<u8>> = (0..2_600).map(|n| small_envelope(n, 1)).collect();
    let good = block(&envelopes);
    let size = envelopes[0].len();
    for bad in [0, 1_022, 1_023, 1_024, 2_047, 2_048, 2_599] {
        let mut block = good.clone();
        block[64 + bad * size + 300] ^= 1;
        let genesis = genesis();
        let context = BlockContext {
            ledger_id: &genesis.ledger_id,
            max_lifetime_ns: genesis.max_lifetime_ns,
            next_sequence: 1,
            min_timestamp_ns: NOW_NS,
        };
        let refusal = check_block(&block, &context, &SECRET, 2).unwrap_err();
        assert_eq!(refusal.code, Code::BadRoot);
        assert!(
            refusal.detail.starts_with(&format!("envelope {bad}: ")),
            "{}",
            refusal.detail
        );
    }
}

#[test]
fn counts_and_bounds_of_the_header_are_checked() {
    let envelope = small_envelope(0, 1);
    let length = envelope.len() as u32;
    let with = |header: [u8; 64]| check(&[&header[..], &envelope].concat());
    assert!(with(write_block_header(1, NOW_NS, 1, 1, 1, length)).is_ok());
    for wrong in [
        write_block_header(2, NOW_NS, 1, 1, 1, length),
        write_block_header(1, NOW_NS, 1, 2, 1, length),
        write_block_header(1, NOW_NS, 1, 0, 1, length),
        write_block_header(1, NOW_NS, 1, 1, 2, length),
        write_block_header(1, NOW_NS, 1, 1, 1, length - 1),
        write_block_header(1, NOW_NS, 1, 1, 1, u32::MAX),
        write_block_header(1, u64::MAX, 1, 1, 1, length),
    ] {
        assert_eq!(with(wrong), Err(Code::Malformed));
    }
    let last = write_block_header(1, NOW_NS, u64::MAX, 1, 1, length);
    let block = [&last[..], &envelope].concat();
    let result = check_with(&block, 1, |context| context.next_sequence = u64::MAX);
    assert_eq!(result, Err(Code::Malformed));
    assert_eq!(
        check(&write_block_header(1, NOW_NS, 1, 0, 0, 0)),
        Err(Code::Malformed)
    );
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed() {
    let block = block(&rich_envelopes());
    for length in 0..block.len() {
        assert!(check(&block[..length]).is_err(), "cut at {length}");
    }
    for at in 0..block.len() {
        let mut changed = block.clone();
        changed[at] ^= 0x10;
        let result = check(&changed);
        // A later timestamp is a good block of another time.
        assert!(result.is_err() || (8..16).contains(&at), "byte {at}");
    }
    assert!(check(&[&block[..], &[0]].concat()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_mutation_panics(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        cut in any::<prop::sample::Index>(),
        do_cut in any::<bool>(),
        threads in 0_usize..3,
    ) {
        let mut bytes = block(&rich_envelopes());
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if do_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = check_with(&bytes, threads, |_| {});
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1_000)) {
        prop_assert!(check(&bytes).is_err());
    }
}
