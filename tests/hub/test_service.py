"""The service in a real hub: its proxy, people with their own servers and tokens, and attackers."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from jstackmagic.hub import spawner
from jstackmagic.hub.spawner import ProfileChoice
from jstackmagic.sending.outbox import Outbox, Unreachable
from support.browser import chromium
from support.hub import ADMIN, SERVICE, Hub, sign_in, until
from support.kernels import PATIENCE
from support.machine import Unavailable
from support.panel import node_modules
from support.people import Home
from support.served import ServedKernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

OSV = {
    "id": "PYSEC-0000-1",
    "summary": "<b>Lets anybody in</b>",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Jupyter_Server.Proxy"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "4.1.1"}]},
                {"type": "GIT", "events": [{"introduced": "0"}]},
            ],
        }
    ],
}
NASTY = "<script>alert(1)</script>"
SQL = "x'); DROP TABLE person; --"
TURNED = "libgl1\u202e1lgbil"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "osv").mkdir()
    (folder / "osv/one.json").write_text(json.dumps(OSV))
    (folder / "osv/broken.json").write_text("{")
    policy = {"deny": ["telnetlib3"], "reasons": {"telnetlib3": "Use ssh"}}
    (folder / "policy.json").write_text(json.dumps(policy))
    options = ("--pause", "0.3", "--at-least", "2", "--token-seconds", "1")
    options += ("--policy", f"{folder}/policy.json", "--advisories", f"{folder}/osv")
    try:
        options += ("--lines-a-minute", "6000", "--images-from", "registry.example.com/lab")
        made = Hub(folder, *options)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with made as hub:
        yield hub


@pytest.fixture(scope="module")
def tokens(hub: Hub) -> dict[str, str]:
    return {name: hub.token(name) for name in ("ada", "bob", "eve", "mallory")}


@pytest.fixture(scope="module")
def sent(hub: Hub, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The homes of three people, whose histories were sent."""
    homes = tmp_path_factory.mktemp("homes")
    for name in ("ada", "bob", "eve"):
        home = Home(homes, name)
        home.installs("pip", "jupyter-server-proxy", "4.1.0" if name == "eve" else "4.2.0")
        home.installs("pip", "pandas>=2", "2.3")
        if name != "eve":
            home.waits("libgl1", f"{name} plots {NASTY}")
        outbox = Outbox(home.history.path, hub.service, tokens[name])
        outbox.fetch()
        assert outbox.send() == len(home.history.content().splitlines())
        assert outbox.send() == 0
        assert outbox.state().policy["deny"] == ["telnetlib3"]
    admin = hub.login(ADMIN)
    until(lambda: "pip:pandas" in admin.get(f"{hub.service}/").text)
    return homes


@pytest.fixture(scope="module")
def admin(hub: Hub) -> requests.Session:
    return hub.login(ADMIN)


def xsrf(page: requests.Response) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def line(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "v": 1, "event": "planned", "id": f"{number:08x}.1", "time": "2026-11-02T09:14:03.512Z",
        "request": {"action": "install", "manager": "apt", "specs": ["tree"]},
        **changes,
    }  # fmt: skip


def post(hub: Hub, token: str, *lines: Any) -> requests.Response:
    return hub.ask("api/records", token, "POST", json={"records": list(lines)})


def test_the_administrator_sees_the_report_without_a_script(
    hub: Hub, sent: Path, admin: requests.Session
) -> None:
    page = admin.get(f"{hub.service}/")
    assert "<script" not in page.text
    assert page.text.count("data:image/svg+xml;base64,") == 2
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    versions = admin.get(f"{hub.service}/package?manager=pip&name=jupyter-server-proxy").text
    assert "4.2.0" in versions
    assert "4.1.0" not in versions  # one person's
    made = admin.get(f"{hub.service}/next?covers=100%25&from=base:1").text
    assert "&#39;pandas==2.3&#39;" in made


