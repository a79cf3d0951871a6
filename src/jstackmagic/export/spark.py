"""A spark-submit.sh: packs the environment as an archive, and submits a job that runs in it.

Spark takes the archive to every executor (`spark.archives`). `conda pack` or `venv-pack` makes it,
once; the list that it is made of lies beside the script.
"""

from __future__ import annotations

from ._artifact import Artifact
from ._for_workers import WorkerList, for_workers

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
case " $* " in
    *" --deploy-mode cluster "*) ;; # the driver unpacks the archive as well
    *)
        PYSPARK_DRIVER_PYTHON=$here/.environment/bin/python
        [ -x "$PYSPARK_DRIVER_PYTHON" ] || PYSPARK_DRIVER_PYTHON=python{python}
        export PYSPARK_DRIVER_PYTHON
        ;;
esac
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


def _written(found: WorkerList) -> Artifact:
    python = found.chosen.python or "3"
    make = _CONDA if found.is_conda else _VENV.format(python=python)
    note = "conda and conda-pack make the archive." if found.is_conda else ""
    notes = filter(None, [note, "The executors' machines are to be like the one that packs it."])
    return found.artifact(_TEXT.format(make=make.rstrip("\n"), python=python), *notes, runs=True)


FORMAT = for_workers(__doc__, "spark-submit.sh", _written)
