"""The committed notebook about images: it runs in a container, and shows what it shows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

import run_persist
from run_quickstart import PAGES, text_of, with_outputs
from support import engine

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOK = REPOSITORY / "notebooks" / "persist.ipynb"


def cells(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    return {cell.id: cell for cell in run_persist.code_cells(notebook)}


@pytest.mark.docker
@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_is_committed(
    docker_engine: DockerClient, stacks_image: str
) -> None:
    if not engine.host().startswith("unix://"):
        pytest.skip("the container is given the engine's socket, and this engine has none")
    shown = cells(run_persist.run(docker_engine, NOTEBOOK))
    committed = cells(nbformat.read(NOTEBOOK, as_version=4))
    for name, cell in shown.items():
        # what was installed comes in today's versions, of this machine's Python
        if name not in ("install", "other"):
            assert settled(text_of(cell)) == settled(text_of(committed[name])), (
                f"{name}: the committed outputs are stale: python notebooks/run_persist.py --write"
            )
    assert not docker_engine.images.list(name=run_persist.MADE)


def settled(text: str) -> list[str]:
    """The lines without what differs from run to run: numbers, times, ids, names, files."""
    text = re.sub(r"(?m)  cached$", "  0.0 s", text)
    text = re.sub(r"[0-9a-f]{8,}|\d+(?:[.:+T-]\d+)*", "N", text)
    text = re.sub(r"\b[a-z]+_[a-z]+\b", "NAME", text)  # a container's
    text = re.sub(r"(?m)(?:/|…)\S+$", "FILE", text)
    text = re.sub(r"[ ─]+", " ", text)
    return text.strip().splitlines()


def test_the_committed_outputs_tell_the_whole_story() -> None:
    committed = cells(nbformat.read(NOTEBOOK, as_version=4))
    assert [cell.execution_count for cell in committed.values()] == [*range(1, len(committed) + 1)]
    kinds = [out.output_type for cell in committed.values() for out in cell.outputs]
    assert "error" not in kinds
    said = {name: text_of(cell) for name, cell in committed.items()}
    assert "Built     analysis:2026-11" in said["build"]
    assert "analysis:2026-11 holds exactly what is here." in said["prove"]
    assert "does not hold exactly what is here" in said["drift"]
    assert said["status"] == "1"
    assert re.search(r"http://127\.0\.0\.1:\d+/\?token=…", said["run"])
    assert "nobody can say how it was made" in said["commit"]
    assert "scipy-notebook has dill already" in said["suggest"]
    text = NOTEBOOK.read_text()
    assert os.path.expanduser("~") not in text
    assert not re.search(r"token=[0-9a-f]", text)


def test_the_pages_show_what_the_notebook_shows() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    pages = [page.read_text() for page in PAGES]
    assert sum(page.count("<!-- persist: ") for page in pages) == 3
    for page in pages:
        assert with_outputs(page, notebook, "persist") == page
