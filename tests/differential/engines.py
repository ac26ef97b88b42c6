"""The specification and the kernel behind one interface, so that a test can run on both.

A named test takes the fixture `engine` of `conftest.py`; the campaign runs the two side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Final, Protocol, Self

from tallystick_core import Applied, Kernel

from tallystick_ledger.citations import Postings
from tallystick_ledger.errors import MalformedError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import (
    AccountId,
    ChannelId,
    GrantId,
    HoldId,
    MandateId,
    PublicKey,
    QuoteId,
    SequenceNumber,
)
from tallystick_ledger.spec import State, apply_block, digest
from tallystick_ledger.spec.digest import rows as all_rows
from tallystick_ledger.state_rows import (
    AccountRow,
    ChannelRow,
    ClaimRow,
    CorrectionRow,
    DisputeRow,
    ExchangeRow,
    GrantRow,
    HoldRow,
    KeyRow,
    LimitRow,
    MandateRow,
    QuoteRow,
    SharesRow,
    Table,
    split_rows,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that applying a block says.

    Attributes:
        results: 16 bytes a record.
        effects: 128 bytes an effect.
        effect_counts: For each envelope.
        leaf_hashes: For each envelope.
        envelope_codes: For each envelope: 0 if it was executed.
        originals: For each envelope: first sequence number of the one that had consumed the id.
    """

    results: bytes
    effects: bytes
    effect_counts: tuple[int, ...]
    leaf_hashes: tuple[bytes, ...]
    envelope_codes: tuple[int, ...]
    originals: tuple[int, ...]


class Engine(Protocol):
    """One implementation of the rules, with the state of one ledger."""

    def apply(self, block: bytes) -> Outcome:
        """Applies a block; raises ValueError if it does not continue the ledger."""

    def digest(self) -> bytes:
        """The state digest."""

    def tree_root(self) -> bytes:
        """The root of the log tree."""

    def position(self) -> tuple[int, int, int]:
        """Next sequence number, smallest next timestamp, leaves of the log tree."""

    def account(self, account_id: bytes) -> AccountRow | None:
        """A row of table 6."""

    def hold(self, hold_id: bytes) -> HoldRow | None:
        """A row of table 7."""

    def channel(self, channel_id: bytes) -> ChannelRow | None:
        """A row of table 10."""

    def correction(self, cited: int) -> CorrectionRow | None:
        """A row of table 15."""

    def disputes(self, principal: bytes) -> list[DisputeRow]:
        """Rows of table 16 of which this is the payer or the payee."""

    def limits(self, principal: bytes) -> list[LimitRow]:
        """Rows of table 20 that bound the spending of a principal."""

    def mandate(self, mandate_id: bytes) -> MandateRow | None:
        """A row of table 17."""

    def quote(self, quote_id: bytes) -> QuoteRow | None:
        """A row of table 13."""

    def claims(self, principal: bytes) -> list[ClaimRow]:
        """Rows of table 30 of which this is the payer or the payee, ascending by id."""

    def grant(self, grant_id: bytes) -> GrantRow | None:
        """A row of table 18."""

    def shares(self, hold_id: bytes) -> SharesRow | None:
        """A row of table 19."""

    def grants(self, principal: bytes) -> list[GrantRow]:
        """Rows of table 18 of which this is the sponsor or the grantee."""

    def exchange(self, quote_id: bytes) -> ExchangeRow | None:
        """A row of table 32."""

    def key(self, public_key: bytes) -> KeyRow | None:
        """A row of table 3."""

    def rows(self, table: Table) -> list[bytes]:
        """The rows of a table, ascending by key."""

    def is_live(self, principal: bytes, envelope_id: bytes) -> bool:
        """Whether table 8 has this id."""


