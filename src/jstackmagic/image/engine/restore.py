"""Putting files of a running container back as its image has them."""

from __future__ import annotations

import os
import posixpath
import sys
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from .client import EngineError, speaking
from .roots import container_of, is_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .client import Engine
    from .container import Container

_NEEDED = tuple(
    os.path.realpath(each)
    for each in (sys.prefix, sys.executable, "/bin/rm", "/bin/sh", os.__file__)
)
"""Paths that cannot be removed even briefly."""


def restore(engine: Engine, container: Container, paths: Sequence[str]) -> None:
    """Restore paths of a container from its image; paths that the image lacks are removed.

    The engine does it as root, for any user.

    Args:
        engine: The engine.
        container: The container.
        paths: Absolute paths.

    Raises:
        UsageError: A path is relative, the root, or on a mount.
        EngineError: The engine refused.
    """
    kept = "Nothing was changed."
    for path in paths:
        if not path.startswith("/") or posixpath.normpath(path) in ("/", "//"):
            raise UsageError(f"{path} is no absolute path of a file or folder.", kept=kept)
        inside = any(f"{each}/".startswith(f"{posixpath.normpath(path)}/") for each in _NEEDED)
        if inside or posixpath.normpath(path).count("/") == 1:
            raise UsageError(
                f"{path} is too much to put back: this process runs from it.",
                kept=kept,
                advice="Name the files or folders in it that a proof named.",
            )
        if container.is_mounted(path) or any(
            mount.target.startswith(f"{posixpath.normpath(path)}/") for mount in container.mounts
        ):
            raise UsageError(f"{path} is mounted, and no part of the image.", kept=kept)
    api = engine.client.api
    image = container.image_id
    with speaking("The files could not be put back"), container_of(engine, image) as created:
        for path in paths:
            normal = posixpath.normpath(path)
            removal = ["rm", "-rf", "--", normal]
            done = api.exec_create(container.id, removal, user="root")["Id"]
            said = api.exec_start(done).decode(errors="replace").strip()
            if api.exec_inspect(done)["ExitCode"] != 0:
                raise EngineError(f"{path} could not be put back: {said}")
            if is_there(engine, created, normal):
                chunks, _ = api.get_archive(created, normal)
                api.put_archive(container.id, posixpath.dirname(normal), b"".join(chunks))
