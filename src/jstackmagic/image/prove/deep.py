"""The deep part of the proof: the content of the installed files, and imports that work."""

from __future__ import annotations

import base64
import csv
import json
import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.managers import is_system
from ...where.packages import files_of
from ..engine.client import speaking
from .files import sha256
from .proof import FileDifference, FileState, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model.environment import Environment
    from ...model.packages import Package
    from ...model.record import Record
    from ..engine.client import Engine
    from .files import Tree
    from .proof import Side

_INSTALLERS_OWN = re.compile(
    r".*\.dist-info/(?:RECORD|REQUESTED|INSTALLER|direct_url\.json|uv_cache\.json)"
)
"""What tells how a distribution was installed; the comparison of the metadata has read it."""

_TOP_LEVEL = re.compile(
    r".*/(?:site|dist)-packages/(?P<module>[A-Za-z]\w*)(?:/__init__\.py|\.py|(?:\.[\w-]+)?\.so)"
)
_IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
sys.stdout = sys.__stdout__
print("\\n" + json.dumps(failed))
"""
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A file as a record has it.

    Attributes:
        package: Whose it is.
        sha256: Empty where the record gives none.
        has_prefix: Whether the environment's prefix may stand in it.
        in_image: For a script that the installer wrote for an entry point, what the image's own
            record says of it: pip and uv word such a script differently.
    """

    package: str
    sha256: str
    has_prefix: bool = False
    in_image: str = ""


def contents(
    environments: Sequence[Environment], sides: Sequence[Side], tree: Tree
) -> tuple[tuple[FileDifference, ...], list[str]]:
    """Compare the files of the packages that are the same on both sides by their metadata.

    Args:
        environments: Those of here.
        sides: What was compared.
        tree: The image's metadata, and the hashes of its files.

    Returns:
        The files that differ, and sentences about what could not be read.
    """
    found: list[FileDifference] = []
    unread: list[str] = []
    for environment, side in _pairs(environments, sides):
        for path, recorded in _recorded_files(environment, side, tree):
            there = side.in_image + path.removeprefix(environment.prefix)
            if recorded.has_prefix and side.in_image != environment.prefix:
                continue  # the prefix stands in it, and is another
            try:
                with open(path, "rb") as file:
                    here = sha256(file)
            except FileNotFoundError:
                here = ""
            except OSError as error:
                unread.append(f"{path} cannot be read: {error.strerror}.")
                continue
            image = tree.hashes.get(there, "")
            as_written = (here, image) == (recorded.sha256, recorded.in_image)
            state = _state(here, image, recorded.sha256)
            if state and not (here and image and as_written):
                found.append(FileDifference(side.name, recorded.package, path, state))
    return tuple(found), unread


def _pairs(
    environments: Sequence[Environment], sides: Sequence[Side]
) -> Iterator[tuple[Environment, Side]]:
    by_prefix = {environment.prefix: environment for environment in environments}
    for side in sides:
        if side.environment is not None and side.image is not None:
            yield by_prefix[side.environment.prefix], side


def _state(here: str, image: str, recorded: str) -> FileState | None:
    if here == image:
        return None
    if not here:
        return "not here"
    if not image:
        return "not in the image"
    if recorded == image:
        return "changed here"
    return "changed in the image" if recorded == here else "differs"


def _recorded_files(
    environment: Environment, side: Side, tree: Tree
) -> Iterator[tuple[str, _Recorded]]:
    """The files of the packages that are the same on both sides, absolute, with their records."""
    assert side.image is not None
    for package in side.here.packages:
        other = side.image.get(package.manager, package.name)
        if other is None or not same(package, other):
            continue
        if package.manager == "conda":
            yield from _of_conda(environment, package)
        elif not package.editable:
            yield from _of_distribution(environment, package, side.in_image, tree)


def _of_conda(environment: Environment, package: Package) -> Iterator[tuple[str, _Recorded]]:
    stem = f"{package.name}-{package.version}-{package.build}.json"
    try:
        record = json.loads(Path(environment.prefix, "conda-meta", stem).read_bytes())
    except (OSError, ValueError):
        return  # the comparison of the metadata has said so
    for entry in (record.get("paths_data") or {}).get("paths") or ():
        path, kind = str(entry.get("_path", "")), entry.get("path_type")
        if kind not in ("hardlink", None) or path.endswith(".pyc") or _INSTALLERS_OWN.match(path):
            continue
        placeholder = bool(entry.get("prefix_placeholder"))
        digest = entry.get("sha256_in_prefix") or ("" if placeholder else entry.get("sha256"))
        yield (
            f"{environment.prefix}/{path}",
            _Recorded(package.name, str(digest or ""), placeholder),
        )


