"""Say whether an image holds exactly what is here: conda's, pip's and Debian's packages.

Without a TAG, the image of this history is built first. The image's files are read; nothing of
ours is needed in it. Inside a container every environment counts, and the system; outside, the
environment of this process, the target, or with --container another container. The exit status is
1 where anything differs or could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...display import Result, Table, Text, channel_text
from ...image.prove.coverage import COVERAGE
from ...image.prove.proof import Proof
from ...model.environment import Environment
from ...model.errors import UsageError
from ...model.reference import parse, parse_tag
from .._options import declare, typed
from .._shared import Target
from ._building import build_context, build_engine, context_of, existing
from ._how import How, add_how
from ._layers import from_registry, is_in_registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...display import Part
    from ...image.engine.client import Engine
    from ...image.prove.compare import Here
    from ...image.prove.proof import Difference
    from ...model.packages import Package
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str | None
    deep: bool
    explain: bool
    container: str
    targets: tuple[Environment, ...]  # empty for everything here
    how: How

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        target = typed(Target, args)
        chosen = target.environments() if target.is_said else ()
        return cls(args.tag, args.deep, args.explain, args.container, chosen, How.of(args))


HELP = "compare an image with what is here"
_MOST_FILES = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", nargs="?", metavar="TAG", help="the image (default: this history's)")
    add_how(parser)
    parser.add_argument(
        "--deep", action="store_true", help="compare every file and import what was added, too"
    )
    parser.add_argument(
        "--explain", action="store_true", help="say what each depth compares; nothing is compared"
    )
    parser.add_argument(
        "--container", default="", metavar="NAME", help="compare with this container, from outside"
    )
    declare(parser, Target)


def run(options: Options, session: Session) -> Proved | Explained:
    """Do it."""
    from ...image.prove.brought import brought_here
    from ...image.prove.compare import prove, target_of

    if options.explain:
        return Explained()
    if options.tag:
        parse(options.tag)
    how = options.how
    how.check()
    records = session.history.records()
    if options.tag and not (how.file or options.container) and is_in_registry(options.tag):
        target, here = from_registry(options.tag, options.targets, session)
        return Proved(prove(target, here, records, deep=options.deep, console=session.console))
    with build_engine(session, how, options.tag) as engine:
        here = _here(options, engine)
        image = _image(options, engine, session)
        target = target_of(engine, image, base=here.started_from)
        proof = prove(
            target,
            here,
            records,
            deep=options.deep,
            console=session.console,
            brought=brought_here,
        )
    return Proved(proof)


def _here(options: Options, engine: Engine) -> Here:
    from ...image.engine.container import named_container
    from ...image.prove.compare import Here, everything_here, in_container, seen_by

    if options.container:
        return in_container(engine, named_container(engine, options.container))
    if options.targets:
        return Here(options.targets, whole=False)
    return seen_by(engine, everything_here())


def _image(options: Options, engine: Engine, session: Session) -> str:
    """Return the image to compare with: the one that was named, or one that is built now."""
    from ...image.engine.build import exists, similar

    how = options.how
    if options.tag and not how.file:
        if not exists(engine, options.tag):
            near = similar(engine, options.tag)
            raise UsageError(
                f"There is no image {options.tag}.",
                kept="Nothing was built.",
                advice=(
                    *(f"Did you mean: %envimage prove {name}" for name in near),
                    f"Build it first: %envimage build {options.tag}",
                ),
            )
        return options.tag
    tag = parse_tag(options.tag) if options.tag else None
    with context_of(how, engine, session) as context:
        # a given Dockerfile may have changed since its image was built
        again = tag or how.file or how.no_cache
        built = None if again else existing(engine, context)
        return (built or build_context(how, session, engine, context, tag)).tag


@dataclass(frozen=True, repr=False)
class Explained(Result):
    """The comparisons at each depth."""

    def summary(self) -> str:
        """One line."""
        return "what a proof compares"

    def parts(self) -> Sequence[Part]:
        """The table."""
        return (Table(("What", "Compared", "With --deep as well"), COVERAGE),)

    def to_json(self) -> Any:
        """The rows."""
        return [dict(zip(("what", "shallow", "deep"), row, strict=True)) for row in COVERAGE]


@dataclass(frozen=True, repr=False)
class Proved(Result):
    """The outcome of a proof; it is true where the two sides are equal."""

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
        """The verdict, what was compared, and every difference with what fixes it."""
        proof = self.proof
        compared = ", ".join(f"{name} ({count} packages)" for name, count in proof.compared)
        parts: list[Part] = [
            Text(f"{self.summary()}.", "good" if proof.equal else "warning"),
            Text(f"Compared: {compared}.", "quiet"),
        ]
        parts += [Text(sentence, "quiet") for sentence in proof.beside]
        parts += [Text(sentence, "warning") for sentence in (*proof.absent, *proof.unread)]
        if proof.differences:
            parts.append(_difference_table(proof.differences))
        if proof.facts:
            rows = tuple(
                (fact.where, fact.kind, fact.name, fact.here, fact.image, fact.mend)
                for fact in proof.facts
            )
            columns = ("Where", "What", "Name", "Here", "In the image", "How to fix it")
            parts.append(Table(columns, rows))
        if proof.files:
            parts.append(
                Table(
                    ("Where", "Package", "File", "", "How to fix it"),
                    tuple(
                        (file.where, file.package or "none", file.path, file.state, file.mend)
                        for file in proof.files[:_MOST_FILES]
                    ),
                    "Files that are not the same",
                )
            )
        if len(proof.files) > _MOST_FILES:
            parts.append(Text(f"and {len(proof.files) - _MOST_FILES} files more.", "warning"))
        parts += [Text(f"Cannot be imported there: {line}", "warning") for line in proof.imports]
        return parts

    def to_json(self) -> Any:
        """The verdict and the whole proof."""
        return {"equal": self.proof.equal, **msgspec.to_builtins(self.proof)}


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
    return Table(("Where", "Package", "Here", "In the image", "How to fix it"), rows)


def _version(package: Package | None, other: Package | None) -> str:
    """Return a version, with whatever else distinguishes the package from the other one."""
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
