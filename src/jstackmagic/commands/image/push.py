"""Make an image of what was installed, and send it to its registry: no engine is needed.

Its layers are made of the files that the recorded packages own here, on top of the base image, of
which only what the registry lacks is sent. Nothing else of this container goes into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...display import Fold, Result, Table, Text, size_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...display import Part
    from ...session import Session
    from ._layers import Prepared


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str
    base_image: str | None = None
    output: str | None = None
    dry_run: bool = False
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(args.tag, args.base_image, args.output, args.dry_run, tuple(args.label))


HELP = "send an image to a registry, without an engine"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", metavar="REGISTRY/NAME:TAG", help="where to, and what to call it")
    parser.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")
    parser.add_argument(
        "--output", metavar="FILE.tar|FOLDER", help="write it as a layout of OCI's instead"
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="to put on the image"
    )


def run(options: Options, session: Session) -> Pushed:
    """Do it."""
    from ...history.built import note_image
    from ...image.layers.send import write_layout
    from ...image.secrets import pairs
    from ...model.reference import parse_tag
    from ._layers import made, prepared, send_to, sending

    tag, extra = parse_tag(options.tag), pairs(options.labels)
    with prepared(session, options.base_image) as found:
        if options.dry_run:
            return Pushed(str(tag), found)
        found.check()
        with sending(str(tag)):
            image = made(session, found, extra)
        if options.output:
            path = Path(options.output).expanduser()
            with sending(str(path)):
                size = write_layout(
                    image.image, path, tag, found.base.registry, image.packing, image.pack,
                    console=session.console,
                )  # fmt: skip
            return Pushed(str(tag), found, image.image.digest, size, output=str(path))
        sent = send_to(tag, found.base, image, session)
        note_image(f"{tag.name}@{sent.digest}", session.history)
        how = f"{sent.layers} layers sent, {sent.mounted} taken from other repositories"
        return Pushed(str(tag), found, sent.digest, sent.size, how)


@dataclass(frozen=True, repr=False)
class Pushed(Result):
    """An image that was made from the record.

    Attributes:
        tag: Its name.
        prepared: What it is made of.
        digest: Its digest; empty where nothing was sent.
        size: Bytes that were sent or written.
        how: How many layers went, in words.
        output: The layout that was written; empty where it went to a registry.
    """

    tag: str
    prepared: Prepared
    digest: str = ""
    size: int = 0
    how: str = ""
    output: str = ""

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 where no image can be made."""
        return 1 if self.prepared.gathered.faults else 0

    def summary(self) -> str:
        """Return its name, or that it would be made."""
        return self.output or (self.tag if self.digest else f"{self.tag} would be made")

    def parts(self) -> Sequence[Part]:
        """Return the layers, what is in none of them, and what to do with it."""
        gathered, base = self.prepared.gathered, self.prepared.base
        rows = [
            (each.title, str(len(each.items)), size_text(each.size), str(len(each.gone)))
            for each in gathered.layers
        ]
        title = f"{self.output or self.tag} on {base.reference}"
        parts: list[Part] = [Table(("Layer", "Files", "Size", "Taken away"), tuple(rows), title)]
        if self.digest:
            words = f"{self.digest}: {size_text(self.size)}, {self.how or 'written'}."
            parts.append(Text(words, "good"))
        else:
            files = [f"{each.path}" for layer in gathered.layers for each in layer.items]
            files += [f"- {path}" for layer in gathered.layers for path in layer.gone]
            parts += [Text("Nothing was sent.", "quiet")]
            parts += [Fold("Files", "\n".join(files))]
        parts += [Text(sentence, "warning") for sentence in (*gathered.faults, *gathered.notes)]
        unrecorded = self.prepared.unrecorded
        if unrecorded:
            words = f"Here and in no layer, since nobody recorded it: {', '.join(unrecorded)}."
            parts.append(Text(f"{words} Record it: %envdiff --adopt", "warning"))
        return parts

    def to_json(self) -> Any:
        """Return the layers with their files, and what is in none."""
        gathered = self.prepared.gathered
        return {
            "image": self.tag,
            "digest": self.digest,
            "base": self.prepared.base.reference,
            "sent": self.size,
            "output": self.output,
            "layers": [
                {
                    "manager": layer.manager,
                    "environment": layer.prefix,
                    "size": layer.size,
                    "files": [item.path for item in layer.items],
                    "taken_away": list(layer.gone),
                }
                for layer in gathered.layers
            ],
            "faults": gathered.faults,
            "notes": gathered.notes,
            "unrecorded": list(self.prepared.unrecorded),
        }
