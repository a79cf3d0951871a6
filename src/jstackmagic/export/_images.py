"""Names of images, as far as an export must read them."""

from __future__ import annotations

import re

from ..model.credentials import mask
from ..model.errors import ExportError
from ..model.reference import written

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
    found = written(image).with_tag
    algorithm, _, tag = str(found).removeprefix(found.name).partition(":")
    return f"{found.name}{algorithm}", tag
