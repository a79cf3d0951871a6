"""Files typed in place of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
