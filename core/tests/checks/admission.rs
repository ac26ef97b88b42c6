use std::collections::HashMap;

use proptest::prelude::*;
use tallystick_core::admission::{Admission, AdmissionState, Seen};
use tallystick_core::format::{kind, Code, EnvelopeHeader, EnvelopeView, Id16, Key32};

use crate::support::*;

/// What a kernel would know. The principal of key `n` is `[n; 16]`.
#[derive(Default)]
struct Known {
    signers: HashMap<Key32, Id16>,
    ordered: HashMap<(Id16, Id16), ([u8; 32], u64)>,
    live: HashMap<Id16, u32>,
}

impl Known {
    fn with_keys(count: u8) -> Self {
        let mut known = Self::default();
        for n in 0..count {
            known
                .signers
                .insert(public_key(&signing_key(u64::from(n))), [n; 16]);
        }
        known
    }

    fn order(&mut self, envelope: &[u8], first_sequence: u64) {
        let header = EnvelopeView::parse(envelope).unwrap().header();
        let principal = self.signers[header.signer()];
        self.ordered.insert(
            (principal, header.envelope_id()),
            (header.digest(), first_sequence),
        );
    }
}

impl AdmissionState for Known {
    fn signer(&self, key: &Key32) -> Option<Id16> {
        self.signers.get(key).copied()
    }

    fn seen(&self, principal: &Id16, header: EnvelopeHeader<'_>) -> Seen {
        match self.ordered.get(&(*principal, header.envelope_id())) {
            None => Seen::No,
            Some(&(digest, first_sequence)) if digest == header.digest() => {
                Seen::Duplicate { first_sequence }
            }
            Some(&(_, first_sequence)) => Seen::Conflict { first_sequence },
        }
    }

    fn live_ids(&self, principal: &Id16) -> u32 {
        self.live.get(principal).copied().unwrap_or(0)
    }
}

fn admit(messages: &[Vec<u8>], known: &Known) -> Admission<Vec<u8>> {
    Admission::new(messages.to_vec(), NOW_NS, &genesis(), known)
}

fn codes(admission: &Admission<Vec<u8>>, m: usize) -> Vec<Code> {
    admission.codes(m).collect()
}

fn body(admission: &Admission<Vec<u8>>, m: usize) -> Vec<u8> {
    admission.ok_slices(m).flatten().copied().collect()
}

#[test]
fn good_messages_pass_whole() {
    let messages: Vec<Vec<u8>> = (0..3)
        .map(|m| (0..4).flat_map(|n| small_envelope(4 * m + n, 3)).collect())
        .collect();
    let mut admission = admit(&messages, &Known::with_keys(3));
    assert_eq!(admission.verify(&SECRET, 2), 12);
    assert_eq!(admission.signatures(), 12);
    for (m, message) in messages.iter().enumerate() {
        assert!(admission.is_whole(m));
        assert_eq!(admission.ok_count(m), 4);
        assert_eq!((admission.ok_records(m), admission.records(m)), (4, 4));
        assert_eq!(
            admission.min_valid_until_ns(m),
            Some(NOW_NS + 60 * SECOND_NS)
        );
        assert_eq!(&body(&admission, m), message);
        assert_eq!(admission.detail(m, 0), "");
    }
}

