"""An @EXPLICIT list of conda archives, as `conda list --explicit` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from ...model.errors import InvalidSpec
from ...model.parsing import Asked, logical_lines, read_specs
from . import Reading
from ._finds import archive_of, check_platform, finds, folder_of, has, masked, text_of

_ARCHIVE = re.compile(
    r"(?P<url>\S+\.(?:conda|tar\.bz2))(?:#(?:sha256:|md5:)?(?P<hash>[0-9a-f]{64}|[0-9a-f]{32}))?"
)


def recognises(path: Path) -> bool:
    return path.is_file() and path.suffix != ".py" and has(path, r"^@EXPLICIT\s*$")


def read(path: Path) -> Reading:
    """Read it as one request, each archive with its hash."""
    specs: list[str] = []
    text, first = text_of(path), 0
    for number, line in logical_lines(text):
        if line.startswith("@"):
            continue
        archive = _ARCHIVE.fullmatch(line)
        if archive is None:
            raise InvalidSpec(f"Line {number} of {path} names no conda archive: {line}")
        first = first or number
        url = archive["url"]
        if ":" not in url:
            url = path.absolute().parent.joinpath(url).as_uri()
        placeholder = masked(url)
        if placeholder:
            raise InvalidSpec(
                f"Line {number} of {path} has {placeholder} where conda masked a token: no download"
                " can work.",
                advice="Put the token in its place, or a channel that needs none.",
            )
        digest = archive["hash"]
        specs.append(archive_of(url, digest if digest and len(digest) == 64 else None, digest))
    check_platform(path, text, (spec.partition("#")[0] for spec in specs))
    asked = read_specs(specs, manager="conda", folder=folder_of(path))
    # conda-lock writes what pip has to install as comments, for itself and micromamba
    lines = re.findall(r"^# pip (.+)$", text, re.MULTILINE)
    if lines:
        asked += read_specs(map(str.strip, lines), manager="pip", folder=folder_of(path))
        asked += Asked(pip_options=("--no-deps",))  # all there is to install is in the list
    return Reading(path, tuple(finds(asked, line=first)))
