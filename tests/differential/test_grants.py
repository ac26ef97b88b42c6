"""Grants and their shares of holds, one test a promise, on both engines."""

import pytest
from tests.differential import raw, raw_grants
from tests.differential.book import MAX_U128, SECOND_NS, START_AMOUNT, Book, MakeEngine, Person
from tests.differential.cases_prices import MINUTE_NS, Names, names_of, published_card
from tests.differential.debts import Shop

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID
from tallystick_ledger.limits import CORRECTION_WINDOW_NS
from tallystick_ledger.results import Cause
from tallystick_ledger.spec.shares import split
from tallystick_ledger.state_rows import AccountFlags, GrantStatus


@pytest.fixture
def book(engine: MakeEngine) -> Book:
    return Book(engine)


@pytest.fixture
def sponsor(book: Book) -> Person:
    return book.customer()


def rest(book: Book, grant: bytes) -> tuple[int, int]:
    """What of a grant is available, and what holds pin."""
    row = book.row(grant)
    return row.available, row.debits_pending


def shares(book: Book, hold: bytes) -> list[tuple[bytes, int, int]]:
    row = book.engine.shares(hold)
    if row is None:
        return []
    return [(share.grant, share.maximum, share.paid) for share in row.shares]


def effects(receipt: object) -> list[tuple[str, int, bool]]:
    """Cause, amount, and whether it is a grant's."""
    listed = receipt.effects  # type: ignore[attr-defined]
    return [(item.cause.name, item.amount, item.grant != NO_ID) for item in listed]


def status(book: Book, grant: bytes) -> GrantStatus:
    row = book.engine.grant(grant)
    assert row is not None
    return row.status


def test_a_grant_moves_money_of_its_pool_into_its_own_account(book: Book, sponsor: Person) -> None:
    until_ns = book.now_ns + 500 * SECOND_NS
    record = raw_grants.grant(sponsor.account, book.alice.principal, 300, until_ns)
    receipt = book.ok(sponsor.key, record)
    assert effects(receipt) == [("GRANT", 300, True)]
    account = book.row(receipt.ids[0])
    assert (account.owner, account.flags) == (sponsor.principal, AccountFlags.GRANT)
    assert (account.available, book.available(sponsor)) == (300, START_AMOUNT - 300)
    for party in (sponsor, book.alice):
        assert [row.grant for row in book.engine.grants(party.principal)] == receipt.ids
    assert book.engine.grants(book.bob.principal) == []


def test_a_hold_pins_the_share_and_captures_pay_it_in_proportion(
    book: Book, sponsor: Person
) -> None:
    grant = book.grant(sponsor, book.alice, 300, ratio=400_000)
    until_ns = book.now_ns + 99 * SECOND_NS
    reserve = raw.reserve(book.alice.account, book.bob.account, 100, until_ns)
    receipt = book.ok(book.alice.key, reserve)
    hold = receipt.ids[0]
    assert effects(receipt) == [("PIN", 60, False), ("PIN", 40, True)]
    assert shares(book, hold) == [(grant, 40, 0)]
    assert (rest(book, grant), book.available(book.alice)) == ((260, 40), START_AMOUNT - 60)
    first = book.ok(book.bob.key, raw.capture(hold, 33))
    assert effects(first) == [("CAPTURE", 20, False), ("CAPTURE", 13, True)]
    second = book.ok(book.bob.key, raw.capture(hold, 34, flags=raw.FINAL))
    assert effects(second) == [
        ("CAPTURE", 1, False),
        ("RELEASE", 39, False),
        ("RELEASE", 27, True),
    ]
    assert book.row(book.bob.account).credits_posted == START_AMOUNT + 34
    assert (rest(book, grant), book.available(book.alice)) == ((287, 0), START_AMOUNT - 21)


