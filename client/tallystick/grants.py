"""Client methods for subsidies: grants, the lists that bind them, and who is related to whom.

grant = await client.grant(pool, company, 500 * 10**9, ratio=Decimal("0.4"), ends_in_s=30 * DAY_S)

A grant is money of the sponsor's that pays a share of whatever its grantee reserves or meters,
where its earmarks fit. The grantee does nothing for it and names it nowhere; what a hold takes of
it stands in the effects of its RESERVE. What is left can be read as an account: it has the grant's
id, and belongs to the sponsor.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.errors import InvalidArgument, ProtocolError
from tallystick.keyfile import Signer
from tallystick.nodes import GET_GRANTS
from tallystick.results import Created, Receipt
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import NO_ID, AccountId, GrantId, ListId, PrincipalId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import RATIO_UNITS
from tallystick_ledger.records import ClawBack, Grant, List, Relation, RelationOperation
from tallystick_ledger.state_rows import AccountRow, GrantRow
from tallystick_proto.v1 import ledger_pb2

_ALL = Decimal(1)
_ANY = ListId(NO_ID)
_NOBODY = PrincipalId(NO_ID)


@dataclass(frozen=True, slots=True)
class GrantState:
    """A grant as the ledger has it.

    Attributes:
        terms: Whom and what it is for, and until when.
        account: Where its money stands; it belongs to the sponsor.
    """

    terms: GrantRow
    account: AccountRow

    @property
    def sponsor(self) -> PrincipalId:
        """Whose money it is."""
        return self.account.owner

    @property
    def left(self) -> int:
        """What new holds can take."""
        return self.account.available if self.terms.is_open else 0

    @property
    def held(self) -> int:
        """What holds pin."""
        return self.account.debits_pending


class GrantMethods(ClientCore):
    """What subsidises. Who may sign and what is raised besides: `MoneyMethods`."""

    async def make_list(
        self,
        ids: Iterable[bytes],
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[ListId]:
        """Registers a set of ids, for good. Signed by OWNER.

        Args:
            ids: Of principals or names, 1 to 256; in any order, each once or more often.
            signer: Whose list it is.
            deadline_s: When to give up.

        Returns:
            The list's id.

        Raises:
            CapExceeded: The signer has 64 lists.
        """
        draft = self.draft(signer)
        made = ListId(draft.next_id())
        draft.add(build(List, tuple(sorted(set(ids)))))
        return Created(made, await self._send(draft, deadline_s))

    async def grant(
        self,
        pool: AccountId,
        grantee: PrincipalId,
        amount: int,
        *,
        ends_in_s: float,
        ratio: Decimal = _ALL,
        cap: int = 0,
        priority: int = 0,
        providers: ListId = _ANY,
        models: ListId = _ANY,
        regions: ListId = _ANY,
        registrar: PrincipalId = _NOBODY,
        exclusivity: bytes = NO_ID,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[GrantId]:
        """Sets money aside for a principal. Signed by OWNER of the pool's owner.

        Args:
            pool: Where the money comes from, and what is left of it goes back to.
            grantee: Whose holds and usage it pays for; any payee but this one.
            amount: In the pool's unit's smallest step.
            ends_in_s: When it expires, seconds from now: 1 s to 1,100 days.
            ratio: Which share of each charge it pays, above 0 to 1, in millionths.
            cap: What it pays of one charge at most; 0 for no cap.
            priority: Grants with a lower number pay first; then those that end first.
            providers: List of the principals that it pays to; any without.
            models: List of the models (names) that it pays for, where a card prices; any without.
            regions: List of the regions (names) that it pays for, likewise.
            registrar: Whose statements keep it from paying relations of the grantee.
            exclusivity: 16 bytes that no other live grant to the grantee may have.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: The sponsor.
            deadline_s: When to give up.

        Returns:
            The grant's id, which is also that of its account.

        Raises:
            AccountNotFound: The pool is not the signer's.
            PrincipalNotFound: There is no such grantee or registrar.
            ListNotFound: There is no such list.
            AccountRefused: The pool is frozen or closed, or no ordinary account.
            GrantRefused: Another live grant has the key, or the grantee is the registrar.
            HoldRefused: It would end too soon or too late.
            CapExceeded: The grantee has 64 live grants, or the signer too many accounts.
            InsufficientFunds: The pool has not so much.
            FundsHeld: It has, but on hold.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        made = GrantId(draft.next_id())
        record = build(
            Grant,
            pool,
            grantee,
            require_amount(amount),
            self._time_in(ends_in_s),
            _millionths(ratio),
            priority,
            require_amount(cap),
            providers,
            models,
            regions,
            registrar,
            exclusivity,
            reference,
            unique,
        )
        draft.add(record)
        return Created(made, await self._send(draft, deadline_s))

    async def claw_back(
        self,
        grant: GrantId,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Ends a grant: what no hold pins goes back to its pool. Signed by OWNER of the sponsor.

        What holds pin is still paid if it is captured, and goes back as soon as it is freed.

        Args:
            grant: The grant.
            signer: The sponsor.
            deadline_s: When to give up.

        Raises:
            GrantNotFound: There is no such grant by or to the signer.
            GrantRefused: It has ended, or is another sponsor's.
        """
        draft = self.draft(signer)
        draft.add(build(ClawBack, grant))
        return await self._send(draft, deadline_s)

    async def relate(
        self,
        first: PrincipalId,
        second: PrincipalId,
        *,
        related: bool = True,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Says that two principals are related, or no longer are. Signed by OWNER of a registrar.

        Grants that name the signer as registrar then pay neither for what the other sells. Holds
        that are there stay as they are.

        Args:
            first: A principal.
            second: Another; their order does not matter.
            related: Whether they are from now on.
            signer: The registrar; neither of the two.
            deadline_s: When to give up.

        Raises:
            PrincipalNotFound: There is no such principal.
            AlreadyExists: The signer says so already.
            RelationNotFound: The signer does not say so.
            GrantRefused: The signer is one of them.
            CapExceeded: The signer states too many relations.
        """
        draft = self.draft(signer)
        operation = RelationOperation.STATE if related else RelationOperation.END
        lower, higher = sorted((first, second))
        draft.add(build(Relation, operation, lower, higher))
        return await self._send(draft, deadline_s)

    async def grants(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[GrantState]:
        """Lists the grants by and to a principal, also ended ones until they are forgotten.

        Args:
            principal: Whose, 16 bytes; None for the signer's. Others are for AUDIT keys.
            stale: Take one node's word, which may lag behind.
            at_least_sequence: Answer only once this sequence number is applied.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        if principal is None:
            principal = signer.principal if isinstance(signer, Signer) else self.principal
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        key = self._key_to_read(signer, principal)
        within_s = self._read_deadline_s if deadline_s is None else deadline_s
        found: list[GrantState] = []
        while True:
            request = ledger_pb2.GetGrantsRequest(
                principal=principal,
                after=found[-1].terms.grant if found else b"",
                limit=limits.GRANTS_PER_PAGE,
                options=options,
            )
            answer = await self._reader.ask(GET_GRANTS, request, key, within_s)
            page = list(_decode(answer.rows))
            found += page
            if len(page) < limits.GRANTS_PER_PAGE:
                return found


def _decode(rows: bytes) -> Iterator[GrantState]:
    terms = GrantRow.LAYOUT.size
    size = terms + AccountRow.LAYOUT.size
    if len(rows) % size:
        raise ProtocolError(f"A node answered {len(rows)} bytes for grants of {size}.")
    try:
        for start in range(0, len(rows), size):
            middle, end = start + terms, start + size
            account = AccountRow.decode(rows[middle:end])
            yield GrantState(GrantRow.decode(rows[start:middle]), account)
    except LedgerError as error:
        raise ProtocolError(f"A node's row is unusable: {error}") from error


def _millionths(ratio: Decimal) -> int:
    parts = ratio * RATIO_UNITS
    if not 0 < parts <= RATIO_UNITS or parts != int(parts):
        raise InvalidArgument(
            f"{ratio} is no ratio.", advice="Use one above 0, at most 1, with six decimals or less."
        )
    return int(parts)
