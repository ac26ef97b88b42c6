"""The deterministic kernel: blocks in, results out.

`Kernel` holds a ledger's state and the right edge of its log tree. `docs/semantics.md` says what a
block does to it, `docs/format.md` how everything it gives out is laid out. It reads no clock and
draws no random number: the same blocks always give the same results, effects, leaves and digests.

Every method may be called from any thread; what takes long runs without the GIL. One thread
applies; others may read and admit meanwhile. A broken invariant surfaces as
`pyo3_runtime.PanicException`, a BaseException: the kernel is then gone, everything after it raises
`KernelBroken`, and the only right reaction is to end the process.

Errors:

    ValueError
      GenesisError      bytes that are no genesis
      BlockError        a block that does not fit here; the state is as it was
      CheckpointError   bytes that are no checkpoint of this ledger
    RuntimeError
      KernelBroken      the kernel panicked before
"""

from typing import final

from tallystick_core._admission import Admission

class GenesisError(ValueError):
    """Bytes that are no genesis (format.md section 3)."""

class BlockError(ValueError):
    """A block whose header, shape, sequence number or timestamp does not fit; nothing changed."""

class CheckpointError(ValueError):
    """Bytes that are torn, damaged, of another ledger, or no state."""

class KernelBroken(RuntimeError):  # noqa: N818  # a state, not a failure of its own
    """The kernel panicked before. End the process."""

