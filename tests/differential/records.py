"""One random record: mostly one that its signer may well sign, often one that breaks a rule.

Each function is for one kind and takes a `Draft`: who signs, in which envelope, at which place and
about when. Wrong ids, amounts at their limits and times at their edges are all drawn on purpose.
"""

from collections.abc import Callable
from typing import Final

from tests.differential import raw
from tests.differential.draft import (
    Draft,
    id_of,
    other_account,
    own_account,
    some_amount,
    some_hold,
    some_reference,
)
from tests.differential.population import MAX_U128, SECOND_NS, SYMBOLS
from tests.differential.records_channels import (
    channel,
    channel_close,
    extend,
    has_channel_as_payee,
    has_channel_as_payer,
    has_channel_key,
    has_hold_as_payer,
    top_up,
    voucher,
)
from tests.differential.records_corrections import (
    dispute,
    dispute_answer,
    has_dispute,
    has_posting,
    has_priced_posting,
    refund,
    reprice,
)
from tests.differential.records_debts import has_claim, owed_by, pay_claim
from tests.differential.records_exchange import can_exchange, exchange
from tests.differential.records_grants import (
    claw_back,
    grant,
    has_grant,
    has_room,
    id_list,
    relation,
)
from tests.differential.records_limits import delegate, has_spend_key, kill, limit, zone
from tests.differential.records_mandates import has_mandate, mandate, mandate_end
from tests.differential.records_meters import meter, meter_mandated
from tests.differential.records_netting import (
    can_join,
    can_owe,
    deferred_unit,
    fail,
    join,
    obligation,
    operates,
    settle,
    window_close,
)
from tests.differential.records_prices import (
    capture_usage,
    card,
    card_publish,
    has_priced_hold,
    price,
    reserve_card,
)
from tests.differential.records_quotes import can_redeem, meter_quote, reserve_quote
from tests.differential.records_recovery import can_veto, recover, veto
from tests.differential.records_registry import key, name, principal

from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountFlags, AccountRow

MAX_U64: Final = (1 << 64) - 1


def transfer(draft: Draft) -> bytes:
    debit = own_account(draft)
    reference, flags = some_reference(draft)
    credit = other_account(draft, debit)
    amount = some_amount(draft, debit)
    return raw.transfer(id_of(draft, debit), credit, amount, reference, flags=flags)