class SpecEngine:
    """The specification in Python."""

    def __init__(self, genesis: bytes) -> None:
        self.state = State.from_genesis(Genesis.decode(genesis))
        self.postings = Postings()

    def apply(self, block: bytes) -> Outcome:
        applied = apply_block(self.state, block, _citations(self.postings, block))
        self.postings.add(block, applied.results, applied.effects, applied.effect_counts)
        outcomes = [envelope.outcome for envelope in applied.envelopes]
        return Outcome(
            results=applied.results,
            effects=applied.effects,
            effect_counts=applied.effect_counts,
            leaf_hashes=applied.leaf_hashes,
            envelope_codes=tuple(int(outcome.code) for outcome in outcomes),
            originals=tuple(outcome.original_first_sequence for outcome in outcomes),
        )

    def digest(self) -> bytes:
        return digest(self.state)

    def tree_root(self) -> bytes:
        return self.state.log.root()

    def position(self) -> tuple[int, int, int]:
        state = self.state
        return state.next_sequence_number, state.min_timestamp_ns, state.log.size

    def account(self, account_id: bytes) -> AccountRow | None:
        return self.state.accounts.get(AccountId(account_id))

    def hold(self, hold_id: bytes) -> HoldRow | None:
        return self.state.holds.get(HoldId(hold_id))

    def channel(self, channel_id: bytes) -> ChannelRow | None:
        return self.state.channels.get(ChannelId(channel_id))

    def correction(self, cited: int) -> CorrectionRow | None:
        return self.state.corrections.get(SequenceNumber(cited))

    def disputes(self, principal: bytes) -> list[DisputeRow]:
        def is_party(row: DisputeRow) -> bool:
            accounts = (row.payer_account, row.payee_account)
            return principal in [self.state.accounts[account].owner for account in accounts]

        return sorted(filter(is_party, self.state.disputes), key=lambda row: row.cited)

    def limits(self, principal: bytes) -> list[LimitRow]:
        rows = self.state.limits.members(principal)
        return sorted(rows, key=lambda row: row.limit_key)

    def mandate(self, mandate_id: bytes) -> MandateRow | None:
        return self.state.mandates.get(MandateId(mandate_id))

    def quote(self, quote_id: bytes) -> QuoteRow | None:
        return self.state.quotes.get(QuoteId(quote_id))

    def claims(self, principal: bytes) -> list[ClaimRow]:
        def is_party(row: ClaimRow) -> bool:
            accounts = (row.payer_account, row.payee_account)
            return principal in [self.state.accounts[account].owner for account in accounts]

        return sorted(filter(is_party, self.state.claims), key=lambda row: row.claim)

    def grant(self, grant_id: bytes) -> GrantRow | None:
        return self.state.grants.get(GrantId(grant_id))

    def shares(self, hold_id: bytes) -> SharesRow | None:
        return self.state.shares.get(HoldId(hold_id))

    def grants(self, principal: bytes) -> list[GrantRow]:
        def is_party(row: GrantRow) -> bool:
            return principal in (row.grantee, self.state.accounts[row.pool_account].owner)

        return sorted(filter(is_party, self.state.grants), key=lambda row: row.grant)

    def exchange(self, quote_id: bytes) -> ExchangeRow | None:
        return self.state.exchanges.get(QuoteId(quote_id))

    def key(self, public_key: bytes) -> KeyRow | None:
        return self.state.keys.get(PublicKey(public_key))

    def rows(self, table: Table) -> list[bytes]:
        own = [row for row in all_rows(self.state) if row.TABLE is table]
        return [row.encode() for row in sorted(own, key=lambda row: row.key_bytes())]

    def is_live(self, principal: bytes, envelope_id: bytes) -> bool:
        return self.state.live_ids.find((principal, envelope_id)) is not None


