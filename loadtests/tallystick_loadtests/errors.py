"""Errors of the load tests.

BenchError
├── UnsuitableDiskError    the directory is in memory; fsync would mean nothing there
├── SetupFailedError       accounts and money could not be set up
├── NodeSilentError        a node that should run does not answer
├── NotCaughtUpError       a node does not get what was acknowledged; losses cannot be told
├── InvalidRunError        what was measured does not count (too many refusals)
└── LoadNotPreparedError   a locust process finds no directory that tells it whom to load
"""


class BenchError(Exception):
    """Root of all errors of this package."""


class UnsuitableDiskError(BenchError):
    """The directory is not on a real disk."""


class SetupFailedError(BenchError):
    """Preparing the ledger for the measurement failed."""


class NodeSilentError(BenchError):
    """A node that should run does not answer."""


class NotCaughtUpError(BenchError):
    """A node does not get what was acknowledged."""


class InvalidRunError(BenchError):
    """The run does not count."""


class LoadNotPreparedError(BenchError):
    """There is no prepared load in the directory."""