def test_a_request_is_decided_and_its_people_are_told_once(
    hub: Hub, sent: Path, tokens: dict[str, str], admin: requests.Session
) -> None:
    page = until(lambda: (p := admin.get(f"{hub.service}/requests")) and "libgl1" in p.text and p)
    assert "&lt;script&gt;" in page.text
    said = {"manager": "apt", "name": "libgl1", "state": "approved", "why": f"Monday {NASTY}"}
    answer = admin.post(f"{hub.service}/requests", data={**said, "_xsrf": xsrf(page)})
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "approved by" in answer.text
    made = admin.get(f"{hub.service}/next?from=base:1").text
    assert "&#39;libgl1&#39;" in made
    outbox = Outbox(Home(sent, "ada").history.path, hub.service, tokens["ada"])
    outbox.fetch()
    assert outbox.news() == [f"Your request for apt:libgl1 was approved: Monday {NASTY}"]
    outbox.fetch()
    assert outbox.news() == []
    other = Outbox(Home(sent, "eve").history.path, hub.service, tokens["eve"])
    other.fetch()
    assert other.news() == []  # who did not ask


def test_advisories_name_people_and_an_expression_counts_them(
    hub: Hub, sent: Path, admin: requests.Session
) -> None:
    page = admin.get(f"{hub.service}/advisory").text
    assert "PYSEC-0000-1" in page
    assert "eve" in page
    assert "bob" not in page
    assert "&lt;b&gt;Lets anybody in" in page
    assert "broken.json cannot be read" in page

    def asked(versions: str) -> str:
        return admin.get(f"{hub.service}/advisory", params={"versions": versions}).text

    # of three people or of two: the difference of two questions counts nobody out
    for versions in ("jupyter-server-proxy>=4", "jupyter-server-proxy>=4.2"):
        assert "2 people or a few more have jupyter-server-proxy" in asked(versions)
    assert "Fewer than 2 have" in asked("jupyter-server-proxy<4.1.1")
    assert "names no versions" in asked(SQL)


def test_a_person_sees_their_own_and_nobody_else_s(hub: Hub, sent: Path) -> None:
    eve = hub.login("eve")
    page = eve.get(f"{hub.service}/")
    assert page.url.endswith("/me")
    assert "4.1.0" in page.text or "jupyter-server-proxy" in page.text
    assert "libgl1" not in page.text
    assert "4.2.0" not in eve.get(f"{hub.service}/me?user=ada&name=ada").text
    admins = ("requests", "advisory", "package?name=pandas&manager=pip", "next", "images")
    for path in (*admins, "report.csv", "report.json"):
        assert eve.get(f"{hub.service}/{path}").status_code == 403, path
    data = {"manager": "apt", "name": "libgl1", "state": "refused", "_xsrf": xsrf(page)}
    assert eve.post(f"{hub.service}/requests", data=data).status_code == 403
    anybody = requests.get(f"{hub.service}/me", allow_redirects=False)
    assert anybody.status_code == 302


def test_a_form_from_elsewhere_changes_nothing(hub: Hub, sent: Path) -> None:
    admin = hub.login(ADMIN)
    data = {"manager": "apt", "name": "libgl1", "state": "refused", "why": "forged"}
    for words in ({}, {"_xsrf": "2|guessed"}):
        answer = admin.post(
            f"{hub.service}/requests", data={**data, **words}, allow_redirects=False
        )
        assert answer.status_code in (302, 403)
    assert "forged" not in admin.get(f"{hub.service}/requests").text


