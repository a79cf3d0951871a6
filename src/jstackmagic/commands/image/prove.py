"""Say whether an image holds exactly what is here: conda's, pip's and Debian's packages.

Without a TAG, the image of this history is built first. Read are the image's files; nothing of
ours is needed in it. Inside a container every environment counts, and the Debian packages;
outside, the environment of this process, or the target. The exit status is 1 where anything
differs or could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...display import Result, Table, Text, channel_text
from ...image.prove.proof import Proof
from ...model.environment import Environment
from .._options import declare, typed
from .._shared import Target
from ._building import build_context, build_engine, context_of, existing
from ._how import How, add_how

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...display import Part
    from ...image.prove.proof import Difference
    from ...model.packages import Package
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str | None
    deep: bool
    targets: tuple[Environment, ...]  # empty for everything here
    how: How

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        target = typed(Target, args)
        return cls(
            args.tag, args.deep, target.environments() if target.is_said else (), How.of(args)
        )


HELP = "compare an image with what is here"
_MOST_FILES = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", nargs="?", metavar="TAG", help="the image; built if it is not there")
    add_how(parser)
    parser.add_argument(
        "--deep", action="store_true", help="compare files' contents and import what was added, too"
    )
    declare(parser, Target)


def run(options: Options, session: Session) -> Proved:
    """Do it."""
    from ...image.engine.build import exists
    from ...image.prove.compare import Here, everything_here, prove
    from ...model.reference import parse, parse_tag

    if options.tag:
        parse(options.tag)
    how = options.how
    how.check()
    here = Here(options.targets, whole=False) if options.targets else everything_here()
    records = session.history.records()
    with build_engine(session, how, options.tag) as engine:
        image, built = options.tag or "", None
        if how.file or not (options.tag and exists(engine, options.tag)):
            tag = parse_tag(options.tag) if options.tag else None
            with context_of(how, engine, session) as context:
                # of a Dockerfile that was given nobody knows whether it is what was built before
                again = tag or how.file or how.no_cache
                built = None if again else existing(engine, context)
                built = built or build_context(how, session, engine, context, tag)
            image = built.tag
        proof = prove(engine, image, here, records, deep=options.deep, console=session.console)
    return Proved(proof)


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
        """The verdict, what was compared, and every difference with what would mend it."""
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
