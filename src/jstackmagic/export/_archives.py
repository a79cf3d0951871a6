"""All archives of an index that serve the installed versions, for exports that lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ..model.credentials import MASK, mask
from ..model.errors import JStackMagicError
from ..model.packages import Package, normalise
from ..model.recipe import Archive, Holding
from ..where.environment import detect
from ._locked import is_direct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pypi_simple import PyPISimple

    from ._choice import Chosen

_SECONDS = 30.0
_AT_ONCE = 8


def complete(chosen: Chosen) -> tuple[Holding, tuple[str, ...]]:
    """Return an environment's packages with their indexes' archives; and what went wrong.

    An index counts if it has the exact archive that was installed: another one may have another
    project of that name.
    """
    import requests
    from pypi_simple import UnsupportedRepoVersionError

    wanted = [p for p in chosen.holding.packages if p.manager == "pip" and not is_direct(p)]
    if not wanted:
        return chosen.holding, ()
    found: list[Archive] = []
    notes: list[str] = []
    missing = wanted
    for index in _indexes(chosen):
        if MASK in index:
            notes.append(f"{index} needs its credential, which is not recorded: it was not asked.")
            continue
        try:
            archives = _ask(index, missing)
        except (requests.RequestException, UnsupportedRepoVersionError, ValueError) as error:
            notes.append(f"{mask(index)} could not be asked: {type(error).__name__}.")
            continue
        found += archives
        served = {archive.name for archive in archives}
        missing = [package for package in missing if package.name not in served]
    if missing:
        names = ", ".join(package.name for package in missing)
        notes.append(f"No index lists the archives of {names}: only the installed ones are locked.")
    return replace(chosen.holding, archives=tuple(found)), tuple(notes)


def _indexes(chosen: Chosen) -> Iterator[str]:
    """Yield the requested indexes, each once, and pip's own if a step names none."""
    steps = chosen.of("pip")
    named = [step.sources.index_url for step in steps if step.sources.index_url]
    extra = [url for step in steps for url in step.sources.extra_index_urls]
    if len(named) < len(steps) or not steps:
        named.append(_default(chosen.environment.prefix))
    yield from dict.fromkeys((*named, *extra))


def _default(prefix: str) -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    from ..managers.pip.config import configured

    try:
        setting = configured(detect(prefix)).get("index-url")
        return setting.value if setting else PYPI_SIMPLE_ENDPOINT
    except JStackMagicError:  # the environment is not here
        return os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT


def _ask(index: str, packages: Sequence[Package]) -> list[Archive]:
    """Return an index's archives of some packages, over a few connections at once.

    Raises:
        requests.RequestException: It cannot be reached, or answers with an error.
        UnsupportedRepoVersionError: Its format is too new.
        ValueError: It is not an index.
    """
    shares = [packages[start::_AT_ONCE] for start in range(min(_AT_ONCE, len(packages)))]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(lambda share: list(_ask_for(index, share)), shares)
        return [archive for archives in found for archive in archives]


def _ask_for(index: str, packages: Sequence[Package]) -> Iterator[Archive]:
    import requests
    from pypi_simple import PyPISimple

    with requests.Session() as session:
        session.verify = os.environ.get("PIP_CERT") or session.verify
        client = PyPISimple(index, session=session)
        for package in packages:
            yield from _archives(client, package)


def _archives(client: PyPISimple, package: Package) -> Iterable[Archive]:
    from pypi_simple import NoSuchProjectError

    try:
        page = client.get_project_page(package.name, timeout=_SECONDS)
    except NoSuchProjectError:
        return ()
    found = [
        Archive(package.name, package.version, mask(file.url), file.digests["sha256"])
        for file in page.packages
        if file.project is not None
        and normalise(file.project) == package.name
        and file.version is not None
        and _same_version(file.version, package.version)
        and file.package_type in ("wheel", "sdist")
        and "sha256" in file.digests
    ]
    if package.sha256 and all(archive.sha256 != package.sha256 for archive in found):
        return ()
    return found


def _same_version(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
