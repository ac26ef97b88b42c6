//! What limits count: checks that a spending fits all of them, counts it, and gives back what was
//! freed (semantics.md, "What limits count").
//!
//! A limit keeps the count of one window, the last in which something was counted. A hold or
//! channel has a mark for each limit that counts it.
//!
//! Who has no limits pays for one look at a counter.

use super::calendar::window_end_ns;
use super::input::{require, Input};
use super::limit_rows::{pair, target, window, Limit, LimitKey, Mark};
use super::rows::Account;
use super::state::{difference, sum, State};
use super::table::Slot;
use crate::format::{Code, Id16, Key32, ZERO_ID};

/// Limits that one hold or channel counts against.
const MAX_MARKS: usize = 64;
const WINDOWS: [u16; 3] = [window::DAY, window::MONTH, window::TOTAL];
const SECOND_NS: u64 = 1_000_000_000;

/// The limits that count a spending, their windows begun anew where they have ended, and how much
/// each of them counts.
#[derive(Default)]
pub struct Counting(Vec<(LimitKey, Limit, u128)>);

/// The hold or channel that pins an amount.
#[derive(Clone, Copy)]
pub struct Pinning {
    pub id: Id16,
    /// The account that it is for.
    pub payee: Id16,
    /// What may be charged on debt besides: all limits but HELD count it.
    pub debt: u128,
}

impl Pinning {
    pub fn of(id: Id16, payee: Id16) -> Option<Self> {
        Some(Self { id, payee, debt: 0 })
    }

    /// The worst case counts, but of HELD what is pinned.
    fn debt_for(&self, key: &LimitKey) -> u128 {
        if key.window == window::HELD {
            0
        } else {
            self.debt
        }
    }
}

/// Stage limits.
#[inline]
pub fn check_limits(
    state: &State,
    input: &Input<'_>,
    payer: &Account,
    amount: u128,
    pin: Option<Pinning>,
) -> Result<Counting, Code> {
    if state.principals.get(payer.owner).limit_count == 0 {
        return Ok(Counting::default());
    }
    check_each(state, input, payer, amount, pin)
}

#[inline(never)]
fn check_each(
    state: &State,
    input: &Input<'_>,
    payer: &Account,
    amount: u128,
    pin: Option<Pinning>,
) -> Result<Counting, Code> {
    let mut counting = Counting::default();
    if amount == 0 {
        return Ok(counting);
    }
    for (key, above) in keys_of(state, input, payer, pin) {
        let Some(limit) = state.limits.get(&key) else {
            continue;
        };
        let current = state.current_window(&key, *limit, input.t)?;
        let debt = pin.map_or(0, |pin| pin.debt_for(&key));
        // One that does not fit is above any limit.
        let counted = amount.checked_add(debt);
        let total = counted.and_then(|counted| current.used.checked_add(counted));
        if total.is_none_or(|total| total > current.amount) {
            input.detail.set(detail(&key, &current, above, input.t));
            return Err(Code::LimitExceeded);
        }
        counting.0.push((key, current, amount.saturating_add(debt)));
    }
    if let Some(pin) = pin {
        let marked = state.marks_of(pin.id).count();
        let keys = counting.0.iter().map(|(key, ..)| (pin.id, *key));
        let new = keys.filter(|key| !state.marks.contains_key(key)).count();
        require(marked + new <= MAX_MARKS, Code::CapExceeded)?;
    }
    Ok(counting)
}

/// The limits that may count a spending, in their order, and how many keys above the signer's each
/// is: first the key and those above it, then the account, the principal, the payee.
fn keys_of(
    state: &State,
    input: &Input<'_>,
    payer: &Account,
    pin: Option<Pinning>,
) -> Vec<(LimitKey, u32)> {
    let unit = state.units.get(payer.unit).id;
    let mut keys = Vec::new();
    let mut add = |target, subject: Key32, above, windows: &[u16]| {
        for &window in windows {
            let key = LimitKey {
                target,
                window,
                subject,
                unit,
            };
            keys.push((key, above));
        }
    };
    if input.is_spend(state) {
        for (line, above) in state.chain_of(input.key).into_iter().zip(0..) {
            add(target::KEY, state.keys.get(line).key, above, &WINDOWS);
        }
    }
    add(target::ACCOUNT, pair(payer.id, ZERO_ID), 0, &WINDOWS);
    let principal = state.principals.get(payer.owner).id;
    add(target::PRINCIPAL, pair(principal, ZERO_ID), 0, &WINDOWS);
    if let Some(pin) = pin {
        add(target::PAYEE, pair(payer.id, pin.payee), 0, &[window::HELD]);
    }
    keys
}