class KernelEngine:
    """The kernel in Rust."""

    def __init__(
        self, genesis: bytes, kernel: Kernel | None = None, postings: Postings | None = None
    ) -> None:
        self._genesis = genesis
        self.postings = Postings() if postings is None else postings
        self.kernel = Kernel(genesis) if kernel is None else kernel
        self._threads = cycle((1, 2, 3))  # it must not matter how many verify vouchers

    def apply(self, block: bytes) -> Outcome:
        cited = _citations(self.postings, block)
        applied = self.kernel.apply(block, next(self._threads), cited)
        rows = [applied.envelopes[at : at + 48] for at in range(0, len(applied.envelopes), 48)]
        counts, hashes = applied.effect_counts, applied.leaf_hashes
        _require_consistent(applied)
        effect_counts = tuple(_u(counts[at : at + 4]) for at in range(0, len(counts), 4))
        self.postings.add(block, applied.results, applied.effects, effect_counts)
        return Outcome(
            results=applied.results,
            effects=applied.effects,
            effect_counts=effect_counts,
            leaf_hashes=tuple(hashes[at : at + 32] for at in range(0, len(hashes), 32)),
            envelope_codes=tuple(_u(row[12:14]) for row in rows),
            originals=tuple(_u(row[16:24]) for row in rows),
        )

    def digest(self) -> bytes:
        return self.kernel.state_digest()

    def tree_root(self) -> bytes:
        return self.kernel.status().tree_root

    def position(self) -> tuple[int, int, int]:
        status = self.kernel.status()
        return status.next_sequence, status.min_next_timestamp_ns, status.tree_size

    def account(self, account_id: bytes) -> AccountRow | None:
        row = self.kernel.accounts(account_id)
        return AccountRow.decode(row) if any(row) else None

    def hold(self, hold_id: bytes) -> HoldRow | None:
        row = self.kernel.holds(hold_id)
        return HoldRow.decode(row) if any(row) else None

    def channel(self, channel_id: bytes) -> ChannelRow | None:
        row = self.kernel.channels(channel_id)
        return ChannelRow.decode(row) if any(row) else None

    def correction(self, cited: int) -> CorrectionRow | None:
        row = self.kernel.correction(cited)
        return None if row is None else CorrectionRow.decode(row)

    def disputes(self, principal: bytes) -> list[DisputeRow]:
        rows = self.kernel.disputes(principal, 0, 1000)
        return [DisputeRow.decode(rows[at : at + 128]) for at in range(0, len(rows), 128)]

    def limits(self, principal: bytes) -> list[LimitRow]:
        rows = self.kernel.limits(principal)
        return [LimitRow.decode(rows[at : at + 120]) for at in range(0, len(rows), 120)]

    def mandate(self, mandate_id: bytes) -> MandateRow | None:
        row = self.kernel.mandate(mandate_id)
        return None if row is None else MandateRow.decode(row)

    def quote(self, quote_id: bytes) -> QuoteRow | None:
        row = self.kernel.quote(quote_id)
        return None if row is None else QuoteRow.decode(row)

    def claims(self, principal: bytes) -> list[ClaimRow]:
        rows = self.kernel.claims(principal, bytes(16), 1000)
        return [ClaimRow.decode(rows[at : at + 120]) for at in range(0, len(rows), 120)]

    def grant(self, grant_id: bytes) -> GrantRow | None:
        row = self.kernel.grant(grant_id)
        return None if row is None else GrantRow.decode(row)

    def shares(self, hold_id: bytes) -> SharesRow | None:
        row = self.kernel.shares(hold_id)
        return None if row is None else SharesRow.decode(row)

    def grants(self, principal: bytes) -> list[GrantRow]:
        rows = self.kernel.grants(principal, bytes(16), 1000)
        return [GrantRow.decode(rows[at : at + 200]) for at in range(0, len(rows), 336)]

    def exchange(self, quote_id: bytes) -> ExchangeRow | None:
        row = self.kernel.exchange(quote_id)
        return None if row is None else ExchangeRow.decode(row)

    def key(self, public_key: bytes) -> KeyRow | None:
        row = self.kernel.key(public_key)
        return None if row is None else KeyRow.decode(row)

    def rows(self, table: Table) -> list[bytes]:
        return [row for number, row in split_rows(self.kernel.state_rows()) if number == table]

    def is_live(self, principal: bytes, envelope_id: bytes) -> bool:
        return self.kernel.live_id(principal, envelope_id) is not None

    def restarted(self) -> Self:
        """The same ledger, out of a checkpoint."""
        kernel = Kernel.restore(self._genesis, self.kernel.checkpoint())
        return type(self)(self._genesis, kernel, self.postings)


def _citations(postings: Postings, block: bytes) -> bytes:
    """Nothing for bytes that are no block: the engine has to say so."""
    try:
        return postings.of(block)
    except MalformedError:
        return b""


def _require_consistent(applied: Applied) -> None:
    """The kernel says some things twice, for speed: they must not contradict each other."""
    sparse = applied.sparse_results
    spread = bytearray(16 * applied.record_count)
    for at in range(0, len(sparse), 20):
        index = _u(sparse[at : at + 4])
        spread[16 * index : 16 * index + 16] = sparse[at + 4 : at + 20]
    if bytes(spread) != applied.results:
        raise AssertionError("sparse_results are not the results")
    if applied.plain != (not any(applied.results) and not applied.effects):
        raise AssertionError("plain is wrong")
    broken = applied.record_count * 16 != len(applied.results)
    if broken or len(applied.leaf_hashes) != 32 * applied.envelope_count:
        raise AssertionError("lengths do not fit the counts")


def _u(data: bytes) -> int:
    return int.from_bytes(data, "little")


ENGINES: Final[dict[str, Callable[[bytes], Engine]]] = {"spec": SpecEngine, "kernel": KernelEngine}
