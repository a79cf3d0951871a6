"""The requests of programs: kernels, with their user's token, Prometheus, and the hub's spawner."""

from __future__ import annotations

import hmac
import json
from contextlib import suppress
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.web import Finish, HTTPError

from ..model.errors import JStackMagicError
from ..model.reference import parse
from .service import Handler
from .store import batch, checked

MAX_LINES = 1_000
"""Lines of one request; a kernel sends half as many."""


class Program(Handler):
    """A request with a token in its header; a cookie counts for nothing here."""

    SUPPORTED_METHODS = ("GET", "POST")

    def check_xsrf_cookie(self) -> None:
        """Accept: no page can make a browser send this header."""

    async def asker(self) -> dict[str, Any]:
        """Return who asks, as the hub knows them.

        Raises:
            HTTPError: The hub knows no such token.
        """
        auth: HubOAuth = self.settings["hub_auth"]
        token = auth.get_token(self, in_cookie=False)
        found = await auth.user_for_token(token, sync=False) if token else None
        if found is None:
            raise HTTPError(403, "no such token")
        return dict(found)

    async def user(self) -> str:
        """Return the name of the user whose token it is, who may ask so often.

        Raises:
            HTTPError: It is no user's.
            Finish: The user has to wait; the answer is written.
        """
        asker = await self.asker()
        if asker.get("kind") != "user":
            raise HTTPError(403, "not a user's token")
        self.allow(str(asker["name"]))
        return str(asker["name"])

    def allow(self, user: str, lines: int = 0) -> None:
        """Refuse for a while who asks or sends too much.

        Raises:
            Finish: It is too much; the answer is written.
        """
        if not (seconds := self.service.wait(user, lines)):
            return
        self.set_status(429)
        self.set_header("Retry-After", str(int(seconds) + 1))
        self.finish({"status": 429})
        raise Finish

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say the status, and nothing of a program's inside."""
        self.finish({"status": status_code})


class RecordsHandler(Program):
    """``POST api/records``: a batch of lines, of the user whose token it is."""

    async def post(self) -> None:
        user = await self.user()
        try:
            lines = batch(self.request.body)
        except ValueError:
            raise HTTPError(400) from None
        if len(lines) > MAX_LINES:
            raise HTTPError(413)
        self.allow(user, len(lines))
        good = []
        for line in lines:
            with suppress(ValueError):
                good.append(checked(line))
        service, store = self.service, self.service.store
        new, person = await service.work(store.take, user, good)
        if new:
            service.live.moved(person)
        service.counts["taken"] += new
        service.counts["refused"] += len(lines) - len(good)
        self.write({"taken": new, "refused": len(lines) - len(good)})


class MineHandler(Program):
    """``GET api/mine``: the policy, and the decisions on the user's own requests."""

    async def get(self) -> None:
        user = await self.user()
        service = self.service
        asked = await service.work(service.store.asked, user)
        decisions = await service.work(service.store.decisions)
        found = {
            f"{manager}:{name}": {"state": said["state"], "why": said["why"]}
            for (manager, name), said in decisions.items()
            if (manager, name) in asked
        }
        self.write({"policy": service.served(), "decisions": found})


class ImagesHandler(Program):
    """``GET api/images``: what a user may start from; ``POST``: an image that they pushed."""

    async def get(self) -> None:
        auth: HubOAuth = self.settings["hub_auth"]
        token = auth.get_token(self, in_cookie=False) or ""
        # the hub's spawner has the service's own token, and cannot answer while it asks
        own = auth.api_token and hmac.compare_digest(token.encode(), auth.api_token.encode())
        name = self.get_query_argument("user") if own else await self.user()
        found = await self.service.work(self.service.store.images)
        mine = [image for image, owner, offered in found if offered or owner == name]
        self.write({"images": mine})

    async def post(self) -> None:
        user = await self.user()
        try:
            image = json.loads(self.request.body)["image"]
            parse(image)
        except (ValueError, KeyError, TypeError, JStackMagicError):
            raise HTTPError(400) from None
        if len(image) > 300:
            raise HTTPError(400)
        if not self.service.may_start(image):
            raise HTTPError(403)
        await self.service.work(self.service.store.push, user, image)
        self.write({})


class Metrics(Program):
    """``GET metrics``: totals, for a token that has the hub's scope ``read:metrics``."""

    async def get(self) -> None:
        asker = await self.asker()
        if "read:metrics" not in asker.get("scopes", ()):
            raise HTTPError(403)
        service = self.service
        people = service.live.report.tally.users  # in steps, as every count of people
        waiting = len(list(service.live.waits()))
        rows = (
            ("people", "gauge", "People with records", people),
            ("lines_taken_total", "counter", "Lines that were new", service.counts["taken"]),
            ("lines_refused_total", "counter", "Lines of no use", service.counts["refused"]),
            ("requests_waiting", "gauge", "Requests that wait", waiting),
        )
        self.set_header("Content-Type", "text/plain; version=0.0.4")
        for name, kind, words, value in rows:
            self.write(f"# HELP jstackmagic_{name} {words}.\n# TYPE jstackmagic_{name} {kind}\n")
            self.write(f"jstackmagic_{name} {value}\n")


class Health(Handler):
    """``GET health``: for whoever asks; the database answers, or it is an error."""

    async def get(self) -> None:
        await self.service.work(self.service.store.ping)
        self.write({"status": "ok"})


API = (
    ("api/records", RecordsHandler),
    ("api/mine", MineHandler),
    ("api/images", ImagesHandler),
    ("metrics", Metrics),
    ("health", Health),
)
