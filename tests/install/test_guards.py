"""What stops a change before anything happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.commands.remove import _dependencies
from jstackmagic.install.guards import check_plan, check_target
from jstackmagic.managers.steps import Step
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import Stopped
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Plan
from jstackmagic.model.request import Action, Request
from jstackmagic.model.spec import read_all
from jstackmagic.session import Session

if TYPE_CHECKING:
    from pathlib import Path

CONDA = Environment(
    kind="conda-named", name="work", prefix="/c/envs/work", python="3.12.1", executable="/c/python"
)
VENV = replace(CONDA, kind="venv", name=None)


def request(manager: str, *specs: str, action: Action = "install") -> Request:
    return Request(action=action, manager=manager, specs=specs)  # type: ignore[arg-type]


def plan(change: Change | None, *, manager: str = "conda", where: Environment = CONDA) -> Plan:
    return Plan(
        request=request(manager, "x"), environment=where, engine="", commands=(), change=change
    )


@pytest.mark.parametrize(
    ("where", "manager", "words"),
    [
        (replace(CONDA, frozen="Ask the platform team"), "conda", "Ask the platform team"),
        (replace(CONDA, frozen=""), "pip", "frozen"),
        (replace(VENV, kind="system", externally_managed="Use apt"), "pip", "PEP 668"),
        (replace(CONDA, writable=False), "conda", "may not write"),
        (replace(VENV, writable=False), "pip", "may not write"),
        (VENV, "conda", "not a conda environment"),
        (replace(CONDA, executable=None, python=None), "pip", "has no Python"),
    ],
)
def test_an_environment_that_takes_no_change_says_so_and_gives_a_way_out(
    where: Environment, manager: str, words: str
) -> None:
    with pytest.raises(Stopped, match=words) as caught:
        check_target(request(manager, "six"), where)
    assert "Nothing was changed" in str(caught.value)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("where", "action", "ways"),
    [
        (CONDA, "install", ("--record-only", "-- --user")),
        (VENV, "install", ("--record-only", "python3 -m venv ~/env")),
        (replace(VENV, kind="venv-on-conda"), "install", ("--record-only", "python3 -m venv")),
        (CONDA, "remove", ("--record-only",)),
        (VENV, "remove", ("--record-only",)),
    ],
)
def test_the_ways_out_of_what_one_may_not_write_to_work_there(
    where: Environment, action: Action, ways: tuple[str, ...]
) -> None:
    with pytest.raises(Stopped) as caught:
        check_target(request("pip", "six", action=action), replace(where, writable=False))
    assert len(caught.value.advice) == len(ways)
    assert all(way in said for way, said in zip(ways, caught.value.advice, strict=True))


def test_what_concerns_one_environment_does_not_stop_apt() -> None:
    check_target(request("apt", "tree"), replace(CONDA, frozen="no", writable=False))


def conda(name: str, version: str) -> Package:
    return Package("conda", name, version)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(removed=(conda("python", "3.12.1"),)), "remove its Python 3.12.1"),
        (
            Change(changed=((conda("python", "3.12.1"), conda("python", "3.13.0")),)),
            "replace its Python 3.12.1 by 3.13.0",
        ),
        (Change(removed=(conda("ipykernel", "6.29"),)), "remove ipykernel"),
        (
            Change(changed=((conda("ipython", "9.1"), conda("ipython", "8.9")),)),
            "downgrade ipython 9.1 to 8.9",
        ),
        (Change(removed=(Package("pip", "jstackmagic", "1"),)), "remove jstackmagic"),
    ],
)
def test_a_plan_that_would_break_the_kernel_stops(change: Change, words: str) -> None:
    with pytest.raises(Stopped, match=words) as caught:
        check_plan(plan(change))
    assert "--force" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        None,
        Change(),
        Change(added=(conda("ipykernel", "6.29"),), removed=(conda("six", "1"),)),
        Change(changed=((conda("ipython", "8.9"), conda("ipython", "8.10")),)),
        Change(
            changed=((conda("python", "3.12.1"), replace(conda("python", "3.12.1"), build="b")),)
        ),
    ],
)
def test_an_upgrade_of_what_the_kernel_needs_goes_on(change: Change | None) -> None:
    check_plan(plan(change))


def test_even_a_rebuilt_python_stops_where_it_is_the_running_one() -> None:
    rebuilt = Change(
        changed=((conda("python", "3.12.1"), replace(conda("python", "3.12.1"), build="b")),)
    )
    with pytest.raises(Stopped, match="this kernel's Python"):
        check_plan(plan(rebuilt), running_prefix=CONDA.prefix)


def environment_with_condas_six(tmp_path: Path) -> Environment:
    folder = tmp_path / "site/six-1.16.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n")
    (folder / "INSTALLER").write_text("conda\n")
    return replace(CONDA, site_packages=(str(tmp_path / "site"),))


@pytest.mark.parametrize(
    "change",
    [
        Change(added=(Package("pip", "six", "1.17.0"),)),
        Change(changed=((Package("pip", "six", "1.16.0"), Package("pip", "six", "1.17.0")),)),
        Change(removed=(Package("pip", "six", "1.16.0"),)),
    ],
)
def test_pip_does_not_overwrite_or_remove_what_conda_owns(tmp_path: Path, change: Change) -> None:
    where = environment_with_condas_six(tmp_path)
    with pytest.raises(Stopped, match="six"):
        check_plan(plan(change, manager="pip", where=where))
    check_plan(plan(Change(added=(Package("pip", "attrs", "1"),)), manager="pip", where=where))


NEEDS = {
    "ipykernel": ("pyzmq>=25", 'colorama; sys_platform == "win32"'),
    "ipython": ("prompt_toolkit",),
    "prompt-toolkit": ("wcwidth",),
    "jstackmagic": ("tqdm", 'uv; extra == "fast"'),
    "pymongo": ("dnspython>=2",),
    **dict.fromkeys(("pyzmq", "wcwidth", "tqdm", "uv", "dnspython", "colorama", "motor"), ()),
}
"""Distributions of a kernel's environment, each with what it needs."""


