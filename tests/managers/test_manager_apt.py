"""apt: the real apt-get, a small real package, and packages built on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.display.console import PlainConsole
from jstackmagic.managers.apt import aptget as apt
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import CommandFailed, InvalidSpec, Stopped
from jstackmagic.model.request import Request
from jstackmagic.where.metadata import read_packages
from support import rights
from support.debs import build_deb, publish, purge
from support.dpkg import apt_get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jstackmagic.model.packages import Change, Package
    from jstackmagic.model.plan import Plan

SOURCES = str(Path(apt.__file__).parents[3])
IS_ROOT = os.geteuid() == 0
ROOT = () if IS_ROOT else ("sudo", "-n")
APT_GET = (*ROOT, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
INSTALL = (*APT_GET, "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120")
REMOVE = (*APT_GET, "remove", "--yes", "-o", "DPkg::Lock::Timeout=120")

SYSTEM = Environment(kind="system", name=None, prefix=sys.prefix)
needs_root = pytest.mark.skipif(not IS_ROOT, reason="sudo would reset the variables this needs")


def install(*specs: str, **details: object) -> Request:
    return Request(action="install", manager="apt", specs=specs, **details)  # type: ignore[arg-type]


def remove(*specs: str) -> Request:
    return Request(action="remove", manager="apt", specs=specs)


def carry_out(plan: Plan) -> tuple[Change, str]:
    """Runs a plan; returns the change as seen on disk and what was shown."""
    words: list[str] = []
    before = read_packages(SYSTEM, ("apt",))
    assert apt.AptGet().run(plan, PlainConsole(words.append)) == 0, "".join(words)
    return read_packages(SYSTEM, ("apt",)) - before, "".join(words)


def names(packages: tuple[Package, ...]) -> list[str]:
    return [package.name for package in packages]


@pytest.fixture
def make_deb(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Builds packages without files, called jstackmagic-test-NAME; none is there before or after,
    not even one that a run which was killed left behind."""
    made: set[str] = set()

    def make(name: str, version: str = "1.0", depends: str = "") -> Path:
        name = f"jstackmagic-test-{name}"
        if name not in made:
            purge(name)
        made.add(name)
        return build_deb(tmp_path, name, version, depends=depends)

    yield make
    purge(*made)


@pytest.fixture
def hello() -> Iterator[None]:
    """The package hello is not installed, before and after."""
    if ("apt", "hello") in read_packages(SYSTEM, ("apt",)):
        pytest.skip("hello is installed here, and a test should not remove it")
    yield
    apt_get("purge", "--yes", "hello")


