"""The files of a package as they go into an image's layer; see `Manager.layered`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model.credentials import mask


@dataclass(frozen=True, slots=True)
class LayerFile:
    """One file of a package."""

    path: str
    #: makes its content in the layer of the content here; None leaves it as it is
    change: Callable[[bytes], bytes] | None = None
    like: str = ""  #: the file whose content and mode it starts from; empty for its own


def masked(content: bytes) -> bytes:
    """Return a text without credentials."""
    return mask(content.decode("utf-8", "replace")).encode()
