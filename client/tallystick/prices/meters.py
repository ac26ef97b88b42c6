"""The registry of meters: what is counted, each token and each second exactly once.

Meters are *disjoint*. A prompt token that was read from a cache counts on `cache_read` and nowhere
else; an output token of hidden reasoning on `reasoning` and nowhere else. So a charge is a plain
sum over meters, and nothing is ever subtracted where money is computed. Whoever reports usage in
another way (OpenAI counts cached tokens among `prompt_tokens`, Anthropic does not) is translated
at the door, by `tallystick.prices.adapters`.

Numbers are what stands in ledger records (u16) and never change; 0 is no meter. The high byte is
the group: 0x01 tokens that go in, 0x02 tokens that come out, 0x03 counted things, 0x04 time, 0x05
data. The *input length* of a request, which decides the price band, is the sum of group 0x01: it
follows from the usage itself and cannot contradict it.

`SAME_AS` names which meters a finer one is part of, such as audio prompt tokens of prompt tokens.
Nothing is billed by it. An importer that is told so writes SAME_AS lines from it, and says it did.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Meter(IntEnum):
    """A meter's number. `METERS` has its unit and meaning."""

    INPUT = 0x0101
    INPUT_AUDIO = 0x0102
    INPUT_IMAGE = 0x0103
    INPUT_VIDEO = 0x0104
    INPUT_TOOL = 0x0105
    CACHE_READ = 0x0111
    CACHE_READ_AUDIO = 0x0112
    CACHE_READ_IMAGE = 0x0113
    CACHE_READ_VIDEO = 0x0114
    CACHE_READ_EXPLICIT = 0x0115
    CACHE_WRITE = 0x0121
    CACHE_WRITE_5M = 0x0122
    CACHE_WRITE_1H = 0x0123
    CACHE_WRITE_12H = 0x0124
    CACHE_WRITE_AUDIO = 0x0125

    OUTPUT = 0x0201
    OUTPUT_AUDIO = 0x0202
    OUTPUT_IMAGE = 0x0203
    OUTPUT_VIDEO = 0x0204
    REASONING = 0x0211
    CITATION = 0x0212

    REQUEST = 0x0301
    TOOL_CALL = 0x0302
    WEB_SEARCH = 0x0303
    MAPS_SEARCH = 0x0304
    QUERY = 0x0305
    CODE_SESSION = 0x0306
    TEXT_MESSAGE = 0x0307
    PAGE = 0x0308
    PAGE_ANNOTATED = 0x0309
    IMAGE_IN = 0x0311
    IMAGE_OUT = 0x0312
    PIXEL_IN = 0x0313
    PIXEL_OUT = 0x0314
    CHARACTER_IN = 0x0315
    CHARACTER_OUT = 0x0316

    GPU_SECOND = 0x0401
    AUDIO_SECOND_IN = 0x0402
    AUDIO_SECOND_OUT = 0x0403
    VIDEO_SECOND_IN = 0x0404
    VIDEO_SECOND_OUT = 0x0405

    DATA_GB = 0x0501

    @property
    def label(self) -> str:
        """The name that people write: `cache_read`."""
        return self.name.lower()

    @property
    def group(self) -> "Group":
        """The group, from the number's high byte."""
        return Group(self >> 8)


class Group(IntEnum):
    """The high byte of a meter's number."""

    INPUT_TOKENS = 1
    OUTPUT_TOKENS = 2
    COUNTED = 3
    TIME = 4
    DATA = 5


@dataclass(frozen=True, slots=True)
class MeterInfo:
    """What a meter counts.

    Attributes:
        unit: The thing counted, singular.
        meaning: A sentence.
    """

    unit: str
    meaning: str


