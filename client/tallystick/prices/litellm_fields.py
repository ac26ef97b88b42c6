"""What each price field of LiteLLM's book means: 140-odd names, one grammar.

    field  = base [ "_above_1hr" | "_above_12hr" ] [ "_above_" N "k_tokens" ] [ "_" tier ]

`base` names the meter, the hours a cache's lifetime, N the input length above which the whole
request has this price, and the tier a service tier (`batches` is the tier `batch`). A few bases
depend on the entry's mode: a second is one of audio in a transcription model, one of video in a
video model.

Fields that look like a price but that no line can hold are listed with the reason. `classify` knows
every such field of the book by name or form; one that is new to it is NO_METER, never skipped.
"""

import re
from dataclasses import dataclass
from typing import Final

from tallystick.prices.lines import STANDARD
from tallystick.prices.meters import Meter
from tallystick.prices.report import Reason

USD: Final = "USD"
DBU: Final = "DBU"  # Databricks units: another unit of account, another card

# A unit of account's nano-units per million of the meter, from units per piece: 10^6 x 10^9.
PER_PIECE: Final = 15

_FORM: Final = re.compile(
    r"(?P<base>[a-z_]+?)"
    r"(?:_above_(?P<hours>1hr|12hr))?"
    r"(?:_above_(?P<band>[0-9]+)k_tokens)?"
    r"(?:_(?P<tier>batches|flex|priority|balanced|ultrafast|decisions))?"
)
_TIERS: Final = {None: STANDARD, "batches": "batch"}

_BASES: Final[dict[str, Meter]] = {
    "input_cost_per_token": Meter.INPUT,
    "input_cost_per_audio_token": Meter.INPUT_AUDIO,
    "input_cost_per_image_token": Meter.INPUT_IMAGE,
    "input_cost_per_video_token": Meter.INPUT_VIDEO,
    "cache_read_input_token_cost": Meter.CACHE_READ,
    "input_cost_per_token_cache_hit": Meter.CACHE_READ,  # its second name
    "cache_read_input_audio_token_cost": Meter.CACHE_READ_AUDIO,
    "cache_read_input_image_token_cost": Meter.CACHE_READ_IMAGE,
    "explicit_cache_read_input_token_cost": Meter.CACHE_READ_EXPLICIT,
    "cache_creation_input_token_cost": Meter.CACHE_WRITE,
    "cache_creation_input_audio_token_cost": Meter.CACHE_WRITE_AUDIO,
    "output_cost_per_token": Meter.OUTPUT,
    "output_cost_per_audio_token": Meter.OUTPUT_AUDIO,
    "output_cost_per_image_token": Meter.OUTPUT_IMAGE,
    "output_cost_per_video_token": Meter.OUTPUT_VIDEO,
    "output_cost_per_reasoning_token": Meter.REASONING,
    "citation_cost_per_token": Meter.CITATION,
    "input_dbu_cost_per_token": Meter.INPUT,
    "output_dbu_cost_per_token": Meter.OUTPUT,
    "input_cost_per_character": Meter.CHARACTER_IN,
    "output_cost_per_character": Meter.CHARACTER_OUT,
    "input_cost_per_image": Meter.IMAGE_IN,
    "output_cost_per_image": Meter.IMAGE_OUT,
    "input_cost_per_pixel": Meter.PIXEL_IN,
    "output_cost_per_pixel": Meter.PIXEL_OUT,
    "input_cost_per_audio_per_second": Meter.AUDIO_SECOND_IN,
    "input_cost_per_video_per_second": Meter.VIDEO_SECOND_IN,
    "output_cost_per_video_per_second": Meter.VIDEO_SECOND_OUT,
    "input_cost_per_query": Meter.QUERY,
    "input_cost_per_request": Meter.REQUEST,
    "input_cost_per_text_message": Meter.TEXT_MESSAGE,
    "google_maps_grounding_cost_per_query": Meter.MAPS_SEARCH,
    "code_interpreter_cost_per_session": Meter.CODE_SESSION,
    "ocr_cost_per_page": Meter.PAGE,
    "annotation_cost_per_page": Meter.PAGE_ANNOTATED,
}
_HOURS: Final = {"1hr": Meter.CACHE_WRITE_1H, "12hr": Meter.CACHE_WRITE_12H}

# A second of what: by the entry's mode.
_SECONDS: Final[dict[tuple[str, str], Meter]] = {
    ("input_cost_per_second", "audio_transcription"): Meter.AUDIO_SECOND_IN,
    ("input_cost_per_second", "realtime"): Meter.AUDIO_SECOND_IN,
    ("output_cost_per_second", "audio_speech"): Meter.AUDIO_SECOND_OUT,
    ("output_cost_per_second", "video_generation"): Meter.VIDEO_SECOND_OUT,
}

_VARIANT: Final = re.compile(
    r"output_cost_per_(?:second|image)_[0-9.]+[kKp]?|.*_above_[0-9]+s_interval"
)
_MULTIPLIER: Final = re.compile(r".*_uplift_multiplier(?:_[a-z]+)?")
_PRICE_LIKE: Final = re.compile(r".*(?:cost|price|multiplier).*")


@dataclass(frozen=True, slots=True)
class Field:
    """What a field prices.

    Attributes:
        meter: What is counted.
        tier: Service tier.
        above: Threshold of the input length in tokens.
        unit: Unit of account.
    """

    meter: Meter
    tier: str = STANDARD
    above: int = 0
    unit: str = USD


def is_price(name: str) -> bool:
    """Whether a field's name sounds like money."""
    return _PRICE_LIKE.fullmatch(name) is not None


def is_token_price(name: str) -> bool:
    """Whether a field prices a single token."""
    return "token" in name and "cost" in name and "per_1k" not in name


def classify(name: str, mode: str) -> Field | Reason:
    """What a field with a number prices, or why no line can say it."""
    form = _FORM.fullmatch(name)
    if form is not None:
        meter = _BASES.get(form["base"]) or _SECONDS.get((form["base"], mode))
        if form["hours"] is not None:
            meter = _HOURS[form["hours"]] if meter is Meter.CACHE_WRITE else None
        if meter is not None:
            tier = _TIERS.get(form["tier"], form["tier"])
            above = 1_000 * int(form["band"] or 0)
            return Field(meter, tier, above, DBU if "_dbu_" in name else USD)
    if _VARIANT.fullmatch(name):
        return Reason.VARIANT
    if _MULTIPLIER.fullmatch(name):
        return Reason.MULTIPLIER
    return Reason.NO_METER