#[test]
fn cheap_refusals_cost_no_signature() {
    let mut known = Known::with_keys(3);
    let draft = || Draft::new(1, transfers(1, 0));
    let sealed = |edit: &dyn Fn(&mut Draft)| {
        let mut draft = draft();
        edit(&mut draft);
        draft.seal(&signing_key(0))
    };
    let ordered = sealed(&|draft| draft.id_random = 77);
    known.order(&ordered, 1_234);
    let conflict = sealed(&|draft| {
        draft.id_random = 77;
        draft.records = transfers(2, 0);
    });
    known.live.insert([2; 16], 3_000);
    let mut odd_header = draft().header(&signing_key(0));
    odd_header[8] = 2;
    let no_nonce: Vec<u8> = transfers(1, 0)[..112]
        .iter()
        .copied()
        .chain([0; 16])
        .collect();
    let cases = [
        (
            Code::WrongLedger,
            sealed(&|draft| draft.ledger_id = [1; 32]),
        ),
        (Code::UnknownSigner, draft().seal(&signing_key(9))),
        (Code::Duplicate, ordered),
        (Code::IdConflict, conflict),
        (
            Code::BadIdTime,
            sealed(&|draft| draft.valid_until_ns = NOW_NS - 1),
        ),
        (Code::IdInFuture, sealed(&|draft| draft.id_ms += 5_001)),
        (
            Code::TooLate,
            sealed(&|draft| {
                draft.id_ms -= 1_000;
                draft.valid_until_ns = NOW_NS - 1;
            }),
        ),
        (Code::Overloaded, draft().seal(&signing_key(2))),
        (
            Code::Malformed,
            seal_header(&odd_header, &transfers(1, 0), &signing_key(0)),
        ),
        (
            Code::Malformed,
            sealed(&|draft| draft.records = no_nonce.clone()),
        ),
    ];
    let message: Vec<u8> = cases
        .iter()
        .flat_map(|(_, envelope)| envelope.clone())
        .collect();
    let mut admission = admit(&[message], &known);
    let expected: Vec<Code> = cases.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes(&admission, 0), expected);
    assert_eq!(admission.verify(&SECRET, 1), 0);
    assert_eq!(codes(&admission, 0), expected);
    let originals: Vec<u64> = admission.original_sequences(0).collect();
    assert_eq!(originals, [0, 0, 1_234, 1_234, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        (admission.ok_count(0), admission.min_valid_until_ns(0)),
        (0, None)
    );
    assert!(!admission.detail(0, 0).is_empty());
}

#[test]
fn a_duplicate_is_answered_whatever_the_time() {
    let mut known = Known::with_keys(1);
    let envelope = small_envelope(0, 1);
    known.order(&envelope, 5);
    let years_later = NOW_NS + 400 * 86_400 * SECOND_NS;
    let admission = Admission::new(vec![envelope], years_later, &genesis(), &known);
    assert_eq!(admission.codes(0).collect::<Vec<_>>(), [Code::Duplicate]);
}

#[test]
fn valid_until_may_be_now() {
    let mut draft = Draft::new(0, transfers(1, 0));
    draft.valid_until_ns = NOW_NS;
    draft.id_ms -= 1;
    let admission = admit(&[draft.seal(&signing_key(0))], &Known::with_keys(1));
    assert_eq!(codes(&admission, 0), [Code::Ok]);
}

#[test]
fn the_last_room_for_live_ids_goes_to_the_first() {
    let mut known = Known::with_keys(2);
    // Two keys of one principal share its cap.
    known.signers.insert(public_key(&signing_key(1)), [0; 16]);
    known.live.insert([0; 16], 2_998);
    let message: Vec<u8> = (0..4).flat_map(|n| small_envelope(n, 2)).collect();
    let admission = admit(&[message], &known);
    assert_eq!(
        codes(&admission, 0),
        [Code::Ok, Code::Ok, Code::Overloaded, Code::Overloaded]
    );
}

