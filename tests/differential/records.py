"""One random record: mostly one that its signer may well sign, often one that breaks a rule.

Each function is for one kind and takes a `Draft`: who signs, in which envelope, at which place and
about when. Wrong ids, amounts at their limits and times at their edges are all drawn on purpose.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.differential import raw
from tests.differential.population import MAX_U128, SECOND_NS, SYMBOLS, World

from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountFlags, AccountRow, HoldRow, KeyRow, KeyStatus

MAX_U64: Final = (1 << 64) - 1

NAME_TEXTS: Final = (
    b"gpt-x",
    b"gpt-y",
    b"x" * 64,
    b"y" * 65,
    b"z" * 168,
    b"w" * 169,
    b"v" * 256,
    "näme".encode(),
    "雪".encode() * 40,
    "🧾".encode() * 64,
)
BAD_TEXTS: Final = (
    b"",
    b"u" * 257,
    b"tab\there",
    b"nul\0inside",
    b"del\x7f",
    b"\xff\xfe",
    b"\xc0\xaf",  # overlong "/"
    b"\xed\xa0\x80",  # a surrogate
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"cut \xe9\x9b",
    b"n" * 64 + b"\x80" * 3,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known about the record that is to be written."""

    world: World
    signer: KeyRow
    envelope_id: bytes
    index: int
    about_ns: int

    @property
    def own_id(self) -> bytes:
        return self.world.derived(self.signer.principal, self.envelope_id, self.index)


def transfer(draft: Draft) -> bytes:
    debit = _own_account(draft)
    reference, flags = _reference(draft)
    credit = _other_account(draft, debit)
    amount = _amount(draft, debit)
    return raw.transfer(_id(draft, debit), credit, amount, reference, flags=flags)


