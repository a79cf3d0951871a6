"""Installs in notebook files: ``.ipynb``, scripts with cells, text notebooks through jupytext."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..io.reading import MAX_NOTEBOOK, bytes_of, files_below, text_or_none
from ..model.errors import InvalidSpec, UsageError
from . import Found
from .cells import CellReader, foreign
from .commandlines import recognise

NOTEBOOK = (".ipynb",)
SCRIPT = (".py", ".ipy")
TEXT_NOTEBOOK = (".md", ".qmd", ".Rmd", ".rmd")
SUFFIXES = NOTEBOOK + SCRIPT + TEXT_NOTEBOOK

SKIPPED_FOLDERS = frozenset((".git", ".ipynb_checkpoints", "node_modules", "__pycache__"))

_MAX_FOLDERS = 20_000

_PYTHONS = re.compile(r"^[ \t]*(?:[!%]\S|import |from \S+ import )|\A#!.*python", re.MULTILINE)
_PYTHON = ("", "python", "ipython", "python2", "python3", "sagemath", "xpython", "coconut")
_SHELL = ("bash", "sh", "zsh", "shell")


@dataclass(frozen=True, slots=True)
class Finding:
    """An install or a removal, and its place."""

    file: str  #: the path as given, or as found in a folder
    cell: int  #: the number among all cells, counted from 1; 0 in a script without cells
    line: int  #: the line in the cell; in a script, in the file
    found: Found


@dataclass(frozen=True, slots=True)
class NotebookReading:
    """The finds of one file."""

    file: str
    findings: tuple[Finding, ...] = ()  #: in the file's order
    kernel: str = ""  #: the kernelspec that a notebook names
    display_name: str = ""  #: its name in the launcher
    problem: str = ""  #: why the file, or the part of it after the findings, could not be read


@dataclass(frozen=True, slots=True)
class _NotebookCell:
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


def read(file: str) -> NotebookReading:
    """Read one file; an unreadable one gets a problem instead of an error."""
    try:
        data = bytes_of(Path(file), limit=MAX_NOTEBOOK)
    except OSError as error:
        return NotebookReading(file, problem=f"It cannot be read: {error.strerror or error}.")
    except InvalidSpec as error:
        return NotebookReading(file, problem=error.reason)
    if not data.strip():
        return NotebookReading(file, problem="It is empty.")
    folder = os.path.dirname(os.path.abspath(file))
    try:
        cells, (kernel, display_name) = _cells(file, data)
    except _UnreadableError as error:
        return NotebookReading(file, problem=str(error))
    passed = (*_PYTHON, *_SHELL, "markdown")
    other = sorted({cell.language for cell in cells if cell.language not in passed})
    return NotebookReading(
        file,
        findings=tuple(_findings(file, cells, folder)),
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
        raise UsageError(f"{file} cannot be read: {reason}") from None
    return [cell.source for cell in cells if cell.language in _PYTHON]


def _cells(file: str, data: bytes) -> tuple[list[_NotebookCell], tuple[str, str]]:
    """Return the cells of a file, and the kernelspec that a notebook names."""
    if file.endswith(NOTEBOOK):
        return _notebook(data)
    if file.endswith(TEXT_NOTEBOOK):
        return _text_notebook(file, _text(data))
    text = _text(data)
    named = os.path.splitext(file)[1] in ("", *SCRIPT) or re.match(r"#!.*python", text)
    if not named or not (file.endswith(SCRIPT) or _PYTHONS.search(text)):
        raise _UnreadableError("It is not a notebook, script or list of packages that can be read.")
    return _script(text), ("", "")


def _findings(file: str, cells: Sequence[_NotebookCell], folder: str) -> Iterator[Finding]:
    notebook = any(cell.number for cell in cells)
    reader = CellReader(folder=folder, notebook=notebook)
    reader.state.machine.look, reader.state.machine.names = text_or_none, files_below
    machine = reader.state.machine
    for cell in cells:
        machine.cell = cell.number if file.endswith(".ipynb") else 0
        machine.above = cell.first_line - 1
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
    found = list(_candidates(folder))  # before any is read: a whole disk is refused at once
    yield from (path for path in found if path.endswith(NOTEBOOK) or _is_text_notebook(path))


def _candidates(folder: str) -> Iterator[str]:
    advice = "Name the folder with the notebooks: %envcapture FOLDER"
    if not os.path.realpath(folder).strip("/"):
        raise InvalidSpec("/ is the whole machine, and no project.", advice=advice)
    for number, (parent, folders, names) in enumerate(os.walk(folder)):
        if number == _MAX_FOLDERS:
            raise InvalidSpec(
                f"{folder} has more than {_MAX_FOLDERS:,} folders in it.", advice=advice
            )
        if number and ("pyvenv.cfg" in names or "conda-meta" in folders):
            folders.clear()  # an environment, whose packages are no notebooks
            continue
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(SUFFIXES))


def _is_text_notebook(path: str) -> bool:
    try:
        text = _text(bytes_of(Path(path))) if os.path.isfile(path) else ""
    except (OSError, InvalidSpec):
        return True  # it is listed with the reason
    if path.endswith(SCRIPT):
        known = text.startswith(_DATABRICKS) or _header(text)
        return bool(known or _PERCENT.search(text) or _EXPORTED.search(text))
    return path.endswith(".qmd") or _has_cells(text)


def _has_cells(text: str) -> bool:
    """Return whether a Markdown text is a notebook, by its cells or its header."""
    if re.search(r"^```\{(?:code-cell|python)\b", text, re.MULTILINE):
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
    said = [("name", str, ""), ("language", str | None, ""), ("display_name", str, "")]
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


def _notebook(data: bytes) -> tuple[list[_NotebookCell], tuple[str, str]]:
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
        # nbformat 3 names it per cell, and calls any notebook's python
        _NotebookCell(
            number,
            _source(cell),
            language=language if cell.language in ("", "python") else cell.language.lower(),
        )
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


# Scripts

_PERCENT = re.compile(r"^#[ \t]*%%(?=[ \t\n\[]|$)(.*)$", re.MULTILINE)
_EXPORTED = re.compile(r"^# In ?\[[\d ]*\]:()$", re.MULTILINE)
_LIGHT = re.compile(r"^# (?:\+(?: (.*))?|-)$", re.MULTILINE)
_COMMENTED = re.compile(r"^([ \t]*)# ?(?=[!%][^\n]|\w[\w, ]*= ?[!%]\w)")


def _header(text: str) -> str:
    """Return the commented YAML that jupytext writes at the head of a script; empty without one."""
    match = re.match(r"(?:#!.*\n|# -\*-.*\n|[ \t]*\n)*# ---\n((?:#.*\n)*?)# ---\n", text)
    return match[0] if match and re.search(r"^# +jup(?:yter|ytext):", match[1], re.M) else ""


_DATABRICKS = "# Databricks notebook source"
_COMMAND = re.compile(r"^# COMMAND -{10}()[ \t]*$", re.MULTILINE)
_MAGIC = re.compile(r"^# MAGIC ?", re.MULTILINE)
_OF_DATABRICKS = {"sh": "bash", "r": "r", "scala": "scala", "sql": "sql", "md": "markdown"}
"""The language of a Databricks cell by its one ``%``; Python's is the notebook's own."""


def _databricks(text: str) -> list[_NotebookCell]:
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
        cells.append(_NotebookCell(number, source, first, own or "python"))
        at = following
    return cells


def _script(text: str) -> list[_NotebookCell]:
    if text.startswith(_DATABRICKS):
        return _databricks(text)
    header = _header(text)
    light = bool(header) and not re.search(r"format_name: (percent|hydrogen)", header)
    marker = next(
        (m for m in (_PERCENT, _EXPORTED, *((_LIGHT,) if light else ())) if m.search(text)), None
    )
    if marker is None:
        return [_NotebookCell(1 if header else 0, _uncommented(text, header))]
    cells = []
    starts = list(marker.finditer(text))
    before = text[len(header) : starts[0].start()]
    commented = any(map(_COMMENTED.match, before.split("\n"))) and bool(header)
    if commented or re.search(r"^(?!#|[ \t]*$)", before, re.MULTILINE):  # before the first marker
        cells.append(_NotebookCell(1, _uncommented(before, header), header.count("\n") + 1))
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        body = text[match.end() : following.start() if following else len(text)]
        first = text.count("\n", 0, match.end()) + 1
        kind = match[1] or ""
        language = re.search(r"""language["']?\s*[=:]\s*["'](\w+)""", kind)
        number = len(cells) + 1
        if re.match(r"\s*\[(markdown|md|raw)\]", kind):
            cells.append(_NotebookCell(number, "", first))
        elif language:
            source = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
            cells.append(_NotebookCell(number, source, first, language[1].lower()))
        else:
            cells.append(_NotebookCell(number, _uncommented(body, header), first))
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


_FENCE = re.compile(
    r"(?P<indent>[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?:>[ \t]?)*)"
    r"(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)"
)
_CODE = ("code-block", "code", "sourcecode", "code-cell")
_SESSIONS = ("console", "shellsession", "shell-session", "sh-session", "terminal", "shellscript")
_PROMPT = re.compile(
    r"\s*(?:\([\w./-]+\)\s*)?"
    r"(?:(?:[\w.-]+@[\w.-]+\S*?\s?)?[$#]|(?:PS )?[A-Za-z]:\\[^>]*>)(?:[ \t]+|$)"
)
_TYPED = re.compile(
    r"\s*(?:sudo\s+)?(?:pip3?|conda|mamba|micromamba|apt-get|apt|uv|python3? -m pip)\s"
)


def _blocks(text: str) -> Iterator[_NotebookCell]:
    """Yield the blocks of code of a Markdown text, with their lines in it.

    A block without a language is a shell's where a prompt or an installer begins it
    (https://spec.commonmark.org/0.31.2/#fenced-code-blocks).
    """
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at].rstrip())
        at += 1
        if fence is None:
            continue
        mark, width, first = fence["mark"], len(fence["indent"]), at + 1
        body: list[str] = []
        while at < len(lines) and not re.fullmatch(
            rf"[ \t>]*{mark[0]}{{{len(mark)},}}\s*", lines[at]
        ):
            head = lines[at][:width]
            body.append(lines[at][len(head) :] if not head.strip(" \t>") else lines[at].lstrip())
            at += 1
        at += 1
        words = re.findall(r"[\w+#-]+", fence["info"].lower())
        language = next((word for word in words if word not in _CODE), "")
        shown = next((line for line in body if line.strip()), "")
        typed = _TYPED.match(shown) or _PROMPT.match(shown)
        if language in _SESSIONS or (typed and not language):
            language = "bash"
        if language:
            yield _of_shell(_NotebookCell(0, "\n".join(body), first, language))


