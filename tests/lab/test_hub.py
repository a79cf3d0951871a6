"""The panel under a real hub, in the user's own JupyterLab: a request to the administrator."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from support import panel
from support.browser import Notebook, write_notebook, write_settings
from support.hub import ADMIN, Hub, sign_in, until
from support.machine import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.slow]


def test_a_request_reaches_the_administrator_and_its_state_is_shown(
    page: Page, jstackmagic_wheel: Path, tmp_path: Path
) -> None:
    try:
        share = panel.install(tmp_path / "server", jstackmagic_wheel, panel.wheel())
        made = Hub(tmp_path, "--pause", "1")
    except Unavailable as reason:
        pytest.skip(str(reason))
    home = tmp_path / "homes/ada"
    (home / ".local/share").mkdir(parents=True)
    (home / ".local/share/jupyter").symlink_to(share)
    write_settings(home / ".jupyter")
    write_notebook(home / "ask.ipynb", "%load_ext jstackmagic", kernel="python3")
    with made as hub, hub.server("ada"):
        sign_in(page, hub, "ada")
        notebook = Notebook(page, SimpleNamespace(url=f"{hub.url}/user/ada/"), "ask.ipynb")
        notebook.run(0)
        page.get_by_role("tab", name="Environment (jstackmagic)").click()
        shown = page.locator("#jstackmagic-panel")
        shown.get_by_role("tab", name="Make permanent").click()
        shown.get_by_text("Ask the administrator").click()
        shown.get_by_label("Package").fill("apt:sl")
        shown.get_by_label("Why").fill("A talk needs a train")
        shown.get_by_role("button", name="Ask", exact=True).click()
        work = shown.get_by_role("region", name="The change")
        work.get_by_text("Done.").wait_for()
        asked = shown.get_by_role("row").filter(has_text="apt:sl")
        asked.filter(has_text="waits").wait_for()

        admin, address = hub.login(ADMIN), f"{hub.service}/requests"
        until(lambda: "A talk needs a train" in admin.get(address).text)
        (token,) = re.findall(r'name="_xsrf" value="([^"]+)"', admin.get(address).text)[:1]
        decided = {"manager": "apt", "name": "sl", "state": "approved", "why": "on Monday"}
        assert admin.post(address, data={**decided, "_xsrf": token}).ok
        shown.get_by_role("button", name="Read the environment again").click()
        asked.filter(has_text="approved: on Monday").wait_for()
