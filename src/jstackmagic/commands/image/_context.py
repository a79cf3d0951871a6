"""The context of a build: the Dockerfile, the files it copies, the history, and the labels."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...history.built import history_id
from ...history.file import IMAGE_HISTORY
from ...image.engine.labels import BASE, HISTORY, labels, recipe_hash
from ...io.reading import path_of
from ...model.errors import ExportError
from ...model.ledger import fold
from ...model.recipe import Recipe
from ...model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...history.file import History
    from ...image.engine.build import Builder
    from ...image.engine.client import Engine
    from ...image.engine.container import Base
    from ...managers.page import Style
    from ...model.record import Record
    from ._how import How

FOLDER = "jstackmagic-image"
"""The folder for the context, in the working folder, if no engine is available."""

_HISTORY = "jstackmagic/history.jsonl"


@dataclass(frozen=True)
class Context:
    """A folder to build, with what is known about it.

    Attributes:
        folder: The folder.
        dockerfile: The Dockerfile's name in it.
        default_tag: The image's name by default.
        base: Its base image; empty for a given Dockerfile.
        recipe: The recipe it installs; empty for a given Dockerfile.
        labels: The labels for the image.
        notes: Sentences the user should read.
        secrets: The build secrets it needs: by id the text, with its credential masked.
    """

    folder: Path
    default_tag: Reference
    dockerfile: str = "Dockerfile"
    base: str = ""
    recipe: Recipe = field(default_factory=Recipe)
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def given(file: str, history: History) -> Iterator[Context]:
    """Yield the folder of the user's Dockerfile."""
    path = path_of(file).resolve()
    yield Context(folder=path.parent, default_tag=_tag("file", history), dockerfile=path.name)


@contextlib.contextmanager
def rendered(how: How, engine: Engine, history: History) -> Iterator[Context]:
    """Yield the recipe, rendered into a temporary folder for its base image.

    Raises:
        ExportError: It cannot be rendered.
        EngineError: The engine cannot be asked.
        UsageError: The engine does not offer the builder that was requested.
    """
    from ...image.engine.build import builder_of

    builder = builder_of(engine, how.builder)
    with tempfile.TemporaryDirectory(prefix="jstackmagic-image-") as folder:
        yield write(Path(folder), how, history, _base(how, engine, history), builder=builder)


def write(
    folder: Path,
    how: How,
    history: History,
    base: Base | None = None,
    *,
    builder: Builder = "classic",
) -> Context:
    """Write a context to a folder.

    Args:
        folder: The folder; made if it does not exist.
        how: The options of the build.
        history: The history to build.
        base: The base image; None if no engine can be asked for it.
        builder: The builder; a context for the classic one suits any other, too.

    Raises:
        ExportError: It cannot be rendered or written.
    """
    from datetime import datetime, timezone

    from ...export._own import Own
    from ...export.dockerfile import render

    records = history.records()
    recipe = fold(records)
    reference = base.reference if base else _guessed_base(how, records)
    style = how.style or _style(base.variables if base else None)
    own = Own.of(recipe).step() if how.with_jstackmagic else None
    artifact = plain = render(recipe, style=style, base_image=reference, own=own)
    if builder == "buildkit" and _can_write_caches(style, base):
        artifact = render(recipe, style=style, base_image=reference, cache_mounts=True, own=own)
    faults = artifact.check()
    if faults:
        raise ExportError(faults[0], kept="Nothing was built.", advice=faults[1:])
    folder.mkdir(parents=True, exist_ok=True)
    written = artifact.write(folder / "Dockerfile")
    # whatever builds it, what comes of it is the same
    identity = recipe_hash(
        plain.text, base.image_id if base else "", [*_contents(folder, written[1:])]
    )
    _add_history(folder, history)
    return Context(
        folder=folder,
        default_tag=_tag("latest", history),
        base=reference,
        recipe=recipe,
        labels=labels(
            recipe=identity,
            records=records,
            base=reference,
            base_digest=base.digest if base else "",
            now=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        ),
        notes=tuple(plain.notes),
        secrets=artifact.secrets,
    )


def _contents(folder: Path, written: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for path in written:
        files = path.rglob("*") if path.is_dir() else (path,)
        for file in files:
            if file.is_file():
                yield str(file.relative_to(folder)), file.read_bytes()


def _add_history(folder: Path, history: History) -> None:
    """Add the history to the image: as the last layer, so that no other is rebuilt for it."""
    copy = folder / _HISTORY
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(history.content())
    copy.chmod(0o644)
    with (folder / "Dockerfile").open("a", encoding="utf-8", newline="\n") as dockerfile:
        dockerfile.write(f"COPY {_HISTORY} {IMAGE_HISTORY}\n")


def _tag(tag: str, history: History) -> Reference:
    """Return the given tag, or one with the history's random name."""
    name = history_id(history.records()).partition(".")[0]
    return Reference(f"jstackmagic/{name or 'nothing-installed'}", tag)


def _base(how: How, engine: Engine, history: History) -> Base | None:
    from ...image.engine.container import base_of, named_base, this_container
    from ...where.host import look

    if how.base_image:
        return named_base(engine, how.base_image)
    records = history.records()
    container = this_container(engine, look())
    if container is not None:
        base = base_of(engine, container)
        return _first_base(engine, base, records) or base
    guessed = _guessed_base(how, records)
    return named_base(engine, guessed) if guessed else None


def _first_base(engine: Engine, base: Base, records: Sequence[Record]) -> Base | None:
    """Return the base of an image of this history; the history has everything since then.

    Otherwise each build would use the previous one as its base, and none could be repeated.
    """
    from ...image.engine.container import named_base

    reference = base.labels.get(BASE)
    if not reference or base.labels.get(HISTORY) != history_id(records):
        return None
    first = named_base(engine, reference)
    return first if first.image_id or first.digest else None


def _guessed_base(how: How, records: Sequence[Record]) -> str:
    """Return the base that the user, the surroundings or the history name; empty if unknown."""
    from ...image.suggest import likely_image
    from ...where.host import look

    said = how.base_image or look().image
    recorded = (each.context.image for each in reversed(records) if each.context.image)
    return said or next(recorded, "") or likely_image(records)


def _can_write_caches(style: Style | None, base: Base | None) -> bool:
    """Return whether conda and pip can write to the caches as an export mounts them."""
    if base is None or not base.image_id:
        return False
    if style == "stacks":
        return (base.variables.get("NB_UID"), base.variables.get("NB_GID")) == ("1000", "100")
    return style == "legacy" or base.user in ("", "0", "root")


def _style(variables: Mapping[str, str] | None) -> Style | None:
    """Return the pattern for an image, by the variables that the Docker Stacks set.

    They have set NB_GID since August 2017; older images need the legacy pattern.
    """
    from ...where.host import look

    if variables is None:
        return "stacks" if look().stacks else None
    if {"CONDA_DIR", "NB_UID", "NB_GID"} <= variables.keys():
        return "stacks"
    return "legacy" if {"CONDA_DIR", "NB_USER"} <= variables.keys() else None
