"""Builds of one version: for which CUDA, or for the CPU, by build string, label or name.

conda-forge writes ``cuda126_py312h…``, ``cpu_py312h…``; others ``py3.12_cuda12.1_cudnn8.9_0``,
``py312_cu121``, or the version ``2.1.0.cu118``; wheels have a local version label, ``2.4.1+cu121``,
``2.1.2+pt21cu121``, ``0.4.25+cuda12.cudnn89``, ``2.4.1+cpu`` (PEP 440). Others
say it in their name alone: ``cupy-cuda12x``, ``nvidia-cublas-cu12``, ``onnxruntime-gpu``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .packages import Package, normalise

_CUDA_BUILD = re.compile(
    r"(?:^|[_.-])(?:cuda[_-]?v?(\d+(?:[._]\d+)*)|cu(\d{2,3})(?=$|[_.-])|cuda|gpu)", re.IGNORECASE
)
_CUDA_LABEL = re.compile(r"\+(?:[a-z0-9.]*[0-9.])?cu(?:da)?\.?(\d+)")
_CUDA_NAME = re.compile(r".+-(?:cu(?:da)?(\d{1,3})x?(?:-.+)?|gpu)")
_ROCM = re.compile(r"(?:^|[^a-z])rocm(?![a-z])")
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
    >>> cuda_of(Package("pip", "cupy-cuda12x", "13")), cuda_of(Package("pip", "dgl-cu117", "1"))
    ('12', '11.7')
    >>> cuda_of(Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h1"))
    ''
    """
    version = _CUDA_LABEL if package.manager == "pip" else _CUDA_VERSION
    label = version.search(package.version)
    if label:
        return _dotted(label[1])
    if package.manager == "pip":
        named = _CUDA_NAME.fullmatch(normalise(package.name))
        return "" if named is None or is_cpu(package) else _dotted(named[1]) if named[1] else "any"
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
    """Return the first CUDA with a number that conda's packages are built for, or empty."""
    condas = (each for each in packages if each.manager == "conda")
    return next((cuda for each in condas if (cuda := cuda_of(each))[:1].isdigit()), "")


def accelerator_of(package: Package) -> str:
    """Return what a build is for besides the CPU: ``CUDA 12.6``, ``CUDA``, ``ROCm``; or empty.

    >>> from .packages import Package
    >>> accelerator_of(Package("pip", "torch", "2.4.1+rocm6.1"))
    'ROCm'
    >>> accelerator_of(Package("pip", "onnxruntime-gpu", "1.19")), accelerator_of(
    ...     Package("pip", "torch", "2.4.1+cpu")
    ... )
    ('CUDA', '')
    """
    if cuda := cuda_of(package):
        return "CUDA" if cuda == "any" else f"CUDA {cuda}"
    said = package.build if package.manager == "conda" else package.version.partition("+")[2]
    return "ROCm" if _ROCM.search(said) or _ROCM.search(package.name) else ""


def is_cpu(package: Package) -> bool:
    """Return whether a build is one for the CPU alone.

    A wheel without a label may be either: the index it is from decides.
    """
    if package.manager == "pip":
        return re.search(r"\+(?:.*[^a-z])?cpu(?![a-z])", package.version) is not None
    return not accelerator_of(package)


_FOR_THE_CPU = {
    "onnxruntime": r"onnxruntime-(?:gpu|rocm)",
    "faiss-cpu": r"faiss-gpu(?:-.+)?",
    "paddlepaddle": r"paddlepaddle-gpu",
    "tensorflow-cpu": r"tensorflow(?:-gpu|-rocm)?",
    "xgboost-cpu": r"xgboost",
    "mxnet": r"mxnet-cu\d+",
}
"""Distributions whose files overwrite those of the same library's build for a GPU, or for both."""


def for_the_cpu_of(name: str) -> re.Pattern[str] | None:
    """Return the names of the builds for a GPU whose files a distribution overwrites; or None."""
    names = _FOR_THE_CPU.get(normalise(name))
    return re.compile(names) if names else None


def other_variant(here: Package, there: Package) -> str:
    """Return in what two builds of one package differ; empty where they are of one kind.

    >>> from .packages import Package
    >>> cuda = Package("conda", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300")
    >>> other_variant(cuda, Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h1"))
    'the same version, here built for CUDA 12.6 and there for the CPU'
    """
    if accelerator_of(here) == accelerator_of(there):
        return ""
    same = "the same version" if here.version.split("+")[0] == there.version.split("+")[0] else ""
    said = [accelerator_of(each) or "the CPU" for each in (here, there)]
    return f"{same or 'another version'}, here built for {said[0]} and there for {said[1]}"


def _dotted(number: str) -> str:
    """Return ``126`` and ``12_6`` as ``12.6``, ``92`` as ``9.2``: a minor version has one digit."""
    number = number.replace("_", ".")
    is_major = "." in number or len(number) < 2 or (len(number) == 2 and number < "80")
    return number if is_major else f"{number[:-1]}.{number[-1]}"


def build_text(package: Package) -> str:
    """Return the version with the build, as far as there is one."""
    return " ".join(filter(None, (package.version, package.build)))
