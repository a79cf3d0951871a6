"""The image that ``%envimage build`` made of a history, for exports that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import JStackMagicError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..history import Record


def built_image(records: Sequence[Record]) -> str:
    """The name of the last image of a history; empty where there is none, or no engine to ask.

    A name that a registry gave it, with its digest, goes before one that is only known here.
    """
    from ..image.engine import connect
    from ..image.labels import HISTORY, history_id

    if not records:
        return ""
    try:
        engine = connect()
        images = engine.client.api.images(filters={"label": f"{HISTORY}={history_id(records)}"})
    except (JStackMagicError, OSError):
        return ""
    newest = max(images, key=lambda image: image["Created"], default=None)
    names = [*(newest["RepoDigests"] or ()), *(newest["RepoTags"] or ())] if newest else []
    return next((str(name) for name in names if "<none>" not in name), "")
