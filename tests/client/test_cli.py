"""The command: what it prints, what it leaves behind, and how it exits."""

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.client.fake_node import FakeCluster, Manner

from tallystick import blocking, cli
from tallystick.cli.book import FILE_NAME
from tallystick.cli.groups import ENTRIES, load
from tallystick.errors import ConfigurationError
from tallystick.keyfile import new_key_file, read_key_file, write_key_file
from tallystick_ledger.ids import AccountId, Amount, ClaimId, TimestampNs
from tallystick_ledger.state_rows import ClaimRow, ClaimStatus


@dataclass
class Ran:
    """What a command line came to."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it printed
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALLYSTICK_PROFILE", raising=False)

    def run_command(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["tallystick", *arguments])
        try:
            cli.main()
            exit_code = 0
        except SystemExit as end:
            exit_code = end.code if isinstance(end.code, int) else 0
        captured = capsys.readouterr()
        return Ran(exit_code, captured.out, captured.err)

    return run_command


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    """A fake cluster that keeps wall time, and a profile for its operator."""
    made = FakeCluster()
    made.clock.now_ns = time.time_ns()
    made.ledger.clock = time.time_ns  # type: ignore[assignment]
    blocking.run(made.__aenter__())
    (tmp_path / "genesis.bin").write_bytes(made.genesis.encode())
    (tmp_path / "keys").mkdir()
    write_key_file(tmp_path / "keys" / "operator.key", new_key_file(b"\x01" * 32))
    endpoints = ", ".join(f'"{endpoint}"' for endpoint in made.endpoints)
    (tmp_path / "tallystick.toml").write_text(
        f"endpoints = [{endpoints}]\ninsecure = true\ngenesis = 'genesis.bin'\n"
        "key = 'keys/operator.key'\n"
    )
    yield made
    blocking.run(made.__aexit__())


@pytest.fixture
def market(cluster: FakeCluster, run: Run) -> FakeCluster:
    """Alice issues USD and has 100; Bob has an account."""
    for line in (
        "principal new alice",
        "principal new bob",
        "unit new USD --exponent 9 --issuer alice",
        "account open --unit USD --name till -k alice",
        "account open --unit USD --name shop -k bob",
        "issue till 100 USD -k alice",
    ):
        ran = run(*line.split())
        assert ran.exit_code == 0, ran.err
    return cluster


def test_help_is_there_for_every_subcommand(run: Run) -> None:
    ran = run("--help")
    assert ran.exit_code == 0
    for name in ENTRIES:
        assert name in ran.out
    for name in ENTRIES:
        if name not in {"demo", "bench"}:  # other packages' own
            ran = run(name, "--help")
            assert ran.exit_code == 0, name
            assert "Usage" in ran.out


def test_help_loads_neither_grpc_nor_pydantic() -> None:
    """What is not imported cannot be slow."""
    program = (
        "import sys; sys.argv = ['tallystick', '--help']\n"
        "from tallystick import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'pydantic', 'nacl', 'rocksdict', 'cryptography'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tallystick_cluster", None)
    monkeypatch.delitem(sys.modules, "tallystick.cli.cluster", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        load("cluster")
    assert "pip install 'tallystick[cluster]'" in caught.value.advice


def test_a_missing_module_of_our_own_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tallystick.cli.key", None)
    with pytest.raises(ModuleNotFoundError):
        load("key")


@pytest.mark.usefixtures("market")
def test_money_moves_and_the_last_line_says_so(run: Run) -> None:
    ran = run("transfer", "till", "shop", "12.50", "USD", "-k", "alice")
    assert ran.exit_code == 0
    assert ran.out.splitlines()[-1].startswith("Paid 12.50 USD from till to shop;")
    assert ran.err == ""
    ran = run("transfer", "till", "shop", "1", "-k", "alice", "--json")
    assert ran.json["amount"] == "1"
    sequence = ran.json["receipt"]["sequence"]
    assert run("account", "show", "shop", "-k", "bob", "--json").json["available"] == "12500000001"
    shown = run("show", str(sequence), "-k", "alice", "--json").json
    assert shown["presence"] == "FOUND"
    assert shown["records"][0]["fields"]["amount"] == 1
    by_id = run("show", shown["envelope_id"], "-k", "alice", "--json").json
    assert by_id == shown
    listed = run("account", "list", "-k", "bob").out
    assert "12.500000001 USD" in listed
    assert listed.endswith("1 accounts; 1 are not there, or not for this key to see.\n")


@pytest.mark.usefixtures("market")
def test_refusals_exit_3_and_change_nothing(run: Run) -> None:
    ran = run("transfer", "till", "shop", "101", "USD", "-k", "alice", "--json")
    assert ran.exit_code == 3
    assert ran.json["error"]["code"] == "INSUFFICIENT_FUNDS"
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 2
    till = run("account", "show", "till", "-k", "alice", "--json").json
    assert till["available"] == "100000000000"
    shown = run("show", str(ran.json["error"]["sequence"]), "-k", "alice").out
    assert "INSUFFICIENT_FUNDS" in shown
    assert shown.splitlines()[-1] == "1 record, some refused."


def test_an_unknown_outcome_exits_4_with_the_id(
    market: FakeCluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYSTICK_VALID_FOR_S", "0.2")
    monkeypatch.setattr("tallystick.limits.DECISION_MARGIN_S", 0.05)
    for node in market.nodes:
        node.manners.extend([Manner.DROP_ANSWER] + [Manner.BREAK] * 100)
    ran = run("transfer", "till", "shop", "1", "USD", "-k", "alice", "--json")
    assert ran.exit_code == 4
    assert ran.json["error"]["code"] == "OUTCOME_UNKNOWN"
    for node in market.nodes:
        node.manners.clear()
    ran = run("show", ran.json["error"]["envelope_id"], "-k", "alice", "--json")
    assert ran.json["presence"] == "FOUND"


def test_no_connection_exits_5(
    market: FakeCluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.cli.session._REACHABLE_WITHIN_S", 0.2)
    for node in market.nodes:
        blocking.run(node.stop())
    assert run("status").exit_code == 5
    ran = run("transfer", "till", "shop", "1", "-k", "alice")
    assert ran.exit_code == 5
    assert "a majority of the nodes" in ran.err


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(
    ("line", "exit_code", "complaint"),
    [
        ("transfer till shop 0.0000000001 USD -k alice", 2, "decimals"),
        ("transfer till shop 1.5 -k alice", 2, "no unit"),
        ("transfer till nobody 1 -k alice", 2, "no account"),
        ("transfer till shop 1 TOKEN -k alice", 2, "TOKEN"),
        ("transfer till shop 1 USD -k carol", 6, "carol.key"),
        ("transfer till shop 1 USD -p nowhere.toml", 6, "nowhere.toml"),
        ("transfer till", 2, ""),
        ("account open --unit USD --name till -k alice", 2, "already"),
        (f"account open --unit USD --name {'ab' * 16} -k alice", 2, "no name"),
        ("account freeze shop -k alice", 3, "no such account"),
        ("show nonsense", 2, "neither"),
        ("nonsense", 2, ""),
    ],
)
def test_what_cannot_work_is_said(run: Run, line: str, exit_code: int, complaint: str) -> None:
    ran = run(*line.split())
    assert ran.exit_code == exit_code, ran.err
    assert complaint in ran.err
    assert ran.out == ""


@pytest.mark.usefixtures("market")
def test_an_amount_of_another_unit_is_not_sent(run: Run) -> None:
    assert run(*["unit", "new", "EUR", "--exponent", "2", "--issuer", "bob"]).exit_code == 0
    ran = run(*["transfer", "till", "shop", "1", "EUR", "-k", "alice"])
    assert ran.exit_code == 2
    assert "holds USD, not EUR" in ran.err


@pytest.mark.usefixtures("market")
def test_holds(run: Run) -> None:
    hold = run(*["reserve", "till", "shop", "5", "USD", "-k", "alice", "--json"]).json["hold"]
    till = run("account", "show", "till", "-k", "alice", "--json").json
    assert till["debits_pending"] == "5000000000"
    ran = run("capture", hold, "2", "USD", "-k", "bob")
    assert ran.out.splitlines()[-1] == "Captured 2.00 USD so far; 3.00 USD left."
    longer = run(*["extend", hold, "1.50", "USD", "--seconds", "90", "-k", "alice", "--json"]).json
    assert longer["maximum"] == "6500000000"
    ran = run("extend", hold, "1", "USD", "-k", "alice")
    assert ran.out.splitlines()[-1] == f"Up to 7.50 USD may be captured of {hold}."
    assert run("extend", hold, "-k", "alice").exit_code == 2
    assert run("extend", hold, "1", "USD", "-k", "bob").exit_code == 3
    assert run("release", hold, "-k", "alice").exit_code == 3
    assert run("release", hold, "-k", "bob").exit_code == 0
    shop = run("account", "show", "shop", "-k", "bob", "--json").json
    assert shop["available"] == "2000000000"
    assert run("capture", "ab" * 16, "1", "-k", "bob").exit_code == 1


OPEN = ["channel", "open", "till", "shop", "5", "USD", "-k", "alice", "--json"]


def test_claims_are_listed_paid_and_waived(run: Run, market: FakeCluster) -> None:
    assert run("claim", "list", "-k", "alice", "--json").json == {"claims": []}
    state = market.ledger.state
    till, shop = (
        run("account", "show", name, "-k", who, "--json").json["account"]
        for name, who in (("till", "alice"), ("shop", "bob"))
    )
    claims = []
    for number in (1, 2):
        row = ClaimRow(
            ClaimId(bytes([number]) * 16),
            AccountId(bytes.fromhex(till)),
            AccountId(bytes.fromhex(shop)),
            Amount(5 * 10**9),
            Amount(0),
            Amount(0),
            TimestampNs(time.time_ns()),
            TimestampNs(0),
            ClaimStatus.OPEN,
        )
        state.put_claim(row)
        claims.append(row.claim.hex())
    for who in ("alice", "bob"):
        ran = run("claim", "list", "-k", who)
        assert ran.out.splitlines()[-1] == "2 open claims."
        assert claims[0] in ran.out
        assert "5.00 USD" in ran.out
    ran = run("claim", "pay", claims[0], "2", "USD", "-k", "alice")
    assert ran.out.splitlines()[-1] == "Paid 2.00 USD; 3.00 USD left."
    ran = run("claim", "pay", claims[0], "-k", "alice")
    assert ran.out.splitlines()[-1] == "Paid 3.00 USD; 0.00 USD left."
    assert run("claim", "waive", claims[1], "-k", "alice").exit_code == 3
    assert run("claim", "waive", claims[1], "-k", "bob").exit_code == 0
    assert run("claim", "list", "-k", "bob").out.splitlines()[-1] == "0 open claims."
    listed = run("claim", "list", "--all", "-k", "bob", "--json").json["claims"]
    assert [claim["status"] for claim in listed] == ["PAID", "WAIVED"]
    assert run("claim", "pay", "ab" * 16, "-k", "alice").exit_code == 1
    assert run("claim", "waive", "no-id", "-k", "bob").exit_code == 2


@pytest.mark.usefixtures("market")
def test_disputes_are_listed(run: Run) -> None:
    paid = run("transfer", "till", "shop", "3", "USD", "-k", "alice", "--json").json
    sequence = str(paid["receipt"]["sequence"])
    assert run("dispute", "open", sequence, "2", "USD", "-k", "alice").exit_code == 0
    for who in ("alice", "bob"):
        (listed,) = run("dispute", "list", "-k", who, "--json").json["disputes"]
        assert (str(listed["cited"]), listed["status"]) == (sequence, "OPEN")
        ran = run("dispute", "list", "-k", who)
        assert ran.out.splitlines()[-1] == "1 open dispute."
        assert "2.00 USD" in ran.out
    assert run("dispute", "reject", sequence, "-k", "bob").exit_code == 0
    assert run("dispute", "list", "-k", "alice", "--json").json == {"disputes": []}
    (answered,) = run("dispute", "list", "--all", "-k", "alice", "--json").json["disputes"]
    assert answered["status"] == "REJECTED"


def _available(run: Run, account: str, owner: str) -> int:
    return int(run("account", "show", account, "-k", owner, "--json").json["available"])


@pytest.mark.usefixtures("market")
def test_limits_and_zones(run: Run, tmp_path: Path) -> None:
    assert run("key", "new", str(tmp_path / "agent.key")).exit_code == 0
    agent = run("key", "show", str(tmp_path / "agent.key"), "--json").json["public_key"]
    table = str(tmp_path / "shanghai.json")
    made = run(*f"zone make Asia/Shanghai --from 2026-01-01 --until 2036-01-01 -o {table}".split())
    assert made.exit_code == 0
    published = run("zone", "publish", table, "-k", "operator", "--json").json
    assert (published["name"], published["version"]) == ("Asia/Shanghai", 1)
    shown = run("zone", "show", "Asia/Shanghai", "-k", "alice")
    assert "+08:00" in shown.out
    limit = "limit set 3 USD --of-account till --zone Asia/Shanghai -k alice --json"
    assert run(*limit.split()).json["amount"] == "3000000000"
    held = "limit set 2 USD --of-account till --payee shop -k alice"
    assert run(*held.split()).exit_code == 0
    refused = run(*["transfer", "till", "shop", "4", "USD", "-k", "alice", "--json"])
    assert (refused.exit_code, refused.json["error"]["code"]) == (3, "LIMIT_EXCEEDED")
    assert run(*["transfer", "till", "shop", "1", "USD", "-k", "alice"]).exit_code == 0
    rows = run(*["limit", "list", "-k", "alice", "--json"]).json["limits"]
    assert [(row["target"], row["window"], row["used"]) for row in rows] == [
        ("ACCOUNT", "DAY", "1000000000"),
        ("PAYEE", "HELD", "0"),
    ]
    assert "account till" in run(*["limit", "list", "-k", "alice"]).out
    assert run(*["limit", "end", "USD", "--of-account", "till", "-k", "alice"]).exit_code == 0
    assert run(*["limit", "set", "1", "USD", "-k", "alice"]).exit_code == 2
    assert run(*f"limit set 1 USD --of-key {agent} -k alice".split()).exit_code == 3
    assert run(*f"key delegate {agent} -k alice".split()).exit_code == 3
    assert run(*f"key kill {agent} -k alice".split()).exit_code == 3
    assert run(*["key", "kill", "nonsense", "-k", "alice"]).exit_code == 2


@pytest.mark.usefixtures("market")
def test_further_keys(run: Run, tmp_path: Path) -> None:
    added = run(
        *["key", "add", "agent", "--scope", "spend", "--days", "1", "-k", "alice", "--json"]
    ).json
    assert tmp_path / added["key_file"] == tmp_path / "keys" / "agent.key"
    pay = ["transfer", "till", "shop", "1", "USD", "--json", "-k"]
    assert run(*pay, "agent").exit_code == 0
    assert run(*["key", "add", "agent", "--scope", "spend", "-k", "alice"]).exit_code == 3
    assert run(*["key", "add", "eyes", "--scope", "audit", "-k", "alice"]).exit_code == 3
    assert run(*["key", "add", "eyes", "--scope", "audit", "-k", "operator"]).exit_code == 0
    assert run(*["account", "show", "till", "-k", "eyes"]).exit_code == 0
    assert run("key", "revoke", added["public_key"], "-k", "alice").exit_code == 0
    refused = run(*pay, "agent")
    assert (refused.exit_code, refused.json["error"]["code"]) == (3, "KEY_REVOKED")


@pytest.mark.usefixtures("market")
def test_recovery(run: Run, tmp_path: Path) -> None:
    added = run(*["key", "add", "vault", "--scope", "recovery", "-k", "alice", "--json"]).json
    assert "No recovery" in run(*["key", "recovery", "-k", "alice"]).out
    assert run(*["key", "veto", "-k", "alice"]).exit_code == 2
    begun = run(*["key", "recover", "alice-2", "--days", "4.5", "-k", "vault", "--json"]).json
    assert tmp_path / begun["key_file"] == tmp_path / "keys" / "alice-2.key"
    shown = run(*["key", "recovery", "-k", "alice", "--json"]).json["recovery"]
    assert shown["public_key"] == begun["public_key"]
    assert shown["recovery_key"] == added["public_key"]
    assert shown["due_ns"] == begun["due_ns"]
    assert "key veto" in run(*["key", "recovery", "-k", "alice"]).out
    refused = run(*["key", "recover", "alice-3", "-k", "vault", "--json"])
    assert (refused.exit_code, refused.json["error"]["code"]) == (3, "RECOVERY_PENDING")
    assert run(*f"key revoke {added['public_key']} -k alice".split()).exit_code == 3
    assert run(*["key", "recover", "alice-3", "--days", "1", "-k", "vault"]).exit_code == 2
    assert run(*["key", "veto", "nonsense", "-k", "alice"]).exit_code == 2
    assert run(*["key", "veto", "-k", "alice"]).exit_code == 0
    again = run(*["key", "recover", "alice-2", "-k", "vault", "--json"])
    assert (again.exit_code, again.json["error"]["code"]) == (3, "KEY_REVOKED")
    vetoed = run(*f"key veto {begun['public_key']} -k alice --json".split())
    assert (vetoed.exit_code, vetoed.json["error"]["code"]) == (3, "RECOVERY_NOT_FOUND")


@pytest.mark.usefixtures("market")
def test_channels(run: Run, tmp_path: Path) -> None:
    opened = run(*OPEN).json
    channel, key = opened["channel"], opened["channel_key"]
    assert _available(run, "till", "alice") == 95_000_000_000
    (path,) = (tmp_path / "keys").glob("channel-*")
    assert str(path) == str(tmp_path / opened["key_file"])
    (tmp_path / "usage.json").write_text("{}")
    signed = run(*f"channel voucher {channel} 1.50 USD -k alice --usage usage.json --json".split())
    assert signed.json["cumulative"] == "1500000000"
    assert signed.json["commitment"] == hashlib.sha256(b"{}").hexdigest()[:48]
    ran = run("channel", "voucher", channel, "2", "USD", "-k", "alice")
    last = ran.out.splitlines()[-1]
    assert len(last) == 320
    checked = run("channel", "check", last, "--channel-key", key, "--json").json
    assert (checked["channel"], checked["cumulative"]) == (channel, "2000000000")
    wrong = run("channel", "check", last, "--channel-key", "ab" * 32, "--json")
    assert (wrong.exit_code, wrong.json["error"]["code"]) == (2, "BAD_VOUCHER")
    ran = run("channel", "redeem", signed.json["voucher"], last, "-k", "bob")
    assert ran.out.splitlines()[-1] == "Redeemed 1 of 1 channels."
    assert _available(run, "shop", "bob") == 2_000_000_000
    shown = run("channel", "show", channel, "-k", "bob", "--json").json
    assert (shown["channel_key"], shown["deposit"], shown["paid"], shown["status"]) == (
        *(key, "5000000000", "2000000000"),
        "OPEN",
    )
    ran = run("channel", "show", channel, "-k", "alice")
    assert ran.out.splitlines()[-1] == "OPEN: it has paid 2.00 USD; 3.00 USD left."
    assert run("channel", "show", "ab" * 16, "-k", "bob").exit_code == 1
    lowered = run("channel", "redeem", signed.json["voucher"], "-k", "bob", "--json")
    assert (lowered.exit_code, lowered.json["error"]["code"]) == (3, "VOUCHER_LOWERED")
    assert run(*f"channel top-up {channel} 1 USD -k alice".split()).exit_code == 0
    assert _available(run, "till", "alice") == 94_000_000_000
    assert run("channel", "close", channel, "-k", "bob").exit_code == 0
    assert _available(run, "till", "alice") == 98_000_000_000
    assert run("channel", "close", channel, "-k", "bob").exit_code == 3
    assert run("channel", "voucher", "ab" * 16, "1", "-k", "alice").exit_code == 6
    assert run("channel", "voucher", "nonsense", "1", "-k", "alice").exit_code == 2


@pytest.mark.usefixtures("market")
def test_the_key_of_a_channel_that_was_not_opened_is_not_kept(run: Run, tmp_path: Path) -> None:
    assert run("channel", "open", "till", "shop", "500", "USD", "-k", "alice").exit_code == 3
    assert list((tmp_path / "keys").glob("channel-*")) == []


def test_the_key_of_a_channel_that_was_perhaps_opened_is_kept(
    market: FakeCluster, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYSTICK_VALID_FOR_S", "0.2")
    monkeypatch.setattr("tallystick.limits.DECISION_MARGIN_S", 0.05)
    for node in market.nodes:
        node.manners.extend([Manner.DROP_ANSWER] + [Manner.BREAK] * 100)
    assert run(*OPEN).exit_code == 4
    for node in market.nodes:
        node.manners.clear()
    monkeypatch.delenv("TALLYSTICK_VALID_FOR_S")
    (path,) = (tmp_path / "keys").glob("channel-*.key")
    channel = path.stem.removeprefix("channel-")
    voucher = run("channel", "voucher", channel, "1", "USD", "-k", "alice").out.split()[-1]
    assert run("channel", "redeem", voucher, "-k", "bob").exit_code == 0
    assert _available(run, "shop", "bob") == 1_000_000_000


@pytest.mark.usefixtures("market")
def test_vouchers_of_many_channels_are_redeemed_from_stdin(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    vouchers = []
    for amount in ("1", "2"):
        channel = run(*OPEN).json["channel"]
        vouchers.append(run("channel", "voucher", channel, amount, "USD", "-k", "alice").out)
    assert run("channel", "close", channel, "-k", "bob").exit_code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(vouchers).encode())))
    ran = run("channel", "redeem", "-", "-k", "bob", "--json")
    assert ran.exit_code == 3
    assert [each["code"] for each in ran.json["redeemed"]] == ["OK", "CHANNEL_ENDED"]
    assert ran.json["refused"] == 1
    assert _available(run, "shop", "bob") == 1_000_000_000


@pytest.mark.usefixtures("market")
def test_accounts_are_frozen_noted_and_closed(run: Run) -> None:
    assert run("account", "freeze", "shop", "-k", "bob").exit_code == 0
    show = ("account", "show", "shop", "-k", "bob", "--json")
    assert "FROZEN" in run(*show).json["flags"]
    assert run("account", "unfreeze", "shop", "-k", "bob").exit_code == 0
    account = run(*show).json["account"]
    assert run("account", "add", "bobs", account).exit_code == 0
    assert run("account", "close", "bobs", "-k", "bob").exit_code == 0
    assert run(*show).json["flags"] == ["CLOSED"]
    assert run("account", "show", "ab" * 16, "-k", "bob").exit_code == 1


@pytest.mark.usefixtures("market")
def test_what_a_key_may_not_see_is_said_with_advice(run: Run) -> None:
    foreign = run("account", "show", "till", "-k", "bob")
    absent = run("account", "show", "ab" * 16, "-k", "bob")
    assert (foreign.exit_code, absent.exit_code) == (1, 1)
    assert "with a key of its owner: -k NAME" in foreign.err
    assert len(foreign.err) == len(absent.err)
    operator = run("account", "show", "till", "--json")
    assert operator.json["error"]["code"] == "ACCESS_DENIED"
    assert "a key of scope OPERATE reads no accounts" in operator.err


@pytest.mark.usefixtures("market")
def test_the_unit_of_a_foreign_account_is_taken_from_the_book_or_the_line(
    run: Run, tmp_path: Path
) -> None:
    opened = run("account", "open", "--unit", "USD", "--name", "bobs", "-k", "bob", "--json")
    account = opened.json["account"]
    book = tmp_path / FILE_NAME
    content = json.loads(book.read_text())
    del content["accounts"]["bobs"]
    book.write_text(json.dumps(content))
    assert run("account", "add", "bobs", account, "-k", "alice").exit_code == 0
    assert run("issue", "shop", "5", "-k", "alice").out.startswith("envelope")
    ran = run("issue", "bobs", "5", "-k", "alice")
    assert (ran.exit_code, "Name the unit" in ran.err) == (2, True)
    assert run("account", "add", "bobs", account, "--unit", "USD").exit_code == 0
    assert run("issue", "bobs", "5", "-k", "alice").exit_code == 0
    assert run("issue", "bobs", "5", "USD", "-k", "alice").exit_code == 0
    assert run("account", "add", "bobs", account, "--unit", "nonsense").exit_code == 2


@pytest.mark.usefixtures("market")
def test_an_issuer_burns_its_own_and_lends(run: Run) -> None:
    ran = run("burn", "till", "40 USD", "-k", "alice")
    assert (ran.exit_code, "Burned 40.00 USD of till" in ran.out) == (0, True), ran.out
    assert run("burn", "till", "61 USD", "-k", "alice").exit_code == 3
    assert run("burn", "shop", "1 USD", "-k", "alice").exit_code == 3
    ran = run("credit", "shop", "5 USD", "-k", "alice")
    assert (ran.exit_code, "shop may go 5.00 USD below zero" in ran.out) == (0, True), ran.out
    assert run("transfer", "shop", "till", "3 USD", "-k", "bob").exit_code == 0
    assert "credit limit" in run("account", "show", "shop", "-k", "bob").out
    ran = run("credit", "shop", "2 USD", "-k", "alice")
    assert (ran.exit_code, "uses more" in ran.err) == (3, True)
    assert run("credit", "shop", "3 USD", "-k", "alice", "--json").json["amount"] == "3000000000"


@pytest.mark.usefixtures("market")
def test_a_principal_gets_a_key_file_that_says_whose_it_is(run: Run, tmp_path: Path) -> None:
    ran = run("principal", "new", "carol", "--type", "service", "--json")
    held = read_key_file(tmp_path / "keys" / "carol.key")
    assert held.principal is not None
    assert ran.json["principal"] == held.principal.hex()
    assert run("principal", "new", "carol").exit_code == 3  # the key is registered already
    assert run("principal", "add", "dave", "ab" * 16).exit_code == 0
    assert run("unit", "new", "X", "--issuer", "dave").exit_code == 3


def test_status_shows_all_nodes(market: FakeCluster, run: Run) -> None:
    blocking.run(market.nodes[2].stop())
    ran = run("status")
    assert ran.exit_code == 0
    assert ran.out.splitlines()[-1] == "2 of 3 nodes answer, node 1 leads."
    nodes = run("status", "--digest", "--json").json["nodes"]
    assert nodes[0]["state_digest"] == nodes[1]["state_digest"]
    assert nodes[2]["error"] == "CONNECTION_FAILED"


def test_keys_and_genesis_from_scratch(run: Run) -> None:
    assert run("key", "new", "op.key").exit_code == 0
    assert run("key", "new", "op.key").exit_code == 6
    shown = run("key", "show", "op.key", "--json").json
    assert shown["principal"] is None
    assert "seed" not in shown
    line = run(
        "node", "keys", "node-1", "--raft-id", "1", "--authority", "authority", "--json"
    ).json["node"]
    arguments = ("--operator", "op.key", "--node", line, "--origin", "example.org/x")
    made = run("genesis", "new", "genesis.bin", *arguments, "--json").json
    assert made["operators"] == [shown["public_key"]]
    assert run("genesis", "show", "genesis.bin", "--json").json == made
    assert run("genesis", "new", "genesis.bin", *arguments).exit_code == 6
    assert run("genesis", "new", "other.bin", *arguments, "--quorum", "2").exit_code == 2
    ran = run("node", "init", "node-1", "--raft-id", "1", "--genesis", "genesis.bin")
    assert ran.exit_code == 0, ran.err
    assert (
        run("node", "init", "node-1", "--raft-id", "1", "--genesis", "genesis.bin").exit_code == 1
    )
    assert run("node", "run", "nowhere").exit_code == 1
