"""Taking back: real changes by real managers, and every file as it was."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jstackmagic.model.errors import CommandFailed, Stopped, UsageError
from jstackmagic.model.ledger import Ledger, fold
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.plan import Outcome
from jstackmagic.model.recipe import taken_back
from jstackmagic.model.record import Context
from jstackmagic.model.request import Request
from jstackmagic.restore.inverse import inverse
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from strategies import World, worlds
from support.debs import build_deb, purge
from support.environments import delete_environment, make_venv
from support.kernels import Kernel
from support.projects import write_project
from support.standin_conda import dry_run_answer
from support.tiers import DNSPYTHON, PYMONGO, SIX
from support.verbs import contents, packages, verb
from support.warm import warm_conda
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jstackmagic.commands._changed import ChangeResult
    from jstackmagic.commands.undo import UndoResult
    from support.environments import Root
    from support.standin_conda import StandIn
    from support.tiers import Channel
    from support.wheels import WheelIndex

# Fourteen kinds of change. Of conda's: what is there before, and the change. A line is one verb,
# {index}, {files} and {channel} filled in.
CONDA = {
    "conda adds a package and what it needs": ([], ["install --conda pymongo"]),
    "conda moves to a newer version": (
        [f"install --conda six={SIX[0]}"],
        [f"install --conda six={SIX[1]}"],
    ),
    "conda moves to an older version, dependencies too": (
        ["install --conda pymongo"],
        [f"install --conda pymongo={PYMONGO[0]} dnspython={DNSPYTHON[0]}"],
    ),
    "conda removes a package and what only that needed": (
        ["install --conda pymongo"],
        ["remove pymongo"],
    ),
    "conda takes an archive": ([], ["install {channel}/noarch/demo-tool-1.0-py_0.conda"]),
    "pip replaces what conda owns": (
        [f"install --conda six={SIX[0]}"],
        ["install --force --pip six==99 -i {index}"],
    ),
    "one cell asks conda and pip": (
        [f"install --conda six={SIX[0]}"],
        ["install conda:pymongo pip:plain pip:two -i {index}"],
    ),
}
PIP = {
    "pip adds a package": "install plain==1.0 -i {index}",
    "pip adds another and moves what that needs": "install two==2.0 -i {index}",
    "pip takes a local wheel in place of the index's": (
        "install {files}/plain-2.0-py3-none-any.whl -- --force-reinstall"
    ),
    "pip moves to an older version, of the index again": ("install two==1.0 plain==1.0 -i {index}"),
    "pip removes a package": "remove two",
    "pip takes a project that is being worked on": "install -e {files}/project",
    "pip removes that": "remove project",
}
"""One after the other."""


@pytest.fixture(autouse=True)
def index(wheel_index: WheelIndex) -> WheelIndex:
    for version in ("1.0", "2.0"):
        wheel_index.add("plain", version)
    wheel_index.add("two", "1.0", requires=["plain"])
    wheel_index.add("two", "2.0", requires=["plain>=2"])
    wheel_index.add("six", "99")
    return wheel_index


@pytest.fixture
def conda(
    tmp_path_factory: pytest.TempPathFactory, home: Path, shim_channel: Channel, tmp_path: Path
) -> Path:
    """A conda environment, its channel in the user's condarc."""
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    return warm_conda(tmp_path_factory, tmp_path / "conda", shim_channel)


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment."""
    return make_venv(tmp_path / "venv")


@pytest.fixture
def fill(index: WheelIndex, shim_channel: Channel, tmp_path: Path) -> Callable[..., None]:
    """Runs lines of the tables above in an environment."""
    files = tmp_path / "files"
    build_wheel(files, "plain", "2.0", modules={"plain.py": "another = True\n"})
    write_project(files / "project", "project")

    def run(prefix: Path, lines: list[str]) -> None:
        for line in lines:
            words = line.format(index=index.url, files=files, channel=shim_channel.url).split()
            verb(words[0], "--prefix", prefix, *words[1:])

    return run


def check(prefix: Path, fill: Callable[..., None], kind: tuple[list[str], list[str]]) -> UndoResult:
    before, change = kind
    fill(prefix, before)
    was = contents(prefix)
    fill(prefix, change)
    assert contents(prefix) != was
    undone = verb("undo")
    assert contents(prefix) == was
    assert undone.notes == ()
    return undone


@pytest.mark.parametrize("kind", CONDA.values(), ids=CONDA)
def test_in_a_conda_environment(
    kind: tuple[list[str], list[str]], conda: Path, fill: Callable[..., None]
) -> None:
    check(conda, fill, kind)


def test_in_a_virtual_environment(venv: Path, fill: Callable[..., None]) -> None:
    points = []
    for line in PIP.values():
        points.append(contents(venv))
        fill(venv, [line])
        assert contents(venv) != points[-1], line
    for kind in reversed(PIP):
        assert verb("undo").notes == (), kind
        assert contents(venv) == points.pop(), kind


# Which


def id_of(result: ChangeResult) -> str:
    return result.done[0].record.transaction


def six_of(prefix: Path) -> str | None:
    package = read_packages(detect(prefix), ("conda",)).get("conda", "six")
    return package.version if package else None


def test_an_undo_of_an_undo_does_it_again(conda: Path) -> None:
    verb("install", "--prefix", conda, "--conda", "pymongo")
    became = contents(conda)
    undone = verb("undo")
    again = verb("undo", id_of(undone))
    assert contents(conda) == became
    assert verb("export", "dockerfile", "--from", "base:1").text.count("pymongo") == 1
    verb("undo", id_of(again))
    assert contents(conda) != became
    assert "pymongo" not in verb("export", "dockerfile", "--from", "base:1").text


def test_asked_again_it_goes_one_further_back(conda: Path) -> None:
    points = [contents(conda)]
    for spec in ("six=1.16.0", "six=1.17.0", "demo-tool"):
        verb("install", "--prefix", conda, "--conda", spec)
        points.append(contents(conda))
    while points.pop() and points:
        verb("undo")
        assert contents(conda) == points[-1]
    with pytest.raises(UsageError, match="nothing to take back"):
        verb("undo")


def test_back_to_a_point_moves_each_package_once(conda: Path) -> None:
    point = id_of(verb("install", "--prefix", conda, "--conda", "six=1.16.0"))
    was = contents(conda)
    verb("install", "--prefix", conda, "--conda", "pymongo", "six=1.17.0")
    verb("remove", "--prefix", conda, "six")
    verb("undo", point)
    with pytest.raises(CommandFailed):
        verb("install", "--prefix", conda, "--conda", "no-such-thing")
    verb("install", "--prefix", conda, "--conda", "demo-tool")
    result = verb("undo", "--to", point)
    assert contents(conda) == was
    assert [len(item.plan.commands) for item in result.done] == [1, 1, 0, 0, 0]
    assert specs() == ["six=1.16.0"]
    assert "no-such-thing" not in str(result), "nothing of it was there to be taken back"
    with pytest.raises(UsageError, match=f"Nothing.*after {point}"):
        verb("undo", "--to", point)


def specs() -> list[str]:
    return [item.text for step in fold(Session().history.records()).steps for item in step.install]


def test_back_to_a_point_also_undoes_what_an_undo_left(conda: Path, index: WheelIndex) -> None:
    point = id_of(verb("install", "--prefix", conda, "--conda", "six=1.16.0"))
    was = contents(conda)
    verb("install", "--prefix", conda, "--conda", "demo-tool=1.0")
    verb("undo", "--record-only")
    verb("install", "--prefix", conda, "--conda", "demo-tool=2.0")
    verb("undo", "--to", point)
    assert contents(conda) == was


def test_one_request_of_a_cell_and_then_the_rest(conda: Path, index: WheelIndex) -> None:
    cell = verb("install", "--prefix", conda, "conda:six", "pip:plain", "-i", index.url)
    verb("undo", f"{id_of(cell)}.2")
    assert six_of(conda) == SIX[1]
    assert specs() == ["six"]
    verb("undo")
    assert specs() == []
    with pytest.raises(UsageError, match="taken back already") as caught:
        verb("undo", id_of(cell))
    assert re.fullmatch(r"To have it again: %envundo [0-9a-f]{8}", caught.value.advice[0])


def test_what_was_only_recorded_counts_no_more(conda: Path) -> None:
    verb("install", "--prefix", conda, "--record-only", "pip:somewhere-else")
    assert specs() == ["somewhere-else"]
    result = verb("undo")
    assert specs() == []
    assert "Took back" in str(result)
    assert "somewhere-else" in str(result)


def test_what_failed_without_a_trace_is_passed_over(conda: Path, index: WheelIndex) -> None:
    verb("install", "--prefix", conda, "--conda", "six")
    with pytest.raises(CommandFailed):
        verb("install", "--prefix", conda, "--pip", "no-such-thing", "-i", index.url)
    verb("undo")
    assert six_of(conda) is None


def test_record_only_leaves_the_packages_alone(conda: Path) -> None:
    verb("install", "--prefix", conda, "--conda", "six")
    verb("undo", "--record-only")
    assert six_of(conda) == SIX[1]
    assert specs() == []


def test_a_dry_run_tells_and_does_nothing(conda: Path) -> None:
    verb("install", "--prefix", conda, "--conda", "six")
    was = contents(conda)
    result = verb("undo", "--dry-run")
    assert "Would take back" in str(result)
    assert "conda remove --yes" in str(result)
    assert contents(conda) == was
    assert specs() == ["six"]


# What cannot be had exactly is said before anything is touched


def stopped(*words: object) -> str:
    """The words of an undo that stops."""
    was = Session().history.path.read_bytes()
    with pytest.raises(Stopped) as caught:
        verb("undo", *words)
    assert Session().history.path.read_bytes() == was
    return str(caught.value)


def test_an_old_wheel_that_is_nowhere_to_be_had(index: WheelIndex, venv: Path) -> None:
    prefix = venv
    verb("install", "--prefix", prefix, "plain==1.0", "two==1.0", "-i", index.url)
    verb("install", "--prefix", prefix, "plain==2.0", "two==2.0", "-i", index.url)
    was = contents(prefix)
    next(index.folder.glob("plain-1.0*")).unlink()
    words = stopped()
    assert "plain 1.0 is not available anywhere" in words
    assert "two 1.0" not in words
    assert contents(prefix) == was
    result = verb("undo", "--force", "--dry-run")
    assert "plain 1.0 is not available anywhere." in result.notes
    assert [item.plan.request.texts for item in result.done] == [("two==1.0",)]


def test_a_wheel_that_is_another_one_now(index: WheelIndex, venv: Path) -> None:
    prefix = venv
    verb("install", "--prefix", prefix, "plain==1.0", "-i", index.url)
    verb("remove", "--prefix", prefix, "plain")
    index.add("plain", "1.0", modules={"plain.py": "tampered = True\n"})
    assert "it is not the same: its sha256" in stopped()
    assert not list(prefix.rglob("plain.py"))


def test_an_archive_that_its_channel_dropped_is_taken_from_where_it_lies(
    conda: Path, fill: Callable[..., None], home: Path
) -> None:
    fill(conda, ["install {channel}/noarch/demo-tool-1.0-py_0.conda"])
    was = contents(conda)
    verb("remove", "--prefix", conda, "demo-tool")
    (home / ".condarc").write_text(json.dumps({"channels": []}))
    verb("undo")
    assert contents(conda) == was


def test_another_install_needs_it_now(conda: Path, index: WheelIndex) -> None:
    verb("install", "--prefix", conda, "--conda", f"dnspython={DNSPYTHON[1]}")
    verb("install", "--prefix", conda, "--conda", "pymongo")
    words = stopped(Session().history.records()[0].id)
    assert "pymongo needs dnspython" in words
    assert "dnspython would go" in words


def test_another_distribution_needs_it_now(index: WheelIndex, venv: Path) -> None:
    prefix = venv
    first = verb("install", "--prefix", prefix, "plain==1.0", "-i", index.url)
    verb("install", "--prefix", prefix, "two", "plain==2.0", "-i", index.url)
    words = stopped(id_of(first))
    assert "two needs plain>=2, and plain would go." in words
    assert "plain has changed since: this left 1.0, and there is 2.0 now." in words
    verb("undo", id_of(first), "--force")
    assert "plain" not in {package.name for package in packages(prefix)}


def test_a_guard_stops_it(conda: Path, full_channel: Channel) -> None:
    verb("install", "--prefix", conda, "--conda", "six")
    (conda / "conda-meta" / "frozen").write_text('{"message": "the lab wants it so"}')
    assert "the lab wants it so" in stopped()


def test_an_environment_that_is_gone(conda: Path) -> None:
    verb("install", "--prefix", conda, "--conda", "six")
    delete_environment(conda)
    assert "gone with it" in stopped()
    verb("undo", "--force")
    assert specs() == []


def test_one_that_was_cut_off(conda: Path) -> None:
    history = Session().history
    history.note(
        "running",
        Request("install", "conda", ("six",)),
        detect(conda).ref,
        transaction="0badcafe",
        step=1,
        engine="rattler",
        commands=(),
        context=Context(host="elsewhere"),
    )
    assert "its changes up to then are not known" in stopped("0bad")
    verb("undo", "0bad", "--force")
    assert "0badcafe.1" in taken_back(history.records())


# Where conda governs: a recording stand-in takes the calls


@pytest.mark.parametrize("added", [True, False])
def test_what_conda_is_asked(added: bool, conda_root: Root, recording_conda: StandIn) -> None:
    prefix = conda_root.create("analysis", "python", f"six={SIX[1]}")
    environment = detect(prefix)
    six = read_packages(environment, ("conda",)).by_key["conda", "six"]
    link = () if added else (f"six-{SIX[0]}-{six.build}",)
    unlink = (f"six-{SIX[1]}-{six.build}",)
    answer = dry_run_answer(prefix, link=link, unlink=unlink)
    recording_conda.answer("--dry-run", output=answer)
    source = answer["actions"]["LINK"][0]["base_url"] if link else ""
    older = Package("conda", "six", SIX[0], six.build, source=source)
    change = Change(added=(six,)) if added else Change(changed=((older, six),))
    history = Session().history
    record = history.note(
        "running",
        Request("install", "conda", ("six",)),
        environment.ref,
        transaction="0badcafe",
        step=1,
        engine="conda",
        commands=(),
        context=Context(),
    )
    history.end(record, Outcome("ok", 0, 1.0, change=change))
    result = verb("undo", "--engine", "conda")
    argv = recording_conda.argvs[-1]
    if added:
        assert argv == ["remove", "--yes", "--name", "analysis", "six", "--force"]
    else:
        spec = f"{source}::six={SIX[0]}={six.build}"
        assert argv == ["install", "--yes", "--name", "analysis", spec]
    was = "not there" if added else SIX[0]
    assert result.notes == (f"six is {SIX[1]}, and was {was}.",), "a stand-in changes nothing"


# apt


@pytest.fixture
def purged() -> Iterator[tuple[str, str]]:
    """Names of Debian packages that are gone before and after."""
    names = ("jstackmagic-test-undo", "jstackmagic-test-undo-needs")
    purge(*names)
    yield names
    purge(*names)


@pytest.mark.apt
def test_debian_packages(purged: tuple[str, str], tmp_path: Path) -> None:
    """An install with a dependency, an upgrade and a removal, each taken back; marks too."""
    system = detect()

    def there() -> dict[str, Package]:
        found = read_packages(system, ("apt",)).packages
        return {package.name: package for package in found if package.name in purged}

    name, needs = purged
    needed = build_deb(tmp_path, needs)
    one, two = (build_deb(tmp_path, name, version, depends=needs) for version in ("1.0", "2.0"))
    changes = (["install", f"apt:{needed}", f"apt:{one}"], ["install", f"apt:{two}"])
    states = [there()]
    for change in changes:
        verb(*change)
        states.append(there())
    verb("remove", f"apt:{needs}")
    assert there() == {}
    while states:
        verb("undo")
        assert there() == states.pop()


# In a notebook


def test_a_module_that_is_loaded_is_named(
    make_kernel_env: Callable[..., Path], home: Path, full_channel: Channel, tmp_path: Path
) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [full_channel.url]}))
    with Kernel(make_kernel_env("undone"), cwd=tmp_path) as kernel:
        kernel.run("%load_ext jstackmagic\n%envinstall demo-tool").check()
        kernel.run("import demo_tool").check()
        shown = kernel.run("%envundo").check().shown
        assert "Took back" in shown
        assert "demo_tool was imported from demo-tool 2.0; it is removed now" in shown
        assert kernel.run("%envundo --to nonsense").error_name == "HistoryError"


# The pure part, by any history


@given(worlds(), st.data())
def test_any_history_goes_back_to_any_of_its_points(world: World, data: st.DataObject) -> None:
    assume(world.records)
    number = data.draw(st.integers(0, len(world.records) - 1))
    after = [*world.before[1:], world.state][number]
    chosen = Ledger.of(world.records).since(world.records[number].transaction)
    origins = Ledger.of(world.records).origins()
    disk = dict(world.state.disk)
    for prefix in {key[0] for key in disk} | {key[0] for key in after.disk}:
        here = PackageSet(
            tuple(Package(m, name, v) for (p, m, name), v in disk.items() if p == prefix)
        )
        found = inverse(Ledger.of(chosen).moves(), here, prefix, origins)
        assert found.moved_since == ()
        for package in found.goes:
            del disk[(prefix, *package.key)]
        for package in found.returns:
            disk[(prefix, *package.key)] = package.version
    assert disk == after.disk
    undos = [
        replace(record, id=f"undo{record.id}", undoes=record.id, outcome=None, status="planned")
        for record in reversed(chosen)
    ]
    assert taken_back([*world.records, *undos]).keys() >= {record.id for record in chosen}
    assert not Ledger.of([*world.records, *undos][: number + 1]).since(
        world.records[number].transaction
    )
