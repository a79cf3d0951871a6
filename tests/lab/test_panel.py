"""The panel in a real JupyterLab and a real Notebook 7: by mouse, and by keyboard alone."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import panel, pictures
from support.browser import Notebook, chromium, write_notebook, write_settings
from support.kernels import Server, clean_environ, write_kernelspec
from support.machine import Unavailable
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.browser

LOAD = "%load_ext jstackmagic"


@dataclass
class World:
    """A user's machine: a server with the panel, kernels of two environments, an index."""

    home: Path
    prefix: Path
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
    make_kernel_env: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    try:
        wheel = panel.wheel()
    except Unavailable as reason:
        pytest.skip(str(reason))
    home = tmp_path_factory.mktemp("panel")
    share = panel.install(home / "panel", wheel)
    prefix = make_kernel_env("panel")
    kernels = home / ".local/share/jupyter/kernels"
    write_kernelspec(kernels / "panel", prefix, display_name="Python (panel)")
    write_kernelspec(kernels / "other", Path(sys.prefix), display_name="Python (other)")
    (home / "work").mkdir()
    write_settings(home / ".jupyter")
    with WheelIndex(home / "index") as index:
        index.add("one", "1.0", requires=["two"])
        index.add("two", "2.0")
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
        yield World(home, prefix, environ)


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Server]:
    with world.server("jupyterlab") as server:
        yield server


@pytest.fixture
def page(browser: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    pictures.take(page, f"end-of-{request.node.name}")
    page.close()


class Panel:
    """The panel of a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node = page.locator("#jstackmagic-panel")

    def open(self) -> Panel:
        """Open it by its tab in the side bar."""
        self.page.locator("li.lm-TabBar-tab[data-id=jstackmagic-panel]").click()
        self.node.wait_for()
        return self

    def tab(self, name: str) -> Panel:
        self.node.get_by_role("tab", name=name).click()
        return self

    def row(self, text: str) -> Locator:
        return self.node.get_by_role("option").filter(has_text=text)

    def button(self, name: str) -> Locator:
        return self.node.get_by_role("button", name=name)


def open_notebook(
    page: Page, server: Server, world: World, name: str, *cells: str, kernel: str = "panel"
) -> Notebook:
    write_notebook(world.work / f"{name}.ipynb", *cells, kernel=kernel)
    return Notebook(page, server, f"{name}.ipynb")


def test_it_offers_to_load_and_shows_what_was_added_and_why(
    page: Page, lab: Server, world: World
) -> None:
    notebook = open_notebook(page, lab, world, "first", "%envinstall --pip one")
    shown = Panel(page).open()
    assert shown.node.get_by_text(LOAD).count() == 1
    shown.button("Load it").click()
    shown.node.get_by_role("heading", name="panel").wait_for()
    notebook.run(0)
    shown.row("one").wait_for()
    shown.row("two").click()
    why = shown.node.get_by_role("region", name="Why it is here")
    assert "needed by one" in why.inner_text()
    assert "install one" in why.inner_text()
