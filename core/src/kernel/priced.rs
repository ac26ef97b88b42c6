//! What a card prices: the terms of a RESERVE, and what a usage costs.

use super::input::{require, Input, Outcome};
use super::price_rows::Permitted;
use super::price_rows::{is_ascending, line_flag, minute_of_week, Card, Overrun, PriceLine, Terms};
use super::quote_rows::Quote;
use super::rows::{Account, Hold};
use super::state::{broken, State};
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{id16_at, u128_at, u16_at, u64_at, Code, Id16, ZERO_ID};

/// CONTs of a RESERVE of mode CARD.
pub const TERMS_CONTS: u16 = 3;
/// Where the terms of mode QUOTE name their quote.
const QUOTE_AT: usize = 200;
const MAX_USAGE_LINES: usize = 32;
const USAGE_HEAD_BYTES: usize = 40;
const USAGE_LINE_BYTES: usize = 24;
/// CONTs of the CAPTURE of a priced hold, at most.
pub const MAX_USAGE_CONTS: u16 = 8;
/// A price is for so many of a meter.
const PRICE_UNITS: u64 = 1_000_000;

/// Stage shape: the terms in the CONTs of a RESERVE.
pub fn parse_terms(content: &[u8], is_quote: bool) -> Result<Terms, Code> {
    let quote = QUOTE_AT..QUOTE_AT + 16;
    let unused = if is_quote { 0..16 } else { quote.clone() };
    let reserved = [&content[178..184], &content[quote.end..], &content[unused]];
    let mut reserved = reserved.into_iter().flatten();
    require(reserved.all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let overrun = Overrun::from_number(u16_at(content, 176)).ok_or(Code::BadField)?;
    let debt_limit = u128_at(content, 184);
    let is_debt = overrun == Overrun::Debt;
    require(is_debt == (debt_limit > 0), Code::BadField)?;
    Ok(Terms {
        hold: ZERO_ID,
        card: id16_at(content, if is_quote { quote.start } else { 0 }),
        is_quote,
        model: id16_at(content, 16),
        tiers: permitted(content, 32)?,
        regions: permitted(content, 96)?,
        end_user: id16_at(content, 160),
        overrun,
        debt_limit,
        beyond: 0,
    })
}

fn permitted(content: &[u8], at: usize) -> Result<Permitted, Code> {
    let list: Permitted = std::array::from_fn(|number| id16_at(content, at + 16 * number));
    require(is_ascending(&list), Code::BadField)?;
    Ok(list)
}

/// What a CAPTURE or METER says was served; its shape is right.
pub struct Usage {
    tier: Id16,
    pub region: Id16,
    lines: Vec<(Id16, u64)>,
}

/// Stage shape: the usage that begins `at` some byte of the content of a record's CONTs, which it
/// has to fill.
pub fn parse_usage(content: &[u8], at: usize) -> Result<Usage, Code> {
    let end = usage_end(content, at)?;
    let conts = end.div_ceil(CONT_PAYLOAD_BYTES);
    let announced = content.len() / CONT_PAYLOAD_BYTES;
    require(announced == conts, Code::ContNotAllowed)?;
    let lines_at = at + USAGE_HEAD_BYTES;
    let mut reserved = content[at + 34..lines_at].iter().chain(&content[end..]);
    require(reserved.all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let lines: Vec<(Id16, u64)> = content[lines_at..end]
        .chunks_exact(USAGE_LINE_BYTES)
        .map(|line| (id16_at(line, 0), u64_at(line, 16)))
        .collect();
    let is_ordered = lines.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let are_some = lines
        .iter()
        .all(|&(meter, count)| meter != ZERO_ID && count > 0);
    require(is_ordered && are_some, Code::BadField)?;
    Ok(Usage {
        tier: id16_at(content, at),
        region: id16_at(content, at + 16),
        lines,
    })
}

/// Stage shape: where the CONTs end that the usage which begins `at` some byte needs.
pub fn usage_conts_end(content: &[u8], at: usize) -> Result<usize, Code> {
    let conts = usage_end(content, at)?.div_ceil(CONT_PAYLOAD_BYTES);
    let end = conts * CONT_PAYLOAD_BYTES;
    require(end <= content.len(), Code::ContNotAllowed)?;
    Ok(end)
}

fn usage_end(content: &[u8], at: usize) -> Result<usize, Code> {
    let count = usize::from(u16_at(content, at + 32));
    require(count <= MAX_USAGE_LINES, Code::BadField)?;
    Ok(at + USAGE_HEAD_BYTES + USAGE_LINE_BYTES * count)
}

/// Existence of a published card; a draft looks as if it were not there.
pub fn published_card(state: &State, id: Id16) -> Result<&Card, Code> {
    let card = state.cards.find_row(id).ok_or(Code::CardNotFound)?;
    require(card.life.is_published, Code::CardNotFound)?;
    Ok(card)
}

/// Stages state and price: the card prices what is now agreed with the payee's owner.
pub fn check_card(state: &State, input: &Input<'_>, terms: &Terms, payee: &Account) -> Outcome {
    let card = published_card(state, terms.card)?;
    check_in_force(card, payee, input.t)?;
    require(card.models.contains_key(&terms.model), Code::Unpriced)
}

/// Stage state: the card prices, now, what the payee's owner sells for the unit of its account.
pub fn check_in_force(card: &Card, payee: &Account, t: u64) -> Outcome {
    require(payee.owner == card.owner, Code::NotProvider)?;
    require(payee.unit == card.unit, Code::UnitMismatch)?;
    require(card.is_effective(t), Code::CardNotEffective)
}

/// Stage price: what was served was agreed, and costs what is expected.
pub fn check_price(
    state: &State,
    hold: &Hold,
    terms: &Terms,
    usage: &Usage,
    expected: u128,
) -> Outcome {
    let is_agreed = terms.permit(usage.tier, usage.region);
    require(is_agreed, Code::PriceNotAgreed)?;
    let agreed = Agreed {
        prices: prices_of(state, terms),
        model: terms.model,
        at_ns: hold.created_at_ns,
    };
    check_amount(state, &agreed, usage, expected)
}

fn prices_of<'a>(state: &'a State, terms: &Terms) -> Prices<'a> {
    let prices = if terms.is_quote {
        state.quotes.find_row(terms.card).map(Prices::Quote)
    } else {
        state.cards.find_row(terms.card).map(Prices::Card)
    };
    match prices {
        Some(prices) => prices,
        None => broken("the prices of an open hold were forgotten"),
    }
}

