"""Putting files of a running container back as its image has them."""

from __future__ import annotations

import io
import os
import posixpath
import sys
import tarfile
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from ...model.errors import UsageError
from ..registry.source import Blocks
from .container import Container
from .dockersdk import ContainerEngine, EngineError, speaking
from .roots import container_of, is_there

_NEEDED = tuple(
    os.path.realpath(each)
    for each in (sys.prefix, sys.executable, "/bin/rm", "/bin/sh", os.__file__)
)
"""Paths that cannot be removed even briefly."""


def restore(
    engine: ContainerEngine, container: Container, paths: Sequence[str], *, alone: bool = False
) -> None:
    """Restore paths of a container from its image; paths that the image lacks are removed.

    The engine does it as root, for any user.

    Args:
        paths: Absolute paths.
        alone: Of a folder that the image has, restore the mode and the owner alone.

    Raises:
        UsageError: A path is relative, the root, or on a mount.
        EngineError: The engine refused.
    """
    kept = "Nothing was changed."
    for path in paths:
        if not path.startswith("/") or posixpath.normpath(path) in ("/", "//"):
            raise UsageError(f"{path} is not an absolute path of a file or folder.", kept=kept)
        inside = any(f"{each}/".startswith(f"{posixpath.normpath(path)}/") for each in _NEEDED)
        top = posixpath.normpath(path).count("/") == 1 and os.path.isdir(path)
        if (inside or top) and not alone:
            raise UsageError(
                f"{path} is too much to put back: this process runs from it.",
                kept=kept,
                advice="Name the files or folders in it that a proof named.",
            )
        below = f"{posixpath.normpath(path)}/"
        holds = not alone and any(mount.target.startswith(below) for mount in container.mounts)
        if holds or container.is_mounted(path):
            raise UsageError(f"{path} is mounted, and not part of the image.", kept=kept)
    api = engine.client.api
    image = container.image_id
    with speaking("The files could not be put back"), container_of(engine, image) as created:
        for path in paths:
            normal = posixpath.normpath(path)
            above = posixpath.dirname(normal)
            if alone and os.path.isdir(path) and is_there(engine, created, normal):
                api.put_archive(container.id, above, _head(api, created, normal))
                continue
            removal = ["rm", "-rf", "--", normal]
            done = api.exec_create(container.id, removal, user="root")["Id"]
            said = api.exec_start(done).decode(errors="replace").strip()
            if api.exec_inspect(done)["ExitCode"] != 0:
                raise EngineError(f"{path} could not be put back: {said}")
            if is_there(engine, created, normal):
                chunks, _ = api.get_archive(created, normal)
                api.put_archive(container.id, above, b"".join(chunks))


def _head(api: Any, container: str, folder: str) -> bytes:
    """Return an archive of a container's folder without what is in it."""
    chunks, _ = api.get_archive(container, folder)
    made = io.BytesIO()
    with (
        closing(chunks),
        tarfile.open(fileobj=io.BufferedReader(Blocks(chunks)), mode="r|") as whole,
        tarfile.open(fileobj=made, mode="w") as archive,
    ):
        archive.addfile(next(iter(whole)))
    return made.getvalue()
