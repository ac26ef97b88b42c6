//! State rows as bytes, and the digest over them (format.md section 10).
//!
//! One stream of rows serves the digest, the checkpoint and the reads of single rows.

use sha2::{Digest, Sha256};

use super::rows::{
    Account, Channel, ChannelStatus, Correction, Dispute, DisputeStatus, Hold, HoldStatus, Key,
    LiveId, Mandate, Name, Principal, Reference, Unit,
};
use super::state::State;
use super::table::Slot;
use crate::format::limits::STATE_PREFIX;
use crate::format::Hash32;

/// Numbers of the tables.
pub mod table {
    pub const LEDGER: u16 = 1;
    pub const PRINCIPAL: u16 = 2;
    pub const KEY: u16 = 3;
    pub const NAME: u16 = 4;
    pub const UNIT: u16 = 5;
    pub const ACCOUNT: u16 = 6;
    pub const HOLD: u16 = 7;
    pub const LIVE_ID: u16 = 8;
    pub const REFERENCE: u16 = 9;
    pub const CHANNEL: u16 = 10;
    pub const CARD: u16 = 11;
    pub const PRICE_LINE: u16 = 12;
    pub const QUOTE: u16 = 13;
    pub const TERMS: u16 = 14;
    pub const CORRECTION: u16 = 15;
    pub const DISPUTE: u16 = 16;
    pub const MANDATE: u16 = 17;
    pub const GRANT: u16 = 18;
    pub const SHARES: u16 = 19;
    pub const LIMIT: u16 = 20;
    pub const LINE: u16 = 21;
    pub const MARK: u16 = 22;
    pub const ZONE: u16 = 23;
    pub const LIST: u16 = 24;
    pub const RELATION: u16 = 25;
    pub const DEFERRED_UNIT: u16 = 26;
    pub const MEMBER: u16 = 27;
    pub const WINDOW: u16 = 28;
    pub const PAIR: u16 = 29;
    pub const CLAIM: u16 = 30;
    pub const RECOVERY: u16 = 31;
    pub const EXCHANGE: u16 = 32;
}

/// Bytes of a row's content, by table number; 0 where there is no such table. Of a list these are
/// its first: the ids follow.
pub const ROW_BYTES: [usize; 33] = [
    0, 16, 32, 80, 72, 56, 136, 112, 88, 56, 160, 392, 184, 1392, 232, 80, 128, 136, 200, 232, 120,
    96, 96, 848, 40, 56, 48, 56, 80, 72, 120, 96, 72,
];
/// Bytes of `u16 table ‖ u16 0 ‖ u32 length` in front of each row.
pub const ROW_PREFIX_BYTES: usize = 8;

pub const ACCOUNT_ROW_BYTES: usize = ROW_BYTES[table::ACCOUNT as usize];
pub const HOLD_ROW_BYTES: usize = ROW_BYTES[table::HOLD as usize];
pub const CHANNEL_ROW_BYTES: usize = ROW_BYTES[table::CHANNEL as usize];
pub const CORRECTION_ROW_BYTES: usize = ROW_BYTES[table::CORRECTION as usize];
pub const DISPUTE_ROW_BYTES: usize = ROW_BYTES[table::DISPUTE as usize];
pub const MANDATE_ROW_BYTES: usize = ROW_BYTES[table::MANDATE as usize];
pub const CLAIM_ROW_BYTES: usize = ROW_BYTES[table::CLAIM as usize];

/// The content of one row, field by field; what is not written stays zero.
pub struct RowWriter<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> RowWriter<N> {
    pub fn new() -> Self {
        Self {
            bytes: [0; N],
            at: 0,
        }
    }

    pub fn put(mut self, field: &[u8]) -> Self {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
        self
    }

    pub fn u16(self, value: u16) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub fn u32(self, value: u32) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub fn u64(self, value: u64) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub fn u128(self, value: u128) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub fn skip(mut self, bytes: usize) -> Self {
        self.at += bytes;
        self
    }

