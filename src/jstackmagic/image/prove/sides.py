"""The two sides of a proof: this container or another, and an image of an engine or a registry."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace

from ...display.console import Console
from ...model.environment import Environment
from ...model.errors import JStackMagicError, UnknownEnvironment
from ...model.reference import parse
from ...where import kernels
from ...where.detect import detect, find, known_names
from ...where.host import look
from ..engine.build import exists, named_image
from ..engine.container import Container, this_container
from ..engine.dockersdk import ContainerEngine, NoEngine, connect, speaking
from ..engine.labels import BASE
from ..engine.roots import container_root, image_root
from ..root import Root
from .shallow import SideView


@dataclass(frozen=True)
class ThisSide:
    """This side of a comparison with an image."""

    environments: tuple[Environment, ...]  #: the environments to compare
    #: whether they are all there is: the image is this container's own, so that the system counts
    #: too, and an environment that only one side has is a difference
    whole: bool
    unread: tuple[str, ...] = ()  #: a sentence for each thing that is unknown about them
    view: SideView | None = None  #: their files; None if still to be read, from this machine's disk
    #: the root of the image that the container was started from; None if unknown
    base: Root | None = None
    away: bool = False  #: whether this side is in another container than this process
    mounted: tuple[str, ...] = ()  #: folders of the container that are not a part of it
    started_from: str = ""  #: the id of the image that the container was started from

    def on(self, base: Root) -> ThisSide:
        """Return this side with the image that it was started from."""
        return replace(self, base=base)


@dataclass(frozen=True)
class ImageTarget:
    """An image to compare with, wherever it is."""

    name: str  #: its usual name
    id: str  #: its id, or its digest
    view: SideView
    engine: ContainerEngine | None = None  #: the engine that can run it; None without one


def everything_here() -> ThisSide:
    """Return every environment of this container; outside of one, this process's environment."""
    running = detect()
    if look().runtime is None:
        return ThisSide((running,), whole=False)
    found = {os.path.realpath(running.prefix): running}
    unread = []
    for name in known_names():
        try:
            named = find(name=name)
        except UnknownEnvironment as error:
            unread.append(error.problem)
            continue
        found.setdefault(os.path.realpath(named.prefix), named)
    for environment, _ in kernels.environments():
        found.setdefault(os.path.realpath(environment.prefix), environment)
    return ThisSide(tuple(found.values()), whole=True, unread=tuple(unread))


def seen_by(engine: ContainerEngine, here: ThisSide) -> ThisSide:
    """Return this side as the engine sees it, if this is one of its containers.

    Raises:
        EngineError: The engine cannot be asked.
    """
    container = this_container(engine, look()) if here.whole else None
    return _of_container(engine, container, here) if container else here


def in_container(engine: ContainerEngine, container: Container) -> ThisSide:
    """Return another container as this side.

    Raises:
        EngineError: The engine cannot be asked.
    """
    here = ThisSide((), whole=True, away=True)
    return _of_container(engine, container, here)


def _of_container(engine: ContainerEngine, container: Container, here: ThisSide) -> ThisSide:
    with speaking(f"The image of {container.name} cannot be looked at"):
        config = engine.client.api.inspect_image(container.image_id)["Config"]
    return replace(
        here,
        view=SideView(container_root(engine, container.id), config),
        base=image_root(engine, container.image_id),
        mounted=tuple(mount.target for mount in container.mounts),
        started_from=container.image_id,
    )


def target_of(engine: ContainerEngine, image: str, *, base: str = "") -> ImageTarget:
    """Return an image that an engine has.

    Args:
        base: The image it may be built on.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    with speaking(f"{image} cannot be looked at"):
        inspected = engine.client.api.inspect_image(image)
        below = base or (inspected["Config"].get("Labels") or {}).get(BASE, "")
        if below and not engine.client.api.images(below, quiet=True) and not base:
            below = ""
    root = image_root(engine, inspected["Id"], base=below)
    return ImageTarget(image, inspected["Id"], SideView(root, inspected["Config"]), engine)


def is_in_registry(tag: str) -> bool:
    """Return whether to look for an image in its registry: it names one, and no engine has it."""
    if not parse(tag).registry:
        return False
    try:
        with closing(connect()) as engine:
            return not exists(engine, tag)
    except NoEngine:
        return True


def from_registry(tag: str, console: Console) -> tuple[ImageTarget, SideView | None]:
    """Return an image in a registry, and its base if that is still there.

    Raises:
        RegistryError: It is missing or cannot be read.
    """
    from ..registry.client import opened
    from ..registry.source import image_of, read_root

    with ExitStack() as stack:
        registry = stack.enter_context(opened(parse(tag)))
        image, base = image_of(registry), None
        if image.base and image.base.digest:
            # an image whose base is gone is proved as well
            with suppress(JStackMagicError):
                below = stack.enter_context(opened(image.base))
                found = image_of(below)
                base = SideView(read_root(below, found, console), found.settings)
        root = read_root(registry, image, console)
    return ImageTarget(tag, image.digest, SideView(root, image.settings)), base


def with_base(tag: str, console: Console) -> tuple[ImageTarget, SideView | None]:
    """Return an image, and its base if that is at hand.

    Raises:
        UsageError: There is no such image.
        EngineError: The engine cannot be asked.
        RegistryError: It is missing or cannot be read.
    """
    if is_in_registry(tag):
        return from_registry(tag, console)
    with closing(connect()) as engine:
        target = target_of(engine, named_image(engine, tag))
        base = (target.view.config.get("Labels") or {}).get(BASE, "")
        if not base or not exists(engine, base):
            return target, None
        with speaking(f"{base} cannot be looked at"):
            config = engine.client.api.inspect_image(base)["Config"]
        return target, SideView(image_root(engine, base), config)
