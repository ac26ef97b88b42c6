"""Cards and names on a whole node: who reads what, pages, and an index that outlives restarts."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import grpc
import pytest
import pytest_asyncio
from rocksdict import Options, Rdict
from tests.node.access_tools import NOBODY, Refused, World, world_in
from tests.node.history_tools import client_of, new_market, node_at, pay
from tests.node.store_tools import append, new_store, reopen
from tests.node.store_tools import entry as entry_at

from tallystick import AsyncClient, SigningKey
from tallystick_cluster.layout import create_cluster
from tallystick_ledger.ids import CardId, NameId, UnitId
from tallystick_ledger.merkle import root_of_hashes
from tallystick_ledger.records import Card, NameKind, Price, Scope
from tallystick_ledger.state_rows import AccountRow, CardRow, TermsRow
from tallystick_node.identity import DATABASE_DIRECTORY
from tallystick_proto.v1 import ledger_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_CARD: Final = CardId(bytes(16))
ALL_SCOPES: Final = (Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ, Scope.CHANNEL)


class Shop:
    """Alice's names, a published card and a draft."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.names: dict[str, NameId] = {}
        self.card = self.draft = NO_CARD

    async def open(self) -> None:
        world, owner = self.world, self.world.alice.owner
        wanted = [(NameKind.MODEL, "m"), (NameKind.METER, "input"), (NameKind.METER, "output")]
        made = await world.client.ensure_names(wanted, signer=owner)
        self.names = {text: name for (_, text), name in made.items()}
        (row,) = await world.accounts(owner.key, world.alice.account)
        unit = AccountRow.decode(row).unit
        lines = [self.line(NO_CARD, "input", 3), self.line(NO_CARD, "output", 4)]
        self.card = (await world.client.publish_card(unit, lines, signer=owner)).id
        self.draft = await self.begin(world.client, unit)

    async def begin(self, client: AsyncClient, unit: UnitId) -> CardId:
        draft = client.draft(self.world.alice.owner)
        card = CardId(draft.next_id())
        line = self.line(card, "input", 5)
        root = root_of_hashes([line.leaf_hash])
        draft.add(Card(unit, draft.valid_until_ns, 1, root))
        draft.add(line)
        (await client.submit(draft.seal())).require_ok()
        return card

    def line(self, card: CardId, meter: str, price: int) -> Price:
        return Price(card, self.names["m"], self.names[meter], price)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with world_in(tmp_path_factory.mktemp("market") / "cluster") as world:
        made = Shop(world)
        await made.open()
        yield made


async def cards(world: World, key: SigningKey, *ids: bytes) -> list[bool]:
    request = pb.GetCardsRequest(ids=b"".join(ids)).SerializeToString()
    answer = pb.GetCardsResponse.FromString(await world.read("GetCards", request, key))
    size = CardRow.LAYOUT.size
    assert len(answer.rows) == size * len(ids)
    return [any(answer.rows[at : at + size]) for at in range(0, len(answer.rows), size)]


async def listed(world: World, key: SigningKey, **wanted: bytes | int) -> list[bytes]:
    request = pb.ListCardsRequest(**wanted)  # type: ignore[arg-type]
    found: list[bytes] = []
    while True:
        raw = await world.read("ListCards", request.SerializeToString(), key)
        answer = pb.ListCardsResponse.FromString(raw)
        size = CardRow.LAYOUT.size
        found += [answer.rows[at : at + 16] for at in range(0, len(answer.rows), size)]
        request.page_token = answer.page_token
        if not answer.page_token:
            return found


async def lines(world: World, key: SigningKey, **wanted: bytes | int) -> int:
    request = pb.ListPricesRequest(**wanted).SerializeToString()  # type: ignore[arg-type]
    answer = pb.ListPricesResponse.FromString(await world.read("ListPrices", request, key))
    return len(answer.rows) // 184


