//! A record on its way through the stages that all kinds share (semantics.md section 3).
//!
//! A rule reads: shape, key and scope, reference, existence and ownership, state and price, caps,
//! limits, funds, overflow; then the change. Each check is a `?`; the first that fails is the
//! result.

use std::cell::Cell;

use super::citation::Citations;
use super::effect::Effects;
use super::rows::{account_flag, scope, Account, Reference};
use super::state::{sum, State};
use super::table::Slot;
use super::voucher::CheckedVouchers;
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{object_id, Code, Genesis, Id16, Key32, RecordView};

/// What a rule answers: done, or the code of the check that failed.
pub type Outcome = Result<(), Code>;

/// UNIQUE of ISSUE, BURN, TRANSFER, RESERVE, METER, CHANNEL and REFUND.
pub const FLAG_UNIQUE: u16 = 1;
/// FINAL of CAPTURE.
pub const FLAG_FINAL: u16 = 2;
/// DEFERRED of UNIT.
pub const FLAG_DEFERRED: u16 = 16;

/// A head with its place in the ledger and its signer.
pub struct Input<'a> {
    pub genesis: &'a Genesis,
    pub record: RecordView<'a>,
    /// Its CONT records, 128 bytes each.
    pub conts: &'a [u8],
    /// Index in its envelope.
    pub index: u32,
    pub sequence: u64,
    /// Timestamp of the record.
    pub t: u64,
    pub signer: &'a Key32,
    /// Slot of the signing key.
    pub key: Slot,
    /// Slot of the principal of the signing key.
    pub principal: Slot,
    pub envelope_id: Id16,
    /// Those of its block.
    pub vouchers: &'a CheckedVouchers,
    /// Those of its block.
    pub citations: &'a Citations,
    /// What a rule says beside the code of its refusal; 0 for most.
    pub detail: Cell<u32>,
}

/// A set of scopes.
pub struct Scopes(u16);

impl Scopes {
    pub const fn of(scopes: &[u16]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < scopes.len() {
            bits |= 1 << scopes[i];
            i += 1;
        }
        Self(bits)
    }

    #[inline]
    fn has(&self, scope: u16) -> bool {
        self.0 >> scope & 1 == 1
    }
}

pub const OWNER: Scopes = Scopes::of(&[scope::OWNER]);
pub const OWNER_SPEND: Scopes = Scopes::of(&[scope::OWNER, scope::SPEND]);
pub const OWNER_METER: Scopes = Scopes::of(&[scope::OWNER, scope::METER]);
pub const OWNER_SPEND_METER: Scopes = Scopes::of(&[scope::OWNER, scope::SPEND, scope::METER]);
pub const OWNER_OPERATE: Scopes = Scopes::of(&[scope::OWNER, scope::OPERATE]);
pub const OPERATE: Scopes = Scopes::of(&[scope::OPERATE]);
pub const NODE: Scopes = Scopes::of(&[scope::NODE]);
pub const RECOVERY: Scopes = Scopes::of(&[scope::RECOVERY]);
/// Those that may revoke themselves.
pub const ANY_BUT_NODE_AND_OPERATE: Scopes = Scopes::of(&[
    scope::OWNER,
    scope::SPEND,
    scope::METER,
    scope::PRICE,
    scope::READ,
    scope::AUDIT,
    scope::RECOVERY,
    scope::CHANNEL,
]);
/// Those that may replace themselves.
pub const ROTATING: Scopes = Scopes::of(&[
    scope::OWNER,
    scope::SPEND,
    scope::METER,
    scope::PRICE,
    scope::READ,
    scope::AUDIT,
    scope::CHANNEL,
]);

/// `Err(code)` unless `holds`.
#[inline]
pub fn require(holds: bool, code: Code) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(code)
    }
}

