"""Appends of peers, checked before they reach the Raft core.

Theory of operation
-------------------
Raft would append whatever the leader of the term sends. So an append that carries entries waits
here until its new blocks have passed the byte checks, in a queue per peer, in order of arrival;
only then is it stepped. While one append is being checked the next can already be: where it would
continue is known from the headers of those before it.

What is *new* is decided twice. On arrival, to know what to check: entries that are in the log with
the same index and term are not looked at again. And right before the step, because the log may have
changed meanwhile: every entry that the core is going to append must have been checked in this very
frame, against the tip that the log really has there. If not, the frame is checked again.

An append whose predecessor is unknown is decided when its turn comes: if the log still does not
have the predecessor, the core can only reject it, and that answer is what the leader needs.

A block that fails ends the trust in its sender for that term: what is queued is dropped, and what
comes later (heartbeats too, so that another leader gets elected) is ignored.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from tallystick_core import FrameInfo

from tallystick_node.consensus_actions import BlockJob, Check
from tallystick_node.consensus_chain import BlockPlace, Chain, ChainTip, block_place

Entry = tuple[int, int, int, bytes]
"""(index, term, entry type, payload) as `FrameInfo.entries` gives them."""

_NO_TICKET: Final = 0


class TermLookup(Protocol):
    """The part of the core that knows terms below the chain's floor."""

    def term_at(self, index: int) -> int:
        """Term of a log entry, 0 for index 0 and for an entry whose term was forgotten."""


@dataclass(slots=True)
class Append:
    """An append that waits.

    Attributes:
        frame: as parsed.
        size_bytes: of the whole frame.
        entries: its entries.
        places: of its entries; None for Raft's own.
        first_checked: position of the first entry that was sent to be checked.
        base: the tip that this one was checked against.
        ticket: of the check under way, 0 when none is.
        ready: nothing (more) is to be checked.
    """

    frame: FrameInfo
    size_bytes: int
    entries: list[Entry]
    places: list[BlockPlace | None]
    first_checked: int = 0
    base: ChainTip | None = None
    ticket: int = _NO_TICKET
    ready: bool = False


@dataclass(slots=True)
class _Queue:
    appends: deque[Append] = field(default_factory=deque)
    size_bytes: int = 0
    distrusted_term: int = 0


