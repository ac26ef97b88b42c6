"""From what an API says was used to disjoint meters.

    reading = read_usage(body)              # the JSON answer, with its usage object in it
    reading.usage, reading.model, reading.tier

| dialect | input count includes cached tokens | where |
|---|---|---|
| openai-chat | yes | `usage.prompt_tokens`; also Groq, Mistral, DeepSeek, OpenRouter, vLLM |
| openai-responses | yes | `usage.input_tokens` |
| openai-embeddings | nothing comes out | `usage.prompt_tokens` |
| anthropic | **no** | `usage.input_tokens`; also on Bedrock, Vertex and Azure |
| gemini | yes; tool prompts and thoughts are apart | `usageMetadata` |
| bedrock | **no** | `usage.inputTokens` of Converse |
| otel | yes | attributes `gen_ai.usage.*` of a span |

An adapter subtracts what the API includes, so that nobody has to do it later. It refuses, with a
reason (`UsageReason`), a body that contradicts itself or leaves out what matters, and one in which
it would lose counts of another API. It never guesses, and a missing count is never a zero, except
where the body's own total shows that it is.

Model, tier and region are facts of the answer: what was served may differ from what was asked for,
and what was served is what has a price.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tallystick.prices.adapters import anthropic, bedrock, gemini, openai, otel
from tallystick.prices.adapters.base import Counts, Dialect, Reading
from tallystick.prices.errors import UsageReason, UsageRefused

_READERS: Final[dict[Dialect, Callable[[Counts], Reading]]] = {
    Dialect.OPENAI_CHAT: openai.read_chat,
    Dialect.OPENAI_RESPONSES: openai.read_responses,
    Dialect.OPENAI_EMBEDDINGS: openai.read_embeddings,
    Dialect.ANTHROPIC: anthropic.read,
    Dialect.GEMINI: gemini.read,
    Dialect.BEDROCK: bedrock.read,
    Dialect.OTEL: otel.read,
}

_ANTHROPIC_KEYS: Final = frozenset(
    {"cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "server_tool_use"}
)
_RESPONSES_KEYS: Final = frozenset(
    {"input_tokens_details", "output_tokens_details", "total_tokens"}
)


def read_usage(
    body: Mapping[str, object],
    dialect: Dialect | None = None,
    *,
    null_details_are_none: bool = False,
) -> Reading:
    """Reads what an answer says was used.

    Args:
        body: The answer's JSON object; for OpenTelemetry, a span's attributes.
        dialect: Which API's. Default: what `detect` finds.
        null_details_are_none: Take a null detail object for an absent one. Some servers (vLLM, for
            one) write null where they do not split tokens; whoever runs such a server may say so.

    Raises:
        UsageRefused: It cannot be read without guessing.
    """
    counts = Counts(body, null_is_absent=null_details_are_none)
    return _READERS[dialect or detect(body)](counts)


def detect(body: Mapping[str, object]) -> Dialect:
    """Tells which API a body comes from, by its usage object.

    Raises:
        UsageRefused: NO_USAGE, or UNKNOWN_SHAPE where it fits none, or two that mean different
            things by the same names.
    """
    if any(key.startswith("gen_ai.usage.") for key in body):
        return Dialect.OTEL
    if isinstance(body.get("usageMetadata"), Mapping):
        return Dialect.GEMINI
    usage = body.get("usage")
    if usage is None:
        raise UsageRefused(UsageReason.NO_USAGE)
    if isinstance(usage, Mapping):
        if "prompt_tokens" in usage or "completion_tokens" in usage:
            return Dialect.OPENAI_CHAT
        if "inputTokens" in usage or "outputTokens" in usage:
            return Dialect.BEDROCK
        if usage.keys() & _ANTHROPIC_KEYS:
            return Dialect.ANTHROPIC
        if "input_tokens" in usage and usage.keys() & _RESPONSES_KEYS:
            return Dialect.OPENAI_RESPONSES
    raise UsageRefused(UsageReason.UNKNOWN_SHAPE)


__all__ = ["Dialect", "Reading", "detect", "read_usage"]