    pub fn done(self) -> [u8; N] {
        debug_assert_eq!(self.at, N, "a row has another length than its table");
        self.bytes
    }
}

impl State {
    pub fn ledger_row(&self) -> [u8; ROW_BYTES[table::LEDGER as usize]] {
        RowWriter::new()
            .u64(self.next_sequence)
            .u64(self.min_next_timestamp_ns)
            .done()
    }

    pub fn principal_row(&self, row: &Principal) -> [u8; ROW_BYTES[table::PRINCIPAL as usize]] {
        RowWriter::new()
            .put(&row.id)
            .u16(row.kind)
            .skip(6)
            .u64(row.registered_at)
            .done()
    }

    pub fn key_row(&self, row: &Key) -> [u8; ROW_BYTES[table::KEY as usize]] {
        RowWriter::new()
            .put(&row.key)
            .put(&self.principals.get(row.principal).id)
            .u16(row.scope)
            .u16(if row.revoked { 2 } else { 1 })
            .skip(4)
            .u64(row.registered_at)
            .u64(row.until_ns)
            .u64(row.revoked_at)
            .done()
    }

    pub fn name_row(&self, row: &Name) -> [u8; ROW_BYTES[table::NAME as usize]] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.owner).id)
            .u16(row.kind)
            .u16(row.length)
            .skip(4)
            .put(&row.text_hash)
            .done()
    }

    pub fn unit_row(&self, row: &Unit) -> [u8; ROW_BYTES[table::UNIT as usize]] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.issuer).id)
            .put(&row.symbol)
            .put(&[row.exponent])
            .skip(7)
            .done()
    }

    pub fn account_row(&self, row: &Account) -> [u8; ACCOUNT_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.owner).id)
            .put(&self.units.get(row.unit).id)
            .u16(row.flags)
            .skip(6)
            .u128(row.credit_limit)
            .u128(row.debits_pending)
            .u128(row.debits_posted)
            .u128(row.credits_pending)
            .u128(row.credits_posted)
            .done()
    }

    pub fn hold_row(&self, row: &Hold) -> [u8; HOLD_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.accounts.get(row.payer).id)
            .put(&self.accounts.get(row.payee).id)
            .u128(row.maximum)
            .u128(row.captured)
            .u64(row.expires_at_ns)
            .u16(row.status as u16)
            .u16(self.mode_of(row))
            .skip(4)
            .u64(row.ended_at_ns)
            .u64(row.created_at_ns)
            .done()
    }

    /// The mode of a hold's RESERVE.
    fn mode_of(&self, row: &Hold) -> u16 {
        if row.terms == Slot::MAX {
            0
        } else if self.terms.get(row.terms).is_quote {
            2
        } else {
            1
        }
    }

    pub fn channel_row(&self, row: &Channel) -> [u8; CHANNEL_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.accounts.get(row.payer).id)
            .put(&self.accounts.get(row.payee).id)
            .put(&row.key)
            .u128(row.deposit)
            .u128(row.paid)
            .u128(row.highest)
            .u64(row.challenge_ns)
            .u64(row.closes_at_ns)
            .u16(row.status as u16)
            .skip(6)
            .u64(row.ended_at_ns)
            .done()
    }

    pub fn live_id_row(&self, row: &LiveId) -> [u8; ROW_BYTES[table::LIVE_ID as usize]] {
        RowWriter::new()
            .u64(row.first_sequence)
            .put(&self.principals.get(row.principal).id)
            .put(&row.envelope_id)
            .put(&row.header_digest)
            .u64(row.block_timestamp_ns)
            .u32(row.record_count)
            .skip(4)
            .done()
    }

    pub fn reference_row(&self, row: &Reference) -> [u8; ROW_BYTES[table::REFERENCE as usize]] {
        RowWriter::new()
            .u64(row.sequence)
            .put(&self.principals.get(row.principal).id)
            .u16(row.group)
            .skip(6)
            .put(&row.reference)
            .u64(row.timestamp_ns)
            .done()
    }

    pub fn correction_row(&self, row: &Correction) -> [u8; CORRECTION_ROW_BYTES] {
        RowWriter::new()
            .u64(row.cited.sequence)
            .u64(row.cited.timestamp_ns)
            .put(&self.accounts.get(row.cited.payer).id)
            .put(&self.accounts.get(row.cited.payee).id)
            .u128(row.cited.amount)
            .u128(row.corrected)
            .done()
    }

    pub fn dispute_row(&self, row: &Dispute) -> [u8; DISPUTE_ROW_BYTES] {
        RowWriter::new()
            .u64(row.cited.sequence)
            .u64(row.cited.timestamp_ns)
            .put(&self.accounts.get(row.cited.payer).id)
            .put(&self.accounts.get(row.cited.payee).id)
            .u128(row.cited.amount)
            .u128(row.disputed)
            .u128(row.accepted)
            .u64(row.deadline_ns)
            .u64(row.opened_at_ns)
            .u64(row.answered_at_ns)
            .u16(row.reason)
            .u16(row.status as u16)
            .u16(u16::from(row.is_rolled))
            .skip(2)
            .done()
    }

    pub fn mandate_row(&self, row: &Mandate) -> [u8; MANDATE_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.accounts.get(row.payer).id)
            .put(&self.principals.get(row.payee).id)
            .put(&row.card)
            .u128(row.cap)
            .u128(row.cap_each)
            .u128(row.used)
            .u64(row.expires_at_ns)
            .u64(row.created_at_ns)
            .u64(row.ended_at_ns)
            .done()
    }

    /// Hands the bytes of all rows to `sink`, in the order of section 10.
    pub fn write_rows(&self, sink: &mut impl FnMut(&[u8])) {
        write_row(sink, table::LEDGER, &self.ledger_row());
        for row in self.principals.sorted() {
            write_row(sink, table::PRINCIPAL, &self.principal_row(row));
        }
        for row in self.keys.sorted() {
            write_row(sink, table::KEY, &self.key_row(row));
        }
        for row in self.names.sorted() {
            write_row(sink, table::NAME, &self.name_row(row));
        }
        for row in self.units.sorted() {
            write_row(sink, table::UNIT, &self.unit_row(row));
        }
        for row in self.accounts.sorted() {
            write_row(sink, table::ACCOUNT, &self.account_row(row));
        }
        for row in self.holds.sorted() {
            write_row(sink, table::HOLD, &self.hold_row(row));
        }
        for row in self.live_ids.iter() {
            write_row(sink, table::LIVE_ID, &self.live_id_row(row));
        }
        for row in self.references.iter() {
            write_row(sink, table::REFERENCE, &self.reference_row(row));
        }
        for row in self.channels.sorted() {
            write_row(sink, table::CHANNEL, &self.channel_row(row));
        }
        for row in self.cards.sorted() {
            write_row(sink, table::CARD, &self.card_row(row));
        }
        for row in self.price_lines.sorted() {
            write_row(sink, table::PRICE_LINE, &self.price_line_row(row));
        }
        for row in self.quotes.sorted() {
            write_row(sink, table::QUOTE, &self.quote_row(row));
        }
        for row in self.terms.sorted() {
            write_row(sink, table::TERMS, &self.terms_row(row));
        }
        for row in self.corrections.values() {
            write_row(sink, table::CORRECTION, &self.correction_row(row));
        }
        for row in self.disputes.values() {
            write_row(sink, table::DISPUTE, &self.dispute_row(row));
        }
        for row in self.mandates.sorted() {
            write_row(sink, table::MANDATE, &self.mandate_row(row));
        }
        self.write_bounds(sink);
        self.write_netting(sink);
        for row in self.claims.values() {
            write_row(sink, table::CLAIM, &self.claim_row(row));
        }
        self.write_recoveries(sink);
        for row in self.exchanges.sorted() {
            write_row(sink, table::EXCHANGE, &self.exchange_row(row));
        }
    }

    /// Tables 18 to 25: grants and limits.
    fn write_bounds(&self, sink: &mut impl FnMut(&[u8])) {
        for row in self.grants.sorted() {
            write_row(sink, table::GRANT, &self.grant_row(row));
        }
        for row in self.shares.sorted() {
            write_row(sink, table::SHARES, &self.shares_row(row));
        }
        for (key, row) in &self.limits {
            write_row(sink, table::LIMIT, &self.limit_row(key, row));
        }
        for row in self.keys_in_line() {
            write_row(sink, table::LINE, &self.line_row(row));
        }
        for (key, row) in &self.marks {
            write_row(sink, table::MARK, &self.mark_row(key, row));
        }
        for (id, row) in &self.zones {
            write_row(sink, table::ZONE, &self.zone_row(id, row));
        }
        for row in self.lists.sorted() {
            write_row(sink, table::LIST, &self.list_row(row));
        }
        for row in &self.relations {
            write_row(sink, table::RELATION, &self.relation_row(row));
        }
    }

    fn keys_in_line(&self) -> Vec<&Key> {
        let mut keys: Vec<_> = self.keys.rows().filter(|row| row.is_in_line()).collect();
        keys.sort_unstable_by_key(|row| row.key);
        keys
    }

    /// Bytes that `write_rows` hands out in all.
    pub fn rows_bytes(&self) -> usize {
        let counts = [
            0,
            1,
            self.principals.len(),
            self.keys.len(),
            self.names.len(),
            self.units.len(),
            self.accounts.len(),
            self.holds.len(),
            self.live_ids.len(),
            self.references.len(),
            self.channels.len(),
            self.cards.len(),
            self.price_lines.len(),
            self.quotes.len(),
            self.terms.len(),
            self.corrections.len(),
            self.disputes.len(),
            self.mandates.len(),
            self.grants.len(),
            self.shares.len(),
            self.limits.len(),
            self.line_count(),
            self.marks.len(),
            self.zones.len(),
            self.lists.len(),
            self.relations.len(),
        ];
        let counts = counts.into_iter().chain(self.netting_counts()).chain([
            self.claims.len(),
            self.recoveries.len(),
            self.exchanges.len(),
        ]);
        let listed: usize = self.lists.rows().map(|list| 16 * list.ids.len()).sum();
        let sizes = ROW_BYTES.iter().zip(counts);
        let heads = sizes.map(|(row, count)| (row + ROW_PREFIX_BYTES) * count);
        listed + heads.sum::<usize>()
    }

    /// `H(prefix ‖ ledger id ‖ rows)`.
    pub fn digest(&self, ledger_id: &Hash32) -> Hash32 {
        let mut hash = Sha256::new()
            .chain_update(STATE_PREFIX)
            .chain_update(ledger_id);
        self.write_rows(&mut |bytes| hash.update(bytes));
        hash.finalize().into()
    }
}

pub fn write_row(sink: &mut impl FnMut(&[u8]), table: u16, content: &[u8]) {
    let mut prefix = [0; ROW_PREFIX_BYTES];
    prefix[0..2].copy_from_slice(&table.to_le_bytes());
    // Rows are 4,136 bytes at most.
    prefix[4..8].copy_from_slice(&(content.len() as u32).to_le_bytes());
    sink(&prefix);
    sink(content);
}

impl HoldStatus {
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Open, Self::Captured, Self::Released, Self::Expired]
            .into_iter()
            .find(|&status| status as u16 == number)
    }
}

impl DisputeStatus {
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Open, Self::Accepted, Self::Rejected]
            .into_iter()
            .find(|&status| status as u16 == number)
    }
}

impl ChannelStatus {
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Open, Self::Closing, Self::Closed]
            .into_iter()
            .find(|&status| status as u16 == number)
    }
}
