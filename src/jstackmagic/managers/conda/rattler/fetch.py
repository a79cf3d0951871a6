"""The package cache, shared with conda: all is fetched and unpacked before a prefix changes.

Laid out as conda does it: ``PKGS/NAME-VERSION-BUILD.conda`` beside the folder it was unpacked to,
whose ``info/repodata_record.json`` names its origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from ....display.progress import ProgressReport
from ....io.files import digest_of
from ....model.credentials import mask
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ....where.condarc import CondaConfig
from . import repodata
from .bounds import check_all_there, check_archive_contents, check_unpacked
from .loop import Wire
from .patience import patiently, unanswered
from .records import source_of, stem_of

if TYPE_CHECKING:
    from rattler import Client, RepoDataRecord

T = TypeVar("T")

_AT_ONCE = 8  # downloads


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package in the cache."""

    folder: str  #: the folder it is unpacked to
    archive: str  #: its archive; empty if not kept


async def fetch(
    records: Sequence[RepoDataRecord], config: CondaConfig, wire: Wire
) -> list[Fetched]:
    """Have every package in the cache.

    Raises:
        CommandFailed: One cannot be fetched, or is not what its channel says.
    """
    if not records:
        return []
    cache = Cache(config)
    there = await asyncio.gather(*map(cache.look, records))
    missing = [record for record, found in zip(records, there, strict=True) if found is None]
    meter = _DownloadMeter(wire, [record.size for record in missing])

    pairs = zip(records, there, strict=True)
    return await _at_once(partial(cache.get, record, found, meter) for record, found in pairs)


