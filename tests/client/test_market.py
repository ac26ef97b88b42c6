"""Cards and names read back, offers compared, and holds billed by what was used."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
from tests.client.conftest import Market

from tallystick import Receipt, errors
from tallystick.market import ListedCard
from tallystick.prices import Meter, PriceError, Unpriced, Usage, parse_usage
from tallystick.prices.errors import UnpricedReason
from tallystick_ledger.ids import CardId, NameId, TimestampNs
from tallystick_ledger.pricing import Window
from tallystick_ledger.records import NameKind, Overrun, Price

NO_CARD = CardId(bytes(16))
NOTICE_NS = 100 * 10**9


class Shop:
    """The payee's names, and cards made of them."""

    def __init__(self, market: Market, names: dict[tuple[NameKind, str], NameId]) -> None:
        self.market = market
        self._names = names

    @classmethod
    async def open(cls, market: Market) -> "Shop":
        wanted = [
            *((NameKind.MODEL, text) for text in ("m-large", "m-small")),
            *((NameKind.METER, text) for text in ("input", "output", "cache_read")),
            (NameKind.TIER, "standard"),
            (NameKind.TIER, "batch"),
            (NameKind.REGION, "eu"),
            (NameKind.PROVIDER, "payee.example"),
        ]
        return cls(market, await market.client.ensure_names(wanted, signer=market.payee))

    def name(self, kind: NameKind, text: str) -> NameId:
        return self._names[kind, text]

    def line(
        self,
        model: str,
        meter: str,
        price: int,
        *,
        tier: str = "",
        region: str = "",
        above: int = 0,
    ) -> Price:
        any_name = NameId(bytes(16))
        return Price(
            NO_CARD,
            self.name(NameKind.MODEL, model),
            self.name(NameKind.METER, meter),
            price,
            self.name(NameKind.TIER, tier) if tier else any_name,
            self.name(NameKind.REGION, region) if region else any_name,
            above,
        )

    async def publish(self, lines: Sequence[Price], *, supersedes: CardId = NO_CARD) -> CardId:
        market = self.market
        made = await market.client.publish_card(
            market.unit,
            lines,
            length_meters=[self.name(NameKind.METER, "input")],
            supersedes=supersedes,
            signer=market.payee,
        )
        market.cluster.clock.now_ns += NOTICE_NS
        return made.id


async def _small_card(shop: Shop) -> CardId:
    return await shop.publish(
        [
            shop.line("m-small", "input", 2_000_000),
            shop.line("m-small", "output", 8_000_000),
            shop.line("m-small", "output", 4_000_000, tier="batch"),
            shop.line("m-small", "output", 9_000_000, region="eu"),
            shop.line("m-small", "output", 16_000_000, above=1_000),
        ]
    )


async def test_names_are_listed_by_kind_and_prefix_and_registered_once(market: Market) -> None:
    shop = await Shop.open(market)
    again = await Shop.open(market)
    assert again.name(NameKind.METER, "input") == shop.name(NameKind.METER, "input")
    client = market.client
    texts = [each.text for each in await client.names(NameKind.METER)]
    assert texts == ["cache_read", "input", "output"]
    (only,) = await client.names(NameKind.MODEL, "m-s")
    assert (only.text, only.owner, only.kind) == ("m-small", market.payee.principal, NameKind.MODEL)
    assert await client.get_names([only.id, NameId(b"\x01" * 16)]) == {only.id: only}
    assert await client.names(NameKind.LABEL) == []


async def test_names_of_others_are_taken_where_they_are_named(market: Market) -> None:
    shop = await Shop.open(market)
    client, wanted = market.client, [(NameKind.METER, "input"), (NameKind.METER, "own")]
    found = await client.ensure_names(wanted, of=[market.payee.principal])
    assert found[NameKind.METER, "input"] == shop.name(NameKind.METER, "input")
    (own,) = await client.names(NameKind.METER, "own")
    assert own.owner == market.payer.principal
    alone = await client.ensure_names(wanted[:1])
    assert alone[NameKind.METER, "input"] != shop.name(NameKind.METER, "input")


async def test_more_names_than_are_asked_for_one_by_one(market: Market) -> None:
    wanted = [(NameKind.LABEL, f"label {number:03}") for number in range(40)]
    first = await market.client.ensure_names(wanted)
    assert await market.client.ensure_names(wanted) == first
    assert len(await market.client.names(NameKind.LABEL, "label 01")) == 10


