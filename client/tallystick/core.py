"""What the groups of client methods share: the connection, the ledger, who signs, and sending."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tallystick import limits
from tallystick.draft import Draft
from tallystick.envelopes import Stored
from tallystick.errors import ConfigurationError, InvalidArgument, TallystickError
from tallystick.keyfile import Signer
from tallystick.nodes import NodePool
from tallystick.reads import Reader
from tallystick.results import Receipt
from tallystick.retry import Surroundings
from tallystick.submitter import Submitter
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import (
    CardId,
    LedgerId,
    NameId,
    PrincipalId,
    PublicKey,
    TimestampNs,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import HASH_BYTES, MAX_RECORDS

if TYPE_CHECKING:
    from tallystick.market import ListedCard

_NS_PER_S = 1_000_000_000


class ClientCore:
    """One client: a pool of connections, a queue of envelopes, and a signer."""

    def __init__(
        self,
        endpoints: Sequence[str],
        ledger: Genesis | bytes,
        *,
        tls: bytes | None,
        signer: Signer | SigningKey | None = None,
        read_key: Signer | SigningKey | None = None,
        valid_for_s: float = limits.DEFAULT_VALID_FOR_S,
        attempt_timeout_s: float = limits.DEFAULT_ATTEMPT_TIMEOUT_S,
        read_deadline_s: float = limits.DEFAULT_READ_DEADLINE_S,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Opens nothing yet; connections are made when they are needed.

        Args:
            endpoints: `host:port` of each node's client port; the more, the better a failure of
                some is survived.
            ledger: The genesis, its bytes, or the ledger id (32 bytes).
            tls: PEM certificates of the authorities that sign the nodes' certificates; None for
                connections without TLS, which anybody in between can read and answer.
            signer: Who signs unless a call names somebody else. A bare key must be an operator's,
                and `ledger` the genesis. None for a client that only reads, or names one each time.
            read_key: Whose key signs reads, such as a READ or AUDIT key; None for the signer's.
            valid_for_s: How long an envelope may be ordered, from its making; at most the genesis'
                `max_lifetime_ns`.
            attempt_timeout_s: After this long without an answer another node is asked.
            read_deadline_s: After this long a read fails.
            surroundings: Clock and randomness; None for the machine's.

        Raises:
            ConfigurationError: No usable endpoint, ledger or signer.
        """
        self._surroundings = surroundings or Surroundings()
        self._genesis, self._ledger_id = _read_ledger(ledger)
        self._signers: dict[PublicKey, PrincipalId] = {}
        self._keys: dict[PrincipalId, SigningKey] = {}
        self._read_key = read_key.key if isinstance(read_key, Signer) else read_key
        self._read_principal = read_key.principal if isinstance(read_key, Signer) else None
        self._signer = None if signer is None else self._as_signer(signer)
        self._valid_for_s = valid_for_s
        if self._genesis and valid_for_s * _NS_PER_S > self._genesis.max_lifetime_ns:
            raise ConfigurationError(
                f"valid_for_s is {valid_for_s:g}, longer than this ledger lets an envelope live."
            )
        self._read_deadline_s = read_deadline_s
        self._pool = NodePool(endpoints, tls)
        self._reader = Reader(self._pool, self._ledger_id, self._surroundings, attempt_timeout_s)
        self._submitter = Submitter(
            self._pool, self._look_up, self._surroundings, attempt_timeout_s
        )
        self._attempt_timeout_s = attempt_timeout_s
        # Published cards never change; by card and model, the oldest first.
        self._billed_by: dict[tuple[CardId, NameId], ListedCard] = {}

    @property
    def ledger_id(self) -> LedgerId:
        """The ledger's id, 32 bytes."""
        return self._ledger_id

    @property
    def genesis(self) -> Genesis | None:
        """The ledger's genesis, where the client was given it."""
        return self._genesis

    @property
    def endpoints(self) -> tuple[str, ...]:
        """`host:port` of each node known."""
        return self._pool.addresses

    @property
    def signer(self) -> Signer:
        """Who signs unless a call names somebody else.

        Raises:
            ConfigurationError: Nobody.
        """
        if self._signer is None:
            raise ConfigurationError(
                "The client has no key to sign with.", advice="Pass a signer, or name a key file."
            )
        return self._signer

    @property
    def principal(self) -> PrincipalId:
        """The signer's principal, 16 bytes.

        Raises:
            ConfigurationError: Nobody signs.
        """
        return self.signer.principal

    def draft(
        self, signer: Signer | SigningKey | None = None, valid_for_s: float | None = None
    ) -> Draft:
        """Starts an envelope of several records.

        Args:
            signer: Who will sign; None for the client's signer.
            valid_for_s: For how long it may be ordered; None for the client's.

        Raises:
            ConfigurationError: Nobody signs.
        """
        return Draft(
            self._ledger_id,
            self.signer if signer is None else self._as_signer(signer),
            self._valid_for_s if valid_for_s is None else valid_for_s,
            self._surroundings,
        )

    def _as_signer(self, signer: Signer | SigningKey) -> Signer:
        if isinstance(signer, Signer):
            if signer.public_key not in self._signers:
                self._signers[signer.public_key] = signer.principal
            self._keys[signer.principal] = signer.key
            return signer
        operators = () if self._genesis is None else tuple(self._genesis.operators)
        if signer.public_key not in operators:
            raise ConfigurationError(
                "Whose key this is does not follow from the genesis.",
                advice="Pass Signer(key, principal).",
            )
        principal = operator_principal(self._ledger_id, operators.index(signer.public_key))
        return self._as_signer(Signer(signer, principal, "operator"))

    def _principal_to_read(self, signer: Signer | SigningKey | None) -> PrincipalId:
        """Returns whose key signs a read.

        Raises:
            ConfigurationError: That is not known.
        """
        if isinstance(signer, Signer):
            return signer.principal
        if signer is None and self._read_key is None and self._signer is not None:
            return self._signer.principal
        if signer is None and self._read_principal is not None:
            return self._read_principal
        raise ConfigurationError(
            "Whose key this is, is not known here.", advice="Name the principal, or pass a Signer."
        )

    def _key_to_read(
        self, signer: Signer | SigningKey | None, principal: PrincipalId | None = None
    ) -> SigningKey:
        """Returns the key that signs a read.

        Args:
            signer: Who is named for it.
            principal: Whose objects are read, where that is known.

        Raises:
            ConfigurationError: There is none.
        """
        if signer is not None:
            return signer.key if isinstance(signer, Signer) else signer
        key = self._read_key
        if key is None and principal is not None:
            key = self._keys.get(principal)
        if key is None and self._signer is not None:
            key = self._signer.key
        if key is None:
            raise ConfigurationError(
                "The client has no key to read with.",
                advice="Pass a signer or a read_key, or name a key file: reads are signed too.",
            )
        return key

    async def _look_up(self, stored: Stored) -> Receipt | TallystickError | None:
        """Asks what became of an envelope, if some key of this client may know."""
        try:
            key = self._key_to_read(None, stored.principal)
        except ConfigurationError:
            return None
        return await self._reader.lookup(stored, key)

    def _stored(
        self,
        envelope: Stored | bytes,
        principal: PrincipalId | None,
        signer: Signer | None = None,
    ) -> Stored:
        """Takes an envelope in either form; finds out whose it is, where that is known."""
        if signer is not None:
            principal = self._as_signer(signer).principal
        if isinstance(envelope, Stored):
            return envelope
        stored = Stored.from_bytes(envelope)
        if stored.envelope[16:48] != self._ledger_id:
            raise InvalidArgument("The envelope is for another ledger.")
        whose = principal or self._signers.get(stored.signer)
        return stored if whose is None else Stored.from_bytes(envelope, whose)

    def _time_in(self, seconds: float) -> TimestampNs:
        """So many seconds from now, in nanoseconds since 1970, by this process's clock."""
        return TimestampNs(self._surroundings.now_ns() + int(seconds * _NS_PER_S))

    async def _send(
        self, draft: Draft, deadline_s: float | None, *, atomic: bool = False
    ) -> Receipt:
        """Sends an envelope all of whose records must succeed."""
        receipt = await self._submitter.submit(draft.seal(atomic=atomic), deadline_s)
        return receipt if not receipt.result_bytes else receipt.require_ok()

    async def _send_many(
        self,
        count: int,
        fill: Callable[[Draft, slice], None],
        signer: Signer | None,
        deadline_s: float | None,
        *,
        atomic: bool = False,
    ) -> list[Receipt]:
        """Sends records in envelopes of up to 8,190 that travel at the same time.

        Args:
            count: How many records.
            fill: Adds those of a slice to a draft; called when there is room for it.
            signer: Who signs.
            deadline_s: When to give up.
            atomic: Whether each envelope is.

        Returns:
            One receipt for each envelope, whatever became of its records.
        """
        waiting: list[asyncio.Future[Receipt]] = []
        try:
            for start in range(0, count, MAX_RECORDS):
                await self._submitter.room()
                draft = self.draft(signer)
                fill(draft, slice(start, start + MAX_RECORDS))
                stored = draft.seal(atomic=atomic)
                give_up_at = self._submitter.give_up_at(stored, deadline_s)
                waiting.append(self._submitter.enqueue(stored, give_up_at))
            return await asyncio.gather(*waiting)
        except BaseException:
            for each in waiting:
                each.cancel()
            raise


def _read_ledger(ledger: Genesis | bytes) -> tuple[Genesis | None, LedgerId]:
    if isinstance(ledger, Genesis):
        return ledger, ledger.ledger_id
    if len(ledger) == HASH_BYTES:
        return None, LedgerId(ledger)
    try:
        genesis = Genesis.decode(ledger)
    except LedgerError as error:
        raise ConfigurationError(f"These bytes are no genesis: {error}.") from error
    return genesis, genesis.ledger_id
