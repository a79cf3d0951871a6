"""This interpreter and its packages, as plain values."""

from __future__ import annotations

import base64
import contextlib
import csv
import errno
import glob
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import re
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Dict  # noqa: UP035 - a worker's Python may be an older one

from ...where.compiled import hides, is_taken

Plain = Dict[str, Any]  # noqa: UP006
"""A row, an order or facts: what every cluster can carry."""

_OWN = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")
"""Files of a ``*.dist-info`` that say how it was installed, and not what it is."""

_SITE = re.compile(r"\A[^/]+\.data/(?:pure|plat)lib/")

_DATA = re.compile(r"[^/]+\.data/")


def look(deep: Iterable[str] = (), names: Iterable[str] | None = None) -> Plain:
    """Return what this interpreter is and has, as plain values.

    Args:
        deep: Distributions whose files to hash.
        names: Distributions whose list of files to read, which costs; None for all.
    """
    place = folder()
    reach(place)
    loaded = {
        path: name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if isinstance(path := getattr(module, "__file__", None), str)
    }
    packages, wrong = {}, {}
    for site in _sites():
        for info in infos(site):
            name = normal(os.path.basename(info).split("-")[0])
            if name in packages:
                continue  # the first on the path is imported
            rows, made = _listed(info) if names is None or name in names else ([], "")
            version = os.path.basename(info)[: -len(".dist-info")].partition("-")[2]
            files = (os.path.join(site, row[0]) for row in rows)
            top = next((loaded[file] for file in files if file in loaded), "")
            packages[name] = {
                "version": version,
                "print": made,
                "owner": read_text(os.path.join(info, "INSTALLER")).strip(),
                "info": info,
                "loaded": bool(top),
                "stale": bool(top) and _is_stale(name, made, version, top, info),
            }
            if name in deep:
                wrong[name] = _changed(site, rows)
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "prefix": os.path.realpath(sys.prefix),
        "place": identity(sys.prefix),
        "python": "{}.{}".format(*sys.version_info[:2]),
        "full": "{}.{}.{}".format(*sys.version_info[:3]),
        "platform": sysconfig.get_platform(),
        "folder": "" if is_writable() else place,
        "packages": packages,
        "conda": conda_records(),
        "wrong": {name: files for name, files in wrong.items() if files},
    }


