"""Progress: its words, and how it looks in a notebook, in a terminal and in a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from jstackmagic.display import progress
from jstackmagic.display.console import PlainConsole
from jstackmagic.display.progress import Lines, Meter, ProgressReport, bar_html
from jstackmagic.managers.conda import rattler
from jstackmagic.where.detect import detect
from support.kernels import PATIENCE, Kernel, clean_environ
from support.slow import slow_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with slow_channel(tmp_path_factory.mktemp("channel") / "slow") as url:
        yield url


@pytest.fixture
def prefix(conda_env: Callable[..., Path], home: Path, channel: str) -> Path:
    (home / ".condarc").write_text(f"channels: ['{channel}']\npkgs_dirs: ['{home}/pkgs']\n")
    return conda_env("python")


def test_a_notebook_shows_one_bar_that_is_updated_in_place(prefix: Path, tmp_path: Path) -> None:
    line = f"%envinstall --prefix '{prefix}' --conda large"
    with Kernel(Path(sys.prefix), cwd=tmp_path) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        cell = kernel.start(line)
        seen = cell.wait_for("s left")
        assert 'role="progressbar"' in seen.html
        assert re.search(r"Fetching large-1\.0-\S+: [\d.]+.B of [\d.]+MB", seen.html)
        assert re.search(r"[\d.]+.B/s, \d+ s left", seen.shown)
        result = cell.wait().check()
    bars = [data for data in result.displays if "fetching" in data.get("text/plain", "")]
    assert len(bars) == 1
    assert re.search(r"\d+ s: .*fetching 1\.50MB of 1\.50MB, linking 1 of 1", bars[0]["text/plain"])
    assert "progressbar" not in bars[0]["text/html"]
    assert "Fetching" not in result.stdout


def test_a_terminal_shows_a_bar_and_takes_it_away(prefix: Path) -> None:
    arguments = ["-m", "jstackmagic", "install", "--prefix", str(prefix), "--conda", "large"]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    terminal = pexpect.spawn(
        sys.executable,
        arguments,
        env=environ,
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(30, 100),
    )
    terminal.expect(r"Fetching: +\d+%\|.*[\d.]+[kM]?/1\.50M \[.*B/s, large-1\.0")
    terminal.expect("Installed into")
    left = terminal.before.replace("\n", "").rpartition("\r")[2]
    assert "Fetching" not in left
    terminal.expect(pexpect.EOF)


def test_a_log_gets_a_line(prefix: Path) -> None:
    command = [sys.executable, "-m", "jstackmagic", "install", "--prefix", str(prefix)]
    done = subprocess.run(
        [*command, "--conda", "large"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "Fetching" in line]
    assert len(lines) == 1
    assert re.match(r"Fetching large-1\.0-\S+: 0.00B of 1\.50MB", lines[0])
    assert "\r" not in done.stderr
    assert done.stdout.startswith("Installed into")


def test_looking_for_who_has_a_package_is_told_too(prefix: Path) -> None:
    seen: list[ProgressReport | None] = []

    class Seeing(PlainConsole):
        def progress(self, progress: ProgressReport | None) -> None:
            seen.append(progress)

    console = Seeing(lambda _: None)
    assert rattler.available(["large"], detect(prefix), console=console) == {"large": ("1.0",)}
    assert seen == [ProgressReport("Reading the channels"), None]


# Words


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def test_lines_are_few(clock: list[float]) -> None:
    words: list[str] = []
    report = Lines(words.append)
    report(ProgressReport("Solving"))
    clock[0] += 1
    report(ProgressReport("Solving"))
    assert words == []
    clock[0] += 3
    report(ProgressReport("Solving"))
    assert words == ["Solving … 4 s\n"]
    for step in range(21):
        report(ProgressReport("Fetching", f"p{step}", step * 1000, 20_000, "bytes"))
        clock[0] += 1
    assert [line.split(":")[0] for line in words[1:]] == [
        *("Fetching p0", "Fetching p10", "Fetching p20"),
    ]
    assert words[2] == "Fetching p10: 10.0kB of 20.0kB, 1.00kB/s, 10 s left\n"
    report(ProgressReport("Linking", "p1", 0, 2, "packages"))
    report(None)
    assert len(words) == 4


def test_a_meter_that_knows_no_end() -> None:
    meter = Meter(ProgressReport("Fetching", "thing", 0, None, "bytes"))
    meter.update(ProgressReport("Fetching", "thing", 5_000_000, None, "bytes"))
    assert meter.share is None
    assert str(meter).startswith("Fetching thing: 5.00MB")
    assert "left" not in str(meter)


def test_what_a_name_holds_is_text_in_the_bar() -> None:
    assert "<script>" not in bar_html("<script>alert(1)</script>", 0.3)
    assert 'aria-valuenow="30"' in bar_html("", 0.3)
