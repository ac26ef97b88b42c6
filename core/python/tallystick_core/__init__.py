"""Native core of Tallystick: Raft binding, batch verification, tree hashing and kernel.

The compiled module is `tallystick_core._core`; this package re-exports its public names. Type
stubs with the full documentation of each name are in `_core.pyi`.
"""

from tallystick_core._core import __version__

__all__ = [
    "__version__",
]
