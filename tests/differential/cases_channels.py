"""Cases of EXTEND and of the kinds of channels: CHANNEL, TOP_UP, VOUCHER and CHANNEL_CLOSE."""

from typing import Final

from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, STEP_NS
from tests.differential.cases import (
    CAPS,
    FUNDS,
    REFERENCE_CAP,
    REFERENCE_USED,
    SELF,
    SIGNER,
    STRANGE_ID,
    UNIQUE_ZERO,
    UNIT_MISMATCH,
    Case,
    KindCases,
    Violation,
    movable,
    movable_state,
    planned,
    set_field,
    shape,
    violation,
)
from tests.differential.cases_limits import LIMIT, bound
from tests.differential.cases_money import NOT_A_MEMBER, outsiders

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import ChannelId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.vouchers import sign_voucher

PINNED: Final = 100  # by the hold or channel that a case is about
ZERO_AMOUNT: Final = planned("zero amount", Code.ZERO_AMOUNT, "amount", amount=0)
_BY_OTHERS: Final = "revoked expired scope party"
_SIDES: Final = " ".join(
    f"{side}.{part}" for side in ("debit", "credit") for part in ("closed", "frozen")
)


def _by_others(case: Case) -> None:
    """Lets somebody else sign, if the plan says so."""
    book = case.book
    if case.get("by_payer"):
        case.key = book.alice.key
    if case.get("by_payee"):
        case.key = book.bob.key
    if case.get("by_stranger"):
        case.key = book.bank.key


def _sides(case: Case) -> tuple[bytes, bytes]:
    """The accounts of Alice and Bob, neither closed nor frozen yet."""
    book, debit, credit = case.book, case.debit, case.credit
    plans = (debit.closed, debit.frozen, credit.closed, credit.frozen)
    debit.closed = debit.frozen = credit.closed = credit.frozen = False
    payer = debit.make(book, book.alice, PINNED if plans[0] else START_AMOUNT)
    payee = credit.make(book, book.bob, 0)
    debit.closed, debit.frozen, credit.closed, credit.frozen = plans
    return payer, payee


def _shut(case: Case, payer: bytes, payee: bytes) -> None:
    """Freezes and closes the accounts as planned: all that was pinned is paid by now."""
    book, debit, credit = case.book, case.debit, case.credit
    if credit.closed:
        book.ok(book.bob.key, raw.transfer(payee, book.alice.account, PINNED))
    for owner, account, plan in ((book.alice, payer, debit), (book.bob, payee, credit)):
        if plan.frozen:
            book.ok(owner.key, raw.account(raw.FREEZE, account_id=account))
        if plan.closed:
            book.ok(owner.key, raw.account(raw.CLOSE, account_id=account))


def _extend(case: Case, _: bytes) -> bytes:
    book = case.book
    payer, payee = _sides(case)
    sent_at_ns = book.now_ns + (20 * SECOND_NS if case.is_expired else 0)
    lifetime_ns = 500 * SECOND_NS
    if case.get("is_due"):
        lifetime_ns, case.wait_ns = 10 * SECOND_NS, 15 * SECOND_NS
    if case.get("ends_soon"):
        lifetime_ns = sent_at_ns - book.now_ns + SECOND_NS + 50 * STEP_NS
        case.wait_ns = max(case.wait_ns, 100 * STEP_NS)
    record = raw.reserve(payer, payee, PINNED, book.now_ns + lifetime_ns)
    made = book.ok(book.alice.key, record)
    hold, expires_at_ns = made.ids[0], made.timestamp_ns + lifetime_ns
    is_paid = case.debit.closed or case.credit.closed
    captured = PINNED if is_paid else 50
    book.ok(book.bob.key, raw.capture(hold, captured))
    if case.get("is_captured"):
        book.ok(book.bob.key, raw.capture(hold, captured, flags=raw.FINAL))
    if case.get("is_released"):
        book.ok(book.bob.key, raw.release(hold))
    _shut(case, payer, payee)
    bound(case)
    _by_others(case)
    until_ns = 0
    if case.get("until") == _LOWER:
        until_ns = expires_at_ns - 1
    elif case.get("until") == _TOO_FAR:
        until_ns = made.timestamp_ns + book.genesis.hold_max_lifetime_ns + 1
    elif case.get("until") == _TOO_SOON:
        until_ns = expires_at_ns
    return raw.extend(STRANGE_ID if case.get("missing") else hold, case.get("amount", 5), until_ns)


