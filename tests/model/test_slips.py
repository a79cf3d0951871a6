"""Files typed in place of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import own
from jstackmagic.model.errors import UsageError
from jstackmagic.model.slips import check_words

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("word", ["req2.txt", "./req2.txt", "sub/needs.in", "./needs"])
def test_a_text_file_is_a_list(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / word).write_text("six\n")
    with pytest.raises(UsageError, match="is a list of packages") as raised:
        check_words(["isort", word])
    assert raised.value.advice == (f"Install what it lists: %envinstall -f {word}",)


@pytest.mark.parametrize("word", ["req2.txt", "./six.whl", "./project", "six"])
def test_others_are_packages(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "six").write_text("a file that is called as a package is")
    (tmp_path / "six.whl").write_bytes(b"PK\0")
    (tmp_path / "project").mkdir()
    check_words([word])


@pytest.mark.parametrize("folder", ["elsewhere", None])
def test_a_list_is_looked_for_where_the_line_runs(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A captured line runs in a folder of its own, which only the run may know."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/all.lock").write_text("six\n")
    check_words(["all.lock"], folder=folder and str(tmp_path / folder))
    with pytest.raises(UsageError, match="is a list of packages"):
        check_words(["all.lock"], folder=str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path / "own")
    check_words(["all.lock"], folder=folder and str(tmp_path / folder))
    with pytest.raises(UsageError, match="is a list of packages"):
        check_words(["all.lock"])


def test_a_captured_line_opens_no_file_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all.lock").write_text("six\n")
    monkeypatch.chdir(tmp_path)
    for folder, said in (("/far", ""), (str(tmp_path), "is a list of packages"), (None, "")):
        (found,) = own.requests("install", "all.lock", None, command="x", folder=folder)
        assert said in found.reason
        assert bool(said) == bool(found.reason)
