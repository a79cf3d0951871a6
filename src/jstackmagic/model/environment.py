"""One installation prefix: the noun."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Literal, get_args

Tool = Literal["conda", "mamba", "micromamba"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
"""conda first: it is the one that honours every setting and plugin."""

Kind = Literal["conda-base", "conda-named", "conda-prefix", "venv", "venv-on-conda", "system"]


_TEMPORARY = (
    (
        r"/uv/(?:archive|environments|builds)-v\d+/",
        "{prefix} lies in uv's cache: uv makes it for one command, and what is added is lost with"
        " it. For uv run or uvx: --with PACKAGE; for a script: uv add --script FILE PACKAGE",
    ),
    (
        r"/uv/tools/([^/]+)",
        "{prefix} is uv's environment of the tool {0}, and an upgrade makes it again. To keep a"
        " package there: uv tool install {0} --with PACKAGE",
    ),
    (
        r"/pipx/(?:venvs|\.cache)/([^/]+)",
        "{prefix} is pipx's environment of the tool {0}, and reinstalling makes it again. To keep"
        " a package there: pipx inject {0} PACKAGE",
    ),
    (
        r"/\.(tox|nox)/",
        "{prefix} is one of {0}'s, which makes it again for a test. Name the package in its file.",
    ),
    (
        r"/\.(pixi)/envs/|/(pypoetry|hatch|pdm)/.*(?:virtualenvs|env|venvs)/",
        "{prefix} is a project's, which its own tool keeps as its manifest says: a package that is"
        " not listed there may be taken out.",
    ),
    (
        r"/(?:pip-build-env-|pip-ephem|build-env-|_h_env|_build_env|conda-bld/)[^/]*",
        "{prefix} is a build's, and gone when the build ends.",
    ),
)
"""The folders of environments that another program rebuilds, and what to do instead."""


def minor_of(version: str) -> str:
    """Return a Python's minor version, such as ``3.12``; empty if it has none."""
    match = re.match(r"\d+\.\d+", version)
    return match[0] if match else ""


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """An environment in the history: enough to find or make it again."""

    kind: Kind
    name: str | None
    prefix: str
    python: str | None

    @property
    def minor(self) -> str:
        """The minor version of its Python, such as ``3.12``; empty if it has none."""
        return minor_of(self.python or "")


@dataclass(frozen=True, slots=True)
class CondaExecutable:
    """The conda-family executable that governs an environment."""

    tool: Tool  #: which of the family it is
    path: str  #: its absolute path
    found: str  #: how it was found, in words: "beside the environment", "CONDA_EXE", ...


@dataclass(frozen=True, slots=True)
class ConfiguredChannel:
    """A channel and the file or variable that configured it."""

    channel: str
    source: str


@dataclass(frozen=True, slots=True)
class Environment:
    """One installation prefix."""

    kind: Kind
    name: str | None  #: the name for ``--name``; None if only the prefix identifies it
    prefix: str  #: absolute path
    python: str | None = None  #: version of its Python (``"3.12.4"``); None without Python
    executable: str | None = None  #: its Python interpreter; None without Python
    #: the executable that governs it; None for a venv, or if none is available
    conda: CondaExecutable | None = None
    #: in priority order, each with its source; credentials are masked (``where.condarc.load`` has
    #: them)
    channels: tuple[ConfiguredChannel, ...] = ()
    pins: tuple[str, ...] = ()  #: the match specs of ``conda-meta/pinned``
    writable: bool = True
    #: the message of ``conda-meta/frozen`` (CEP 22); None if it is not frozen
    frozen: str | None = None
    #: the message of PEP 668's ``EXTERNALLY-MANAGED``; None without one
    externally_managed: str | None = None
    site_packages: tuple[str, ...] = ()  #: the folders of its distributions; empty without Python
    base: str | None = None  #: for a virtual environment, the prefix of its base Python
    root: str | None = None  #: the prefix of its conda root; None if none is available
    #: whether ``--name NAME`` means another environment to the executable
    name_is_ambiguous: bool = False

    @property
    def description(self) -> str:
        """Its name, if any, and its prefix, for a sentence."""
        if self.name:
            return f"environment {self.name} ({self.prefix})"
        return f"environment {self.prefix}"

    @property
    def temporary(self) -> str:
        """The program that rebuilds this environment, and what to type; empty for others."""
        for pattern, sentence in _TEMPORARY:
            match = re.search(pattern, self.prefix)
            if match:
                return sentence.format(*match.groups(), prefix=self.prefix)
        return ""

    @property
    def is_conda(self) -> bool:
        """Return whether conda-format packages can be installed here."""
        return self.kind.startswith("conda")

    @property
    def ref(self) -> EnvironmentRef:
        """The part of it that a record keeps."""
        return EnvironmentRef(
            kind=self.kind, name=self.name, prefix=self.prefix, python=self.python
        )

    def conda_target(self) -> tuple[str, str]:
        """Return the option that names it to conda: ``--name NAME`` unless that is ambiguous."""
        if self.name is not None and not self.name_is_ambiguous:
            return ("--name", self.name)
        return ("--prefix", self.prefix)


BASES = ("base", "root")
"""The names of a conda's own environment."""


def prefix_of_name(root: str, name: str) -> str:
    """Return the prefix that a conda at ``root`` gives an environment's name.

    >>> prefix_of_name("/opt/conda", "lab"), prefix_of_name("/opt/conda", "base")
    ('/opt/conda/envs/lab', '/opt/conda')
    """
    return root if name in BASES else f"{root}/envs/{name}"


NEW_VENV = "python3 -m venv ~/env && ~/env/bin/pip install ipykernel"
"""The line that makes an environment of one's own, for an advice."""


def repair_line(prefix: str) -> str:
    """Return the line that finishes an interrupted change in an environment."""
    return f"%envinstall --repair --prefix {shlex.quote(prefix)}"