def test_records_are_those_of_the_token_s_user(hub: Hub, tokens: dict[str, str]) -> None:
    forged = line(1, user="ada", person="ada", context={"user": "ada", "image": "base:1"})
    assert post(hub, tokens["mallory"], forged).json() == {"taken": 1, "refused": 0}
    assert post(hub, tokens["mallory"], forged).json() == {"taken": 0, "refused": 0}  # replayed
    with sqlite3.connect(hub.folder / "records.sqlite") as database:
        rows = database.execute(
            "select person.name, body from line join person on person.id = person_id"
            " where record = '00000001.1'"
        ).fetchall()
    assert [name for name, _ in rows] == ["mallory"]
    assert b"ada" not in rows[0][1]  # no unknown field is kept
    for token in ("", "guessed", SERVICE):
        assert post(hub, token, line(2)).status_code == 403
    cookie = hub.login("mallory")
    assert cookie.post(f"{hub.service}/api/records", json={"records": []}).status_code == 403


def test_what_is_no_record_is_refused(hub: Hub, tokens: dict[str, str]) -> None:
    wrong = [
        3, None, {}, line(3, v=2), line(3, id="../x"), line(3, time="2099-01-01T00:00:00.000Z"),
        line(3, time=SQL), line(3, event="seen"), line(3, request=None), line(3, notes=[7]),
        line(3, request={"action": "install", "manager": SQL, "specs": []}),
        line(3, notes=["x" * 70_000]), line(3, notes=["nul \0"]),
    ]  # fmt: skip
    assert post(hub, tokens["mallory"], *wrong).json() == {"taken": 0, "refused": len(wrong)}
    raw = {"data": b"[" * 5_000, "headers": {}}
    for body in (b"", b"{", b"[]", b'{"records": 3}', raw["data"]):
        answer = hub.ask("api/records", tokens["mallory"], "POST", data=body)
        assert answer.status_code in (400, 413), body


def test_sql_and_script_in_every_field_are_text(
    hub: Hub, tokens: dict[str, str], admin: requests.Session
) -> None:
    def hostile(number: int, text: str) -> list[dict[str, Any]]:
        where = {"kind": "conda-base", "name": text, "prefix": f"/{text}", "python": text}
        request = {"action": text, "manager": "pip", "specs": [text], "channels": [text]}
        package = {"manager": "pip", "name": text, "version": text}
        outcome = {"status": "ok", "seconds": 1.0, "message": text}
        outcome |= {"change": {"added": [package], "removed": []}, "resolved": [package]}
        begun = line(number, event="begin", request=request, environment=where,
                     context={"image": text}, notes=[f"why: {text}"], undoes=text)  # fmt: skip
        end = {key: begun[key] for key in ("v", "id", "time")} | {"event": "end"}
        request = {"action": "install", "manager": "pip", "specs": [text, "./x"]}
        planned = {**begun, "event": "planned", "request": request}
        return [begun, {**end, "outcome": outcome}, planned]

    request = {"action": "install", "manager": "apt", "specs": [TURNED]}
    assert post(hub, tokens["mallory"], line(9, request=request)).json()["taken"] == 1
    for user in ("mallory", "bob"):
        lines = [each for n, text in enumerate((NASTY, SQL), 10) for each in hostile(n, text)]
        assert post(hub, tokens[user], *lines).json() == {"taken": 6, "refused": 0}
    until(lambda: "DROP TABLE" in admin.get(f"{hub.service}/").text)
    page = admin.get(f"{hub.service}/requests")
    for field in ("manager", "name", "why", "state"):
        said = {"manager": "apt", "name": "tree", "why": "x", "state": "refused"}
        data = {**said, field: f"{SQL}{NASTY}", "_xsrf": xsrf(page)}
        answer = admin.post(f"{hub.service}/requests", data=data)
        assert answer.status_code == (400 if field in ("manager", "state") else 200), field
    data = {"image": SQL, "offered": "yes", "_xsrf": xsrf(page)}
    assert admin.post(f"{hub.service}/images", data=data).status_code == 200
    sheet = admin.get(f"{hub.service}/report.csv").text
    assert not [row for row in sheet.splitlines() if row[:1] in "=+-@"]
    assert admin.get(f"{hub.service}/report.json").json()["at_least"] == 2
    for path in ("", "requests", "images", "next", "me", f"package?manager=pip&name={SQL}"):
        page = admin.get(f"{hub.service}/{path}")
        assert page.status_code == 200, path
        assert "<script" not in page.text, path
        shown = re.sub(r'value="[^"]*"', "", page.text)
        assert not set("\u202e\x1b") & set(shown), path  # no name reads as another's
    page = admin.get(f"{hub.service}/requests")
    said = {"manager": "apt", "name": TURNED, "state": "refused", "why": "", "_xsrf": xsrf(page)}
    answer = admin.post(f"{hub.service}/requests", data=said)
    assert answer.text.count("refused by") == page.text.count("refused by") + 1
    assert hub.ask("health", "").json() == {"status": "ok"}


