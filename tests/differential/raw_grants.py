"""Records about grants as raw bytes, right or wrong: see `raw`."""

from collections.abc import Sequence

from tests.differential import raw

STATE, END = 1, 2


def id_list(ids: Sequence[bytes], count: int | None = None) -> bytes:
    parts = {6: raw.u16(len(ids) if count is None else count)}
    return raw.with_conts(raw.head(raw.LIST, 0, parts), raw.spread(b"".join(ids)))


def grant(
    pool: bytes,
    grantee: bytes,
    amount: int,
    expires_at_ns: int,
    reference: int = 0,
    *,
    flags: int = 0,
    priority: int = 0,
    ratio: int = 1_000_000,
    cap: int = 0,
    providers: bytes = raw.ZERO_ID,
    models: bytes = raw.ZERO_ID,
    regions: bytes = raw.ZERO_ID,
    registrar: bytes = raw.ZERO_ID,
    exclusivity: bytes = raw.ZERO_ID,
) -> bytes:
    parts = {
        6: raw.u16(priority),
        8: pool,
        24: grantee,
        40: raw.u128(amount),
        56: raw.u128(reference),
        72: raw.u64(expires_at_ns),
    }
    content = providers + models + regions + registrar + exclusivity + raw.u128(cap)
    content += ratio.to_bytes(4, "little")
    return raw.with_conts(raw.head(raw.GRANT, flags, parts), raw.spread(content))


def claw_back(grant_id: bytes) -> bytes:
    return raw.head(raw.CLAW_BACK, 0, {8: grant_id})


def relation(parties: Sequence[bytes], operation: int = STATE) -> bytes:
    first, second = parties
    return raw.head(raw.RELATION, 0, {6: raw.u16(operation), 8: first, 24: second})
