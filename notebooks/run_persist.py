"""Runs persist.ipynb in a container that was given the container engine's socket.

The image is the tests' stand-in for one of the Docker Stacks, made on the spot where the engine
does not have it; the engine is DOCKER_HOST's or the tests' own. ``--write`` keeps the outputs in
the notebook.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from docker.errors import APIError
from docker.types import Mount

from jstackmagic.image.engine import labels
from run_quickstart import REPOSITORY, keep, text_of, usually_named
from support import engine, ours, stacks
from support.folders import own_folder

if TYPE_CHECKING:
    from docker import DockerClient

FOLDER = "jstackmagic-persist"
"""What the committed outputs call its folder."""

BASE = "registry.example.com/jupyter/base-notebook:2026-11-02"
"""What the stand-in is called in the notebook."""

MADE = "analysis"
"""What the notebook calls the images that it makes."""

_WORK = "/home/jovyan/work"
_SECONDS = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the notebook")
    write = parser.parse_args().write
    with engine.engine() as client:
        notebook = run(client, REPOSITORY / "notebooks" / "persist.ipynb")
    print("\n\n".join(filter(None, map(text_of, code_cells(notebook)))))
    if write:
        keep(notebook, "persist")


def run(client: DockerClient, path: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a new container and return it with its outputs."""
    image = stacks.image_with(client, stacks.image(client), ours.wheel())
    with own_folder(FOLDER[:-8]) as folder, engine.usual_names():
        work = folder / "work"
        work.mkdir()
        work.chmod(0o777)  # its user in the container is another
        shutil.copy(path, work)
        (work / path.name).chmod(0o666)
        client.images.get(image).tag(*BASE.rsplit(":", 1))
        try:
            _execute(client, work, path.name)
        finally:
            _take_away(client)
        notebook = nbformat.read(work / path.name, as_version=4)
        notebook = usually_named(notebook, folder, FOLDER)
    _settle(notebook)
    return notebook


def _execute(client: DockerClient, work: Path, name: str) -> None:
    """What ``docker run`` with the chapter's options does, with the notebook for its command."""
    mounts = [
        Mount("/var/run/docker.sock", engine.host().removeprefix("unix://"), type="bind"),
        Mount(_WORK, str(work), type="bind"),
    ]
    container = client.containers.run(
        BASE,
        ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", f"{_WORK}/{name}"],
        detach=True,
        user="root",
        environment={"GRANT_SUDO": "yes"},
        mounts=mounts,
        working_dir=_WORK,
    )
    try:
        status = container.wait(timeout=_SECONDS)["StatusCode"]
        assert status == 0, container.logs().decode(errors="replace")[-3000:]
    finally:
        container.remove(force=True, v=True)


def _take_away(client: DockerClient) -> None:
    """Remove what the notebook made, and the name that it gave to the image it ran in."""
    servers = {"all": True, "filters": {"label": labels.SERVER}, "ignore_removed": True}
    for container in client.containers.list(**servers):
        if container.labels[labels.SERVER].startswith(f"{MADE}:"):
            container.remove(force=True, v=True)
    made = client.images.list(name=MADE)
    histories = {image.labels[labels.HISTORY].partition(".")[0] for image in made}
    made += [
        image for each in histories for image in client.images.list(name=f"jstackmagic/{each}")
    ]
    for tag in {BASE, *(tag for image in made for tag in image.tags)}:
        with contextlib.suppress(APIError):
            client.images.remove(tag)


def _settle(notebook: nbformat.NotebookNode) -> None:
    """Keep of lines that were written over the last state, and no token."""
    for cell in code_cells(notebook):
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = re.sub(r"^[^\n]*\r", "", output.text, flags=re.MULTILINE)
            for kind, text in output.get("data", {}).items():
                output.data[kind] = re.sub(r"(?<=token=)[0-9a-f]{48}", "…", text)


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """What one stream said in a row as one output, as a page shows it."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        same = joined and joined[-1].output_type == output.output_type == "stream"
        if same and joined[-1].name == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


if __name__ == "__main__":
    main()
