"""The engine in this process: real environments from real channels, left as conda leaves them."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from jstackmagic.display.console import PlainConsole, quiet
from jstackmagic.io.locks import Held, Lock, NoLocks, take
from jstackmagic.managers.conda import rattler
from jstackmagic.managers.conda.rattler import bytecode, condahistory, journal
from jstackmagic.model.environment import repair_line
from jstackmagic.model.errors import CommandFailed, Interrupted, InvalidSpec, Stopped
from jstackmagic.model.packages import Change
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support.channel import (
    PLACEHOLDER,
    PYTHON_MINOR,
    STDLIB,
    ChannelBuilder,
    File,
    platform_subdir,
)
from support.environments import create_environment, make_root, settled
from support.interrupts import interrupt_when
from support.kernels import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jstackmagic.model.plan import Plan

CONDA = shutil.which("conda")
SITE_PACKAGES = f"{STDLIB}/site-packages"
BYTECODE = f"cpython-{PYTHON_MINOR.replace('.', '')}.pyc"


# A channel whose packages are named for what they show


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> ChannelBuilder:
    builder = ChannelBuilder(tmp_path_factory.mktemp("a channel") / "lab")
    builder.add_python("shim")
    builder.add_python("stub")
    for version in ("1.0", "1.1", "2.0"):
        builder.add_package(
            "app",
            version,
            build="py_0",
            noarch="python",
            depends=["python", "library >=2" if version == "2.0" else "library"],
            files={
                "site-packages/app/__init__.py": f"version = '{version}'\n",
                "site-packages/app/__main__.py": "",
                "site-packages/app_tool.py": f"def main():\n    print('app {version}')\n",
            },
            entry_points=["app = app_tool:main"],
            archive=".tar.bz2" if version == "1.0" else ".conda",
        )
    for version in ("1.0", "2.0"):
        builder.add_package(
            "library",
            version,
            noarch="python",
            build="py_0",
            depends=["python"],
            files={"site-packages/library.py": f"version = '{version}'\n"},
        )
    builder.add_package("old-library-user", "1.0", depends=["library <2"])
    builder.add_package("independent", "1.0", build="a_0", files={"share/independent": "a"})
    builder.add_package(
        "independent", "1.0", build="b_1", build_number=1, files={"share/independent": "b"}
    )
    builder.add_package(
        "prefixed",
        "1.0",
        files={
            "share/prefix.txt": f"{PLACEHOLDER}/share\n",
            "lib/libprefixed.so": File(b"\0" + PLACEHOLDER.encode() + b"/lib\0\1"),
        },
    )
    builder.add_package(
        "python2-only", "1.0", depends=["python <3"], files={"share/python2-only": ""}
    )
    builder.add_package("needs-cuda", "1.0", depends=["__cuda >=12"])
    builder.add_package("needs-linux-99", "1.0", depends=["__linux >=99"])
    for name, words in (
        ("scripted", 'echo "hello from $PKG_NAME $PKG_VERSION" >> "$PREFIX/.messages.txt"'),
        ("failing", "exit 3"),
        ("slow", 'touch "$PREFIX/slow-began"; sleep 1.5; touch "$PREFIX/slow-ended"'),
    ):
        script = File.text(f"#!/bin/bash\n{words}\n", executable=True)
        files = {f"bin/.{name}-post-link.sh": script, f"share/{name}": "x"}
        builder.add_package(name, "1.0", files=files)
    script = 'echo "$PKG_NAME $PKG_VERSION" > "$HOME/tidied"\n'
    builder.add_package(
        "tidying",
        "1.0",
        files={"bin/.tidying-pre-unlink.sh": File.text(f"#!/bin/bash\n{script}", executable=True)},
    )
    builder.index()
    return builder


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pkgs")


@pytest.fixture(autouse=True)
def _settings(builder: ChannelBuilder, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = {"conda", "mamba", "micromamba"}
    folders = os.environ["PATH"].split(os.pathsep)
    without = [path for path in folders if not any(Path(path, tool).exists() for tool in tools)]
    monkeypatch.setenv("PATH", os.pathsep.join(without))
    monkeypatch.setenv("CONDA_PKGS_DIRS", str(packages))
    write_condarc(f"channels: ['{builder.url}']\n")


def write_condarc(text: str) -> None:
    Path(os.environ["CONDARC"]).write_text(text)


@pytest.fixture
def make(builder: ChannelBuilder, packages: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes an environment, in a folder with a space in its path."""

    def make(*specs: str, name: str = "an environment") -> Path:
        return create_environment(
            tmp_path / name, *specs, channels=[builder.url], packages=packages
        )

    return make


def plan(prefix: Path, *specs: str, action: str = "install", **more: object) -> Plan:
    request = Request(action, "conda", specs, **more)  # type: ignore[arg-type]
    return rattler.manager().plan(request, detect(prefix))


def change(prefix: Path, *specs: str, **more: object) -> Change:
    """Carries a request out and returns what it changed, which is what the plan said."""
    environment = detect(prefix)
    before = read_packages(environment, ("conda",))
    made = plan(prefix, *specs, **more)
    words: list[str] = []
    assert rattler.manager().run(made, PlainConsole(words.append)) == 0, "".join(words)
    done = read_packages(environment, ("conda",)) - before
    assert made.change is not None
    assert outline(made.change) == outline(done)
    return done


def remove(prefix: Path, *specs: str) -> Change:
    return change(prefix, *specs, action="remove")


def outline(done: Change) -> tuple[list[str], list[str], list[str]]:
    return (
        [f"{package.name} {package.version}" for package in done.added],
        [f"{old.name} {old.version} -> {new.version}" for old, new in done.changed],
        [f"{package.name} {package.version}" for package in done.removed],
    )


def record(prefix: Path, name: str) -> dict[str, Any]:
    (path,) = prefix.glob(f"conda-meta/{name}-[0-9]*.json")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def history(prefix: Path) -> str:
    return (prefix / "conda-meta/history").read_text()


def last_entry(prefix: Path) -> list[str]:
    return ("==>" + history(prefix).rpartition("==>")[2]).splitlines()


def tree(prefix: Path) -> set[str]:
    return {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if not path.is_dir()}


