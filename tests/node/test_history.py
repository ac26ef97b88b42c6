"""ListRecords, Watch and `tallystick history` on whole nodes with TLS, restarts included."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import grpc
import pytest
import pytest_asyncio
from grpc import aio
from tests.node.history_tools import (
    Market,
    client_of,
    new_market,
    node_at,
    pay,
    pay_oneself,
    until_ended,
)

from tallystick import AsyncClient, HistoryFilter, HistoryRecord, Outcome, SigningKey, errors
from tallystick.keyfile import new_key_file, write_key_file
from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, CardId, NameId, TimestampNs
from tallystick_ledger.read_token import METADATA_KEY, sign
from tallystick_ledger.records import (
    CardTerms,
    Kind,
    Meter,
    Record,
    Reserve,
    Scope,
    ServedUsage,
    Transfer,
)
from tallystick_ledger.results import Cause
from tallystick_node import history_reads
from tallystick_node.access import Reader
from tallystick_node.app import Node
from tallystick_node.services import history as service
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH: Final = f"/{wire.SERVICE}/"
INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
NOBODY: Final = AccountId(b"\xab" * 16)


@dataclass
class World:
    """A node that was restarted twice while its ledger grew, and its clients."""

    node: Node
    layout: ClusterLayout
    client: AsyncClient
    market: Market
    expiry: int  # sequence number of the record before which alice's hold for bob expired
    refused: list[int]
    captured: int

    @property
    def alice(self) -> AccountId:
        return self.market.accounts["alice"]

    @property
    def bob(self) -> AccountId:
        return self.market.accounts["bob"]

    async def listed(self, **question: object) -> list[HistoryRecord]:
        """All of alice's records that are asked for, over as many pages as it takes."""
        options = {"signer": self.market.alice} | question
        return [
            record
            async for record in self.client.history(self.alice, **options)  # type: ignore[arg-type]
        ]

    async def call(
        self, method: str, request: bytes, key: SigningKey | None, channel: aio.Channel
    ) -> bytes:
        """A call by hand; with a token of `key`."""
        expiry = TimestampNs(time.time_ns() + 30_000_000_000)
        metadata = ()
        if key is not None:
            token = sign(key, self.client.ledger_id, PATH + method, request, expiry)
            metadata = ((METADATA_KEY, token.encode()),)  # type: ignore[assignment]
        ask: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PATH + method)
        return await ask(request, timeout=20, metadata=metadata)

    async def asked(self, request: pb.ListRecordsRequest, key: SigningKey) -> bytes:
        """The bytes of an answer."""
        credentials = grpc.ssl_channel_credentials(self.layout.ca_pem)
        async with aio.secure_channel(self.layout.endpoints[0], credentials) as channel:
            return await self.call("ListRecords", request.SerializeToString(), key, channel)

    async def refusal(
        self, request: pb.ListRecordsRequest, key: SigningKey
    ) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(aio.AioRpcError) as caught:
            await self.asked(request, key)
        return caught.value.code(), caught.value.details() or ""


def sequences(records: Sequence[HistoryRecord]) -> list[int]:
    return [record.sequence for record in records]


