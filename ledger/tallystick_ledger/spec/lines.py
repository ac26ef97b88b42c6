"""Lines of keys: a key with those that replaced it by rotation, and the lines above it.

Limits and delegation are about lines and not about keys, so that neither a rotation nor an overlap
of two keys gives anybody a second budget. Source: docs/semantics.md, "Lines of keys".
"""

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_KEY, PrincipalId, PublicKey, TimestampNs
from tallystick_ledger.records import Scope
from tallystick_ledger.spec.refusal import Refused
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import KeyRow, KeyStatus, LineRow


def is_in_time(key: KeyRow, timestamp_ns: TimestampNs) -> bool:
    """Whether a key's time is not over."""
    return key.until_ns == 0 or key.until_ns > timestamp_ns


def line_of(state: State, key: PublicKey) -> PublicKey:
    """Returns the first key of a key's line."""
    row = state.lines.get(key)
    return key if row is None else row.line


def parent_of(state: State, line: PublicKey) -> PublicKey | None:
    """Returns the line above a line."""
    row = state.lines.get(line)
    return None if row is None or row.parent == NO_KEY else row.parent


def chain_of(state: State, key: PublicKey) -> list[PublicKey]:
    """Returns a key's line and the lines above it, nearest first."""
    chain = [line_of(state, key)]
    while (parent := parent_of(state, chain[-1])) is not None:
        chain.append(parent)
    return chain


def keys_of(state: State, line: PublicKey) -> list[KeyRow]:
    """Returns the keys of a line."""
    others = [row.key for row in state.lines.members(line) if row.key != line]
    return [state.keys[key] for key in (line, *others)]


def spend_keys(state: State, principal: PrincipalId) -> list[KeyRow]:
    """Returns the SPEND keys of a principal, whatever their status."""
    return [row for row in state.keys.members(principal) if row.scope is Scope.SPEND]


def check_above(state: State, key: PublicKey, timestamp_ns: TimestampNs) -> None:
    """Checks that each line above a key still has a key that may sign.

    Raises:
        Refused: KEY_REVOKED or KEY_EXPIRED, as it is with the newest key of the nearest line that
            has none.
    """
    for line in chain_of(state, key)[1:]:
        keys = keys_of(state, line)
        if any(row.status is KeyStatus.ACTIVE and is_in_time(row, timestamp_ns) for row in keys):
            continue
        newest = max(keys, key=lambda row: row.registered_at)
        is_revoked = newest.status is KeyStatus.REVOKED
        raise Refused(Code.KEY_REVOKED if is_revoked else Code.KEY_EXPIRED)


def join(state: State, key: PublicKey, predecessor: PublicKey) -> None:
    """Enters a key that replaces another into its line."""
    state.lines.put(key, LineRow(key, line_of(state, predecessor)))


def set_parent(state: State, line: PublicKey, parent: PublicKey | None) -> None:
    """Puts a line under another, or under none."""
    if parent is not None:
        state.lines.put(line, LineRow(line, line, parent))
    elif line in state.lines:
        state.lines.remove(line)
