"""The container engine: reached with the Docker SDK, and only on request."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...model.credentials import mask
from ...model.errors import JStackMagicError

DOCKER_SOCKET = "/var/run/docker.sock"
_TIMEOUT = 600.0
"""Seconds without a word from the engine: a layer of some gigabytes is committed in silence."""


class NoEngine(JStackMagicError):
    """No container engine can be reached from here."""


class EngineError(JStackMagicError):
    """The engine refused; the problem carries its own words."""


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """A container engine that answered."""

    client: Any  #: the SDK's client
    url: str  #: its address, in the form of ``DOCKER_HOST``
    name: str  #: "docker" or "podman"
    version: str
    offers_buildkit: bool  #: whether it builds with BuildKit when asked to

    def close(self) -> None:
        """Give the connections up."""
        self.client.close()

    @property
    def host(self) -> str:
        """The host name at which a published port is reached."""
        from urllib.parse import urlsplit

        return urlsplit(self.url).hostname or "127.0.0.1"


def connect(environ: Mapping[str, str] = os.environ) -> ContainerEngine:
    """Reach the engine: the one ``DOCKER_HOST`` names, or one whose socket is in its usual place.

    Raises:
        NoEngine: None answers; the error says why, and how to get one.
    """
    said = environ.get("DOCKER_HOST")
    if said:
        return _connect(said, environ)
    for path in _sockets(environ):
        if os.path.exists(path):
            if not os.access(path, os.R_OK | os.W_OK):
                raise _forbidden(path)
            return _connect(f"unix://{path}", environ)
    raise NoEngine("No container engine can be reached from here.", advice=ways())


def _sockets(environ: Mapping[str, str]) -> Iterator[str]:
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield DOCKER_SOCKET
    yield f"{runtime}/docker.sock"
    yield f"{runtime}/podman/podman.sock"
    yield "/run/podman/podman.sock"


def ways() -> tuple[str, ...]:
    """Return the ways to make an engine available, a line each."""
    return (
        "Start the container with the host's socket:"
        f" docker run -v {DOCKER_SOCKET}:{DOCKER_SOCKET} …"
        " (whoever has the socket is root on the host: docs/image.md)",
        "Or say where one is: DOCKER_HOST",
    )


def _forbidden(path: str) -> NoEngine:
    group = os.stat(path).st_gid
    return NoEngine(
        f"The engine's socket {path} is here, but this user may not use it.",
        advice=(
            "start.sh drops the groups that docker run --group-add gives; a primary group stays:",
            f"docker run --user root -e NB_GID={group} -v {DOCKER_SOCKET}:{DOCKER_SOCKET} …",
        ),
    )


def _connect(url: str, environ: Mapping[str, str]) -> ContainerEngine:
    import docker
    import requests

    try:
        # only what speaks of the engine is taken from the environment
        client = docker.from_env(
            environment={**environ, "DOCKER_HOST": url},
            timeout=_TIMEOUT,
            max_pool_size=4,
        )
        version = client.version()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise NoEngine(
            f"No container engine answers at {mask(url)}: {reason_of(error)}", advice=ways()
        ) from error
    names = {part.get("Name", "") for part in version.get("Components") or ()}
    podman = "Podman Engine" in names
    return ContainerEngine(
        client=client,
        url=url,
        name="podman" if podman else "docker",
        version=str(version.get("Version", "")),
        # the API has it since 1.39; a Windows engine and podman's imitation do not
        offers_buildkit=not podman
        and version.get("Os") == "linux"
        and _number(client.api.api_version) >= (1, 39),
    )


def variables_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables of an image's or a container's configuration."""
    return dict(each.partition("=")[::2] for each in config.get("Env") or ())


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def reason_of(error: BaseException) -> str:
    """Return the engine's explanation, or the system's reason, without what wraps it."""
    explanation = getattr(error, "explanation", None)
    if isinstance(explanation, str) and explanation:
        return mask(explanation.strip())
    cause: BaseException | None = error
    while cause is not None:
        # requests' errors are OSErrors too, without a number, and show what they wrap as Python
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return cause.strerror
        error = cause if str(cause).strip() else error
        cause = cause.__cause__ or cause.__context__
    return mask(str(error).strip()) or type(error).__name__


@contextlib.contextmanager
def speaking(doing: str, *, kept: str = "") -> Iterator[None]:
    """Turn the SDK's errors into the user's.

    Args:
        doing: The work: "The image could not be …".
        kept: What was left as it was.

    Raises:
        EngineError: The engine refused, or went away.
    """
    from http.client import HTTPException
    from json import JSONDecodeError
    from tarfile import ReadError

    import requests
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    # an engine that is ended cuts its answer wherever it is
    cut: tuple[type[Exception], ...] = (HTTPError, HTTPException, JSONDecodeError, ReadError)
    cut += (ConnectionError, requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    try:
        yield
    except cut as error:
        gone = f"the engine went away ({reason_of(error)})"
        raise EngineError(f"{doing}: {gone}", kept=kept, advice="Is it still running?") from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError(f"{doing}: {reason_of(error)}", kept=kept) from error
