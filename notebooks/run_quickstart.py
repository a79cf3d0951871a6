"""Runs quickstart.ipynb in a real conda environment that was never activated.

The environment is made on the spot, from a conda channel built out of wheels and the running
Python, so that it needs neither conda nor a conda channel. The Dockerfile that the last
cell exports is printed; ``--write`` keeps the outputs in the notebook.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = (REPOSITORY / "README.md", REPOSITORY / "docs/using.md")
"""Pages that show what the notebooks show."""
sys.path.insert(0, str(REPOSITORY / "tests"))

from support import ours, tiers  # noqa: E402
from support.dpkg import apt_get, turn  # noqa: E402
from support.environments import make_root, uv  # noqa: E402
from support.folders import own_folder  # noqa: E402
from support.kernels import clean_environ, write_kernelspec  # noqa: E402
from support.machine import has_sudo  # noqa: E402

FOLDER = "jstackmagic-quickstart"
"""What the committed outputs call its folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the notebook")
    write = parser.parse_args().write
    with contextlib.ExitStack() as stack:
        if "PYTEST_CURRENT_TEST" not in os.environ:  # a test that runs this has taken its turn
            stack.enter_context(turn(alone=True, name="notebooks/run"))
        had_tree = shutil.which("tree")
        try:
            notebook = run(REPOSITORY / "notebooks" / "quickstart.ipynb")
        finally:
            if not had_tree and shutil.which("tree"):  # the machine is left as it was
                apt_get("remove", "--yes", "tree")
    print(text_of(notebook.cells[-1]))
    if write:
        keep(notebook, "quickstart")


def run(path: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a new named conda environment and return it with its outputs."""
    with own_folder(FOLDER[:-8]) as folder:
        return usually_named(_run(path, folder), folder, FOLDER)


def usually_named(
    notebook: nbformat.NotebookNode, folder: Path, usual: str
) -> nbformat.NotebookNode:
    """Return a notebook whose outputs call the folder of this run as the committed ones do."""
    assert len(folder.name) == len(usual), "tables would be of another width"
    text = nbformat.writes(notebook).replace(str(folder), f"/tmp/{usual}")
    return nbformat.reads(text, as_version=4)


def _run(path: Path, folder: Path) -> nbformat.NotebookNode:
    channel = tiers.full()
    root = make_root(folder / "conda", "python", channels=[channel.url])
    prefix = root.create("chapter", "python", "ipykernel", "pip")
    uv("pip", "install", f"{ours.wheel()}[fast]", prefix=prefix)
    home = folder / "home"
    home.mkdir()
    # the channel under a name of its own, as a site's administrator would configure it
    (folder / "channels").mkdir()
    (folder / "channels/demo").symlink_to(channel.folder)
    url = (folder / "channels/demo").as_uri()
    (root.prefix / ".condarc").write_text(f"channels: [{url!r}]\n")  # as an image brings it
    write_kernelspec(home / ".local/share/jupyter/kernels/chapter", prefix)
    notebook = nbformat.read(path, as_version=4)
    if not (shutil.which("apt-get") and has_sudo()):
        print("No right to use apt-get here: that step is only recorded.", file=sys.stderr)
        for cell in notebook.cells:
            cell.source = cell.source.replace("%envinstall apt:", "%envinstall --record-only apt:")
    os.environ["JUPYTER_PATH"] = str(home / ".local/share/jupyter")
    client = NotebookClient(
        notebook, timeout=300, kernel_name="chapter", resources={"metadata": {"path": str(home)}}
    )
    client.execute(
        env=clean_environ(
            HOME=str(home),
            JSTACKMAGIC_HISTORY=str(home / "history.jsonl"),
            XDG_CACHE_HOME=str(home / ".cache"),
            XDG_RUNTIME_DIR=str(home / "run"),  # nothing of another's replay
        )
    )
    return notebook


def keep(notebook: nbformat.NotebookNode, name: str) -> None:
    """Write a notebook with its outputs, and the blocks of the pages that show them."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    leave_logs_out(notebook)
    nbformat.write(notebook, REPOSITORY / "notebooks" / f"{name}.ipynb")
    for page in PAGES:
        page.write_text(with_outputs(page.read_text(), notebook, name))


def leave_logs_out(notebook: nbformat.NotebookNode) -> None:
    """Leave the managers' own words out of what opens: they name this machine's mirrors."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            page = output.get("data", {}).get("text/html", "")
            if page:
                folded = re.compile(r"(<details><summary>.*?</summary>)<pre>.*?</pre>", re.DOTALL)
                output["data"]["text/html"] = folded.sub(r"\1<pre>…</pre>", page)


def with_outputs(page: str, notebook: nbformat.NotebookNode, name: str) -> str:
    """Return a page with a notebook's outputs in its blocks after ``<!-- NAME: CELL -->``."""
    cells = {cell.id: cell for cell in notebook.cells}

    def block(match: re.Match[str]) -> str:
        text = text_of(cells[match["cell"]]).strip("\n")
        return f"<!-- {name}: {match['cell']} -->\n{match['fence']}\n{text}\n```\n"

    marked = rf"<!-- {name}: (?P<cell>\w+) -->\n(?P<fence>```[^\n]*text)\n.*?\n?```\n"
    return re.sub(marked, block, page, flags=re.DOTALL)


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell shows, as plain text."""
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        error = "\n".join(output.get("traceback", ()))
        text = output.get("text") or data.get("text/plain") or re.sub(r"\x1b\[[\d;]*m", "", error)
        shown.append(text.rstrip("\n"))
    return "\n".join(filter(None, shown))


if __name__ == "__main__":
    main()
