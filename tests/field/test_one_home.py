"""One home volume and one history, used in several images."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.commands.image import _building
from jstackmagic.commands.image._how import How
from jstackmagic.history import replays
from jstackmagic.history.built import note_image
from jstackmagic.history.file import History, default_path
from jstackmagic.history.who import context
from jstackmagic.model.errors import CommandFailed, Stopped, UsageError
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.restore.homes import at_home, of_other_images
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from support.environments import delete_environment, make_venv, uv
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

    from support.wheels import WheelIndex


def remember(
    history_file: Path,
    prefix: Path,
    name: str,
    *,
    image: str = "",
    python: str = "",
    options: tuple[str, ...] = (),
) -> None:
    """Write what another container recorded of the same prefix."""
    history = History(history_file)
    package = Package("pip", name, "1.0", requested=True)
    ref = detect(prefix).ref
    record = history.note(
        "running",
        Request("install", "pip", (name,), options=options),
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

    @pytest.mark.parametrize(
        ("then", "now", "is_other"),
        [
            ("docker.io/lab/a", "lab/a:latest", False),
            ("docker.io/library/a:1", "a:1", False),
            ("h.example.com:5000/lab/a", "h.example.com:5000/lab/a:latest", False),
            ("h.example.com/lab/a:1", "lab/a:1", True),
            ("lab/a", "lab/a:1", True),
        ],
    )
    def test_by_the_image_in_any_spelling(
        self, then: str, now: str, is_other: bool, prefix: Path, history_file: Path
    ) -> None:
        remember(history_file, prefix, "tool-a", image=then)
        assert bool(of_other_images(History(history_file).records(), now)) == is_other

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


class TestTheUserSite:
    """``~/.local`` has a folder for each Python: what is for another is not this kernel's."""

    def test_what_another_python_has_there_is_left_out_and_said(
        self, prefix: Path, history_file: Path
    ) -> None:
        user = ("--user",)
        remember(history_file, prefix, "tool-a", python="2.7.18", options=user)
        remember(history_file, prefix, "tool-b", options=user)
        home = at_home(History(history_file), "%envreplay --all-images")
        assert [record.request.texts for record in home.records] == [("tool-b",)]
        (note,) = home.notes
        assert re.match(rf"tool-a: installed with --user for Python 2.7, and {prefix} has", note)
        assert note.endswith("To include it: %envreplay --all-images")
        every = at_home(History(history_file), "", every=True)
        assert len(every.records) == 2

    @pytest.mark.parametrize(
        ("options", "python"), [((), "2.7.18"), (("--user",), ""), (("--pre",), "2.7.18")]
    )
    def test_nothing_else_is(
        self, options: tuple[str, ...], python: str, prefix: Path, history_file: Path
    ) -> None:
        remember(history_file, prefix, "tool-a", python=python, options=options)
        home = at_home(History(history_file), "")
        assert [record.request.texts for record in home.records] == [("tool-a",)]


def names_of(text: str) -> set[str]:
    return {name for name in ("tool-a", "tool-b") if name in text}


