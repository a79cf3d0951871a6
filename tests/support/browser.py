"""A browser in front of a Jupyter server: what a person sees, presses and types."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nbformat
from playwright.sync_api import sync_playwright

from .machine import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator, Page

    from .kernels import Server

PATIENCE = 60_000  # milliseconds; a busy machine is slow
ERRORS = ".jp-OutputArea-output:is([data-mime-type$=error], [data-mime-type$=stderr])"
SIZE = {"width": 1000, "height": 700}

_NUMBER = re.compile(r"\[\d+\]")
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # nothing but the server on this machine
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """Debian's Chromium without a window, with nothing remembered.

    Raises:
        Unavailable: It is not here.
    """
    executable = program("chromium")
    with TemporaryDirectory(prefix="chromium-") as folder, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=executable, headless=True, viewport=SIZE, args=_FLAGS
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


def write_settings(folder: Path) -> None:
    """Writes a user's settings: no news from elsewhere, and pages that can be asked things."""
    place = folder / "lab/user-settings/@jupyterlab/apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (place / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
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
        # none of the tabs that were open before
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
