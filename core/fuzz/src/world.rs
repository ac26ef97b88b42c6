//! A small ledger that the targets start from, made once.

use std::sync::OnceLock;

use ed25519_zebra::SigningKey;
use tallystick_core::format::limits::{CITATION_BYTES, ENVELOPE_MAGIC, RECORDS_OFFSET};
use tallystick_core::format::{kind, u16_at, u32_at, write_block_header, Genesis, Id16, Key32};
use tallystick_core::kernel::{cited_sequences, Applied, BlockError, Kernel};

use crate::ledger::{capture, last_capture, name, record, reserve, unique, Ledger, Record};
use crate::support::{signing_key, small_envelope, SECOND_NS};

/// Numbers of the signing keys that the ledger knows: operator, node, bank, Alice, Bob.
pub const KNOWN_KEYS: [u64; 5] = [1_000_000, 1_000_001, 1, 2, 3];
/// And some that it does not, but for the last: it signs Alice's vouchers.
pub const OTHER_KEYS: [u64; 4] = [40, 41, 42, 50];

/// Key, id, ATOMIC, records of an envelope that nobody signed.
pub type Drafted<'a> = (Key32, u128, bool, &'a [Record]);

/// A block of envelopes that fits on the kernel.
pub fn write_block(kernel: &Kernel, timestamp_ns: u64, envelopes: &[Drafted<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut count = 0;
    for (key, id, atomic, records) in envelopes {
        let mut head = [0; RECORDS_OFFSET];
        head[..4].copy_from_slice(ENVELOPE_MAGIC);
        head[4] = 1;
        head[6] = u8::from(*atomic);
        head[8] = 1;
        head[12..16].copy_from_slice(&(records.len() as u32).to_le_bytes());
        head[16..48].copy_from_slice(&kernel.genesis().ledger_id);
        head[48..80].copy_from_slice(key);
        head[80..96].copy_from_slice(&id.to_le_bytes());
        let valid_until = timestamp_ns.saturating_add(60 * SECOND_NS);
        head[96..104].copy_from_slice(&valid_until.to_le_bytes());
        body.extend_from_slice(&head);
        body.extend_from_slice(records.as_flattened());
        count += records.len() as u32;
    }
    let header = write_block_header(
        1,
        timestamp_ns,
        kernel.status().next_sequence,
        envelopes.len() as u32,
        count,
        body.len() as u32,
    );
    [&header[..], &body].concat()
}

/// The ledger and what is in it.
pub struct World {
    pub genesis: Genesis,
    pub checkpoint: Vec<u8>,
    /// Timestamp of the next block at least.
    pub now_ns: u64,
    pub next_sequence: u64,
    /// [`KNOWN_KEYS`] and [`OTHER_KEYS`] in this order.
    pub keys: Vec<SigningKey>,
    /// Principals of the known keys, in their order.
    pub principals: Vec<Id16>,
    /// Accounts: the issuance account, those of Alice and Bob, and one of a second unit.
    pub accounts: Vec<Id16>,
    /// Open, partly captured, captured.
    pub holds: Vec<Id16>,
    /// Open, partly paid out.
    pub channels: Vec<Id16>,
    pub units: Vec<Id16>,
    /// A message of somebody else, well signed.
    pub neighbour: Vec<u8>,
}

impl World {
    /// Its kernel, as a restart finds it.
    pub fn kernel(&self) -> Kernel {
        Kernel::restore(self.genesis.clone(), &self.checkpoint).expect("a checkpoint of our own")
    }
}

/// The one world.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(make)
}

fn make() -> World {
    let mut ledger = Ledger::new();
    let (alice, bob) = (ledger.alice, ledger.bob);
    let euro = ledger.new_unit(b"EUR");
    let other = ledger.new_account(&bob, &euro);
    let open = ledger.hold(100, 60 * SECOND_NS);
    let part = ledger.hold(200, 3_600 * SECOND_NS);
    let ended = ledger.hold(300, 86_400 * SECOND_NS);
    ledger.ok(&bob, capture(&part, 50));
    ledger.ok(&bob, last_capture(&ended, 120));
    let channels = vec![
        ledger.channel(500, 60 * SECOND_NS),
        ledger.channel(70, 3_600 * SECOND_NS),
    ];
    ledger.ok(&bob, ledger.voucher(&channels[1], 30));
    ledger.ok(&alice, name(7, b"label"));
    let expires = ledger.now_ns + 60 * SECOND_NS;
    ledger.ok(
        &alice,
        unique(reserve(&alice.account, &bob.account, 1, expires), 9),
    );
    let status = ledger.kernel.status();
    let keys = KNOWN_KEYS.iter().chain(&OTHER_KEYS);
    World {
        genesis: ledger.genesis.clone(),
        checkpoint: ledger.kernel.checkpoint(17),
        now_ns: status.min_next_timestamp_ns,
        next_sequence: status.next_sequence,
        keys: keys.map(|&number| signing_key(number)).collect(),
        principals: [ledger.operator, ledger.node, ledger.bank, alice, bob]
            .map(|person| person.principal)
            .to_vec(),
        accounts: vec![ledger.usd, alice.account, bob.account, other],
        holds: vec![open, part, ended],
        channels,
        units: vec![ledger.usd, euro],
        neighbour: small_envelope(1, 2),
    }
}

/// Applies a block as on a ledger whose records moved nothing that it could cite.
pub fn apply(kernel: &mut Kernel, block: &[u8]) -> Result<Applied, BlockError> {
    let citation = |sequence: u64| {
        let mut bytes = [0; CITATION_BYTES];
        bytes[..8].copy_from_slice(&sequence.to_le_bytes());
        bytes
    };
    let cited = cited_sequences(block).into_iter();
    let citations: Vec<u8> = cited.flat_map(citation).collect();
    kernel.apply_citing(block, &citations)
}

/// Pays a claim, which has the id of its hold, or waives it.
pub fn pay_claim_record(operation: u8, hold: &Id16, amount: &[u8; 16], account: &Id16) -> Record {
    record(
        kind::PAY_CLAIM,
        &[
            (6, &[1 + operation % 2]),
            (8, hold),
            (24, amount),
            (40, account),
        ],
    )
}

/// All rows but that of the ledger and the live ids, which every envelope changes.
pub fn lasting_rows(kernel: &Kernel) -> Vec<u8> {
    let rows = kernel.state_rows();
    let (mut rest, mut out) = (&rows[..], Vec::new());
    while !rest.is_empty() {
        let length = 8 + u32_at(rest, 4) as usize;
        if !matches!(u16_at(rest, 0), 1 | 8) {
            out.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    out
}

/// A RECOVER or VETO of one of few keys.
pub fn recovery_record(kind: u16, key: u8, principal: &Id16, more_ns: u8) -> Record {
    if kind == kind::VETO {
        return record(kind, &[(8, &[key; 32])]);
    }
    let delay = (72 * 3_600 * SECOND_NS + u64::from(more_ns)).to_le_bytes();
    record(kind, &[(8, &[key; 32]), (104, principal), (120, &delay)])
}
