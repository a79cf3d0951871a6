"""Archives kept in the home volume: a replay when the channel and the index are gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from itertools import count
from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.apt import aptget as apt
from jstackmagic.managers.goal import Goal
from jstackmagic.managers.pip.keep import Wheels
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import CommandFailed
from jstackmagic.model.ledger import Origins
from jstackmagic.model.packages import Package, PackageKey, PackageSet
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read_all
from jstackmagic.restore.kept import Store
from jstackmagic.session import Session
from jstackmagic.where.metadata import read_debian
from support.debs import build_deb, publish, purge
from support.environments import make_venv
from support.projects import write_project
from support.served import Folder
from support.tiers import DNSPYTHON, PYMONGO, SIX
from support.verbs import contents, packages, verb
from support.warm import warm_conda

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.environments import Root
    from support.standin_conda import StandIn
    from support.tiers import Channel
    from support.wheels import WheelIndex


@pytest.fixture
def remote(shim_channel: Channel, home: Path) -> Iterator[Folder]:
    """The channel, over HTTP, in the user's condarc."""
    with Folder(shim_channel.folder) as server:
        (home / ".condarc").write_text(json.dumps({"channels": [server.url]}))
        yield server


@pytest.fixture
def new(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, shim_channel: Channel
) -> Callable[..., Path]:
    """Makes environments as an image brings them."""
    numbers = count(1)
    return lambda spec=f"six={SIX[0]}": warm_conda(
        tmp_path_factory, tmp_path / f"conda{next(numbers)}", shim_channel, spec
    )


def store() -> Store:
    """What is kept beside the history."""
    return Store.beside(Session().history)


def forget_caches(home: Path) -> None:
    """A new container: what conda and pip keep outside of the home volume is gone, and more."""
    for name in (".cache", ".conda", ".mamba", "run"):
        shutil.rmtree(home / name, ignore_errors=True)


def test_a_replay_with_no_channel_and_no_index(
    new: Callable[..., Path], remote: Folder, wheel_index: WheelIndex, home: Path
) -> None:
    first, second = new(), new()
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    specs = [f"pymongo={PYMONGO[0]}", f"dnspython={DNSPYTHON[0]}", f"six={SIX[1]}"]
    verb("install", "--prefix", first, *(f"conda:{spec}" for spec in specs))
    verb("install", "--prefix", first, "pip:two", "-i", wheel_index.url)
    was = contents(first)
    result = verb("replay", "--prefix", first, "--keep")
    assert "Kept 5 archives" in str(result)
    assert contents(first) == was, "and nothing else is done"
    assert "All that can be kept" in str(verb("replay", "--prefix", first, "--keep"))

    remote.stop()
    wheel_index.stop()
    forget_caches(home)
    asked = len(remote.requests), len(wheel_index.requests)
    result = verb("replay", "--prefix", second)
    assert packages(second) == packages(first)
    assert result.notes == ()
    assert (len(remote.requests), len(wheel_index.requests)) == asked
    assert verb("replay", "--prefix", second).done == (), "and it is known to be there"
    files = contents(second)
    assert {path for path in was if "/" in path} == {path for path in files if "/" in path}


@pytest.mark.parametrize("kept", [False, True])
def test_files_of_the_user_are_no_kept_archives(kept: bool, tmp_path: Path) -> None:
    """Where nothing is kept, there is no attempt without the index."""
    there: dict[PackageKey, Package] = {
        ("pip", name): Package("pip", name, "1.0") for name in ("six", "own")
    }
    goal = Goal(None, (), there, (), Origins({}))
    if kept:
        (tmp_path / "six-1.0-py3-none-any.whl").touch()
    asked = [Request("install", "pip", read_all("pip", [str(tmp_path), *["six==1.0"] * kept]))]
    served = Wheels(tmp_path).serve(asked, goal, PackageSet(), Environment("venv", None, "/v"))
    assert bool(served) is kept


def test_what_was_tampered_with_is_not_taken(
    new: Callable[..., Path], remote: Folder, wheel_index: WheelIndex, home: Path
) -> None:
    first, second = new(), new()
    wheel_index.add("plain", "1.0")
    verb("install", "--prefix", first, "conda:demo-tool", "pip:plain", "-i", wheel_index.url)
    verb("replay", "--prefix", first, "--keep")
    kept = store()
    forget_caches(home)
    for archive in (
        *(kept.folder / "conda").glob("*.conda"),
        *(kept.folder / "wheels").glob("*.whl"),
    ):
        archive.write_bytes(archive.read_bytes() + b"more")
    wheel_index.requests.clear()
    verb("replay", "--prefix", second)
    assert packages(second) == packages(first)
    assert any("plain" in path for path in wheel_index.requests), "it was fetched"


def test_archives_that_another_base_does_not_suit_are_not_put_in(
    new: Callable[..., Path], remote: Folder
) -> None:
    """conda would link them beside what they do not go with; the solver refuses, and says why."""
    first, second = new(), new(f"six={SIX[1]}")
    verb("install", "--prefix", first, "--conda", "demo-needs-old-six")
    verb("replay", "--prefix", first, "--keep")
    was = contents(second)
    with pytest.raises(CommandFailed, match=f"six=={SIX[0]}|six =={SIX[0]}"):
        verb("replay", "--prefix", second)
    assert contents(second) == was


