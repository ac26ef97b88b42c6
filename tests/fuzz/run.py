"""Runs the fuzzers: `python -m tests.fuzz.run --seconds 15`; `make fuzz` does the same.

Theory of operation
-------------------
A target is a function from bytes to nothing that raises (Rust: panics) when something is wrong.
Those of `core/fuzz` are built with the coverage instrumentation that stable rustc has, and linked
to libFuzzer; those of `tests/fuzz/targets` run under atheris, which is libFuzzer for Python. Both
take the same arguments, so one loop serves them:

1. build and check that every target can be run: one that cannot is a failure, never a skip;
2. run the *planted* target of each engine, which breaks on one rare input. If its fault is not
   found, this machinery is blind, and that is a failure too;
3. run each target for its time, from seeds (`seeds.py`), the kept corpus
   (`tests/fuzz/corpus`) and what earlier runs left in `.build/fuzz/corpus`;
4. write what was done to `.build/fuzz/runs.jsonl`, a line a target: `--report` adds it up.

`--jobs` runs several targets side by side. Their wall time then says little, so each line also has
the processor time that the target's process took.

An input that breaks a target is kept in `.build/fuzz/found`, and the exit status is 1. `--keep`
makes the kept corpus anew: the smallest set of inputs that reaches all that was reached.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.fuzz import seeds
from tests.fuzz.targets import PYTHON_TARGETS

ROOT: Final = Path(__file__).parents[2]
CRATE: Final = ROOT / "core" / "fuzz"
TARGET_DIRECTORY: Final = ROOT / "core" / "target" / "fuzz"
KEPT: Final = ROOT / "tests" / "fuzz" / "corpus"
WORK: Final = ROOT / ".build" / "fuzz"

# Edge counters, their places, and the operands of comparisons: what libFuzzer wants to see.
INSTRUMENTATION: Final = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",  # as cargo-fuzz does
)
PLANTED: Final = "planted"
PLANTED_SECONDS: Final = 60
# One input may take this long and this much; both are far above what any takes.
INPUT_TIMEOUT_S: Final = 20
MEMORY_MIB: Final = 2_048
MAX_INPUT_BYTES: Final = 8_192
# A fuzzer that does not end by itself is ended.
GRACE_S: Final = 120
# Of the kept inputs of one target together: they are in the repository for good.
KEPT_BYTES: Final = 40_000

_PROGRESS: Final = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one target did.

    Attributes:
        target: its name.
        engine: `rust` or `python`.
        seconds: wall time.
        executions: inputs that were run.
        edges: control-flow edges reached.
        features: what libFuzzer counts: edges, how often each, comparisons.
        found: whether an input broke the target.
        cpu_seconds: processor time; less than `seconds` where others ran beside it. 0 in lines
            that were written before it was measured.
    """

    target: str
    engine: str
    seconds: int
    executions: int
    edges: int
    features: int
    found: bool
    cpu_seconds: int = 0


class FuzzError(Exception):
    """The fuzzers cannot be run."""


def rust_targets() -> list[str]:
    """Names of the native targets, as files."""
    names = (path.stem for path in (CRATE / "fuzz_targets").glob("*.rs"))
    return sorted(name for name in names if name != PLANTED)


def build() -> Path:
    """Builds the native targets; returns where they are.

    Raises:
        FuzzError: they cannot be built.
    """
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = next(line.split()[1] for line in version.splitlines() if line.startswith("host:"))
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--target", host]
    command += ["--manifest-path", str(CRATE / "Cargo.toml")]
    command += ["--target-dir", str(TARGET_DIRECTORY)]
    environment = os.environ | {"RUSTFLAGS": " ".join(INSTRUMENTATION)}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise FuzzError("the native targets cannot be built")
    return TARGET_DIRECTORY / host / "release"


def _built(engines: Iterable[str]) -> Path:
    """Where the native targets are; builds them only for who runs one."""
    return build() if "rust" in engines else TARGET_DIRECTORY


