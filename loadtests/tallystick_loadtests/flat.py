"""Whether the state stays as small as its rules say while the log grows: ten million records.

    python -m tallystick_loadtests.flat --records 10000000

One kernel, no cluster: blocks of mixed records (transfers, some with references; holds that are
captured and holds that expire; channels with vouchers, closed at once; refunds, disputes and their
answers) with log time moving on by some hours a block. What a ledger remembers for a while, it
forgets by log time only, the longest after `CORRECTION_WINDOW_NS`. From then on as much is
forgotten as comes in: rows and bytes of state have to stay where they are, whatever is added.

After each part of the records a line tells rows and bytes of state and the process's resident
memory. Exit code 1 if the state still grows once that is past, or a record failed.
"""

import json
import sys
from array import array
from collections import Counter
from dataclasses import asdict, dataclass, field
from hashlib import shake_256
from typing import Annotated, Final

import psutil
import typer
from rich.console import Console
from rich.table import Table as Drawn
from tallystick_core import Kernel, cited_sequences

from tallystick import Signer
from tallystick_ledger import block
from tallystick_ledger.bulk import captures, reserves, transfers, vouchers
from tallystick_ledger.citations import Citation
from tallystick_ledger.envelope import seal
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    ChannelId,
    EnvelopeId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
    UnitId,
    new_envelope_id,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import COMMITMENT_BYTES, CORRECTION_WINDOW_NS, ID_RANDOM_BYTES
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    CaptureSource,
    Channel,
    ChannelClose,
    CorrectionReason,
    Dispute,
    DisputeAnswer,
    Issue,
    Key,
    KeyOperation,
    Principal,
    PrincipalType,
    Record,
    Refund,
    Scope,
    Unit,
)
from tallystick_ledger.state_rows import Table, split_rows
from tallystick_ledger.vouchers import sign_voucher
from tallystick_loadtests.errors import BenchError
from tallystick_loadtests.machine import git_commit

PARTS: Final = 10
DAYS: Final = 400
# Of one block. What is open at the end of a block is about a hundredth of what it did.
TRANSFERS: Final = 4_000
REFERENCED: Final = 400
HOLDS: Final = 1_600
CAPTURED: Final = 1_500
CHANNELS: Final = 20
VOUCHERS: Final = 10
REFUNDS: Final = 100
DISPUTES: Final = 50
# By how much rows may differ between parts that should be alike: blocks do not end with parts.
SLACK: Final = 0.01
DISPUTE_DAYS: Final = 60  # longer than any step
FUNDS: Final = 10**15
START_NS: Final = 1_800_000_000 * 10**9
DAY_NS: Final = 86_400 * 10**9
HOLD_NS: Final = 3_600 * 10**9
LIFETIME_NS: Final = 590 * 10**9
NS_PER_MS: Final = 1_000_000
MIB: Final = 1 << 20

app = typer.Typer(add_completion=False)


class RecordFailedError(BenchError):
    """A record did not do what it is here for."""


@dataclass(frozen=True, slots=True)
class Part:
    """What there is after so many records.

    Attributes:
        records: Applied so far.
        log_days: Log time since the first block.
        rows: Of state, by table.
        row_count: All of them.
        state_bytes: All of them, as the digest reads them.
        rss_bytes: Resident memory of this process.
    """

    records: int
    log_days: float
    rows: dict[str, int]
    row_count: int
    state_bytes: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Flatness:
    """What was measured.

    Attributes:
        parts: After each part of the records.
        is_flat: Whether rows stay, once what is remembered longest has been forgotten.
        git_commit: Of the checkout.
    """

    parts: list[Part]
    is_flat: bool
    git_commit: str


