"""The blocking client is the other one, waited for."""

import ast
import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.client.conftest import Market, populate
from tests.client.fake_node import FakeCluster

from tallystick import AsyncClient, Client, blocking, errors
from tallystick.client import BlockingHold
from tallystick.holds import Hold
from tallystick_ledger.records import Transfer
from tallystick_ledger.state_rows import HoldStatus


@pytest.fixture
def shop() -> Iterator[tuple[Market, Client]]:
    cluster = FakeCluster()
    blocking.run(cluster.__aenter__())
    market = blocking.run(populate(cluster))
    with Client(
        cluster.endpoints,
        cluster.genesis,
        tls=None,
        signer=market.payer,
        surroundings=market.surroundings,
    ) as client:
        yield market, client
    blocking.run(market.client.close())
    blocking.run(cluster.__aexit__())


def test_the_generated_file_is_current(repository_root: Path) -> None:
    script = repository_root / "client" / "generate_sync.py"
    program = (
        f"import runpy; made = runpy.run_path({str(script)!r}); "
        "import sys; sys.stdout.write(made['formatted'](made['generate']()))"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    target = repository_root / "client" / "tallystick" / "sync_client.py"
    assert made.stdout == target.read_text()


def test_every_public_method_has_its_blocking_twin() -> None:
    ours = {name for name in dir(AsyncClient) if not name.startswith("_")}
    assert ours == {name for name in dir(Client) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("blocking_type", "async_type"), [(Client, AsyncClient), (BlockingHold, Hold)]
)
def test_twins_take_the_same_arguments(blocking_type: type, async_type: type) -> None:
    """Those written by hand, too."""
    compared = 0
    for name, method in inspect.getmembers(async_type, inspect.isfunction):
        twin = getattr(blocking_type, name, None)
        if not name.startswith("_") and inspect.isfunction(twin):
            wanted = list(inspect.signature(method).parameters)
            assert list(inspect.signature(twin).parameters) == wanted, name
            compared += 1
    assert compared > 2


def test_the_same_things_work(shop: tuple[Market, Client]) -> None:
    market, client = shop
    receipt = client.transfer(market.payer_account, market.payee_account, 40)
    assert client.balance(market.payee_account, signer=market.payee) == 40
    assert client.get_envelope(receipt.sequence).receipt == receipt
    with client.reserve(
        market.payer_account, market.payee_account, 100, payee=market.payee
    ) as hold:
        hold.capture(30)
    (row,) = client.get_holds([hold.id])
    assert row is not None
    assert (row.status, row.captured) == (HoldStatus.RELEASED, 30)
    with pytest.raises(errors.InsufficientFunds):
        client.transfer(market.payer_account, market.payee_account, 10**9)
    with client.stream() as stream:
        draft_envelope = client.draft()
        draft_envelope.add(_transfer(market))
        outcome = stream.send(draft_envelope.seal().envelope).result()
    assert outcome.ok


def test_threads_share_messages(shop: tuple[Market, Client]) -> None:
    market, client = shop
    with ThreadPoolExecutor(16) as pool:
        calls = [
            pool.submit(client.transfer, market.payer_account, market.payee_account, 1)
            for _ in range(200)
        ]
        for call in calls:
            call.result()
    assert client.balance(market.payee_account, signer=market.payee) == 200


def test_inside_an_event_loop_it_says_what_to_use(shop: tuple[Market, Client]) -> None:
    market, client = shop

    async def wrong() -> None:
        with pytest.raises(RuntimeError, match="AsyncClient"):
            client.balance(market.payee_account, signer=market.payee)

    asyncio.run(wrong())


def test_all_annotations_of_the_blocking_methods_can_be_read(repository_root: Path) -> None:
    tree = ast.parse((repository_root / "client/tallystick/sync_client.py").read_text())
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert len(methods) > 20
    assert all(method.returns is not None for method in methods)


def _transfer(market: Market) -> Transfer:

    return Transfer(market.payer_account, market.payee_account, 1)