async def _grow(client: AsyncClient, market: Market, world: dict[str, object]) -> None:
    """Refusals, a hold that is captured and released, one that expires."""
    alice, bob = market.accounts["alice"], market.accounts["bob"]
    refused = world.setdefault("refused", [])
    assert isinstance(refused, list)
    for amount in (10**6, 10**7):
        with pytest.raises(errors.RecordRefused) as caught:
            await client.transfer(alice, bob, amount, signer=market.alice)
        market.note(caught.value.receipt.sequence, "alice")
        refused.append(caught.value.receipt.sequence)
    hold = await client.reserve(alice, bob, 10, signer=market.alice, payee=market.bob)
    captured = await hold.capture(4, final=True)
    market.note(hold.receipt.sequence, "alice", "bob")
    market.note(captured.sequence, "alice", "bob")
    world["captured"] = captured.sequence
    short = await client.reserve(alice, bob, 5, signer=market.alice, expires_in_s=1.5)
    market.note(short.receipt.sequence, "alice", "bob")
    await until_ended(client, short.id, market.alice)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    layout = create_cluster(
        tmp_path_factory.mktemp("history") / "cluster", node_count=1, now_ns=time.time_ns()
    )
    home = layout.node_directory(1)
    grown: dict[str, object] = {}
    async with node_at(home), client_of(layout) as client:
        market = await new_market(client)
        await pay(client, market, 50)
    async with node_at(home), client_of(layout) as client:
        await _grow(client, market, grown)
        await pay_oneself(client, market)
        await pay(client, market, 20)
    async with node_at(home) as node, client_of(layout) as client:
        await pay(client, market, 10)
        expiries = [
            record
            async for record in client.history(market.accounts["alice"], signer=market.alice)
            if record.hold_expired
        ]
        (expiry,) = expiries
        for name in ("alice", "bob"):
            market.histories[name] = sorted({*market.histories[name], expiry.sequence})
        yield World(
            node,
            layout,
            client,
            market,
            expiry.sequence,
            grown["refused"],  # type: ignore[arg-type]
            grown["captured"],  # type: ignore[arg-type]
        )


# --- pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 7, 16, 1_000])
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_of_any_size_are_the_history(
    world: World, page_size: int, oldest_first: bool
) -> None:
    expected = world.market.histories["alice"]
    found = await world.listed(page_size=page_size, oldest_first=oldest_first)
    assert sequences(found) == (expected if oldest_first else expected[::-1])


async def test_a_page_says_where_the_next_one_begins(world: World) -> None:
    expected = world.market.histories["alice"][::-1]
    first = await world.client.list_records(world.alice, page_size=5, signer=world.market.alice)
    assert sequences(first.records) == expected[:5]
    assert first.next_sequence == world.node.reads.next_sequence
    # What is ordered in between does not move the pages.
    await pay(world.client, world.market, 3)
    second = await world.client.list_records(
        world.alice, page_size=5, page_token=first.page_token, signer=world.market.alice
    )
    assert sequences(second.records) == expected[5:10]
    exact = await world.client.list_records(
        world.alice, page_size=len(expected) + 3, signer=world.market.alice
    )
    assert len(exact.records) == len(expected) + 3
    assert exact.page_token == b""


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize(
    ("bound", "value"),
    [("MAX_PAGE_BLOCK_BYTES", 1), ("MAX_PAGE_BYTES", 1), ("MAX_PAGE_CANDIDATES", 3)],
)
async def test_bounded_pages_leave_nothing_out(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, oldest_first: bool
) -> None:
    filtered = HistoryFilter(kinds=(Kind.TRANSFER,), outcome=Outcome.REFUSED)
    for wanted in (None, filtered, HistoryFilter(counterparty=world.bob)):
        monkeypatch.setattr(history_reads, bound, value)
        short = await world.listed(wanted=wanted, oldest_first=oldest_first)
        monkeypatch.undo()
        assert short == await world.listed(wanted=wanted, oldest_first=oldest_first)
        assert short
    monkeypatch.setattr(history_reads, bound, value)
    page = await world.client.list_records(
        world.alice,
        wanted=HistoryFilter((Kind.TRANSFER,)),
        oldest_first=oldest_first,
        signer=world.market.alice,
    )
    assert len(page.records) <= value
    assert page.page_token


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("candidates", [1, 3, 4_096])
async def test_whichever_account_has_fewer_records_leads(
    world: World, monkeypatch: pytest.MonkeyPatch, candidates: int, oldest_first: bool
) -> None:
    """The records that two accounts share are the same, found from either side."""
    monkeypatch.setattr(history_reads, "MAX_PAGE_CANDIDATES", candidates)
    expected = sorted(set(world.market.histories["alice"]) & set(world.market.histories["bob"]))
    sides = (
        (world.alice, world.bob, world.market.alice),
        (world.bob, world.alice, world.market.bob),
    )
    for account, counterparty, signer in sides:
        for wanted in (
            HistoryFilter(counterparty=counterparty),
            HistoryFilter(kinds=(Kind.TRANSFER, Kind.CAPTURE), counterparty=counterparty),
        ):
            found = [
                record
                async for record in world.client.history(
                    account, wanted=wanted, oldest_first=oldest_first, page_size=7, signer=signer
                )
            ]
            everything = world.client.history(account, oldest_first=oldest_first, signer=signer)
            assert found == [
                record
                async for record in everything
                if record.sequence in expected and (not wanted.kinds or record.kind in wanted.kinds)
            ]
            assert found