_LOWER, _TOO_SOON, _TOO_FAR = 1, 2, 3
_END: Final = "missing ended due ends_soon until"


def _party(missing: Code, of_other: Violation, touches: str) -> tuple[Violation, ...]:
    """Existence of the hold or channel, and who signs about it."""
    return (
        planned("missing", missing, touches, missing=1),
        planned("stranger", missing, _BY_OTHERS, by_stranger=1),
        of_other,
    )


_PAYEE_SIGNS: Final = planned("payee", Code.NOT_PAYER, _BY_OTHERS, by_payee=1)
_PAYER_SIGNS: Final = planned("payer", Code.NOT_PAYEE, _BY_OTHERS, by_payer=1)


def _open(side: str) -> tuple[Violation, ...]:
    """The account on one side is neither closed nor frozen."""
    return (
        set_field(
            f"{side} closed",
            Code.ACCOUNT_CLOSED,
            f"{side}.closed {side}.full debit.pinned",
            f"{side}.closed",
        ),
        set_field(f"{side} frozen", Code.ACCOUNT_FROZEN, f"{side}.frozen", f"{side}.frozen"),
    )


def _hold_funds(case: Case) -> None:
    case.debit.pinned = True
    case.plan["amount"] = 301  # of 1,000 100 and 600 are pinned


_MORE_FUNDS: Final = (
    FUNDS[0],
    violation("held", Code.FUNDS_HELD, "amount debit.pinned debit.closed", _hold_funds),
)

EXTEND: Final = KindCases(
    "EXTEND",
    lambda book: Case(book, _extend, book.alice),
    (
        *shape(40),
        planned("nothing", Code.BAD_FIELD, "amount until", amount=0),
        *SIGNER,
        *_party(Code.HOLD_NOT_FOUND, _PAYEE_SIGNS, f"{_END} {_SIDES}"),
        planned("captured", Code.HOLD_ENDED, "ended until", is_captured=1),
        planned("released", Code.HOLD_ENDED, "ended until", is_released=1),
        planned("due", Code.HOLD_EXPIRED, "due until ended", is_due=1),
        *_open("debit"),
        *_open("credit"),
        planned("lower", Code.EXPIRY_INVALID, "until", until=_LOWER),
        planned("too soon", Code.EXPIRY_INVALID, "until due", until=_TOO_SOON, ends_soon=1),
        planned("too far", Code.EXPIRY_INVALID, "until", until=_TOO_FAR),
        LIMIT,
        *_MORE_FUNDS,
    ),
)


def _channel_key(case: Case) -> bytes:
    """The key that the CHANNEL names."""
    book, signer = case.book, case.signer
    if case.get("key_missing"):
        return STRANGE_ID * 2 + b"??"
    if case.get("key_of_other"):
        other = book.bob if signer is book.alice else book.alice
        return book.channel_key(other).public_key
    if case.get("key_scope"):
        return book.add_key(signer, raw.SPEND)
    if case.get("key_expires"):
        case.wait_ns = max(case.wait_ns, 15 * SECOND_NS)
        return book.channel_key(signer, book.now_ns + 10 * SECOND_NS).public_key
    key = book.channel_key(signer).public_key
    if case.get("key_revoked"):
        book.revoke_key(signer, key)
    return key