def fingerprint(rows: Iterable[list[str]]) -> str:
    """Return what identifies a distribution's build: the hash of its files' paths and hashes.

    Files that an installer writes are left out, so that a wheel has it too: scripts, compiled
    modules, and notes on the installation. Empty without a list of the files.
    """
    lines = [f"{in_site(row[0])},{row[1]}" for row in rows if is_content(row)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() if lines else ""


def in_site(name: str) -> str:
    """Return where a file of a wheel lies in a library folder, whatever part of it it is."""
    return _SITE.sub("", name)


def is_content(row: list[str]) -> bool:
    """Return whether a file comes from the wheel and lies below the library folder."""
    path = in_site(row[0])
    folder, _, name = path.rpartition("/")
    own = folder.endswith(".dist-info") and name in _OWN
    outside = path.startswith(("/", "../")) or _DATA.match(path)
    return bool(row[1]) and not (own or outside or path.endswith(".pyc"))


def _sites() -> list[str]:
    paths = sysconfig.get_paths()
    return [
        path
        for path in dict.fromkeys([*sys.path, paths["purelib"], paths["platlib"]])
        if path and os.path.isdir(path)
    ]


def infos(site: str) -> list[str]:
    """Return the ``*.dist-info`` folders of a library folder."""
    with contextlib.suppress(OSError), os.scandir(site) as entries:
        names = [e.name for e in entries if e.name.endswith(".dist-info") and e.name[0] != "~"]
        return [os.path.join(site, name) for name in sorted(names) if "-" in name]
    return []


_read_lists: dict[str, tuple[int, int, list[list[str]], str]] = {}


def _listed(info: str) -> tuple[list[list[str]], str]:
    """Return a distribution's list of files, and its fingerprint; read once until it changes."""
    path = os.path.join(info, "RECORD")
    try:
        stamp = os.stat(path)
    except OSError:
        return [], ""
    known = _read_lists.get(path)
    if known is None or known[:2] != (stamp.st_mtime_ns, stamp.st_ino):
        rows = [row for row in csv.reader(io.StringIO(read_text(path))) if len(row) > 1]
        known = (stamp.st_mtime_ns, stamp.st_ino, rows, fingerprint(rows))
        _read_lists[path] = known
    return known[2:]


def rows_of(info: str) -> list[list[str]]:
    """Return the rows of a distribution's list of files (PEP 376)."""
    return _listed(info)[0]


_imported: dict[str, str] = {}


def _is_stale(name: str, made: str, version: str, top: str, info: str) -> bool:
    """Return whether a distribution has changed since this process imported it.

    It is known from the last look on. Before it, a module's own version decides, if the
    distribution was installed after this process was started.
    """
    if _imported.setdefault(name, made) != made:
        return True
    own = getattr(sys.modules.get(top), "__version__", version)
    return own != version and os.stat(os.path.join(info, "RECORD")).st_mtime > _started()


def _started() -> float:
    """Return when this process was started, in seconds since the epoch (proc(5))."""
    ticks = int(read_text("/proc/self/stat").rpartition(")")[2].split()[19])
    boot = re.search(r"^btime (\d+)", read_text("/proc/stat"), re.MULTILINE)
    return int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK") if boot else 0.0


def read_text(path: str) -> str:
    """Return a file's text; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _changed(site: str, rows: Iterable[list[str]]) -> list[str]:
    """Return the files of a distribution that are not as its list, or their source, has them."""
    rows = list(rows)
    listed = {row[0] for row in rows}

    def changed(row: list[str]) -> Iterator[str]:
        path = os.path.join(site, row[0])
        try:
            source = read(path)
            check(row[0], source, row[1])
        except (OSError, ValueError):
            yield row[0]
            return
        if path.endswith(".py"):
            yield from (name for name in _instead(path, source, site) if name not in listed)

    return [name for row in rows if is_content(row) for name in changed(row)]


def _instead(path: str, source: bytes, site: str) -> Iterator[str]:
    """Yield the files that Python would take in place of a module's source."""
    stem = glob.escape(importlib.util.cache_from_source(path, optimization="")[:-3])
    before = [f"{path[:-3]}{end}" for end in importlib.machinery.EXTENSION_SUFFIXES]
    found = [each for each in (f"{path[:-3]}/__init__.py", *before) if os.path.exists(each)]
    for each in glob.glob(f"{stem}*pyc"):
        with contextlib.suppress(OSError):
            data, stat = read(each), os.stat(path)
            taken = is_taken(data, stat.st_mtime, stat.st_size)
            if taken and data[:4] == importlib.util.MAGIC_NUMBER and hides(each, data, source):
                found.append(each)
    yield from (os.path.relpath(each, site) for each in found)


def check(name: str, data: bytes, digest: str) -> None:
    """Raise ValueError where bytes have another hash than a list of files says (PEP 376)."""
    kind, _, value = digest.partition("=")
    if kind not in ("sha256", "sha384", "sha512"):
        raise ValueError(f"{name} has no hash that can be checked")
    found = base64.urlsafe_b64encode(hashlib.new(kind, data).digest()).rstrip(b"=").decode()
    if found != value:
        raise ValueError(f"{name} is not what its list of files says: it was changed")


def conda_records() -> dict[str, list[str]]:
    """Return the version and build of each of conda's packages."""
    names = glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", "*-*-*.json"))
    found = {}
    for path in names:
        name, version, build = os.path.basename(path)[: -len(".json")].rsplit("-", 2)
        found[name] = [version, build]
    return found


def normal(name: str) -> str:
    """Return a distribution's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def identity(path: str) -> list[Any]:
    """Return what two names of one folder share: its device and inode."""
    found = os.stat(path)
    return [socket.gethostname(), found.st_dev, found.st_ino]


def is_writable() -> bool:
    """Return whether packages may be put into this environment (PEP 668, CEP 22)."""
    paths = sysconfig.get_paths()
    managed = os.path.join(paths["stdlib"], "EXTERNALLY-MANAGED")
    if sys.prefix == sys.base_prefix and os.path.exists(managed):
        return False
    if os.path.exists(os.path.join(sys.prefix, "conda-meta", "frozen")):
        return False
    return os.access(paths["purelib"], os.W_OK)


def reach(place: str) -> None:
    """Put the folder for packages before the environment's own, if it has any."""
    if place not in sys.path and os.path.isdir(place):
        own = sysconfig.get_paths()["purelib"]
        sys.path.insert(sys.path.index(own) if own in sys.path else len(sys.path), place)
        importlib.invalidate_caches()


def read(path: str) -> bytes:
    """Return a file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def store() -> str:
    """Return this user's folder of archives on this host, made where it is missing.

    Raises:
        OSError: It cannot be made, or is another user's.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    shared = os.path.join(tempfile.gettempdir(), f"jstackmagic-workers-{os.geteuid()}")
    for path in (os.path.join(base, "jstackmagic", "workers"), shared):
        with contextlib.suppress(OSError):
            os.makedirs(path, mode=0o700, exist_ok=True)
            if os.lstat(path).st_uid == os.geteuid() and os.access(path, os.W_OK):
                return path
    raise PermissionError(errno.EACCES, "No folder of this user's takes archives", shared)


def folder() -> str:
    """Return the folder for packages where the environment itself cannot be written to."""
    name = f"{os.path.realpath(sys.prefix)} {sys.implementation.cache_tag} {os.uname().machine}"
    return os.path.join(store(), "path", hashlib.sha256(name.encode()).hexdigest()[:16])
