"""Type stubs and reference documentation of the compiled module."""

__version__: str
