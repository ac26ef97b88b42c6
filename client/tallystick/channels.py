"""Client methods for channels: money deposited for vouchers that are signed off the ledger.

    key = SigningKey(os.urandom(32))
    channel = await client.open_channel(mine, theirs, 100_000, key, add_key=True)    # the payer
    voucher = channel.voucher(1_250)          # as often as there was usage; costs a signature
    await shop.redeem(voucher)                # the payee, once in a while: the last one alone

A channel pays for any number of requests with two records or three. Vouchers are made and checked
by `tallystick.vouchers`. The payee closes at once, the payer with notice: until the challenge
period is over, the payee can still redeem.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tallystick.core import ClientCore
from tallystick.draft import Draft, build, require_amount
from tallystick.errors import InvalidArgument, OutcomeUnknown, RecordRefused
from tallystick.keyfile import Signer
from tallystick.refusals import record_refused
from tallystick.results import Receipt, RecordResult
from tallystick.vouchers import NO_COMMITMENT, Voucher
from tallystick_ledger import bulk
from tallystick_ledger.ids import AccountId, ChannelId, LedgerId, object_id
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import MAX_RECORDS
from tallystick_ledger.records import Channel as ChannelRecord
from tallystick_ledger.records import ChannelClose, Key, KeyOperation, Scope, TopUp

DEFAULT_CHALLENGE_S: Final = 3_600.0
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that this process has opened, and signs vouchers for.

    Attributes:
        id: 16 bytes; the payee needs to know it.
        ledger_id: The ledger that it is on, 32 bytes.
        key: Signs the vouchers; the payee needs to know its public half.
        payer_account: Whose money is pinned.
        payee_account: Who may redeem vouchers.
        deposit: What it pinned, in the unit's smallest step; top-ups are not counted.
        receipt: That of the envelope which opened it.
    """

    id: ChannelId
    ledger_id: LedgerId
    key: SigningKey = field(repr=False)
    payer_account: AccountId
    payee_account: AccountId
    deposit: int
    receipt: Receipt

    def voucher(self, cumulative: int, commitment: bytes = NO_COMMITMENT) -> Voucher:
        """Signs a voucher, off the ledger; as `Voucher.sign`.

        Args:
            cumulative: What the channel pays *so far*, earlier vouchers included.
            commitment: 24 bytes: what it is for; see `tallystick.vouchers.commitment_to`.

        Raises:
            InvalidArgument: A value that no voucher has.
        """
        return Voucher.sign(self.key, self.ledger_id, self.id, cumulative, commitment)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What became of one voucher of many.

    Attributes:
        voucher: Which.
        receipt: That of the envelope it was in.
        index: Index of its record there.
    """

    voucher: Voucher
    receipt: Receipt
    index: int

    @property
    def result(self) -> RecordResult:
        """The record's result."""
        return self.receipt[self.index]

    @property
    def ok(self) -> bool:
        """Whether it was paid: now or before, and up to the deposit."""
        return self.result.ok

    @property
    def error(self) -> RecordRefused | None:
        """Why it was refused, as `redeem` would raise it; None if it was not."""
        result = self.result
        if result.ok:
            return None
        return record_refused(result.code, self.index, result.detail, self.receipt)


