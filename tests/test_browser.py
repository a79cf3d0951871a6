"""What a person sees and does in a browser: a real JupyterLab, a real Chromium, real installs.

Pictures of it are kept: see `support/pictures.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from jstackmagic.display import Code, Fold, Table, Text
from jstackmagic.display.html import as_html
from support import pictures
from support.browser import Desk, Notebook, contrast, write_notebook
from support.environments import make_root, uv
from support.folders import own_folder
from support.kernels import write_kernelspec
from support.slow import slow_channel
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from support.kernels import Server
    from support.tiers import Channel

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).resolve().parent.parent
READABLE = 4.5  # of text on what is behind it, https://www.w3.org/TR/WCAG22/#contrast-minimum
SLOW_SETUP = """\
import sys, time, setuptools
if "bdist_wheel" in sys.argv:
    time.sleep(120)
setuptools.setup(name="slow", version="1")
"""


@dataclass
class World(Desk):
    """A user's machine: a home folder, and two environments with a kernel each."""

    chapter: Path
    other: Path


@pytest.fixture(scope="module")
def world(full_channel: Channel, jstackmagic_wheel: Path) -> Iterator[World]:
    with own_folder("jstackmagic-browser-") as folder, WheelIndex(folder / "index") as index:
        for name, version in (("twitter", "1.19.6"), ("pymongo", "4.10.1"), ("one", "1.0")):
            index.add(name, version)
        index.add("python-dotenv", "1.0", modules={"dotenv.py": "x = 1\n"})
        yield make_world(folder, full_channel, jstackmagic_wheel, index)


def make_world(folder: Path, channel: Channel, wheel: Path, index: WheelIndex) -> World:
    # a channel of a name of its own, as a site's administrator would configure it
    (folder / "channels").mkdir()
    (folder / "channels/demo").symlink_to(channel.folder)
    home = folder / "home"
    desk = Desk.at(home, CONDARC=str(home / ".condarc"), PIP_INDEX_URL=index.url)
    url = (folder / "channels/demo").as_uri()
    (home / ".condarc").write_text(json.dumps({"channels": [url]}))
    root = make_root(folder / "conda", "python", channels=[channel.url])
    prefixes = {}
    for name, more in (("chapter", ("setuptools", "wheel")), ("elsewhere", ())):
        prefixes[name] = root.create(name, "python", "ipykernel", "pip", *more)
        uv("pip", "install", f"{wheel}[all]", prefix=prefixes[name])
        write_kernelspec(desk.kernels / name, prefixes[name], display_name=f"Python ({name})")
    return World(home, desk.environ, prefixes["chapter"], prefixes["elsewhere"])


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Server]:
    with world.server("jupyterlab") as server:
        yield server


def open_notebook(page: Page, lab: Server, world: World, name: str, *cells: str) -> Notebook:
    write_notebook(world.work / f"{name}.ipynb", *cells, kernel="chapter")
    return Notebook(page, lab, f"{name}.ipynb")


def installed(prefix: Path) -> set[str]:
    records = {path.stem for path in (prefix / "conda-meta").glob("*.json")}
    return records | {path.name for path in prefix.glob("lib/python3*/site-packages/*.dist-info")}


