"""A fourth manager, in one module and one entry of the list, gets what the other three have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.model import managers
from jstackmagic.model.errors import CommandFailed, InvalidSpec
from jstackmagic.session import Session
from jstackmagic.where.environment import detect
from support import toymanager
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from jstackmagic.model.environment import Environment


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managers, "MANAGERS", (*managers.MANAGERS, toymanager.LISTED))


@pytest.fixture
def venv(tmp_path: Path, home: Path) -> Environment:
    return detect(make_venv(tmp_path / "venv", pip=False))


def toys(environment: Environment) -> dict[str, str]:
    return {each.name: each.version for each in toymanager.installed(environment, Path("/"))}


def test_install_record_and_undo(venv: Environment) -> None:
    where = ("--prefix", venv.prefix)
    verb("install", *where, "toy:robot==1.0", "toy:train")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}
    (record,) = Session().history.records()
    assert (record.request.manager, record.engine) == ("toy", "toy")
    assert [package.version for package in record.outcome.resolved] == ["1.0", "1.1"]
    verb("install", *where, "--toy", "robot")
    assert toys(venv)["robot"] == "2.0"
    verb("undo")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}
    verb("remove", *where, "toy:train")
    assert toys(venv) == {"robot": "1.0"}
    verb("undo")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}


def test_what_it_refuses_changes_nothing(venv: Environment) -> None:
    with pytest.raises(CommandFailed, match="There is no toy doll"):
        verb("install", "--prefix", venv.prefix, "toy:doll")
    with pytest.raises(InvalidSpec, match="is no toy"):
        verb("install", "--prefix", venv.prefix, "--record-only", "toy:a-b")
    assert toys(venv) == {}


def test_replay(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot==1.0")
    Path(venv.prefix, "toys", "robot").unlink()
    verb("replay")
    assert toys(venv) == {"robot": "1.0"}


@pytest.mark.parametrize("form", ["dockerfile", "script"])
def test_export(venv: Environment, form: str) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot")
    options = ("--from", "debian:12") if form == "dockerfile" else ()
    said = str(verb("export", form, *options))
    assert f"toys install '{venv.prefix}'" in said
    assert "robot==2.0" in said
