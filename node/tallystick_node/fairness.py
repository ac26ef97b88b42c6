"""Who goes next, and who gets no more: queues and quotas between connections and signers.

Theory of operation. Anyone can connect and anyone can quote a victim's key, so what a message costs
before its signature is verified is charged to the *connection* that brought it, and only afterwards
to the *signer*. Both are served in turn:

- `FairQueue` is deficit round robin (Shreedhar and Varghese, 1995): each party with something
  queued gets a quantum of bytes a round, so one that queues a hundred messages waits for itself.
- `ConnectionBook` knows what each connection has in flight, how many calls it has open, and what it
  has shown of itself. Both kinds of room are shared by *dynamic thresholds* (Choudhury and Hahne,
  1998): a connection may take as much as is still free, so one alone may take half, a hundred get a
  hundredth each, and a part as large as theirs stays free for whoever comes next. Nobody can fill
  a node so that a newcomer's small message finds no room.
- A connection that has not shown a good signature is *new*: a large message of it is first tried
  by a sample (verify.py), and it shares no batch with those that are *known*. One that delivered a
  bad signature is *suspect*: its messages are verified one by one, so that it cannot make honest
  neighbours' batches fail and be searched. After `MAX_STRIKES` such messages or
  `MAX_BAD_SIGNATURES` such signatures, or with a sample that is bad throughout, it is *barred*:
  nothing is taken from it any more.

All state is bounded: a party without queued items and a connection without open calls or bytes in
flight are forgotten; of what connections have shown, the oldest goes first.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

from tallystick_node.limits import (
    FAIR_QUANTUM_BYTES,
    MAX_BAD_SIGNATURES,
    MAX_CONNECTION_BYTES,
    MAX_IN_FLIGHT_BYTES,
    MAX_OPEN_CALLS,
    MAX_STRIKES,
    MAX_TRACKED_CONNECTIONS,
    MESSAGE_OVERHEAD_BYTES,
    STRIKES_FORGOTTEN_S,
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


class Standing(Enum):
    """What a connection has shown of itself."""

    NEW = auto()  # no good signature yet: it may be anybody
    KNOWN = auto()  # it has delivered at least one good signature, and no bad one of late
    SUSPECT = auto()  # it has delivered a bad one
    BARRED = auto()  # it has delivered too many


@dataclass(slots=True)
class _Record:
    standing: Standing = Standing.NEW
    strikes: int = 0
    bad_signatures: int = 0
    struck_s: float = 0.0


class ConnectionBook:
    """What is known of each client connection.

    A connection's name holds its port, which another client may get once it is closed; nobody
    tells this book of that. So strikes are forgotten after a while.

    Attributes:
        in_flight_bytes: What all connections are charged for.
        open_calls: Calls in progress on all connections.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Make it.

        Args:
            clock_s: Seconds that never go back.
        """
        self._clock_s = clock_s
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._in_flight: dict[str, int] = {}
        self._calls: dict[str, int] = {}
        self.in_flight_bytes = 0
        self.open_calls = 0

    def __len__(self) -> int:
        return len(self._records.keys() | self._in_flight.keys() | self._calls.keys())

    # -- room ------------------------------------------------------------------------------------

    def admit(self, connection: str, size_bytes: int) -> bool:
        """Charges a message to its connection; False if that would be above its share.

        The node's own messages have no connection; there is always room for them.
        """
        charge = size_bytes + MESSAGE_OVERHEAD_BYTES
        mine = self._in_flight.get(connection, 0)
        free = MAX_IN_FLIGHT_BYTES - self.in_flight_bytes
        if connection and mine + charge > min(MAX_CONNECTION_BYTES, free):
            return False
        self._in_flight[connection] = mine + charge
        self.in_flight_bytes += charge
        return True

    def release(self, connection: str, size_bytes: int) -> None:
        """A message that was admitted has left the node's hands."""
        charge = size_bytes + MESSAGE_OVERHEAD_BYTES
        self.in_flight_bytes -= charge
        left = self._in_flight[connection] - charge
        if left:
            self._in_flight[connection] = left
        else:
            del self._in_flight[connection]

    def enter(self, connection: str) -> bool:
        """Opens a call; False if the connection has its share of them open."""
        mine = self._calls.get(connection, 0)
        if mine >= MAX_OPEN_CALLS - self.open_calls:
            return False
        self._calls[connection] = mine + 1
        self.open_calls += 1
        return True

    def leave(self, connection: str) -> None:
        """A call that was opened has ended."""
        self.open_calls -= 1
        left = self._calls[connection] - 1
        if left:
            self._calls[connection] = left
        else:
            del self._calls[connection]

    # -- reputation ------------------------------------------------------------------------------

    def standing(self, connection: str) -> Standing:
        """What the connection has shown of itself."""
        if not connection:
            return Standing.KNOWN
        record = self._records.get(connection)
        if record is None:
            return Standing.NEW
        if record.strikes and self._clock_s() - record.struck_s > STRIKES_FORGOTTEN_S:
            del self._records[connection]
            return Standing.NEW
        return record.standing

    def praise(self, connection: str) -> None:
        """A message of the connection had good signatures and no bad one."""
        if connection and connection not in self._records:
            self._record(connection).standing = Standing.KNOWN

    def strike(self, connection: str, bad_signatures: int, *, bar: bool = False) -> None:
        """A message of the connection had bad signatures.

        Args:
            connection: Its name; never the node's own.
            bad_signatures: How many were seen.
            bar: Whether that is enough.
        """
        record = self._record(connection)
        record.strikes += 1
        record.bad_signatures += bad_signatures
        record.struck_s = self._clock_s()
        bar |= record.strikes >= MAX_STRIKES or record.bad_signatures >= MAX_BAD_SIGNATURES
        record.standing = Standing.BARRED if bar else Standing.SUSPECT

    def is_barred(self, connection: str) -> bool:
        """Whether nothing is taken from it any more."""
        return self.standing(connection) is Standing.BARRED

    def _record(self, connection: str) -> _Record:
        record = self._records.get(connection)
        if record is None:
            record = self._records[connection] = _Record()
            if len(self._records) > MAX_TRACKED_CONNECTIONS:
                self._records.popitem(last=False)
        return record
