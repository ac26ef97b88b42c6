"""Errors of cluster management.

ClusterError
├── NoClusterError        there is no cluster in this directory
├── ClusterExistsError    there is one already
├── NodeStateError        the node is (not) running, or there is no such node
├── NodeFailedError       a node's process ended; the message holds the end of its log
├── NotReadyError         no leader within the time given
├── DataError             the usage data of this package are not what they should be
└── DemoError             the demo could not be carried through
"""


class ClusterError(Exception):
    """Root of all errors of this package."""


class NoClusterError(ClusterError):
    """There is no cluster in this directory."""


class ClusterExistsError(ClusterError):
    """There is a cluster in this directory already."""


class NodeStateError(ClusterError):
    """The node is not in the state that the operation needs."""


class NodeFailedError(ClusterError):
    """A node's process ended when it should run."""


class NotReadyError(ClusterError):
    """The cluster has no leader within the time given."""


class DataError(ClusterError):
    """The usage data of this package do not hold what was asked for."""


class DemoError(ClusterError):
    """The demo could not be carried through."""
