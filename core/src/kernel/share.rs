//! Shares: what grants pay of a hold, pinned by its RESERVE, and how amounts are split into them.
//!
//! A hold's maximum at its RESERVE is the *whole*; of it each share pins a part, its payer the
//! rest. What is captured so far, and what is given back of a charge so far, is split in the
//! proportion of these parts, always the whole cumulative amount anew: so no rounding adds up, no
//! part ever goes down, and none ever exceeds what it is a part of.

use super::effect::{Cause, Effects, Source};
use super::grant_rows::{Grant, GrantLife, Share, Shares, MAX_SHARES, RATIO_UNITS};
use super::pending::Pin;
use super::rows::{Account, Hold};
use super::state::{broken, difference, sum, State};
use super::table::Slot;
use crate::format::{Id16, ZERO_ID};

/// `floor(amount * part / whole)` in exact arithmetic, for a part of the whole.
pub fn portion(amount: u128, part: u128, whole: u128) -> u128 {
    if let Some(product) = amount.checked_mul(part) {
        return product / whole;
    }
    let (mut high, low) = wide_product(amount, part);
    // As part <= whole, `high` is below the whole, and stays so: the quotient has 128 bits.
    let mut quotient = 0;
    for bit in (0..128).rev() {
        let carry = high >> 127 == 1;
        high = high << 1 | low >> bit & 1;
        if carry || high >= whole {
            high = high.wrapping_sub(whole);
            quotient |= 1 << bit;
        }
    }
    quotient
}

/// High and low half of a product.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    let half = u128::from(u64::MAX);
    let (a1, a0, b1, b0) = (a >> 64, a & half, b >> 64, b & half);
    let (low, mid1, mid2) = (a0 * b0, a1 * b0, a0 * b1);
    let carry = (low >> 64) + (mid1 & half) + (mid2 & half);
    let high = a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
    (high, carry << 64 | low & half)
}

/// How much of an amount falls on each part of a whole; the rest is the payer's. One part after
/// the other takes its portion of what is left, rounded down.
pub fn split(
    mut amount: u128,
    parts: impl Iterator<Item = u128>,
    mut whole: u128,
) -> [u128; MAX_SHARES] {
    let mut falls = [0; MAX_SHARES];
    for (fall, part) in falls.iter_mut().zip(parts) {
        *fall = portion(amount, part, whole);
        amount -= *fall;
        whole -= part;
    }
    falls
}

/// The shares that grants pay of a new hold or a METER, if any do. `agreed`: model and regions
/// where a card or quote prices it; zero regions do not count. One look tells who has no grants.
#[inline]
pub fn of_grants(
    state: &State,
    t: u64,
    parties: [&Account; 2],
    agreed: Option<(Id16, &[Id16])>,
    maximum: u128,
) -> Option<Shares> {
    if state.principals.get(parties[0].owner).grants.is_empty() {
        return None;
    }
    Some(choose(state, t, parties, agreed, maximum)).filter(|chosen| chosen.count > 0)
}

/// In the order in which they pay.
#[inline(never)]
fn choose(
    state: &State,
    t: u64,
    [payer, payee]: [&Account; 2],
    agreed: Option<(Id16, &[Id16])>,
    maximum: u128,
) -> Shares {
    let mut shares = Shares::none(maximum);
    let mut left = maximum;
    for &slot in &state.principals.get(payer.owner).grants {
        let grant = state.grants.get(slot);
        let account = state.accounts.get(grant.account);
        let fits = grant.is_live(t) && account.unit == payer.unit;
        if !fits || !is_earmarked(state, grant, payee.owner, agreed) {
            continue;
        }
        let by_ratio = portion(maximum, grant.ratio.into(), RATIO_UNITS.into());
        let cap = if grant.cap == 0 { left } else { grant.cap };
        let part = by_ratio.min(cap).min(account.available()).min(left);
        if part > 0 {
            left -= part;
            shares.push(Share {
                account: grant.account,
                maximum: part,
                paid: 0,
            });
        }
        if shares.count == MAX_SHARES {
            break;
        }
    }
    shares
}

