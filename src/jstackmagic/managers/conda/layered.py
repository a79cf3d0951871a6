"""conda packages in an image's layer."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from functools import partial
from typing import Any

from ...model.credentials import mask
from ...model.environment import Environment
from ...model.packages import Package
from ...where.compiled import is_compiled
from ...where.metadata import files_of, metadata_of
from ..layered import LayerFile

_PLACES = ("extracted_package_dir", "package_tarball_full_path")
"""The fields of a conda record that name a path in a user's package cache."""


def layered(package: Package, environment: Environment, spec: str | None) -> Iterator[LayerFile]:
    """Yield the files of a package, and its record."""
    yield from map(LayerFile, files_of(package, environment))
    root = environment.root or environment.prefix
    for path in metadata_of(package, environment):
        yield LayerFile(path, partial(conda_record, spec=spec, root=root))


def conda_record(content: bytes, spec: str | None, root: str) -> bytes:
    """Return conda's record of a package without what depends on the user and the time.

    Args:
        spec: The recorded spec for it; None if it is a dependency.
        root: The prefix of the conda root, whose package cache it names.

    Raises:
        ValueError: It is not a record.
    """
    record: dict[str, Any] = json.loads(content)
    for key in ("requested_spec", "requested_specs"):
        record.pop(key, None)
    if spec is not None:
        record["requested_spec"] = mask(spec)
        record["requested_specs"] = [mask(spec)]
    for key in _PLACES:
        record.pop(key, None)
    if isinstance(record.get("link"), dict):
        source = str(record["link"].get("source", ""))
        record["link"]["source"] = f"{root}/pkgs/{posixpath.basename(source)}" if source else ""
        record["link"]["type"] = 1
    for key in ("url", "channel"):
        if isinstance(record.get(key), str):
            record[key] = mask(record[key])
    record["files"] = sorted(f for f in record.get("files") or () if not is_compiled(f))
    paths = record.get("paths_data")
    if isinstance(paths, dict) and isinstance(paths.get("paths"), list):
        kept = (each for each in paths["paths"] if not is_compiled(str(each.get("_path", ""))))
        paths["paths"] = sorted(kept, key=lambda each: str(each.get("_path", "")))
    return json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"
