"""Find what is already there: the records of a prefix, and the specs that they serve."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from ...io.reading import check_plain, not_plain, read_once
from ...model.environment import Environment
from ...model.errors import NOTHING_CHANGED, CommandFailed
from ...model.extras import is_here
from ...model.packages import Package
from ...model.spec import URL
from ...where.metadata import conda_records, read_packages
from . import plain
from .spec import CondaSpec, configuration, name_of, parse, read_archive

if TYPE_CHECKING:
    from rattler import MatchSpec, PrefixRecord


def records(prefix: str) -> dict[str, PrefixRecord]:
    """Return the records of ``conda-meta`` by package name; an unchanged record is read once."""
    found = read_once(sorted(conda_records(prefix)), _record)
    return {str(record.name.normalized): record for record in found}


def check_records(prefix: str) -> None:
    """Refuse a prefix whose records an engine would wait for without end.

    Raises:
        CommandFailed: There is a pipe or a device among them.
    """
    check_plain(not_plain(f"{prefix}/conda-meta"), what="conda's record of a package")


def _record(path: str) -> PrefixRecord:
    try:
        if not is_here("rattler"):
            return cast("PrefixRecord", plain.PlainRecord.from_path(Path(path)))
        from rattler import PrefixRecord

        return PrefixRecord.from_path(Path(path))
    except OSError:
        raise
    except Exception as error:  # rattler has an error of its own for each way to be wrong
        raise CommandFailed(
            f"{path} is no record of a package: {error}",
            advice="Move it away, and install that package again.",
        ) from error


def is_match(match: MatchSpec, package: Package) -> bool:
    """Return whether a package fits a match spec, by its name, version and build."""
    if not is_here("rattler"):
        return match.matches(cast("PrefixRecord", plain.PlainRecord.of(package)))
    from rattler import BuildString, PackageRecord

    number = re.search(r"\d+$", package.build)
    build = BuildString(package.build)
    record = PackageRecord(
        package.name, package.version, build, int(number[0]) if number else 0, "noarch"
    )
    return match.matches(record)


class Installed:
    """The packages of a prefix, each record read only when it is needed."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._paths = {
            os.path.basename(path).rsplit("-", 2)[0]: path
            for path in conda_records(environment.prefix)
        }

    @property
    def names(self) -> Collection[str]:
        return self._paths.keys()

    def serves(self, spec: CondaSpec) -> bool:
        """Return whether the installed packages meet a spec, with everything that it needs."""
        record = self._get(spec.name)
        if record is None or not spec.match.matches(record) or not self._is_from(record, spec):
            return False
        return all(self._whole(record, set()))

    def matches(self, spec: CondaSpec) -> bool:
        """Return whether the installed packages fit a spec."""
        record = self._get(spec.name)
        return record is not None and spec.match.matches(record) and self._is_from(record, spec)

    def _get(self, name: str) -> PrefixRecord | None:
        path = self._paths.get(name)
        return next(iter(read_once([path] if path else (), _record)), None)

    def _is_from(self, record: PrefixRecord, spec: CondaSpec) -> bool:
        from ...where.condarc import channel_urls

        if spec.archive:
            return bool(URL.match(spec.archive)) or _is_archive(record, spec.archive)
        if spec.match.subdir and record.subdir != spec.match.subdir:
            return False
        # conda leaves the URL of a file's path unquoted
        url = unquote(record.url)
        return not spec.channel or any(
            url.startswith(f"{unquote(channel)}/")
            for channel in channel_urls(spec.channel, configuration(self._environment))
        )

    def _whole(self, record: PrefixRecord, seen: set[str]) -> Iterator[bool]:
        for text in record.depends:
            depends = _dependency(text)
            name = name_of(depends)
            if name.startswith("__"):  # the system's, not the environment's
                continue
            needed = self._get(name)
            yield needed is not None and depends.matches(needed)
            if needed is not None and name not in seen:
                seen.add(name)
                yield from self._whole(needed, seen)


@lru_cache(maxsize=20_000)
def _dependency(text: str) -> MatchSpec:
    return parse(text)


def _is_archive(record: PrefixRecord, path: str) -> bool:
    return record.sha256 is not None and record.sha256.hex() == read_archive(path).sha256


def check_installed(specs: Sequence[CondaSpec], installed: Installed) -> None:
    """Refuse to remove packages that are not installed.

    Raises:
        CommandFailed: A spec matches no installed package; the error names similar ones.
    """
    missing = [spec for spec in specs if not installed.matches(spec)]
    if missing:
        names = ", ".join(spec.text for spec in missing)
        near = [name for spec in missing for name in nearest(spec.name, installed.names)]
        raise CommandFailed(
            f"Not installed by conda: {names}.",
            kept=NOTHING_CHANGED,
            advice=(
                *([f"Installed is: {', '.join(dict.fromkeys(near))}"] if near else []),
                "What pip installed, pip removes: %envremove --pip NAME",
            ),
        )


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return a few names similar to a misspelt one, the nearest first."""
    from difflib import get_close_matches

    return get_close_matches(name, names, n=3, cutoff=0.6)


def lone_archives(specs: Iterable[CondaSpec], environment: Environment) -> Iterator[str]:
    """Yield a sentence for each missing dependency of an archive: conda installs archives alone."""
    there = {package.name for package in read_packages(environment, ("conda",)).packages}
    there |= {spec.name for spec in specs}
    for spec in specs:
        if not os.path.isabs(spec.archive):
            continue
        names = {name_of(parse(text)) for text in read_archive(spec.archive).depends}
        missing = sorted(name for name in names - there if not name.startswith("__"))
        if missing:
            yield (
                f"conda installs an archive alone. {spec.name} also needs: "
                f"%envinstall --conda {' '.join(missing)}"
            )
