//! Group 6: CARD, PRICE and CARD_PUBLISH.

use super::input::{require, Input, Outcome, Scopes};
use super::price_rows::{is_ascending, line_flag, Card, CardLife, PriceLine, Window};
use super::price_rows::{MAX_LENGTH_METERS, MAX_PERMITTED};
use super::rows::scope;
use super::state::State;
use super::table::Slot;
use crate::format::limits::CONT_PAYLOAD_BYTES;
use crate::format::{id16_at, sha256, u16_at, Code, Hash32, Id16, ZERO_ID};
use crate::tree::root_of_hashes;

const OWNER_PRICE: Scopes = Scopes::of(&[scope::OWNER, scope::PRICE]);
const MAX_CARD_LINES: u32 = 4_096;
/// Of one principal: drafts, published and not yet forgotten.
const MAX_CARDS: u32 = 64;
/// Of all cards of one principal.
const MAX_PRICE_LINES: u32 = 16_384;
/// Bands times windows of one meter, so that a look-up is short.
const MAX_LINES_OF_PLACE: usize = 64;
const MIN_NOTICE_NS: u64 = 60_000_000_000;
/// Kinds of names.
const MODEL: u16 = 1;
const METER: u16 = 2;
const REGION: u16 = 4;
const TIER: u16 = 5;
const _: () = assert!(MAX_PERMITTED <= MAX_LENGTH_METERS);

/// Drafts a card.
pub fn card(state: &mut State, input: &Input<'_>) -> Outcome {
    let record = input.record;
    let count = usize::from(record.u16(6));
    let (unit_id, effective_from_ns, line_count) = (record.id16(8), record.u64(24), record.u32(32));
    require(record.flags() == 0, Code::UnknownFlags)?;
    require(count <= MAX_LENGTH_METERS, Code::BadField)?;
    let content_bytes = 16 * (1 + count);
    let conts = content_bytes.div_ceil(CONT_PAYLOAD_BYTES);
    let announced = usize::from(record.cont_count());
    require(announced == conts, Code::ContNotAllowed)?;
    input.check_reserved(36, 40)?;
    input.check_reserved(72, 80)?;
    let content = input.cont_content();
    let (ids, rest) = content.split_at(content_bytes);
    require(rest.iter().all(|&byte| byte == 0), Code::ReservedNonzero)?;
    let supersedes = id16_at(ids, 0);
    let length_meters: Vec<Id16> = ids[16..]
        .chunks_exact(16)
        .map(|id| id16_at(id, 0))
        .collect();
    require((1..=MAX_CARD_LINES).contains(&line_count), Code::BadField)?;
    let is_listed = is_ascending(&length_meters) && !length_meters.contains(&ZERO_ID);
    require(is_listed, Code::BadField)?;
    input.check_signer(state, &OWNER_PRICE)?;
    let unit = state.units.find(unit_id).ok_or(Code::UnitNotFound)?;
    let superseded = to_supersede(state, input, supersedes)?;
    for &meter in &length_meters {
        check_name(state, meter, METER)?;
    }
    let id = input.derived_id(state);
    require(state.cards.find(id).is_none(), Code::IdConflict)?;
    if let Some(slot) = superseded {
        let old = state.cards.get(slot);
        require(old.life.superseded_from_ns == 0, Code::CardState)?;
        require(old.unit == unit, Code::UnitMismatch)?;
    }
    let cards = state.principals.get(input.principal).card_count;
    require(cards < MAX_CARDS, Code::CapExceeded)?;

    state.insert_card(Card {
        id,
        owner: input.principal,
        unit,
        root: *record.array(40),
        supersedes,
        effective_from_ns,
        created_at_ns: input.t,
        line_count,
        life: CardLife {
            published_at_ns: 0,
            superseded_from_ns: 0,
            is_published: false,
        },
        length_meters,
        lines: Vec::new(),
        places: hashbrown::HashMap::new(),
        models: hashbrown::HashMap::new(),
    });
    Ok(())
}

/// A PRICE record taken apart; its shape is right.
fn parse_price(input: &Input<'_>) -> Result<PriceLine, Code> {
    let record = input.record;
    let flags = record.flags();
    require(flags & !line_flag::ALL == 0, Code::UnknownFlags)?;
    require(record.cont_count() == 1, Code::ContNotAllowed)?;
    input.check_reserved(6, 8)?;
    let content = input.cont_content();
    require(
        content[53..].iter().all(|&byte| byte == 0),
        Code::ReservedNonzero,
    )?;
    let line = PriceLine {
        id: ZERO_ID,
        card: 0,
        index: 0,
        model: record.id16(24),
        meter: record.id16(40),
        tier: id16_at(&content, 0),
        region: id16_at(&content, 16),
        same_as: id16_at(&content, 32),
        price: record.u128(56),
        leaf: leaf_of(record.slice(0, 80), &content),
        above: record.u64(72),
        flags,
        window: Window {
            start: u16_at(&content, 48),
            end: u16_at(&content, 50),
            weekdays: content[52],
        },
    };
    check_line(&line)?;
    Ok(line)
}

