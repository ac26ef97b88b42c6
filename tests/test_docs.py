"""The documents are true where a machine can see it: links, the list of decisions, commands.

What a document says about behaviour is tested beside that behaviour.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCUMENTS = ("*.md", "docs/**/*.md", "core/*.md", "loadtests/**/*.md")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
DECISION = re.compile(r"^\d{4}-[a-z0-9-]+\.md$")


def _documents(root: Path) -> list[Path]:
    return sorted({path for pattern in DOCUMENTS for path in root.glob(pattern)})


def _broken_links(root: Path, document: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or not path.is_relative_to(root):
            yield f"{document.relative_to(root)}: {target} does not exist"
        elif anchor and anchor not in _anchors(path):
            yield f"{document.relative_to(root)}: {target} has no such heading"


def _anchors(document: Path) -> set[str]:
    headings = HEADING.findall(CODE.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^\.PHONY: (\w+)$", makefile, re.MULTILINE))


def _named_targets(document: str) -> set[str]:
    return set(re.findall(r"(?:^|`)make ([a-z]+)", document, re.MULTILINE))


def test_links_lead_somewhere(repository_root: Path) -> None:
    documents = _documents(repository_root)
    assert len(documents) > 5
    broken = [link for path in documents for link in _broken_links(repository_root, path)]
    assert not broken, "\n".join(broken)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# One two\n")
    document = tmp_path / "a.md"
    good = "[x](b.md) [x](b.md#one-two) [x](https://example.org/) `[x](c.md)`\n"
    document.write_text(good + "[x](c.md) [x](b.md#three) [x](../a.md)\n")
    assert [link.split()[1] for link in _broken_links(tmp_path, document)] == [
        "c.md",
        "b.md#three",
        "../a.md",
    ]


def test_each_decision_is_in_the_index(repository_root: Path) -> None:
    directory = repository_root / "docs/adr"
    index = (directory / "README.md").read_text(encoding="utf-8")
    listed = LINK.findall(CODE.sub("", index))
    files = sorted(path.name for path in directory.glob("*.md") if path.name != "README.md")
    assert listed == files
    assert all(DECISION.match(name) for name in files)
    numbers = [int(name[:4]) for name in files]
    assert numbers == list(range(1, len(files) + 1))


def test_each_decision_follows_the_template(repository_root: Path) -> None:
    for path in (repository_root / "docs/adr").glob("[0-9]*.md"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert re.search(r"^Status: (proposed|accepted|superseded by \d{4})$", text, re.MULTILINE)
        assert {"Question", "Decision", "Consequences"} <= set(HEADING.findall(text)), path.name


def test_each_dependency_has_its_line(repository_root: Path) -> None:
    project = tomllib.loads((repository_root / "pyproject.toml").read_text())["project"]
    wanted = set(project["dependencies"])
    wanted = wanted.union(*project["optional-dependencies"].values())
    names = {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in wanted}
    record = (repository_root / "docs/adr/0005-dependencies.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| ([a-z][\w-]+) \|", record, re.MULTILINE)) - {"package"}
    assert described == names - {"tallystick"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_named_make_targets_exist(repository_root: Path, name: str) -> None:
    targets = _make_targets((repository_root / "Makefile").read_text())
    named = _named_targets((repository_root / name).read_text(encoding="utf-8"))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_contributing_names_all_make_targets(repository_root: Path) -> None:
    targets = _make_targets((repository_root / "Makefile").read_text())
    named = _named_targets((repository_root / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert targets - {"help"} <= named


def test_an_unknown_make_target_is_found() -> None:
    assert _named_targets("make demo\nrun `make test X=1` and make sure\n") == {"demo", "test"}
    assert _make_targets(".PHONY: build\nbuild: x\n.PHONY: demo\n") == {"build", "demo"}
