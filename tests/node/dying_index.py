"""A process that builds a history index, and kills itself at a write that it was told.

SIGKILL comes right behind the COUNT-th batch that the history thread writes, while the apply thread
goes on with whatever it does; with fewer batches than that the process ends well, exit code 0.
"""

import os
import signal
import threading
from pathlib import Path

from rocksdict import WriteBatch
from tallystick_core import Kernel
from tests.node.store_tools import OWNER

from tallystick_node.apply import apply_entry
from tallystick_node.history import History
from tallystick_node.storage import Store
from tallystick_node.storage.database import Database

CHUNK_RECORDS = 8
BLOCKS_A_CHECKPOINT = 21


def build(store: Store, genesis: bytes) -> History:
    """Applies the whole log, as with a checkpoint now and then; the index gets what it has not."""
    kernel = Kernel(genesis)
    history = History(kernel, store, chunk_records=CHUNK_RECORDS)
    for index, block in store.payloads(1, store.last_index + 1):
        applied = apply_entry(kernel, store, index, block)
        if applied is not None:
            history.applied(applied.first_sequence + applied.record_count)
        if index % BLOCKS_A_CHECKPOINT == 0:
            history.flush()
    history.flush()
    return history


def die_at(count: int, *, keeps: bool) -> None:
    """Ends this process behind the `count`-th batch of the history thread."""
    write = Database.write
    left = count

    def write_and_die(self: Database, batch: WriteBatch) -> None:
        nonlocal left
        write(self, batch)
        if threading.current_thread().name == "history":
            left -= 1
            if not left:
                if keeps:
                    self.sync()
                os.kill(os.getpid(), signal.SIGKILL)

    Database.write = write_and_die  # type: ignore[method-assign]


def main(directory: Path, count: int, keeps: bool) -> None:
    """Builds the index of a store whose log is whole, and dies at it.

    Args:
        directory: Of the store; the file `genesis` is there, too.
        count: At which batch.
        keeps: Whether what was written until then is on the disk; else some of it, or nothing.
    """
    die_at(count, keeps=keeps)
    store = Store.open(directory, OWNER)
    build(store, (directory / "genesis").read_bytes()).close()
    store.close()
