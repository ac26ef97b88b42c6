//! State rows, back into tables.
//!
//! The rows come from a file or from another node: every field is judged, every reference between
//! tables is resolved, order and lengths must be exactly those that `encode.rs` writes. What is
//! derived (counters, orders, indexes) is built anew. Nothing here panics on any bytes.

use super::card_state::CardMemory;
use super::citation::Citation;
use super::encode::{table, ROW_BYTES, ROW_PREFIX_BYTES};
use super::grant_codec::is_list_length;
use super::limit_codec::LIMIT_KEY_BYTES;
use super::price_rows::PriceLine;
use super::rows::{
    account_flag, scope, Account, Channel, ChannelStatus, Correction, Dispute, DisputeStatus, Hold,
    HoldStatus, Key, LiveId, Mandate, Name, Reference, Unit,
};
use super::state::State;
use super::table::Slot;
use crate::format::{id16_at, u128_at, u16_at, u32_at, u64_at, Genesis, Hash32, Id16, ZERO_ID};

/// Rows that are not those of a state, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError(pub String);

pub type Decoded = Result<(), RowError>;

/// A slot that is not known yet; replaced before `decode` returns.
const UNKNOWN: Slot = Slot::MAX;

/// What can only be entered once other rows are there.
#[derive(Default)]
struct Pending {
    /// Ended holds.
    ended: Vec<Slot>,
    lines: Vec<PriceLine>,
    /// Priced holds whose terms have not come yet, ascending, and whether a quote prices them.
    priced: Vec<(Id16, bool)>,
}

pub fn require(holds: bool, why: &str) -> Decoded {
    if holds {
        Ok(())
    } else {
        Err(RowError(why.to_owned()))
    }
}

pub fn require_zero(content: &[u8], start: usize, end: usize) -> Decoded {
    let is_zero = content[start..end].iter().all(|&byte| byte == 0);
    require(is_zero, "reserved bytes of a row are not zero")
}

pub fn array<const N: usize>(content: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&content[at..at + N]);
    out
}

/// The state whose rows these are, all of them and nothing else.
pub fn decode(mut rows: &[u8], genesis: &Genesis) -> Result<State, RowError> {
    let mut state = State {
        card_memory: CardMemory::of(genesis),
        ..State::default()
    };
    let mut pending = Pending::default();
    let (mut last_table, mut last_key) = (0, Vec::new());
    while !rows.is_empty() {
        let (number, content) = split_row(&mut rows)?;
        let key = key_of(number, content);
        let is_in_order = number > last_table || (number == last_table && key > last_key);
        require(is_in_order, "rows are not ascending")?;
        require(
            last_table != 0 || number == table::LEDGER,
            "the first row is not that of the ledger",
        )?;
        (last_table, last_key) = (number, key);
        state.decode_row(number, content, &mut pending, genesis)?;
    }
    require(last_table != 0, "no rows")?;
    state.finish(pending)?;
    Ok(state)
}

fn split_row<'a>(rows: &mut &'a [u8]) -> Result<(u16, &'a [u8]), RowError> {
    let cut_off = || RowError("a row is cut off".to_owned());
    let prefix = rows.get(..ROW_PREFIX_BYTES).ok_or_else(cut_off)?;
    let (number, length) = (u16_at(prefix, 0), u32_at(prefix, 4) as usize);
    let expected = ROW_BYTES.get(usize::from(number)).copied().unwrap_or(0);
    require(expected != 0, "no such table")?;
    let fits = match number {
        table::LIST => is_list_length(length),
        _ => length == expected,
    };
    require(u16_at(prefix, 2) == 0 && fits, "a row has the wrong length")?;
    let content = rows
        .get(ROW_PREFIX_BYTES..ROW_PREFIX_BYTES + length)
        .ok_or_else(cut_off)?;
    *rows = &rows[ROW_PREFIX_BYTES + length..];
    Ok((number, content))
}

