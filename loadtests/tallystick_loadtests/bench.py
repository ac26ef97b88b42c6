"""The native benchmark: a real cluster, a real client, one JSON object of figures.

    tallystick bench --nodes 3 --profile bulk --seconds 20 --json

Phases: make and start the cluster (mutual TLS, the directory on a real disk) → register accounts
and money → make and sign all envelopes → measure the machine → the timed part → stop the nodes →
read every acknowledged envelope back from a node's own store. Only records answered OK are
counted, and a run with more than 1 % of others does not count at all.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import grpc
import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from tallystick_core import Kernel, build_block

from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import node_states, process_of, start_node, stop_nodes, wait_ready
from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Genesis
from tallystick_loadtests.driver import CHANNEL_OPTIONS, OUTCOME_BYTES, Outcome, StreamDriver
from tallystick_loadtests.errors import BenchError, InvalidRunError, SetupFailedError
from tallystick_loadtests.machine import Machine, git_commit, probe, require_disk
from tallystick_loadtests.readback import count_lost, header_digests, stored_digests
from tallystick_loadtests.workload import (
    Profile,
    Workload,
    build_workload,
    prepare,
)
from tallystick_proto import wire

# Messages of 1 MiB prepared per second of measuring: above what two cores have ever settled.
MESSAGES_PER_SECOND: Final = {Profile.BULK: 110, Profile.PACKED: 36}
WINDOW: Final = {Profile.BULK: 3, Profile.PACKED: 3}
MAX_REFUSED_SHARE_PERCENT: Final = 1
MIB: Final = 1 << 20
SETUP_TIMEOUT_S: Final = 60.0

app = typer.Typer(help="Measure a cluster on this machine.")


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run; field names are those of the JSON object.

    Rates are per second of the timed part; latencies are of messages (`bulk`: one envelope;
    `packed`: as many as fit into 1 MiB).
    """

    profile: str
    nodes: int
    seconds: float
    transfers_per_s: float
    envelopes_per_s: float
    latency_ms: dict[str, float]
    acknowledged: int
    refused: int
    lost: int
    signatures_verified: dict[str, int]
    fsyncs: dict[str, int]
    cpu_s: dict[str, float]
    rss_mib: dict[str, float]
    disk_bytes_per_transfer: float
    machine: Machine
    git_commit: str


