"""A server from an image, and the images and servers that there are."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ...display.console import Console
from ...model.credentials import Key
from ...model.errors import JStackMagicError, UsageError
from .dockersdk import ContainerEngine, speaking, variables_of
from .labels import HISTORY, RECIPE, SERVER, STARTED_BY

PORT = "8888/tcp"
"""Jupyter's port, in an image that exposes none."""

_TOKEN = re.compile(r"[?&]token=([^\s&]+)")
_PAUSE = 0.2  # seconds between two looks at whether the server answers
_STOP_SECONDS = 10
_HEARD_SECONDS = 5.0
"""Seconds that a server which says it serves may be unreachable: from a container without a network
nothing can be reached, and the server is not to blame."""

_TOKEN_SECONDS = 30.0
"""Seconds that a server that refuses access may take to print its token; it may have a password."""


class ServerFailed(JStackMagicError):
    """A server did not come up; the problem carries its last words."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server to start."""

    image: str
    work: str = ""  #: the folder of the engine's host to mount; empty for none
    target: str = ""  #: the folder in the server; empty for the image's own ``work``
    read_only: bool = False  #: whether the server may not write to it
    #: each of the server's ports to publish (``8888/tcp``), the address and the port of the
    #: engine's host (empty and None for any); without entries, all that the image exposes
    ports: tuple[tuple[str, str, int | None], ...] = ()
    grant_sudo: bool = False  #: whether its user may use sudo without a password
    public: bool = False  #: whether other hosts than the engine's may reach it
    history: str = ""  #: the history that starts it


@dataclass(frozen=True, slots=True)
class Server:
    """A container that serves."""

    id: str
    name: str  #: the engine's name for it
    image: str
    url: str  #: its URL with its token; empty if it publishes nothing
    ports: tuple[tuple[str, str], ...] = ()  #: its ports and their published addresses
    status: str = "running"  #: the engine's word: "running", "exited"
    history: str = ""  #: the history that started it
    is_reached: bool = True  #: whether it answered from here

    def __post_init__(self) -> None:
        """Let the URL keep its token wherever it is shown."""
        object.__setattr__(self, "url", Key(self.url))


@dataclass(frozen=True, slots=True)
class ServedImage:
    """An image that was made from a history."""

    id: str
    tags: tuple[str, ...]
    created: str  #: its creation time, ISO 8601
    size: int  #: bytes, its base included
    base: str
    recipe: str  #: the hash of the build's input; empty for a commit
    history: str  #: the history it was made from


def start(engine: ContainerEngine, wanted: ServerOptions) -> Server:
    """Start a server and return at once; see `wait`.

    Raises:
        EngineError: There is no such image, or the engine refused.
    """
    from docker.errors import APIError

    with speaking(f"{wanted.image} could not be started", kept="No server was started."):
        image = engine.client.images.get(wanted.image)
        config = image.attrs["Config"]
        ports = list(config.get("ExposedPorts") or {PORT: {}})
        # the engine's own machine alone; of an engine elsewhere that would be no use
        local = engine.url.startswith("unix:") and not wanted.public
        wanted_ports = wanted.ports or tuple((port, "", None) for port in ports)
        own = "127.0.0.1" if local else "0.0.0.0"  # noqa: S104
        published = {port: (address or own, number) for port, address, number in wanted_ports}
        container = engine.client.containers.create(
            image.id,
            ports=published,
            user="root" if wanted.grant_sudo else None,
            environment=["GRANT_SUDO=yes"] if wanted.grant_sudo else [],
            mounts=_mounts(config, wanted),
            labels={SERVER: wanted.image, STARTED_BY: wanted.history},
        )
        try:
            container.start()
        except APIError as error:
            container.remove(v=True, force=True)
            if "already allocated" not in str(error) and "in use" not in str(error):
                raise
            taken = ", ".join(str(number) for _, _, number in wanted.ports if number)
            raise UsageError(
                f"A port of the engine's machine is in use already: {taken}.",
                kept="No server was started.",
                advice=(
                    "Take another: -p 8889:8888",
                    "Or any that is free: leave -p out",
                    "What runs: %envimage list --all",
                ),
            ) from None
    return _server(engine, container)


