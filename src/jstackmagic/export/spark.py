"""A spark-submit.sh: packs the environment as an archive, and submits a job that runs in it.

Spark takes the archive to every executor (`spark.archives`). `conda pack` or `venv-pack` makes it,
once; the list that it is made of lies beside the script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._for_workers import OPTIONS, listed
from ._format import Format

if TYPE_CHECKING:
    from ..model.pins import Pin
    from ..model.recipe import Recipe
    from ._artifact import Artifact

_TEXT = """\
#!/bin/sh
# Made by jstackmagic from the record of what was installed.
#     ./spark-submit.sh --master URL JOB.py
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ ! -e "$here/environment.tar.gz" ]; then
    rm -rf -- "$here/.environment"
    {make}
fi
PYSPARK_PYTHON=./environment/bin/python exec spark-submit \\
    --archives "$here/environment.tar.gz#environment" \\
    --conf spark.executorEnv.PYSPARK_PYTHON=./environment/bin/python "$@"
"""

_CONDA = """\
(cd -- "$here" && conda env create --quiet --prefix .environment --file environment.yml)
    conda pack --quiet --prefix "$here/.environment" --output "$here/environment.tar.gz"
"""
_VENV = """\
python{python} -m venv --copies "$here/.environment"
    (cd -- "$here" && .environment/bin/python -m pip install --quiet -r requirements.txt venv-pack)
    "$here/.environment/bin/venv-pack" --quiet --prefix "$here/.environment" \\
        --output "$here/environment.tar.gz"
"""


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render an environment as an archive for Spark, and the line that submits with it.

    Args:
        recipe: The recipe.
        name: The environment.
        prefix: The environment, where it has no name.
        pin: How exact to write versions.

    Raises:
        ExportError: There is nothing to write, or something cannot be said safely.
    """
    found = listed(recipe, name, prefix, pin)
    make = _CONDA if found.is_conda else _VENV.format(python=found.chosen.python or "3")
    note = "conda and conda-pack make the archive." if found.is_conda else ""
    notes = filter(None, [note, "The executors' machines are to be like the one that packs it."])
    return found.artifact(_TEXT.format(make=make.rstrip("\n")), *notes, runs=True)


FORMAT = Format(
    description=__doc__,
    files={"spark-submit.sh": {}},
    render=render,
    options=OPTIONS,
    one_environment=True,
)
