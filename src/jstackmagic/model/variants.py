"""Builds of one version: for which CUDA, or for the CPU, by conda's build string or pip's label.

conda-forge writes ``cuda126_py312h…``, ``cpu_py312h…``; others ``py3.12_cuda12.1_cudnn8.9_0``,
``py312_cu121``, or the version ``2.1.0.cu118``; wheels have a local version label, ``2.4.1+cu121``,
``2.1.2+pt21cu121``, ``0.4.25+cuda12.cudnn89``, ``2.4.1+cpu`` (PEP 440).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .packages import Package

_CUDA_BUILD = re.compile(
    r"(?:^|[_.-])(?:cuda[_-]?v?(\d+(?:[._]\d+)*)|cu(\d{2,3})(?=$|[_.-])|cuda|gpu)", re.IGNORECASE
)
_CUDA_LABEL = re.compile(r"\+(?:[a-z0-9.]*[0-9.])?cu(?:da)?(\d+)")
_CUDA_VERSION = re.compile(r"\.cu(\d{2,3})$")
_CUDA_NAMES = re.compile(
    r"cudatoolkit|cuda-version|cuda-(?:cudart|runtime|nvcc|libraries|toolkit)|pytorch-cuda"
)


def cuda_of(package: Package) -> str:
    """Return the CUDA that a build is for, ``"12.6"``; ``"any"`` where it says no number.

    >>> from .packages import Package
    >>> cuda_of(Package("conda", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300"))
    '12.6'
    >>> cuda_of(Package("conda", "pytorch", "2.4.1", "py3.12_cuda12.1_cudnn8.9.2_0"))
    '12.1'
    >>> cuda_of(Package("pip", "torch", "2.4.1+cu121")), cuda_of(Package("pip", "torch", "2.4.1"))
    ('12.1', '')
    >>> cuda_of(Package("conda", "torchvision", "0.19.1", "py312_cu121"))
    '12.1'
    >>> cuda_of(Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h1"))
    ''
    """
    version = _CUDA_LABEL if package.manager == "pip" else _CUDA_VERSION
    label = version.search(package.version)
    if label:
        return _dotted(label[1])
    if package.manager != "conda":
        return ""
    if _CUDA_NAMES.fullmatch(package.name):
        return ".".join(package.version.split(".")[:2])
    builds = list(_CUDA_BUILD.finditer(package.build))
    if not builds or re.search(r"(?:^|_)(?:no|without)_?cuda", package.build):
        return ""
    number = next((number for each in builds if (number := each[1] or each[2])), "")
    return _dotted(number) if number else "any"


def cuda_among(packages: Iterable[Package]) -> str:
    """Return the first CUDA with a number that packages are built for; empty without one."""
    return next((cuda for each in packages if (cuda := cuda_of(each))[:1].isdigit()), "")


def is_cpu(package: Package) -> bool:
    """Return whether a build is one without CUDA.

    A wheel without a label may be either: the index it is from decides.
    """
    if package.manager == "pip":
        return re.search(r"\+(?:.*[^a-z])?cpu(?![a-z])", package.version) is not None
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
    """Return ``126`` and ``12_6`` as ``12.6``, ``92`` as ``9.2``: a minor version has one digit."""
    number = number.replace("_", ".")
    is_major = "." in number or len(number) < 2 or (len(number) == 2 and number < "80")
    return number if is_major else f"{number[:-1]}.{number[-1]}"


def build_text(package: Package) -> str:
    """Return the version with the build, as far as there is one."""
    return " ".join(filter(None, (package.version, package.build)))
