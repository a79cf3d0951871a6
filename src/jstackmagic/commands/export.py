"""Render the recipe, the net of the history, as a file that makes it permanent.

Examples:
    %envexport dockerfile
    %envexport dockerfile --output Dockerfile --from registry.example.com/base-notebook:2026-11-02
    %envexport dockerfile --fragment --pin spec
    %envexport dockerfile --check Dockerfile --from registry.example.com/base-notebook:2026-11-02
                                                 # exit status 1, and the difference, if it is old
    %envexport --all FOLDER                      # every format, and a README that tells of them
    %envexport --check-all FOLDER
    %envexport json --output recipe.json         # the recipe itself
    %envexport --recipe recipe.json dockerfile   # what that file says, not this user's history
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import export
from ..display import Code, Part, Result, Table, Text
from ..export import Artifact
from ..export._choice import file_names
from ..history.file import History
from ..model.errors import ExportError, JStackMagicError, UsageError
from ..model.recipe import Recipe, fold
from ..model.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..export import Format
    from . import Session

_NOT_FOR_RENDER = (
    *("format", "output", "check", "recipe", "into", "options", "json"),
    *("all", "check_all", "all_from", "all_image"),
)
_README = "README.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a format; each format declares its own arguments."""
    parser.add_argument("--all", metavar="FOLDER", help="write every format, and a README")
    parser.add_argument("--check-all", metavar="FOLDER", help="whether all that is up to date")
    for option, what in (("from", "the base image"), ("image", "the image of the recipe")):
        parser.add_argument(
            f"--{option}", dest=f"all_{option}", metavar="IMAGE", help=f"for all: {what}"
        )
    _add_recipe(parser, default=None)
    formats = parser.add_subparsers(dest="format", metavar="FORMAT")
    for name, module in export.formats().items():
        summary = _summary(module)
        one = formats.add_parser(name, help=summary.replace("%", "%%"), description=summary)
        one.add_argument(
            "-o", "--output", metavar="FILE", help="write it, and what it needs beside it"
        )
        one.add_argument(
            "--check", metavar="FILE", help="exit with 1, and the difference, if FILE is old"
        )
        _add_recipe(one, default=argparse.SUPPRESS)
        module.arguments(one)


def _add_recipe(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        default=default,
        help="a recipe.json or a history, in the place of this user's history",
    )


def _summary(module: Format) -> str:
    return (module.__doc__ or "").strip().split("\n", 1)[0]


def run(args: argparse.Namespace, session: Session) -> Result:  # noqa: ARG001
    """Fold the history and render it."""
    folders = [folder for folder in (args.all, args.check_all) if folder]
    if len(folders) + bool(args.format) != 1:
        raise UsageError(
            "One format is needed, or --all FOLDER.",
            kept="Nothing was written.",
            advice=f"The formats: {', '.join(export.formats())}",
        )
    source = _Source.of(args.recipe)
    if args.all:
        return _write_all(Path(args.all).expanduser(), list(_all(source, args)))
    if args.check_all:
        return _check_all(Path(args.check_all).expanduser(), list(_all(source, args)))
    options = {key: value for key, value in vars(args).items() if key not in _NOT_FOR_RENDER}
    module = export.get(args.format)
    artifact = source.render(module, options)
    if args.check:
        path = Path(args.check).expanduser()
        return Checked(_difference(module, artifact, path), (str(path),))
    written: tuple[Path, ...] = ()
    if getattr(args, "into", ""):
        written = _insert(module, artifact, Path(args.into).expanduser())
    if args.output:
        written += artifact.write(Path(args.output).expanduser())
    return Exported(
        artifact=replace(artifact, notes=(*artifact.notes, *artifact.check())),
        written=tuple(str(path) for path in written),
    )