def test_too_much_is_stopped(hub: Hub, tokens: dict[str, str]) -> None:
    many = [line(n + 100) for n in range(1_001)]
    assert post(hub, tokens["mallory"], *many).status_code == 413
    try:
        answer = hub.ask("api/records", tokens["mallory"], "POST", data=b"x" * 2**21)
        assert answer.status_code in (400, 413, 503)  # as the proxy says it
    except requests.ConnectionError:
        pass  # as tornado does it
    answer = post(hub, tokens["mallory"], *many[:900])
    assert answer.status_code == 200
    for _ in range(99):  # while the service takes one, it gives credit for some lines of the next
        answer = post(hub, tokens["mallory"], *many[:900])
        if answer.status_code != 200:
            break
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert post(hub, tokens["bob"], line(5)).status_code == 200  # a user's own limit


def test_a_token_that_was_revoked_is_no_token(hub: Hub) -> None:
    made = hub.api("POST", "users/bob/tokens", json={})
    assert hub.ask("api/mine", made["token"]).status_code == 200
    hub.api("DELETE", f"users/bob/tokens/{made['id']}")
    until(lambda: hub.ask("api/mine", made["token"]).status_code == 403)
    outbox = Outbox(hub.folder / "none", hub.service, made["token"])
    with pytest.raises(Unreachable, match="403"):
        outbox.fetch()


def test_a_cookie_of_who_logged_out_is_no_cookie(hub: Hub) -> None:
    bob = hub.login("bob")
    stolen = requests.Session()
    stolen.cookies.update(bob.cookies)
    assert stolen.get(f"{hub.service}/me", allow_redirects=False).status_code == 200
    bob.get(f"{hub.url}/hub/logout")
    until(lambda: stolen.get(f"{hub.service}/me", allow_redirects=False).status_code != 200)


def test_images_are_offered_at_the_next_start(
    hub: Hub, tokens: dict[str, str], admin: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner, "_SECONDS", PATIENCE)
    image = "registry.example.com/lab/adas:1"
    push = hub.ask("api/images", tokens["ada"], "POST", json={"image": image})
    assert push.status_code == 200
    for wrong in ({"image": "a b"}, {"image": 3}, {}, {"image": "-x"}):
        answer = hub.ask("api/images", tokens["ada"], "POST", json=wrong)
        assert answer.status_code == 400, wrong

    class Spawner:
        def __init__(self, name: str) -> None:
            self.user = type("User", (), {"name": name})

    choice = ProfileChoice(hub.service, SERVICE, "base:1")
    usual = {"The usual image": "base:1"}
    assert choice.allowed_images(Spawner("ada")) == {**usual, image: image}
    assert choice.allowed_images(Spawner("bob")) == usual
    for elsewhere in (
        *("evil.example.com/lab/x:1", "registry.example.com.evil.example/lab/x:1", "lab/x:1"),
        "registry.example.com/labs/x:1",
    ):
        answer = hub.ask("api/images", tokens["ada"], "POST", json={"image": elsewhere})
        assert answer.status_code == 403, elsewhere
    assert hub.ask("api/images?user=ada", tokens["bob"]).json() == {"images": []}
    page = admin.get(f"{hub.service}/images")
    data = {"image": image, "offered": "yes", "_xsrf": xsrf(page)}
    assert admin.post(f"{hub.service}/images", data=data).status_code == 200
    assert choice.allowed_images(Spawner("bob")) == {**usual, image: image}
    assert hub.ask("api/images?user=ada", f"{ADMIN}-token").status_code == 403
    assert ProfileChoice("http://127.0.0.1:9", "", "base:1").allowed_images(Spawner("bob")) == usual


