"""Helpers of the formats: texts, and finds made of requests."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...io.reading import beginning, text_of
from ...model.errors import InvalidSpec
from ...model.parsing import Asked
from ...model.sources import Sources
from .. import Found, Target

__all__ = [
    "archive_of",
    "beginning",
    "check_platform",
    "finds",
    "folder_of",
    "has",
    "line_of",
    "masked",
    "of_lock",
    "platform_here",
    "text_of",
]

_SUBDIR = re.compile(r"/(noarch|(?:linux|osx|win|freebsd|emscripten|zos)-[\w]+)/[^/]+$")


def has(path: Path, pattern: str) -> bool:
    """Return whether the beginning of a file holds a line that matches."""
    return re.search(pattern, beginning(path), re.MULTILINE) is not None


def folder_of(path: Path) -> str:
    """Return the folder that a file's relative paths are relative to."""
    return str(path.absolute().parent)


def line_of(text: str, heading: str) -> int:
    """Return the line of a table or a key, from 1; 0 if it is not found."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith(heading):
            return number
    return 0


def platform_here() -> str:
    """Return this machine's platform as conda calls it, such as ``linux-64``."""
    machine = platform.machine().lower()
    system = {"darwin": "osx", "windows": "win"}.get(platform.system().lower(), "linux")
    if machine in ("x86_64", "amd64"):
        return f"{system}-64"
    return f"{system}-{'arm64' if system != 'linux' and machine == 'aarch64' else machine}"


def check_platform(path: Path, text: str, urls: Iterable[str] = ()) -> None:
    """Stop at a list that was made for another platform, by its heading or its URLs.

    Raises:
        InvalidSpec: It says so.
    """
    here = platform_here()
    said = re.search(r"^# platform:\s*(\S+)", text, re.MULTILINE)
    folders = [match[1] for url in urls if (match := _SUBDIR.search(url))]
    others = sorted({each for each in folders if each not in ("noarch", here)})
    if said and said[1] not in ("noarch", here):
        others = [said[1]]
    if others:
        raise InvalidSpec(
            f"{path} is of {', '.join(others)}, and this machine is {here}.",
            advice="Make it on such a machine, or from a list without builds: environment.yml",
        )


_MASKED = re.compile(
    r"<[A-Z][A-Z_ -]*>|\*{3,}(?=[@/])|(?<=/t/)(?:\*+|<[^>]+>)(?=/)|\[redacted\]", re.I
)


def masked(text: str) -> str:
    """Return the placeholder that masks a credential; empty without one.

    >>> masked("https://c.example/t/<TOKEN>/ch/noarch/x-1-0.conda"), masked("https://****@h.example")
    ('<TOKEN>', '****')
    >>> masked("six<2"), masked("git+https://${TOKEN}@h.example/r.git")
    ('', '')
    """
    match = _MASKED.search(text) if "://" in text else None
    return match[0] if match else ""


def finds(asked: Asked, *, line: int = 0) -> Iterator[Found]:
    """Yield the requests of a text, one per manager, in the order in which they work."""
    target = Target(name=asked.name, advised=True)
    for request in asked.requests():
        yield Found(command=" ".join(request.texts), line=line, request=request, target=target)
    for problem in asked.problems:
        yield Found(problem.text, problem.line, reason=problem.reason)


def of_lock(
    entries: Iterable[tuple[Asked, bool]], *, line: int = 0, sources: Sources | None = None
) -> Iterator[Found]:
    """Yield a lock's requests of pip: files that it can check by a hash, then the others.

    Args:
        entries: Each package, and whether it has a hash. A lock is whole: nothing is resolved.
    """
    parts = {True: Asked(), False: Asked()}
    for asked, has_hash in entries:
        parts[has_hash] += asked
    whole = Asked(sources=sources or Sources(), pip_options=("--no-deps",))
    for part in parts.values():
        yield from finds(part + whole, line=line)


def archive_of(url: str, sha256: str | None, md5: str | None) -> str:
    """Return the URL of a conda archive with its hash, as an explicit list has it."""
    return url + (f"#sha256:{sha256}" if sha256 else f"#{md5}" if md5 else "")