@dataclass(frozen=True)
class _Source:
    """What is exported.

    Attributes:
        recipe: The recipe.
        records: The history it is the net of; empty where the recipe is all there is.
        here: Whether it is this user's own, whose environments may be on this disk.
    """

    recipe: Recipe
    records: Sequence[Record] = ()
    here: bool = False

    @classmethod
    def of(cls, file: str | None) -> _Source:
        if file is None:
            from ._holdings import on_disk

            records = History().records()
            return cls(on_disk(fold(records)), records, here=True)
        path = Path(file).expanduser()
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}.", kept="Nothing was written."
            ) from None
        if b'"event"' in text.split(b"\n", 1)[0]:
            records = History(path).records()
            return cls(fold(records), records)
        from ..model.recipefile import recipe_of

        return cls(recipe_of(text))

    def render(self, module: Format, options: dict[str, Any]) -> Artifact:
        """Render, with what this machine knows in the place of options that nobody gave."""
        from . import _holdings

        recipe, notes, hints = self.recipe, tuple[str, ...](), list[str]()
        given = dict(options)
        if "base_image" in given:
            given["base_image"], hints = self._base_image(given)
        if given.get("image") == "":
            from ._built import built_image

            given["image"] = built_image(self.records)
        if self.here and given.get("name") == given.get("prefix") == "":
            given["prefix"] = self._running()
        which = {"name": given.get("name", ""), "prefix": given.get("prefix", "")}
        if given.get("ask_index") and given.get("hashes", True):
            recipe, notes = _holdings.of_index(recipe, **which)
        if given.get("platforms"):
            recipe = _holdings.of_platforms(recipe, given["platforms"], **which)
        if "records" in inspect.signature(module.render).parameters:
            given["records"] = self.records
        artifact = module.render(recipe, **given)
        return replace(artifact, notes=(*artifact.notes, *notes, *hints))

    def _base_image(self, given: dict[str, Any]) -> tuple[str, list[str]]:
        """What to build on where nobody said, and what else the Docker Stacks' table tells."""
        from ..where.host import look
        from ._suggest import likely_image, suggestions

        image, hints = given["base_image"] or look().image or "", list[str]()
        if not image and self.here and not given.get("fragment"):
            image = likely_image(self.records)
            if image:
                hints.append(
                    f"Nothing names the base image; by what is in it, it is {image}."
                    " Name yours: --from"
                )
        found = suggestions(image, self.recipe)
        if found.base and found.best:
            has = ", ".join(found.best.has)
            hints.append(f"{found.best.stack.name} has {has} already: %envimage suggest")
        return image, hints

    def _running(self) -> str:
        """The running environment's prefix, where the recipe has something of it; else empty."""
        known = (step.environment.prefix for step in self.recipe.steps if step.environment)
        return sys.prefix if sys.prefix in known else ""


def _difference(module: Format, artifact: Artifact, path: Path) -> str:
    """How a file differs; a block counts as up to date wherever in the file it stands."""
    if hasattr(module, "insert") and path.is_file():
        artifact = replace(artifact, text=_inserted(module, artifact, path))
    return artifact.difference(path)


def _inserted(module: Any, artifact: Artifact, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}.", kept="Nothing was written.") from None
    return str(module.insert(artifact.text, text, notebook=path.suffix == ".ipynb"))


def _insert(module: Any, artifact: Artifact, path: Path) -> tuple[Path, ...]:
    from ..export._artifact import write_text

    text = _inserted(module, artifact, path)
    written = artifact.write_beside(path.parent)
    write_text(path, text)
    return (path, *written)


# All formats


@dataclass(frozen=True)
class _Rendered:
    """One format in a folder of all; ``reason`` is why there is none."""

    name: str
    file: str
    summary: str
    artifact: Artifact | None = None
    reason: str = ""


def _all(source: _Source, args: argparse.Namespace) -> Iterator[_Rendered]:
    """Every format with its own defaults, and without a question to the network."""
    said = {"ask_index": False, "base_image": args.all_from, "image": args.all_image}
    for name, module in export.formats().items():
        parser = argparse.ArgumentParser(add_help=False)
        module.arguments(parser)
        defaults = vars(parser.parse_args([]))
        options = {key: value for key, value in defaults.items() if key not in _NOT_FOR_RENDER}
        options |= {
            key: value
            for key, value in said.items()
            if value is not None and options.get(key) in ("", True)
        }
        for file, more in module.FILES.items():
            if "prefix" not in options:
                yield _one(source, name, file, {**options, **more})
                continue
            # the first environment of the recipe, wherever this runs
            for folder, prefix in _environments(source.recipe).items():
                if not folder or getattr(module, "ONE_ENVIRONMENT", False):
                    yield _one(source, name, folder + file, {**options, **more, "prefix": prefix})


def _environments(recipe: Recipe) -> dict[str, str]:
    """The prefixes of a recipe's environments, by the folder of what is written of each."""
    known = [*dict.fromkeys(step.environment for step in recipe.steps if step.environment)]
    first = {"": known[0].prefix if known else ""}
    names = file_names(known[1:])
    return first | {f"environments/{name}/": each.prefix for each, name in names.items()}


def _one(source: _Source, name: str, file: str, options: dict[str, Any]) -> _Rendered:
    module = export.get(name)
    try:
        artifact = source.render(module, options)
    except JStackMagicError as error:
        return _Rendered(name, file, _summary(module), reason=error.problem)
    return _Rendered(name, file, _summary(module), artifact)