def engine_of(target: str) -> str:
    """`rust` or `python`.

    Raises:
        FuzzError: there is no such target.
    """
    if target in rust_targets():
        return "rust"
    if target in PYTHON_TARGETS:
        return "python"
    raise FuzzError(f"no target is called {target}")


def command_of(target: str, engine: str, binaries: Path) -> list[str]:
    """How a target is started; libFuzzer's arguments follow."""
    if engine == "rust":
        return [str(binaries / target)]
    return [sys.executable, "-m", "tests.fuzz.under_atheris", target]


def fuzz(target: str, engine: str, binaries: Path, seconds: int, bounds: Sequence[str] = ()) -> Run:
    """Runs one target for so many seconds.

    Args:
        target: Its name.
        engine: `rust` or `python`.
        binaries: Where the native targets are.
        seconds: How long at most.
        bounds: More of libFuzzer's arguments: its random seed, a number of inputs.

    Raises:
        FuzzError: it did not run at all.
    """
    corpus, found = WORK / "corpus" / target, WORK / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    places = [WORK / "seeds" / target, KEPT / target]
    command = command_of(target, engine, binaries)
    command += [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={found}/{target}-",
        "-print_final_stats=1",
        "-use_value_profile=1",
        *bounds,
        str(corpus),
        *(str(place) for place in places if place.is_dir()),
    ]
    before, began = set(found.glob(f"{target}-*")), time.monotonic()
    log = WORK / f"{target}.log"
    status, cpu_seconds = _run(command, log, seconds + GRACE_S)
    text = log.read_text(encoding="utf-8", errors="replace")
    executed = _EXECUTED.search(text)
    progress = _PROGRESS.findall(text)
    new = set(found.glob(f"{target}-*")) - before
    if executed is None or (not progress and not new):
        raise FuzzError(f"{target} did not run (status {status}); see {log}:\n{text[-2000:]}")
    edges, features, _ = progress[-1] if progress else (0, 0, 0)
    if new and target != PLANTED:
        print(text[-4000:])
        print(*(f"found: {path}" for path in sorted(new)), sep="\n")
    return Run(
        target,
        engine,
        seconds=round(time.monotonic() - began),
        executions=int(executed[1]),
        edges=int(edges),
        features=int(features),
        found=status != 0,
        cpu_seconds=cpu_seconds,
    )


def _run(command: Sequence[str], log: Path, limit_s: int) -> tuple[int, int]:
    """Runs a fuzzer to its end; returns exit status and the processor time in seconds.

    Raises:
        FuzzError: it did not end within `limit_s`.
    """
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
        alarm = threading.Timer(limit_s, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == -signal.SIGKILL:
        raise FuzzError(f"{command[0]} was killed after {limit_s} s at most; see {log}")
    return process.returncode, round(usage.ru_utime + usage.ru_stime)


def check_machinery(engines: Iterable[str], binaries: Path) -> None:
    """Lets each engine look for a planted fault.

    Raises:
        FuzzError: it was not found.
    """
    for engine in sorted(set(engines)):
        shutil.rmtree(WORK / "corpus" / PLANTED, ignore_errors=True)
        run = fuzz(PLANTED, engine, binaries, PLANTED_SECONDS)
        for path in (WORK / "found").glob(f"{PLANTED}-*"):
            path.unlink()
        if not run.found:
            raise FuzzError(f"the planted fault was not found ({engine}): this finds nothing")
        print(f"planted ({engine}): found after {run.executions:,} inputs, {run.seconds} s")


def campaign(
    targets: Sequence[str], seconds: int, bounds: Sequence[str] = (), jobs: int = 1
) -> list[Run]:
    """Runs each target for `seconds`, or within `bounds` (see `fuzz`), `jobs` of them at a time.

    Raises:
        FuzzError: a target cannot be run, or the machinery finds nothing.
    """
    engines = {target: engine_of(target) for target in targets}
    if "python" in engines.values() and importlib.util.find_spec("atheris") is None:
        raise FuzzError("the targets in Python need atheris; --native leaves them out")
    binaries = _built(engines.values())
    seeds.write(WORK / "seeds")
    check_machinery(engines.values(), binaries)
    runs = []
    with ThreadPoolExecutor(jobs) as pool:
        started = [
            pool.submit(fuzz, target, engine, binaries, seconds, bounds)
            for target, engine in engines.items()
        ]
        for ended in as_completed(started):
            run = ended.result()
            runs.append(run)
            with (WORK / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(run)) + "\n")
            print(
                f"{run.target} ({run.engine}): {run.seconds} s, {run.executions:,} inputs,"
                f" {run.edges} edges{', BROKEN' if run.found else ''}",
                flush=True,
            )
    return runs


