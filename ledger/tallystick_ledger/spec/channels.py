"""CHANNEL deposits, TOP_UP adds, VOUCHER redeems, CHANNEL_CLOSE ends; sweeps close the due.

A channel is open until its one end. The payee closes at once. The payer can only announce it: for
the challenge period the channel is closing and still pays, then the next sweep closes it. Until
then its rest (deposit - paid) stands in debits_pending of the payer's account and in
credits_pending of the payee's. Source: docs/semantics.md sections 1 and 3.
"""

from dataclasses import replace
from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, ChannelId, PrincipalId, TimestampNs
from tallystick_ledger.limits import MAX_U64
from tallystick_ledger.records import Channel, ChannelClose, Group, Scope, TopUp, Voucher
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_between,
    check_can_pin,
    check_credit_room,
    check_funds,
    check_movable,
    check_open,
    check_pinned_cap,
    free,
    own_account,
    pay,
    pin,
)
from tallystick_ledger.spec.lines import is_in_time
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count, give_back, no_longer_held
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import ChannelRow, ChannelStatus, KeyStatus
from tallystick_ledger.vouchers import is_valid_voucher

_NEVER: Final = TimestampNs(0)


def channel(state: State, place: Place, record: Channel) -> list[Effect]:
    """Pins a deposit of the payer for the vouchers that one of its CHANNEL keys signs.

    Its shape has one rule that `records` cannot know: the genesis bounds the challenge period.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND,
            CREDIT_NOT_FOUND, KEY_NOT_FOUND, ID_CONFLICT; KEY_STATE; for the payer's, then for
            the payee's account: ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT;
            UNIT_MISMATCH, NOT_A_MEMBER; CAP_EXCEEDED, open holds and channels or references;
            ZONE_HORIZON, LIMIT_EXCEEDED; INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    deposit = Amount(record.deposit)
    require(record.challenge_ns <= state.genesis.hold_max_lifetime_ns, Code.BAD_FIELD)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    check_reference(state, place, Group.STREAMING, record.reference, unique=record.unique)
    payer = own_account(state, place.principal, record.payer_account, Code.DEBIT_NOT_FOUND)
    payee = found(state.accounts.get(record.payee_account), Code.CREDIT_NOT_FOUND)
    key = found(state.keys.get(record.key), Code.KEY_NOT_FOUND)
    of_signer = key.principal == place.principal and key.scope is Scope.CHANNEL
    require(of_signer, Code.KEY_NOT_FOUND)
    channel_id = ChannelId(place.derived_id(state))
    require(channel_id not in state.channels, Code.ID_CONFLICT)
    require(key.status is KeyStatus.ACTIVE, Code.KEY_STATE)
    require(is_in_time(key, place.timestamp_ns), Code.KEY_STATE)
    check_movable(payer)
    check_movable(payee)
    check_between(state, payer, payee)
    check_pinned_cap(state, place.principal)
    check_reference_cap(state, place, unique=record.unique)
    counting = check_limits(state, place, payer, deposit, pin=channel_id, payee=payee.account)
    check_can_pin(payer, payee, deposit, deposit)

    remember_reference(state, place, Group.STREAMING, record.reference, unique=record.unique)
    count(state, counting, deposit, pin=channel_id)
    pin(state, record.payer_account, record.payee_account, deposit)
    state.put_channel(
        ChannelRow(
            channel=channel_id,
            payer_account=record.payer_account,
            payee_account=record.payee_account,
            key=record.key,
            deposit=deposit,
            paid=Amount(0),
            highest=Amount(0),
            challenge_ns=record.challenge_ns,
            closes_at_ns=_NEVER,
            status=ChannelStatus.OPEN,
            ended_at_ns=_NEVER,
        )
    )
    return []


def top_up(state: State, place: Place, record: TopUp) -> list[Effect]:
    """Adds to the deposit of an open channel.

    Returns:
        No effects: the record says it all.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CHANNEL_NOT_FOUND, NOT_PAYER;
            CHANNEL_ENDED, CHANNEL_CLOSING; for the payer's, then for the payee's account:
            ACCOUNT_CLOSED, ACCOUNT_FROZEN; ZONE_HORIZON, LIMIT_EXCEEDED, CAP_EXCEEDED;
            INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW, of the deposit or of the payee's
            account.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    row = _channel_of_party(state, place, record.channel)
    require(_payer(state, row) == place.principal, Code.NOT_PAYER)
    require(not _is_over(row, place.timestamp_ns), Code.CHANNEL_ENDED)
    require(row.status is not ChannelStatus.CLOSING, Code.CHANNEL_CLOSING)
    payer = state.accounts[row.payer_account]
    payee = state.accounts[row.payee_account]
    check_open(payer)
    check_open(payee)
    counting = check_limits(state, place, payer, amount, pin=row.channel, payee=payee.account)
    check_funds(payer, amount)
    require(amounts.fits(row.deposit + amount), Code.AMOUNT_OVERFLOW)
    require(amounts.fits(payee.credits_pending + amount), Code.AMOUNT_OVERFLOW)

    count(state, counting, amount, pin=row.channel)
    pin(state, row.payer_account, row.payee_account, amount)
    state.put_channel(replace(row, deposit=amounts.add(row.deposit, amount)))
    return []


