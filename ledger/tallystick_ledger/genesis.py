"""The genesis: what a ledger is, before its first block. Its hash is the ledger's id.

A genesis has one encoding, so that the id is a function of its content: `decode` accepts only
what `encode` makes. Source: docs/format.md section 3.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from tallystick_ledger import keys, limits
from tallystick_ledger.errors import FieldError, GenesisError
from tallystick_ledger.ids import LedgerId, PublicKey, require_length, require_uint

MAGIC: Final = b"TSG1"
FORMAT_VERSION: Final = 1
RULES_VERSION: Final = 1

_SECOND_NS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _SECOND_NS

# magic, format, rules, random, origin, lifetime, reference window, quorum, operators, nodes, caps:
# live ids, accounts, holds, keys, names; hold lifetime, hold retention; predecessor: ledger id,
# size, root, state digest; cap: references; reserved
_HEADER: Final = struct.Struct("<4sHH32s64sQQIIIIIIIIQQ32sQ32s32sI44x")
# raft id, transport identity, ledger key, cosigner key, reserved
_NODE: Final = struct.Struct("<Q32s32s32s24x")

_ORIGIN_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-/")
_NO_HASH: Final = bytes(limits.HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Caps:
    """What one principal may have at a time. Each is 1 to 2**32 - 1; together they bound the state.

    Attributes:
        live_ids: Envelope ids that are still remembered.
        accounts: Accounts, closed ones included.
        open_holds: Open holds that it pays.
        keys: Keys, whatever their status.
        names: Names.
        references: UNIQUE references that are still remembered.
    """

    live_ids: int = 1_000_000
    accounts: int = 100_000
    open_holds: int = 1_000_000
    keys: int = 1_000
    names: int = 100_000
    references: int = 1_000_000

    def __post_init__(self) -> None:
        """Raises FieldError for a cap out of range."""
        for name in self.__slots__:
            require_uint(f"cap on {name}", getattr(self, name), limits.MAX_U32, 1)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The ledger that this one continues, where it ended.

    Attributes:
        ledger_id: 32 bytes, not zero.
        tree_size: Leaves of its log.
        tree_root: 32 bytes.
        state_digest: 32 bytes.
    """

    ledger_id: LedgerId
    tree_size: int
    tree_root: bytes
    state_digest: bytes

    def __post_init__(self) -> None:
        """Raises FieldError for a value out of range."""
        require_length("predecessor's ledger id", self.ledger_id, limits.HASH_BYTES)
        require_uint("predecessor's tree size", self.tree_size, limits.MAX_U64)
        require_length("predecessor's tree root", self.tree_root, limits.HASH_BYTES)
        require_length("predecessor's state digest", self.state_digest, limits.HASH_BYTES)
        if self.ledger_id == _NO_HASH:
            raise FieldError("a predecessor's ledger id is not zero")


