"""The record, the managers' own view and the disk: a difference is planted in each of the three."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from jstackmagic.commands._verify import Verified
from jstackmagic.display import Table
from jstackmagic.history.file import History
from jstackmagic.history.who import context
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.restore.verify import Verification, Witnessed
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_debian
from support.environments import delete_environment, make_venv
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from support.environments import Root


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    prefix = make_venv(tmp_path / "venv")
    verb("install", "--pip", "--prefix", prefix, "six==1.17.0")
    return prefix


def seen(result: Any, name: str) -> tuple[str, str, str]:
    (each,) = [each for each in result.verification.packages if each.name == name]
    return (each.record, each.manager_says, each.disk)


def test_where_all_agree(prefix: Path) -> None:
    result = verb("history", "--verify")
    assert seen(result, "six") == ("1.17.0", "1.17.0", "1.17.0")
    assert result.exit_status == 0


@pytest.mark.parametrize(
    ("places", "shown"),
    [
        (("/opt/v", "/opt/w"), ["/opt/w", "/opt/v"]),
        (("/opt/v", ""), ["system", "/opt/v"]),
        (("/opt/v", "/opt/v"), ["1.0", "1.0"]),
    ],
)
def test_several_environments_are_named(places: tuple[str, str], shown: list[str]) -> None:
    first, second = places
    packages = (
        Witnessed("six", "pip", first, "1.0", "1.0", "1.0"),
        Witnessed("six", "pip", second, "1.0", "", "1.0"),
    )
    table = Verified(Verification(packages)).parts()[0]
    assert isinstance(table, Table)
    assert [row[-1] for row in table.rows] == shown


def test_a_difference_on_disk(prefix: Path) -> None:
    for path in prefix.glob("lib/python*/site-packages/six*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = verb("history", "--verify")
    assert seen(result, "six") == ("1.17.0", "", "")
    assert result.exit_status == 1


def test_a_difference_in_the_record(prefix: Path, history_file: Path) -> None:
    history_file.write_text(history_file.read_text().replace("1.17.0", "1.16.0"))
    result = verb("history", "--verify")
    assert seen(result, "six") == ("1.16.0", "1.17.0", "1.17.0")
    assert result.exit_status == 1


def test_a_difference_in_what_pip_says(prefix: Path) -> None:
    """pip learns from a module of its own that six is another."""
    (site,) = prefix.glob("lib/python*/site-packages")
    other = prefix / "other"
    (other / "six-9.0.dist-info").mkdir(parents=True)
    (other / "six-9.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: six\nVersion: 9.0\n"
    )
    (site / "first.pth").write_text(f"import sys; sys.path.insert(0, {str(other)!r})\n")
    result = verb("history", "--verify")
    record, says, disk = seen(result, "six")
    assert (record, says) == ("1.17.0", "9.0")
    assert disk == "1.17.0"
    assert result.exit_status == 1


def test_one_record_alone(prefix: Path, history_file: Path) -> None:
    verb("install", "--pip", "--prefix", prefix, "idna")
    (first,) = {record.transaction for record in History(history_file).records()[:1]}
    result = verb("history", first, "--verify")
    assert [each.name for each in result.verification.packages] == ["six"]


def test_what_a_later_record_moved_is_held_against_that(prefix: Path, history_file: Path) -> None:
    first = History(history_file).records()[0].transaction
    verb("install", "--pip", "--prefix", prefix, "six==1.16.0")
    assert seen(verb("history", first, "--verify"), "six") == ("1.16.0",) * 3


def test_what_was_removed_is_nowhere(prefix: Path) -> None:
    verb("remove", "--pip", "--prefix", prefix, "six")
    result = verb("history", "--verify")
    assert seen(result, "six") == ("", "", "")
    assert result.exit_status == 0


def test_with_the_install_itself(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "other")
    result = verb("install", "--verify", "--pip", "--prefix", prefix, "six")
    assert result.exit_status == 0
    assert result.to_json()["verified"]["agree"]


def test_an_environment_that_is_gone_is_said(prefix: Path) -> None:
    delete_environment(prefix)
    result = verb("history", "--verify")
    assert result.verification.notes
    assert not result.verification.packages


def test_a_manager_that_cannot_be_asked_decides_nothing(
    conda_env: Callable[..., Path],
) -> None:
    prefix = conda_env("python")
    verb("install", "--conda", "--prefix", prefix, "--engine", "rattler", "six")
    result = verb("history", "--verify")
    record, says, disk = seen(result, "six")
    assert (says, record) == ("?", disk)
    assert result.exit_status == 0
    assert any("conda could not be asked" in note for note in result.verification.notes)


def test_a_difference_in_what_conda_says(conda_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = conda_root.create("lab", "python")
    verb("install", "--conda", "--prefix", prefix, "--engine", "rattler", "six")
    conda = conda_root.stand_in("conda")
    conda.answer("list", "--json", output='[{"name": "six", "version": "0.1", "channel": "lab"}]')
    result = verb("history", "--verify")
    assert seen(result, "six")[1] == "0.1"
    assert result.exit_status == 1


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg here")
@pytest.mark.parametrize("version", ["", "0.0"])
def test_debian_packages(version: str, history_file: Path) -> None:
    package = next(each for each in read_debian() if each.name == "dpkg")
    claimed = Package("apt", "dpkg", version or package.version)
    history = History(history_file)
    record = history.note(
        "running",
        Request("install", "apt", ("dpkg",)),
        detect().ref,
        transaction=history.new_transaction(),
        step=1,
        engine="apt-get",
        commands=(),
        context=context(),
    )
    history.end(record, Outcome("ok", 0, 0.1, Change(added=(claimed,)), (claimed,)))
    result = verb("history", "--verify")
    assert seen(result, "dpkg") == (claimed.version, package.version, package.version)
    assert result.exit_status == (1 if version else 0)


def test_a_local_archive_is_hashed_again(tmp_path: Path, history_file: Path) -> None:
    wheel = build_wheel(tmp_path, "local", "1.0")
    verb("install", "--pip", "--prefix", make_venv(tmp_path / "venv"), wheel)
    lines = [json.loads(line) for line in history_file.read_text().splitlines()]
    assert lines[-1]["outcome"]["change"]["added"][0]["sha256"]
    assert verb("history", "--verify").exit_status == 0
    with wheel.open("ab") as file:
        file.write(b"x")
    result = verb("history", "--verify")
    assert result.exit_status == 1
    assert "has changed since" in str(result)
