"""Brings a population into a running cluster, or into a kernel of this process."""

import time
from collections.abc import Iterable, Iterator
from typing import Final

import grpc
from tallystick_core import Kernel, build_block

from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import node_states
from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MAX_ENVELOPE_BYTES
from tallystick_loadtests.connection import CHANNEL_OPTIONS
from tallystick_loadtests.errors import SetupFailedError
from tallystick_loadtests.outcome import OUTCOME_BYTES, header_digests
from tallystick_loadtests.population import Plan
from tallystick_proto import wire

SETUP_TIMEOUT_S: Final = 60.0


def leader_first(layout: ClusterLayout) -> list[str]:
    """Endpoints, the leader's first."""
    states = [state for state in node_states(layout) if state.status is not None]
    leading = [state.address for state in states if state.status and state.status.role == "leader"]
    return leading + [address for address in layout.endpoints if address not in leading]


def submit_plan(layout: ClusterLayout, plan: Plan) -> None:
    """Submits a population's envelopes, group by group, and insists on success.

    Raises:
        SetupFailedError: Something was refused, or nobody answered.
    """
    submit_messages(layout, (message for group in plan.groups for message in packed(group)))


def submit_messages(layout: ClusterLayout, messages: Iterable[bytes]) -> None:
    """Submits one message after the other to the leader, and insists that every record is OK.

    Raises:
        SetupFailedError: Something was refused, or nobody answered.
    """
    credentials = grpc.ssl_channel_credentials(layout.ca_pem)
    address = leader_first(layout)[0]
    with grpc.secure_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        submit = channel.unary_unary(
            wire.SUBMIT_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )
        for message in messages:
            try:
                answer: wire.SubmitResponse = submit(message, timeout=SETUP_TIMEOUT_S)
            except grpc.RpcError as error:
                text = f"set-up: {address} does not answer: {error}"
                raise SetupFailedError(text) from error
            _require_ok(answer)


def _require_ok(answer: wire.SubmitResponse) -> None:
    codes = {
        int.from_bytes(answer.outcomes[at : at + 2], "little")
        for at in range(0, len(answer.outcomes), OUTCOME_BYTES)
    }
    if codes != {int(Code.OK)} or answer.results:
        names = ", ".join(sorted(Code(code).name for code in codes))
        text = f"set-up was refused: {names} {answer.results[:64].hex()}"
        raise SetupFailedError(text)


def packed(envelopes: Iterable[bytes]) -> Iterator[bytes]:
    """Envelopes joined into messages of at most 1 MiB."""
    message = bytearray()
    for envelope in envelopes:
        if message and len(message) + len(envelope) > MAX_ENVELOPE_BYTES:
            yield bytes(message)
            message.clear()
        message += envelope
    if message:
        yield bytes(message)


def apply_plan(kernel: Kernel, plan: Plan) -> None:
    """Applies a population's envelopes to a kernel in this process."""
    for message in (message for group in plan.groups for message in packed(group)):
        envelopes = len(header_digests(message))
        records = (len(message) - 256 * envelopes) // 128
        status = kernel.status()
        block = build_block(
            [message],
            timestamp_ns=max(time.time_ns(), status.min_next_timestamp_ns),
            first_sequence=status.next_sequence,
            rules_version=1,
            envelope_count=envelopes,
            record_count=records,
        )
        kernel.apply(block)
