"""Installs in notebook files: ``.ipynb``, scripts with cells, text notebooks through jupytext."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.reading import MAX_NOTEBOOK, bytes_of, text_or_none
from ..model.errors import InvalidSpec, UsageError
from . import Found
from .cells import CellReader, foreign
from .lines import recognise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model.packages import ManagerName

NOTEBOOK = (".ipynb",)
SCRIPT = (".py", ".ipy")
TEXT_NOTEBOOK = (".md", ".qmd", ".Rmd", ".rmd")
SUFFIXES = NOTEBOOK + SCRIPT + TEXT_NOTEBOOK

SKIPPED_FOLDERS = frozenset((".git", ".ipynb_checkpoints", "node_modules", "__pycache__"))

_PYTHONS = re.compile(r"^[ \t]*(?:[!%]\S|import |from \S+ import )|\A#!.*python", re.MULTILINE)
_PYTHON = ("", "python", "ipython", "python2", "python3", "sagemath", "xpython")
_SHELL = ("bash", "sh", "zsh", "shell")


@dataclass(frozen=True, slots=True)
class Finding:
    """An install or a removal, and its place.

    Attributes:
        file: The path as given, or as found in a folder.
        cell: The number among all cells, counted from 1; 0 in a script without cells.
        line: The line in the cell; in a script, in the file.
        found: The find.
    """

    file: str
    cell: int
    line: int
    found: Found


@dataclass(frozen=True, slots=True)
class Reading:
    """The finds of one file.

    Attributes:
        file: Its path.
        findings: In the file's order.
        kernel: The kernelspec that a notebook names.
        display_name: Its name in the launcher.
        problem: Why the file, or the part of it after the findings, could not be read.
    """

    file: str
    findings: tuple[Finding, ...] = ()
    kernel: str = ""
    display_name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    number: int
    source: str
    first_line: int = 1
    language: str = "python"


def files(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Yield the files to read, each once: those named, and the notebooks in the folders named.

    In a folder, a script or a Markdown file counts only if it says that it is a notebook.
    """
    seen: set[str] = set()
    for path in (os.fspath(path) for path in paths):
        for file in _in_folder(path) if os.path.isdir(path) else (path,):
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file


def read(file: str, *, unsaid: ManagerName = "pip") -> Reading:
    """Read one file; an unreadable one gets a problem instead of an error.

    Args:
        file: Its path.
        unsaid: The manager of ``%envinstall`` for specs that name none.
    """
    try:
        data = bytes_of(Path(file), limit=MAX_NOTEBOOK)
    except OSError as error:
        return Reading(file, problem=f"It cannot be read: {error.strerror or error}.")
    except InvalidSpec as error:
        return Reading(file, problem=error.problem)
    if not data.strip():
        return Reading(file, problem="It is empty.")
    folder = os.path.dirname(os.path.abspath(file))
    try:
        cells, (kernel, display_name) = _cells(file, data)
    except _UnreadableError as error:
        return Reading(file, problem=str(error))
    other = sorted({cell.language for cell in cells if cell.language not in _PYTHON + _SHELL})
    return Reading(
        file,
        findings=tuple(_findings(file, cells, folder, unsaid)),
        kernel=kernel,
        display_name=display_name,
        problem=f"Cells in {', '.join(other)} are not read." if other else "",
    )