async def _at_once(works: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Begin works, a few of them at the same time; return their results in order."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await work()

    return list(await asyncio.gather(*map(one, works)))


class _DownloadMeter:
    """Count the bytes of all downloads together, and report them now and then."""

    _PAUSE = 0.1  # seconds between two messages

    def __init__(self, wire: Wire, sizes: Sequence[int | None]) -> None:
        self.wire = wire
        self._total = sum(filter(None, sizes)) if all(sizes) else None
        self._done = 0
        self._shown = 0.0
        self._lock = threading.Lock()

    def count(self, item: str, number: int) -> None:
        """Note that bytes of an item arrived; 0 when it begins."""
        with self._lock:
            self._done += number
            now = time.monotonic()
            if number and now - self._shown < self._PAUSE and self._done != self._total:
                return
            self._shown = now
            self.wire.show(ProgressReport("Fetching", item, self._done, self._total, "bytes"))


async def keep(
    records: Sequence[RepoDataRecord], folder: str, config: CondaConfig, wire: Wire
) -> list[str]:
    """Have the archives themselves in one folder, laid out as a package cache.

    Raises:
        CommandFailed: The folder cannot be written to, or one of them cannot be fetched, or is not
            what its channel says.
    """
    cache = Cache(replace(config, pkgs_dirs=tuple(dict.fromkeys((folder, *config.pkgs_dirs)))))
    if cache.writable[0] != folder:
        raise CommandFailed(f"{folder} cannot be written to.", kept=NOTHING_CHANGED)
    meter = _DownloadMeter(wire, [None])
    return await _at_once(partial(cache.keep, record, meter) for record in records)


class Cache:
    """The folders of packages that a configuration names.

    Raises:
        CommandFailed: None of the folders can be written to.
    """

    def __init__(self, config: CondaConfig) -> None:
        self._config = config
        self._folders = config.pkgs_dirs
        self.writable = [folder for folder in config.pkgs_dirs if _make_writable(folder)]
        if not self.writable:
            raise CommandFailed(
                f"No package cache can be written to: {', '.join(config.pkgs_dirs)}.",
                kept=NOTHING_CHANGED,
                advice="Name one of your own in the condarc: pkgs_dirs",
            )

    async def look(self, record: RepoDataRecord) -> Fetched | str | None:
        """Return a package's content here: its folder, its archive, or nothing."""
        found = await asyncio.to_thread(self._find, record)
        return found or await asyncio.to_thread(self._archive_of, record)

    async def get(
        self, record: RepoDataRecord, there: Fetched | str | None, meter: _DownloadMeter
    ) -> Fetched:
        """Return one package: as it is in the cache, unpacked from its archive, or fetched."""
        if isinstance(there, Fetched):
            return there
        archive = there or await self._download(record, meter)
        return await asyncio.to_thread(self._unpack, record, archive)

    async def keep(self, record: RepoDataRecord, meter: _DownloadMeter) -> str:
        """Put one package's archive into the first folder; return its path."""
        kept = os.path.join(self.writable[0], record.file_name)
        archive = await asyncio.to_thread(self._archive_of, record)
        if archive is None:
            archive = await self._download(record, meter)
        if archive != kept:
            with _temporary(kept) as partial:
                await asyncio.to_thread(shutil.copyfile, archive, partial)
                os.replace(partial, kept)
            _note_url(self.writable[0], record.url)
        return kept

    async def fetch_url(self, url: str, wire: Wire) -> str:
        """Fetch an archive by its URL, unless it is in a cache; return its path.

        Raises:
            CommandFailed: It cannot be fetched, or does not have the hash behind ``#``.
        """
        address = url.partition("#")[0]
        name = unquote(urlsplit(address).path).rpartition("/")[2]
        noted = await asyncio.to_thread(self._noted, name, address)
        if noted is not None and not _misfit(noted, url):
            return noted
        meter = _DownloadMeter(wire, [None])
        return await self._fetch(address, name, meter, lambda path: check_archive(path, url))

    def _noted(self, name: str, url: str) -> str | None:
        """Return the archive of that name in a cache, if its noted origin is that URL."""
        for folder in self._folders:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                lines = Path(folder, "urls.txt").read_text(encoding="utf-8").splitlines()
                if mask(url) in lines and os.path.isfile(path):
                    return path
        return None

    def _find(self, record: RepoDataRecord) -> Fetched | None:
        for folder in self.writable:  # rattler writes beside a package, also when it only reads it
            package = os.path.join(folder, stem_of(record))
            if _is_the_package(package, record) and _is_whole(package):
                places = (os.path.join(folder, record.file_name), _file_of(record))
                return Fetched(package, next(filter(os.path.isfile, places), ""))
        return None

    def _archive_of(self, record: RepoDataRecord) -> str | None:
        local = _file_of(record)
        if local:
            _check(local, record)
            return local
        for folder in self._folders:
            path = os.path.join(folder, record.file_name)
            if os.path.isfile(path) and not _differs(path, record):
                return path
        return None

    async def _download(self, record: RepoDataRecord, meter: _DownloadMeter) -> str:
        if self._config.offline:
            raise CommandFailed(
                f"conda's configuration says offline, and {record.file_name} is in no package "
                "cache.",
                kept=NOTHING_CHANGED,
                advice="Take offline: true out of the condarc, or unset CONDA_OFFLINE.",
            )
        return await self._fetch(
            record.url, record.file_name, meter, lambda path: _check(path, record)
        )

    async def _fetch(
        self, url: str, name: str, meter: _DownloadMeter, check: Callable[[str], None]
    ) -> str:
        """Fetch a URL into the first folder; return the path of what passed the check."""
        archive = os.path.join(self.writable[0], name)
        client = repodata.client_of(repodata.network_of(self._config))
        with _temporary(archive) as partial:
            await download(client, url, partial, name, meter)
            await asyncio.to_thread(check, partial)
            os.replace(partial, archive)
        _note_url(self.writable[0], url)
        return archive

    def _unpack(self, record: RepoDataRecord, archive: str) -> Fetched:
        from rattler.package_streaming import extract

        package = os.path.join(self.writable[0], stem_of(record))
        check_archive_contents(archive)
        staged = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=self.writable[0]))
        try:
            try:
                extract(Path(archive), staged)
            except Exception as error:
                raise CommandFailed(
                    f"{archive} cannot be unpacked: {error}",
                    kept=NOTHING_CHANGED,
                    advice=f"Remove it, so that it is fetched again: !rm '{archive}'",
                ) from None
            listed = check_unpacked(str(staged), stem_of(record))
            check_all_there(stem_of(record), listed, _below(str(staged)))
            staged.chmod(0o755)
            (staged / "info" / "repodata_record.json").write_text(_as_json(record))
            _put_in_place(staged, package)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return Fetched(package, archive)


def _file_of(record: RepoDataRecord) -> str:
    """Return the path of a package in a channel on this disk; empty for other channels."""
    url = urlsplit(record.url)
    return unquote(url.path) if url.scheme == "file" else ""


async def download(client: Client, url: str, path: str, name: str, meter: _DownloadMeter) -> None:
    """Fetch a URL into a file; messages use the name.

    Raises:
        CommandFailed: It cannot be fetched.
    """
    from rattler.package_streaming import download_to_writer

    meter.count(name, 0)
    with _TargetFile(path, name, meter) as target:
        before = -1

        async def look() -> None:
            nonlocal before
            if target.size == before:
                raise unanswered(url)
            before = target.size

        try:
            await patiently(download_to_writer(client, url, target), look)
        except (OSError, RuntimeError) as error:
            if target.left:
                raise asyncio.CancelledError from None
            raise CommandFailed(
                f"{mask(url)} cannot be fetched: {mask(str(error))}",
                kept=NOTHING_CHANGED,
                advice="Is there a network? What was fetched already is kept: try again.",
            ) from None


class _TargetFile:
    """The target file of a download, which stops a cancelled one: rattler itself goes on.

    Attributes:
        left: Whether the rest is no longer wanted.
        size: The bytes that arrived.
    """

    def __init__(self, path: str, name: str, meter: _DownloadMeter) -> None:
        self._file = open(path, "wb")  # noqa: SIM115  # closed by __exit__
        self._name = name
        self._meter = meter
        self.left = False
        self.size = 0

    def __enter__(self) -> _TargetFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True
        self._file.close()

    def write(self, data: bytes) -> int:
        if self.left or self._meter.wire.interrupted:
            self.left = True
            raise OSError(errno.ECANCELED, "interrupted")
        self._meter.count(self._name, len(data))
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        if not self.left:
            self._file.flush()


