"""Real usage bodies against the prices that the data set gives for them, before rounding.

`tests/vectors/external/genai-prices/usages.json.gz` lists 798 bodies, and for each the providers
whose readers found something in it, with the exact price where its own code could tell one. The
test reads each body with our adapters and prices it from the book at an instant after the last
start date on which the data set relies (July 2026, noon UTC, the usual hours of DeepSeek).

The data set lets every reader try every body. Where a reader of another API found something, it
found half: those pairs are counted, and our adapter refuses them or is not asked.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tallystick.prices import Book, Dialect, Group, UnknownModel, Unpriced, UsageRefused
from tallystick.prices.adapters import detect, read_usage

Json = dict[str, Any]

AT_NS = 1_782_907_200 * 10**9  # 2026-07-01 12:00 UTC
DIALECTS = {
    "chat": Dialect.OPENAI_CHAT,
    "responses": Dialect.OPENAI_RESPONSES,
    "anthropic": Dialect.ANTHROPIC,
    "embeddings": Dialect.OPENAI_EMBEDDINGS,
}
DEFAULTS = {
    "anthropic": Dialect.ANTHROPIC,
    "google": Dialect.GEMINI,
    "groq": Dialect.OPENAI_CHAT,
    "mistral": Dialect.OPENAI_CHAT,
}
# Every outcome, by name. Refusals have the reason that the text beside them gives.
EXPECTED = {
    "exact": 1288,
    "read by another API's reader": 230,  # detect() tells Anthropic's and OpenAI's bodies apart
    "FOREIGN_COUNTS": 196,  # a chat completion read as an embedding: its output would be lost
    "NULL_DETAILS": 4,  # a null detail object: how the tokens split is unknown
    "NO_LINE": 2,  # ten web searches, for which that provider's price is missing
    "UNKNOWN_MODEL": 1,  # its price object is empty: free or unknown alike
}
# All bodies, priced or not: which API's they are, or why none can read them.
READ = {
    "gemini": 224,
    "openai-chat": 207,
    "openai-responses": 128,
    "bedrock": 113,
    "anthropic": 109,
    "NO_OUTPUT_COUNT": 8,
    "UNKNOWN_SHAPE": 6,
    "NO_USAGE": 2,
    "NULL_DETAILS": 1,
}


@pytest.fixture(scope="module")
def bodies(repository_root: Path) -> list[Json]:
    path = repository_root / "tests/vectors/external/genai-prices/usages.json.gz"
    loaded: list[Json] = json.loads(gzip.decompress(path.read_bytes()))
    return loaded


def _priced(bodies: list[Json]) -> Iterator[tuple[Json, Json]]:
    for each in bodies:
        for extracted in each["extracted"]:
            for reader in extracted["extractors"]:
                if "input_price" in reader or "output_price" in reader:
                    yield each, reader


def _outcome(book: Book, each: Json, reader: Json) -> str:
    body = each["body"]
    dialect = DIALECTS.get(reader["api_flavor"]) or DEFAULTS[reader["provider_id"]]
    found = detect(body)
    if dialect is not Dialect.OPENAI_EMBEDDINGS and found is not dialect:
        return "read by another API's reader"
    try:
        reading = read_usage(body, dialect)
        model = each.get("model") or reading.model
        charge = book.price(reader["provider_id"], model, reading.usage, AT_NS)
    except (UsageRefused, Unpriced) as error:
        return error.reason.name
    except UnknownModel as error:
        return error.code
    ours = charge.exact_of([Group.INPUT_TOKENS]), charge.exact_of([Group.OUTPUT_TOKENS])
    theirs = tuple(Fraction(reader[f"{side}_price"]) * 10**9 for side in ("input", "output"))
    return "exact" if ours == theirs else f"differs: {each['body']} {reader} {ours}"


def test_real_bodies_cost_what_the_data_set_says(genai_filled: Book, bodies: list[Json]) -> None:
    outcomes = Counter(_outcome(genai_filled, *pair) for pair in _priced(bodies))
    print(dict(outcomes.most_common()))
    assert outcomes == EXPECTED


def test_each_body_is_read_or_refused_for_a_reason(bodies: list[Json]) -> None:
    outcomes: Counter[str] = Counter()
    for each in bodies:
        try:
            outcomes[read_usage(each["body"]).dialect.value] += 1
        except UsageRefused as error:
            outcomes[error.reason.name] += 1
    print(dict(outcomes.most_common()))
    assert outcomes.total() == len(bodies) == 798
    assert outcomes == READ
