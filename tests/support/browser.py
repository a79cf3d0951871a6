"""A browser in front of a Jupyter server: what a person sees, presses and types."""

from __future__ import annotations

import json
import re
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nbformat
from playwright.sync_api import sync_playwright

from . import kernels
from .kernels import Server, clean_environ
from .machine import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

PATIENCE = kernels.PATIENCE * 1000  # milliseconds
ERRORS = ".jp-OutputArea-output:is([data-mime-type$=error], [data-mime-type$=stderr])"
SIZE = {"width": 1100, "height": 900}

_NUMBER = re.compile(r"\[\d+\]")
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    # nothing but the server on this machine
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


# Chromium gives up what it is asking for when an interface of the machine comes or goes
# (net::ERR_NETWORK_CHANGED), as each container brings one. It hears of that by netlink.
_DEAF = """\
import errno, os, socket, sys
import pyseccomp
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
netlink = pyseccomp.Arg(0, pyseccomp.EQ, socket.AF_NETLINK)
rules.add_rule(pyseccomp.ERRNO(errno.EAFNOSUPPORT), "socket", netlink)
rules.load()
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """Start Debian's Chromium that draws no window, with nothing remembered.

    It is the one without menus and pages of its own, which would cost as much as a notebook's.

    The containers that come and go on the machine do not reach it.

    Raises:
        Unavailable: It is not here.
    """
    deaf = shlex.join([sys.executable, "-c", _DEAF, program("chromium-headless-shell")])
    with TemporaryDirectory(prefix="chromium-") as folder, sync_playwright() as playwright:
        start = Path(folder, "start")
        start.write_text(f'#!/bin/sh\nexec {deaf} "$@"\n')
        start.chmod(0o755)
        context = playwright.chromium.launch_persistent_context(
            f"{folder}/user",
            executable_path=start,
            headless=True,
            viewport=SIZE,
            args=_FLAGS,
            timeout=PATIENCE,
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


@dataclass
class Desk:
    """A user's home folder, the variables of who is at home there, and the servers they start."""

    home: Path
    environ: dict[str, str]

    @staticmethod
    def at(home: Path, **variables: str) -> Desk:
        """Make one, with a user's settings."""
        (home / "work").mkdir(parents=True)
        write_settings(home / ".jupyter")
        environ = clean_environ(
            HOME=str(home),
            JSTACKMAGIC_HISTORY=str(home / "history.jsonl"),
            JUPYTER_CONFIG_DIR=str(home / ".jupyter"),
            XDG_CACHE_HOME=str(home / ".cache"),
            XDG_CONFIG_HOME=str(home / ".config"),
            XDG_DATA_HOME=str(home / ".local/share"),
            XDG_RUNTIME_DIR=str(home / "run"),  # nothing of another's replay
            **variables,
        )
        return Desk(home, environ)

    @property
    def work(self) -> Path:
        """The folder that the servers show."""
        return self.home / "work"

    @property
    def kernels(self) -> Path:
        """The folder of the kernelspecs."""
        return self.home / ".local/share/jupyter/kernels"

    def server(self, application: str, **variables: str) -> Server:
        """A Jupyter server of the tests' own environment, as an image's base would have it."""
        runtime = self.home / f"runtime-{application}"
        environ = {**self.environ, "JUPYTER_RUNTIME_DIR": str(runtime), **variables}
        return Server(Path(sys.prefix), environ=environ, folder=self.work, application=application)


def write_settings(folder: Path) -> None:
    """Writes a user's settings: no news from elsewhere, and pages that can be asked things.

    A page does not have the server ask yarn whether JupyterLab is to be built again.
    """
    place = folder / "lab/user-settings/@jupyterlab/apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (place / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    (folder / "labconfig").mkdir(exist_ok=True)
    (folder / "labconfig/page_config.json").write_text(json.dumps({"buildCheck": False}))
    for name, application in (("lab", "LabApp"), ("notebook", "JupyterNotebookApp")):
        told = {application: {"expose_app_in_browser": True}}
        (folder / f"jupyter_{name}_config.json").write_text(json.dumps(told))


