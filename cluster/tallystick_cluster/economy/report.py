"""Tells a person how the day goes and what came out: tables, checks, and one line at the end."""

from typing import Final

from tallystick.prices import ALWAYS
from tallystick_cluster.data.arrivals import Trace
from tallystick_cluster.demo.proofs import usd
from tallystick_cluster.demo.screen import Screen, plain_table
from tallystick_cluster.economy.figures import Figures
from tallystick_cluster.economy.offers import PRICE_LISTS, Books, models_of
from tallystick_cluster.economy.plan import Plan, Role, Way

_PER_MILLION: Final = 1_000_000_000  # nano-units of a million tokens in a unit
_TITLE: Final = "Tallystick: a day of a token economy on three nodes"


def introduce(screen: Screen, plan: Plan, seconds: int) -> None:
    """Says what is real and what is made up."""
    screen.title(_TITLE)
    of = {trace: [job for job in plan.jobs if job.arrival.trace is trace] for trace in Trace}
    azure, mooncake = of[Trace.AZURE], of[Trace.MOONCAKE]
    cached = sum(job.arrival.cached_tokens for job in mooncake)
    share = 100 * cached // (cached + sum(job.arrival.input_tokens for job in mooncake))
    vouchers, metered = (len(plan.paid_by(way)) for way in (Way.CHANNEL, Way.METER))
    solos = sum(each.role is Role.SOLO for each in plan.consumers)
    companies = sum(each.role is Role.COMPANY for each in plan.consumers)
    for line in (
        f"real     {len(azure):,} requests of Azure's trace of 2023, their sizes and times;",
        f"         {len(mooncake):,} of Mooncake's, {share} % of whose prompts came from a cache;",
        "         prices, their change and their hours: genai-prices and LiteLLM;",
        f"         how unevenly {len(plan.consumers)} consumers ask (measured clients, ServeGen)",
        f"made up  a gateway, {companies} companies with three agents each, {solos} of one person;",
        f"         who asks whom; a trace's hour is a day, and the day takes {seconds} s",
        f"         {vouchers:,} requests pay by vouchers, {metered:,} are metered, others held",
    ):
        screen.line(line)


def show_prices(screen: Screen, books: Books) -> None:
    """Prints the prices of the day, USD per million tokens."""
    table = plain_table("USD per million", "in", "cached", "out", "book", "when")
    for of in PRICE_LISTS:
        for place, date_ns in enumerate(of.dates_ns):
            card = books.card(of, date_ns)
            for model in models_of(of.provider):
                lines = [
                    each
                    for each in card.lines_of(model)
                    if not each.above and each.tier == "standard"
                ]
                windows = sorted({line.window for line in lines}, reverse=True)
                for window in windows:
                    price = {
                        line.meter.label: f"{line.price / _PER_MILLION:g}"
                        for line in lines
                        if line.window == window
                    }
                    if len(of.dates_ns) > 1:
                        when = "until noon" if place == 0 else "from noon on"
                    else:
                        when = "" if window == ALWAYS else str(window)
                    table.add_row(
                        model,
                        price.get("input", ""),
                        price.get("cache_read", ""),
                        price.get("output", ""),
                        of.bundled.name.lower(),
                        when,
                    )
    screen.table(table)
    screen.line()


def show_figures(screen: Screen, figures: Figures) -> None:
    """Prints everything; the last line is a summary."""
    _show_models(screen, figures)
    _show_parties(screen, figures)
    _show_words(screen, figures)
    for shown in figures.tables:
        table = plain_table(*shown.columns)
        for row in shown.rows:
            table.add_row(*row)
        screen.table(table)
        if shown.note:
            screen.line(shown.note)
    screen.line()
    for label, value in figures.told.items():
        screen.line(f"{label:<18} {value}")
    screen.line()
    for each in figures.checks:
        screen.verdict(f"{'ok  ' if each.ok else 'FAIL'} {each.text}", ok=each.ok)
    failed = sum(not each.ok for each in figures.checks)
    verdict = f"{failed} OF {len(figures.checks)} CHECKS FAIL" if failed else "all checks ok"
    screen.summary(
        f"{figures.settled:,} of {figures.requests:,} requests, {figures.tokens:,} tokens for "
        f"{usd(figures.money_nano)} USD; {figures.settled / max(figures.day_s, 1):,.0f} requests/s "
        f"over {figures.day_s:.0f} s, {figures.wall_s:.0f} s in all; "
        f"{len(figures.checks) - failed} checks; {verdict}"
    )


def _show_models(screen: Screen, figures: Figures) -> None:
    table = plain_table("provider, model", "requests", "tokens in", "cached", "out", "USD")
    for each in figures.models:
        table.add_row(
            f"{each.provider}, {each.model.rpartition('/')[2]}",
            f"{each.requests:,}",
            f"{each.input_tokens:,}",
            f"{each.cached_tokens:,}",
            f"{each.output_tokens:,}",
            usd(each.money_nano),
        )
    table.add_row(
        "all",
        f"{figures.settled:,}",
        f"{sum(each.input_tokens for each in figures.models):,}",
        f"{sum(each.cached_tokens for each in figures.models):,}",
        f"{sum(each.output_tokens for each in figures.models):,}",
        usd(figures.money_nano),
    )
    screen.table(table)


def _show_parties(screen: Screen, figures: Figures) -> None:
    table = plain_table("the day's statements, USD", "opening", "in", "out", "closing")
    for each in (*figures.providers, *figures.consumers):
        table.add_row(
            each.name,
            usd(each.opening_nano),
            usd(each.in_nano),
            usd(each.out_nano),
            usd(each.closing_nano),
        )
    screen.table(table)


def _show_words(screen: Screen, figures: Figures) -> None:
    table = plain_table("whose word, USD", "payee-claimed", "payer-signed", "given back")
    for each in figures.providers:
        table.add_row(each.name, usd(each.claimed_nano), usd(each.signed_nano), usd(each.back_nano))
    screen.table(table)