async def test_published_cards_are_for_every_key(shop: Shop) -> None:
    world = shop.world
    keys = [world.stranger.keys[scope] for scope in ALL_SCOPES]
    for key in [*keys, world.operator, world.auditor]:
        assert await cards(world, key, NOBODY, shop.card) == [False, True]
        assert await lines(world, key, card=shop.card) == 2
        assert shop.card in await listed(world, key)


async def test_drafts_are_their_owners_and_the_auditors(shop: Shop) -> None:
    world = shop.world
    for key, sees in (
        (world.alice.keys[Scope.READ], True),
        (world.auditor, True),
        (world.stranger.owner.key, False),
        (world.operator, False),
    ):
        assert await cards(world, key, shop.draft) == [sees]
        assert await lines(world, key, card=shop.draft) == sees
        assert (shop.draft in await listed(world, key)) == sees
    request = [pb.GetCardsRequest(ids=each).SerializeToString() for each in (shop.draft, NOBODY)]
    answers = [await world.read("GetCards", each, world.bob.owner.key) for each in request]
    assert answers[0] == answers[1]


async def test_lists_have_pages_and_filters(shop: Shop) -> None:
    world, key = shop.world, shop.world.alice.owner.key
    both = sorted([shop.card, shop.draft])
    assert await listed(world, key, page_size=1) == both
    assert await listed(world, key, owner=world.alice.principal) == both
    assert await listed(world, key, owner=world.bob.principal) == []
    assert await listed(world, key, model=shop.names["m"]) == both
    assert await listed(world, key, model=shop.names["input"]) == []
    assert await lines(world, key, card=shop.card, first_line=1) == 1
    assert await lines(world, key, card=shop.card, page_size=1) == 1
    assert await lines(world, key, card=shop.card, model=shop.names["output"]) == 0


async def test_names_are_for_every_key_and_only_for_keys(shop: Shop) -> None:
    world = shop.world
    ids = shop.names["m"] + NOBODY + shop.names["input"]
    request = pb.GetNamesRequest(ids=ids).SerializeToString()
    for key in (world.stranger.keys[Scope.CHANNEL], world.operator):
        answer = pb.GetNamesResponse.FromString(await world.read("GetNames", request, key))
        entry = shop.names["m"] + world.alice.principal + b"\x01\0\x01\0m"
        assert answer.names.startswith(entry)
        assert answer.names[len(entry) :].endswith(b"input")
    for method in ("GetNames", "ListNames", "GetCards", "ListCards", "ListPrices"):
        with pytest.raises(Refused) as caught:
            await world.call(method, request)
        assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(Refused) as caught:
            await world.read(method, b"", SigningKey(b"\x77" * 32))
        assert caught.value.code in (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.INVALID_ARGUMENT,
        )


async def test_names_are_listed_in_pages(shop: Shop) -> None:
    key, request = shop.world.bob.owner.key, pb.ListNamesRequest(kind=NameKind.METER, page_size=1)
    texts = []
    while True:
        raw = await shop.world.read("ListNames", request.SerializeToString(), key)
        answer = pb.ListNamesResponse.FromString(raw)
        texts.append(answer.names[36:])
        if not answer.page_token:
            break
        request.page_token = answer.page_token
    assert texts == [b"input", b"output"]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetCards", pb.GetCardsRequest()),
        ("GetCards", pb.GetCardsRequest(ids=b"\1" * 17)),
        ("GetCards", pb.GetCardsRequest(ids=b"\1" * 16 * 8_193)),
        ("ListCards", pb.ListCardsRequest(owner=b"\1")),
        ("ListCards", pb.ListCardsRequest(page_token=b"\1")),
        ("ListCards", pb.ListCardsRequest(page_size=1_001)),
        ("ListPrices", pb.ListPricesRequest()),
        ("ListPrices", pb.ListPricesRequest(card=b"\1" * 16, page_size=4_097)),
        ("GetNames", pb.GetNamesRequest(ids=b"\1" * 16 * 1_025)),
        ("ListNames", pb.ListNamesRequest(kind=70_000)),
        ("ListNames", pb.ListNamesRequest(kind=1, prefix="x" * 257)),
        ("ListNames", pb.ListNamesRequest(kind=1, page_size=1_001)),
        ("ListNames", pb.ListNamesRequest(kind=1, prefix="a", page_token=b"b\0" + b"\1" * 16)),
        ("ListNames", pb.ListNamesRequest(kind=1, page_token=b"\1")),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    shop: Shop, method: str, request_: pb.ListNamesRequest
) -> None:
    with pytest.raises(Refused) as caught:
        await shop.world.read(method, request_.SerializeToString(), shop.world.bob.owner.key)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_terms_of_foreign_holds_stay_unknown(shop: Shop) -> None:
    world = shop.world
    request = pb.GetHoldsRequest(ids=world.hold, with_terms=True).SerializeToString()
    for key in (world.alice.owner.key, world.stranger.owner.key):
        answer = pb.GetHoldsResponse.FromString(await world.read("GetHolds", request, key))
        assert answer.terms == bytes(TermsRow.LAYOUT.size)  # it is a flat one


