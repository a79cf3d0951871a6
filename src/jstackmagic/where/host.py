"""This machine or container, and what may be done here, read from files alone."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Runtime = Literal["docker", "podman", "kubernetes", "containerd"]
Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Host:
    """The machine or container that this process runs on."""

    user: str  #: the name of the user it runs as; the number if there is no name
    uid: int  #: that user's number
    is_root: bool
    sudo: Answer  #: whether ``sudo`` works without a password
    sudo_reason: str  #: the evidence, or the reason why not; a phrase
    runtime: Runtime | None = None  #: the container's runtime; None outside of one, or if unknown
    container_id: str | None = None  #: 64 hexadecimal digits; None if unknown, never a guess
    image: str | None = None  #: the reference of the container's image; None if unknown
    image_source: str = ""  #: the source of that; empty if unknown
    stacks: bool = False  #: whether the image is one of the Docker Stacks
    hub: bool = False  #: whether a JupyterHub started the server
    remote: str = ""  #: the machine's name, where another server than the notebook's has the kernel
    #: the address of a container engine (``DOCKER_HOST``'s form); None if no socket is available.
    #: The engine was not contacted.
    engine: str | None = None


def look(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Host:
    """Return this machine or container, without starting a process or asking a socket."""
    files = _Files(root)
    uid = os.geteuid()
    user = _user_name(uid)
    stacks = _is_stacks(files, environ)
    sudo, sudo_reason = _sudo(files, environ, user=user, uid=uid, stacks=stacks)
    runtime = _runtime(files, environ)
    image, image_source = _image(files, environ)
    return Host(
        user=user,
        uid=uid,
        is_root=uid == 0,
        sudo=sudo,
        sudo_reason=sudo_reason,
        runtime=runtime,
        container_id=_container_id(files, runtime),
        image=image,
        image_source=image_source,
        stacks=stacks,
        hub="JUPYTERHUB_API_URL" in environ or "JUPYTERHUB_SERVICE_PREFIX" in environ,
        remote=socket.gethostname() if _is_remote(environ) else "",
        engine=_engine(files, environ),
    )


def _is_remote(environ: Mapping[str, str]) -> bool:
    """Return whether a gateway started the kernel: it marks it, or passes on no notebook's path.

    Source: jupyter_server's session manager sets JPY_SESSION_NAME, and its gateway client passes
    on the variables alone that begin with ``KERNEL_``.
    """
    started = "JPY_PARENT_PID" in environ and "JPY_SESSION_NAME" not in environ
    return started or "KERNEL_GATEWAY" in environ


class _Files:
    """The files under a root folder; one that cannot be read is as good as absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        return self._root / name.lstrip("/")

    def read(self, name: str) -> str:
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def exists(self, name: str) -> bool:
        return os.path.exists(self.path(name))

    def read_folder(self, name: str) -> Iterator[str]:
        """Yield the text of each file in a folder."""
        try:
            names = sorted(os.listdir(self.path(name)))
        except OSError:
            return
        for each in names:
            yield self.read(f"{name}/{each}")


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# Docker Stacks


def _is_stacks(files: _Files, environ: Mapping[str, str]) -> bool:
    """Return whether the Docker Stacks' scripts are there; fix-permissions since August 2017."""
    scripts = "/usr/local/bin"
    if not files.exists(f"{scripts}/start.sh"):
        return False
    return files.exists(f"{scripts}/fix-permissions") or (
        files.exists(f"{scripts}/start-notebook.sh")
        and {"NB_USER", "NB_UID", "CONDA_DIR"} <= environ.keys()
    )


# sudo


def _sudo(
    files: _Files, environ: Mapping[str, str], *, user: str, uid: int, stacks: bool
) -> tuple[Answer, str]:
    if uid == 0:
        return "yes", "this is root already"
    refusal = _why_no_sudo(files, environ)
    if refusal:
        return "no", refusal
    texts = (files.read("/etc/sudoers"), *files.read_folder("/etc/sudoers.d"))
    rule = rf"^(?:{re.escape(user)}|ALL)\s+ALL\s*=\s*(?:\([^)]*\)\s*)?NOPASSWD:\s*ALL\s*$"
    if any(re.search(rule, text, re.MULTILINE) for text in texts):
        return "yes", "a sudoers file says so"
    if stacks and environ.get("GRANT_SUDO") in {"1", "yes"}:
        # start.sh heeds it where the container starts as root, and otherwise only warns.
        if _started_as_root(files, environ):
            return "yes", "GRANT_SUDO is set and the container started as root"
        return "no", "GRANT_SUDO is set, but the container did not start as root (--user root)"
    return "unknown", "sudo is installed; whether it wants a password is known only when it runs"


