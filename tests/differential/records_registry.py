"""Random records of principals, keys and names."""

from typing import Final

from tests.differential import raw
from tests.differential.draft import Draft
from tests.differential.population import SECOND_NS
from tests.differential.records_channels import IDENTITY

from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import KeyStatus

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


def principal(draft: Draft) -> bytes:
    world = draft.world
    key = world.pick(world.keys).key if world.odd(0.15) else world.new_key()
    principal_id = world.new_id() if world.odd(0.15) else draft.own_id
    principal_type = world.pick((0, 4, 101)) if world.odd(0.15) else world.pick((1, 2, 3))
    return raw.principal(principal_id, key, principal_type)


def key(draft: Draft) -> bytes:
    world, signer = draft.world, draft.signer
    operation = world.pick((raw.ADD, raw.ADD, raw.REVOKE, raw.ROTATE, raw.ROTATE))
    new = world.pick(world.keys).key if world.odd(0.15) else world.new_key()
    if world.odd(0.05):  # no honest client can register these
        new = world.pick((IDENTITY, world.rng.randbytes(32)))
    principal_id: bytes = signer.principal
    if world.odd(0.08):
        principal_id = world.pick(world.keys).principal
    until_ns = world.pick((0, draft.about_ns + world.rng.randrange(20 * SECOND_NS)))
    if world.odd(0.3):
        until_ns = world.pick((1, draft.about_ns + world.rng.randint(-2, 2)))
    scope = 0
    if operation == raw.ADD:
        usual = (
            raw.OWNER,
            raw.SPEND,
            raw.SPEND,
            raw.METER_SCOPE,
            raw.PRICE_SCOPE,
            raw.READ,
            raw.RECOVERY,
            raw.CHANNEL_SCOPE,
            raw.CHANNEL_SCOPE,
        )
        by_operator = signer.scope is Scope.OPERATE
        scope = raw.AUDIT if by_operator and not world.odd(0.1) else world.pick(usual)
        scope = world.pick((0, 4, 5, 8, 11)) if world.odd(0.15) else scope
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
    name_kind = world.pick((0, 8)) if world.odd(0.15) else world.pick((1, 2, 4, 5, 7))
    length = len(text)
    if world.odd(0.1):
        length = max(0, length + world.pick((-1, 1, 104, -104)))
    return raw.name(text, name_kind, length)
