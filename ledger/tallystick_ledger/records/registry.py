"""Records of the registry: PRINCIPAL, KEY and ACCOUNT. NAME has a file of its own.

PRINCIPAL and KEY hold a proof that the new key is possessed, made with `keys.prove_possession`;
it fills the place of the nonce. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    PrincipalId,
    PublicKey,
    Signature,
    TimestampNs,
    UnitId,
    require_length,
)
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    enum_field,
    require,
    require_id,
    require_nonce,
    require_u64,
)
from tallystick_ledger.records.kinds import (
    ADDABLE_SCOPES,
    REGISTRABLE_TYPES,
    AccountOperation,
    Group,
    KeyOperation,
    Kind,
    PrincipalType,
    Scope,
)

NO_POSSESSION: Final = Signature(bytes(limits.SIGNATURE_BYTES))

# kind, flags, cont_count, type; key; possession; principal; reserved
_PRINCIPAL: Final = struct.Struct("<HHHH32s64s16s8x")
# kind, flags, cont_count; operation, scope; key; possession; principal; until_ns
_KEY: Final = struct.Struct("<HHHBB32s64s16sQ")
# kind, flags, cont_count, operation; unit; account; reserved and cont_hash; nonce
_ACCOUNT: Final = struct.Struct("<HHHH16s16s72x16s")


@dataclass(frozen=True, slots=True)
class Principal(Record):
    """Registers a principal with its first OWNER key. Signed by an operator.

    Attributes:
        principal_type: Organisation, individual or service.
        key: The first key, which gets scope OWNER.
        possession: Proof by `key` for `principal`.
        principal: The id that this record derives.
    """

    KIND: ClassVar[Kind] = Kind.PRINCIPAL
    GROUP: ClassVar[Group] = Group.REGISTRY

    principal_type: PrincipalType
    key: PublicKey
    possession: Signature
    principal: PrincipalId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_length("possession", self.possession, limits.SIGNATURE_BYTES)
        require_id("principal", self.principal)
        require(
            self.principal_type in REGISTRABLE_TYPES,
            Code.BAD_FIELD,
            f"principals of type {self.principal_type} stand in a genesis only",
        )

    @property
    def nonce_bytes(self) -> int:
        """Zero: the proof of possession is in the nonce's place."""
        return 0

    def encode(self, nonce: bytes = b"") -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, 0)
        return _PRINCIPAL.pack(
            Kind.PRINCIPAL, 0, 0, self.principal_type, self.key, self.possession, self.principal
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((120, 128),))
        _, _, _, principal_type, key, possession, principal = _PRINCIPAL.unpack(data)
        return cls(
            enum_field(PrincipalType, principal_type),
            PublicKey(key),
            Signature(possession),
            PrincipalId(principal),
        )


@dataclass(frozen=True, slots=True)
class Key(Record):
    """Adds, revokes or rotates a key of the signer's principal.

    Attributes:
        operation: ADD a key, REVOKE one, or ROTATE: replace the signing key by `key`.
        key: The key that is added or revoked, or that takes over.
        principal: The signer's principal.
        scope: ADD only: what the key may do; not NODE or OPERATE. Else None.
        possession: ADD and ROTATE: proof by `key` for `principal`. Else all zero.
        until_ns: ADD: when the key's time ends, 0 for never. ROTATE: when the old key's overlap
            ends, 0 for at once. REVOKE: 0.
    """

    KIND: ClassVar[Kind] = Kind.KEY
    GROUP: ClassVar[Group] = Group.REGISTRY

    operation: KeyOperation
    key: PublicKey
    principal: PrincipalId
    scope: Scope | None = None
    possession: Signature = NO_POSSESSION
    until_ns: TimestampNs = TimestampNs(0)  # noqa: RUF009 - a number

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("key", self.key, limits.KEY_BYTES)
        require_id("principal", self.principal)
        require_length("possession", self.possession, limits.SIGNATURE_BYTES)
        require_u64("until_ns", self.until_ns)
        if self.operation is KeyOperation.ADD:
            why = "ADD takes no scope of nodes and operators"
            require(self.scope in ADDABLE_SCOPES, Code.BAD_FIELD, why)
        else:
            require(self.scope is None, Code.BAD_FIELD, "only ADD has a scope")
        if self.operation is KeyOperation.REVOKE:
            require(
                self.until_ns == 0 and self.possession == NO_POSSESSION,
                Code.RESERVED_NONZERO,
                "REVOKE has neither until_ns nor a proof of possession",
            )

    @property
    def nonce_bytes(self) -> int:
        """Zero: the proof of possession is in the nonce's place."""
        return 0

    def encode(self, nonce: bytes = b"") -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, 0)
        return _KEY.pack(
            Kind.KEY,
            0,
            0,
            self.operation,
            0 if self.scope is None else self.scope,
            self.key,
            self.possession,
            self.principal,
            self.until_ns,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ())
        _, _, _, operation, scope, key, possession, principal, until_ns = _KEY.unpack(data)
        return cls(
            enum_field(KeyOperation, operation),
            PublicKey(key),
            PrincipalId(principal),
            enum_field(Scope, scope) if scope else None,
            Signature(possession),
            TimestampNs(until_ns),
        )


@dataclass(frozen=True, slots=True)
class Account(Record):
    """Opens, freezes, unfreezes or closes an account of the signer's principal.

    Attributes:
        operation: What to do.
        unit: OPEN only: what the account counts in. The account gets the derived id.
        account: All but OPEN: which account.
    """

    KIND: ClassVar[Kind] = Kind.ACCOUNT
    GROUP: ClassVar[Group] = Group.REGISTRY

    operation: AccountOperation
    unit: UnitId = UnitId(NO_ID)  # noqa: RUF009 - immutable bytes
    account: AccountId = AccountId(NO_ID)  # noqa: RUF009 - immutable bytes

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        require_id("account", self.account)
        if self.operation is AccountOperation.OPEN:
            require(self.account == NO_ID, Code.RESERVED_NONZERO, "OPEN names no account")
        else:
            require(self.unit == NO_ID, Code.RESERVED_NONZERO, "only OPEN names a unit")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _ACCOUNT.pack(Kind.ACCOUNT, 0, 0, self.operation, self.unit, self.account, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((40, 112),))
        _, _, _, operation, unit, account, _ = _ACCOUNT.unpack(data)
        return cls(enum_field(AccountOperation, operation), UnitId(unit), AccountId(account))
