"""Client methods that read an account's history: page by page, as an iterator, and as it grows."""

from collections.abc import AsyncGenerator

from tallystick import limits
from tallystick.core import ClientCore
from tallystick.errors import InvalidArgument
from tallystick.history import HistoryFilter, HistoryRecord, RecordPage, decode_page
from tallystick.keyfile import Signer
from tallystick_ledger.ids import AccountId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import ID_BYTES
from tallystick_proto.v1 import ledger_pb2


class HistoryMethods(ClientCore):
    """What reads a history. For keys of the account's owner, and AUDIT keys.

    To all others the history is empty, as that of an account that does not exist. `signer` is
    whose key signs the question, None for the client's read key or signer; `wanted` is which part
    is asked for, None for all.
    """

    async def list_records(
        self,
        account: AccountId,
        *,
        wanted: HistoryFilter | None = None,
        oldest_first: bool = False,
        page_size: int = limits.DEFAULT_PAGE_RECORDS,
        page_token: bytes = b"",
        with_conts: bool = False,
        stale: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> RecordPage:
        """Reads one page of an account's history.

        Args:
            account: Whose, 16 bytes.
            wanted: Which part.
            oldest_first: The order; else the newest comes first.
            page_size: Most records on it, 1 to 1,000. A page may have fewer, even none, although
                more follow.
            page_token: Of the page before, asked for with the same account, filter and order.
            with_conts: Also what stands in CONTs, such as the usage of a METER. Pages may differ.
            stale: Take one node's word, which may lag behind.
            signer: Whose key signs the question.
            deadline_s: When to give up, seconds from now.

        Raises:
            AccessDenied: The key is not registered, not active, or reads no accounts at all.
            ProtocolError: A node refused the question; so it does with a token of another list.
            ConnectionFailed: Nobody could say.
            InvalidArgument: No history can be asked for like that.
        """
        if not 1 <= page_size <= limits.MAX_PAGE_RECORDS:
            raise InvalidArgument(f"A page has 1 to {limits.MAX_PAGE_RECORDS} records.")
        request = ledger_pb2.ListRecordsRequest(
            account=_checked(account),
            filter=(wanted or HistoryFilter()).message(),
            oldest_first=oldest_first,
            page_size=page_size,
            page_token=page_token,
            options=ledger_pb2.ReadOptions(stale=stale),
            with_conts=with_conts,
        )
        key = self._key_to_read(signer)
        within_s = self._read_deadline_s if deadline_s is None else deadline_s
        answer = await self._reader.records(request, key, within_s)
        return decode_page(answer, with_conts=with_conts)

    async def _pages(
        self,
        account: AccountId,
        wanted: HistoryFilter | None,
        oldest_first: bool,
        page_size: int,
        signer: Signer | SigningKey | None,
        *,
        with_conts: bool,
    ) -> AsyncGenerator[RecordPage, None]:
        token = b""
        while True:
            page = await self.list_records(
                account,
                wanted=wanted,
                oldest_first=oldest_first,
                page_size=page_size,
                page_token=token,
                with_conts=with_conts,
                signer=signer,
            )
            yield page
            token = page.page_token
            if not token:
                return

    async def _history(
        self,
        account: AccountId,
        wanted: HistoryFilter | None,
        oldest_first: bool,
        page_size: int,
        signer: Signer | SigningKey | None,
        *,
        with_conts: bool,
    ) -> AsyncGenerator[HistoryRecord, None]:
        pages = self._pages(account, wanted, oldest_first, page_size, signer, with_conts=with_conts)
        async for page in pages:
            for record in page.records:
                yield record

    def history(
        self,
        account: AccountId,
        *,
        wanted: HistoryFilter | None = None,
        oldest_first: bool = False,
        page_size: int = limits.DEFAULT_PAGE_RECORDS,
        with_conts: bool = False,
        signer: Signer | SigningKey | None = None,
    ) -> AsyncGenerator[HistoryRecord, None]:
        """Iterates over an account's history, asking for a page when it needs one.

        Arguments and errors are those of `list_records`; what is ordered meanwhile may be left out.
        """
        return self._history(
            account, wanted, oldest_first, page_size, signer, with_conts=with_conts
        )

    def watch(
        self,
        account: AccountId,
        *,
        wanted: HistoryFilter | None = None,
        from_sequence: int = 0,
        with_conts: bool = False,
        signer: Signer | SigningKey | None = None,
    ) -> AsyncGenerator[HistoryRecord, None]:
        """Iterates over an account's history as it grows, oldest first, without end.

        When a node falls silent, another one is asked to go on; no record comes twice or is left
        out. A program that has handled a record goes on later with `from_sequence=sequence + 1`.

        Args:
            account: Whose, 16 bytes.
            wanted: Which part.
            from_sequence: Where to begin; 0 for what comes from now on.
            with_conts: Also what stands in CONTs.
            signer: Whose key signs the question.

        Raises:
            AccessDenied: The key may not read, or not any more.
            ConnectionFailed: No node has answered for the client's `read_deadline_s`.
        """
        request = ledger_pb2.WatchRequest(
            account=_checked(account),
            filter=(wanted or HistoryFilter()).message(),
            from_sequence=from_sequence,
            with_conts=with_conts,
        )
        return self._reader.watch(request, self._key_to_read(signer), self._read_deadline_s)


def _checked(account: AccountId) -> AccountId:
    if len(account) != ID_BYTES:
        raise InvalidArgument(f"{account!r} is no id of 16 bytes.")
    return account
