"""The hand-made encodings of Submit agree with protobuf's own, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2

hints = st.builds(
    wire.LeaderHint, st.integers(0, 2**64 - 1), st.text(st.characters(codec="utf-8"), max_size=40)
)
responses = st.builds(
    wire.SubmitResponse,
    st.binary(max_size=400),
    st.binary(max_size=400),
    st.integers(0, 2**32 - 1),
    st.none() | hints,
)


@given(st.binary(max_size=40_000))
def test_request_is_what_protobuf_writes(envelopes: bytes) -> None:
    expected = ledger_pb2.SubmitRequest(envelopes=envelopes).SerializeToString()
    assert wire.encode_submit_request(envelopes) == expected
    assert wire.decode_submit_request(expected) == envelopes


def test_request_of_a_full_message() -> None:
    envelopes = bytes(range(256)) * 4096
    message = wire.encode_submit_request(envelopes)
    assert len(message) <= len(envelopes) + wire.SUBMIT_REQUEST_OVERHEAD
    assert ledger_pb2.SubmitRequest.FromString(message).envelopes == envelopes
    assert wire.decode_submit_request(message) == envelopes


@given(responses)
def test_response_is_what_protobuf_writes(response: wire.SubmitResponse) -> None:
    message = ledger_pb2.SubmitResponse(
        outcomes=response.outcomes,
        results=response.results,
        retry_after_ms=response.retry_after_ms,
    )
    if response.leader is not None:
        message.leader.SetInParent()
        message.leader.raft_id = response.leader.raft_id
        message.leader.address = response.leader.address
    expected = message.SerializeToString()
    assert wire.encode_submit_response(response) == expected
    assert wire.decode_submit_response(expected) == response


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_decoded_as_protobuf_does_or_refused(message: bytes) -> None:
    """Never anything but WireError, and never another content than protobuf's."""
    try:
        decoded = wire.decode_submit_response(message)
    except wire.WireError:
        return
    try:
        expected = ledger_pb2.SubmitResponse.FromString(message)
    except Exception:  # noqa: BLE001 - protobuf's error class differs between its backends
        return  # protobuf is stricter about what is skipped
    if decoded.leader is None:
        assert not expected.HasField("leader")
    assert decoded.outcomes == expected.outcomes
    assert decoded.results == expected.results
    assert decoded.retry_after_ms == expected.retry_after_ms


def test_unknown_fields_are_skipped() -> None:
    unknown = b"\x79" + bytes(8) + b"\x7d" + bytes(4) + b"\x78\x05" + b"\x7a\x02hi"
    assert wire.decode_submit_request(unknown + b"\x0a\x02ok" + unknown) == b"ok"


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",  # no length
        b"\x0a\x05abc",  # shorter than it says
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2**64 - 1 bytes
        b"\x08\x01",  # field 1 as a number
        b"\x0b",  # a group
        b"\x02\x01a",  # field number 0
        b"\xff" * 11,  # endless varint
        b"\x98\x80\x80\x80\x80\x00\x00",  # field 3, its tag in six bytes
        b"\x22\x80\x80\x80\x80\x80\x00",  # field 4, its length in six bytes
        b"\x98\x80\x80\x80\x10\x00",  # a tag of 33 bits
    ],
)
def test_broken_messages_are_refused(message: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_submit_request(message)
