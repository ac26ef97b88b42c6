"""Client methods for the day on which an OWNER key is lost: recover, and veto.

A RECOVERY key is added beforehand and kept apart from daily use. It announces a new OWNER key,
which takes the place of all others once a delay has passed. Until then an OWNER key that is not
lost after all can veto, which revokes the RECOVERY key. See docs/keys.md.
"""

from tallystick.core import ClientCore
from tallystick.draft import build
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger.ids import PublicKey
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import MIN_RECOVERY_NS
from tallystick_ledger.records import Recover, Veto


class RecoveryMethods(ClientCore):
    """Recovery of a principal. What is raised besides: `RegistryMethods`."""

    async def recover(
        self,
        key: SigningKey,
        *,
        delay_ns: int = MIN_RECOVERY_NS,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Announces a new OWNER key in place of all there are. Signed by a RECOVERY key.

        It takes effect `delay_ns` after the record, unless an OWNER key vetoes it.

        Args:
            key: The new OWNER key; it proves here that it is possessed.
            delay_ns: How long it can be vetoed: 72 hours to 30 days.
            signer: A RECOVERY key of the principal.
            deadline_s: When to give up.

        Raises:
            AlreadyExists: The key is registered, or announced already.
            RecoveryRefused: Another recovery of the principal is pending.
            CapExceeded: The principal has too many keys.
        """
        draft = self.draft(signer)
        principal = draft.signer.principal
        possession = prove_possession(key, self._ledger_id, principal)
        draft.add(build(Recover, key.public_key, possession, principal, delay_ns))
        return await self._send(draft, deadline_s)

    async def veto(
        self,
        key: PublicKey,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Ends the pending recovery and revokes the key that began it. Signed by an OWNER key.

        Args:
            key: The key that was announced: `pending_recovery` says which.
            signer: An OWNER key of the principal.
            deadline_s: When to give up.

        Raises:
            RecoveryRefused: No recovery to this key is pending, or its time has come.
        """
        draft = self.draft(signer)
        draft.add(build(Veto, key))
        return await self._send(draft, deadline_s)