def issue(draft: Draft) -> bytes:
    world = draft.world
    units = [row for row in world.state.units if row.issuer == draft.signer.principal]
    if not units or world.odd(0.15):
        units = list(world.state.units)
    unit = world.pick(units).unit if units and not world.odd(0.04) else world.new_id()
    of_unit = [
        row.account
        for row in world.accounts
        if row.unit == unit and (not row.flags or world.odd(0.5))
    ]
    if not of_unit or world.odd(0.1):
        of_unit = [row.account for row in world.accounts]
    credit = world.pick(of_unit) if of_unit and not world.odd(0.04) else world.new_id()
    amount = world.rng.randint(1, 10**6)
    if world.odd(0.2):
        amount = world.pick((0, MAX_U128, MAX_U128 // 2))
    reference, flags = _reference(draft)
    return raw.issue(unit, credit, amount, reference, flags=flags)


def reserve(draft: Draft) -> bytes:
    world = draft.world
    payer = _own_account(draft)
    reference, flags = _reference(draft)
    longest_ns = world.state.genesis.hold_max_lifetime_ns
    lifetime_ns = world.rng.randint(SECOND_NS, min(longest_ns, 10 * SECOND_NS))
    if world.odd(0.4):
        edges = (
            SECOND_NS - 1,
            SECOND_NS,
            SECOND_NS + 1,
            longest_ns - 1,
            longest_ns,
            longest_ns + 1,
        )
        lifetime_ns = world.pick(edges)
    expires_at_ns = world.pick((0, MAX_U64)) if world.odd(0.01) else draft.about_ns + lifetime_ns
    world.fresh_holds.append(draft.own_id)
    return raw.reserve(
        _id(draft, payer),
        _other_account(draft, payer),
        _amount(draft, payer),
        expires_at_ns,
        reference,
        flags=flags,
        mode=1 if world.odd(0.02) else 0,
    )


def capture(draft: Draft) -> bytes:
    world = draft.world
    hold, row = _hold(draft)
    amount = world.pick((1, 2, 3))
    if row is not None:
        amount = max(1, world.rng.randint(row.captured, row.maximum))
        if world.odd(0.5):
            above = row.maximum + 1
            edges = (row.captured, max(0, row.captured - 1), row.maximum, above, above, 0)
            amount = min(MAX_U128, world.pick(edges))
    return raw.capture(
        hold,
        amount,
        flags=raw.FINAL if world.chance(0.35) else 0,
        source=world.pick((0, 4)) if world.odd(0.1) else world.pick((1, 2, 3)),
        occurred_at_ns=world.pick((0, draft.about_ns)),
    )


def release(draft: Draft) -> bytes:
    return raw.release(_hold(draft)[0])


def principal(draft: Draft) -> bytes:
    world = draft.world
    key = world.pick(world.keys).key if world.odd(0.15) else world.rng.randbytes(32)
    principal_id = world.new_id() if world.odd(0.15) else draft.own_id
    principal_type = world.pick((0, 4, 101)) if world.odd(0.15) else world.pick((1, 2, 3))
    return raw.principal(principal_id, key, principal_type)


def key(draft: Draft) -> bytes:
    world, signer = draft.world, draft.signer
    operation = world.pick((raw.ADD, raw.ADD, raw.REVOKE, raw.ROTATE, raw.ROTATE))
    new = world.pick(world.keys).key if world.odd(0.15) else world.rng.randbytes(32)
    principal_id: bytes = signer.principal
    if world.odd(0.08):
        principal_id = world.pick(world.keys).principal
    until_ns = world.pick((0, draft.about_ns + world.rng.randrange(20 * SECOND_NS)))
    if world.odd(0.3):
        until_ns = world.pick((1, draft.about_ns + world.rng.randint(-2, 2)))
    scope = 0
    if operation == raw.ADD:
        scope = world.pick((raw.OWNER, raw.SPEND, raw.METER))
        scope = world.pick((0, 4, 5, 9)) if world.odd(0.15) else scope
    elif world.odd(0.03):
        scope = 1
    if operation == raw.REVOKE:
        own = [row.key for row in world.keys if row.principal == signer.principal]
        new = world.pick((signer.key, world.pick(own), world.pick(own), new))
        revoked = [row.key for row in world.keys if row.status is KeyStatus.REVOKED]
        new = world.pick(revoked) if revoked and world.odd(0.3) else new
        until_ns = 1 if world.odd(0.04) else 0
    return raw.key(operation, new, principal_id, scope=scope, until_ns=until_ns)


def name(draft: Draft) -> bytes:
    world = draft.world
    text = world.pick(BAD_TEXTS) if world.odd(0.25) else world.pick(NAME_TEXTS)
    name_kind = world.pick((0, 8)) if world.odd(0.15) else world.pick((1, 2, 7))
    length = len(text)
    if world.odd(0.1):
        length = max(0, length + world.pick((-1, 1, 104, -104)))
    return raw.name(text, name_kind, length)


def account(draft: Draft) -> bytes:
    world = draft.world
    own = [row for row in world.by_owner.get(draft.signer.principal, []) if not row.flags & 5]
    if not own or world.chance(0.5):
        units = [row.unit for row in world.state.units]
        unit = world.pick(units) if units and not world.odd(0.08) else world.new_id()
        world.fresh_accounts.append((draft.own_id, unit))
        account_id = world.new_id() if world.odd(0.03) else raw.ZERO_ID
        return raw.account(raw.OPEN, unit=unit, account_id=account_id)
    row = _own_account(draft)
    frozen = [row for row in world.accounts if row.flags == AccountFlags.FROZEN]
    thaw = [row for row in frozen if row.owner == draft.signer.principal]
    operation = world.pick((raw.FREEZE, raw.CLOSE, raw.CLOSE))
    if thaw and not world.odd(0.3):
        operation, row = raw.UNFREEZE, world.pick(thaw)
    elif world.odd(0.08):
        operation = 5
    if world.odd(0.15):
        row = world.pick(world.accounts)
    if operation == raw.CLOSE and world.chance(0.7):
        row = _empty_account(draft) or row
    unit = world.new_id() if world.odd(0.03) else raw.ZERO_ID
    return raw.account(operation, unit=unit, account_id=_id(draft, row))


def unit(draft: Draft) -> bytes:
    world = draft.world
    symbol = world.pick(SYMBOLS)
    if world.chance(0.4):
        symbol = b"U%d" % world.rng.randrange(1000)
        symbol = symbol.ljust(16, b"\0")
    if world.odd(0.1):
        symbol = world.pick((bytes(16), b"usd".ljust(16, b"\0"), b"A\0B".ljust(16, b"\0")))
    issuer: bytes = world.pick(world.keys).principal
    if world.odd(0.3):
        issuer = world.pick((bytes(16), world.new_id(), world.new_id()))
    exponent = world.pick((19, 255)) if world.odd(0.15) else world.pick((0, 2, 9, 18))
    return raw.unit(issuer, symbol, exponent)


def tick(draft: Draft) -> bytes:  # noqa: ARG001 - one signature for all kinds
    return raw.tick()


def spoiled(draft: Draft, record: bytes) -> bytes:
    """A record with something wrong in its head's bytes; the grid stays whole."""
    world = draft.world
    match world.rng.randrange(6):
        case 0:
            return raw.patched(record, 0, raw.u16(world.pick((0, 0x0302, 0x0104, 0xFFFE))))
        case 1:
            return raw.patched(record, 2, raw.u16(world.pick((1, 2, 3, 4, 0x8000))))
        case 2 if len(record) == raw.RECORD_BYTES:
            return raw.with_conts(record, [b"extra"] * world.rng.randint(1, 3))
        case 3:
            return raw.patched(record, world.rng.randrange(6, 80), b"\x01")
        case 4 if len(record) == raw.RECORD_BYTES:
            return raw.patched(record, world.rng.randrange(72, 128), b"\x01")
        case _:
            offset = world.rng.randrange(6, 80)
            return raw.patched(record, offset, bytes((world.rng.randrange(256),)))


Writer = Callable[[Draft], bytes]

# How often a key of each scope signs which kind. What its scope denies is drawn elsewhere.
WRITERS: Final[dict[int, tuple[Writer, ...]]] = {
    Scope.OWNER: (
        *[transfer] * 7,
        *[reserve] * 6,
        *[capture] * 7,
        *[release] * 3,
        *[issue] * 3,
        *[account] * 4,
        *[name] * 2,
        *[key] * 2,
    ),
    Scope.SPEND: (*[transfer] * 8, *[reserve] * 8, key),
    Scope.METER: (*[capture] * 10, *[release] * 4, key),
    Scope.NODE: (tick,),
    Scope.OPERATE: (principal, unit),
}
ALL_WRITERS: Final = (
    transfer,
    issue,
    reserve,
    capture,
    release,
    principal,
    key,
    name,
    account,
    unit,
    tick,
)


def random_record(draft: Draft) -> bytes:
    """A head with its CONTs."""
    world = draft.world
    writers = ALL_WRITERS if world.odd(0.05) else WRITERS[draft.signer.scope]
    writer = world.pick(writers)
    for _ in range(6):
        if _is_possible(draft, writer) or world.odd(0.4):
            break
        writer = world.pick(writers)
    record = writer(draft)
    return spoiled(draft, record) if world.odd(0.06) else record


def _empty_account(draft: Draft) -> AccountRow | None:
    """An account of the signer that holds nothing: to be closed, unless something is pending."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    empty = [row for row in own if row.balance == 0 and not row.flags & AccountFlags.CLOSED]
    if world.odd(0.4):
        odd = [row for row in empty if row.flags or row.debits_pending or row.credits_pending]
        return world.pick(odd) if odd else None
    empty = [row for row in empty if not row.debits_pending and not row.credits_pending]
    return world.pick(empty) if empty else None


def _is_possible(draft: Draft, writer: Writer) -> bool:
    """Whether the signer has what the kind works on."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    if writer in (capture, release):
        accounts = {row.account for row in own}
        return any(row.is_open and row.payee_account in accounts for row in world.holds)
    if writer is issue:
        return any(row.flags & AccountFlags.ISSUANCE for row in own)
    if writer in (transfer, reserve):
        return any(row.available > 0 and not row.flags for row in own)
    if writer is account:
        return len(own) < world.state.genesis.caps.accounts or world.chance(0.3)
    return True


def _own_account(draft: Draft) -> AccountRow | None:
    """An account of the signer, mostly one with money; sometimes a stranger's, or none."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    if world.odd(0.06) or not own:
        return world.pick(world.accounts) if world.accounts and world.chance(0.7) else None
    ordinary = [row for row in own if not row.flags & AccountFlags.ISSUANCE]
    funded = [row for row in ordinary if row.available > 0 and not row.flags]
    if funded and world.chance(0.7):
        return world.pick(funded)
    return world.pick(ordinary) if ordinary and world.chance(0.8) else world.pick(own)


def _other_account(draft: Draft, first: AccountRow | None) -> bytes:
    """An account of the same unit, mostly; sometimes the same account, another unit's, or none."""
    world = draft.world
    if world.fresh_accounts and world.chance(0.05):
        return world.pick(world.fresh_accounts)[0]
    if first is None or world.odd(0.08) or not world.accounts:
        return world.pick(world.accounts).account if world.accounts else world.new_id()
    if world.odd(0.03):
        return first.account
    if world.odd(0.03):
        return world.new_id()
    same = [
        row.account
        for row in world.accounts
        if row.unit == first.unit
        and row.account != first.account
        and (not row.flags or world.odd(0.5))
    ]
    return world.pick(same) if same else world.new_id()


def _id(draft: Draft, row: AccountRow | None) -> bytes:
    world = draft.world
    if row is None and world.fresh_accounts and world.chance(0.5):
        return world.pick(world.fresh_accounts)[0]
    return world.new_id() if row is None else row.account


def _amount(draft: Draft, row: AccountRow | None) -> int:
    world = draft.world
    small = world.rng.randint(1, 100)
    if row is None or not world.odd(0.6):
        if world.odd(0.15):
            return world.pick((0, MAX_U128))
        return small if row is None else max(1, min(small, row.available // 2))
    available = max(0, row.available)
    edges = (
        available,
        available // 2,
        available // 3,
        available + 1,
        available + row.debits_pending,
        available + row.debits_pending + 1,
    )
    return min(MAX_U128, world.pick(edges))


def _reference(draft: Draft) -> tuple[int, int]:
    """(reference, flags): few different ones, so that they come again."""
    world = draft.world
    if world.chance(0.3):
        reference = 0 if world.odd(0.1) else world.rng.randint(1, 30)
        return reference, raw.UNIQUE
    return world.pick((0, 1, MAX_U128)), 0


def _hold(draft: Draft) -> tuple[bytes, HoldRow | None]:
    """A hold that the signer may capture, mostly; sometimes an ended one, a stranger's, or none."""
    world = draft.world
    if world.fresh_holds and world.chance(0.15):
        return world.pick(world.fresh_holds), None
    if world.odd(0.03) or not world.holds:
        return world.new_id(), None
    own = {row.account for row in world.by_owner.get(draft.signer.principal, [])}
    payable = [row for row in world.holds if row.payee_account in own]
    if payable and world.chance(0.88):
        open_ = [row for row in payable if row.is_open]
        row = world.pick(open_) if open_ and world.chance(0.75) else world.pick(payable)
    else:
        row = world.pick(world.holds)
    return row.hold, row