def voucher(state: State, place: Place, record: Voucher) -> list[Effect]:
    """Pays the payee up to what a voucher says, or up to the deposit.

    Returns:
        A VOUCHER effect of what is newly paid; none for the replay of the highest voucher when
        nothing of it is left to pay.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CHANNEL_NOT_FOUND, NOT_PAYEE;
            CHANNEL_ENDED; ACCOUNT_CLOSED, ACCOUNT_FROZEN of the payee's account;
            VOUCHER_LOWERED; BAD_VOUCHER; CHANNEL_EXHAUSTED; AMOUNT_OVERFLOW.
    """
    cumulative = Amount(record.cumulative)
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    row = _channel_of_party(state, place, record.channel)
    require(_payee(state, row) == place.principal, Code.NOT_PAYEE)
    require(not _is_over(row, place.timestamp_ns), Code.CHANNEL_ENDED)
    payee = state.accounts[row.payee_account]
    check_open(payee)
    require(cumulative >= row.highest, Code.VOUCHER_LOWERED)
    signed = is_valid_voucher(
        row.key, state.ledger_id, row.channel, cumulative, record.commitment, record.signature
    )
    require(signed, Code.BAD_VOUCHER)
    payable = amounts.subtract(min(cumulative, row.deposit), row.paid)
    if payable == 0 and cumulative == row.highest:
        return []
    require(payable > 0, Code.CHANNEL_EXHAUSTED)
    check_credit_room(payee, payable)

    pay(state, row.payer_account, row.payee_account, payable)
    paid = amounts.add(row.paid, payable)
    state.put_channel(replace(row, paid=paid, highest=cumulative))
    no_longer_held(state, row.channel, amounts.subtract(row.deposit, paid))
    return [_effect(Cause.VOUCHER, place.index, row, payable)]


def channel_close(state: State, place: Place, record: ChannelClose) -> list[Effect]:
    """Closes a channel, if the payee asks; if the payer does, after the challenge period.

    Whoever owns both accounts is the payee.

    Returns:
        A CHANNEL_CLOSE effect of the rest, if it is freed now and above 0.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CHANNEL_NOT_FOUND; SCOPE_DENIED, a SPEND
            key that is not the payer's or a METER key that is not the payee's; CHANNEL_ENDED,
            CHANNEL_CLOSING.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND, Scope.METER)
    row = _channel_of_party(state, place, record.channel)
    scope = state.keys[place.signing_key].scope
    is_payee = _payee(state, row) == place.principal
    is_payer = _payer(state, row) == place.principal
    require(is_payer or scope is not Scope.SPEND, Code.SCOPE_DENIED)
    require(is_payee or scope is not Scope.METER, Code.SCOPE_DENIED)
    require(not _is_over(row, place.timestamp_ns), Code.CHANNEL_ENDED)
    require(is_payee or row.status is not ChannelStatus.CLOSING, Code.CHANNEL_CLOSING)

    if is_payee:
        rest = _end(state, row, place.timestamp_ns)
        return [_effect(Cause.CHANNEL_CLOSE, place.index, row, rest)] if rest > 0 else []
    closes_at_ns = TimestampNs(min(place.timestamp_ns + row.challenge_ns, MAX_U64))
    state.put_channel(replace(row, status=ChannelStatus.CLOSING, closes_at_ns=closes_at_ns))
    return []


def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> list[Effect]:
    """Closes the closing channels that are due, in the order of (closes_at_ns, id).

    Args:
        state: Changed in place.
        timestamp_ns: Time of the record before which the sweep runs.
        index: The record's index in its envelope.
        limit: How many channels may still be swept in this block.

    Returns:
        One CHANNEL_CLOSE effect a channel, also of a rest of 0.
    """
    effects: list[Effect] = []
    while len(effects) < limit:
        row = state.next_to_close()
        if row is None or row.closes_at_ns > timestamp_ns:
            break
        rest = _end(state, row, timestamp_ns)
        effects.append(_effect(Cause.CHANNEL_CLOSE, index, row, rest))
    return effects


def _channel_of_party(state: State, place: Place, channel_id: ChannelId) -> ChannelRow:
    """CHANNEL_NOT_FOUND to strangers."""
    row = found(state.channels.get(channel_id), Code.CHANNEL_NOT_FOUND)
    parties = (_payer(state, row), _payee(state, row))
    require(place.principal in parties, Code.CHANNEL_NOT_FOUND)
    return row


def _payer(state: State, row: ChannelRow) -> PrincipalId:
    return state.accounts[row.payer_account].owner


def _payee(state: State, row: ChannelRow) -> PrincipalId:
    return state.accounts[row.payee_account].owner


def _is_over(row: ChannelRow, timestamp_ns: TimestampNs) -> bool:
    """Whether it is closed, or its challenge period has passed, swept or not."""
    if row.status is ChannelStatus.CLOSING:
        return row.closes_at_ns <= timestamp_ns
    return row.status is ChannelStatus.CLOSED


def _end(state: State, row: ChannelRow, timestamp_ns: TimestampNs) -> Amount:
    """Closes a channel, takes its rest out of both pending columns and returns it."""
    rest = amounts.subtract(row.deposit, row.paid)
    free(state, row.payer_account, row.payee_account, rest)
    give_back(state, row.channel, rest)
    closed = replace(
        row, status=ChannelStatus.CLOSED, closes_at_ns=_NEVER, ended_at_ns=timestamp_ns
    )
    state.put_channel(closed)
    return rest


def _effect(cause: Cause, index: int, row: ChannelRow, amount: Amount) -> Effect:
    return Effect(
        cause=cause,
        record_index=index,
        debit_account=row.payer_account,
        credit_account=row.payee_account,
        amount=amount,
        origin=row.channel,
    )
