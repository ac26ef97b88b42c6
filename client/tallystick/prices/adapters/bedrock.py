"""Amazon Bedrock's Converse usage: like Anthropic's, cache reads and writes are apart from input.

`cacheDetails` gives the lifetimes of writes. The model is not in the body but in the request.

Source: the API reference of TokenUsage and CacheDetail.
"""

from typing import Final

from tallystick.prices.adapters.base import Counts, Dialect, Reading, rest
from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.meters import Meter
from tallystick.prices.usage import Usage

_LIFETIMES: Final = {"5m": Meter.CACHE_WRITE_5M, "1h": Meter.CACHE_WRITE_1H}


def read(body: Counts) -> Reading:
    """Reads `usage` of a Converse answer.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    usage = body.root("usage")
    given = usage.needed("inputTokens", UsageReason.NO_INPUT_COUNT)
    made = usage.needed("outputTokens", UsageReason.NO_OUTPUT_COUNT)
    cached = usage.optional("cacheReadInputTokens")
    written = usage.optional("cacheWriteInputTokens")
    total = usage.count("totalTokens")
    if total is not None and total != given + made + cached + written:
        raise UsageRefused(UsageReason.TOTAL_MISMATCH, f"usage.totalTokens={total}")
    writes = dict.fromkeys(_LIFETIMES.values(), 0)
    for each in usage.objects("cacheDetails"):
        meter = _LIFETIMES.get(each.text("ttl"))
        if meter is None:
            raise UsageRefused(UsageReason.UNKNOWN_SHAPE, f"cacheDetails: {each.text('ttl')}")
        writes[meter] += each.optional("inputTokens")
    counts = {
        Meter.INPUT: given,
        Meter.CACHE_READ: cached,
        Meter.CACHE_WRITE: rest(written, sum(writes.values()), "cacheDetails"),
        **writes,
        Meter.OUTPUT: made,
    }
    return Reading(Dialect.BEDROCK, Usage(counts), body.text("model"))
