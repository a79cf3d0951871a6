"""The panel in a real JupyterLab and a real Notebook 7: by mouse, and by keyboard alone."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from support import panel, pictures
from support.browser import Desk, Notebook, write_notebook
from support.environments import PYTHON, make_root, make_venv, uv
from support.folders import own_folder
from support.kernels import write_kernelspec
from support.machine import Unavailable
from support.registries import registry
from support.rootfs import items_below, push_base
from support.slow import slow_channel
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

    from support.kernels import Server
    from support.tiers import Channel

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOAD = "%load_ext jstackmagic"
TABS = ("Environment", "Timeline", "Missing", "Add", "Drift", "Make permanent")
SCRIPT = "<img src=x onerror=wasrun=1>"
MANY = 2000


@dataclass
class World(Desk):
    """A user's machine: a server with the panel, kernels of several environments, an index."""

    prefix: Path
    index: WheelIndex


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
    with own_folder("jstackmagic-panel-") as folder:
        yield from make_world(folder / "home", full_channel, jstackmagic_wheel, built)


def make_world(home: Path, channel: Channel, wheel: Path, built: Path) -> Iterator[World]:
    with WheelIndex(home / "index") as index:
        index.add("python-twitter", "3.5", requires=["requests-oauthlib"])
        for name in (
            "requests-oauthlib",
            "four",
            "for-cells",
            "for-busy",
            "for-gateway",
            "for-image",
            "arrow",
        ):
            index.add(name, "2.0")
        index.add("python-dotenv", "1.0", modules={"dotenv.py": ""})
        shutil.copy(wheel, index.folder)
        share = panel.install(home / "server", wheel, built)
        desk = Desk.at(home, PIP_INDEX_URL=index.url, JUPYTER_PATH=str(share))
        root = make_root(home.parent / "conda", "python", channels=[channel.url])
        prefix = root.create("analysis", "python", "ipykernel", "pip")
        uv("pip", "install", f"{wheel}[all]", prefix=prefix)
        prefixes = {
            "analysis": prefix,
            "other": Path(sys.prefix),
            "bare": root.create("bare", "python", "ipykernel", "pip"),
            "many": make_many(home / "many"),
            "small": make_small(home.parent / "small"),
        }
        uv("pip", "install", wheel, prefix=prefixes["bare"])
        uv("pip", "uninstall", "jstackmagic", prefix=prefixes["bare"])
        packages = prefixes["bare"] / "lib" / PYTHON / "site-packages"
        shutil.rmtree(packages / "jstackmagic", ignore_errors=True)  # compiled modules are left
        for name, where in prefixes.items():
            write_kernelspec(desk.kernels / name, where, display_name=f"Python ({name})")
        yield World(home, desk.environ, prefix, index)


def make_small(prefix: Path) -> Path:
    """An environment of no packages; its kernel is that of the tests' own."""
    own = Path(pytest.__file__).parent.parent
    packages = make_venv(prefix, pip=False) / "lib" / PYTHON / "site-packages"
    (packages / "own.pth").write_text(f"import site; site.addsitedir({str(own)!r})\n")
    return prefix