/// What the rows of a table are ordered by, as bytes that compare in the same way.
fn key_of(number: u16, content: &[u8]) -> Vec<u8> {
    match number {
        table::LEDGER => Vec::new(),
        table::WINDOW => netting_key(content, 24),
        table::PAIR => netting_key(content, 56),
        table::KEY | table::LINE => content[..32].to_vec(),
        table::LIMIT => content[..LIMIT_KEY_BYTES].to_vec(),
        table::MARK => content[..16 + LIMIT_KEY_BYTES].to_vec(),
        table::RELATION => content[..48].to_vec(),
        table::LIVE_ID | table::REFERENCE | table::CORRECTION | table::DISPUTE => {
            u64_at(content, 0).to_be_bytes().to_vec()
        }
        _ => content[..16].to_vec(),
    }
}

/// A unit, the number of a window as bytes that compare like it, and what stands behind.
fn netting_key(content: &[u8], end: usize) -> Vec<u8> {
    let window = u64_at(content, 16).to_be_bytes();
    [&content[..16], &window, &content[24..end]].concat()
}

impl State {
    fn decode_row(
        &mut self,
        number: u16,
        row: &[u8],
        pending: &mut Pending,
        genesis: &Genesis,
    ) -> Decoded {
        match number {
            table::LEDGER => self.decode_ledger(row),
            table::PRINCIPAL => self.decode_principal(row),
            table::KEY => self.decode_key(row),
            table::NAME => self.decode_name(row),
            table::UNIT => self.decode_unit(row),
            table::ACCOUNT => self.decode_account(row),
            table::HOLD => self.decode_hold(row, pending),
            table::LIVE_ID => self.decode_live_id(row),
            table::REFERENCE => self.decode_reference(row),
            table::CHANNEL => self.decode_channel(row),
            table::CARD => self.decode_card(row),
            table::PRICE_LINE => self.decode_price_line(row, &mut pending.lines),
            table::QUOTE => self.decode_quote(row),
            table::TERMS => self.decode_terms(row, &mut pending.priced),
            table::CORRECTION => self.decode_correction(row),
            table::DISPUTE => self.decode_dispute(row),
            table::MANDATE => self.decode_mandate(row),
            table::GRANT => self.decode_grant(row),
            table::SHARES => self.decode_shares(row),
            table::LIMIT => self.decode_limit(row),
            table::LINE => self.decode_line(row),
            table::MARK => self.decode_mark(row),
            table::ZONE => self.decode_zone(row, &genesis.ledger_id),
            table::LIST => self.decode_list(row),
            table::RELATION => self.decode_relation(row),
            table::DEFERRED_UNIT => self.decode_deferred_unit(row),
            table::MEMBER => self.decode_member(row),
            table::WINDOW => self.decode_window(row),
            table::PAIR => self.decode_pair(row),
            table::CLAIM => self.decode_claim(row),
            table::RECOVERY => self.decode_recovery(row),
            table::EXCHANGE => self.decode_exchange(row),
            _ => Err(RowError("no such table".to_owned())),
        }
    }

    pub fn principal_at(&self, row: &[u8], offset: usize) -> Result<Slot, RowError> {
        self.principals
            .find(id16_at(row, offset))
            .ok_or_else(|| RowError("a row names a principal that is not there".to_owned()))
    }

    fn decode_ledger(&mut self, row: &[u8]) -> Decoded {
        self.next_sequence = u64_at(row, 0);
        self.min_next_timestamp_ns = u64_at(row, 8);
        require(self.next_sequence > 0, "sequence numbers start at 1")
    }

    fn decode_principal(&mut self, row: &[u8]) -> Decoded {
        let (id, kind) = (id16_at(row, 0), u16_at(row, 16));
        require(id != ZERO_ID, "a principal without id")?;
        require(
            matches!(kind, 1..=3 | 101 | 102),
            "unknown type of principal",
        )?;
        require_zero(row, 18, 24)?;
        self.insert_principal(id, kind, u64_at(row, 24));
        Ok(())
    }