def test_metrics_are_prometheus_s_and_for_whoever_may(
    hub: Hub, sent: Path, tokens: dict[str, str]
) -> None:
    answer = hub.ask("metrics", f"{ADMIN}-token")
    found = {each.name: each for each in text_string_to_metric_families(answer.text)}
    people = found["jstackmagic_people"].samples[0].value
    assert people in (2, 4), "three have sent, or four: counted in steps of --at-least"
    assert found["jstackmagic_lines_taken"].type == "counter"
    assert hub.ask("metrics", tokens["ada"]).status_code == 403
    logged = [each for each in (hub.folder / "hub.log").read_text().splitlines() if each[:1] == "{"]
    asked = [each for each in map(json.loads, logged) if each["event"] == "request"]
    assert {"time", "level", "method", "path", "status", "ms"} <= asked[-1].keys()


def test_a_kernel_sends_in_the_background_and_follows_the_policy(hub: Hub) -> None:
    """A real single-user server that the hub started, and a kernel in it."""
    with hub.server("ada") as url, ServedKernel(url) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        # the first verb of a new home knows the policy already, if it comes in time
        code = "from jstackmagic.sending import servicepolicy\nservicepolicy._SECONDS = "
        kernel.run(f"{code}{PATIENCE}").check()
        stopped = kernel.run("%envinstall --record-only pip:telnetlib3")
        assert stopped.error_name == "Stopped", stopped.shown
        assert "Use ssh" in stopped.shown
        kernel.run('%envrequest apt:libnone9 --why "a test"').check()
        kernel.run("import time").check()
        until(lambda: "libnone9" in hub.login("ada").get(f"{hub.service}/me").text)
        assert "libnone9" in kernel.run("%envshared --json").check().shown


@pytest.fixture(scope="module")
def screen(hub: Hub, sent: Path) -> Iterator[Page]:
    """An administrator's browser, on the service's first page."""
    try:
        with chromium() as context:
            yield sign_in(context.pages[0], hub, ADMIN)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.browser
def test_the_pages_are_styled_under_their_own_policy(hub: Hub, screen: Page) -> None:
    """In a browser, which refuses a style whose hash the policy does not name."""
    said: list[str] = []
    screen.on("console", lambda message: said.append(message.text))
    screen.reload()
    screen.goto(f"{hub.service}/")
    chart = screen.get_by_role("img").first
    assert chart.evaluate("image => image.complete && image.naturalWidth > 0")
    table = screen.get_by_role("table").first
    assert table.evaluate("e => getComputedStyle(e).borderCollapse") == "collapse"
    for scheme, dark in (("dark", True), ("light", False)):
        screen.emulate_media(color_scheme=scheme)
        colour = screen.evaluate("getComputedStyle(document.body).color")
        assert (colour != "rgb(0, 0, 0)") is dark
    screen.keyboard.press("Tab")
    assert screen.evaluate("document.activeElement.tagName") == "A"
    assert not [each for each in said if "Content Security Policy" in each]


