"""The graph of imports, held against the ranks in docs/design.md."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
TOP = "jstackmagic"


def test_every_import_runs_down_or_stays_in_its_package() -> None:
    ranks = _ranks()
    wrong = {
        (module, other)
        for module, imported in _graph().items()
        for other in imported
        if _package(module) != _package(other) and ranks[_package(module)] >= ranks[_package(other)]
    }
    assert not wrong, f"these run upwards or sideways: {sorted(wrong)}"


def test_every_package_has_its_rank() -> None:
    assert {_package(module) for module in _graph()} == set(_ranks())


def test_no_module_imports_itself_on_a_way_around() -> None:
    assert not _circle(_graph())


def test_a_verb_is_small() -> None:
    """Options, one call and a presenter; what a verb knows beyond that belongs to a feature."""
    long = {
        str(path): count
        for path in (ROOT / "src" / TOP / "commands").rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 120
    }
    assert not long


def test_a_docstring_begins_with_a_verb_or_a_noun() -> None:
    """Not with a question: see docs/style.md."""
    asking = [
        f"{path.name}: {docstring.splitlines()[0]}"
        for path in (ROOT / "src" / TOP).rglob("*.py")
        for node in ast.walk(_parsed(path))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and re.match(r"(What|Whether|Where|Which|How|Who|Why|When)\b", docstring := _said(node))
    ]
    assert not asking


def test_one_name_is_one_idea() -> None:
    """A class's name, with or without an underscore; each verb has its Options."""
    where: dict[str, list[str]] = {}
    for path in (ROOT / "src" / TOP).rglob("*.py"):
        for node in _parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name != "Options":
                where.setdefault(node.name.lstrip("_"), []).append(path.name)
    assert not {name: files for name, files in where.items() if len(files) > 1}


def test_one_modules_name_is_one_idea() -> None:
    """Verbs, formats and the parts that each manager has are called by what is outside."""
    where: dict[str, list[str]] = {}
    for path in (ROOT / "src" / TOP).rglob("*.py"):
        folder = path.parent.relative_to(ROOT / "src" / TOP).as_posix()
        if not re.match(r"commands|managers/|export|capture/files", folder):
            where.setdefault(path.stem, []).append(folder)
    del where["__init__"]
    assert not {name: folders for name, folders in where.items() if len(folders) > 1}


def _said(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(node) or ""


def test_a_verb_reaches_the_history_through_few_modules() -> None:
    between = _between("commands.install", "history.file")
    assert "install.transaction" in between
    assert len(between) <= 8, sorted(between)


def test_a_circle_and_a_lazy_import_would_be_seen(tmp_path: Path) -> None:
    """What the other tests rest on: imports in functions and for types count, and circles show."""
    folder = tmp_path / TOP
    (folder / "one").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "one/__init__.py").write_text("from . import below\n")
    (folder / "one/below.py").write_text("def late():\n    from ..two import name\n")
    (folder / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .one import below\n"
    )
    graph = _read(tmp_path)
    assert graph == {"": set(), "one": {"one.below"}, "one.below": {"two"}, "two": {"one.below"}}
    assert set(_circle(graph)) == {"one.below", "two"}


@pytest.mark.parametrize("module", ["model", "io"])
def test_what_everybody_stands_on_is_not_empty(module: str) -> None:
    assert sum(1 for name in _graph() if _package(name) == module) > 2


# Reading


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _ranks() -> Mapping[str, int]:
    """The packages and the modules beside them, each with its line in docs/design.md."""
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    found = re.search(r":name: ranks\n(.*?)```", text, re.DOTALL)
    assert found is not None
    lines = [line.split() for line in found[1].splitlines() if line.strip()]
    return {name if name != TOP else "": at for at, line in enumerate(lines) for name in line}


def _package(module: str) -> str:
    return module.partition(".")[0]


@cache
def _graph() -> Mapping[str, set[str]]:
    return _read(ROOT / "src")


def _read(source: Path) -> dict[str, set[str]]:
    """Every module without the name of the whole, each with those of ours that it imports."""
    files = {}
    for path in sorted((source / TOP).rglob("*.py")):
        words = path.relative_to(source).with_suffix("").parts
        files[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return {
        module.partition(".")[2]: {
            name.partition(".")[2] for name in _imports(module, path, files) if name != module
        }
        for module, path in files.items()
    }


def _imports(module: str, path: Path, files: Mapping[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node, is_package=path.name == "__init__.py")
            for name in node.names:
                whole = f"{base}.{name.name}"
                found.add(whole if whole in files else base)
    return found & files.keys()


def _base(module: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    words = module.split(".") if is_package else module.split(".")[:-1]
    words = words[: len(words) - (node.level - 1)]
    return ".".join([*words, *([node.module] if node.module else [])])


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _between(start: str, end: str) -> set[str]:
    """The modules on any way from one to the other."""
    graph = _graph()
    back: dict[str, set[str]] = {}
    for module, imported in graph.items():
        for name in imported:
            back.setdefault(name, set()).add(module)
    return (_reached(start, graph) & _reached(end, back)) - {start, end}


def _reached(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen
