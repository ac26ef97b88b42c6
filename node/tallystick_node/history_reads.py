"""Pages of an account's history: from the index to records, results and effects.

Theory of operation. The index gives sequence numbers and a tag each; most filters are decided by
tags. What is left is cut out of the blocks in the log, and the rest of the filter is looked at. A
page is bounded by records, bytes, log read and postings looked at, whichever comes first; where it
stops, it says so, and the next one goes on there.

What a page shows concerns the account. A record before which a hold of the account expired may be a
stranger's: then only the expiry is shown, and so with a channel that closed by itself. Of records
that are shown the CONTs are shown, too, if they are asked for.
"""

import asyncio
import hashlib
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Final, Self

from tallystick_core import (
    HistorySearch,
    Kernel,
    block_header,
    cut_conts,
    cut_records,
    history_tag_of_kind,
)

from tallystick_node.applied_rows import EFFECT_BYTES, RESULT_BYTES, AppliedRows
from tallystick_node.errors import DamagedLogError, NodeError
from tallystick_node.failure import fatal
from tallystick_node.history import History
from tallystick_node.limits import (
    HISTORY_READERS,
    MAX_PAGE_BLOCK_BYTES,
    MAX_PAGE_BYTES,
    MAX_PAGE_CANDIDATES,
)
from tallystick_node.storage import Store

