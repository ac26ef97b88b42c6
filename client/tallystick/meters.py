"""Client methods for metered usage: priced by a published card and paid in one step.

    await client.meter(mine, theirs, amount, card=card, model=model, usage=usage)

    mandate = await client.give_mandate(mine, provider, 10_000, cap_each=500, expires_in_s=86_400)
    await client.meter(theirs, mine, …, mandate=mandate.id, signer=payee)

The amount is what the usage costs by the card (`tallystick_ledger.pricing.price`, or
`LedgerCard.price` for a card made from a price book); the ledger computes it again and refuses any
other. Nothing is pinned before: for a request whose price is not known yet, reserve and capture.

Under a mandate the payee meters without the payer's signature, up to its caps. It too pins
nothing: what the account does not have when it is metered is refused.
"""

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.keyfile import Signer
from tallystick.nodes import GET_MANDATES
from tallystick.quotes import Quote
from tallystick.results import Created, Receipt
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    CardId,
    MandateId,
    NameId,
    PrincipalId,
    TimestampNs,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import CaptureSource, Mandate, MandateEnd, Meter, ServedUsage
from tallystick_ledger.state_rows import MandateRow
from tallystick_proto.v1 import ledger_pb2

_UNKNOWN_TIME = TimestampNs(0)
_NO_MANDATE = MandateId(NO_ID)
_ANY_CARD = CardId(NO_ID)


class MeterMethods(ClientCore):
    """What prices and pays at once. Errors not named here are as in `HoldMethods`."""

    async def meter(
        self,
        payer_account: AccountId,
        payee_account: AccountId,
        amount: int,
        *,
        card: CardId = _ANY_CARD,
        model: NameId,
        usage: ServedUsage,
        quote: Quote | None = None,
        source: CaptureSource = CaptureSource.PROVIDER_REPORTED,
        reference: int = 0,
        unique: bool = False,
        occurred_at_ns: TimestampNs = _UNKNOWN_TIME,
        end_user: bytes = NO_ID,
        mandate: MandateId = _NO_MANDATE,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays what a usage costs by a card. Signed by the payer, or by the payee under a mandate.

        Args:
            payer_account: Who pays; an account of the signer's principal, or of the mandate.
            payee_account: Who is paid: an account of the card's owner.
            amount: What the usage costs, in the unit's smallest step.
            card: A published card in force. Windows are looked up at the time of booking. Not with
                a quote.
            model: A NAME that the card has lines for.
            usage: What was served, and how much of each meter.
            quote: What prices it instead of a card; it travels along.
            source: Who counted.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            occurred_at_ns: When it was used, nanoseconds since 1970; 0 for unknown.
            end_user: A salted tag of whom it was for, 16 bytes; zero for none.
            mandate: By which the payee signs; zero where the payer does.
            signer: The payer, or the payee under a mandate.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of the accounts does not exist, or the first is not the signer's.
            AccountRefused: One is frozen, closed, of another unit, or a unit's issuance account.
            CardNotFound: There is no such published card.
            CardRefused: It is not the payee's, or not in force.
            NotPriced: It has no price for a meter that was used.
            PriceRefused: The usage costs another amount.
            ReferenceUsed: `unique`, and the reference was used.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            MandateNotFound: The signer has no such mandate.
            MandateRefused: It is over, or the amount is above one of its caps.
            WrongSide: The payer signed under a mandate that it gave.
            QuoteNotFound: The quote is not for the payer.
            QuoteRefused: It has expired, its provider did not sign it, or its cap is too small.
        """
        draft = self.draft(signer)
        draft.add(
            build(
                Meter,
                payer_account,
                payee_account,
                require_amount(amount),
                card if quote is None else CardId(quote.id),
                model,
                usage,
                source,
                reference,
                unique,
                occurred_at_ns,
                end_user,
                mandate,
                quote is not None,
                None if quote is None else quote.signed,
            )
        )
        return await self._send(draft, deadline_s)

    async def give_mandate(
        self,
        payer_account: AccountId,
        payee: PrincipalId,
        cap: int,
        *,
        expires_in_s: float,
        cap_each: int | None = None,
        card: CardId = _ANY_CARD,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[MandateId]:
        """Lets a payee meter against an account without a signature for each charge.

        Signed by the payer's OWNER key.

        Args:
            payer_account: Who will pay; an account of the signer's principal.
            payee: The principal that may meter.
            cap: Of all charges together, in the unit's smallest step.
            expires_in_s: Seconds from now until it is over; at most 400 days.
            cap_each: Of each charge; None for `cap`.
            card: The only card that may price the charges; zero for any of the payee's.
            signer: The payer.
            deadline_s: When to give up.

        Returns:
            The mandate's id, which the payee has to be told.

        Raises:
            AccountNotFound: The signer has no such account.
            AccountRefused: It is frozen, closed, or of another unit than the card.
            PrincipalNotFound: There is no such payee.
            CardNotFound: There is no such published card.
            CardRefused: It is not the payee's.
            HoldRefused: The expiry is too soon or too far (EXPIRY_INVALID).
            CapExceeded: The signer has given too many that are remembered.
        """
        draft = self.draft(signer)
        record = build(
            Mandate,
            payer_account,
            payee,
            require_amount(cap),
            require_amount(cap if cap_each is None else cap_each),
            self._time_in(expires_in_s),
            card,
        )
        mandate = MandateId(draft.add_creating(record))
        return Created(mandate, await self._send(draft, deadline_s))

    async def mandates(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[MandateRow]:
        """Lists the mandates that a principal gave and was given, those that are over included.

        Args:
            principal: Whose, 16 bytes; None for the signer's. Others are for AUDIT keys.
            stale: Take one node's word, which may lag behind.
            at_least_sequence: Answer only once this sequence number is applied.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Returns:
            Each with its caps and what was charged so far. One that is over is forgotten after a
            while.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        if principal is None:
            principal = signer.principal if isinstance(signer, Signer) else self.principal
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        key = self._key_to_read(signer, principal)
        within_s = self._read_deadline_s if deadline_s is None else deadline_s

        def behind(last: MandateRow | None) -> ledger_pb2.GetMandatesRequest:
            return ledger_pb2.GetMandatesRequest(
                principal=principal,
                after=b"" if last is None else last.mandate,
                limit=limits.ROWS_PER_PAGE,
                options=options,
            )

        return await self._reader.pages(GET_MANDATES, behind, MandateRow, (key, within_s))

    async def end_mandate(
        self,
        mandate: MandateId,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Ends a mandate. Signed by an OWNER key of either side.

        Raises:
            MandateNotFound: It does not concern the signer, or was forgotten since.
            MandateRefused: It is over.
        """
        draft = self.draft(signer)
        draft.add(build(MandateEnd, mandate))
        return await self._send(draft, deadline_s)
