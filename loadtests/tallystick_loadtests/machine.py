"""What this machine gives at this minute, so that figures can be compared as ratios.

Each probe runs for a fixed share of a second on one thread, on the same disk as the cluster.
"""

import hashlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallystick_core import Kernel

from tallystick_loadtests.errors import UnsuitableDiskError

PROBE_S: Final = 0.5
SYNC_BYTES: Final = 512
MIB: Final = 1 << 20
MEMORY_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
SEED: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Machine:
    """Speeds of one thread.

    Attributes:
        verify_per_s: Ed25519 signatures in batches of one message of small envelopes.
        fdatasync_per_s: Synced appends of 512 bytes.
        sha256_mib_per_s: SHA-256 over 1 MiB buffers.
    """

    verify_per_s: float
    fdatasync_per_s: float
    sha256_mib_per_s: float


def file_system_of(directory: Path) -> str:
    """Type of the file system that holds ``directory``, by the longest mount point above it."""
    path = directory.resolve()
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, mount_kind, *_ = line.split()
        inside = mount == "/" or path == Path(mount) or Path(mount) in path.parents
        if inside and len(mount) >= len(best):
            best, kind = mount, mount_kind
    return kind


def require_disk(directory: Path) -> None:
    """Refuses a directory in memory.

    Raises:
        UnsuitableDiskError: fsync would mean nothing there.
    """
    kind = file_system_of(directory)
    if kind in MEMORY_FILE_SYSTEMS:
        message = f"{directory} is on {kind}: fsync means nothing there; choose a real disk (--dir)"
        raise UnsuitableDiskError(message)


def probe(directory: Path, kernel: Kernel, message: bytes, now_ns: int) -> Machine:
    """Measures the machine.

    Args:
        directory: On the disk that is to be measured.
        kernel: Knows the signers of ``message``.
        message: Small envelopes, back to back, that it would admit.
        now_ns: The clock against which it would.
    """
    return Machine(
        verify_per_s=round(_verify_per_s(kernel, message, now_ns), 1),
        fdatasync_per_s=round(_fdatasync_per_s(directory), 1),
        sha256_mib_per_s=round(_sha256_mib_per_s(), 1),
    )


def _verify_per_s(kernel: Kernel, message: bytes, now_ns: int) -> float:
    verified = 0
    started_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < PROBE_S:
        verified += kernel.admit([message], now_ns).verify(SEED, 1)
    return verified / elapsed_s


def _fdatasync_per_s(directory: Path) -> float:
    path = directory / "sync-probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    synced = 0
    try:
        started_s = time.perf_counter()
        while (elapsed_s := time.perf_counter() - started_s) < PROBE_S:
            os.write(descriptor, bytes(SYNC_BYTES))
            os.fdatasync(descriptor)
            synced += 1
    finally:
        os.close(descriptor)
        path.unlink()
    return synced / elapsed_s


def _sha256_mib_per_s() -> float:
    buffer = bytes(MIB)
    hashed = 0
    started_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < PROBE_S:
        hashlib.sha256(buffer).digest()
        hashed += 1
    return hashed / elapsed_s


def git_commit() -> str:
    """Commit of the checkout that this package runs from; "unknown" outside one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git the user has
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
