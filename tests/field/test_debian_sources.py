"""E1: a package of a source that the base image lacks: the export says which file and key."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from jstackmagic.export import _source
from jstackmagic.where.debiansources import added_sources
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAB = "deb [arch=amd64 signed-by=/etc/apt/keyrings/lab.gpg] http://127.0.0.1:8000 ./\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    def write(name: str, text: str, *, age: float = 0) -> None:
        path = tmp_path / "etc/apt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (time.time() - age,) * 2)

    return write


def test_a_line_with_its_key(write: Callable[..., None], tmp_path: Path) -> None:
    write("sources.list.d/lab.list", f"# ours\n#deb http://off.example.com x y\n{LAB}")
    (found,) = added_sources(tmp_path, time.time() - 60)
    assert found.file == "/etc/apt/sources.list.d/lab.list"
    assert found.places == ("http://127.0.0.1:8000",)
    assert found.keys == ("/etc/apt/keyrings/lab.gpg",)


def test_a_paragraph_with_components(write: Callable[..., None], tmp_path: Path) -> None:
    text = (
        "Types: deb\nURIs: https://d.example.com/debian\nSuites: stable\n"
        "Components: main contrib\nSigned-By: /usr/share/keyrings/d.gpg\n\n"
        "Types: deb\nEnabled: no\nURIs: https://off.example.com\nSuites: x\n"
    )
    write("sources.list.d/d.sources", text)
    (found,) = added_sources(tmp_path, time.time() - 60)
    assert found.places == ("https://d.example.com/debian",)
    assert found.components == ("main", "contrib")
    assert "signed by /usr/share/keyrings/d.gpg" in str(found)


def test_what_the_image_brought_is_not_told(write: Callable[..., None], tmp_path: Path) -> None:
    write("sources.list.d/image.list", LAB, age=3600)
    write("sources.list.d/lab.list.save", LAB)
    assert added_sources(tmp_path, time.time() - 60) == ()


def test_no_credential_is_shown(write: Callable[..., None], tmp_path: Path) -> None:
    write("sources.list", "deb https://me:hunter2@d.example.com/debian stable main\n")
    (found,) = added_sources(tmp_path, time.time() - 60)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("manager", ["apt", "pip"])
def test_the_exports_say_so(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str
) -> None:
    write("sources.list.d/lab.list", LAB)
    monkeypatch.setattr(_source, "added_sources", lambda: added_sources(tmp_path, time.time() - 60))
    verb("install", "--record-only", f"{manager}:tool")
    for words in (("dockerfile", "--from", "base:1"), ("script",)):
        notes = verb("export", *words).artifact.notes
        told = [note for note in notes if "lab.list" in note and "lab.gpg" in note]
        assert bool(told) is (manager == "apt")
