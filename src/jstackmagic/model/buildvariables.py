"""Variables that change how packages are built; each package has its own, without a list."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

FOR_A_BUILD = re.compile(
    r"(?!PIP_|UV_)(?:CMAKE_\w+|FORCE_(?!COLOR)\w+|\w*FLAGS|CC|CXX|FC|CUDACXX|NVCC\w*|\w*CUDA_(?:HOME|ARCH|PATH|ROOT)\w*"
    r"|\w*_BUILD(?:_\w+)?|BUILD_\w+|USE_[A-Z]\w*|WITH_[A-Z]\w*|DS_\w+|LLAMA_\w+|GGML_\w+"
    r"|\w*ARCH_LIST|SETUPTOOLS_\w+|SKLEARN_\w+|NPY_\w+|PKG_CONFIG_PATH|\w+_(?:INCLUDE|LIBRARY)_?\w*"
    r"|(?:HDF5|GEOS|PROJ|GDAL|NETCDF4|MPI|BLAS|LAPACK|OPENBLAS)_\w+|MAX_JOBS)"
)
"""The names of variables that a build may use; those of pip and uv are options of theirs."""

FOR_CONDA = re.compile(r"CONDA_(?:OVERRIDE_\w+|SUBDIR)")
"""The names of variables by which conda chooses between builds."""

FOR_A_SOLVER = re.compile(r"CONDA_OVERRIDE_(?:CUDA|GLIBC|LINUX|OSX|WIN)")
"""Those of them that say the version of a virtual package; any solver can be told that."""

_TYPED = re.compile(r"CMAKE_ARGS|FORCE_CMAKE|FORCE_CUDA|\w+_ARCH_LIST|(?:LLAMA|GGML|DS_BUILD)_\w+")
"""Names that only users set; images and activations set compilers and flags."""


def overrides(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the virtual packages that variables of this process say, as ``NAME=VALUE``.

    >>> overrides({"CONDA_OVERRIDE_CUDA": "12.6", "CONDA_OVERRIDE_GLIBC": "", "HOME": "/h"})
    ('CONDA_OVERRIDE_CUDA=12.6',)
    """
    environ = os.environ if environ is None else environ
    said = (name for name in sorted(environ) if name.startswith("CONDA_OVERRIDE_"))
    return tuple(f"{name}={environ[name]}" for name in said if environ[name])


def set_here(environ: Mapping[str, str], before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the build variables that a user set, as ``NAME=VALUE``.

    Args:
        environ: The variables as they are.
        before: Those that the process was started with, which an image may have set.

    >>> set_here({"CMAKE_ARGS": "-DX=on", "CC": "gcc", "HOME": "/h"}, {"CC": "gcc"})
    ('CMAKE_ARGS=-DX=on',)
    """
    return tuple(
        f"{name}={value}"
        for name, value in sorted(environ.items())
        if value
        and (_TYPED.fullmatch(name) or (FOR_A_BUILD.fullmatch(name) and before.get(name) != value))
    )