@final
class Kernel:
    """The state of one ledger."""

    def __new__(cls, genesis: bytes) -> Kernel:
        """The state before the first block.

        Raises:
            GenesisError: The bytes are no genesis.
        """

    @staticmethod
    def restore(genesis: bytes, checkpoint: bytes) -> Kernel:
        """The kernel that `checkpoint` wrote; it behaves as that one in every respect.

        Raises:
            GenesisError: The bytes are no genesis.
            CheckpointError: Torn, damaged, of another ledger, or not a state. Never panics.
        """

    def checkpoint(self, applied_index: int = 0) -> bytes:
        """The whole kernel as bytes.

        The bytes end in a SHA-256 over all before it. `checkpoint_info` reads `applied_index`
        back.

        Args:
            applied_index: Index of the log entry that was applied last; kept for the caller.
        """

    def apply(self, block: bytes, threads: int = 1, citations: bytes | None = None) -> Applied:
        """Applies a block whose bytes `check_block` has accepted.

        The signatures of its vouchers are verified first, in one batch. What becomes of the block
        does not depend on `threads`.

        Args:
            block: The bytes.
            threads: How many verify vouchers.
            citations: 208 bytes for each of `cited_sequences(block)`: what these records moved
                (docs/format.md section 8). Citations that are missing, or not those of the block,
                are a panic.

        Raises:
            BlockError: Header, shape, sequence number or timestamp do not fit. Nothing changed.
        """

    def admit(self, messages: list[bytes], now_ns: int) -> Admission:
        """Screens messages of clients: all that is cheap to check, against the applied state."""

    def state_digest(self) -> bytes:
        """32 bytes: the digest over all state rows (format.md section 10). Reads all state."""

    def state_rows(self) -> bytes:
        """All state rows, in the order and layout that the digest is over."""

    def verify_invariants(self) -> list[str]:
        """What is wrong with the state (semantics.md section 4); empty when it is right.

        Reads all state.
        """

    def status(self) -> KernelStatus: ...
    @property
    def ledger_id(self) -> bytes: ...
    def accounts(self, ids: bytes) -> bytes:
        """Rows of accounts.

        Args:
            ids: 16 bytes each.

        Returns:
            136 bytes for each id: its row of table 6, all zero where there is no such account.

        Raises:
            ValueError: Not a whole number of ids.
        """

    def holds(self, ids: bytes) -> bytes:
        """As `accounts`: 112 bytes for each id, rows of table 7."""

    def channels(self, ids: bytes) -> bytes:
        """As `accounts`: 160 bytes for each id, rows of table 10."""

    def terms(self, holds: bytes) -> bytes:
        """As `accounts`: 200 bytes for each hold, rows of table 14; zero for flat ones."""

    def cards(self, ids: bytes) -> bytes:
        """As `accounts`: 392 bytes for each id, rows of table 11."""

    def card_list(
        self,
        after: bytes,
        limit: int,
        *,
        drafts_of: bytes | None = None,
        owner: bytes | None = None,
        model: bytes | None = None,
    ) -> bytes:
        """Rows of table 11, ascending by id.

        Args:
            after: Only cards behind this id, 16 bytes.
            limit: At most so many rows.
            drafts_of: Whose drafts are in it, too; None for everybody's.
            owner: Only cards of this principal.
            model: Only cards with lines for this NAME.
        """

    def card_lines(
        self, card: bytes, first: int, limit: int, *, model: bytes | None = None
    ) -> bytes:
        """Rows of table 12 of one card, in order; 184 bytes each. Of a draft: those that it has.

        Args:
            card: 16 bytes.
            first: Number of the first line.
            limit: At most so many rows.
            model: Only lines for this NAME.
        """

    def correction(self, sequence: int) -> bytes | None:
        """80 bytes: the row of table 15 of a corrected record."""

    def quote(self, quote_id: bytes) -> bytes | None:
        """Row of table 13; None if nobody has redeemed it, or it is forgotten."""

    def exchange(self, quote_id: bytes) -> bytes | None:
        """Row of table 32; None if nobody has taken such an exchange quote, or it is over."""

    def mandate(self, mandate_id: bytes) -> bytes | None:
        """Row of table 17; None if there is no such mandate, or it is forgotten."""

    def mandates(self, principal: bytes, after: bytes, limit: int) -> bytes:
        """Rows of table 17 of which a principal is the payer or the payee.

        Args:
            principal: 16 bytes.
            after: Only mandates with ids behind this one; zero for all.
            limit: How many rows at most; they ascend by id.
        """

    def disputes(self, principal: bytes, after: int, limit: int) -> bytes:
        """Rows of table 16 of which a principal is the payer or the payee.

        Args:
            principal: 16 bytes.
            after: Only of records behind this sequence number.
            limit: At most so many rows.

        Returns:
            128 bytes each, ascending by the disputed record.
        """

    def grant(self, grant_id: bytes) -> bytes | None:
        """200 bytes: the grant's row of table 18."""

    def shares(self, hold: bytes) -> bytes | None:
        """232 bytes: the hold's row of table 19; None if no grant pays of it."""

    def grants(self, principal: bytes, after: bytes, limit: int) -> bytes:
        """Rows of table 18 of which a principal is the sponsor or the grantee.

        Args:
            principal: 16 bytes.
            after: 16 bytes: only grants behind this id.
            limit: At most so many rows.

        Returns:
            336 bytes each, ascending by id: the grant's row and that of its account.
        """

    def limits(self, principal: bytes) -> bytes:
        """Rows of table 20 that bound the spending of a principal: 120 bytes each, ascending."""

    def zone(self, id: bytes) -> bytes | None:  # noqa: A002
        """848 bytes: the zone's row of table 23."""

    def recovery(self, principal: bytes) -> bytes | None:
        """96 bytes: the row of table 31 of a principal; None if nothing is pending for it."""

    def line(self, public_key: bytes) -> bytes | None:
        """96 bytes: the key's row of table 21; None if it is a line by itself with none above."""

    def netting(
        self, unit: bytes, principal: bytes | None, account: bytes | None
    ) -> list[bytes] | None:
        """What may be seen of a deferred unit; None where there is no such unit.

        Args:
            unit: 16 bytes.
            principal: Who asks, 16 bytes; None for one who may see everything.
            account: Whose pairs are asked for; None for nobody's.

        Returns:
            Seven parts, of one moment: the row of table 26 (48 bytes); rows of table 28 (80 each),
            of table 27 (56 each); net positions of the closed, then of the open window (48 each:
            account, u128 it owes, u128 due to it); rows of table 29 (72 each); u128 gross and moved
            of the closed, then of the open window. All but the first are empty for strangers.
        """

    def claim(self, claim_id: bytes) -> bytes | None:
        """Row of table 30 for an id; None where there is none."""

    def claims(self, principal: bytes, after: bytes, limit: int) -> bytes:
        """Rows of table 30 of which a principal is the payer or the payee.

        Args:
            principal: 16 bytes.
            after: Only claims with ids behind this one; zero for all.
            limit: How many rows at most; they ascend by id.
        """

    def key(self, public_key: bytes) -> bytes | None:
        """80 bytes: the key's row of table 3.

        Raises:
            ValueError: Not 32 bytes.
        """

    def principal(self, id: bytes) -> bytes | None:  # noqa: A002
        """32 bytes: the principal's row of table 2."""

    def unit(self, id: bytes) -> bytes | None:  # noqa: A002
        """56 bytes: the unit's row of table 5."""

    def name(self, id: bytes) -> bytes | None:  # noqa: A002
        """72 bytes: the name's row of table 4."""

    def units(self) -> bytes:
        """All rows of table 5, 56 bytes each, ascending by id."""

    def live_id(self, principal: bytes, envelope_id: bytes) -> bytes | None:
        """88 bytes: the row of table 8."""