@pytest.fixture
def unfetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a repository of packages the only one that apt knows; returns the folder for its lists,
    which are still to be fetched."""

    def make(*debs: Path) -> Path:
        monkeypatch.setenv("APT_CONFIG", str(publish(tmp_path, *debs, fetched=False)))
        monkeypatch.setattr(apt, "LISTS", tmp_path / "lists")
        return tmp_path / "lists"

    return make


# Specs


@pytest.mark.parametrize(
    "spec",
    [
        *("hello", "g++", "libstdc++6", "python3.11", "libc6:i386", "python3:any", "hello=2.10-3"),
        *("hello=1:2.10~rc1+b2", "hello=2.10*", "hello/bookworm-backports", "libc6:amd64=2.36-9"),
    ],
)
def test_what_apt_reads_is_taken(spec: str) -> None:
    apt.check_specs(install(spec))


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        ("Hello", "Did you mean: %envinstall apt:hello"),
        ("build_essential", "Did you mean: %envinstall apt:build-essential"),
        ("hello==2.10-3", "Did you mean: %envinstall apt:hello=2.10-3"),
        ("hello>=2", "apt takes one exact version: apt:NAME=VERSION"),
        ("hello-", "To remove it: %envremove apt:hello"),
        *((spec, "") for spec in ("-y", "--purge", "$(id)", "`id`", "a;rm -rf x", "hello world")),
        *((spec, "") for spec in ("hello\n", "", "h", "lamp-server^", "hel*", "^hello$", "hello=")),
        *((spec, "") for spec in ("/no/such/file.deb", "hellö", "hello=2.10/stable", "?installed")),
    ],
)
def test_what_apt_would_not_read_so_is_refused(spec: str, advice: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        apt.AptGet().plan(install("hello", spec), SYSTEM)
    assert caught.value.advice == ((advice,) if advice else ())


@pytest.mark.parametrize("spec", ["hello=2.10-3", "hello/stable", "hello+-", "./hello.deb"])
def test_only_names_are_removed(spec: str) -> None:
    with pytest.raises(InvalidSpec):
        apt.AptGet().plan(remove(spec), SYSTEM)


# A real package


@pytest.mark.apt
@pytest.mark.slow
def test_a_package_is_fetched_installed_found_and_removed(hello: None) -> None:
    manager = apt.AptGet()
    plan = manager.plan(install("hello"), SYSTEM)
    assert plan.engine == "apt-get"
    assert plan.commands[-1].argv == (*INSTALL, "hello")
    assert "DEBIAN_FRONTEND=noninteractive apt-get install" in str(plan.commands[-1])
    change, words = carry_out(plan)
    assert "Setting up hello" in words
    assert names(change.added) == ["hello"]
    (package,) = change.added
    assert package.build == subprocess.getoutput("dpkg --print-architecture")
    greeting = subprocess.run(["hello"], check=True, capture_output=True, text=True).stdout
    assert greeting == "Hello, world!\n"

    assert manager.resolved(install("hello"), SYSTEM) == (package,)
    for spec in ("hello", f"hello={package.version}", f"hello:{package.build}"):
        again = manager.plan(install(spec), SYSTEM)
        assert again.commands == ()
        assert again.satisfied == (package,)
        assert not again.change

    plan = manager.plan(remove("hello", "jstackmagic-no-such"), SYSTEM)
    assert [command.argv for command in plan.commands] == [(*REMOVE, "hello")]
    assert plan.change is not None
    assert plan.change.removed == (package,)
    assert plan.notes == ("jstackmagic-no-such is not installed.",)
    change, _ = carry_out(plan)
    assert change.removed == (package,)
    with pytest.raises(Stopped, match="Not installed: hello") as caught:
        manager.plan(remove("hello"), SYSTEM)
    assert caught.value.kept == "Nothing was removed."


@pytest.mark.apt
@needs_root
def test_lists_are_fetched_where_there_are_none_even_if_another_apt_holds_them(
    make_deb: Callable[..., Path], unfetched: Callable[..., Path]
) -> None:
    lists = unfetched(make_deb("listed"))
    alone = make_deb("needs-nothing")
    plan = apt.AptGet().plan(install(str(alone)), SYSTEM)
    assert [command.argv for command in plan.commands] == [(*INSTALL, str(alone))]

    deb = make_deb("listless", depends="jstackmagic-test-listed")
    plan = apt.AptGet().plan(install(str(deb)), SYSTEM)
    assert [command.argv for command in plan.commands] == [
        ("apt-get", "update"),
        (*INSTALL, str(deb)),
    ]
    assert plan.change is None
    with hold(lists / "lock", seconds=0.7):
        change, words = carry_out(plan)
    assert "Another program fetches apt's lists: waiting" in words
    assert names(change.added) == ["jstackmagic-test-listed", "jstackmagic-test-listless"]

    # now they are there
    with pytest.raises(CommandFailed, match="for 'jstackmagic-test-listed' was not found"):
        apt.AptGet().plan(install("jstackmagic-test-listed=0.0-never"), SYSTEM)


@pytest.mark.apt
@needs_root
def test_what_only_new_lists_can_refuse_is_refused_before_the_install(
    unfetched: Callable[..., Path],
) -> None:
    unfetched()
    plan = apt.AptGet().plan(install("jstackmagic-no-such"), SYSTEM)
    with pytest.raises(CommandFailed, match="Unable to locate package jstackmagic-no-such"):
        apt.AptGet().run(plan, PlainConsole(lambda text: None))


class hold:  # noqa: N801
    """Another process holds a lock of apt's for some seconds."""

    def __init__(self, lock: Path, *, seconds: float) -> None:
        code = "import fcntl, sys, time; file = open(sys.argv[1], 'w')\n"
        code += (
            "fcntl.lockf(file, fcntl.LOCK_EX); print(flush=True); time.sleep(float(sys.argv[2]))"
        )
        self._argv = [sys.executable, "-c", code, str(lock), str(seconds)]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@pytest.mark.parametrize(
    ("hours", "sources_hours", "files", "fresh"),
    [
        (1, 100, ["mirror_main_binary-amd64_Packages.lz4"], True),
        (25, 100, ["mirror_main_binary-amd64_Packages.lz4"], False),
        (1, 0.5, ["mirror_main_binary-amd64_Packages"], False),
        (1, 100, ["lock"], False),
        (1, 100, [], False),
    ],
)
def test_lists_are_fresh_for_a_day_unless_the_sources_change(
    hours: float,
    sources_hours: float,
    files: list[str],
    fresh: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apt, "LISTS", tmp_path / "lists")
    monkeypatch.setattr(apt, "SOURCES", tmp_path / "sources")
    assert not apt._lists_are_fresh()
    (tmp_path / "lists/partial").mkdir(parents=True)
    for file in files:
        (tmp_path / "lists" / file).touch()
    source = tmp_path / "sources/sources.list.d/some.list"
    source.parent.mkdir(parents=True)
    source.touch()
    now = time.time()
    os.utime(tmp_path / "lists/partial", times=(now, now - hours * 3600))
    for path in (source, source.parent):
        os.utime(path, times=(now, now - sources_hours * 3600))
    assert apt._lists_are_fresh() == fresh


