"""Start a server from an image, wait until it answers, and give its URL with the token.

The folder is mounted where the image has its work; without --public only the engine's own
machine can reach the server.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from .._options import flag, option
from ._building import build_engine
from ._how import How
from ._running import Running

if TYPE_CHECKING:
    from ...image.engine.client import Engine
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The server to start, and its content."""

    tag: str | None = option(nargs="?", metavar="TAG", help="the image (default: this history's)")
    work: str = option(
        *("-v", "--work"),
        default=".",
        metavar="FOLDER[:TARGET[:ro]]",
        help="to mount (default: the working folder, where the image has its work)",
    )
    ports: tuple[str, ...] = option(
        *("-p", "--publish"),
        action="append",
        default=(),
        metavar="[IP:][HOST:]PORT",
        help="as docker run's (default: a free port of this machine)",
    )
    no_work: bool = flag("--no-work", help="mount nothing")
    grant_sudo: bool = flag("--grant-sudo", help="let its user use sudo")
    public: bool = flag("--public", help="let other machines reach it")


HELP = "start a server"
_PUBLISHED = re.compile(
    r"(?:(?:(?P<ip>[\d.]+|\[[\da-f:]+\]):)?(?P<host>\d{1,5})?:)?(?P<port>\d{1,5})"
    r"(?:/(?P<protocol>tcp|udp|sctp))?"
)
SERVER_SECONDS = 90.0
"""Seconds that a server may take to answer; JupyterLab's first start in a container is slow."""


def run(options: Options, session: Session) -> Running:
    """Do it."""
    from ...history.built import history_id
    from ...image.engine.serve import Wanted, start, wait
    from ...model.reference import parse

    if options.tag:
        parse(options.tag)
    with build_engine(session, How(), options.tag) as engine:
        image = options.tag or _own_image(engine, session)
        folder, target, read_only = _mount(options.work)
        ports = tuple(map(_port, options.ports))
        work, notes = ("", []) if options.no_work else _on_host(engine, folder)
        session.console.say(f"Starting {image} …")
        wanted = Wanted(
            image,
            work=work,
            target=target,
            read_only=read_only,
            ports=ports,
            grant_sudo=options.grant_sudo,
            public=options.public,
            history=history_id(session.history.records()),
        )
        server = wait(engine, start(engine, wanted), seconds=SERVER_SECONDS)
    if not server.is_reached:
        notes.append(
            "The server says that it serves, and nothing here reaches it: this process may have no"
            " network. Its address is for the engine's own machine."
        )
    return Running(server=server, work=work, notes=tuple(notes))


def _mount(text: str) -> tuple[str, str, bool]:
    """Read ``FOLDER[:TARGET[:ro]]``, as ``docker run -v`` does.

    Raises:
        UsageError: It is not of that form.
    """
    folder, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if (target and not target.startswith("/")) or mode not in ("", "ro", "rw"):
        raise UsageError(
            f"{text} is not a mount.",
            kept="No server was started.",
            advice="A folder, and where it goes: -v .:/home/jovyan, or with :ro behind it",
        )
    return folder, target, mode == "ro"


def _port(text: str) -> tuple[str, str, int | None]:
    """Read ``[[IP:]HOST:]PORT[/PROTOCOL]``, as ``docker run -p`` does.

    Raises:
        UsageError: It is not of that form.
    """
    found = _PUBLISHED.fullmatch(text)
    if found is None or int(found["port"]) > 65535 or int(found["host"] or 0) > 65535:
        raise UsageError(
            f"{text} is not a port to publish.",
            kept="No server was started.",
            advice="The port here, and the server's: -p 8888:8888",
        )
    host = int(found["host"]) if found["host"] else None
    return f"{found['port']}/{found['protocol'] or 'tcp'}", found["ip"] or "", host


def _own_image(engine: Engine, session: Session) -> str:
    """Return the latest image that was made from this history."""
    from ...history.built import history_id
    from ...image.engine.serve import images

    own = history_id(session.history.records())
    found = [image for image in images(engine) if own and image.history == own and image.tags]
    if not found:
        raise UsageError(
            "No image was made from this history yet.",
            kept="No server was started.",
            advice=("Build it: %envimage build", "Or name one: %envimage run TAG"),
        )
    # one that was built is of that history alone, a commit is not
    return next((image for image in found if image.recipe), found[0]).tags[0]


def _on_host(engine: Engine, folder: str) -> tuple[str, list[str]]:
    """Return a folder's path on the engine's host, and notes on it."""
    from ...image.engine.container import this_container
    from ...where.host import look

    path = os.path.realpath(os.path.expanduser(folder))
    if not os.path.isdir(path):
        raise UsageError(f"There is no folder {path}.", kept="No server was started.")
    host = look()
    if host.runtime is None:
        return path, []
    container = this_container(engine, host)
    place = container.on_host(path) if container else None
    if place is None:
        note = f"{path} is in this container only, where no other can mount it: no work folder."
        return "", [note]
    return place, []