def _of_shell(cell: _NotebookCell) -> _NotebookCell:
    """Return a cell; a shell's without its prompts, and without the output between them."""
    source, language = cell.source, cell.language
    magic = re.match(r"%%(\w+)[ \t]*\n", source) if language in _SHELL else None
    if magic:  # a file whose first cells are a shell's
        return _of_shell(replace(cell, source=source[magic.end() - 1 :], language=magic[1].lower()))
    lines = source.split("\n")
    shell = language in _SHELL or re.match(r"%%(?:bash|sh|zsh|script)\b", source)
    prompts = [_PROMPT.match(line) for line in lines]
    # a line that begins with # is a comment's, if no user and host stand before it
    prompts = [None if p and re.fullmatch(r"\s*#\s*", p[0]) else p for p in prompts]
    if not shell or not any(prompts):
        return cell
    typed, goes_on = [], True
    for line, prompt in zip(lines, prompts, strict=True):
        typed.append(line[prompt.end() :] if prompt else line if goes_on else "")
        goes_on = typed[-1].endswith("\\")
    return replace(cell, source="\n".join(typed))


def _text_notebook(file: str, text: str) -> tuple[list[_NotebookCell], tuple[str, str]]:
    if file.endswith(".md") and not _has_cells(text):
        return list(_blocks(text)), ("", "")
    try:
        jupytext = import_module("jupytext")
    except ImportError:
        raise _UnreadableError(
            "jupytext reads such files, and is not installed here: %envinstall jupytext"
        ) from None
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
        _of_shell(_NotebookCell(number, cell.source, language=language))
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code"
    ]
    return cells, (str(kernelspec.get("name", "")), str(kernelspec.get("display_name", "")))
