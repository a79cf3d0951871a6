"""The packages of environments, as ``conda list`` shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Part, Result, Table, Text, channel_text
from ..model.environment import Environment
from ..model.errors import UsageError
from ..model.managers import of_environment
from ..model.packages import Package
from ..model.text import counted
from ..where.metadata import read_packages


@dataclass(frozen=True, repr=False)
class Packages(Result):
    """The matching packages of some environments."""

    found: tuple[tuple[Environment, tuple[Package, ...]], ...]
    pattern: str = ""

    def summary(self) -> str:
        return counted(sum(len(packages) for _, packages in self.found), "package")

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = []
        for environment, packages in self.found:
            parts.append(Text(f"Packages in {environment.description}:"))
            if not packages:
                parts.append(Text(f"None is called {self.pattern}.", "warning"))
                continue
            rows = tuple(
                (
                    package.name,
                    package.version,
                    package.build or ("pypi_0" if package.manager == "pip" else ""),
                    _channel(package),
                )
                for package in packages
            )
            parts.append(Table(("Name", "Version", "Build", "Channel"), rows))
        return parts

    def to_json(self) -> Any:
        return [
            {
                "environment": environment.name or environment.prefix,
                "name": package.name,
                "version": package.version,
                "build": package.build,
                "channel": _channel(package),
            }
            for environment, packages in self.found
            for package in packages
        ]


def packages_in(environments: Sequence[Environment], pattern: str) -> Packages:
    """Return the packages whose names match, as ``conda list NAME`` looks for them.

    Args:
        pattern: A regular expression, found anywhere in a name; empty for all.

    Raises:
        UsageError: It is not a regular expression.
    """
    try:
        wanted = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UsageError(
            f"{pattern} is not a regular expression: {error}.", kept="Nothing was looked for."
        ) from None
    return Packages(
        tuple(
            (
                each,
                tuple(
                    package
                    for package in read_packages(each, of_environment()).packages
                    if wanted.search(package.name)
                ),
            )
            for each in environments
        ),
        pattern,
    )


def _channel(package: Package) -> str:
    return channel_text(package.source) or ("pypi" if package.manager == "pip" else "")