def _of_distribution(
    environment: Environment, package: Package, in_image: str, tree: Tree
) -> Iterator[tuple[str, _Recorded]]:
    owned = files_of(package, environment)
    record = next((path for path in owned if path.endswith(".dist-info/RECORD")), None)
    if record is None:
        return
    written = _entry_points(posixpath.dirname(record))
    library = posixpath.dirname(posixpath.dirname(record))
    there = _rows(tree.path(in_image + record.removeprefix(environment.prefix)))
    for name, digest in _rows(Path(record)).items():
        path = posixpath.normpath(posixpath.join(library, name))
        if not path.startswith(f"{environment.prefix}/"):
            continue
        if path.endswith(".pyc") or _INSTALLERS_OWN.match(path):
            continue
        # a script's first line names the interpreter, so the prefix
        in_bin = os.path.dirname(path) == f"{environment.prefix}/bin"
        own = there.get(name, "") if in_bin and os.path.basename(path) in written else ""
        yield path, _Recorded(package.name, digest, in_bin, own)


def _rows(record: Path) -> dict[str, str]:
    """The files of a RECORD, relative to its library, with their hashes; {} where there is none."""
    try:
        text = record.read_text(encoding="utf-8")
    except OSError:
        return {}
    return {row[0]: _hexadecimal(row[1:2]) for row in csv.reader(text.splitlines()) if row}


def _entry_points(folder: str) -> set[str]:
    """The names of the scripts that an installer writes for a distribution (PEP 621's scripts)."""
    from configparser import ConfigParser, Error

    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(f"{folder}/entry_points.txt", encoding="utf-8")
    except (Error, UnicodeDecodeError):
        return set()
    sections = [name for name in ("console_scripts", "gui_scripts") if parser.has_section(name)]
    return {name.strip() for section in sections for name in parser[section]}


def _hexadecimal(column: Sequence[str]) -> str:
    """RECORD's ``sha256=`` and base64 without its padding, as hexadecimal digits."""
    kind, _, text = (column[0] if column else "").partition("=")
    if kind != "sha256":
        return ""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


# Imports


def imports(
    engine: Engine,
    image: str,
    environments: Sequence[Environment],
    sides: Sequence[Side],
    records: Sequence[Record],
) -> tuple[tuple[str, ...], list[str]]:
    """Import the top-level modules of what the history added, in the image.

    What fails to import here as well is no difference.

    Returns:
        The modules that fail only there, with the error, and sentences about what could not be
        tried.
    """
    found: list[str] = []
    unread: list[str] = []
    for environment, side in _pairs(environments, sides):
        modules = sorted(set(_added_modules(environment, records)))
        if not modules or environment.executable is None:
            continue
        python = side.in_image + environment.executable.removeprefix(environment.prefix)
        there = _import_in_image(engine, image, python, modules)
        if there is None:
            unread.append(f"{python} of the image could not be run, to import what was added.")
            continue
        here = _import_here(environment.executable, list(there)) if there else {}
        found += [
            f"{name} in {side.name}: {error}" for name, error in there.items() if name not in here
        ]
    return tuple(found), unread


def _added_modules(environment: Environment, records: Iterable[Record]) -> Iterator[str]:
    packages = {
        package
        for record in records
        if record.outcome and record.environment.prefix == environment.prefix
        for package in (*record.outcome.change.added, *record.outcome.resolved)
        if not is_system(package.manager)
    }
    for package in packages:
        for path in files_of(package, environment):
            match = _TOP_LEVEL.fullmatch(path)
            if match:
                yield match["module"]


def _import_in_image(
    engine: Engine, image: str, python: str, modules: Sequence[str]
) -> dict[str, str] | None:
    """The modules that fail in the image, with their errors; None where Python does not run."""
    api = engine.client.api
    with speaking("The image could not be run"):
        created = api.create_container(
            image,
            entrypoint=[python],
            command=["-c", _IMPORT, *modules],
            network_disabled=True,
            host_config=api.create_host_config(network_mode="none"),
        )["Id"]
        try:
            api.start(created)
            api.wait(created, timeout=_SECONDS)
            return _failures(api.logs(created, stdout=True, stderr=False).decode(errors="replace"))
        finally:
            api.remove_container(created, v=True, force=True)


def _import_here(python: str, modules: Sequence[str]) -> dict[str, str]:
    from ...io import process
    from ...model.plan import Command

    captured = process.capture(Command((python, "-c", _IMPORT, *modules)))
    return _failures(captured.stdout) or {}


def _failures(output: str) -> dict[str, str] | None:
    """The last line of the output, where it is what was asked for."""
    lines: list[Any] = output.strip().splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return {str(name): str(error) for name, error in found.items()}