def heard(page: Page) -> dict[str, list[str]]:
    """What a screen reader has of a page: the names by role, of Chromium's accessibility tree."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    found: dict[str, list[str]] = defaultdict(list)
    for node in tree["nodes"]:
        if not node["ignored"]:
            found[node["role"]["value"]].append(node.get("name", {}).get("value", ""))
    return found


CONTROLS = ("textbox", "button", "combobox", "checkbox", "link", "table", "form", "region", "image")


@pytest.mark.browser
def test_a_screen_reader_finds_its_way(hub: Hub, screen: Page, tokens: dict[str, str]) -> None:
    for user in ("ada", "bob"):
        lines = [line(n, request={"action": "install", "manager": m, "specs": ["of-both"]})
                 for n, m in enumerate(("apt", "pip"), 900)]  # fmt: skip
        assert post(hub, tokens[user], *(dict(each, notes=["why: x"]) for each in lines)).ok
    image = "registry.example.com/lab/heard:1"
    assert hub.ask("api/images", tokens["ada"], "POST", json={"image": image}).ok
    axe = (node_modules() / "axe-core/axe.min.js").read_text()
    titles = set()
    for path, shown in (
        ("", {"table": "What people install", "columnheader": "People", "link": "Download CSV"}),
        ("package?manager=pip&name=jupyter-server-proxy", {"table": "People by version"}),
        ("advisory", {"table": "Affected now", "textbox": "Versions"}),
        ("advisory?versions=%3C", {"alert": "names no versions"}),
        ("requests", {"heading": "apt:of-both", "textbox": "Reason for pip:of-both"}),
        ("next?from=base:1", {"region": "Dockerfile", "textbox": "Covers"}),
        ("next?covers=x", {"alert": "80%"}),
        ("images", {"button": f"Offer {image} to all"}),
        ("me", {"checkbox": "Erase all of it", "button": "Erase"}),
    ):
        screen.goto(f"{hub.service}/{path}")
        found = heard(screen)
        assert len(found["main"]) == 1, path
        assert screen.get_by_role("heading", level=1).count() == 1, path
        assert found["navigation"] == ["Pages"], path
        found["alert"] = screen.get_by_role("alert").all_inner_texts()  # it is said itself
        titles.add(screen.title())
        for role in CONTROLS:
            assert all(found[role]), (path, role, found[role])
            assert len(set(found[role])) == len(found[role]), (path, role, found[role])
        assert bool(found["table"]) == bool(found["columnheader"]), path
        for role, name in shown.items():
            assert any(name in each for each in found[role]), (path, role, found[role])
        assert screen.locator("nav [aria-current=page]").count() == (path[:7] != "package"), path
        for scheme in ("light", "dark"):
            screen.emulate_media(color_scheme=scheme)
            screen.evaluate(f"{axe}; undefined")
            broken = screen.evaluate("axe.run().then(found => found.violations)")
            assert not [(rule["id"], rule["nodes"][0]["html"]) for rule in broken], (path, scheme)
    assert len(titles) == 7
    # after a decision the reader goes on where it is said
    screen.goto(f"{hub.service}/requests")
    screen.get_by_label("Reason for apt:of-both").fill("soon")
    screen.keyboard.press("Tab")
    screen.keyboard.press("Enter")
    screen.get_by_role("status").filter(has_text="approved by").first.wait_for()
    assert screen.evaluate("document.activeElement.id") == "apt:of-both"
    assert any("approved by root-of-the-hub: soon" in each for each in heard(screen)["StaticText"])


def test_who_leaves_the_hub_or_asks_for_it_is_erased(hub: Hub, tokens: dict[str, str]) -> None:
    def known() -> set[str]:
        with sqlite3.connect(hub.folder / "records.sqlite") as database:
            people = {name for (name,) in database.execute("select name from person")}
            lines = database.execute(
                "select count(*) from line where person_id not in (select id from person)"
            )
            assert lines.fetchone() == (0,)
            return people

    assert post(hub, hub.token("gone"), line(7)).json()["taken"] == 1
    assert "gone" in known()
    hub.api("DELETE", "users/gone")
    until(lambda: "gone" not in known())
    bob = hub.login("bob")
    page = bob.get(f"{hub.service}/me")
    assert bob.post(f"{hub.service}/me", data={"_xsrf": xsrf(page)}).status_code == 400
    bob.post(f"{hub.service}/me", data={"erase": "yes", "_xsrf": xsrf(page)})
    assert "bob" not in known()
