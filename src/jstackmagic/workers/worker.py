"""The worker's side of a sync, sent there as text: it needs nothing but the standard library.

What the kernel calls takes and returns plain values, so that every cluster can carry them. An
*order* is what the kernel has beyond its image: the Python and platform, a row for each wheel and
conda package, and the names to remove. The worker decides itself what of it is lacking, so that
one that is started later needs no kernel for it.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import errno
import fcntl
import fnmatch
import glob
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:  # a worker's Python may be an older one
    from collections.abc import Iterable, Iterator
    from typing import Any

    Row = dict[str, Any]
    Order = dict[str, Any]
    Facts = dict[str, Any]

SECONDS = 600.0
"""Seconds to wait for another worker that changes the same environment."""

_OWN = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")
"""Files of a ``*.dist-info`` that say how it was installed, and not what it is."""

_KEEP_DAYS = 30
"""Days for which the archives stay on a host."""

_SCRIPT = """
import sys
from {} import {}
if __name__ == "__main__":
    sys.exit({}())
"""
_SITE = re.compile(r"\A[^/]+\.data/(?:pure|plat)lib/")
_DATA = re.compile(r"[^/]+\.data/")


# What is here


def look(deep: Iterable[str] = ()) -> Facts:
    """Return what this interpreter is and has, as plain values.

    Args:
        deep: Distributions whose files to hash.
    """
    place = folder()
    _reach(place)
    loaded = {
        path: name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if isinstance(path := getattr(module, "__file__", None), str)
    }
    packages, wrong = {}, {}
    for site in _sites():
        for info in infos(site):
            name = _normal(os.path.basename(info).split("-")[0])
            if name in packages:
                continue  # the first on the path is imported
            rows, made = _listed(info)
            version = os.path.basename(info)[: -len(".dist-info")].partition("-")[2]
            files = (os.path.join(site, row[0]) for row in rows)
            top = next((loaded[file] for file in files if file in loaded), "")
            packages[name] = {
                "version": version,
                "print": made,
                "owner": _text(os.path.join(info, "INSTALLER")).strip(),
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
        "platform": sysconfig.get_platform(),
        "folder": "" if _writable() else place,
        "packages": packages,
        "conda": _conda_records(),
        "wrong": {name: files for name, files in wrong.items() if files},
    }


def fingerprint(rows: Iterable[list[str]]) -> str:
    """Return what identifies a distribution's build: the hash of its files' paths and hashes.

    Files that an installer writes are left out, so that a wheel has it too: scripts, compiled
    modules, and notes on the installation. Empty without a list of the files.
    """
    lines = [f"{in_site(row[0])},{row[1]}" for row in rows if _is_content(row)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() if lines else ""


def in_site(name: str) -> str:
    """Return where a file of a wheel lies in a library folder, whatever part of it it is."""
    return _SITE.sub("", name)


def _is_content(row: list[str]) -> bool:
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
        rows = [row for row in csv.reader(io.StringIO(_text(path))) if len(row) > 1]
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
    ticks = int(_text("/proc/self/stat").rpartition(")")[2].split()[19])
    boot = re.search(r"^btime (\d+)", _text("/proc/stat"), re.MULTILINE)
    return int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK") if boot else 0.0


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _changed(site: str, rows: Iterable[list[str]]) -> list[str]:
    """Return the files of a distribution that are not as its list has them."""

    def is_whole(row: list[str]) -> bool:
        try:
            _check(row[0], _read(os.path.join(site, row[0])), row[1])
        except (OSError, ValueError):
            return False
        return True

    return [row[0] for row in rows if _is_content(row) and not is_whole(row)]


def _check(name: str, data: bytes, digest: str) -> None:
    """Raise ValueError where bytes have another hash than a list of files says (PEP 376)."""
    kind, _, value = digest.partition("=")
    if kind not in ("sha256", "sha384", "sha512"):
        raise ValueError(f"{name} has no hash that can be checked")
    found = base64.urlsafe_b64encode(hashlib.new(kind, data).digest()).rstrip(b"=").decode()
    if found != value:
        raise ValueError(f"{name} is not what its list of files says: it was changed")


def _conda_records() -> dict[str, list[str]]:
    names = glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", "*-*-*.json"))
    found = {}
    for path in names:
        name, version, build = os.path.basename(path)[: -len(".json")].rsplit("-", 2)
        found[name] = [version, build]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def identity(path: str) -> list[Any]:
    """Return what two names of one folder share: its device and inode."""
    found = os.stat(path)
    return [socket.gethostname(), found.st_dev, found.st_ino]


def _writable() -> bool:
    """Return whether packages may be put into this environment (PEP 668, CEP 22)."""
    paths = sysconfig.get_paths()
    managed = os.path.join(paths["stdlib"], "EXTERNALLY-MANAGED")
    if sys.prefix == sys.base_prefix and os.path.exists(managed):
        return False
    if os.path.exists(os.path.join(sys.prefix, "conda-meta", "frozen")):
        return False
    return os.access(paths["purelib"], os.W_OK)


# What is to be done


def todo(order: Order, facts: Facts) -> dict[str, list[Any]]:
    """Return what a worker lacks of an order, as plain values; nothing is touched.

    Args:
        order: The order.
        facts: The result of `look` there.

    Returns:
        ``wheels`` and ``conda``: the rows to install; ``remove`` and ``unlink``: the names of
        distributions and of conda's packages to remove;
        ``cannot``: the names that cannot be sent there, each with the reason.
    """
    if facts["place"] == order["place"]:  # the kernel's own environment
        return {"wheels": [], "conda": [], "remove": [], "unlink": [], "cannot": []}
    there, prefix = facts["packages"], facts["conda"]
    foreign = ""
    if facts["python"] != order["python"]:
        foreign = f"it is built for Python {order['python']}, and Python is {facts['python']} there"
    elif facts["platform"] != order["platform"]:
        foreign = f"it is built for {order['platform']}, and that is {facts['platform']}"
    wheels, cannot = [], []
    for row in order["wheels"]:
        here = there.get(row["name"])
        if here and here["print"] == row["print"] and row["name"] not in facts["wrong"]:
            continue
        if foreign and not row["pure"]:
            cannot.append([row["name"], foreign])
        else:
            wheels.append(row)
    conda = []
    for row in order["conda"]:
        if prefix.get(row["name"]) == [row["version"], row["build"]]:
            continue
        if not prefix:
            cannot.append([row["name"], "it is conda's, and that is no conda environment"])
        elif foreign and not (row["noarch"] and facts["python"] == order["python"]):
            cannot.append([row["name"], foreign])
        elif facts["folder"]:
            cannot.append([row["name"], "it is conda's, and the environment is read-only"])
        else:
            conda.append(row)
    gone = [n for n in order["remove"] if n in there and there[n]["owner"] != "conda"]
    unlink = [name for name in order["remove"] if name in prefix]
    plan = {"wheels": wheels, "conda": conda, "remove": gone, "unlink": unlink}
    return {**plan, "cannot": cannot}


# The archives of this host


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
    """Return the folder for packages where the environment itself may not be written to."""
    name = f"{os.path.realpath(sys.prefix)} {sys.implementation.cache_tag} {os.uname().machine}"
    return os.path.join(store(), "path", hashlib.sha256(name.encode()).hexdigest()[:16])


def path_of(row: Row) -> str:
    """Return where the archive of a row is kept; a file's name is never a path."""
    if not re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) or not _plain(row["file"]):
        raise ValueError(f"{row['file']!r} is no name of an archive")
    return os.path.join(store(), row["sha256"], row["file"])


