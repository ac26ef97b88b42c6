"""Opens a price book: one of those that come with the package, or a file.

A file is JSON, maybe compressed with gzip. Which of the two books it is shows in its shape:
LiteLLM's is an object of models, genai-prices' a list of providers. Sizes are bounded before
anything is unpacked, because a few kilobytes can unpack to more than the memory holds.
"""

import gzip
import io
import zlib
from enum import Enum
from pathlib import Path
from typing import Final

from tallystick.prices import data
from tallystick.prices.book import Book
from tallystick.prices.drafts import ImportPolicy
from tallystick.prices.errors import BookUnreadable
from tallystick.prices.genai import import_genai
from tallystick.prices.limits import MAX_BOOK_BYTES
from tallystick.prices.litellm import import_litellm

_GZIP: Final = b"\x1f\x8b"


class Bundled(Enum):
    """The books that come with the package; `data/NOTICE.md` has sources, dates and licences."""

    LITELLM = data.LITELLM
    GENAI = data.GENAI


def bundled_book(which: Bundled, policy: ImportPolicy | None = None) -> Book:
    """Imports a book that comes with the package.

    Args:
        which: Which of them.
        policy: What the import may do beyond reading. Default: nothing.
    """
    return import_book(data.read(which.value), policy)


def open_book(path: Path, policy: ImportPolicy | None = None) -> Book:
    """Imports a book from a file.

    Args:
        path: A JSON file of LiteLLM's or genai-prices', maybe with gzip.
        policy: What the import may do beyond reading. Default: nothing.

    Raises:
        BookUnreadable: There is no such file, or it is neither book, or too large.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(MAX_BOOK_BYTES + 1)
    except OSError as error:
        raise BookUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    return import_book(_unpacked(packed), policy)


def import_book(content: bytes, policy: ImportPolicy | None = None) -> Book:
    """Imports a book by its shape.

    Args:
        content: The JSON, unpacked.
        policy: What the import may do beyond reading. Default: nothing.

    Raises:
        BookUnreadable: It is neither book.
    """
    is_list = content.lstrip()[:1] == b"["
    return import_genai(content, policy) if is_list else import_litellm(content, policy)


def _unpacked(content: bytes) -> bytes:
    if content.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                content = stream.read(MAX_BOOK_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise BookUnreadable(f"The file's compression is broken: {error}.") from error
    if len(content) > MAX_BOOK_BYTES:
        raise BookUnreadable(f"A price book of more than {MAX_BOOK_BYTES:,} bytes is none.")
    return content