    fn decode_key(&mut self, row: &[u8]) -> Decoded {
        let status = u16_at(row, 50);
        let key = Key {
            key: array(row, 0),
            principal: self.principal_at(row, 32)?,
            scope: u16_at(row, 48),
            revoked: status == 2,
            registered_at: u64_at(row, 56),
            until_ns: u64_at(row, 64),
            revoked_at: u64_at(row, 72),
            line: Slot::MAX,
            parent: Slot::MAX,
        };
        require(scope::ALL.contains(&key.scope), "unknown scope of a key")?;
        require(matches!(status, 1 | 2), "unknown status of a key")?;
        require(
            key.revoked == (key.revoked_at != 0),
            "status and revocation of a key contradict each other",
        )?;
        require_zero(row, 52, 56)?;
        self.insert_key(key);
        Ok(())
    }

    fn decode_name(&mut self, row: &[u8]) -> Decoded {
        let name = Name {
            id: id16_at(row, 0),
            owner: self.principal_at(row, 16)?,
            kind: u16_at(row, 32),
            length: u16_at(row, 34),
            text_hash: array::<32>(row, 40),
        };
        require((1..=7).contains(&name.kind), "unknown kind of name")?;
        require(
            (1..=256).contains(&name.length),
            "impossible length of name",
        )?;
        require_zero(row, 36, 40)?;
        let text: (Slot, u16, Hash32) = (name.owner, name.kind, name.text_hash);
        require(!self.name_texts.contains(&text), "a name stands twice")?;
        self.insert_name(name);
        Ok(())
    }

    /// Its issuance account comes with table 6.
    fn decode_unit(&mut self, row: &[u8]) -> Decoded {
        let unit = Unit {
            id: id16_at(row, 0),
            issuer: self.principal_at(row, 16)?,
            symbol: array(row, 32),
            exponent: row[48],
            account: UNKNOWN,
        };
        require(unit.exponent <= 18, "exponent of a unit above 18")?;
        require_zero(row, 49, 56)?;
        require(
            !self.symbols.contains_key(&unit.symbol),
            "a symbol stands twice",
        )?;
        let slot = self.units.insert(unit);
        self.symbols.insert(unit.symbol, slot);
        Ok(())
    }

    fn decode_account(&mut self, row: &[u8]) -> Decoded {
        let id: Id16 = id16_at(row, 0);
        let owner = self.principal_at(row, 16)?;
        let unit = self
            .units
            .find(id16_at(row, 32))
            .ok_or_else(|| RowError("an account of a unit that is not there".to_owned()))?;
        let flags = u16_at(row, 48);
        require(flags & !account_flag::ALL == 0, "unknown flags of account")?;
        require_zero(row, 50, 56)?;
        let (credit_limit, credits_posted) = (u128_at(row, 56), u128_at(row, 120));
        let is_issuance = flags & account_flag::ISSUANCE != 0;
        require(
            credit_limit == 0 || !is_issuance,
            "an issuance account with a credit limit",
        )?;
        require(
            credits_posted.checked_add(credit_limit).is_some(),
            "credits and credit limit leave u128",
        )?;
        let issuing = *self.units.get(unit);
        require(
            is_issuance == (issuing.id == id) && (!is_issuance || issuing.issuer == owner),
            "unit and issuance account do not fit",
        )?;
        let slot = self.insert_account(id, owner, unit, flags);
        if is_issuance {
            self.units.get_mut(unit).account = slot;
        }
        let account: &mut Account = self.accounts.get_mut(slot);
        account.debits_pending = u128_at(row, 72);
        account.debits_posted = u128_at(row, 88);
        account.credits_pending = u128_at(row, 104);
        account.credits_posted = credits_posted;
        account.credit_limit = credit_limit;
        Ok(())
    }

