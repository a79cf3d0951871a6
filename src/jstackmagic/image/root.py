"""The root file system of an image: its files as data, read from a stream of layers.

A registry gives an image's layers, of which `read` makes a `Root`, and an engine archives of them.
A layer's content never changes, so that what was read of one is kept on this machine and read once.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import tarfile
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ..io.files import write_file
from ..model import managers
from ..model.errors import JStackMagicError
from ..model.managers import Listed

Kind = Literal["file", "folder", "link", "other"]

BUFFER = 1024 * 1024  # bytes
_LARGEST = 64 * 1024 * 1024  # bytes; a larger file is not metadata
_LARGE = 4 * 1024 * 1024  # bytes; a larger file that is no metadata is hashed as it comes
_SMALL = 64 * 1024  # bytes; of a smaller file a hash costs less than another thread
_IN_FLIGHT = 16 * 1024 * 1024  # bytes of the files whose hash is being computed
_KEPT_ROOTS = 3
_KEPT_HERE = 2
_last: dict[str, tuple[tuple[int, int], dict[str, Entry], dict[str, bytes], list[str]]] = {}
"""The last files read, with their inode and size: a proof reads a base three times."""

_FORMAT = 5
"""The format of kept files; raise it when `Entry`, `Root` or the patterns change."""

CAPABILITY = "SCHILY.xattr.security.capability"
"""The archive header for a file's capabilities, as in GNU tar, star and the engines."""

LIBRARY = r"lib(?:64)?/(?:python|pypy)[^/]*/(?:site|dist)-packages"
_KEPT = re.compile(
    r".*/conda-meta/(?:[^/]+\.json|pinned|history|frozen)"
    r"|.*/pyvenv\.cfg"
    rf"|.*/{LIBRARY}/(?:[^/]+\.(?:pth|egg-link)|(?:site|user)customize\.py"
    r"|[^/]+\.egg-info(?:/(?:PKG-INFO|installed-files\.txt|SOURCES\.txt))?"
    r"|[^/]+\.dist-info/"
    r"(?:METADATA|RECORD|INSTALLER|REQUESTED|direct_url\.json|entry_points\.txt))"
    r"|/var/lib/dpkg/(?:status|arch|diversions|info/[^/]+\.(?:list|md5sums|conffiles))"
    r"|/var/lib/apt/extended_states"
    r"|.*/kernels/[^/]+/kernel\.json"
    r"|/etc/(?:passwd|group|shadow|gshadow)|/etc/jstackmagic/history\.jsonl"
)
_CACHE = re.compile(r".*/(?:pkgs/[^/]+-[^/]+-[^/]+|\.cache)(?:/.*)?")
"""conda's and uv's caches have metadata of packages that are not installed."""

_MAY_BE_LINKED = re.compile(r".*\.(?:dist-info/[^/]+|egg-info/[^/]+|pth|egg-link)")
"""Files that a cache may have under another name than the environment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link of a root file system."""

    kind: Kind
    mode: int  #: permission bits, set-user-ID and its like among them
    uid: int
    gid: int  #: its group's number
    size: int = 0  #: bytes; 0 of what is not a file
    target: str = ""  #: the target of a link, as written
    sha256: str = ""  #: of a file's content, in hexadecimal
    time: int = 0  #: when its content changed, in whole seconds since the epoch
    #: of compiled Python, the hash of all but its head of 16 bytes (PEP 552), and the head
    body: tuple[str, bytes] | None = None
    capability: bytes = b""  #: the value of its attribute ``security.capability`` (capabilities(7))

    @property
    def what(self) -> tuple[str, str, str]:
        """Return what it holds, whoever owns it: kind, hash and target."""
        return (self.kind, self.sha256, self.target)


