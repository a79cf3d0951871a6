"""The panel in a real JupyterLab and a real Notebook 7: by mouse, and by keyboard alone."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import cache, panel, pictures
from support.browser import Notebook, chromium, write_notebook, write_settings
from support.environments import PYTHON, make_root, make_venv, uv
from support.kernels import Server, clean_environ, write_kernelspec
from support.locks import held
from support.machine import Unavailable
from support.slow import slow_channel
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

    from support.tiers import Channel

pytestmark = pytest.mark.browser

# of a fixed name, which is to be read in the pictures
FOLDER = Path(tempfile.gettempdir(), "jstackmagic-panel")
REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOAD = "%load_ext jstackmagic"
TABS = ("Environment", "Timeline", "Missing", "Add", "Drift", "Make permanent")
SCRIPT = "<img src=x onerror=wasrun=1>"
MANY = 2000


@dataclass
class World:
    """A user's machine: a server with the panel, kernels of several environments, an index."""

    home: Path
    prefix: Path
    index: WheelIndex
    environ: dict[str, str]

    @property
    def work(self) -> Path:
        return self.home / "work"

    def server(self, application: str) -> Server:
        environ = {**self.environ, "JUPYTER_RUNTIME_DIR": str(self.home / f"run-{application}")}
        return Server(Path(sys.prefix), environ=environ, folder=self.work, application=application)


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    try:
        with chromium() as context:
            yield context
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def world(
    browser: BrowserContext,
    full_channel: Channel,
    jstackmagic_wheel: Path,
) -> Iterator[World]:
    try:
        built = panel.wheel()
    except Unavailable as reason:
        pytest.skip(str(reason))
    # another run may be in all of these tests
    with held(cache.ROOT / "panel.lock", seconds=240):
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            yield from make_world(FOLDER / "home", full_channel, jstackmagic_wheel, built)
        finally:
            shutil.rmtree(FOLDER, ignore_errors=True)


def make_world(home: Path, channel: Channel, wheel: Path, built: Path) -> Iterator[World]:
    home.mkdir(parents=True)
    share = panel.install(home / "server", wheel, built)
    root = make_root(FOLDER / "conda", "python", channels=[channel.url])
    prefix = root.create("analysis", "python", "ipykernel", "pip")
    uv("pip", "install", f"{wheel}[all]", prefix=prefix)
    kernels = home / ".local/share/jupyter/kernels"
    write_kernelspec(kernels / "analysis", prefix, display_name="Python (analysis)")
    write_kernelspec(kernels / "other", Path(sys.prefix), display_name="Python (other)")
    write_kernelspec(kernels / "many", make_many(home / "many"), display_name="Python (many)")
    (home / "work").mkdir()
    write_settings(home / ".jupyter")
    with WheelIndex(home / "index") as index:
        index.add("python-twitter", "3.5", requires=["requests-oauthlib"])
        for name in ("requests-oauthlib", "four", "for-cells", "for-busy", "for-axe", "arrow"):
            index.add(name, "2.0")
        index.add("python-dotenv", "1.0", modules={"dotenv.py": ""})
        environ = clean_environ(
            HOME=str(home),
            PIP_INDEX_URL=index.url,
            JSTACKMAGIC_HISTORY=str(home / "history.jsonl"),
            JUPYTER_CONFIG_DIR=str(home / ".jupyter"),
            JUPYTER_PATH=str(share),
            XDG_CACHE_HOME=str(home / ".cache"),
            XDG_CONFIG_HOME=str(home / ".config"),
            XDG_DATA_HOME=str(home / ".local/share"),
            XDG_RUNTIME_DIR=str(home / "run"),
        )
        yield World(home, prefix, index, environ)


def make_many(prefix: Path) -> Path:
    """An environment of two thousand packages; its kernel is that of the tests' own."""
    packages = make_venv(prefix, pip=False) / "lib" / PYTHON / "site-packages"
    own = Path(pytest.__file__).parent.parent
    (packages / "own.pth").write_text(f"import site; site.addsitedir({str(own)!r})\n")
    for number in range(MANY):
        write_distribution(packages, f"package-{number:04}")
    write_distribution(packages, SCRIPT)
    return prefix


