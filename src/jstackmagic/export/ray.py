"""A runtime_env.yaml: what Ray makes on each node for the tasks of a job.

`ray job submit --runtime-env runtime_env.yaml`, or `ray.init(runtime_env=…)` with what it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._for_workers import OPTIONS, listed
from ._format import Format
from .conda import as_yaml

if TYPE_CHECKING:
    from ..model.pins import Pin
    from ..model.recipe import Recipe
    from ._artifact import Artifact


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render an environment as Ray's ``runtime_env``.

    Args:
        recipe: The recipe.
        name: The environment.
        prefix: The environment, where it has no name.
        pin: How exact to write versions.

    Raises:
        ExportError: There is nothing to write, or something cannot be said safely.
    """
    import yaml

    found = listed(recipe, name, prefix, pin)
    content: dict[str, Any]
    if found.is_conda:
        content = {"conda": yaml.safe_load(found.text)}
    else:
        content = {"pip": {"packages": found.text.splitlines(), "pip_check": False}}
    notes = ["Ray needs conda on each node for it."] if found.is_conda else []
    if found.files:
        notes.append("Local files are found if this folder is the working_dir of the job.")
    return found.artifact(as_yaml(content), *notes, beside=False)


FORMAT = Format(
    description=__doc__,
    files={"runtime_env.yaml": {}},
    render=render,
    options=OPTIONS,
    one_environment=True,
)
