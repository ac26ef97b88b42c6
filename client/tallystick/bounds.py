"""What one question says about a principal: limits, their zones, and who is to become OWNER."""

from dataclasses import dataclass

from tallystick_ledger.state_rows import LimitRow, RecoveryRow, ZoneRow


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds a principal.

    Attributes:
        limits: Those of its spending, and of its keys' and accounts'.
        zones: Time zones that these or the question name.
        recoveries: The one that is pending, or none.
    """

    limits: list[LimitRow]
    zones: list[ZoneRow]
    recoveries: list[RecoveryRow]
