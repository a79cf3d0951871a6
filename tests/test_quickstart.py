"""The committed notebook: it runs, and shows what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

import run_quickstart

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOK = REPOSITORY / "notebooks" / "quickstart.ipynb"


@pytest.mark.dpkg(changes=True)  # where it may; what others do with apt would show
@pytest.mark.slow
def test_the_quickstart_runs_and_ends_with_the_dockerfile(full_channel: object) -> None:
    script = REPOSITORY / "notebooks" / "run_quickstart.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "FROM $BASE_IMAGE" in done.stdout
    committed = nbformat.read(NOTEBOOK, as_version=4)
    shown = run_quickstart.text_of(committed.cells[-1])
    assert without_versions(done.stdout) == without_versions(shown), (
        "the committed outputs are stale: python notebooks/run_quickstart.py --write"
    )


@pytest.mark.parametrize("own", [True, False], ids=["by itself", "in a test that has its turn"])
def test_the_command_has_dpkg_alone(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    @contextmanager
    def turn(*, alone: bool, name: str) -> Iterator[None]:
        done.append(alone)
        yield
        done.append("over")

    def run(path: Path) -> nbformat.NotebookNode:
        done.append("run")
        return nbformat.read(path, as_version=4)

    monkeypatch.setattr(run_quickstart, "turn", turn)
    monkeypatch.setattr(run_quickstart, "run", run)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["run_quickstart.py"])
    if own:
        monkeypatch.delenv("PYTEST_CURRENT_TEST")
    run_quickstart.main()
    assert done == ([True, "run", "over"] if own else ["run"])


def test_the_committed_outputs_tell_the_chapters_story() -> None:
    cells = [
        cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"
    ]
    assert all(cell.execution_count == number for number, cell in enumerate(cells, start=1))
    errors = [cell for cell in cells for out in cell.outputs if out.output_type == "error"]
    assert [cell.source for cell in errors] == [
        "import pymongo",
        "%envinstall --pip pymongo==4.10.1",
    ]
    dockerfile = run_quickstart.text_of(cells[-1])
    assert all(name in dockerfile for name in ("pymongo", "twitter", "tree"))
    assert os.path.expanduser("~") not in NOTEBOOK.read_text()


def test_the_pages_show_what_the_notebook_shows() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    pages = [page.read_text() for page in run_quickstart.PAGES]
    assert sum(page.count("<!-- quickstart: ") for page in pages) == 5
    for page in pages:
        assert run_quickstart.with_outputs(page, notebook, "quickstart") == page


def without_versions(dockerfile: str) -> list[str]:
    """The instructions, whatever the versions of today and of this machine's Python are, and
    however many packages ours need today."""
    text = re.sub(r"\d+(\.\d+)+|\d+(?= packages that only)", "N", dockerfile)
    # the comments tell Debian's versions, which who may not use apt-get has not seen
    return [line for line in text.splitlines() if line and not line.startswith("#")]
