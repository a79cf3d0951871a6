"""Committing the container that this process runs in, and what that carries along."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...history.file import IMAGE_HISTORY
from ...model.reference import Reference
from .. import asroot
from ..root import is_below
from .container import Container
from .dockersdk import ContainerEngine, speaking

Kind = Literal["secrets", "caches", "home", "temporary", "packages", "other"]

_SECRET = re.compile(
    r".*/(?:\.netrc|\.pypirc|\.git-credentials|\.pgpass|\.my\.cnf|\.Renviron|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|[^/]*cookie_secret|jpserver-[^/]*|nbserver-[^/]*|kernel-[^/]*\.json|[^/]*\.pem|[^/]*\.key"
    r"|[^/]*\.(?:p12|pfx|kdbx)|\.databrickscfg|\.s3cfg|\.boto|\.vault-token|auth\.json|secrets\.toml"
    r"|\.env|(?:[^/]*_)?credentials(?:\.\w+)*|access_tokens\.db|hosts\.yml|stored_tokens|token)"
    r"|.*/\.(?:ssh|aws|azure|gnupg|kaggle|docker)/.*|.*/\.config/(?:gcloud|gh|rclone|hub)/.*"
    r"|.*/(?:pip\.conf|\.condarc|\.npmrc)"
)
"""Files where programs keep tokens and keys; only the file's name is looked at."""

