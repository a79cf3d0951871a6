"""The root file system of an image or a container, as an engine gives it; nothing in it is run."""

from __future__ import annotations

import contextlib
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..root import Changes, Root, apply, archive, keep_root, kept
from .dockersdk import ContainerEngine, speaking

_PLACE = "/.jstackmagic-layers"
"""The folder with the mounted layers above the base, in a container that is never started."""

_MOST_LINKS = 8


def image_root(engine: ContainerEngine, image: str, *, base: str = "") -> Root:
    """Read an image: only the layers above those already read, if the engine allows it.

    Args:
        base: The image that it may be built on, which is then read on its own, once.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    with speaking(f"The files of {image} cannot be read"):
        inspected = engine.client.api.inspect_image(image)
        layers = list(inspected["RootFS"].get("Layers") or ())
        found = kept(layers)
        if found is not None:
            return found
        if base:
            below = list(engine.client.api.inspect_image(base)["RootFS"].get("Layers") or ())
            if below != layers and layers[: len(below)] == below and kept(below) is None:
                image_root(engine, base)
        folders = _folders(inspected["GraphDriver"])
        root = _above(engine, image, layers, folders) if len(folders) == len(layers) else None
        if root is None:
            with container_of(engine, image) as created:
                root = _exported(engine, created)
    keep_root(layers, root)
    return root


def container_root(engine: ContainerEngine, container: str) -> Root:
    """Read a container: its image, and the changes on top of it.

    Raises:
        EngineError: There is no such container, or the engine cannot be asked.
    """
    with speaking(f"The files of {container} cannot be read"):
        inspected = engine.client.api.inspect_container(container)
        image = engine.client.api.inspect_image(inspected["Image"])
        upper = _folders(inspected["GraphDriver"])[:1]
        if upper and _folders(image["GraphDriver"]):
            root = image_root(engine, inspected["Image"])
            if _mounted(engine, inspected["Image"], root, upper, seen=inspected["Id"]):
                return root
        return _exported(engine, inspected["Id"])


@contextlib.contextmanager
def container_of(engine: ContainerEngine, image: str, **options: Any) -> Iterator[str]:
    """Make a container, for as long as it is needed; yield its id. It is not started."""
    api = engine.client.api
    # an image may name no command, and a container must; it is not run
    words = {"command": ["none"], "entrypoint": ["none"], **options}
    created = api.create_container(image, **words)["Id"]
    try:
        yield created
    finally:
        api.remove_container(created, v=True, force=True)


def _folders(driver: dict[str, Any]) -> list[str]:
    """Return the layers' folders on the engine's host, the highest first, if it has any."""
    data = driver.get("Data") or {}
    if not str(driver.get("Name", "")).startswith("overlay") or "UpperDir" not in data:
        return []
    return [data["UpperDir"], *filter(None, str(data.get("LowerDir") or "").split(":"))]


def _above(
    engine: ContainerEngine, image: str, layers: Sequence[str], folders: Sequence[str]
) -> Root | None:
    for count in range(len(layers) - 1, 0, -1):
        root = kept(layers[:count])
        if root is not None:
            above = folders[: len(layers) - count]
            return root if _mounted(engine, image, root, above) else None
    return None


def _mounted(
    engine: ContainerEngine, image: str, root: Root, folders: Sequence[str], *, seen: str = ""
) -> bool:
    """Lay the layers in some folders of the engine's host over a root, the highest first.

    Returns:
        False if the engine does not give them: the root is then good for nothing.
    """
    from docker.errors import APIError
    from docker.types import Mount

    api = engine.client.api
    mounts = [
        Mount(f"{_PLACE}/{number}", folder, type="bind", read_only=True)
        for number, folder in enumerate(folders)
    ]
    try:
        with container_of(
            engine, image, host_config=api.create_host_config(mounts=mounts)
        ) as created:
            layers = [
                archive(_stream(engine, f"containers/{created}/archive", path=f"{_PLACE}/{n}/."))
                for n in reversed(range(len(folders)))
            ]
            for at, layer in enumerate(layers):
                _find_opaque(engine, seen or created, root, layer, layers[at + 1 :])
                apply(root, layer)
    except APIError:  # an engine that does not let its own folders be mounted
        return False
    return True


def _find_opaque(
    engine: ContainerEngine, container: str, root: Root, layer: Changes, above: Sequence[Changes]
) -> None:
    """Find the folders that were removed and made again: an archive does not say so.

    For each folder that a layer and those below it have, one file from below is looked up in the
    container: if it is gone, nothing from below is left.
    """
    from concurrent.futures import ThreadPoolExecutor

    touched = layer.root.entries.keys() | layer.gone
    later = {path for each in above for path in (*each.root.entries, *each.gone)}
    witnesses: dict[str, str] = {}
    for folder, entry in layer.root.entries.items():
        if entry.kind == "folder" and folder in root.entries:
            from_below = (p for p in root.children(folder) if p not in touched and p not in later)
            witness = next(from_below, None)
            if witness is not None:
                witnesses[folder] = witness
    # dozens, and the engine looks at a container again for each
    with ThreadPoolExecutor(4) as pool:
        there = pool.map(partial(is_there, engine, container), witnesses.values())
    layer.opaque.update(folder for folder, found in zip(witnesses, there, strict=True) if not found)


def is_there(engine: ContainerEngine, container: str, path: str) -> bool:
    """Return whether a container has something at a path."""
    api = engine.client.api
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    return bool(api.head(url, params={"path": path}).ok)


def files_below(engine: ContainerEngine, container: str, path: str) -> Root | None:
    """Read the files at and below a path of a container, with links followed; None without any.

    Raises:
        EngineError: The engine cannot be asked.
    """
    with speaking(f"{path} of the image cannot be read"):
        for _ in range(_MOST_LINKS):
            if not is_there(engine, container, path):
                return None
            stream = _stream(engine, f"containers/{container}/archive", path=path)
            root = Root()
            apply(root, archive(stream, above=posixpath.dirname(path)))
            entry = root.entries.get(path)
            if entry is None or entry.kind != "link":
                return root
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    return None


def content_of(engine: ContainerEngine, image: str, path: str) -> bytes | None:
    """Return the content of an image's file; None if there is no such file.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    with tempfile.TemporaryDirectory(prefix="jstackmagic-image-") as folder:
        found = fetch(engine, image, [path], Path(folder)).get(path)
        return found.read_bytes() if found else None


