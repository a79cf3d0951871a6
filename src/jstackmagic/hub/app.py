"""The program ``jstackmagic-hub``: started by JupyterHub, or by hand with its variables."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler
from sqlalchemy.exc import SQLAlchemyError
from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from ..model.credentials import mask, mask_values
from ..model.errors import UsageError
from .api import API
from .counts import LiveReport
from .pages import PAGES
from .service import LOG, Service
from .store import Database

MAX_BODY = 2**20
"""Bytes of a request."""


def application(service: Service, prefix: str, auth: HubOAuth) -> Application:
    """Return the service's application.

    Args:
        prefix: The beginning of its paths, as JupyterHub's proxy routes them.
    """
    routes = [(prefix + path, handler) for path, handler in (*API, *PAGES)]
    return Application(
        [*routes, (prefix + "oauth_callback", HubOAuthCallbackHandler)],
        service=service,
        prefix=prefix,
        hub_auth=auth,
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=True,
        log_function=_log,
    )


def _log(handler: RequestHandler) -> None:
    request = handler.request
    said = {
        "method": request.method,
        "path": request.path,
        "status": handler.get_status(),
        "ms": round(request.request_time() * 1000, 1),
    }
    LOG.info("request", extra={"said": said})


class Structured(logging.Formatter):
    """Log lines as JSON, one object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        said = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "said", {}),
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(mask_values(said))


async def people_of_the_hub(api: str, token: str) -> set[str]:
    """Return the names of the hub's users; nothing if it does not say, or may not.

    A hub gives as many a page as its own settings say: only an empty page is the end.
    """
    names: set[str] = set()
    while True:
        url = f"{api}/users?offset={len(names)}&limit=200"
        try:
            answer = await AsyncHTTPClient().fetch(url, headers={"Authorization": f"token {token}"})
        except (HTTPError, OSError):
            return set()
        page = {each["name"] for each in json.loads(answer.body)}
        if page <= names:
            return names
        names |= page


async def keep_up(service: Service, days: float, pause: float) -> None:
    """Take the counts again, again and again; drop what is old and who is gone every hour."""
    api, token = os.environ.get("JUPYTERHUB_API_URL", ""), os.environ["JUPYTERHUB_API_TOKEN"]
    next_tidy = 0.0
    while True:
        try:
            dropped = 0
            if time.monotonic() >= next_tidy:
                next_tidy = time.monotonic() + max(3600.0 * (pause >= 1), pause)
                dropped = await service.work(service.store.drop_older, days)
                there = await people_of_the_hub(api, token)
                known = set(await service.work(service.store.people))
                for name in known - there if there else ():
                    await service.erase(name)
                    LOG.info("erased", extra={"said": {"why": "no user of the hub"}})
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, service.live.refresh, dropped > 0)
        except Exception:
            LOG.exception("keeping up failed")
        await asyncio.sleep(pause)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the end."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(_parsed(argv)))


_OPTIONS: tuple[tuple[str, type, str, Any, str], ...] = (
    ("--database", str, "URL", "sqlite:///jstackmagic-hub.sqlite", "as SQLAlchemy writes it"),
    ("--policy", Path, "FILE", None, "JSON that kernels follow"),
    ("--advisories", Path, "FOLDER", None, "files of OSV's format"),
    ("--at-least", int, "K", 5, "the fewest people of a count"),
    ("--keep-days", float, "N", 365, "older records are deleted"),
    ("--lines-a-minute", int, "N", 20_000, "that a user may send"),
    ("--pause", float, "SECONDS", 60, "between two counts"),
    ("--token-seconds", int, "N", 30, "how long an answer of the hub on a token holds"),
)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jstackmagic-hub", description=__doc__)
    for name, kind, metavar, default, words in _OPTIONS:
        parser.add_argument(name, type=kind, metavar=metavar, default=default, help=words)
    words = "a registry, or a part of one, whose images users may push; repeat for more"
    parser.add_argument("--images-from", action="append", default=[], metavar="PLACE", help=words)
    return parser.parse_args(argv)


def _service(options: argparse.Namespace) -> Service:
    """Return what the handlers share."""
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        raise SystemExit(
            "jstackmagic-hub: JUPYTERHUB_API_TOKEN is not set. JupyterHub starts it as a service,"
            " or give it the variables of one."
        )
    try:
        store = Database(options.database)
    except (SQLAlchemyError, ImportError, UsageError) as error:
        words = mask(str(error).partition("\n")[0])
        raise SystemExit(f"jstackmagic-hub: --database cannot be used: {words}") from None
    service = Service(
        store,
        LiveReport(store, options.at_least),
        options.policy,
        options.advisories,
        options.lines_a_minute,
        tuple(options.images_from),
    )
    try:
        service.read_policy()
    except (OSError, UsageError) as error:
        raise SystemExit(f"jstackmagic-hub: {options.policy}: {error}") from None
    return service


async def serve(options: argparse.Namespace) -> None:
    """Serve as JupyterHub's variables say, until the process ends."""
    handler = logging.StreamHandler()
    handler.setFormatter(Structured())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    service = _service(options)
    auth = HubOAuth.instance(cache_max_age=options.token_seconds)
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    server = HTTPServer(application(service, prefix, auth), max_body_size=MAX_BODY, xheaders=True)
    url = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:10101"))
    server.listen(url.port or 80, url.hostname or "127.0.0.1")
    LOG.info("serving", extra={"said": {"prefix": prefix}})
    await keep_up(service, options.keep_days, options.pause)
