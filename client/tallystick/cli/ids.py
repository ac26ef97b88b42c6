"""Ids and public keys on the command line."""

from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import PublicKey
from tallystick_ledger.limits import ID_BYTES, KEY_BYTES


def id_of(what: str, text: str) -> bytes:
    """Reads an id of 32 hexadecimal digits.

    Raises:
        InvalidArgument: It is none.
    """
    raw = _bytes_of(text)
    if len(raw) != ID_BYTES:
        raise InvalidArgument(f"{text!r} is no {what}.", advice="Ids are 32 hexadecimal digits.")
    return raw


def public_key(text: str) -> PublicKey:
    """Reads a public key.

    Raises:
        InvalidArgument: It is none.
    """
    raw = _bytes_of(text)
    if len(raw) != KEY_BYTES:
        raise InvalidArgument(
            f"{text!r} is no public key.",
            advice="It has 64 hexadecimal digits; `tallystick key show` prints it.",
        )
    return PublicKey(raw)


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
