"""Names of images, as far as an export must read them."""

from __future__ import annotations

import re

from ..model.credentials import mask
from ..model.errors import ExportError

_IMAGE = re.compile(r"[A-Za-z0-9][\w./:-]*(?:@[a-z0-9]+:[0-9a-f]+)?", re.ASCII)


def check_image(image: str, *, advice: tuple[str, ...]) -> None:
    """Refuse an invalid image name.

    Raises:
        ExportError: It is invalid or empty.
    """
    if not image:
        raise ExportError("The image is not known.", advice=advice)
    if not _IMAGE.fullmatch(image):
        raise ExportError(f"{mask(image)!r} is not an image's name.")


def name_and_tag(image: str) -> tuple[str, str]:
    """Return an image's name and its tag, which a colon joins again; a digest counts as a tag.

    >>> name_and_tag("registry.example.com:5000/lab/analysis:2026-11")
    ('registry.example.com:5000/lab/analysis', '2026-11')
    >>> name_and_tag("lab/analysis:1@sha256:00"), name_and_tag("lab/analysis@sha256:00")
    (('lab/analysis', '1@sha256:00'), ('lab/analysis@sha256', '00'))
    >>> name_and_tag("lab/analysis")
    ('lab/analysis', 'latest')
    """
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon:
        return f"{folder}{slash}{last}", f"{tag}{at}{digest}"
    if at:
        algorithm, _, value = digest.partition(":")
        return f"{name}@{algorithm}", value
    return name, "latest"


def has_registry(image: str) -> bool:
    """Return whether an image's name has its registry (its first part has a dot or a port).

    >>> has_registry("registry.example.com/lab/analysis:1"), has_registry("lab/analysis:1")
    (True, False)
    """
    first, slash, _ = image.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)