def write_distribution(packages: Path, name: str) -> None:
    folder = packages / f"{re.sub(r'[^a-z0-9]+', '_', name)}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "RECORD").write_text("")


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Server]:
    with world.server("jupyterlab") as server:
        yield server


@pytest.fixture(scope="module")
def seven(world: World) -> Iterator[Server]:
    with world.server("notebook") as server:
        yield server


@pytest.fixture
def page(browser: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page()
    page.set_viewport_size({"width": 1100, "height": 900})
    yield page
    pictures.take(page, f"end-of-{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}")
    page.close()


class Panel:
    """The panel of a page, and a hand on the mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node = page.locator("#jstackmagic-panel")

    def open(self) -> Panel:
        """Open it by the command, as the palette and the menus do."""
        self.page.evaluate("window.jupyterapp.commands.execute('jstackmagic:open')")
        self.node.wait_for()
        return self

    def press(self, button: Locator) -> None:
        button.click()

    def tab(self, name: str) -> Panel:
        self.node.get_by_role("tab", name=name, exact=True).click()
        return self

    def choose(self, text: str) -> None:
        """Select a row of the list."""
        self.row(text).click()

    def fill(self, field: Locator, text: str) -> None:
        field.click()
        field.fill(text)

    def row(self, text: str) -> Locator:
        return self.node.locator(".jp-jstackmagic-row").filter(has_text=text)

    def button(self, name: str) -> Locator:
        return self.node.get_by_role("button", name=name)

    def do(self, button: str) -> str:
        """Press a button that shows a plan, and do what it shows; return the line that does it."""
        self.press(self.button(button))
        self.button("Do it").wait_for()
        line = self.line()
        self.press(self.button("Do it"))
        self.finish()
        return line

    def finish(self) -> None:
        """Wait for the end of what runs, and put it away."""
        self.work.get_by_text("Done.").wait_for()
        self.press(self.button("Close"))
        self.work.wait_for(state="detached")

    @property
    def work(self) -> Locator:
        return self.node.get_by_role("region", name="The change")

    def line(self) -> str:
        return self.work.locator("code").first.inner_text()


class Keyboard(Panel):
    """The same by keyboard alone."""

    def open(self) -> Panel:
        self.page.keyboard.press("Control+Shift+c")
        self.page.get_by_placeholder("SEARCH").wait_for()
        self.page.keyboard.type("Show the Environment")
        self.page.locator(".lm-CommandPalette-item.lm-mod-active").wait_for()
        self.page.keyboard.press("Enter")
        self.node.wait_for()
        self.page.wait_for_function(
            "document.querySelector('#jstackmagic-panel').contains(document.activeElement)"
        )
        return self

    def reach(self, target: Locator) -> None:
        """Press Tab until something has the focus."""
        target.wait_for()
        for _ in range(40):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
            inside = self.node.evaluate("node => node.contains(document.activeElement)")
            if not inside:  # past its end: back to its beginning, as Shift+Tab would go
                self.node.get_by_role("tab", selected=True).focus()
        raise AssertionError(f"no way by keyboard to {target}")

    def press(self, button: Locator) -> None:
        self.reach(button)
        self.page.keyboard.press("Enter")

    def tab(self, name: str) -> Panel:
        self.reach(self.node.get_by_role("tab", selected=True))
        for _ in TABS:
            if self.node.get_by_role("tab", selected=True).inner_text() == name:
                return self
            self.page.keyboard.press("ArrowRight")
        raise AssertionError(f"no tab {name}")

    def choose(self, text: str) -> None:
        self.row(text).wait_for()
        self.reach(self.node.get_by_role("listbox"))
        self.page.keyboard.press("Home")
        for _ in range(60):
            if self.node.locator("[role=option][aria-selected=true]").filter(has_text=text).count():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"no row {text}")

    def fill(self, field: Locator, text: str) -> None:
        self.reach(field)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)


def open_notebook(
    page: Page,
    server: Server,
    world: World,
    name: str,
    *cells: str,
    kernel: str = "analysis",
    app: str = "lab/tree",
) -> Notebook:
    write_notebook(world.work / f"{name}.ipynb", *cells, kernel=kernel)
    return Notebook(page, server, f"{name}.ipynb", app=app)


def installed(world: World) -> set[str]:
    found = (world.prefix / "lib" / PYTHON / "site-packages").glob("*.dist-info")
    return {path.name.partition("-")[0] for path in found}


@pytest.mark.parametrize(
    ("app", "hand"), [("lab", Panel), ("seven", Keyboard)], ids=["mouse", "keyboard"]
)
def test_install_undo_adopt_missing_and_save(
    app: str,
    hand: type[Panel],
    page: Page,
    world: World,
    request: pytest.FixtureRequest,
) -> None:
    # as if nobody had been here, the other hand neither
    names = ("python-twitter", "requests-oauthlib", "python-dotenv", "four")
    uv("pip", "uninstall", *names, prefix=world.prefix)
    (world.home / "history.jsonl").unlink(missing_ok=True)
    server = request.getfixturevalue(app)
    folder = "lab/tree" if app == "lab" else "notebooks"
    name = f"story-{app}"
    notebook = open_notebook(page, server, world, name, "import dotenv", "1 + 1", app=folder)
    shown = hand(page).open()
    assert shown.node.get_by_text(LOAD).count() == 1
    shown.press(shown.button("Load it"))
    shown.node.get_by_role("heading", name="analysis", exact=True).wait_for()

    # Add: with completion from what is known, and the plan before anything is done
    shown.tab("Add")
    field = shown.node.get_by_role("combobox", name="Packages")
    shown.fill(field, "python-twitter")
    assert "python_twitter" not in installed(world)
    assert shown.do("Show the plan") == "%envinstall python-twitter"
    assert {"python_twitter", "requests_oauthlib"} <= installed(world)
    shown.tab("Environment").choose("requests-oauthlib")
    why = shown.node.get_by_role("region", name="Why it is here").inner_text()
    assert why.index("needed by python-twitter") < why.index("asked for: install python-twitter")

    if app == "lab":
        take_pictures(shown)

    # Missing: the cell was never run, nor saved
    shown.tab("Missing")
    assert shown.do("Install them") == "%envinstall python-dotenv"
    shown.node.get_by_text("0 imports are not here.").wait_for()

    # Timeline: back to where "one" was installed
    shown.tab("Timeline").choose("install python-twitter")
    assert shown.do("Undo to here").startswith("%envundo --to ")
    assert "python_twitter" in installed(world)
    assert "python_dotenv" not in installed(world)
    shown.row("install python-dotenv").get_by_text("taken back").wait_for()

    # Drift: what another program installed is nobody's until it is adopted
    uv("pip", "install", "--index-url", world.index.url, "four", prefix=world.prefix)
    notebook.run(1)
    page.evaluate("window.jupyterapp.commands.execute('jstackmagic:refresh')")
    shown.tab("Drift")
    shown.row("four").wait_for()
    if shown.button("Adopt them").count():
        shown.press(shown.button("Adopt them"))
        shown.finish()
    shown.tab("Timeline").row("four").get_by_text("found").wait_for()

    shown.tab("Make permanent")
    shown.fill(shown.node.get_by_label("Base image", exact=True), "debian:12")
    preview = shown.node.get_by_role("region", name="Preview of dockerfile")
    preview.filter(has_text="debian:12").wait_for()
    shown.press(shown.button("Save"))
    shown.finish()
    dockerfile = (world.work / "Dockerfile").read_text()
    assert dockerfile.startswith(preview.inner_text()[:200])
    assert "'python-twitter==3.5'" in dockerfile
    (world.work / "Dockerfile").unlink()


def take_pictures(shown: Panel) -> None:
    """Those of the README, in light and in dark."""
    page, size = shown.page, shown.page.viewport_size
    page.set_viewport_size({"width": 1000, "height": 640})
    head = [shown.node.locator("h2, [role=tab]").all_inner_texts()]
    about = [text for texts in head for text in texts] + shown.row("").all_inner_texts()
    for theme in ("dark", "light"):
        page.evaluate(_CHANGE_THEME, f"JupyterLab {theme.title()}")
        page.wait_for_function(_IS_DRAWN, arg=theme)
        pictures.take(page, f"panel-{theme}", shows=about)
        published = pictures.PUBLISHED / f"panel-{theme}.png"
        assert pictures.shows(published) == pictures.digest(about), (
            "stale: JSTACKMAGIC_PICTURES=publish python -m pytest tests/lab -k mouse"
        )
        assert f"docs/images/panel-{theme}.png" in (REPOSITORY / "README.md").read_text()
    assert size is not None
    page.set_viewport_size(size)


_IS_DRAWN = """
theme => {
  const colour = getComputedStyle(document.querySelector("#jstackmagic-panel")).backgroundColor;
  return (Number(colour.match(/\\d+/)[0]) < 100) === (theme === "dark");
}
"""


def test_a_recorded_install_and_a_failed_import_have_buttons_below_their_cells(
    page: Page, lab: Server, world: World
) -> None:
    install = f"!{world.prefix}/bin/python -m pip install -q for-cells"
    notebook = open_notebook(page, lab, world, "cells", LOAD, install, "import arrow")
    notebook.run(0)
    notebook.run(1)
    below = notebook.cells.nth(1).get_by_role("group", name="What was recorded")
    below.get_by_text("Recorded: ").wait_for()
    shown = Panel(page)
    below.get_by_role("button", name="Undo").click()
    shown.button("Do it").click()
    shown.finish()
    assert "for_cells" not in installed(world)
    below.get_by_role("button", name="Make permanent").click()
    shown.node.get_by_role("tab", name="Make permanent", selected=True).wait_for()

    notebook.run(2)
    failed = notebook.cells.nth(2).get_by_role("group", name="What is missing")
    failed.get_by_role("button", name="Run %envinstall arrow").click()
    notebook.wait_for(3, "arrow")
    notebook.wait_idle()
    assert "arrow" in installed(world)


def test_it_answers_while_a_cell_runs_and_a_change_waits_for_its_end(
    page: Page, lab: Server, world: World
) -> None:
    gate = world.home / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.1)"
    notebook = open_notebook(page, lab, world, "busy", LOAD, wait)
    notebook.run(0)
    notebook.start(1)
    shown = Panel(page).open()
    shown.node.get_by_role("heading", name="analysis", exact=True).wait_for()
    shown.tab("Add").fill(shown.node.get_by_role("combobox", name="Packages"), "for-busy")
    shown.press(shown.button("Show the plan"))
    shown.press(shown.button("Do it"))
    shown.work.get_by_text("A cell is running. This starts when it has ended.").wait_for()
    assert page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").count()
    assert not gate.exists()
    gate.touch()
    shown.finish()
    assert "for_busy" in installed(world)


def test_it_follows_the_notebook_in_front_a_restart_and_another_kernel(
    page: Page, lab: Server, world: World
) -> None:
    write_notebook(world.work / "beside.ipynb", LOAD, kernel="other")
    notebook = open_notebook(page, lab, world, "front", LOAD)
    notebook.run(0)
    shown = Panel(page).open()
    name = shown.node.locator("h2")
    name.get_by_text("analysis", exact=True).wait_for()
    page.evaluate(_OPEN, "beside.ipynb")
    shown.node.get_by_text(LOAD).wait_for()
    shown.button("Load it").click()
    other = Path(sys.prefix).name
    name.get_by_text(other, exact=True).wait_for()
    page.evaluate(_OPEN, "front.ipynb")
    name.get_by_text("analysis", exact=True).wait_for()

    notebook.menu("Kernel", "Restart Kernel…")
    notebook.accept("Restart")
    shown.button("Load it").click()
    name.get_by_text("analysis", exact=True).wait_for()

    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-KernelName").click()
    page.locator(".jp-Dialog select").select_option(label="Python (other)")
    notebook.accept("Select")
    shown.button("Load it").click()
    name.get_by_text(other, exact=True).wait_for()


_FIRST_PAINT = """
async () => {
  const start = performance.now(), panel = document.querySelector("#jstackmagic-panel");
  panel.querySelector("#jstackmagic-tab-environment").click();
  do await new Promise(requestAnimationFrame);
  while (!panel.querySelector(".jp-jstackmagic-row"));
  await new Promise(requestAnimationFrame);  // the frame with the rows in it is drawn
  return performance.now() - start;
}
"""
_OPEN = """
path => window.jupyterapp.commands.execute("docmanager:open", { path }).then(() => null)
"""


def test_two_thousand_packages_and_one_that_is_a_script(
    page: Page,
    lab: Server,
    world: World,
    record_property: Callable[[str, object], None],
) -> None:
    ask = f"{LOAD}\n%envrequest package-0001 --why '{SCRIPT}'"
    notebook = open_notebook(page, lab, world, "many", ask, kernel="many")
    notebook.run(0)
    shown = Panel(page).open()
    rows = shown.node.locator(".jp-jstackmagic-row")
    rows.first.wait_for()
    assert rows.first.get_attribute("aria-setsize") == str(MANY + 1)
    assert rows.count() < 60, "only what is in sight is drawn"
    shown.node.get_by_role("listbox").focus()
    page.keyboard.press("End")
    shown.row(f"package-{MANY - 1}").wait_for()
    assert rows.count() < 60

    shown.tab("Timeline")
    record_property("first paint, ms", page.evaluate(_FIRST_PAINT))

    shown.node.get_by_role("searchbox").fill("onerror")
    rows.first.click()
    assert SCRIPT in shown.node.get_by_role("region", name="Why it is here").inner_text()
    shown.tab("Timeline").choose("package-0001")
    assert SCRIPT in shown.node.get_by_role("region", name="The chosen change").inner_text()
    shown.tab("Add").fill(shown.node.get_by_role("combobox", name="Packages"), f"'{SCRIPT}'")
    shown.press(shown.button("Show the plan"))
    shown.work.get_by_role("alert").filter(has_text="onerror").wait_for()
    assert page.evaluate("window.wasrun") is None


def test_no_violation_of_axe_in_light_and_in_dark(page: Page, lab: Server, world: World) -> None:
    cells = (LOAD, "%envinstall --pip for-axe", "%envinstall --pip no-such-thing")
    notebook = open_notebook(page, lab, world, "axe", *cells)
    for number in range(len(cells)):
        notebook.run(number)
    shown = Panel(page).open()
    shown.tab("Timeline").row("no-such-thing").get_by_text("failed").wait_for()
    page.add_script_tag(path=str(panel.node_modules() / "axe-core/axe.min.js"))
    for theme in ("Dark", "Light"):
        page.evaluate(_CHANGE_THEME, f"JupyterLab {theme}")
        is_light = str(theme == "Light").lower()
        page.locator(f"body[data-jp-theme-light={is_light}]").wait_for(state="attached")
        for tab in TABS:
            shown.tab(tab)
            shown.node.locator("[role=tabpanel] > *").first.wait_for()
            if tab in ("Environment", "Timeline"):
                shown.row("for-axe").first.click()
            if tab == "Timeline" and theme == "Dark":
                shown.button("Undo this").click()
                shown.button("Do it").wait_for()
            found = page.evaluate("axe.run('#jstackmagic-panel')")
            broken = [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]]
            assert not broken, (theme, tab)
            assert found["passes"]


_CHANGE_THEME = """
theme => window.jupyterapp.commands.execute("apputils:change-theme", { theme }).then(() => null)
"""


def test_the_extra_brings_it_where_jupyterlab_looks(world: World) -> None:
    share = Path(world.environ["JUPYTER_PATH"])
    package = json.loads((share / "labextensions/jstackmagic-lab/package.json").read_text())
    assert package["jupyterlab"]["_build"]["load"].startswith("static/remoteEntry.")


def test_a_bar_is_seen_to_move_in_the_panel(
    page: Page, lab: Server, world: World, tmp_path: Path
) -> None:
    """The last test: its channel, which the history names from then on, goes away."""
    notebook = open_notebook(page, lab, world, "bar", LOAD)
    notebook.run(0)
    shown = Panel(page).open().tab("Add")
    with slow_channel(tmp_path / "slow", pause=0.5) as url:
        field = shown.node.get_by_role("combobox", name="Packages")
        shown.fill(field, f"--conda -c {url} large")
        shown.press(shown.button("Show the plan"))
        shown.press(shown.button("Do it"))
        bar = shown.work.get_by_role("progressbar")
        bar.wait_for()
        first = int(bar.get_attribute("aria-valuenow") or 0)
        page.wait_for_function(_HAS_MOVED, arg=first)
        shown.finish()


_HAS_MOVED = """
first => {
  const bar = document.querySelector("#jstackmagic-panel .jp-OutputArea [role=progressbar]");
  return Number(bar?.ariaValueNow) > first;
}
"""
