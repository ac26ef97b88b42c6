//! A block as a leader sends it: checked before it is appended, applied once it is committed.
//!
//! Input: which parts of the envelopes to repair, the signer, which header fields to put right,
//! then the block.
//!
//! Properties: what the check lets through, the kernel applies; a block that the kernel refuses
//! leaves its state as it was, down to the checkpoint's bytes; the answer has a result for each
//! record and an outcome for each envelope; the invariants of semantics.md section 4 hold.

use tallystick_core::format::limits::{
    BLOCK_HEADER_BYTES, BLOCK_MAGIC, EFFECT_BYTES, FORMAT_VERSION, RESULT_BYTES, RULES_VERSION,
};
use tallystick_core::verify::{check_block, BlockContext};

use crate::repair::{count, Repair};
use crate::source::Source;
use crate::support::{SECOND_NS, SECRET};
use crate::world::{apply, world, World};

const VERSIONS: u8 = 1;
const PLACE: u8 = 2;
const COUNTS: u8 = 4;
const LENGTH: u8 = 8;

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let world = world();
    let what = source.u8();
    let key = &world.keys[usize::from(source.u8()) % world.keys.len()];
    let header = source.u8();
    let repair = Repair {
        what,
        ledger_id: &world.genesis.ledger_id,
        key,
        id_ms: world.now_ns / 1_000_000,
        valid_until_ns: world.now_ns + 60 * SECOND_NS,
    };
    let mut block = source.rest().to_vec();
    if block.len() > BLOCK_HEADER_BYTES {
        let (head, body) = block.split_at_mut(BLOCK_HEADER_BYTES);
        repair.message(body);
        put_right(head, body, header, world);
    }
    judge(&block, world);
}

fn put_right(head: &mut [u8], body: &[u8], what: u8, world: &World) {
    if what & VERSIONS != 0 {
        head[..4].copy_from_slice(BLOCK_MAGIC);
        head[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        head[6..8].copy_from_slice(&RULES_VERSION.to_le_bytes());
        head[36..].fill(0);
    }
    if what & PLACE != 0 {
        head[8..16].copy_from_slice(&world.now_ns.to_le_bytes());
        head[16..24].copy_from_slice(&world.next_sequence.to_le_bytes());
    }
    if what & COUNTS != 0 {
        let (envelopes, records) = count(body);
        head[24..28].copy_from_slice(&envelopes.to_le_bytes());
        head[28..32].copy_from_slice(&records.to_le_bytes());
    }
    if what & LENGTH != 0 {
        head[32..36].copy_from_slice(&(body.len() as u32).to_le_bytes());
    }
}

fn judge(block: &[u8], world: &World) {
    let mut kernel = world.kernel();
    let context = BlockContext {
        ledger_id: &world.genesis.ledger_id,
        max_lifetime_ns: world.genesis.max_lifetime_ns,
        next_sequence: world.next_sequence,
        min_timestamp_ns: world.now_ns,
    };
    let checked = check_block(block, &context, &SECRET, 1);
    let applied = match apply(&mut kernel, block) {
        Ok(applied) => applied,
        Err(why) => {
            assert!(checked.is_err(), "checked, but not applied: {why}");
            assert!(
                kernel.checkpoint(17) == world.checkpoint,
                "refused, but not as it was"
            );
            return;
        }
    };
    if let Ok(checked) = checked {
        let status = kernel.status();
        assert_eq!(checked.next_sequence, status.next_sequence);
        assert_eq!(checked.min_next_timestamp_ns, status.min_next_timestamp_ns);
        assert_eq!(checked.envelope_count as usize, applied.envelopes.len());
    }
    let records: u32 = applied.envelopes.iter().map(|one| one.record_count).sum();
    assert_eq!(records, applied.record_count);
    assert_eq!(applied.results.len(), records as usize * RESULT_BYTES);
    let effects: u32 = applied.envelopes.iter().map(|one| one.effect_count).sum();
    assert_eq!(applied.effects.len(), effects as usize * EFFECT_BYTES);
    assert_eq!(kernel.verify_invariants(), Vec::<String>::new());
}
