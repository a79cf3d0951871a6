"""The options that several verbs share, a dataclass a group."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.environment import Environment
from ..model.managers import names
from ..model.packages import ManagerName
from ._options import by_name, by_prefix, flag, option

_TARGET = "target (the running kernel's environment, if not said)"


@dataclass(frozen=True)
class TargetOptions:
    """The environments that a verb serves."""

    name: str | None = by_name(_TARGET)
    prefix: str | None = by_prefix(_TARGET)
    kernel: str | None = option(
        "--kernel",
        under=_TARGET,
        either="target",
        metavar="KERNELSPEC",
        help="the environment of a kernelspec",
    )
    all_kernels: bool = flag(
        "--all-kernels",
        under=_TARGET,
        either="target",
        help="every environment that a kernelspec stands for",
    )

    @property
    def is_said(self) -> bool:
        return bool(self.name or self.prefix or self.kernel or self.all_kernels)

    def environments(self) -> tuple[Environment, ...]:
        """Return those that are meant.

        Raises:
            UnknownEnvironment: None has that name, prefix or kernelspec.
        """
        from ..where import kernels
        from ..where.detect import detect, find

        if self.kernel:
            return (kernels.environment_of(self.kernel),)
        if self.all_kernels:
            return tuple(found.environment for found in kernels.environments())
        if self.name or self.prefix:
            return (find(name=self.name, prefix=self.prefix),)
        return (detect(),)

    def not_reached(self) -> tuple[str, ...]:
        """Return what ``--all-kernels`` does not reach, and why: sentences for the user."""
        from ..where import kernels

        found = kernels.not_understood() if self.all_kernels else ()
        return tuple(error.problem for error in found)


@dataclass(frozen=True)
class ByManager:
    """The manager for specs that name none."""

    manager: ManagerName | None = option(
        under="manager (spec by spec: conda:NAME pip:NAME apt:NAME)",
        either="manager",
        each=names,
        help="ask {}",
    )


@dataclass(frozen=True)
class Groups:
    """Dependency groups, for the verbs that read them."""

    group: tuple[str, ...] = option(
        "--group",
        action="append",
        metavar="[FILE:]NAME",
        help="a dependency group of pyproject.toml",
    )
