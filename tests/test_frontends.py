"""Other ways to run a notebook's code: without a browser, and in a terminal in front of a kernel.

Terminal IPython, which has no kernel, is in `test_surfaces.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pexpect
import pytest

from support.browser import write_notebook
from support.environments import uv
from support.kernels import PATIENCE, clean_environ, write_kernelspec
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def prefix(make_kernel_env: Callable[..., Path]) -> Path:
    return make_kernel_env("frontends")


@pytest.fixture
def environ(home: Path, prefix: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user with a kernel in an environment that was never activated, and an index."""
    write_kernelspec(home / ".local/share/jupyter/kernels/tested", prefix)
    with WheelIndex(tmp_path / "index") as index:
        index.add("one-more", "1.0")
        yield clean_environ(PIP_INDEX_URL=index.url)


NBCONVERT = ("nbconvert", "--to", "notebook", "--execute", "made.ipynb", "--output", "done.ipynb")
PAPERMILL = ("papermill", "--no-progress-bar", "made.ipynb", "done.ipynb")


LOAD, INSTALL = "%load_ext jstackmagic", "%envinstall --engine pip --pip one-more"
FAIL = "%envinstall --engine pip --pip no-such-thing"


def run(
    tool: tuple[str, ...], environ: dict[str, str], folder: Path, *cells: str
) -> subprocess.CompletedProcess[str]:
    """Have a tool run a notebook of these cells."""
    write_notebook(folder / "made.ipynb", LOAD, *cells, kernel="tested")
    return subprocess.run(
        [sys.executable, "-m", *tool],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_notebook_runs_without_a_browser(
    environ: dict[str, str], prefix: Path, tmp_path: Path
) -> None:
    done = run(NBCONVERT, environ, tmp_path, INSTALL, "import one_more")
    assert done.returncode == 0, done.stderr
    log, result = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[1].outputs
    assert log.data["text/plain"].startswith("$ "), "the display that was updated is one output"
    assert "Successfully installed" in log.data["text/html"]
    assert "one-more  1.0" in result.data["text/plain"]
    uv("pip", "uninstall", "one-more", prefix=prefix)


def test_and_stops_where_an_install_fails(environ: dict[str, str], tmp_path: Path) -> None:
    """nbclient runs the cells of both tools and stops."""
    failed = run(PAPERMILL, environ, tmp_path, FAIL, "%envinstall --record-only --pip one-more")
    assert failed.returncode != 0
    assert "No matching distribution found for no-such-thing" in failed.stderr
    assert "%envhistory" in failed.stderr, "what to type"
    records = [json.loads(line) for line in _history(environ)]
    assert [each["outcome"]["status"] for each in records if each["event"] == "end"] == ["failed"]


def _history(environ: dict[str, str]) -> list[str]:
    with open(environ["JSTACKMAGIC_HISTORY"]) as file:
        return file.readlines()


def test_jupyter_console(environ: dict[str, str], prefix: Path, tmp_path: Path) -> None:
    """A terminal in front of a kernel: it knows no display that is updated."""
    options = ["--kernel=tested", "--simple-prompt", "--ZMQTerminalInteractiveShell.banner="]
    child = pexpect.spawn(
        sys.executable,
        ["-m", "jupyter_console", *options],
        encoding="utf-8",
        timeout=PATIENCE,
        env={**environ, "TERM": os.environ.get("TERM", "xterm")},  # type: ignore[arg-type]
        cwd=str(tmp_path),
        dimensions=(50, 200),
    )

    def type_in(line: str, number: int) -> str:
        child.sendline(line)
        child.expect(rf"In \[{number}\]")
        return str(child.before)

    child.expect(r"In \[1\]")
    type_in("%load_ext jstackmagic", 2)
    shown = type_in("%envinstall --engine pip --pip one-more", 3)
    # of one output, the first state: the question, where pip takes long over what it would change
    assert "-m pip install one-more" in shown or "Asking pip" in shown
    assert "one-more  1.0" in shown
    assert "1" in type_in("import one_more; one_more.__version__", 4)
    shown = type_in("%envinstall --engine pip --pip no-such-thing", 5)
    assert "No matching distribution found" in shown
    assert "Traceback" not in shown
    child.close(force=True)
    uv("pip", "uninstall", "one-more", prefix=prefix)