#[test]
fn bad_ones_leave_their_neighbours_alone() {
    let known = Known::with_keys(4);
    let ledger_id = genesis().ledger_id;
    let key = signing_key(1);
    let mut bad_signature = small_envelope(1, 4);
    bad_signature[230] ^= 1;
    let mut bad_root = small_envelope(2, 4);
    bad_root[300] ^= 1;
    let mut bad_cont = name_with_conts(1);
    bad_cont[250] ^= 1;
    let mut bad_proof = principal_record(&ledger_id, &signing_key(60), [1; 16]);
    bad_proof[60] ^= 1;
    let mut bad_key = principal_record(&ledger_id, &signing_key(60), [1; 16]);
    bad_key[8..40].copy_from_slice(&[0; 32]);
    let mut revoke = record(kind::KEY, 0);
    revoke[6] = 2;
    let seal = |n: u64, records: Vec<u8>| Draft::new(n, records).seal(&key);
    let proven = principal_record(&ledger_id, &signing_key(61), [1; 16]);
    let cases = [
        (Code::Ok, small_envelope(0, 4)),
        (Code::BadSignature, bad_signature),
        (Code::BadRoot, bad_root),
        (Code::Malformed, seal(13, bad_cont)),
        (
            Code::BadPossession,
            seal(14, [proven.clone(), bad_proof.clone()].concat()),
        ),
        (
            Code::BadKey,
            seal(15, [proven.clone(), bad_proof, bad_key].concat()),
        ),
        (Code::Ok, seal(16, proven)),
        (Code::Ok, seal(17, revoke.to_vec())),
    ];
    let first: Vec<u8> = cases[..4]
        .iter()
        .flat_map(|(_, envelope)| envelope.clone())
        .collect();
    let second: Vec<u8> = cases[4..]
        .iter()
        .flat_map(|(_, envelope)| envelope.clone())
        .collect();
    for threads in [1, 3] {
        let mut admission = admit(&[first.clone(), second.clone()], &known);
        // 8 headers; proofs: 2 and 1, none where a key is refused.
        assert_eq!(admission.verify(&SECRET, threads), 8 + 3);
        let all = [codes(&admission, 0), codes(&admission, 1)].concat();
        assert_eq!(all, cases.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        assert_eq!(body(&admission, 0), cases[0].1);
        assert_eq!(body(&admission, 1), [&cases[6].1[..], &cases[7].1].concat());
        assert!(
            admission.detail(1, 1).starts_with("record 2: "),
            "{}",
            admission.detail(1, 1)
        );
    }
}

#[test]
fn a_lost_boundary_ends_the_message_and_no_other() {
    let good = small_envelope(0, 1);
    let whole = [&good[..], &small_envelope(1, 1)].concat();
    let cut = whole[..whole.len() - 1].to_vec();
    let mut no_magic = whole.clone();
    no_magic[good.len()] = b'X';
    let mut no_count = whole.clone();
    no_count[good.len() + 12..good.len() + 16].fill(0);
    let trailing = [&whole[..], b"TSE1"].concat();
    let messages = [
        cut,
        no_magic,
        no_count,
        trailing,
        whole,
        vec![],
        vec![0; (1 << 20) + 1],
    ];
    let mut admission = admit(&messages, &Known::with_keys(1));
    admission.verify(&SECRET, 1);
    for m in 0..3 {
        assert_eq!(
            codes(&admission, m),
            [Code::Ok, Code::Malformed],
            "message {m}"
        );
        assert_eq!(admission.record_counts(m).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(body(&admission, m), good);
        assert!(!admission.is_whole(m));
    }
    assert_eq!(codes(&admission, 3), [Code::Ok, Code::Ok, Code::Malformed]);
    assert_eq!(codes(&admission, 4), [Code::Ok, Code::Ok]);
    assert_eq!(codes(&admission, 5), [Code::Malformed]);
    assert_eq!(codes(&admission, 6), [Code::TooLarge]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to a message: no panic, and what is OK is as its signer made it.
    #[test]
    fn mutated_messages_are_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        do_cut in any::<bool>(),
    ) {
        let registration = principal_record(&genesis().ledger_id, &signing_key(9), [3; 16]);
        let original: Vec<Vec<u8>> = vec![
            small_envelope(0, 2),
            Draft::new(1, registration).seal(&signing_key(1)),
            Draft::new(2, name_with_conts(3)).seal(&signing_key(0)),
            small_envelope(3, 2),
        ];
        let mut message = original.concat();
        for (at, value) in edits {
            let at = at.index(message.len());
            message[at] = value;
        }
        if do_cut {
            message.truncate(cut.index(message.len()));
        }
        let mut admission = admit(&[message], &Known::with_keys(2));
        admission.verify(&SECRET, 1);
        for slice in admission.ok_slices(0) {
            prop_assert!(original.iter().any(|envelope| envelope == slice));
        }
    }
}
