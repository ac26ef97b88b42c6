"""The Tallystick SDK: build, sign and submit envelopes, and read what became of them."""

from importlib.metadata import version

__version__ = version("tallystick")

__all__ = ["__version__"]