/// Whether a grant may pay this provider for this.
pub fn is_earmarked(
    state: &State,
    grant: &Grant,
    provider: Slot,
    agreed: Option<(Id16, &[Id16])>,
) -> bool {
    let earmarks = &grant.earmarks;
    let is_listed = |list: Id16, id: &Id16| match state.lists.find_row(list) {
        Some(list) => list.has(id),
        None => broken("a grant names a list that is not there"),
    };
    let provider_id = state.principals.get(provider).id;
    if provider == grant.grantee || are_related(state, grant, provider_id) {
        return false;
    }
    if earmarks.providers != ZERO_ID && !is_listed(earmarks.providers, &provider_id) {
        return false;
    }
    let Some((model, regions)) = agreed else {
        return earmarks.models == ZERO_ID && earmarks.regions == ZERO_ID;
    };
    if earmarks.models != ZERO_ID && !is_listed(earmarks.models, &model) {
        return false;
    }
    let mut regions = regions
        .iter()
        .filter(|&&region| region != ZERO_ID)
        .peekable();
    earmarks.regions == ZERO_ID
        || regions.peek().is_some() && regions.all(|region| is_listed(earmarks.regions, region))
}

fn are_related(state: &State, grant: &Grant, provider: Id16) -> bool {
    if grant.registrar == ZERO_ID {
        return false;
    }
    let grantee = state.principals.get(grant.grantee).id;
    let (first, second) = (grantee.min(provider), grantee.max(provider));
    let key = [grant.registrar, first, second];
    state.relations.contains_key(&key)
}

/// A part of a hold as if it were one: what pins it, between which accounts.
fn pin_of(hold: &Hold, share: &Share) -> Pin {
    Pin {
        payer: share.account,
        ..hold.into()
    }
}

/// Pins what grants pay of a new hold, whose payer's part is pinned already, and returns where that
/// is written down.
pub fn pin(
    state: &mut State,
    effects: &mut Effects,
    index: u32,
    hold: &Hold,
    mut shares: Shares,
) -> Slot {
    let own = hold.maximum - shares.totals().0;
    effects.push(state, Cause::Pin, index, hold.into(), own);
    for share in shares.parts() {
        let pin = pin_of(hold, share);
        state.add_pending(pin, share.maximum);
        let granted = Source::of_grant(state.accounts.get(share.account).id);
        effects.push_from(state, Cause::Pin, index, pin, share.maximum, granted);
    }
    shares.hold = hold.id;
    state.shares.insert(shares)
}

/// Pays the payee of a hold with shares up to a cumulative amount, each source its part.
pub fn pay(
    state: &mut State,
    effects: &mut Effects,
    (index, t): (u32, u64),
    (hold, cumulative): (&Hold, u128),
    source: Source,
) {
    let mut shares = *state.shares.get(hold.shares);
    let maxima = shares.parts().iter().map(|share| share.maximum);
    // Above the whole, EXTEND's part, is the payer's alone.
    let due = split(cumulative.min(shares.whole), maxima, shares.whole);
    let own_before = hold.captured - shares.totals().1;
    let own = cumulative - due.iter().sum::<u128>();
    let step = difference(own, own_before, "a payer's part goes down");
    state.post_pending(hold.into(), step);
    let told = sum(step, source.beyond, "a capture leaves u128");
    effects.push_from(state, Cause::Capture, index, hold.into(), told, source);
    for (share, after) in shares.parts_mut().iter_mut().zip(due) {
        let step = difference(after, share.paid, "a share goes down");
        if step == 0 {
            continue;
        }
        share.paid = after;
        let pin = pin_of(hold, share);
        state.post_pending(pin, step);
        let granted = Source {
            card: source.card,
            ..Source::of_grant(state.accounts.get(share.account).id)
        };
        effects.push_from(state, Cause::Capture, index, pin, step, granted);
        settle(state, share.account, t);
    }
    state.change_shares(hold.shares, shares);
}