# --- what a record shows --------------------------------------------------------------------------


async def test_records_are_those_of_their_envelopes(world: World) -> None:
    """Against what GetEnvelope says of each, from both sides of a payment."""
    for record in await world.listed():
        if record.envelope_sequence is None or record.signer != world.market.alice.public_key:
            continue
        info = await world.client.get_envelope(record.sequence, signer=world.market.alice)
        assert info.receipt is not None
        result = info.receipt[record.sequence - record.envelope_sequence]
        assert (info.receipt.sequence, info.receipt.envelope_id) == (
            record.envelope_sequence,
            record.envelope_id,
        )
        assert (result.code, result.timestamp_ns) == (record.code, record.timestamp_ns)
        assert record.data in info.envelope
        own = [effect for effect in info.effects if effect.cause is not Cause.EXPIRY]
        assert tuple(own) == record.effects
    payee = [record async for record in world.client.history(world.bob, signer=world.market.bob)]
    assert sequences(payee)[::-1] == world.market.histories["bob"]
    shared = {record.sequence: record for record in payee}
    for record in await world.listed(wanted=HistoryFilter(counterparty=world.bob)):
        assert shared[record.sequence] == record


async def test_of_a_strangers_record_only_the_expiry_is_shown(world: World) -> None:
    (record,) = [each for each in await world.listed() if each.hold_expired]
    assert record.sequence == world.expiry
    (effect,) = record.effects
    assert (effect.cause, effect.debit_account, effect.amount) == (Cause.EXPIRY, world.alice, 5)
    assert (record.envelope_id, record.signer, record.data, record.kind) == (None, None, b"", None)


# --- filters --------------------------------------------------------------------------------------


async def test_filters_choose_by_what_a_record_is(world: World) -> None:
    everything = await world.listed()

    async def check(wanted: HistoryFilter, *expected: HistoryRecord) -> None:
        assert await world.listed(wanted=wanted) == list(expected)
        oldest = await world.listed(wanted=wanted, oldest_first=True)
        assert oldest[::-1] == list(expected)

    for kind in (Kind.TRANSFER, Kind.CAPTURE, Kind.RESERVE, Kind.ACCOUNT, Kind.VOUCHER):
        await check(HistoryFilter((kind,)), *(each for each in everything if each.kind == kind))
    refused = [record for record in everything if not record.ok]
    assert sequences(refused)[::-1] == world.refused
    await check(HistoryFilter(outcome=Outcome.REFUSED), *refused)
    await check(HistoryFilter(outcome=Outcome.EXECUTED), *(each for each in everything if each.ok))
    await check(HistoryFilter(code=Code.INSUFFICIENT_FUNDS), *refused)
    await check(HistoryFilter(code=Code.FUNDS_HELD))
    await check(HistoryFilter((Kind.RESERVE, Kind.CAPTURE), outcome=Outcome.REFUSED))
    both = HistoryFilter((Kind.TRANSFER, Kind.CAPTURE), counterparty=world.bob)
    await check(
        both,
        *(each for each in everything if each.ok and each.kind in (Kind.TRANSFER, Kind.CAPTURE)),
    )
    await check(HistoryFilter(counterparty=world.market.accounts["stranger"]))
    shared = await world.listed(wanted=HistoryFilter(counterparty=world.bob))
    assert world.expiry in sequences(shared)


