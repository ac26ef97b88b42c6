"""Usage objects: what each API means by its counts, and what is refused instead of guessed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.prices import (
    Dialect,
    PriceError,
    Usage,
    UsageRefused,
    detect,
    parse_usage,
    read_usage,
)
from tallystick.prices.errors import UsageReason

Body = dict[str, Any]


def chat(**usage: object) -> Body:
    return {"model": "m", "usage": usage}


def gemini(**usage: object) -> Body:
    return {"modelVersion": "m", "usageMetadata": usage}


def modality(name: str, count: int) -> Body:
    return {"modality": name, "tokenCount": count}


READ = [
    (
        Dialect.OPENAI_CHAT,
        chat(
            prompt_tokens=100,
            completion_tokens=50,
            total_tokens=150,
            prompt_tokens_details={"cached_tokens": 60, "audio_tokens": 0},
            completion_tokens_details={"reasoning_tokens": 30},
        ),
        "input=40,cache_read=60,output=20,reasoning=30",
    ),
    (
        Dialect.OPENAI_CHAT,
        chat(
            prompt_tokens=100,
            completion_tokens=5,
            prompt_tokens_details={
                "cached_tokens": 60,
                "audio_tokens": 50,
                "cached_tokens_details": {"audio_tokens": 20},
            },
        ),
        "input=10,input_audio=30,cache_read=40,cache_read_audio=20,output=5",
    ),
    (Dialect.OPENAI_CHAT, chat(prompt_tokens=7, total_tokens=7), "input=7"),
    (
        Dialect.OPENAI_RESPONSES,
        chat(
            input_tokens=100,
            output_tokens=50,
            total_tokens=150,
            input_tokens_details={"cached_tokens": 60, "cache_write_tokens": 10},
            output_tokens_details={"reasoning_tokens": 0},
        ),
        "input=30,cache_read=60,cache_write=10,output=50",
    ),
    (
        Dialect.ANTHROPIC,
        chat(
            input_tokens=40,
            cache_read_input_tokens=60,
            cache_creation_input_tokens=30,
            cache_creation={"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            output_tokens=50,
            output_tokens_details={"thinking_tokens": 30},
            server_tool_use={"web_search_requests": 2},
        ),
        (
            "input=40,cache_read=60,cache_write_5m=20,cache_write_1h=10,output=20,reasoning=30"
            ",web_search=2"
        ),
    ),
    (
        Dialect.ANTHROPIC,
        chat(input_tokens=4, cache_creation_input_tokens=3, cache_creation=None, output_tokens=5),
        "input=4,cache_write=3,output=5",
    ),
    (
        Dialect.GEMINI,
        gemini(
            promptTokenCount=100,
            cachedContentTokenCount=60,
            candidatesTokenCount=20,
            thoughtsTokenCount=30,
            toolUsePromptTokenCount=5,
            totalTokenCount=155,
            promptTokensDetails=[modality("TEXT", 70), modality("AUDIO", 30)],
            cacheTokensDetails=[modality("TEXT", 50), modality("AUDIO", 10)],
        ),
        (
            "input=20,input_audio=20,input_tool=5,cache_read=50,cache_read_audio=10,output=20"
            ",reasoning=30"
        ),
    ),
    (Dialect.GEMINI, gemini(promptTokenCount=9, totalTokenCount=9), "input=9"),
    (
        Dialect.BEDROCK,
        chat(
            inputTokens=40,
            outputTokens=50,
            cacheReadInputTokens=60,
            cacheWriteInputTokens=30,
            totalTokens=180,
            cacheDetails=[{"ttl": "1h", "inputTokens": 10}],
        ),
        "input=40,cache_read=60,cache_write=20,cache_write_1h=10,output=50",
    ),
    (
        Dialect.OTEL,
        {
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.response.model": "m",
        },
        "input=40,cache_read=60,output=50",
    ),
]


@pytest.mark.parametrize(("dialect", "body", "text"), READ)
def test_counts_become_disjoint(dialect: Dialect, body: Body, text: str) -> None:
    reading = read_usage(body)
    assert reading.dialect is dialect
    assert reading.usage == parse_usage(text)
    assert reading.model == ("" if dialect is Dialect.BEDROCK and "model" not in body else "m")


def test_the_same_request_reads_alike_from_each_api() -> None:
    """C5: added up naively, the same request has 100, 160 or 40 input tokens."""
    openai = chat(
        prompt_tokens=100, completion_tokens=5, prompt_tokens_details={"cached_tokens": 60}
    )
    anthropic = chat(input_tokens=40, cache_read_input_tokens=60, output_tokens=5)
    google = gemini(promptTokenCount=100, cachedContentTokenCount=60, candidatesTokenCount=5)
    naive = [
        sum(body["usage"].get(key, 0) for key in ("prompt_tokens", "input_tokens"))
        for body in (openai, anthropic)
    ]
    assert naive == [100, 40]
    wanted = parse_usage("input=40,cache_read=60,output=5")
    assert [read_usage(body).usage for body in (openai, anthropic, google)] == [wanted] * 3
    assert wanted.input_length == 100


REFUSED = [
    ({}, UsageReason.NO_USAGE),
    ({"usage": None}, UsageReason.NO_USAGE),
    ({"usage": []}, UsageReason.UNKNOWN_SHAPE),
    ({"usage": {"tokens": 5}}, UsageReason.UNKNOWN_SHAPE),
    # Anthropic's and OpenAI's names, and nothing that tells them apart.
    (chat(input_tokens=5, output_tokens=5), UsageReason.UNKNOWN_SHAPE),
    (chat(completion_tokens=5), UsageReason.NO_INPUT_COUNT),
    (chat(prompt_tokens=5), UsageReason.NO_OUTPUT_COUNT),
    (chat(prompt_tokens=5, total_tokens=6), UsageReason.NO_OUTPUT_COUNT),
    (chat(prompt_tokens=5, completion_tokens=5, total_tokens=11), UsageReason.TOTAL_MISMATCH),
    (chat(prompt_tokens=-5, completion_tokens=5), UsageReason.NOT_A_COUNT),
    (chat(prompt_tokens=5.0, completion_tokens=5), UsageReason.NOT_A_COUNT),
    (chat(prompt_tokens="5", completion_tokens=5), UsageReason.NOT_A_COUNT),
    (chat(prompt_tokens=True, completion_tokens=5), UsageReason.NOT_A_COUNT),
    (chat(prompt_tokens=1 << 64, completion_tokens=5), UsageReason.NOT_A_COUNT),
    (
        chat(prompt_tokens=5, completion_tokens=5, prompt_tokens_details=None),
        UsageReason.NULL_DETAILS,
    ),
    (
        chat(prompt_tokens=5, completion_tokens=5, prompt_tokens_details=[]),
        UsageReason.UNKNOWN_SHAPE,
    ),
    (
        chat(prompt_tokens=5, completion_tokens=5, prompt_tokens_details={"cached_tokens": 6}),
        UsageReason.CACHE_ABOVE_INPUT,
    ),
    (
        chat(
            prompt_tokens=5, completion_tokens=5, completion_tokens_details={"reasoning_tokens": 6}
        ),
        UsageReason.PART_ABOVE_WHOLE,
    ),
    (
        chat(
            prompt_tokens=9,
            completion_tokens=5,
            prompt_tokens_details={"cached_tokens": 3, "audio_tokens": 3},
        ),
        UsageReason.AMBIGUOUS_OVERLAP,
    ),
    (
        chat(prompt_tokens=5, completion_tokens=5, cache_read_input_tokens=7),
        UsageReason.FOREIGN_COUNTS,
    ),
    (chat(cache_read_input_tokens=5, output_tokens=5), UsageReason.NO_INPUT_COUNT),
    (chat(cache_read_input_tokens=5, input_tokens=5), UsageReason.NO_OUTPUT_COUNT),
    (
        chat(
            input_tokens=5,
            output_tokens=5,
            cache_creation_input_tokens=9,
            cache_creation={"ephemeral_5m_input_tokens": 4},
        ),
        UsageReason.TOTAL_MISMATCH,
    ),
    (
        chat(
            input_tokens=5,
            output_tokens=5,
            cache_creation_input_tokens=1,
            cache_creation={"ephemeral_5m_input_tokens": 4},
        ),
        UsageReason.PART_ABOVE_WHOLE,
    ),
    (
        chat(
            input_tokens=5,
            output_tokens=5,
            cache_read_input_tokens=0,
            input_tokens_details={"cached_tokens": 3},
        ),
        UsageReason.FOREIGN_COUNTS,
    ),
    (gemini(candidatesTokenCount=5), UsageReason.NO_INPUT_COUNT),
    (gemini(promptTokenCount=5), UsageReason.NO_OUTPUT_COUNT),
    (
        gemini(promptTokenCount=5, candidatesTokenCount=5, totalTokenCount=9),
        UsageReason.TOTAL_MISMATCH,
    ),
    (
        gemini(promptTokenCount=5, candidatesTokenCount=5, cachedContentTokenCount=6),
        UsageReason.CACHE_ABOVE_INPUT,
    ),
    (
        gemini(
            promptTokenCount=5,
            candidatesTokenCount=5,
            cachedContentTokenCount=2,
            promptTokensDetails=[modality("TEXT", 3), modality("AUDIO", 2)],
        ),
        UsageReason.AMBIGUOUS_OVERLAP,
    ),
    (
        gemini(
            promptTokenCount=5,
            candidatesTokenCount=5,
            promptTokensDetails=[modality("SMELL", 3)],
        ),
        UsageReason.UNKNOWN_SHAPE,
    ),
    (
        gemini(
            promptTokenCount=5, candidatesTokenCount=5, promptTokensDetails=[modality("TEXT", 6)]
        ),
        UsageReason.PART_ABOVE_WHOLE,
    ),
    (chat(inputTokens=5), UsageReason.NO_OUTPUT_COUNT),
    (chat(inputTokens=5, outputTokens=5, totalTokens=9), UsageReason.TOTAL_MISMATCH),
    (
        chat(inputTokens=5, outputTokens=5, cacheDetails=[{"ttl": "2h", "inputTokens": 1}]),
        UsageReason.UNKNOWN_SHAPE,
    ),
    ({"gen_ai.usage.input_tokens": 5}, UsageReason.NO_OUTPUT_COUNT),
    (
        {
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 6,
        },
        UsageReason.CACHE_ABOVE_INPUT,
    ),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_what_is_not_certain_is_refused(body: Body, reason: UsageReason) -> None:
    with pytest.raises(UsageRefused) as caught:
        read_usage(body)
    assert caught.value.reason is reason


def test_each_reason_of_refusal_is_tested() -> None:
    assert {reason for _, reason in REFUSED} == set(UsageReason)


def test_null_details_can_be_declared_to_be_none() -> None:
    body = chat(prompt_tokens=5, completion_tokens=6, prompt_tokens_details=None)
    assert read_usage(body, null_details_are_none=True).usage == parse_usage("input=5,output=6")


def test_an_embedding_has_no_output() -> None:
    body = chat(prompt_tokens=5, total_tokens=5)
    assert read_usage(body, Dialect.OPENAI_EMBEDDINGS).usage == parse_usage("input=5")
    with pytest.raises(UsageRefused) as caught:
        read_usage(chat(prompt_tokens=5, completion_tokens=1), Dialect.OPENAI_EMBEDDINGS)
    assert caught.value.reason is UsageReason.FOREIGN_COUNTS


def test_what_was_served_is_in_the_answer() -> None:
    body = chat(
        input_tokens=1,
        output_tokens=1,
        cache_read_input_tokens=0,
        service_tier="priority",
        inference_geo="us",
    )
    reading = read_usage(body)
    assert (reading.tier, reading.region) == ("priority", "us")
    openai = {**chat(prompt_tokens=1, completion_tokens=1), "service_tier": "default"}
    assert read_usage(openai).tier == "standard"


def test_iterations_beyond_the_totals_are_remarked() -> None:
    body = chat(
        input_tokens=1,
        output_tokens=1,
        cache_read_input_tokens=0,
        iterations=[{"input_tokens": 5, "output_tokens": 5}],
    )
    assert read_usage(body).notes == (
        "iterations count 10 tokens, the totals 2; the totals were read",
    )


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.data())
def test_no_token_is_lost_or_counted_twice(
    given_: int, made: int, total: int, data: st.DataObject
) -> None:
    cached = data.draw(st.integers(0, given_))
    thought = data.draw(st.integers(0, made))
    body = chat(
        prompt_tokens=given_,
        completion_tokens=made,
        prompt_tokens_details={"cached_tokens": cached},
        completion_tokens_details={"reasoning_tokens": thought},
    )
    assert sum(count for _, count in read_usage(body).usage) == given_ + made
    body["usage"]["total_tokens"] = total
    if total != given_ + made:
        with pytest.raises(UsageRefused):
            read_usage(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 65) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cached_tokens",
                    "audio_tokens",
                    "reasoning_tokens",
                    "modality",
                    "tokenCount",
                    "ttl",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = sorted({key for _, body, _ in READ for part in body.values() if isinstance(part, dict)
               for key in part} | {"iterations"})  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=6), st.booleans())
def test_any_body_is_read_or_refused_with_a_type(usage: Body, nulls: bool) -> None:
    for root in ("usage", "usageMetadata"):
        for dialect in Dialect:
            try:
                reading = read_usage({root: usage}, dialect, null_details_are_none=nulls)
            except PriceError:
                continue
            assert isinstance(reading.usage, Usage)


def test_detection_needs_an_object() -> None:
    with pytest.raises(UsageRefused):
        detect({"usageMetadata": []})