class TestEachImageHasItsOwn:
    """F3: what one image had is not another's."""

    @pytest.fixture(autouse=True)
    def _two_images(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        remember(history_file, prefix, "tool-b", image="lab/b:1")
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/b:1")

    def test_an_export_leaves_the_others_out_and_says_how_to_include_them(self) -> None:
        made = verb("export", "dockerfile", "--from", "base:1").artifact
        assert names_of(made.text) == {"tool-b"}
        (note,) = (note for note in made.notes if "tool-a" in note)
        assert "installed in the image lab/a:1, and this is lab/b:1: left out" in note
        words = note.rpartition("%env")[2].split()
        assert words[:2] == ["export", "--all-images"]
        made = verb(*words, "--from", "base:1").artifact
        assert names_of(made.text) == {"tool-a", "tool-b"}

    def test_so_do_all_formats_together(self, tmp_path: Path) -> None:
        made = verb("export", "--all", tmp_path / "all", "--from", "base:1")
        assert "tool-a: installed in the image lab/a:1" in str(made)
        assert names_of((tmp_path / "all" / "Dockerfile").read_text()) == {"tool-b"}

    @pytest.mark.parametrize("every", [False, True])
    def test_so_does_an_image_that_is_built(self, every: bool) -> None:
        how = How(base_image="base:1", all_images=every)
        rendering = _building.rendering(how, Session())
        made = rendering.render(style="plain", base_image="base:1")
        assert names_of(made.text) == ({"tool-a", "tool-b"} if every else {"tool-b"})
        left_out = [note for note in rendering.notes if "%envimage build --all-images" in note]
        assert bool(left_out) is not every

    def test_a_replay_does(
        self, prefix: Path, wheel_index: WheelIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
            monkeypatch.setenv(variable, wheel_index.url)
        with pytest.raises(CommandFailed, match="tool-b") as caught:
            verb("replay", "--dry-run", "--prefix", prefix)
        assert any("tool-a: installed in the image lab/a:1" in line for line in caught.value.advice)
        wheel_index.add("tool-b", "1.0")
        done = verb("replay", "--prefix", prefix)
        assert {package.name for package in done.change.added} == {"tool-b"}
        assert "tool-a: installed in the image lab/a:1" in str(done)
        wheel_index.add("tool-a", "1.0")
        done = verb("replay", "--prefix", prefix, "--all-images")
        assert {package.name for package in done.change.added} == {"tool-a"}

    def test_the_start_up_hook_does_and_says_so_to_the_notebook(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = history_file.read_text().splitlines(keepends=True)
        history_file.write_text("".join(lines[:2]))
        verb("hook", "run")
        deadline = time.monotonic() + 60
        while (status := replays.status(default_path())) is None or status.state == "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert status.state == "done"
        assert "tool-a: installed in the image lab/a:1" in str(status)
        assert "%envreplay --all-images" in str(status)

    def test_an_undo_takes_back_the_last_that_was_installed_here(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/a:1")
        assert "tool-a" in str(verb("undo", "--record-only"))
        with pytest.raises(UsageError, match="nothing to take back") as caught:
            verb("undo", "--record-only")
        assert "tool-b: installed in the image lab/b:1" in str(caught.value.advice)
        assert not names_of(verb("export", "json").artifact.text)
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/b:1")
        assert names_of(verb("export", "json").artifact.text) == {"tool-b"}

    def test_one_that_is_named_is_taken_back_wherever_it_was_installed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (record,) = (r for r in Session().history.records() if "tool-a" in r.request.texts)
        verb("undo", record.id, "--record-only")
        made = verb("export", "json").artifact
        assert names_of(made.text) == {"tool-b"}
        assert "tool-a" not in str(made.notes)
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/a:1")
        assert "tool-a" not in verb("export", "json").artifact.text

    def test_going_back_goes_by_this_image_s(self, prefix: Path, history_file: Path) -> None:
        first, second = Session().history.records()
        remember(history_file, prefix, "tool-c", image="lab/a:1")
        with pytest.raises(UsageError, match="Nothing was changed after"):
            verb("undo", "--to", second.id, "--record-only")
        undone = verb("undo", "--to", first.id, "--record-only")
        assert [record.id for record in undone.taken_back] == [second.id]

    def test_what_another_image_had_is_not_verified(self) -> None:
        found = verb("history", "--verify")
        assert {each.name for each in found.verification.packages} == {"tool-b"}
        assert "tool-a: installed in the image lab/a:1" in str(found)
        (record,) = (r for r in Session().history.records() if "tool-a" in r.request.texts)
        found = verb("history", "--verify", record.id)
        assert {each.name for each in found.verification.packages} == {"tool-a"}

    def test_what_both_had_is_not_left_out(self, prefix: Path, history_file: Path) -> None:
        remember(history_file, prefix, "tool-a", image="lab/b:2")
        made = verb("export", "json").artifact
        assert names_of(made.text) == {"tool-a", "tool-b"}
        assert not any("left out" in note for note in made.notes)

    def test_where_nothing_names_the_image_that_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("JUPYTER_IMAGE_SPEC")
        made = verb("export", "json").artifact
        assert names_of(made.text) == {"tool-a", "tool-b"}
        (note,) = (note for note in made.notes if "several images" in note)
        assert "what was installed in lab/a:1, lab/b:1 is all included" in note
        assert "set JUPYTER_IMAGE_SPEC" in note

    def test_the_history_has_a_column_for_it(self) -> None:
        shown = str(verb("history"))
        assert "Image" in shown
        assert "lab/a:1" in shown

    def test_a_difference_is_not_explained_by_the_other_image(self, prefix: Path) -> None:
        (record,) = (r for r in Session().history.records() if "tool-a" in r.request.texts)
        (here, _) = verb("diff", "--prefix", prefix).drifts
        assert all(difference.record != record.id for difference in here.differences)


class TestWhatIsTheSameImage:
    """Those who are over-eager would leave out what a newer build of the image needs."""

    @pytest.mark.parametrize(
        "now",
        ["lab/a:2", "lab/a@sha256:" + "0" * 64, "mirror.example.com:5000/hub/a:1", "", "lab/a"],
    )
    def test_another_tag_digest_or_registry(
        self, now: str, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", now)
        made = verb("export", "dockerfile", "--from", "base:1").artifact
        assert names_of(made.text) == {"tool-a"}

    def test_one_that_was_built_of_this_history(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        remember(history_file, prefix, "tool-b", image="jstackmagic/ab12:latest")
        note_image("registry.example.com/mine/own:1", History(history_file))
        remember(history_file, prefix, "tool-b", image="registry.example.com/mine/own:2")
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/a:1")
        assert len(at_home(Session().history, "").records) == 3

    def test_what_lies_here_all_the_same(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(history_file, prefix, "six", image="lab/a:1")
        uv("pip", "install", "six", prefix=prefix)
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/b:1")
        made = verb("export", "dockerfile", "--from", "base:1").artifact
        assert "six" in made.text
        assert not any("left out" in note for note in made.notes)

    def test_a_recipe_is_whole_wherever_it_is_rendered(
        self, prefix: Path, history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(history_file, prefix, "tool-a", image="lab/a:1")
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/a:1")
        verb("export", "json", "--output", tmp_path / "recipe.json")
        monkeypatch.setenv("JUPYTER_IMAGE_SPEC", "lab/b:1")
        words = ("--recipe", tmp_path / "recipe.json", "dockerfile", "--from", "base:1")
        assert names_of(verb("export", *words).artifact.text) == {"tool-a"}


def test_a_venv_of_the_home_whose_python_another_image_had(
    tmp_path: Path, history_file: Path
) -> None:
    prefix = make_venv(tmp_path / "lab venv", pip=False)
    for name in (prefix / "bin").glob("python*"):
        name.unlink()
    gone = tmp_path / "python-3.13/bin/python3.13"
    (prefix / "bin/python").symlink_to(gone)
    for words in (("install", "--pip", "six"), ("install", "--dry-run", "--pip", "six")):
        with pytest.raises(Stopped, match=f"is not here: it was {gone}") as caught:
            verb(*words, "--prefix", prefix)
        assert f"python3 -m venv --clear '{prefix}'" in caught.value.advice[0]
        assert f"%envreplay --prefix '{prefix}'" in caught.value.advice[1]