/// Frees what is left of a hold with shares: each source's own, which goes on if it is over.
pub fn free(
    state: &mut State,
    effects: &mut Effects,
    cause: Cause,
    (index, t): (u32, u64),
    hold: &Hold,
) {
    let shares = *state.shares.get(hold.shares);
    let (maxima, paid) = shares.totals();
    let own = hold.rest() - (maxima - paid);
    state.free_pending(hold.into(), own);
    if own > 0 || matches!(cause, Cause::Expiry) {
        effects.push(state, cause, index, hold.into(), own);
    }
    for share in shares.parts() {
        let rest = share.rest();
        if rest == 0 {
            continue;
        }
        let pin = pin_of(hold, share);
        state.free_pending(pin, rest);
        let id = state.accounts.get(share.account).id;
        let granted = Source::of_grant(id);
        effects.push_from(state, cause, index, pin, rest, granted);
        let slot = grant_of(state, id);
        if !state.grants.get(slot).is_open() {
            give_back(state, effects, (slot, rest), Cause::GrantReturn, index);
            settle(state, share.account, t);
        }
    }
}

/// The grant with this id, of which something is pinned: so it is remembered.
fn grant_of(state: &State, id: Id16) -> Slot {
    match state.grants.find(id) {
        Some(slot) => slot,
        None => broken("a grant was forgotten while it was pinned"),
    }
}

/// Moves money of a grant to its pool: as much as there is room for, in 128 bits.
pub fn give_back(
    state: &mut State,
    effects: &mut Effects,
    (slot, amount): (Slot, u128),
    cause: Cause,
    index: u32,
) {
    let grant = *state.grants.get(slot);
    let pool = state.accounts.get(grant.pool);
    let taken = sum(
        pool.credits_posted,
        pool.credit_limit,
        "credits and credit limit leave u128",
    );
    let returned = amount.min(u128::MAX - taken);
    let account = state.account_mut(grant.account);
    account.debits_posted = sum(account.debits_posted, returned, "debits_posted leaves u128");
    let pool = state.account_mut(grant.pool);
    pool.credits_posted = sum(pool.credits_posted, returned, "credits_posted leaves u128");
    let pin = Pin {
        id: ZERO_ID,
        payer: grant.account,
        payee: grant.pool,
    };
    let granted = Source::of_grant(grant.id);
    effects.push_from(state, cause, index, pin, returned, granted);
}

/// Notes that a grant is over and no hold pins any of it any more, if that is so.
pub fn settle(state: &mut State, account: Slot, t: u64) {
    let row = state.accounts.get(account);
    if row.debits_pending > 0 {
        return;
    }
    let slot = grant_of(state, row.id);
    let life = state.grants.get(slot).life;
    if !state.grants.get(slot).is_open() {
        let settled = GrantLife {
            settled_at_ns: t,
            ..life
        };
        state.change_grant(slot, settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_exact_in_any_size() {
        let max = u128::MAX;
        assert_eq!(portion(max, max, max), max);
        assert_eq!(portion(max, max - 1, max), max - 1);
        assert_eq!(portion(max - 1, max - 1, max), max - 2);
        assert_eq!(portion(max, 1, 3), max / 3);
        assert_eq!(
            portion(max, 333_333, 1_000_000),
            (max / 1_000_000) * 333_333 + max % 1_000_000 * 333_333 / 1_000_000
        );
        assert_eq!(portion(7, 2, 3), 4);
        assert_eq!(portion(0, max, max), 0);
    }

    #[test]
    fn parts_never_go_down_and_add_up() {
        for parts in [vec![1, 1, 1], vec![2, 1, 5], vec![7], vec![3, 3, 3, 1]] {
            let total: u128 = parts.iter().sum();
            for whole in total..total + 4 {
                let mut before = [0; MAX_SHARES];
                let mut own_before = 0;
                for amount in 0..=whole {
                    let falls = split(amount, parts.iter().copied(), whole);
                    let own = amount - falls.iter().sum::<u128>();
                    assert!(own_before <= own && own <= whole - total);
                    assert!(falls.iter().zip(before).all(|(&now, then)| now >= then));
                    assert!(parts.iter().zip(falls).all(|(&part, fall)| fall <= part));
                    (before, own_before) = (falls, own);
                }
                assert!(parts.iter().zip(before).all(|(&part, fall)| fall == part));
            }
        }
    }
}