class Run:
    """One benchmark from an empty directory to its report."""

    def __init__(
        self, *, directory: Path, nodes: int, profile: Profile, seconds: float, console: Console
    ) -> None:
        self.directory = directory
        self.nodes = nodes
        self.profile = profile
        self.seconds = seconds
        self.console = console

    def execute(self) -> Report:
        """Runs all phases.

        Raises:
            BenchError: The run could not be made, or does not count.
        """
        require_disk(self.directory)
        layout = create_cluster(self.directory, node_count=self.nodes, now_ns=time.time_ns())
        for node in layout.nodes:
            start_node(layout, node.raft_id)
        try:
            wait_ready(layout)
            return self._measure(layout)
        finally:
            stop_nodes(layout)

    def _measure(self, layout: ClusterLayout) -> Report:
        ledger_id = Genesis.decode(layout.genesis).ledger_id
        with self._phase("accounts and money"):
            workload = build_workload(self.profile, ledger_id, layout.operator_key)
            submit_setup(layout, workload)
        count = max(1, round(self.seconds * MESSAGES_PER_SECOND[self.profile]))
        with self._progress("signing", count) as update:
            messages = prepare(self.profile, ledger_id, workload.parties, count, update)
        with self._phase("measuring the machine"):
            machine = self._probe(layout)
        before = Usage.of(layout)
        with self._progress("settling", count) as update:
            driver = StreamDriver(
                endpoints=leader_first(layout),
                ca_pem=layout.ca_pem,
                window=WINDOW[self.profile],
                progress=lambda outcome: update(len(outcome.acknowledged)),
            )
            outcome = asyncio.run(driver.run(messages, self.seconds))
        after = Usage.of(layout)
        with self._phase("reading back"):
            stop_nodes(layout)
            lost = self._lost(layout, messages, outcome)
        after_disk = directory_bytes(layout.node_directory(1))
        return self._report(machine, before, after, outcome, lost, after_disk)

    def _probe(self, layout: ClusterLayout) -> Machine:
        """Measures the machine with signers registered in a kernel of this process."""
        ledger_id = Genesis.decode(layout.genesis).ledger_id
        small = build_workload(Profile.PACKED, ledger_id, layout.operator_key)
        kernel = Kernel(layout.genesis)
        apply_groups(kernel, small)
        messages = prepare(Profile.PACKED, ledger_id, small.parties, 1, lambda _: None)
        return probe(self.directory, kernel, messages[0], time.time_ns())

    def _lost(self, layout: ClusterLayout, messages: list[bytes], outcome: Outcome) -> int:
        stored = stored_digests(layout.node_directory(1))
        acknowledged = (
            digest
            for position in outcome.acknowledged
            for digest in header_digests(messages[position])
        )
        return count_lost(acknowledged, stored)

    def _report(
        self,
        machine: Machine,
        before: "Usage",
        after: "Usage",
        outcome: Outcome,
        lost: int,
        disk_bytes: int,
    ) -> Report:
        total = outcome.ok_records + outcome.refused_records + outcome.refused_envelopes
        refused = outcome.refused_records + outcome.refused_envelopes
        if total == 0 or refused * 100 > total * MAX_REFUSED_SHARE_PERCENT:
            message = f"{refused} of {total} records were not OK: the run does not count"
            raise InvalidRunError(message)
        return Report(
            profile=str(self.profile),
            nodes=self.nodes,
            seconds=round(outcome.elapsed_s, 3),
            transfers_per_s=round(outcome.ok_records / outcome.elapsed_s, 1),
            envelopes_per_s=round(outcome.envelopes / outcome.elapsed_s, 1),
            latency_ms=quantiles(outcome.latencies_ms),
            acknowledged=outcome.envelopes,
            refused=refused,
            lost=lost,
            signatures_verified=difference(after.signatures, before.signatures),
            fsyncs=difference(after.syncs, before.syncs),
            cpu_s={name: round(after.cpu_s[name] - before.cpu_s[name], 2) for name in after.cpu_s},
            rss_mib=after.rss_mib,
            disk_bytes_per_transfer=round(
                (disk_bytes - before.disk_bytes) / max(1, outcome.ok_records), 1
            ),
            machine=machine,
            git_commit=git_commit(),
        )

    # -- what a person sees ----------------------------------------------------------------------

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self.console.print(f"[dim]{name}: {time.perf_counter() - started_s:.1f} s[/dim]")

    @contextmanager
    def _progress(self, name: str, total: int) -> "Iterator[Updater]":
        columns = (
            TextColumn(f"{name:<10}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} MiB"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            yield Updater(progress, total)


class Updater:
    """Moves a progress bar."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def __call__(self, completed: int) -> None:
        """Sets how much is done."""
        self._progress.update(self._task, completed=completed)


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters of all processes at one moment."""

    signatures: dict[str, int]
    syncs: dict[str, int]
    cpu_s: dict[str, float]
    rss_mib: dict[str, float]
    disk_bytes: int

    @classmethod
    def of(cls, layout: ClusterLayout) -> "Usage":
        """Reads the counters of the nodes and of this process, the client."""
        cpu_s = {"client": cpu_seconds(psutil.Process())}
        rss_mib = {"client": psutil.Process().memory_info().rss / MIB}
        signatures, syncs = {}, {}
        for state in node_states(layout):
            process = process_of(layout, state.raft_id)
            if state.status is None or process is None:
                message = f"node {state.raft_id} does not answer"
                raise BenchError(message)
            name = f"node{state.raft_id}"
            signatures[name] = state.status.signatures_verified
            syncs[name] = state.status.log_syncs
            cpu_s[name] = cpu_seconds(process)
            rss_mib[name] = process.memory_info().rss / MIB
        return cls(
            signatures,
            syncs,
            cpu_s,
            {name: round(value, 1) for name, value in rss_mib.items()},
            directory_bytes(layout.node_directory(1)),
        )


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def directory_bytes(directory: Path) -> int:
    """Bytes on disk below a directory."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Counters that grew meanwhile."""
    return {name: after[name] - before[name] for name in after}


def quantiles(latencies_ms: list[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest."""
    if len(latencies_ms) < 2:
        only = latencies_ms[0] if latencies_ms else 0.0
        return dict.fromkeys(("p50", "p99", "p99_9", "max"), round(only, 2))
    cuts = statistics.quantiles(latencies_ms, n=1000, method="inclusive")
    return {
        "p50": round(cuts[499], 2),
        "p99": round(cuts[989], 2),
        "p99_9": round(cuts[998], 2),
        "max": round(max(latencies_ms), 2),
    }


def leader_first(layout: ClusterLayout) -> list[str]:
    """Endpoints, the leader's first."""
    states = [state for state in node_states(layout) if state.status is not None]
    leading = [state.address for state in states if state.status and state.status.role == "leader"]
    return leading + [address for address in layout.endpoints if address not in leading]


def submit_setup(layout: ClusterLayout, workload: Workload) -> None:
    """Submits the set-up envelopes, group by group, and insists on success.

    Raises:
        SetupFailedError: Something was refused.
    """
    credentials = grpc.ssl_channel_credentials(layout.ca_pem)
    address = leader_first(layout)[0]
    with grpc.secure_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        submit = channel.unary_unary(
            wire.SUBMIT_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )
        for group in workload.setup:
            for message in packed(group):
                answer: wire.SubmitResponse = submit(message, timeout=SETUP_TIMEOUT_S)
                codes = {
                    int.from_bytes(answer.outcomes[at : at + 2], "little")
                    for at in range(0, len(answer.outcomes), OUTCOME_BYTES)
                }
                if codes != {int(Code.OK)} or answer.results:
                    names = ", ".join(sorted(Code(code).name for code in codes))
                    text = f"set-up was refused: {names} {answer.results[:64].hex()}"
                    raise SetupFailedError(text)


def packed(envelopes: tuple[bytes, ...]) -> Iterator[bytes]:
    """Envelopes joined into messages of at most 1 MiB."""
    message = bytearray()
    for envelope in envelopes:
        if message and len(message) + len(envelope) > MIB:
            yield bytes(message)
            message.clear()
        message += envelope
    if message:
        yield bytes(message)


def apply_groups(kernel: Kernel, workload: Workload) -> None:
    """Applies the set-up envelopes to a kernel in this process."""
    for group in workload.setup:
        for message in packed(group):
            digests = header_digests(message)
            status = kernel.status()
            records = (len(message) - 256 * len(digests)) // 128
            block = build_block(
                [message],
                timestamp_ns=max(time.time_ns(), status.min_next_timestamp_ns),
                first_sequence=status.next_sequence,
                rules_version=1,
                envelope_count=len(digests),
                record_count=records,
            )
            kernel.apply(block)


def print_report(report: Report, console: Console) -> None:
    """The figures as a table; the last line is a summary."""
    table = Table(title=f"{report.profile}, {report.nodes} nodes", show_header=False)
    content = asdict(report)
    for name, value in content.items():
        shown = (
            "  ".join(f"{key} {each:,}" for key, each in value.items())
            if isinstance(value, dict)
            else f"{value:,}"
            if isinstance(value, int | float)
            else str(value)
        )
        table.add_row(name, shown)
    console.print(table)
    console.print(
        f"{report.transfers_per_s:,.0f} transfers/s in {report.envelopes_per_s:,.0f} envelopes/s, "
        f"p50 {report.latency_ms['p50']} ms, p99 {report.latency_ms['p99']} ms, "
        f"lost {report.lost}"
    )


@app.callback(invoke_without_command=True)
def bench(
    nodes: Annotated[int, typer.Option(min=1, max=9, help="Nodes of the cluster.")] = 3,
    profile: Annotated[Profile, typer.Option(help="What is sent.")] = Profile.BULK,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of the timed part.")] = 20.0,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where the cluster is made; kept if given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure throughput and latency of a fresh cluster on this machine."""
    console = Console(stderr=as_json or not sys.stdout.isatty(), quiet=False)
    chosen = directory or Path(tempfile.mkdtemp(prefix="tallystick-bench-", dir=Path.cwd()))
    chosen.mkdir(parents=True, exist_ok=True)
    try:
        report = Run(
            directory=chosen, nodes=nodes, profile=profile, seconds=seconds, console=console
        ).execute()
    except BenchError as error:
        typer.echo(f"tallystick bench: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        if directory is None:
            shutil.rmtree(chosen, ignore_errors=True)
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        print_report(report, Console())
    if report.lost:
        raise typer.Exit(1)


def main() -> None:
    """`python -m tallystick_loadtests.bench`."""
    app()


if __name__ == "__main__":
    main()