impl Input<'_> {
    /// Stage shape: flags within the kind's, then (for all kinds but NAME) no CONT.
    #[inline]
    pub fn check_flags_and_conts(&self, flags: u16) -> Outcome {
        require(self.record.flags() & !flags == 0, Code::UnknownFlags)?;
        require(self.record.cont_count() == 0, Code::ContNotAllowed)
    }

    /// Stage shape: these bytes are reserved.
    #[inline]
    pub fn check_reserved(&self, start: usize, end: usize) -> Outcome {
        require(self.record.is_zero(start, end), Code::ReservedNonzero)
    }

    /// Stage shape of kinds with a reference: one that is to be unique is not zero.
    #[inline]
    pub fn check_reference_shape(&self) -> Outcome {
        require(
            !self.is_unique() || !self.record.is_zero(56, 72),
            Code::BadField,
        )
    }

    #[inline]
    pub fn is_unique(&self) -> bool {
        self.record.flags() & FLAG_UNIQUE != 0
    }

    /// Stage key and scope.
    #[inline]
    pub fn check_signer(&self, state: &State, scopes: &Scopes) -> Outcome {
        let key = state.keys.get(self.key);
        require(!key.revoked, Code::KeyRevoked)?;
        require(key.until_ns == 0 || key.until_ns > self.t, Code::KeyExpired)?;
        if key.is_in_line() {
            state.check_above(self.key, self.t)?;
        }
        require(scopes.has(key.scope), Code::ScopeDenied)
    }

    /// Stage reference. `group` is that of the record's kind.
    #[inline]
    pub fn check_reference(&self, state: &State, group: u16) -> Outcome {
        if !self.is_unique() {
            return Ok(());
        }
        let key = (self.principal, group, self.record.id16(56));
        require(state.references.find(key).is_none(), Code::ReferenceUsed)
    }

    /// Stage caps: the signer's principal may pay for one more hold or channel.
    #[inline]
    pub fn check_pin_cap(&self, state: &State) -> Outcome {
        let count = state.principals.get(self.principal).pin_count;
        require(count < self.genesis.cap_open_holds, Code::CapExceeded)
    }

    /// Stage caps: there is room for one more remembered reference.
    #[inline]
    pub fn check_reference_cap(&self, state: &State) -> Outcome {
        let count = state.principals.get(self.principal).reference_count;
        require(
            !self.is_unique() || count < self.genesis.cap_references,
            Code::CapExceeded,
        )
    }

    /// On success: remember the reference.
    #[inline]
    pub fn remember_reference(&self, state: &mut State, group: u16) {
        if self.is_unique() {
            state.insert_reference(Reference {
                sequence: self.sequence,
                timestamp_ns: self.t,
                reference: self.record.id16(56),
                principal: self.principal,
                group,
            });
        }
    }

    /// An account that exists and belongs to the signer's principal.
    #[inline]
    pub fn own_account(&self, state: &State, id: Id16, missing: Code) -> Result<Slot, Code> {
        match state.accounts.find(id) {
            Some(slot) if state.accounts.get(slot).owner == self.principal => Ok(slot),
            _ => Err(missing),
        }
    }

    /// The id of the object that this record makes.
    pub fn derived_id(&self, state: &State) -> Id16 {
        let principal = state.principals.get(self.principal).id;
        object_id(
            &self.genesis.ledger_id,
            &principal,
            &self.envelope_id,
            self.index,
        )
    }

    /// The payloads of the CONT records, joined.
    pub fn cont_content(&self) -> Vec<u8> {
        let payloads = crate::format::Records::new(self.conts);
        payloads.flat_map(|cont| *cont.cont_payload()).collect()
    }

    /// The text that starts in the head's bytes 16 to 80 and goes on in its CONT payloads.
    pub fn text_field(&self) -> Vec<u8> {
        let mut text = self.record.slice(16, 80).to_vec();
        for cont in crate::format::Records::new(self.conts) {
            let payload: &[u8; CONT_PAYLOAD_BYTES] = cont.cont_payload();
            text.extend_from_slice(payload);
        }
        text
    }
}

/// Stage state: an account that money may move through.
#[inline]
pub fn check_usable(account: &Account) -> Outcome {
    if account.flags == 0 {
        return Ok(());
    }
    check_open_account(account)?;
    check_ordinary(account)
}

/// Stage state: an account that is neither a unit's nor a grant's.
#[inline]
pub fn check_ordinary(account: &Account) -> Outcome {
    require(!account.is(account_flag::ISSUANCE), Code::IssuanceAccount)?;
    require(!account.is(account_flag::GRANT), Code::GrantAccount)
}

/// Stage state: an account that is neither closed nor frozen.
#[inline]
pub fn check_open_account(account: &Account) -> Outcome {
    require(!account.is(account_flag::CLOSED), Code::AccountClosed)?;
    require(!account.is(account_flag::FROZEN), Code::AccountFrozen)
}

/// Stage state: money may go from one account to the other. In a deferred unit both are members.
#[inline]
pub fn check_between(state: &State, debit: &Account, credit: &Account) -> Outcome {
    require(debit.unit == credit.unit, Code::UnitMismatch)?;
    if debit.is(account_flag::DEFERRED) {
        return check_members(state, [debit.id, credit.id]);
    }
    Ok(())
}

