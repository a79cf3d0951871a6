"""What a program that starts is taken for, by its words and variables; and whose a change is."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture.observe import serving
from jstackmagic.capture.taps import Start
from jstackmagic.capture.watcher import Run, Watcher, lead_home
from jstackmagic.history.file import History
from jstackmagic.model.environment import Environment
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.model.packages import ManagerName

PIP = ("pip", "install", "mytool")


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    folder = os.path.dirname(sys.executable)  # its pip begins with its Python and need not be asked
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
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


@pytest.mark.parametrize("place", ["target", "prefix", "root"])
def test_a_file_of_settings_takes_it_elsewhere_too(
    place: str, watcher: Watcher, tmp_path: Path
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(f"[install]\n{place} = /x\n")
    run = begun(watcher, *PIP, PIP_CONFIG_FILE=str(file))
    assert run.installs == []
    assert f"--{place} /x, not into an environment" in run.others[0].reason
    emptied = begun(watcher, *PIP, PIP_CONFIG_FILE=os.devnull)
    assert len(emptied.installs) == 1


@pytest.mark.parametrize(
    ("variable", "text"), [("1", ""), ("", "[global]\nuser = yes\n"), ("0", "[install]\nuser=1\n")]
)
def test_the_user_s_own_folder_is_an_option(
    variable: str, text: str, watcher: Watcher, tmp_path: Path
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(text)
    environ = {"PIP_CONFIG_FILE": str(file), **({"PIP_USER": variable} if variable else {})}
    (install,) = begun(watcher, *PIP, **environ).installs
    assert install.request is not None
    assert ("--user" in install.request.options) == (variable != "0")


def test_uv_takes_its_own_settings_and_none_of_pip_s(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "UV_DEFAULT_INDEX": "https://a", "UV_INDEX": "x=https://b", "UV_FIND_LINKS": "/links",
        "PIP_INDEX_URL": "https://none", "PIP_NO_INDEX": "1", "PIP_TARGET": "/none",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    words = ("uv", "pip", "install", "--python", sys.executable, "mytool")
    (install,) = begun(watcher, *words).installs
    assert install.record is not None
    recorded = install.record.request
    assert recorded.sources.index_url == "https://a"
    assert recorded.sources.extra_index_urls == ("https://b",)
    assert recorded.sources.find_links == ("/links",)
    assert recorded.options == ()


@pytest.mark.parametrize(
    ("command", "environ", "sources"),
    [
        ("uv pip install $WHAT", {"UV_INDEX_URL": "https://a"}, Sources(index_url="https://a")),
        ("pip install -i https://a $WHAT", {}, Sources(index_url="https://a")),
        ("pip install $WHAT", {"PIP_INDEX_URL": "https://a"}, Sources(index_url="https://a")),
        ("conda install -y -c one -c two $WHAT", {}, Sources(channels=("one", "two"))),
        ("pip install $WHAT", {}, Sources()),
    ],
)
def test_packages_known_only_at_run_time_leave_their_sources_known(
    command: str, environ: dict[str, str], sources: Sources, watcher: Watcher
) -> None:
    run = watcher.begins(Start(command, None, "/", {**os.environ, **environ}), "")
    assert run is not None
    (found,) = (*run.others, *(each.found for each in run.installs))
    assert (found.request, found.sources) == (None, sources)


_INDEXES = """
index-url = "https://own"
[[index]]
url = "https://more"
"""


@pytest.mark.parametrize(
    ("file", "text", "words", "index", "extra"),
    [
        ("w/uv.toml", _INDEXES, (), "https://own", ("https://more",)),
        ("pyproject.toml", "[tool.uv]\nindex-url='https://up'", (), "https://up", ()),
        ("pyproject.toml", "[tool.other]\nindex-url='https://up'", (), "https://user", ()),
        ("w/uv.toml", "[pip]\nindex-url='https://of-pip'", (), "https://of-pip", ()),
        ("w/uv.toml", _INDEXES, ("--no-config",), "", ()),  # which reads no file at all
        ("w/uv.toml", "index-url = [", (), "https://user", ()),  # broken: uv says so
    ],
)
def test_uv_s_files_say_where_a_live_install_comes_from(
    watcher: Watcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    text: str,
    words: tuple[str, ...],
    index: str,
    extra: tuple[str, ...],
) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / file).write_text(text)
    (tmp_path / "config/uv").mkdir(parents=True)
    (tmp_path / "config/uv/uv.toml").write_text("index-url = 'https://user'")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    line = ("uv", "pip", "install", *words, "--python", sys.executable, "mytool")
    start = Start(" ".join(line), line, str(tmp_path / "w"), os.environ)
    run = watcher.begins(start, "")
    assert run is not None
    (install,) = run.installs
    assert install.record is not None
    sources = install.record.request.sources
    assert (sources.index_url, sources.extra_index_urls) == (index, extra)


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


@pytest.mark.parametrize(
    ("manager", "flag", "text"),
    [("pip", "-r", "--pre\n-e ./x\nsix>=1\n"), ("conda", "--file", "six\n")],
)
def test_a_list_names_what_was_there_before(
    manager: str, flag: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(text)
    request = Request("install", manager, (f"{flag} {tmp_path}/list.txt",))
    there = PackageSet((Package(manager, "idna", "3"), Package(manager, "six", "1")))
    venv = Environment(kind="venv", name=None, prefix=str(tmp_path), python="3.12.1")
    assert [package.name for package in serving(request, there, venv)] == ["six"]