class TestInstall:
    def test_a_new_package(self, make: Callable[..., Path], builder: ChannelBuilder) -> None:
        prefix = make("python")
        made = plan(prefix, "app=1.0")
        assert made.engine == "rattler"
        assert [command.argv for command in made.commands] == [
            ("conda", "install", "--yes", "--prefix", str(prefix), "app=1.0")
        ]
        assert outline(change(prefix, "app=1.0")) == (["app 1.0", "library 2.0"], [], [])
        code = "import app, library; print(app.version, library.version, app.__file__)"
        done = subprocess.run(
            [prefix / "bin/python", "-c", code], check=True, capture_output=True, text=True
        )
        assert done.stdout.split(" ", 2)[:2] == ["1.0", "2.0"]
        assert str(prefix / SITE_PACKAGES) in done.stdout
        # the entry point's script
        done = subprocess.run([prefix / "bin/app"], check=True, capture_output=True, text=True)
        assert done.stdout == "app 1.0\n"

    def test_what_is_there_already(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.0")
        before = tree(prefix), history(prefix)
        for spec in ("app", "app=1.0", "app<2", "library"):
            made = plan(prefix, spec)
            assert made.commands == ()
            assert [package.name for package in made.satisfied] == [re.split("[=<]", spec)[0]]
        assert (tree(prefix), history(prefix)) == before

    def test_what_is_there_is_found_quickly(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app")
        environment, request = detect(prefix), Request("install", "conda", ("app",))
        rattler.manager().plan(request, environment)
        begun = time.process_time()
        for _ in range(10):
            rattler.manager().plan(request, environment)
        assert (time.process_time() - begun) / 10 < 0.02  # seconds; 0.001 when measured

    def test_another_version(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.1", "library=1.0")
        files = tree(prefix)
        assert outline(change(prefix, "app=1.0")) == ([], ["app 1.1 -> 1.0"], [])
        assert outline(change(prefix, "app>1.0,<2")) == ([], ["app 1.0 -> 1.1"], [])
        settled(prefix)
        assert files - tree(prefix) == set()

    def test_what_is_there_stays_where_it_can(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "library=1.0")
        assert outline(change(prefix, "app")) == (["app 1.1"], [], [])  # 2.0 needs library 2

    def test_what_must_move_moves(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.0", "library")
        remove(prefix, "app")
        change(prefix, "library=1.0")
        with (prefix / "conda-meta/history").open("a") as file:
            file.write("==> 2026-01-01 00:00:00 <==\n# cmd: conda\n# update specs: ['library']\n")
        assert outline(change(prefix, "app=2")) == (["app 2.0"], ["library 1.0 -> 2.0"], [])

    def test_upgrade(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.0")
        done = change(prefix, "app", upgrade=True)
        assert outline(done) == ([], ["app 1.0 -> 2.0"], [])
        assert plan(prefix, "app", upgrade=True).commands == ()
        assert "--update-specs" in last_entry(prefix)[1]

    def test_a_build_string(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "independent")
        assert (prefix / "share/independent").read_text() == "b"
        done = change(prefix, "independent=1.0=a_0")
        assert [(old.build, new.build) for old, new in done.changed] == [("b_1", "a_0")]
        assert (prefix / "share/independent").read_text() == "a"

    def test_the_prefix_is_written_into_files(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        change(prefix, "prefixed")
        assert (prefix / "share/prefix.txt").read_text() == f"{prefix}/share\n"
        binary = (prefix / "lib/libprefixed.so").read_bytes()
        assert binary.startswith(b"\0" + str(prefix).encode() + b"/lib\0")
        assert len(binary) == len(PLACEHOLDER) + 7

    def test_python_keeps_its_minor_version(self, make: Callable[..., Path]) -> None:
        prefix = make("python=3")
        with pytest.raises(CommandFailed) as caught:
            plan(prefix, "python2-only")
        assert "another version of Python" in caught.value.advice[0]
        assert outline(plan(prefix, "python2-only", "python=2").change or Change())[1]

    def test_a_package_of_one_channel(
        self, make: Callable[..., Path], tmp_path: Path, builder: ChannelBuilder
    ) -> None:
        prefix = make("python")
        other = ChannelBuilder(tmp_path / "other channel")
        other.add_package("independent", "0.5", files={"share/independent": "other"})
        other.index()
        done = change(prefix, f"{other.url}::independent")
        assert [package.version for package in done.added] == ["0.5"]
        channel = record(prefix, "independent")["channel"]
        assert channel == f"{other.url}/{platform_subdir()}"
        assert plan(prefix, f"{other.url}::independent").commands == ()
        assert plan(prefix, f"{builder.url}::independent").commands

    def test_options_are_for_executables(self, make: Callable[..., Path]) -> None:
        with pytest.raises(Stopped, match="--no-deps is for a conda executable"):
            plan(make("python"), "app", options=("--no-deps",))

    @pytest.mark.parametrize("spec", ["a;rm -rf x", "$(id)", "`id`", "-c", "app\n-c"])
    def test_what_is_no_match_spec(self, make: Callable[..., Path], spec: str) -> None:
        with pytest.raises(InvalidSpec):
            plan(make("python"), spec)


class TestRemove:
    def test_with_what_nobody_needs_any_more(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        before = tree(prefix)
        change(prefix, "app")
        settled(prefix)
        assert outline(remove(prefix, "app")) == ([], [], ["app 2.0", "library 2.0"])
        left = tree(prefix) - before
        assert left == {"conda-meta/jstackmagic.lock"}

    def test_what_was_asked_for_stays(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app", "library")
        assert outline(remove(prefix, "app")) == ([], [], ["app 2.0"])

    def test_what_needs_it_goes_too(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app", "independent")
        assert outline(remove(prefix, "library")) == ([], [], ["app 2.0", "library 2.0"])

    def test_what_is_not_there(self, make: Callable[..., Path]) -> None:
        with pytest.raises(CommandFailed, match="Not installed by conda: ap") as caught:
            plan(make("python", "app"), "ap", action="remove")
        assert "Installed is: app" in caught.value.advice

    def test_what_conda_linked_is_taken_away_whole(self, make: Callable[..., Path]) -> None:
        """conda writes the paths of noarch packages as they are in the archive."""
        prefix = make("python", "app")
        (path,) = prefix.glob("conda-meta/app-*.json")
        data = json.loads(path.read_text())
        for entry in data["paths_data"]["paths"]:
            entry["_path"] = entry["_path"].replace(f"{STDLIB}/", "")
        compiled = f"{SITE_PACKAGES}/__pycache__/app_tool.{BYTECODE}"
        (prefix / compiled).parent.mkdir(exist_ok=True)
        (prefix / compiled).touch()
        data["files"].append(compiled)
        path.write_text(json.dumps(data))
        remove(prefix, "app")
        assert not [name for name in tree(prefix) if "app" in Path(name).name]


class TestAsConda:
    def test_the_history(self, make: Callable[..., Path], builder: ChannelBuilder) -> None:
        prefix = make("python")
        channel = builder.url
        change(prefix, "app>=1.1,<2", "independent=1.0")
        head, command, *lines = last_entry(prefix)
        assert re.fullmatch(r"==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==", head)
        assert (
            command == f"# cmd: conda install --yes --prefix {prefix} app>=1.1,<2 independent=1.0"
        )
        assert f"+{channel}/{platform_subdir()}::independent-1.0-b_1" in lines
        assert f"+{channel}/noarch::app-1.1-py_0" in lines
        assert f"+{channel}/noarch::library-2.0-py_0" in lines
        assert lines[-1] == "# update specs: [\"app[version='>=1.1,<2']\", 'independent=1.0']"
        remove(prefix, "app")
        _, command, *lines = last_entry(prefix)
        assert command == f"# cmd: conda remove --yes --prefix {prefix} app"
        assert lines == [
            f"-{channel}/noarch::app-1.1-py_0",
            f"-{channel}/noarch::library-2.0-py_0",
            "# remove specs: ['app']",
        ]
        assert "conda version" not in history(prefix)

    def test_the_record(
        self, make: Callable[..., Path], builder: ChannelBuilder, packages: Path
    ) -> None:
        prefix = make("python")
        change(prefix, "app=1.0")
        data = record(prefix, "app")
        archive = builder.folder / "noarch/app-1.0-py_0.tar.bz2"
        assert data["channel"] == f"{builder.url}/noarch"
        assert data["url"] == archive.as_uri()
        assert data["requested_spec"] == "app=1.0"
        assert data["requested_specs"] == ["app=1.0"]
        assert data["package_type"] == "noarch_python"
        assert data["package_tarball_full_path"] == str(archive)
        assert data["extracted_package_dir"] == str(packages / "app-1.0-py_0")
        assert sorted(data["files"]) == [
            "bin/app",
            f"{SITE_PACKAGES}/__pycache__/app_tool.{BYTECODE}",
            f"{SITE_PACKAGES}/app/__init__.py",
            f"{SITE_PACKAGES}/app/__main__.py",
            f"{SITE_PACKAGES}/app/__pycache__/__init__.{BYTECODE}",
            f"{SITE_PACKAGES}/app/__pycache__/__main__.{BYTECODE}",
            f"{SITE_PACKAGES}/app_tool.py",
        ]
        assert "requested_spec" not in record(prefix, "library")

    def test_the_bytecode(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        change(prefix, "app")
        settled(prefix)
        data = record(prefix, "app")
        assert all((prefix / name).is_file() for name in data["files"])
        assert journal.read(str(prefix)) is None

    def test_the_bytecode_is_made_once_for_a_python(
        self, make: Callable[..., Path], packages: Path
    ) -> None:
        compiled = f"{SITE_PACKAGES}/__pycache__/app_tool.{BYTECODE}"
        one, other, third = (make("python", name=name) for name in ("one", "other", "third"))
        change(one, "app")
        settled(one)
        change(other, "app")
        assert not Path(other, bytecode.LIST).exists()
        assert (other / compiled).samefile(one / compiled)
        # what is not of this very source is made again
        os.utime(next(packages.glob("app-*/site-packages/app_tool.py")), (1, 1))
        change(third, "app")
        settled(third)
        assert not (third / compiled).samefile(one / compiled)
        assert (third / compiled).read_bytes()[8:12] == b"\1\0\0\0"

    def test_no_mark_of_another_tool(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        (prefix / "CACHEDIR.TAG").unlink(missing_ok=True)
        change(prefix, "app")
        assert not (prefix / "CACHEDIR.TAG").exists()
        (prefix / "CACHEDIR.TAG").write_text("somebody wants it")
        remove(prefix, "app")
        assert (prefix / "CACHEDIR.TAG").read_text() == "somebody wants it"

    def test_earlier_requests_are_kept(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.0", "independent=1.0=a_0")
        change(prefix, "prefixed")
        assert record(prefix, "app")["requested_specs"] == ["app 1.0.*"]  # as it was written
        change(prefix, "library=1.0")
        assert record(prefix, "independent")["build"] == "a_0"
        assert outline(change(prefix, "app=1.1"))[1] == ["app 1.0 -> 1.1"]
        assert record(prefix, "app")["requested_spec"] == "app=1.1"
        assert record(prefix, "library")["requested_spec"] == "library=1.0"

    def test_what_was_a_dependency_becomes_asked_for(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app")
        change(prefix, "library", "independent")
        assert record(prefix, "library")["requested_spec"] == "library"
        assert outline(remove(prefix, "app"))[2] == ["app 2.0"]

    def test_the_list_of_environments(self, make: Callable[..., Path], home: Path) -> None:
        prefix = make("python")
        change(prefix, "app")
        remove(prefix, "app")
        listed = (home / ".conda/environments.txt").read_text().splitlines()
        assert listed == [str(prefix)]

    def test_the_package_cache(self, make: Callable[..., Path], packages: Path) -> None:
        change(make("python"), "prefixed")
        noted = json.loads((packages / "prefixed-1.0-0/info/repodata_record.json").read_text())
        assert noted["fn"] == "prefixed-1.0-0.conda"
        assert noted["sha256"]
        assert (packages / "urls.txt").exists()

    def test_a_conda_that_is_here_agrees(
        self, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        conda = CONDA
        if conda is None:
            pytest.skip("there is no conda on the PATH")
        monkeypatch.setenv("CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY", "false")  # the channel has none
        prefix = make("python")
        change(prefix, "app=1.1", "independent")
        change(prefix, "app", upgrade=True)
        settled(prefix)

        def ask(*words: str) -> Any:
            command = [conda, *words, "--json", "--prefix", str(prefix)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return json.loads(done.stdout)

        listed = {item["name"]: item["version"] for item in ask("list")}
        assert listed["app"] == "2.0"
        revisions = ask("list", "--revisions")
        assert [len(revision["upgrade"]) for revision in revisions][-1] == 1
        exported = subprocess.run(
            [conda, "env", "export", "--from-history", "--prefix", str(prefix)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "- app\n" in exported
        assert "library" not in exported
        assert "already installed" in ask("install", "--yes", "app", "independent")["message"]
        gone = ask("remove", "--yes", "--dry-run", "app")["actions"]["UNLINK"]
        assert {item["name"] for item in gone} == {"app", "library"}
        change(prefix, "app=1.0")
        removed = subprocess.run(
            [conda, "remove", "--yes", "app", "--prefix", str(prefix)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert removed.returncode == 0, removed.stderr
        assert not [name for name in tree(prefix) if "app" in Path(name).name]


class TestNoWay:
    def refused(self, prefix: Path, *specs: str, **more: object) -> CommandFailed:
        settled(prefix)
        before = tree(prefix)
        with pytest.raises(CommandFailed) as caught:
            plan(prefix, *specs, **more)
        assert caught.value.kept == "Nothing was changed."
        assert tree(prefix) == before
        return caught.value

    def test_no_such_package(self, make: Callable[..., Path], builder: ChannelBuilder) -> None:
        error = self.refused(make("python"), "librarry", "app")
        assert error.problem == f"No package called librarry in {builder.url}."
        assert error.advice[0] == "Did you mean library?"
        assert error.advice[-1].endswith("%envinstall --pip librarry")

    def test_no_such_version(self, make: Callable[..., Path]) -> None:
        error = self.refused(make("python"), "app>=3", "library")
        assert error.problem.startswith("No package matches app>=3 in ")
        assert "There is app: 2.0, 1.1, 1.0" in error.advice

    def test_two_that_exclude_each_other(self, make: Callable[..., Path]) -> None:
        error = self.refused(make("python"), "old-library-user", "library=2")
        assert "old-library-user" in error.problem
        assert "library" in error.problem

    def test_what_was_asked_for_earlier(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        change(prefix, "library=2.0")
        error = self.refused(prefix, "old-library-user")
        assert "What you asked for earlier stands in the way: library=2.0 " in error.advice[0]
        assert error.advice[-1].endswith("%envinstall old-library-user library")
        done = change(prefix, "old-library-user", "library")
        assert outline(done)[1] == ["library 2.0 -> 1.0"]

    def test_a_pin(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        (prefix / "conda-meta/pinned").write_text("# ours\nlibrary <2\n")
        assert outline(change(prefix, "library")) == (["library 1.0"], [], [])
        error = self.refused(prefix, "library=2")
        assert "A pin stands in the way: library <2" in error.advice[0]
        assert plan(prefix, "library", upgrade=True).commands == ()

    def test_a_pin_of_the_configuration(
        self, make: Callable[..., Path], builder: ChannelBuilder
    ) -> None:
        write_condarc(f"channels: ['{builder.url}']\npinned_packages: ['library=1']\n")
        prefix = make("python")
        assert outline(change(prefix, "app")) == (["app 1.1", "library 1.0"], [], [])

    def test_a_channel_that_is_none(self, make: Callable[..., Path], tmp_path: Path) -> None:
        prefix = make("python")
        error = self.refused(
            prefix, "app", sources=Sources(channels=(f"file://{tmp_path}/nowhere",))
        )
        assert f"There is no channel at file://{tmp_path}/nowhere" in error.problem

    def test_a_channel_that_is_not_allowed(
        self, make: Callable[..., Path], builder: ChannelBuilder
    ) -> None:
        prefix = make("python")
        write_condarc(f"channels: ['{builder.url}']\ndenylist_channels: [bioconda]\n")
        error = self.refused(prefix, "app", sources=Sources(channels=("bioconda",)))
        assert "does not allow the channel https://conda.anaconda.org/bioconda" in error.problem

    def test_what_the_system_lacks(
        self, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = make("python")
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
        assert "__cuda" in self.refused(prefix, "needs-cuda").problem
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
        assert plan(prefix, "needs-cuda").commands
        assert "__linux" in self.refused(prefix, "needs-linux-99").problem
        monkeypatch.setenv("CONDA_OVERRIDE_LINUX", "99.1")
        assert plan(prefix, "needs-linux-99").commands

    @pytest.mark.parametrize(
        ("name", "variable"),
        [("needs-cuda", "CONDA_OVERRIDE_CUDA=12.4"), ("needs-linux-99", "CONDA_OVERRIDE_LINUX=99")],
    )
    def test_what_a_request_says_of_the_system(
        self,
        name: str,
        variable: str,
        make: Callable[..., Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
        assert plan(make("python"), name, sources=Sources(variables=(variable,))).commands


class TestChannelPriority:
    @pytest.fixture
    def weaker(self, tmp_path: Path, builder: ChannelBuilder) -> ChannelBuilder:
        weaker = ChannelBuilder(tmp_path / "weaker")
        weaker.add_package("independent", "3.0", files={"share/independent": "weaker"})
        weaker.add_package("needs-3", "1.0", depends=["independent >=3"])
        weaker.index()
        return weaker

    def configure(self, priority: str, *channels: ChannelBuilder) -> None:
        urls = ", ".join(f"'{channel.url}'" for channel in channels)
        write_condarc(f"channel_priority: {priority}\nchannels: [{urls}]\n")

    @pytest.mark.parametrize(
        ("priority", "version"), [("strict", "1.0"), ("flexible", "1.0"), ("disabled", "3.0")]
    )
    def test_which_version_wins(
        self,
        make: Callable[..., Path],
        builder: ChannelBuilder,
        weaker: ChannelBuilder,
        priority: str,
        version: str,
    ) -> None:
        prefix = make("python")
        self.configure(priority, builder, weaker)
        assert outline(plan(prefix, "independent").change or Change())[0] == [
            f"independent {version}"
        ]

    def test_flexible_reaches_down_where_it_must(
        self, make: Callable[..., Path], builder: ChannelBuilder, weaker: ChannelBuilder
    ) -> None:
        prefix = make("python")
        self.configure("strict", builder, weaker)
        with pytest.raises(CommandFailed):
            plan(prefix, "needs-3")
        self.configure("flexible", builder, weaker)
        assert outline(plan(prefix, "needs-3").change or Change())[0] == [
            "independent 3.0",
            "needs-3 1.0",
        ]

    def test_the_request_s_channel_is_the_strongest(
        self, make: Callable[..., Path], weaker: ChannelBuilder
    ) -> None:
        made = plan(make("python"), "independent", sources=Sources(channels=(weaker.url,)))
        assert outline(made.change or Change())[0] == ["independent 3.0"]
        assert made.commands[0].argv[-3:] == ("-c", weaker.url, "independent")


class TestArchive:
    @pytest.fixture(params=[".conda", ".tar.bz2"])
    def archive(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        return ChannelBuilder(tmp_path / "built here").add_package(
            "local",
            "1.5",
            build="h1_0",
            depends=["python", "library"],
            files={"share/local": "x"},
            archive=request.param,
        )

    def test_it_is_installed_alone(self, make: Callable[..., Path], archive: Path) -> None:
        prefix = make("python")
        made = plan(prefix, str(archive))
        assert made.notes[0].endswith("local also needs: %envinstall --conda library")
        assert outline(change(prefix, str(archive))) == (["local 1.5"], [], [])
        assert (prefix / "share/local").read_text() == "x"
        folder = archive.parent
        assert record(prefix, "local")["channel"] == folder.as_uri()
        spelled = f"{folder.as_uri()}::local==1.5=h1_0"
        assert last_entry(prefix)[-1] == f"# update specs: ['{spelled}']"
        assert plan(prefix, str(archive)).commands == ()

    def test_beside_other_specs(self, make: Callable[..., Path], archive: Path) -> None:
        prefix = make("python")
        made = plan(prefix, "app", str(archive))
        assert [command.argv[-1] for command in made.commands] == ["app", str(archive)]
        assert outline(change(prefix, "app", str(archive)))[0] == [
            "app 2.0",
            "library 2.0",
            "local 1.5",
        ]
        assert last_entry(prefix)[1].endswith(f" app {archive}")

    def test_from_a_folder_that_is_no_channel(
        self, make: Callable[..., Path], archive: Path, tmp_path: Path
    ) -> None:
        prefix = make("python")
        loose = shutil.copy(archive, tmp_path)
        change(prefix, str(loose))
        assert record(prefix, "local")["channel"] == "<unknown>"
        assert f"+<unknown>/{platform_subdir()}::local-1.5-h1_0" in last_entry(prefix)
        # the next solution leaves it alone, though no channel has it
        assert outline(change(prefix, "app"))[2] == []

    def test_another_archive_of_the_same_name(
        self, make: Callable[..., Path], archive: Path, tmp_path: Path
    ) -> None:
        prefix = make("python")
        change(prefix, str(archive))
        other = ChannelBuilder(tmp_path / "rebuilt").add_package(
            "local", "1.5", build="h1_0", files={"share/local": "other contents"}
        )
        assert rattler.manager().run(plan(prefix, str(other)), PlainConsole(lambda _: None)) == 0
        assert (prefix / "share/local").read_text() == "other contents"

    def test_one_for_another_machine(self, make: Callable[..., Path], tmp_path: Path) -> None:
        prefix = make("python")
        archive = make_foreign(tmp_path)
        with pytest.raises(CommandFailed, match="is made for win-64"):
            plan(prefix, str(archive))


def make_foreign(folder: Path) -> Path:
    """An archive whose metadata says it is for Windows."""
    import io
    import tarfile

    archive = folder / "foreign-1.0-0.tar.bz2"
    index = {"name": "foreign", "version": "1.0", "build": "0", "build_number": 0}
    files = {
        "info/index.json": json.dumps({**index, "subdir": "win-64", "depends": []}),
        "info/paths.json": json.dumps({"paths": [], "paths_version": 1}),
        "info/files": "",
    }
    with tarfile.open(archive, "w:bz2") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive


class TestLinkScripts:
    def test_their_words_are_shown(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        words: list[str] = []
        assert rattler.manager().run(plan(prefix, "scripted"), PlainConsole(words.append)) == 0
        assert "hello from scripted 1.0\n" in "".join(words)
        assert not (prefix / ".messages.txt").exists()

    def test_one_that_fails(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        words: list[str] = []
        assert rattler.manager().run(plan(prefix, "failing"), PlainConsole(words.append)) == 1
        assert "The link script of failing failed; its files are linked." in "".join(words)
        assert record(prefix, "failing")["requested_spec"] == "failing"

    def test_one_that_runs_before_removal(self, make: Callable[..., Path], home: Path) -> None:
        prefix = make("python", "tidying")
        remove(prefix, "tidying")
        assert (home / "tidied").read_text() == "tidying 1.0\n"


class TestOtherEnvironments:
    def test_without_python(self, make: Callable[..., Path]) -> None:
        prefix = make("independent")
        assert outline(change(prefix, "prefixed"))[0] == ["prefixed 1.0"]
        assert outline(remove(prefix, "independent"))[2] == ["independent 1.0"]

    def test_of_python_2(self, make: Callable[..., Path]) -> None:
        prefix = make("python=2.7")
        change(prefix, "app=1.1")
        settled(prefix)
        assert (prefix / "lib/python2.7/site-packages/app_tool.py").is_file()
        assert "lib/python2.7/site-packages/app_tool.pyc" in record(prefix, "app")["files"]
        remove(prefix, "app")
        assert not (prefix / "lib/python2.7/site-packages/app").exists()

    def test_python_s_minor_version_moves(self, make: Callable[..., Path]) -> None:
        prefix = make("python=2.7", "app=1.1")
        done = change(prefix, "python=3")
        assert [old.version for old, _ in done.changed if old.name == "python"] == ["2.7.18"]
        settled(prefix)
        assert (prefix / f"{SITE_PACKAGES}/app_tool.py").is_file()
        assert not (prefix / "lib/python2.7/site-packages/app_tool.py").exists()
        assert f"{SITE_PACKAGES}/app_tool.py" in record(prefix, "app")["files"]

    def test_a_named_one(
        self, tmp_path: Path, builder: ChannelBuilder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CONDA_PKGS_DIRS")
        root = make_root(tmp_path / "root", "python", channels=[builder.url])
        prefix = root.create("analysis", "python")
        (command,) = plan(prefix, "app").commands
        assert command.argv[:5] == ("conda", "install", "--yes", "--name", "analysis")
        change(prefix, "app")
        folder = record(prefix, "app")["extracted_package_dir"]
        assert folder == str(root.packages / "app-2.0-py_0")  # conda's own cache

    def test_the_base(self, tmp_path: Path, builder: ChannelBuilder) -> None:
        root = make_root(tmp_path / "root", "python", channels=[builder.url])
        (command,) = plan(root.prefix, "app").commands
        assert command.argv[3:5] == ("--name", "base")


class TestConfiguration:
    def test_what_conda_updates_each_time(
        self, make: Callable[..., Path], builder: ChannelBuilder
    ) -> None:
        prefix = make("python", "app=1.0", "library=1.0")
        with (prefix / "conda-meta/history").open("a") as file:
            file.write("==> 2026-01-01 00:00:00 <==\n# cmd: conda\n# update specs: ['library']\n")
        assert outline(plan(prefix, "independent").change or Change())[1] == []
        with Path(os.environ["CONDARC"]).open("a") as file:
            file.write("aggressive_update_packages: [library]\n")
        done = outline(plan(prefix, "independent").change or Change())
        assert done == (["independent 1.0"], ["library 1.0 -> 2.0"], [])

    def test_what_is_not_honoured_is_told(
        self, make: Callable[..., Path], tmp_path: Path, builder: ChannelBuilder
    ) -> None:
        root = make_root(tmp_path / "root", "python", channels=[builder.url])
        environment = detect(root.prefix)
        assert rattler.unhonoured(environment) == ()
        for name, group in (("corporate_auth", "conda"), ("menuinst", "conda"), ("six", "x")):
            info = root.prefix / SITE_PACKAGES / f"{name}-1.0.dist-info"
            info.mkdir()
            (info / "entry_points.txt").write_text(f"[{group}]\nplugin = {name}\n")
        with Path(os.environ["CONDARC"]).open("a") as file:
            file.write("track_features: [x]\nproxy_servers:\n  https://a.example: http://p\n")
        assert rattler.unhonoured(environment) == (
            f"track_features ({os.environ['CONDARC']})",
            "proxy_servers: https://a.example",
            "the plugin corporate-auth",
        )
        (note,) = plan(root.prefix, "app").notes
        assert "the plugin corporate-auth" in note

    def test_no_place_for_packages(
        self, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = make("python", "independent")
        monkeypatch.setenv("CONDA_PKGS_DIRS", "/dev/null/pkgs")
        with pytest.raises(CommandFailed, match="No package cache can be written to: /dev/null"):
            rattler.manager().run(plan(prefix, "app"), PlainConsole(lambda _: None))
        assert outline(remove(prefix, "independent"))[2] == ["independent 1.0"]


class TestHistoryFile:
    def write(self, prefix: Path, text: str) -> str:
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "conda-meta/history").write_text(text)
        return str(prefix)

    def test_the_user_s_requests(self, tmp_path: Path) -> None:
        prefix = self.write(
            tmp_path,
            "==> 2017-01-01 00:00:00 <==\n"
            "# cmd: conda create a b c\n"
            "# create specs: a >=1.5.1,<2.0,b,c\n"
            "==> 2020-01-01 00:00:00 <==\n"
            "# conda version: 4.8.0\n"
            "# update specs: [\"d[version='>=1']\", 'conda-forge::b=2', '*[md5=0]']\n"
            "==> 2021-01-01 00:00:00 <==\n"
            "# remove specs: ['c']\n"
            "# neutered specs: ['a']\n",
        )
        assert condahistory.requested(prefix) == {
            "a": "a",
            "b": "conda-forge::b=2",
            "d": "d[version='>=1']",
        }

    def test_the_last_state(self, tmp_path: Path) -> None:
        prefix = self.write(
            tmp_path,
            "a comment\n"
            "==> 2017-01-01 00:00:00 <==\nc/noarch::a-1-0\nc/noarch::b-1-0\n"
            "==> 2018-01-01 00:00:00 <==\n# cmd: conda install\n"
            "-c/noarch::a-1-0\n+c/noarch::a-2-0\n"
            "==> 2019-01-01 00:00:00 <==\n# cmd: conda install\n# update specs: ['a']\n",
        )
        assert condahistory.state(prefix) == {"c/noarch::a-2-0", "c/noarch::b-1-0"}

    def test_none(self, tmp_path: Path) -> None:
        assert condahistory.requested(str(tmp_path)) == {}
        assert condahistory.state(str(tmp_path)) == set()

    def test_an_entry_is_whole_lines_without_secrets(self) -> None:
        text = condahistory.entry(
            argv=("conda", "install", "-c", "https://me:s3cret@ch.example/c", "a\n+b"),
            before=set(),
            after=set(),
            updated=("https://me:s3cret@ch.example/c::a",),
        )
        assert len(text.splitlines()) == 3
        assert "s3cret" not in text


SCRIPT = """
import sys
from jstackmagic.display.console import PlainConsole, quiet
from jstackmagic.where.detect import detect
from jstackmagic.managers.conda import rattler
from jstackmagic.model.request import Request
from jstackmagic.model.errors import JStackMagicError

environment = detect(sys.argv[1])
made = rattler.manager().plan(Request("install", "conda", tuple(sys.argv[2:])), environment)
print("planned", flush=True)
try:
    console = PlainConsole(lambda words: print(words, end="", flush=True))
    status = rattler.manager().run(made, console)
except JStackMagicError as error:
    print(type(error).__name__, error, flush=True)
    status = 3
print("changed", status, flush=True)
"""


def start(prefix: Path, *specs: str) -> subprocess.Popen[str]:
    """Another process that installs, and ends at once."""
    command = [sys.executable, "-c", SCRIPT, str(prefix), *specs]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class TestProcesses:
    def test_inside_a_running_event_loop(self, make: Callable[..., Path]) -> None:
        prefix = make("python")

        async def cell() -> int:
            return rattler.manager().run(plan(prefix, "app"), PlainConsole(lambda _: None))

        assert asyncio.run(cell()) == 0
        assert record(prefix, "app")["version"] == "2.0"

    def test_words_come_in_the_calling_thread(self, make: Callable[..., Path]) -> None:
        threads: set[str] = set()
        rattler.manager().run(
            plan(make("python"), "app"),
            PlainConsole(lambda _: threads.add(threading.current_thread().name)),
        )
        assert threads == {threading.current_thread().name}

    def test_a_process_that_ends_at_once(self, make: Callable[..., Path]) -> None:
        """Without a guard, one in ten crashes."""
        prefixes = [make("python", name=f"environment {number}") for number in range(4)]
        for pair in zip(prefixes[::2], prefixes[1::2], strict=True):
            for process in [start(prefix, "independent") for prefix in pair]:
                out, err = process.communicate(timeout=PATIENCE)
                assert (process.returncode, err) == (0, ""), out
                assert out.endswith("changed 0\n")

    def test_two_at_once(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        processes = [start(prefix, "app"), start(prefix, "independent", "prefixed")]
        for process in processes:
            out, err = process.communicate(timeout=PATIENCE)
            assert out.endswith("changed 0\n"), out + err
        settled(prefix)
        assert {"app", "library", "independent", "prefixed"} <= {
            package.name for package in read_packages(detect(prefix), ("conda",)).packages
        }
        text = history(prefix)
        assert "# update specs: ['app']\n" in text
        assert "# update specs: ['independent', 'prefixed']\n" in text
        assert text.count("::app-2.0") == 1

    def test_the_second_waits_and_says_so(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        lock = take(journal._lock_file(str(prefix)))
        assert isinstance(lock, Lock)
        with lock:
            process = start(prefix, "app")
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            assert not list(prefix.glob("conda-meta/app-*"))
        rest, err = process.communicate(timeout=PATIENCE)
        assert lines[0] == "planned\n"
        assert lines[1].startswith(f"{prefix} is being changed by process {os.getpid()} (")
        assert lines[1].endswith("): waiting for that to end.\n")
        assert rest.endswith("changed 0\n"), err

    def test_a_holder_that_cannot_be_seen_is_not_waited_for_long(
        self, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a pod that is gone, say: its lock stays until NFS's server lets it go."""
        prefix = make("python")
        made = plan(prefix, "app")
        monkeypatch.setattr(journal, "_UNSEEN", 0.3)
        monkeypatch.setattr(journal, "take", lambda *_, **__: Held("process 7 of pod-a", False))
        with pytest.raises(CommandFailed, match=f"{prefix} is locked by process 7 of pod-a"):
            rattler.manager().run(made, PlainConsole(lambda _: None))

    def test_where_there_are_no_locks_it_is_said(
        self, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = make("python")
        made = plan(prefix, "app")
        monkeypatch.setattr(journal, "take", lambda *_, **__: NoLocks("/x has no file locks"))
        words: list[str] = []
        assert rattler.manager().run(made, PlainConsole(words.append)) == 0
        assert words[0] == (
            f"/x has no file locks: see that nothing else changes {prefix} meanwhile.\n"
        )

    def test_the_same_by_both(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        made = plan(prefix, "independent")
        change(prefix, "independent")
        size = len(history(prefix))
        words: list[str] = []
        assert rattler.manager().run(made, PlainConsole(words.append)) == 0
        assert "".join(words) == "Another process has done it meanwhile.\n"
        assert len(history(prefix)) == size

    def test_a_plan_that_no_longer_holds(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "library=1.0")
        made = plan(prefix, "app=1.1")
        change(prefix, "old-library-user")
        remove(prefix, "library")
        with pytest.raises(CommandFailed, match="has changed since this was planned"):
            rattler.manager().run(made, PlainConsole(lambda _: None))
        assert not list(prefix.glob("conda-meta/app-*"))
        assert plan(prefix, "app=1.1").commands


class TestInterrupted:
    def test_while_linking_it_is_carried_out(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        made = plan(prefix, "slow")
        words: list[str] = []

        interrupt_when((prefix / "slow-began").exists)
        with pytest.raises(Interrupted) as caught:
            rattler.manager().run(made, PlainConsole(words.append))
        assert caught.value.kept == "The change was carried out whole."
        assert "waiting until the packages are linked" in "".join(words)
        assert (prefix / "slow-ended").exists()
        assert "+file://" in "".join(last_entry(prefix))
        assert journal.read(str(prefix)) is None

    def test_while_waiting_nothing_was_changed(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        made = plan(prefix, "app")
        before = tree(prefix)
        words: list[str] = []
        with take(journal._lock_file(str(prefix))):  # type: ignore[union-attr]
            interrupt_when(lambda: "waiting for that to end" in "".join(words))
            with pytest.raises(Interrupted) as caught:
                rattler.manager().run(made, PlainConsole(words.append))
        assert caught.value.kept == "Nothing was changed."
        assert tree(prefix) - before <= {"conda-meta/jstackmagic.lock"}


class TestRepair:
    def cut_off(self, prefix: Path, *specs: str) -> None:
        """A process killed while the last of the packages runs its script."""
        process = start(prefix, *specs, "slow")
        while not (prefix / "slow-began").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()

    def test_it_is_told_and_finished(self, make: Callable[..., Path]) -> None:
        prefix = make("python", "app=1.0", "library=1.0")
        before = history(prefix)
        self.cut_off(prefix, "app=1.1", "independent")
        (prefix / f"{SITE_PACKAGES}/app/__init__.py").unlink()  # a link into the package cache
        (prefix / f"{SITE_PACKAGES}/app/__init__.py").write_text("half wri")
        for path in prefix.glob("conda-meta/app-*.json"):
            path.unlink()
        assert history(prefix) == before
        with pytest.raises(Stopped) as caught:
            plan(prefix, "library")
        assert "was cut off" in caught.value.problem
        assert "Linked: independent-1.0-b_1, slow-1.0-0" in caught.value.problem
        assert "Not or half linked: app-1.1-py_0" in caught.value.problem
        assert caught.value.advice == (f"Finish it: {repair_line(str(prefix))}",)
        words: list[str] = []
        assert rattler.repair(detect(prefix), PlainConsole(words.append))
        assert "Finishing: conda install" in "".join(words)
        settled(prefix)
        assert (prefix / f"{SITE_PACKAGES}/app/__init__.py").read_text() == "version = '1.1'\n"
        assert last_entry(prefix)[-1] == "# update specs: ['app=1.1', 'independent', 'slow']"
        assert record(prefix, "app")["requested_spec"] == "app=1.1"
        assert not rattler.repair(detect(prefix), PlainConsole(words.append))
        assert plan(prefix, "app=1.1").commands == ()

    def test_only_bytecode_missing_stops_nobody(self, make: Callable[..., Path]) -> None:
        prefix = make("python")
        change(prefix, "app")
        settled(prefix)
        compiled = prefix / f"{SITE_PACKAGES}/__pycache__/app_tool.{BYTECODE}"
        compiled.unlink()
        left = [f"{SITE_PACKAGES}/app_tool.py", f"{SITE_PACKAGES}/gone.py"]
        (prefix / "conda-meta/jstackmagic.bytecode").write_text("\n".join(left))
        change(prefix, "independent")
        settled(prefix)
        assert compiled.exists()

    def test_a_package_that_left_the_cache_is_fetched_again(
        self, make: Callable[..., Path], packages: Path
    ) -> None:
        prefix = make("python")
        self.cut_off(prefix, "prefixed")
        shutil.rmtree(packages / "prefixed-1.0-0")
        assert rattler.repair(detect(prefix), quiet())
        assert (prefix / "share/prefix.txt").read_text() == f"{prefix}/share\n"


# Over the network


class Server(http.server.ThreadingHTTPServer):
    """A channel on the loopback address.

    Attributes:
        requests: The paths that were asked for, with the credentials that came along.
        stall: Archives are sent slowly while this is set.
        secret: What requests must carry; nothing where it is empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str]] = []
        self.stall = threading.Event()
        self.secret = ""
        handler = functools.partial(_Handler, directory=str(folder))
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that went away is none."""

    def archives(self) -> list[str]:
        return [path for path, _ in self.requests if path.endswith((".conda", ".bz2"))]


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        given = self.headers.get("Authorization") or ""
        self.path = re.sub(r"^http://[^/]+", "", self.path)  # asked as a proxy
        self.server.requests.append((self.path, given))
        if self.server.secret and given != self.server.secret:
            self.send_error(401)
        elif self.server.stall.is_set() and self.path.endswith(".conda"):
            self.send_response(200)
            self.end_headers()
            while self.server.stall.is_set():
                try:
                    self.wfile.write(b"x" * 4096)
                except OSError:
                    return
                time.sleep(0.05)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def encrypt(server: Server, folder: Path) -> Path:
    """Makes a server speak TLS, with a certificate of an authority nobody knows; returns that."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], check=True, capture_output=True, cwd=folder)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")
    run("req", "-x509", *new_key, "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Ours")
    run("req", *new_key, "key.pem", "-out", "leaf.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    run("x509", "-req", "-in", "leaf.csr", *sign, "-days", "2", "-out", "leaf.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return folder / "ca.pem"


@pytest.fixture
def server(builder: ChannelBuilder, tmp_path: Path) -> Iterator[Server]:
    folder = shutil.copytree(builder.folder, tmp_path / "served")
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.stall.clear()
        server.shutdown()
        thread.join()


class TestNetwork:
    @pytest.fixture(autouse=True)
    def _own_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server) -> None:
        monkeypatch.setenv("CONDA_PKGS_DIRS", str(tmp_path / "pkgs"))
        write_condarc(f"channels: ['{server.url}']\n")

    def test_what_is_fetched_is_kept(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        prefix = make("python")
        words: list[str] = []
        assert rattler.manager().run(plan(prefix, "app=1.1"), PlainConsole(words.append)) == 0
        assert "Fetching app-1.1-py_0.conda" in "".join(words)
        archive = tmp_path / "pkgs/app-1.1-py_0.conda"
        assert archive.is_file()
        assert record(prefix, "app")["package_tarball_full_path"] == str(archive)
        assert record(prefix, "app")["channel"] == f"{server.url}/noarch"
        assert (
            f"{server.url}/noarch/app-1.1-py_0.conda"
            in (tmp_path / "pkgs/urls.txt").read_text().splitlines()
        )
        assert f"+{server.url}/noarch::app-1.1-py_0" in last_entry(prefix)
        remove(prefix, "app")
        change(prefix, "app=1.1")
        assert len([path for path in server.archives() if "app-1.1" in path]) == 1

    def test_what_conda_fetched_is_used(
        self, make: Callable[..., Path], server: Server, tmp_path: Path, builder: ChannelBuilder
    ) -> None:
        (tmp_path / "pkgs").mkdir()
        shutil.copy(next(builder.folder.glob("*/prefixed-1.0-0.conda")), tmp_path / "pkgs")
        change(make("python"), "prefixed")
        assert server.archives() == []

    def test_other_contents_under_the_same_name_are_not(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        package = tmp_path / "pkgs/independent-1.0-b_1"
        (package / "info").mkdir(parents=True)
        (package / "info/index.json").write_text("{}")
        (package / "info/paths.json").write_text('{"paths": []}')
        (package / "info/repodata_record.json").write_text(f'{{"sha256": "{"0" * 64}"}}')
        prefix = make("python")
        change(prefix, "independent")
        assert (prefix / "share/independent").read_text() == "b"

    def test_an_archive_that_is_not_what_the_channel_says(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        prefix = make("python")
        made = plan(prefix, "independent")
        archive = next((tmp_path / "served").glob("*/independent-1.0-b_1.conda"))
        archive.write_bytes(b"something else")
        before = tree(prefix)
        with pytest.raises(CommandFailed, match="is not what its channel says"):
            rattler.manager().run(made, PlainConsole(lambda _: None))
        assert tree(prefix) - before <= {"conda-meta/jstackmagic.lock"}
        assert not list((tmp_path / "pkgs").glob("*independent*"))

    def test_an_archive_that_is_gone(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        prefix = make("python")
        made = plan(prefix, "app=2.0", "independent")
        next((tmp_path / "served").glob("*/independent-1.0-b_1.conda")).unlink()
        with pytest.raises(CommandFailed, match=r"independent-1\.0-b_1\.conda cannot be fetched"):
            rattler.manager().run(made, PlainConsole(lambda _: None))
        assert not list(prefix.glob("conda-meta/app*"))

    def test_offline(self, make: Callable[..., Path], server: Server) -> None:
        prefix = make("python")
        change(prefix, "independent")
        remove(prefix, "independent")
        with Path(os.environ["CONDARC"]).open("a") as file:
            file.write("offline: true\n")
        asked = len(server.requests)
        change(prefix, "independent")
        assert len(server.requests) == asked
        with pytest.raises(CommandFailed, match=r"offline, and prefixed-1\.0-0\.conda is in no"):
            rattler.manager().run(plan(prefix, "prefixed"), PlainConsole(lambda _: None))

    def test_a_server_that_is_down(self, make: Callable[..., Path], server: Server) -> None:
        prefix = make("python")
        with pytest.raises(CommandFailed, match=r"http://127.0.0.1:9/\S* cannot be reached"):
            plan(prefix, "app", sources=Sources(channels=("http://127.0.0.1:9/c",)))

    def test_credentials_are_sent_and_not_kept(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        server.secret = "Basic bWU6czNjcmV0"  # me:s3cret
        prefix = make("python")
        url = server.url.replace("//", "//me:s3cret@")
        write_condarc(f"channels: ['{url}']\n")
        words: list[str] = []
        assert rattler.manager().run(plan(prefix, "app"), PlainConsole(words.append)) == 0
        settled(prefix)
        kept = [*prefix.glob("conda-meta/*"), *(tmp_path / "pkgs").rglob("*.json")]
        kept.append(tmp_path / "pkgs/urls.txt")
        for path in kept:
            assert b"s3cret" not in path.read_bytes(), path
        assert "s3cret" not in "".join(words)
        write_condarc(f"channels: ['{server.url}/x/..']\n")
        with pytest.raises(CommandFailed, match="wants credentials"):
            plan(prefix, "independent")

    def test_netrc(
        self,
        make: Callable[..., Path],
        server: Server,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server.secret = "Basic bWU6czNjcmV0"
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
        netrc.chmod(0o600)
        environ = {**os.environ, "NETRC": str(netrc)}
        prefix = make("python")
        command = [sys.executable, "-c", SCRIPT, str(prefix), "independent"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.stdout.endswith("changed 0\n"), done.stdout + done.stderr

    @pytest.mark.parametrize("store", ["anaconda", "mamba token", "mamba password", "rattler"])
    def test_a_file_of_credentials(
        self,
        store: str,
        make: Callable[..., Path],
        server: Server,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        host = f"127.0.0.1:{server.server_port}"
        logins: dict[str, dict[str, str]] = {}
        environ = {}
        if store in ("anaconda", "mamba token"):  # the channel is there behind the token alone
            channel = f"{server.url}/private"
            behind = Path(server.folder, "t", "tk-123")
            behind.mkdir(parents=True)
            (behind / "private").symlink_to(server.folder)
        else:
            channel, server.secret = server.url, "Basic bWU6czNjcmV0"
        if store == "anaconda":
            file = home / ".config/binstar" / f"{quote_plus(server.url)}.token"
            file.parent.mkdir(parents=True)
            file.write_text("tk-123")
        elif store == "mamba token":
            logins[f"{host}/private"] = {"type": "CondaToken", "token": "tk-123"}
        elif store == "mamba password":
            logins[host] = {"type": "BasicHTTPAuthentication", "user": "me"}
            logins[host]["password"] = base64.b64encode(b"s3cret").decode()
        else:
            kept = {"BasicHTTP": {"username": "me", "password": "s3cret"}}
            (home / "credentials.json").write_text(json.dumps({"127.0.0.1": kept}))
            environ["RATTLER_AUTH_FILE"] = str(home / "credentials.json")
        if logins:
            file = home / ".mamba/auth/authentication.json"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(logins))
        write_condarc(f"channels: ['{channel}']\n")
        prefix = make("python")
        command = [sys.executable, "-c", SCRIPT, str(prefix), "independent"]
        done = subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )
        assert done.stdout.endswith("changed 0\n"), done.stdout + done.stderr
        settled(prefix)
        for path in prefix.glob("conda-meta/*"):
            assert not re.search(rb"tk-123|s3cret", path.read_bytes()), path
        assert record(prefix, "independent")["channel"].startswith(channel)

    def test_a_login_that_fits_into_no_url_is_left_to_the_executable(
        self, make: Callable[..., Path], server: Server, home: Path
    ) -> None:
        file = home / ".mamba/auth/authentication.json"
        file.parent.mkdir(parents=True)
        login = {"type": "BearerToken", "token": "s3cret"}
        file.write_text(json.dumps({f"127.0.0.1:{server.server_port}": login}))
        (reason,) = rattler.unhonoured(detect(make("python")))
        assert reason.startswith("BearerToken for 127.0.0.1")
        assert "s3cret" not in reason

    def test_interrupted_while_fetching(self, make: Callable[..., Path], server: Server) -> None:
        prefix = make("python")
        made = plan(prefix, "independent")
        server.stall.set()
        interrupt_when(server.archives)
        with pytest.raises(Interrupted) as caught:
            rattler.manager().run(
                made, PlainConsole(lambda _: None)
            )  # the server would go on for ever
        assert caught.value.kept == "Nothing was changed."
        assert not list(prefix.glob("conda-meta/independent-*"))
        server.stall.clear()
        assert rattler.manager().run(made, PlainConsole(lambda _: None)) == 0

    def test_through_a_proxy(self, make: Callable[..., Path], server: Server) -> None:
        prefix = make("python")
        write_condarc(
            f"channels: ['http://channel.example/lab']\nproxy_servers:\n  http: {server.url}\n"
        )
        (Path(server.folder) / "lab").symlink_to(server.folder)
        assert outline(change(prefix, "independent"))[0] == ["independent 1.0"]
        assert record(prefix, "independent")["url"].startswith("http://channel.example/lab/")
        assert any(path.startswith("/lab/") for path in server.archives())

    def test_a_certificate_of_the_site_s_own(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        bundle = encrypt(server, tmp_path)
        environ = dict(os.environ)
        prefix = make("python")
        url = f"https://localhost:{server.server_port}"
        write_condarc(f"channels: ['{url}']\n")
        with pytest.raises(CommandFailed, match="certificate of https://localhost"):
            plan(prefix, "independent")
        write_condarc(f"channels: ['{url}']\nssl_verify: '{bundle}'\n")
        assert outline(change(prefix, "independent"))[0] == ["independent 1.0"]
        assert dict(os.environ) == environ
        remove(prefix, "independent")
        write_condarc(f"channels: ['{url}']\nssl_verify: false\n")
        assert plan(prefix, "independent").commands

    def test_an_archive_by_its_url(self, make: Callable[..., Path], server: Server) -> None:
        prefix = make("python")
        url = f"{server.url}/{platform_subdir()}/prefixed-1.0-0.conda"
        assert outline(change(prefix, url)) == (["prefixed 1.0"], [], [])
        assert record(prefix, "prefixed")["url"] == url
        assert plan(prefix, url).commands == ()

    def test_a_new_package_is_seen_though_the_old_repodata_is_in_memory(
        self, make: Callable[..., Path], server: Server, tmp_path: Path
    ) -> None:
        prefix = make("python")
        with pytest.raises(CommandFailed):
            plan(prefix, "brand-new")
        served = ChannelBuilder(tmp_path / "served")
        served.add_package("brand-new", "1.0", files={"share/brand-new": "x"})
        served.index()
        assert outline(change(prefix, "brand-new")) == (["brand-new 1.0"], [], [])


class TestAvailable:
    def test_versions_of_several_specs(self, make: Callable[..., Path]) -> None:
        environment = detect(make("python"))
        specs = ["app", "app<2", "library=1", "nosuch", "app>3", "git+https://x.example/y"]
        assert rattler.available(specs, environment) == {
            "app": ("2.0", "1.1", "1.0"),
            "app<2": ("1.1", "1.0"),
            "library=1": ("1.0",),
            "nosuch": (),
            "app>3": (),
            "git+https://x.example/y": (),
        }

    def test_another_channel(self, make: Callable[..., Path], tmp_path: Path) -> None:
        environment = detect(make("python"))
        other = ChannelBuilder(tmp_path / "other")
        other.add_package("app", "9.0")
        other.add_package("rare", "1.0")
        other.index()
        found = rattler.available(["app", "rare"], environment, [other.url])
        assert found == {"app": ("9.0", "2.0", "1.1", "1.0"), "rare": ("1.0",)}
        assert rattler.available([f"{other.url}::app"], environment) == {
            f"{other.url}::app": ("9.0",)
        }
        condarc = Path(os.environ["CONDARC"])
        condarc.write_text(f"{condarc.read_text()}channel_priority: strict\n")
        assert rattler.available(["app"], environment, [other.url]) == {"app": ("9.0",)}

    def test_a_channel_that_changes_on_disk(
        self, make: Callable[..., Path], tmp_path: Path
    ) -> None:
        environment = detect(make("python"))
        other = ChannelBuilder(tmp_path / "growing")
        other.add_package("grown", "1.0")
        other.index()
        assert rattler.available(["grown"], environment, [other.url]) == {"grown": ("1.0",)}
        other.add_package("grown", "2.0")
        other.index()
        assert rattler.available(["grown"], environment, [other.url]) == {"grown": ("2.0", "1.0")}


# Beside a real conda


TRANSACTIONS = {
    "new package": (["python"], [("install", "app=1.1")]),
    "upgrade": (["python", "app=1.0"], [("install", "app=1.1")]),
    "downgrade, .tar.bz2": (["python", "app=1.1", "library=1.0"], [("install", "app=1.0")]),
    "removal with orphans": (["python", "app"], [("remove", "app")]),
    "removal of what was needed": (["python", "app", "prefixed"], [("remove", "library")]),
    "pin in force": (["python"], [("install", "app")]),
    "build string": (["python"], [("install", "independent=1.0=a_0")]),
    "prefix in text and in binary": (["python"], [("install", "prefixed")]),
    "post-link script": (["python"], [("install", "scripted")]),
    "pre-unlink script": (["python", "tidying"], [("remove", "tidying")]),
    "5,000 files": (["python"], [("install", "many-files")]),
    "several steps": (
        ["python", "independent"],
        [("install", "app=1.0", "prefixed"), ("install", "app=1.1"), ("remove", "app")],
    ),
    "something older": (["python", "library"], [("install", "old-library-user", "library<2")]),
    "channel priority": (["python"], [("install", "doubled")]),
}


@pytest.mark.slow
@pytest.mark.skipif(CONDA is None, reason="there is no conda on the PATH")
@pytest.mark.parametrize("name", TRANSACTIONS)
def test_the_prefix_is_as_conda_makes_it(
    name: str, builder: ChannelBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File by file and record by record, of two environments that conda made alike."""
    monkeypatch.setenv("CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY", "false")  # the channel has no pip
    monkeypatch.setenv("CONDA_PKGS_DIRS", str(tmp_path / "pkgs"))
    first, second = (ChannelBuilder(tmp_path / name) for name in ("first", "second"))
    modules = {f"site-packages/many/m{n}.py": f"number = {n}\n" for n in range(5000)}
    first.add_package("many-files", "1.0", noarch="python", depends=["python"], files=modules)
    for number, channel in enumerate((first, second), start=1):
        channel.add_package("doubled", f"{number}.0", files={"share/doubled": str(number)})
        channel.index()
    write_condarc(f"channels: ['{builder.url}', '{first.url}', '{second.url}']\n")
    made, steps = TRANSACTIONS[name]
    theirs, ours = tmp_path / "environmentA", tmp_path / "environmentB"
    for prefix in (theirs, ours):
        by_conda("create", prefix, *made)
        if name == "pin in force":
            (prefix / "conda-meta/pinned").write_text("library <2\n")
    for action, *specs in steps:
        by_conda(action, theirs, *specs)
        change(ours, *specs, action=action)
    settled(ours)
    assert picture(ours) == picture(theirs)


def by_conda(action: str, prefix: Path, *specs: str) -> None:
    command = [str(CONDA), action, "--yes", "--quiet", "--prefix", str(prefix), *specs]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def picture(prefix: Path) -> dict[str, object]:
    """What a prefix comes to, without the moments at which it was made."""
    found: dict[str, object] = {}
    for name in sorted(tree(prefix) - {"conda-meta/created_at"}):
        path = prefix / name
        if name.startswith("conda-meta/jstackmagic."):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif name == "conda-meta/history":
            lines = [line for line in path.read_text().splitlines() if line[:1] in "+-#"]
            told = [line for line in lines if not line.startswith(("# cmd", "# conda version"))]
            # conda writes the specs in the order of a set
            found[name] = ["".join(sorted(line)) if "specs" in line else line for line in told]
        elif name.startswith("conda-meta/") and name.endswith(".json"):
            found[name] = said(json.loads(path.read_text()))
        elif name.endswith(".pyc"):
            found[name] = path.read_bytes()[16:]  # behind the source's time
        else:
            data = path.read_bytes().replace(str(prefix).encode(), b"PREFIX")
            # the scripts of entry points are indented by a tab, or by four spaces
            found[name] = (oct(path.stat().st_mode), data.replace(b"\t", b"    "))
    return found


def said(data: dict[str, Any]) -> dict[str, Any]:
    """A record, without what conda 26 spells in a way of its own."""
    data["files"] = sorted(data["files"])
    data["requested_specs"] = data.get("requested_specs") or []
    return {
        key: value for key, value in data.items() if key not in ("paths_data", "_requested_specs")
    }