def _exported(engine: ContainerEngine, container: str) -> Root:
    root = Root()
    apply(root, archive(_stream(engine, f"containers/{container}/export")))
    return root


def _stream(engine: ContainerEngine, what: str, **params: str) -> BinaryIO:
    """Open an archive that the engine sends."""
    api = engine.client.api
    url = f"{api.base_url}/v{api.api_version}/{what}"
    plain = {"Accept-Encoding": "identity"}  # compressing costs more than the socket
    response = api.get(url, params=params, headers=plain, stream=True, timeout=api.timeout)
    api._raise_for_status(response)
    return cast("BinaryIO", response.raw)


def fetch(
    engine: ContainerEngine, image: str, paths: Sequence[str], folder: Path
) -> dict[str, Path]:
    """Copy some files of an image into a folder; return their paths, without missing ones.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    import shutil
    import tarfile

    copies: dict[str, Path] = {}
    wanted = set(paths)
    with speaking(f"The files of {image} cannot be read"), container_of(engine, image) as created:
        for place in sorted({posixpath.dirname(each) for each in paths}):
            alone = [each for each in paths if posixpath.dirname(each) == place]
            path = alone[0] if len(alone) == 1 else place
            if not is_there(engine, created, path):
                continue
            stream = _stream(engine, f"containers/{created}/archive", path=path)
            with tarfile.open(fileobj=stream, mode="r|") as opened:
                for member in opened:
                    name = posixpath.join(posixpath.dirname(path), member.name)
                    if name in wanted and member.isfile():
                        file = opened.extractfile(member)
                        assert file is not None
                        copies[name] = folder / str(len(copies))
                        with copies[name].open("wb") as copy:
                            shutil.copyfileobj(file, copy)
    return copies
