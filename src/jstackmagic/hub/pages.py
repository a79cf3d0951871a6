"""The pages: the administrator's, and each user's own. None needs a script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from jupyterhub.services.auth import HubOAuthenticated
from markupsafe import Markup
from tornado.web import HTTPError, authenticated

from ..commands._next import dockerfile, share
from ..display import Part, Table, Text, json_text
from ..display.html import STYLE, as_html
from ..export.dockerfile import STYLES
from ..model.errors import JStackMagicError
from ..model.managers import names
from ..model.text import counted, readable
from ..report.nextimage import suggest
from ..report.shown import PAGE, duration
from .advisory import of_expression
from .service import Handler

_OWN_LINES = 200  # that a user's own page shows


def _hash(style: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash(PAGE)} {_hash(STYLE)}; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy: our own styles by their hash, pictures in the page, no script."""


@lru_cache(maxsize=1)
def _templates() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=folder, autoescape=True, finalize=_shown)


def _shown(value: Any) -> Any:
    """Return a text as it may be read; what is HTML already, or sent back (``|e``), stays."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else readable(value)


class HubPage(HubOAuthenticated, Handler):  # type: ignore[misc]
    """A page for whoever may use the service."""

    def set_default_headers(self) -> None:
        """Let nothing run, be framed, or be kept."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    @property
    def name(self) -> str:
        """Return the reader's name."""
        return str(self.current_user["name"])

    @property
    def is_admin(self) -> bool:
        """Return whether the hub says that the reader administers it."""
        return bool(self.current_user.get("admin"))

    def show(self, title: str, parts: Sequence[Part] = (), **values: Any) -> None:
        """Write a page."""
        values.setdefault("body", as_html(parts) if parts else "")
        values["body"] = Markup(values["body"])  # noqa: S704 - every text in it is escaped
        template = _templates().get_template(values.pop("template", "base.html"))
        self.write(
            template.render(
                title=title,
                style=Markup(PAGE),  # noqa: S704
                prefix=self.settings["prefix"],
                xsrf=Markup(self.xsrf_form_html()),  # noqa: S704
                admin=self.is_admin,
                user=self.name,
                here=self.request.path.removeprefix(self.settings["prefix"]),
                **values,
            )
        )

    def back_to(self, path: str, part: str = "") -> None:
        """Have the browser show a page again, from a part of it on: there a reader goes on."""
        self.redirect(f"{self.settings['prefix']}{path}#{quote(part)}", status=303)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say the status, and nothing of the program's inside."""
        if self.current_user:
            words = f"Status {status_code}."
            if status_code == 403:
                words = "This is for the hub's administrators, or its form was open for too long."
            self.show(self._reason, [Text(words)])
            self.finish()
            return
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}\n")


class Admin(HubPage):
    """A page for the hub's administrators."""

    async def prepare(self) -> None:
        """Refuse everybody else.

        Raises:
            HTTPError: The reader is no administrator.
        """
        found = super().prepare()
        if found is not None:
            await found
        if self.current_user and not self.is_admin:
            raise HTTPError(403)


class HomePage(HubPage):
    """``/``: the report, or for everybody else their own page."""

    @authenticated
    async def get(self) -> None:
        if not self.is_admin:
            self.redirect(self.settings["prefix"] + "me")
            return
        self.show("What people install", body=self.service.live.body, template="report.html")


class Download(Admin):
    """``/report.csv`` and ``/report.json``: the report as of the last look, with every row."""

    @authenticated
    async def get(self, form: str) -> None:
        report = self.service.live.report
        kind = {"csv": "text/csv", "json": "application/json"}[form]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Content-Disposition", f"attachment; filename=report.{form}")
        self.write(report.to_csv() if form == "csv" else json_text(report))


class PackagePage(Admin):
    """``/package``: the versions that people had of a package, over time."""

    @authenticated
    async def get(self) -> None:
        manager = self.get_query_argument("manager", "")
        name = self.get_query_argument("name", "")
        service = self.service
        months = await service.work(service.store.months, manager, name)
        least = service.live.least
        rows = tuple(
            (month, version, str(people - people % least))
            for month, counts in sorted(months.items(), reverse=True)
            for version, people in counts.most_common()
            if people >= least
        )
        words = f"At the end of each month; counts of fewer than {least} people are left out."
        parts: list[Part] = [Text(words, "quiet")]
        parts.append(
            _table("People by version", "Month|Version|People", rows)
            if rows
            else Text(f"No version of {manager}:{name} is that of {least} people.")
        )
        self.show(f"{manager}:{name}", parts, template="report.html")


class AdvisoryPage(Admin):
    """``/advisory``: how many have an affected version; by the administrator's files, who."""

    @authenticated
    async def get(self) -> None:
        said = self.get_query_argument("versions", "")
        parts: list[Part] = []
        alert = ""
        service, least = self.service, self.service.live.least
        if said:
            try:
                asked = of_expression(said)
            except JStackMagicError as error:
                alert = str(error)
            else:
                people = {
                    each.person
                    for each in await service.work(service.store.held, asked.package)
                    if asked.affects(each.version)
                }
                count = len(people) - len(people) % least
                words = (
                    f"{count} people or a few more have" if count else f"Fewer than {least} have"
                )
                parts.append(Text(f"{words} {said} now."))
        known, problems = service.known()
        parts += [Text(problem, "warning") for problem in problems]
        rows = []
        for each in known:
            for held in await service.work(service.store.held, each.package):
                affected = each.affects(held.version)
                if affected is not False:
                    what = f"{held.manager}:{held.name} {held.version}"
                    what += "" if affected else " (cannot be compared)"
                    rows.append((each.id, what, held.person, each.summary))
        if rows:
            columns = "Advisory|Package|Person|What it is"
            parts.append(_table("Affected now", columns, sorted(rows)))
        elif known:
            parts.append(Text(f"Nobody has what the {len(known)} advisories are about.", "good"))
        self.show("Advisories", parts, template="advisory.html", versions=said, alert=alert)


