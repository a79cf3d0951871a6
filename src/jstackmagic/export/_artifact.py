"""The result of an export: a text, and the local files that belong next to it."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..io.files import replace_folder, write_file
from ..model.credentials import mask
from ..model.errors import ExportError

LEFT_BEHIND = (
    *(".git", ".hg", ".svn", "__pycache__", "*.pyc", ".ipynb_checkpoints", "node_modules"),
    *(".venv", "venv", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
    *(".env", ".netrc", ".pypirc"),
)
"""Paths of a project's folder that are not copied: generated files, and files with secrets."""

_INCLUDE = re.compile(r"\s*(?:-r|--requirement)(?:\s+|=)(?P<path>.+?)\s*(?:\s#.*)?")
_LINE = re.compile(
    r"\s*(?:(?P<option>-c|--constraint|-e|--editable|-f|--find-links)(?:\s+|=))?(?P<value>.*)"
)


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder next to an artifact."""

    name: str  #: its path from the artifact's folder; nothing in it needs quoting
    source: str | bytes  #: the file or folder to copy, as an absolute path, or the content itself
    sha256: str = ""  #: the file's hash when it was installed; empty if unknown
    #: whether it is a requirements file, whose own ``-r`` lines are followed
    requirements: bool = False
    executable: bool = False  #: whether it is a program


@dataclass(frozen=True, slots=True)
class Artifact:
    """A rendered recipe."""

    text: str
    files: tuple[File, ...] = ()  #: the files that belong next to it
    #: sentences the user should read, each once and with no credential: what could not be kept,
    #: what a build needs
    notes: Sequence[str] = ()
    #: the build secrets that it reads: by id the text, with its credential masked
    secrets: Mapping[str, str] = field(default_factory=dict)
    executable: bool = False  #: whether it is a program

    def __post_init__(self) -> None:
        """Refuse a text with a credential: all that is exported passes here."""
        object.__setattr__(self, "notes", tuple(dict.fromkeys(map(mask, self.notes))))
        texts = {"": self.text} | {
            file.name: file.source.decode("utf-8", "replace")
            for file in self.files
            if isinstance(file.source, bytes)
        }
        for name, text in texts.items():
            masked = mask(text)
            if masked == text:
                continue
            lines = zip(text.splitlines(), masked.splitlines(), strict=False)
            held = next((line for was, line in lines if line != was), masked)
            raise ExportError(
                f"A line{f' of {name}' * bool(name)} would hold a credential: {held.strip()}",
                advice="Give a channel with --channel and an index with --index-url; those can be"
                " passed to a build as secrets.",
            )

    def check(self) -> tuple[str, ...]:
        """Return a sentence for each local file that is gone or changed; this reads the disk."""
        return tuple(filter(None, map(_fault, self.files)))

    def write(self, path: Path) -> tuple[Path, ...]:
        """Write the text to ``path`` and the files next to it; return the written paths.

        The text comes last, so that half an export never looks complete.

        Raises:
            ExportError: A local file is gone, has a credential, or needs further files that
                cannot be copied with it; or the folder cannot be written to.
        """
        if path.is_dir():
            raise ExportError(
                f"{path} is a folder.",
                advice=f"Name a file in it: {path / 'Dockerfile'}",
            )
        written = self.write_beside(path.parent)
        write_text(path, self.text, executable=self.executable)
        return (path, *written)

    def check_beside(self) -> None:
        """Refuse an artifact with a file next to it that cannot be written.

        Raises:
            ExportError: A local file is gone, has a credential, or needs further files that
                cannot be copied with it.
        """
        for file in self.files:
            _content(file)

    def write_beside(self, folder: Path) -> tuple[Path, ...]:
        """Write the files that belong next to the text into a folder; return their paths.

        Raises:
            ExportError: As for `write`.
        """
        contents = [_content(file) for file in self.files]
        written = []
        for file, content in zip(self.files, contents, strict=True):
            target = folder / file.name
            with _explained(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    _write(target, content, executable=file.executable)
                else:
                    _copy_folder(content, target)
            written.append(target)
        return tuple(written)

    def difference(self, path: Path, *, beside: bool = True) -> str:
        """Compare what is at ``path`` and next to it with what `write` would write there.

        Returns:
            A unified diff, and a line for each other file that is missing or different; empty if
            all is up to date. A copied folder only has to exist.
        """
        parts = [_text_difference(path, self.text.encode())]
        if beside:
            parts += [_file_difference(path.parent / file.name, file) for file in self.files]
        return "".join(parts)


def write_text(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a text whole, with line ends as they are.

    Raises:
        ExportError: It cannot be written.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text.encode(), executable=executable)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, shutil.Error) as error:
        raise ExportError(
            f"{path} cannot be written: {error}.",
            kept="The export is not complete.",
            advice="Name another place for it.",
        ) from error


def _text_difference(path: Path, wanted: bytes) -> str:
    head = ""
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        there, head = b"", f"{path} is missing\n"
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error
    if there == wanted and not head:
        return ""
    old, new = (
        text.decode("utf-8", "replace").splitlines(keepends=True) for text in (there, wanted)
    )
    lines = difflib.unified_diff(old, new, str(path), "as it should be")
    diff = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return head + mask(diff) or f"{path} is not as it should be\n"


def _file_difference(path: Path, file: File) -> str:
    if isinstance(file.source, bytes):
        return _text_difference(path, file.source)
    if not path.exists():
        return f"{path} is missing\n"
    if not path.is_file():
        return ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if os.path.exists(file.source):
        content = _content(file)
        wanted = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""
    else:
        wanted = file.sha256 or digest  # on another machine only the hash shows it
    return "" if digest == wanted else f"{path} is not what was installed\n"


def _fault(file: File) -> str:
    if isinstance(file.source, bytes):
        return ""
    if not os.path.exists(file.source):
        return f"{file.source} was installed and is no longer there."
    if file.sha256 and os.path.isfile(file.source):
        digest = hashlib.sha256(Path(file.source).read_bytes()).hexdigest()
        if digest != file.sha256:
            return f"{file.source} has changed since it was installed."
    return ""


def _content(file: File) -> bytes | Path:
    """Return what to write: bytes of a file, or the folder to copy."""
    if isinstance(file.source, bytes):
        return file.source
    source = Path(file.source)
    if source.is_dir():
        return source
    try:
        if file.requirements:
            return "".join(_requirements(source, ())).encode()
        return source.read_bytes()
    except FileNotFoundError:
        raise ExportError(
            f"{source} was installed and is no longer there.",
            advice="Bring it back, or remove what it installed: %envremove",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{source} cannot be read: {error}.") from error


def _requirements(path: Path, includers: tuple[Path, ...]) -> list[str]:
    """Return the lines of a requirements file, with included files in place of ``-r`` lines."""
    if path in includers:
        return []
    lines, text = [], path.read_text(encoding="utf-8-sig")
    holds = mask(text) != text  # a key has many lines
    for number, line in enumerate(text.splitlines(), start=1):
        included = _INCLUDE.fullmatch(line)
        if holds:
            line = re.sub(r"(^|\s+)#.*", "", line)  # what a comment says, pip does not need
        if mask(line) != line:
            problem = "holds a credential, which everyone who has the export could read"
            advice = "Write ${NAME} in its place, and set that variable where it is installed."
        elif _is_local(line):
            problem = "names a local file that would be missing in the build"
            advice = "Install that file with a spec of its own, beside -r, and take the line out."
        elif included and "://" not in included["path"]:
            lines += _requirements(path.parent / included["path"], (*includers, path))
            continue
        else:
            lines.append(f"{line}\n")
            continue
        raise ExportError(f"Line {number} of {path} {problem}.", advice=advice)
    return lines


def _is_local(line: str) -> bool:
    """Return whether a line of a requirements file names a file or folder of this machine."""
    match = _LINE.fullmatch(line)
    assert match is not None
    value = match["value"].strip()
    if value.startswith("file:") or "@ file:" in value:
        return True
    return "://" not in value if match["option"] else value.startswith((".", "/", "~"))


def _write(path: Path, content: bytes, *, executable: bool) -> None:
    write_file(path, content)
    if executable:  # for those who may read it
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, and replace an older copy completely."""
    if source.resolve().is_relative_to(target.resolve()):
        return  # it lies where it is wanted
    skip = shutil.ignore_patterns(*LEFT_BEHIND)
    own = target.parent.resolve()

    def ignored(folder: str, names: list[str]) -> set[str]:
        # the export may be written into the very project that it copies
        inside = {name for name in names if Path(folder, name).resolve() == own}
        return set(skip(folder, names)) | inside

    replace_folder(
        target, lambda fresh: shutil.copytree(source, fresh, symlinks=True, ignore=ignored)
    )
