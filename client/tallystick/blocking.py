"""One event loop in a background thread, shared by all blocking clients of a process.

A blocking call hands its coroutine to the loop and waits. So many threads that call at the same
time share one client's connections, and their envelopes travel together, as asyncio tasks' do.
The thread is a daemon: it ends with the process. A forked child starts its own.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")

_LOCK: Final = threading.Lock()
_LOOPS: Final[dict[int, asyncio.AbstractEventLoop]] = {}  # by process id


def background_loop() -> asyncio.AbstractEventLoop:
    """Returns this process's background loop; the first call starts it."""
    with _LOCK:
        loop = _LOOPS.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="tallystick", daemon=True)
            thread.start()
            _LOOPS[os.getpid()] = loop
        return loop


def start(coroutine: Coroutine[Any, Any, _T]) -> "Future[_T]":
    """Runs a coroutine in the background loop; returns its future."""
    return asyncio.run_coroutine_threadsafe(coroutine, background_loop())


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine in the background loop and waits for it.

    Raises:
        RuntimeError: Called from an asyncio program's loop, which it would block.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        coroutine.close()
        raise RuntimeError("a blocking client inside an event loop: use AsyncClient there")
    future = start(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()  # of KeyboardInterrupt; else it is done
        raise