# Packages of our own: no network


@pytest.mark.apt
def test_a_local_file_is_installed_and_upgraded_as_planned(make_deb: Callable[..., Path]) -> None:
    manager = apt.AptGet()
    first, second = make_deb("local", "1.0"), make_deb("local", "2.0")
    for deb, request in ((first, install(str(first))), (second, install(str(second)))):
        plan = manager.plan(request, SYSTEM)
        assert plan.commands[-1].argv == (*INSTALL, str(deb))
        change, _ = carry_out(plan)
        if plan.change is not None:  # apt's lists were fresh
            forecast = [new for _, new in plan.change.changed] + list(plan.change.added)
            assert [(item.name, item.version, item.build) for item in forecast] == [
                ("jstackmagic-test-local", "1.0" if deb == first else "2.0", "all")
            ]
            assert [old for old, _ in plan.change.changed] == [old for old, _ in change.changed]
        assert names(manager.resolved(request, SYSTEM)) == ["jstackmagic-test-local"]
    ((old, new),) = change.changed
    assert (old.version, new.version) == ("1.0", "2.0")
    assert apt.satisfied(install("jstackmagic-test-local=1.0")) is None
    assert apt.satisfied(install("jstackmagic-test-local", upgrade=True)) is None
    assert apt.satisfied(install("jstackmagic-test-local/stable")) is None
    assert apt.satisfied(install("jstackmagic-test-local", str(second))) is None
    assert apt.satisfied(install("jstackmagic-test-local:all", "jstackmagic-test-local=2.0")) == (
        new,
    )


@pytest.mark.apt
def test_a_removal_says_what_goes_with_it(make_deb: Callable[..., Path]) -> None:
    below = make_deb("below")
    above = make_deb("above", depends="jstackmagic-test-below")
    carry_out(apt.AptGet().plan(install(str(below), str(above)), SYSTEM))
    plan = apt.AptGet().plan(remove("jstackmagic-test-below"), SYSTEM)
    assert plan.change is not None
    assert set(names(plan.change.removed)) == {"jstackmagic-test-above", "jstackmagic-test-below"}
    change, _ = carry_out(plan)
    assert set(change.removed) == set(plan.change.removed)


@pytest.mark.apt
@needs_root
def test_another_program_that_holds_dpkgs_lock_is_waited_for(make_deb: Callable[..., Path]) -> None:
    plan = apt.AptGet().plan(install(str(make_deb("locked"))), SYSTEM)
    with hold(Path("/var/lib/dpkg/lock-frontend"), seconds=1.5):
        change, words = carry_out(plan)
    assert "lock-frontend" in words
    assert names(change.added) == ["jstackmagic-test-locked"]


