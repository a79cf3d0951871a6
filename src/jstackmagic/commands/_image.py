"""What the verbs of ``%envimage`` give back, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..display import Code, Part, Result, Table, Text, channel_text, size_text
from ..image.engine.build import Built
from ..image.engine.commit import Carried, Committed
from ..image.engine.serve import Image, Server
from ..image.family import Candidate, Family, Stack
from ..image.prove.proof import Proof
from ..model.packages import ManagerName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..image.prove.proof import Difference
    from ..model.packages import Package

_CARRIED = {
    "secrets": "what looks like a token, a key or a password",
    "caches": "caches",
    "home": "files of the home folder",
    "temporary": "temporary files and logs",
    "other": "other files",
    "packages": "packages and the system, which the recipe carries as well",
}
_MOST_FILES = 50
_LONGEST_PATH = 50  # characters


def _json(value: object) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


@dataclass(frozen=True, repr=False)
class BuiltImage(Result):
    """An image that was built.

    Attributes:
        built: The image.
        base: What it was built on; empty for a Dockerfile that was given.
        digest: What its registry calls it, if it was pushed.
        notes: Sentences the user should read.
    """

    built: Built
    base: str = ""
    digest: str = ""
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Its name."""
        return self.built.tag

    def parts(self) -> Sequence[Part]:
        """What was built, and what to do with it."""
        built = self.built
        facts = [
            ("image", built.image_id.rpartition(":")[2][:12]),
            ("built on", self.base),
            ("size", size_text(built.size)),
            ("took", f"{built.seconds:.1f} s with {built.builder}"),
            ("steps", f"{built.steps}, {built.cached} of them from an earlier build"),
            ("pushed as", self.digest),
        ]
        rows = tuple((name, value) for name, value in facts if value)
        return (
            Table(("Built", built.tag), rows, facts=True),
            *(Text(note, "warning") for note in self.notes),
            Text(f"Does it hold what is here? %envimage prove {built.tag}", "quiet"),
        )

    def to_json(self) -> Any:
        """The image, its base and the notes."""
        return {
            **_json(self.built),
            "base": self.base,
            "digest": self.digest,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, repr=False)
class Proved(Result):
    """What came of a proof; its truth value is whether the two sides are equal."""

    proof: Proof

    def __bool__(self) -> bool:
        return self.proof.equal

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """0 where the image holds exactly what is here."""
        return 0 if self.proof.equal else 1

    def summary(self) -> str:
        """Equal or not, in one line."""
        if self.proof.equal:
            return f"{self.proof.image} holds exactly what is here"
        return f"{self.proof.image} does not hold exactly what is here"

    def parts(self) -> Sequence[Part]:
        """The verdict, what was compared, and every difference with what would mend it."""
        proof = self.proof
        compared = ", ".join(f"{name} ({count} packages)" for name, count in proof.compared)
        parts: list[Part] = [
            Text(f"{self.summary()}.", "good" if proof.equal else "warning"),
            Text(f"Compared: {compared}.", "quiet"),
        ]
        parts += [Text(sentence, "warning") for sentence in (*proof.absent, *proof.unread)]
        if proof.differences:
            parts.append(_difference_table(proof.differences))
        if proof.files:
            parts.append(
                Table(
                    ("Where", "Package", "File", ""),
                    tuple(
                        (file.where, file.package, file.path, file.state)
                        for file in proof.files[:_MOST_FILES]
                    ),
                    "Files whose content is not the same",
                )
            )
        if len(proof.files) > _MOST_FILES:
            parts.append(Text(f"and {len(proof.files) - _MOST_FILES} files more.", "warning"))
        parts += [Text(f"Cannot be imported there: {line}", "warning") for line in proof.imports]
        return parts

    def to_json(self) -> Any:
        """The verdict and the whole proof."""
        return {"equal": self.proof.equal, **_json(self.proof)}


