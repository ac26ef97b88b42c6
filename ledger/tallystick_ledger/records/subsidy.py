"""Records of subsidies: GRANT funds one, CLAW_BACK ends it, RELATION says who is related to whom.

A grant is a sponsor's money set aside for one principal. Nobody spends it by name: it pays a share
of what that principal reserves wherever its earmarks fit. Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    GrantId,
    ListId,
    PrincipalId,
    TimestampNs,
    require_uint,
)
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_head,
    check_kind_and_flags,
    check_zero,
    enum_field,
    require,
    require_id,
    require_nonce,
    require_reference,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Flags, Group, Kind, RelationOperation

# kind, flags, cont_count, priority; pool; grantee; amount; reference; expires_at_ns; cont_hash;
# nonce
_GRANT: Final = struct.Struct("<HHHH16s16s16s16sQ32s16s")
# providers; models; regions; registrar; exclusivity; cap; ratio
_GRANT_CONT: Final = struct.Struct("<16s16s16s16s16s16sI4x")
_GRANT_CONTS: Final = 1
# kind, flags, cont_count and reserved; grant; reserved and cont_hash; nonce
_CLAW_BACK: Final = struct.Struct("<HHI16s88x16s")
# kind, flags, cont_count, operation; first; second; reserved and cont_hash; nonce
_RELATION: Final = struct.Struct("<HHHH16s16s72x16s")


@dataclass(frozen=True, slots=True)
class Grant(Record):
    """Sets money of a pool aside for a principal. Signed by OWNER of the pool's owner.

    Attributes:
        pool_account: Where the money comes from, and what is left of it goes back to.
        grantee: Whose holds it pays for.
        amount: 1 to 2**128 - 1, in the pool's unit.
        expires_at_ns: When what is left goes back by itself.
        ratio: Share of each charge that it pays, in parts per million, 1 to 1,000,000.
        priority: Grants with a lower number pay first.
        cap: What it pays of one charge at most; 0 for no cap.
        providers: LIST of principals that it pays to; zero for any.
        models: LIST of NAMEs of models that it pays for; zero for any, without a card, too.
        regions: LIST of NAMEs of regions; all that a hold permits must stand there. Zero: any.
        registrar: Whose RELATIONs keep it from paying related parties; zero for none.
        exclusivity: No two live grants to one principal have the same; zero for none.
        reference: The caller's own number, free; not 0 with `unique`.
        unique: Refuse it if the reference was used within the ledger's window.
    """

    KIND: ClassVar[Kind] = Kind.GRANT
    GROUP: ClassVar[Group] = Group.SUBSIDY

    pool_account: AccountId
    grantee: PrincipalId
    amount: int
    expires_at_ns: TimestampNs
    ratio: int = limits.RATIO_UNITS
    priority: int = 0
    cap: int = 0
    providers: ListId = ListId(NO_ID)  # noqa: RUF009 - a constant, as the next four
    models: ListId = ListId(NO_ID)  # noqa: RUF009
    regions: ListId = ListId(NO_ID)  # noqa: RUF009
    registrar: PrincipalId = PrincipalId(NO_ID)  # noqa: RUF009
    exclusivity: bytes = NO_ID
    reference: int = 0
    unique: bool = False

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        for name in ("pool_account", "grantee", "providers", "models", "regions"):
            require_id(name, getattr(self, name))
        require_id("registrar", self.registrar)
        require_id("exclusivity", self.exclusivity)
        require_uint("priority", self.priority, limits.MAX_U16)
        require_u64("expires_at_ns", self.expires_at_ns)
        require_u128("cap", self.cap)
        require_u128("amount", self.amount)
        fits = 1 <= self.ratio <= limits.RATIO_UNITS
        require(fits, Code.BAD_FIELD, f"a ratio of {self.ratio} parts per million")
        require_reference(self.unique, self.reference)
        require(self.amount > 0, Code.ZERO_AMOUNT, "the amount is zero")
        is_own = self.registrar != NO_ID and self.registrar == self.grantee
        require(not is_own, Code.SELF_DECLARED, "the grantee is the registrar")

    @property
    def record_count(self) -> int:
        """The head and its CONT."""
        return 1 + _GRANT_CONTS

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        content = _GRANT_CONT.pack(
            self.providers,
            self.models,
            self.regions,
            self.registrar,
            self.exclusivity,
            u128_bytes(self.cap),
            self.ratio,
        )
        conts = cont.encode(content, nonce[limits.NONCE_BYTES :])
        head = _GRANT.pack(
            Kind.GRANT,
            Flags.UNIQUE if self.unique else 0,
            _GRANT_CONTS,
            self.priority,
            self.pool_account,
            self.grantee,
            u128_bytes(self.amount),
            u128_bytes(self.reference),
            self.expires_at_ns,
            cont.cont_hash(conts),
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        if len(data) < limits.RECORD_BYTES:
            raise FieldError(f"a record has 128 bytes, not {len(data)}")
        head, conts = data[: limits.RECORD_BYTES], data[limits.RECORD_BYTES :]
        flags, cont_count = check_kind_and_flags(cls, head)
        require(cont_count == _GRANT_CONTS, Code.CONT_NOT_ALLOWED, f"{cont_count} CONTs")
        content = cont.content(conts)
        check_zero(content, ((100, limits.CONT_PAYLOAD_BYTES),))
        _, _, _, priority, pool, grantee, amount, reference, expires_at, _, _ = _GRANT.unpack(head)
        providers, models, regions, registrar, key, cap, ratio = _GRANT_CONT.unpack(content)
        return cls(
            AccountId(pool),
            PrincipalId(grantee),
            u128(amount),
            TimestampNs(expires_at),
            ratio,
            priority,
            u128(cap),
            ListId(providers),
            ListId(models),
            ListId(regions),
            PrincipalId(registrar),
            key,
            u128(reference),
            unique=bool(flags & Flags.UNIQUE),
        )


@dataclass(frozen=True, slots=True)
class ClawBack(Record):
    """Ends a grant: what no hold pins goes back at once. Signed by OWNER of its sponsor.

    Attributes:
        grant: The grant.
    """

    KIND: ClassVar[Kind] = Kind.CLAW_BACK
    GROUP: ClassVar[Group] = Group.SUBSIDY

    grant: GrantId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("grant", self.grant)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _CLAW_BACK.pack(Kind.CLAW_BACK, 0, 0, self.grant, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (24, 112)))
        return cls(GrantId(_CLAW_BACK.unpack(data)[3]))


@dataclass(frozen=True, slots=True)
class Relation(Record):
    """States that two principals are related, or that they no longer are. Signed by a registrar.

    Attributes:
        operation: STATE or END.
        first: A principal.
        second: Another one, with a higher id: a relation has no direction.
    """

    KIND: ClassVar[Kind] = Kind.RELATION
    GROUP: ClassVar[Group] = Group.SUBSIDY

    operation: RelationOperation
    first: PrincipalId
    second: PrincipalId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("first", self.first)
        require_id("second", self.second)
        require(self.first < self.second, Code.BAD_FIELD, "the principals are not ascending")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _RELATION.pack(Kind.RELATION, 0, 0, self.operation, self.first, self.second, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((40, 80), CONT_HASH_RANGE))
        _, _, _, operation, first, second, _ = _RELATION.unpack(data)
        kind = enum_field(RelationOperation, operation)
        return cls(kind, PrincipalId(first), PrincipalId(second))