def write_notebook(path: Path, *cells: str, kernel: str) -> None:
    """Writes a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
    )
    nbformat.write(notebook, path)


class Notebook:
    """A notebook open in JupyterLab, or in Notebook 7, whose page is of the same parts."""

    def __init__(self, page: Page, server: Server, name: str, *, app: str = "lab/tree") -> None:
        self.page = page
        if app == "lab/tree" and page.url.startswith(f"{server.url}{app}"):  # it is drawn already
            page.evaluate(_OPEN_ALONE, name)
        else:  # with none of the tabs that were open before
            page.goto(f"{server.url}{app}/{name}?reset", wait_until="domcontentloaded")
        self.cells.first.wait_for()
        self.wait_kernel()

    @property
    def cells(self) -> Locator:
        """Its code cells."""
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def outputs(self, number: int) -> Locator:
        """The outputs of a cell, from 0."""
        return self.cells.nth(number).locator(".jp-OutputArea-output")

    def text(self, number: int) -> str:
        """All that a cell shows below itself."""
        return "\n".join(self.outputs(number).all_inner_texts())

    def error(self, number: int) -> str:
        """The error that a cell shows."""
        return self.outputs(number).and_(self.page.locator(ERRORS)).last.inner_text().strip()

    def wait_idle(self) -> None:
        """Waits until the kernel has nothing to do."""
        idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
        self.page.locator(idle).first.wait_for(state="attached")

    def wait_kernel(self, *, new: bool = False) -> None:
        """Waits until the kernel answers; a new one, after `watch_kernel`, where that is said.

        What is run before it does is given up again. The page tells, because the marks on it say
        idle already when nothing is known yet.
        """
        self.page.wait_for_function(_ANSWERS, arg=new)

    def watch_kernel(self) -> None:
        """Has `wait_kernel` notice when the kernel starts anew."""
        self.page.evaluate(_WATCH)

    def click(self, number: int) -> None:
        """Puts the cursor into a cell."""
        self.cells.nth(number).locator(".cm-content").click()

    def type_into(self, number: int, text: str) -> None:
        """Types in place of what a cell holds."""
        self.click(number)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def start(self, number: int) -> None:
        """Presses Shift+Enter in a cell until it runs: while the page settles, keys are lost."""
        prompt = self.cells.nth(number).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for _ in range(PATIENCE // 2000):
            self.click(number)
            self.page.keyboard.press("Shift+Enter")
            for _ in range(40):
                if prompt.inner_text() != before:
                    return
                self.page.wait_for_timeout(50)
        raise AssertionError("the cell does not start")

    def run(self, number: int) -> str:
        """Runs a cell to its end, and returns what it shows."""
        self.start(number)
        self.wait_done(number)
        return self.text(number)

    def wait_done(self, number: int) -> None:
        """Waits until a cell has run: a number stands at its prompt."""
        self.cells.nth(number).locator(".jp-InputPrompt", has_text=_NUMBER).wait_for()
        self.wait_idle()

    def wait_for(self, number: int, text: str) -> None:
        """Waits until a cell shows some text."""
        self.outputs(number).filter(has_text=text).first.wait_for()

    def menu(self, *path: str) -> None:
        """Chooses from the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=path[0]).first.click()
        for item in path[1:]:
            self.page.locator(".lm-Menu-itemLabel", has_text=item).first.click()

    def accept(self, button: str) -> None:
        """Presses a dialog's button."""
        self.page.locator(".jp-Dialog button", has_text=button).click()


def contrast(page: Page) -> float:
    """The lowest contrast of a text of ours with what is behind it, as WCAG defines it."""
    found = page.locator(".jstackmagic").evaluate_all(_CONTRAST)
    assert found, "nothing of ours is on the page"
    return float(min(found))


_CONTEXT = "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext"
_OPEN_ALONE = """
path => {
  const { shell, commands } = window.jupyterapp;
  for (const open of [...shell.widgets("main")]) open.dispose();
  return commands.execute("docmanager:open", { path }).then(() => null);
}
"""
_ANSWERS = f"""
(anew) => {{
  const context = {_CONTEXT}, kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === "connected" &&
    kernel?.status === "idle" && (!anew || window.startedAnew);
}}
"""
_WATCH = f"""
() => {{
  window.startedAnew = false;
  const note = () => {{ window.startedAnew = true; }};
  {_CONTEXT}.statusChanged.connect((_, now) => {{ if (now.endsWith("starting")) note(); }});
  {_CONTEXT}.kernelChanged.connect(note);
}}
"""

_CONTRAST = """
(roots) => {
  const numbers = (colour) => {
    const found = colour.match(/[\\d.]+/g).map(Number);  // or "color(srgb 0 0 0 / 0.5)"
    return colour.startsWith("color(") ? found.map((c, i) => (i < 3 ? c * 255 : c)) : found;
  };
  const over = (top, below) => {
    const a = top[3] ?? 1;
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a));
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement)
      layers.push(numbers(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = roots.flatMap((root) => [...root.querySelectorAll(
    "p, pre, code, summary, caption, th, td:not(.sign), .count")]);
  return texts.filter((e) => e.innerText && e.innerText.trim()).map((e) => {
    const background = behind(e);
    const [x, y] = [over(numbers(getComputedStyle(e).color), background), background]
      .map(luminance).sort((a, b) => b - a);
    return (x + 0.05) / (y + 0.05);
  });
}
"""
