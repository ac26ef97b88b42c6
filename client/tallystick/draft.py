"""Puts records together and seals them. Ids of what they create are known before anything is sent.

draft = client.draft()
shop = draft.add_creating(Account(AccountOperation.OPEN, unit=unit))
draft.add(Transfer(mine, AccountId(shop), 1_000))
receipt = await client.submit(draft.seal(atomic=True))
"""

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from tallystick.envelopes import Stored
from tallystick.errors import InvalidArgument
from tallystick.keyfile import Signer
from tallystick.retry import Surroundings
from tallystick_ledger import limits
from tallystick_ledger.envelope import seal
from tallystick_ledger.errors import FieldError, LedgerError, RecordError
from tallystick_ledger.ids import (
    EnvelopeId,
    LedgerId,
    TimestampNs,
    id_time_ns,
    new_envelope_id,
    object_id,
)
from tallystick_ledger.records import Record

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Draft:
    """An envelope that is being written.

    Attributes:
        ledger_id: The ledger that it is for.
        signer: Who will sign.
        envelope_id: Its id, made when the draft was.
        valid_until_ns: From then on (in log time) it can no longer be ordered.
    """

    __slots__ = (
        "_parts",
        "_random_bytes",
        "_record_count",
        "envelope_id",
        "ledger_id",
        "signer",
        "valid_until_ns",
    )

    def __init__(
        self, ledger_id: LedgerId, signer: Signer, valid_for_s: float, surroundings: Surroundings
    ) -> None:
        """Starts an envelope.

        Args:
            ledger_id: The ledger that it is for.
            signer: Who will sign.
            valid_for_s: For how long from now it may be ordered.
            surroundings: Clock and randomness.
        """
        self.ledger_id = ledger_id
        self.signer = signer
        self._random_bytes = surroundings.random_bytes
        self.envelope_id: EnvelopeId = new_envelope_id(
            surroundings.now_ns() // _NS_PER_MS, self._random_bytes(limits.ID_RANDOM_BYTES)
        )
        self.valid_until_ns = TimestampNs(
            id_time_ns(self.envelope_id) + int(valid_for_s * _NS_PER_S)
        )
        self._parts: list[bytes] = []
        self._record_count = 0

    @property
    def record_count(self) -> int:
        """Records so far, CONTs included."""
        return self._record_count

    def add(self, record: Record) -> int:
        """Appends a record; returns its index in the envelope.

        Raises:
            InvalidArgument: There is no room for it.
        """
        return self.add_encoded(record.encode(self.nonces(record.nonce_bytes)))

    def add_creating(self, record: Record) -> bytes:
        """Appends a record; returns the 16-byte id of what it creates.

        Raises:
            InvalidArgument: There is no room for it.
        """
        return self.id_at(self.add(record))

    def add_encoded(self, records: bytes) -> int:
        """Appends encoded records of 128 bytes each; returns the first one's index.

        Raises:
            InvalidArgument: There is no room for them.
        """
        index = self._record_count
        count = index + len(records) // limits.RECORD_BYTES
        if count > limits.MAX_RECORDS:
            raise InvalidArgument(
                f"An envelope holds {limits.MAX_RECORDS} records.", advice="Start another one."
            )
        self._parts.append(records)
        self._record_count = count
        return index

    def id_at(self, index: int) -> bytes:
        """Returns the 16-byte id of what the record at `index` creates."""
        return object_id(self.ledger_id, self.signer.principal, self.envelope_id, index)

    def next_id(self) -> bytes:
        """Returns the id of what the next record will create."""
        return self.id_at(self._record_count)

    def nonces(self, length: int) -> bytes:
        """Returns `length` random bytes."""
        return self._random_bytes(length) if length else b""

    def seal(self, *, atomic: bool = False) -> Stored:
        """Signs the envelope; from now on its bytes are what is sent, however often.

        Args:
            atomic: Whether all records take effect or none.

        Raises:
            InvalidArgument: There is no record.
        """
        try:
            envelope = seal(
                self.signer.key,
                self.ledger_id,
                self.envelope_id,
                self.valid_until_ns,
                self._parts[0] if len(self._parts) == 1 else b"".join(self._parts),
                atomic=atomic,
            )
        except FieldError as error:
            raise InvalidArgument(f"{error}.") from error
        return Stored(
            envelope,
            self.envelope_id,
            self.signer.principal,
            self.valid_until_ns,
            self._record_count,
        )


def build(make: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Returns `make(*args, **kwargs)`, a record.

    Raises:
        InvalidArgument: No record can say this; nothing was sent. `code` is the ledger's, where
            the ledger would have one.
    """
    try:
        return make(*args, **kwargs)
    except LedgerError as error:
        if not isinstance(error, RecordError):
            raise InvalidArgument(f"{error}.") from error
        problem = InvalidArgument(f"{error.detail}.", advice=error.code.advice)
        problem.code = error.code.name
        raise problem from error


def require_amount(amount: int) -> int:
    """Returns the amount.

    Raises:
        TypeError: It is no int. Floats lose digits; a bool is a slip.
    """
    if type(amount) is not int:
        raise TypeError(
            f"an amount is an int in the unit's smallest step, not {type(amount).__name__}"
        )
    return amount