def _channel(case: Case, _: bytes) -> bytes:
    book = case.book

    def use(reference: int) -> bytes:
        accounts, key = (book.alice.account, book.bob.account), used.public_key
        return raw.channel(*accounts, 1, key, SECOND_NS, reference, flags=raw.UNIQUE)

    if case.is_reference_used or case.is_reference_cap_reached:
        used = book.channel_key(case.signer)
    reference, flags = case.prepare_references(use)
    for opened in case.used_ids:  # they would count for the other cap
        book.ok(book.bob.key, raw.channel_close(opened))
    debit = case.debit.make(book, case.signer, START_AMOUNT)
    credit = debit if case.get("self_transfer") else case.credit.make(book, book.bob, 0)
    if case.get("outsiders"):
        debit, credit = outsiders(case)
    key = _channel_key(case)
    if case.get("pin_cap"):
        spare = book.channel_key(book.alice)
        for count in range(CAPS.open_holds - int(case.debit.pinned)):
            if count % 2:
                book.reserve(book.alice, book.bob, 1, 900 * SECOND_NS)
            else:
                book.channel(book.alice, book.bob, 1, spare)
    challenge_ns = case.get("challenge_ns", 10 * SECOND_NS)
    bound(case)
    return raw.channel(
        debit, credit, case.get("amount", 5), key, challenge_ns, reference, flags=flags
    )


_TOO_LONG_NS: Final = 1_000 * SECOND_NS + 1

CHANNEL: Final = KindCases(
    "CHANNEL",
    lambda book: Case(book, _channel, book.alice),
    (
        *shape(6),
        UNIQUE_ZERO,
        ZERO_AMOUNT,
        SELF,
        planned("short", Code.BAD_FIELD, "challenge", challenge_ns=SECOND_NS - 1),
        planned("long", Code.BAD_FIELD, "challenge", challenge_ns=_TOO_LONG_NS),
        *SIGNER,
        REFERENCE_USED,
        *movable("debit", Code.DEBIT_NOT_FOUND),
        *movable("credit", Code.CREDIT_NOT_FOUND),
        planned("no key", Code.KEY_NOT_FOUND, "key", key_missing=1),
        planned("key of another", Code.KEY_NOT_FOUND, "key", key_of_other=1),
        planned("key of another scope", Code.KEY_NOT_FOUND, "key", key_scope=1),
        planned("key revoked", Code.KEY_STATE, "key", key_revoked=1),
        planned("key expired", Code.KEY_STATE, "key", key_expires=1),
        *movable_state("debit"),
        *movable_state("credit"),
        UNIT_MISMATCH,
        NOT_A_MEMBER,
        planned("cap", Code.CAP_EXCEEDED, "pin_cap", pin_cap=1),
        REFERENCE_CAP,
        LIMIT,
        *FUNDS,
    ),
)


def _some_channel(case: Case, paid: int) -> tuple[bytes, SigningKey]:
    """A channel of 100 of Alice's for Bob in the planned state, with `paid` redeemed."""
    book = case.book
    payer, payee = _sides(case)
    key = book.channel_key(book.alice)
    challenge_ns = (2 if case.get("is_due") else 500) * SECOND_NS
    record = raw.channel(payer, payee, PINNED, key.public_key, challenge_ns)
    channel = book.ok(book.alice.key, record).ids[0]
    if case.debit.closed or case.credit.closed:
        paid = PINNED
    if paid:
        book.ok(book.bob.key, book.voucher(key, channel, paid))
    if case.get("is_closed"):
        book.ok(book.bob.key, raw.channel_close(channel))
    if case.get("is_closing") or case.get("is_due"):
        book.ok(book.alice.key, raw.channel_close(channel))
    if case.get("is_due"):
        case.wait_ns = max(case.wait_ns, 15 * SECOND_NS)
    _shut(case, payer, payee)
    bound(case)
    _by_others(case)
    return (STRANGE_ID if case.get("missing") else channel), key


