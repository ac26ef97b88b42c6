"""Anthropic's usage object.

`input_tokens` counts neither what was read from the cache nor what was written to it: nothing is
subtracted. Writes come with their lifetime in `cache_creation`, or as a total of unstated lifetime.
`output_tokens` is the billing total; thinking is inside. Null is documented to mean "none" here.

With server-side compaction or an advisor, `iterations` lists calls that the totals leave out,
maybe of other models. The totals are what is read; a note says when the iterations sum to more.

Sources: anthropic-sdk-python `types/usage.py`, `types/cache_creation.py`.
"""

from typing import Final

from tallystick.prices.adapters.base import Counts, Dialect, Reading, rest, tier_of
from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.meters import Meter
from tallystick.prices.usage import Usage

_ALL: Final = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
)


def read(body: Counts) -> Reading:
    """Reads `usage` of a message.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    usage = body.root("usage").with_nulls_absent()
    _refuse_foreign(usage)
    made = usage.needed("output_tokens", UsageReason.NO_OUTPUT_COUNT)
    thinking = usage.inner("output_tokens_details").optional("thinking_tokens")
    counts = {
        Meter.INPUT: usage.needed("input_tokens", UsageReason.NO_INPUT_COUNT),
        Meter.CACHE_READ: usage.optional("cache_read_input_tokens"),
        **_writes(usage),
        Meter.OUTPUT: rest(made, thinking, "thinking tokens"),
        Meter.REASONING: thinking,
        Meter.WEB_SEARCH: usage.inner("server_tool_use").optional("web_search_requests"),
    }
    region = usage.text("inference_geo")
    return Reading(
        Dialect.ANTHROPIC,
        Usage(counts),
        body.text("model"),
        tier_of(usage.text("service_tier")),
        "" if region == "not_available" else region,
        _notes(usage),
    )


def _writes(usage: Counts) -> dict[Meter, int]:
    total = usage.count("cache_creation_input_tokens")
    if not usage.has("cache_creation"):
        return {Meter.CACHE_WRITE: total or 0}
    split = usage.inner("cache_creation")
    short = split.optional("ephemeral_5m_input_tokens")
    long = split.optional("ephemeral_1h_input_tokens")
    if total is None:
        total = short + long
    unstated = rest(total, short + long, "cache_creation")
    if unstated and short + long:
        detail = f"cache_creation: {short + long} of {total}"
        raise UsageRefused(UsageReason.TOTAL_MISMATCH, detail)
    return {Meter.CACHE_WRITE: unstated, Meter.CACHE_WRITE_5M: short, Meter.CACHE_WRITE_1H: long}


def _refuse_foreign(usage: Counts) -> None:
    """Refuses OpenAI's cached tokens: inside its input count, which means another thing."""
    details = usage.inner("input_tokens_details")
    for key in ("cached_tokens", "cache_write_tokens"):
        if details.optional(key):
            raise UsageRefused(UsageReason.FOREIGN_COUNTS, f"usage.input_tokens_details.{key}")


def _notes(usage: Counts) -> tuple[str, ...]:
    iterations = usage.objects("iterations")
    listed = sum(each.optional(key) for each in iterations for key in _ALL)
    billed = sum(usage.optional(key) for key in _ALL)
    if listed <= billed:
        return ()
    return (f"iterations count {listed:,} tokens, the totals {billed:,}; the totals were read",)
