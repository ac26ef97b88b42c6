"""Act: what was paid is corrected, by citing the record that paid. Nothing is rewritten.

| what | by whom | why |
|---|---|---|
| a refund of a whole charge | the provider | its answer was cut off |
| a dispute, half accepted | the payer, then the provider | the other price book has a lower price |
| a dispute, rejected | as before | as before |
| a refund beyond the charge | the provider | refused: all corrections share one ceiling |
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tallystick import errors
from tallystick.prices import Served
from tallystick.statements.posting import Side
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Party
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.offers import PRICES_AT_NS
from tallystick_cluster.economy.requests import Billed, Requests
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_cluster.errors import DemoError
from tallystick_ledger.records import CorrectionReason
from tallystick_ledger.results import Cause


@dataclass(frozen=True, slots=True)
class Given:
    """Money that went back.

    Attributes:
        cause: By which kind of correction.
        payer: Who got it back.
        amount: How much, nano-USD.
    """

    cause: Cause
    payer: Party
    amount: int


@dataclass(slots=True)
class Corrections(Act):
    """The act.

    Attributes:
        requests: What can be corrected.
        given: What went back.
        rejected: How much was asked for in vain.
        refused: Codes of corrections that the ledger refused.
    """

    requests: Requests = field(default_factory=Requests)
    given: list[Given] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        await self._refund(stage)
        await self._dispute(stage, "claude-sonnet-5", share=2)
        await self._dispute(stage, "deepseek-chat", share=0)

    async def _refund(self, stage: Stage) -> None:
        billed = max(self._of_model("gpt-5.6-terra"), key=lambda each: each.amount)
        payer, payee = self._parties(stage, billed)
        await stage.client.refund(
            billed.sequence, billed.amount, CorrectionReason.SERVICE, signer=payee.owner
        )
        self.given.append(Given(Cause.REFUND, payer, billed.amount))
        try:
            await stage.client.refund(billed.sequence, 1, signer=payee.owner)
        except errors.CorrectionExceeds as refused:
            self.refused.append(refused.code)

    async def _dispute(self, stage: Stage, model: str, *, share: int) -> None:
        """Disputes what the other book would have saved; the provider gives a part of it."""
        other = stage.books.other_card(self._of_model(model)[0].job.offer.provider)

        def saved(billed: Billed) -> int:
            charge = other.price(billed.job.usage, Served(model, PRICES_AT_NS))
            return billed.amount - charge.amount_nano

        billed = max(self._of_model(model), key=saved)
        payer, payee = self._parties(stage, billed)
        asked = saved(billed)
        if asked <= 0:
            raise DemoError(f"the other book is dearer for {model}: take more requests")
        given = asked // share if share else 0
        await stage.client.dispute(
            billed.sequence, asked, CorrectionReason.PRICE, signer=payer.owner
        )
        await stage.client.answer_dispute(billed.sequence, given, signer=payee.owner)
        if given:
            self.given.append(Given(Cause.DISPUTE, payer, given))
        else:
            self.rejected.append(asked)

    def _of_model(self, model: str) -> list[Billed]:
        found = [each for each in self.requests.billed if each.job.offer.model == model]
        if not found:
            raise DemoError(f"nobody asked for {model}: take more requests")
        return found

    def _parties(self, stage: Stage, billed: Billed) -> tuple[Party, Party]:
        job = billed.job
        return stage.cast.consumers[job.consumer], stage.cast.providers[job.offer.provider]

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        problems = []
        for cause in (Cause.REFUND, Cause.DISPUTE):
            for party in stage.cast.consumers:
                should_be = sum(
                    each.amount
                    for each in self.given
                    if each.cause is cause and each.payer is party
                )
                found = sum(
                    posting.amount
                    for posting in closing.postings[party.money]
                    if posting.cause == cause.name and posting.side is Side.CREDIT
                )
                if found != should_be:
                    problems.append(f"{party.name} got {found} by {cause.name}, not {should_be}")
        total = sum(each.amount for each in self.given)
        yield check(
            "corrections",
            f"{total:,} nano-USD went back: a refund, and a dispute half accepted; one over "
            f"{sum(self.rejected):,} was rejected",
            problems,
            count=len(self.given),
        )
        yield check(
            "ceiling",
            f"a refund beyond the charge was refused ({', '.join(self.refused) or 'no code'})",
            [] if self.refused == ["CORRECTION_EXCEEDS"] else ["it was not"],
        )
