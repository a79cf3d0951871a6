"""The committed notebook of a cluster: it runs, and shows what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import run_cluster
from run_quickstart import text_of

CELLS = [cell for cell in nbformat.read(run_cluster.NOTEBOOK, 4).cells if cell.cell_type == "code"]


@pytest.mark.cluster
def test_the_notebook_runs_and_shows_what_is_committed() -> None:
    script = Path(run_cluster.__file__)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    for cell in CELLS:
        if not any(output.output_type == "error" for output in cell.outputs):
            for line in text_of(cell).splitlines():
                assert without_numbers(line) in without_numbers(done.stdout), (
                    "the committed outputs are stale: python notebooks/run_cluster.py --write"
                )


def without_numbers(text: str) -> str:
    """The words, whatever ports, ids, times and names of hosts are."""
    text = re.sub(r"\b[0-9a-f]{8}\b|\d+", "N", text)
    return " ".join(re.sub(r"─+", " ", re.sub(r"(tcp://\S+ +)\S+", r"\1host", text)).split())


def test_the_committed_outputs_tell_the_story() -> None:
    assert [cell.execution_count for cell in CELLS] == [*range(1, len(CELLS) + 1)]
    failed = [cell.id for cell in CELLS if any(out.output_type == "error" for out in cell.outputs)]
    assert failed == ["fails"]
    shown = {cell.id: text_of(cell) for cell in CELLS}
    assert "%envsync" in shown["fails"]
    assert shown["sync"].count("brought in step: + wordcount") == 3
    assert shown["works"] == shown["again"] == shown["explore"]
    assert shown["undo"].count("Took back") == 2
