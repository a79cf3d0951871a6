"""The worker's side alone, in environments that have nothing of ours."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import marshal
import os
import py_compile
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.model.errors import Stopped
from jstackmagic.model.policy import Policy
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.workers import worker
from jstackmagic.workers.cargo import load, order
from jstackmagic.workers.sync import WorkerRow, differences, stale
from jstackmagic.workers.worker import source
from support.clusters import SITE, cargo_of, row_of, site_of, there, until
from support.environments import make_venv, uv
from support.kernels import PATIENCE
from support.projects import write_project
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.tiers import Channel
    from support.wheels import WheelIndex

FACTS: dict[str, Any] = {
    "place": ["host", 1, 2],
    "python": "3.12",
    "full": "3.12.4",
    "platform": "linux-x86_64",
    "folder": "",
    "conda": {},
    "wrong": {},
    "packages": {},
}
ORDER: dict[str, Any] = {
    "place": ["host", 1, 1],
    "python": "3.12",
    "platform": "linux-x86_64",
    "wheels": [],
    "conda": [],
    "lacks": [],
    "remove": [],
    "via": "cluster",
    "again": False,
}


def wheel(name: str, made: str = "p", *, pure: bool = True) -> dict[str, Any]:
    return {"name": name, "version": "2", "print": made, "pure": pure}


def has(version: str, made: str, **more: Any) -> dict[str, Any]:
    return {
        "version": version,
        "print": made,
        "owner": "pip",
        "loaded": False,
        "stale": False,
        **more,
    }


# Plans, as plain values


@pytest.mark.parametrize(
    ("facts", "wheels", "cannot"),
    [
        ({}, ["pure", "native"], []),
        ({"packages": {"pure": has("2", "p"), "native": has("2", "other")}}, ["native"], []),
        (
            {"packages": {"pure": has("2", "p")}, "wrong": {"pure": ["a.py"]}},
            ["pure", "native"],
            [],
        ),
        ({"python": "3.11"}, ["pure"], ["native"]),
        ({"platform": "linux-aarch64"}, ["pure"], ["native"]),
        ({"python": "3.10"}, [], ["pure", "native"]),
        ({"place": ["host", 1, 1]}, [], []),  # the kernel's own environment, whatever it has
    ],
)
def test_a_worker_gets_what_it_lacks_and_can_run(
    facts: dict[str, Any], wheels: list[str], cannot: list[str]
) -> None:
    pure = {**wheel("pure"), "minors": ["3.11", "3.12"]}
    wanted = {**ORDER, "wheels": [pure, wheel("native", pure=False)]}
    plan = worker.todo(wanted, {**FACTS, **facts})
    assert [row["name"] for row in plan["wheels"]] == wheels
    assert [name for name, _ in plan["cannot"]] == cannot


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "not a conda environment"),
        ({"conda": {"python": ["3.12", "0"]}, "folder": "/f"}, "read-only"),
        ({"conda": {"python": ["3.11", "0"]}, "python": "3.11"}, "Python 3.12"),
        ({"conda": {"python": ["3.12", "0"]}}, ""),
    ],
)
def test_conda_packages_go_to_condas_environments(facts: dict[str, Any], reason: str) -> None:
    row = {"name": "graphviz", "version": "9", "build": "h0", "noarch": False}
    plan = worker.todo({**ORDER, "conda": [row]}, {**FACTS, **facts})
    assert [row["name"] for row in plan["conda"]] == ([] if reason else ["graphviz"])
    assert reason in "".join(words for _, words in plan["cannot"])


def test_what_differs_is_named_and_what_is_beside_it() -> None:
    wanted = {**ORDER, "wheels": [wheel(name) for name in ("gone", "old", "other", "hurt", "same")]}
    there = {
        "old": has("1", "x"),
        "other": has("2", "x"),
        "hurt": has("2", "p"),
        "same": has("2", "p"),
        "tornado": has("6.4", "x"),
    }
    facts = {**FACTS, "packages": there, "wrong": {"hurt": ["hurt.py"]}, "python": "3.11"}
    here = {"packages": {"tornado": has("6.5", "y"), "jupyter": has("1", "y")}}
    found = differences(wanted, here, [WorkerRow("w1", facts)])
    assert [(each.name, each.there, each.sent) for each in found] == [
        ("python", "3.11", False),
        ("gone", "not there", True),
        ("old", "1", True),
        ("other", "another build of 2", True),
        ("hurt", "changed: hurt.py", True),
        ("tornado", "6.4", False),
    ]


def test_what_was_imported_and_changed_is_stale() -> None:
    before = {"packages": {n: has("1", "p", loaded=n != "idle") for n in ("idle", "on", "gone")}}
    after = {"packages": {"idle": has("2", "q"), "on": has("2", "q", loaded=True, stale=True)}}
    assert stale(before, after) == ("gone", "on")


# Wheels


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "worker", pip=False)


def ordered(prefix: Path, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    elsewhere = {"place": ["elsewhere", 0, 0]}
    return order(detect(prefix), wheels=list(rows), **elsewhere, **more)


def test_a_wheel_made_of_what_is_installed_installs_to_the_same(
    tmp_path: Path, prefix: Path
) -> None:
    """Also of one that pip or uv spread out: scripts, data, a module beside a package."""
    made = build_wheel(
        tmp_path,
        "spread-out",
        "1.0+local.1",
        modules={
            "spread/__init__.py": "",
            "lonely.py": "here = True\n",
            "spread_out-1.0+local.1.data/scripts/run-me": "#!python\nprint('ran')\n",
            "spread_out-1.0+local.1.data/data/share/spread/table.txt": "1\n",
            "spread_out-1.0+local.1.data/purelib/extra.py": "",
        },
        scripts={"turn": "spread:main"},
    )
    first = make_venv(tmp_path / "first", pip=False)
    uv("pip", "install", made, prefix=first)
    (info,) = site_of(first).glob("*.dist-info")
    row = there(first, "pack", str(info))
    assert row["file"] == made.name
    assert row["print"] == row_of(made)["print"]

    done = there(prefix, "install", ordered(prefix, row))
    assert (done["failed"], done["done"]) == ("", [["spread-out", "", "1.0+local.1", None]])
    assert done["facts"]["packages"]["spread-out"]["print"] == row["print"]
    for name in ("bin/run-me", "bin/turn", "share/spread/table.txt"):
        ours, theirs = (root / name for root in (prefix, first))
        assert ours.exists() == theirs.exists()
    assert subprocess.check_output([prefix / "bin/run-me"]) == b"ran\n"
    # uv removes it whole: the list of its files is right
    uv("pip", "uninstall", "spread-out", prefix=prefix)
    left = [path.name for path in prefix.rglob("*") if path.is_file()]
    assert not {"lonely.py", "extra.py", "table.txt", "run-me", "turn", "__init__.py"} & set(left)


def test_an_update_takes_the_old_files_away_and_can_be_undone(tmp_path: Path, prefix: Path) -> None:
    old = row_of(build_wheel(tmp_path, "gear", "1", modules={"gear.py": "", "teeth.py": ""}))
    new = row_of(build_wheel(tmp_path, "gear", "2"))
    there(prefix, "install", ordered(prefix, old))
    done = there(prefix, "install", ordered(prefix, new))
    (change,) = done["done"]
    assert change[:3] == ["gear", "1", "2"]
    assert not (site_of(prefix) / "teeth.py").exists()

    back = there(prefix, "install", ordered(prefix, change[3]))
    assert back["facts"]["packages"]["gear"]["print"] == old["print"]
    gone = there(prefix, "install", ordered(prefix, remove=["gear"]))
    assert gone["failed"] == ""
    assert sorted(path.name for path in site_of(prefix).iterdir()) == []


@pytest.mark.parametrize("kept", ["RECORD", "INSTALLER", "nothing"])
def test_what_was_cut_off_is_finished(tmp_path: Path, prefix: Path, kept: str) -> None:
    """A process that was killed before the list of files was written, or while removing."""
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    there(prefix, "install", ordered(prefix, row))
    (info,) = site_of(prefix).glob("*.dist-info")
    for path in (*info.iterdir(), site_of(prefix) / "gear.py"):
        if path.name != kept:
            path.unlink()
    done = there(prefix, "install", ordered(prefix, row, again=True))
    assert done["failed"] == ""
    assert not there(prefix, "look", ["gear"])["wrong"]
    assert (site_of(prefix) / "gear.py").exists()


def test_a_removal_that_was_cut_off_is_no_whole_one(tmp_path: Path, prefix: Path) -> None:
    """Killed while what was changed is put back: a plain sync sees it."""
    modules = {f"gear/{name}.py": "" for name in ("__init__", "a", "b")}
    row = row_of(build_wheel(tmp_path, "gear", "1", modules=modules))
    there(prefix, "install", ordered(prefix, row))
    killed = (
        "import os, sys; names = {'__name__': 'w'}; exec(sys.stdin.read(), names); "
        "real = os.unlink; "
        "os.unlink = lambda path: real(path) or path.endswith('.py') and os._exit(9); "
        "names['take_out']('gear', names['look']())"
    )
    done = subprocess.run(
        [prefix / "bin/python", "-c", killed],
        input=source(), text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 9
    assert len(list((site_of(prefix) / "gear").glob("*.py"))) == 2
    assert there(prefix, "install", ordered(prefix, row))["failed"] == ""
    assert there(prefix, "look", ["gear"])["wrong"] == {}
    assert len(list((site_of(prefix) / "gear").glob("*.py"))) == 3


def test_what_was_changed_there_is_seen_and_put_back(tmp_path: Path, prefix: Path) -> None:
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    there(prefix, "install", ordered(prefix, row))
    (site_of(prefix) / "gear.py").write_text("evil = True\n")
    assert there(prefix, "look", ["gear"])["wrong"] == {"gear": ["gear.py"]}
    assert there(prefix, "install", ordered(prefix, row))["done"] == []  # it looks the same
    there(prefix, "install", ordered(prefix, row, again=True))
    assert there(prefix, "look", ["gear"])["wrong"] == {}


def compiled(prefix: Path, source: str, body: str) -> str:
    """Put other code into the compiled file of a source, which Python still takes; its name."""
    path = site_of(prefix) / source
    cache = Path(importlib.util.cache_from_source(str(path)))
    py_compile.compile(str(path), cfile=str(cache), doraise=True)
    head = cache.read_bytes()[:16]
    cache.write_bytes(head + marshal.dumps(compile(body, str(path), "exec", 0, True)))
    return str(cache.relative_to(site_of(prefix)))


def test_what_hides_a_source_is_seen_and_put_back(tmp_path: Path, prefix: Path) -> None:
    """A compiled file or an extension module; one that Python passes over, or is whole, is not."""
    text = "def turn(x: int = 1) -> tuple:\n    return x, (2, {3, 4}), lambda: x\n"
    modules = {f"{name}.py": text for name in ("gear", "stale", "whole", "native", "folder")}
    row = row_of(build_wheel(tmp_path, "gear", "1", modules=modules))
    there(prefix, "install", ordered(prefix, row))
    site = site_of(prefix)
    native = f"native{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    (site / native).touch()
    (site / "folder").mkdir()
    (site / "folder/__init__.py").touch()
    hidden = compiled(prefix, "gear.py", text.replace("= 1", "= 2"))
    compiled(prefix, "whole.py", text)
    compiled(prefix, "stale.py", "evil = True")
    os.utime(site / "stale.py", (1, 1))
    assert sorted(there(prefix, "look", ["gear"])["wrong"]["gear"]) == sorted(
        [hidden, native, "folder/__init__.py"]
    )
    ran = [
        prefix / "bin/python",
        "-c",
        "import gear, stale; print(gear.turn()[0], stale.turn()[0])",
    ]
    assert subprocess.check_output(ran) == b"2 1\n"
    (site / native).unlink()
    shutil.rmtree(site / "folder")
    there(prefix, "install", ordered(prefix, row, again=True))
    assert there(prefix, "look", ["gear"])["wrong"] == {}
    assert subprocess.check_output(ran) == b"1 1\n"


# What is not let in


def test_an_archive_that_was_changed_is_not_installed(tmp_path: Path, prefix: Path) -> None:
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    path = Path(worker.path_of(row))
    path.write_bytes(path.read_bytes() + b" ")
    assert there(prefix, "lacking", ordered(prefix, row))[1] == [row]
    done = there(prefix, "install", ordered(prefix, row))
    assert "gear-1-py3-none-any.whl is not what was sent" in done["failed"]
    with pytest.raises(ValueError, match="its hash is another"):
        worker.keep(row, b"something else")


@pytest.mark.parametrize(
    ("name", "says"),
    [("../outside.py", "outside of its folder"), ("gear.py", "was changed")],
)
def test_a_wheel_that_lies_is_not_installed(
    tmp_path: Path, prefix: Path, name: str, says: str
) -> None:
    made = build_wheel(tmp_path / "good", "gear", "1")
    bad = tmp_path / made.name
    with zipfile.ZipFile(made) as good, zipfile.ZipFile(bad, "w") as archive:
        for each in good.namelist():
            archive.writestr(name if each == "gear.py" else each, good.read(each) + b"# more\n"
                             if each == "gear.py" else good.read(each))  # fmt: skip
    done = there(prefix, "install", ordered(prefix, row_of(bad)))
    assert says in done["failed"]
    assert not list(prefix.rglob("outside*"))
    assert not list(prefix.rglob("gear*"))


def test_a_list_of_files_that_reaches_out_takes_nothing_away(tmp_path: Path, prefix: Path) -> None:
    precious = prefix.with_name(f"{prefix.name}2") / "precious.py"  # a name that begins the same
    precious.parent.mkdir()
    precious.write_text("")
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    there(prefix, "install", ordered(prefix, row))
    (record,) = site_of(prefix).glob("gear-*/RECORD")
    out = os.path.relpath(precious, site_of(prefix))
    with record.open("a") as file:
        file.write(f"{out},,\ngear/../{out},{worker.record_row('x', b'', '')[1]},0\n")
    with pytest.raises(ValueError, match="outside of its folder"):
        worker.pack(str(record.parent))
    gone = there(prefix, "install", ordered(prefix, remove=["gear"]))
    assert gone["failed"] == ""
    assert not list(site_of(prefix).glob("gear*"))
    assert precious.exists()


@pytest.mark.parametrize("file", ["../x.whl", "a/b.whl", ".hidden", "$(rm).whl", "a b.whl"])
def test_a_name_of_an_archive_is_no_path(file: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an archive"):
        worker.path_of({"sha256": "0" * 64, "file": file})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("c.JStackMagic.deny = ['ge*']", "forbids it"),
        ("c = get_config()\nc.JStackMagic.deny.append('pip:gear')", "forbids it"),
        ("c.JStackMagic.allow = ['other']", "not among the packages"),
        ("c.JStackMagic.managers = ['conda']", "does not allow pip"),
        ("c.JStackMagic.locked = ['index_url']", "has locked index_url"),
        ("c.JStackMagic.deny = [", "cannot be read"),
        ("c.Other.thing = 1\nc.JStackMagic.deny = ['conda:gear']", ""),
    ],
)
def test_the_administrator_of_the_worker_has_a_say(
    tmp_path: Path, prefix: Path, config: str, says: str
) -> None:
    row = {**row_of(build_wheel(tmp_path, "gear", "1")), "asked": True}
    path = prefix / "etc/ipython/ipython_config.py"
    path.parent.mkdir(parents=True)
    path.write_text(config)
    done = there(prefix, "install", ordered(prefix, row))
    assert says in done["failed"] + "".join(words for _, words in done["cannot"])
    assert bool(done["done"]) is (not says)


# Where the environment may not be written to


def test_a_frozen_environment_gets_a_folder_on_its_path(tmp_path: Path, prefix: Path) -> None:
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/frozen").touch()
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    before = {path: path.stat().st_mtime_ns for path in prefix.rglob("*")}
    done = there(prefix, "install", ordered(prefix, row))
    folder = done["facts"]["folder"]
    assert (done["failed"], Path(folder, "gear.py").exists()) == ("", True)
    assert {path: path.stat().st_mtime_ns for path in prefix.rglob("*")} == before
    # a process that is started later looks there as well
    assert "gear" in there(prefix, "look")["packages"]


def test_two_on_one_environment_take_turns_and_say_so(tmp_path: Path, prefix: Path) -> None:
    row = row_of(build_wheel(tmp_path, "gear", "1"))
    code = f"names = {{'__name__': 'w'}}\nexec({source()!r}, names)\nimport json, sys\n"
    code += f"print(json.dumps(names['install']({ordered(prefix, row)!r})))"
    with worker.locked(str(prefix)):
        started = subprocess.Popen([prefix / "bin/python", "-c", code], stdout=subprocess.PIPE)
        lock = str(prefix / ".jstackmagic-workers.lock")

        def waits() -> bool:
            """It has opened the lock, and sleeps until it looks again."""
            place = Path("/proc", str(started.pid))
            opened = {os.readlink(path) for path in place.glob("fd/*") if path.is_symlink()}
            return lock in opened and (place / "stat").read_text().rpartition(") ")[2][0] == "S"

        until(waits)
        assert not (site_of(prefix) / "gear.py").exists()
    done = json.loads(started.communicate(timeout=PATIENCE)[0])
    assert (done["failed"], (site_of(prefix) / "gear.py").exists()) == ("", True)
    assert done["waited"].startswith(f"process {os.getpid()} of ")


@pytest.mark.parametrize(
    ("version", "says"), [("1", ""), ("2", "has no gear==2"), ("3", "another")]
)
def test_a_worker_may_ask_its_own_index(
    tmp_path: Path,
    wheel_index: WheelIndex,
    version: str,
    says: str,
) -> None:
    """It takes the kernel's build, and no other of the same version; nothing is sent."""
    prefix = make_venv(tmp_path / "worker")
    wheel_index.add("gear", "1")
    wheel_index.add("gear", "3", modules={"gear.py": "other = True\n"})
    row = row_of(build_wheel(tmp_path, "gear", version))
    Path(worker.path_of(row)).unlink()
    wanted = ordered(prefix, row, via="index")
    index = {"PIP_INDEX_URL": wheel_index.url, "PIP_NO_INDEX": "0"}
    assert there(prefix, "lacking", wanted, **index)[1] == []
    done = there(prefix, "install", wanted, **index)
    assert (bool(done["done"]), bool(done["failed"])) == (not says, bool(says))
    assert says in done["failed"]