def test_grants_pay_by_priority_then_expiry_then_age_and_at_most_four(
    book: Book, sponsor: Person
) -> None:
    start_ns = book.now_ns

    def make(priority: int, seconds: int) -> bytes:
        until_ns = start_ns + seconds * SECOND_NS
        pool, grantee = sponsor.account, book.alice.principal
        record = raw_grants.grant(pool, grantee, 100, until_ns, priority=priority, ratio=100_000)
        return book.ok(sponsor.key, record).ids[0]

    last, late = make(9, 200), make(5, 300)
    soon, same = make(5, 200), make(5, 300)
    hold = book.reserve(book.alice, book.bob, 100)
    assert [share[0] for share in shares(book, hold)] == [soon, late, same, last]
    fifth = make(0, 900)
    hold = book.reserve(book.alice, book.bob, 100)
    assert [share[0] for share in shares(book, hold)] == [fifth, soon, late, same]


def test_a_share_is_bounded_by_ratio_cap_what_is_there_and_what_is_left(
    book: Book, sponsor: Person
) -> None:
    capped = book.grant(sponsor, book.alice, 100, cap=30, priority=1)
    small = book.grant(sponsor, book.alice, 25, priority=2)
    full = book.grant(sponsor, book.alice, 100, priority=3)
    hold = book.reserve(book.alice, book.bob, 90)
    assert [share[:2] for share in shares(book, hold)] == [(capped, 30), (small, 25), (full, 35)]
    assert book.available(book.alice) == START_AMOUNT


def test_who_has_no_money_of_their_own_can_spend_a_grant(book: Book, sponsor: Person) -> None:
    poor = book.customer(amount=0)
    book.grant(sponsor, poor, 100)
    hold = book.reserve(poor, book.bob, 100)
    assert book.codes(book.bob.key, raw.capture(hold, 100, flags=raw.FINAL)) == [Code.OK]
    reserve = raw.reserve(poor.account, book.bob.account, 1, book.now_ns + 9 * SECOND_NS)
    assert book.codes(poor.key, reserve) == [Code.INSUFFICIENT_FUNDS]


def test_many_small_captures_cost_what_one_does(book: Book, sponsor: Person) -> None:
    """No rounding adds up, whichever way the captures go."""
    grants = [
        book.grant(sponsor, book.alice, 50, ratio=ratio, priority=place)
        for place, ratio in enumerate((333_333, 250_000, 7))
    ]
    hold = book.reserve(book.alice, book.bob, 97)
    pinned = [share[1] for share in shares(book, hold)]
    assert pinned == [32, 24]
    for amount in (*range(1, 97, 3), 97):
        book.ok(book.bob.key, raw.capture(hold, amount))
        paid = [share[2] for share in shares(book, hold)]
        assert paid == split(amount, pinned, 97)
        own = START_AMOUNT - book.row(book.alice.account).balance
        assert own == amount - sum(paid)
    assert [book.row(grant).debits_posted for grant in grants] == [32, 24, 0]


def test_what_extend_adds_is_the_payers_alone(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300, ratio=500_000)
    hold = book.reserve(book.alice, book.bob, 100)
    book.ok(book.alice.key, raw.extend(hold, 60))
    assert (rest(book, grant), book.available(book.alice)) == ((250, 50), START_AMOUNT - 110)
    receipt = book.ok(book.bob.key, raw.capture(hold, 140))
    assert effects(receipt) == [("CAPTURE", 90, False), ("CAPTURE", 50, True)]
    receipt = book.ok(book.bob.key, raw.release(hold))
    assert effects(receipt) == [("RELEASE", 20, False)]


