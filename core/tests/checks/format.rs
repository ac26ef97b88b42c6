use proptest::prelude::*;
use tallystick_core::format::limits::*;
use tallystick_core::format::{
    check_grid_shape, kind, object_id, BlockView, Code, EnvelopeView, Genesis, Heads, ZERO_ID,
};

use crate::support::*;

#[test]
fn a_genesis_gives_its_fields() {
    let bytes = genesis_bytes();
    let genesis = Genesis::parse(&bytes).unwrap();
    assert_eq!(genesis.origin, "test/one.");
    assert_eq!(genesis.max_lifetime_ns, LIFETIME_NS);
    assert_eq!(genesis.cap_references, 3_000);
    assert_eq!(genesis.operators, [public_key(&signing_key(1_000_000))]);
    assert_eq!(genesis.nodes[0].raft_id, 1);
    assert_eq!(
        genesis.nodes[0].ledger_key,
        public_key(&signing_key(1_000_001))
    );
    let ledger = &genesis.ledger_id;
    assert_eq!(
        genesis.operator_principal(0),
        object_id(ledger, &ZERO_ID, &ZERO_ID, 0)
    );
    assert_eq!(
        genesis.node_principal(1),
        object_id(ledger, &ZERO_ID, &ZERO_ID, 65_537)
    );
}

#[test]
fn a_genesis_is_refused_for_each_wrong_field() {
    let node_at = GENESIS_FIXED_BYTES + 32;
    let operator_key: [u8; 32] = public_key(&signing_key(1_000_000));
    let cases: Vec<(&str, usize, Vec<u8>)> = vec![
        ("magic", 0, b"TSG2".to_vec()),
        ("format version", 4, vec![2]),
        ("rules version", 6, vec![2]),
        ("origin empty", 40, vec![0; 64]),
        ("origin too long", 40, vec![b'a'; 64]),
        ("origin capital", 40, b"T".to_vec()),
        ("origin with a hole", 42, vec![0]),
        (
            "lifetime short",
            104,
            (SECOND_NS - 1).to_le_bytes().to_vec(),
        ),
        (
            "lifetime long",
            104,
            (3_600 * SECOND_NS + 1).to_le_bytes().to_vec(),
        ),
        ("window short", 112, (SECOND_NS - 1).to_le_bytes().to_vec()),
        (
            "window long",
            112,
            (400 * 86_400 * SECOND_NS + 1).to_le_bytes().to_vec(),
        ),
        ("quorum zero", 120, vec![0]),
        ("quorum above operators", 120, vec![2]),
        ("operators zero", 124, vec![0]),
        ("operators many", 124, vec![17]),
        ("operators huge", 124, vec![0xff; 4]),
        ("nodes zero", 128, vec![0]),
        ("nodes many", 128, vec![10]),
        ("cap live ids", 132, vec![0; 4]),
        ("cap accounts", 136, vec![0; 4]),
        ("cap holds", 140, vec![0; 4]),
        ("cap keys", 144, vec![0; 4]),
        ("cap names", 148, vec![0; 4]),
        ("cap references", 272, vec![0; 4]),
        ("hold lifetime", 152, (SECOND_NS - 1).to_le_bytes().to_vec()),
        ("tree size of no predecessor", 200, vec![1]),
        ("tree root of no predecessor", 208, vec![1]),
        ("state digest of no predecessor", 271, vec![1]),
        ("reserved", 276, vec![1]),
        ("reserved end", 319, vec![1]),
        ("raft id zero", node_at, vec![0]),
        ("raft id large", node_at, 65_536_u64.to_le_bytes().to_vec()),
        ("node reserved", node_at + 104, vec![1]),
        (
            "ledger key of an operator",
            node_at + 40,
            operator_key.to_vec(),
        ),
    ];
    for (what, offset, bytes) in cases {
        let mut genesis = genesis_bytes();
        genesis[offset..offset + bytes.len()].copy_from_slice(&bytes);
        let refusal = Genesis::parse(&genesis).expect_err(what);
        assert_eq!(refusal.code, Code::Malformed, "{what}");
    }
    let mut weak = genesis_bytes();
    weak[node_at + 40..node_at + 72].fill(0);
    assert_eq!(Genesis::parse(&weak).unwrap_err().code, Code::BadKey);
    let valid = genesis_bytes();
    for length in 0..valid.len() {
        assert!(Genesis::parse(&valid[..length]).is_err(), "cut at {length}");
    }
    assert!(Genesis::parse(&[&valid[..], &[0]].concat()).is_err());
}