    fn decode_hold(&mut self, row: &[u8], pending: &mut Pending) -> Decoded {
        let status = HoldStatus::from_number(u16_at(row, 88))
            .ok_or_else(|| RowError("unknown status of a hold".to_owned()))?;
        let hold = Hold {
            id: id16_at(row, 0),
            payer: self.account_at(row, 16)?,
            payee: self.account_at(row, 32)?,
            maximum: u128_at(row, 48),
            captured: u128_at(row, 64),
            expires_at_ns: u64_at(row, 80),
            status,
            ended_at_ns: u64_at(row, 96),
            created_at_ns: u64_at(row, 104),
            terms: Slot::MAX,
            shares: Slot::MAX,
        };
        let mode = u16_at(row, 90);
        require(mode <= 2, "unknown mode of a hold")?;
        require_zero(row, 92, 96)?;
        self.require_pinnable(hold.payer, hold.payee)?;
        require(
            hold.created_at_ns < hold.expires_at_ns,
            "a hold expires before it is made",
        )?;
        require(
            hold.captured <= hold.maximum && hold.maximum > 0,
            "a hold paid more than it holds",
        )?;
        let is_open = status == HoldStatus::Open;
        require(
            is_open == (hold.ended_at_ns == 0),
            "status and end of a hold contradict each other",
        )?;
        if is_open {
            self.insert_hold(hold);
        } else {
            pending.ended.push(self.holds.insert(hold));
        }
        if mode != 0 {
            pending.priced.push((hold.id, mode == 2));
        }
        Ok(())
    }

    pub fn account_at(&self, row: &[u8], offset: usize) -> Result<Slot, RowError> {
        self.accounts
            .find(id16_at(row, offset))
            .ok_or_else(|| RowError("a row names an account that is not there".to_owned()))
    }

    /// Holds and channels are between two accounts of a unit, neither its own nor a grant's.
    pub(super) fn require_pinnable(&self, payer: Slot, payee: Slot) -> Decoded {
        let (a, b) = (self.accounts.get(payer), self.accounts.get(payee));
        let special = account_flag::ISSUANCE | account_flag::GRANT;
        require(
            payer != payee && a.unit == b.unit && (a.flags | b.flags) & special == 0,
            "a hold, channel or correction between accounts that no rule lets have one",
        )
    }

    fn decode_channel(&mut self, row: &[u8]) -> Decoded {
        let status = ChannelStatus::from_number(u16_at(row, 144))
            .ok_or_else(|| RowError("unknown status of a channel".to_owned()))?;
        let channel = Channel {
            id: id16_at(row, 0),
            payer: self.account_at(row, 16)?,
            payee: self.account_at(row, 32)?,
            key: array(row, 48),
            deposit: u128_at(row, 80),
            paid: u128_at(row, 96),
            highest: u128_at(row, 112),
            challenge_ns: u64_at(row, 128),
            closes_at_ns: u64_at(row, 136),
            status,
            ended_at_ns: u64_at(row, 152),
        };
        require_zero(row, 146, 152)?;
        self.require_pinnable(channel.payer, channel.payee)?;
        let payer = self.accounts.get(channel.payer).owner;
        let key = self.keys.find_row(channel.key);
        require(
            key.is_some_and(|key| key.principal == payer && key.scope == scope::CHANNEL),
            "a channel whose key is none of its payer",
        )?;
        require(
            channel.deposit > 0 && channel.paid <= channel.deposit,
            "a channel paid more than its deposit",
        )?;
        // Whether status and times fit is asked of all rows in the end.
        self.insert_channel(channel);
        Ok(())
    }

    fn decode_live_id(&mut self, row: &[u8]) -> Decoded {
        let live = LiveId {
            first_sequence: u64_at(row, 0),
            principal: self.principal_at(row, 8)?,
            record_count: u32_at(row, 80),
            block_timestamp_ns: u64_at(row, 72),
            envelope_id: id16_at(row, 24),
            header_digest: array(row, 40),
        };
        require_zero(row, 84, 88)?;
        let key = (live.principal, live.envelope_id);
        require(self.live_ids.find(key).is_none(), "a live id stands twice")?;
        self.insert_live_id(live);
        Ok(())
    }

