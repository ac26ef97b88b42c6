"""The SDK against three node processes with mutual TLS, one of which is killed."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick import (
    AsyncClient,
    Client,
    Draft,
    Presence,
    Receipt,
    Signer,
    SigningKey,
    Stored,
    Voucher,
    errors,
)
from tallystick.keyfile import new_key_file, write_key_file
from tallystick.retry import Surroundings
from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import kill_node, start_node, stop_nodes, wait_ready
from tallystick_ledger.ids import AccountId
from tallystick_ledger.records import Transfer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

TALLYSTICK = str(Path(sys.executable).with_name("tallystick"))
ALICE, BOB = SigningKey(b"\x51" * 32), SigningKey(b"\x52" * 32)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterLayout]:
    made = create_cluster(
        tmp_path_factory.mktemp("sdk") / "cluster", node_count=3, now_ns=time.time_ns()
    )
    try:
        for node in made.nodes:
            start_node(made, node.raft_id)
        wait_ready(made, 60)
        yield made
    finally:
        stop_nodes(made)


@pytest.fixture(scope="module")
def accounts(layout: ClusterLayout) -> tuple[Signer, Signer, AccountId, AccountId]:
    with Client.from_profile(layout.directory) as operator:
        alice = Signer(ALICE, operator.register_principal(ALICE).id)
        bob = Signer(BOB, operator.register_principal(BOB).id)
        unit = operator.create_unit("CREDIT", 0, alice.principal).id
        till = operator.open_account(unit, signer=alice).id
        shop = operator.open_account(unit, signer=bob).id
        operator.issue(unit, till, 1_000_000, signer=alice)
    return alice, bob, till, shop


Accounts = tuple[Signer, Signer, AccountId, AccountId]


def test_what_is_issued_can_be_lent_and_burned(layout: ClusterLayout, accounts: Accounts) -> None:
    alice, bob, till, shop = accounts
    with Client.from_profile(layout.directory, key=alice) as client:
        row = client.get_account(till)
        assert row is not None
        unit = row.unit
        own = client.open_account(unit, signer=bob).id
        client.set_credit_limit(unit, own, 100)
        client.transfer(own, till, 60, signer=bob)
        assert client.balance(own, signer=bob) == 40  # what it can still spend
        with pytest.raises(errors.CreditInUse):
            client.set_credit_limit(unit, own, 59)
        with pytest.raises(errors.InsufficientFunds):
            client.transfer(own, till, 41, signer=bob)
        before = client.balance(till)
        client.burn(unit, till, 60)
        assert client.balance(till) == before - 60
        with pytest.raises(errors.AccountNotFound):
            client.burn(unit, shop, 1)
        with pytest.raises(errors.UnitNotFound):
            client.burn(unit, own, 1, signer=bob)


def test_a_hold_from_reserve_to_release(layout: ClusterLayout, accounts: Accounts) -> None:
    alice, bob, till, shop = accounts
    with Client.from_profile(layout.directory, key=alice) as client:
        before = client.balance(shop, signer=bob)
        with client.reserve(till, shop, 1_000, payee=bob) as hold:
            hold.capture(400)
            hold.extend(500, expires_in_s=90)
            hold.capture(1_400)
        assert client.balance(shop, signer=bob) == before + 1_400
        many = client.transfers(till * 20_000, shop * 20_000, [1] * 20_000)
        assert all(receipt.ok for receipt in many)
        assert client.balance(shop, signer=bob) == before + 21_400


def test_what_is_on_hold_is_listed_with_its_age(layout: ClusterLayout, accounts: Accounts) -> None:
    alice, bob, till, shop = accounts
    with Client.from_profile(layout.directory, key=alice) as client:
        assert client.open_holds(till) == []
        first = client.reserve(till, shop, 700, expires_in_s=300)
        ended = client.reserve(till, shop, 50, payee=bob)
        second = client.reserve(till, shop, 40, payee=bob)
        ended.release()
        second.capture(15)
        rows = client.open_holds(till)
        assert [(row.hold, row.rest) for row in rows] == [(first.id, 700), (second.id, 25)]
        assert client.open_holds(shop, signer=bob) == []  # it pays none
        with pytest.raises(LookupError):
            client.open_holds(shop)
        key = layout.directory / "keys" / "alice-lists.key"
        write_key_file(key, new_key_file(ALICE.seed, "alice", alice.principal))
        options = ["-p", str(layout.directory), "-k", str(key), "--json"]
        listing = [TALLYSTICK, "hold", "list", till.hex(), *options]
        ran = subprocess.run(listing, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        listed = json.loads(ran.stdout)["holds"]
        assert [hold["rest"] for hold in listed] == ["700", "25"]
        assert 0 <= listed[0]["age_s"] < 120
        assert 180 < listed[0]["expires_in_s"] <= 300
        for hold in (first, second):
            hold.release(signer=bob)


def test_a_channel_from_its_opening_to_its_close(layout: ClusterLayout, accounts: Accounts) -> None:
    alice, bob, till, shop = accounts
    with (
        Client.from_profile(layout.directory, key=alice) as payer,
        Client.from_profile(layout.directory, key=bob) as payee,
    ):
        had, before = payer.balance(till), payee.balance(shop)
        channel = payer.open_channel(till, shop, 1_000, SigningKey(b"\x54" * 32), add_key=True)
        handed_over = [channel.voucher(amount).hex() for amount in (200, 500, 700)]
        received = [Voucher.from_hex(text) for text in handed_over]
        (row,) = payee.get_channels([channel.id])
        assert row is not None
        assert (row.payee_account, row.rest) == (shop, 1_000)
        for voucher in received:
            voucher.verify(row.key)
        payee.redeem(received[-1])
        assert payee.balance(shop) == before + 700
        forged = Voucher.sign(SigningKey(b"\x55" * 32), payer.ledger_id, channel.id, 900)
        with pytest.raises(errors.InvalidVoucher):
            forged.verify(channel.key.public_key)
        with pytest.raises(errors.BadVoucher):
            payee.redeem(forged)
        with pytest.raises(errors.VoucherLowered):
            payee.redeem(received[0])
        above = channel.voucher(1_200)
        payee.redeem(above)
        assert payee.balance(shop) == before + 1_000
        with pytest.raises(errors.ChannelExhausted):
            payee.redeem(channel.voucher(1_300))
        payer.top_up(channel.id, 500)
        (again,) = payee.redeem_many([received[0], above, received[1]])
        assert again.ok
        assert payee.balance(shop) == before + 1_200
        assert payer.balance(till) == had - 1_500
        payee.close_channel(channel.id)
        assert payer.balance(till) == had - 1_200
        with pytest.raises(errors.ChannelEnded):
            payee.redeem(channel.voucher(1_300))


def test_one_message_of_every_kind_of_outcome(layout: ClusterLayout, accounts: Accounts) -> None:
    """What a node answers for each envelope of a message finds its way to the right one."""
    alice, bob, till, shop = accounts
    with Client.from_profile(layout.directory, key=alice) as client:

        def payment(*amounts: int, signer: Signer = alice) -> Stored:
            draft = client.draft(signer)
            for amount in amounts:
                draft.add(Transfer(till, shop, amount))
            return draft.seal()

        before = client.balance(shop, signer=bob)
        first, stranger = payment(1), Signer(SigningKey(b"\x53" * 32), alice.principal)
        receipt = client.submit(first)
        outcomes = client.submit_many(
            [
                payment(2, 10**9, 3),
                first,
                payment(4, signer=bob),
                payment(5, signer=stranger),
                payment(6),
            ]
        )
        mixed, duplicate, foreign, unknown, plain = outcomes
        assert isinstance(mixed, Receipt)
        assert [result.code.name for result in mixed.results] == ["OK", "INSUFFICIENT_FUNDS", "OK"]
        assert isinstance(duplicate, Receipt)
        assert (duplicate.sequence, duplicate.ok) == (receipt.sequence, True)
        assert duplicate.duplicate
        assert isinstance(foreign, Receipt)
        assert [result.code.name for result in foreign.results] == ["DEBIT_NOT_FOUND"]
        assert isinstance(unknown, errors.UnknownKey)
        assert isinstance(plain, Receipt)
        assert plain.ok
        assert client.balance(shop, signer=bob) == before + 1 + 2 + 3 + 6


def test_what_became_of_an_id(layout: ClusterLayout, accounts: Accounts) -> None:
    alice, _, till, shop = accounts
    with Client.from_profile(layout.directory, key=alice) as client:
        new = client.draft()
        new.add(Transfer(till, shop, 1))
        assert client.resolve(new.seal()).presence is Presence.NOT_YET
        receipt = client.submit(new.seal())
        found = client.resolve(new.seal())
        assert found.receipt == receipt
        eleven_minutes_ns = 660_000_000_000
        old = Draft(
            client.ledger_id,
            alice,
            60,
            Surroundings(now_ns=lambda: time.time_ns() - eleven_minutes_ns),
        )
        old.add(Transfer(till, shop, 1))
        assert client.resolve(old.seal()).presence is Presence.NEVER
        with pytest.raises(errors.TooLate):
            client.submit(old.seal())


def test_the_example_of_the_readme_runs(layout: ClusterLayout, repository_root: Path) -> None:
    readme = (repository_root / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert "my-cluster" in example
    program = example.replace("my-cluster", str(layout.directory))
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[1:] == ["7250", "2750"]


async def test_callers_do_not_notice_that_the_leader_is_killed(
    layout: ClusterLayout, accounts: Accounts
) -> None:
    alice, bob, till, shop = accounts
    leader = wait_ready(layout, 60)
    async with AsyncClient.from_profile(layout.directory, key=alice) as client:
        before = await client.balance(shop, signer=bob)
        paid = 0

        async def caller(count: int) -> None:
            nonlocal paid
            for _ in range(count):
                await client.transfer(till, shop, 1)
                paid += 1

        callers = [asyncio.ensure_future(caller(100)) for _ in range(20)]
        while paid < 200:
            await asyncio.wait(callers, timeout=0.01)
        kill_node(layout, leader)
        await asyncio.gather(*callers)
        assert paid == 2_000
        assert await client.balance(shop, signer=bob) == before + 2_000
        start_node(layout, leader)
        wait_ready(layout, 60)
        statuses = [
            await client.status(endpoint, with_state_digest=True) for endpoint in layout.endpoints
        ]
        assert {status.ledger_id for status in statuses} == {client.ledger_id}
