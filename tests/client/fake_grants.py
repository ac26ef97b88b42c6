"""Pages of grants, as a node answers them, out of the specification's state."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tallystick_ledger.ids import grant_account
from tallystick_ledger.spec import State
from tallystick_node import access
from tallystick_node.services.gate import Caller
from tallystick_proto.v1 import ledger_pb2 as pb

if TYPE_CHECKING:
    from tests.client.fake_node import FakeLedger

Work = Callable[[pb.GetGrantsRequest, Caller], Awaitable[pb.GetGrantsResponse]]


def grants_of(ledger: "FakeLedger") -> Work:
    """GetGrants of one ledger: the grants by and to a principal, ascending by id."""

    async def get_grants(request: pb.GetGrantsRequest, caller: Caller) -> pb.GetGrantsResponse:
        access.require_principal_reader(caller.reader(), request.principal)
        return _page(ledger.state, request)

    return get_grants


def _page(state: State, request: pb.GetGrantsRequest) -> pb.GetGrantsResponse:
    rows = sorted(state.grants, key=lambda row: row.grant)
    own = []
    for row in rows:
        account = state.accounts[grant_account(row.grant)]
        if request.principal in (row.grantee, account.owner) and row.grant > request.after:
            own.append(row.encode() + account.encode())
    return pb.GetGrantsResponse(
        rows=b"".join(own[: request.limit]), next_sequence=state.next_sequence_number
    )
