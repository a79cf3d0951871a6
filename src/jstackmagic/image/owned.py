"""The files that conda's, pip's and Debian's own records list, of a root file system."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from ..model.managers import is_system, listed
from ..model.packages import PackageKey, normalise
from ..where.distributions import record_rows
from .installed import packages_of
from .root import Root

Content = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Owned:
    """A file in the record of its package."""

    key: PackageKey
    sha256: str = ""  #: of its content, in hexadecimal; empty if the record has none
    md5: str = ""  #: the same, of Debian's files
    version: str = ""  #: of the package; empty of Debian's
    has_prefix: bool = False  #: whether it may contain the environment's prefix
    #: whether the installer wrote it for an entry point: pip and uv word it differently
    entry_point: bool = False


def owners(root: Root, content: Content, names: Collection[str] | None = None) -> dict[str, Owned]:
    """Return the files that conda's, pip's and Debian's records list, by path."""

    def is_wanted(name: str) -> bool:
        return names is None or name in names

    found: dict[str, Owned] = {}
    for path in root.entries if names is None else root.contents:
        folder, _, name = path.rpartition("/")
        if name == "RECORD" and folder.endswith(".dist-info"):
            head = posixpath.basename(folder).partition("-")[0]
            for file, owned in (
                _of_distribution(content, path) if is_wanted(normalise(head)) else ()
            ):
                found.setdefault(file, owned)
        elif folder.endswith("/conda-meta") and name.endswith(".json"):
            found.update(_of_conda(content, path) if is_wanted(name.rsplit("-", 2)[0]) else ())
        elif folder == "/var/lib/dpkg/info" and name.endswith(".list"):
            package = name.removesuffix(".list").partition(":")[0]
            found.update(_of_debian(root, content, path) if is_wanted(package) else ())
    return found


def _of_conda(content: Content, path: str) -> Iterator[tuple[str, Owned]]:
    prefix = path.rpartition("/conda-meta/")[0]
    try:
        record = json.loads(content(path))
        name, entries = record["name"], (record.get("paths_data") or {}).get("paths") or ()
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # the comparison of the metadata has said so
    for entry in entries:
        placeholder = bool(entry.get("prefix_placeholder"))
        digest = entry.get("sha256_in_prefix") or ("" if placeholder else entry.get("sha256"))
        yield (
            f"{prefix}/{entry.get('_path', '')}",
            Owned(
                ("conda", str(name)),
                str(digest or ""),
                version=str(record.get("version", "")),
                has_prefix=placeholder,
            ),
        )


def _of_distribution(content: Content, record: str) -> Iterator[tuple[str, Owned]]:
    folder = posixpath.dirname(record)
    library = posixpath.dirname(folder)
    head, _, version = posixpath.basename(folder).removesuffix(".dist-info").partition("-")
    name = normalise(head)
    written = _entry_points(content(f"{folder}/entry_points.txt"))
    for row in record_rows(content(record).decode(errors="replace")):
        path = row.below(library)
        # a script's first line names the interpreter, so the prefix
        in_bin = posixpath.basename(posixpath.dirname(path)) == "bin"
        is_written = in_bin and posixpath.basename(path) in written
        yield (
            path,
            Owned(
                ("pip", name),
                _hexadecimal(row.digest),
                version=version,
                has_prefix=in_bin,
                entry_point=is_written,
            ),
        )


def _of_debian(root: Root, content: Content, listing: str) -> Iterator[tuple[str, Owned]]:
    name = posixpath.basename(listing).removesuffix(".list").partition(":")[0]
    key = ("apt", name)
    sums = content(listing.removesuffix(".list") + ".md5sums").decode(errors="replace")
    md5 = {f"/{path}": digest for digest, _, path in (s.partition("  ") for s in sums.splitlines())}
    for line in content(listing).decode(errors="replace").splitlines():
        # /bin leads to /usr/bin, and packages list files in either
        folder = root.resolve(posixpath.dirname(line))
        if folder is not None:
            path = posixpath.join(folder, posixpath.basename(line))
            yield path, Owned(key, md5=md5.get(line, ""))


def _entry_points(text: bytes) -> set[str]:
    """Return the names of a distribution's scripts from the installer (PEP 621's scripts)."""
    from configparser import ConfigParser, Error

    if not text:
        return set()
    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text.decode())
    except (Error, UnicodeDecodeError):
        return set()
    sections = [name for name in ("console_scripts", "gui_scripts") if parser.has_section(name)]
    return {name.strip() for section in sections for name in parser[section]}


def _hexadecimal(digest: str) -> str:
    """Return RECORD's ``sha256=`` and base64 without its padding as hexadecimal digits."""
    kind, _, text = digest.partition("=")
    if kind != "sha256":
        return ""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


def files_of(root: Root, manager: str, prefix: str, names: Collection[str]) -> list[str]:
    """Return the files of some packages in an image, and the records that list them."""

    def content(path: str) -> bytes:
        return root.contents.get(path, b"")

    plain = {name.partition(":")[0] for name in names}
    found = [
        path
        for path, owned in owners(root, content, plain).items()
        # a distribution of conda's has a RECORD, too, and pip may have replaced it
        if is_system(owned.key[0]) == is_system(manager)
        and owned.key[1] in plain
        and path.startswith(f"{prefix}/")
    ]
    if is_system(manager):
        about = {each: posixpath.basename(each) for each in root.children("/var/lib/dpkg/info")}
        stems = {path: name.rpartition(".")[0].partition(":")[0] for path, name in about.items()}
        return [*found, *(path for path, stem in stems.items() if stem in plain)]
    below = listed(manager).metadata
    packages = packages_of(root, prefix, (manager,)).packages if below else ()
    metadata = [below.format(name=p.name, stem=p.stem) for p in packages if p.name in plain]
    return [*found, *(f"{prefix}/{path}" for path in metadata)]
