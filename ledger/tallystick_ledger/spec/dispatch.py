"""Executes one head: its shape, then the rules of its kind. Source: docs/semantics.md section 3.

Stage 1 ("shape") is how a record is read: `tallystick_ledger.records.decode` answers with the
codes of that stage, in its order. Everything after it is the function named like the kind.
"""

from tallystick_ledger import records
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import RecordError
from tallystick_ledger.records import (
    Account,
    Burn,
    Capture,
    Card,
    CardPublish,
    Channel,
    ChannelClose,
    ClawBack,
    CreditLimit,
    Delegate,
    Dispute,
    DisputeAnswer,
    Extend,
    Fail,
    Grant,
    Issue,
    Join,
    Key,
    Kill,
    Limit,
    List,
    Mandate,
    MandateEnd,
    Meter,
    Name,
    PayClaim,
    Price,
    Principal,
    Raw,
    Record,
    Recover,
    Refund,
    Relation,
    Release,
    Reprice,
    Reserve,
    Settle,
    Tick,
    TopUp,
    Transfer,
    Unit,
    Veto,
    Voucher,
    WindowClose,
    Zone,
)
from tallystick_ledger.records.base import BytesLike
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import (
    cards,
    channels,
    corrections,
    debts,
    delegation,
    grants,
    limits,
    mandates,
    metering,
    meters,
    money,
    netting,
    recovery,
    registry,
    system,
    units,
)
from tallystick_ledger.spec.refusal import Refused
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State


def execute(state: State, place: Place, data: BytesLike) -> list[Effect]:
    """Executes a head, or refuses it and changes nothing.

    Args:
        state: Changed in place.
        place: Where the head stands and who signed it.
        data: The head's 128 bytes and those of its CONTs.

    Returns:
        What the kernel posted on its account, in order.

    Raises:
        Refused: With the code of the first check that fails.
    """
    try:
        record = records.decode(data)
    except RecordError as error:
        raise Refused(error.code) from error
    return _apply(state, place, record)


def _apply(  # noqa: C901, PLR0911, PLR0912
    state: State, place: Place, record: Record | Raw
) -> list[Effect]:
    """Calls the function named like the kind; one line each, hence so many."""
    match record:
        case Transfer():
            return money.transfer(state, place, record)
        case Reserve():
            return metering.reserve(state, place, record)
        case Extend():
            return metering.extend(state, place, record)
        case Capture():
            return metering.capture(state, place, record)
        case Release():
            return metering.release(state, place, record)
        case Meter():
            return meters.meter(state, place, record)
        case Mandate():
            return mandates.mandate(state, place, record)
        case MandateEnd():
            return mandates.mandate_end(state, place, record)
        case PayClaim():
            return debts.pay_claim(state, place, record)
        case Channel():
            return channels.channel(state, place, record)
        case TopUp():
            return channels.top_up(state, place, record)
        case Voucher():
            return channels.voucher(state, place, record)
        case ChannelClose():
            return channels.channel_close(state, place, record)
        case Principal():
            return registry.principal(state, place, record)
        case Key():
            return registry.key(state, place, record)
        case Name():
            return registry.name(state, place, record)
        case Account():
            return registry.account(state, place, record)
        case Recover() | Veto():
            return _apply_recovery(state, place, record)
        case Card():
            return cards.card(state, place, record)
        case Price():
            return cards.price(state, place, record)
        case CardPublish():
            return cards.card_publish(state, place, record)
        case Unit():
            return units.unit(state, place, record)
        case Issue():
            return units.issue(state, place, record)
        case Burn():
            return units.burn(state, place, record)
        case CreditLimit():
            return units.credit_limit(state, place, record)
        case List() | Grant() | ClawBack() | Relation():
            return _apply_subsidy(state, place, record)
        case Limit() | Zone() | Delegate() | Kill():
            return _apply_bound(state, place, record)
        case Refund() | Dispute() | DisputeAnswer() | Reprice():
            return _apply_correction(state, place, record)
        case Tick():
            return system.tick(state, place, record)
        case Join() | WindowClose() | Settle() | Fail():
            return _apply_netting(state, place, record)
    raise Refused(Code.UNKNOWN_KIND)


def _apply_correction(
    state: State, place: Place, record: Refund | Dispute | DisputeAnswer | Reprice
) -> list[Effect]:
    match record:
        case Refund():
            return corrections.refund(state, place, record)
        case Dispute():
            return corrections.dispute(state, place, record)
        case DisputeAnswer():
            return corrections.dispute_answer(state, place, record)
    return corrections.reprice(state, place, record)


def _apply_netting(
    state: State, place: Place, record: Join | WindowClose | Settle | Fail
) -> list[Effect]:
    """As `_apply`, of the kinds about deferred units."""
    match record:
        case Join():
            return netting.join(state, place, record)
        case WindowClose():
            return netting.window_close(state, place, record)
        case Settle():
            return netting.settle(state, place, record)
    return netting.fail(state, place, record)


def _apply_subsidy(
    state: State, place: Place, record: List | Grant | ClawBack | Relation
) -> list[Effect]:
    """As `_apply`, of the kinds about grants."""
    match record:
        case List():
            return grants.list_(state, place, record)
        case Grant():
            return grants.grant(state, place, record)
        case ClawBack():
            return grants.claw_back(state, place, record)
        case Relation():
            return grants.relation(state, place, record)


def _apply_recovery(state: State, place: Place, record: Recover | Veto) -> list[Effect]:
    """As `_apply`, of the kinds about lost keys."""
    if isinstance(record, Recover):
        return recovery.recover(state, place, record)
    return recovery.veto(state, place, record)


def _apply_bound(
    state: State, place: Place, record: Limit | Zone | Delegate | Kill
) -> list[Effect]:
    """Likewise, of the kinds that bound what others may do."""
    match record:
        case Limit():
            return limits.limit(state, place, record)
        case Zone():
            return limits.zone(state, place, record)
        case Delegate():
            return delegation.delegate(state, place, record)
    return delegation.kill(state, place, record)