async def test_a_card_is_read_back_with_its_words(market: Market) -> None:
    shop = await Shop.open(market)
    card = await _small_card(shop)
    listed = await market.client.card(card)
    assert listed is not None
    assert (listed.provider, listed.row.line_count, len(listed.lines)) == ("payee.example", 5, 5)
    assert [listed.text(line.tier) for line in listed.lines] == ["*", "*", "batch", "*", "*"]
    assert [row.card for row in await market.client.cards()] == [card]
    model = shop.name(NameKind.MODEL, "m-large")
    assert await market.client.cards(model=model) == []
    assert await market.client.cards(owner=market.payer.principal) == []
    assert await market.client.card(CardId(b"\x01" * 16)) is None


async def test_drafts_are_their_owners(market: Market) -> None:
    shop = await Shop.open(market)
    lines = [shop.line("m-small", "input", 1 + number, above=number) for number in range(3)]
    lines = [*lines * 1_400][:4_095]
    with pytest.raises(errors.RecordRefused):  # lines overlap: the whole envelope is undone
        await shop.publish(lines)
    assert await market.client.cards(signer=market.payee) == []


async def _listed(market: Market, card: CardId) -> ListedCard:
    listed = await market.client.card(card)
    assert listed is not None
    return listed


async def test_a_card_prices_what_was_served(market: Market) -> None:
    shop = await Shop.open(market)
    listed = await _listed(market, await _small_card(shop))
    model, now_ns = listed.model("m-small"), market.cluster.clock.now_ns

    def costs(usage: str, tier: str = "standard", region: str = "") -> int:
        served = listed.served(model, parse_usage(usage), tier, region)
        return listed.price(model, served, now_ns)

    assert costs("input=1000,output=100") == 2_000 + 800
    assert costs("input=1001,output=100") == 2_002 + 1_600
    assert costs("input=1000,output=100", "batch") == 2_000 + 400
    assert costs("input=1000,output=100", region="eu") == 2_000 + 900
    for wrong, reason in (
        (("input=1,cache_read=1",), UnpricedReason.NO_LINE),
        (("input=1", "priority"), UnpricedReason.NO_TIER),
        (("input=1", "standard", "us"), UnpricedReason.NO_REGION),
    ):
        with pytest.raises(Unpriced) as caught:
            costs(*wrong)
        assert caught.value.reason is reason
    with pytest.raises(errors.InvalidArgument):
        listed.model("m-large")


async def test_two_meters_of_one_name_are_no_price(market: Market) -> None:
    shop = await Shop.open(market)
    other = await market.client.register_name(NameKind.METER, "output")
    dear = Price(NO_CARD, shop.name(NameKind.MODEL, "m-small"), other.id, 90_000_000)
    listed = await _listed(
        market, await shop.publish([shop.line("m-small", "output", 1_000_000), dear])
    )
    with pytest.raises(Unpriced) as caught:
        listed.served(listed.model("m-small"), Usage({Meter.OUTPUT: 1}))
    assert caught.value.reason is UnpricedReason.AMBIGUOUS


async def test_offers_are_compared_by_the_price_of_a_usage(market: Market) -> None:
    shop = await Shop.open(market)
    await _small_card(shop)
    both = [("input", 1_000_000), ("output", 2_000_000)]
    cheap = await shop.publish([shop.line("m-large", meter, price) for meter, price in both])
    client, usage = market.client, "input=100,output=100"
    listing = await client.market(usage)
    assert [(offer.model_text, offer.amount) for offer in listing.offers] == [
        ("m-large", 300),
        ("m-small", 1_000),
    ]
    assert listing.cheapest().card.row.card == cheap
    assert listing.cheapest().terms().card == cheap
    holes = await client.market("input=1,cache_read=1", models=["m-small"])
    (offer,) = holes.offers
    assert offer.amount is None
    assert offer.why == "cache_read: " + UnpricedReason.NO_LINE.value
    with pytest.raises(errors.InvalidArgument):
        holes.cheapest()
    assert len((await client.market(usage, providers=["payee.example"])).offers) == 2
    assert len((await client.market(usage, providers=[market.payee.principal])).offers) == 2
    assert (await client.market(usage, providers=["nobody"])).offers == ()
    assert (await client.market(usage, models=["m-none"])).offers == ()
    assert [offer.amount for offer in (await client.market()).offers] == [None, None]


