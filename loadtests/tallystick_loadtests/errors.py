"""Errors of the load tests.

BenchError
├── UnsuitableDiskError    the directory is in memory; fsync would mean nothing there
├── SetupFailedError       accounts and money could not be set up
└── InvalidRunError        what was measured does not count (too many refusals)
"""


class BenchError(Exception):
    """Root of all errors of this package."""


class UnsuitableDiskError(BenchError):
    """The directory is not on a real disk."""


class SetupFailedError(BenchError):
    """Preparing the ledger for the measurement failed."""


class InvalidRunError(BenchError):
    """The run does not count."""