_CACHES = ("/var/cache", "/var/lib/apt/lists", "/root/.cache")
_TEMPORARY = ("/tmp", "/var/tmp", "/run", "/var/run", "/var/log")  # noqa: S108
_SYSTEM = ("/bin", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/usr", "/var/lib")
_MODIFIED, _ADDED = 0, 1
_EXAMPLES = 10
_LARGEST_CERTIFICATES = 4_000_000  # characters


@dataclass(frozen=True, slots=True)
class Carried:
    """The files of one kind that a commit carries."""

    kind: Kind
    files: int  #: the number of files
    size: int  #: their bytes
    examples: tuple[str, ...]  #: the paths of the largest


@dataclass(frozen=True, slots=True)
class Committed:
    """An image that was made of a container."""

    tag: str
    image_id: str
    size: int  #: bytes, its base included
    grown: int  #: the bytes that the base did not have
    carried: tuple[Carried, ...]  #: those files, by kind
    #: the names of the environment variables it carries that its base did not have
    variables: tuple[str, ...] = ()
    #: its volumes that its base did not have: JupyterHub's spawner and other programs leave them
    #: behind, and a container cannot start if the path is not a folder
    volumes: tuple[str, ...] = ()
    cleaned: int = 0  #: bytes that were freed first


def commit(
    engine: ContainerEngine,
    container: Container,
    tag: Reference,
    *,
    prefixes: Callable[[], Sequence[str]],
    labels: Callable[[], Mapping[str, str]],
    history: bytes,
    clean: bool,
) -> Committed:
    """Make an image of a running container, as ``docker commit`` does.

    Its user is that of the container's image: ``--user root`` was for this container.

    Args:
        history: The content for `history.IMAGE_HISTORY`.
        clean: Whether to empty the package managers' caches first.

    Raises:
        EngineError: The engine refused.
    """
    from concurrent.futures import ThreadPoolExecutor

    api = engine.client.api
    with (
        speaking(f"{tag} could not be made", kept="The container is what it was."),
        ThreadPoolExecutor(1) as pool,
    ):
        cleaned = _clean(api, container, prefixes()) if clean else 0
        changes = pool.submit(_changes, api, container)
        api.put_archive(container.id, "/", _archive(str(IMAGE_HISTORY), history))
        base = api.inspect_image(container.image_id)
        inside, named = prefixes(), labels()
        config = {"Labels": dict(named), "User": base["Config"].get("User") or ""}
        carried = sort(changes.result(), prefixes=inside, home=os.path.expanduser("~"))
        # podman reads no configuration from the request's body, and instructions alone
        said = [f"LABEL {json.dumps(k)}={json.dumps(v)}" for k, v in named.items()]
        said += [f"USER {config['User']}"] if config["User"] else []
        changes_of = {"changes": said} if engine.name == "podman" else {}
        api.commit(container.id, repository=tag.name, tag=tag.tag, conf=config, **changes_of)
        image = api.inspect_image(str(tag))
    new = _new(base, image, "Env")
    return Committed(
        tag=str(tag),
        image_id=image["Id"],
        size=image["Size"],
        grown=image["Size"] - base["Size"],
        carried=carried,
        variables=tuple(each.partition("=")[0] for each in new),
        volumes=tuple(_new(base, image, "Volumes")),
        cleaned=cleaned,
    )


def _changes(api: Any, container: Container) -> Iterable[Mapping[str, Any]]:
    """Return the container's files that differ from its image.

    A file written in a container's own layer has a later change time than the container
    itself. ``find`` asks for that in a tenth of the time that ``docker diff`` takes: by sudo, as
    to start a program by way of the engine costs more than ``find`` itself.
    """
    shown = ("-printf", r"%s %p\0")
    later = ("-newerct", container.created)
    # the kernel's overlay copies the folders above a changed file up, which makes them new
    old = ("-type", "d", "!", *later, "-prune", "-o") if "overlay" in container.driver else ()
    find = ["find", "/", "-xdev", "-mindepth", "1", *old, "!", "-type", "d", *later, *shown]
    found = asroot.said(*find)
    if not found:
        asked = api.exec_create(container.id, find, user="root", environment={"TZ": "UTC"})["Id"]
        output, _ = api.exec_start(asked, demux=True)
        if api.exec_inspect(asked)["ExitCode"] != 0:
            changes: Iterable[Mapping[str, Any]] = api.diff(container.id) or ()
            return changes
        found = (output or b"").decode(errors="surrogateescape")
    pairs = (row.partition(" ")[::2] for row in found.split("\0") if row)
    return [{"Path": path, "Kind": _ADDED, "Size": int(size)} for size, path in pairs]


def _new(base: Mapping[str, Any], image: Mapping[str, Any], key: str) -> list[str]:
    """Return the values of an image's setting that its base does not have."""
    return sorted(set(image["Config"].get(key) or ()) - set(base["Config"].get(key) or ()))


def _archive(path: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(os.path.dirname(path).lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        file = tarfile.TarInfo(path.lstrip("/"))
        file.size, file.mode = len(content), 0o644
        archive.addfile(file, io.BytesIO(content))
    return buffer.getvalue()


def _clean(api: Any, container: Container, prefixes: Sequence[str]) -> int:
    """Empty the package managers' caches, as root by way of the engine; return the bytes freed."""
    home = os.path.expanduser("~")
    folders = [
        *(f"{prefix}/pkgs" for prefix in prefixes if os.path.isdir(f"{prefix}/conda-meta")),
        *(f"{home}/.cache/{name}" for name in ("pip", "uv", "rattler", "conda")),
        *("/root/.cache/pip", "/var/cache/apt/archives", "/var/lib/apt/lists"),
    ]
    # a mount is not part of the container
    own = [each for each in folders if os.path.isdir(each) and container.on_host(each) is None]
    before = sum(map(_size, own))
    # exactly the contents of these folders, with no shell between
    find = ["find", *own, "-mindepth", "1", "-delete"]
    if own:
        api.exec_start(api.exec_create(container.id, find, user="root")["Id"])
    return max(0, before - sum(map(_size, own)))


def _size(path: str) -> int:
    """Return the bytes of a file, or of the files below a folder; unreadable ones count nothing."""
    if not os.path.isdir(path) or os.path.islink(path):
        try:
            return os.lstat(path).st_size
        except OSError:
            return 0
    return sum(
        _size(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names
    )


def sort(
    changes: Iterable[Mapping[str, Any]], *, prefixes: Sequence[str], home: str
) -> tuple[Carried, ...]:
    """Sort the changes of ``docker diff`` by kind, the most important first.

    Args:
        changes: The engine's list; with a size, no folder is among them.
    """
    found: dict[Kind, list[tuple[int, str]]] = defaultdict(list)
    for change in changes:
        path = str(change["Path"])
        if change["Kind"] in (_MODIFIED, _ADDED) and ("Size" in change or not os.path.isdir(path)):
            kind = kind_of(path, prefixes=prefixes, home=home)
            if kind == "secrets" and _is_public(path):
                kind = "other"
            found[kind].append((change["Size"] if "Size" in change else _size(path), path))
    order: tuple[Kind, ...] = ("secrets", "caches", "home", "temporary", "other", "packages")
    return tuple(
        Carried(
            kind,
            len(found[kind]),
            sum(size for size, _ in found[kind]),
            tuple(path for _, path in sorted(found[kind], reverse=True)[:_EXAMPLES]),
        )
        for kind in order
        if found[kind]
    )


def _is_public(path: str) -> bool:
    """Return whether a file has certificates and no key: they are for everybody to see."""
    if not path.endswith((".pem", ".crt", ".cer")):
        return False
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(_LARGEST_CERTIFICATES)
    except OSError:
        return False
    return (
        "BEGIN CERTIFICATE" in text
        and "PRIVATE KEY" not in text
        and len(text) < (_LARGEST_CERTIFICATES)
    )


def kind_of(path: str, *, prefixes: Sequence[str], home: str) -> Kind:
    """Return what kind of file this is, by its path alone."""
    caches = (*_CACHES, f"{home}/.cache", *(f"{prefix}/pkgs" for prefix in prefixes))
    if _below(path, prefixes) and not _below(path, caches):
        return "packages"
    if _SECRET.fullmatch(path) and not _below(path, ("/usr", "/var/lib/dpkg", "/etc/ssl")):
        return "secrets"
    if _below(path, caches):
        return "caches"
    if _below(path, (home, "/home", "/root")):
        return "home"
    if _below(path, _TEMPORARY):
        return "temporary"
    return "packages" if _below(path, _SYSTEM) else "other"


def _below(path: str, folders: Sequence[str]) -> bool:
    return path in folders or is_below(path, folders)
