"""The source of an export: a recipe, and what this machine knows in addition."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .. import managers
from ..history.built import built_image, built_on
from ..history.file import History
from ..io.reading import MAX_NOTEBOOK, bytes_of, path_of, text_or_none
from ..model.errors import ExportError, UsageError
from ..model.ledger import Ledger, fold
from ..model.managers import is_system
from ..model.recipe import Recipe
from ..model.record import Record
from ..model.spec import RequirementsFile
from ..where.debiansources import added_sources
from . import _holdings
from ._artifact import Artifact
from ._format import Format
from ._own import Own


def _portable(recipe: Recipe, records: Sequence[Record]) -> tuple[Recipe, tuple[str, ...]]:
    """Return a recipe for other machines, and sentences on what will be missing there."""
    pairs = [managers.get(step.manager).portable(step, records) for step in recipe.steps]
    notes = dict.fromkeys(note for _, several in pairs for note in several)
    return replace(recipe, steps=tuple(step for step, _ in pairs)), tuple(notes)


class BaseFinder(Protocol):
    """Names the base image; see `jstackmagic.image.stacks.base_image`."""

    def __call__(
        self, recipe: Recipe, records: Sequence[Record], image: str, *, guess: bool
    ) -> tuple[str, Sequence[str]]:
        """Return the image, and sentences for the user."""


@dataclass(frozen=True)
class Source:
    """The source of an export."""

    recipe: Recipe
    #: the history it is the net of; empty if there is only the recipe
    records: Sequence[Record] = ()
    history: History | None = None
    #: whether it is this user's own, so that its environments may be on this disk
    here: bool = False
    left_out: Sequence[str] = ()  #: a sentence for each part that does not count here

    @classmethod
    def of(
        cls,
        file: str | None,
        history: History,
        records: Sequence[Record],
        left_out: Sequence[str] = (),
    ) -> Source:
        """Read a recipe or a history; without a file, this user's history.

        Args:
            records: Its records that count here.
            left_out: A sentence for each part that does not.

        Raises:
            UsageError: The file cannot be read, or is neither.
        """
        if file is None:
            recipe, notes = _portable(fold(records), records)
            return cls(_holdings.on_disk(recipe), records, history, True, (*left_out, *notes))
        path = path_of(file)
        try:
            text = bytes_of(path, limit=MAX_NOTEBOOK)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}.", kept="Nothing was written."
            ) from None
        if b'"event"' in text.split(b"\n", 1)[0]:
            records = History(path).records()
            return cls(fold(records), records, history)
        from ..model.recipefile import recipe_of

        return cls(recipe_of(text), history=history)

    def _built_on(self) -> str:
        return built_on(self.records, self.history) if self.history else ""

    def render(self, form: Format, options: dict[str, Any], base: BaseFinder) -> Artifact:
        """Render, with this machine's values for options that were not given.

        Raises:
            ExportError: The format raised it; what no request could say is its advice.
        """
        try:
            return self._render(form, options, base)
        except ExportError as error:
            error.advice += said(self.records)
            raise

    def _render(self, form: Format, options: dict[str, Any], base: BaseFinder) -> Artifact:
        recipe, notes = self.recipe, list[str]()
        given = dict(options)
        if form.calls_for("base image", given):
            guess = self.here and not given.get("fragment")
            given["base_image"], hints = base(
                self.recipe,
                self.records,
                given["base_image"] or self._built_on(),
                guess=guess,
            )
            notes += hints
        if form.calls_for("built image", given) and not given["image"] and self.history:
            given["image"] = built_image(self.records, self.history)
        if self.here and form.chooses and not (given["name"] or given["prefix"]):
            given["prefix"] = self._running()
        which = {key: given[key] for key in ("name", "prefix")} if form.chooses else {}
        if form.calls_for("index", given) and not given["offline"]:
            recipe, more = _holdings.of_index(recipe, **which)
            notes = [*more, *notes]
        if form.calls_for("platforms", given):
            recipe = _holdings.of_platforms(recipe, given["platforms"], **which)
        keywords = form.keywords(given)
        if form.calls_for("records", given):
            keywords["records"] = self.records
        if form.calls_for("jstackmagic", given):
            keywords["own"] = Own.of(recipe).step()
        artifact = form.render(recipe, **keywords)
        return replace(artifact, notes=(*artifact.notes, *notes, *said(self.records)))

    def debian_sources(self) -> Iterator[str]:
        """Yield what apt needs beside the names: sources that the base image lacks."""
        steps = [step for step in self.recipe.steps if is_system(step.manager)]
        asked = ", ".join(item.name for step in steps for item in step.install)
        for each in added_sources() if self.here and asked else ():
            yield (
                f"apt had a source here that the base image lacks: {each}. {asked} may come from"
                " there: copy that file and its keys into the image before apt-get update."
            )

    def own(self, *, added: bool | None = None) -> str:
        """Return a sentence on whether the artifact has jstackmagic itself; empty if none is due.

        Args:
            added: Whether it is added to the image; None if it is not an image.
        """
        if not self.here:
            return ""
        own = Own.of(self.recipe)
        return own.in_file() if added is None else own.in_image(added=added)

    def _running(self) -> str:
        """Return the running environment's prefix if it is in the recipe; otherwise empty."""
        known = (step.environment.prefix for step in self.recipe.steps if step.environment)
        return sys.prefix if sys.prefix in known else ""


