"""Cards, names and offers as a client sees them: what is sold, and what a usage costs there.

A ledger knows models, meters, tiers and regions by the ids of NAMEs, and two providers may each
have their own NAME for the same word. A `ListedCard` has the words with it, so that offers of many
providers can be asked the same question: what do `input=1500,output=200` cost, and where the least?

The answer is what the ledger will compute: the same lines, the same function, one rounding. What a
card does not price is not cheap but `Unpriced`, with the reason.

    market = await client.market("input=1500,output=200", models=["m-small"])
    best = market.cheapest()
    async with client.reserve(mine, theirs, best.amount, terms=best.terms()) as hold: ...
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tallystick.errors import InvalidArgument
from tallystick.prices.errors import Unpriced, UnpricedReason
from tallystick.prices.lines import STANDARD
from tallystick.prices.usage import Usage
from tallystick_ledger import pricing
from tallystick_ledger.ids import NO_ID, NameId, PrincipalId
from tallystick_ledger.records import CardTerms, NameKind, Overrun, ServedUsage
from tallystick_ledger.state_rows import CardRow, PriceLineRow

ANY_NAME = NameId(NO_ID)


@dataclass(frozen=True, slots=True)
class RegisteredName:
    """A NAME with its text.

    Attributes:
        id: 16 bytes.
        owner: Who registered it.
        kind: What it is the name of.
        text: What it says. Anybody may register any text: who the owner is counts.
    """

    id: NameId
    owner: PrincipalId
    kind: NameKind
    text: str


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A rate card with its lines and the names in them.

    Attributes:
        row: The card.
        lines: Its lines, in order; maybe those of one model only.
        names: All names that card and lines mention, and the owner's own as a PROVIDER.
    """

    row: CardRow
    lines: tuple[PriceLineRow, ...]
    names: Mapping[NameId, RegisteredName]

    def text(self, name: NameId) -> str:
        """The text of a name; `*` for none, its id where the ledger told no text."""
        if name == ANY_NAME:
            return "*"
        found = self.names.get(name)
        return name.hex() if found is None else found.text

    @property
    def provider(self) -> str:
        """What the owner calls itself, or the id of its principal."""
        own = (each for each in self.names.values() if each.owner == self.row.owner)
        texts = sorted(each.text for each in own if each.kind is NameKind.PROVIDER)
        return texts[0] if texts else self.row.owner.hex()

    @property
    def models(self) -> tuple[NameId, ...]:
        """The models that it has lines for, in the order of the lines."""
        return tuple(dict.fromkeys(line.model for line in self.lines))

    def model(self, text: str) -> NameId:
        """The model with this name, or with this id in hexadecimal.

        Raises:
            InvalidArgument: The card has none, or two.
        """
        found = [each for each in self.models if text in (self.text(each), each.hex())]
        if len(found) != 1:
            raise InvalidArgument(
                f"The card has {len(found) or 'no'} models called {text!r}.",
                advice="`tallystick card show` lists them with their ids.",
            )
        return found[0]

    def served(
        self, model: NameId, usage: Usage, tier: str = STANDARD, region: str = ""
    ) -> ServedUsage:
        """A usage as a CAPTURE says it.

        Args:
            model: What was served.
            usage: All that was used so far.
            tier: The service tier that was given. `standard` also where the card knows no tiers.
            region: Where; empty where that makes no difference.

        Raises:
            Unpriced: The card knows no such meter, tier or region, or two of that name.
        """
        lines = [line for line in self.lines if line.model == model]
        meters = {line.meter for line in lines} | set(self.row.length_meters)
        no_line = UnpricedReason.NO_LINE
        counted = {
            self._place(model, meters, meter.label, no_line, optional=False): count
            for meter, count in usage
        }
        tiers = {line.tier for line in lines} - {ANY_NAME}
        regions = {line.region for line in lines} - {ANY_NAME}
        return ServedUsage(
            self._place(model, tiers, tier, UnpricedReason.NO_TIER, optional=tier == STANDARD),
            self._place(model, regions, region, UnpricedReason.NO_REGION, optional=not region),
            tuple(sorted(counted.items())),
        )

    def price(self, model: NameId, usage: ServedUsage, at_ns: int) -> int:
        """What a usage costs, in the unit's smallest step: the amount that a CAPTURE has to name.

        Args:
            model: What was served.
            usage: As `served` says it.
            at_ns: When the hold was, or would be, made.

        Raises:
            Unpriced: Some meter that was used has no price.
        """
        served = pricing.Served(model, usage.tier, usage.region, at_ns)
        lines = [line for line in self.lines if line.model == model]
        counts = dict(usage.lines)
        try:
            return pricing.price(lines, self.row.length_meters, counts, served)
        except pricing.UnpricedError as error:
            holes = ", ".join(self.text(meter) for meter in self._holes(lines, counts, served))
            raise self._unpriced(model, holes, UnpricedReason.NO_LINE) from error

    def terms(
        self,
        model: NameId,
        usage: ServedUsage | None = None,
        *,
        tiers: Iterable[str] = (),
        regions: Iterable[str] = (),
        end_user: bytes = NO_ID,
        overrun: Overrun = Overrun.REJECT,
        debt_limit: int = 0,
    ) -> CardTerms:
        """What a RESERVE pins to be billed by this card.

        Args:
            model: Which may be served.
            usage: Its tier and region may be, too.
            tiers: Names of tiers that may be served; with none and no `usage`: `standard`, where
                the card knows that tier.
            regions: Likewise; none: only lines for any region apply.
            end_user: A salted tag of whom it is for.
            overrun: What becomes of a charge above the maximum.
            debt_limit: With DEBT, and only with it: up to how much above.

        Raises:
            Unpriced: The card knows no such tier or region.
        """
        nothing = Usage({})
        wanted = list(tiers) or ([] if usage is not None else [STANDARD])
        by_tier = [self.served(model, nothing, tier).tier for tier in wanted]
        by_region = [self.served(model, nothing, STANDARD, each).region for each in regions]
        if usage is not None:
            by_tier.append(usage.tier)
            by_region.append(usage.region)
        return CardTerms(
            self.row.card,
            model,
            _listed(by_tier),
            _listed(by_region),
            end_user,
            overrun,
            debt_limit,
        )

    def _place(
        self,
        model: NameId,
        known: Iterable[NameId],
        text: str,
        missing: UnpricedReason,
        *,
        optional: bool,
    ) -> NameId:
        """The meter, tier or region of this name; none where that is as good."""
        found = [each for each in known if self.text(each) == text]
        if len(found) > 1:
            raise self._unpriced(model, text, UnpricedReason.AMBIGUOUS)
        if not found and not optional:
            raise self._unpriced(model, text, missing)
        return found[0] if found else ANY_NAME

    def _holes(
        self, lines: list[PriceLineRow], counts: Mapping[NameId, int], served: pricing.Served
    ) -> Iterator[NameId]:
        """The meters without a price."""
        length = sum(counts.get(meter, 0) for meter in self.row.length_meters)
        for meter in counts:
            line = pricing.find_line(lines, meter, served, length)
            if line is not None and line.same_as != ANY_NAME:
                line = pricing.find_line(lines, line.same_as, served, length)
            if line is None or line.same_as != ANY_NAME:
                yield meter

    def _unpriced(self, model: NameId, what: str, reason: UnpricedReason) -> Unpriced:
        return Unpriced(self.provider, self.text(model), what, reason)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one card says about one model.

    Attributes:
        card: The card.
        model: The model's NAME.
        usage: What was asked about, as the card's names say it; None if it cannot be said.
        amount: What it costs, in the unit's smallest step; None if it is not priced.
        why: Why not; empty if it is priced, or nothing was asked.
    """

    card: ListedCard
    model: NameId
    usage: ServedUsage | None = None
    amount: int | None = None
    why: str = ""

    @property
    def provider(self) -> str:
        """See `ListedCard.provider`."""
        return self.card.provider

    @property
    def model_text(self) -> str:
        """The model's name."""
        return self.card.text(self.model)

    @property
    def lines(self) -> tuple[PriceLineRow, ...]:
        """The card's lines for this model."""
        return tuple(line for line in self.card.lines if line.model == self.model)

    def terms(
        self,
        *,
        end_user: bytes = NO_ID,
        overrun: Overrun = Overrun.REJECT,
        debt_limit: int = 0,
    ) -> CardTerms:
        """What a RESERVE pins to take this offer; it records the choice."""
        return self.card.terms(
            self.model, self.usage, end_user=end_user, overrun=overrun, debt_limit=debt_limit
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """The offers of a ledger that fit a question.

    Attributes:
        offers: Priced ones first, by unit and then the cheapest first; then those without a price.
    """

    offers: tuple[Offer, ...]

    def cheapest(self) -> Offer:
        """The offer that costs least.

        Raises:
            InvalidArgument: Nothing is priced, or prices are in more than one unit.
        """
        priced = [offer for offer in self.offers if offer.amount is not None]
        if not priced:
            raise InvalidArgument("No offer has a price for that.")
        if len({offer.card.row.unit for offer in priced}) > 1:
            raise InvalidArgument(
                "The offers are in more than one unit.", advice="Ask for those of one unit."
            )
        return priced[0]


def offers_of(
    cards: Iterable[ListedCard],
    usage: Usage | None,
    at_ns: int,
    *,
    models: Iterable[str] = (),
    tier: str = STANDARD,
    region: str = "",
) -> Listing:
    """What each card says about each of its models.

    Args:
        cards: Published ones.
        usage: What to price; None for nothing.
        at_ns: When a hold would be made.
        models: Only these, by name; none: all.
        tier: The service tier.
        region: Where; empty where that makes no difference.
    """
    wanted = frozenset(models)
    found = [
        _offer(card, model, usage, at_ns, (tier, region))
        for card in cards
        for model in card.models
        if not wanted or card.text(model) in wanted
    ]
    return Listing(tuple(sorted(found, key=_order)))


def _offer(
    card: ListedCard, model: NameId, usage: Usage | None, at_ns: int, place: tuple[str, str]
) -> Offer:
    if usage is None:
        return Offer(card, model)
    if not card.row.is_effective(at_ns):
        return Offer(card, model, why=UnpricedReason.NOT_IN_FORCE.value)
    served: ServedUsage | None = None
    try:
        served = card.served(model, usage, *place)
        return Offer(card, model, served, card.price(model, served, at_ns))
    except Unpriced as error:
        return Offer(card, model, served, None, f"{error.meter}: {error.reason.value}")


def _order(offer: Offer) -> tuple[bool, bytes, int, str, str, bytes]:
    amount = -1 if offer.amount is None else offer.amount
    names = (offer.provider, offer.model_text)
    return offer.amount is None, offer.card.row.unit, amount, *names, offer.card.row.card


def _listed(names: Iterable[NameId]) -> tuple[NameId, ...]:
    return tuple(sorted(set(names) - {ANY_NAME}))
