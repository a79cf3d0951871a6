"""Start a server from an image, wait until it answers, and give its URL with the token.

The folder is mounted where the image has its work; without --public only the engine's own
machine can reach the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from .._options import flag, option
from ._building import build_engine
from ._how import How

if TYPE_CHECKING:
    from ...image.engine.dockersdk import ContainerEngine
    from ...session import Session
    from ._running import Running


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


SERVER_SECONDS = 90.0
"""Seconds that a server may take to answer; JupyterLab's first start in a container is slow."""


def run(options: Options, session: Session) -> Running:
    from ...history.built import history_id
    from ...image.engine.build import named_image
    from ...image.engine.mounts import mount, on_host, port
    from ...image.engine.serve import ServerOptions, start, wait
    from ...model.reference import parse
    from ._running import Running

    if options.tag:
        parse(options.tag)
    with build_engine(session, How(), options.tag) as engine:
        tag = options.tag
        image = named_image(engine, tag, "run") if tag else _own_image(engine, session)
        folder, target, read_only = mount(options.work)
        ports = tuple(map(port, options.ports))
        work, notes = ("", []) if options.no_work else on_host(engine, folder)
        session.console.say(f"Starting {image} …")
        wanted = ServerOptions(
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


def _own_image(engine: ContainerEngine, session: Session) -> str:
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
