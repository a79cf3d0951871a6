"""The user's choice of the program or library that does a manager's work.

Each manager's ``choose`` resolves "auto" for one request in one environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .packages import ManagerName

CONDA = ("auto", "conda", "mamba", "micromamba", "rattler")
PIP = ("auto", "uv", "pip")

NAMES = tuple(dict.fromkeys((*CONDA, *PIP)))
"""Everything that ``--engine`` takes."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines that the user chose, by manager; "auto" leaves the choice to us."""

    conda: str = field(default="auto", metadata={"names": CONDA})
    pip: str = field(default="auto", metadata={"names": PIP})

    @classmethod
    def of_environ(cls, environ: Mapping[str, str] = os.environ) -> Engines:
        """Return what ``JSTACKMAGIC_CONDA_ENGINE`` and ``JSTACKMAGIC_PIP_ENGINE`` say.

        Raises:
            UsageError: One of them names no engine.
        """
        chosen = {}
        for each in fields(cls):
            variable = f"JSTACKMAGIC_{each.name.upper()}_ENGINE"
            name = environ.get(variable, "") or "auto"
            if name not in each.metadata["names"]:
                raise UsageError(
                    f"{variable} is {name!r}, which is not an engine.",
                    advice=f"It takes one of: {', '.join(each.metadata['names'])}",
                )
            chosen[each.name] = name
        return cls(**chosen)

    def of(self, manager: ManagerName) -> str:
        """Return the user's choice for a manager; "auto" for one without a choice."""
        return str(getattr(self, manager, "auto"))

    def but(self, names: Iterable[str]) -> Engines:
        """Return the engines with those of ``--engine``, each for the manager it belongs to.

        >>> Engines(pip="pip").but(["rattler"])
        Engines(conda='rattler', pip='pip')
        """
        chosen = {
            each.name: name
            for name in names
            for each in fields(self)
            if name in each.metadata["names"]
        }
        return replace(self, **chosen)
