"""`tallystick grant`, `list` and `relation`."""

import pytest
from tests.client.test_cli import Run, cluster, market, run

__all__ = ["cluster", "market", "run"]


@pytest.mark.usefixtures("market")
def test_a_grant_from_the_command_line(run: Run) -> None:
    listed = run("list", "make", "alice", "bob", "-k", "alice", "--json").json["list"]
    make = ["grant", "make", "till", "bob", "40", "USD", "-k", "alice", "--providers", listed]
    ran = run(*make, "--ratio", "0.25", "--cap", "3", "--priority", "2", "--json")
    assert ran.exit_code == 0, ran.err
    grant = ran.json["grant"]
    assert run("account", "show", grant, "-k", "alice", "--json").json["available"] == str(
        40 * 10**9
    )
    for who in ("alice", "bob"):
        (state,) = run("grant", "list", "-k", who, "--json").json["grants"]
        assert (state["grant"], state["status"], state["ratio"]) == (grant, "OPEN", "0.25")
        assert (state["left"], state["held"]) == (str(40 * 10**9), "0")
        assert run("grant", "list", "-k", who).out.splitlines()[-1] == "1 grant."
    for wrong in (["--ratio", "x"], ["--ratio", "2"], ["--models", "ab"], ["--exclusivity", "z"]):
        assert run(*make, *wrong).exit_code == 2, wrong
    assert run("grant", "claw-back", grant, "-k", "bob").exit_code == 3
    ended = run("grant", "claw-back", grant, "-k", "alice")
    assert ended.out.splitlines()[-1].startswith(f"Ended grant {grant}; sequence number ")
    assert run("grant", "claw-back", grant, "-k", "alice").exit_code == 3
    assert run("grant", "list", "-k", "bob", "--json").json == {"grants": []}
    (state,) = run("grant", "list", "--all", "-k", "bob", "--json").json["grants"]
    assert (state["left"], state["status"]) == ("0", "CLAWED_BACK")
    assert "clawed back" in run("grant", "list", "--all", "-k", "bob").out
    assert run("grant", "claw-back", "ab", "-k", "alice").exit_code == 2


@pytest.mark.usefixtures("market")
def test_relations_from_the_command_line(run: Run) -> None:
    assert run("principal", "new", "registrar").exit_code == 0
    state = ["relation", "state", "alice", "bob", "-k", "registrar"]
    ran = run(*state)
    assert ran.exit_code == 0, ran.err
    assert ran.out.splitlines()[-1].startswith("alice and bob are related; sequence number ")
    assert run(*state).exit_code == 3
    assert run("relation", "end", "bob", "alice", "-k", "registrar").exit_code == 0
    assert run("relation", "state", "alice", "bob", "-k", "alice").exit_code == 3