async def test_times_cut_between_any_two_records(world: World) -> None:
    everything = await world.listed(oldest_first=True)
    chance = random.Random(3)
    times = [record.timestamp_ns for record in everything]
    for _ in range(40):
        since_ns, until_ns = sorted(
            chance.choice(times) + chance.choice((-1, 0, 1)) for _ in range(2)
        )
        found = await world.listed(
            wanted=HistoryFilter(since_ns=since_ns, until_ns=until_ns), oldest_first=True
        )
        assert found == [each for each in everything if since_ns <= each.timestamp_ns < until_ns]
    assert await world.listed(wanted=HistoryFilter(since_ns=2**64 - 1)) == []
    assert await world.listed(wanted=HistoryFilter(until_ns=1)) == []


# --- who, and what is refused ---------------------------------------------------------------------


async def test_a_foreign_history_answers_as_that_of_nobody(world: World) -> None:
    question = pb.ListRecordsRequest(account=world.alice)
    nobody = pb.ListRecordsRequest(account=NOBODY)
    for signer in (world.market.bob, world.market.stranger):
        foreign = await world.asked(question, signer.key)
        assert foreign == await world.asked(nobody, signer.key)
        assert not pb.ListRecordsResponse.FromString(foreign).records
    with pytest.raises(errors.AccessDenied, match="reads no accounts"):
        await world.client.list_records(world.alice)  # signed by the operator
    with pytest.raises(errors.AccessDenied, match="not registered"):
        await world.client.list_records(world.alice, signer=SigningKey(b"\xee" * 32))
    credentials = grpc.ssl_channel_credentials(world.layout.ca_pem)
    async with aio.secure_channel(world.layout.endpoints[0], credentials) as channel:
        with pytest.raises(aio.AioRpcError, match="no read token"):
            await world.call("ListRecords", question.SerializeToString(), None, channel)


