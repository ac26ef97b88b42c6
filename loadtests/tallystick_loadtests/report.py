"""The figures of one run, as one object and as a table.

`as_json` gives the fields of `Report` under their own names. Those in `OPTIONAL` are left out where
they were not asked for or the profile has none.
"""

from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from tallystick_loadtests.errors import InvalidRunError
from tallystick_loadtests.machine import Machine, git_commit
from tallystick_loadtests.outcome import Outcome, quantiles
from tallystick_loadtests.phases import PHASES
from tallystick_loadtests.profiles import SHAPES, Profile
from tallystick_loadtests.session import Step
from tallystick_loadtests.tokens import NATIONAL_TOKENS_PER_DAY, Tokens, tokens_of
from tallystick_loadtests.usage import cpu_growth, growth

MAX_REFUSED_SHARE_PERCENT = 1
OPTIONAL = (
    *("caught_up_s", "vouchers_per_s", "vouchers_verified", "tokens_per_day"),
    *("open_loop", "raw_latency_ms", "phases"),
)

Phases = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """How an offered rate was kept.

    Attributes:
        offered_per_s: Transfers that the schedule asked for.
        reached: Whether hardly anything waited in the client at the end of the time.
        late: Messages that were due in the time and had not left at its end.
        unsent: Of these, those that never left; their latencies are missing.
    """

    offered_per_s: float
    reached: bool
    late: int
    unsent: int


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run; docs/benchmarks.md says what each field means.

    Rates are per second of the timed part; latencies are of messages.
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
    caught_up_s: float | None = None
    vouchers_per_s: float | None = None
    vouchers_verified: dict[str, int] | None = None
    tokens_per_day: Tokens | None = None
    open_loop: OpenLoop | None = None
    raw_latency_ms: dict[str, float] | None = None
    phases: Phases | None = None

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        content = asdict(self)
        return {
            name: value
            for name, value in content.items()
            if name not in OPTIONAL or value is not None
        }


def require_valid(outcome: Outcome) -> None:
    """Checks that at least 99 % of the records were answered OK.

    Raises:
        InvalidRunError: They were not, or nothing was answered.
    """
    total = outcome.ok_records + outcome.refused
    if total == 0 or outcome.refused * 100 > total * MAX_REFUSED_SHARE_PERCENT:
        message = f"{outcome.refused} of {total} records were not OK: the run does not count"
        raise InvalidRunError(message)


def make_report(
    step: Step,
    *,
    profile: Profile,
    nodes: int,
    machine: Machine,
    lost: int,
    caught_up_s: float,
    vouchers_verified: dict[str, int],
    offered_per_s: float | None,
    with_phases: bool,
) -> Report:
    """Puts the figures of a run together.

    Args:
        step: Its timed part.
        profile: What was sent.
        nodes: Of the cluster.
        machine: The machine's own figures.
        lost: Acknowledged envelopes that were not found on disk.
        caught_up_s: From the last answer until every node had applied everything.
        vouchers_verified: Signatures of vouchers, by node.
        offered_per_s: Transfers asked for by a schedule; None for a closed loop.
        with_phases: Whether the nodes' histograms are wanted.

    Raises:
        InvalidRunError: More than 1 % was not answered OK.
    """
    outcome, before, after = step.outcome, step.before, step.after
    require_valid(outcome)
    if step.raw is not None:
        require_valid(step.raw)
    open_loop = None
    if step.arrears is not None and offered_per_s is not None:
        arrears = step.arrears
        open_loop = OpenLoop(offered_per_s, arrears.reached, arrears.late, arrears.unsent)
    is_vouchers = profile is Profile.VOUCHERS
    per_request = SHAPES[profile].records_per_request
    # An answer waits for the leader only; a rate that all nodes keep up with counts the rest too.
    by_all_per_s = outcome.ok_records / (outcome.elapsed_s + caught_up_s)
    return Report(
        profile=str(profile),
        nodes=nodes,
        seconds=round(outcome.elapsed_s, 3),
        transfers_per_s=round(outcome.ok_records / outcome.elapsed_s, 1),
        envelopes_per_s=round(outcome.envelopes / outcome.elapsed_s, 1),
        latency_ms=quantiles(outcome.latencies_ms),
        acknowledged=outcome.envelopes,
        refused=outcome.refused,
        lost=lost,
        signatures_verified=growth(after.signatures, before.signatures),
        fsyncs=growth(after.syncs, before.syncs),
        cpu_s=cpu_growth(after.cpu_s, before.cpu_s),
        rss_mib=after.rss_mib,
        disk_bytes_per_transfer=round(
            (after.disk_bytes - before.disk_bytes) / max(1, outcome.ok_records), 1
        ),
        machine=machine,
        git_commit=git_commit(),
        caught_up_s=round(caught_up_s, 3) if per_request else None,
        vouchers_per_s=round(by_all_per_s, 1) if is_vouchers else None,
        vouchers_verified=vouchers_verified if is_vouchers else None,
        tokens_per_day=tokens_of(by_all_per_s / per_request) if per_request else None,
        open_loop=open_loop,
        raw_latency_ms=None if step.raw is None else quantiles(step.raw.latencies_ms),
        phases=step.phases if with_phases else None,
    )


def print_report(report: Report, console: Console) -> None:
    """The figures as tables; the last line is a summary."""
    table = Table(title=f"{report.profile}, {report.nodes} nodes", show_header=False)
    for name, value in report.as_json().items():
        if name != "phases":
            table.add_row(name, _shown(value))
    console.print(table)
    if report.phases is not None:
        console.print(_phase_table(report.phases))
    if report.tokens_per_day is not None:
        console.print(_tokens_line(report.tokens_per_day), highlight=False)
    latency_ms = report.latency_ms
    console.print(
        f"{report.transfers_per_s:,.0f} transfers/s in {report.envelopes_per_s:,.0f} envelopes/s, "
        f"p50 {latency_ms['p50']} ms, p99 {latency_ms['p99']} ms, lost {report.lost}"
        + _remark(report.open_loop),
        highlight=False,
    )


def _tokens_line(tokens: Tokens) -> str:
    return (
        f"{tokens.requests_per_s:,.0f} requests/s of {tokens.tokens_per_request:,.1f} tokens each "
        f"(the trace's mean) are {tokens.tokens_per_day:.3g} tokens a day, "
        f"{tokens.ratio:.2%} of {NATIONAL_TOKENS_PER_DAY:.3g}"
    )


def _remark(open_loop: OpenLoop | None) -> str:
    if open_loop is None:
        return ""
    verb = "reached" if open_loop.reached else "NOT reached"
    return f"; the offered {open_loop.offered_per_s:,.0f} transfers/s were {verb}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _phase_table(figures: Phases) -> Table:
    """One row a phase, one column a node: mean and p99 in milliseconds."""
    table = Table("phase", *figures, title="mean / p99 ms (count) by phase, at each node")
    for phase in PHASES:
        cells = []
        for node in figures.values():
            each = node.get(phase)
            cells.append(
                ""
                if each is None
                else f"{each['mean_ms']:.2f} / {each['p99_ms']:.1f} ({each['count']:,.0f})"
            )
        if any(cells):
            table.add_row(phase, *cells)
    return table
