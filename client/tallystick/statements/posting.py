"""What one entry of an account's history moves in that account: a pure function.

An account has four columns: debits and credits, each pending and posted. A *posting* adds to or
takes from the pending one, the posted one, or both, on one side. It comes from the record itself
(a TRANSFER, a RESERVE) or from an effect that the rules computed (a CAPTURE, an EXPIRY).

Two tables say it all: `OF_RECORDS` and `OF_EFFECTS`. Each kind of record and each cause is in one
of them or among `MOVE_NOTHING`, or it is refused: an amount that nobody knows how to book must not
be left out in silence.

EXTEND and TOP_UP name a hold or channel and no account. The payer's side is known, since the payer
can derive the ids of its own; the payee does not know the payer's principal, so the counterparty of
such a posting is learned from the first effect that names both (`Step.learned`). The model of a
priced hold is learned from the payer's RESERVE, where its CONTs are at hand: no capture says it.

Source: docs/semantics.md section 3, docs/format.md sections 6 and 7.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from tallystick.errors import TallystickError
from tallystick.history import HistoryRecord
from tallystick_ledger.ids import (
    AccountId,
    EnvelopeId,
    LedgerId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    issuance_account,
    object_id,
)
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.records import (
    Burn,
    Capture,
    Channel,
    Extend,
    Issue,
    Kind,
    Meter,
    Raw,
    Record,
    Refund,
    Reprice,
    Reserve,
    TopUp,
    Transfer,
)
from tallystick_ledger.results import Cause, Effect


class UnknownMovement(TallystickError):  # noqa: N818 - says what happened
    """A record or effect that this version cannot book."""

    code = "UNKNOWN_MOVEMENT"
    default_advice = "Install a version of tallystick that knows it."


class Side(StrEnum):
    """Which columns of the account."""

    DEBIT = "debit"
    CREDIT = "credit"


class Authority(StrEnum):
    """Whose word an amount rests on."""

    PAYER = "payer-signed"
    PAYEE = "payee-claimed"
    RULE = "rule"  # nobody's: time ran out


@dataclass(frozen=True, slots=True)
class Rule:
    """How something is booked: +1 adds, -1 takes away, 0 leaves alone."""

    pending: int
    posted: int
    authority: Authority


_POST: Final = Rule(0, +1, Authority.PAYER)
_PIN: Final = Rule(+1, 0, Authority.PAYER)

_UNDER_MANDATE: Final = Rule(0, +1, Authority.PAYEE)

OF_RECORDS: Final[Mapping[Kind, Rule]] = {
    Kind.ISSUE: _POST,
    Kind.BURN: _POST,
    Kind.TRANSFER: _POST,
    Kind.RESERVE: _PIN,
    Kind.EXTEND: _PIN,
    Kind.CHANNEL: _PIN,
    Kind.TOP_UP: _PIN,
}
OF_EFFECTS: Final[Mapping[Cause, Rule]] = {
    Cause.CAPTURE: Rule(-1, +1, Authority.PAYEE),
    Cause.RELEASE: Rule(-1, 0, Authority.PAYEE),
    Cause.EXPIRY: Rule(-1, 0, Authority.RULE),
    Cause.VOUCHER: Rule(-1, +1, Authority.PAYER),  # the payer's channel key signed it
    Cause.CHANNEL_CLOSE: Rule(-1, 0, Authority.PAYEE),
    Cause.METER: _POST,  # signed by the payer, or by the payee under a mandate
    # Whoever had been paid gives back, and signs it: the payer of this posting.
    Cause.REFUND: _POST,
    Cause.DISPUTE: _POST,
    Cause.REPRICE: _POST,
    Cause.GRANT_RETURN: Rule(0, +1, Authority.RULE),
    Cause.CLAW_BACK: _POST,  # the sponsor's: its own money, out of the account of its own grant
    Cause.GRANT: _POST,
    Cause.PIN: _PIN,
    # Of netting: what members owe each other, set off by rule.
    Cause.NETTING: Rule(0, +1, Authority.RULE),
    Cause.NETTED: Rule(-1, +1, Authority.RULE),
    Cause.POSITION: Rule(+1, 0, Authority.RULE),
    # What is owed from now on: no column has it before it is paid.
    Cause.CLAIM: Rule(0, 0, Authority.PAYEE),
    Cause.PAY_CLAIM: _POST,
    Cause.EXCHANGE: _POST,  # the maker signed the quote; the other half is the TRANSFER itself
}
# What a CAPTURE takes that was not on hold: the payer signed for as much as its debt limit.
_BEYOND: Final = Rule(0, +1, Authority.PAYEE)
# With these a payee gives back of what it was paid, to each source its part.
GIVES_BACK: Final = frozenset({Cause.REFUND.name, Cause.DISPUTE.name, Cause.REPRICE.name})
# By themselves; what CAPTURE, METER, REFUND and the like do is in their effects.
MOVE_NOTHING: Final = frozenset(
    {
        Kind.PRINCIPAL,
        Kind.KEY,
        Kind.NAME,
        Kind.LIST,
        Kind.ACCOUNT,
        Kind.RECOVER,
        Kind.VETO,
        Kind.UNIT,
        Kind.CREDIT_LIMIT,
        Kind.CAPTURE,
        Kind.RELEASE,
        Kind.METER,
        Kind.MANDATE,
        Kind.MANDATE_END,
        Kind.PAY_CLAIM,
        Kind.VOUCHER,
        Kind.CHANNEL_CLOSE,
        Kind.CARD,
        Kind.PRICE,
        Kind.CARD_PUBLISH,
        Kind.GRANT,
        Kind.CLAW_BACK,
        Kind.RELATION,
        Kind.LIMIT,
        Kind.ZONE,
        Kind.DELEGATE,
        Kind.KILL,
        Kind.REFUND,
        Kind.DISPUTE,
        Kind.DISPUTE_ANSWER,
        Kind.REPRICE,
        Kind.TICK,
        Kind.JOIN,
        Kind.WINDOW_CLOSE,
        Kind.SETTLE,
        Kind.FAIL,
        Kind.CONT,
    }
)
# Of these the fields matter all the same: when it was, by which reference.
_TELLING: Final = frozenset({Kind.CAPTURE, Kind.METER, Kind.REFUND, Kind.REPRICE})
_Dated: TypeAlias = Capture | Meter | Refund | Reprice
_ORIGIN: Final = slice(8, 24)  # where these name their hold or channel
_NAMES_ORIGIN: Final = frozenset(
    {Kind.CAPTURE, Kind.RELEASE, Kind.VOUCHER, Kind.CHANNEL_CLOSE, Kind.EXTEND, Kind.TOP_UP}
)
# Effects that a sweep can cause, at a record that has nothing to do with them.
_SWEEPS: Final = frozenset({Cause.EXPIRY, Cause.CHANNEL_CLOSE, Cause.GRANT_RETURN})
# About a deferred unit, not about a hold or channel. So is the RELEASE of a FAIL, which frees what
# a POSITION pinned: `Step.learned` tells them by that.
_NETTING: Final = frozenset({Cause.NETTING, Cause.NETTED, Cause.POSITION})
_CHARGES_OF_HOLDS: Final = frozenset({Cause.CAPTURE, Cause.CLAIM, Cause.PAY_CLAIM})
_CARD: Final = slice(72, 88)  # of an effect, as format.md section 7 has it
_GRANT: Final = slice(88, 104)
_NOTHING: Final = bytes(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Owned:
    """An account, with what is needed to derive the ids of its holds and channels."""

    account: AccountId
    owner: PrincipalId
    ledger_id: LedgerId


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a hold or channel: which side this account is on, and who is opposite.

    Attributes:
        side: The account's.
        counterparty: Whose the other side is.
        model: What a priced hold is for; empty where nothing told it.
        has_expired: Whether it is a hold that did.
    """

    side: Side
    counterparty: AccountId
    model: bytes = b""
    has_expired: bool = False