_SHOWN = 8
_WIDTH = 100  # characters of a command


def said(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the notes of records that count, and the commands that no export has.

    A note of a record whose packages were removed again since is left out.
    """
    ledger = Ledger.of(records)
    asked = {item.text for step in ledger.recipe().steps for item in step.install}
    taken = ledger.taken_back()
    notes = dict.fromkeys(
        sentence
        for record in ledger.records
        if record.id not in taken
        for sentence in _sentences(record, asked)
    )
    shown = tuple(notes)[:_SHOWN]
    more = len(notes) - len(shown)
    return (*shown, f"{more} more such notes: %envhistory --status seen") if more > 0 else shown


_ONLY_IN_A_LIST = re.compile(r"^[^#]*?(?:\w\s*\[|;|--hash|\$\{|--config-setting)", re.MULTILINE)


def _lost_of_lists(record: Record, asked: set[str]) -> Iterator[str]:
    """Yield what is lost of the lists that what is left of them stands for; see `model.recipe`."""
    lists = [
        spec
        for spec in record.request.specs
        if isinstance(spec, RequirementsFile) and spec.text not in asked
    ]
    if not lists or record.outcome is None:
        return
    came = (*record.outcome.resolved, *record.outcome.change.came)
    left = dict.fromkeys(p.name for p in came if f"{p.name}=={p.version}" in asked)
    for spec in lists if left else ():
        text = None if spec.is_url else text_or_none(spec.place)
        if text is None or _ONLY_IN_A_LIST.search(text):
            yield (
                f"{spec.place}: a package of it went or moved since, so that {', '.join(left)}"
                " is asked for by name and version, without the list's extras, markers,"
                " hashes and variables."
            )


def _sentences(record: Record, asked: set[str]) -> Iterator[str]:
    asked_for = f"{record.request.manager}: {' '.join(record.request.texts)}"
    command = " ".join(" ".join(record.commands[:1] or (asked_for,)).split())
    command = command if len(command) <= _WIDTH else f"{command[: _WIDTH - 1]}…"
    file = os.path.basename(record.context.notebook)
    where = f"{command} ({file})" if file else command
    if record.status == "ok":
        yield from _lost_of_lists(record, asked)
    if record.status == "seen":
        yield from (f"Not in this: {where}: {note}" for note in record.notes)
    elif record.status in ("ok", "planned") and asked.intersection(record.request.texts):
        yield from (f"{where}: {note}" for note in record.notes)