@pytest.mark.parametrize("name", ["a worker", "w" * 120, 'a "$(touch x)" `x`'])
def test_a_script_runs_whatever_the_path_of_its_python_is(tmp_path: Path, name: str) -> None:
    prefix = make_venv(tmp_path / name, pip=False)
    modules = {"gear.py": "def main():\n    print('turns')\n"}
    made = build_wheel(tmp_path, "gear", "1", modules=modules, scripts={"turn": "gear:main"})
    done = there(prefix, "install", ordered(prefix, row_of(made)))
    assert done["failed"] == ""
    assert subprocess.check_output([prefix / "bin/turn"], cwd=tmp_path) == b"turns\n"
    assert not (tmp_path / "x").exists()


# conda's packages


def test_condas_packages_are_linked_as_they_are_and_taken_out_again(
    conda_env: Callable[..., Path], shim_channel: Channel
) -> None:
    """By py-rattler, where the worker has no conda; its environment has that from elsewhere."""
    kernel, prefix = conda_env("python", "pip"), conda_env("python")
    (site_of(prefix) / "zz-borrowed.pth").write_text(f"{SITE}\n")
    verb("install", "--prefix", kernel, "-c", shim_channel.url, "--conda", "dnspython")
    cargo = cargo_of(kernel)
    assert [row["name"] for row in cargo.order["conda"]] == ["dnspython"]
    assert cargo.order["wheels"] == []

    done = there(prefix, "install", cargo.order)
    assert (done["failed"], done["cannot"]) == ("", [])
    (row,) = cargo.order["conda"]
    assert done["facts"]["conda"]["dnspython"] == [row["version"], row["build"]]
    assert list(site_of(prefix).glob("dns/__init__.py"))
    assert there(prefix, "install", cargo.order)["done"] == []

    gone = there(prefix, "install", {**cargo.order, "conda": [], "remove": ["dnspython"]})
    assert gone["failed"] == ""
    assert not list(site_of(prefix).glob("dns*"))
    assert (prefix / "bin/python").exists()


