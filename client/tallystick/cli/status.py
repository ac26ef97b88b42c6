"""`tallystick status`: all nodes of the profile, as each sees itself."""

from typing import Annotated, Any

import typer

from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import JsonOption, ProfileOption, session
from tallystick.errors import TallystickError
from tallystick.reads import NodeStatus

app = typer.Typer(help="Ask all nodes how they are.")

_STATUS_DEADLINE_S = 5.0


@app.command()
def status(
    digest: Annotated[bool, typer.Option("--digest", help="Have them hash their state.")] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask all nodes how they are. Exit code 1 if none answers."""
    nodes: list[dict[str, Any]] = []
    failure: TallystickError | None = None
    with session(profile) as opened:
        ledger_id = opened.client.ledger_id
        for endpoint in opened.client.endpoints:
            try:
                answer = opened.client.status(
                    endpoint, with_state_digest=digest, deadline_s=_STATUS_DEADLINE_S
                )
            except TallystickError as error:
                failure = error
                nodes.append({"address": endpoint, "error": error.code})
            else:
                nodes.append(_data(answer))
    answering = [node for node in nodes if "role" in node]
    if not answering and failure is not None:
        raise failure
    strangers = [node for node in answering if node["ledger_id"] != ledger_id.hex()]
    if strangers:
        raise CommandFailed(
            f"{strangers[0]['address']} serves another ledger, {strangers[0]['ledger_id']}.",
            advice="Check the profile's endpoints and genesis.",
        )
    leaders = [node["raft_id"] for node in answering if node["role"] == "leader"]
    led = f"node {leaders[0]} leads" if leaders else "nobody leads"
    keys = ("raft_id", "address", "role", "term", "commit_index", "next_sequence", "accounts")
    Report(
        {"ledger_id": ledger_id.hex(), "leader": leaders[0] if leaders else None, "nodes": nodes},
        f"{len(answering)} of {len(nodes)} nodes answer, {led}.",
        table=Table(
            ("node", "address", "role", "term>", "commit>", "next sequence>", "accounts>"),
            [[str(node.get(key, "-")) for key in keys] for node in nodes],
        ),
    ).print(as_json=as_json)


def _data(status: NodeStatus) -> dict[str, Any]:
    return {
        "raft_id": status.raft_id,
        "address": status.address,
        "role": status.role,
        "term": status.term,
        "leader": status.leader_raft_id or None,
        "last_index": status.last_index,
        "commit_index": status.commit_index,
        "applied_index": status.applied_index,
        "next_sequence": status.next_sequence,
        "log_time_ns": status.log_time_ns,
        "tree_size": status.tree_size,
        "tree_root": status.tree_root.hex(),
        "state_digest": status.state_digest.hex() or None,
        "ledger_id": status.ledger_id.hex(),
        "accounts": status.account_count,
        "open_holds": status.open_hold_count,
        "live_ids": status.live_id_count,
        "signatures_verified": status.signatures_verified,
        "log_syncs": status.log_syncs,
        "uptime_ms": status.uptime_ms,
        "version": status.version,
    }