class ChannelMethods(ClientCore):
    """What opens, pays and closes channels. Amounts are ints in the unit's smallest step.

    All of them raise, besides what they name: `Refused`, `OutcomeUnknown`, `ConnectionFailed`,
    `AccessDenied` and `ProtocolError` as `submit` does, `KeyRefused` when the signing key may not
    do this, `InvalidArgument` for values that no record can hold and `TypeError` for an amount that
    is no int. `signer` is who signs, None for the client's signer; `deadline_s` is when to give up,
    seconds from now, None for the envelope's life and a margin.
    """

    async def open_channel(
        self,
        payer_account: AccountId,
        payee_account: AccountId,
        deposit: int,
        key: SigningKey,
        *,
        add_key: bool = False,
        challenge_s: float = DEFAULT_CHALLENGE_S,
        reference: int = 0,
        unique: bool = False,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Channel:
        """Deposits money of an own account for vouchers. Signed by the payer.

        Args:
            payer_account: Whose money is pinned; an account of the signer's principal.
            payee_account: Who may redeem.
            deposit: The vouchers pay at most so much, in the unit's smallest step.
            key: Will sign the vouchers: a key of the payer's with scope CHANNEL, used for nothing
                else.
            add_key: Whether the key is not registered yet: then the same envelope does it, all or
                nothing, signed by an OWNER key.
            challenge_s: How long the payee may still redeem once the payer closes; at least 1.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of the accounts does not exist, or the first is not the signer's.
            AccountRefused: One is frozen, closed, of another unit, or a unit's issuance account.
            KeyNotFound: The payer has no such key of scope CHANNEL.
            AlreadyExists: `add_key`, and the key is registered.
            InvalidRecord: The challenge period is longer than this ledger allows.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            CapExceeded: The payer has too many open holds and channels, or keys.
            ReferenceUsed: `unique`, and the reference was used.
            OutcomeUnknown: The deposit may be pinned, for the channel that `id_in` tells.
        """
        draft = self.draft(signer)
        if add_key:
            principal = draft.signer.principal
            possession = prove_possession(key, self._ledger_id, principal)
            scope = Scope.CHANNEL
            draft.add(build(Key, KeyOperation.ADD, key.public_key, principal, scope, possession))
        record = build(
            ChannelRecord,
            payer_account,
            payee_account,
            require_amount(deposit),
            int(challenge_s * _NS_PER_S),
            key.public_key,
            reference,
            unique,
        )
        channel = ChannelId(draft.add_creating(record))
        receipt = await self._submitter.submit(draft.seal(atomic=add_key), deadline_s)
        return Channel(
            channel,
            self._ledger_id,
            key,
            payer_account,
            payee_account,
            deposit,
            receipt.require_ok(),
        )

    async def top_up(
        self,
        channel: ChannelId,
        amount: int,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Adds to a channel's deposit. Signed by the payer.

        Args:
            channel: Which.
            amount: What the deposit grows by, in the unit's smallest step.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            ChannelNotFound: The signer is on neither side, or the channel is forgotten.
            WrongSide: The signer is the payee.
            ChannelEnded, ChannelClosing: It pays no more, or soon will not.
            AccountRefused: One of the accounts is frozen or closed.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
        """
        draft = self.draft(signer)
        draft.add(build(TopUp, channel, require_amount(amount)))
        return await self._send(draft, deadline_s)

    async def redeem(
        self, voucher: Voucher, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Has a voucher paid: what it says, less what was paid before. Signed by the payee.

        One above the deposit is paid up to it, and the rest when it is redeemed again after a
        top-up. Redeeming one twice pays once.

        Args:
            voucher: The last one of its channel.
            signer: The payee.
            deadline_s: When to give up.

        Raises:
            InvalidArgument: The voucher is for another ledger.
            ChannelNotFound: The signer is on neither side, or the channel is forgotten.
            WrongSide: The signer is the payer.
            ChannelEnded: The channel is closed.
            VoucherLowered: One for more was redeemed before.
            BadVoucher: The channel's key did not sign it.
            ChannelExhausted: The deposit is paid out.
            AccountRefused: The payee's account is frozen or closed.
        """
        self._require_of_ledger(voucher)
        draft = self.draft(signer)
        draft.add(voucher.record)
        return await self._send(draft, deadline_s)

    async def redeem_many(
        self,
        vouchers: Iterable[Voucher],
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> list[Redeemed]:
        """Redeems the last voucher of each channel, in envelopes of up to 8,190.

        Of several vouchers of one channel only the one with the highest sum is sent, which pays
        what all of them do; a forged one among them would hide the others, so `verify` each first.
        A refused voucher does not raise: look at each `Redeemed`.

        Args:
            vouchers: Of any number of channels that pay the signer's accounts.
            signer: The payee.
            deadline_s: When to give up.

        Returns:
            One for each channel, in the order in which the channels first came.

        Raises:
            InvalidArgument: A voucher is for another ledger; nothing was sent.
        """
        last: dict[ChannelId, Voucher] = {}
        for voucher in vouchers:
            self._require_of_ledger(voucher)
            known = last.get(voucher.channel)
            if known is None or voucher.cumulative > known.cumulative:
                last[voucher.channel] = voucher
        wanted = list(last.values())

        def fill(draft: Draft, part: slice) -> None:
            draft.add_encoded(_records(wanted[part]))

        receipts = await self._send_many(len(wanted), fill, signer, deadline_s)
        return [
            Redeemed(voucher, receipts[number // MAX_RECORDS], number % MAX_RECORDS)
            for number, voucher in enumerate(wanted)
        ]

    async def close_channel(
        self, channel: ChannelId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Closes a channel; what it has not paid goes back to the payer.

        Signed by the payee, that happens at once. Signed by the payer, the channel ends when its
        challenge period is over; until then the payee can still redeem.

        Raises:
            ChannelNotFound: The signer is on neither side, or the channel is forgotten.
            ChannelEnded: It is closed.
            ChannelClosing: The payer is closing it already.
        """
        draft = self.draft(signer)
        draft.add(build(ChannelClose, channel))
        return await self._send(draft, deadline_s)

    def _require_of_ledger(self, voucher: Voucher) -> None:
        if voucher.ledger_id != self._ledger_id:
            raise InvalidArgument("The voucher is for another ledger.")


def id_in(error: OutcomeUnknown, ledger_id: LedgerId, *, add_key: bool) -> ChannelId:
    """Returns the id that a channel has if the envelope that was to open it was ordered after all.

    Args:
        error: What `open_channel` raised; `client.resolve(error)` says whether there is a channel.
        ledger_id: The client's ledger.
        add_key: As `open_channel` was called.
    """
    return ChannelId(object_id(ledger_id, error.principal, error.envelope_id, int(add_key)))


def _records(vouchers: list[Voucher]) -> bytes:
    return bulk.vouchers(
        b"".join(voucher.channel for voucher in vouchers),
        [voucher.cumulative for voucher in vouchers],
        b"".join(voucher.commitment for voucher in vouchers),
        b"".join(voucher.signature for voucher in vouchers),
    )