def test_what_came_from_no_index_is_told(new: Callable[..., Path], wheel_index: WheelIndex) -> None:
    first = new()
    wheel = wheel_index.add("plain", "1.0")
    url = wheel_index.url.replace("simple/", f"files/{wheel.name}")
    verb("install", "--prefix", first, f"pip:plain @ {url}")
    result = verb("replay", "--prefix", first, "--keep")
    assert result.notes == (f"plain cannot be kept: it came from {url}, and from no index.",)


def test_what_was_built_is_kept_as_it_was_built(tmp_path: Path, home: Path) -> None:
    """The history knows the hash of the source archive, and it is a wheel that is kept."""
    first, second = (make_venv(tmp_path / name) for name in ("one", "two"))
    sources = tmp_path / "sources"
    sources.mkdir()
    with tarfile.open(sources / "sourced-1.0.tar.gz", "w:gz") as archive:
        archive.add(write_project(tmp_path / "project", "sourced"), "sourced-1.0")
    where = ("--", "--no-index", "--find-links", sources)
    verb("install", "--prefix", first, "--pip", "sourced", *where)
    verb("replay", "--prefix", first, "--keep")
    assert [path.suffix for path in sorted((store().folder / "wheels").iterdir())] == [
        ".whl",
        ".of",
    ]
    shutil.rmtree(sources)
    forget_caches(home)
    verb("replay", "--prefix", second)
    assert packages(second) == packages(first)
    recorded = Session().history.records()[0].outcome.change.added[0]
    kept = store().file_of(recorded)
    assert kept is not None
    kept.write_bytes(kept.read_bytes() + b"more")
    assert store().file_of(recorded) is None, "a wheel that was built has a hash of its own"


def test_conda_itself_is_given_the_archives_and_the_cache_they_are_in(
    new: Callable[..., Path],
    conda_root: Root,
    recording_conda: StandIn,
    remote: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recording stand-in takes the call: no real conda can be had here."""
    first, second = new(), conda_root.create("analysis", "python")
    verb("install", "--prefix", first, "--conda", "demo-tool=1.0")
    verb("replay", "--prefix", first, "--keep")
    remote.stop()
    monkeypatch.setenv("JSTACKMAGIC_CONDA_ENGINE", "conda")
    verb("replay", "--prefix", second)
    (call,) = recording_conda.calls
    archive = f"{remote.url}/noarch/demo-tool-1.0-py_0.conda"
    assert call.argv == ["install", "--yes", "--name", "analysis", archive]
    *others, kept = call.environ["CONDA_PKGS_DIRS"].split(",")
    assert kept == str(store().folder / "conda")
    assert str(conda_root.packages) in others
    assert (store().folder / "conda" / "urls.txt").read_text() == f"{archive}\n"


@pytest.fixture
def debs(tmp_path: Path) -> Iterator[tuple[Path, ...]]:
    """Packages that are in no repository of Debian's, none installed before and after."""
    below, above, local = (f"jstackmagic-test-{name}" for name in ("kept", "keeps", "local"))
    purge(below, above, local)
    yield (
        build_deb(tmp_path, below, "1:1.0"),
        build_deb(tmp_path, above, depends=below),
        build_deb(tmp_path, local),
    )
    purge(below, above, local)


@pytest.mark.apt
@pytest.mark.skipif(os.geteuid() != 0, reason="sudo would reset the variables this needs")
def test_debian_packages_without_their_repository(
    debs: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below, above, local = debs
    monkeypatch.setenv("APT_CONFIG", str(publish(tmp_path, below, above)))
    monkeypatch.setattr(apt, "LISTS", tmp_path / "lists")
    names = [deb.name.partition("_")[0] for deb in debs]
    verb("install", f"apt:{names[1]}", f"apt:{local}")
    assert set(names) <= installed_debs()
    assert "Kept 3 archives" in str(verb("replay", "--keep"))
    assert "All that can be kept" in str(verb("replay", "--keep"))

    purge(*names)
    for path in (tmp_path / "repository", tmp_path / "lists"):
        shutil.rmtree(path)
    local.unlink()
    result = verb("replay")
    assert set(names) <= installed_debs()
    assert result.notes == ()
    (command,) = (str(command) for item in result.done for command in item.plan.commands)
    assert f"{store().folder}/debian/" in command
    assert set(marked_auto()) & set(names) == {names[0]}, "what was only needed is so again"
    assert verb("replay").done == (), "and it is known to be there"

    purge(*names)
    kept = next((store().folder / "debian").glob(f"{names[0]}_*.deb"))
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(CommandFailed):
        verb("replay")
    assert not set(names) & installed_debs(), "a broken archive is not taken"


def installed_debs() -> set[str]:
    return {package.name for package in read_debian()}


def marked_auto() -> list[str]:
    shown = subprocess.run(["apt-mark", "showauto"], check=True, capture_output=True, text=True)
    return shown.stdout.split()
