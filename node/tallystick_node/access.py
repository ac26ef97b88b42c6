"""Who may call what: one line for every RPC of every service, and the rules behind the lines.

Theory of operation
-------------------
Writes need no permission to be asked: an envelope's signature decides what it may do. Reads do. A
caller proves with a read token (docs/format.md section 12) which key it holds; the node looks that
key up in the state it has applied, at the moment it reads, and gets a `Reader`: a principal and a
scope. Everything here is a pure function of those and of state rows.

    scope of the key             accounts, holds, limits,    envelopes             state digest
                                 mandates, claims, disputes, history
    OWNER, SPEND, METER, READ    its principal's             its principal's       yes
    AUDIT                        all                         all                   yes
    OPERATE, NODE                -                           its principal's       yes
    others                       -                           -                     yes

Published rate cards and names are an offer to all: any key reads them. A draft is its owner's.

SPEND and METER see balances, because whoever spends or bills within a request has to know what is
there. OPERATE and NODE see what they signed themselves; their principals own no accounts. An
operator who has to look makes an AUDIT key, so that the key which may register principals stays
where it is kept.

Two kinds of No, and what tells them apart is whether the No tells anything:

- what is decided by the key and the request alone is said aloud (`DeniedError`, with what to do);
- what depends on state is not: a foreign object answers byte for byte as one that does not exist.

An envelope asked for by id names its principal, so that No is of the first kind. It must be: the
other answers about an absent id are NOT_YET and NEVER, and NEVER means "pay again". Nobody who may
not see the envelope may be told that.

To add an RPC: a line in `RULES`, its handler through `services.gate.Gate`, a row in
docs/security.md. Without a line its handler cannot be built, and without the row a test fails.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tallystick_ledger.ids import PrincipalId, PublicKey
from tallystick_ledger.records import Scope
from tallystick_node.errors import DeniedError, UnauthenticatedError

_LEDGER: Final = "/tallystick.v1.Ledger/"
_PEER: Final = "/tallystick.v1.Peer/"
_HEALTH: Final = "/grpc.health.v1.Health/"
_REFLECTION: Final = "/grpc.reflection.v1alpha.ServerReflection/"


class Token(Enum):
    """Whether a call needs a read token."""

    NONE = auto()  # one that comes all the same is not looked at
    ON_DEMAND = auto()  # for some requests
    REQUIRED = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of one RPC.

    Attributes:
        who: Who may call it, in the words of docs/security.md.
        token: Whether a read token proves it.
    """

    who: str
    token: Token


_ANYBODY: Final = Rule("anybody", Token.NONE)
_PINNED_PEERS: Final = Rule(
    "the other nodes of the genesis, with the pinned certificate", Token.NONE
)

RULES: Final[dict[str, Rule]] = {
    _LEDGER + "Submit": Rule("anybody; the signatures inside decide", Token.NONE),
    _LEDGER + "SubmitStream": Rule("anybody; the signatures inside decide", Token.NONE),
    _LEDGER + "GetAccounts": Rule("the account's owner; AUDIT", Token.REQUIRED),
    _LEDGER + "GetHolds": Rule("the owner of either account; AUDIT", Token.REQUIRED),
    _LEDGER + "GetChannels": Rule("the owner of either account; AUDIT", Token.REQUIRED),
    _LEDGER + "GetLimits": Rule(
        "keys of the principal; AUDIT; for zones any active key", Token.REQUIRED
    ),
    _LEDGER + "GetNetting": Rule(
        "the unit's issuer; members, of what is theirs; AUDIT", Token.REQUIRED
    ),
    _LEDGER + "GetMandates": Rule("the principal asked about; AUDIT", Token.REQUIRED),
    _LEDGER + "GetClaims": Rule("the principal asked about; AUDIT", Token.REQUIRED),
    _LEDGER + "GetCards": Rule("any active key; drafts: their owner, AUDIT", Token.REQUIRED),
    _LEDGER + "ListCards": Rule("any active key; drafts: their owner, AUDIT", Token.REQUIRED),
    _LEDGER + "ListPrices": Rule("any active key; drafts: their owner, AUDIT", Token.REQUIRED),
    _LEDGER + "GetNames": Rule("any active key", Token.REQUIRED),
    _LEDGER + "ListNames": Rule("any active key", Token.REQUIRED),
    _LEDGER + "GetDisputes": Rule("the principal asked about; AUDIT", Token.REQUIRED),
    _LEDGER + "GetGrants": Rule("the principal asked about; AUDIT", Token.REQUIRED),
    _LEDGER + "GetEnvelope": Rule("the signer's principal; AUDIT", Token.REQUIRED),
    _LEDGER + "ListRecords": Rule("the account's owner; AUDIT", Token.REQUIRED),
    _LEDGER + "Watch": Rule("the account's owner; AUDIT", Token.REQUIRED),
    _LEDGER + "GetStatus": Rule("anybody; with the digest: any active key", Token.ON_DEMAND),
    _PEER + "Bulk": _PINNED_PEERS,
    _PEER + "Control": _PINNED_PEERS,
    _HEALTH + "Check": _ANYBODY,
    _HEALTH + "List": _ANYBODY,
    _HEALTH + "Watch": _ANYBODY,
    _REFLECTION + "ServerReflectionInfo": _ANYBODY,
}
"""By the full name of the RPC as in the call's path. The words are those of docs/security.md."""