async def test_auditors_read_every_history(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor = world.market.stranger
    reader = Reader(auditor.principal, Scope.AUDIT)
    monkeypatch.setattr(world.node.gate, "reader", lambda _: reader)
    for name, account in world.market.accounts.items():
        found = [record async for record in world.client.history(account, signer=auditor)]
        assert sequences(found)[::-1] == world.market.histories[name]


async def test_page_tokens_of_other_lists_are_refused(world: World) -> None:
    signer = world.market.alice
    wanted = HistoryFilter((Kind.TRANSFER,))
    page = await world.client.list_records(world.alice, page_size=5, signer=signer, wanted=wanted)
    good = pb.ListRecordsRequest(
        account=world.alice, filter=wanted.message(), page_token=page.page_token, page_size=5
    )
    assert pb.ListRecordsResponse.FromString(await world.asked(good, signer.key)).records
    token = page.page_token
    tokens = [token[:-1], token + b"\0", b"\x02" + token[1:], token[:-1] + b"\0", b"x"]
    tokens.append(bytes(len(token)))
    for bad in tokens:
        request = pb.ListRecordsRequest()
        request.CopyFrom(good)
        request.page_token = bad
        code, details = await world.refusal(request, signer.key)
        assert code is INVALID
        assert "page token" in details
    others = [
        pb.ListRecordsRequest(account=world.alice, page_token=token),
        pb.ListRecordsRequest(account=world.bob, filter=wanted.message(), page_token=token),
        pb.ListRecordsRequest(
            account=world.alice, filter=wanted.message(), page_token=token, oldest_first=True
        ),
    ]
    for request in others:
        assert (await world.refusal(request, signer.key))[0] is INVALID


@pytest.mark.parametrize("position", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_a_made_up_position_is_one_like_any_other(
    world: World, position: int, oldest_first: bool
) -> None:
    """A token is no secret: with any position it gives a piece of the caller's own history."""
    listing = history_reads.Listing(world.alice, not oldest_first)
    request = pb.ListRecordsRequest(
        account=world.alice,
        oldest_first=oldest_first,
        page_size=1_000,
        page_token=listing.token(position),
    )
    answer = pb.ListRecordsResponse.FromString(await world.asked(request, world.market.alice.key))
    expected = [
        sequence
        for sequence in world.market.histories["alice"]
        if (sequence >= position if oldest_first else sequence < position)
    ]
    assert len(answer.records) == 224 * len(expected)


@pytest.mark.parametrize(
    "bad",
    [
        pb.ListRecordsRequest(account=b"short"),
        pb.ListRecordsRequest(account=NOBODY, page_size=1_001),
        pb.ListRecordsRequest(account=NOBODY, filter=pb.HistoryFilter(counterparty=b"x")),
        pb.ListRecordsRequest(account=NOBODY, filter=pb.HistoryFilter(kinds=[65_536])),
        pb.ListRecordsRequest(account=NOBODY, filter=pb.HistoryFilter(kinds=range(65))),
        pb.ListRecordsRequest(account=NOBODY, filter=pb.HistoryFilter(code=65_536)),
        pb.ListRecordsRequest(
            account=NOBODY,
            filter=pb.HistoryFilter(outcome=9),  # type: ignore[arg-type]
        ),
        pb.ListRecordsRequest(
            account=NOBODY,
            filter=pb.HistoryFilter(outcome=pb.HistoryFilter.EXECUTED, code=1),
        ),
    ],
)
async def test_questions_that_are_none_are_refused(
    world: World, bad: pb.ListRecordsRequest
) -> None:
    assert (await world.refusal(bad, world.market.alice.key))[0] is INVALID


# --- CONTs ----------------------------------------------------------------------------------------


async def test_conts_are_shown_to_whoever_asks_for_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of records that are the account's: what is refused is its signer's alone."""
    before = await world.listed()
    alice, bob, signer = world.alice, world.bob, world.market.alice
    card, model, meters = CardId(b"\x01" * 16), NameId(b"\x02" * 16), range(3, 12)
    usage = ServedUsage(lines=tuple((NameId(bytes([each]) * 16), each) for each in meters))
    made: list[Record] = [
        Meter(alice, bob, 5, card, model, usage),
        Reserve(alice, bob, 5, TimestampNs(2**63), terms=CardTerms(card, model)),
    ]
    draft = world.client.draft(signer)
    draft.add(made[0])
    draft.add(Transfer(alice, bob, 10**9))
    draft.add(made[1])
    receipt = await world.client.submit(draft.seal())
    refused = [each.sequence for _, each in receipt.refusals]
    for sequence in refused:
        world.market.note(sequence, "alice")
    world.refused.extend(refused)

    with_conts = await world.listed(with_conts=True)
    without = await world.listed()
    assert [replace(each, conts=b"") for each in with_conts] == without
    assert without[3:] == before
    reserve, transfer, meter = with_conts[:3]
    assert [meter.record, reserve.record] == made
    assert (len(meter.conts), len(transfer.conts), len(reserve.conts)) == (4 * 128, 0, 3 * 128)
    assert not any(each.conts for each in with_conts[3:])
    assert len([each for each in with_conts if not each.data]) == 1  # the expiry at a stranger's
    of_bob = world.client.history(bob, with_conts=True, signer=world.market.bob)
    assert not any(each.conts for each in [each async for each in of_bob])

    # They count for the size of a page.
    monkeypatch.setattr(history_reads, "MAX_PAGE_BYTES", 225)
    pages = [
        await world.client.list_records(alice, with_conts=flag, signer=signer)
        for flag in (True, False)
    ]
    assert [len(page.records) for page in pages] == [1, 2]
    assert await world.listed(with_conts=True) == with_conts
    # The next page of either may be asked for with them or without.
    follow = await world.client.list_records(
        alice, page_token=pages[1].page_token, with_conts=True, signer=signer
    )
    assert follow.records == (meter,)

    watch = world.client.watch(alice, from_sequence=refused[0], with_conts=True, signer=signer)
    async with asyncio.timeout(30):
        assert [await anext(watch) for _ in range(3)] == [meter, transfer, reserve]
    await watch.aclose()


# --- watching -------------------------------------------------------------------------------------


async def test_a_watch_begins_where_it_is_told_and_goes_on(world: World) -> None:
    expected = world.market.histories["alice"]
    watch = world.client.watch(world.alice, from_sequence=expected[-30], signer=world.market.alice)
    async with asyncio.timeout(30):
        found = [await anext(watch) for _ in range(30)]
        assert sequences(found) == expected[-30:]
        await pay_oneself(world.client, world.market)
        await pay(world.client, world.market, 3)
        found = [await anext(watch) for _ in range(3)]
    assert sequences(found) == world.market.histories["alice"][-3:]
    await watch.aclose()


async def test_a_foreign_watch_stays_empty(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WATCH_PROGRESS_S", 0.0)
    request = pb.WatchRequest(account=world.alice, from_sequence=1).SerializeToString()
    expiry = TimestampNs(time.time_ns() + 30_000_000_000)
    key = world.market.stranger.key
    token = sign(key, world.client.ledger_id, PATH + "Watch", request, expiry).encode()
    credentials = grpc.ssl_channel_credentials(world.layout.ca_pem)
    async with aio.secure_channel(world.layout.endpoints[0], credentials) as channel:
        ask: aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(PATH + "Watch")
        call = ask(request, timeout=30, metadata=((METADATA_KEY, token),))
        for _ in range(3):
            answer = pb.WatchResponse.FromString(await call.read())  # type: ignore[arg-type]
            assert (answer.records, answer.effects) == (b"", b"")
            assert answer.next_sequence >= world.expiry
        call.cancel()


async def test_a_watch_ends_with_its_key(world: World) -> None:
    key, signer = SigningKey(b"\xcc" * 32), world.market.alice
    await world.client.add_key(key, Scope.METER, signer=signer)
    watch = world.client.watch(world.alice, from_sequence=1, signer=key)
    assert (await anext(watch)).sequence == world.market.histories["alice"][0]
    await world.client.revoke_key(key.public_key, signer=signer)
    async with asyncio.timeout(30):
        with pytest.raises(errors.AccessDenied, match="is revoked"):
            async for _ in watch:
                pass


async def test_a_node_has_so_many_watches_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_WATCHES", 0)
    monkeypatch.setattr(world.client, "_read_deadline_s", 0.2)
    watch = world.client.watch(world.alice, signer=world.market.alice)
    with pytest.raises(errors.ConnectionFailed, match="watches are open"):
        await anext(watch)


# --- the command ----------------------------------------------------------------------------------


async def test_the_command_prints_a_history(world: World) -> None:
    signer_file = world.layout.directory / "alice.key"
    write_key_file(signer_file, new_key_file(b"\x01" * 32, "alice", world.market.alice.principal))
    command = Path(sys.executable).with_name("tallystick")

    async def ran(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(str(command), "history", world.alice.hex()),
            *("--profile", str(world.layout.directory), "--key", str(signer_file), *arguments),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()

    expected = world.market.histories["alice"]
    printed = json.loads(await ran("--json", "-n", "12"))["records"]
    assert [record["sequence"] for record in printed] == expected[::-1][:12]
    refused = json.loads(
        await ran("--json", "--kind", "transfer", "--outcome", "refused", "--oldest")
    )["records"]
    assert [record["sequence"] for record in refused] == world.refused[:2] + world.refused[3:4]
    (metered,) = json.loads(await ran("--json", "--kind", "meter"))["records"]
    assert metered["fields"]["usage"]["lines"][0] == ["03" * 16, 3]
    assert metered["fields"]["model"] == "02" * 16
    assert {record["code"] for record in refused} == {"INSUFFICIENT_FUNDS"}
    assert refused[0]["fields"]["amount"] == 10**6
    captured = await ran("--kind", "capture")
    assert str(world.captured) in captured
    assert captured.rstrip().endswith("1 record.")