# What travels


def test_projects_and_modules_travel_as_wheels_and_what_was_changed_here_does_not(
    tmp_path: Path, prefix: Path, wheel_index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = make_venv(tmp_path / "kernel")
    uv("pip", "install", "setuptools", prefix=kernel)
    project = write_project(tmp_path / "project", "ourproject")
    wheel_index.add("gear", "1")
    wheel_index.add("hurt", "1")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "gear", "hurt")
    uv("pip", "install", "--no-build-isolation", "--editable", project, prefix=kernel)
    (site_of(kernel) / "hurt.py").write_text("changed = True\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helper_of_mine.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("helper_of_mine")

    cargo = cargo_of(kernel, modules=True)
    names = [row["name"] for row in cargo.order["wheels"]]
    assert sorted(names) == ["gear", "jstackmagic-working-folder", "ourproject"]
    assert [words for words in cargo.left_out if "hurt" in words] == [
        "hurt is not sent: hurt.py is not what its list of files says: it was changed."
    ]
    done = there(prefix, "install", cargo.order)
    assert done["failed"] == ""
    code = "import helper_of_mine, gear; print(helper_of_mine.value)"
    assert subprocess.check_output([prefix / "bin/python", "-c", code]) == b"7\n"
    monkeypatch.delitem(sys.modules, "helper_of_mine")


def test_what_only_the_workers_python_or_platform_needs_is_fetched_or_said(
    tmp_path: Path, wheel_index: WheelIndex
) -> None:
    """Also what that needs there, an extra of it, and what a worker has in a version that fits."""
    kernel = make_venv(tmp_path / "kernel")
    asks = ("tooth[gums]>=1; python_version < '3.9'", "plaque; sys_platform == 'darwin'",
            "missing; python_full_version < '3.8.1'", "never; python_version < '3'",
            "forbidden; python_version < '3.9'", "there>=2; python_version < '3.9'")  # fmt: skip
    wheel_index.add("gear", "1", requires=asks)
    wheel_index.add("tooth", "1", requires=("root; extra == 'gums' and python_version < '3.9'",))
    for name in ("root", "plaque", "forbidden", "there"):
        wheel_index.add(name, "2")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "gear")
    cargo = load(Session().history, detect(kernel), Policy(deny=("forbidden",)))

    def answer(full: str, platform: str, **packages: str) -> dict[str, Any]:
        there = {name: has(version, "x") for name, version in packages.items()}
        more = {"full": full, "platform": platform, "packages": there}
        return {**FACTS, **more, "python": full.rpartition(".")[0]}

    linux = FACTS["platform"]
    old, fit, mac = (
        answer("3.8.0", linux),
        answer("3.8.1", linux, there="2.1", tooth="1"),
        answer("3.12.1", "macosx-11.0-arm64"),
    )
    order = cargo.fitted([old, fit, mac, "lost"]).order
    plans = [worker.todo({**order, "place": ["x", 0, 0]}, each) for each in (old, fit, mac)]
    assert [sorted(row["name"] for row in plan["wheels"]) for plan in plans] == [
        ["gear", "root", "there", "tooth"], ["gear"], ["gear", "plaque"],
    ]  # fmt: skip
    assert [sorted(name for name, _ in plan["cannot"]) for plan in plans] == [
        ["forbidden", "missing"], ["forbidden"], [],
    ]  # fmt: skip
    (why,) = (words for name, words in plans[0]["cannot"] if name == "missing")
    assert why.startswith(f"gear needs it on Python 3.8.0 and {linux}: ERROR: No matching")
    assert cargo.fitted([there(kernel, "look")]).order == cargo.order


def test_what_the_administrator_forbids_here_is_sent_nowhere(
    tmp_path: Path, wheel_index: WheelIndex
) -> None:
    kernel = make_venv(tmp_path / "kernel")
    wheel_index.add("gear", "1")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "gear")
    with pytest.raises(Stopped, match="not sent: gear"):
        load(Session().history, detect(kernel), Policy(deny=("gear",)))
