"""Version 1 of the public API and of the protocol between nodes (generated code)."""
