"""Folders below the temporary one whose names are read: in outputs, in pictures."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def own_folder(beginning: str) -> Iterator[Path]:
    """A folder that no other run has, which all may look into; eight letters end its name."""
    # what still compiles modules behind an install may write to it
    with TemporaryDirectory(prefix=beginning, ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
