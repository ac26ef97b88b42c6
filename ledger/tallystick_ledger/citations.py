"""What corrections cite: the posting of an earlier record, as the log says it.

The state does not keep what every record moved. Whoever applies a block looks it up in the log for
the records that the block cites, and hands it in beside the block:

    cited_sequences(block)     which records: from the block's bytes alone, at most 256
    posting_of(record, …)      what a record moved, from its bytes, its result and its effects
    Citation                   sequence number, time, payer, payee, amount, the parts of it that
                               grants paid, and what priced it: 208 bytes
    Citations                  those of a block, checked to be exactly those that it needs

`Postings` is the whole log's, in memory, for whoever replays one from the start: specification,
auditors, tests. A node reads its store. Source: docs/format.md section 8, docs/semantics.md 1.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.block import Block
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    CardId,
    GrantId,
    SequenceNumber,
    TimestampNs,
)
from tallystick_ledger.records.base import BytesLike
from tallystick_ledger.records.kinds import Kind
from tallystick_ledger.results import Cause

CITING_KINDS: Final = frozenset({Kind.REFUND, Kind.DISPUTE, Kind.DISPUTE_ANSWER, Kind.REPRICE})
# Effects that are payments. A record has at most one of them, and one more for each grant that
# paid a part of it, behind it.
PAYING_CAUSES: Final = frozenset({Cause.CAPTURE, Cause.VOUCHER, Cause.METER, Cause.PAY_CLAIM})
# Of these, those that grants pay parts of.
_GRANTED_CAUSES: Final = frozenset({Cause.CAPTURE, Cause.METER})

_CITATION: Final = struct.Struct(f"<QQ16s16s16s{32 * limits.MAX_SHARES}s16s")
_LEG: Final = struct.Struct("<16s16s")  # grant; amount
_HEAD: Final = struct.Struct("<H6xQ")  # kind; what it cites, where it cites
_CONT_COUNT: Final = slice(4, 6)
_TRANSFER: Final = struct.Struct("<8x16s16s16s")  # debit; credit; amount
# cause, flags, index; debit; credit; amount; origin; card; grant
_EFFECT: Final = struct.Struct("<HHI16s16s16s16x16s16s")


class CitationError(LedgerError, ValueError):
    """The citations are not those of the block: the state would not be that of the ledger."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of what a record moved that a grant paid.

    Attributes:
        grant: The grant.
        amount: At least 1, in the unit's smallest step.
    """

    grant: GrantId
    amount: Amount


@dataclass(frozen=True, slots=True)
class Citation:
    """What a record of the log moved.

    Attributes:
        sequence_number: The record's.
        timestamp_ns: The record's. This and all that follow are zero if it moved nothing that can
            be given back.
        payer_account: Its debit account.
        payee_account: Its credit account.
        amount: In the unit's smallest step, with all parts.
        legs: The parts of it that grants paid, at most 4, in the order in which they pay; the
            payer paid the rest, perhaps nothing.
        card: The card or quote that priced it; zero for none.
    """

    sequence_number: SequenceNumber
    timestamp_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number
    payer_account: AccountId = AccountId(NO_ID)  # noqa: RUF009 - bytes
    payee_account: AccountId = AccountId(NO_ID)  # noqa: RUF009 - bytes
    amount: Amount = Amount(0)  # noqa: RUF009 - a number
    legs: tuple[Leg, ...] = ()
    card: CardId = CardId(NO_ID)  # noqa: RUF009 - bytes

    def encode(self) -> bytes:
        """Returns 208 bytes."""
        legs = b"".join(
            _LEG.pack(leg.grant, leg.amount.to_bytes(16, "little")) for leg in self.legs
        )
        return _CITATION.pack(
            self.sequence_number,
            self.timestamp_ns,
            self.payer_account,
            self.payee_account,
            self.amount.to_bytes(16, "little"),
            legs,
            self.card,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """Reads 208 bytes.

        Raises:
            CitationError: Another length.
        """
        if len(data) != limits.CITATION_BYTES:
            raise CitationError(f"a citation has {limits.CITATION_BYTES} bytes, not {len(data)}")
        sequence, timestamp, payer, payee, amount, packed, card = _CITATION.unpack(data)
        legs = tuple(
            Leg(GrantId(grant), Amount(int.from_bytes(part, "little")))
            for grant, part in _LEG.iter_unpack(packed)
            if any(grant)
        )
        return cls(
            SequenceNumber(sequence),
            TimestampNs(timestamp),
            AccountId(payer),
            AccountId(payee),
            Amount(int.from_bytes(amount, "little")),
            legs,
            CardId(card),
        )


class Citations:
    """What a block cites, each record found by its sequence number.

    Attributes:
        first_sequence: Of the block: nothing from there on can be cited in it.
    """

    def __init__(self, block: Block, data: bytes) -> None:
        """Reads citations back to back, ascending: exactly those of `cited_sequences`.

        Raises:
            CitationError: They are others.
        """
        size = limits.CITATION_BYTES
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        given = [Citation.decode(part) for part in parts]
        expected = cited_sequences(block)
        numbers = tuple(each.sequence_number for each in given)
        if numbers != expected:
            raise CitationError(f"records {numbers} are given, {expected} are cited")
        self.first_sequence = block.header.first_sequence
        self._by_number = {each.sequence_number: each for each in given}

    def get(self, sequence_number: SequenceNumber) -> Citation | None:
        """Returns what an earlier record moved; None if it was not looked up."""
        return self._by_number.get(sequence_number)


def cited_sequences(block: Block) -> tuple[SequenceNumber, ...]:
    """Returns the earlier records that have to be looked up for a block, ascending.

    They are the first 256 different ones that its corrections (`CITING_KINDS`) name, whatever else
    is right or wrong about these.
    """
    numbers: set[int] = set()
    for envelope in block.envelopes:
        records = envelope.records
        for at in range(0, len(records), limits.RECORD_BYTES):
            kind, cited = _HEAD.unpack_from(records, at)
            is_earlier = kind in CITING_KINDS and 0 < cited < block.header.first_sequence
            if is_earlier and len(numbers) < limits.MAX_CITED_RECORDS:
                numbers.add(cited)
    return tuple(SequenceNumber(number) for number in sorted(numbers))


def posting_of(
    sequence_number: SequenceNumber,
    timestamp_ns: TimestampNs,
    record: BytesLike,
    result: bytes,
    effects: Iterable[bytes],
) -> Citation:
    """Returns what a record moved that can be given back.

    Args:
        sequence_number: The record's.
        timestamp_ns: The record's.
        record: Its 128 bytes.
        result: Its 16 bytes.
        effects: The 128 bytes of each of its effects.
    """
    found: tuple[bytes, bytes] | None = None
    total, legs, priced_by = 0, [], NO_ID
    if _HEAD.unpack_from(record)[0] == Kind.TRANSFER:
        # What was exchanged is not given back: it would take both halves.
        is_exchange = any(record[_CONT_COUNT])
        if int.from_bytes(result[:2], "little") == Code.OK and not is_exchange:
            *accounts, moved = _TRANSFER.unpack_from(record)
            found, total = (accounts[0], accounts[1]), int.from_bytes(moved, "little")
    else:
        for effect in effects:
            cause, _, _, debit, credit, moved, card, grant = _EFFECT.unpack_from(effect)
            if cause not in PAYING_CAUSES:
                continue
            amount = Amount(int.from_bytes(moved, "little"))
            total += amount
            if grant == NO_ID or cause not in _GRANTED_CAUSES:
                found, priced_by = (debit, credit), card
            else:
                legs.append(Leg(GrantId(grant), amount))
    if found is None:
        return Citation(sequence_number)
    return Citation(
        sequence_number,
        timestamp_ns,
        AccountId(found[0]),
        AccountId(found[1]),
        Amount(total),
        tuple(legs),
        CardId(priced_by),
    )


class Postings:
    """What each record of a log moved, kept from its first block on."""

    def __init__(self) -> None:
        self._moved: dict[int, Citation] = {}

    def add(
        self, block: bytes, results: bytes, effects: bytes, effect_counts: Iterable[int]
    ) -> None:
        """Keeps what the next block moved.

        Args:
            block: Its bytes.
            results: 16 bytes for each record.
            effects: 128 bytes for each effect.
            effect_counts: Of each envelope.
        """
        parsed = Block.parse(block)
        first, timestamp_ns = parsed.header.first_sequence, parsed.header.timestamp_ns
        place = effects_before = 0
        for envelope, effect_count in zip(parsed.envelopes, effect_counts, strict=True):
            own = _effects_by_index(effects, effects_before, effect_count)
            for index in range(envelope.header.record_count):
                posting = posting_of(
                    SequenceNumber(first + place),
                    TimestampNs(timestamp_ns + place),
                    envelope.record(index),
                    results[limits.RESULT_BYTES * place :][: limits.RESULT_BYTES],
                    own.get(index, ()),
                )
                if posting.amount:
                    self._moved[posting.sequence_number] = posting
                place += 1
            effects_before += effect_count

    def __iter__(self) -> Iterator[Citation]:
        """Yields what was moved, in the order of the log."""
        return iter(self._moved.values())

    def of(self, block: bytes) -> bytes:
        """Returns the citations of a block that comes after all that were added."""
        return b"".join(
            self._moved.get(number, Citation(number)).encode()
            for number in cited_sequences(Block.parse(block))
        )


def _effects_by_index(effects: bytes, first: int, count: int) -> dict[int, list[bytes]]:
    """The effects of one envelope, by the index of the record that they belong to."""
    by_index: dict[int, list[bytes]] = {}
    for number in range(first, first + count):
        effect = effects[limits.EFFECT_BYTES * number :][: limits.EFFECT_BYTES]
        by_index.setdefault(_EFFECT.unpack_from(effect)[2], []).append(effect)
    return by_index
