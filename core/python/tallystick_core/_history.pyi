"""The history index by account: postings gathered by the kernel, packed, merged and searched.

A *posting* is (account, sequence number, tag): that record has to do with the account. While a
kernel applies blocks it gathers them; `KernelHistory.take` hands them out as a *chunk* of some
hundred thousand records, which `pack` turns into *pages* of about 32 KiB, sorted by account, then
by sequence number: a *run*. `HistoryMerge` makes one run of several neighbouring ones. Which
records are in whose history is written in `core/src/kernel/touched.rs`, the bytes of a page in
`core/src/history/page.rs`. Runs are a function of the log and of `chunk_records`.

A tag is one byte: bits 0 to 5 say the record's kind (`history_tag_of_kind`, 0 if only a sweep
touched the account), bit 6 that it was refused, bit 7 that a hold expired just before it. A set of
tags is 32 bytes: bit `t % 8` of byte `t // 8` for tag `t`.

A key is 24 bytes: account (16), sequence number (u64 big-endian) of the first posting on the page.

Errors:

    ValueError
      HistoryGapError    the kernel has applied records whose postings nobody has
      HistoryPageError   bytes that are no page
"""

from typing import final

from tallystick_core._kernel import Kernel

class HistoryGapError(ValueError):
    """The kernel has applied records from `since` on already; the log must be replayed."""

class HistoryPageError(ValueError):
    """Bytes that are no page: the index is damaged, and must be rebuilt from the log."""

@final
class HistoryChunk:
    """Postings of a range of records, as the kernel that handed it out gathered them."""

    @property
    def first_sequence(self) -> int:
        """Sequence number of its first record."""

    @property
    def end_sequence(self) -> int:
        """Sequence number behind its last record."""

    @property
    def is_complete(self) -> bool:
        """Whether the chunk ends here; else it is a part, and the next one goes on with it."""

    @property
    def posting_count(self) -> int:
        """Postings, 8 bytes of memory each; some may stand there twice."""

@final
class KernelHistory:
    """A kernel that gathers postings. Usable from any thread."""

    def __new__(
        cls, kernel: Kernel, *, chunk_first: int, since: int, chunk_records: int
    ) -> KernelHistory:
        """Gathers from the block at sequence number `since` on; earlier blocks are passed over.

        Args:
            kernel: A kernel that has not applied that block yet.
            chunk_first: Sequence number at which the chunk begins that `since` lies in.
            since: Sequence number of the first record whose postings are missing.
            chunk_records: A chunk ends with the first block that takes it to so many, at most
                2^23.

        Raises:
            HistoryGapError: The kernel is past `since`.
        """

    @property
    def first_sequence(self) -> int:
        """Sequence number of the first record whose postings are still in the kernel."""

    @property
    def is_full(self) -> bool:
        """Whether a chunk has ended. To be asked, and the chunk taken, after every block."""

    def take(self) -> HistoryChunk | None:
        """Hands out what was gathered since the last time; None if no record was applied."""

    def pack(self, chunk: HistoryChunk) -> list[tuple[bytes, bytes, int]]:
        """(key, page, postings on it) for each page of a chunk of this kernel, ascending."""

    def search(self, search: HistorySearch) -> int:
        """Searches what is in the kernel. Returns `first_sequence` of that very moment.

        A search for the oldest finds nothing here while its `low` is below that: what lies between
        was handed out meanwhile, and comes first.
        """

    def search_chunk(self, chunk: HistoryChunk, search: HistorySearch) -> None:
        """Searches a chunk that was handed out."""

    def accounts_of(self, principal: bytes, limit: int) -> bytes:
        """Ids, 16 bytes each, of up to `limit` accounts of a principal (16 bytes)."""

@final
class HistorySearch:
    """A search for one account's postings, through any number of sources."""

    def __new__(
        cls,
        account: bytes,
        low: int,
        high: int,
        *,
        newest_first: bool,
        limit: int,
        always: bytes,
        if_listed: bytes,
        listed: bytes,
    ) -> HistorySearch:
        """Looks for sequence numbers from `low` up to `high` (exclusive).

        Args:
            account: 16 bytes.
            low: Smallest sequence number.
            high: The first one not wanted.
            newest_first: The order; sources must be searched in it.
            limit: How many postings are enough.
            always: Set of tags that are wanted.
            if_listed: Set of tags that are wanted for the sequence numbers in `listed`.
            listed: u64 each, ascending.

        Raises:
            ValueError: A length is wrong, or `listed` does not ascend.
        """

    def narrow(self, low: int, high: int) -> None:
        """Looks from now on only at what is also within `low` and `high` (exclusive)."""

    def page(self, page: bytes) -> None:
        """Searches a page.

        Raises:
            HistoryPageError: It is none.
        """

    @property
    def low(self) -> int:
        """Smallest sequence number still looked for."""

    @property
    def high(self) -> int:
        """The first one not looked for any more."""

    @property
    def is_full(self) -> bool:
        """Whether enough was found."""

    @property
    def sequences(self) -> bytes:
        """Sequence numbers found, u64 each, in the order of the search."""

    @property
    def tags(self) -> bytes:
        """Their tags, a byte each."""

@final
class HistoryMerge:
    """One run out of several, page by page.

    while (wanted := merge.run()) is not None:
        merge.feed(wanted, next page of that input, or None at its end)
        write(merge.take_pages())
    write(merge.finish())
    """

    def __new__(cls, base: int, input_count: int) -> HistoryMerge:
        """Of `input_count` runs in the order of the log, of which the first begins at `base`."""

    def run(self) -> int | None:
        """Goes on as far as the pages at hand allow.

        Returns:
            The input whose next page is needed; None when nothing is left.

        Raises:
            HistoryPageError: A page is damaged. The merge is of no more use.
        """

    def feed(self, input: int, page: bytes | None) -> None:  # noqa: A002 - as the core names it
        """Gives an input its next page, or None when it has ended.

        Raises:
            HistoryPageError: It is no page.
            IndexError: There is no such input.
        """

    def take_pages(self) -> list[tuple[bytes, bytes, int]]:
        """(key, page, postings on it) for each page that is done, once."""

    def finish(self) -> list[tuple[bytes, bytes, int]]:
        """The last pages; nothing can be done with the merge afterwards."""

def cut_records(block: bytes, sequences: bytes) -> bytes:
    """Cuts records out of a block.

    Args:
        block: A block (format.md section 8).
        sequences: u64 each, in any order.

    Returns:
        192 bytes for each: u32 number of its envelope in the block, u32 its index in the envelope,
        u64 the envelope's first sequence number, envelope id (16), signer (32), record (128).

    Raises:
        ValueError: No block, or a sequence number that is not in it.
    """

def cut_conts(block: bytes, sequences: bytes) -> bytes:
    """Cuts the CONTs behind records out of a block.

    Args:
        block: A block (format.md section 8).
        sequences: u64 each, in any order.

    Returns:
        128 bytes for each CONT, as many as each record's cont_count says.

    Raises:
        ValueError: No block, a sequence number that is not in it, or a record whose CONTs are not
            in its envelope.
    """

def history_tag_of_kind(kind: int) -> int:
    """Bits 0 to 5 of the tag of a record of this kind; 63 for kinds without a number."""
