"""What the ledger *is*: formats, signing, result codes and the executable specification.

Pure Python without I/O. Nothing in this package reads a clock, draws randomness, opens a file or
starts a thread: the same bytes go in and the same bytes come out on every machine, which is what
lets nodes, clients and auditors check one another.
"""