def _difference_table(differences: Sequence[Difference]) -> Table:
    rows = tuple(
        (
            difference.where,
            f"{difference.package.manager}:{difference.package.name}",
            _version(difference.here, difference.image),
            _version(difference.image, difference.here),
            difference.mend,
        )
        for difference in differences
    )
    return Table(("Where", "Package", "Here", "In the image", "What would mend it"), rows)


def _version(package: Package | None, other: Package | None) -> str:
    """A version, with whatever else tells the package from the other one."""
    if package is None:
        return "not installed"
    if other is None or package.version != other.version:
        return package.version
    words = [package.version]
    if package.build != other.build:
        words.append(package.build)
    if package.source != other.source:
        words.append(f"from {channel_text(package.source) or 'an index'}")
    if package.editable != other.editable:
        words.append("editable" if package.editable else "not editable")
    return " ".join(words)


@dataclass(frozen=True, repr=False)
class CommittedImage(Result):
    """An image made of this container."""

    committed: Committed

    def summary(self) -> str:
        """Its name."""
        return self.committed.tag

    def parts(self) -> Sequence[Part]:
        """The image, what it carries along, and the lasting way."""
        image = self.committed
        parts: list[Part] = [
            Text(
                f"{image.tag} holds this container as it stands:"
                f" {size_text(image.size)}, {size_text(image.grown) or 'nothing'} more than its"
                " base.",
                "good",
            )
        ]
        if image.cleaned:
            parts.append(Text(f"{size_text(image.cleaned)} of caches were emptied first."))
        if image.carried:
            columns = ("It carries along", "Files", "Size", "The largest")
            parts.append(Table(columns, tuple(_carried_rows(image.carried))))
        if image.variables:
            names = ", ".join(image.variables)
            parts.append(Text(f"It carries the values of these variables: {names}.", "warning"))
        if image.volumes:
            places = ", ".join(image.volumes)
            parts.append(Text(f"It asks for volumes that its base did not: {places}.", "warning"))
        if any(each.kind == "secrets" for each in image.carried):
            parts.append(Text("Look at the first row before you give it to anybody.", "warning"))
        parts.append(
            Text(
                "Nobody can tell later how it came about, nor build it anew."
                f" The lasting way: %envimage build {image.tag}",
                "warning",
            )
        )
        return parts

    def to_json(self) -> Any:
        """The image and what it carries."""
        return _json(self.committed)


def _carried_rows(carried: Sequence[Carried]) -> Iterator[tuple[str, str, str, str]]:
    """A row a kind; what may be secret is named whole, and each of it."""
    for each in carried:
        head = (_CARRIED[each.kind], str(each.files), size_text(each.size))
        first, *others = each.examples
        if each.kind != "secrets":
            yield (
                *head,
                first if len(first) <= _LONGEST_PATH else f"…{first[1 - _LONGEST_PATH :]}",
            )
            continue
        yield (*head, first)
        yield from (("", "", "", other) for other in others)
        if each.files > len(each.examples):
            yield "", "", "", f"and {each.files - len(each.examples)} more"


