"""An image made of layers: its content, what is left out, and the way to its registry."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...image.layers.assemble import Assembled
from ...image.layers.base import Base
from ...image.layers.gather import Gathered
from ...image.layers.pack import Packing
from ...model.errors import Interrupted, JStackMagicError, Stopped, UsageError
from ...restore.drift import Drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...image.layers.send import Sent
    from ...image.prove.compare import Here, Target
    from ...model.environment import Environment
    from ...model.reference import Reference
    from ...session import Session
    from ._how import How

AGAIN = "What was sent is there: the same command sends only the rest."
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Prepared:
    """The parts of an image.

    Attributes:
        base: Its base image.
        gathered: The layers, and the faults that no image can have.
        drifts: What is installed here and not recorded.
    """

    base: Base
    gathered: Gathered
    drifts: tuple[Drift, ...]

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """Return the drifts that are in no layer, a word each."""
        return tuple(
            f"{each.package.manager}:{each.package.name} in {drift.where}"
            for drift in self.drifts
            for each in drift.unexplained
        )

    def check(self) -> None:
        """Stop where something that was recorded can be in no image.

        Raises:
            Stopped: With all of it.
        """
        faults = self.gathered.faults
        if not faults:
            return
        lines = [f"  {fault}" for fault in faults[:_MOST_FAULTS]]
        if len(faults) > _MOST_FAULTS:
            lines.append(f"  and {len(faults) - _MOST_FAULTS} more")
        raise Stopped(
            "No image can be made from the files here:\n" + "\n".join(lines),
            kept="Nothing was sent.",
            advice="Build it where an engine is: %envexport dockerfile",
        )


@contextlib.contextmanager
def prepared(session: Session, said: str | None) -> Iterator[Prepared]:
    """Yield the parts of an image of the history.

    Raises:
        JStackMagicError: The base image is not known, or cannot be read.
    """
    from ...history.built import history_id
    from ...image.layers.base import Witness, base_of, said_base
    from ...image.layers.gather import gather
    from ...image.layers.select import account
    from ...model.managers import of_environment, of_system
    from ...restore.drift import drift_of
    from ...where.environment import detect
    from ...where.host import look

    records, ledger = session.history.records(), session.history.ledger()
    recorded = (each.context.image for each in reversed(records) if each.context.image)
    name = said_base(said, look().image, next(recorded, None))
    session.console.say(f"Looking at {name} …")
    with base_of(name, history_id(records), session.console) as base:
        user = account(str(base.image.settings.get("User") or ""), base.root.contents)
        gathered = gather(ledger, session.history.content(), base.root, user)
        environments = {detect().prefix: detect()}
        for prefix in filter(None, ledger.places()):
            with contextlib.suppress(JStackMagicError):
                environments.setdefault(prefix, detect(prefix))
        witness = Witness(base)
        places = [(each, of_environment()) for each in environments.values()]
        if look().runtime is not None:  # elsewhere the system is another than the image's
            places.append((detect(), of_system()))
        drifts = tuple(drift_of(*place, ledger, lambda: witness) for place in places)
        yield Prepared(base, gathered, drifts)


@dataclass(frozen=True)
class Made:
    """An image in layers, ready to be sent.

    Attributes:
        image: It.
        packing: Has its archives.
        pack: Packs the layer of a digest, unless its archive is there.
    """

    image: Assembled
    packing: Packing
    pack: Callable[[str], None]


def packing() -> Packing:
    """Return where layers are packed."""
    from platformdirs import user_cache_path

    from ...image.layers.pack import Packing

    return Packing(user_cache_path("jstackmagic") / "layers")


def made(session: Session, prepared: Prepared, extra: Mapping[str, str]) -> Made:
    """Pack the layers, and put them on the base.

    Args:
        session: The session of the call.
        prepared: The parts of the image.
        extra: The labels to add.
    """
    from ...display.progress import Progress
    from ...image.engine.labels import labels
    from ...image.layers.assemble import OurLayer, assemble
    from ...image.layers.pack import Changed

    base, gathered, console = prepared.base, prepared.gathered, session.console
    store, done = packing(), 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        console.progress(Progress("Packing", "", done, gathered.size, "bytes"))

    packed = [(each, store.known(each) or store.pack(each, told)) for each in gathered.layers]
    console.progress(None)
    by_digest = {archive.digest: (layer, archive) for layer, archive in packed}

    def pack(digest: str) -> None:
        layer, archive = by_digest[digest]
        if not store.path(archive).exists() and store.pack(layer).digest != digest:
            raise Changed("A file changed while it was read.", kept="The old image stands.")

    diff_ids = [base.image.digest, *(archive.diff_id for _, archive in packed)]
    records = session.history.records()
    created = records[-1].time if records else str(base.image.config.get("created", ""))
    found = labels(
        recipe=hashlib.sha256("\n".join(diff_ids).encode()).hexdigest(),
        records=records,
        base=str(base.image.name).partition("@")[0],
        base_digest=base.image.digest,
        now=created,
    )
    ours = [OurLayer.of(layer, archive) for layer, archive in packed]
    return Made(assemble(base.image, ours, {**found, **extra}, created), store, pack)


@contextlib.contextmanager
def sending(tag: str) -> Iterator[None]:
    """Add to any error that the old image is unchanged."""
    from ...image.registry.connection import RegistryError

    kept = f"{tag} is what it was."
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("The push was interrupted.", kept=kept, advice=AGAIN) from None
    except OSError as error:
        raise JStackMagicError(
            f"{error.filename or 'A file'} cannot be written or read: {error.strerror}.", kept=kept
        ) from error
    except RegistryError as error:
        raise RegistryError(error.problem, kept=kept, advice=(*error.advice, AGAIN)) from error


def send_to(
    tag: Reference, prepared: Base, made: Made, session: Session, *, share: str = ""
) -> Sent:
    """Send an image to its registry.

    Raises:
        JStackMagicError: It could not be sent; the tag is unchanged.
    """
    from ...image.layers.send import send
    from ...image.registry.client import opened

    source = prepared.registry
    same = source.name.registry == tag.registry
    with sending(str(tag)), opened(tag, source.connection if same else None) as target:
        return send(
            made.image, target, tag.tag, source, made.packing, made.pack,
            console=session.console, share=share,
        )  # fmt: skip


def is_layered(how: How, tag: str | None, output: str | None) -> bool:
    """Return whether a build makes layers: on request, or if there is no engine.

    Raises:
        UsageError: It was requested with options that only an engine can serve.
    """
    from ...model.reference import parse

    if how.way == "engine" or how.builder:
        return False
    only_engine = how.file or how.secrets or how.platform or how.no_cache or how.with_jstackmagic
    named = bool(tag) and (bool(output) or bool(parse(str(tag)).registry))
    if how.way == "layers":
        if only_engine or not named:
            raise UsageError(
                "Layers are made of what is here: without --file, --secret, --platform, --no-cache"
                " and --with-jstackmagic, and for REGISTRY/NAME:TAG or --output.",
                kept="Nothing was built.",
            )
        return True
    return named and not only_engine and (bool(output) or not _has_engine())


def _has_engine() -> bool:
    from ...image.engine.client import NoEngine, connect

    try:
        connect().close()
    except NoEngine:
        return False
    return True


# A proof without an engine


def is_in_registry(tag: str) -> bool:
    """Return whether to look for an image in its registry: it names one, and no engine has it."""
    from ...image.engine.build import exists
    from ...image.engine.client import NoEngine, connect
    from ...model.reference import parse

    if not parse(tag).registry:
        return False
    try:
        with contextlib.closing(connect()) as engine:
            return not exists(engine, tag)
    except NoEngine:
        return True


def from_registry(
    tag: str, environments: tuple[Environment, ...], session: Session
) -> tuple[Target, Here]:
    """Return an image in a registry, and this side to compare it with.

    Args:
        tag: The image's name.
        environments: The environments to compare; without any, everything here.
        session: The session of the call.

    Raises:
        RegistryError: It is missing or cannot be read.
    """
    from dataclasses import replace

    from ...image.engine.labels import BASE, BASE_DIGEST
    from ...image.layers.base import image_of, read_root
    from ...image.prove.compare import Here, Target, everything_here
    from ...image.prove.facts import View
    from ...image.registry.client import opened
    from ...model.reference import parse

    here = Here(environments, whole=False) if environments else everything_here()
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(opened(parse(tag)))
        image = image_of(registry)
        name, digest = image.labels.get(BASE, ""), image.labels.get(BASE_DIGEST, "")
        if name and digest:
            # only to say who changed a file: an image whose base is gone is proved as well
            with contextlib.suppress(JStackMagicError):
                below = replace(parse(name), tag="", digest=digest)
                base = stack.enter_context(opened(below))
                here = replace(here, base=read_root(base, image_of(base), session.console))
        root = read_root(registry, image, session.console)
    return Target(tag, image.digest, View(root, image.settings)), here