def make_many(prefix: Path) -> Path:
    """The same with two thousand packages, and one whose name is a script."""
    packages = make_small(prefix) / "lib" / PYTHON / "site-packages"
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

    def check(self, shown: str = "#jstackmagic-panel") -> None:
        """Let axe look at what is shown."""
        if not self.page.evaluate("window.axe !== undefined"):
            self.page.add_script_tag(path=str(panel.node_modules() / "axe-core/axe.min.js"))
        found = self.page.evaluate("shown => axe.run(shown)", shown)
        assert not [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]]
        assert found["passes"]

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
        line = self.plan(button)
        self.press(self.button("Do it"))
        self.finish()
        return line

    def plan(self, button: str) -> str:
        """Press a button that shows a plan; return the line that does it."""
        self.press(self.button(button))
        self.button("Do it").wait_for()
        self.check()
        return self.line()

    def finish(self) -> None:
        """Wait for the end of what runs, and put it away."""
        self.work.get_by_text("Done.").wait_for()
        self.check()
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
        self.page.get_by_placeholder("SEARCH", exact=True).wait_for()
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
                self.node.focus()
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
    ("app", "hand"),
    [pytest.param("seven", Keyboard, id="keyboard"), pytest.param("lab", Panel, id="mouse")],
)
def test_install_see_why_undo_adopt_missing_save_and_stop(
    app: str,
    hand: type[Panel],
    page: Page,
    world: World,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    # as if nobody had been here, the other hand neither
    names = ("python-twitter", "requests-oauthlib", "python-dotenv", "four")
    uv("pip", "uninstall", *names, prefix=world.prefix)
    (world.home / "history.jsonl").unlink(missing_ok=True)
    server = request.getfixturevalue(app)
    folder = "lab/tree" if app == "lab" else "notebooks"
    # a notebook of its own, whose kernel nobody has used
    name = "explore" if hand is Panel else "explore-by-keyboard"
    notebook = open_notebook(page, server, world, name, "import dotenv", "1 + 1", app=folder)
    Keyboard(page).open()
    shown = hand(page)
    change_theme(shown, "light" if hand is Panel else "dark")
    shown.node.get_by_text(LOAD).wait_for()
    shown.check()
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
    shown.check()
    why = shown.node.get_by_role("region", name="Why it is here").inner_text()
    assert why.index("needed by python-twitter") < why.index("asked for: install python-twitter")

    if app == "lab":
        take_pictures(shown)

    # Missing: the cell was never run, nor saved
    shown.tab("Missing")
    assert shown.do("Install them") == "%envinstall python-dotenv"
    shown.node.get_by_text("0 imports are not here.").wait_for()
    shown.check()

    # Timeline: back to where "one" was installed
    shown.tab("Timeline").choose("install python-twitter")
    shown.check()
    assert shown.do("Undo to here").startswith("%envundo --to ")
    assert "python_twitter" in installed(world)
    assert "python_dotenv" not in installed(world)
    shown.row("install python-dotenv").get_by_text("taken back").wait_for()

    # Drift: what another program installed is nobody's until it is adopted
    uv("pip", "install", "--index-url", world.index.url, "four", prefix=world.prefix)
    notebook.run(1)
    shown.press(shown.button("Read the environment again"))
    shown.tab("Drift").row("four").wait_for()
    shown.check()
    if shown.button("Adopt them").count():
        shown.press(shown.button("Adopt them"))
        shown.finish()
    shown.tab("Timeline").row("four").get_by_text("found").wait_for()

    shown.tab("Make permanent")
    shown.fill(shown.node.get_by_label("Base image", exact=True), "debian:12")
    preview = shown.node.get_by_role("region", name="Preview of dockerfile")
    preview.filter(has_text="debian:12").wait_for()
    shown.press(shown.node.get_by_text("Push an image"))
    shown.check()
    shown.press(shown.button("Save"))
    shown.finish()
    dockerfile = (world.work / "Dockerfile").read_text()
    assert dockerfile.startswith(preview.inner_text()[:200])
    assert "'python-twitter==3.5'" in dockerfile
    (world.work / "Dockerfile").unlink()

    # the bar is seen to move, and the work stops at a button
    shown.tab("Add")
    seen = threading.Semaphore(0)
    with slow_channel(tmp_path / "slow", seen=seen) as url:
        shown.fill(field, f"--conda -c {url} large")
        shown.plan("Show the plan")
        shown.press(shown.button("Do it"))
        bar = shown.work.get_by_role("progressbar")
        bar.wait_for()
        first = int(bar.get_attribute("aria-valuenow") or 0)
        seen.release()
        page.wait_for_function(_HAS_MOVED, arg=first)
        shown.press(shown.button("Stop"))
        shown.press(shown.button("Close"))
    assert "large" not in installed(world)
    shown.tab("Timeline").row("large").get_by_text("interrupted").wait_for()
    shown.check()


_HAS_MOVED = """
first => {
  const bar = document.querySelector("#jstackmagic-panel .jp-OutputArea [role=progressbar]");
  return Number(bar?.ariaValueNow) > first;
}
"""


def change_theme(shown: Panel, theme: str) -> None:
    shown.page.evaluate(_CHANGE_THEME, f"JupyterLab {theme.title()}")
    shown.page.wait_for_function(_IS_DRAWN, arg=theme)
    shown.page.locator("#jupyterlab-splash").wait_for(state="detached")


_CHANGE_THEME = """
theme => window.jupyterapp.commands.execute("apputils:change-theme", { theme }).then(() => null)
"""


def take_pictures(shown: Panel) -> None:
    """Those of the README, in light and in dark."""
    page, size = shown.page, shown.page.viewport_size
    page.set_viewport_size({"width": 1000, "height": 640})
    head = [shown.node.locator("h2, [role=tab]").all_inner_texts()]
    about = [text for texts in head for text in texts] + shown.row("").all_inner_texts()
    for theme in ("dark", "light"):
        change_theme(shown, theme)
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
    below.get_by_text("Recorded").wait_for()
    shown = Panel(page)
    shown.check(".jp-jstackmagic-bar")
    below.get_by_role("button", name="Undo").click()
    shown.button("Do it").click()
    shown.finish()
    assert "for_cells" not in installed(world)
    below.get_by_role("button", name="Make permanent").click()
    shown.node.get_by_role("tab", name="Make permanent", selected=True).wait_for()

    notebook.run(2)
    failed = notebook.cells.nth(2).get_by_role("group", name="What is missing")
    failed.wait_for()
    change_theme(shown, "dark")
    shown.check(".jp-jstackmagic-bar")
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
    shown = Keyboard(page).open()
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

    # one whose environment has no jstackmagic
    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-KernelName").click()
    page.locator(".jp-Dialog select").select_option(label="Python (bare)")
    notebook.accept("Select")
    name.get_by_text("Python (bare)").wait_for()
    shown.button("Load it").click()
    shown.node.get_by_text("%pip install jstackmagic").wait_for()
    shown.button("Install and load it").click()
    name.get_by_text("bare", exact=True).wait_for()


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
_SCROLL = """
async () => {
  const list = document.querySelector("#jstackmagic-panel [role=listbox]"), times = [];
  for (let at = 0; at < list.scrollHeight; at += 1000) {
    const start = performance.now();
    list.scrollTop = at;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - start);
  }
  return { median: times.sort((a, b) => a - b)[times.length >> 1], most: times.at(-1) };
}
"""
_CELLS = """
async () => {
  const { shell } = window.jupyterapp;
  const { kernel } = shell.currentWidget.context.sessionContext.session;
  const show = () => shell.activateById("jstackmagic-panel"), hide = () => shell.collapseLeft();
  const times = { shown: [], hidden: [] };
  for (let turn = 0; turn < 10; turn++)
    for (const [state, set] of [["hidden", hide], ["shown", show]]) {
      set();
      await new Promise(requestAnimationFrame);
      for (let cell = 0; cell < 10; cell++) {
        const start = performance.now();
        await kernel.requestExecute({ code: "pass", store_history: false }).done;
        times[state].push(performance.now() - start);
      }
    }
  const median = values => values.sort((a, b) => a - b)[values.length >> 1];
  return { shown: median(times.shown), hidden: median(times.hidden) };
}
"""
_OPEN = """
path => window.jupyterapp.commands.execute("docmanager:open", { path }).then(() => null)
"""


def test_two_thousand_packages_and_one_that_is_a_script(
    page: Page,
    lab: Server,
    world: World,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    measured = request.config.option.xmlpath  # --junitxml is to hold the times
    ask = f"{LOAD}\n%envrequest package-0001 --why '{SCRIPT}'"
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: note(frame)))

    def note(frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        sent.extend(re.findall(r'"msg_type": ?"(\w+)"', text))

    notebook = open_notebook(page, lab, world, "many", ask, "1 + 1", kernel="many")
    notebook.run(0)
    shown = Panel(page).open()
    rows = shown.tab("Environment").node.locator(".jp-jstackmagic-row")
    rows.first.wait_for()
    assert rows.first.get_attribute("aria-setsize") == str(MANY + 1)
    assert rows.count() < 60, "only what is in sight is drawn"
    shown.node.get_by_role("listbox").focus()
    page.keyboard.press("End")
    shown.row(f"package-{MANY - 1}").wait_for()
    assert rows.count() < 60

    if measured:
        shown.tab("Timeline")
        record_property("first paint, ms", page.evaluate(_FIRST_PAINT))
        record_property("a frame while it scrolls, ms", page.evaluate(_SCROLL))

    # a cell that installs nothing: the panel asks the kernel for nothing
    sent.clear()
    notebook.run(1)
    assert sent == ["execute_request"]
    if measured:
        record_property("an empty cell, ms", page.evaluate(_CELLS))

    shown.node.get_by_role("searchbox").fill("onerror")
    rows.first.click()
    assert SCRIPT in shown.node.get_by_role("region", name="Why it is here").inner_text()
    shown.tab("Timeline").choose("package-0001")
    assert SCRIPT in shown.node.get_by_role("region", name="The chosen change").inner_text()
    shown.tab("Add").fill(shown.node.get_by_role("combobox", name="Packages"), f"'{SCRIPT}'")
    shown.press(shown.button("Show the plan"))
    shown.work.get_by_role("alert").filter(has_text="onerror").wait_for()
    assert page.evaluate("window.wasrun") is None


def test_the_extra_brings_it_where_jupyterlab_looks(world: World) -> None:
    share = Path(world.environ["JUPYTER_PATH"])
    package = json.loads((share / "labextensions/jstackmagic-lab/package.json").read_text())
    assert package["jupyterlab"]["_build"]["load"].startswith("static/remoteEntry.")


_WITHOUT_PROTOCOL = """
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket { constructor(url) { super(url); } };
"""


def test_a_kernel_behind_a_gateway(browser: BrowserContext, lab: Server, world: World) -> None:
    page = browser.new_page()
    # a gateway answers JupyterLab's wish for a protocol with none, and JupyterLab connects again
    # at once under the same name: jupyter_server sends answers to the first at times
    page.add_init_script(_WITHOUT_PROTOCOL)
    runtime = {"JUPYTER_RUNTIME_DIR": str(world.home / "runtime-far")}
    with world.server("jupyterlab", JUPYTER_GATEWAY_URL=lab.url.rstrip("/"), **runtime) as far:
        write_notebook(world.work / "far.ipynb", "1 + 1", kernel="analysis")
        Notebook(page, far, "far.ipynb")
        shown = Panel(page).open()
        shown.press(shown.button("Load it"))
        shown.node.get_by_role("heading", name="analysis", exact=True).wait_for()
        shown.tab("Add").fill(shown.node.get_by_role("combobox", name="Packages"), "for-gateway")
        assert shown.do("Show the plan") == "%envinstall for-gateway"
        assert "for_gateway" in installed(world)
        shown.node.get_by_text(f"A remote kernel, on {socket.gethostname()}").wait_for()
        shown.check()
        shown.tab("Environment").row("for-gateway").wait_for()
    page.close()


def test_an_image_is_pushed(page: Page, lab: Server, world: World, tmp_path: Path) -> None:
    (world.home / "history.jsonl").unlink(missing_ok=True)  # that of this image alone
    small = world.home.parent / "small"
    try:
        with registry(tmp_path) as served:
            (tmp_path / "base").mkdir()
            base = push_base(served, "base/small:1", items_below(small), tmp_path / "base", {})
            cells = (LOAD, "%envinstall --pip for-image")
            notebook = open_notebook(page, lab, world, "push", *cells, kernel="small")
            notebook.run(0)
            notebook.run(1)
            shown = Panel(page).open().tab("Make permanent")
            shown.press(shown.node.get_by_text("Push an image"))
            tag = f"{served.address}/team/analysis:1"
            shown.fill(shown.node.get_by_label("Image", exact=True), tag)
            shown.fill(shown.node.get_by_label("On top of"), base)
            shown.press(shown.button("Show what would be sent"))
            shown.work.get_by_text(f"pip {small}").wait_for()
            manifest = f"http://{served.address}/v2/team/analysis/manifests/1"
            assert requests.get(manifest, timeout=60).status_code == 404
            shown.finish()
            shown.press(shown.button("Push"))
            shown.finish()
            accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
            _, layer, _ = requests.get(manifest, headers=accept, timeout=60).json()["layers"]
            assert "for-image" in layer["annotations"]["jstackmagic.layer"]
    except Unavailable as reason:
        pytest.skip(str(reason))
