"""Client methods for metered usage: priced by a published card and paid in one step.

    await client.meter(mine, theirs, amount, card=card, model=model, usage=usage)

The amount is what the usage costs by the card (`tallystick_ledger.pricing.price`, or
`LedgerCard.price` for a card made from a price book); the ledger computes it again and refuses any
other. Nothing is pinned before: for a request whose price is not known yet, reserve and capture.
"""

from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger.ids import NO_ID, AccountId, CardId, NameId, TimestampNs
from tallystick_ledger.records import CaptureSource, Meter, ServedUsage

_UNKNOWN_TIME = TimestampNs(0)


class MeterMethods(ClientCore):
    """What prices and pays at once. Errors not named here are as in `HoldMethods`."""

    async def meter(
        self,
        payer_account: AccountId,
        payee_account: AccountId,
        amount: int,
        *,
        card: CardId,
        model: NameId,
        usage: ServedUsage,
        source: CaptureSource = CaptureSource.PROVIDER_REPORTED,
        reference: int = 0,
        unique: bool = False,
        occurred_at_ns: TimestampNs = _UNKNOWN_TIME,
        end_user: bytes = NO_ID,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays what a usage costs by a card. Signed by the payer.

        Args:
            payer_account: Who pays; an account of the signer's principal.
            payee_account: Who is paid: an account of the card's owner.
            amount: What the usage costs, in the unit's smallest step.
            card: A published card in force. Windows are looked up at the time of booking.
            model: A NAME that the card has lines for.
            usage: What was served, and how much of each meter.
            source: Who counted.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            occurred_at_ns: When it was used, nanoseconds since 1970; 0 for unknown.
            end_user: A salted tag of whom it was for, 16 bytes; zero for none.
            signer: The payer.
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
        """
        draft = self.draft(signer)
        draft.add(
            build(
                Meter,
                payer_account,
                payee_account,
                require_amount(amount),
                card,
                model,
                usage,
                source,
                reference,
                unique,
                occurred_at_ns,
                end_user,
            )
        )
        return await self._send(draft, deadline_s)
