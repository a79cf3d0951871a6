"""What the field tests of capture share: cells, scripts and Dockerfiles, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jstackmagic.capture import files
from jstackmagic.capture.cells import CellReader
from jstackmagic.capture.commandlines import recognise

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.capture import Found


def cells(*sources: str) -> list[Found]:
    """The finds of a notebook's cells, in the order they are run."""
    reader = CellReader(folder="/w")
    return [found for source in sources for found in reader.read(source)]


def script(text: str) -> list[Found]:
    """The finds of a shell script."""
    return list(recognise(text, folder="/w"))


def dockerfile(folder: Path, text: str, **beside: str) -> list[Found]:
    """The finds of a Dockerfile, with files beside it."""
    (folder / "Dockerfile").write_text(f"FROM example.com/base\n{text}\n")
    for name, content in beside.items():
        (folder / name).write_text(content)
    return list(files.read(folder / "Dockerfile").found)


def asked(finds: list[Found]) -> list[str]:
    """What is asked, and ``?`` for what is not understood."""
    return [" ".join(find.request.texts) if find.request else "?" for find in finds]


def where(find: Found) -> str:
    """The environment that a find names."""
    return find.target.name or find.target.prefix