@dataclass
class Root:
    """A root file system."""

    #: by absolute path; the root folder itself is not among them
    entries: dict[str, Entry] = field(default_factory=dict)
    #: the content of the files that say what is installed, by absolute path
    contents: dict[str, bytes] = field(default_factory=dict)
    #: a sentence for each thing that could not be read, with the reason
    unread: list[str] = field(default_factory=list)
    #: what others worked out of the entries, until these change
    derived: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def _paths(self) -> list[str]:
        if "paths" not in self.derived:
            self.derived["paths"] = sorted(self.entries)
        found: list[str] = self.derived["paths"]
        return found

    def below(self, folder: str) -> Iterator[str]:
        """Yield the paths below a folder, in order."""
        start = folder.rstrip("/") + "/"
        paths = self._paths
        for at in range(bisect_left(paths, start), len(paths)):
            if not paths[at].startswith(start):
                return
            yield paths[at]

    def children(self, folder: str) -> Iterator[str]:
        """Yield the paths right below a folder, in order."""
        start, paths = folder.rstrip("/") + "/", self._paths
        at = bisect_left(paths, start)
        while at < len(paths) and paths[at].startswith(start):
            name, slash, _ = paths[at][len(start) :].partition("/")
            if slash:
                # "0" is the character after "/": whatever lies below is skipped. It does not come
                # right behind its folder: "a-b" and "a.b" are before "a/b"
                at = bisect_left(paths, f"{start}{name}0")
            else:
                yield paths[at]
                at += 1

    def resolve(self, path: str) -> str | None:
        """Return the target of a path, with links followed; None if it does not exist."""
        done, waiting = "", [part for part in path.split("/") if part]
        for _ in range(1000):
            if not waiting:
                return done or "/"
            part = waiting.pop(0)
            if part in (".", ".."):
                done = done if part == "." else posixpath.dirname(done).rstrip("/")
                continue
            entry = self.entries.get(f"{done}/{part}")
            if entry is None:
                return None
            if entry.kind != "link":
                done = f"{done}/{part}"
                continue
            waiting = [each for each in entry.target.split("/") if each] + waiting
            done = "" if entry.target.startswith("/") else done
        return None

    def remove(self, paths: Collection[str], *, below: Collection[str] = ()) -> None:
        """Remove some paths with all that lies below them, and what lies below some others."""
        plain = {path for path in paths if (e := self.entries.get(path)) and e.kind != "folder"}
        starts = tuple(f"{path}/" for path in {*paths, *below} - plain)
        inside = [path for path in self.entries if path.startswith(starts)] if starts else []
        for path in (*paths, *inside):
            self.entries.pop(path, None)
            self.contents.pop(path, None)
        self.changed()

    def changed(self) -> None:
        """Forget what was worked out, after `entries` was changed."""
        self.derived.clear()


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image."""

    #: of its uncompressed archive, as the image's configuration lists it (``diff_ids``)
    digest: str
    #: opens that archive, uncompressed; it is read once, from its beginning to its end
    open: Callable[[], BinaryIO]


def read(layers: Sequence[Layer]) -> Root:
    """Read an image's layers, the lowest first; those that were read before are not opened.

    Raises:
        JStackMagicError: A layer is no archive.
        OSError: A layer cannot be read.
    """
    digests = [layer.digest for layer in layers]
    start, root = len(digests), None
    while root is None and start:
        root = kept(digests[:start])
        start -= root is None
    root = root or Root()
    for layer in layers[start:]:
        apply(root, changes_of(layer))
    if start < len(digests):
        keep_root(digests, root)
    return root


# One layer


@dataclass
class Changes:
    """One layer: what it has, and what it removes."""

    root: Root = field(default_factory=Root)  #: what it has
    gone: set[str] = field(default_factory=set)  #: the paths that it removes from those below
    #: folders of which only what this layer has is left
    opaque: set[str] = field(default_factory=set)
    #: further names of files (hard links), each with the first one
    links: dict[str, str] = field(default_factory=dict)


def changes_of(layer: Layer) -> Changes:
    """Read one layer, to its end: there its source checks what it gave.

    Raises:
        JStackMagicError: It is no archive.
        OSError: It cannot be read.
    """
    try:
        with closing(layer.open()) as stream:
            changes = archive(stream)
            while stream.read(BUFFER):
                pass
    except tarfile.TarError as error:
        raise JStackMagicError(
            f"The layer {layer.digest} is no archive ({error}): this is no container's image."
        ) from error
    return changes


def apply(root: Root, changes: Changes) -> None:
    """Lay a layer over those below it."""
    new = changes.root
    replaced = {path for path, entry in new.entries.items() if entry.kind != "folder"}
    root.remove((replaced & root.entries.keys()) | changes.gone, below=changes.opaque)
    root.entries.update(new.entries)
    root.contents.update(new.contents)
    root.unread += new.unread
    for path, target in changes.links.items():
        if path in new.entries or path in changes.gone:
            continue
        if target in root.entries:  # of a layer below
            _link(root, path, target)
        else:
            root.unread.append(f"{path} is another name of {target}, which is not there.")
    root.changed()


def archive(stream: BinaryIO, *, above: str = "/") -> Changes:
    """Read the archive of a layer.

    What it removes is marked as OCI's layers do (``.wh.NAME``), or as the kernel's overlay does:
    by a device of the numbers 0 and 0.

    Args:
        above: The folder of the image that its members' names are relative to.
    """
    changes = Changes()
    waiting: deque[tuple[str, int, Entry | Future[Entry]]] = deque()
    in_flight = 0

    def finish() -> None:
        nonlocal in_flight
        path, size, found = waiting.popleft()
        in_flight -= size
        changes.root.entries[path] = found if isinstance(found, Entry) else found.result()

    with (
        # hashing leaves the interpreter to the thread that reads
        ThreadPoolExecutor(2) as pool,
        tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER) as opened,
    ):
        for member in opened:
            opened.members = []  # type: ignore[attr-defined]  # tarfile would keep every one
            path = _path(above, member.name)
            name = posixpath.basename(path)
            if path == "/":
                continue
            if name.startswith(".wh."):
                _mark(changes, path, name)
            elif member.ischr() and (member.devmajor, member.devminor) == (0, 0):
                changes.gone.add(path)
            elif member.islnk():
                changes.links[path] = _path(above, member.linkname)
            else:
                size = member.size + tarfile.BLOCKSIZE
                waiting.append((path, size, _entry(member, opened, path, changes.root, pool)))
                in_flight += size
                while in_flight > _IN_FLIGHT:
                    finish()
        while waiting:
            finish()
    for path, target in changes.links.items():
        if target in changes.gone:
            changes.gone.add(path)  # the kernel makes one device, and links to it for the others
        elif target in changes.root.entries:
            _link(changes.root, path, target)
    for path in [path for path in changes.root.contents if not _is_kept(path)]:
        del changes.root.contents[path]
    return changes


def _path(above: str, name: str) -> str:
    return posixpath.normpath(posixpath.join("/", above, name.lstrip("/")))


def _link(root: Root, path: str, target: str) -> None:
    """Give a file another name (a hard link)."""
    root.entries[path] = root.entries[target]
    if _is_kept(path) and target in root.contents:
        root.contents[path] = root.contents[target]
    elif _is_kept(path):
        root.unread.append(f"{path} is another name of {target}, which was not read.")


def _mark(changes: Changes, path: str, name: str) -> None:
    folder = posixpath.dirname(path)
    if name == ".wh..wh..opq":
        changes.opaque.add(folder)
    elif not name.startswith(".wh..wh."):  # names of the aufs driver's own
        changes.gone.add(posixpath.join(folder, name.removeprefix(".wh.")))


def _entry(
    member: tarfile.TarInfo,
    opened: tarfile.TarFile,
    path: str,
    root: Root,
    pool: ThreadPoolExecutor,
) -> Entry | Future[Entry]:
    """Return an entry; that of a file comes once its content is hashed."""
    kind: Kind = "folder" if member.isdir() else "link" if member.issym() else "other"
    capability = member.pax_headers.get(CAPABILITY, "")
    made = partial(
        Entry,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        time=int(member.mtime),
        capability=capability.encode("utf-8", "surrogateescape"),
    )
    if not member.isfile():
        return made(kind, target=member.linkname if kind == "link" else "")
    file = opened.extractfile(member)
    assert file is not None
    wanted = _is_kept(path) or _MAY_BE_LINKED.fullmatch(path)
    if member.size > (_LARGEST if wanted else _LARGE):
        if _is_kept(path):
            root.unread.append(f"{path} is too large to be metadata.")
        digest = hashlib.sha256()
        while block := file.read(BUFFER):
            digest.update(block)
        return made("file", size=member.size, sha256=digest.hexdigest())
    content = file.read()
    if wanted:
        root.contents[path] = content

    def hashed() -> Entry:
        body = None
        if path.endswith(".pyc"):
            body = hashlib.sha256(content[16:]).hexdigest(), content[:16]
        return made("file", size=member.size, sha256=hashlib.sha256(content).hexdigest(), body=body)

    return hashed() if member.size < _SMALL else pool.submit(hashed)


def hashes_of(path: str) -> tuple[str, tuple[str, bytes] | None]:
    """Return the hash of a file of this machine, and the body of compiled Python.

    Raises:
        OSError: It cannot be read.
    """
    digest, body, head = hashlib.sha256(), hashlib.sha256(), b""
    with open(path, "rb") as file:
        if path.endswith(".pyc"):
            head = file.read(16)
            digest.update(head)
        while block := file.read(BUFFER):
            digest.update(block)
            body.update(block)
    return digest.hexdigest(), (body.hexdigest(), head) if head else None


def capability_of(path: str) -> bytes:
    """Return the capabilities of a file of this machine; nothing if it has none."""
    with suppress(OSError):  # none, or a file system that keeps none
        return os.getxattr(path, "security.capability", follow_symlinks=False)
    return b""


def walk(folder: str, skip: Callable[[str], bool]) -> Iterator[os.DirEntry[str]]:
    """Yield what is below a folder of this machine on the same file system: mounts are left out.

    Args:
        skip: Returns whether to leave a path out, with all below it.
    """
    waiting = [folder]
    device = os.stat(folder).st_dev
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if skip(entry.path):
                    continue
                yield entry
                with suppress(OSError):  # gone, or not to be looked at
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder and entry.stat(follow_symlinks=False).st_dev == device:
                        waiting.append(entry.path)


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path lies below one of some folders."""
    return any(path.startswith(f"{folder}/") for folder in folders)


