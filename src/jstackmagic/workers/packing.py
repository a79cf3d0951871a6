"""Wheels and archives as rows of an order, kept in this host's store."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..where.distributions import headers
from . import worker

FOLDER_MODULES = "jstackmagic-working-folder"
"""The distribution in which modules of the working folder travel."""


def packed(info: str) -> dict[str, Any]:
    """Return the row of an installed distribution's wheel, made once.

    Raises:
        ValueError: One of its files was changed, or it has no list of them.
    """
    made = worker.fingerprint(worker.rows_of(info))
    note = Path(worker.store(), "packed", f"{made}.json")
    if made and note.exists():
        row: dict[str, Any] = json.loads(note.read_bytes())
        if worker.is_kept(row):
            return row
    row = worker.pack(info)
    worker.write(str(note), json.dumps(row).encode())
    return row


def archive_row(path: Path) -> dict[str, Any]:
    """Return the row of an archive, which is kept in this host's store."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    row = {"file": path.name, "sha256": digest, "size": len(data)}
    if not worker.is_kept(row):
        worker.keep(row, data)
    return row


def own_modules(folder: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of the modules that were imported from a folder, by their place in it."""
    root = Path(folder).resolve()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or "." in name or name == "__main__":
            continue
        path = Path(file).resolve()
        if path == root / f"{name}.py":
            yield path.name, path
        elif path == root / name / "__init__.py":
            for each in sorted(path.parent.rglob("*")):
                inside = each.relative_to(root)
                hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
                if each.is_file() and not hidden:
                    yield inside.as_posix(), each


def modules_wheel(files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the row of a wheel made of modules, whose version is the hash of their content."""
    content = {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    version = f"0+{digest.hexdigest()[:12]}"
    stem = f"{FOLDER_MODULES.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {FOLDER_MODULES}\nVersion: {version}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: jstackmagic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{stem}.dist-info/METADATA"] = metadata.encode()
    content[f"{stem}.dist-info/WHEEL"] = wheel.encode()
    return _made(stem, content)


def repacked(wheel: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the row of a wheel, its list of files made again, and what it requires."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if not n.endswith(("/", ".dist-info/RECORD"))]
        content = {name: archive.read(name) for name in names}
    info = next(name for name in names if name.endswith(".dist-info/WHEEL"))
    stem = info.partition(".dist-info/")[0]
    metadata = content.get(f"{stem}.dist-info/METADATA", b"").decode(errors="replace")
    return _made(stem, content), headers(metadata, "Requires-Dist")


def _made(stem: str, content: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the row of a wheel made of files."""
    rows = [worker.record_row(name, data, "") for name, data in content.items()]
    members = {name: (data, False) for name, data in content.items()}
    return worker.archive(stem, members, worker.fingerprint(rows))