_CUT: Final = struct.Struct("<IIQ16s32s128s")
_ROW: Final = struct.Struct("<QQQHHI16s32s16s128s")
_EFFECT: Final = struct.Struct("<HHI16s16s")
_CONT_COUNT: Final = slice(4, 6)  # of a record
_RECORD_BYTES: Final = 128
_TOKEN: Final = struct.Struct("<BQ16s")
_TOKEN_VERSION: Final = 1
_SWEEPS: Final = (3, 5, 10)  # EXPIRY, CHANNEL_CLOSE, GRANT_RETURN: what ends by itself
_SPARSE_BYTES: Final = 4 + RESULT_BYTES
_TAGS: Final = 256
_ANY_TAG: Final = b"\xff" * (_TAGS // 8)
_NO_TAG: Final = bytes(_TAGS // 8)
_KIND_MASK: Final = 0x3F
_REFUSED: Final = 0x40
_SWEPT: Final = 0x80

HOLD_EXPIRED: Final = 1
ONLY_EXPIRED: Final = 2


class BadPageTokenError(NodeError):
    """No token of a page of this list."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for.

    Attributes:
        account: Whose history, 16 bytes.
        newest_first: The order.
        kinds: Kinds of records that are wanted; empty for any, expired holds included.
        executed: Whether executed records and expiries are wanted.
        refused: Whether refused records are wanted.
        code: Refused with this code only; 0 for any.
        counterparty: Only what is in this account's history too, 16 bytes; empty for any.
        since_ns: Not older than that.
        until_ns: Older than that; 0 for any.
        with_conts: Whether CONTs are to be shown. It is the same list with and without.
    """

    account: bytes
    newest_first: bool
    kinds: frozenset[int] = frozenset()
    executed: bool = True
    refused: bool = True
    code: int = 0
    counterparty: bytes = b""
    since_ns: int = 0
    until_ns: int = 0
    with_conts: bool = False

    def tags(self) -> bytes:
        """The tags that a wanted record can have, as a set of the core's."""
        kinds = {history_tag_of_kind(kind) for kind in self.kinds}

        def is_wanted(tag: int) -> bool:
            if not kinds and self.executed and tag & _SWEPT:
                return True
            of_kind = not kinds or (tag & _KIND_MASK) in kinds
            return of_kind and (self.refused if tag & _REFUSED else self.executed)

        chosen = sum(1 << tag for tag in range(_TAGS) if is_wanted(tag))
        return chosen.to_bytes(_TAGS // 8, "little")

    @property
    def is_filtered(self) -> bool:
        """Whether tags alone do not decide."""
        return bool(self.kinds or self.code or self.counterparty)

    def token(self, position: int) -> bytes:
        """What the next page is asked for with: where it begins, and of which list it is."""
        return _TOKEN.pack(_TOKEN_VERSION, position, self._digest())

    def position(self, token: bytes) -> int:
        """Where the page of a token begins.

        Raises:
            BadPageTokenError: It is none of this list.
        """
        if len(token) != _TOKEN.size:
            raise BadPageTokenError("the page token is none")
        version, position, digest = _TOKEN.unpack(token)
        if version != _TOKEN_VERSION or digest != self._digest():
            raise BadPageTokenError(
                "the page token is that of another list: account, filter and order have to be the "
                "same for all pages"
            )
        return int(position)

    def _digest(self) -> bytes:
        said = repr(
            (
                "tallystick/page",
                self.account,
                self.newest_first,
                sorted(self.kinds),
                self.executed,
                self.refused,
                self.code,
                self.counterparty,
                self.since_ns,
                self.until_ns,
            )
        )
        return hashlib.sha256(said.encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of an account's history.

    Attributes:
        records: 224 bytes each (ledger.proto).
        effects: 128 bytes each.
        conts: Likewise, if they were asked for.
        position: Where to go on: newest first before it, oldest first from it. None at the end.
    """

    records: bytes = b""
    effects: bytes = b""
    conts: bytes = b""
    position: int | None = None


@dataclass(frozen=True)
class _Block:
    """A block of the log with what is kept of how it was applied."""

    payload: bytes
    timestamp_ns: int
    first_sequence: int
    applied: AppliedRows | None

    @classmethod
    def of(cls, payload: bytes, row: bytes | None) -> Self:
        header = block_header(payload)
        applied = AppliedRows.decode(row) if row else None
        return cls(payload, header.timestamp_ns, header.first_sequence, applied)

    @cached_property
    def _effect_ends(self) -> list[int]:
        return [] if self.applied is None else list(accumulate(self.applied.effect_counts))

    def result(self, sequence: int) -> bytes:
        """16 bytes."""
        sparse = b"" if self.applied is None else self.applied.sparse_results
        starts, place = range(0, len(sparse), _SPARSE_BYTES), sequence - self.first_sequence
        at = bisect_left(starts, place, key=lambda start: _u32(sparse, start)) * _SPARSE_BYTES
        if at < len(sparse) and _u32(sparse, at) == place:
            return sparse[at + 4 : at + _SPARSE_BYTES]
        return bytes(RESULT_BYTES)

    def effects(self, envelope: int, index: int) -> Iterator[bytes]:
        """Those of the record at an index of an envelope, which stand in the records' order."""
        if self.applied is None:
            return
        all_of_block = self.applied.effects
        end = self._effect_ends[envelope]
        numbers = range(end - self.applied.effect_counts[envelope], end)
        first = bisect_left(
            numbers, index, key=lambda number: _u32(all_of_block, number * EFFECT_BYTES + 4)
        )
        for number in numbers[first:]:
            effect = all_of_block[number * EFFECT_BYTES : (number + 1) * EFFECT_BYTES]
            if _u32(effect, 4) != index:
                return
            yield effect


class HistoryReads:
    """Makes pages, on threads of its own: reading the log would hold the event loop up."""

    def __init__(self, *, kernel: Kernel, store: Store, history: History) -> None:
        self._kernel = kernel
        self._store = store
        self._history = history
        self._executor = ThreadPoolExecutor(HISTORY_READERS, "history-reads")

    def close(self) -> None:
        """Ends its threads."""
        self._executor.shutdown(cancel_futures=True)

    async def page(self, listing: Listing, low: int, high: int, limit: int) -> Page:
        """A page of what lies within sequence numbers `low` and `high` (exclusive).

        Args:
            listing: What is asked for.
            low: Smallest sequence number.
            high: The first one not wanted; at most that of the next record.
            limit: Most records on it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._page, listing, low, high, limit)

    def _page(self, listing: Listing, low: int, high: int, limit: int) -> Page:
        try:
            return self._make_page(listing, *self._within_time(listing, low, high), limit)
        except DamagedLogError as error:
            fatal("history", error)  # a node that lost what it acknowledged must not stay

    def _within_time(self, listing: Listing, low: int, high: int) -> tuple[int, int]:
        if listing.since_ns:
            low = max(low, self._store.sequence_of_time(listing.since_ns, high))
        if listing.until_ns:
            high = min(high, self._store.sequence_of_time(listing.until_ns, high))
        return low, high

    def _make_page(self, listing: Listing, low: int, high: int, limit: int) -> Page:
        if low >= high:
            return Page()
        most = MAX_PAGE_CANDIDATES if listing.is_filtered else limit
        tags = listing.tags()
        candidates, is_all = self._postings(listing, listing.account, tags, low, high, most)
        wanted = candidates
        if listing.counterparty:
            other = listing.counterparty
            others, is_all_of_others = self._postings(listing, other, _ANY_TAG, low, high, most)
            if is_all_of_others or (not is_all and _is_further(listing, others, candidates)):
                # Who is in fewer records leads: one page may then span the whole history.
                wanted = self._shared(listing, listing.account, tags, others, swap=True)
                candidates, is_all = others, is_all_of_others
            else:
                wanted = self._shared(listing, other, _ANY_TAG, candidates)
        records: list[bytes] = []
        effects: list[bytes] = []
        conts: list[bytes] = []
        looked_at = size = 0
        for row, own_effects, own_conts in self._rows(listing, wanted):
            looked_at += 1
            if row:
                records.append(row)
                effects += own_effects
                conts.append(own_conts)
                size += len(row) + EFFECT_BYTES * len(own_effects) + len(own_conts)
            if len(records) >= limit or size >= MAX_PAGE_BYTES:
                break
        if looked_at < len(wanted):
            last: int | None = wanted[looked_at - 1][0]
        else:
            last = None if is_all else candidates[-1][0]
        position = None if last is None else last + (not listing.newest_first)
        return Page(b"".join(records), b"".join(effects), b"".join(conts), position)

    def _postings(
        self, listing: Listing, account: bytes, tags: bytes, low: int, high: int, most: int
    ) -> tuple[list[tuple[int, int]], bool]:
        """(sequence number, tag) of up to `most` of an account, and whether these are all."""
        search = HistorySearch(
            account,
            low,
            high,
            newest_first=listing.newest_first,
            limit=most + 1,
            always=tags,
            if_listed=_NO_TAG,
            listed=b"",
        )
        self._history.search(search, account=account, newest_first=listing.newest_first)
        found = list(zip(_numbers(search.sequences), search.tags, strict=True))
        return found[:most], len(found) <= most

    def _shared(
        self,
        listing: Listing,
        account: bytes,
        tags: bytes,
        candidates: Sequence[tuple[int, int]],
        *,
        swap: bool = False,
    ) -> list[tuple[int, int]]:
        """Those that are in another account's history, too.

        Args:
            listing: What is asked for.
            account: The other account, 16 bytes.
            tags: Those that count there.
            candidates: (sequence number, tag) of one of the two accounts.
            swap: Whether the tags of `account` are those to return.
        """
        if not candidates:
            return []
        listed = sorted(sequence for sequence, _ in candidates)
        search = HistorySearch(
            account,
            listed[0],
            listed[-1] + 1,
            newest_first=listing.newest_first,
            limit=len(listed),
            always=_NO_TAG,
            if_listed=tags,
            listed=struct.pack(f"<{len(listed)}Q", *listed),
        )
        self._history.search(search, account=account, newest_first=listing.newest_first)
        others = dict(zip(_numbers(search.sequences), search.tags, strict=True))
        pairs = (
            (sequence, *((others[sequence], tag) if swap else (tag, others[sequence])))
            for sequence, tag in candidates
            if sequence in others
        )
        # Where either was touched by a sweep only, the effects have to tell.
        return [
            (sequence, own if other & _KIND_MASK else own & ~_KIND_MASK)
            for sequence, own, other in pairs
        ]

    def _rows(
        self, listing: Listing, wanted: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[bytes, list[bytes], bytes]]:
        """The row (empty if it is not wanted after all), effects and CONTs, block by block.

        Ends early when so much of the log was read.
        """
        size = 0
        for index, group in groupby(wanted, lambda each: self._index_of(each[0])):
            if size >= MAX_PAGE_BLOCK_BYTES:
                return
            postings = list(group)
            block = self._block(index)
            size += len(block.payload)
            sequences = struct.pack(f"<{len(postings)}Q", *(each for each, _ in postings))
            cuts = _CUT.iter_unpack(cut_records(block.payload, sequences))
            conts, at = cut_conts(block.payload, sequences) if listing.with_conts else b"", 0
            for (sequence, tag), cut in zip(postings, cuts, strict=True):
                row, effects = _row(listing, block, sequence, tag, cut)
                end = at + _RECORD_BYTES * int.from_bytes(cut[-1][_CONT_COUNT], "little")
                yield row, effects, b"" if _is_hidden(row) else conts[at:end]
                at = end

    def _index_of(self, sequence: int) -> int:
        index = self._store.index_of_sequence(sequence)
        if index is None:
            fatal("history", f"record {sequence} is in the index, but in no block")
        return index

    def _block(self, index: int) -> _Block:
        payload = self._store.payload(index)
        if payload is None:
            fatal("history", f"entry {index} was applied, but is not in the log")
        return _Block.of(payload, self._store.applied_rows(index))


def _is_further(
    listing: Listing, these: Sequence[tuple[int, int]], those: Sequence[tuple[int, int]]
) -> bool:
    """Whether as many postings of one account reach further than those of another."""
    if listing.newest_first:
        return these[-1][0] < those[-1][0]
    return these[-1][0] > those[-1][0]


def _row(
    listing: Listing,
    block: _Block,
    sequence: int,
    tag: int,
    cut: tuple[int, int, int, bytes, bytes, bytes],
) -> tuple[bytes, list[bytes]]:
    envelope, index, first, envelope_id, signer, record = cut
    if tag & _REFUSED and not listing.refused:
        tag &= ~_KIND_MASK  # an expiry before it is wanted, it is not
    effects = [
        effect
        for effect in block.effects(envelope, index)
        if listing.account in _accounts_of(effect)
    ]
    if not tag & _KIND_MASK:
        effects = [effect for effect in effects if effect[0] in _SWEEPS]
        if listing.counterparty:
            effects = [effect for effect in effects if listing.counterparty in _accounts_of(effect)]
        if listing.kinds or not effects:
            return b"", []
    result = block.result(sequence)
    kind, code = int.from_bytes(record[:2], "little"), int.from_bytes(result[:2], "little")
    if (listing.kinds and kind not in listing.kinds) or (listing.code and code != listing.code):
        return b"", []
    flags = HOLD_EXPIRED if tag & _SWEPT else 0
    if not tag & _KIND_MASK:
        flags |= ONLY_EXPIRED
        first, envelope_id, signer, result, record = 0, bytes(16), bytes(32), bytes(16), bytes(128)
    timestamp_ns = block.timestamp_ns + sequence - block.first_sequence
    head = (sequence, timestamp_ns, first, flags, 0, len(effects))
    return _ROW.pack(*head, envelope_id, signer, result, record), effects


def _is_hidden(row: bytes) -> bool:
    return not row or bool(_ROW.unpack(row)[3] & ONLY_EXPIRED)


def _accounts_of(effect: bytes) -> tuple[bytes, bytes]:
    _, _, _, debit, credit = _EFFECT.unpack_from(effect)
    return debit, credit


def _numbers(packed: bytes) -> list[int]:
    return list(memoryview(packed).cast("Q"))


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")
