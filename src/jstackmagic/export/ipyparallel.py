"""An ipcluster_config.py: engines that run in this environment, and the list to make it of.

It belongs into the folder of a profile: `ipython profile create --parallel --profile=NAME`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._for_workers import OPTIONS, listed
from ._format import Format

if TYPE_CHECKING:
    from ..model.pins import Pin
    from ..model.recipe import Recipe
    from ._artifact import Artifact

_TEXT = '''\
"""Made by jstackmagic from the record of what was installed.

The environment is made of {name}, which lies beside this file, on each machine of the engines.
"""

c = get_config()  # noqa: F821

ENGINE = [{python!r}, "-m", "ipyparallel.engine"]
for launcher in ("LocalEngineLauncher", "LocalEngineSetLauncher", "SSHEngineSetLauncher"):
    c[launcher].engine_cmd = ENGINE
'''


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render an environment as a profile of ``ipcluster``.

    Args:
        recipe: The recipe.
        name: The environment.
        prefix: The environment, where it has no name.
        pin: How exact to write versions.

    Raises:
        ExportError: There is nothing to write, or something cannot be said safely.
    """
    found = listed(recipe, name, prefix, pin)
    python = f"{found.chosen.environment.prefix.rstrip('/')}/bin/python"
    note = f"The engines run {python}, and ipyparallel must be in that environment."
    return found.artifact(_TEXT.format(name=found.name, python=python), note)


FORMAT = Format(
    description=__doc__,
    files={"ipcluster_config.py": {}},
    render=render,
    options=OPTIONS,
    one_environment=True,
)
