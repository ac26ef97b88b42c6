"""Tells a person how the demo goes and what came out."""

from typing import Final

from tallystick_cluster.demo.figures import Figures
from tallystick_cluster.demo.proofs import usd
from tallystick_cluster.demo.screen import Screen, plain_table

LARGEST_SHOWN: Final = 5


class Reporter(Screen):
    """Tells a person how the demo goes."""

    def figures(self, figures: Figures) -> None:
        """Prints everything; the last line is a summary."""
        self._balances(figures)
        self._facts(figures)
        self.line()
        for proof in figures.proofs:
            self.verdict(proof.text, ok=proof.holds)
        tokens = figures.input_tokens + figures.output_tokens
        verdict = "all proofs hold" if figures.holds else "NOT ALL PROOFS HOLD"
        summary = (
            f"{figures.settled:,} of {figures.requests:,} requests settled, {tokens:,} tokens for "
            f"{usd(figures.money_nano)} USD, {figures.requests_per_s:,.0f} requests/s; {verdict}"
        )
        self.summary(summary)

    def _balances(self, figures: Figures) -> None:
        table = plain_table("provider", "requests", "tokens", "earned, USD")
        for provider in figures.providers:
            table.add_row(
                provider.name,
                f"{provider.requests:,}",
                f"{provider.tokens:,}",
                usd(provider.money_nano),
            )
        self.table(table)
        table = plain_table("consumer", "settled", "refused", "deposit, USD", "left, USD")
        largest, others = figures.consumers[:LARGEST_SHOWN], figures.consumers[LARGEST_SHOWN:]
        for consumer in (*largest, *(each for each in others if each.refused)):
            table.add_row(
                consumer.name,
                f"{consumer.settled:,}",
                f"{consumer.refused:,}",
                usd(consumer.deposit_nano),
                usd(consumer.left_nano),
            )
        rest = [each for each in others if not each.refused]
        table.add_row(
            f"{len(rest)} others",
            f"{sum(each.settled for each in rest):,}",
            "0",
            usd(sum(each.deposit_nano for each in rest)),
            usd(sum(each.left_nano for each in rest)),
        )
        self.table(table)

    def _facts(self, figures: Figures) -> None:
        refused = ", ".join(f"{code} {count:,}" for code, count in figures.refusals.items())
        latency = figures.latency_ms
        outage = figures.outage
        self.line()
        facts = {
            "tokens settled": f"{figures.input_tokens:,} in, {figures.output_tokens:,} out",
            "money settled": f"{usd(figures.money_nano)} USD",
            "speed": f"{figures.requests_per_s:,.0f} requests/s over {figures.seconds:.1f} s, "
            "the outage included",
            "an envelope takes": f"p50 {latency['p50']:,.1f} ms, p99 {latency['p99']:,.1f} ms, "
            f"longest {latency['max']:,.0f} ms (the outage)",
            "RESERVEs refused": refused or "none",
            "leader killed": f"node {outage.node}; no answers for {outage.silent_s:.2f} s, then "
            f"node {outage.successor} led; caught up {outage.back_s:.2f} s after its start",
            "sent twice": f"{outage.repeated_answers:,} envelopes, answered as the first time",
        }
        for label, value in facts.items():
            self._console.print(f"{label:<17} {value}", soft_wrap=True)