def test_the_quickstart_as_a_user_runs_it_in_light_and_in_dark(
    page: Page, lab: Server, world: World
) -> None:
    notebook = nbformat.read(REPOSITORY / "notebooks/quickstart.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        cell.outputs, cell.execution_count = [], None
        # dpkg has tests of its own
        cell.source = cell.source.replace("%envinstall apt:", "%envinstall --record-only apt:")
    notebook.metadata["kernelspec"]["name"] = "chapter"
    nbformat.write(notebook, world.work / "quickstart.ipynb")
    number = {cell.id: place for place, cell in enumerate(notebook.cells)}

    # tall, so that all of it is there: JupyterLab draws only the cells in sight
    page.set_viewport_size({"width": 900, "height": 2600})
    shown = Notebook(page, lab, "quickstart.ipynb", app="doc/tree")
    missing = shown.run(number["missing"])
    assert "ModuleNotFoundError: No module named 'pymongo'" in missing
    for cell in notebook.cells[1:]:
        shown.run(number[cell.id])

    install = shown.cells.nth(number["install"])
    assert install.locator("caption").inner_text().startswith("Installed into environment chapter")
    row = install.locator("tr", has_text="pymongo")
    assert row.locator("td").all_inner_texts()[:2] == ["+", "pymongo"]
    assert "no restart is needed" in install.inner_text()
    assert shown.text(number["works"]).strip("'").startswith("4.")
    assert "To go on all the same, add --force" in shown.error(number["guard"]).splitlines()[-1]
    history = shown.text(number["history"])
    assert all(name in history for name in ("pymongo", "twitter", "tree"))
    dockerfile = shown.text(number["dockerfile"])
    assert all(f"'{name}" in dockerfile for name in ("pymongo", "twitter", "tree"))

    pictures.take(page, "quickstart-light")
    assert contrast(page) >= READABLE
    place = install.bounding_box()
    assert place is not None
    end = place["y"] + place["height"]
    # where it takes longer, what it was at is between the command and the table
    parts = install.locator(".jstackmagic").filter(has=page.locator("details, table"))
    about = [part.inner_html() for part in parts.all()]
    about.append(shown.error(number["missing"]).splitlines()[-1])
    pictures.take(page, "install-light", height=end, shows=about)
    shown.menu("Settings", "Theme", "JupyterLab Dark")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.mouse.move(450, 300)  # off the menu's place
    page.wait_for_function(_IS_DARK)  # the theme's style sheet is fetched, then drawn
    pictures.take(page, "quickstart-dark")
    assert contrast(page) >= READABLE
    pictures.take(page, "install-dark", height=end, shows=about)
    shown.menu("Settings", "Theme", "JupyterLab Light")

    # what conda said is folded behind the command, and opens
    log = install.locator("details")
    assert log.locator("summary").inner_text().startswith("$ conda install --yes")
    assert not log.locator("pre").is_visible()
    log.locator("summary").click()
    log.locator("pre").wait_for(state="visible")

    for name in ("install-light", "install-dark"):
        check_published(name)


_IS_DARK = r"""
() => {
  const all = [...document.querySelectorAll(".jp-Notebook, .jp-NotebookPanel")];
  return all.some((e) => /^rgb\((\d\d?), /.test(getComputedStyle(e).backgroundColor));
}
"""


def check_published(name: str) -> None:
    """The README's picture shows what is shown now."""
    published = pictures.PUBLISHED / f"{name}.png"
    assert pictures.shows(published) == pictures.shows(pictures.FOLDER / f"{name}.png"), (
        "stale: JSTACKMAGIC_PICTURES=publish python -m pytest tests/test_browser.py"
    )
    assert f"docs/images/{name}.png" in (REPOSITORY / "README.md").read_text()
    assert published.stat().st_size < 150_000


def test_the_last_line_of_an_error_is_what_to_type_and_tab_completes_it(
    page: Page, lab: Server, world: World
) -> None:
    notebook = open_notebook(
        page, lab, world, "mistake", "%load_ext jstackmagic", "%envinstall no-such-thing", "", ""
    )
    notebook.run(0)
    notebook.run(1)
    last = notebook.error(1).splitlines()[-1]
    command = last.partition(": ")[2]
    assert command.startswith("%envhistory ")
    notebook.type_into(2, command)
    assert "no-such-thing" in notebook.run(2)
    assert notebook.outputs(2).get_by_role("rowheader", name="status", exact=True).count() == 1

    notebook.type_into(3, "%envhist")
    notebook.page.keyboard.press("Tab")
    editor = notebook.cells.nth(3).locator(".cm-content").filter(has_text="%envhistory")
    offered = page.locator(".jp-Completer-item", has_text=re.compile(r"^m?\s*%envhistory"))
    editor.or_(offered).first.wait_for()
    if offered.count():  # there is more than one that fits
        offered.first.click()
        editor.wait_for()


def test_the_last_line_of_a_failed_import_installs_what_is_missing(
    page: Page, lab: Server, world: World
) -> None:
    notebook = open_notebook(
        page, lab, world, "missing", "%load_ext jstackmagic", "import dotenv", "", "dotenv.x"
    )
    notebook.run(0)
    notebook.run(1)
    line = notebook.error(1).splitlines()[-1]
    assert line == "%envinstall python-dotenv"
    pictures.take(page, "hint-light")
    notebook.type_into(2, line)
    assert "no restart is needed" in notebook.run(2)
    row = notebook.outputs(2).locator("tr", has_text="python-dotenv")
    assert row.locator("td").all_inner_texts()[:3] == ["+", "python-dotenv", "1.0"]
    notebook.run(1)
    assert notebook.run(3).strip() == "1"


def test_a_bar_is_seen_to_move_and_makes_room_for_the_table(
    page: Page, lab: Server, world: World, tmp_path: Path
) -> None:
    seen = threading.Semaphore(0)
    with slow_channel(tmp_path / "slow", seen=seen) as url:
        notebook = open_notebook(
            page, lab, world, "bar", "%load_ext jstackmagic", f"%envinstall --conda -c {url} large"
        )
        notebook.run(0)
        notebook.start(1)
        bar = notebook.cells.nth(1).locator("[role=progressbar]")
        bar.wait_for()
        first = int(bar.get_attribute("aria-valuenow") or 0)
        seen.release()
        page.wait_for_function(_HAS_MOVED, arg=first)
        pictures.take(page, "bar-light")
        seen.release()
        notebook.wait_done(1)
    assert bar.count() == 0
    assert notebook.outputs(1).locator("tr", has_text="large").count() == 1


_HAS_MOVED = """
first => {
  const bars = document.querySelectorAll(".jp-OutputArea [role=progressbar]");
  return bars.length === 1 && Number(bars[0].ariaValueNow) > first;
}
"""


def test_a_long_install_is_seen_to_run_stops_at_the_button_and_is_in_the_history(
    page: Page, lab: Server, world: World
) -> None:
    project = world.work / "slow"
    project.mkdir()
    (project / "setup.py").write_text(SLOW_SETUP)
    before = installed(world.chapter)
    notebook = open_notebook(
        page,
        lab,
        world,
        "slow",
        "%load_ext jstackmagic",
        "%envinstall --pip --force ./slow -- --no-build-isolation",
        "%load_ext jstackmagic\n%envhistory --status interrupted",
    )
    notebook.run(0)
    notebook.start(1)
    # it is seen while it runs, in one output that stays one
    running = notebook.cells.nth(1).locator("details[open]")
    running.filter(has_text="Building wheel").wait_for()
    assert notebook.outputs(1).count() == 1
    pictures.take(page, "running-light")
    page.locator("[data-jp-item-name=interrupt]").click()
    notebook.wait_done(1)
    assert "Interrupted" in notebook.text(1)
    assert "is as it was" in notebook.text(1)
    assert installed(world.chapter) == before
    assert notebook.cells.nth(1).locator("details[open]").count() == 0

    notebook.watch_kernel()
    notebook.menu("Kernel", "Restart Kernel…")
    notebook.accept("Restart")
    notebook.wait_kernel(new=True)
    assert str(project) in notebook.run(2)


def test_another_kernel_is_another_environment(page: Page, lab: Server, world: World) -> None:
    notebook = open_notebook(page, lab, world, "kernels", "%load_ext jstackmagic\n%envinfo")
    assert str(world.chapter) in notebook.run(0)
    notebook.watch_kernel()
    page.locator(".jp-KernelName").click()
    page.locator(".jp-Dialog select").select_option(label="Python (elsewhere)")
    notebook.accept("Select")
    page.locator(".jp-KernelName", has_text="elsewhere").wait_for()
    notebook.wait_kernel(new=True)
    shown = notebook.run(0)
    assert str(world.other) in shown
    assert str(world.chapter) not in shown


def test_run_all_stops_at_an_install_that_fails(page: Page, lab: Server, world: World) -> None:
    notebook = open_notebook(
        page, lab, world, "all", "%load_ext jstackmagic", "%envinstall --pip no-such", "print('on')"
    )
    notebook.run(0)
    notebook.menu("Run", "Run All Cells")
    notebook.wait_for(1, "No matching distribution found for no-such")
    notebook.wait_idle()
    assert notebook.text(2) == ""


def test_notebook_7_shows_the_same(page: Page, world: World) -> None:
    cells = ("%load_ext jstackmagic", "%envinstall --dry-run --pip one", "%envinfo")
    write_notebook(world.work / "seven.ipynb", *cells, kernel="chapter")
    with world.server("notebook") as server:
        notebook = Notebook(page, server, "seven.ipynb", app="notebooks")
        notebook.run(0)
        notebook.run(1)
        assert notebook.outputs(1).locator("caption").inner_text() == "Would change"
        assert str(world.chapter) in notebook.run(2)
        pictures.take(page, "notebook-7")
        assert contrast(page) >= READABLE


def test_a_saved_notebook_as_a_static_page(page: Page, tmp_path: Path) -> None:
    """What nbviewer shows: nbconvert's page of the committed quickstart, with no kernel."""
    quickstart = REPOSITORY / "notebooks/quickstart.ipynb"
    options = ["--to", "html", "--output-dir", str(tmp_path), str(quickstart)]
    command = [sys.executable, "-m", "jupyter", "nbconvert", *options]
    subprocess.run(command, check=True, capture_output=True)
    page.goto((tmp_path / "quickstart.html").as_uri(), wait_until="domcontentloaded")
    assert page.locator("caption", has_text="Installed into").first.is_visible()
    assert contrast(page) >= READABLE
    summary = page.locator("details summary", has_text="conda install").first
    summary.click()
    assert page.locator("details[open] pre").is_visible()
    pictures.take(page, "static-page")


PARTS = (
    Table(
        ("", "Package", "Size"), (("+", "six", "1 KiB"), ("~", "x", ""), ("−", "y", "")), "Change"
    ),
    Table(("Environment", "base"), (("kind", "conda"),), facts=True),
    Text("Fine.", "good"),
    Text("See which: %envhistory 3f9a", "warning"),
    Text("By the way.", "quiet"),
    Code("pip install six"),
    Fold("2 lines: %envhistory 3f9a --log", "one\ntwo"),
)
VS_CODE = "--vscode-editor-foreground:{0};--vscode-descriptionForeground:{1};background:{2}"


@pytest.mark.parametrize(
    "style",
    [
        # pages without a theme of their own, as nbviewer's and an e-mail's
        pytest.param("color:#000;background:#fff", id="white"),
        pytest.param("color:#eee;background:#111", id="black"),
        # VS Code cannot run here: these are its default themes' colours, in the variables it sets
        pytest.param(VS_CODE.format("#3b3b3b", "#3b3b3b", "#fff"), id="vscode-light"),
        pytest.param(VS_CODE.format("#ccc", "#9d9d9d", "#1f1f1f"), id="vscode-dark"),
    ],
)
def test_it_can_be_read_on_other_pages(page: Page, style: str) -> None:
    page.set_content(f'<body style="{style}">{as_html(PARTS)}</body>')
    assert contrast(page) >= READABLE
