"""apt's sources that were added since this container started, which its base image lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..model.credentials import mask


@dataclass(frozen=True, slots=True)
class DebianSource:
    """One file of apt's sources."""

    file: str
    places: tuple[str, ...]  #: its URLs, with credentials masked
    keys: tuple[str, ...] = ()  #: the files of the keys that it is signed by
    components: tuple[str, ...] = ()  #: the components it turns on, such as ``contrib``

    def __str__(self) -> str:
        parts = [self.file, f"({', '.join(self.places)}"]
        parts += [f"{' '.join(self.components)}"] if self.components else []
        parts += [f"signed by {', '.join(self.keys)}"] if self.keys else []
        return f"{parts[0]} {', '.join(parts[1:])})"


def added_sources(root: Path = Path("/"), since: float | None = None) -> tuple[DebianSource, ...]:
    """Return the files of sources that are newer than the container.

    Args:
        since: Seconds since 1970; by default the start of the first process.
    """
    if since is None:
        try:
            since = os.stat("/proc/1").st_mtime
        except OSError:
            return ()
    return tuple(_added(root, since))


def _added(root: Path, since: float) -> Iterator[DebianSource]:
    folder = root / "etc/apt"
    paths = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for path in paths:
        if path.suffix not in (".list", ".sources"):
            continue
        try:
            if path.stat().st_mtime <= since:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = _read(text, f"/{path.relative_to(root)}")
        if found.places:
            yield found


_LINE = re.compile(
    r"^\s*deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+\S+(?P<rest>.*)"
)


def _read(text: str, file: str) -> DebianSource:
    """Read one-line and deb822 sources (sources.list(5)), without disabled ones."""
    places: list[str] = []
    keys: list[str] = []
    components: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            places.append(mask(match["uri"]))
            keys += re.findall(r"signed-by=(\S+)", match["options"] or "")
            components += match["rest"].partition("#")[0].split()
    for paragraph in re.split(r"\n\s*\n", text):
        fields = {
            key.lower(): value.split()
            for key, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", paragraph, re.MULTILINE)
        }
        if fields.get("enabled", ["yes"]) == ["no"]:
            continue
        places += [mask(uri) for uri in fields.get("uris", ())]
        keys += [key for key in fields.get("signed-by", ()) if key.startswith("/")]
        components += fields.get("components", ())
    unique = (tuple(dict.fromkeys(each)) for each in (places, keys, components))
    return DebianSource(file, *unique)
