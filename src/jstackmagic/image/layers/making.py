"""An image made of layers: its parts, their archives, and the way to its registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...display.progress import Progress
from ...history.built import history_id
from ...model.errors import Interrupted, JStackMagicError, Stopped
from ...where.host import look
from ..engine.labels import labels
from ..registry.client import opened
from ..registry.connection import RegistryError
from .assemble import Assembled, OurLayer, assemble
from .base import Base, base_of, said_base
from .gather import Gathered, gather
from .pack import Changed, Packing
from .select import account
from .send import Sent, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...display.console import Console
    from ...history.file import History
    from ...model.ledger import Ledger
    from ...model.record import Record
    from ...model.reference import Reference

AGAIN = "What was sent is there: the same command sends only the rest."
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Prepared:
    """The parts of an image.

    Attributes:
        base: Its base image.
        gathered: The layers, and the faults that no image can have.
    """

    base: Base
    gathered: Gathered

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


@contextmanager
def prepared(
    history: History, ledger: Ledger, said: str | None, console: Console
) -> Iterator[Prepared]:
    """Yield the parts of an image of a history.

    Args:
        history: The history, which goes into the image.
        ledger: The ledger of those of its records that count here.
        said: The base image; None for this container's.
        console: Shows the progress.

    Raises:
        JStackMagicError: The base image is not known, or cannot be read.
    """
    records = history.records()
    recorded = (each.context.image for each in reversed(records) if each.context.image)
    name = said_base(said, look().image, next(recorded, None))
    console.say(f"Looking at {name} …")
    with base_of(name, history_id(records), console) as base:
        user = account(str(base.image.settings.get("User") or ""), base.root.contents)
        yield Prepared(base, gather(ledger, history.content(), base.root, user))


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

    return Packing(user_cache_path("jstackmagic") / "layers")


def made(
    prepared: Prepared, records: Sequence[Record], extra: Mapping[str, str], console: Console
) -> Made:
    """Pack the layers, and put them on the base.

    Args:
        prepared: The parts of the image.
        records: The history.
        extra: The labels to add.
        console: Shows the progress.
    """
    base, gathered = prepared.base, prepared.gathered
    store, done, total = packing(), 0, gathered.size

    def told(size: int) -> None:
        nonlocal done
        done += size
        console.progress(Progress("Packing", "", done, total, "bytes"))

    packed = [(each, store.known(each) or store.pack(each, told)) for each in gathered.layers]
    console.progress(None)
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


def send_to(tag: Reference, base: Base, made: Made, console: Console, *, share: str = "") -> Sent:
    """Send an image to its registry.

    Raises:
        JStackMagicError: It could not be sent; the tag is unchanged.
    """
    source = base.registry
    same = source.name.registry == tag.registry
    with sending(str(tag)), opened(tag, source.connection if same else None) as target:
        return send(
            made.image, target, tag.tag, source, made.packing, made.pack,
            console=console, share=share,
        )  # fmt: skip
