"""What `pip install tallystick` gets: all packages, their data and types, and no server."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

COPIED = ("client", "cluster", "ledger", "loadtests", "node", "proto")
PACKAGES = (
    "tallystick",
    "tallystick_cluster",
    "tallystick_ledger",
    "tallystick_loadtests",
    "tallystick_node",
    "tallystick_proto",
)
DATA_SUFFIXES = (".csv.gz", ".json", ".json.gz")


@pytest.fixture(scope="module")
def wheel(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that the checkout is left as it was, and without the network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(repository_root / name, source)
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(repository_root / name, source / name, ignore=ignored)
    # In each package one file of each kind of data, so that their patterns are tested before
    # the first real one exists.
    for name in COPIED:
        for package in (source / name).glob("tallystick*/__init__.py"):
            for suffix in DATA_SUFFIXES:
                (package.parent / f"sample{suffix}").touch()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(source / "dist"), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = (source / "dist").glob("tallystick-*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_each_module(wheel: zipfile.ZipFile, repository_root: Path) -> None:
    modules = {
        str(path.relative_to(repository_root / top))
        for top in COPIED
        for path in (repository_root / top).glob("tallystick*/**/*.py")
    }
    assert modules
    assert modules <= set(wheel.namelist())


def test_wheel_holds_types_and_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package in PACKAGES:
        wanted = {f"{package}/py.typed", *(f"{package}/sample{end}" for end in DATA_SUFFIXES)}
        assert wanted <= names
    assert "tallystick_proto/v1/ledger_pb2.pyi" in names


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_carries_licence_and_command(wheel: zipfile.ZipFile) -> None:
    (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel.namelist())
    assert "tallystick = tallystick.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_sdk_installs_no_server(repository_root: Path) -> None:
    project = tomllib.loads((repository_root / "pyproject.toml").read_text())["project"]
    base = " ".join(project["dependencies"])
    assert not any(name in base for name in ("rocksdict", "tallystick-core", "cryptography"))


def test_each_requirement_is_pinned(repository_root: Path) -> None:
    pins = {}
    for line in (repository_root / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            pins[_normal(name)] = version
    project = tomllib.loads((repository_root / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"]}.union(*project["optional-dependencies"].values())
    names = {_normal(requirement) for requirement in wanted}
    assert names - pins.keys() == {"tallystick", "tallystick-core"}


def _normal(requirement: str) -> str:
    name = requirement
    for end in "[<>=!~; ":
        name = name.split(end)[0]
    return name.lower().replace("_", "-")
