"""What an account's history consists of: records with their results and effects, and pages of them.

A record is in the history of every account that it changed; a refused one in that of the accounts
it names that its signer owns; an expired hold in that of payer and payee, at the record before
which it expired.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tallystick.errors import InvalidArgument, ProtocolError
from tallystick_ledger import cont
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import AccountId, EnvelopeId, PublicKey, SequenceNumber, TimestampNs
from tallystick_ledger.limits import EFFECT_BYTES, ID_BYTES, RECORD_BYTES
from tallystick_ledger.records import Kind, Raw, Record, decode, decode_head, head_fields
from tallystick_ledger.results import Effect, decode_effects
from tallystick_proto.v1 import ledger_pb2

# ListRecordsResponse.records: numbers, flags, effects; envelope id, signer, code, detail, record.
_ROW: Final = struct.Struct("<QQQHHI16s32sHHI8x128s")
_KINDS: Final = frozenset(Kind)
_HOLD_EXPIRED: Final = 1
_ONLY_EXPIRED: Final = 2
_CONT_HASH: Final = slice(80, 112)  # of a head that has CONTs


class Outcome(IntEnum):
    """Which records are wanted."""

    ANY = 0
    EXECUTED = 1  # and expired holds
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which part of an account's history is wanted; all that is given has to hold.

    Attributes:
        kinds: Of these kinds; none for any, expired holds included.
        outcome: Executed or refused ones.
        code: Refused with this code; None for any.
        counterparty: In this account's history, too. Refused ones are in that of their signer only.
        since_ns: Not older than that, nanoseconds since 1970.
        until_ns: Older than that; 0 for no end.
    """

    kinds: tuple[Kind, ...] = ()
    outcome: Outcome = Outcome.ANY
    code: Code | None = None
    counterparty: AccountId | None = None
    since_ns: int = 0
    until_ns: int = 0

    def message(self) -> ledger_pb2.HistoryFilter:
        """Returns the request's part.

        Raises:
            InvalidArgument: No record can be like that.
        """
        if self.counterparty is not None and len(self.counterparty) != ID_BYTES:
            raise InvalidArgument("A counterparty's id has 16 bytes.")
        if self.code is not None and (self.code == Code.OK or self.outcome is Outcome.EXECUTED):
            raise InvalidArgument("An executed record has no code.", advice="Ask for the outcome.")
        if not (0 <= self.since_ns < 2**64 and 0 <= self.until_ns < 2**64):
            raise InvalidArgument("Times are nanoseconds since 1970.")
        return ledger_pb2.HistoryFilter(
            kinds=self.kinds,
            outcome="OUTCOME_UNSPECIFIED" if self.outcome is Outcome.ANY else self.outcome.name,
            code=0 if self.code is None else self.code,
            counterparty=self.counterparty or b"",
            since_ns=self.since_ns,
            until_ns=self.until_ns,
        )


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One entry of an account's history.

    Attributes:
        sequence: The record's sequence number in the ledger.
        timestamp_ns: The record's timestamp, nanoseconds since 1970.
        hold_expired: Whether a hold of the account expired just before it; see `effects`.
        envelope_id: 16 bytes. None, as all that follow but the effects, if that is all: then the
            record itself is none of the account's.
        envelope_sequence: Sequence number of its envelope's first record.
        signer: Whose key signed it.
        code: OK, or why it was refused.
        detail: Zero but where docs/semantics.md says otherwise.
        data: The record's 128 bytes; empty for None.
        effects: What the rules computed for this account: captures, releases, expiries.
        conts: The CONTs behind the record, 128 bytes each; empty where they were not asked for.
    """

    sequence: SequenceNumber
    timestamp_ns: TimestampNs
    hold_expired: bool
    envelope_id: EnvelopeId | None
    envelope_sequence: SequenceNumber | None
    signer: PublicKey | None
    code: Code
    detail: int
    data: bytes
    effects: tuple[Effect, ...]
    conts: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the record did what it says."""
        return self.code == Code.OK

    @property
    def kind(self) -> int | None:
        """The record's kind: a `Kind`, or the number of one that is unknown here."""
        if not self.data:
            return None
        number = int.from_bytes(self.data[:2], "little")
        return Kind(number) if number in _KINDS else number

    @property
    def record(self) -> Record | Raw | None:
        """The record itself, decoded anew at each call.

        Where its CONTs are not at hand it is what its head says, see `decode_head`.

        Raises:
            LedgerError: It is of a kind that is unknown here, or was refused by its shape.
        """
        if not self.data:
            return None
        return decode(self.data + self.conts) if self.conts else decode_head(self.data)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of an account's history.

    Attributes:
        records: In the order asked for; possibly none although more follow.
        page_token: To ask for the next page with; empty on the last one.
        next_sequence: The history is that before this sequence number.
    """

    records: tuple[HistoryRecord, ...]
    page_token: bytes
    next_sequence: SequenceNumber


def decode_page(answer: ledger_pb2.ListRecordsResponse, *, with_conts: bool) -> RecordPage:
    """Reads an answer.

    Raises:
        ProtocolError: It is none.
    """
    records = decode_records(answer, with_conts=with_conts)
    return RecordPage(records, answer.page_token, SequenceNumber(answer.next_sequence))


def decode_records(
    answer: ledger_pb2.ListRecordsResponse | ledger_pb2.WatchResponse, *, with_conts: bool
) -> tuple[HistoryRecord, ...]:
    """Reads the rows of an answer, 224 bytes each, with their effects and CONTs.

    Raises:
        ProtocolError: They are none, or do not fit one another.
    """
    try:
        return tuple(_records(answer.records, answer.effects, answer.conts, with_conts))
    except (LedgerError, ValueError, struct.error) as error:
        raise ProtocolError(f"A node's answer about a history is unusable: {error}.") from error


def _records(
    rows: bytes, effects: bytes, conts: bytes, with_conts: bool
) -> Iterator[HistoryRecord]:
    start = cont_start = 0
    for row in _ROW.iter_unpack(rows):
        (
            sequence,
            timestamp_ns,
            first,
            flags,
            _,
            count,
            envelope_id,
            signer,
            code,
            _,
            detail,
            data,
        ) = row
        end = start + count * EFFECT_BYTES
        if end > len(effects):
            raise ValueError("effects are missing")
        own, start = decode_effects(effects[start:end]), end
        is_hidden = bool(flags & _ONLY_EXPIRED)
        own_conts = b""
        if with_conts and not is_hidden:
            own_conts = _conts_of(data, conts, cont_start)
            cont_start += len(own_conts)
        yield HistoryRecord(
            SequenceNumber(sequence),
            TimestampNs(timestamp_ns),
            bool(flags & _HOLD_EXPIRED),
            None if is_hidden else EnvelopeId(envelope_id),
            None if is_hidden else SequenceNumber(first),
            None if is_hidden else PublicKey(signer),
            Code(code),
            detail,
            b"" if is_hidden else data,
            tuple(own),
            own_conts,
        )
    if start != len(effects):
        raise ValueError("there are more effects than the records have")
    if cont_start != len(conts):
        raise ValueError("there are more CONTs than the records have")


def _conts_of(head: bytes, conts: bytes, start: int) -> bytes:
    """The CONTs of a head, which stand from `start` on; they have to be those that it commits to.

    Raises:
        ValueError: They are not.
    """
    _, _, count = head_fields(head)
    if count == 0:
        return b""
    own = conts[start : start + count * RECORD_BYTES]
    if len(own) != count * RECORD_BYTES or cont.cont_hash(own) != head[_CONT_HASH]:
        raise ValueError("CONTs are missing or not those of their record")
    return own