#[test]
fn the_bounds_of_a_genesis_are_inside() {
    for (offset, value) in [
        (104, SECOND_NS),
        (104, 3_600 * SECOND_NS),
        (112, SECOND_NS),
        (112, 400 * 86_400 * SECOND_NS),
        (152, SECOND_NS),
        (160, 0),
    ] {
        let mut genesis = genesis_bytes();
        genesis[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        assert!(Genesis::parse(&genesis).is_ok(), "{offset}: {value}");
    }
}

#[test]
fn an_envelope_gives_its_fields() {
    let draft = Draft::new(5, transfers(3, 0));
    let bytes = draft.seal(&signing_key(7));
    let view = EnvelopeView::parse(&bytes).unwrap();
    let header = view.header();
    assert_eq!(header.signer(), &public_key(&signing_key(7)));
    assert_eq!(header.valid_until_ns(), draft.valid_until_ns);
    assert_eq!(header.id_time_ns(), NOW_NS);
    assert_eq!(header.envelope_id_u128() & 0xffff, 5);
    assert!(!header.is_atomic());
    assert_eq!(view.records().len(), 3);
    assert_eq!(view.record(2).u128(40), 3);
    assert_eq!(view.record(2).kind(), kind::TRANSFER);
}

#[test]
fn an_envelope_header_has_no_other_bits() {
    let key = signing_key(0);
    let records = transfers(1, 0);
    let with = |offset: usize, value: u8| {
        let mut header = Draft::new(1, records.clone()).header(&key);
        header[offset] = value;
        let bytes = seal_header(&header, &records, &key);
        EnvelopeView::parse(&bytes)
            .map(|_| ())
            .map_err(|refusal| refusal.code)
    };
    assert_eq!(with(6, 1), Ok(()), "ATOMIC");
    for offset in (0..16).chain(136..192) {
        assert_eq!(with(offset, 0x82), Err(Code::Malformed), "byte {offset}");
    }
    let bytes = Draft::new(1, records.clone()).seal(&key);
    for length in 0..bytes.len() {
        assert!(EnvelopeView::parse(&bytes[..length]).is_err());
    }
    assert!(EnvelopeView::parse(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn id_time_is_checked_at_its_edges() {
    let envelope = |id_ms: u64, valid_until_ns: u64| {
        let mut draft = Draft::new(1, transfers(1, 0));
        (draft.id_ms, draft.valid_until_ns) = (id_ms, valid_until_ns);
        let bytes = draft.seal(&signing_key(0));
        let header = EnvelopeView::parse(&bytes).unwrap().header();
        header.id_time_fits(LIFETIME_NS)
    };
    let ms = NOW_NS / 1_000_000;
    assert!(envelope(ms, NOW_NS));
    assert!(!envelope(ms, NOW_NS - 1));
    assert!(envelope(ms, NOW_NS + LIFETIME_NS));
    assert!(!envelope(ms, NOW_NS + LIFETIME_NS + 1));
    // The time of an id may leave 64 bits; no valid_until can follow it there.
    assert!(!envelope((1 << 48) - 1, u64::MAX));
    assert!(envelope(u64::MAX / 1_000_000, u64::MAX));
}

#[test]
fn the_grid_is_checked() {
    let check = |records: &[u8]| {
        let bytes = Draft::new(1, records.to_vec()).seal(&signing_key(0));
        let result = check_grid_shape(EnvelopeView::parse(&bytes).unwrap());
        result.map_err(|refusal| refusal.code)
    };
    let malformed = Err(Code::Malformed);
    let edited = |mut records: Vec<u8>, offset: usize, value: u8| {
        records[offset] = value;
        records
    };
    assert_eq!(check(&name_with_conts(0)), Ok(()));
    assert_eq!(check(&name_with_conts(64)), Ok(()));
    assert_eq!(check(&name_with_conts(65)), malformed);
    let unknown_kind = record(0x7777, 0);
    assert_eq!(
        check(&unknown_kind),
        Ok(()),
        "kinds are the kernel's business"
    );
    assert_eq!(check(&record(kind::CONT, 0)), malformed);
    let short = &name_with_conts(3)[..3 * RECORD_BYTES];
    assert_eq!(check(short), malformed);
    let long = [&name_with_conts(3)[..], &record(kind::CONT, 9)].concat();
    assert_eq!(check(&long), malformed);
    let interrupted = [short, &transfers(1, 0)[..]].concat();
    assert_eq!(check(&interrupted), malformed);
    for offset in 2..8 {
        assert_eq!(
            check(&edited(name_with_conts(2), RECORD_BYTES + offset, 1)),
            malformed
        );
    }
    assert_eq!(
        check(&edited(name_with_conts(2), RECORD_BYTES + 8, 1)),
        Ok(())
    );
    let no_nonce = [0x01, 0x03]
        .iter()
        .copied()
        .chain([0; 126])
        .collect::<Vec<u8>>();
    assert_eq!(check(&no_nonce), malformed);
    for kind in [kind::PRINCIPAL, kind::KEY] {
        let mut head = [0; RECORD_BYTES];
        head[..2].copy_from_slice(&kind.to_le_bytes());
        assert_eq!(check(&head), Ok(()), "kind {kind:#x} has no nonce");
    }
    let last_is_head = [&transfers(1, 0)[..], &edited(transfers(1, 1), 4, 1)].concat();
    assert_eq!(check(&last_is_head), malformed);
}

proptest! {
    /// Nothing that can be sent makes a parser panic or an iterator run away.
    #[test]
    fn no_bytes_make_a_parser_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        magic in 0_usize..4,
        count in 0_u32..10,
    ) {
        let magics: [&[u8]; 4] = [b"", b"TSE1\x01\0", b"TSB1\x01\0\x01\0", b"TSG1\x01\0\x01\0"];
        let prefix = magics[magic];
        if bytes.len() >= 16 {
            bytes[..prefix.len()].copy_from_slice(prefix);
            bytes[12..16].copy_from_slice(&count.to_le_bytes());
        }
        let _ = Genesis::parse(&bytes);
        let _ = BlockView::parse(&bytes);
        if let Ok(view) = EnvelopeView::frame(&bytes) {
            let _ = (view.check_shape(), check_grid_shape(view), view.check_binding(&[0; 32], 1));
            prop_assert!(Heads::new(view).count() <= view.record_count() as usize);
        }
    }
}
