"""OpenTelemetry's GenAI attributes, as a span or an event carries them.

`gen_ai.usage.input_tokens` should include cached tokens, by the conventions; instrumentations that
leave them out are found when more was cached than went in, and refused. The deprecated names
(`prompt_tokens`, `completion_tokens`) never promised either, and are not read.

Source: the attribute registry of semantic-conventions-genai (status: development).
"""

from tallystick.prices.adapters.base import Counts, Dialect, Reading, rest
from tallystick.prices.errors import UsageReason
from tallystick.prices.meters import Meter
from tallystick.prices.usage import Usage


def read(attributes: Counts) -> Reading:
    """Reads `gen_ai.usage.*` and `gen_ai.response.model`.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    given = attributes.needed("gen_ai.usage.input_tokens", UsageReason.NO_INPUT_COUNT)
    made = attributes.needed("gen_ai.usage.output_tokens", UsageReason.NO_OUTPUT_COUNT)
    cached = attributes.optional("gen_ai.usage.cache_read.input_tokens")
    written = attributes.optional("gen_ai.usage.cache_creation.input_tokens")
    reasoning = attributes.optional("gen_ai.usage.reasoning.output_tokens")
    fresh = rest(given, cached + written, "cached tokens", UsageReason.CACHE_ABOVE_INPUT)
    counts = {
        Meter.INPUT: fresh,
        Meter.CACHE_READ: cached,
        Meter.CACHE_WRITE: written,
        Meter.OUTPUT: rest(made, reasoning, "reasoning tokens"),
        Meter.REASONING: reasoning,
    }
    model = attributes.text("gen_ai.response.model")
    return Reading(Dialect.OTEL, Usage(counts), model)