_CLOSED: Final = planned("closed", Code.CHANNEL_ENDED, "ended due", is_closed=1)
_DUE: Final = planned("due", Code.CHANNEL_ENDED, "due ended", is_due=1)
_CLOSING: Final = planned("closing", Code.CHANNEL_CLOSING, "ended due", is_closing=1)

TOP_UP: Final = KindCases(
    "TOP_UP",
    lambda book: Case(
        book,
        lambda case, _: raw.top_up(_some_channel(case, 50)[0], case.get("amount", 5)),
        book.alice,
    ),
    (
        *shape(40),
        ZERO_AMOUNT,
        *SIGNER,
        *_party(Code.CHANNEL_NOT_FOUND, _PAYEE_SIGNS, f"missing ended due {_SIDES}"),
        _CLOSED,
        _DUE,
        _CLOSING,
        *_open("debit"),
        *_open("credit"),
        LIMIT,
        *_MORE_FUNDS,
    ),
)


def _voucher(case: Case, _: bytes) -> bytes:
    paid = case.get("paid", 50)
    channel, key = _some_channel(case, paid)
    cumulative = case.get("amount", 60)
    ledger_id = case.book.genesis.ledger_id
    signature = sign_voucher(key, ledger_id, ChannelId(channel), cumulative, b"v" * 24)
    commitment = b"w" * 24 if case.get("is_forged") else b"v" * 24
    return raw.voucher(channel, cumulative, commitment, signature)


def _fill_payee(case: Case) -> None:
    """Nothing is paid yet, and 60 do not fit any more."""
    case.credit.full = True
    case.plan["paid"] = 0


VOUCHER: Final = KindCases(
    "VOUCHER",
    lambda book: Case(book, _voucher, book.bob, denied_scope=raw.SPEND),
    (
        *shape(6),
        ZERO_AMOUNT,
        *SIGNER,
        *_party(
            Code.CHANNEL_NOT_FOUND,
            _PAYER_SIGNS,
            f"missing ended due {_SIDES} signature credit.full",
        ),
        _CLOSED,
        _DUE,
        *_open("credit"),
        planned("lowered", Code.VOUCHER_LOWERED, "amount credit.full", amount=49),
        planned("forged", Code.BAD_VOUCHER, "signature", is_forged=1),
        planned("exhausted", Code.CHANNEL_EXHAUSTED, "amount credit.full", amount=101, paid=100),
        violation(
            "overflow",
            Code.AMOUNT_OVERFLOW,
            "credit.full credit.closed debit.closed amount",
            _fill_payee,
        ),
    ),
)


def _close(case: Case, _: bytes) -> bytes:
    book = case.book
    channel, _key = _some_channel(case, 50)
    if case.get("wrong_side"):
        of_payer = case.signer is book.alice
        case.key = book.add_key(case.signer, raw.METER_SCOPE if of_payer else raw.SPEND)
    return raw.channel_close(channel)


_CLOSE_RULES: Final = (
    *shape(24),
    *SIGNER,
    planned("missing", Code.CHANNEL_NOT_FOUND, "missing ended due party", missing=1),
    planned("stranger", Code.CHANNEL_NOT_FOUND, _BY_OTHERS, by_stranger=1),
    planned("scope of the other side", Code.SCOPE_DENIED, _BY_OTHERS, wrong_side=1),
    _CLOSED,
    _DUE,
)
CLOSE_BY_PAYER: Final = KindCases(
    "CHANNEL_CLOSE",
    lambda book: Case(book, _close, book.alice, denied_scope=raw.READ),
    (*_CLOSE_RULES, _CLOSING),
)
CLOSE_BY_PAYEE: Final = KindCases(
    "CHANNEL_CLOSE payee",
    lambda book: Case(book, _close, book.bob, denied_scope=raw.READ),
    _CLOSE_RULES,
)

CHANNEL_KINDS: Final = (EXTEND, CHANNEL, TOP_UP, VOUCHER, CLOSE_BY_PAYER, CLOSE_BY_PAYEE)
