"""Random blocks for one ledger: who signs, what is sent again, and when the block is made.

A block's time is often *aimed*: so that one of its records falls on the very nanosecond, or the
one before or after, at which a hold or a key expires, or at which something is forgotten.
"""

from typing import Final

from tests.differential import raw
from tests.differential.draft import Draft
from tests.differential.population import SECOND_NS, World
from tests.differential.records import random_record

from tallystick_ledger.ids import EnvelopeId, id_time_ns
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, LATE_CAPTURE_NS, MAX_ID_AHEAD_NS
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import KeyRow, KeyStatus

MIN_RECORDS: Final = 36
MAX_SENT: Final = 40

SCOPE_WEIGHTS: Final = (
    *[Scope.OWNER] * 22,
    *[Scope.SPEND] * 6,
    *[Scope.METER] * 6,
    *[Scope.OPERATE] * 4,
    *[Scope.NODE] * 2,
    Scope.PRICE,
    Scope.PRICE,
    Scope.READ,
    Scope.AUDIT,
    Scope.RECOVERY,
    Scope.CHANNEL,
)


def random_block(world: World) -> raw.Block:
    """A block of at least 36 heads that continues the ledger."""
    world.look()
    timestamp_ns = _block_time(world)
    envelopes: list[raw.Envelope] = []
    count = heads = 0
    while heads < MIN_RECORDS:
        envelope = _random_envelope(world, timestamp_ns, count)
        envelopes.append(envelope)
        heads += len(envelope.records)
        count += envelope.record_count
        world.sent.append(envelope)
    del world.sent[:-MAX_SENT]
    return raw.Block(timestamp_ns, tuple(envelopes))


def _random_envelope(world: World, timestamp_ns: int, records_before: int) -> raw.Envelope:
    if world.sent and world.chance(0.05):
        return world.pick(world.sent)
    signer = _signer(world)
    world.malice = world.pick((0.0, 0.0, 0.1, 1.0))
    envelope_id, valid_until_ns = _id_and_expiry(world, signer, timestamp_ns)
    records: list[bytes] = []
    index = 0
    for _ in range(world.pick((1, 1, 1, 2, 3, 5, 8, 13))):
        about_ns = timestamp_ns + records_before + index
        record = random_record(Draft(world, signer, envelope_id, index, about_ns))
        records.append(record)
        index += len(record) // raw.RECORD_BYTES
    return raw.Envelope(
        signing_key=world.rng.randbytes(32) if world.chance(0.02) else signer.key,
        envelope_id=envelope_id,
        valid_until_ns=valid_until_ns,
        records=tuple(records),
        atomic=world.chance(0.3),
    )


