"""Client methods that correct what was paid: refunds, new prices, and disputes with their answers.

Each cites the record that paid, a transfer, a capture or a redeemed voucher, by its sequence
number: `receipt.sequence`, or that of a record in the history. Nothing is rewritten, and refunds,
new prices and accepted disputes of a record together never give back more than it paid.
"""

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.keyfile import Signer
from tallystick.nodes import GET_DISPUTES
from tallystick.results import Receipt
from tallystick_ledger.ids import CardId, NameId, PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import (
    CorrectionReason,
    Dispute,
    DisputeAnswer,
    Refund,
    Reprice,
    ServedUsage,
)
from tallystick_ledger.state_rows import DisputeRow
from tallystick_proto.v1 import ledger_pb2


class CorrectionMethods(ClientCore):
    """What gives back, and asks for it. Who may sign and what is raised besides: `MoneyMethods`."""

    async def refund(
        self,
        cited: int,
        amount: int,
        reason: CorrectionReason = CorrectionReason.OTHER,
        *,
        reference: int = 0,
        unique: bool = False,
        occurred_at_ns: int = 0,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Gives back a part of what a record paid. Signed by the payee.

        Args:
            cited: Sequence number of the record, at most 90 days old.
            amount: In the unit's smallest step; at most what is left of what the record paid.
            reason: Why.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            occurred_at_ns: When the reason for it arose; 0 for unknown.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            CitedNotFound: No such record paid to or from the signer.
            WrongSide: The signer is who had paid.
            CorrectionExceeds: It is more than what is left.
            CorrectionTooLate: The record is too old.
            CitationsFull: Too much is corrected just now; send it again.
            AccountRefused: The payee's account is frozen or closed, or the payer's is closed.
            InsufficientFunds: The payee's account has not so much.
            FundsHeld: It has, but on hold.
            ReferenceUsed: `unique`, and the reference was used.
        """
        draft = self.draft(signer)
        record = build(
            Refund,
            SequenceNumber(cited),
            require_amount(amount),
            reason,
            reference,
            unique,
            TimestampNs(occurred_at_ns),
        )
        draft.add(record)
        return await self._send(draft, deadline_s)

    async def reprice(
        self,
        cited: int,
        amount: int,
        *,
        card: CardId,
        model: NameId,
        usage: ServedUsage,
        occurred_at_ns: int = 0,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Prices again what a card or quote had priced; what is above that goes back.

        Signed by the payee. Nothing is ever charged by it.

        Args:
            cited: Sequence number of a capture or METER, at most 90 days old.
            amount: What the usage costs by `card`, in the unit's smallest step; perhaps 0.
            card: A published card of the signer's, in force or not. Windows are looked up at the
                time of the cited record.
            model: A NAME that the card has lines for.
            usage: What was served; of a capture since the one before.
            occurred_at_ns: When the reason for it arose; 0 for unknown.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            CitedNotFound: No such record paid to or from the signer.
            WrongSide: The signer is who had paid.
            CardNotFound: There is no such published card, or it is forgotten.
            RepriceRefused: No card priced the record, or nothing is left to give back.
            CorrectionTooLate: The record is too old.
            CitationsFull: Too much is corrected just now; send it again.
            AccountRefused: The payee's account is frozen or closed, the payer's is closed, or the
                card prices in another unit.
            CardRefused: The card is not the signer's.
            NotPriced: It has no price for a meter that was used.
            PriceRefused: The usage costs another amount.
            InsufficientFunds: The payee's account has not so much.
            FundsHeld: It has, but on hold.
        """
        draft = self.draft(signer)
        record = build(
            Reprice,
            SequenceNumber(cited),
            require_amount(amount),
            card,
            model,
            usage,
            TimestampNs(occurred_at_ns),
        )
        draft.add(record)
        return await self._send(draft, deadline_s)

    async def dispute(
        self,
        cited: int,
        amount: int,
        reason: CorrectionReason = CorrectionReason.OTHER,
        *,
        answer_within_s: float = 7 * 86_400.0,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Asks for a part of what a record paid. Signed by the payer; nothing moves yet.

        Args:
            cited: Sequence number of the record, at most 90 days old.
            amount: In the unit's smallest step; at most what is left of what the record paid.
            reason: Why.
            answer_within_s: When it counts as rejected unless it was answered; the code is
                EXPIRY_INVALID if that is not within those 90 days.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            CitedNotFound: No such record paid to or from the signer.
            WrongSide: The signer is who was paid.
            DisputeRefused: The record is disputed already.
            CorrectionExceeds: It is more than what is left.
            CorrectionTooLate: The record is too old.
            CitationsFull: Too much is corrected just now; send it again.
            AccountRefused: The payer's account is closed.
        """
        draft = self.draft(signer)
        deadline_ns = self._time_in(answer_within_s)
        draft.add(
            build(Dispute, SequenceNumber(cited), require_amount(amount), reason, deadline_ns)
        )
        return await self._send(draft, deadline_s)

    async def disputes(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[DisputeRow]:
        """Lists the disputes that a principal has opened or has to answer; the last of each record.

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

        def behind(last: DisputeRow | None) -> ledger_pb2.GetDisputesRequest:
            return ledger_pb2.GetDisputesRequest(
                principal=principal,
                after=0 if last is None else last.cited,
                limit=limits.ROWS_PER_PAGE,
                options=options,
            )

        return await self._reader.pages(GET_DISPUTES, behind, DisputeRow, (key, within_s))

    async def answer_dispute(
        self,
        cited: int,
        amount: int,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Gives back what is disputed, a part of it, or nothing. Signed by the payee.

        Args:
            cited: Sequence number of the disputed record.
            amount: In the unit's smallest step, at most what is disputed; 0 rejects the dispute.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            DisputeNotFound: Nobody disputes that record with the signer.
            WrongSide: The signer is who disputes it.
            DisputeRefused: It was answered, its deadline has passed, or less is disputed.
            CorrectionExceeds: Refunds have left less.
            AccountRefused: The payee's account is frozen or closed, or the payer's is closed.
            InsufficientFunds: The payee's account has not so much.
            FundsHeld: It has, but on hold.
        """
        draft = self.draft(signer)
        draft.add(build(DisputeAnswer, SequenceNumber(cited), require_amount(amount)))
        return await self._send(draft, deadline_s)
