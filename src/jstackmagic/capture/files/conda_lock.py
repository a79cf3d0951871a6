"""conda-lock.yml, conda-lock's unified lock file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...model.documents import parse_yaml
from ...model.errors import InvalidSpec
from ...model.parsing import read_requirement, read_specs
from .. import Found
from ..machine import host_of
from . import Reading
from ._finds import archive_of, finds, folder_of, has, of_lock, platform_here, text_of


def recognises(path: Path) -> bool:
    yaml = path.suffix in (".yml", ".yaml")
    return yaml and has(path, r"^package:") and has(path, r"^metadata:")


def read(path: Path) -> Reading:
    """Read its locks for this platform: archives for conda, then pip's files with hashes."""
    here = platform_here()
    text = text_of(path)
    try:
        data = parse_yaml(text, str(path))
        packages = [dict(package) for package in data["package"]]
        platforms = [str(platform) for platform in data["metadata"]["platforms"]]
    except (TypeError, KeyError, ValueError) as error:
        problem = f"{path} is not a lock file: {error}"
        raise InvalidSpec(problem) from None
    if here not in platforms:
        raise InvalidSpec(
            f"{path} locks {', '.join(platforms)}, and this machine is {here}.",
            advice=f"Lock it for this machine too: conda-lock --platform {here}",
        )
    line = next(
        n for n, line in enumerate(text.splitlines(), start=1) if line.startswith("package:")
    )
    own = [package for package in packages if package.get("platform") == here]
    wanted = [package for package in own if package.get("category", "main") == "main"]
    found = [*_found(wanted, folder_of(path), line)]
    hosts = sorted({host for package in wanted if (host := _file_host(package))})
    others = sorted({str(p["category"]) for p in own if p not in wanted})
    notes = [f"Its {category} packages are left aside." for category in others]
    if hosts:
        notes.append(
            f"pip asks its own index for the files that the lock has from {', '.join(hosts)}."
        )
    return Reading(path, tuple(found), tuple(notes))


def _file_host(package: dict[str, Any]) -> str:
    """Return the host of a file that pip takes by its version; empty for another package."""
    url = str(package.get("url") or "")
    if package.get("manager") != "pip" or package.get("source") or not package.get("version"):
        return ""
    return "" if "+" in url.partition("://")[0] else host_of(url)


def _found(packages: list[dict[str, Any]], folder: str, line: int) -> Iterator[Found]:
    archives: list[str] = []
    entries: list[tuple[str, bool]] = []
    for package in packages:
        name, url = str(package.get("name")), str(package.get("url") or "")
        digest = (package.get("hash") or {}).get("sha256") or ""
        if package.get("manager") == "conda" and url:
            archives.append(archive_of(url, digest, (package.get("hash") or {}).get("md5")))
        elif package.get("manager") == "pip" and package.get("version"):
            direct = package.get("source") or "+" in url.partition("://")[0]
            spec = f"{name} @ {url}" if direct else f"{name}=={package['version']}"
            has_hash = bool(digest) and "+" not in url.partition("://")[0]
            entries.append((f"{spec} --hash=sha256:{digest}" if has_hash else spec, has_hash))
        else:
            yield Found(name, line, reason="The lock does not say where it comes from.")
    yield from finds(read_specs(archives, manager="conda", folder=folder), line=line)
    read = ((read_requirement(text, folder=folder), has_hash) for text, has_hash in entries)
    yield from of_lock(read, line=line)