@final
class Applied:
    """What a block did. Each property makes a new `bytes` at each access: take it once."""

    @property
    def first_sequence(self) -> int: ...
    @property
    def timestamp_ns(self) -> int: ...
    @property
    def record_count(self) -> int: ...
    @property
    def envelope_count(self) -> int: ...
    @property
    def vouchers_verified(self) -> int:
        """Signatures of VOUCHER records that were verified together, before the block was applied.

        Not those of channels that the block itself opened: they are verified one by one.
        """

    @property
    def plain(self) -> bool:
        """Whether all results are plain successes and nothing had an effect."""

    @property
    def results(self) -> bytes:
        """16 bytes for each record, in order."""

    @property
    def sparse_results(self) -> bytes:
        """20 bytes for each record that is no plain success.

        u32 index of the record in the block, 16 bytes result.
        """

    @property
    def effects(self) -> bytes:
        """128 bytes each, in order."""

    @property
    def names(self) -> bytes:
        """The names that the block registered, one after the other.

        0 id (16); 16 owner (16); 32 u16 kind; 34 u16 bytes of the text; 36 the text. The state has
        no texts: whoever wants them keeps these.
        """

    @property
    def effect_counts(self) -> bytes:
        """u32 for each envelope: how many of the effects are its own."""

    @property
    def envelopes(self) -> bytes:
        """48 bytes for each envelope.

        0 u64 sequence number of its first record; 8 u32 record count; 12 u16 code (0 executed,
        64 DUPLICATE, 65 ID_CONFLICT, 66 EXPIRED, 67 UNKNOWN_KEY); 14 u16 zero; 16 u64 first
        sequence number of the envelope that consumed the id before (64 and 65, else 0);
        24 u64 offset in the block; 32 principal of the signing key (16, zero for 67).
        """

    @property
    def outcomes(self) -> bytes:
        """32 bytes for each envelope, as `SubmitResponse.outcomes` of the public interface.

        0 u16 code as in `envelopes`; 2 u16 zero; 4 u32 record count; 8 u64 sequence number and
        16 u64 timestamp of its first record in this block; 24 u64 zero.
        """

    @property
    def ids(self) -> bytes:
        """40 bytes for each envelope id that was consumed, ascending.

        0 envelope id as a big-endian u128; 16 principal (16); 32 first sequence number as a
        big-endian u64.
        """

    @property
    def leaf_hashes(self) -> bytes:
        """32 bytes for each envelope: its leaf of the log tree."""

@final
class KernelStatus:
    """How far the ledger has come, and how much it remembers."""

    @property
    def next_sequence(self) -> int: ...
    @property
    def min_next_timestamp_ns(self) -> int: ...
    @property
    def tree_size(self) -> int:
        """Envelopes in the log."""

    @property
    def tree_root(self) -> bytes: ...
    @property
    def principals(self) -> int: ...
    @property
    def keys(self) -> int: ...
    @property
    def names(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def accounts(self) -> int: ...
    @property
    def holds(self) -> int:
        """Open ones, and ended ones that are still remembered."""

    @property
    def open_holds(self) -> int: ...
    @property
    def channels(self) -> int:
        """Open and closing ones, and closed ones that are still remembered."""

    @property
    def live_ids(self) -> int: ...
    @property
    def references(self) -> int: ...
    @property
    def next_expiry_ns(self) -> int:
        """When a hold, channel, grant or recovery is due next; 0 for never."""

@final
class CheckpointInfo:
    """What a checkpoint says of itself."""

    @property
    def ledger_id(self) -> bytes: ...
    @property
    def applied_index(self) -> int: ...
    @property
    def tree_size(self) -> int: ...
    @property
    def next_sequence(self) -> int: ...
    @property
    def min_next_timestamp_ns(self) -> int: ...

def checkpoint_info(checkpoint: bytes) -> CheckpointInfo:
    """Reads a checkpoint's fields and checks its hash, without building its state.

    Raises:
        CheckpointError: Torn, damaged or no checkpoint.
    """

def cited_sequences(block: bytes) -> bytes:
    """Which earlier records have to be looked up before a block is applied.

    Returns:
        u64 sequence numbers, ascending: the first 256 different ones before the block that its
        REFUND, DISPUTE and REPRICE records name. Empty for bytes that are no block.
    """