/// Whose prices apply.
pub enum Prices<'a> {
    Card(&'a Card),
    Quote(&'a Quote),
}

/// What a usage is priced by.
pub struct Agreed<'a> {
    pub prices: Prices<'a>,
    pub model: Id16,
    /// The instant that decides about windows.
    pub at_ns: u64,
}

/// Stage price: the usage has a price, and costs what is expected.
pub fn check_amount(state: &State, agreed: &Agreed<'_>, usage: &Usage, expected: u128) -> Outcome {
    let card = match agreed.prices {
        Prices::Card(card) => card,
        Prices::Quote(quote) => return check_quoted(quote, agreed.model, usage, expected),
    };
    let counted = usage.lines.iter();
    let counted = counted.filter(|(meter, _)| card.length_meters.binary_search(meter).is_ok());
    let query = Query {
        state,
        card,
        model: agreed.model,
        tier: usage.tier,
        region: usage.region,
        minute: minute_of_week(agreed.at_ns),
        length: counted.map(|&(_, quantity)| u128::from(quantity)).sum(),
    };
    let mut total = Wide::default();
    for &(meter, quantity) in &usage.lines {
        total.add_product(quantity, query.price_of(meter)?);
    }
    require(total.rounded() == Some(expected), Code::PriceMismatch)
}

/// As `check_amount`, by a quote, which knows neither bands nor windows.
fn check_quoted(quote: &Quote, model: Id16, usage: &Usage, expected: u128) -> Outcome {
    let places = places(usage.tier, usage.region);
    let mut total = Wide::default();
    for &(meter, quantity) in &usage.lines {
        let at = |(tier, region)| quote.price_at(&(model, meter, tier, region));
        let price = places.into_iter().find_map(at);
        total.add_product(quantity, price.ok_or(Code::Unpriced)?);
    }
    require(total.rounded() == Some(expected), Code::PriceMismatch)
}