@pytest.mark.apt
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("jstackmagic-no-such", "Unable to locate package jstackmagic-no-such"),
        ("hello=0.0-never", "Version '0.0-never' for 'hello' was not found"),
        ("hello/never", "Release 'never' for 'hello' was not found"),
        ("hel.o", "There is no package hel.o"),
    ],
)
def test_what_apt_refuses_is_said_beforehand(
    spec: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "_lists_are_fresh", lambda: True)  # those of this run are
    with pytest.raises(CommandFailed) as caught:
        apt.AptGet().plan(install(spec), SYSTEM)
    assert said in caught.value.problem
    assert caught.value.kept == "Nothing was changed."
    assert caught.value.advice[0].endswith(f"!apt-cache search {spec.split('=')[0].split('/')[0]}")


@pytest.mark.apt
def test_what_lacks_a_dependency_is_said_beforehand(
    make_deb: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "_lists_are_fresh", lambda: True)  # those of this run are
    deb = make_deb("lacking", depends="jstackmagic-no-such (>= 2)")
    with pytest.raises(CommandFailed, match=r"Depends: jstackmagic-no-such \(>= 2\)"):
        apt.AptGet().plan(install(str(deb)), SYSTEM)


# Rights


AS_NOBODY = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from jstackmagic.display.console import PlainConsole
    from jstackmagic.where import host
    from jstackmagic.model.environment import Environment
    from jstackmagic.model.errors import JStackMagicError
    from jstackmagic.managers.apt import aptget as apt
    from jstackmagic.model.request import Request

    action, *specs = sys.argv[2:]
    system = Environment(kind="system", name=None, prefix=sys.prefix)
    try:
        plan = apt.AptGet().plan(Request(action, "apt", tuple(specs)), system)
    except JStackMagicError as error:
        print(type(error).__name__, error, sep="\\n")
    else:
        print([str(command) for command in plan.commands], plan.satisfied, flush=True)
        sys.exit(apt.AptGet().run(plan, PlainConsole(lambda text: print(text, end="", flush=True))))
"""


def as_nobody(*arguments: str, below: Sequence[str] = ()) -> str:
    # may read all files: who has cloned this may have a home that is closed to others
    command = [*below, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command += [sys.executable, "-c", textwrap.dedent(AS_NOBODY), SOURCES, *arguments]
    environ = {**os.environ, "HOME": "/nonexistent"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ, cwd="/")
    return done.stdout


@pytest.mark.apt
@needs_root
def test_a_user_without_rights_is_told_how_to_get_them() -> None:
    said = as_nobody("install", "jstackmagic-no-such", "hello=0.1").splitlines()
    assert said[0] == "Stopped"
    assert said[1].startswith("apt needs root, and nobody cannot become root: ")
    assert said[2] == "Nothing was changed."
    assert "docker run -e GRANT_SUDO=yes --user root" in said[3]
    assert said[4].endswith("%envinstall --record-only apt:jstackmagic-no-such apt:hello=0.1")
    assert as_nobody("remove", "dpkg").startswith("Stopped\napt needs root")


@pytest.mark.apt
@needs_root
def test_what_is_there_needs_no_rights() -> None:
    said = as_nobody("install", "dpkg")
    assert said.startswith("[] (Package(manager='apt', name='dpkg'")


@pytest.mark.apt
@rights.needs_root
def test_a_user_with_sudo_installs_through_it(
    make_deb: Callable[..., Path], tmp_path: Path
) -> None:
    allowed = rights.sudoers(tmp_path, "nobody")
    said = as_nobody("install", str(make_deb("sudo")), below=allowed)
    assert "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install --yes" in said
    assert ("apt", "jstackmagic-test-sudo") in read_packages(SYSTEM, ("apt",))
    as_nobody("remove", "jstackmagic-test-sudo", below=allowed)
    assert ("apt", "jstackmagic-test-sudo") not in read_packages(SYSTEM, ("apt",))


def test_a_system_without_apt_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Stopped, match="not Debian or Ubuntu"):
        apt.AptGet().plan(install("hello"), SYSTEM)
