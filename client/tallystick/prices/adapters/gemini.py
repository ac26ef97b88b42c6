"""Gemini's `usageMetadata`.

`promptTokenCount` includes `cachedContentTokenCount`; prompts of the provider's own tools
(`toolUsePromptTokenCount`) and thoughts (`thoughtsTokenCount`) are apart from prompt and
candidates. Details list modalities, and may list fewer tokens than the count: what is not listed
is text. Counts of zero are left out of the JSON; a missing candidates count is zero only where the
total shows it.

Source: the API's reference of GenerateContentResponse.UsageMetadata.
"""

from typing import Final

from tallystick.prices.adapters.base import Counts, Dialect, Reading, rest, tier_of
from tallystick.prices.errors import UsageReason, UsageRefused
from tallystick.prices.meters import Meter
from tallystick.prices.usage import Usage

_TEXT: Final = "text"
_MODALITIES: Final = {
    "": _TEXT,
    "MODALITY_UNSPECIFIED": _TEXT,
    "TEXT": _TEXT,
    "AUDIO": "audio",
    "IMAGE": "image",
    "DOCUMENT": "image",
    "VIDEO": "video",
}
_INPUT: Final = {
    _TEXT: Meter.INPUT,
    "audio": Meter.INPUT_AUDIO,
    "image": Meter.INPUT_IMAGE,
    "video": Meter.INPUT_VIDEO,
}
_CACHED: Final = {
    _TEXT: Meter.CACHE_READ,
    "audio": Meter.CACHE_READ_AUDIO,
    "image": Meter.CACHE_READ_IMAGE,
    "video": Meter.CACHE_READ_VIDEO,
}
_OUTPUT: Final = {
    _TEXT: Meter.OUTPUT,
    "audio": Meter.OUTPUT_AUDIO,
    "image": Meter.OUTPUT_IMAGE,
    "video": Meter.OUTPUT_VIDEO,
}
_TIERS: Final = {"PROVISIONED_THROUGHPUT": "provisioned"}


def read(body: Counts) -> Reading:
    """Reads `usageMetadata` of an answer.

    Raises:
        UsageRefused: See `tallystick.prices.adapters`.
    """
    usage = body.root("usageMetadata")
    prompt = usage.needed("promptTokenCount", UsageReason.NO_INPUT_COUNT)
    cached = usage.optional("cachedContentTokenCount")
    tools = usage.optional("toolUsePromptTokenCount")
    thoughts = usage.optional("thoughtsTokenCount")
    made = _made(usage, prompt + tools + thoughts)
    rest(prompt, cached, "cached tokens", UsageReason.CACHE_ABOVE_INPUT)

    prompt_by = _by_modality(usage, "promptTokensDetails", prompt)
    cached_by = _cached(usage, cached, prompt_by)
    tools_by = _by_modality(usage, "toolUsePromptTokensDetails", tools)
    made_by = _by_modality(usage, "candidatesTokensDetails", made)

    counts = {meter: made_by[modality] for modality, meter in _OUTPUT.items()}
    for modality, meter in _INPUT.items():
        fresh = rest(prompt_by[modality], cached_by[modality], f"cached {modality} tokens")
        from_tools = 0 if modality == _TEXT else tools_by[modality]
        counts[meter] = fresh + from_tools
        counts[_CACHED[modality]] = cached_by[modality]
    counts[Meter.INPUT_TOOL] = tools_by[_TEXT]
    counts[Meter.REASONING] = thoughts
    stated = usage.text("serviceTier") or usage.text("trafficType")
    tier = _TIERS.get(stated, tier_of(stated))
    return Reading(Dialect.GEMINI, Usage(counts), body.text("modelVersion"), tier)


def _made(usage: Counts, before: int) -> int:
    """The candidates' tokens; the total has to agree, and may show that there are none."""
    made = usage.count("candidatesTokenCount")
    total = usage.count("totalTokenCount")
    if made is None:
        if total != before:
            raise UsageRefused(UsageReason.NO_OUTPUT_COUNT, "usageMetadata.candidatesTokenCount")
        return 0
    if total is not None and total != before + made:
        detail = f"usageMetadata.totalTokenCount={total}, not {before + made}"
        raise UsageRefused(UsageReason.TOTAL_MISMATCH, detail)
    return made


def _by_modality(usage: Counts, key: str, whole: int) -> dict[str, int]:
    counts = dict.fromkeys(_INPUT, 0)
    for each in usage.objects(key):
        modality = _MODALITIES.get(each.text("modality"))
        if modality is None:
            raise UsageRefused(UsageReason.UNKNOWN_SHAPE, f"{key}: {each.text('modality')}")
        counts[modality] += each.optional("tokenCount")
    counts[_TEXT] += rest(whole, sum(counts.values()), key)
    return counts


def _cached(usage: Counts, cached: int, prompt_by: dict[str, int]) -> dict[str, int]:
    """The cached tokens by modality, which has to be said if the prompt has more than one."""
    present = [modality for modality, count in prompt_by.items() if count]
    if cached and not usage.has("cacheTokensDetails") and present != [_TEXT]:
        if len(present) > 1:
            raise UsageRefused(UsageReason.AMBIGUOUS_OVERLAP, "cachedContentTokenCount")
        return dict.fromkeys(_INPUT, 0) | {present[0]: cached}
    return _by_modality(usage, "cacheTokensDetails", cached)