def python_cells(file: str) -> list[str]:
    """Return the Python cells of one file, as written.

    Raises:
        UsageError: It cannot be read, or is not a notebook.
    """
    try:
        with open(file, "rb") as opened:
            data = opened.read()
        cells = _cells(file, data)[0] if data.strip() else []
    except (OSError, _UnreadableError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{file} cannot be read: {reason}", kept="Nothing was started.") from None
    return [cell.source for cell in cells if cell.language in _PYTHON]


def _cells(file: str, data: bytes) -> tuple[list[_Cell], tuple[str, str]]:
    """Return the cells of a file, and the kernelspec that a notebook names."""
    if file.endswith(NOTEBOOK):
        return _notebook(data)
    if file.endswith(TEXT_NOTEBOOK):
        return _text_notebook(file, _text(data))
    text = _text(data)
    if os.path.splitext(file)[1] not in ("", *SCRIPT) and not re.match(r"#!.*python", text):
        raise _UnreadableError("It is no notebook, script or list of packages that is read here.")
    if not file.endswith(SCRIPT) and not _PYTHONS.search(text):
        raise _UnreadableError("It is no notebook, script or list of packages that is read here.")
    return _script(text), ("", "")


def _findings(
    file: str, cells: Sequence[_Cell], folder: str, unsaid: ManagerName
) -> Iterator[Finding]:
    notebook = any(cell.number for cell in cells)
    reader = CellReader(folder=folder, unsaid=unsaid, notebook=notebook)
    reader.state.machine.look = text_or_none
    for cell in cells:
        if cell.language in _SHELL:
            finds = recognise(cell.source, state=reader.state)
        elif cell.language in _PYTHON:
            finds = reader.read(cell.source)
        elif cell.language in ("r", "ir", "julia"):
            finds = foreign(cell.language, cell.source, 1)
        else:
            continue
        for found in finds:
            yield Finding(file, cell.number, found.line + cell.first_line - 1, found)


class _UnreadableError(Exception):
    """A file that is not a notebook; the message says why."""


# Folders


def _in_folder(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.endswith(SUFFIXES) and (name.endswith(NOTEBOOK) or _is_text_notebook(path)):
                yield path


def _is_text_notebook(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            text = _text(file.read())
    except OSError:
        return True  # it is listed with the reason
    if path.endswith(SCRIPT):
        databricks = text.startswith(_DATABRICKS)
        return bool(
            databricks or _header(text) or re.search(_PERCENT, text) or re.search(_EXPORTED, text)
        )
    if path.endswith(".qmd") or re.search(r"^```\{(?:code-cell|python)\b", text, re.MULTILINE):
        return True
    header = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    return bool(header and re.search(r"^(?:jupyter|jupytext|kernelspec):", header[1], re.MULTILINE))


def _text(data: bytes) -> str:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


# .ipynb


@lru_cache(maxsize=1)
def _notebook_type() -> Any:
    """Of nbformat 3 and 4, the parts that are read; msgspec skips over outputs unbuilt."""
    import msgspec

    text = list[str] | str | None
    fields = [("cell_type", str, ""), ("source", text, None), ("input", text, None)]
    cell = msgspec.defstruct("Cell", [*fields, ("language", str, "")])
    sheet = msgspec.defstruct("Sheet", [("cells", list[cell], [])])  # type: ignore[valid-type]
    said = [("name", str, ""), ("language", str, ""), ("display_name", str, "")]
    kernelspec = msgspec.defstruct("Kernelspec", said)
    language = msgspec.defstruct("Language", [("name", str, "")])
    metadata = msgspec.defstruct(
        "Metadata",
        [("kernelspec", kernelspec | None, None), ("language_info", language | None, None)],
    )
    return msgspec.defstruct(
        "Notebook",
        [
            ("metadata", metadata | None, None),
            ("cells", list[cell] | None, None),  # type: ignore[valid-type]
            ("worksheets", list[sheet] | None, None),  # type: ignore[valid-type]
        ],
    )


def _notebook(data: bytes) -> tuple[list[_Cell], tuple[str, str]]:
    notebook = _decoded(data)
    if notebook.cells is None and notebook.worksheets is None:
        raise _UnreadableError("It is not a notebook: it has no cells.")
    metadata = notebook.metadata
    kernelspec = metadata and metadata.kernelspec
    info = metadata and metadata.language_info
    language = ((info and info.name) or (kernelspec and kernelspec.language) or "python").lower()
    sheets = [notebook.cells or []] + [sheet.cells for sheet in notebook.worksheets or []]
    every = [cell for cells in sheets for cell in cells]
    cells = [
        _Cell(number, _source(cell), language=_language(cell, language))
        for number, cell in enumerate(every, start=1)
        if cell.cell_type == "code"
    ]
    return cells, (kernelspec.name, kernelspec.display_name) if kernelspec else ("", "")


def _decoded(data: bytes) -> Any:
    import msgspec

    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data, type=_notebook_type())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:  # the standard library takes NaN and lone surrogates, which outputs may hold
        return msgspec.convert(json.loads(data.decode("utf-8", "replace")), _notebook_type())
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _UnreadableError(f"It is not a notebook: {str(error).rstrip('.')}.") from None


def _source(cell: Any) -> str:
    text = cell.source if cell.source is not None else cell.input
    return "".join(text) if isinstance(text, list) else text or ""


def _language(cell: Any, notebook: str) -> str:
    """Return a cell's language: nbformat 3 names it per cell, and calls any notebook's python."""
    return notebook if cell.language in ("", "python") else cell.language.lower()


# Scripts

_PERCENT = re.compile(r"^#[ \t]*%%(?=[ \t\n\[]|$)(.*)$", re.MULTILINE)
_EXPORTED = re.compile(r"^# In ?\[[\d ]*\]:()$", re.MULTILINE)
_LIGHT = re.compile(r"^# (?:\+(?: (.*))?|-)$", re.MULTILINE)
_COMMENTED = re.compile(r"^([ \t]*)# ?(?=[!%][^\n]|\w[\w, ]*= ?[!%]\w)")


def _header(text: str) -> str:
    """Return the commented YAML that jupytext writes at the head of a script; empty without one."""
    match = re.match(r"(?:#!.*\n|# -\*-.*\n|[ \t]*\n)*# ---\n((?:#.*\n)*?)# ---\n", text)
    return match[0] if match and "jupytext:" in match[1] else ""


_DATABRICKS = "# Databricks notebook source"
_COMMAND = re.compile(r"^# COMMAND -{10}()[ \t]*$", re.MULTILINE)
_MAGIC = re.compile(r"^# MAGIC ?", re.MULTILINE)
_OF_DATABRICKS = {"sh": "bash", "r": "r", "scala": "scala", "sql": "sql", "md": "markdown"}
"""The language of a Databricks cell by its one ``%``; Python's is the notebook's own."""


def _databricks(text: str) -> list[_Cell]:
    """Return the cells of a source file that Databricks exported: their magics are comments."""
    cells, at = [], text.index("\n") + 1 if "\n" in text else len(text)
    ends = [match.span() for match in _COMMAND.finditer(text)]
    for number, (end, following) in enumerate([*ends, (len(text), len(text))], start=1):
        source = text[at:end]
        first = 1 + text.count("\n", 0, at)
        if _MAGIC.search(source):  # IPython's lines
            source = _MAGIC.sub("", source)
        language = re.match(r"\s*%(\w+)[ \t]*(.*)", source)
        own = _OF_DATABRICKS.get(language[1], "") if language else ""
        if language and (own or language[1] == "python"):
            # the magic's own line stays, so that the lines keep their numbers
            blank = "" if own == "bash" and language[2].startswith("#") else language[2]
            source = f"{source[: language.start(1) - 1]}{blank}{source[language.end() :]}"
        cells.append(_Cell(number, source, first, own or "python"))
        at = following
    return cells


def _script(text: str) -> list[_Cell]:
    if text.startswith(_DATABRICKS):
        return _databricks(text)
    header = _header(text)
    light = bool(header) and not re.search(r"format_name: (percent|hydrogen)", header)
    marker = next(
        (m for m in (_PERCENT, _EXPORTED, *((_LIGHT,) if light else ())) if m.search(text)), None
    )
    if marker is None:
        return [_Cell(1 if header else 0, _uncommented(text, header))]
    cells = []
    starts = list(marker.finditer(text))
    before = text[len(header) : starts[0].start()]
    commented = any(map(_COMMENTED.match, before.split("\n"))) and bool(header)
    if commented or re.search(r"^(?!#|[ \t]*$)", before, re.MULTILINE):  # before the first marker
        cells.append(_Cell(1, _uncommented(before, header), header.count("\n") + 1))
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        body = text[match.end() : following.start() if following else len(text)]
        first = text.count("\n", 0, match.end()) + 1
        kind = match[1] or ""
        language = re.search(r"""language["']?\s*[=:]\s*["'](\w+)""", kind)
        number = len(cells) + 1
        if re.match(r"\s*\[(markdown|md|raw)\]", kind):
            cells.append(_Cell(number, "", first))
        elif language:
            source = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
            cells.append(_Cell(number, source, first, language[1].lower()))
        else:
            cells.append(_Cell(number, _uncommented(body, header), first))
    return cells


def _uncommented(text: str, header: str) -> str:
    """Return a cell with its magics as IPython sees them: jupytext puts ``# `` before each.

    It does so unless the header says otherwise; in the hydrogen format it does not.
    """
    if not header or re.search(r"comment_magics: false|format_name: hydrogen", header):
        return text
    lines = text.split("\n")
    commented = [bool(_COMMENTED.match(line)) for line in lines]
    first = next((line for line in lines if line.strip()), "")
    if re.match(r"# ?%%(bash|sh|script|system|sx|!)", first):
        return re.sub(r"^# ?", "", text, flags=re.MULTILINE)
    for at, line in enumerate(lines):
        if commented[at] or (at and commented[at - 1] and lines[at - 1].endswith("\\")):
            commented[at] = True
            lines[at] = re.sub(r"^([ \t]*)# ?", r"\1", line)
    return "\n".join(lines)


# Text notebooks


_SESSION = re.compile(r"^(```|~~~)(?:console|shell-?session|sh-session|terminal|\{\.bash\})", re.M)
_PROMPT = re.compile(r"^\s*(?:\([\w.-]+\)\s*)?(?:[\w.-]+@[\w.-]+\S*?\s?)?[$#](?:[ \t]+|$)")


def _of_shell(number: int, source: str, language: str) -> _Cell:
    """Return a cell; a shell's without its prompts, and without the output between them."""
    magic = re.match(r"%%(\w+)[ \t]*\n", source) if language in _SHELL else None
    if magic:  # a file whose first cells are a shell's
        return _of_shell(number, source[magic.end() - 1 :], magic[1].lower())
    lines = source.split("\n")
    shell = language in _SHELL or re.match(r"%%(?:bash|sh|zsh|script)\b", source)
    shown = next((line for line in lines if line.strip() and line[:2] != "%%"), "")
    if not shell or not re.match(r"[^#]*\$", (_PROMPT.match(shown) or [""])[0]):
        return _Cell(number, source, language=language)
    typed, goes_on = [], True
    for line in lines:
        prompt = _PROMPT.match(line)
        typed.append(line[prompt.end() :] if prompt else line if goes_on else "")
        goes_on = typed[-1].endswith("\\")
    return _Cell(number, "\n".join(typed), language=language)


def _text_notebook(file: str, text: str) -> tuple[list[_Cell], tuple[str, str]]:
    try:
        jupytext = import_module("jupytext")
    except ImportError:
        raise _UnreadableError(
            "jupytext reads such files, and is not installed here: %envinstall jupytext"
        ) from None
    if file.endswith(".md"):
        text = _SESSION.sub(r"\1bash", text)
    # Quarto's cells are written as R Markdown's; its own reader needs the quarto program
    kind = "md" if file.endswith(".md") and "```{code-cell" not in text else None
    kind = kind or ("md:myst" if file.endswith(".md") else "Rmd")
    spec = re.search(r"^kernelspec:\n(?:[ \t]+.*\n)+", text, re.MULTILINE)
    if spec and "display_name" not in spec[0]:  # which a notebook must have
        text = f"{text[: spec.end()]}  display_name: Python\n{text[spec.end() :]}"
    try:
        notebook = jupytext.reads(text, fmt=kind)
    except Exception as error:  # whatever a reader of any text may raise
        raise _UnreadableError(f"jupytext cannot read it: {error}") from None
    kernelspec = notebook.metadata.get("kernelspec", {})
    main = notebook.metadata.get("jupytext", {}).get("main_language")
    language = str(kernelspec.get("language") or main or "python").lower()
    cells = [
        _of_shell(number, cell.source, language)
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code"
    ]
    return cells, (str(kernelspec.get("name", "")), str(kernelspec.get("display_name", "")))