class Inbox:
    """The queues of all peers."""

    def __init__(self, chain: Chain, terms: TermLookup) -> None:
        self._chain = chain
        self._terms = terms
        self._queues: dict[int, _Queue] = {}
        self._last_ticket = _NO_TICKET
        self._tickets: dict[int, tuple[int, Append]] = {}

    # -- what is waiting --------------------------------------------------------------------------

    def size_bytes(self, peer: int) -> int:
        """Bytes of the frames of a peer that wait here."""
        return self._queue(peer).size_bytes

    def is_waiting(self, peer: int) -> bool:
        """Whether appends of this peer are queued."""
        return bool(self._queue(peer).appends)

    def is_distrusted(self, peer: int, term: int) -> bool:
        """Whether what this peer sends as leader of `term` is ignored."""
        return term == self._queue(peer).distrusted_term

    def distrust(self, peer: int, term: int) -> None:
        """Ignore this peer's words as leader of `term`, and drop its queue."""
        queue = self._queue(peer)
        queue.distrusted_term = max(term, queue.distrusted_term)
        for append in queue.appends:
            self._tickets.pop(append.ticket, None)
        queue.appends.clear()
        queue.size_bytes = 0

    # -- the way through --------------------------------------------------------------------------

    def add(self, peer: int, append: Append) -> Check | None:
        """Queue an append; returns what is to be checked now, if anything is."""
        base = self._base(append) or self._promised_base(peer, append)
        queue = self._queue(peer)
        queue.appends.append(append)
        queue.size_bytes += append.size_bytes
        return self._prepare(peer, append, base)

    def checked(self, ticket: int) -> None:
        """The blocks of a check are good."""
        known = self._tickets.pop(ticket, None)
        if known is not None:
            append = known[1]
            append.ticket = _NO_TICKET
            append.ready = True

    def origin(self, ticket: int) -> tuple[int, int] | None:
        """(peer, term) of the append that a check belongs to; None if it was dropped."""
        known = self._tickets.get(ticket)
        return (known[0], known[1].frame.term) if known else None

    def next(self, peer: int) -> Append | Check | None:
        """The next append of this peer that may be stepped, or what has to be checked first.

        Call again after the step, until it returns None.
        """
        queue = self._queue(peer)
        if not queue.appends:
            return None
        append = queue.appends[0]
        if append.ticket != _NO_TICKET:
            return None
        if not self._may_step(append):
            check = self._prepare(peer, append, self._base(append))
            if check is not None:
                return check
        queue.appends.popleft()
        queue.size_bytes -= append.size_bytes
        return append

    # -- decisions --------------------------------------------------------------------------------

    def _may_step(self, append: Append) -> bool:
        """Whether all that the core would append from this frame was checked as it would stand."""
        position = self._first_new(append)
        if position is None:
            return True
        if not append.ready or append.base is None or position < append.first_checked:
            return False
        before = self._chain.link(append.entries[position][0] - 1)
        return before is not None and before.tip == self._tip_before(append, position)

    def _first_new(self, append: Append) -> int | None:
        """Position of the first entry that the core would append; None if it would append none."""
        frame = append.frame
        if frame.index < self._chain.floor or not self._in_log(frame.index, frame.log_term):
            return None  # the core answers with its commit index, or rejects
        for position, (index, term, _, _) in enumerate(append.entries):
            if not self._in_log(index, term):
                return position
        return None

    def _base(self, append: Append) -> tuple[int, ChainTip] | None:
        """Where to begin checking: (position, the log's tip before it).

        None if the log does not have the predecessor, or if nothing is new.
        """
        position = self._first_new(append)
        if position is None:
            return None
        link = self._chain.link(append.entries[position][0] - 1)
        return (position, link.tip) if link else None

    def _promised_base(self, peer: int, append: Append) -> tuple[int, ChainTip] | None:
        """The same against what waits before it in the queue."""
        frame = append.frame
        if self._in_log(frame.index, frame.log_term):
            return None
        tip = self._promised(peer, frame.index, frame.log_term)
        return (0, tip) if tip else None

    def _prepare(
        self, peer: int, append: Append, base: tuple[int, ChainTip] | None
    ) -> Check | None:
        """Begin the check of what is new; None when there is nothing to check (now)."""
        if base is None:
            return None
        position, tip = base
        append.first_checked, append.base, append.ready = position, tip, False
        jobs: list[BlockJob] = []
        for (index, _, _, payload), place in zip(
            append.entries[position:], append.places[position:], strict=True
        ):
            if payload:
                jobs.append(BlockJob(index, payload, tip))
            tip = place.tip if place else tip
        if not jobs:
            append.ready = True
            return None
        self._last_ticket += 1
        append.ticket = self._last_ticket
        self._tickets[append.ticket] = (peer, append)
        return Check(append.ticket, tuple(jobs))

    def _tip_before(self, append: Append, position: int) -> ChainTip | None:
        """The tip that the entry at `position` was checked against."""
        tip = append.base
        for place in append.places[append.first_checked : position]:
            tip = place.tip if place else tip
        return tip

    def _promised(self, peer: int, index: int, term: int) -> ChainTip | None:
        """The tip behind an entry that waits in this peer's queue; None if none such waits."""
        for append in reversed(self._queue(peer).appends):
            position = index - append.frame.index - 1
            if append.first_checked <= position < len(append.entries):
                if append.entries[position][1] == term:
                    return self._tip_before(append, position + 1)
                return None
        return None

    def _in_log(self, index: int, term: int) -> bool:
        if index > self._chain.last:
            return False
        link = self._chain.link(index)
        return (link.term if link else self._terms.term_at(index)) == term

    def _queue(self, peer: int) -> _Queue:
        return self._queues.setdefault(peer, _Queue())


def parse_append(frame: FrameInfo, size_bytes: int) -> Append:
    """An append ready to be queued; its payloads become `bytes` objects here, once."""
    entries = frame.entries
    return Append(frame, size_bytes, entries, [block_place(entry[3]) for entry in entries])
