"""A fault that only coverage leads to: four bytes, one after the other, out of 2^32.

Whoever does not find it in a minute does not look at coverage, and would find nothing else either.
"""


class PlantedFaultError(Exception):
    """What is to be found."""


def run(data: bytes) -> None:
    if data[:1] != b"T":
        return
    if data[1:2] != b"S":
        return
    if data[2:3] != b"\x00":
        return
    if data[3:4] == b"\xfe":
        raise PlantedFaultError