def _mounts(config: Any, wanted: ServerOptions) -> list[Any]:
    from docker.types import Mount

    if not wanted.work:
        return []
    # not the SDK's "volumes", which a later commit would make volumes of the image
    target = wanted.target or _work_folder(config)
    return [Mount(target, wanted.work, type="bind", read_only=wanted.read_only)]


def _work_folder(config: Any) -> str:
    """Return the ``work`` folder of the Docker Stacks' images, or the image's own folder."""
    user = variables_of(config).get("NB_USER")
    if user is not None:
        return f"/home/{user}/work"
    return config.get("WorkingDir") if config.get("WorkingDir") not in (None, "", "/") else "/work"


def wait(engine: ContainerEngine, server: Server, *, seconds: float) -> Server:
    """Wait until a server answers; return it with its URL.

    Raises:
        ServerFailed: It ended, or does not answer in time; the error has its last output.
        EngineError: The engine cannot be asked.
    """
    deadline, answered, heard = time.monotonic() + seconds, 0.0, 0.0
    with speaking(f"{server.name} cannot be looked at"):
        container = engine.client.containers.get(server.id)
        while True:
            container.reload()
            if container.status not in ("created", "running"):
                raise _failed(container, "ended")
            reached = next(filter(_answers, _addresses(engine, container)), None)
            if reached:
                # it listens before it has printed its token, if it has one: not where all may enter
                answered = answered or time.monotonic()
                found = _server(engine, container)
                late = time.monotonic() > answered + _TOKEN_SECONDS
                if late or "?token=" in found.url or _answers(reached, "/api/status"):
                    return found
            elif _token(container):  # it says itself that it serves
                heard = heard or time.monotonic()
                if time.monotonic() > heard + _HEARD_SECONDS:
                    return replace(_server(engine, container), is_reached=False)
            elif time.monotonic() > deadline:
                raise _failed(container, f"does not answer after {seconds:.0f} s")
            time.sleep(_PAUSE)


def _failed(container: Any, what: str) -> ServerFailed:
    words = container.logs(tail=15).decode(errors="replace").strip()
    return ServerFailed(
        f"The server {container.name} {what}:\n{words}",
        kept="It was left as it is.",
        advice=f"Take it away: %envimage stop {container.name}",
    )


def _addresses(engine: ContainerEngine, container: Any) -> list[str]:
    """Return its addresses: the user's, and one for other containers."""
    published = container.ports
    addresses = [
        f"http://{engine.host}:{bindings[0]['HostPort']}"
        for bindings in published.values()
        if bindings
    ]
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    for network in networks.values():
        if network.get("IPAddress"):
            addresses += [
                f"http://{network['IPAddress']}:{port.partition('/')[0]}" for port in published
            ]
    return addresses


def _answers(address: str, path: str = "/api") -> bool:
    import requests

    try:
        # not what the environment says of proxies: it is this machine or a container on it
        with requests.Session() as session:
            session.trust_env = False
            return bool(session.get(address + path, timeout=2).ok)
    except requests.RequestException:
        return False


def _server(engine: ContainerEngine, container: Any) -> Server:
    container.reload()
    published = tuple(
        (port, f"{binding['HostIp']}:{binding['HostPort']}")
        for port, bindings in sorted((container.ports or {}).items())
        for binding in bindings or ()
    )
    url = ""
    if published:
        preferred = next((place for port, place in published if port == PORT), published[0][1])
        token = _token(container)
        url = f"http://{engine.host}:{preferred.rpartition(':')[2]}/"
        url += f"?token={token}" if token else ""
    return Server(
        id=container.id,
        name=container.name,
        image=container.labels.get(SERVER, ""),
        url=url,
        ports=published,
        status=container.status,
        history=container.labels.get(STARTED_BY, ""),
    )


