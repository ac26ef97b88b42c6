"""Start, inspect and break whole clusters on one machine."""