def _readme(rendered: Sequence[_Rendered]) -> Artifact:
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
    """A sentence that Markdown shows as it is."""
    import re

    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", " ".join(text.split()))


def _write_all(folder: Path, rendered: Sequence[_Rendered]) -> ExportedAll:
    written: list[Path] = []
    for each in rendered:
        if each.artifact is not None:
            written += each.artifact.write(folder / each.file)
    written += _readme(rendered).write(folder / _README)
    return ExportedAll(
        rows=tuple((each.file, each.name, each.summary) for each in rendered if each.artifact),
        missing=tuple((each.file, each.reason) for each in rendered if not each.artifact),
        written=tuple(dict.fromkeys(map(str, written))),
    )


def _check_all(folder: Path, rendered: Sequence[_Rendered]) -> Checked:
    """Compare a folder; a format that cannot be rendered from this source is not judged."""
    checked = [each for each in rendered if each.artifact]
    diffs = [each.artifact.difference(folder / each.file) for each in checked if each.artifact]
    skipped = [each for each in rendered if not each.artifact and (folder / each.file).exists()]
    if not skipped:
        diffs.append(_readme(rendered).difference(folder / _README))
    return Checked(
        "".join(diffs),
        tuple(str(folder / each.file) for each in checked),
        tuple(f"{folder / each.file} was not checked: {each.reason}" for each in skipped),
    )


# Results


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """A rendered recipe.

    Attributes:
        artifact: The text, the files it needs, and what could not be kept.
        written: The files that were written; empty where it is only shown.
    """

    artifact: Artifact
    written: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The artifact's own text."""
        return self.artifact.text

    def summary(self) -> str:
        """Where it went, or how long it is."""
        return self.written[0] if self.written else f"{len(self.text.splitlines())} lines"

    def parts(self) -> Sequence[Part]:
        """The text, or where it was written, and the notes."""
        parts: list[Part] = []
        if self.written:
            parts += [Text(f"Wrote {path}") for path in self.written]
        else:
            parts.append(Code(self.text.rstrip("\n")))
            parts += [
                Text(f"It needs {file.name} beside it; --output FILE writes both.", "quiet")
                for file in self.artifact.files
            ]
        return [*parts, *(Text(note, "warning") for note in self.artifact.notes)]

    def to_json(self) -> Any:
        """The text, the files and the notes."""
        return {
            "text": self.text,
            "files": [file.name for file in self.artifact.files],
            "written": list(self.written),
            "notes": list(self.artifact.notes),
        }


@dataclass(frozen=True, repr=False)
class ExportedAll(Result):
    """A folder of all formats.

    Attributes:
        rows: File, format and what it is, of those that were written.
        missing: File and reason, of those that could not be.
        written: Every file that was written, those beside them and the README too.
    """

    rows: tuple[tuple[str, str, str], ...]
    missing: tuple[tuple[str, str], ...]
    written: tuple[str, ...]

    def summary(self) -> str:
        """How many."""
        return f"{len(self.rows)} formats written"

    def parts(self) -> Sequence[Part]:
        """What was written, and what could not be."""
        parts: list[Part] = [Table(("File", "Format", "What it is"), self.rows)]
        parts += [Text(f"{file} was not written: {why}", "warning") for file, why in self.missing]
        return [*parts, Text(f"{self.written[-1]} says what each of them does not hold.")]

    def to_json(self) -> Any:
        """The files, and the reasons for those that are missing."""
        return {
            "formats": [{"file": f, "format": n, "summary": s} for f, n, s in self.rows],
            "missing": [{"file": file, "reason": reason} for file, reason in self.missing],
            "written": list(self.written),
        }


@dataclass(frozen=True, repr=False)
class Checked(Result):
    """Whether files are what an export would write.

    Attributes:
        difference: What an export would change; empty where nothing.
        files: What was compared.
        notes: What was not.
    """

    difference: str
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 where a file is out of date."""
        return 1 if self.difference else 0

    def summary(self) -> str:
        """Whether all is up to date."""
        return "out of date" if self.difference else "up to date"

    def parts(self) -> Sequence[Part]:
        """The difference, or that there is none."""
        notes = [Text(note, "warning") for note in self.notes]
        if self.difference:
            return [Code(self.difference.rstrip("\n")), *notes]
        return [Text(f"{', '.join(self.files)}: up to date.", "good"), *notes]

    def to_json(self) -> Any:
        """The difference."""
        return {
            "up_to_date": not self.difference,
            "difference": self.difference,
            "files": list(self.files),
            "notes": list(self.notes),
        }
