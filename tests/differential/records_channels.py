"""Random records of EXTEND and of channels; see `records`, which draws among all kinds."""

from typing import Final

from tests.differential import raw
from tests.differential.draft import (
    Draft,
    id_of,
    other_account,
    own_account,
    some_amount,
    some_reference,
)
from tests.differential.population import MAX_U128, SECOND_NS, World

from tallystick_ledger.ids import ChannelId, LedgerId
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountRow, ChannelRow, HoldRow, KeyRow, KeyStatus
from tallystick_ledger.vouchers import sign_voucher

MAX_U64: Final = (1 << 64) - 1
GROUP_ORDER: Final = (1 << 252) + 27742317777372353535851937790883648493
# The point of order 1 as a key: R = identity and S = 0 is a signature of everything by it.
IDENTITY: Final = b"\x01" + bytes(31)
SIGNS_EVERYTHING: Final = IDENTITY + bytes(32)


def extend(draft: Draft) -> bytes:
    world = draft.world
    own = _own(draft)
    mine = [row for row in world.holds if row.payer_account in own]
    open_ = [row for row in mine if row.is_open]
    rows = open_ if open_ and world.chance(0.85) else mine
    if world.odd(0.25) or not rows:
        theirs = [row for row in world.holds if row.payee_account in own]
        rows = theirs if theirs and world.chance(0.7) else world.holds
    if not rows or world.odd(0.03):
        return raw.extend(world.new_id(), 1)
    row = world.pick(rows)
    hold = row.hold
    if world.fresh_holds and world.odd(0.2):
        hold = world.pick(world.fresh_holds)  # type: ignore[assignment]
    what = world.pick((1, 2, 3)) if not world.odd(0.06) else 0
    additional = some_amount(draft, _row_of(world, row.payer_account)) if what & 1 else 0
    return raw.extend(hold, additional, _new_expiry(draft, row) if what & 2 else 0)


def _new_expiry(draft: Draft, row: HoldRow) -> int:
    world = draft.world
    latest_ns = row.created_at_ns + world.state.genesis.hold_max_lifetime_ns
    earliest_ns = max(row.expires_at_ns, draft.about_ns + SECOND_NS)
    if world.odd(0.5):
        soonest_ns = draft.about_ns + SECOND_NS
        edges = (row.expires_at_ns, soonest_ns, latest_ns)
        edge_ns = world.pick(edges) + world.pick((-1, 0, 1))
        return max(0, min(MAX_U64, world.pick((1, MAX_U64)) if world.odd(0.05) else edge_ns))
    return world.rng.randint(earliest_ns, max(earliest_ns, min(latest_ns, MAX_U64)))


def channel(draft: Draft) -> bytes:
    world = draft.world
    payer = own_account(draft)
    reference, flags = some_reference(draft)
    if flags and reference:
        reference = world.rng.randint(1, 5)  # few, since CHANNEL is rarer than the others
    longest_ns = world.state.genesis.hold_max_lifetime_ns
    challenge_ns = world.rng.randint(SECOND_NS, min(longest_ns, 3 * SECOND_NS))
    if world.odd(0.15):
        edges = (0, SECOND_NS - 1, SECOND_NS, longest_ns, longest_ns + 1, MAX_U64)
        challenge_ns = min(MAX_U64, world.pick(edges))
    payee, key = other_account(draft, payer), _channel_key(draft)
    world.fresh_channels.append((draft.own_id, payee, key))
    return raw.channel(
        id_of(draft, payer),
        payee,
        some_amount(draft, payer),
        key,
        challenge_ns,
        reference,
        flags=flags,
    )


def _channel_key(draft: Draft) -> bytes:
    """A CHANNEL key of the signer, mostly; sometimes one that is no longer good, or none of it."""
    world = draft.world
    if world.odd(0.08):
        return world.pick(world.keys).key if world.chance(0.7) else world.rng.randbytes(32)
    own, good = _channel_keys(draft), _good_channel_keys(draft)
    if good and not world.odd(0.15):
        return world.pick(good).key
    return world.pick(own).key if own else world.pick(world.keys).key


def top_up(draft: Draft) -> bytes:
    world = draft.world
    row = _some_channel(draft, of_payer=True)
    if row is None:
        return raw.top_up(world.new_id(), 1)
    channel_id = row.channel
    if world.fresh_channels and world.odd(0.2):
        return raw.top_up(world.pick(world.fresh_channels)[0], 5)
    return raw.top_up(channel_id, some_amount(draft, _row_of(world, row.payer_account)))


