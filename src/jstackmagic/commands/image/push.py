"""Make an image of what was installed, and send it to its registry: no engine is needed.

Its layers are made of the files that the recorded packages own here, on top of the base image, of
which only what the registry lacks is sent. Nothing else of this container goes into it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...io.reading import path_of
from ...model.errors import JStackMagicError, UsageError
from ...model.text import counted
from .._options import flag, option

if TYPE_CHECKING:
    from ...image.layers.base import Base
    from ...model.ledger import Ledger
    from ...session import Session
    from ._pushed import Pushed


@dataclass(frozen=True)
class Options:
    """The image to send."""

    tag: str = option(metavar="REGISTRY/NAME:TAG", help="the name to push it under")
    base_image: str | None = option("--from", metavar="IMAGE", help="the base image")
    output: str | None = option(
        "--output", metavar="FILE.tar|FOLDER", help="write it as a layout of OCI's instead"
    )
    share: str = option(
        "--share",
        default="",
        metavar="NAME",
        help="a repository of that registry that everybody's layers are put into and taken from",
    )
    dry_run: bool = flag("--dry-run", help="only show what would be sent")
    all_images: bool = flag("--all-images", help="also what other images than this had")
    labels: tuple[str, ...] = option(
        "--label", action="append", metavar="NAME=VALUE", help="to put on the image"
    )


def run(options: Options, session: Session) -> Pushed:
    from ...history.built import note_image
    from ...image.layers.making import made, prepared, send_to, sending
    from ...image.layers.send import write_layout
    from ...image.secrets import pairs
    from ...model.ledger import Ledger
    from ...model.reference import parse_tag
    from ...restore.homes import at_home
    from ...sending.outbox import Outbox
    from ._pushed import Pushed

    tag, extra, console = parse_tag(options.tag), pairs(options.labels), session.console
    if not (tag.registry or options.output):
        raise UsageError(
            f"{tag} names no registry.",
            kept="Nothing was sent.",
            advice=f"Say which: REGISTRY/{tag}, or --output FILE.tar",
        )
    home = at_home(session.history, "%envimage push --all-images", every=options.all_images)
    ledger = Ledger.of(home.records)
    with prepared(session.history, ledger, options.base_image, console) as found:
        found.gathered.notes += home.notes
        unrecorded = _unrecorded(ledger, found.base)
        if options.dry_run:
            return Pushed(str(tag), found, unrecorded)
        found.check()
        with sending(str(tag)):
            image = made(found, session.history.records(), extra, console)
        if options.output:
            path = path_of(options.output)
            with sending(str(path)):
                size = write_layout(image, path, tag, found.base.registry, console)
            return Pushed(str(tag), found, unrecorded, image.image.digest, size, output=str(path))
        sent = send_to(tag, found.base, image, console, share=options.share)
        note_image(f"{tag.name}@{sent.digest}", session.history)
        how = f"{counted(sent.layers, 'layer')} sent, {sent.mounted} taken from other repositories"
        answer = Outbox(session.history.path, session.policy.hub_url).push(str(tag))
        if answer:
            console.say(answer)
        return Pushed(str(tag), found, unrecorded, sent.digest, sent.size, how)


def _unrecorded(ledger: Ledger, base: Base) -> tuple[str, ...]:
    """Return what is here and in no layer, since no record has it."""
    from ...image.installed import ImageWitness
    from ...model.managers import of_environment, of_system
    from ...restore.drift import drift_of
    from ...where.detect import detect
    from ...where.host import look

    witness, own = ImageWitness(base.root, f"the image {base.image.name}"), detect()
    environments = {own.prefix: own}
    for prefix in set(filter(None, ledger.places())) - {own.prefix}:
        with contextlib.suppress(JStackMagicError):
            environments[prefix] = detect(prefix)
    places = [(each, of_environment()) for each in environments.values()]
    if look().runtime is not None:  # elsewhere the system is another than the image's
        places.append((own, of_system()))
    return tuple(
        f"{each.package.manager}:{each.package.name} in {drift.where}"
        for drift in (drift_of(*place, ledger, lambda: witness) for place in places)
        for each in drift.unexplained
    )