def is_cached(path: str) -> bool:
    """Return whether a path is in a package manager's cache."""
    return _CACHE.fullmatch(path) is not None


def _is_kept(path: str) -> bool:
    if is_cached(path):
        return False
    listed = _listed(managers.MANAGERS)
    return bool(_KEPT.fullmatch(path)) or any(pattern.fullmatch(path) for pattern in listed)


@cache
def _listed(listed: tuple[Listed, ...]) -> tuple[re.Pattern[str], ...]:
    """Return the paths of the metadata that the list of managers names, as patterns."""
    paths = (each.metadata.split("{name}") for each in listed if each.metadata)
    return tuple(re.compile("/.*?/" + "[^/]+".join(map(re.escape, parts))) for parts in paths)


# What was read before


def kept(digests: Sequence[str]) -> Root | None:
    """Return the root of some layers, the lowest first, if it was read on this machine before."""
    import msgspec

    from ..io.zstd import ZstdError, decompress

    path = _kept_path(digests)
    try:
        status = path.stat()
        stamp = (status.st_ino, status.st_size)
        if _last.get(path.name, (None,))[0] != stamp:
            _last[path.name] = (
                stamp,
                *msgspec.msgpack.decode(
                    decompress(path.read_bytes()),
                    type=tuple[dict[str, Entry], dict[str, bytes], list[str]],
                ),
            )
    except (OSError, ZstdError, msgspec.MsgspecError):
        return None
    with suppress(OSError):
        os.utime(path)
    _, entries, contents, unread = _last[path.name]
    while len(_last) > _KEPT_HERE:
        del _last[next(iter(_last))]
    return Root(dict(entries), dict(contents), list(unread))


def keep_root(digests: Sequence[str], root: Root) -> None:
    """Keep the root of some layers; those that were not used for longest make room for it."""
    import msgspec

    from ..io.zstd import compress

    path = _kept_path(digests)
    with suppress(OSError):  # a full disk, a home folder of another's: it is read again
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = (root.entries, root.contents, root.unread)
        # in a container it is a part of what is read the next time: small, and few
        packed = compress(msgspec.msgpack.encode(content), 1)
        write_file(path, packed, mode=0o600)
        by_use = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
        for each in by_use[:-_KEPT_ROOTS]:
            each.unlink(missing_ok=True)


def _kept_path(digests: Sequence[str]) -> Path:
    listed = repr(_listed(managers.MANAGERS))
    chain = hashlib.sha256("\n".join([str(_FORMAT), listed, *digests]).encode()).hexdigest()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home, "jstackmagic", "roots", chain)
