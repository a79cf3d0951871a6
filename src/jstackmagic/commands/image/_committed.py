"""An image of a container, and its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...display import Part, Result, Table, Text, size_text
from ...image.engine.commit import Carried, Committed

_LONGEST_PATH = 50  # characters
_CARRIED = {
    "secrets": "what looks like a token, a key or a password",
    "caches": "caches",
    "home": "files of the home folder",
    "temporary": "temporary files and logs",
    "other": "other files",
    "packages": "packages and the system, which the recipe carries as well",
}


@dataclass(frozen=True, repr=False)
class CommittedImage(Result):
    """An image made of this container."""

    committed: Committed

    def summary(self) -> str:
        return self.committed.tag

    def parts(self) -> Sequence[Part]:
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
                "Later, nobody can say how it was made or build it again."
                f" The lasting way: %envimage build {image.tag}",
                "warning",
            )
        )
        return parts

    def to_json(self) -> Any:
        return msgspec.to_builtins(self.committed)


def _carried_rows(carried: Sequence[Carried]) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row a kind; what may be secret is named whole, and each of it."""
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
