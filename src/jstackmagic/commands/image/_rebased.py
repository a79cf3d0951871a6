"""One rebase after another, with their outcomes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Result, Table, Text, size_text
from ...model.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...display import Part
    from ...image.layers.assemble import OurLayer
    from ...image.registry.client import Registry
    from ...model.reference import Reference
    from ...session import Session


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one image.

    Attributes:
        image: Its name.
        state: ``done``, ``would be``, ``is already`` or ``no``.
        reasons: Why not, a sentence each.
        digest: Its new digest in the registry.
        size: The bytes that were sent.
    """

    image: str
    state: str
    reasons: tuple[str, ...] = ()
    digest: str = ""
    size: int = 0


class Rebasing:
    """Rebase images on one base; each base is read once.

    Args:
        new: The repository of the new base.
        session: The session of the call.
        dry_run: Whether to send nothing, and to read manifests alone.
    """

    def __init__(self, new: Registry, session: Session, *, dry_run: bool) -> None:
        from ...image.layers.base import image_of, read_root

        self._stack = ExitStack()
        self._session, self._dry_run = session, dry_run
        self._new, self._new_image = new, image_of(new)
        self._new_root = read_root(new, self._new_image, session.console)
        self._old: dict[str, Any] = {}
        self._connections = {new.name.registry: new.connection}

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()

    def _opened(self, reference: Reference) -> Registry:
        from ...image.registry.client import opened

        known = self._connections.get(reference.registry)
        registry = self._stack.enter_context(opened(reference, known))
        self._connections.setdefault(reference.registry, registry.connection)
        return registry

    def _base(self, reference: Reference) -> Any:
        from ...image.layers.base import image_of, read_root

        if str(reference) not in self._old:
            registry = self._opened(reference)
            image = image_of(registry)
            root = read_root(registry, image, self._session.console)
            self._old[str(reference)] = (registry, image, root)
        return self._old[str(reference)]

    def rebase(self, tag: Reference) -> Outcome:
        """Rebase one image.

        Raises:
            Stopped: It would not be right.
            RegistryError: A registry refuses, or cannot be reached.
        """
        from ...image.engine.labels import BASE, BASE_DIGEST
        from ...image.layers.assemble import ours_of
        from ...image.layers.base import image_of
        from ...image.layers.rebase import obstacles
        from ...model.reference import Reference, parse

        target = self._opened(tag)
        image = image_of(target)
        ours, below = ours_of(image.layers), image.labels.get(BASE, "")
        if not ours or not below:
            raise Stopped(f"{tag} was not made by %envimage push.", kept="It is what it was.")
        digest = image.labels.get(BASE_DIGEST, "")
        if digest == self._new_image.digest:
            return Outcome(str(tag), "is already", digest=image.digest)
        name = parse(below)
        _, old, old_root = self._base(Reference(name.name, name.tag, digest))
        found = tuple(obstacles(ours, old, self._new_image, old_root, self._new_root))
        if found:
            return Outcome(str(tag), "no", found)
        if self._dry_run:
            return Outcome(str(tag), "would be")
        return self._do(tag, target, image, ours, old_root)

    def _do(
        self, tag: Reference, target: Registry, image: Any, ours: list[OurLayer], old_root: Any
    ) -> Outcome:
        from ...image.engine.labels import BASE, BASE_DIGEST
        from ...image.layers.assemble import OurLayer, assemble
        from ...image.layers.base import Base
        from ...image.layers.rebase import carried_over, clashes, is_list
        from ...image.registry.source import RegistrySource
        from ...image.root import archive
        from ._layers import Made, packing, send_to

        store, made = packing(), []
        source = RegistrySource(target, image)
        start = len(image.layers) - len(ours)
        for number, layer in enumerate(ours, start):
            if is_list(layer):
                contents = carried_over(
                    layer, target, image.layers[number], old_root, self._new_root
                )
                packed = store.pack(contents)
                layer = OurLayer.of(contents, packed)
            else:
                with source.layers[number].open() as stream:
                    changes = archive(stream)
                    while stream.read(2**20):
                        pass
                found = tuple(clashes(changes, old_root, self._new_root))
                if found:
                    return Outcome(str(tag), "no", found)
            made.append(layer)
        labels = {k: v for k, v in image.labels.items() if k not in (BASE, BASE_DIGEST)}
        labels[BASE] = str(self._new_image.name).partition("@")[0]
        labels[BASE_DIGEST] = self._new_image.digest
        new = assemble(self._new_image, made, labels, str(image.config.get("created", "")))
        base = Base(self._new, self._new_image, self._new_root)
        sent = send_to(tag, base, Made(new, store, lambda _: None), self._session)
        return Outcome(str(tag), "done", (), sent.digest, sent.size)


@dataclass(frozen=True, repr=False)
class Rebased(Result):
    """The outcome of some rebases.

    Attributes:
        onto: The new base.
        outcomes: One an image.
        dry_run: Whether nothing was sent.
    """

    onto: str
    outcomes: tuple[Outcome, ...]
    dry_run: bool = False

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 if an image could not be rebased."""
        return int(any(each.state == "no" for each in self.outcomes))

    def summary(self) -> str:
        """Return how many images were rebased."""
        there = sum(each.state != "no" for each in self.outcomes)
        return (
            f"{there} of {len(self.outcomes)} {'can be' if self.dry_run else 'are'} on {self.onto}"
        )

    def parts(self) -> Sequence[Part]:
        """Return each image, and what has to be built instead."""
        rows = tuple(
            (
                each.image,
                each.state,
                size_text(each.size) if each.size else "",
                "; ".join(each.reasons),
            )
            for each in self.outcomes
        )
        parts: list[Part] = [Table(("Image", f"On {self.onto}", "Sent", "Why not"), rows)]
        if self.exit_status:
            words = "What says no has to be built again: %envexport dockerfile --from BASE"
            parts.append(Text(words, "warning"))
        return parts

    def to_json(self) -> Any:
        """Return the outcomes."""
        import msgspec

        return {"onto": self.onto, "images": msgspec.to_builtins(self.outcomes)}