#[inline(never)]
fn check_members(state: &State, accounts: [Id16; 2]) -> Outcome {
    let mut slots = accounts.into_iter().map(|id| state.accounts.find(id));
    let are_members = slots.all(|slot| slot.is_some_and(|slot| state.is_member(slot)));
    require(are_members, Code::NotAMember)
}

/// Stage funds of `amount` on an account that is no issuance account.
#[inline]
pub fn check_funds(account: &Account, amount: u128) -> Outcome {
    let available = account.available();
    if amount <= available {
        return Ok(());
    }
    // Neither sum leaves u128: available + debits_pending is credits + limit - debits_posted.
    let with_held = sum(available, account.debits_pending, "funds leave u128");
    Err(if amount <= with_held {
        Code::FundsHeld
    } else {
        Code::InsufficientFunds
    })
}

/// Stage overflow: the column takes `amount` more.
#[inline]
pub fn check_room(column: u128, amount: u128) -> Outcome {
    require(column.checked_add(amount).is_some(), Code::AmountOverflow)
}

/// Stage overflow: `credits_posted` takes `amount` more, together with the credit limit.
#[inline]
pub fn check_credit_room(account: &Account, amount: u128) -> Outcome {
    let taken = sum(
        account.credits_posted,
        account.credit_limit,
        "credits and credit limit leave u128",
    );
    check_room(taken, amount)
}

/// Runs the rule of the record's kind.
#[inline]
pub fn execute(state: &mut State, effects: &mut Effects, input: &Input<'_>) -> Outcome {
    use crate::format::kind;
    match input.record.kind() {
        kind::TRANSFER => super::money::transfer(state, effects, input),
        kind::RESERVE => super::metering::reserve(state, effects, input),
        kind::CAPTURE => super::metering::capture(state, effects, input),
        kind::RELEASE => super::metering::release(state, effects, input),
        kind::METER => super::meter::meter(state, effects, input),
        kind::MANDATE => super::mandate::mandate(state, input),
        kind::MANDATE_END => super::mandate::mandate_end(state, input),
        kind::EXTEND => super::metering::extend(state, input),
        kind::PAY_CLAIM => super::debt::pay_claim(state, effects, input),
        kind::VOUCHER => super::channel::voucher(state, effects, input),
        kind::CHANNEL => super::channel::channel(state, input),
        kind::TOP_UP => super::channel::top_up(state, input),
        kind::CHANNEL_CLOSE => super::channel::channel_close(state, effects, input),
        kind::ISSUE => super::unit::issue(state, input),
        kind::BURN => super::unit::burn(state, input),
        kind::CREDIT_LIMIT => super::unit::credit_limit(state, input),
        kind::PRICE => super::card::price(state, input),
        kind::CARD => super::card::card(state, input),
        kind::CARD_PUBLISH => super::card::card_publish(state, input),
        kind::REFUND => super::correction::refund(state, effects, input),
        kind::DISPUTE => super::correction::dispute(state, input),
        kind::DISPUTE_ANSWER => super::correction::dispute_answer(state, effects, input),
        kind::GRANT => super::grant::grant(state, effects, input),
        kind::CLAW_BACK => super::grant::claw_back(state, effects, input),
        kind::RELATION => super::grant::relation(state, input),
        kind::LIST => super::grant::list(state, input),
        kind::REPRICE => super::correction::reprice(state, effects, input),
        kind::UNIT => super::unit::unit(state, input),
        kind::LIMIT => super::limit::limit(state, input),
        kind::ZONE => super::limit::zone(state, input),
        kind::DELEGATE => super::delegation::delegate(state, input),
        kind::KILL => super::delegation::kill(state, input),
        kind::ACCOUNT => super::registry::account(state, input),
        kind::NAME => super::registry::name(state, input),
        kind::KEY => super::key::key(state, input),
        kind::RECOVER => super::recovery::recover(state, input),
        kind::VETO => super::recovery::veto(state, input),
        kind::PRINCIPAL => super::registry::principal(state, input),
        kind::TICK => super::system::tick(state, input),
        kind::JOIN => super::netting::join(state, input),
        kind::WINDOW_CLOSE => super::netting::window_close(state, effects, input),
        kind::SETTLE => super::netting::settle(state, effects, input),
        kind::FAIL => super::netting::fail(state, effects, input),
        _ => Err(Code::UnknownKind),
    }
}
