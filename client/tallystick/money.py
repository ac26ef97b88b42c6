"""Client methods that move money: issue, burn, lend, and transfer, one at a time or thousands."""

from array import array
from collections.abc import Sequence

from tallystick.core import ClientCore
from tallystick.draft import Draft, build, require_amount
from tallystick.errors import InvalidArgument
from tallystick.exchanges import ExchangeQuote
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger import bulk
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.limits import ID_BYTES, MAX_RECORDS, NONCE_BYTES
from tallystick_ledger.records import Burn, CreditLimit, Exchange, Issue, Transfer


class MoneyMethods(ClientCore):
    """What moves money. Amounts are ints in the unit's smallest step, 1 to 2**128 - 1.

    All of them raise, besides what they name: `Refused`, `OutcomeUnknown`, `ConnectionFailed`,
    `AccessDenied` and `ProtocolError` as `submit` does, `KeyRefused` when the signing key may not
    do this, `InvalidArgument` for values that no record can hold and `TypeError` for an amount that
    is no int. `signer` is who signs, None for the client's signer; `deadline_s` is when to give up,
    seconds from now, None for the envelope's life and a margin.
    """

    async def issue(
        self,
        unit: UnitId,
        credit_account: AccountId,
        amount: int,
        *,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Makes new money of a unit. Signed by its issuer.

        Args:
            unit: What is issued.
            credit_account: Who gets it.
            amount: In the unit's smallest step.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: The issuer.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit of this issuer.
            AccountNotFound: There is no such account.
            AccountRefused: It is frozen, closed or of another unit.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        draft.add(build(Issue, unit, credit_account, require_amount(amount), reference, unique))
        return await self._send(draft, deadline_s)

    async def burn(
        self,
        unit: UnitId,
        debit_account: AccountId,
        amount: int,
        *,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Takes money of an own unit out of the world, from an own account.

        Args:
            unit: What is burned; the signer's principal issues it.
            debit_account: Whose money it is; an account of the signer's principal.
            amount: In the unit's smallest step.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: The issuer.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit of this issuer.
            AccountNotFound: There is no such account of the signer.
            AccountRefused: It is frozen, closed or of another unit.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        draft.add(build(Burn, unit, debit_account, require_amount(amount), reference, unique))
        return await self._send(draft, deadline_s)

    async def set_credit_limit(
        self,
        unit: UnitId,
        account: AccountId,
        limit: int,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Says how far an account may go below zero. Signed by the unit's issuer.

        Args:
            unit: The account's unit.
            account: Anybody's account of that unit.
            limit: In the unit's smallest step; 0 for none.
            signer: The issuer.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit of this issuer.
            AccountNotFound: There is no such account.
            AccountRefused: It is closed, of another unit, or a unit's issuance account.
            CreditInUse: The account uses more than that.
        """
        draft = self.draft(signer)
        draft.add(build(CreditLimit, unit, account, require_amount(limit)))
        return await self._send(draft, deadline_s)

    async def transfer(
        self,
        debit_account: AccountId,
        credit_account: AccountId,
        amount: int,
        *,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays from an own account to any account of the same unit.

        Concurrent calls of one client travel together; see `submit`.

        Args:
            debit_account: Who pays; an account of the signer's principal.
            credit_account: Who gets it.
            amount: In the unit's smallest step.
            reference: The caller's own number, up to 2**128 - 1, such as a request id.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of the accounts does not exist, or the first is not the signer's.
            AccountRefused: One is frozen, closed, of another unit, or a unit's issuance account.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        draft.add(
            build(
                Transfer,
                debit_account,
                credit_account,
                require_amount(amount),
                reference,
                unique,
            )
        )
        return await self._send(draft, deadline_s)

    async def exchange(
        self,
        debit_account: AccountId,
        receiving_account: AccountId,
        amount: int,
        *,
        quote: ExchangeQuote,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays the maker of a quote in one unit, and is paid in another: both or neither.

        What is paid back is `quote.output_of(amount)`; the ledger computes it again.

        Args:
            debit_account: Who pays the maker; an account of the signer's principal.
            receiving_account: Who is paid by the maker; another account of the same principal.
            amount: What the maker is paid, in the unit's smallest step.
            quote: What the maker has signed; it travels along.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: Who takes the quote.
            deadline_s: When to give up.

        Raises:
            InvalidArgument: For so little the quote gives nothing.
            AccountNotFound: One of the accounts does not exist, or is not the signer's.
            AccountRefused: One is frozen, closed, of the wrong unit, or a unit's issuance account.
            NettingRefused: One of the units is deferred.
            QuoteNotFound: The quote is for another principal.
            QuoteRefused: It has expired, its cap is used up, or no good key of its maker signed it.
            HoldRefused: Its end is too far (EXPIRY_INVALID).
            InvalidRecord: The signer has made the quote itself.
            LimitExceeded: A limit of the signer's has no room.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            MakerCannotPay: The maker has not the funds, or its limits have no room.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        taken = build(Exchange, receiving_account, quote.output_of(amount), quote.signed)
        credit_account = quote.signed.take_account
        parts = (debit_account, credit_account, require_amount(amount), reference, unique, taken)
        draft.add(build(Transfer, *parts))
        return await self._send(draft, deadline_s)

    async def transfers(
        self,
        debit_accounts: Sequence[AccountId] | bytes,
        credit_accounts: Sequence[AccountId] | bytes,
        amounts: Sequence[int],
        *,
        atomic: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> list[Receipt]:
        """Makes many transfers, in envelopes of up to 8,190 that travel at the same time.

        Refused transfers do not raise: look at each receipt's `refusals`. Between envelopes there
        is no order.

        Args:
            debit_accounts: One for each transfer; ids, or all of them back to back.
            credit_accounts: As many.
            amounts: As many, in the unit's smallest step; an `array("Q")` is fastest.
            atomic: Whether all are made or none; then at most 8,190.
            signer: Who signs.
            deadline_s: When to give up.

        Returns:
            One receipt for each envelope: the first for transfers 0 to 8,189, and so on.

        Raises:
            RecordRefused: `atomic`, and one was refused; the subclass says how.
        """
        debits, credits_ = _joined(debit_accounts), _joined(credit_accounts)
        count = len(amounts)
        if len(debits) != count * ID_BYTES or len(credits_) != count * ID_BYTES:
            raise InvalidArgument("There must be as many debits as credits and amounts.")
        if atomic and count > MAX_RECORDS:
            raise InvalidArgument(f"One ATOMIC envelope holds {MAX_RECORDS} transfers.")

        def fill(draft: Draft, part: slice) -> None:
            ids = slice(part.start * ID_BYTES, part.stop * ID_BYTES)
            _add_transfers(draft, debits[ids], credits_[ids], amounts[part])

        receipts = await self._send_many(count, fill, signer, deadline_s, atomic=atomic)
        return [receipt.require_ok() for receipt in receipts] if atomic else receipts


def _joined(ids: Sequence[AccountId] | bytes) -> bytes:
    return ids if isinstance(ids, bytes) else b"".join(ids)


def _add_transfers(draft: Draft, debits: bytes, credits_: bytes, amounts: Sequence[int]) -> None:
    if not isinstance(amounts, array):
        for amount in amounts:
            require_amount(amount)
    nonces = draft.nonces(len(amounts) * NONCE_BYTES)
    draft.add_encoded(build(bulk.transfers, debits, credits_, amounts, nonces))
