"""Which of the envelopes that clients sent may be ordered.

`Kernel.admit` makes an `Admission`: it keeps the messages as they came, without a copy, and gives
each envelope a code. That step is cheap and looks at the state. `Admission.verify` is the costly
one, needs no state and may run on any thread: meanwhile no other method may be called on the
object (`RuntimeError: Already borrowed` tells of a mistake).

A message is envelopes back to back, at most 1 MiB. One bad envelope does not harm its neighbours
unless its boundary is lost: then the envelopes before it stand, and the rest of the message counts
as one more envelope with code MALFORMED and no records. A message that is too large or empty is
one such envelope with TOO_LARGE or MALFORMED.

Codes after `admit`, first match wins: MALFORMED (header), WRONG_LEDGER, UNKNOWN_SIGNER, DUPLICATE
or ID_CONFLICT (whatever the time), BAD_ID_TIME, ID_IN_FUTURE, TOO_LATE, MALFORMED (grid),
OVERLOADED (the principal has all the live ids it may). `verify` adds BAD_SIGNATURE, BAD_ROOT,
MALFORMED (hash over CONTs), BAD_KEY and BAD_POSSESSION. Two envelopes with one id in one call are
both let through: the second gets its DUPLICATE when it is applied.
"""

from typing import final

@final
class Admission:
    """Messages with a code for each of their envelopes. `m` is the index of a message.

    Every method that takes `m` raises IndexError if there is no such message.
    """

    def __len__(self) -> int:
        """Returns the number of messages."""

    def verify(self, seed: bytes, threads: int = 1) -> int:
        """Verifies the envelopes that are still OK and sets the codes of those that fail.

        Header signatures of all messages first, in common batches; then roots and CONT hashes of
        those that hold; then keys to register and their proofs of possession, batched again. A
        batch that fails is searched, so that each bad envelope is found and no good one suffers.

        Args:
            seed: 32 secret random bytes, new for each call.
            threads: At most so many threads; 1 is the caller's own.

        Returns:
            How many signatures were checked, headers and proofs of possession.

        Raises:
            ValueError: `seed` has not 32 bytes.
        """

    @property
    def signatures(self) -> int:
        """Signatures checked so far."""

    def envelope_counts(self) -> list[int]:
        """Returns the number of envelopes of each message, a lost rest counted as one."""

    def codes(self, m: int) -> bytes:
        """Returns the code of each envelope, u16 little-endian each."""

    def detail(self, m: int, envelope: int) -> str:
        """Returns what is wrong with an envelope, for a person; empty while its code is 0.

        Raises:
            IndexError: No such envelope.
        """

    def record_counts(self, m: int) -> bytes:
        """Returns the records of each envelope, u32 little-endian each; 0 for a lost rest."""

    def original(self, m: int) -> bytes:
        """Returns for each envelope, u64 little-endian each, who consumed its id.

        The first sequence number of that envelope, for DUPLICATE and ID_CONFLICT; else 0.
        """

    def ok_count(self, m: int) -> int:
        """Returns the envelopes that are OK so far."""

    def ok_records(self, m: int) -> int:
        """Returns the records of those."""

    def records(self, m: int) -> int:
        """Returns the records of all envelopes."""

    def min_valid_until_ns(self, m: int) -> int:
        """Returns the smallest `valid_until` of those that are OK, in ns; 0 if none is."""

    def max_valid_until_ns(self, m: int) -> int:
        """Largest `valid_until` of the OK envelopes of message `m`, 0 when there is none."""

    def envelope(self, m: int, envelope: int) -> bytes:
        """The bytes of one envelope of message `m`, whatever its code."""

    def body(self, m: int) -> bytes:
        """Returns the envelopes that are OK, back to back.

        The very message object if all are, so nothing is copied then.
        """