@dataclass(frozen=True, repr=False)
class Running(Result):
    """A server that answers.

    Attributes:
        server: The server.
        work: The folder of the engine's host that is mounted in it; empty for none.
        notes: Sentences the user should read.
    """

    server: Server
    work: str = ""
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where it is reached, with its token."""
        return self.server.url

    def summary(self) -> str:
        """Its URL."""
        return self.server.url

    def parts(self) -> Sequence[Part]:
        """The URL, and how to end it."""
        return (
            *(Text(note, "warning") for note in self.notes),
            Text(f"{self.server.image} answers:", "good"),
            Code(self.server.url),
            *((Text(f"Its work is {self.work}.", "quiet"),) if self.work else ()),
            Text(f"Stop it: %envimage stop {self.server.name}", "quiet"),
        )

    def to_json(self) -> Any:
        """The server."""
        return {**_json(self.server), "work": self.work, "notes": list(self.notes)}


@dataclass(frozen=True, repr=False)
class Images(Result):
    """The images that there are, and the servers.

    Attributes:
        images: The images that were made from this history, or from any.
        servers: The servers that it started, or anybody.
        history: The name of this history.
    """

    images: tuple[Image, ...]
    servers: tuple[Server, ...]
    history: str

    def summary(self) -> str:
        """How many there are."""
        return f"{len(self.images)} images, {len(self.servers)} servers"

    def parts(self) -> Sequence[Part]:
        """A table of each."""
        parts: list[Part] = []
        if not self.images:
            parts.append(Text("No image was made from this history yet: %envimage build"))
        else:
            rows = tuple(
                (
                    ", ".join(image.tags) or image.id.rpartition(":")[2][:12],
                    "this one" if image.history == self.history else image.history or "none",
                    image.created,
                    size_text(image.size),
                    image.base,
                )
                for image in self.images
            )
            parts.append(Table(("Image", "History", "Made", "Size", "Built on"), rows))
        if self.servers:
            running = tuple(
                (server.name, server.image, server.status, server.url) for server in self.servers
            )
            parts.append(Table(("Server", "Image", "Status", "Address"), running))
        return parts

    def to_json(self) -> Any:
        """Both, and the history's name."""
        return {
            "history": self.history,
            "images": _json(self.images),
            "servers": _json(self.servers),
        }


@dataclass(frozen=True, repr=False)
class Stopped(Result):
    """The servers that were stopped, by name."""

    names: tuple[str, ...]

    def summary(self) -> str:
        """How many."""
        return f"{len(self.names)} servers stopped"

    def parts(self) -> Sequence[Part]:
        """Their names."""
        return (Text(f"Stopped: {', '.join(self.names)}" if self.names else "No server runs."),)

    def to_json(self) -> Any:
        """Their names."""
        return {"stopped": list(self.names)}


@dataclass(frozen=True, repr=False)
class Suggestions(Result):
    """The Docker Stacks that have some of what was installed.

    Attributes:
        family: The table that was looked up.
        base: The stack that is built on now, where it can be told.
        asked: What was installed, by manager and name.
        candidates: The stacks that have some of it, the best first.
    """

    family: Family
    base: Stack | None
    asked: tuple[tuple[ManagerName, str], ...]
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate | None:
        """The stack that has most of it, if that is more than the base has."""
        best = next(iter(self.candidates), None)
        own = next((each for each in self.candidates if each.stack == self.base), None)
        return best if best and len(best.has) > len(own.has if own else ()) else None

    def summary(self) -> str:
        """The best, in a few words."""
        return self.best.stack.name if self.best else "no other stack has more"

    def parts(self) -> Sequence[Part]:
        """The stacks, what each has, and what would be left to install."""
        source = Text(f"From {self.family.source}, as of {self.family.date}.", "quiet")
        if not self.asked:
            return (Text("Nothing was installed, so that no other image could have it."), source)
        if self.best is None:
            return (Text("No other of the Docker Stacks has more of what was installed."), source)
        rows = tuple(
            (
                self.family.reference(each.stack),
                ", ".join(each.has),
                ", ".join(each.left) or "nothing",
                str(each.stack.size),
            )
            for each in self.candidates
        )
        base = f" In place of {self.base.name}:" if self.base else ""
        return (
            Text(
                f"{self.best.stack.name} has {', '.join(self.best.has)} already.{base}"
                f" --from {self.family.reference(self.best.stack)}",
                "good",
            ),
            Table(("Image", "Has", "Left to install", "Packages in all"), rows),
            source,
        )

    def to_json(self) -> Any:
        """The stacks, the best first."""
        return {
            "base": self.base.name if self.base else None,
            "source": self.family.source,
            "date": self.family.date,
            "candidates": [
                {
                    "image": self.family.reference(each.stack),
                    "has": list(each.has),
                    "left": list(each.left),
                }
                for each in self.candidates
            ],
        }