class RequestsPage(Admin):
    """``/requests``: what people ask for, to approve or refuse."""

    @authenticated
    async def get(self) -> None:
        decisions = await self.service.work(self.service.store.decisions)
        found: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
        for manager, package, person, since, why in self.service.live.waits():
            found[manager, package].append((person, since, why))
        rows = [
            {"manager": key[0], "name": key[1], "people": people, "said": decisions.get(key, {})}
            for key, people in sorted(
                found.items(), key=lambda item: (item[0] in decisions, -len(item[1]), item[0])
            )
        ]
        self.show("Requests", template="requests.html", rows=rows)

    @authenticated
    async def post(self) -> None:
        state = self.get_body_argument("state")
        manager, name = self.get_body_argument("manager"), self.get_body_argument("name")
        if state not in ("approved", "refused") or manager not in names() or len(name) > 300:
            raise HTTPError(400)
        why = self.get_body_argument("why", "")
        await self.service.work(self.service.store.decide, manager, name, state, why, self.name)
        self.back_to("requests", f"{manager}:{name}")


class Next(Admin):
    """``/next``: the Dockerfile of the next image, with the requests that were approved."""

    @authenticated
    async def get(self) -> None:
        live = self.service.live
        decisions = await self.service.work(self.service.store.decisions)
        waits = live.everything.waits.items()
        approved = {k: w for k, w in waits if decisions.get(k, {}).get("state") == "approved"}
        tally = replace(live.report.tally, waits=approved)  # in steps, as everything that counts
        try:
            covers = share(self.get_query_argument("covers", "80%"))
            suggestion = suggest(tally, covers)
            image, style = (self.get_query_argument(name, "") for name in ("from", "style"))
            if style not in ("", *STYLES):
                raise HTTPError(400)
            made = dockerfile(suggestion, image, style=style)
        except JStackMagicError as error:
            self.set_status(400)
            self.show("The next image", template="next.html", alert=str(error))
            return
        notes = [Text(note) for note in made.artifact.notes]
        held = "jstackmagic report HOMES --against IMAGE"
        notes.append(Text(f"Build it, then ask for how many it is enough: {held}", "quiet"))
        self.show("The next image", notes, template="next.html", text=made.artifact.text)


class ImagesPage(Admin):
    """``/images``: the images that people pushed, to offer to everybody."""

    @authenticated
    async def get(self) -> None:
        rows = await self.service.work(self.service.store.images)
        self.show("Images", template="images.html", rows=rows)

    @authenticated
    async def post(self) -> None:
        offered = self.get_body_argument("offered") == "yes"
        image, store = self.get_body_argument("image"), self.service.store
        await self.service.work(lambda: store.offer(image, offered=offered))
        self.back_to("images", image)


class Me(HubPage):
    """``/me``: all that there is of the reader, and its end."""

    @authenticated
    async def get(self) -> None:
        service, store = self.service, self.service.store
        if service.wait(self.name, 0):
            raise HTTPError(429)
        lines = await service.work(store.lines, self.name, _OWN_LINES)
        decisions = await service.work(store.decisions)
        asked = await service.work(store.asked, self.name)
        own = await service.work(store.tally_of, self.name)
        again = [use for use in own.uses.values() if use.standing]
        seconds = duration(sum(use.seconds for use in again))
        words = f"Each new server installs {counted(len(again), 'package')} again"
        words += f", which takes {seconds}." if seconds else "."
        tables = (
            _table(
                "Your requests",
                "Package|State|Why",
                (
                    (":".join(key), said.get("state", "waits"), said.get("why", ""))
                    for key in sorted(asked)
                    for said in (decisions.get(key, {}),)
                ),
            ),
            _table(
                "Your environments",
                "Environment|Manager|Package|Version",
                await service.work(store.holds, self.name),
            ),
            _table(
                "Your images",
                "Image|Offered to",
                (
                    (image, "everybody" if offered else "you")
                    for image, owner, offered in await service.work(store.images)
                    if owner == self.name
                ),
            ),
            _table("The latest that was sent", "When|What|Result", _said(lines)),
        )
        parts: list[Part] = [table for table in tables if table.rows]
        parts = [Text(words), *parts] if parts else [Text("Nothing of yours was sent yet.")]
        parts.append(Text("#… stands for the path of an environment, which is not sent.", "quiet"))
        self.show("Yours", parts, template="me.html")

    @authenticated
    async def post(self) -> None:
        if self.get_body_argument("erase") != "yes":
            raise HTTPError(400)
        await self.service.erase(self.name)
        self.back_to("me")


def _table(caption: str, columns: str, rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(tuple(columns.split("|")), tuple(rows), caption)


def _said(lines: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield what was asked, each with its result; the latest lines come first."""
    results = {line["id"]: line["outcome"]["status"] for line in lines if line.get("outcome")}
    for line in lines:
        if request := line.get("request"):
            what = f"{request['action']} {request['manager']}: {' '.join(request['specs'])}"
            result = results.get(line["id"], "asked for" if line["event"] == "planned" else "")
            yield f"{line['time'][:10]} {line['time'][11:16]}", what, result


PAGES = (
    ("", HomePage),
    ("package", PackagePage),
    ("advisory", AdvisoryPage),
    ("requests", RequestsPage),
    ("report\\.(csv|json)", Download),
    ("next", Next),
    ("images", ImagesPage),
    ("me", Me),
)