def keep(targets: Sequence[str]) -> None:
    """Makes the kept corpus of these targets anew. Inputs called `found-…` stay.

    Raises:
        FuzzError: a target cannot be run.
    """
    binaries = _built(map(engine_of, targets))
    for target in targets:
        merged, kept = WORK / "merged" / target, KEPT / target
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir(parents=True)
        kept.mkdir(parents=True, exist_ok=True)
        command = command_of(target, engine_of(target), binaries)
        places = (WORK / "corpus" / target, kept, WORK / "seeds" / target)
        command += ["-set_cover_merge=1", f"-max_len={MAX_INPUT_BYTES}", str(merged)]
        command += [str(place) for place in places if place.is_dir()]
        if subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode:
            raise FuzzError(f"the corpus of {target} cannot be merged")
        if not any(merged.iterdir()):
            raise FuzzError(f"the corpus of {target} merges to nothing")
        for path in kept.iterdir():
            if not path.name.startswith("found-"):
                path.unlink()
        size = 0
        for path in sorted(merged.iterdir(), key=lambda path: path.stat().st_size):
            size += path.stat().st_size
            if size > KEPT_BYTES:
                break
            shutil.copyfile(path, kept / path.name[:16])
        print(f"{target}: {len([*kept.iterdir()])} inputs kept")


def report() -> str:
    """What all runs so far add up to, as the table of docs/fuzzing.md."""
    lines = (WORK / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    runs = [Run(**json.loads(line)) for line in lines]
    table = [
        "| target | engine | hours | of a processor | inputs | edges | found |",
        "|---|---|---|---|---|---|---|",
    ]
    for target in sorted({run.target for run in runs}):
        own = [run for run in runs if run.target == target]
        hours = sum(run.seconds for run in own) / 3600
        cpu_hours = sum(run.cpu_seconds for run in own) / 3600
        inputs = sum(run.executions for run in own)
        edges = max(run.edges for run in own)
        found = sum(run.found for run in own)
        table.append(
            f"| {target} | {own[0].engine} | {hours:.2f} | {cpu_hours:.2f} | {inputs:,} |"
            f" {edges:,} | {found} |"
        )
    return "\n".join(table)


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Runs the fuzzers.")
    parser.add_argument("--native", action="store_true", help="leave out the targets in Python")
    parser.add_argument("--seconds", type=int, default=15, help="of each target")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--inputs", type=int, help="of each target; ends before its time then")
    parser.add_argument("--seed", type=int, help="of the random choices; the same inputs then")
    parser.add_argument("--jobs", type=int, default=1, help="targets that run side by side")
    parser.add_argument("--keep", action="store_true", help="make the kept corpus anew instead")
    parser.add_argument("--report", action="store_true", help="say what all runs add up to")
    arguments = parser.parse_args()
    if arguments.report:
        print(report())
        return 0
    python_targets = () if arguments.native else PYTHON_TARGETS
    targets: list[str] = arguments.target or [*rust_targets(), *python_targets]
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.keep:
            keep(targets)
            return 0
        given = {"runs": arguments.inputs, "seed": arguments.seed}
        bounds = [f"-{name}={value}" for name, value in given.items() if value is not None]
        runs = campaign(targets, arguments.seconds, bounds, arguments.jobs)
    except FuzzError as error:
        print(f"fuzzing failed: {error}", file=sys.stderr)
        return 1
    return 1 if any(run.found for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