/// Which limit refused a record (format.md section 7).
fn detail(key: &LimitKey, limit: &Limit, above: u32, t: u64) -> u32 {
    let left_ns = limit.ends_at_ns.saturating_sub(t);
    // A window is a month at most, which has 22 bits of seconds.
    let resets_in_s = left_ns.div_ceil(SECOND_NS) as u32;
    u32::from(key.target) | u32::from(key.window) << 3 | above << 6 | resets_in_s << 10
}

impl State {
    /// The limit as it is, or with a new window if its own is over.
    pub fn current_window(&self, key: &LimitKey, limit: Limit, t: u64) -> Result<Limit, Code> {
        if !limit.is_over_at(t) {
            return Ok(limit);
        }
        Ok(Limit {
            used: 0,
            since_ns: t,
            ends_at_ns: self.end_of_window(key.window, limit.zone, t)?,
            ..limit
        })
    }

    /// When the window ends that holds `t`; 0 for TOTAL and HELD.
    pub fn end_of_window(&self, which: u16, zone: Id16, t: u64) -> Result<u64, Code> {
        if which != window::DAY && which != window::MONTH {
            return Ok(0);
        }
        let table = match zone {
            ZERO_ID => None,
            zone => Some(self.zones.get(&zone).ok_or(Code::ZoneNotFound)?),
        };
        window_end_ns(which, t, table).ok_or(Code::ZoneHorizon)
    }

    /// Counts what `check_limits` let pass; `pin` is the hold or channel that pins it.
    #[inline]
    pub fn count(&mut self, counting: Counting, principal: Slot, pin: Option<Id16>) {
        for (key, limit, amount) in counting.0 {
            let used = sum(limit.used, amount, "a limit's count leaves u128");
            self.put_limit(key, Some(Limit { used, ..limit }));
            if let Some(pin) = pin {
                self.mark(principal, (pin, key), limit.since_ns, amount);
            }
        }
    }

    /// Notes that a hold or channel counts so much more; what it counted in an earlier window is
    /// of no use any more.
    fn mark(&mut self, principal: Slot, key: (Id16, LimitKey), since_ns: u64, amount: u128) {
        let amount = match self.marks.get(&key) {
            Some(mark) if mark.since_ns == since_ns => {
                sum(mark.amount, amount, "a mark leaves u128")
            }
            _ => amount,
        };
        self.put_mark(principal, key, Some(Mark { since_ns, amount }));
    }

    /// The marks of a hold or channel.
    pub fn marks_of(&self, pin: Id16) -> impl Iterator<Item = (LimitKey, Mark)> + '_ {
        let from = self.marks.range((pin, LimitKey::LEAST)..);
        from.take_while(move |((id, _), _)| *id == pin)
            .map(|((_, key), mark)| (*key, *mark))
    }

    /// Gives back what a hold or channel will not charge any more, and forgets its marks.
    #[inline]
    pub fn give_back(&mut self, pin: Id16, payer: Slot, rest: u128) {
        let principal = self.accounts.get(payer).owner;
        if self.principals.get(principal).mark_count > 0 {
            let marks: Vec<_> = self.marks_of(pin).collect();
            for (key, mark) in marks {
                self.uncount(&key, mark.since_ns, mark.amount.min(rest));
                self.put_mark(principal, (pin, key), None);
            }
        }
    }

    /// Gives back to limits of what is on hold what an open hold or channel has paid.
    #[inline]
    pub fn no_longer_held(&mut self, pin: Id16, payer: Slot, rest: u128) {
        let principal = self.accounts.get(payer).owner;
        if self.principals.get(principal).mark_count > 0 {
            let marks: Vec<_> = self.marks_of(pin).collect();
            for (key, mark) in marks {
                if key.window == window::HELD && mark.amount > rest {
                    let paid = difference(mark.amount, rest, "a mark below what is held");
                    self.uncount(&key, mark.since_ns, paid);
                    let left = Mark {
                        amount: rest,
                        ..mark
                    };
                    self.put_mark(principal, (pin, key), Some(left));
                }
            }
        }
    }

    /// Lowers the count of a limit, unless its window is another one by now.
    fn uncount(&mut self, key: &LimitKey, since_ns: u64, amount: u128) {
        let Some(&limit) = self.limits.get(key) else {
            return;
        };
        if limit.since_ns == since_ns {
            let used = difference(
                limit.used,
                amount,
                "a limit gives back more than it counted",
            );
            self.put_limit(*key, Some(Limit { used, ..limit }));
        }
    }
}
