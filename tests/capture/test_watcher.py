"""What a program that starts is taken for, by its words and variables; and whose a change is."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture.taps import Start
from jstackmagic.capture.watcher import Run, Watcher, lead_home
from jstackmagic.history.file import History
from jstackmagic.model.packages import Change, Package

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.model.packages import ManagerName

PIP = ("pip", "install", "mytool")


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    history = History(tmp_path / "history.jsonl")
    return Watcher(lambda: "", lambda: history)


def begun(watcher: Watcher, *words: str, **environ: str) -> Run:
    start = Start(" ".join(words), words, "/", {**os.environ, **environ} if environ else os.environ)
    run = watcher.begins(start, "")
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("environ", "index", "extra"),
    [
        ({"PIP_INDEX_URL": "https://a"}, "https://a", ()),
        ({"PIP_EXTRA_INDEX_URL": "https://b https://c"}, "", ("https://b", "https://c")),
        ({"UV_INDEX_URL": "https://a"}, "", ()),
        ({"MY_OWN": "1"}, "", ()),
        ({}, "", ()),
    ],
)
def test_the_variables_of_a_call_are_in_its_request(
    watcher: Watcher, environ: dict[str, str], index: str, extra: tuple[str, ...]
) -> None:
    (install,) = begun(watcher, *PIP, **environ).installs
    assert install.request is not None
    assert install.request.sources.index_url == index
    assert install.request.sources.extra_index_urls == extra


def test_build_variables_of_a_call_too(watcher: Watcher) -> None:
    (install,) = begun(watcher, *PIP, CMAKE_ARGS="-DX=1").installs
    assert install.request is not None
    assert install.request.sources.variables == ("CMAKE_ARGS=-DX=1",)


@pytest.mark.parametrize(
    "environ", [{"PIP_TARGET": "/x"}, {"PIP_PREFIX": "/x"}, {"PIP_ROOT": "/x"}]
)
def test_what_goes_elsewhere_is_no_install_here(watcher: Watcher, environ: dict[str, str]) -> None:
    run = begun(watcher, *PIP, **environ)
    assert run.installs == []
    assert "not into an environment" in run.others[0].reason


@pytest.mark.parametrize(
    ("words", "manager", "led"),
    [
        (("pip", "install", "$WHAT"), "apt", False),
        (("pip", "install", "$WHAT"), "pip", True),
        (("python3", "-m", "pip", "install", "a", "--no-such=1"), "apt", False),
        (("apt-get", "install", "tool"), "apt", True),
        (("conda", "install", "-n", "none", "x"), "pip", False),
    ],
)
def test_a_change_is_a_commands_whose_manager_made_it(
    watcher: Watcher, words: tuple[str, ...], manager: ManagerName, led: bool
) -> None:
    (install,) = begun(watcher, *words).installs
    install = replace(install, place=None)
    place = watcher.places.kernel
    change = Change(added=(Package(manager, "tool", "1"),))
    lead_home([install], [(place, change)])
    assert (install.place is place) is led