def _token(container: Any) -> str:
    """Return the token as the server prints it; one that was set for it is printed as dots."""
    logs = container.logs(tail=200).decode(errors="replace")
    found = [token for token in _TOKEN.findall(logs) if token.strip(".")]
    if found:
        return str(found[-1])
    return variables_of(container.attrs["Config"]).get("JUPYTER_TOKEN", "")


def servers(engine: ContainerEngine) -> tuple[Server, ...]:
    """Return the servers that were started here, the stopped ones too.

    Raises:
        EngineError: The engine cannot be asked.
    """
    from docker.errors import APIError

    found = []
    with speaking("The servers cannot be listed"):
        labelled = {"all": True, "filters": {"label": SERVER}}
        for container in engine.client.containers.list(ignore_removed=True, **labelled):
            try:
                found.append(_server(engine, container))
            except APIError as error:  # noqa: PERF203
                if error.status_code not in (404, 409):  # another process removes it, or has
                    raise
    return tuple(found)


def stop(
    engine: ContainerEngine, names: Sequence[str], *, history: str | None, console: Console
) -> tuple[str, ...]:
    """Stop servers and remove their containers; return their names.

    Args:
        names: The servers; none for all that one history started.
        history: That history, which started none while it is empty; None for all servers.

    Raises:
        UsageError: There is no server of that name.
        EngineError: The engine refused.
    """
    running = servers(engine)
    unknown = [name for name in names if not any(_is(server, name) for server in running)]
    if unknown:
        raise UsageError(
            f"No server is called {', '.join(unknown)}.",
            kept="Nothing was stopped.",
            advice=f"There are: {', '.join(server.name for server in running) or 'none'}",
        )
    stopped = []
    for server in running:
        if names and not any(_is(server, name) for name in names):
            continue
        if not names and history is not None and server.history != (history or None):
            continue
        console.say(f"Stopping {server.name} …")
        with speaking(f"{server.name} could not be stopped"):
            container = engine.client.containers.get(server.id)
            container.stop(timeout=_STOP_SECONDS)
            container.remove(v=True)
        stopped.append(server.name)
    return tuple(stopped)


def _is(server: Server, name: str) -> bool:
    return name == server.name or (len(name) >= 4 and server.id.startswith(name))


def bases(engine: ContainerEngine, made: Sequence[ServedImage]) -> tuple[ServedImage, ...]:
    """Return the base images of others, of those that the engine has.

    Raises:
        EngineError: The engine cannot be asked.
    """
    from docker.errors import ImageNotFound

    found = []
    for reference in dict.fromkeys(image.base for image in made if image.base):
        with speaking(f"{reference} cannot be looked at"), suppress(ImageNotFound):
            image = engine.client.images.get(reference)
            created = str(image.attrs.get("Created", ""))
            found.append(
                ServedImage(image.id, (reference,), created, image.attrs["Size"], "", "", "")
            )
    return tuple(found)


def images(engine: ContainerEngine) -> tuple[ServedImage, ...]:
    """Return the images that were made from any history, the latest first.

    Raises:
        EngineError: The engine cannot be asked.
    """
    from datetime import datetime, timezone

    from .labels import BASE, CREATED

    with speaking("The images cannot be listed"):
        # the summaries alone: another process may remove an image before it is looked at
        found = engine.client.api.images(filters={"label": HISTORY})
    listed = []
    for image in found:
        has, made = image["Labels"] or {}, datetime.fromtimestamp(image["Created"], timezone.utc)
        listed.append(
            ServedImage(
                id=image["Id"],
                tags=tuple(tag for tag in image["RepoTags"] or () if tag != "<none>:<none>"),
                created=has.get(CREATED, made.isoformat()),
                size=image["Size"],
                base=has.get(BASE, ""),
                recipe=has.get(RECIPE, ""),
                history=has.get(HISTORY, ""),
            )
        )
    return tuple(sorted(listed, key=lambda image: image.created, reverse=True))
