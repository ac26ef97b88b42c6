"""Client methods for netting: debts in a deferred unit, set off and paid in another one.

await client.join_netting(mine, till, 5_000)                 # a member; may owe 5,000
await client.transfer(mine, theirs, 300)                     # now it owes 300
await client.close_window(unit); await client.settle_window(unit)      # the operator

Who cannot pay stands in the way of all; the operator goes on with `fail_member`.
"""

from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.errors import InvalidArgument
from tallystick.keyfile import Signer
from tallystick.netting_state import NettingState
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.netting import positions_hash
from tallystick_ledger.records import Fail, Join, Settle, WindowClose
from tallystick_proto.v1 import ledger_pb2


class NettingMethods(ClientCore):
    """What joins, closes, settles and fails. What is raised besides: `MoneyMethods`."""

    async def join_netting(
        self,
        account: AccountId,
        settlement_account: AccountId,
        maximum_debit: int,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Makes an account a member of its deferred unit, or changes its terms. By its owner.

        Who leaves closes the account.

        Args:
            account: In the deferred unit.
            settlement_account: In the settlement unit: it pays and is paid. No other member's.
            maximum_debit: How far the account may be below zero, in the unit's smallest step.
            signer: Owner of both accounts.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of them is not there, or not the signer's.
            AccountRefused: One is closed, or the settlement account frozen or of another unit.
            NettingRefused: The unit is not deferred, the settlement account is another member's, or
                the member failed and still owes.
            CreditInUse: It owes more than that already.
            CapExceeded: The unit has as many members as it may.
        """
        draft = self.draft(signer)
        draft.add(build(Join, account, settlement_account, require_amount(maximum_debit)))
        return await self._send(draft, deadline_s)

    async def close_window(
        self,
        unit: UnitId,
        window: int | None = None,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Cuts off the open window of a deferred unit. Signed by the unit's issuer.

        What open disputes hold back rolls over; net positions are pinned until they are settled.

        Args:
            unit: The deferred unit.
            window: Number of its open window; None to ask for it.
            signer: The operator of the netting.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit, or the signer does not issue it.
            NettingRefused: It is not deferred, this is not its open window, or another window
                waits for settlement.
        """
        if window is None:
            window = (await self._require_netting(unit, signer)).unit.open_window
        draft = self.draft(signer)
        draft.add(build(WindowClose, unit, window))
        return await self._send(draft, deadline_s)

    async def settle_window(
        self,
        unit: UnitId,
        expected: NettingState | None = None,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pays all net positions of the window that waits, or nothing. By the unit's issuer.

        Args:
            unit: The deferred unit.
            expected: What `get_netting` said: it is refused if the positions are others by now.
                None to pay whatever they are.
            signer: The operator of the netting.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit, or the signer does not issue it.
            InvalidArgument: No window waits for settlement.
            InsufficientFunds, FundsHeld, AccountRefused, FundsRefused: A member stands in the way:
                `detail` is the place of its position in `closed`, from 0. See `fail_member`.
            NettingRefused: Positions or window are others by now.
        """
        state = expected or await self._require_netting(unit, signer)
        waiting = state.waiting
        if waiting is None:
            raise InvalidArgument("No window waits for settlement.", advice="Close one first.")
        content = positions_hash(self.ledger_id, unit, waiting.window, state.closed)
        draft = self.draft(signer)
        draft.add(build(Settle, unit, waiting.window, content))
        return await self._send(draft, deadline_s)

    async def fail_member(
        self,
        unit: UnitId,
        account: AccountId,
        window: int | None = None,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Takes a member that cannot settle out of the window that waits. By the unit's issuer.

        What it owes and is owed there rolls over into the open window, and it may owe no more.

        Args:
            unit: The deferred unit.
            account: The member's account in it.
            window: Number of the window; None for the one that waits.
            signer: The operator of the netting.
            deadline_s: When to give up.

        Raises:
            UnitNotFound: There is no such unit, or the signer does not issue it.
            AccountNotFound: There is no such account in the unit.
            NettingRefused: It is no member, or nothing keeps it from settling.
        """
        if window is None:
            window = (await self._require_netting(unit, signer)).unit.open_window - 1
        draft = self.draft(signer)
        draft.add(build(Fail, unit, window, account))
        return await self._send(draft, deadline_s)

    async def get_netting(
        self,
        unit: UnitId,
        account: AccountId | None = None,
        *,
        stale: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> NettingState | None:
        """Reads the netting of a unit: all of it for its issuer and auditors, else what is one's.

        Args:
            unit: The deferred unit.
            account: Whose pairs to tell: who paid it how much, and whom it paid.
            stale: Take one node's word, which may lag behind.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Returns:
            None where there is no such deferred unit.

        Raises:
            AccessDenied: The key is not registered, not active, or reads no accounts at all.
            ConnectionFailed, ProtocolError: Nobody could say.
        """
        request = ledger_pb2.GetNettingRequest(
            unit=unit, account=account or b"", options=ledger_pb2.ReadOptions(stale=stale)
        )
        wait_s = self._read_deadline_s if deadline_s is None else deadline_s
        return await self._reader.netting(request, self._key_to_read(signer), wait_s)

    async def _require_netting(self, unit: UnitId, signer: Signer | None) -> NettingState:
        state = await self.get_netting(unit, signer=signer)
        if state is None:
            raise InvalidArgument(f"There is no deferred unit {unit.hex()}.")
        return state