_OF_ACCOUNTS: Final = frozenset({Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ, Scope.AUDIT})
_OF_ENVELOPES: Final = _OF_ACCOUNTS | {Scope.NODE, Scope.OPERATE}

# Parts of state rows (docs/format.md section 10).
_KEY_ROW: Final = struct.Struct("<32s16sHHIQQQ")
_ACTIVE: Final = 1
_ACCOUNT_ROW_BYTES: Final = 136
_ACCOUNT_OWNER: Final = slice(16, 32)
_HOLD_ROW_BYTES: Final = 112
_HOLD_ACCOUNTS: Final = slice(16, 48)
_LIMIT_ROW_BYTES: Final = 120
_LIMIT_ZONE: Final = slice(56, 72)
_CARD_ROW_BYTES: Final = 392
_CARD_OWNER: Final = slice(16, 32)
_CARD_STATUS: Final = slice(132, 134)
_PUBLISHED: Final = (2).to_bytes(2, "little")
_ID_BYTES: Final = 16
NO_ACCOUNT: Final = bytes(_ACCOUNT_ROW_BYTES)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, as the state has it.

    Attributes:
        principal: Whose key it is, 16 bytes.
        scope: Of the key.
    """

    principal: PrincipalId
    scope: int

    @property
    def is_auditor(self) -> bool:
        """Whether it may see everything."""
        return self.scope == Scope.AUDIT


def reader_of(key: PublicKey, row: bytes | None, now_ns: int) -> Reader:
    """Looks at a key's row, for a caller who has proved to hold the key.

    Args:
        key: 32 bytes.
        row: Its row of state table 3, None where there is none.
        now_ns: The later of log time and the node's clock.

    Raises:
        UnauthenticatedError: The key is not registered, revoked, or its time is over.
    """
    if row is None:
        raise UnauthenticatedError(
            f"the key {key.hex()} is not registered, as far as this node has applied"
        )
    _, principal, scope, status, _, _, until_ns, _ = _KEY_ROW.unpack(row)
    if status != _ACTIVE:
        raise UnauthenticatedError(f"the key {key.hex()} is revoked")
    if until_ns and until_ns <= now_ns:
        raise UnauthenticatedError(f"the time of the key {key.hex()} is over")
    return Reader(PrincipalId(principal), scope)


def require_account_reader(reader: Reader) -> None:
    """Lets through who may see any accounts, holds or history at all.

    Raises:
        DeniedError: The key's scope reads none.
    """
    if reader.scope not in _OF_ACCOUNTS:
        raise DeniedError(
            f"a key of scope {_name(reader.scope)} reads no accounts: OWNER, SPEND, METER and READ "
            "keys read their principal's, an AUDIT key reads all"
        )


def require_principal_reader(reader: Reader, principal: bytes) -> None:
    """Lets through who may see mandates, claims, disputes and grants of a principal.

    Args:
        reader: Who asks.
        principal: Whom the request names, 16 bytes.

    Raises:
        DeniedError: The key's scope reads none of that, or the principal is another's.
    """
    require_account_reader(reader)
    if not may_read_limits(reader, principal):
        raise DeniedError(
            "mandates, claims, disputes and grants are for keys of the principals that they "
            f"concern, and for AUDIT keys; this key belongs to {reader.principal.hex()}"
        )


def require_envelope_reader(reader: Reader, principal: bytes | None) -> None:
    """Lets through who may ask for envelopes, and for those of `principal`.

    Args:
        reader: Who asks.
        principal: Whose envelope is asked for, where the request names it.

    Raises:
        DeniedError: The key's scope reads none, or the principal is another's.
    """
    if reader.scope not in _OF_ENVELOPES:
        raise DeniedError(f"a key of scope {_name(reader.scope)} reads no envelopes")
    if principal is not None and not may_read_envelope(reader, principal):
        raise DeniedError(
            "envelopes are for keys of the principal that signed them, and for AUDIT keys; "
            f"this key belongs to {reader.principal.hex()}"
        )


def may_read_envelope(reader: Reader, principal: bytes | None) -> bool:
    """Whether a reader past `require_envelope_reader` may see this envelope.

    Args:
        reader: Who asks.
        principal: That of the key that signed it; None where that key is not registered.
    """
    return reader.is_auditor or principal == reader.principal


def may_read_account(reader: Reader, row: bytes) -> bool:
    """Whether a reader past `require_account_reader` may see this account and its history.

    A No has to be answered exactly as if there were no such account.

    Args:
        reader: Who asks.
        row: 136 bytes of state table 6; all zero, as the kernel gives it, where there is none.
    """
    if row == NO_ACCOUNT:
        return False
    return reader.is_auditor or row[_ACCOUNT_OWNER] == reader.principal


def may_read_limits(reader: Reader, principal: bytes) -> bool:
    """Whether a reader past `require_account_reader` may see what bounds a principal's spending.

    A No has to be answered exactly as if there were no limits.
    """
    return reader.is_auditor or principal == reader.principal


def zones_of_limits(rows: bytes) -> list[bytes]:
    """Ids of the zones that limits name, 16 bytes each, as they come.

    Args:
        rows: 120 bytes each, of state table 20.
    """
    starts = range(0, len(rows), _LIMIT_ROW_BYTES)
    return [rows[start : start + _LIMIT_ROW_BYTES][_LIMIT_ZONE] for start in starts]


def visible_accounts(reader: Reader, rows: bytes) -> bytes:
    """Blanks the rows that a reader past `require_account_reader` may not see.

    Args:
        reader: Who asks.
        rows: 136 bytes each, of state table 6 or all zero.

    Returns:
        As many bytes: foreign rows are all zero, as absent ones are.
    """
    owners = _owners(rows)
    return _visible(reader, rows, _ACCOUNT_ROW_BYTES, zip(owners, strict=True))


def accounts_of_holds(rows: bytes, count: int) -> bytes:
    """Ids of the accounts that holds name: payer and payee of each, 16 bytes each.

    Also for channels, whose rows name both in the same place.

    Args:
        rows: Rows of state table 7 (or 10) or all zero.
        count: How many.
    """
    size = len(rows) // count
    return b"".join(
        rows[start : start + size][_HOLD_ACCOUNTS] for start in range(0, len(rows), size)
    )


def visible_holds(reader: Reader, rows: bytes, count: int, accounts: bytes) -> bytes:
    """Blanks the holds (or channels) that a reader past `require_account_reader` may not see.

    Args:
        reader: Who asks.
        rows: Rows of state table 7 (or 10) or all zero.
        count: How many.
        accounts: Rows of state table 6 of `accounts_of_holds`.

    Returns:
        As `visible_accounts`; payer's and payee's owner see a hold.
    """
    owners = _owners(accounts)
    pairs = zip(owners[::2], owners[1::2], strict=True)
    return _visible(reader, rows, len(rows) // count, pairs)


def visible_terms(holds: bytes, terms: bytes) -> bytes:
    """Blanks the terms of the holds that are blank.

    Args:
        holds: What `visible_holds` returned.
        terms: As many rows of state table 14 or all zero.
    """
    count = len(holds) // _HOLD_ROW_BYTES
    size = len(terms) // count
    blank, no_hold = bytes(size), bytes(_HOLD_ROW_BYTES)
    return b"".join(
        terms[at * size : (at + 1) * size]
        if holds[at * _HOLD_ROW_BYTES : (at + 1) * _HOLD_ROW_BYTES] != no_hold
        else blank
        for at in range(count)
    )


def visible_cards(reader: Reader, rows: bytes) -> bytes:
    """Blanks the drafts that a reader may not see.

    Args:
        reader: Who asks.
        rows: Rows of state table 11 or all zero.

    Returns:
        As `visible_accounts`.
    """
    starts = range(0, len(rows), _CARD_ROW_BYTES)
    each = (rows[start : start + _CARD_ROW_BYTES] for start in starts)
    return b"".join(row if _may_read_card(reader, row) else bytes(len(row)) for row in each)


def _may_read_card(reader: Reader, row: bytes) -> bool:
    is_own = reader.is_auditor or row[_CARD_OWNER] == reader.principal
    return is_own or row[_CARD_STATUS] == _PUBLISHED


def _name(scope: int) -> str:
    return Scope(scope).name if scope in set(Scope) else str(scope)


def _owners(accounts: bytes) -> list[bytes]:
    """Who owns each of these accounts; all zero stands for nobody."""
    starts = range(0, len(accounts), _ACCOUNT_ROW_BYTES)
    return [accounts[start : start + _ACCOUNT_ROW_BYTES][_ACCOUNT_OWNER] for start in starts]


def _visible(reader: Reader, rows: bytes, size: int, owners: Iterable[tuple[bytes, ...]]) -> bytes:
    """The rows one of whose owners is the reader's principal; the others blank."""
    if reader.is_auditor:
        return rows
    blank = bytes(size)
    return b"".join(
        rows[position * size : (position + 1) * size] if reader.principal in each else blank
        for position, each in enumerate(owners)
    )
