"""Runs cluster.ipynb against a real Dask cluster: three workers, each in an environment of its own.

The kernel's environment and the workers' are made on the spot, with a package index that has one
small package; ``--write`` keeps the outputs in the notebook.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from run_quickstart import REPOSITORY, keep, text_of, usually_named

sys.path.insert(0, str(REPOSITORY / "tests"))

from support import ours
from support.clusters import processes, until, worker_env
from support.environments import make_venv, share_bytecode, uv
from support.folders import own_folder
from support.kernels import clean_environ, write_kernelspec
from support.wheels import WheelIndex

FOLDER = "jstackmagic-cluster"
"""What the committed outputs call its folder."""

NOTEBOOK = REPOSITORY / "notebooks" / "cluster.ipynb"

_WORDCOUNT = '''\
"""Counts words."""
__version__ = "1.4"


def count(text):
    return len(text.split())
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the notebook")
    write = parser.parse_args().write
    with own_folder(FOLDER[:-8]) as folder:
        notebook = usually_named(run(NOTEBOOK, folder), folder, FOLDER)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            print(f"In: {cell.source}\n{text_of(cell)}\n")
    if write:
        keep(anonymous(notebook), "cluster")


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute the notebook beside a cluster in a folder, and return it with its outputs."""
    prefix, home = make_venv(folder / "kernel"), folder / "home"
    uv("pip", "install", f"{ours.wheel()}[dask,fast]", "ipykernel", prefix=prefix)
    share_bytecode(prefix)
    write_kernelspec(home / ".local/share/jupyter/kernels/cluster", prefix)
    os.environ |= {"HOME": str(home), "JUPYTER_PATH": str(home / ".local/share/jupyter")}
    notebook = nbformat.read(path, as_version=4)
    with WheelIndex(folder / "index") as index, processes() as started:
        index.add("wordcount", "1.4", modules={"wordcount.py": _WORDCOUNT})
        file = folder / "scheduler.json"
        words = ("--port", "0", "--no-dashboard", "--scheduler-file", file, "--host", "127.0.0.1")
        module = "distributed.cli.dask_"
        started.start(sys.executable, "-m", f"{module}scheduler", *words)
        until(file.exists)
        for name in ("east", "north", "west"):
            words = ("--nthreads", "1", "--no-dashboard", "--local-directory", folder / name)
            worker = worker_env(folder / "workers" / name)
            python = worker / "bin/python"
            started.start(python, "-m", f"{module}worker", "--scheduler-file", file, *words)
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="cluster",
            resources={"metadata": {"path": str(home)}},
        )
        client.execute(
            env=clean_environ(
                HOME=str(home),
                PIP_INDEX_URL=index.url,
                UV_DEFAULT_INDEX=index.url,
                SCHEDULER=str(file),
                JSTACKMAGIC_HISTORY=str(home / "history.jsonl"),
                XDG_CACHE_HOME=str(home / ".cache"),
                XDG_RUNTIME_DIR=str(home / "run"),
            )
        )
    return notebook


def anonymous(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without this machine's name and this run's ports and ids."""
    text = re.sub(rf"\\b{re.escape(socket.gethostname())}\\b", "host", nbformat.writes(notebook))
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40001", text)
    return nbformat.reads(text, as_version=4)


if __name__ == "__main__":
    main()