def _why_no_sudo(files: _Files, environ: Mapping[str, str]) -> str:
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    paths = (files.path(f"{folder}/sudo") for folder in folders if folder)
    sudo = next((path for path in paths if os.path.isfile(path)), None)
    if sudo is None:
        return "sudo is not installed"
    if not os.stat(sudo).st_mode & stat.S_ISUID:
        return "sudo is installed without its setuid bit"
    if re.search(r"^NoNewPrivs:\s*1$", files.read("/proc/self/status"), re.MULTILINE):
        return "the container forbids gaining privileges (no_new_privs)"
    return ""


def _started_as_root(files: _Files, environ: Mapping[str, str]) -> bool:
    """Return whether the container's first process was root's.

    start.sh goes from root to the user by way of sudo, which says so in its variables.
    """
    if environ.get("SUDO_UID") == "0":
        return True
    return re.search(r"^Uid:\s*0\s", files.read("/proc/1/status"), re.MULTILINE) is not None


# Containers

_ID = "[0-9a-f]{64}"

_GROUP = re.compile(
    # A group outside of this process's own namespace ("/../...") is another container's. Within it
    # the last part counts: a container in a container has both ids.
    rf"\d+:[^:]*:(?!/\.\.)/(?:.*[/:-])?({_ID})(?:\.scope)?(?:/(?:container|init|init\.scope))?"
)
_MOUNT = re.compile(
    rf".*(?:/containers|/containers/[^/]+|-containers)/({_ID})"
    r"/(?:hostname|hosts|resolv\.conf|userdata/.*)"
)
_CONTAINERENV = "/run/.containerenv"
_NETWORK_FILES = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def _runtime(files: _Files, environ: Mapping[str, str]) -> Runtime | None:
    groups = files.read("/proc/self/cgroup")
    mounted = " ".join(_mounted_from(files, *_NETWORK_FILES, _CONTAINERENV))
    if (
        "KUBERNETES_SERVICE_HOST" in environ
        or "kubepods" in groups
        or re.search(r"/pods/[0-9a-f-]{36}/etc-hosts\b", mounted)
    ):
        return "kubernetes"
    if files.exists(_CONTAINERENV) or "libpod" in groups or "-containers/" in mounted:
        return "podman"
    if "/nerdctl/" in mounted or re.search(rf"/nerdctl-{_ID}\.scope", groups):
        return "containerd"
    if re.search(rf"/docker[/-]{_ID}", groups) or _ids(_MOUNT, mounted.split(" ")):
        return "docker"
    # A virtual machine whose disk was made from an image has the file as well: its root folder is
    # that of a disk, which no storage driver makes it.
    disk = re.compile(r"^\d+ \d+ \S+ / / .* - \S+ /dev/", re.MULTILINE)
    whole_disk = disk.search(files.read("/proc/self/mountinfo"))
    return "docker" if files.exists("/.dockerenv") and not whole_disk else None


def _container_id(files: _Files, runtime: Runtime | None) -> str | None:
    """Return the id in the control group, or in the mounts of the container's own files.

    The host name is not evidence: any user can set it. Under Kubernetes the mounted files are those
    of the pod's sandbox, another container; likewise with ``docker run --network container:X``,
    which only the engine knows.
    """
    if runtime is None:
        return None
    evidence = [_ids(_GROUP, files.read("/proc/self/cgroup").splitlines())]
    if runtime != "kubernetes":
        evidence.append(_ids(_MOUNT, _mounted_from(files, _CONTAINERENV)))
        evidence.append(_ids(_MOUNT, _mounted_from(files, *_NETWORK_FILES)))
    return next((found.pop() for found in evidence if len(found) == 1), None)


def _ids(pattern: re.Pattern[str], texts: Iterable[str]) -> set[str]:
    return {match[1] for text in texts if (match := pattern.fullmatch(text))}


def _mounted_from(files: _Files, *points: str) -> list[str]:
    """Return the paths, in their own file systems, of the files that are mounted at `points`."""
    # proc(5): mount id, parent id, device, root within the file system, mount point, ...
    lines = (line.split(" ") for line in files.read("/proc/self/mountinfo").splitlines())
    return [fields[3] for fields in lines if len(fields) > 4 and fields[4] in points]


def _image(files: _Files, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the image's reference: the Docker Stacks do not record it, but spawners do."""
    for variable in ("JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE"):
        if environ.get(variable):
            return environ[variable], f"${variable}"
    # podman writes it for privileged and rootless containers.
    match = re.search(r'^image="(.+)"$', files.read(_CONTAINERENV), re.MULTILINE)
    return (match[1], _CONTAINERENV) if match else (None, "")


def _engine(files: _Files, environ: Mapping[str, str]) -> str | None:
    if environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    path = files.path("/var/run/docker.sock")
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return None
    return "unix:///var/run/docker.sock" if is_socket and os.access(path, os.W_OK) else None
