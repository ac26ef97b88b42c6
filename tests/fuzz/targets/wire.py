"""The hand-written protobuf of Submit against the generated one.

Input: one byte (request or response), then the message. Properties: only `WireError` is raised;
what is taken, the generated decoder takes too and finds the same fields in it; what is encoded
again, both decode to the same. (The other way round it need not hold: a field of another type and
the groups of old are refused here, where the generated code skips them.)
"""

from google.protobuf.message import DecodeError

from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb


def run(data: bytes) -> None:
    message = data[1:]
    try:
        if data[:1] < b"\x80":
            _check_request(message)
        else:
            _check_response(message)
    except wire.WireError:
        return


def _check_request(message: bytes) -> None:
    envelopes = wire.decode_submit_request(message)
    try:
        expected = pb.SubmitRequest.FromString(message)
    except DecodeError as error:
        raise AssertionError("taken here, refused by protobuf") from error
    assert envelopes == expected.envelopes
    encoded = wire.encode_submit_request(envelopes)
    assert pb.SubmitRequest.FromString(encoded).envelopes == envelopes
    assert wire.decode_submit_request(encoded) == envelopes


def _check_response(message: bytes) -> None:
    response = wire.decode_submit_response(message)
    try:
        expected = pb.SubmitResponse.FromString(message)
    except DecodeError as error:
        raise AssertionError("taken here, refused by protobuf") from error
    assert response == _fields(expected)
    encoded = wire.encode_submit_response(response)
    assert _fields(pb.SubmitResponse.FromString(encoded)) == response
    assert wire.decode_submit_response(encoded) == response


def _fields(message: pb.SubmitResponse) -> wire.SubmitResponse:
    leader = None
    if message.HasField("leader"):
        leader = wire.LeaderHint(message.leader.raft_id, message.leader.address)
    return wire.SubmitResponse(message.outcomes, message.results, message.retry_after_ms, leader)
