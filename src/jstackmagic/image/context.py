"""The context of a build: the Dockerfile, the files it copies, the history, and the labels."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..history.built import history_id
from ..history.file import IMAGE_HISTORY, History
from ..io.reading import path_of
from ..model.errors import ExportError
from ..model.recipe import Recipe, Style
from ..model.record import Record
from ..model.reference import Reference
from ..where.host import look
from ..where.image import ImageLooks, look_at_image
from .engine import Builder
from .engine.build import builder_of
from .engine.container import ContainerBase, base_of, named_base, this_container
from .engine.dockersdk import ContainerEngine
from .engine.labels import BASE, HISTORY, labels, recipe_hash
from .engine.roots import container_of, is_there
from .stacks import likely_image

Render = Callable[..., Any]
"""Renders the recipe as a Dockerfile; see `jstackmagic.export.dockerfile.render`."""

_HISTORY = "jstackmagic/history.jsonl"


@dataclass(frozen=True)
class BuildContext:
    """A folder to build, with what is known about it."""

    folder: Path
    default_tag: Reference
    dockerfile: str = "Dockerfile"  #: the Dockerfile's name in it
    base: str = ""  #: its base image; empty for a given Dockerfile
    #: the recipe it installs; empty for a given Dockerfile
    recipe: Recipe = field(default_factory=Recipe)
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    #: the build secrets it needs: by id the text, with its credential masked
    secrets: Mapping[str, str] = field(default_factory=dict)


def given(file: str, history: History) -> BuildContext:
    """Return the folder of the user's Dockerfile."""
    path = path_of(file).resolve()
    return BuildContext(folder=path.parent, default_tag=_tag("file", history), dockerfile=path.name)


@dataclass(frozen=True)
class Rendering:
    """A way to render a history."""

    render: Render  #: renders its recipe
    base_image: str | None = None  #: the base image; None for this container's
    style: Style | None = None  #: the Dockerfile's pattern; None for one that suits the base
    notes: Sequence[str] = ()  #: a sentence for each part of the history that is left out


@contextlib.contextmanager
def rendered(
    rendering: Rendering, engine: ContainerEngine, history: History, builder: Builder | None
) -> Iterator[BuildContext]:
    """Yield the recipe, rendered into a temporary folder for its base image.

    Raises:
        ExportError: It cannot be rendered.
        EngineError: The engine cannot be asked.
        UsageError: The engine does not offer the builder that was requested.
    """
    chosen = builder_of(engine, builder)
    with tempfile.TemporaryDirectory(prefix="jstackmagic-image-") as folder:
        base = _base(rendering, engine, history.records())
        looks = _looks(engine, base) if base else None
        yield write(Path(folder), rendering, history, base, looks, builder=chosen)


def write(
    folder: Path,
    rendering: Rendering,
    history: History,
    base: ContainerBase | None = None,
    looks: ImageLooks | None = None,
    *,
    builder: Builder = "classic",
) -> BuildContext:
    """Write a context to a folder.

    Args:
        folder: The folder; made if it does not exist.
        base: The base image; None if no engine can be asked for it.
        looks: The tools that it has; None for those that are here.
        builder: The builder; a context for the classic one suits any other, too.

    Raises:
        ExportError: It cannot be rendered or written.
    """
    records = history.records()
    reference = base.reference if base else _guessed_base(rendering, records)
    looks = look_at_image() if looks is None else looks
    style = rendering.style or looks.style
    render = partial(
        rendering.render,
        style=style,
        base_image=reference,
        user=looks.user,
        in_image=looks.prefixes,
        conda_program=looks.conda,
    )
    artifact = plain = render()
    if builder == "buildkit" and _can_write_caches(style, base):
        artifact = render(cache_mounts=True)
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
    return BuildContext(
        folder=folder,
        default_tag=_tag("latest", history),
        base=reference,
        recipe=history.ledger().recipe(),
        labels=labels(identity, records, reference, base.digest if base else ""),
        notes=(*rendering.notes, *plain.notes),
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


def _base(
    rendering: Rendering, engine: ContainerEngine, records: Sequence[Record]
) -> ContainerBase | None:
    if rendering.base_image:
        return named_base(engine, rendering.base_image)
    container = this_container(engine, look())
    if container is not None:
        base = base_of(engine, container)
        return _first_base(engine, base, records) or base
    guessed = _guessed_base(rendering, records)
    return named_base(engine, guessed) if guessed else None


def _first_base(
    engine: ContainerEngine, base: ContainerBase, records: Sequence[Record]
) -> ContainerBase | None:
    """Return the base of an image of this history; the history has everything since then.

    Otherwise each build would use the previous one as its base, and none could be repeated.
    """
    reference = base.labels.get(BASE)
    if not reference or base.labels.get(HISTORY) != history_id(records):
        return None
    first = named_base(engine, reference)
    return first if first.image_id or first.digest else None


def _guessed_base(rendering: Rendering, records: Sequence[Record]) -> str:
    """Return the base that the user, the surroundings or the history name; empty if unknown."""
    said = rendering.base_image or look().image
    recorded = (each.context.image for each in reversed(records) if each.context.image)
    return said or next(recorded, "") or likely_image(records)


def _can_write_caches(style: Style | None, base: ContainerBase | None) -> bool:
    """Return whether conda and pip can write to the caches as an export mounts them."""
    if base is None or not base.image_id:
        return False
    if style == "stacks":
        return (base.variables.get("NB_UID"), base.variables.get("NB_GID")) == ("1000", "100")
    return style == "legacy" or base.user in ("", "0", "root")


def _looks(engine: ContainerEngine, base: ContainerBase) -> ImageLooks:
    """Return the tools that an image has; nothing of one that the engine does not have yet."""
    if not base.image_id:
        return ImageLooks()
    with container_of(engine, base.image_id) as created:
        looks = look_at_image(base.variables, partial(is_there, engine, created))
    return looks if looks.kind == "stacks" else replace(looks, user=base.user)
