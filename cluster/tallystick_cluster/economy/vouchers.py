"""Act: requests on channels.

A regular deposits once and signs a voucher for each request, off the ledger: the sum so far, and a
commitment to every usage behind it. The provider checks each, and redeems the last one every two
hours of the day. The deposit covers about half a day: a voucher above it is paid up to it, and
again after the top-up. In the evening the provider closes the channels.

The commitment is a chain: that of a voucher is the hash of the one before and of the request's
line, so the last one commits to all of them, in order.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tallystick import errors
from tallystick.channels import Channel
from tallystick.history import HistoryFilter
from tallystick.statements.posting import Side
from tallystick.vouchers import NO_COMMITMENT, Voucher, commitment_to
from tallystick_cluster.economy.audit import Charged, book_price, rounded
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Registrar
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.plan import DAY_MS, Job, Way
from tallystick_cluster.economy.stage import Act, Stage
from tallystick_ledger.ids import ChannelId
from tallystick_ledger.records import Kind
from tallystick_ledger.records import Voucher as VoucherRecord
from tallystick_ledger.results import Cause

REDEEM_EVERY_MS: Final = DAY_MS // 12


@dataclass(slots=True)
class Tab:
    """One consumer's channel.

    Attributes:
        consumer: Position in the plan's consumers.
        channel: The channel.
        jobs: What it is for, in order.
        deposit: What was put in so far.
        last: The last voucher.
    """

    consumer: int
    channel: Channel
    jobs: list[Job]
    deposit: int
    last: Voucher | None = None

    def sign(self, job: Job, price: int) -> Voucher:
        """Signs the voucher for one more request."""
        before = (0, NO_COMMITMENT)
        if self.last is not None:
            before = (self.last.cumulative, self.last.commitment)
        self.last = self.channel.voucher(before[0] + price, chained(before[1], job))
        return self.last


@dataclass(slots=True)
class Vouchers(Act):
    """The act.

    Attributes:
        tabs: The channels.
        signed: How many vouchers were signed and checked.
        redeemed: How many of them were redeemed.
        short: How many were paid in part only, for want of a deposit.
        commitments: What the last redeemed voucher of each channel commits to, by the ledger.
        charged: The requests, as the auditor computes them.
    """

    tabs: list[Tab] = field(default_factory=list)
    signed: int = 0
    redeemed: int = 0
    short: int = 0
    commitments: dict[ChannelId, bytes] = field(default_factory=dict)
    charged: list[Charged] = field(default_factory=list)

    async def prepare(self, stage: Stage) -> None:
        """See `Act.prepare`."""
        jobs: dict[int, list[Job]] = defaultdict(list)
        for job in stage.plan.paid_by(Way.CHANNEL):
            jobs[job.consumer].append(job)
        registrar = Registrar(stage.client, stage.entropy)
        for consumer, of_consumer in sorted(jobs.items()):
            payer = stage.cast.consumers[consumer]
            payee = stage.cast.providers[of_consumer[0].offer.provider]
            deposit = -(-sum(stage.price(job) for job in of_consumer) // 2)
            channel = await stage.client.open_channel(
                payer.money,
                payee.money,
                deposit,
                registrar.new_key(),
                add_key=True,
                signer=payer.owner,
            )
            self.tabs.append(Tab(consumer, channel, of_consumer, deposit))

    async def day(self, stage: Stage) -> None:
        """See `Act.day`."""
        tabs = {tab.consumer: tab for tab in self.tabs}
        next_ms = REDEEM_EVERY_MS
        for job in stage.plan.paid_by(Way.CHANNEL):
            while job.day_ms >= next_ms:
                await self._redeem(stage)
                next_ms += REDEEM_EVERY_MS
            await stage.day.wait_for(job.day_ms)
            tab = tabs[job.consumer]
            voucher = tab.sign(job, stage.price(job))
            voucher.verify(tab.channel.key.public_key)
            self.signed += 1
        await self._redeem(stage)

    async def _redeem(self, stage: Stage) -> None:
        """Redeems the last voucher of each channel; has a deposit topped up where it is short."""
        for tab in self.tabs:
            if tab.last is None:
                continue
            payee = stage.cast.providers[tab.jobs[0].offer.provider]
            try:
                await stage.client.redeem(tab.last, signer=payee.biller)
            except errors.ChannelExhausted:
                self.short += 1
            else:
                self.redeemed += 1
            if tab.last.cumulative > tab.deposit:
                await self._top_up(stage, tab)
                await stage.client.redeem(tab.last, signer=payee.biller)
                self.redeemed += 1

    async def _top_up(self, stage: Stage, tab: Tab) -> None:
        """Puts in the rest of the day."""
        self.short += 1
        needed = sum(stage.price(job) for job in tab.jobs)
        payer = stage.cast.consumers[tab.consumer]
        await stage.client.top_up(tab.channel.id, needed - tab.deposit, signer=payer.workers[0])
        tab.deposit = needed

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        wanted = HistoryFilter(kinds=(Kind.VOUCHER,))
        for tab in self.tabs:
            payer = stage.cast.consumers[tab.consumer]
            payee = stage.cast.providers[tab.jobs[0].offer.provider]
            await stage.client.close_channel(tab.channel.id, signer=payee.biller)
            entries = stage.client.history(
                payer.money, wanted=wanted, oldest_first=True, signer=stage.cast.auditor
            )
            async for entry in entries:
                record = entry.record
                if isinstance(record, VoucherRecord) and entry.ok:
                    self.commitments[record.channel] = record.commitment

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        problems = []
        self.charged = []
        paid = self._paid(stage, closing)
        for tab in self.tabs:
            name = stage.plan.consumers[tab.consumer].name
            should_be, commitment = 0, NO_COMMITMENT
            for job in tab.jobs:
                at_ns = stage.day.at_ns(job.day_ms)
                version = stage.tariffs.in_force(job.offer.provider, at_ns)
                exact = book_price(stage, job, version, at_ns)
                should_be += rounded(exact)
                commitment = chained(commitment, job)
                self.charged.append(Charged(job, rounded(exact), exact, at_ns, version))
            if paid.get(tab.channel.id) != should_be:
                problems.append(f"{name} paid {paid.get(tab.channel.id)}, not {should_be}")
            if self.commitments.get(tab.channel.id) != commitment:
                problems.append(f"{name}'s vouchers commit to something else than the trace")
        total = sum(paid.values())
        yield check(
            "vouchers",
            f"{self.signed:,} vouchers on {len(self.tabs)} channels: {self.redeemed:,} redeemed "
            f"ones paid {total:,} nano-USD, what the book says of all their requests; the last "
            "ones commit to each of them",
            problems,
            count=self.signed,
        )
        yield check(
            "top_up",
            f"{self.short:,} vouchers above a deposit were paid up to it, the rest after a top-up",
            [] if self.short else ["no deposit ran short"],
        )

    def _paid(self, stage: Stage, closing: Closing) -> dict[ChannelId, int]:
        paid: dict[ChannelId, int] = defaultdict(int)
        for party in stage.cast.providers.values():
            for posting in closing.postings[party.money]:
                if posting.cause == Cause.VOUCHER.name and posting.side is Side.CREDIT:
                    paid[ChannelId(posting.origin)] += posting.amount
        return dict(paid)


def chained(before: bytes, job: Job) -> bytes:
    """The commitment to one more request."""
    return commitment_to(before + f"{job.number} {job.offer.model} {job.usage}".encode())
