"""Who goes next, and who gets no more: queues and quotas between connections and signers.

Theory of operation. Anyone can connect and anyone can quote a victim's key, so what a message costs
before its signature is verified is charged to the *connection* that brought it, and only afterwards
to the *signer*. Both are served in turn:

- `FairQueue` is deficit round robin (Shreedhar and Varghese, 1995): each party with something
  queued gets a quantum of bytes a round, so one that queues a hundred messages waits for itself.
- `ConnectionBook` counts bytes in flight and strikes. A connection that delivered a bad signature
  is *suspect*: its messages are verified in batches of their own, so that it cannot make honest
  neighbours' batches fail and be bisected. After `MAX_STRIKES` messages with bad signatures it is
  *barred*: nothing is taken from it any more.

Nothing here reads a clock or does I/O. All state is bounded: a party without queued items and a
connection without bytes in flight or strikes are forgotten; of the others the oldest go first.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tallystick_node.limits import (
    FAIR_QUANTUM_BYTES,
    MAX_CONNECTION_BYTES,
    MAX_STRIKES,
    MAX_TRACKED_CONNECTIONS,
)

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of many parties, handed out by deficit round robin.

    Attributes:
        size_bytes: Bytes of all items in the queue.
    """

    def __init__(self, quantum_bytes: int = FAIR_QUANTUM_BYTES) -> None:
        self._quantum = quantum_bytes
        self._parties: OrderedDict[Hashable, deque[tuple[int, Item]]] = OrderedDict()
        self._credit: dict[Hashable, int] = {}
        self._bytes_of: dict[Hashable, int] = {}
        self.size_bytes = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, party: Hashable, item: Item, size_bytes: int) -> None:
        """Queues an item of a party."""
        queue = self._parties.get(party)
        if queue is None:
            queue = self._parties[party] = deque()
            self._credit[party] = 0
            self._bytes_of[party] = 0
        queue.append((size_bytes, item))
        self._bytes_of[party] += size_bytes
        self.size_bytes += size_bytes
        self._count += 1

    def push_back(self, party: Hashable, item: Item, size_bytes: int) -> None:
        """Puts an item that was popped back in front of its party's queue, at no cost."""
        queue = self._parties.get(party)
        if queue is None:
            self.push(party, item, size_bytes)
        else:
            queue.appendleft((size_bytes, item))
            self._bytes_of[party] += size_bytes
            self.size_bytes += size_bytes
            self._count += 1
        self._parties.move_to_end(party, last=False)
        self._credit[party] += size_bytes

    def bytes_of(self, party: Hashable) -> int:
        """Bytes that a party has queued."""
        return self._bytes_of.get(party, 0)

    def pop_fitting(self, room_bytes: int) -> tuple[Hashable, Item] | None:
        """Takes the next item if it is not larger than ``room_bytes``; None otherwise.

        The turn is kept when it does not fit: nobody smaller overtakes, so large items cannot be
        starved by a stream of small ones.
        """
        while self._parties:
            party, queue = next(iter(self._parties.items()))
            size, item = queue[0]
            if self._credit[party] < size:
                self._credit[party] += self._quantum
                self._parties.move_to_end(party)
                continue
            if size > room_bytes:
                return None
            queue.popleft()
            self._credit[party] -= size
            self._bytes_of[party] -= size
            self.size_bytes -= size
            self._count -= 1
            if not queue:
                del self._parties[party], self._credit[party], self._bytes_of[party]
            return party, item
        return None

    def drain(self) -> list[Item]:
        """Takes everything."""
        items = [item for queue in self._parties.values() for _, item in queue]
        self._parties.clear()
        self._credit.clear()
        self._bytes_of.clear()
        self.size_bytes = 0
        self._count = 0
        return items


@dataclass(slots=True)
class _Connection:
    in_flight_bytes: int = 0
    strikes: int = 0


class ConnectionBook:
    """What is known of each client connection."""

    def __init__(self) -> None:
        self._connections: OrderedDict[str, _Connection] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, connection: str, size_bytes: int) -> bool:
        """Charges a message to its connection; False if that would be above its quota."""
        known = self._connections.get(connection)
        if known is None:
            known = self._connections[connection] = _Connection()
            self._forget_oldest()
        if known.in_flight_bytes + size_bytes > MAX_CONNECTION_BYTES:
            return False
        known.in_flight_bytes += size_bytes
        return True

    def release(self, connection: str, size_bytes: int) -> None:
        """A message of the connection was answered."""
        known = self._connections.get(connection)
        if known is None:
            return
        known.in_flight_bytes = max(0, known.in_flight_bytes - size_bytes)
        if not known.in_flight_bytes and not known.strikes:
            del self._connections[connection]

    def strike(self, connection: str) -> None:
        """A message of the connection had a bad signature."""
        known = self._connections.setdefault(connection, _Connection())
        known.strikes += 1

    def is_suspect(self, connection: str) -> bool:
        """Whether its messages are verified apart from others'."""
        known = self._connections.get(connection)
        return known is not None and known.strikes > 0

    def is_barred(self, connection: str) -> bool:
        """Whether nothing is taken from it any more."""
        known = self._connections.get(connection)
        return known is not None and known.strikes >= MAX_STRIKES

    def _forget_oldest(self) -> None:
        if len(self._connections) > MAX_TRACKED_CONNECTIONS:
            self._connections.popitem(last=False)