/// Where a price is looked up, from what is more specific to ANY.
fn places(tier: Id16, region: Id16) -> [(Id16, Id16); 4] {
    [
        (tier, region),
        (tier, ZERO_ID),
        (ZERO_ID, region),
        (ZERO_ID, ZERO_ID),
    ]
}

/// Under which circumstances a meter is looked up.
struct Query<'a> {
    state: &'a State,
    card: &'a Card,
    model: Id16,
    tier: Id16,
    region: Id16,
    minute: u64,
    length: u128,
}

impl Query<'_> {
    /// The price of a meter, its own or where its SAME_AS leads in one step.
    fn price_of(&self, meter: Id16) -> Result<u128, Code> {
        let line = self.line_of(meter).ok_or(Code::Unpriced)?;
        if line.flags & line_flag::SAME_AS == 0 {
            return Ok(line.price);
        }
        let target = self.line_of(line.same_as).ok_or(Code::Unpriced)?;
        require(target.flags & line_flag::SAME_AS == 0, Code::Unpriced)?;
        Ok(target.price)
    }

    /// The line that covers a meter: of the first place that has one that applies.
    fn line_of(&self, meter: Id16) -> Option<&PriceLine> {
        let places = places(self.tier, self.region);
        let at = |&(tier, region): &(Id16, Id16)| (self.model, meter, tier, region);
        places.iter().find_map(|place| {
            let slots = self.card.places.get(&at(place))?;
            let lines = slots.iter().map(|&slot| self.state.price_lines.get(slot));
            let applying = lines.filter(|line| self.applies(line));
            applying.max_by_key(|line| line.above)
        })
    }

    fn applies(&self, line: &PriceLine) -> bool {
        let is_long = line.above == 0 || u128::from(line.above) < self.length;
        is_long && line.window.covers(self.minute)
    }
}

/// A sum of products in 256 bits.
#[derive(Default)]
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    /// Adds `quantity * price`, below 2^192; there are 32 of them at most.
    fn add_product(&mut self, quantity: u64, price: u128) {
        let half = u128::from(u64::MAX);
        let lower = u128::from(quantity) * (price & half);
        let upper = u128::from(quantity) * (price >> 64);
        self.add(upper >> 64, upper << 64);
        self.add(0, lower);
    }

    fn add(&mut self, high: u128, low: u128) {
        let (sum, carried) = self.low.overflowing_add(low);
        self.low = sum;
        // 32 products of 192 bits stay below 2^197.
        self.high += high + u128::from(carried);
    }

    /// Divided by a million, half up; None if that is no u128.
    fn rounded(mut self) -> Option<u128> {
        self.add(0, u128::from(PRICE_UNITS / 2));
        let divisor = u128::from(PRICE_UNITS);
        if self.high >= divisor {
            return None;
        }
        let half = u128::from(u64::MAX);
        // The remainder is below 2^20, so each step fits in 128 bits.
        let upper = (self.high << 64) | (self.low >> 64);
        let lower = ((upper % divisor) << 64) | (self.low & half);
        Some(((upper / divisor) << 64) | (lower / divisor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(products: &[(u64, u128)]) -> Option<u128> {
        let mut total = Wide::default();
        for &(quantity, price) in products {
            total.add_product(quantity, price);
        }
        total.rounded()
    }

    #[test]
    fn sums_are_rounded_once_half_up() {
        assert_eq!(sum(&[]), Some(0));
        assert_eq!(sum(&[(1, 499_999)]), Some(0));
        assert_eq!(sum(&[(1, 500_000)]), Some(1));
        assert_eq!(sum(&[(1, 250_000), (1, 250_000)]), Some(1));
        assert_eq!(sum(&[(3, 500_000)]), Some(2));
    }

    #[test]
    fn the_largest_sum_that_fits_and_the_next() {
        let million = 1_000_000;
        assert_eq!(sum(&[(million, u128::MAX)]), Some(u128::MAX));
        assert_eq!(sum(&[(million, u128::MAX), (1, 499_999)]), Some(u128::MAX));
        assert_eq!(sum(&[(million, u128::MAX), (1, 500_000)]), None);
        assert_eq!(sum(&[(u64::MAX, u128::MAX); 32]), None);
        assert_eq!(
            sum(&[(2, u128::MAX)]),
            Some(680_564_733_841_876_926_926_749_214_863_536)
        );
    }
}
