"""Python distributions in an image's layer."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from ...model.environment import Environment
from ...model.errors import Stopped
from ...model.packages import Package
from ...where.compiled import is_compiled
from ...where.distributions import RecordRow, record_rows
from ...where.metadata import files_of
from ..layered import LayerFile, masked

_RECORD = re.compile(r".*/[^/]+-[^/]+\.dist-info/RECORD")
_UVS_OWN = ("uv_cache.json", "uv_build.json")


def layered(package: Package, environment: Environment, spec: str | None) -> Iterator[LayerFile]:
    """Yield the files of a distribution, its RECORD and the mark that it was requested."""
    if package.editable:
        raise Stopped(f"{package.name} is an editable project: its files are not the image's.")
    paths = files_of(package, environment)
    record = next((path for path in paths if _RECORD.fullmatch(path)), None)
    if record is None:
        raise Stopped(f"{package.name} has no RECORD of its files.")
    folder = posixpath.dirname(record)
    library, name = posixpath.split(folder)
    mark = f"{folder}/REQUESTED"

    def left_out(path: str) -> bool:
        own = os.path.dirname(path) == folder and os.path.basename(path) in _UVS_OWN
        return own or (path == mark and spec is None) or is_compiled(path)

    for path in paths:
        if not left_out(path) and path not in (record, mark):
            direct = path == f"{folder}/direct_url.json"
            yield LayerFile(path, masked if direct else None)
    added = [f"{name}/REQUESTED"] if spec is not None else []

    def lacks(row: str) -> bool:
        return left_out(os.path.normpath(os.path.join(library, row)))

    yield LayerFile(record, lambda content: pip_record(content, lacks, added))
    if added:
        yield LayerFile(mark, lambda _: b"", like=record)


def pip_record(content: bytes, left_out: Callable[[str], bool], added: Iterable[str]) -> bytes:
    """Return a sorted RECORD, without rows of files that the layer does not have.

    Args:
        left_out: Returns whether the layer does not have a file, by its name in a row.
        added: The names of files to list in addition.
    """
    text = content.decode("utf-8", "surrogateescape")
    rows = {row.path: row for row in record_rows(text) if not left_out(row.path)}
    rows |= {name: RecordRow(name) for name in added if name not in rows}
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows[name] for name in sorted(rows))
    return out.getvalue().encode("utf-8", "surrogateescape")