def test_a_grant_pays_for_nobody_else_and_not_its_grantee(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    own = Person(book.alice.principal, book.alice.key, book.account(book.alice))
    for payer, payee in ((book.bob, book.alice), (book.alice, own), (sponsor, book.bob)):
        assert shares(book, book.reserve(payer, payee, 10)) == []
    assert shares(book, book.reserve(book.alice, sponsor, 10)) == [(grant, 10, 0)]


def test_a_grant_of_another_unit_does_not_pay(book: Book, sponsor: Person) -> None:
    euro = book.unit(b"EUR")
    pool = book.account(sponsor, euro)
    book.issue(pool, 100, euro)
    book.grant(Person(sponsor.principal, sponsor.key, pool), book.alice, 100)
    assert shares(book, book.reserve(book.alice, book.bob, 10)) == []


def test_a_list_of_providers_keeps_the_money_with_them(book: Book, sponsor: Person) -> None:
    providers = book.id_list(sponsor, book.bob.principal, b"somebody else...")
    grant = book.grant(sponsor, book.alice, 300, providers=providers)
    stranger = book.customer()
    assert shares(book, book.reserve(book.alice, stranger, 10)) == []
    assert shares(book, book.reserve(book.alice, book.bob, 10)) == [(grant, 10, 0)]


def priced_hold(book: Book, card: bytes, names: Names, regions: tuple[bytes, ...] = ()) -> bytes:
    until_ns = book.now_ns + 100 * SECOND_NS
    record = raw.reserve(book.alice.account, book.bob.account, 10, until_ns)
    record = raw.priced(record, raw.terms(card, names.model, regions=regions))
    return book.ok(book.alice.key, record).ids[0]


def test_lists_of_models_and_regions_ask_for_a_card(book: Book, sponsor: Person) -> None:
    names = names_of(book)
    card = published_card(book, book.bob, names)
    book.now_ns += 3 * MINUTE_NS
    here, there = names.region, b"another region.."
    models = book.id_list(sponsor, names.model)
    regions = book.id_list(sponsor, here, b"a third region..")
    of_model = book.grant(sponsor, book.alice, 5, models=models)
    of_region = book.grant(sponsor, book.alice, 300, regions=regions)
    assert shares(book, book.reserve(book.alice, book.bob, 10)) == []
    both = [(of_model, 5, 0), (of_region, 5, 0)]
    assert shares(book, priced_hold(book, card, names, (here,))) == both
    # Of a model list alone no region is asked; of a region list all that are permitted.
    grant = book.grant(sponsor, book.alice, 100, models=models)
    for permitted in ((), tuple(sorted((here, there)))):
        assert shares(book, priced_hold(book, card, names, permitted)) == [(grant, 10, 0)]
    other = book.id_list(sponsor, b"another model...")
    book.ok(sponsor.key, raw_grants.claw_back(grant))
    book.grant(sponsor, book.alice, 100, models=other)
    assert shares(book, priced_hold(book, card, names)) == []


def test_captures_of_a_priced_hold_name_card_and_grant(book: Book, sponsor: Person) -> None:
    names = names_of(book)
    card = published_card(book, book.bob, names)
    book.now_ns += 3 * MINUTE_NS
    grant = book.grant(sponsor, book.alice, 300, ratio=500_000)
    hold = priced_hold(book, card, names)
    record = raw.used(raw.capture(hold, 6), raw.usage([(names.meter, 6)]))
    receipt = book.ok(book.bob.key, record)
    assert [(item.amount, item.card, item.grant) for item in receipt.effects] == [
        (3, card, NO_ID),
        (3, card, grant),
    ]


def test_related_parties_are_not_paid_while_the_registrar_says_so(
    book: Book, sponsor: Person
) -> None:
    registrar, other = book.register(), book.register()
    grant = book.grant(sponsor, book.alice, 300, registrar=registrar.principal)
    pair = sorted((book.alice.principal, book.bob.principal))

    def pays() -> bool:
        hold = book.reserve(book.alice, book.bob, 10)
        found = shares(book, hold)
        book.ok(book.bob.key, raw.release(hold))
        return found == [(grant, 10, 0)]

    assert pays()
    book.ok(other.key, raw_grants.relation(pair))
    assert pays(), "another registrar's word does not count"
    before = book.reserve(book.alice, book.bob, 10)
    book.ok(registrar.key, raw_grants.relation(pair))
    assert not pays()
    assert shares(book, before) == [(grant, 10, 0)], "what is pinned stays"
    book.ok(registrar.key, raw_grants.relation(pair, raw_grants.END))
    assert pays()


def test_nobody_declares_their_own_relation(book: Book, sponsor: Person) -> None:
    pair = sorted((book.alice.principal, book.bob.principal))
    for party in (book.alice, book.bob):
        assert book.codes(party.key, raw_grants.relation(pair)) == [Code.SELF_DECLARED]
    grant = raw_grants.grant(
        sponsor.account,
        book.alice.principal,
        1,
        book.now_ns + 9 * SECOND_NS,
        registrar=book.alice.principal,
    )
    assert book.codes(sponsor.key, grant) == [Code.SELF_DECLARED]


def test_an_expired_grant_goes_back_at_its_nanosecond(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    row = book.engine.grant(grant)
    assert row is not None
    hold = book.reserve(book.alice, book.bob, 100, 900 * SECOND_NS)
    tick = raw.tick()
    receipt = book.send(book.node.key, tick, tick, at_ns=row.expires_at_ns - 1)
    assert effects(receipt) == [("GRANT_RETURN", 200, True)]
    assert receipt.effects[0].record_index == 1
    assert (status(book, grant), rest(book, grant)) == (GrantStatus.EXPIRED, (0, 100))
    assert book.available(sponsor) == START_AMOUNT - 100
    assert shares(book, book.reserve(book.alice, book.bob, 10)) == []
    # What the hold pins is still paid, and what it frees follows.
    receipt = book.ok(book.bob.key, raw.capture(hold, 40, flags=raw.FINAL))
    assert effects(receipt) == [
        ("CAPTURE", 0, False),
        ("CAPTURE", 40, True),
        ("RELEASE", 60, True),
        ("GRANT_RETURN", 60, True),
    ]
    assert (rest(book, grant), book.available(sponsor)) == ((0, 0), START_AMOUNT - 40)
    settled = book.engine.grant(grant)
    assert settled is not None
    assert settled.settled_at_ns == receipt.timestamp_ns


def test_claw_back_takes_what_no_hold_pins(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    hold = book.reserve(book.alice, book.bob, 100, 20 * SECOND_NS)
    receipt = book.ok(sponsor.key, raw_grants.claw_back(grant))
    assert effects(receipt) == [("CLAW_BACK", 200, True)]
    assert status(book, grant) is GrantStatus.CLAWED_BACK
    assert book.codes(sponsor.key, raw_grants.claw_back(grant)) == [Code.GRANT_ENDED]
    book.ok(book.bob.key, raw.capture(hold, 1))
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 20 * SECOND_NS)
    assert effects(receipt) == [
        ("EXPIRY", 0, False),
        ("EXPIRY", 99, True),
        ("GRANT_RETURN", 99, True),
    ]
    assert book.available(sponsor) == START_AMOUNT - 1


def test_a_due_grant_pays_nothing_before_it_is_swept(book: Book, sponsor: Person) -> None:
    """Inside an ATOMIC envelope nothing is swept."""
    grant = book.grant(sponsor, book.alice, 300)
    row = book.engine.grant(grant)
    assert row is not None
    until_ns = row.expires_at_ns + 50 * SECOND_NS
    reserve = raw.reserve(book.alice.account, book.bob.account, 10, until_ns)
    receipt = book.send(book.alice.key, reserve, reserve, atomic=True, at_ns=row.expires_at_ns - 1)
    assert [shares(book, hold) for hold in receipt.ids] == [[(grant, 10, 0)], []]
    assert status(book, grant) is GrantStatus.OPEN


def test_an_aborted_envelope_leaves_no_trace_of_grants(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    hold = book.reserve(book.alice, book.bob, 100)
    registrar = book.register()
    pair = sorted((book.alice.principal, book.bob.principal))
    book.ok(registrar.key, raw_grants.relation(pair))
    fails = raw.transfer(raw.ZERO_ID, raw.NONCE, 1)
    for key, records in (
        (sponsor.key, (raw_grants.claw_back(grant), raw_grants.id_list([b"m" * 16]))),
        (
            sponsor.key,
            (
                raw_grants.grant(
                    sponsor.account, book.bob.principal, 5, book.now_ns + 99 * SECOND_NS
                ),
            ),
        ),
        (book.bob.key, (raw.capture(hold, 30), raw.capture(hold, 50, flags=raw.FINAL))),
        (registrar.key, (raw_grants.relation(pair, raw_grants.END), raw_grants.relation(pair))),
    ):
        before = (rest(book, grant), shares(book, hold), book.engine.grants(sponsor.principal))
        receipt = book.send(key, *records, fails, atomic=True)
        assert receipt.effects == []
        assert receipt.codes[-1] is Code.DEBIT_NOT_FOUND
        after = (rest(book, grant), shares(book, hold), book.engine.grants(sponsor.principal))
        assert before == after
    assert book.codes(registrar.key, raw_grants.relation(pair)) == [Code.RELATION_EXISTS]


def paid_by_two(book: Book, sponsor: Person) -> tuple[int, bytes, bytes]:
    """A capture of 100 of which two grants paid 30 and 20: its number, and the grants."""
    first = book.grant(sponsor, book.alice, 300, ratio=300_000, priority=1)
    second = book.grant(sponsor, book.alice, 300, ratio=200_000, priority=2)
    hold = book.reserve(book.alice, book.bob, 100)
    record = raw.capture(hold, 100, flags=raw.FINAL)
    return book.ok(book.bob.key, record).first_sequence, first, second


def test_a_refund_goes_back_to_all_sources_in_proportion(book: Book, sponsor: Person) -> None:
    sequence, first, second = paid_by_two(book, sponsor)
    given = [0, 0, 0]
    for amount in (1, 2, 10, 50, 37):
        receipt = book.ok(book.bob.key, raw.refund(sequence, amount))
        for item in receipt.effects:
            place = {NO_ID: 0, first: 1, second: 2}[item.grant]
            given[place] += item.amount
            accounts = (book.alice.account, first, second)
            assert (item.cause, item.credit_account) == (Cause.REFUND, accounts[place])
        assert given[1:] == split(sum(given), [30, 20], 100)
    assert given == [50, 30, 20]
    assert (rest(book, first), rest(book, second)) == ((300, 0), (300, 0))
    assert book.available(book.alice) == START_AMOUNT
    assert book.codes(book.bob.key, raw.refund(sequence, 1)) == [Code.CORRECTION_EXCEEDS]


def test_an_accepted_dispute_goes_back_to_the_pool_of_a_grant_that_is_over(
    book: Book, sponsor: Person
) -> None:
    sequence, first, second = paid_by_two(book, sponsor)
    book.ok(sponsor.key, raw_grants.claw_back(first))
    before = book.available(sponsor)
    deadline_ns = book.now_ns + 50 * SECOND_NS
    book.ok(book.alice.key, raw.dispute(sequence, 50, deadline_ns))
    receipt = book.ok(book.bob.key, raw.dispute_answer(sequence, 50))
    assert [(item.amount, item.credit_account, item.grant) for item in receipt.effects] == [
        (25, book.alice.account, NO_ID),
        (15, sponsor.account, first),
        (10, second, second),
    ]
    assert book.available(sponsor) == before + 15


def test_a_record_that_grants_paid_in_full_is_disputed_by_its_payer(
    book: Book, sponsor: Person
) -> None:
    book.grant(sponsor, book.alice, 300)
    hold = book.reserve(book.alice, book.bob, 100)
    sequence = book.ok(book.bob.key, raw.capture(hold, 80)).first_sequence
    deadline_ns = book.now_ns + 50 * SECOND_NS
    assert book.codes(book.alice.key, raw.dispute(sequence, 80, deadline_ns)) == [Code.OK]
    receipt = book.ok(book.bob.key, raw.dispute_answer(sequence, 80))
    assert effects(receipt) == [("DISPUTE", 80, True)]
    assert book.available(book.alice) == START_AMOUNT


def test_a_pool_cannot_be_closed_while_something_may_come_back(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, START_AMOUNT)
    hold = book.reserve(book.alice, book.bob, START_AMOUNT)
    book.ok(book.bob.key, raw.capture(hold, START_AMOUNT, flags=raw.FINAL))
    close = raw.account(raw.CLOSE, account_id=sponsor.account)
    assert book.codes(sponsor.key, close) == [Code.ACCOUNT_NOT_EMPTY]
    freeze = raw.account(raw.FREEZE, account_id=sponsor.account)
    book.ok(sponsor.key, freeze, raw_grants.claw_back(grant))
    assert book.codes(sponsor.key, close) == [Code.ACCOUNT_NOT_EMPTY]
    settled_ns = book.now_ns
    assert book.codes(sponsor.key, close, at_ns=settled_ns + CORRECTION_WINDOW_NS) == [Code.OK]
    assert book.engine.grant(grant) is None
    assert book.row(grant).flags == AccountFlags.GRANT


def test_a_frozen_pool_gets_its_money_back(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    freeze = raw.account(raw.FREEZE, account_id=sponsor.account)
    book.ok(sponsor.key, freeze, raw_grants.claw_back(grant))
    assert book.available(sponsor) == START_AMOUNT


def test_a_pool_without_room_gets_what_fits(book: Book, sponsor: Person) -> None:
    """The rest stays where it is: no number of a ledger leaves 128 bits."""
    grant = book.grant(sponsor, book.alice, 300)
    limit = MAX_U128 - START_AMOUNT - 100
    book.ok(book.bank.key, raw.credit_limit(book.usd, sponsor.account, limit))
    receipt = book.ok(sponsor.key, raw_grants.claw_back(grant))
    assert effects(receipt) == [("CLAW_BACK", 100, True)]
    assert rest(book, grant) == (200, 0)


def test_one_live_grant_of_anybody_has_an_exclusivity_key(book: Book, sponsor: Person) -> None:
    key = b"the programme..."
    grant = book.grant(sponsor, book.alice, 10, exclusivity=key)
    until_ns = book.now_ns + 99 * SECOND_NS
    another = raw_grants.grant(
        book.bob.account, book.alice.principal, 10, until_ns, exclusivity=key
    )
    assert book.codes(book.bob.key, another) == [Code.DOUBLE_SUBSIDY]
    book.grant(book.bob, sponsor, 10, exclusivity=key)
    book.ok(sponsor.key, raw_grants.claw_back(grant))
    assert book.codes(book.bob.key, another) == [Code.OK]


def test_channels_take_no_shares(book: Book, sponsor: Person) -> None:
    grant = book.grant(sponsor, book.alice, 300)
    book.channel(book.alice, book.bob, 100, book.channel_key(book.alice))
    assert (rest(book, grant), book.available(book.alice)) == ((300, 0), START_AMOUNT - 100)


@pytest.mark.parametrize("spoilt", ["after", "longest"])
def test_lists_of_all_lengths(book: Book, spoilt: str) -> None:
    if spoilt == "longest":
        ids = [number.to_bytes(16, "big") for number in range(1, 257)]
        receipt = book.ok(book.alice.key, raw_grants.id_list(ids))
        assert len(receipt.results) == 1 + 40
    for count in (1, 6, 7, 13, 14):
        ids = [number.to_bytes(16, "big") for number in range(1, count + 1)]
        book.ok(book.alice.key, raw_grants.id_list(ids))


def test_a_share_is_exact_in_any_size(engine: MakeEngine) -> None:
    """Amounts near 2**128: no product is cut."""
    book = Book(engine)
    euro = book.unit(b"EUR")
    pool, payer, payee = (
        book.account(person, euro) for person in (book.bank, book.alice, book.bob)
    )
    book.issue(pool, MAX_U128 // 2, euro)
    book.ok(book.bank.key, raw.transfer(pool, payer, MAX_U128 // 4))
    sponsor = Person(book.bank.principal, book.bank.key, pool)
    grant = book.grant(sponsor, book.alice, MAX_U128 // 8, ratio=333_333)
    maximum = MAX_U128 // 6
    until_ns = book.now_ns + 99 * SECOND_NS
    hold = book.ok(book.alice.key, raw.reserve(payer, payee, maximum, until_ns)).ids[0]
    pinned = maximum * 333_333 // 1_000_000
    assert shares(book, hold) == [(grant, pinned, 0)]
    captured = maximum // 7 * 3 + 1
    book.ok(book.bob.key, raw.capture(hold, captured))
    assert shares(book, hold) == [(grant, pinned, captured * pinned // maximum)]


def test_a_meter_takes_shares_at_once_and_gives_back_to_them(book: Book, sponsor: Person) -> None:
    names = names_of(book)
    card = published_card(book, book.bob, names)
    book.now_ns += 3 * MINUTE_NS
    models = book.id_list(sponsor, names.model)
    regions = book.id_list(sponsor, names.region)
    of_region = book.grant(sponsor, book.alice, 300, regions=regions, priority=1)
    of_model = book.grant(sponsor, book.alice, 300, models=models, ratio=250_000, priority=2)

    def metered(region: bytes) -> list[tuple[str, int, bytes, bytes]]:
        usage = raw.usage([(names.meter, 8)], region=region)
        content = raw.metered(card, names.model, usage)
        record = raw.meter(book.alice.account, book.bob.account, 8, content)
        receipt = book.ok(book.alice.key, record)
        listed = receipt.effects
        return [(item.cause.name, item.amount, item.card, item.grant) for item in listed]

    assert metered(raw.ZERO_ID) == [("METER", 6, card, NO_ID), ("METER", 2, card, of_model)]
    assert metered(names.region) == [("METER", 0, card, NO_ID), ("METER", 8, card, of_region)]
    sequence = book.next_sequence - 3  # a METER takes two CONTs
    receipt = book.ok(book.bob.key, raw.refund(sequence, 3))
    assert [(item.amount, item.grant) for item in receipt.effects] == [(3, of_region)]
    assert book.row(of_region).available == 295


def test_limits_count_what_grants_pay(book: Book, sponsor: Person) -> None:
    """All of a hold is counted, also what grants pay; what is not paid is given back."""
    book.grant(sponsor, book.alice, 300, ratio=400_000)
    both = book.alice.account + book.bob.account
    held = raw.limit(raw.OF_PAYEE, raw.HELD, both, book.usd, 100)
    whole = raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, book.alice.principal + bytes(16), book.usd, 150)
    book.ok(book.alice.key, held, whole)

    def used() -> list[int]:
        return [row.used for row in book.engine.limits(book.alice.principal)]

    until_ns = book.now_ns + 99 * SECOND_NS
    reserve = raw.reserve(book.alice.account, book.bob.account, 100, until_ns)
    receipt = book.ok(book.alice.key, reserve)
    assert used() == [100, 100]
    assert book.codes(book.alice.key, reserve) == [Code.LIMIT_EXCEEDED]
    book.ok(book.bob.key, raw.capture(receipt.ids[0], 30))
    assert used() == [100, 70]
    book.ok(book.bob.key, raw.release(receipt.ids[0]))
    assert used() == [30, 0]


def test_a_limit_counts_what_is_set_aside(book: Book, sponsor: Person) -> None:
    subject = sponsor.principal + bytes(16)
    book.ok(sponsor.key, raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, subject, book.usd, 300))
    grant = book.grant(sponsor, book.alice, 300)
    until_ns = book.now_ns + 99 * SECOND_NS
    more = raw_grants.grant(sponsor.account, book.alice.principal, 1, until_ns)
    assert book.codes(sponsor.key, more) == [Code.LIMIT_EXCEEDED]
    book.ok(sponsor.key, raw_grants.claw_back(grant))  # gives nothing back to the limit
    assert book.codes(sponsor.key, more) == [Code.LIMIT_EXCEEDED]


def test_what_a_hold_charges_beyond_its_maximum_is_the_payers_alone(
    book: Book, sponsor: Person
) -> None:
    """First what is on hold, of all sources; then what the payer has; then a claim against it."""
    grant = book.grant(sponsor, book.alice, 300, ratio=400_000)
    shop = Shop.of(book, book.bob)
    payer = Person(book.alice.principal, book.alice.key, book.account(book.alice))
    book.issue(payer.account, 70)
    hold = shop.reserve(payer, 100, 50)
    assert shares(book, hold) == [(grant, 40, 0)]
    receipt = book.ok(book.bob.key, shop.used(hold, 50))
    assert effects(receipt) == [("CAPTURE", 30, False), ("CAPTURE", 20, True)]
    receipt = book.ok(book.bob.key, shop.used(hold, 115))
    assert effects(receipt) == [
        ("CAPTURE", 40, False),
        ("CAPTURE", 20, True),
        ("CLAIM", 5, False),
    ]
    assert [item.beyond for item in receipt.effects] == [10, 0, 0]
    assert (rest(book, grant), book.available(payer)) == ((260, 0), 0)
    # What comes back of that charge goes to payer and grant by what each has paid of it.
    back = book.ok(book.bob.key, raw.refund(receipt.first_sequence, 30))
    assert effects(back) == [("REFUND", 20, False), ("REFUND", 10, True)]
    last = book.ok(book.bob.key, shop.used(hold, 130, flags=raw.FINAL))
    assert effects(last) == [("CAPTURE", 15, False)]
    assert last.effects[0].beyond == 15
    book.ok(payer.key, raw.pay_claim(hold, 5, payer.account))
    assert (rest(book, grant), book.available(payer)) == ((270, 0), 0)