# What is learned of a deferred unit: nothing but that it is one.
_UNIT: Final = Origin(Side.DEBIT, AccountId(b""))


@dataclass(frozen=True, slots=True)
class Posting:
    """A change of one side of one account.

    Attributes:
        sequence: Sequence number of the record at which it happened.
        part: Its place among those of this record and account, from 0.
        timestamp_ns: The record's: when it was booked.
        occurred_at_ns: When the usage was, by its payee; 0 for unknown.
        cause: Name of the kind of record or cause of the effect.
        side: Which columns.
        pending: +1, 0 or -1: what happens to the pending column, times `amount`.
        posted: +1 or 0, likewise.
        amount: In the unit's smallest step.
        authority: Whose word the amount is.
        counterparty: The account opposite; empty where it is not known yet.
        origin: Hold, channel or mandate; empty for none.
        end_state: What became of it, if it ended here: captured, released, expired, closed.
        source: Who counted, in a CAPTURE or METER.
        card: That priced it, or by which it is priced again; empty for none.
        model: What was charged for, a NAME; empty where nothing tells it.
        grant: Which paid or what is claimed; empty for none.
        envelope_id: Empty where the account has nothing to do with the record, as `signer`.
        signer: Whose key signed the record.
        reference: The record's; 0 for none.
    """

    sequence: SequenceNumber
    part: int
    timestamp_ns: TimestampNs
    occurred_at_ns: int
    cause: str
    side: Side
    pending: int
    posted: int
    amount: int
    authority: Authority
    counterparty: bytes
    origin: bytes = b""
    end_state: str = ""
    source: str = ""
    card: bytes = b""
    grant: bytes = b""
    model: bytes = b""
    envelope_id: bytes = b""
    signer: bytes = b""
    reference: int = 0

    @property
    def posted_change(self) -> int:
        """What the balance grows by; below zero for a payment."""
        return self.posted * (self.amount if self.side is Side.CREDIT else -self.amount)


