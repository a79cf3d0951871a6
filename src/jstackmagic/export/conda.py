"""An environment.yml: the channels in order, what conda was asked for, and a pip section.

Unlike `conda env export --from-history` it has the versions, and what pip installed; and `python`
is always in it. The local wheels and lists that the pip section names lie beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.pins import Pin
from ..model.recipe import Recipe
from ..model.words import checked
from ._artifact import Artifact
from ._beside import Beside
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, PIN, Format
from ._match_specs import channels, cuda_for, match_specs
from ._requirements import Requirements


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render a recipe as an ``environment.yml``; see `Format.render`."""
    chosen = choose(recipe, name=name, prefix=prefix)
    requirements = Requirements(pin, Beside(recipe))
    text, notes = environment_yml(chosen, requirements, pin)
    notes = (*chosen.left_out, *notes)
    return Artifact(text, requirements.files, notes)


def environment_yml(
    chosen: Chosen, requirements: Requirements, pin: Pin, *, more: Sequence[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """Return one environment's file, and sentences that the user should read.

    Args:
        more: Further packages that it needs.

    Raises:
        ExportError: Something cannot be said safely.
    """
    notes: list[str] = []
    found = channels(chosen, notes)
    specs = list(dict.fromkeys(spec for _, spec in match_specs(chosen, pin, notes)))
    if cuda := cuda_for(chosen):
        notes.append(
            "A machine without a GPU would resolve this file to builds for the CPU: where"
            f" CONDA_OVERRIDE_CUDA={cuda} is set, conda takes those for CUDA {cuda}."
        )
    asked = {item.name for item in chosen.items("conda")}
    specs += [spec for spec in more if spec not in asked]
    lines = requirements.lines(chosen.of("pip"))
    if lines and "pip" not in asked:
        specs.append("pip")
    content: dict[str, Any] = {"name": checked(chosen.name)}
    if found:
        content["channels"] = found
    content["dependencies"] = [*specs, *([{"pip": lines}] if lines else [])]
    return as_yaml(content), (*notes, *requirements.notes)


def as_yaml(content: object) -> str:
    """YAML with its keys in the order given, one line an entry."""
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=2**31)


FORMAT = Format(
    description=__doc__,
    files={"environment.yml": {}},
    render=render,
    options=(*ENVIRONMENT, PIN),
    one_environment=True,
)