@dataclass(frozen=True, slots=True)
class GenesisNode:
    """A node that the ledger starts with.

    Attributes:
        raft_id: 1 to 65,535.
        transport_identity: SHA-256 of its TLS certificate's DER SubjectPublicKeyInfo.
        ledger_key: Signs system records.
        cosigner_key: Cosigns checkpoints.
    """

    raft_id: int
    transport_identity: bytes
    ledger_key: PublicKey
    cosigner_key: PublicKey

    def __post_init__(self) -> None:
        """Raises FieldError for a value out of range."""
        require_uint("Raft id", self.raft_id, limits.MAX_RAFT_ID, 1)
        require_length("transport identity", self.transport_identity, limits.HASH_BYTES)
        require_length("ledger key", self.ledger_key, limits.KEY_BYTES)
        require_length("cosigner key", self.cosigner_key, limits.KEY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """A ledger's fixed facts. Making one checks them all.

    Attributes:
        random_bytes: 32 bytes that make the ledger's id its own.
        origin: Its public name, such as `example.org/ledger`: 1 to 63 of `a-z 0-9 . - /`.
        operators: Operator keys; sorted on making.
        operator_quorum: How many of them must agree.
        nodes: The first nodes; sorted by Raft id on making.
        max_lifetime_ns: Longest life of an envelope.
        reference_window_ns: How long a UNIQUE reference is remembered.
        hold_max_lifetime_ns: Longest life of a hold.
        hold_retention_ns: How long an ended hold is remembered.
        caps: Bounds for each principal.
        predecessor: What it continues, if anything.
        rules_version: Rules that the first block follows.
        ledger_id: SHA-256 of the encoding.

    Raises:
        GenesisError: A fact that no genesis may have.
        FieldError: A value that its field cannot hold.
    """

    random_bytes: bytes
    origin: str
    operators: Sequence[PublicKey]
    nodes: Sequence[GenesisNode]
    operator_quorum: int = 1
    max_lifetime_ns: int = 600 * _SECOND_NS
    reference_window_ns: int = _DAY_NS
    hold_max_lifetime_ns: int = 7 * _DAY_NS
    hold_retention_ns: int = 3600 * _SECOND_NS
    caps: Caps = field(default_factory=Caps)
    predecessor: Predecessor | None = None
    rules_version: int = RULES_VERSION
    ledger_id: LedgerId = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Sorts the lists, checks everything and computes the id."""
        set_field = object.__setattr__  # the dataclass is frozen for everybody else
        set_field(self, "operators", tuple(sorted(self.operators)))
        set_field(self, "nodes", tuple(sorted(self.nodes, key=lambda node: node.raft_id)))
        self._check_scalars()
        self._check_keys()
        set_field(self, "ledger_id", LedgerId(hashlib.sha256(self.encode()).digest()))

    def encode(self) -> bytes:
        """Returns the genesis file: 320 bytes, 32 for each operator, 128 for each node."""
        predecessor = self.predecessor
        before = (
            (_NO_HASH, 0, _NO_HASH, _NO_HASH)
            if predecessor is None
            else (
                predecessor.ledger_id,
                predecessor.tree_size,
                predecessor.tree_root,
                predecessor.state_digest,
            )
        )
        header = _HEADER.pack(
            MAGIC,
            FORMAT_VERSION,
            self.rules_version,
            self.random_bytes,
            self.origin.encode("ascii"),
            self.max_lifetime_ns,
            self.reference_window_ns,
            self.operator_quorum,
            len(self.operators),
            len(self.nodes),
            self.caps.live_ids,
            self.caps.accounts,
            self.caps.open_holds,
            self.caps.keys,
            self.caps.names,
            self.hold_max_lifetime_ns,
            self.hold_retention_ns,
            *before,
            self.caps.references,
        )
        nodes = (
            _NODE.pack(node.raft_id, node.transport_identity, node.ledger_key, node.cosigner_key)
            for node in self.nodes
        )
        return b"".join((header, *self.operators, *nodes))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads a genesis file.

        Raises:
            GenesisError: The bytes are not what `encode` makes.
        """
        if len(data) < limits.GENESIS_HEADER_BYTES:
            raise GenesisError(f"{len(data)} bytes are no genesis")
        try:
            genesis = cls._read(bytes(data))
        except FieldError as error:
            raise GenesisError(str(error)) from error
        if genesis.encode() != data:
            raise GenesisError("not canonical: reserved bytes, order, padding or length")
        return genesis

    @classmethod
    def _read(cls, data: bytes) -> Self:
        fields = _HEADER.unpack_from(data)
        magic, format_version, rules_version, random_bytes, origin = fields[:5]
        operator_count, node_count = fields[8:10]
        if magic != MAGIC or format_version != FORMAT_VERSION:
            raise GenesisError("magic or format version is not that of a genesis")
        _require_count("operators", operator_count, limits.MAX_OPERATORS)
        _require_count("nodes", node_count, limits.MAX_NODES)
        nodes_at = limits.GENESIS_HEADER_BYTES + limits.KEY_BYTES * operator_count
        end = nodes_at + limits.GENESIS_NODE_BYTES * node_count
        if len(data) != end:
            raise GenesisError(f"the header promises {end} bytes, there are {len(data)}")
        return cls(
            random_bytes=random_bytes,
            origin=_read_origin(origin),
            operators=[
                PublicKey(data[start : start + limits.KEY_BYTES])
                for start in range(limits.GENESIS_HEADER_BYTES, nodes_at, limits.KEY_BYTES)
            ],
            nodes=[
                GenesisNode(*_NODE.unpack_from(data, start))
                for start in range(nodes_at, end, limits.GENESIS_NODE_BYTES)
            ],
            operator_quorum=fields[7],
            max_lifetime_ns=fields[5],
            reference_window_ns=fields[6],
            hold_max_lifetime_ns=fields[15],
            hold_retention_ns=fields[16],
            caps=Caps(
                fields[10], fields[11], fields[12], fields[13], fields[14], references=fields[21]
            ),
            predecessor=None if fields[17] == _NO_HASH else Predecessor(*fields[17:21]),
            rules_version=rules_version,
        )

    def _check_scalars(self) -> None:
        require_length("random bytes", self.random_bytes, 32)
        raw = self.origin.encode("utf-8", "surrogatepass")
        if not 1 <= len(raw) <= limits.MAX_ORIGIN_BYTES or not _ORIGIN_BYTES.issuperset(raw):
            raise GenesisError(f"origin {self.origin!r} is not 1 to 63 of a-z 0-9 . - /")
        if self.rules_version != RULES_VERSION:
            raise GenesisError(f"rules version {self.rules_version} is not known")
        require_uint(
            "max_lifetime_ns",
            self.max_lifetime_ns,
            limits.MAX_LIFETIME_NS,
            limits.MIN_LIFETIME_NS,
        )
        require_uint(
            "reference_window_ns",
            self.reference_window_ns,
            limits.MAX_REFERENCE_WINDOW_NS,
            limits.MIN_REFERENCE_WINDOW_NS,
        )
        require_uint(
            "hold_max_lifetime_ns",
            self.hold_max_lifetime_ns,
            limits.MAX_U64,
            limits.MIN_HOLD_LIFETIME_NS,
        )
        require_uint("hold_retention_ns", self.hold_retention_ns, limits.MAX_U64)

    def _check_keys(self) -> None:
        _require_count("operators", len(self.operators), limits.MAX_OPERATORS)
        _require_count("nodes", len(self.nodes), limits.MAX_NODES)
        require_uint("operator_quorum", self.operator_quorum, len(self.operators), 1)
        for operator in self.operators:
            require_length("operator key", operator, limits.KEY_BYTES)
        if len({node.raft_id for node in self.nodes}) != len(self.nodes):
            raise GenesisError("two nodes have one Raft id")
        registered = [*self.operators, *(node.ledger_key for node in self.nodes)]
        if len(set(registered)) != len(registered):
            raise GenesisError("operator and ledger keys must be distinct")
        for key in registered:
            if not keys.is_acceptable_key(key):
                raise GenesisError(f"key {key.hex()} is not canonical or not of prime order")


def _require_count(what: str, count: int, maximum: int) -> None:
    if not 1 <= count <= maximum:
        raise GenesisError(f"{count} {what}, not 1 to {maximum}")


def _read_origin(origin: bytes) -> str:
    try:
        return origin.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise GenesisError("the origin is not ASCII") from error
