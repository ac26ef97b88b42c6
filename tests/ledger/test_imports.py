"""Each module of the package can be the first that somebody imports, and needs no core."""

import pkgutil
import subprocess
import sys

import pytest

import tallystick_ledger

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tallystick_ledger.__path__, "tallystick_ledger.")
    if not module.name.startswith("tallystick_ledger.spec")
)


def _run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("module", MODULES)
def test_each_module_can_come_first(module: str) -> None:
    _run(f"import {module}")


def test_trees_need_no_core() -> None:
    _run(
        "import sys; sys.modules['tallystick_core'] = None\n"
        "from tallystick_ledger import merkle\n"
        "if merkle.root_of(bytes(48), 16) != merkle.tree_root([bytes(16)] * 3): sys.exit(1)\n"
    )
