"""A Docker engine for the tests: the one that DOCKER_HOST names, or a private one of their own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import requests
from docker.types import Mount

from . import cache
from .locks import held
from .machine import Unavailable, as_root, has_sudo, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from docker import DockerClient

RUN = (
    Path("/run/jstackmagic-tests")
    if os.geteuid() == 0
    else Path(tempfile.gettempdir(), f"jstackmagic-tests-{os.geteuid()}")
)
"""Where the private engine's socket, pid file and state lie: a socket's path must be short."""

DATA = cache.ROOT / "engine"
"""Its images, kept between runs."""

SOCKET = RUN / "docker.sock"
_PID_FILE = RUN / "dockerd.pid"
_LOG = RUN / "dockerd.log"
_USUAL_SOCKET = Path("/var/run/docker.sock")
_KEPT = re.compile(r"jstackmagic-tests/(?![\w-]*-\d+$)[\w-]+")
"""Names of what a later run uses again: one with a process's number, a port or a history's hash is
of one run alone."""

_KEPT_IMAGES = 2  # of each of these names
_KEPT_CACHE = 2_000_000_000  # bytes of what BuildKit keeps


@contextlib.contextmanager
def engine() -> Iterator[DockerClient]:
    """An engine that answers, reached as any program reaches it: by ``DOCKER_HOST``.

    Raises:
        Unavailable: None runs, and none can be started.
    """
    if cache.ENVIRON.get("DOCKER_HOST"):
        yield _connect(cache.ENVIRON["DOCKER_HOST"])
        return
    if _USUAL_SOCKET.is_socket() and _answers(_USUAL_SOCKET):
        # two engines on one machine fight over its network, and somebody's own is not to be filled
        raise Unavailable(
            "an engine runs here already: set DOCKER_HOST=unix:///var/run/docker.sock to let the"
            " tests use it"
        )
    if not has_sudo():
        raise Unavailable("a private Docker engine needs root; else name one with DOCKER_HOST")
    program("dockerd")
    with _shared():
        yield _connect(f"unix://{SOCKET}")


def host() -> str:
    """How the engine is reached, as DOCKER_HOST says it."""
    return cache.ENVIRON.get("DOCKER_HOST") or f"unix://{SOCKET}"


def socket() -> Mount:
    """The engine's socket, where a container looks for it."""
    return Mount("/var/run/docker.sock", host().removeprefix("unix://"), type="bind")


def usual_names() -> AbstractContextManager[None]:
    """The turn of one who names images as a page or a notebook does, which all runs call alike."""
    return held(cache.ROOT / "image-names.lock", seconds=600)


def _connect(host: str) -> DockerClient:
    client = docker.DockerClient(base_url=host, timeout=120)
    client.ping()
    return client


def _answers(socket: Path) -> bool:
    try:
        _connect(f"unix://{socket}").close()
    except docker.errors.DockerException:
        return False
    return True


# The private engine. Several test runs share one: the first starts it, the last stops it.


@contextlib.contextmanager
def _shared() -> Iterator[None]:
    # a plain user's socket is for all, as one in a container is another, in a folder of their own
    RUN.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, exist_ok=True)
    with open(RUN / "users", "w") as users:
        with _alone():
            if not (SOCKET.is_socket() and _answers(SOCKET)):
                _start()
            if _is_last(users):
                _tidy()
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with _alone():
                if _is_last(users):
                    _stop()


def _alone() -> AbstractContextManager[None]:
    return held(RUN / "lock", seconds=240)  # starts it and tidies, or stops it


def _is_last(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True


def _start() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    command = [
        program("dockerd"),
        "--data-root",
        DATA,
        "--exec-root",
        RUN / "exec",
        "--pidfile",
        _PID_FILE,
    ]
    # 100 is the group of the images' user, who must be able to use the socket from inside
    command += ["--host", f"unix://{SOCKET}", "--group", "100", "--storage-driver", "overlay2"]
    # published ports are for this machine alone
    command += ["--mtu", _mtu(), "--ip", "127.0.0.1"]
    _PID_FILE.unlink(missing_ok=True)  # left by an engine that was killed; none answers here
    with open(_LOG, "w") as log:
        process = subprocess.Popen(
            [*as_root(environ=True), *(str(word) for word in command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=cache.ENVIRON,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while not (SOCKET.is_socket() and _answers(SOCKET)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unavailable(f"dockerd does not start here:\n{_LOG.read_text()[-1500:]}")
        if os.geteuid() != 0 and SOCKET.is_socket():
            subprocess.run([*as_root(), "chmod", "666", SOCKET], check=True)
        time.sleep(0.05)


def _tidy() -> None:
    """Removes what runs that were killed left behind, and what no run is likely to use again.

    The next run does what is left of it after a minute, as the workers wait for this one.
    """
    deadline = time.monotonic() + 60
    client = _connect(f"unix://{SOCKET}")
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    made: dict[str, list[tuple[str, str]]] = {}
    for image in client.images.list():
        for tag in image.tags:
            entry = (str(image.attrs["Created"]), tag)
            made.setdefault(tag.rpartition(":")[0], []).append(entry)
    for repository, images in made.items():
        images.sort(reverse=True)
        for _, tag in images[_KEPT_IMAGES if _KEPT.fullmatch(repository) else 0 :]:
            if time.monotonic() < deadline:
                with contextlib.suppress(docker.errors.APIError):
                    client.images.remove(tag, force=True)
    with contextlib.suppress(requests.exceptions.Timeout):
        client.api.timeout = max(5, deadline - time.monotonic())
        client.images.prune({"dangling": True})
        client.api.prune_builds(keep_storage=_KEPT_CACHE)
    client.close()


def _stop() -> None:
    """Ends the engine by its own pid, and waits for that."""
    pid = int(_PID_FILE.read_text())
    subprocess.run([*as_root(), "kill", str(pid)], check=True)
    deadline = time.monotonic() + 120
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    SOCKET.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # its parent, another worker, may wait for nothing any more


def _mtu() -> str:
    """The default route's: a larger packet would be lost where the machine itself is a guest."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination = line.split()[:2]
        if destination == "00000000":
            return Path(f"/sys/class/net/{interface}/mtu").read_text().strip()
    return "1500"
