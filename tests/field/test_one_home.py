"""One home volume and one history, used in several images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history.file import History
from jstackmagic.history.who import context
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.restore.homes import of_other_images
from jstackmagic.where.environment import detect
from support.environments import delete_environment, make_venv, uv
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


def remember(
    history_file: Path, prefix: Path, name: str, *, image: str = "", python: str = ""
) -> None:
    """Write what another container recorded of the same prefix."""
    history = History(history_file)
    package = Package("pip", name, "1.0", requested=True)
    ref = detect(prefix).ref
    record = history.note(
        "running",
        Request("install", "pip", (name,)),
        replace(ref, python=python or ref.python),
        transaction=history.new_transaction(),
        step=1,
        engine="pip",
        commands=(),
        context=context(image=image),
    )
    history.end(record, Outcome("ok", 0, 0.1, Change(added=(package,)), (package,)))


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "opt")


class TestWhatIsAnotherImages:
    def test_by_the_image(self, prefix: Path, history_file: Path) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        remember(history_file, prefix, "tool-b", image="lab/b:1")
        (note,) = of_other_images(History(history_file).records(), "lab/b:1")
        assert "tool-a: installed in the image lab/a:1" in note
        assert "tool-b" not in note

    def test_by_its_python_where_no_image_is_known(self, prefix: Path, history_file: Path) -> None:
        remember(history_file, prefix, "tool-a", python="2.7.18")
        remember(history_file, prefix, "tool-b")
        (note,) = of_other_images(History(history_file).records(), "")
        assert "tool-a: installed in an image with Python 2.7" in note

    def test_what_lies_here_all_the_same_is_ours(self, prefix: Path, history_file: Path) -> None:
        remember(history_file, prefix, "six", image="lab/a:1")
        uv("pip", "install", "six", prefix=prefix)
        assert not of_other_images(History(history_file).records(), "lab/b:1")

    def test_one_image_has_nothing_to_say(self, prefix: Path, history_file: Path) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        remember(history_file, prefix, "tool-b")
        assert not of_other_images(History(history_file).records(), "lab/a:1")
        delete_environment(prefix)
        assert not of_other_images(History(history_file).records(), "")


def test_the_export_and_the_replay_say_so(
    prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(history_file, prefix, "tool-a", image="lab/a:1")
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/b:1")
    made = verb("export", "dockerfile", "--from", "base:1").artifact
    assert any("tool-a: installed in the image lab/a:1" in note for note in made.notes)
    monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/a:1")
    made = verb("export", "dockerfile", "--from", "base:1").artifact
    assert not any("installed in the image" in note for note in made.notes)
