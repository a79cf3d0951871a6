"""An @EXPLICIT list: the archive of every conda package, with its hash, for one platform.

`conda create --file`, mamba and micromamba install it without solving anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model.errors import ExportError
from ..model.recipe import Recipe
from ..model.words import published
from ._artifact import Artifact
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, Format
from ._locked import platform_of


def render(recipe: Recipe, *, name: str = "", prefix: str = "") -> Artifact:
    """Render an environment's conda packages as an explicit list; see `Format.render`."""
    chosen = choose(recipe, name=name, prefix=prefix)
    notes = list(chosen.left_out)
    lines = list(dict.fromkeys(_lines(chosen, notes)))
    if not any(chosen.items("conda")):
        raise ExportError(f"{chosen.name} has no conda packages.")
    if not lines:
        raise ExportError(
            f"The archives of the conda packages of {chosen.name} are not known.",
            advice="A list of names and versions: %envexport conda",
        )
    platform = platform_of(lines)
    if not chosen.holding.whole:
        notes.append(
            f"{chosen.name} is not here: only what was installed on top of its image is in it."
        )
    notes += chosen.without("pip")
    heading = [f"# platform: {platform}"] if platform else []
    text = "\n".join((*heading, "@EXPLICIT", *lines)) + "\n"
    return Artifact(text, notes=notes)


def _lines(chosen: Chosen, notes: list[str]) -> Iterator[str]:
    held = {package.name: package for package in chosen.holding.of("conda")}
    for item in chosen.items("conda"):
        if item.name not in held:  # planned, and never seen
            if item.spec.is_url:
                yield published(item.text, notes)
            else:
                notes.append(f"{item.text} was never seen installed: it has no archive to name.")
    for package in held.values():
        if not package.url:
            notes.append(f"The origin of {package.name} {package.version} is not known.")
            continue
        url = published(package.url, notes)
        if url.startswith("file:"):
            notes.append(f"{url} is on this machine.")
        yield f"{url}#sha256:{package.sha256}" if package.sha256 else url


FORMAT = Format(
    description=__doc__,
    files={"explicit.txt": {}},
    render=render,
    options=ENVIRONMENT,
    one_environment=True,
)
