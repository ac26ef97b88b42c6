"""`tallystick netting`: a window from the first debt to its settlement."""

import pytest
from tests.client.test_cli import Run, cluster, market, run

__all__ = ["cluster", "market", "run"]


def _done(run: Run, *lines: str) -> None:
    for line in lines:
        ran = run(*line.split())
        assert ran.exit_code == 0, ran.err


def _join(run: Run) -> None:
    _done(
        run,
        "unit new IOU --exponent 9 --issuer alice --settled-in USD",
        "account open --unit IOU --name tab -k alice",
        "account open --unit IOU --name slate -k bob",
        "netting join tab till 50 IOU -k alice",
        "netting join slate shop 50 IOU -k bob",
    )


@pytest.mark.usefixtures("market")
def test_a_window_is_netted(run: Run) -> None:
    _join(run)
    _done(run, "transfer tab slate 30 IOU -k alice", "transfer slate tab 10 IOU -k bob")
    ran = run("netting", "show", "IOU", "--account", "tab", "-k", "alice")
    assert "window 1    open, gross 40.00 IOU, net 20.00 IOU (50.0 %)" in ran.out
    assert "1\ttab\tslate\t30.00 IOU" in ran.out
    closed = run("netting", "close", "IOU", "-k", "alice")
    assert closed.out.splitlines()[-1].startswith("Closed window 1: 40.00 IOU are owed")
    failed = run("netting", "fail", "IOU", "tab", "-k", "alice", "--json")
    assert (failed.exit_code, failed.json["error"]["code"]) == (3, "MEMBER_CAN_PAY")
    settled = run("netting", "settle", "IOU", "-k", "alice")
    assert settled.out.splitlines()[-1] == (
        "Settled window 1: 20.00 USD moved, 50.0 % of what was owed."
    )
    assert run("account", "show", "shop", "-k", "bob", "--json").json["available"] == "20000000000"
    shown = run("netting", "show", "IOU", "-k", "alice", "--json").json
    assert (shown["windows"][0]["gross"], shown["open_window"]) == ("40000000000", 2)


@pytest.mark.usefixtures("market")
def test_a_member_without_money_is_failed(run: Run) -> None:
    _join(run)
    _done(run, "transfer slate tab 10 IOU -k bob", "netting close IOU -k alice")
    refused = run("netting", "settle", "IOU", "-k", "alice")
    assert refused.exit_code == 3
    assert "slate stands in the way" in refused.err
    _done(run, "netting fail IOU slate -k alice", "netting settle IOU -k alice")
    shown = run("netting", "show", "IOU", "-k", "alice").out
    assert "slate\tfailed\t0.00 IOU\t0.00 IOU\t-10.00 IOU" in shown
    assert "window 1    settled, gross 0.00 IOU" in shown


@pytest.mark.usefixtures("market")
def test_what_is_not_deferred_has_nothing_to_show(run: Run) -> None:
    assert run("netting", "show", "USD", "-k", "alice").exit_code == 1