@pytest.fixture
def kernel(tmp_path: Path) -> Environment:
    for name, needs in NEEDS.items():
        folder = tmp_path / f"site/{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        extra = "Provides-Extra: fast\n" if name == "jstackmagic" else ""
        lines = "".join(f"Requires-Dist: {need}\n" for need in needs)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{extra}{lines}"
        )
        (folder / "INSTALLER").write_text("pip\n")
    return replace(VENV, prefix=str(tmp_path), site_packages=(str(tmp_path / "site"),))


def removal(where: Environment, *names: str, change: Change | None = None) -> Plan:
    removed = tuple(Package("pip", name, "1.0") for name in names)
    asked = Request("remove", "pip", read_all("pip", names))
    return Plan(asked, where, "pip", (), change or Change(removed=removed))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("pyzmq",), "This would remove pyzmq 1.0, which ipykernel needs."),
        (("wcwidth",), "This would remove wcwidth 1.0, which ipython needs."),  # not directly
        (("tqdm",), "This would remove tqdm 1.0, which jstackmagic needs."),
        (("motor", "tqdm"), "This would remove tqdm 1.0, which jstackmagic needs."),
    ],
)
def test_a_removal_that_takes_what_the_kernel_needs_stops(
    kernel: Environment, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(Stopped) as caught:
        check_plan(removal(kernel, *names))
    assert caught.value.problem == words
    assert caught.value.advice == ("To go on all the same, add --force",)


@pytest.mark.parametrize("name", ["dnspython", "pymongo", "uv", "colorama", "nowhere"])
def test_a_removal_that_leaves_the_kernel_whole_goes_on(kernel: Environment, name: str) -> None:
    """An extra of jstackmagic, and another platform's package, are not what it runs on."""
    check_plan(removal(kernel, name))


def test_what_moves_along_may_need_less(kernel: Environment) -> None:
    """An undo of an upgrade removes what the newer version brought."""
    old, new = Package("pip", "prompt-toolkit", "1.0"), Package("pip", "prompt-toolkit", "0.9")
    gone = (Package("pip", "wcwidth", "1.0"),)
    check_plan(removal(kernel, "wcwidth", change=Change(changed=((old, new),), removed=gone)))


@pytest.mark.parametrize(
    ("removed", "notes"),
    [
        (("pip:dnspython",), ["dnspython is still needed by pymongo."]),
        (("pip:wcwidth",), ["wcwidth is still needed by prompt-toolkit."]),
        (("pip:dnspython", "pip:pymongo"), []),
        (("pip:uv",), []),  # the extra of jstackmagic
        (("conda:dnspython",), []),  # conda takes its own along
        (("apt:dnspython",), []),
    ],
)
def test_who_needs_what_is_removed_is_said(
    kernel: Environment, removed: tuple[str, ...], notes: list[str], history_file: Path
) -> None:
    by_manager: dict[str, list[str]] = {}
    for manager, _, name in (each.partition(":") for each in removed):
        by_manager.setdefault(manager, []).append(name)
    steps = [
        Step(Request("remove", manager, read_all(manager, names)), kernel)
        for manager, names in by_manager.items()
    ]
    assert [*_dependencies(steps, Session())] == notes