def issue(draft: Draft) -> bytes:
    world = draft.world
    unit = _some_unit(draft)
    credit = _of_unit(draft, unit)
    amount = world.rng.randint(1, 10**6)
    if world.odd(0.2):
        amount = world.pick((0, MAX_U128, MAX_U128 // 2))
    reference, flags = some_reference(draft)
    return raw.issue(unit, credit, amount, reference, flags=flags)


def burn(draft: Draft) -> bytes:
    world = draft.world
    unit = _some_unit(draft)
    own = [
        row
        for row in world.by_owner.get(draft.signer.principal, [])
        if row.unit == unit and (not row.flags or world.odd(0.5))
    ]
    if world.odd(0.25):  # a stranger's
        own = [row for row in world.accounts if row.unit == unit and not row.flags]
    row = world.pick(own) if own and not world.odd(0.1) else own_account(draft)
    reference, flags = some_reference(draft)
    return raw.burn(unit, id_of(draft, row), some_amount(draft, row), reference, flags=flags)


def credit_limit(draft: Draft) -> bytes:
    world = draft.world
    unit = _some_unit(draft)
    account_id = _of_unit(draft, unit)
    owing = [row for row in world.accounts if row.unit == unit and row.available < row.credit_limit]
    if owing and world.chance(0.8):
        account_id = world.pick(owing).account
    limit = world.rng.randint(0, 200)
    row = next((row for row in world.accounts if row.account == account_id), None)
    if row is not None and world.chance(0.6):
        owed = max(0, row.credit_limit - row.available)
        limit = max(0, world.pick((0, owed, owed - 1, owed - 1, owed + 1)))
    if world.odd(0.1):
        limit = world.pick((MAX_U128, MAX_U128 // 2))
    return raw.credit_limit(unit, account_id, min(limit, MAX_U128))


def _some_unit(draft: Draft) -> bytes:
    """A unit that the signer issues, mostly; sometimes another's, or none."""
    world = draft.world
    units = [row for row in world.state.units if row.issuer == draft.signer.principal]
    usual = [row for row in units if row.unit not in world.state.deferred_units]
    if not world.odd(0.1):
        units = usual or units
    if not units or world.odd(0.15):
        units = list(world.state.units)
    return world.pick(units).unit if units and not world.odd(0.04) else world.new_id()


def _of_unit(draft: Draft, unit: bytes) -> bytes:
    """An account of a unit, mostly; sometimes of another, or none."""
    world = draft.world
    of_unit = [
        row.account
        for row in world.accounts
        if row.unit == unit and (not row.flags or world.odd(0.5))
    ]
    if not of_unit or world.odd(0.1):
        of_unit = [row.account for row in world.accounts]
    return world.pick(of_unit) if of_unit and not world.odd(0.04) else world.new_id()


def reserve(draft: Draft) -> bytes:
    world = draft.world
    payer = own_account(draft)
    reference, flags = some_reference(draft)
    longest_ns = world.state.genesis.hold_max_lifetime_ns
    lifetime_ns = world.rng.randint(SECOND_NS, min(longest_ns, 10 * SECOND_NS))
    if world.odd(0.4):
        edges = (
            SECOND_NS - 1,
            SECOND_NS,
            SECOND_NS + 1,
            longest_ns - 1,
            longest_ns,
            longest_ns + 1,
        )
        lifetime_ns = world.pick(edges)
    expires_at_ns = world.pick((0, MAX_U64)) if world.odd(0.01) else draft.about_ns + lifetime_ns
    world.fresh_holds.append(draft.own_id)
    owing = owed_by(draft)
    payer_id, payee_id = id_of(draft, payer), other_account(draft, payer)
    if owing and world.chance(0.4):
        claim = world.pick(owing)
        payer_id, payee_id = claim.payer_account, claim.payee_account
    return raw.reserve(
        payer_id,
        payee_id,
        some_amount(draft, payer),
        expires_at_ns,
        reference,
        flags=flags,
        mode=1 if world.odd(0.02) else 0,
    )


def capture(draft: Draft) -> bytes:
    world = draft.world
    hold, row = some_hold(draft)
    for _ in range(3):
        if row is None or row.hold not in world.state.terms or world.chance(0.1):
            break
        hold, row = some_hold(draft)  # usage goes with the priced ones
    amount = world.pick((1, 2, 3))
    if row is not None:
        amount = max(1, world.rng.randint(row.captured, row.maximum))
        if world.odd(0.65):
            above = row.maximum + 1
            edges = (row.captured, max(0, row.captured - 1), row.maximum, above, above, above, 0)
            amount = min(MAX_U128, world.pick(edges))
    return raw.capture(
        hold,
        amount,
        flags=raw.FINAL if world.chance(0.35) else 0,
        source=world.pick((0, 4)) if world.odd(0.1) else world.pick((1, 2, 3)),
        occurred_at_ns=world.pick((0, draft.about_ns)),
    )


def release(draft: Draft) -> bytes:
    return raw.release(some_hold(draft)[0])


def account(draft: Draft) -> bytes:
    world = draft.world
    own = [row for row in world.by_owner.get(draft.signer.principal, []) if not row.flags & 5]
    if not own or world.chance(0.5):
        units = [row.unit for row in world.state.units]
        unit = world.pick(units) if units and not world.odd(0.08) else world.new_id()
        world.fresh_accounts.append((draft.own_id, unit))
        account_id = world.new_id() if world.odd(0.03) else raw.ZERO_ID
        return raw.account(raw.OPEN, unit=unit, account_id=account_id)
    row = own_account(draft)
    frozen = [row for row in world.accounts if row.flags == AccountFlags.FROZEN]
    thaw = [row for row in frozen if row.owner == draft.signer.principal]
    operation = world.pick((raw.FREEZE, raw.CLOSE, raw.CLOSE))
    if thaw and not world.odd(0.3):
        operation, row = raw.UNFREEZE, world.pick(thaw)
    elif world.odd(0.08):
        operation = 5
    if world.odd(0.15):
        row = world.pick(world.accounts)
    if operation == raw.CLOSE and world.chance(0.7):
        row = _empty_account(draft) or row
    unit = world.new_id() if world.odd(0.03) else raw.ZERO_ID
    return raw.account(operation, unit=unit, account_id=id_of(draft, row))


def unit(draft: Draft) -> bytes:
    world = draft.world
    symbol = world.pick(SYMBOLS)
    if world.chance(0.4):
        symbol = b"U%d" % world.rng.randrange(1000)
        symbol = symbol.ljust(16, b"\0")
    if world.odd(0.1):
        symbol = world.pick((bytes(16), b"usd".ljust(16, b"\0"), b"A\0B".ljust(16, b"\0")))
    issuer: bytes = world.pick(world.keys).principal
    if world.odd(0.3):
        issuer = world.pick((bytes(16), world.new_id(), world.new_id()))
    exponent = world.pick((19, 255)) if world.odd(0.15) else world.pick((0, 2, 9, 18))
    return raw.unit(issuer, symbol, exponent)


def tick(draft: Draft) -> bytes:  # noqa: ARG001 - one signature for all kinds
    return raw.tick()


def spoiled(draft: Draft, record: bytes) -> bytes:
    """A record with something wrong in its head's bytes; the grid stays whole."""
    world = draft.world
    match world.rng.randrange(6):
        case 0:
            if not any(record[112:128]):  # of a VOUCHER: the new kind has a nonce there
                record = raw.patched(record, 112, raw.NONCE)
            return raw.patched(record, 0, raw.u16(world.pick((0, 0x0302, 0x0109, 0xFFFE))))
        case 1:
            return raw.patched(record, 2, raw.u16(world.pick((1, 2, 3, 4, 0x8000))))
        case 2 if len(record) == raw.RECORD_BYTES:
            return raw.with_conts(record, [b"extra"] * world.rng.randint(1, 3))
        case 3:
            offset = 7 if world.chance(0.3) else world.rng.randrange(6, 80)
            return raw.patched(record, offset, b"\x01")
        case 4 if len(record) == raw.RECORD_BYTES:
            return raw.patched(record, world.rng.randrange(72, 128), b"\x01")
        case _:
            offset = world.rng.randrange(6, 80)
            return raw.patched(record, offset, bytes((world.rng.randrange(256),)))


Writer = Callable[[Draft], bytes]

# How often a key of each scope signs which kind. What its scope denies is drawn elsewhere.
WRITERS: Final[dict[int, tuple[Writer, ...]]] = {
    Scope.OWNER: (
        *[transfer] * 8,
        *[reserve] * 6,
        *[capture] * 12,
        *[release] * 3,
        *[issue] * 3,
        *[burn] * 2,
        *[credit_limit] * 11,
        *[account] * 12,
        *[name] * 3,
        *[key] * 2,
        *[veto] * 2,
        *[extend] * 8,
        *[channel] * 4,
        *[top_up] * 3,
        *[voucher] * 16,
        *[channel_close] * 2,
        *[card] * 2,
        *[price] * 7,
        *[card_publish] * 2,
        *[reserve_card] * 8,
        *[capture_usage] * 16,
        *[meter] * 11,
        *[mandate] * 8,
        *[mandate_end] * 4,
        *[meter_mandated] * 16,
        *[reserve_quote] * 7,
        *[meter_quote] * 7,
        *[exchange] * 10,
        *[refund] * 5,
        *[reprice] * 8,
        *[dispute] * 6,
        *[dispute_answer] * 11,
        *[pay_claim] * 7,
        *[obligation] * 6,
        *[join] * 5,
        *[window_close] * 6,
        *[settle] * 8,
        *[fail] * 7,
        *[limit] * 6,
        *[delegate] * 4,
        kill,
        id_list,
        *[grant] * 7,
        *[claw_back] * 2,
        *[relation] * 2,
    ),
    Scope.SPEND: (
        *[transfer] * 8,
        *[reserve] * 8,
        *[reserve_card] * 6,
        *[meter] * 6,
        *[reserve_quote] * 3,
        *[meter_quote] * 3,
        *[exchange] * 4,
        *[extend] * 4,
        *[channel] * 3,
        *[top_up] * 3,
        channel_close,
        *[dispute] * 2,
        *[limit] * 3,
        delegate,
        kill,
        *[pay_claim] * 2,
        key,
    ),
    Scope.METER: (
        *[capture_usage] * 8,
        *[meter_mandated] * 6,
        *[capture] * 10,
        *[release] * 4,
        *[voucher] * 8,
        channel_close,
        *[refund] * 3,
        *[reprice] * 4,
        *[dispute_answer] * 4,
        pay_claim,
        key,
    ),
    Scope.NODE: (tick,),
    Scope.OPERATE: (*[principal] * 4, *[unit] * 4, deferred_unit, *[zone] * 2, *[key] * 2),
    Scope.PRICE: (*[card] * 3, *[price] * 6, *[card_publish] * 3, key),
    Scope.READ: (key, transfer),
    Scope.AUDIT: (key,),
    Scope.RECOVERY: (*[recover] * 5, key),
    Scope.CHANNEL: (*[key] * 4, channel, voucher),
}
ALL_WRITERS: Final = (
    transfer,
    issue,
    burn,
    credit_limit,
    reserve,
    extend,
    capture,
    release,
    channel,
    top_up,
    voucher,
    channel_close,
    card,
    price,
    card_publish,
    reserve_card,
    capture_usage,
    meter,
    mandate,
    mandate_end,
    meter_mandated,
    reserve_quote,
    meter_quote,
    exchange,
    refund,
    dispute,
    dispute_answer,
    reprice,
    id_list,
    grant,
    claw_back,
    relation,
    limit,
    zone,
    delegate,
    kill,
    pay_claim,
    principal,
    key,
    recover,
    veto,
    name,
    account,
    unit,
    tick,
    deferred_unit,
    join,
    window_close,
    settle,
    fail,
)
ABOUT_DEBTS: Final = (*[capture_usage] * 4, *[pay_claim] * 3, *[reserve] * 2, refund)


def random_record(draft: Draft) -> bytes:
    """A head with its CONTs."""
    world = draft.world
    writers = ALL_WRITERS if world.odd(0.08) else WRITERS[draft.signer.scope]
    if draft.signer.scope is Scope.OWNER and draft.signer.principal in world.busy:
        writers = ABOUT_DEBTS if world.chance(0.4) else writers
    writer = world.pick(writers)
    for _ in range(6):
        if _is_possible(draft, writer) or world.odd(0.4):
            break
        writer = world.pick(writers)
    record = writer(draft)
    return spoiled(draft, record) if world.odd(0.09) else record


def _empty_account(draft: Draft) -> AccountRow | None:
    """An account of the signer that holds nothing: to be closed, unless something is pending."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    empty = [row for row in own if row.balance == 0 and not row.flags & AccountFlags.CLOSED]
    if world.odd(0.4):
        odd = [row for row in empty if row.flags or row.debits_pending or row.credits_pending]
        return world.pick(odd) if odd else None
    empty = [row for row in empty if not row.debits_pending and not row.credits_pending]
    return world.pick(empty) if empty else None


def _is_possible(  # noqa: C901, PLR0911, PLR0912 - one a kind
    draft: Draft, writer: Writer
) -> bool:
    """Whether the signer has what the kind works on."""
    world = draft.world
    own = world.by_owner.get(draft.signer.principal, [])
    if writer in (capture, release):
        accounts = {row.account for row in own}
        return any(row.is_open and row.payee_account in accounts for row in world.holds)
    if writer in (issue, burn, credit_limit):
        issued = [row.unit for row in own if row.flags & AccountFlags.ISSUANCE]
        return any(unit not in world.state.deferred_units for unit in issued)
    if writer is capture_usage:
        return has_priced_hold(draft)
    if writer in (price, card_publish):
        return bool(world.card_plans.get(draft.signer.principal))
    if writer in (reserve_card, meter) and not any(row.is_published for row in world.state.cards):
        return False
    if writer is meter_mandated:
        return has_mandate(draft, of_payee=True)
    if writer is mandate_end:
        return has_mandate(draft, of_payee=False)
    if writer in (reserve_quote, meter_quote):
        return can_redeem(draft)
    if writer is exchange:
        return can_exchange(draft)
    if writer is extend:
        return has_hold_as_payer(draft)
    if writer is top_up:
        return has_channel_as_payer(draft)
    if writer is voucher:
        return has_channel_as_payee(draft)
    if writer is channel_close:
        return has_channel_as_payee(draft) or has_channel_as_payer(draft)
    if writer is refund:
        return has_posting(draft, of_payer=False)
    if writer is dispute:
        return has_posting(draft, of_payer=True)
    if writer is reprice:
        return has_priced_posting(draft)
    if writer is dispute_answer:
        return has_dispute(draft)
    if writer is claw_back:
        return has_grant(draft)
    if writer in (delegate, kill):
        return has_spend_key(draft)
    if writer is pay_claim:
        return has_claim(draft)
    if writer is channel and not has_channel_key(draft):
        return False
    if writer is grant:
        return has_room(draft)
    if writer in (transfer, reserve, reserve_card, meter, channel):
        return any(row.available > 0 and not row.flags for row in own)
    if writer is join:
        return can_join(draft)
    if writer is obligation:
        return can_owe(draft)
    if writer in (window_close, settle, fail):
        return operates(draft, closed=writer is not window_close)
    if writer is veto:
        return can_veto(draft)
    if writer is account:
        return len(own) < world.state.genesis.caps.accounts or world.chance(0.3)
    return True
