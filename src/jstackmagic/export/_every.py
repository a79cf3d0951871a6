"""Every format of a recipe in one folder, and a README that says which is which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..model.errors import ExportError, JStackMagicError, Stopped
from ..model.extras import explained
from ..model.recipe import Recipe
from ..model.text import readable
from . import formats
from ._artifact import Artifact
from ._choice import file_names
from ._format import Format
from ._source import BaseFinder, Source

_README = "README.md"


@dataclass(frozen=True)
class Rendered:
    """One file of the folder."""

    name: str
    file: str  #: its path in the folder
    summary: str  #: the format's description
    artifact: Artifact | None = None  #: the rendered artifact; None if it could not be rendered
    reason: str = ""  #: the reason why not


def render_all(
    source: Source, base: BaseFinder, *, base_image: str | None, image: str | None
) -> list[Rendered]:
    """Render every format with its own defaults, and without asking the network."""
    given = {"base_image": base_image, "image": image}
    said = {key: value for key, value in given.items() if value is not None}
    return [
        each for name, form in formats().items() for each in _one(source, base, name, form, said)
    ]


def _one(
    source: Source, base: BaseFinder, name: str, form: Format, said: dict[str, str]
) -> Iterator[Rendered]:
    options = form.defaults()
    options |= {key: value for key, value in said.items() if options.get(key) == ""}
    if "offline" in options:
        options["offline"] = True
    environments = _environments(source.recipe) if form.chooses else {"": None}
    for file, more in form.files.items():
        for folder, prefix in environments.items():
            if folder and not form.one_environment:
                continue
            chosen = {} if prefix is None else {"prefix": prefix}
            yield _rendered(source, base, form, name, folder + file, {**options, **more, **chosen})


def _environments(recipe: Recipe) -> dict[str, str | None]:
    """Return the prefixes of a recipe's environments, by the folder of their files.

    The recipe's first environment is at the top, on any machine.
    """
    known = [*dict.fromkeys(step.environment for step in recipe.steps if step.environment)]
    first = {"": known[0].prefix if known else ""}
    names = file_names(known[1:])
    return {**first, **{f"environments/{name}/": each.prefix for each, name in names.items()}}


def _rendered(
    source: Source, base: BaseFinder, form: Format, name: str, file: str, options: dict[str, Any]
) -> Rendered:
    made = Rendered(name, file, form.summary)
    try:
        with explained():
            return replace(made, artifact=source.render(form, options, base))
    except Stopped as lacking:
        return replace(made, reason=lacking.reason)
    except JStackMagicError as error:
        return replace(made, reason=error.problem)


def writable(rendered: Sequence[Rendered]) -> list[Rendered]:
    """Return what was rendered, without each artifact that needs a file which is not here."""
    return [_writable(each) for each in rendered]


def _writable(rendered: Rendered) -> Rendered:
    try:
        if rendered.artifact:
            rendered.artifact.check_beside()
    except ExportError as error:
        return replace(rendered, artifact=None, reason=error.problem)
    return rendered


def write_all(folder: Path, rendered: Sequence[Rendered]) -> tuple[Path, ...]:
    """Write the rendered files, and the README last; return their paths.

    Raises:
        ExportError: The folder cannot be written to.
    """
    written: list[Path] = []
    for each in rendered:
        if each.artifact is not None:
            written += each.artifact.write(folder / each.file)
    return (*dict.fromkeys(written), *_readme(rendered).write(folder / _README))


def difference_of_all(folder: Path, rendered: Sequence[Rendered]) -> tuple[str, tuple[str, ...]]:
    """Return how a folder differs from what would be written, and what could not be compared.

    A format that cannot be rendered from this source is not judged, and then neither is the README.
    """
    diffs = [each.artifact.difference(folder / each.file) for each in rendered if each.artifact]
    skipped = [each for each in rendered if not each.artifact and (folder / each.file).exists()]
    if not skipped:
        diffs.append(_readme(rendered).difference(folder / _README))
    notes = (f"{folder / each.file} was not checked: {each.reason}" for each in skipped)
    return "".join(diffs), tuple(notes)


def _readme(rendered: Sequence[Rendered]) -> Artifact:
    lines = [
        "# Which is which",
        "",
        "Made by jstackmagic from the record of what was installed: the same in every format, each"
        " as far as",
        "it can hold it.",
        "",
    ]
    for each in rendered:
        if each.artifact is None:
            continue
        lines += [f"## {each.file}", "", f"`%envexport {each.name}`: {each.summary}", ""]
        beside = [f"- `{file.name}` belongs to it." for file in each.artifact.files]
        notes = [f"- {_markdown(note)}" for note in each.artifact.notes]
        lines += [*beside, *notes, *([""] if beside or notes else [])]
    missing = [each for each in rendered if each.artifact is None]
    if missing:
        lines += ["## Not written", ""]
        lines += [f"- `{each.file}` ({each.name}): {_markdown(each.reason)}" for each in missing]
        lines.append("")
    return Artifact("\n".join(lines))


def _markdown(text: str) -> str:
    """Return a sentence that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", " ".join(readable(text).split()))
