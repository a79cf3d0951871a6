"""Files that somebody else wrote: their encodings, and what is too big, too deep or no path."""

from __future__ import annotations

import codecs
import os
import time
from pathlib import Path

import pytest

from jstackmagic.capture import files, notebooks
from jstackmagic.io import reading
from jstackmagic.io.files import write_file
from jstackmagic.model import documents
from jstackmagic.model.errors import InvalidSpec, UnknownEnvironment, UsageError
from jstackmagic.where.detect import detect
from support.verbs import verb

SOON = 5.0  # seconds of processor; what is meant took minutes


class TestEncodings:
    @pytest.mark.parametrize(
        "data",
        [
            codecs.BOM_UTF16_LE + "six\r\nü\r\n".encode("utf-16-le"),
            codecs.BOM_UTF16_BE + "six\nü\n".encode("utf-16-be"),
            codecs.BOM_UTF32_LE + "six\nü\n".encode("utf-32-le"),
            codecs.BOM_UTF8 + "six\nü\n".encode(),
            "six\nü\n".encode(),
        ],
    )
    def test_a_mark_says_it(self, data: bytes, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        path.write_bytes(data)
        assert reading.text_of(path) == "six\nü\n"
        assert reading.beginning(path).split() == ["six", "ü"]

    def test_a_comment_says_it(self, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        text = "#!/usr/bin/x\n# -*- coding: latin-1 -*-\nsix  # für\n"
        path.write_bytes(text.encode("latin-1"))
        assert reading.text_of(path) == text

    def test_a_coding_in_the_third_line_or_in_no_comment_is_none(self) -> None:
        for text in ("#\n#\n# coding: latin-1\nü", "six  # coding: latin-1\nü"):
            with pytest.raises(InvalidSpec, match="UTF-8"):
                reading.decoded(text.encode("latin-1"), "list.txt")

    def test_what_it_is_not_is_said_with_the_line(self) -> None:
        with pytest.raises(InvalidSpec, match="line 2") as raised:
            reading.decoded(b"six\n\xfc\n", "list.txt")
        assert any("coding: latin-1" in line for line in raised.value.advice)
        with pytest.raises(InvalidSpec, match="klingon"):
            reading.decoded(b"# coding: klingon\nsix\n", "list.txt")
        with pytest.raises(InvalidSpec, match="without its mark"):
            reading.decoded("six\n".encode("utf-16-le"), "list.txt")


class TestLimits:
    def test_aliases_that_multiply(self, tmp_path: Path) -> None:
        levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
        text = "\n".join(["l0: &l0 [x, x]", *levels, "dependencies: [*l11]"])
        path = tmp_path / "environment.yml"
        path.write_text(text)
        start = time.process_time()
        with pytest.raises(InvalidSpec, match="aliases"):
            files.read(path)
        assert time.process_time() - start < SOON

    def test_aliases_that_people_write(self) -> None:
        text = "base: &base [python, pip]\nname: &n x\nmore: {<<: {a: *n}, both: [*base, *base]}\n"
        assert documents.parse_yaml(text, "it")["more"] == {
            "a": "x",
            "both": [["python", "pip"], ["python", "pip"]],
        }

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("environment.yml", "dependencies: {0}{1}"),
            ("conda-lock.yml", "metadata: 1\npackage: {0}{1}"),
            ("pyproject.toml", "dependencies = {0}{1}"),
            ("pylock.toml", "packages = {0}{1}"),
            ("script.py", "# /// script\n# dependencies = {0}{1}\n# ///\n"),
            ("note.ipynb", '{{"x": "# /// script", "cells": {0}{1}}}'),
            ("pyproject.toml", "a" + ".a" * 20_000 + " = 1"),
        ],
    )
    def test_depth(self, name: str, text: str, tmp_path: Path) -> None:
        path = tmp_path / name
        path.write_text(text.format("[" * 20_000, "]" * 20_000))
        start = time.process_time()
        with pytest.raises(UsageError, match=r"nested|levels"):
            files.read(path)
        assert time.process_time() - start < SOON

    @pytest.mark.parametrize("name", ["requirements.txt", "environment.yml", "apt.txt"])
    def test_size(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(b"dependencies:\n")
            file.truncate(100 * 2**20)
        start = time.process_time()
        with pytest.raises(InvalidSpec, match="more than 16 MB"):
            files.read(path)
        assert time.process_time() - start < SOON

    def test_values(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(documents, "MAX_NODES", 100)
        assert len(documents.parse_yaml(f"[{'a,' * 98}a]", "it")) == 99
        with pytest.raises(InvalidSpec, match="100 values"):
            documents.parse_yaml(f"[{'a,' * 101}a]", "it")

    def test_a_lock_of_an_ordinary_size_is_none_of_these(self, tmp_path: Path) -> None:
        package = "- {name: p, version: '1', manager: conda, platform: x, url: u, hash: {md5: m}}\n"
        text = f"metadata: {{platforms: [x]}}\npackage:\n{package * 3000}"
        assert len(documents.parse_yaml(text, "it")["package"]) == 3000

    def test_a_device_is_no_list(self) -> None:
        with pytest.raises(InvalidSpec, match="device"):
            reading.bytes_of(Path("/dev/zero"))

    def test_a_pipe_is_read_if_something_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "_PATIENCE", 10)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidSpec, match="nothing is written to"):
            reading.bytes_of(tmp_path / "pipe")
        ours, theirs = os.pipe()
        os.write(theirs, b"six\n")
        os.close(theirs)
        assert reading.bytes_of(Path(f"/dev/fd/{ours}")) == b"six\n"
        os.close(ours)

    def test_a_list_of_a_million_lines_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "list.txt").write_bytes(b"six\n" * 10**6)
        with pytest.raises(InvalidSpec, match="has more than 200,000 lines"):
            reading.text_of(tmp_path / "list.txt")
        for text, readable in (("[" + "1," * 600_000, True), ("six," * 300_000, False)):
            (tmp_path / "list.txt").write_text(text)
            if readable:
                assert reading.text_of(tmp_path / "list.txt") == text
                continue
            with pytest.raises(InvalidSpec, match="a line of more than 1 MB"):
                reading.text_of(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~nosuchuser/x.txt", "no user nosuchuser"),
        ("n" * 300 + ".txt", "name too long"),
        ("\ud800.txt", r"\ud800"),
        ("a\0b.txt", "no path"),
        ("absent.yml", "There is no"),
    ],
)
@pytest.mark.parametrize("line", [("install", "--dry-run", "-f"), ("capture", "--dry-run")])
def test_what_is_no_path(line: tuple[str, ...], path: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        verb(*line, path)
    shown = str(raised.value)
    shown.encode()
    if line[0] == "install":
        assert said.lower() in shown.lower()


def test_a_home_is_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert reading.path_of("~/x.txt") == tmp_path / "x.txt"
    assert reading.path_of(os.fspath(tmp_path)) == tmp_path


class TestOwn:
    """Files that are ours, in whose place anybody may have put something else."""

    def test_a_file_is_read_and_nothing_else_is(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 10)
        assert reading.own_bytes(tmp_path / "file") == b"x" * 10
        assert reading.own_bytes("/dev/null") == b""
        os.mkfifo(tmp_path / "pipe")  # which would be waited for
        (tmp_path / "loop").symlink_to("loop")
        for name in ("pipe", "loop", "missing", ".", "/dev/zero"):
            with pytest.raises(OSError, match=r"."):
                reading.own_bytes(tmp_path / name)

    def test_one_that_is_too_big(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 10)
        assert reading.own_bytes(tmp_path / "file", limit=10) == b"x" * 10
        with pytest.raises(OSError, match="too large"):
            reading.own_bytes(tmp_path / "file", limit=9)


def test_numbers_and_names_without_end(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    start = time.process_time()
    path.write_text("a = " + "9" * 10_000)
    with pytest.raises(UsageError, match="digits"):
        files.read(path)
    path.write_text(f"[project]\nname = 'x'\ndependencies = ['{'a' * 100_000}']\n")
    assert "100,000 characters" in str(files.read(path))
    assert time.process_time() - start < SOON


@pytest.mark.parametrize("prefix", ["a\0b", "\ud800", "~nosuchuser/x", "n" * 300])
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(UnknownEnvironment):
        detect(prefix)


def test_a_folder_is_looked_through_without_its_environments(tmp_path: Path) -> None:
    for folder in ("work", ".venv/lib"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.md").write_text("```{code-cell}\n!pip install six\n```\n")
    (tmp_path / ".venv/pyvenv.cfg").touch()
    os.mkfifo(tmp_path / "work/pipe.md")
    assert [*notebooks.files([tmp_path])] == [str(tmp_path / "work/x.md")]


def test_a_pipe_that_nobody_reads_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("jstackmagic.io.files._PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        write_file(tmp_path / "pipe", "x")
