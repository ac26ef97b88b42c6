"""OpenAI's usage objects, which many other servers write as well.

`prompt_tokens` (chat) and `input_tokens` (responses) include cached, written and audio tokens;
`completion_tokens` and `output_tokens` include reasoning, audio and predictions that were rejected.
All of these parts are subtracted here, and what is left is plain text.

Cached audio is in two parts at once. `cached_tokens_details`, where a server gives it, says how
much; a body with cached and audio tokens but without it is refused (AMBIGUOUS_OVERLAP).

Sources: openai-python `types/completion_usage.py`, `types/responses/response_usage.py`.
"""

from typing import Final

from tallystick.prices.adapters.base import Counts, Dialect, Reading, rest, tier_of
from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.meters import Meter
from tallystick.prices.usage import Usage

_ANTHROPIC_CACHE: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def read_chat(body: Counts) -> Reading:
    """Reads `usage` of a chat completion.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    usage = body.root("usage")
    given = usage.needed("prompt_tokens", UsageReason.NO_INPUT_COUNT)
    made = usage.count("completion_tokens")
    if made is None:
        if usage.count("total_tokens") != given:
            raise UsageRefused(UsageReason.NO_OUTPUT_COUNT, "usage.completion_tokens")
        made = 0
    counts = _input(given, usage.inner("prompt_tokens_details"))
    counts |= _output(made, usage.inner("completion_tokens_details"))
    return _reading(Dialect.OPENAI_CHAT, body, usage, given + made, counts)


def read_responses(body: Counts) -> Reading:
    """Reads `usage` of the Responses API.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    usage = body.root("usage")
    given = usage.needed("input_tokens", UsageReason.NO_INPUT_COUNT)
    made = usage.needed("output_tokens", UsageReason.NO_OUTPUT_COUNT)
    counts = _input(given, usage.inner("input_tokens_details"))
    counts |= _output(made, usage.inner("output_tokens_details"))
    return _reading(Dialect.OPENAI_RESPONSES, body, usage, given + made, counts)


def read_embeddings(body: Counts) -> Reading:
    """Reads `usage` of an embedding, where only a prompt is counted.

    Raises:
        UsageRefused: Also when something came out (FOREIGN_COUNTS): then it is no embedding.
    """
    usage = body.root("usage")
    given = usage.needed("prompt_tokens", UsageReason.NO_INPUT_COUNT)
    if usage.optional("completion_tokens"):
        raise UsageRefused(UsageReason.FOREIGN_COUNTS, "usage.completion_tokens")
    counts = _input(given, usage.inner("prompt_tokens_details"))
    return _reading(Dialect.OPENAI_EMBEDDINGS, body, usage, given, counts)


def _reading(
    dialect: Dialect, body: Counts, usage: Counts, total: int, counts: dict[Meter, int]
) -> Reading:
    stated = usage.count("total_tokens")
    if stated is not None and stated != total:
        raise UsageRefused(UsageReason.TOTAL_MISMATCH, f"usage.total_tokens={stated}, not {total}")
    for key in _ANTHROPIC_CACHE:
        if usage.has(key) and usage.with_nulls_absent().optional(key):
            raise UsageRefused(UsageReason.FOREIGN_COUNTS, f"usage.{key}")
    tools = usage.with_nulls_absent().inner("server_tool_use")
    if tools.optional("web_search_requests"):
        raise UsageRefused(UsageReason.FOREIGN_COUNTS, "usage.server_tool_use")
    tier = tier_of(body.text("service_tier"))
    return Reading(dialect, Usage(counts), body.text("model"), tier)


def _input(given: int, details: Counts) -> dict[Meter, int]:
    cached = details.optional("cached_tokens")
    written = details.optional("cache_write_tokens")
    rest(given, cached + written, "cached tokens", UsageReason.CACHE_ABOVE_INPUT)
    parts = {
        Meter.INPUT_AUDIO: details.optional("audio_tokens"),
        Meter.INPUT_IMAGE: details.optional("image_tokens"),
        Meter.INPUT_VIDEO: details.optional("video_tokens"),
    }
    cached_parts = _cached_parts(cached, written, parts, details)
    for meter, cached_meter in _CACHED.items():
        what = f"cached {meter.label}"
        parts[meter] = rest(parts[meter], cached_parts.get(cached_meter, 0), what)
    plain_cached = rest(cached, sum(cached_parts.values()), "parts of cached tokens")
    special = sum(parts.values()) + cached + written
    return {
        Meter.INPUT: rest(given, special, "parts of the prompt"),
        **parts,
        Meter.CACHE_READ: plain_cached,
        **cached_parts,
        Meter.CACHE_WRITE: written,
    }


_CACHED: Final = {
    Meter.INPUT_AUDIO: Meter.CACHE_READ_AUDIO,
    Meter.INPUT_IMAGE: Meter.CACHE_READ_IMAGE,
    Meter.INPUT_VIDEO: Meter.CACHE_READ_VIDEO,
}


def _cached_parts(
    cached: int, written: int, parts: dict[Meter, int], details: Counts
) -> dict[Meter, int]:
    """How much of each modality was cached."""
    if not any(parts.values()) or not cached + written:
        return {}
    if written or not details.has("cached_tokens_details"):
        raise UsageRefused(UsageReason.AMBIGUOUS_OVERLAP, "cached tokens and other than text")
    split = details.inner("cached_tokens_details")
    return {
        Meter.CACHE_READ_AUDIO: split.optional("audio_tokens"),
        Meter.CACHE_READ_IMAGE: split.optional("image_tokens"),
        Meter.CACHE_READ_VIDEO: split.optional("video_tokens"),
    }


def _output(made: int, details: Counts) -> dict[Meter, int]:
    parts = {
        Meter.REASONING: details.optional("reasoning_tokens"),
        Meter.OUTPUT_AUDIO: details.optional("audio_tokens"),
        Meter.OUTPUT_IMAGE: details.optional("image_tokens"),
    }
    return {Meter.OUTPUT: rest(made, sum(parts.values()), "parts of the output"), **parts}