def _id_and_expiry(world: World, signer: KeyRow, timestamp_ns: int) -> tuple[bytes, int]:
    """An id and `valid_until` as the bytes of a good block have them (format.md section 4)."""
    lifetime_ns = world.state.genesis.max_lifetime_ns
    made_ns = timestamp_ns - world.rng.randrange(lifetime_ns // 4)
    if world.chance(0.1):
        made_ns = timestamp_ns + MAX_ID_AHEAD_NS - world.rng.randrange(2) * SECOND_NS
    envelope_id: bytes = world.new_envelope_id(made_ns)
    if world.sent and world.chance(0.04):
        envelope_id = _used_id(world, signer)
    made_ns = id_time_ns(EnvelopeId(envelope_id))
    valid_until_ns = made_ns + lifetime_ns - world.rng.randrange(lifetime_ns // 2)
    if world.chance(0.1):
        valid_until_ns = made_ns + lifetime_ns
    if world.chance(0.05):
        edge_ns = timestamp_ns - world.pick((0, 0, 1, 1, SECOND_NS))
        valid_until_ns = min(max(edge_ns, made_ns), made_ns + lifetime_ns)
    return envelope_id, valid_until_ns


def _signer(world: World) -> KeyRow:
    """A key of a scope drawn by weight; mostly one that is good, if there is one."""
    scope = world.pick(SCOPE_WEIGHTS)
    if world.chance(0.04):
        return world.pick(world.keys)
    now_ns = world.state.min_timestamp_ns
    good = [
        row
        for row in world.keys
        if row.status is KeyStatus.ACTIVE and (row.until_ns == 0 or row.until_ns > now_ns)
    ]
    rich = [row for row in good if row.principal in world.rich or row.scope >= Scope.NODE]
    good = rich if world.chance(0.8) else good
    if world.busy and world.chance(0.2):
        scope, good = Scope.OWNER, [row for row in good if row.principal in world.busy] or good
    fitting = [row for row in good if row.scope is scope]
    fitting = fitting or [row for row in good if row.scope is Scope.OWNER]
    return world.pick(fitting or world.keys)


def _used_id(world: World, signer: KeyRow) -> bytes:
    """An id that was sent before, by the same principal if there is one."""
    own = {row.key for row in world.keys if row.principal == signer.principal}
    used = [sent.envelope_id for sent in world.sent if sent.signing_key in own]
    return world.pick(used) if used else world.pick(world.sent).envelope_id


def _block_time(world: World) -> int:
    state, rng = world.state, world.rng
    earliest_ns = state.min_timestamp_ns
    if world.chance(0.25):
        aimed_ns = _aimed_time(world)
        if aimed_ns >= earliest_ns:
            return aimed_ns
    if world.chance(0.004):  # nothing of before can be corrected after that
        return earliest_ns + CORRECTION_WINDOW_NS - rng.randrange(2) * SECOND_NS
    pending = [row.due_ns for row in state.recoveries if row.due_ns > earliest_ns]
    if pending and world.chance(0.03):
        due_ns = min(pending) - world.pick((0, 0, 1, rng.randrange(MIN_RECORDS)))
        return max(earliest_ns, due_ns)
    coming = [row.effective_from_ns for row in state.cards if row.effective_from_ns > earliest_ns]
    in_force = any(row.is_effective(earliest_ns) for row in state.cards)
    if coming and world.chance(0.01 if in_force else 0.5):
        return max(earliest_ns, min(coming) - world.pick((0, 0, 0, 1, 10)))
    jump_ns = world.pick(
        (
            0,
            1,
            rng.randrange(1000),
            rng.randrange(SECOND_NS // 20),
            rng.randrange(SECOND_NS // 20),
            rng.randrange(SECOND_NS // 2),
            rng.randrange(3 * SECOND_NS),
            rng.randrange(20 * SECOND_NS) if world.chance(0.3) else 0,
        )
    )
    return earliest_ns + jump_ns


def _aimed_time(world: World) -> int:
    """A block time at which some record stands just at an edge; in the past if there is none."""
    state, genesis = world.state, world.state.genesis
    offset = world.rng.randint(-1, 1) - world.pick((0, 0, world.rng.randrange(MIN_RECORDS)))
    edges: list[int] = [row.expires_at_ns for row in world.holds if row.is_open]
    edges += [row.closes_at_ns for row in world.channels if row.closes_at_ns]
    edges += [
        row.ended_at_ns + genesis.hold_retention_ns for row in world.channels if row.ended_at_ns
    ]
    edges += [row.until_ns for row in world.keys if row.until_ns > state.min_timestamp_ns]
    edges += [row.ended_at_ns + genesis.hold_retention_ns for row in world.holds if not row.is_open]
    lifetime_ns = genesis.max_lifetime_ns + MAX_ID_AHEAD_NS
    edges += [row.block_timestamp_ns + lifetime_ns for row in state.live_ids][:3]
    edges += [row.timestamp_ns + genesis.reference_window_ns for row in state.references][:3]
    edges += [row.expires_at_ns for row in state.grants if row.is_open]
    edges += [row.settled_at_ns + CORRECTION_WINDOW_NS for row in state.grants][:3]
    edges += [row.deadline_ns for row in state.disputes if not row.answered_at_ns]
    edges += [row.ends_at_ns for row in state.limits if row.ends_at_ns]
    corrections = (*state.corrections, *state.disputes)
    edges += [row.cited_at_ns + CORRECTION_WINDOW_NS for row in corrections][:3]
    edges += [row.over_at_ns for row in state.mandates]
    kept_ns = genesis.hold_max_lifetime_ns + genesis.hold_retention_ns
    for row in state.quotes:
        edges += [row.not_after_ns, row.not_after_ns + kept_ns]
    edges += [row.not_after_ns for row in state.exchanges]
    edges += [row.due_ns for row in state.recoveries]
    edges += [row.over_at_ns + genesis.hold_retention_ns for row in state.mandates][:3]
    edges += [
        row.ended_at_ns + genesis.hold_retention_ns for row in state.claims if not row.is_open
    ]
    debts = {row.hold for row in state.terms if row.debt_limit}
    grace_ns = min(LATE_CAPTURE_NS, genesis.hold_retention_ns)
    edges += [row.expires_at_ns + grace_ns for row in world.holds if row.hold in debts]
    near = [edge for edge in edges if edge < state.min_timestamp_ns + 100 * SECOND_NS]
    return world.pick(near) + offset if near else 0