def voucher(draft: Draft) -> bytes:
    world, own = draft.world, _own(draft)
    fresh = [item for item in world.fresh_channels if item[1] in own]
    if fresh and world.chance(0.15):
        channel_id, _, key = world.pick(fresh)
        return _signed(draft, channel_id, world.rng.randint(1, 50), key)
    row = _some_channel(draft, of_payer=False)
    if row is None:
        return _signed(draft, world.new_id(), 1, b"")
    amount = row.highest + world.rng.randint(0, max(1, (row.deposit - row.paid) // 3))
    if world.odd(0.5):
        edges = (
            row.highest,
            row.highest - 1,
            row.highest + 1,
            row.paid,
            row.deposit - 1,
            row.deposit,
            row.deposit + 1,
            MAX_U128,
            0,
        )
        amount = world.pick(edges)
    return _signed(draft, row.channel, max(0, min(MAX_U128, amount)), row.key)


def _signed(draft: Draft, channel_id: bytes, amount: int, key: bytes) -> bytes:
    """A VOUCHER signed by the key, if anybody can; now and then with a signature that is wrong."""
    world = draft.world
    commitment = world.rng.randbytes(24)
    signing_key = world.signing_keys.get(key)
    if signing_key is None:
        signature = SIGNS_EVERYTHING if world.chance(0.5) else world.rng.randbytes(64)
        return raw.voucher(channel_id, amount, commitment, signature)
    ledger_id, signed_amount, signed_channel = world.ledger_id, amount, channel_id
    spoil = world.rng.randrange(7) if world.odd(0.2) else -1
    if spoil == 0:
        ledger_id = LedgerId(world.rng.randbytes(32))
    elif spoil == 1:
        signed_amount = amount ^ 1
    elif spoil == 2:
        signed_channel = world.new_id()
    elif spoil == 3:
        signing_key = world.pick(list(world.signing_keys.values()))
    signature = sign_voucher(
        signing_key, ledger_id, ChannelId(signed_channel), signed_amount, commitment
    )
    if spoil == 4:
        place = world.rng.randrange(64)
        flipped = bytes((signature[place] ^ 1 << world.rng.randrange(8),))
        return raw.voucher(channel_id, amount, commitment, raw.patched(signature, place, flipped))
    if spoil == 5:  # the equation holds, S is not canonical
        scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
        lifted = signature[:32] + scalar.to_bytes(32, "little")
        return raw.voucher(channel_id, amount, commitment, lifted)
    if spoil == 6:
        commitment = world.rng.randbytes(24)
    return raw.voucher(channel_id, amount, commitment, signature)


def channel_close(draft: Draft) -> bytes:
    world = draft.world
    if world.fresh_channels and world.chance(0.05):
        return raw.channel_close(world.pick(world.fresh_channels)[0])
    row = _some_channel(draft, of_payer=world.chance(0.75))
    return raw.channel_close(world.new_id() if row is None else row.channel)


def _some_channel(draft: Draft, *, of_payer: bool) -> ChannelRow | None:
    """A channel of the signer, mostly; sometimes a closed one, one of the other side, or none."""
    world, own = draft.world, _own(draft)
    if world.odd(0.03) or not world.channels:
        return None
    mine = [
        row
        for row in world.channels
        if (row.payer_account if of_payer else row.payee_account) in own
    ]
    if not mine or world.odd(0.12):
        return world.pick(world.channels)
    open_ = [row for row in mine if row.is_open]
    return world.pick(open_) if open_ and world.chance(0.85) else world.pick(mine)


def has_hold_as_payer(draft: Draft) -> bool:
    """Whether EXTEND has something to work on."""
    own = _own(draft)
    return any(row.is_open and row.payer_account in own for row in draft.world.holds)


def has_channel_as_payer(draft: Draft) -> bool:
    """Whether TOP_UP has something to work on."""
    own = _own(draft)
    return any(row.is_open and row.payer_account in own for row in draft.world.channels)


def has_channel_as_payee(draft: Draft) -> bool:
    """Whether VOUCHER has something to work on."""
    world, own = draft.world, _own(draft)
    if any(payee in own for _, payee, _ in world.fresh_channels):
        return True
    return any(row.is_open and row.payee_account in own for row in world.channels)


def has_channel_key(draft: Draft) -> bool:
    """Whether CHANNEL has a key to name."""
    return bool(_good_channel_keys(draft))


def _good_channel_keys(draft: Draft) -> list[KeyRow]:
    return [
        row
        for row in _channel_keys(draft)
        if row.status is KeyStatus.ACTIVE and not 0 < row.until_ns <= draft.about_ns
    ]


def _channel_keys(draft: Draft) -> list[KeyRow]:
    return [
        row
        for row in draft.world.keys
        if row.principal == draft.signer.principal and row.scope is Scope.CHANNEL
    ]


def _own(draft: Draft) -> set[bytes]:
    return {row.account for row in draft.world.by_owner.get(draft.signer.principal, [])}


def _row_of(world: World, account: bytes) -> AccountRow | None:
    return next((row for row in world.accounts if row.account == account), None)
