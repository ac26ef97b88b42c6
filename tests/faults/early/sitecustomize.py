"""Loads, while a node's process has one thread, what Python would load later on.

libfiu's wrappers look functions up with dlsym, holding a lock of their own; the dynamic loader,
which holds the lock that dlsym needs, opens files through those wrappers. A shared library that is
loaded while other threads run can thus stop the process for ever: now and then a start did, in
`getaddrinfo` of the metrics port. Nodes without libfiu are not concerned.
"""

import encodings.idna  # noqa: F401 - for its effect
