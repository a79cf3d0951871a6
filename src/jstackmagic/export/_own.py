"""Put jstackmagic itself into an artifact, or say that it is not there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..model.environment import Environment
from ..model.errors import ExportError
from ..model.managers import of_environment
from ..model.packages import Package, PackageSet
from ..model.recipe import Item, Recipe, RecipeStep
from ..model.spec import read
from ..where.detect import detect
from ..where.metadata import read_packages
from ..where.ours import OWN, asked_for, described, extras_here, ours_here

FLAG = "--with-jstackmagic"


@dataclass(frozen=True)
class Own:
    """jstackmagic, as it is in one environment."""

    environment: Environment
    here: PackageSet
    #: jstackmagic and what only it needs; empty if something else installs it
    packages: tuple[Package, ...]
    asked: bool  #: whether a record asks for it

    @classmethod
    def of(cls, recipe: Recipe) -> Own:
        """Look at the environment that this process runs in."""
        return cls.at(detect(), recipe)

    @classmethod
    def at(cls, environment: Environment, recipe: Recipe) -> Own:
        """Look at an environment."""
        here = read_packages(environment, of_environment())
        return cls(
            environment,
            here,
            ours_here(environment, here, recipe),
            OWN in asked_for(recipe, environment.prefix),
        )

    def step(self) -> RecipeStep | None:
        """Return the step that installs it: the same version or origin, with its extras here.

        What only it needs is pinned to the versions here. None if something else in the
        recipe or the base image installs it.

        Raises:
            ExportError: It is not installed here, so that its version is unknown.
        """
        own = self.here.get(*OWN)
        if own is None:
            raise ExportError(
                f"jstackmagic is not installed in {self.environment.description}: nothing says"
                " which version to put into the image.",
                advice=f"Install it there with pip, or leave {FLAG} out.",
            )
        if own not in self.packages:
            return None
        spec = read("pip", _spec(own, extras_here(self.environment, self.here)))
        brought = tuple(
            Item(read("pip", each.name), each.name, each.version)
            for each in self.packages
            if each != own and not each.source
        )
        item = Item(
            spec, own.name, own.version, source=own.source, sha256=own.sha256, brought=brought
        )
        return RecipeStep(OWN[0], self.environment.ref, (item,))

    def in_image(self, *, added: bool) -> str:
        """Return a sentence on whether an image will have it; empty if it is not here.

        Args:
            added: Whether it is added to the image.
        """
        if OWN not in self.here:
            return ""
        if not self.packages:
            who = "a record asks for it" if self.asked else "the base image or a package brings it"
            return f"The image will have jstackmagic: {who}."
        if added:
            return f"The image will have {described(self.packages)}."
        return f"The image will not have {described(self.packages)}: {FLAG} puts them there."

    def in_file(self) -> str:
        """Return a sentence for an artifact that has no room for it; empty if none is due."""
        return f"{described(self.packages)} are not in this." if self.packages else ""


def _spec(own: Package, extras: Collection[str]) -> str:
    more = f"[{','.join(extras)}]" if extras else ""
    if not own.source:
        return f"{own.name}{more}=={own.version}"
    if own.editable and own.source.startswith("file://"):
        from urllib.parse import unquote

        return f"-e {unquote(own.source.removeprefix('file://'))}{more}"
    return f"{own.name}{more} @ {own.source}"