async def test_superseded_cards_are_gone_and_later_ones_not_priced_yet(market: Market) -> None:
    shop = await Shop.open(market)
    first = await shop.publish([shop.line("m-small", "input", 1_000_000)])
    begun_ns = TimestampNs(market.cluster.clock.now_ns)
    second = await shop.publish([shop.line("m-small", "input", 2_000_000)], supersedes=first)
    before = await market.client.market("input=10", at_ns=begun_ns)
    assert [(offer.card.row.card, offer.amount) for offer in before.offers] == [
        (first, 10),
        (second, None),
    ]
    assert before.offers[1].why.endswith(UnpricedReason.NOT_IN_FORCE.value)
    after = await market.client.market("input=10")
    assert [(offer.card.row.card, offer.amount) for offer in after.offers] == [(second, 20)]


async def test_a_usage_bills_a_hold_by_the_card_that_it_is_bound_to(market: Market) -> None:
    shop = await Shop.open(market)
    await _small_card(shop)
    client = market.client
    offer = (await client.market("input=1000,output=100", tier="batch")).cheapest()
    terms = offer.terms(overrun=Overrun.CAP)
    accounts = (market.payer_account, market.payee_account)
    hold = await client.reserve(*accounts, 3_000, terms=terms)
    (pinned,) = await client.get_terms([hold.id], signer=market.payee)
    assert pinned is not None
    assert (pinned.card, pinned.tiers) == (terms.card, terms.tiers)
    first = await client.capture_usage(
        hold.id, "input=1000,output=50", tier="batch", signer=market.payee
    )
    assert first.amount == 2_200
    with pytest.raises(errors.PriceRefused):  # no other tier was agreed
        await client.capture_usage(hold.id, "input=1000,output=60", signer=market.payee)
    with pytest.raises(PriceError):
        await client.capture_usage(hold.id, "input=1000,page=1", signer=market.payee)
    last = await client.capture_usage(
        hold.id, "input=1000,output=500", tier="batch", final=True, signer=market.payee
    )
    assert last.amount == 3_000
    assert await client.balance(market.payee_account, signer=market.payee) == 3_000
    flat = await client.reserve(*accounts, 5)
    assert await client.get_terms([flat.id]) == [None]
    with pytest.raises(LookupError):
        await client.capture_usage(flat.id, "input=1", signer=market.payee)


def _many(shop: Shop, count: int) -> list[Price]:
    """Lines at different times and thresholds, which do not overlap."""
    return [
        Price(
            NO_CARD,
            shop.name(NameKind.MODEL, ("m-small", "m-large")[number % 2]),
            shop.name(NameKind.METER, ("input", "output", "cache_read")[number // 2 % 3]),
            1_000_000 + number,
            shop.name(NameKind.TIER, ("standard", "batch")[number // 6 % 2]),
            window=Window(place // 7 * 20, place // 7 * 20 + 20, 1 << place % 7),
            above=number // 768 + 1,
        )
        for number in range(count)
        for place in [number // 12 % 64]
    ]


def _only_once(send: Callable[..., Awaitable[Receipt]]) -> Callable[..., Awaitable[Receipt]]:
    """Sends one envelope; then the network is gone."""
    sent: list[Receipt] = []

    async def sending(*arguments: object, **options: object) -> Receipt:
        if sent:
            raise errors.ConnectionFailed("The network is gone.")
        sent.append(await send(*arguments, **options))
        return sent[0]

    return sending


@pytest.mark.parametrize("fails", [False, True])
async def test_a_card_of_several_envelopes_goes_on_where_it_stopped(
    market: Market, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr("tallystick.cards.MAX_RECORDS", 100)
    shop = await Shop.open(market)
    lines = _many(shop, 60)
    if fails:
        with monkeypatch.context() as patch:
            patch.setattr(market.client, "_send", _only_once(market.client._send))
            with pytest.raises(errors.ConnectionFailed):
                await shop.publish(lines)
        (begun,) = await market.client.cards(signer=market.payee)
        assert not begun.is_published
        assert await market.client.cards() == []  # not the payer's to see
    card = await shop.publish(lines)
    listed = await _listed(market, card)
    assert listed.row.is_published
    assert [line.price for line in listed.lines] == [line.price for line in lines]
    if fails:
        assert card == begun.card


async def test_more_lines_than_a_card_can_have_are_refused(market: Market) -> None:
    shop = await Shop.open(market)
    with pytest.raises(errors.InvalidArgument, match="4,096"):
        await shop.publish([shop.line("m-small", "input", 1)] * 4_097)