@dataclass(frozen=True, slots=True)
class Step:
    """What an entry does.

    Attributes:
        postings: In order.
        learned: Holds and channels of which this entry told more than was known.
    """

    postings: tuple[Posting, ...] = ()
    learned: Mapping[bytes, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Move:
    """A posting before it has its place."""

    cause: str
    rule: Rule
    side: Side
    amount: int
    counterparty: bytes
    origin: bytes = b""
    end_state: str = ""
    card: bytes = b""
    grant: bytes = b""
    model: bytes = b""
    is_of_record: bool = True


def postings_of(entry: HistoryRecord, of: Owned, origins: Mapping[bytes, Origin]) -> Step:
    """Returns what an entry of an account's history moves in it.

    Args:
        entry: As the ledger gives it.
        of: Whose history.
        origins: What all entries before it have told.

    Raises:
        UnknownMovement: A kind or cause without a rule.
        LedgerError: The record cannot be read.
    """
    learned: dict[bytes, Origin] = {}
    moves = [
        move
        for effect in entry.effects
        for move in _of_effect(effect, entry, of, {**origins, **learned}, learned)
    ]
    record = _executed(entry)
    if record is not None:
        moves += _of_record(record, entry, of, {**origins, **learned}, learned)
    postings = []
    for part, move in enumerate(moves):
        known = record if move.is_of_record else None
        postings.append(
            Posting(
                entry.sequence,
                part,
                entry.timestamp_ns,
                known.occurred_at_ns if isinstance(known, _Dated) else 0,
                move.cause,
                move.side,
                move.rule.pending,
                move.rule.posted,
                move.amount,
                move.rule.authority,
                move.counterparty,
                move.origin,
                move.end_state,
                known.source.name if isinstance(known, Capture | Meter) else "",
                move.card,
                move.grant,
                move.model,
                (entry.envelope_id or EnvelopeId(b"")) if move.is_of_record else b"",
                (entry.signer or PublicKey(b"")) if move.is_of_record else b"",
                getattr(known, "reference", 0),
            )
        )
    fresh = {key: value for key, value in learned.items() if origins.get(key) != value}
    return Step(tuple(postings), fresh)


def _executed(entry: HistoryRecord) -> Record | None:
    """The record, if it was executed and its fields matter here."""
    if not (entry.ok and entry.data):
        return None
    if entry.kind in MOVE_NOTHING - _TELLING:
        return None
    record = entry.record
    if record is None or isinstance(record, Raw):
        raise UnknownMovement(f"There is no rule for a record of kind {entry.kind:#06x}.")
    return record


def _of_effect(
    effect: Effect,
    entry: HistoryRecord,
    of: Owned,
    origins: Mapping[bytes, Origin],
    learned: dict[bytes, Origin],
) -> Iterator[_Move]:
    rule = OF_EFFECTS.get(effect.cause)
    if rule is None:
        raise UnknownMovement(f"There is no rule for an effect of cause {effect.cause.name}.")
    kind = entry.kind if entry.ok else None
    is_own = kind in _NAMES_ORIGIN and entry.data[_ORIGIN] == effect.origin
    is_swept = effect.cause in _SWEEPS and not is_own
    if effect.cause is Cause.METER and effect.origin != _NOTHING:
        rule = _UNDER_MANDATE
    is_netting = effect.cause in _NETTING or origins.get(effect.origin) == _UNIT
    if is_swept or is_netting:
        rule = Rule(rule.pending, rule.posted, Authority.RULE)
    encoded = effect.encode()
    debit, credit = effect.debit_account, effect.credit_account
    for side, mine, other in ((Side.DEBIT, debit, credit), (Side.CREDIT, credit, debit)):
        if mine == of.account:
            origin = b"" if is_netting or effect.origin == _NOTHING else effect.origin
            if effect.cause is Cause.POSITION:
                learned[effect.origin] = _UNIT
            known = origins.get(effect.origin)
            # Grants pay beside the payer, who is the one opposite; a mandate is nobody's hold.
            tells = side is Side.DEBIT or effect.grant == _NOTHING
            if origin and effect.cause is not Cause.METER and tells:
                before = known or _UNIT
                has_expired = before.has_expired or effect.cause is Cause.EXPIRY
                model = before.model or _reserved_model(effect, entry)
                learned[effect.origin] = Origin(side, other, model, has_expired)
            move = _Move(
                effect.cause.name,
                rule,
                side,
                effect.amount - effect.beyond,
                other,
                origin,
                "" if is_netting else _end_state(effect, entry),
                _id_or_nothing(encoded[_CARD]),
                _id_or_nothing(encoded[_GRANT]),
                _model(effect, entry, known),
                not is_swept,
            )
            if move.amount or not effect.beyond:
                yield move
            if effect.beyond:
                yield replace(move, rule=_BEYOND, amount=effect.beyond, end_state="")


def _model(effect: Effect, entry: HistoryRecord, known: Origin | None) -> bytes:
    """What a charge is for, as its METER says or the RESERVE of its hold did."""
    if effect.cause in _CHARGES_OF_HOLDS and known is not None:
        return known.model
    record = entry.record if effect.cause is Cause.METER else None
    return _id_or_nothing(record.model) if isinstance(record, Meter) else b""


def _reserved_model(effect: Effect, entry: HistoryRecord) -> bytes:
    """What a hold is for that grants pay a part of: its RESERVE has an effect that names it."""
    record = entry.record if effect.cause is Cause.PIN and entry.ok else None
    terms = record.terms if isinstance(record, Reserve) else None
    return b"" if terms is None else terms.model


def _end_state(effect: Effect, entry: HistoryRecord) -> str:
    if effect.cause is Cause.EXPIRY:
        return "expired"
    if effect.cause is Cause.CHANNEL_CLOSE:
        return "closed"
    if effect.cause is Cause.RELEASE:
        return "captured" if entry.kind == Kind.CAPTURE else "released"
    if effect.cause is Cause.CAPTURE:
        record = entry.record
        is_last = isinstance(record, Capture) and record.final
        frees = any(each.cause is Cause.RELEASE for each in entry.effects)
        return "captured" if is_last and not frees else ""
    return ""


def _of_record(
    record: Record,
    entry: HistoryRecord,
    of: Owned,
    origins: Mapping[bytes, Origin],
    learned: dict[bytes, Origin],
) -> Iterator[_Move]:
    kind = record.KIND
    if kind in MOVE_NOTHING:
        return
    rule = OF_RECORDS.get(kind)
    if rule is None:
        raise UnknownMovement(f"There is no rule for a record of kind {kind.name}.")
    if isinstance(record, Extend | TopUp):
        amount = record.additional if isinstance(record, Extend) else record.amount
        origin = bytes(entry.data[_ORIGIN])
        known = origins.get(origin)
        side, other = (known.side, known.counterparty) if known else (Side.CREDIT, AccountId(b""))
        if amount:
            yield _Move(kind.name, rule, side, amount, other, origin)
        return
    if any(effect.cause is Cause.PIN for effect in entry.effects):
        return  # grants pay a part of the hold: the effects say how much each source pins
    debit, credit, amount = _sides(record)
    origin = _made_by(entry, of) if isinstance(record, Reserve | Channel) else b""
    if debit == of.account:
        if origin:
            terms = record.terms if isinstance(record, Reserve) else None
            learned[origin] = Origin(Side.DEBIT, credit, terms.model if terms else b"")
        yield _Move(kind.name, rule, Side.DEBIT, amount, credit, origin)
    if credit == of.account:
        # Whose principal signed, and so the id, is not the payee's to know.
        yield _Move(kind.name, rule, Side.CREDIT, amount, debit)


def _sides(record: Record) -> tuple[AccountId, AccountId, int]:
    match record:
        case Issue():
            return issuance_account(record.unit), record.credit_account, record.amount
        case Burn():
            return record.debit_account, issuance_account(record.unit), record.amount
        case Transfer():
            return record.debit_account, record.credit_account, record.amount
        case Reserve():
            return record.payer_account, record.payee_account, record.maximum
        case Channel():
            return record.payer_account, record.payee_account, record.deposit
        case _:
            raise UnknownMovement(f"{type(record).__name__} names no two accounts.")


def _made_by(entry: HistoryRecord, of: Owned) -> bytes:
    """The id of the hold or channel that the payer's record made."""
    if entry.envelope_id is None or entry.envelope_sequence is None:
        return b""
    index = entry.sequence - entry.envelope_sequence
    return object_id(of.ledger_id, of.owner, entry.envelope_id, index)


def _id_or_nothing(data: bytes) -> bytes:
    return b"" if data == _NOTHING else data
