"""One environment as the list that a cluster's formats are made of: conda's, or pip's alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.errors import ExportError
from ..model.pins import Pin
from ..model.recipe import Recipe
from ._artifact import Artifact, File
from ._beside import Beside
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, PIN, Format
from ._requirements import Requirements
from .conda import environment_yml


@dataclass(frozen=True, slots=True)
class WorkerList:
    """An environment's list."""

    chosen: Chosen
    name: str  #: ``environment.yml``, or ``requirements.txt`` where it is none of conda's
    text: str
    files: tuple[File, ...]  #: the files that it names
    notes: tuple[str, ...]  #: sentences on what it does not hold

    @property
    def is_conda(self) -> bool:
        """Return whether conda reads it."""
        return self.name == "environment.yml"

    def artifact(self, text: str, *notes: str, beside: bool = True, runs: bool = False) -> Artifact:
        """Return a text with the list's files and notes, and with the list itself beside it."""
        own = (File(self.name, self.text.encode()),) if beside else ()
        return Artifact(text, (*own, *self.files), (*self.notes, *notes), executable=runs)


def listed(recipe: Recipe, name: str, prefix: str, pin: Pin) -> WorkerList:
    """Return the list of an environment.

    Raises:
        ExportError: There is nothing to write, or something cannot be said safely.
    """
    chosen = choose(recipe, name=name, prefix=prefix)
    requirements = Requirements(pin, Beside(recipe))
    if chosen.environment.kind.startswith("conda"):
        text, notes = environment_yml(chosen, requirements, pin)
        return WorkerList(
            chosen, "environment.yml", text, requirements.files, (*chosen.left_out, *notes)
        )
    lines = requirements.lines(chosen.of("pip"))
    if not lines:
        raise ExportError(f"pip was asked for nothing in {chosen.name}.")
    notes = (*chosen.left_out, *requirements.notes)
    text = "".join(f"{line}\n" for line in lines)
    return WorkerList(chosen, "requirements.txt", text, requirements.files, notes)


def for_workers(
    description: str | None, file: str, written: Callable[[WorkerList], Artifact]
) -> Format:
    """Return a cluster's format."""

    def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
        return written(listed(recipe, name, prefix, pin))

    return Format(
        description, {file: {}}, render, options=(*ENVIRONMENT, PIN), one_environment=True
    )