METERS: Final[dict[Meter, MeterInfo]] = {
    Meter.INPUT: MeterInfo("token", "prompt tokens that no finer meter counts; text"),
    Meter.INPUT_AUDIO: MeterInfo("token", "audio prompt tokens, not cached"),
    Meter.INPUT_IMAGE: MeterInfo("token", "image and document prompt tokens, not cached"),
    Meter.INPUT_VIDEO: MeterInfo("token", "video prompt tokens, not cached"),
    Meter.INPUT_TOOL: MeterInfo("token", "prompt tokens that the provider's own tools added"),
    Meter.CACHE_READ: MeterInfo("token", "prompt tokens read from a cache; text"),
    Meter.CACHE_READ_AUDIO: MeterInfo("token", "audio prompt tokens read from a cache"),
    Meter.CACHE_READ_IMAGE: MeterInfo("token", "image prompt tokens read from a cache"),
    Meter.CACHE_READ_VIDEO: MeterInfo("token", "video prompt tokens read from a cache"),
    Meter.CACHE_READ_EXPLICIT: MeterInfo("token", "read from a cache that the caller had made"),
    Meter.CACHE_WRITE: MeterInfo("token", "prompt tokens written to a cache, lifetime not stated"),
    Meter.CACHE_WRITE_5M: MeterInfo("token", "written to a cache for five minutes"),
    Meter.CACHE_WRITE_1H: MeterInfo("token", "written to a cache for an hour"),
    Meter.CACHE_WRITE_12H: MeterInfo("token", "written to a cache for twelve hours"),
    Meter.CACHE_WRITE_AUDIO: MeterInfo("token", "audio prompt tokens written to a cache"),
    Meter.OUTPUT: MeterInfo("token", "output tokens that no finer meter counts; text"),
    Meter.OUTPUT_AUDIO: MeterInfo("token", "audio output tokens"),
    Meter.OUTPUT_IMAGE: MeterInfo("token", "image output tokens"),
    Meter.OUTPUT_VIDEO: MeterInfo("token", "video output tokens"),
    Meter.REASONING: MeterInfo("token", "output tokens of reasoning that is not shown"),
    Meter.CITATION: MeterInfo("token", "output tokens of citations"),
    Meter.REQUEST: MeterInfo("request", "requests"),
    Meter.TOOL_CALL: MeterInfo("call", "calls of a tool"),
    Meter.WEB_SEARCH: MeterInfo("call", "searches of the web by the model"),
    Meter.MAPS_SEARCH: MeterInfo("call", "searches of a map service by the model"),
    Meter.QUERY: MeterInfo("query", "queries of a search, rerank or vector service"),
    Meter.CODE_SESSION: MeterInfo("session", "sessions of a code interpreter"),
    Meter.TEXT_MESSAGE: MeterInfo("message", "text messages"),
    Meter.PAGE: MeterInfo("page", "document pages read"),
    Meter.PAGE_ANNOTATED: MeterInfo("page", "document pages read with annotation"),
    Meter.IMAGE_IN: MeterInfo("image", "images that go in"),
    Meter.IMAGE_OUT: MeterInfo("image", "images made"),
    Meter.PIXEL_IN: MeterInfo("pixel", "pixels that go in"),
    Meter.PIXEL_OUT: MeterInfo("pixel", "pixels made"),
    Meter.CHARACTER_IN: MeterInfo("character", "characters that go in"),
    Meter.CHARACTER_OUT: MeterInfo("character", "characters that come out"),
    Meter.GPU_SECOND: MeterInfo("second", "seconds of one accelerator"),
    Meter.AUDIO_SECOND_IN: MeterInfo("second", "seconds of audio that go in"),
    Meter.AUDIO_SECOND_OUT: MeterInfo("second", "seconds of audio made"),
    Meter.VIDEO_SECOND_IN: MeterInfo("second", "seconds of video that go in"),
    Meter.VIDEO_SECOND_OUT: MeterInfo("second", "seconds of video made"),
    Meter.DATA_GB: MeterInfo("gigabyte", "gigabytes (10^9 bytes) of data"),
}

# Each meter's wholes, nearest first level only; chains end at INPUT or OUTPUT.
SAME_AS: Final[dict[Meter, tuple[Meter, ...]]] = {
    Meter.INPUT_AUDIO: (Meter.INPUT,),
    Meter.INPUT_IMAGE: (Meter.INPUT,),
    Meter.INPUT_VIDEO: (Meter.INPUT,),
    Meter.INPUT_TOOL: (Meter.INPUT,),
    Meter.CACHE_READ: (Meter.INPUT,),
    Meter.CACHE_READ_AUDIO: (Meter.CACHE_READ, Meter.INPUT_AUDIO),
    Meter.CACHE_READ_IMAGE: (Meter.CACHE_READ, Meter.INPUT_IMAGE),
    Meter.CACHE_READ_VIDEO: (Meter.CACHE_READ, Meter.INPUT_VIDEO),
    Meter.CACHE_READ_EXPLICIT: (Meter.CACHE_READ,),
    Meter.CACHE_WRITE: (Meter.INPUT,),
    Meter.CACHE_WRITE_5M: (Meter.CACHE_WRITE,),
    Meter.CACHE_WRITE_1H: (Meter.CACHE_WRITE,),
    Meter.CACHE_WRITE_12H: (Meter.CACHE_WRITE,),
    Meter.CACHE_WRITE_AUDIO: (Meter.CACHE_WRITE, Meter.INPUT_AUDIO),
    Meter.OUTPUT_AUDIO: (Meter.OUTPUT,),
    Meter.OUTPUT_IMAGE: (Meter.OUTPUT,),
    Meter.OUTPUT_VIDEO: (Meter.OUTPUT,),
    Meter.REASONING: (Meter.OUTPUT,),
    Meter.CITATION: (Meter.OUTPUT,),
}

BY_LABEL: Final[dict[str, Meter]] = {meter.label: meter for meter in Meter}
