"""Pages of disputes, as a node answers them, out of the specification's state."""

from tallystick_ledger.spec import State
from tallystick_ledger.state_rows import DisputeRow
from tallystick_proto.v1 import ledger_pb2 as pb


def page(state: State, request: pb.GetDisputesRequest) -> pb.GetDisputesResponse:
    """What a principal disputes and has to answer, ascending by record."""
    rows = [row for row in state.disputes if _concerns(state, row, request.principal)]
    behind = sorted((row for row in rows if row.cited > request.after), key=lambda row: row.cited)
    return pb.GetDisputesResponse(
        rows=b"".join(row.encode() for row in behind[: request.limit]),
        next_sequence=state.next_sequence_number,
    )


def _concerns(state: State, row: DisputeRow, principal: bytes) -> bool:
    accounts = (row.payer_account, row.payee_account)
    return principal in [state.accounts[account].owner for account in accounts]
