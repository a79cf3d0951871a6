"""The records of ``conda-meta``, made to say what conda would have written there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....io.files import write_file
from ....io.reading import own_bytes
from ....model.credentials import without_login
from ....model.environment import minor_of
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ....model.packages import Package
from ....where.condarc import CondaConfig, channel_name
from ..spec import CondaSpec

if TYPE_CHECKING:
    from rattler import MatchSpec, PrefixRecord, RepoDataRecord

UNKNOWN_CHANNEL = "<unknown>"
"""conda's word for the channel of an archive that comes from no channel."""


# Spelling


def stem_of(record: RepoDataRecord) -> str:
    """Return NAME-VERSION-BUILD, a package's name in a cache and in ``conda-meta``."""
    stem = f"{record.name.normalized}-{record.version}-{record.build}"
    if os.sep in stem or os.sep in record.file_name:  # a channel's word, not to be trusted
        raise CommandFailed(f"No package can be called {stem!r}.", kept=NOTHING_CHANGED)
    return stem


def source_of(record: RepoDataRecord) -> dict[str, str]:
    """Return the ``channel`` (with the subdir) and ``url`` of a record as conda writes them.

    Neither holds credentials.
    """
    url = _bare(record.url)
    folder, _, subdir = url.rpartition("/")[0].rpartition("/")
    known = subdir == record.subdir
    return {"channel": f"{folder}/{subdir}" if known else UNKNOWN_CHANNEL, "url": url}


def package_of(record: RepoDataRecord) -> Package:
    """Return a channel's record as a package; its URL holds no credentials."""
    url = source_of(record)["url"]
    return Package(
        manager="conda",
        name=str(record.name.normalized),
        version=str(record.version),
        build=str(record.build),
        source=url.rsplit("/", 2)[0],
        url=url,
        sha256=record.sha256.hex() if record.sha256 is not None else "",
    )


def _bare(url: str) -> str:
    return re.sub(r"/t/[^/]+(?=/)", "", without_login(url), count=1)


@dataclass
class _Named:
    """The fields of a record that name the package; the rest is skipped unread."""

    name: str
    version: str
    build: str
    subdir: str
    channel: str | None = None


def distribution(path: str, config: CondaConfig) -> str:
    """Return a package as in conda's history: ``conda-forge/noarch::six-1.17.0-pyhd8ed1ab_0``."""
    import msgspec

    named = msgspec.json.decode(own_bytes(path), type=_Named)
    channel = named.channel or UNKNOWN_CHANNEL
    if channel != UNKNOWN_CHANNEL:
        channel = channel_name(channel, config)
    return f"{channel}/{named.subdir}::{named.name}-{named.version}-{named.build}"


def spelling(spec: CondaSpec, record: RepoDataRecord | None) -> str:
    """Return a spec as conda spells it in the history and in ``requested_spec``.

    Args:
        record: The package that serves it, which an archive's spelling needs.
    """
    if spec.archive and record is not None:
        channel = source_of(record)["channel"]
        if channel == UNKNOWN_CHANNEL:
            channel = f"{channel}/{record.subdir}"
        return f"{channel}::{spec.name}=={record.version}={record.build}"
    match = spec.match
    exotic = (match.build_number, match.file_name, match.md5, match.sha256, match.namespace)
    if any(part is not None for part in (*exotic, match.extras, match.condition)):
        return spec.text
    channel = spec.text.rpartition("::")[0]
    return f"{channel}::{_words(match)}" if channel else _words(match)


def _words(match: MatchSpec) -> str:
    """Name, version and build in conda's canonical form (its ``MatchSpec.__str__``)."""
    version, build = match.version or "*", match.build
    words, brackets = str(match.name.normalized), []
    exact = version.startswith("==") and not set(version) & set("<>|,^$")
    if set(version) & set("<>|,^$") or (version[:2] in ("!=", "~=") and build):
        brackets.append(f"version='{version}'")
    elif version.endswith(".*"):
        words += f"={version[:-2]}"
    elif version != "*":
        words += version
    if build is not None:
        if exact and "*" not in build and "^" not in build:
            words += f"={build}"
        else:
            brackets.append(f"build='{build}'" if set(build) & set("<>|,^$") else f"build={build}")
    return f"{words}[{','.join(brackets)}]" if brackets else words


# Python


