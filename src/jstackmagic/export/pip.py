"""A requirements.txt of what pip was asked for, with its indexes.

The local wheels and lists that it names lie beside it. ``--hashes`` locks: every package that pip
installed, each with the hashes of all archives that serve its version.
"""

from __future__ import annotations

from ..model.pins import Pin
from ..model.recipe import Recipe
from ._artifact import Artifact
from ._beside import Beside
from ._choice import choose
from ._format import ENVIRONMENT, OFFLINE, PIN, Format, option
from ._requirements import Requirements


def render(
    recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact", hashes: bool = False
) -> Artifact:
    """Render a recipe as a requirements file; hashes need exact versions."""
    chosen = choose(recipe, name=name, prefix=prefix)
    requirements = Requirements("exact" if hashes else pin, Beside(recipe))
    steps = chosen.of("pip")
    if hashes:
        lines = requirements.locked(steps, chosen.holding)
    else:
        lines = requirements.lines(steps, behind=True)
    text = "".join(f"{line}\n" for line in lines)
    if hashes:
        text = text.replace(" --hash=", " \\\n    --hash=")
    return Artifact(
        text or "# pip was asked for nothing.\n",
        requirements.files,
        [*chosen.left_out, *requirements.notes, *chosen.without("conda")],
    )


FORMAT = Format(
    description=__doc__,
    files={"requirements.txt": {}},
    render=render,
    options=(
        *ENVIRONMENT,
        PIN,
        option(
            "--hashes",
            action="store_true",
            help="every package, with the hashes that pip must find (pip install --require-hashes)",
        ),
        OFFLINE,
    ),
    needs={"index": "hashes"},
    one_environment=True,
)