def _plain(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9_+!][A-Za-z0-9_.+!-]*", name))


def is_kept(row: Row) -> bool:
    """Return whether the archive of a row is on this host, and is what it should be."""
    try:
        with open(path_of(row), "rb") as file:
            return bool(hashlib.sha256(file.read()).hexdigest() == row["sha256"])
    except OSError:
        return False


def lacking(order: Order) -> list[Any]:
    """Return which folder of archives this is, and the rows that this worker needs of it."""
    plan = todo(order, look()) if order["via"] == "cluster" else {"wheels": [], "conda": []}
    rows = [row for row in (*plan["wheels"], *plan["conda"]) if not is_kept(row)]
    return [identity(store()), rows]


def keep(row: Row, data: bytes) -> None:
    """Keep an archive that arrived, once its hash was checked.

    Raises:
        ValueError: It is not what was sent.
    """
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ValueError(f"{row['file']} arrived changed: its hash is another one")
    write(path_of(row), data)


def _prune(now: float) -> None:
    for path in glob.glob(os.path.join(glob.escape(store()), "?" * 64)):
        with contextlib.suppress(OSError):
            if now - os.stat(path).st_mtime > _KEEP_DAYS * 86_400:
                shutil.rmtree(path)


@contextlib.contextmanager
def locked(name: str, seconds: float = SECONDS) -> Iterator[str]:
    """Hold a lock of this host, or of a shared file system; yields who was waited for.

    Raises:
        TimeoutError: Another process holds it for longer.
    """
    end, waited = time.monotonic() + seconds, ""
    path = os.path.join(name, ".jstackmagic-workers.lock")
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        file = os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:  # another user's, who shares the environment
        file = os.open(path, flags | os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = os.pread(file, 200, 0).decode(errors="replace") or "another process"
                if time.monotonic() > end:
                    raise TimeoutError(f"{name} is being changed by {waited}") from None
                time.sleep(0.02)
        note = f"process {os.getpid()} of {socket.gethostname()}".encode()
        with contextlib.suppress(OSError):
            os.pwrite(file, note, 0)
            os.ftruncate(file, len(note))
        yield waited
    finally:
        os.close(file)


# Doing it


def planned(order: Order) -> dict[str, Any]:
    """Return what this worker lacks and its administrator allows, with its ``facts``."""
    facts = look([row["name"] for row in order["wheels"]] if order["again"] else ())
    plan = todo(order, facts)
    _obey(plan, order)
    return {**plan, "facts": facts}


def install(order: Order) -> dict[str, Any]:
    """Bring this worker to an order; a sentence says what failed, and nothing is raised.

    What was cut off before is finished by the same call: a distribution counts from its list of
    files on, which is written last and removed last.

    Returns:
        ``facts`` afterwards, ``done`` (a row for each change: name, old and new version, the row
        of the archive that brings back what was there), ``cannot``, ``failed`` and ``waited``.
    """
    done: list[list[Any]] = []
    cannot: list[list[str]] = []
    failed = waited = ""
    try:
        place = sys.prefix if _writable() else folder()
        os.makedirs(place, exist_ok=True)
        with locked(place) as waited:
            plan = planned(order)
            facts, cannot = plan["facts"], plan["cannot"]
            # one by one: what came before a failure is known
            done.extend(_take_out(name, facts) for name in plan["remove"])
            done.extend(_link(plan["conda"], plan["unlink"], facts))
            done.extend(_put(row, order, facts) for row in plan["wheels"])
            _prune(time.time())
        if place != sys.prefix:
            _reach(place)
    except Exception as error:  # it travels to the kernel, in words
        failed = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    importlib.invalidate_caches()
    return {"facts": look(), "done": done, "cannot": cannot, "failed": failed, "waited": waited}


def _put(row: Row, order: Order, facts: Facts) -> list[Any]:
    """Install a wheel in place of what is there; return the change."""
    path = _fetch(row) if order["via"] == "index" else path_of(row)
    if order["via"] != "index" and not is_kept(row):
        raise ValueError(f"{row['file']} is not what was sent: its hash is another one")
    here = facts["packages"].get(row["name"])
    place = os.path.realpath(facts["folder"] or sys.prefix) + os.sep
    # what lies elsewhere on the path, as in a base environment, is hidden and not touched
    mine = here is not None and os.path.realpath(here["info"]).startswith(place)
    if mine and here["owner"] == "conda":
        raise ValueError(f"{row['name']} is conda's there, and is not overwritten")
    change = _take_out(row["name"], facts) if mine else [row["name"], "", "", None]
    _unpack(path, row, facts["folder"])
    return [row["name"], here["version"] if here else "", row["version"], change[3]]


def _take_out(name: str, facts: Facts) -> list[Any]:
    """Remove a distribution, keeping what brings it back; return the change."""
    here = facts["packages"][name]
    info = here["info"]
    place = os.path.realpath(facts["folder"] or sys.prefix)
    if not os.path.realpath(info).startswith(place + os.sep):
        raise ValueError(f"{name} is in {os.path.dirname(info)}, which may not be changed")
    rows = rows_of(info)
    if not rows and here["owner"] == "jstackmagic":  # it was cut off while it was installed
        shutil.rmtree(info)
        return [name, "", "", None]
    if not rows:
        raise ValueError(f"{name} has no list of its files there, and cannot be replaced")
    try:
        back = pack(info)
    except (OSError, ValueError):
        back = None  # it was changed, or half removed before
    site, folders = os.path.dirname(info), set()
    own = [row[0] for row in rows if row[0].startswith(os.path.basename(info) + "/")]
    for file in [row[0] for row in rows if row[0] not in own] + sorted(own, key=_last):
        path = os.path.normpath(os.path.join(site, file))
        if not os.path.realpath(os.path.dirname(path)).startswith(place):
            continue
        compiled = os.path.join(os.path.dirname(path), "__pycache__", os.path.basename(path)[:-3])
        for each in (path, *glob.glob(glob.escape(compiled) + ".*.pyc")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(each)
        folders.add(os.path.dirname(path))
    for path in sorted(folders, key=len, reverse=True):
        with contextlib.suppress(OSError):
            while path.startswith(site + os.sep):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(path, "__pycache__"))
                os.rmdir(path)
                path = os.path.dirname(path)
    return [name, here["version"], "", back]


def _last(file: str) -> bool:
    return file.endswith("/RECORD")


def _unpack(path: str, row: Row, place: str) -> None:
    """Unpack a wheel, each file checked before it is written (PEP 427).

    Raises:
        ValueError: It is another build, or a file is not what its list of files says.
    """
    paths = dict(sysconfig.get_paths())
    if place:
        paths.update(purelib=place, platlib=place, scripts=os.path.join(place, "bin"), data=place)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        info = next(name[:-7] for name in names if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
        rows = list(csv.reader(io.StringIO(archive.read(f"{info}/RECORD").decode())))
        if fingerprint(rows) != row["print"]:
            raise ValueError(f"{row['file']} is another build than the kernel's")
        for name in names:
            if {"..", ""} & set(name.split("/")) or "\\" in name:
                raise ValueError(f"{row['file']} has a file outside of its folder: {name}")
        pure = b"root-is-purelib: true" in archive.read(f"{info}/WHEEL").lower()
        site = paths["purelib" if pure else "platlib"]
        installer, written = os.path.join(site, info, "INSTALLER"), []
        write(installer, b"jstackmagic\n")  # first, so that what is cut off is known for ours
        try:
            for target, data, mode in _members(archive, row, info, rows, {**paths, "site": site}):
                written.append(record_row(target, data, site))
                write(target, data, mode)
        except BaseException:
            shutil.rmtree(os.path.dirname(installer))
            raise
    own = [record_row(installer, b"jstackmagic\n", site), [f"{info}/RECORD", "", ""]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*written, *own])
    write(os.path.join(site, info, "RECORD"), text.getvalue().encode())


def _members(
    archive: zipfile.ZipFile, row: Row, info: str, rows: list[list[str]], paths: dict[str, str]
) -> Iterator[tuple[str, bytes, int]]:
    """Yield a wheel's files and scripts, each with its place and mode; its metadata comes last."""
    digests = {each[0]: each[1] for each in rows if each}
    names = [name for name in archive.namelist() if not name.endswith(("/", f"{info}/RECORD"))]
    for name in sorted(names, key=lambda name: name.startswith(f"{info}/")):
        data = archive.read(name)
        mode = 0o755 if archive.getinfo(name).external_attr >> 16 & 0o111 else 0o644
        _check(name, data, digests.get(name, ""))
        kind, _, inside = name.partition(".data/")[2].partition("/")
        base = paths["site"]
        if kind and name.startswith(f"{info[: -len('.dist-info')]}.data/"):
            paths.update(purelib=base, platlib=base)
            base = paths.get(kind) or os.path.join(paths["include"], row["name"])
            name = inside
            if kind == "scripts":
                data, mode = re.sub(rb"\A#!python", _shebang(), data), 0o755
        yield os.path.join(base, *name.split("/")), data, mode
    if f"{info}/entry_points.txt" in names:
        text = archive.read(f"{info}/entry_points.txt").decode()
        for name, module, function in _scripts(text):
            first = function.partition(".")[0]
            script = _shebang() + _SCRIPT.format(module, first, function).encode()
            yield os.path.join(paths["scripts"], name), script, 0o755


def _shebang() -> bytes:
    """Return a script's first lines; Linux takes 127 bytes and no space (execve(2))."""
    python = sys.executable.encode()
    if len(python) < 126 and not re.search(rb"\s", python):
        return b"#!" + python
    quoted = re.sub(rb'([\\"$`])', rb"\\\1", python)
    return b"#!/bin/sh\n'''exec' \"" + quoted + b'" "$0" "$@"\n\' \'\'\''


def _scripts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the console scripts of an ``entry_points.txt``: name, module, function."""
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] \t")
        name, _, target = line.partition("=")
        module, _, function = target.split("[")[0].strip().partition(":")
        words = [*module.split("."), *function.split(".")]
        known = section in ("console_scripts", "gui_scripts") and _plain(name.strip())
        if known and all(word.isidentifier() for word in words):
            yield name.strip(), module, function


def record_row(path: str, data: bytes, site: str) -> list[str]:
    """Return a file's row in the list of a distribution's files."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [os.path.relpath(path, site).replace(os.sep, "/"), f"sha256={digest}", str(len(data))]


def write(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole, or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}.jstackmagic"
    try:
        with open(draft, "wb") as file:
            file.write(data)
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _reach(place: str) -> None:
    """Put the folder for packages before the environment's own, if it has any."""
    if place not in sys.path and os.path.isdir(place):
        own = sysconfig.get_paths()["purelib"]
        sys.path.insert(sys.path.index(own) if own in sys.path else len(sys.path), place)
        importlib.invalidate_caches()


def _fetch(row: Row) -> str:
    """Have pip fetch a wheel from this worker's own index."""
    target = os.path.join(store(), "index")
    os.makedirs(target, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    words = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", target]
    spec = f"{row['name']}=={row['version']}"
    asked = subprocess.run(
        [*pip, *words, spec], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    for path in sorted(glob.glob(os.path.join(glob.escape(target), "*.whl"))):
        name, version = os.path.basename(path).split("-")[:2]
        if (_normal(name), version) == (row["name"], row["version"]):
            return path
    lines = (asked.stderr or asked.stdout).strip().splitlines() or ["pip found no wheel"]
    raise ValueError(f"its index has no {spec}: {lines[-1]}")


# conda's packages


def _link(rows: list[Row], unlink: list[str], facts: Facts) -> list[list[Any]]:
    """Have conda's own tool, or py-rattler, put packages in as they are, and take others out."""
    if not rows and not unlink:
        return []
    for row in rows:
        if not is_kept(row):
            raise ValueError(f"{row['file']} is not what was sent: its hash is another one")
    bins = [os.path.join(sys.prefix, *up, "bin") for up in ((), ("..", ".."))]
    places = os.pathsep.join([*bins, os.environ.get("PATH", "")])
    found = (shutil.which(name, path=places) for name in ("mamba", "conda", "micromamba"))
    tool = os.environ.get("CONDA_EXE") or next(filter(None, found), None)
    if tool:
        common = ["--yes", "--offline", "--prefix", sys.prefix]
        if unlink:
            _run([tool, "remove", "--force", *common, *unlink])
        if rows:
            _run([tool, "install", "--no-deps", *common, *map(path_of, rows)])
    else:
        _link_with_rattler(rows, unlink)
    now, then = _conda_records(), facts["conda"]
    for row in rows:
        if now.get(row["name"]) != [row["version"], row["build"]]:
            raise ValueError(f"{row['name']} is not there after it was linked")
    came = [[r["name"], then.get(r["name"], [""])[0], r["version"], None] for r in rows]
    return [*came, *([name, then[name][0], "", None] for name in unlink)]


def _run(command: list[str]) -> None:
    asked = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if asked.returncode != 0:
        raise ValueError((asked.stderr or asked.stdout).strip()[-500:])


def _link_with_rattler(rows: list[Row], unlink: list[str]) -> None:
    try:
        import rattler
    except ImportError:
        raise ValueError("there is neither conda nor py-rattler to link conda's packages") from None
    import asyncio
    from pathlib import Path

    goes = {row["name"] for row in rows} | set(unlink)
    paths = glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", "*-*-*.json"))
    there = [rattler.PrefixRecord.from_path(Path(path)) for path in paths]
    with tempfile.TemporaryDirectory(dir=store()) as scratch:
        new = []
        for row in rows:
            url = Path(path_of(row)).as_uri()
            record = {**row["record"], "url": url, "fn": row["file"], "files": []}
            record["paths_data"] = {"paths_version": 1, "paths": []}
            path = Path(scratch, f"{row['sha256']}.json")
            path.write_text(json.dumps(record))
            new.append(rattler.PrefixRecord.from_path(path))

        async def work() -> None:  # rattler wants a running loop already when it is called
            await rattler.install(
                [*(r for r in there if r.name.normalized not in goes), *new],
                target_prefix=sys.prefix,
                installed_packages=there,
                cache_dir=Path(scratch, "cache"),
                show_progress=False,
            )

        tag = Path(sys.prefix, "CACHEDIR.TAG")  # rattler's: backups would leave the prefix out
        tagged = tag.exists()
        asyncio.run(work())
        if not tagged:
            tag.unlink(missing_ok=True)


# The administrator's policy


def _obey(plan: dict[str, list[Any]], order: Order) -> None:
    """Move what this machine's administrator forbids from a plan to what cannot be done."""
    settings = _settings()
    lists = {name: settings.get(name) for name in ("managers", "allow", "deny", "locked")}
    for kind, manager in (("wheels", "pip"), ("conda", "conda")):
        kept = []
        for row in plan[kind]:
            reason = _forbidden(row, manager, lists, order["via"])
            plan["cannot"] += [[row["name"], reason]] if reason else []
            kept += [] if reason else [row]
        plan[kind] = kept


def _forbidden(row: Row, manager: str, lists: dict[str, Any], via: str) -> str:
    if lists["managers"] is not None and manager not in lists["managers"]:
        return f"the administrator there does not allow {manager}"
    if _matches(lists["deny"] or (), manager, row["name"]):
        return "the administrator there forbids it"
    asked = row.get("asked") and lists["allow"]
    if asked and not _matches(lists["allow"], manager, row["name"]):
        return "it is not among the packages that the administrator there allows"
    source = "index_url" if manager == "pip" else "channels"
    if source in (lists["locked"] or ()) and via != "index":
        return f"the administrator there has locked {source}: it may come from there alone"
    return ""


def _matches(patterns: Iterable[str], manager: str, name: str) -> bool:
    parts = (pattern.rpartition(":") for pattern in patterns)
    return any(
        fnmatch.fnmatchcase(_normal(name), re.sub(r"[_.]+", "-", rest).lower())
        for whose, colon, rest in parts
        if not colon or whose == manager
    )


class _Section(dict):  # type: ignore[type-arg]
    """A part of IPython's configuration, as its files write to it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.setdefault(name, _Section())

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def append(self, value: Any) -> None:
        """Note a value for a list that has a default."""
        self.setdefault("+", []).append(value)

    def extend(self, values: Iterable[Any]) -> None:
        """Note some."""
        self.setdefault("+", []).extend(values)


def _settings() -> dict[str, Any]:
    """Return the JStackMagic settings of this machine's IPython files, which IPython would run.

    Raises:
        ValueError: One that mentions them cannot be read.
    """
    found = _Section()
    for place in ("/etc/ipython", "/usr/local/etc/ipython", f"{sys.prefix}/etc/ipython"):
        for name in ("ipython_config.py", "ipython_config.json"):
            path = os.path.join(place, name)
            text = _text(path)
            if "JStackMagic" not in text:
                continue
            try:
                if name.endswith(".json"):
                    found.update(json.loads(text).get("JStackMagic", {}))
                else:
                    whole = _Section(JStackMagic=found)
                    names = {"c": whole, "get_config": lambda whole=whole: whole, "__file__": path}
                    exec(compile(text, path, "exec"), names)  # noqa: S102
            except Exception as error:
                raise ValueError(f"{path} cannot be read: {type(error).__name__}") from None
    return {k: v.get("+", []) if isinstance(v, _Section) else v for k, v in found.items()}


# Making a wheel of what is installed


def pack(info: str) -> Row:
    """Make a wheel again of an installed distribution, byte for byte; return its row.

    Args:
        info: Its ``*.dist-info`` folder.

    Raises:
        ValueError: A file is not what its list of files says, or it has no such list.
    """
    site, rows = os.path.dirname(info), rows_of(info)
    stem = os.path.basename(info)[: -len(".dist-info")]
    content = {}
    scripts = {name for name, _, _ in _scripts(_text(os.path.join(info, "entry_points.txt")))}
    for row in rows:
        path = os.path.normpath(os.path.join(site, row[0]))
        if row[0].startswith("..") and row[1] and not row[0].endswith(".pyc"):
            inside = os.path.relpath(path, sys.prefix).replace(os.sep, "/")
            if inside.startswith("..") or inside in {f"bin/{name}" for name in scripts}:
                continue
            data = _read(path)
            if inside.startswith("bin/"):
                inside = f"scripts/{inside[4:]}"
                data = re.sub(rb"\A#!.*python[\d.]*(?=[\r\n])", b"#!python", data)
            else:
                inside = f"data/{inside}"
            content[f"{stem}.data/{inside}"] = (data, os.access(path, os.X_OK))
        elif _is_content(row):
            data = _read(path)
            _check(row[0], data, row[1])
            content[row[0]] = (data, os.access(path, os.X_OK))
    if not content:
        raise ValueError(f"{stem} has no list of its files (RECORD)")
    made = fingerprint(rows)
    return archive(stem, content, made)


def archive(stem: str, content: dict[str, tuple[bytes, bool]], made: str) -> Row:
    """Pack files as a wheel, the same bytes each time; keep it, and return its row."""
    wheel = content.get(f"{stem}.dist-info/WHEEL", (b"", False))[0].decode()
    tags = re.findall(r"^Tag:\s*(\S+)\s*$", wheel, re.MULTILINE) or ["py3-none-any"]
    parts = [".".join(dict.fromkeys(part)) for part in zip(*(tag.split("-") for tag in tags))]  # noqa: B905
    rows = [record_row(name, data, "") for name, (data, _) in sorted(content.items())]
    listing = io.StringIO()
    csv.writer(listing, lineterminator="\n").writerows(
        [*rows, [f"{stem}.dist-info/RECORD", "", ""]]
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        files = {**content, f"{stem}.dist-info/RECORD": (listing.getvalue().encode(), False)}
        for name, (data, runs) in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    name, version = stem.split("-")[:2]
    data = packed.getvalue()
    row = {
        "name": _normal(name),
        "version": version,
        "print": made,
        "file": f"{stem}-{'-'.join(parts)}.whl",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "pure": b"root-is-purelib: true" in wheel.lower().encode() and tags[0].endswith("none-any"),
    }
    keep(row, data)
    return row


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