@dataclass(slots=True)
class Traffic:
    """One kernel and what goes into it. Every run is the same."""

    kernel: Kernel
    genesis: Genesis
    operator: Signer
    now_ns: int = START_NS
    records: int = 0
    _drawn: int = 0
    _envelopes: list[bytes] = field(default_factory=list)
    # First sequence numbers of the last two blocks' transfers and when; newest last.
    _paid: list[tuple[int, int]] = field(default_factory=list)
    payer: Signer = field(init=False)
    payee: Signer = field(init=False)
    accounts: tuple[AccountId, AccountId] = field(init=False)
    channel_key: SigningKey = field(init=False)

    @classmethod
    def begin(cls) -> "Traffic":
        """A ledger with a payer who has all the money, and a payee."""
        operator, node, cosigner = (SigningKey(bytes([seed]) * 32) for seed in (1, 2, 6))
        genesis = Genesis(
            random_bytes=b"\x07" * 32,
            origin="tallystick.local/flat",
            operators=[operator.public_key],
            nodes=[GenesisNode(1, b"\x01" * 32, node.public_key, cosigner.public_key)],
        )
        signer = Signer(operator, operator_principal(genesis.ledger_id, 0))
        made = cls(Kernel(genesis.encode()), genesis, signer)
        made._populate()
        return made

    def _populate(self) -> None:
        self.payer, self.payee = self._registered(3), self._registered(4)
        self.channel_key = SigningKey(b"\x05" * 32)
        record = Unit("FLAT", 0, self.payer.principal)
        unit = UnitId(self._object(self.operator, self._add(self.operator, record)))
        self.accounts = (self._account(self.payer, unit), self._account(self.payee, unit))
        possession = prove_possession(
            self.channel_key, self.genesis.ledger_id, self.payer.principal
        )
        own = Key(
            KeyOperation.ADD,
            self.channel_key.public_key,
            self.payer.principal,
            Scope.CHANNEL,
            possession,
        )
        self._add(self.payer, own, Issue(unit, self.accounts[0], Amount(FUNDS)))
        self.apply()

    def _registered(self, seed: int) -> Signer:
        key, envelope_id = SigningKey(bytes([seed]) * 32), self._fresh_id()
        principal = PrincipalId(self._object(self.operator, envelope_id))
        possession = prove_possession(key, self.genesis.ledger_id, principal)
        record = Principal(PrincipalType.SERVICE, key.public_key, possession, principal)
        self._seal(self.operator, envelope_id, record.encode(b""))
        return Signer(key, principal)

    def _account(self, owner: Signer, unit: UnitId) -> AccountId:
        return AccountId(
            self._object(owner, self._add(owner, Account(AccountOperation.OPEN, unit)))
        )

    # -- a block ---------------------------------------------------------------------------------

    def block(self) -> None:
        """A block of everything, and what it cites."""
        payer, payee = self.accounts
        first = self.kernel.status().next_sequence
        envelope_id = self._fresh_id()
        expires = array("Q", [self.now_ns + HOLD_NS]) * HOLDS
        count = TRANSFERS - REFERENCED
        opened = [
            Channel(payer, payee, VOUCHERS, HOLD_NS, self.channel_key.public_key)
            for _ in range(CHANNELS)
        ]
        records = [
            transfers(payer * count, payee * count, _ones(count), self._random(16 * count)),
            transfers(
                payer * REFERENCED,
                payee * REFERENCED,
                _ones(REFERENCED),
                self._random(16 * REFERENCED),
                self._random(16 * REFERENCED),
                unique=True,
            ),
            reserves(payer * HOLDS, payee * HOLDS, _ones(HOLDS), expires, self._random(16 * HOLDS)),
            *(self._encoded(record) for record in opened),
        ]
        self._seal(self.payer, envelope_id, b"".join(records))
        made = [
            object_id(self.genesis.ledger_id, self.payer.principal, envelope_id, index)
            for index in range(TRANSFERS, TRANSFERS + HOLDS + CHANNELS)
        ]
        self._collect(made[:CAPTURED], [ChannelId(each) for each in made[HOLDS:]])
        self._dispute()
        self.apply()
        self._paid = [*self._paid, (first, self.now_ns)][-2:]

    def _collect(self, holds: list[bytes], channels: list[ChannelId]) -> None:
        """The payee captures, redeems, closes, refunds, and answers what was disputed before."""
        nonces = self._random(16 * len(holds))
        source = CaptureSource.PROVIDER_REPORTED
        records = [captures(b"".join(holds), _ones(len(holds)), source, nonces, final=True)]
        ledger_id, commitment = self.genesis.ledger_id, bytes(COMMITMENT_BYTES)
        for channel in channels:
            sums = range(1, VOUCHERS + 1)
            signed = [
                sign_voucher(self.channel_key, ledger_id, channel, each, commitment)
                for each in sums
            ]
            records.append(
                vouchers(channel * VOUCHERS, sums, commitment * VOUCHERS, b"".join(signed))
            )
            records.append(self._encoded(ChannelClose(channel)))
        if self._paid:
            first, _ = self._paid[-1]
            refunds = (
                Refund(SequenceNumber(first + place), 1, CorrectionReason.GOODWILL)
                for place in range(REFUNDS)
            )
            records += [self._encoded(record) for record in refunds]
        if len(self._paid) > 1:
            first, _ = self._paid[0]
            answers = (
                DisputeAnswer(SequenceNumber(first + REFUNDS + place), Amount(place % 2))
                for place in range(DISPUTES)
            )
            records += [self._encoded(record) for record in answers]
        self._seal(self.payee, self._fresh_id(), b"".join(records))

    def _dispute(self) -> None:
        if not self._paid:
            return
        first, _ = self._paid[-1]
        deadline = TimestampNs(self.now_ns + DISPUTE_DAYS * DAY_NS)
        disputed = [
            Dispute(SequenceNumber(first + REFUNDS + place), 1, CorrectionReason.SERVICE, deadline)
            for place in range(DISPUTES)
        ]
        self._add(self.payer, *disputed)

    def apply(self) -> None:
        """Applies what was sealed as one block.

        Raises:
            RecordFailedError: Some record was refused.
        """
        status = self.kernel.status()
        timestamp = TimestampNs(max(self.now_ns, status.min_next_timestamp_ns))
        first = SequenceNumber(status.next_sequence)
        data = block.build(self._envelopes, timestamp, first)
        applied = self.kernel.apply(data, 1, self._citations(data))
        self._envelopes.clear()
        if any(applied.sparse_results):
            codes = Counter(
                int.from_bytes(applied.sparse_results[at + 4 : at + 6], "little")
                for at in range(0, len(applied.sparse_results), 20)
            )
            # Captures and vouchers tell what they paid in their results.
            if set(codes) - {0}:
                raise RecordFailedError(f"records were refused: {dict(codes)}")
        self.records += applied.record_count

    def _citations(self, data: bytes) -> bytes:
        """All that is cited are transfers of one step of the last two blocks."""
        found = []
        for sequence in memoryview(cited_sequences(data)).cast("Q"):
            first, at_ns = next(each for each in reversed(self._paid) if each[0] <= sequence)
            paid_at_ns = TimestampNs(at_ns + sequence - first)
            cited = Citation(SequenceNumber(sequence), paid_at_ns, *self.accounts, Amount(1))
            found.append(cited.encode())
        return b"".join(found)

    # -- making records --------------------------------------------------------------------------

    def _add(self, signer: Signer, *records: Record) -> EnvelopeId:
        envelope_id = self._fresh_id()
        self._seal(signer, envelope_id, b"".join(self._encoded(record) for record in records))
        return envelope_id

    def _encoded(self, record: Record) -> bytes:
        return record.encode(self._random(record.nonce_bytes))

    def _seal(self, signer: Signer, envelope_id: EnvelopeId, records: bytes) -> None:
        until = TimestampNs(self.now_ns + LIFETIME_NS)
        self._envelopes.append(
            seal(signer.key, self.genesis.ledger_id, envelope_id, until, records)
        )

    def _object(self, signer: Signer, envelope_id: EnvelopeId) -> bytes:
        return object_id(self.genesis.ledger_id, signer.principal, envelope_id, 0)

    def _fresh_id(self) -> EnvelopeId:
        return new_envelope_id(self.now_ns // NS_PER_MS, self._random(ID_RANDOM_BYTES))

    def _random(self, length: int) -> bytes:
        """Bytes that do not come again."""
        self._drawn += 1
        return shake_256(self._drawn.to_bytes(8, "little")).digest(length) if length else b""


def measure(records: int, days: int = DAYS) -> Flatness:
    """Applies so many records in so much log time.

    Raises:
        RecordFailedError: Some record was refused.
    """
    traffic = Traffic.begin()
    traffic.block()
    a_block = traffic.records
    traffic.now_ns += HOLD_NS
    traffic.block()
    a_block = traffic.records - a_block
    step_ns = days * DAY_NS * a_block // records
    process = psutil.Process()
    parts: list[Part] = []
    while len(parts) < PARTS:
        traffic.now_ns += step_ns
        traffic.block()
        if traffic.records >= records * (len(parts) + 1) // PARTS:
            parts.append(_part(traffic, process))
    problems = traffic.kernel.verify_invariants()
    if problems:
        raise RecordFailedError(f"the state is broken: {problems[0]}")
    return Flatness(parts, is_flat(parts), git_commit())


def is_flat(parts: list[Part]) -> bool:
    """Whether rows and bytes stay, from when the longest memory has begun to forget."""
    settled = [part for part in parts if part.log_days * DAY_NS > CORRECTION_WINDOW_NS]
    if len(settled) < 2:
        return False
    first = settled[0]
    return all(
        part.row_count <= first.row_count * (1 + SLACK)
        and part.state_bytes <= first.state_bytes * (1 + SLACK)
        for part in settled[1:]
    )


def _part(traffic: Traffic, process: psutil.Process) -> Part:
    rows, size = _rows(traffic.kernel.state_rows())
    return Part(
        traffic.records,
        round((traffic.now_ns - START_NS) / DAY_NS, 1),
        rows,
        sum(rows.values()),
        size,
        process.memory_info().rss,
    )


def _rows(data: bytes) -> tuple[dict[str, int], int]:
    """Rows by table, and their bytes."""
    counts = Counter(table for table, _ in split_rows(data))
    return {Table(table).name.lower(): count for table, count in sorted(counts.items())}, len(data)


def _ones(count: int) -> "array[int]":
    return array("Q", [1]) * count


def _print(found: Flatness) -> None:
    drawn = Drawn()
    columns = ("records", "log days", "rows", "state MiB", "RSS MiB")
    for column in columns:
        drawn.add_column(column, justify="right", no_wrap=True)
    for part in found.parts:
        drawn.add_row(
            f"{part.records:,}",
            f"{part.log_days:,.0f}",
            f"{part.row_count:,}",
            f"{part.state_bytes / MIB:.2f}",
            f"{part.rss_bytes / MIB:.0f}",
        )
    Console().print(drawn)
    last = found.parts[-1]
    rows = ", ".join(f"{count:,} {name}" for name, count in last.rows.items() if count > 10)
    sys.stdout.write(f"At the end: {rows}.\n")
    sys.stdout.write(
        f"{last.records:,} records; the state {'stays flat' if found.is_flat else 'GROWS'}.\n"
    )


@app.command()
def main(
    records: Annotated[int, typer.Option(min=100_000, help="How many to apply.")] = 10_000_000,
    days: Annotated[int, typer.Option(min=200, help="Of log time.")] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Apply mixed records and watch the state."""
    found = measure(records, days)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    else:
        _print(found)
    if not found.is_flat:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
