"""Client methods for claims: what a hold with a debt limit left owing.

    terms = CardTerms(card, model, overrun=Overrun.DEBT, debt_limit=5_000)
    async with client.reserve(mine, theirs, 4_000, terms=terms) as hold: ...
    for claim in await client.claims():
        await client.pay_claim(claim.claim, claim.rest, mine)

A claim has the id of its hold. It is no balance; while it is open, its payer's account can take no
new hold for its payee. A paid one is forgotten after a while, an open one never.
"""

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.keyfile import Signer
from tallystick.nodes import GET_CLAIMS
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, ClaimId, HoldId, PrincipalId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import ClaimOperation, PayClaim
from tallystick_ledger.state_rows import ClaimRow
from tallystick_proto.v1 import ledger_pb2


class ClaimMethods(ClientCore):
    """What is owed, and what ends it. Who may sign and what is raised besides: `MoneyMethods`."""

    async def claims(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[ClaimRow]:
        """Lists what a principal owes and is owed, ended claims that are still known included.

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

        def behind(last: ClaimRow | None) -> ledger_pb2.GetClaimsRequest:
            return ledger_pb2.GetClaimsRequest(
                principal=principal,
                after=b"" if last is None else last.claim,
                limit=limits.ROWS_PER_PAGE,
                options=options,
            )

        return await self._reader.pages(GET_CLAIMS, behind, ClaimRow, (key, within_s))

    async def pay_claim(
        self,
        claim: ClaimId | HoldId,
        amount: int,
        debit_account: AccountId,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays a claim, wholly or in part. Signed by the payer.

        Args:
            claim: Which; the id of the hold that left it.
            amount: In the unit's smallest step; at most what is left.
            debit_account: Which of the payer's accounts pays; of the claim's unit.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            ClaimNotFound: The signer is on neither side, or the claim is forgotten.
            WrongSide: The signer is the payee.
            ClaimRefused: It was paid or waived already, or less is left.
            AccountNotFound: The account is not the signer's.
            AccountRefused: It is closed, frozen or of another unit, or the payee's is frozen.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
        """
        draft = self.draft(signer)
        paid = require_amount(amount)
        draft.add(build(PayClaim, ClaimOperation.PAY, ClaimId(claim), paid, debit_account))
        return await self._send(draft, deadline_s)

    async def waive_claim(
        self,
        claim: ClaimId | HoldId,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Gives up what is left of a claim. Signed by the payee; nothing moves.

        Raises:
            ClaimNotFound: The signer is on neither side, or the claim is forgotten.
            WrongSide: The signer is the payer.
            ClaimRefused: It was paid or waived already.
        """
        draft = self.draft(signer)
        draft.add(build(PayClaim, ClaimOperation.WAIVE, ClaimId(claim)))
        return await self._send(draft, deadline_s)
