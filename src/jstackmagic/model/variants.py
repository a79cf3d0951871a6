"""Builds of one version: for which CUDA, or for the CPU, by conda's build string or pip's label.

conda-forge writes ``cuda126_py312h…``, ``cpu_py312h…``, ``py3.12_cuda12.1_cudnn8.9_0``; wheels have
a local version label, ``2.4.1+cu121``, ``2.4.1+cpu`` (PEP 440).
"""

from __future__ import annotations

import re

from .packages import Package

_CUDA_BUILD = re.compile(r"(?:^|[_.-])(?:cuda|gpu)[_-]?v?(\d+(?:[._]\d+)*)?", re.IGNORECASE)
_CUDA_LABEL = re.compile(r"\+cu(\d+)")
_CUDA_NAMES = re.compile(r"cudatoolkit|cuda-version|cuda-(?:cudart|runtime|nvcc|libraries)")


def cuda_of(package: Package) -> str:
    """Return the CUDA that a build is for, ``"12.6"``; ``"any"`` where it says no number.

    >>> from .packages import Package
    >>> cuda_of(Package("conda", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300"))
    '12.6'
    >>> cuda_of(Package("conda", "pytorch", "2.4.1", "py3.12_cuda12.1_cudnn8.9.2_0"))
    '12.1'
    >>> cuda_of(Package("pip", "torch", "2.4.1+cu121")), cuda_of(Package("pip", "torch", "2.4.1"))
    ('12.1', '')
    >>> cuda_of(Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h1"))
    ''
    """
    label = _CUDA_LABEL.search(package.version)
    if label:
        return _dotted(label[1])
    if package.manager != "conda":
        return ""
    if _CUDA_NAMES.fullmatch(package.name):
        return ".".join(package.version.split(".")[:2])
    build = _CUDA_BUILD.search(package.build)
    if build is None or re.search(r"(?:^|_)(?:no|without)_?cuda", package.build):
        return ""
    return _dotted(build[1]) if build[1] else "any"


def is_cpu(package: Package) -> bool:
    """Return whether a build is one without CUDA.

    A wheel without a label may be either: the index it is from decides.
    """
    if package.manager == "pip":
        return package.version.endswith("+cpu")
    return not cuda_of(package)


def other_variant(here: Package, there: Package) -> str:
    """Return in what two builds of one package differ; empty where they are of one kind.

    >>> from .packages import Package
    >>> cuda = Package("conda", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300")
    >>> other_variant(cuda, Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h1"))
    'the same version, here built for CUDA 12.6 and there for the CPU'
    """
    if cuda_of(here) == cuda_of(there):
        return ""
    same = "the same version" if here.version.split("+")[0] == there.version.split("+")[0] else ""
    said = [f"CUDA {cuda_of(each)}" if cuda_of(each) else "the CPU" for each in (here, there)]
    return f"{same or 'another version'}, here built for {said[0]} and there for {said[1]}"


def _dotted(number: str) -> str:
    """Return ``126`` and ``12_6`` as ``12.6``: CUDA's minor version has one digit."""
    number = number.replace("_", ".")
    return number if "." in number or len(number) < 3 else f"{number[:-1]}.{number[-1]}"


def build_text(package: Package) -> str:
    """Return the version with the build, as far as there is one."""
    return " ".join(filter(None, (package.version, package.build)))
