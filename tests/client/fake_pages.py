"""Pages of mandates, claims and disputes, as a node answers them, out of the state."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tallystick_ledger.spec import State
from tallystick_ledger.state_rows import ClaimRow, DisputeRow
from tallystick_node import access
from tallystick_node.services.gate import Caller
from tallystick_proto.v1 import ledger_pb2 as pb

if TYPE_CHECKING:
    from tests.client.fake_node import FakeLedger

MandateWork = Callable[[pb.GetMandatesRequest, Caller], Awaitable[pb.GetMandatesResponse]]
ClaimWork = Callable[[pb.GetClaimsRequest, Caller], Awaitable[pb.GetClaimsResponse]]
DisputeWork = Callable[[pb.GetDisputesRequest, Caller], Awaitable[pb.GetDisputesResponse]]


def mandates_of(ledger: "FakeLedger") -> MandateWork:
    """GetMandates of one ledger: what a principal gave and was given, ascending by id."""

    async def get_mandates(
        request: pb.GetMandatesRequest, caller: Caller
    ) -> pb.GetMandatesResponse:
        access.require_principal_reader(caller.reader(), request.principal)
        state = ledger.state
        rows = [
            row
            for row in state.mandates
            if request.principal in (state.accounts[row.payer_account].owner, row.payee)
        ]
        behind = [row for row in rows if row.mandate > request.after]
        page = sorted(behind, key=lambda row: row.mandate)
        return pb.GetMandatesResponse(
            rows=b"".join(row.encode() for row in page[: request.limit]),
            next_sequence=state.next_sequence_number,
        )

    return get_mandates


def claims_of(ledger: "FakeLedger") -> ClaimWork:
    """GetClaims of one ledger: what a principal owes and is owed, ascending by id."""

    async def get_claims(request: pb.GetClaimsRequest, caller: Caller) -> pb.GetClaimsResponse:
        access.require_principal_reader(caller.reader(), request.principal)
        state = ledger.state
        rows = [row for row in state.claims if _concerns(state, row, request.principal)]
        page = sorted((row for row in rows if row.claim > request.after), key=lambda row: row.claim)
        return pb.GetClaimsResponse(
            rows=b"".join(row.encode() for row in page[: request.limit]),
            next_sequence=state.next_sequence_number,
        )

    return get_claims


def disputes_of(ledger: "FakeLedger") -> DisputeWork:
    """GetDisputes of one ledger: what a principal disputes and has to answer, ascending."""

    async def get_disputes(
        request: pb.GetDisputesRequest, caller: Caller
    ) -> pb.GetDisputesResponse:
        access.require_principal_reader(caller.reader(), request.principal)
        state = ledger.state
        rows = [row for row in state.disputes if _concerns(state, row, request.principal)]
        page = sorted((row for row in rows if row.cited > request.after), key=lambda row: row.cited)
        return pb.GetDisputesResponse(
            rows=b"".join(row.encode() for row in page[: request.limit]),
            next_sequence=state.next_sequence_number,
        )

    return get_disputes


def _concerns(state: State, row: ClaimRow | DisputeRow, principal: bytes) -> bool:
    accounts = (row.payer_account, row.payee_account)
    return principal in [state.accounts[account].owner for account in accounts]
