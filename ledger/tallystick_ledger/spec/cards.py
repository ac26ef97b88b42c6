"""CARD drafts a card, PRICE adds its lines, CARD_PUBLISH makes it binding; then it never changes.

A draft that is not published within a day is forgotten. A published card is in force until another
supersedes it, and is remembered until no hold can need it any more. Source: docs/semantics.md 3.
"""

from dataclasses import replace

from tallystick_ledger import limits, merkle
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, CardId, LineId, NameId, PrincipalId, TimestampNs
from tallystick_ledger.records import Card, CardPublish, NameKind, Price, Scope
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import CardRow, CardStatus, PriceLineRow


def card(state: State, place: Place, record: Card) -> list[Effect]:
    """Drafts a card.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND; CARD_NOT_FOUND, of the one
            to supersede; NAME_NOT_FOUND, of a meter; ID_CONFLICT; CARD_STATE, that one is
            superseded already; UNIT_MISMATCH, it prices in another; CAP_EXCEEDED, cards of the
            principal.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.PRICE)
    require(record.unit in state.units, Code.UNIT_NOT_FOUND)
    superseded = _to_supersede(state, place, record.supersedes)
    for meter in record.length_meters:
        _check_name(state, meter, NameKind.METER)
    card_id = CardId(place.derived_id(state))
    require(card_id not in state.cards, Code.ID_CONFLICT)
    if superseded is not None:
        require(superseded.superseded_from_ns == 0, Code.CARD_STATE)
        require(superseded.unit == record.unit, Code.UNIT_MISMATCH)
    require(state.cards.count(place.principal) < limits.MAX_CARDS, Code.CAP_EXCEEDED)

    state.put_card(
        CardRow(
            card=card_id,
            owner=place.principal,
            unit=record.unit,
            lines_root=record.lines_root,
            supersedes=record.supersedes,
            effective_from_ns=record.effective_from_ns,
            created_at_ns=place.timestamp_ns,
            published_at_ns=TimestampNs(0),
            superseded_from_ns=TimestampNs(0),
            line_count=record.line_count,
            status=CardStatus.DRAFT,
            length_meters=record.length_meters,
        )
    )
    return []


def price(state: State, place: Place, record: Price) -> list[Effect]:
    """Adds a line to a draft.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CARD_NOT_FOUND; NAME_NOT_FOUND, of model,
            meter, tier, region or the meter to follow; ID_CONFLICT; CARD_STATE, it is no draft;
            LINE_COUNT_MISMATCH, it has all its lines; LINES_OVERLAP; CAP_EXCEEDED, lines of one
            place or of the principal.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.PRICE)
    draft = _own_card(state, place, record.card)
    _check_name(state, record.model, NameKind.MODEL)
    _check_name(state, record.meter, NameKind.METER)
    if record.tier != NO_ID:
        _check_name(state, record.tier, NameKind.TIER)
    if record.region != NO_ID:
        _check_name(state, record.region, NameKind.REGION)
    if record.same_as != NO_ID:
        _check_name(state, record.same_as, NameKind.METER)
    line_id = LineId(place.derived_id(state))
    require(line_id not in state.price_lines, Code.ID_CONFLICT)
    require(draft.status is CardStatus.DRAFT, Code.CARD_STATE)
    lines = state.price_lines.members(draft.card)
    require(len(lines) < draft.line_count, Code.LINE_COUNT_MISMATCH)
    line = PriceLineRow(
        line=line_id,
        card=draft.card,
        index=len(lines),
        model=record.model,
        meter=record.meter,
        tier=record.tier,
        region=record.region,
        same_as=record.same_as,
        price=record.price,
        leaf_hash=record.leaf_hash,
        above=record.above,
        flags=record.flags,
        window=record.window,
    )
    neighbours = [other for other in lines if other.place == line.place]
    require(not any(_overlap(line, other) for other in neighbours), Code.LINES_OVERLAP)
    require(len(neighbours) < limits.MAX_LINES_OF_PLACE, Code.CAP_EXCEEDED)
    require(_lines_of(state, place.principal) < limits.MAX_PRICE_LINES, Code.CAP_EXCEEDED)

    state.price_lines.put(line_id, line)
    return []


def card_publish(state: State, place: Place, record: CardPublish) -> list[Effect]:
    """Publishes a draft with all its lines; the card that it supersedes ends when it begins.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CARD_NOT_FOUND, it or the one to
            supersede; CARD_STATE, it is no draft, or that one is superseded already;
            LINE_COUNT_MISMATCH; LINES_ROOT_MISMATCH; NOTICE_TOO_SHORT.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.PRICE)
    draft = _own_card(state, place, record.card)
    superseded = _to_supersede(state, place, draft.supersedes)
    require(draft.status is CardStatus.DRAFT, Code.CARD_STATE)
    require(superseded is None or superseded.superseded_from_ns == 0, Code.CARD_STATE)
    lines = state.price_lines.members(draft.card)
    require(len(lines) == draft.line_count, Code.LINE_COUNT_MISMATCH)
    in_order = sorted(lines, key=lambda line: line.index)
    root = merkle.root_of_hashes(line.leaf_hash for line in in_order)
    require(root == draft.lines_root, Code.LINES_ROOT_MISMATCH)
    earliest_ns = place.timestamp_ns + limits.MIN_NOTICE_NS
    require(draft.effective_from_ns >= earliest_ns, Code.NOTICE_TOO_SHORT)

    published = replace(draft, status=CardStatus.PUBLISHED, published_at_ns=place.timestamp_ns)
    state.put_card(published)
    if superseded is not None:
        state.put_card(replace(superseded, superseded_from_ns=draft.effective_from_ns))
    return []


def _own_card(state: State, place: Place, card_id: CardId) -> CardRow:
    row = found(state.cards.get(card_id), Code.CARD_NOT_FOUND)
    require(row.owner == place.principal, Code.CARD_NOT_FOUND)
    return row


def _to_supersede(state: State, place: Place, card_id: CardId) -> CardRow | None:
    """The signer's published card with this id; None if the id is zero."""
    if card_id == NO_ID:
        return None
    row = _own_card(state, place, card_id)
    require(row.is_published, Code.CARD_NOT_FOUND)
    return row


def _check_name(state: State, name: NameId, kind: NameKind) -> None:
    row = found(state.names.get(name), Code.NAME_NOT_FOUND)
    require(row.name_kind is kind, Code.NAME_NOT_FOUND)


def _overlap(line: PriceLineRow, other: PriceLineRow) -> bool:
    """Whether two lines of one place price the same minute of the same band."""
    return line.above == other.above and line.window.overlaps(other.window)


def _lines_of(state: State, principal: PrincipalId) -> int:
    cards = state.cards.members(principal)
    return sum(state.price_lines.count(card.card) for card in cards)