@dataclass(frozen=True, slots=True)
class PythonLayout:
    """The Python of a prefix, as far as its packages depend on it."""

    version: str  #: ``"3.12.4"``
    site_packages: str  #: relative to the prefix

    @classmethod
    def of(cls, records: Iterable[RepoDataRecord]) -> PythonLayout | None:
        """Return the layout of a set of packages; None without Python."""
        for record in records:
            if record.name.normalized == "python":
                version = str(record.version)
                path = record.python_site_packages_path
                return cls(version, path or f"lib/python{minor_of(version)}/site-packages")
        return None

    @property
    def minor(self) -> str:
        """Return ``"3.12"``."""
        return minor_of(self.version)

    def bytecode_of(self, source: str) -> str:
        """Return the path of a source file's bytecode."""
        if self.minor.startswith("2."):
            return f"{source}c"
        folder, _, name = source.rpartition("/")
        name = f"{name.removesuffix('.py')}.cpython-{self.minor.replace('.', '')}.pyc"
        return f"{folder}/__pycache__/{name}" if folder else f"__pycache__/{name}"

    def sources_of(self, files: Iterable[str]) -> list[str]:
        """Return the Python modules among a package's files."""
        root = f"{self.site_packages}/"
        return [file for file in files if file.startswith(root) and file.endswith(".py")]


def all_paths(record: PrefixRecord, python: PythonLayout | None) -> PrefixRecord:
    """Return a record that names every file of a package, for rattler to remove.

    rattler uses ``paths_data``, where conda writes the paths of noarch Python packages as they
    are in the archive (``site-packages/…``); the true ones are in ``files``. Bytecode that Python
    itself wrote goes too.
    """
    from rattler.prefix import PrefixPaths, PrefixPathsEntry, PrefixPathType, PrefixRecord

    files = [str(file) for file in record.files]
    if python is not None:
        files += [python.bytecode_of(source) for source in python.sources_of(files)]
    kind = PrefixPathType("hardlink")
    paths = PrefixPaths()
    paths.paths = [PrefixPathsEntry(Path(file), kind) for file in dict.fromkeys(files)]
    return PrefixRecord(record, paths, files=[Path(file) for file in files])


# Writing


def path_of(prefix: str, record: RepoDataRecord) -> str:
    """Return the path of a package's record."""
    return os.path.join(prefix, "conda-meta", f"{stem_of(record)}.json")


def conform(
    prefix: str,
    record: RepoDataRecord,
    *,
    archive: str,
    requested: Sequence[str],
    python: PythonLayout | None,
) -> list[str]:
    """Complete the record that rattler wrote to what conda would have written.

    Args:
        archive: The archive it was unpacked from; empty if it is not kept.

    Returns:
        Its Python modules, relative to the prefix, whose bytecode the record promises.
    """
    import msgspec

    path = path_of(prefix, record)
    data = _read(path)
    data |= source_of(record)
    for key in ("arch", "platform"):  # said by the subdir
        data.pop(key, None)
    data.setdefault("constrains", [])
    if archive:
        data["package_tarball_full_path"] = archive
    _note_requested(data, requested)
    sources: list[str] = []
    if data.get("noarch") == "python":
        data |= {key: msgspec.json.decode(data[key]) for key in _LONG}
        data["package_type"] = "noarch_python"
        if python is not None:
            sources = python.sources_of(data["files"])
            _add_bytecode(data, [python.bytecode_of(source) for source in sources])
        for entry in data["paths_data"]["paths"]:
            if entry["path_type"] == "unix_python_entry_point":
                os.chmod(os.path.join(prefix, entry["_path"]), 0o755)  # noqa: S103  # not 0o775
    _write(path, data)
    return sources


def note_requested(prefix: str, record: PrefixRecord, requested: Sequence[str]) -> None:
    """Note in the record of a package that stays that the user asked for it."""
    path = path_of(prefix, record)
    data = _read(path)
    if data.get("requested_specs") != list(requested):
        _note_requested(data, requested)
        _write(path, data)


def _note_requested(data: dict[str, Any], requested: Sequence[str]) -> None:
    data["requested_specs"] = list(requested)
    if requested:
        data["requested_spec"] = requested[-1]
    else:
        data.pop("requested_spec", None)


def _add_bytecode(data: dict[str, Any], files: Sequence[str]) -> None:
    known = set(data["files"])
    new = [file for file in files if file not in known]
    data["files"] += new
    data["paths_data"]["paths"] += [{"_path": file, "path_type": "pyc_file"} for file in new]


_LONG = ("files", "paths_data")
"""What lists every file, and stays JSON where nothing in it changes."""


def _read(path: str) -> dict[str, Any]:
    import msgspec

    parts = msgspec.json.decode(own_bytes(path), type=dict[str, msgspec.Raw])
    return {key: raw if key in _LONG else msgspec.json.decode(raw) for key, raw in parts.items()}


def _write(path: str, data: Mapping[str, Any]) -> None:
    """Replace a record at once: a reader sees the old one or the new one.

    Not with ``json``: with an indent it is all Python, and a record may list thousands of files.
    """
    import msgspec

    # rattler's own are its user's alone
    write_file(path, msgspec.json.format(msgspec.json.encode(data), indent=2), mode=0o644)
