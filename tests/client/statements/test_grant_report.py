"""`tallystick grant report` against a node: a city pays for what Alice buys of Bob."""

import shlex
import time
from collections.abc import Callable, Iterator

import pytest
from tests.client.test_cli import Ran, Run, run

from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import start_node, stop_nodes, wait_ready

__all__ = ["run"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

Say = Callable[..., Ran]

STORY = (
    "principal new city",
    "principal new alice",
    "principal new bob",
    "unit new USD --exponent 2 --issuer city",
    "account open --unit USD --name pool -k city",
    "account open --unit USD --name till -k alice",
    "account open --unit USD --name shop -k bob",
    "account open --unit USD --name purse -k bob",
    "issue pool 100 USD -k city",
    "issue till 100 USD -k city",
    "key add auditor --scope audit -k operator",
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterLayout]:
    directory = tmp_path_factory.mktemp("report") / "cluster"
    made = create_cluster(directory, node_count=1, now_ns=time.time_ns())
    try:
        start_node(made, made.nodes[0].raft_id)
        wait_ready(made, 60)
        yield made
    finally:
        stop_nodes(made)


@pytest.fixture
def say(layout: ClusterLayout, run: Run, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.chdir(layout.directory)

    def do(line: str, exit_code: int = 0) -> Ran:
        ran = run(*shlex.split(line))
        assert ran.exit_code == exit_code, f"{line}: {ran.out}{ran.err}"
        return ran

    return do


def test_a_sponsor_sees_who_was_paid_and_an_auditor_the_round_trip(say: Say) -> None:
    for line in STORY:
        say(line)
    grant = say("grant make pool alice 50 USD --ratio 0.4 -k city --json").json["grant"]
    held = say("reserve till shop 20 USD -k alice --json").json["hold"]
    sequence = say(f"capture {held} 10 USD -k bob --json").json["receipt"]["sequence"]
    say(f"refund {sequence} 2.50 USD -k bob")
    say("transfer shop till 3 USD -k bob")
    say("transfer shop purse 2 USD -k bob")
    say("transfer purse till 1 USD -k bob")

    said = say("grant report -k city --json").json
    assert said["is_right"]
    (seen,) = said["grants"]
    assert (seen["grant"], seen["set_aside"], seen["kept"]) == (grant, "5000", "300")
    assert (seen["held"], seen["left"], seen["adds_up"]) == ("400", "4300", True)
    (paid,) = seen["paid"]
    assert (paid["charges"], paid["charged"], paid["given_back"]) == (1, "400", "100")
    # What Bob does with his money is not the city's to see.
    assert (paid["owner"], seen["passed"], seen["unread"]) == (None, [], [paid["account"]])

    audit = "--principal city -k auditor --json"
    (known,) = say(f"grant report {audit}").json["grants"]
    assert (known["passed_on"], known["unread"]) == ("300", [])
    (passed,) = known["passed"]
    assert (passed["debit_account"], passed["cause"]) == (paid["account"], "TRANSFER")
    # Bob's other account was paid nothing: it is looked at if it is named, or if Alice's is.
    for further in ("purse", "till"):
        (known,) = say(f"grant report {grant} --account {further} {audit}").json["grants"]
        assert known["passed_on"] == "400"

    say(f"grant claw-back {grant} -k city")
    say(f"refund {sequence} 2.50 USD -k bob")
    say(f"release {held} -k bob")
    (over,) = say("grant report -k city --json").json["grants"]
    assert (over["status"], over["left"], over["held"]) == ("CLAWED_BACK", "0", "0")
    assert (over["kept"], over["back_to_pool"], over["returned"]) == ("200", "100", "4700")
    assert over["adds_up"]
    text = say("grant report --principal city -k auditor").out
    assert "passed on (TRANSFER)" in text
    assert text.splitlines()[-1] == "1 grant: they add up to the last unit."

    # For nobody else.
    assert say("grant report -k alice --json").json["grants"] == []
    say(f"grant report {'ab' * 16} -k city", 2)
    say("grant report --principal city -k alice", 1)
