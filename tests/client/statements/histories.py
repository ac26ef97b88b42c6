"""Histories of random ledgers: random blocks on the specification, and what each account sees."""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from tests.differential.engines import SpecEngine
from tests.differential.generator import random_block
from tests.differential.population import World, first_block, random_genesis

from tallystick.history import HistoryRecord
from tallystick_ledger.block import Block
from tallystick_ledger.citations import Postings
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.ids import LedgerId, SequenceNumber, TimestampNs
from tallystick_ledger.records import Kind
from tallystick_ledger.spec import State, apply_block
from tallystick_ledger.spec.apply import AppliedEnvelope

NAMING = {Kind.ISSUE, Kind.BURN, Kind.TRANSFER, Kind.RESERVE, Kind.METER, Kind.CHANNEL}


@dataclass
class Told:
    """A ledger's state and the histories of its accounts."""

    ledger_id: LedgerId
    state: State
    histories: dict[bytes, list[HistoryRecord]] = field(default_factory=lambda: defaultdict(list))


def random_ledger(seed: int, block_count: int) -> Told:
    rng = Random(seed)
    genesis = random_genesis(rng)
    engine = SpecEngine(genesis.encode())
    world = World(rng, engine.state)
    made = Told(genesis.ledger_id, engine.state)
    postings = Postings()
    for number in range(block_count):
        block = random_block(world) if number else first_block(world)
        data = block.encode(genesis.ledger_id, engine.state.next_sequence_number)
        applied = apply_block(engine.state, data, postings.of(data))
        postings.add(data, applied.results, applied.effects, applied.effect_counts)
        for envelope, done in zip(Block.parse(data).envelopes, applied.envelopes, strict=True):
            _note(made, envelope, done, applied.header.first_sequence, applied.header.timestamp_ns)
    return made


def _note(
    made: Told, envelope: Envelope, done: AppliedEnvelope, first: int, timestamp_ns: int
) -> None:
    records = _cut(envelope)
    for index, (record, result) in enumerate(zip(records, done.outcome.results, strict=True)):
        if record[:2] == b"\xff\xff":
            continue
        effects = [each for each in done.outcome.effects if each.record_index == index]
        named = _named(made.state, record) if result.code is Code.OK else set()
        touched = {each.debit_account for each in effects}
        touched |= {each.credit_account for each in effects}
        sequence = done.first_sequence + index
        for account in named | touched:
            own = tuple(e for e in effects if account in (e.debit_account, e.credit_account))
            is_mine = account in named
            made.histories[account].append(
                HistoryRecord(
                    SequenceNumber(sequence),
                    TimestampNs(timestamp_ns + sequence - first),
                    False,
                    envelope.header.envelope_id if is_mine else None,
                    done.first_sequence if is_mine else None,
                    envelope.header.signer if is_mine else None,
                    result.code if is_mine else Code.OK,
                    0,
                    record if is_mine else b"",
                    own,
                    _conts(records, index) if is_mine else b"",
                )
            )


def _cut(envelope: Envelope) -> list[bytes]:
    data = bytes(envelope.data)[256:]
    return [data[at : at + 128] for at in range(0, len(data), 128)]


def _conts(records: list[bytes], index: int) -> bytes:
    count = int.from_bytes(records[index][4:6], "little")
    return b"".join(records[index + 1 : index + 1 + count])


def _named(state: State, record: bytes) -> set[bytes]:
    kind = int.from_bytes(record[:2], "little")
    if kind in NAMING:
        return {record[8:24], record[24:40]}
    for table in (state.holds, state.channels):
        row = table.get(record[8:24])  # type: ignore[arg-type]
        if row is not None:
            return {row.payer_account, row.payee_account}
    return set()