    fn decode_reference(&mut self, row: &[u8]) -> Decoded {
        let reference = Reference {
            sequence: u64_at(row, 0),
            principal: self.principal_at(row, 8)?,
            group: u16_at(row, 24),
            reference: id16_at(row, 32),
            timestamp_ns: u64_at(row, 48),
        };
        require_zero(row, 26, 32)?;
        let key = (reference.principal, reference.group, reference.reference);
        require(
            self.references.find(key).is_none(),
            "a reference stands twice",
        )?;
        self.insert_reference(reference);
        Ok(())
    }

    /// What both tables say of the record that they are about.
    fn cited_of(&self, row: &[u8]) -> Result<Citation, RowError> {
        let cited = Citation {
            sequence: u64_at(row, 0),
            timestamp_ns: u64_at(row, 8),
            payer: self.account_at(row, 16)?,
            payee: self.account_at(row, 32)?,
            amount: u128_at(row, 48),
        };
        require(cited.sequence > 0, "a correction of no record")?;
        self.require_pinnable(cited.payer, cited.payee)?;
        Ok(cited)
    }

    fn decode_correction(&mut self, row: &[u8]) -> Decoded {
        let cited = self.cited_of(row)?;
        let corrected = u128_at(row, 64);
        require(corrected > 0, "a correction of nothing")?;
        self.enter_correction(Correction { cited, corrected });
        Ok(())
    }

    fn decode_dispute(&mut self, row: &[u8]) -> Decoded {
        let status = DisputeStatus::from_number(u16_at(row, 122))
            .ok_or_else(|| RowError("unknown status of a dispute".to_owned()))?;
        let dispute = Dispute {
            cited: self.cited_of(row)?,
            disputed: u128_at(row, 64),
            accepted: u128_at(row, 80),
            deadline_ns: u64_at(row, 96),
            opened_at_ns: u64_at(row, 104),
            answered_at_ns: u64_at(row, 112),
            reason: u16_at(row, 120),
            status,
            is_rolled: u16_at(row, 124) == 1,
        };
        require(u16_at(row, 124) <= 1, "unknown mark of a dispute")?;
        require_zero(row, 126, 128)?;
        require((1..=6).contains(&dispute.reason), "unknown reason")?;
        self.enter_dispute(dispute);
        Ok(())
    }

    fn decode_mandate(&mut self, row: &[u8]) -> Decoded {
        let mandate = Mandate {
            id: id16_at(row, 0),
            payer: self.account_at(row, 16)?,
            payee: self.principal_at(row, 32)?,
            card: id16_at(row, 48),
            cap: u128_at(row, 64),
            cap_each: u128_at(row, 80),
            used: u128_at(row, 96),
            expires_at_ns: u64_at(row, 112),
            created_at_ns: u64_at(row, 120),
            ended_at_ns: u64_at(row, 128),
        };
        let payer = self.accounts.get(mandate.payer);
        let is_issuance = payer.is(account_flag::ISSUANCE);
        require(!is_issuance, "a mandate against an issuance account")?;
        // Whether amounts and times fit is asked of all rows in the end.
        self.insert_mandate(mandate);
        Ok(())
    }

    fn finish(&mut self, pending: Pending) -> Decoded {
        let Pending {
            mut ended,
            lines,
            priced,
        } = pending;
        self.finish_price_lines(lines)?;
        require(priced.is_empty(), "a priced hold without its terms")?;
        let without_account = self.units.rows().any(|unit| unit.account == UNKNOWN);
        require(!without_account, "a unit without issuance account")?;
        ended.sort_unstable_by_key(|&slot| {
            let hold = self.holds.get(slot);
            (hold.ended_at_ns, hold.expires_at_ns, hold.id)
        });
        self.ended = ended.into();
        self.finish_netting()?;
        let problems = self.verify_invariants();
        match problems.into_iter().next() {
            Some(problem) => Err(RowError(problem)),
            None => Ok(()),
        }
    }
}
