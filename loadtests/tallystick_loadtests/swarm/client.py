"""A blocking client for greenlets: one channel to each node, shared by all users of a process.

It does what a plain program with generated stubs would do: unary Submit, following the hint to the
leader, sending the same bytes again until its patience ends. Import it only after gevent has
patched the standard library and gRPC.
"""

import time
from collections.abc import Callable
from typing import Final, TypeAlias

import grpc

from tallystick_ledger.codes import Code
from tallystick_loadtests.connection import CHANNEL_OPTIONS, Leader, Target
from tallystick_loadtests.outcome import OUTCOME_BYTES, refused_results
from tallystick_proto import wire

PATIENCE_S: Final = 10.0
_AGAIN: Final = frozenset({Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED})

Submit: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, wire.SubmitResponse]"


class NotAcceptedError(Exception):
    """The message was refused, or nobody answered in time; says which."""


class SwarmClient:
    """Submits messages for all users of one process."""

    def __init__(self, target: Target, sleep: Callable[[float], None] = time.sleep) -> None:
        """Opens nothing yet.

        Args:
            target: The ledger.
            sleep: Waits between two attempts.
        """
        self._leader = Leader(target)
        self._credentials = grpc.ssl_channel_credentials(target.ca_pem)
        self._submits: dict[str, Submit] = {}
        self._sleep = sleep

    def submit(self, message: bytes) -> wire.SubmitResponse:
        """Sends a message until it is ordered.

        Raises:
            NotAcceptedError: It was refused in whole or in part, or `PATIENCE_S` are over.
        """
        give_up_s = time.perf_counter() + PATIENCE_S
        while True:
            address = self._leader.address
            hint = None
            try:
                answer = self._at(address)(message, timeout=PATIENCE_S)
            except grpc.RpcError as error:
                reason = f"no answer: {error.code().name}"
            else:
                code = Code(int.from_bytes(answer.outcomes[:2], "little"))
                if code not in _AGAIN:
                    return _accepted(answer)
                reason, hint = code.name, answer.leader
            if time.perf_counter() > give_up_s:
                raise NotAcceptedError(reason)
            if self._leader.address == address:  # no other user has noticed it meanwhile
                self._sleep(self._leader.failed(hint))

    def _at(self, address: str) -> Submit:
        if address not in self._submits:
            channel = grpc.secure_channel(address, self._credentials, options=CHANNEL_OPTIONS)
            self._submits[address] = channel.unary_unary(
                wire.SUBMIT_METHOD,
                request_serializer=wire.encode_submit_request,
                response_deserializer=wire.decode_submit_response,
            )
        return self._submits[address]


def _accepted(answer: wire.SubmitResponse) -> wire.SubmitResponse:
    """The answer, if all that it answers was ordered and is OK."""
    codes = {
        Code(int.from_bytes(answer.outcomes[at : at + 2], "little"))
        for at in range(0, len(answer.outcomes), OUTCOME_BYTES)
    }
    bad = codes - {Code.OK, Code.DUPLICATE}
    if bad:
        raise NotAcceptedError(", ".join(sorted(code.name for code in bad)))
    if refused := refused_results(answer.results):
        message = f"{refused} records were refused"
        raise NotAcceptedError(message)
    return answer