# --- the index of names --------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["none", "family", "rows"])
async def test_names_outlive_a_restart_and_are_built_anew_where_they_are_missing(
    tmp_path: Path, damage: str
) -> None:
    layout = create_cluster(tmp_path / "cluster", node_count=1, now_ns=time.time_ns())
    home = layout.node_directory(1)
    wanted = [(NameKind.LABEL, f"{number} {'x' * number}") for number in range(1, 200, 7)]
    async with node_at(home), client_of(layout) as client:
        market = await new_market(client)
        before = await client.ensure_names(wanted, signer=market.alice)
        await pay(client, market, 5)
    rocks = home / DATABASE_DIRECTORY / "rocks"
    families = {name: Options(raw_mode=True) for name in Rdict.list_cf(str(rocks))}
    raw = Rdict(str(rocks), Options(raw_mode=True), families)
    if damage == "family":
        raw.drop_column_family("names")
    elif damage == "rows":
        names = raw.get_column_family("names")
        names.delete(next(iter(names.keys())))
        names.close()
    raw.close()
    async with node_at(home) as node, client_of(layout) as client:
        assert await client.ensure_names(wanted, signer=market.alice) == before
        assert node.store.name_count() == len(wanted) == node.kernel.status().names
        await pay(client, market, 1)


async def test_a_store_gives_names_back_by_id_and_text(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    append(store, [entry_at(1), entry_at(2)])

    def entry(number: int, kind: int, text: str) -> bytes:
        raw = text.encode()
        numbers = kind.to_bytes(2, "little") + len(raw).to_bytes(2, "little")
        return bytes([number]) * 16 + b"\xaa" * 16 + numbers + raw

    entries = {
        1: entry(1, 1, "b"),
        2: entry(2, 1, "a"),
        3: entry(3, 1, "ab"),
        4: entry(4, 2, "a"),
        5: entry(5, 1, "a"),
        6: entry(6, 257, "ü"),
    }
    for index in (1, 2):  # again, as a replay does
        store.write_applied(
            index,
            first_sequence=index,
            timestamp_ns=1,
            rows=b"",
            ids=b"",
            names=b"".join(entries.values()),
        )
    store = reopen(store, tmp_path)
    assert store.name_count() == 6
    assert store.names_by_id(b"\x03" * 16 + NOBODY + b"\x01" * 16) == entries[3] + entries[1]

    def page(kind: int, prefix: str, limit: int) -> list[bytes]:
        pages, after = [], b""
        while True:
            names, after = store.names_by_text(kind, prefix.encode(), after, limit)
            pages.append(names)
            if not after:
                return pages

    in_order = [entries[number] for number in (2, 5, 3, 1)]
    assert page(1, "", 10) == [b"".join(in_order)]
    assert page(1, "", 1) == in_order
    assert page(1, "", 2) == [in_order[0] + in_order[1], in_order[2] + in_order[3]]
    assert page(1, "a", 10) == [b"".join(in_order[:3])]
    assert page(257, "ü", 1) == [entries[6]]
    assert page(3, "", 1) == [b""]
    store.close()
