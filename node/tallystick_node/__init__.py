"""The server: admission, consensus shell, storage and services around the deterministic core."""
