"""What every demo does with its nodes: starts all, waits until they agree, stops them in any case.

What blocks runs in threads, for which the event loop waits when it is interrupted: so no node is
started after the nodes were stopped.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.markup import escape

from tallystick_cluster.demo.proofs import Told
from tallystick_cluster.demo.screen import Screen
from tallystick_cluster.errors import DemoError, NodeFailedError, NotReadyError
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import (
    log_tail,
    node_states,
    process_of,
    start_node,
    stop_nodes,
    wait_ready,
)

READY_TIMEOUT_S: Final = 60.0
# Waiting is cut into pieces, so that Ctrl-C is not kept waiting.
READY_PIECE_S: Final = 1.0
AGREE_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1


async def start_all(layout: ClusterLayout) -> None:
    """Starts all nodes; returns when they have a leader.

    Raises:
        NotReadyError: They have none within `READY_TIMEOUT_S`.
        NodeFailedError: One of them ended.
    """
    for node in layout.nodes:
        await asyncio.to_thread(start_node, layout, node.raft_id)
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            await asyncio.to_thread(wait_ready, layout, READY_PIECE_S)
        except NotReadyError:
            if time.monotonic() > deadline_s:
                raise
        else:
            return


async def agreed(layout: ClusterLayout) -> list[Told]:
    """Waits until all nodes tell one sequence number; returns what each says of its state then.

    Raises:
        DemoError: They do not within `AGREE_TIMEOUT_S`.
        NodeFailedError: One of them does not run.
    """
    deadline_s = time.monotonic() + AGREE_TIMEOUT_S
    while time.monotonic() < deadline_s:
        states = await asyncio.to_thread(node_states, layout, with_digest=True)
        gone = [str(each.raft_id) for each in states if each.pid is None]
        if gone:
            raise NodeFailedError(f"of the nodes, {' and '.join(gone)} ended before the demo did")
        told = [
            Told(each.raft_id, each.status.next_sequence, each.status.state_digest)
            for each in states
            if each.status is not None
        ]
        if len(told) == len(layout.nodes) and len({each.next_sequence for each in told}) == 1:
            return told
        await asyncio.sleep(POLL_S)
    raise DemoError(f"the nodes did not agree on where they stand within {AGREE_TIMEOUT_S:.0f} s")


@contextmanager
def timed(screen: Screen, text: str) -> Iterator[None]:
    """Says what was done, and how long it took, when it is."""
    started_s = time.monotonic()
    yield
    screen.step(text, time.monotonic() - started_s)


@contextmanager
def nodes_stopped(layout: ClusterLayout, screen: Screen) -> Iterator[None]:
    """Stops the nodes at the end, also when a demo is interrupted, and not to be interrupted.

    If it fails, the ends of the logs of nodes that died say why.
    """
    try:
        yield
    except Exception:
        for node in layout.nodes:
            if process_of(layout, node.raft_id) is None:
                screen.line(f"node {node.raft_id} does not run; the end of its log:")
                screen.line(escape(log_tail(layout, node.raft_id)))
        raise
    finally:
        previous = {
            number: signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            with timed(screen, "nodes stopped in good order"):
                stop_nodes(layout)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