fn check_line(line: &PriceLine) -> Outcome {
    let is_free = line.flags & line_flag::FREE != 0;
    let follows = line.flags & line_flag::SAME_AS != 0;
    require(follows == (line.same_as != ZERO_ID), Code::BadField)?;
    require(line.window.is_valid(), Code::BadField)?;
    require(!(is_free && follows), Code::BadField)?;
    require(line.same_as != line.meter, Code::BadField)?;
    let is_priceless = is_free || follows;
    require(!is_priceless || line.price == 0, Code::BadField)?;
    require(is_priceless || line.price > 0, Code::ZeroAmount)
}

/// The line's leaf in the card's tree: over all that it says, and no nonce.
fn leaf_of(head: &[u8], content: &[u8]) -> Hash32 {
    let mut leaf = Vec::with_capacity(1 + head.len() + content.len());
    leaf.push(0);
    leaf.extend_from_slice(head);
    leaf.extend_from_slice(content);
    sha256(&leaf)
}

/// Adds a line to a draft.
pub fn price(state: &mut State, input: &Input<'_>) -> Outcome {
    let parsed = parse_price(input)?;
    input.check_signer(state, &OWNER_PRICE)?;
    let card_slot = own_card(state, input, input.record.id16(8))?;
    check_name(state, parsed.model, MODEL)?;
    check_name(state, parsed.meter, METER)?;
    for (name, kind) in [
        (parsed.tier, TIER),
        (parsed.region, REGION),
        (parsed.same_as, METER),
    ] {
        if name != ZERO_ID {
            check_name(state, name, kind)?;
        }
    }
    let id = input.derived_id(state);
    require(state.price_lines.find(id).is_none(), Code::IdConflict)?;
    let card = state.cards.get(card_slot);
    require(!card.life.is_published, Code::CardState)?;
    // At most 4,096.
    let index = card.lines.len() as u32;
    require(index < card.line_count, Code::LineCountMismatch)?;
    let neighbours = card.places.get(&parsed.place());
    let neighbours = neighbours.map_or(&[][..], Vec::as_slice);
    let is_taken = |&slot: &Slot| state.price_lines.get(slot).overlaps(&parsed);
    require(!neighbours.iter().any(is_taken), Code::LinesOverlap)?;
    require(neighbours.len() < MAX_LINES_OF_PLACE, Code::CapExceeded)?;
    let lines = state.principals.get(input.principal).line_count;
    require(lines < MAX_PRICE_LINES, Code::CapExceeded)?;

    state.insert_price_line(PriceLine {
        id,
        card: card_slot,
        index,
        ..parsed
    });
    Ok(())
}

/// Publishes a draft with all its lines.
pub fn card_publish(state: &mut State, input: &Input<'_>) -> Outcome {
    input.check_flags_and_conts(0)?;
    input.check_reserved(6, 8)?;
    input.check_reserved(24, 112)?;
    input.check_signer(state, &OWNER_PRICE)?;
    let slot = own_card(state, input, input.record.id16(8))?;
    let card = state.cards.get(slot);
    let superseded = to_supersede(state, input, card.supersedes)?;
    require(!card.life.is_published, Code::CardState)?;
    if let Some(old) = superseded {
        let is_in_force = state.cards.get(old).life.superseded_from_ns == 0;
        require(is_in_force, Code::CardState)?;
    }
    let has_all = card.lines.len() == card.line_count as usize;
    require(has_all, Code::LineCountMismatch)?;
    let leaves = card
        .lines
        .iter()
        .map(|&line| state.price_lines.get(line).leaf);
    let is_root = root_of_hashes(leaves.collect()) == card.root;
    require(is_root, Code::LinesRootMismatch)?;
    let earliest = u128::from(input.t) + u128::from(MIN_NOTICE_NS);
    let is_noticed = u128::from(card.effective_from_ns) >= earliest;
    require(is_noticed, Code::NoticeTooShort)?;

    let effective_from_ns = card.effective_from_ns;
    let published = CardLife {
        published_at_ns: input.t,
        is_published: true,
        ..card.life
    };
    state.change_card(slot, published);
    if let Some(old) = superseded {
        let ending = CardLife {
            superseded_from_ns: effective_from_ns,
            ..state.cards.get(old).life
        };
        state.change_card(old, ending);
    }
    Ok(())
}

fn own_card(state: &State, input: &Input<'_>, id: Id16) -> Result<Slot, Code> {
    let slot = state.cards.find(id).ok_or(Code::CardNotFound)?;
    let is_own = state.cards.get(slot).owner == input.principal;
    require(is_own, Code::CardNotFound)?;
    Ok(slot)
}

/// The signer's published card with this id; none if the id is zero.
fn to_supersede(state: &State, input: &Input<'_>, id: Id16) -> Result<Option<Slot>, Code> {
    if id == ZERO_ID {
        return Ok(None);
    }
    let slot = own_card(state, input, id)?;
    let is_published = state.cards.get(slot).life.is_published;
    require(is_published, Code::CardNotFound)?;
    Ok(Some(slot))
}

fn check_name(state: &State, id: Id16, kind: u16) -> Outcome {
    let is_there = state
        .names
        .find_row(id)
        .is_some_and(|name| name.kind == kind);
    require(is_there, Code::NameNotFound)
}