# What is in a cache


def _is_the_package(package: str, record: RepoDataRecord) -> bool:
    """Return whether a folder was unpacked from the exact archive that a channel names.

    conda notes it in ``info/repodata_record.json``, rattler in a file beside the folder: eight
    bytes that count, then the sha256.
    """
    wanted = record.sha256.hex() if record.sha256 is not None else None
    try:
        noted = json.loads(Path(package, "info", "repodata_record.json").read_bytes())
    except (OSError, ValueError):
        noted = {}
    if noted.get("sha256") and wanted:
        return bool(noted["sha256"] == wanted)
    if noted.get("md5") and record.md5 is not None:
        return bool(noted["md5"] == record.md5.hex())
    try:
        return wanted is not None and Path(f"{package}.lock").read_bytes()[8:40].hex() == wanted
    except OSError:
        return False


def _is_whole(package: str) -> bool:
    try:
        if not Path(package, "info", "paths.json").exists():
            return False
        return set(check_unpacked(package)) <= set(_below(package))
    except (OSError, ValueError, KeyError, CommandFailed):
        return False


def _below(folder: str) -> Iterator[str]:
    """Yield what is below a folder, relative to it."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(f"{folder}/{inside}") as entries:
            for entry in entries:
                yield f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{inside}{entry.name}/")


def _check(path: str, record: RepoDataRecord) -> None:
    reason = _differs(path, record)
    if reason:
        raise CommandFailed(
            f"{mask(record.url)} is not what its channel says: {reason}.",
            kept=NOTHING_CHANGED,
            advice="Try again; if it stays so, the channel or a proxy on the way is broken.",
        )


def _differs(path: str, record: RepoDataRecord) -> str:
    """Return what of an archive is not as its channel says; empty if all is."""
    for kind, wanted in (("sha256", record.sha256), ("md5", record.md5)):
        if wanted is not None:
            return _other(path, kind, wanted.hex())
    return ""


def _misfit(path: str, spec: str) -> str:
    """Return that a file does not have the hash behind the ``#`` of its URL; empty if it has."""
    wanted = spec.partition("#")[2].rpartition(":")[2].lower()
    kind = {32: "md5", 64: "sha256"}.get(len(wanted))
    return _other(path, kind, wanted) if kind else ""


def _other(path: str, kind: str, wanted: str) -> str:
    """Return that a file has another digest, or cannot be read; empty if it is the right one."""
    try:
        found = digest_of(path, kind)
    except OSError as error:
        return str(error.strerror)
    return "" if found == wanted else f"its {kind} is {found}"


def check_archive(path: str, spec: str) -> None:
    """Refuse an archive without the hash at the end of its spec, as in an explicit list.

    Args:
        spec: ``URL#MD5``, ``URL#SHA256`` or ``URL#sha256:SHA256``; without a hash it passes.

    Raises:
        CommandFailed: It has another one.
    """
    reason = _misfit(path, spec)
    if reason:
        raise CommandFailed(
            f"{mask(spec.partition('#')[0])} is not what was asked for: {reason}.",
            kept=NOTHING_CHANGED,
            advice="If the list is right, the archive there has been replaced.",
        )


def _as_json(record: RepoDataRecord) -> str:
    data = json.loads(record.to_json())
    return json.dumps(data | source_of(record), indent=2)


# Folders


def _make_writable(folder: str) -> bool:
    """Return whether packages can be put into a folder; make it if need be, as conda does."""
    try:
        os.makedirs(folder, exist_ok=True)
        for name in ("urls", "urls.txt"):
            with open(os.path.join(folder, name), "ab"):
                pass
    except OSError:
        return False
    return True


def _note_url(folder: str, url: str) -> None:
    """Note where an archive came from, as conda does: one that is requested by its URL is found."""
    with contextlib.suppress(OSError), open(os.path.join(folder, "urls.txt"), "a") as file:
        file.write(f"{mask(url)}\n")


@contextlib.contextmanager
def _temporary(path: str) -> Iterator[str]:
    folder, name = os.path.split(path)
    file, partial = tempfile.mkstemp(prefix=f".{name}.", suffix=".partial", dir=folder)
    os.close(file)
    os.chmod(partial, 0o644)
    try:
        yield partial
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _put_in_place(staged: Path, package: str) -> None:
    """Rename a folder to its place, and move away what is there under that name."""
    aside = tempfile.mkdtemp(prefix=".replaced-", dir=os.path.dirname(package))
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(package, os.path.join(aside, "package"))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{package}.lock")  # rattler's note on the previous content
        try:
            os.rename(staged, package)
        except OSError as error:
            # another process was faster, with the same package
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
