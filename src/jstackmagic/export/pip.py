"""A requirements.txt of what pip was asked for, with its indexes.

The local wheels and lists that it names lie beside it. ``--hashes`` locks: every package that pip
installed, each with the hashes of all archives that serve its version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.credentials import mask
from ..model.pins import Pin, add_pin
from ._artifact import Artifact
from ._beside import Beside
from ._choice import add_ask_index, add_choice, choose
from ._requirements import Requirements

if TYPE_CHECKING:
    import argparse

    from ..model.recipe import Recipe


FILES: dict[str, dict[str, object]] = {"requirements.txt": {}}
ONE_ENVIRONMENT = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``render``."""
    add_choice(parser)
    add_pin(parser)
    parser.add_argument(
        "--hashes",
        action="store_true",
        help="every package, with the hashes that pip is to find (pip install --require-hashes)",
    )
    add_ask_index(parser)


def render(
    recipe: Recipe,
    *,
    name: str = "",
    prefix: str = "",
    pin: Pin = "exact",
    hashes: bool = False,
    ask_index: bool = False,  # noqa: ARG001
) -> Artifact:
    """Render a recipe as a requirements file.

    Args:
        recipe: What to install.
        name: The environment.
        prefix: The environment, where it has no name.
        pin: How exact to write versions; hashes need them exact.
        hashes: Whether to lock.
        ask_index: Whether whoever calls asks the index first, for the archives in the recipe.

    Raises:
        ExportError: There is nothing to write, or something cannot be said safely.
    """
    chosen = choose(recipe, name=name, prefix=prefix)
    requirements = Requirements("exact" if hashes else pin, Beside(recipe))
    steps = chosen.of("pip")
    lines = requirements.locked(steps, chosen.holding) if hashes else requirements.lines(steps)
    text = "".join(f"{line}\n" for line in lines)
    if hashes:
        text = text.replace(" --hash=", " \\\n    --hash=")
    conda = [item.spec for item in chosen.items("conda")]
    notes = [*chosen.left_out, *requirements.notes]
    if conda:
        notes.append(f"conda's packages are not in this file: {', '.join(conda)}.")
    return Artifact(
        text or "# pip was asked for nothing.\n",
        requirements.files,
        tuple(dict.fromkeys(map(mask, notes))),
    )
