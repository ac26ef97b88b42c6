//! Envelopes as clients send them: screened, verified, put into a block.
//!
//! Input: which parts to repair, the signer, the id's distance from "now" in ms, then the message.
//!
//! Properties: the entries tile the message without a gap; a code that screening gave is not
//! changed by verification; neither threads nor other messages in the same call change an answer;
//! and what admission lets through is a block that every follower accepts and the kernel applies.

use tallystick_core::admission::Admission;
use tallystick_core::format::limits::MAX_ENVELOPE_BYTES;
use tallystick_core::format::{write_block_header, Code};
use tallystick_core::kernel::Kernel;
use tallystick_core::verify::{check_block, BlockContext};

use crate::repair::Repair;
use crate::source::Source;
use crate::support::{SECOND_NS, SECRET};
use crate::world::{apply, world};

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let world = world();
    let kernel = world.kernel();
    let what = source.u8();
    let key = &world.keys[usize::from(source.u8()) % world.keys.len()];
    let now_ns = world.now_ns;
    let repair = Repair {
        what,
        ledger_id: &world.genesis.ledger_id,
        key,
        id_ms: now_ns / 1_000_000 + u64::from(source.u16()),
        valid_until_ns: now_ns + 60 * SECOND_NS,
    };
    let mut message = source.rest().to_vec();
    repair.message(&mut message);

    let mut alone = Admission::new(vec![&message[..]], now_ns, &world.genesis, &kernel);
    let screened: Vec<Code> = alone.codes(0).collect();
    check_tiling(&alone, &message);
    alone.verify(&SECRET, 1);
    let verified: Vec<Code> = alone.codes(0).collect();
    check_codes(&screened, &verified);

    let messages = vec![&world.neighbour[..], &message[..], &world.neighbour[..]];
    let mut amid = Admission::new(messages, now_ns, &world.genesis, &kernel);
    amid.verify(&[0x17; 32], 3);
    let again: Vec<Code> = amid.codes(1).collect();
    assert_eq!(verified, again, "neighbours or threads change an answer");

    order(kernel, now_ns, &alone);
}

fn check_tiling(admission: &Admission<&[u8]>, message: &[u8]) {
    let count = admission.envelope_count(0);
    assert!(count > 0);
    let joined: Vec<u8> = (0..count)
        .flat_map(|e| admission.envelope_bytes(0, e).iter().copied())
        .collect();
    assert_eq!(joined, message, "the entries do not tile the message");
    let is_whole = admission.is_whole(0);
    assert_eq!(is_whole, admission.ok_count(0) == count);
    let records = admission.record_counts(0);
    for (index, (code, records)) in admission.codes(0).zip(records).enumerate() {
        let is_last = index + 1 == count;
        assert!(records > 0 || (is_last && code != Code::Ok), "a lost rest");
        let is_explained = !admission.detail(0, index).is_empty();
        assert_eq!(is_explained, code != Code::Ok && code.value() < 64);
    }
}

fn check_codes(screened: &[Code], verified: &[Code]) {
    assert_eq!(screened.len(), verified.len());
    for (&before, &after) in screened.iter().zip(verified) {
        assert!(
            before == after || before == Code::Ok,
            "{before:?} {after:?}"
        );
        assert!(after.value() < 66, "no code of admission: {after:?}");
    }
}

/// What was let through is good for everybody else.
fn order(mut kernel: Kernel, now_ns: u64, admission: &Admission<&[u8]>) {
    let body: Vec<u8> = admission.ok_slices(0).flatten().copied().collect();
    if body.is_empty() {
        return;
    }
    assert!(body.len() <= MAX_ENVELOPE_BYTES);
    assert!(admission
        .min_valid_until_ns(0)
        .is_some_and(|ns| ns >= now_ns));
    let (envelopes, records) = (admission.ok_count(0) as u32, admission.ok_records(0));
    let status = kernel.status();
    let header = write_block_header(
        1,
        now_ns,
        status.next_sequence,
        envelopes,
        records,
        body.len() as u32,
    );
    let block = [&header[..], &body].concat();
    let context = BlockContext {
        ledger_id: &kernel.genesis().ledger_id,
        max_lifetime_ns: kernel.genesis().max_lifetime_ns,
        next_sequence: status.next_sequence,
        min_timestamp_ns: status.min_next_timestamp_ns,
    };
    let checked = check_block(&block, &context, &SECRET, 1).expect("admitted, so ordered");
    assert_eq!(checked.record_count, records);
    let applied = apply(&mut kernel, &block).expect("checked, so applied");
    assert_eq!(applied.record_count, records);
    assert_eq!(kernel.verify_invariants(), Vec::<String>::new());
}
