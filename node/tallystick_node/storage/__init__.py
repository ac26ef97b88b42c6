"""What a node keeps on disk: the log, the vote, what applying made, checkpoints, pins of peers."""

from tallystick_node.storage.rows import HardState, LogEntry, Recovered
from tallystick_node.storage.store import Store

__all__ = ["HardState", "LogEntry", "Recovered", "Store"]
