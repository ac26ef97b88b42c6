"""The incarnations that this node's peers showed at the first contact.

Pins are durable before they count (`Store.pin_incarnation`); known ones are answered from memory,
so that the event loop waits for a disk only when a peer is met for the very first time.
"""

import asyncio

from tallystick_node.storage import Store


class Pins:
    """Belongs to the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, bytes] = {}

    async def accepts(self, raft_id: int, incarnation: bytes) -> bool:
        """Whether this is the incarnation that `raft_id` has, or has from now on."""
        if raft_id not in self._known:
            self._known[raft_id] = await asyncio.to_thread(
                self._store.pin_incarnation, raft_id, incarnation
            )
        return self._known[raft_id] == incarnation
