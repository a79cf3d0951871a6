"""An image made of layers: its parts, their archives, and the way to its registry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...display.console import ByteCount, Console
from ...history.built import history_id
from ...history.file import History
from ...model.errors import Interrupted, JStackMagicError, Stopped
from ...model.ledger import Ledger
from ...model.record import Record
from ...model.reference import Reference
from ...where.host import look
from ..engine.labels import labels
from ..registry.client import RegistryImage, opened
from ..registry.connection import RegistryError
from .assemble import OurLayer, assemble
from .base import Base, base_of, said_base
from .contents import account
from .gather import Gathered, gather
from .pack import Changed, Packing
from .send import Made, SentImage, send

AGAIN = "What was sent is there: the same command sends only the rest."
_MOST_FAULTS = 20
_MOST_LAYERS = 125  # Docker's layer store refuses more ("max depth exceeded")


@dataclass(frozen=True)
class Prepared:
    """The parts of an image."""

    base: Base
    gathered: Gathered  #: the layers, and the faults that no image can have

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


def too_many(base: RegistryImage, ours: int) -> Iterator[str]:
    """Yield why no engine could run an image with that many layers of ours on a base."""
    total = len(base.layers) + ours
    if total > _MOST_LAYERS:
        yield (
            f"{base.name} has {len(base.layers)} layers: with {ours} more it has over"
            f" {_MOST_LAYERS}, which is all that Docker runs."
        )


@contextmanager
def prepared(
    history: History, ledger: Ledger, said: str | None, console: Console
) -> Iterator[Prepared]:
    """Yield the parts of an image of a history.

    Args:
        said: The base image; None for this container's.

    Raises:
        JStackMagicError: The base image is not known, or cannot be read.
    """
    records = history.records()
    recorded = (each.context.image for each in reversed(records) if each.context.image)
    name = said_base(said, look().image, next(recorded, None))
    console.say(f"Looking at {name} …")
    with base_of(name, history_id(records), console) as base:
        user = account(str(base.image.settings.get("User") or ""), base.root.contents)
        gathered = gather(ledger, history.content(), base.root, user)
        gathered.faults += too_many(base.image, len(gathered.layers))
        yield Prepared(base, gathered)


def packing() -> Packing:
    """Return where layers are packed."""
    from platformdirs import user_cache_path

    return Packing(user_cache_path("jstackmagic") / "layers")


def made(
    prepared: Prepared, records: Sequence[Record], extra: Mapping[str, str], console: Console
) -> Made:
    """Pack the layers, and put them on the base."""
    base, gathered = prepared.base, prepared.gathered
    store = packing()
    with ByteCount(console, "Packing", "", gathered.size) as report:
        packed = [(each, store.known(each) or store.pack(each, report)) for each in gathered.layers]
    by_digest = {archive.digest: (layer, archive) for layer, archive in packed}

    def pack(digest: str) -> None:
        layer, archive = by_digest[digest]
        if not store.path(archive).exists() and store.pack(layer).digest != digest:
            raise Changed("A file changed while it was read.", kept="The old image stands.")

    diff_ids = [base.image.digest, *(archive.diff_id for _, archive in packed)]
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


@contextmanager
def sending(tag: str) -> Iterator[None]:
    """Add to any error that the old image is unchanged."""
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
    tag: Reference, base: Base, made: Made, console: Console, *, share: str = ""
) -> SentImage:
    """Send an image to its registry.

    Raises:
        JStackMagicError: It could not be sent; the tag is unchanged.
    """
    source = base.registry
    same = source.name.registry == tag.registry
    with sending(str(tag)), opened(tag, source.connection if same else None) as target:
        return send(made, target, tag.tag, source, console=console, share=share)
