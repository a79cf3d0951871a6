"""A verb's options: each declared once, a field of a frozen dataclass that the parser fills."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from ..model.engines import NAMES
from ..model.managers import names
from ..model.packages import ManagerName
from ..model.sources import Sources

if TYPE_CHECKING:
    import argparse

    from ..model.environment import Environment

T = TypeVar("T")


def option(
    *flags: str, under: str = "", either: str = "", each: Any = None, **settings: Any
) -> Any:
    """Declare an option, or without flags an argument, as the field of its name.

    Args:
        flags: As the user types them.
        under: The title of the group that the help has it in.
        either: A name that those share of which one may be given.
        each: Returns the values that each have a flag of their own.
        settings: As `argparse.ArgumentParser.add_argument` takes them; a function may return the
            ``choices``.
    """
    many = settings.get("action") == "append" or settings.get("nargs") in ("*", "+")
    usual = () if many else False if settings.get("action") == "store_true" else None
    default = settings.pop("default", usual)
    metadata = {"flags": flags, "under": under, "either": either, "each": each, **settings}
    return field(default=default, metadata=metadata, kw_only=True)


def flag(*flags: str, **settings: Any) -> Any:
    """Declare an option that takes no value."""
    return option(*flags, action="store_true", **settings)


def declare(parser: argparse.ArgumentParser, kind: type) -> None:
    """Declare the options of a dataclass to a parser."""
    places: dict[str, argparse._ActionsContainer] = {"": parser}
    for one in fields(kind):
        settings: dict[str, Any] = dict(one.metadata)
        if not settings:
            continue
        flags, each = settings.pop("flags"), settings.pop("each")
        under, either = settings.pop("under"), settings.pop("either")
        if under not in places:
            places[under] = parser.add_argument_group(under)
        place = places[under]
        if either:
            key = f"{under}/{either}"
            if key not in places:
                places[key] = place.add_mutually_exclusive_group()
            place = places[key]
        if callable(settings.get("choices")):
            settings["choices"] = settings["choices"]()
        if each is not None:
            for value in each():
                say = {"help": settings["help"].format(value)}
                place.add_argument(
                    f"--{value}", dest=one.name, action="store_const", const=value, **say
                )
        elif flags:
            default = list(one.default) if isinstance(one.default, tuple) else one.default
            place.add_argument(*flags, dest=one.name, default=default, **settings)
        else:
            place.add_argument(one.name, **settings)


def typed(kind: type[T], args: argparse.Namespace) -> T:
    """Return parsed words as the value that a verb declares; ``given`` has what is no field."""
    said = vars(args)
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    known = {name: value for name, value in said.items() if name in names}
    if "given" in names:
        known["given"] = {name: value for name, value in said.items() if name not in names}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})


_TARGET = "target (the running kernel's environment, if not said)"


@dataclass(frozen=True)
class Target:
    """The environments that a verb serves."""

    name: str | None = option(
        *("-n", "--name"),
        under=_TARGET,
        either="target",
        metavar="ENV",
        help="a conda environment, by name",
    )
    prefix: str | None = option(
        *("-p", "--prefix"),
        under=_TARGET,
        either="target",
        metavar="PATH",
        help="any environment, by its prefix",
    )
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
        """Whether the user named one."""
        return bool(self.name or self.prefix or self.kernel or self.all_kernels)

    def environments(self) -> tuple[Environment, ...]:
        """Return those that are meant.

        Raises:
            UnknownEnvironment: None has that name, prefix or kernelspec.
        """
        from ..where import environment, kernels

        if self.kernel:
            return (kernels.environment_of(self.kernel),)
        if self.all_kernels:
            return tuple(found.environment for found in kernels.environments())
        if self.name or self.prefix:
            return (environment.find(name=self.name, prefix=self.prefix),)
        return (environment.detect(),)

    def not_reached(self) -> tuple[str, ...]:
        """Return what ``--all-kernels`` does not reach, and why: sentences for the user."""
        from ..where import kernels

        found = kernels.not_understood() if self.all_kernels else ()
        return tuple(error.problem for error in found)


@dataclass(frozen=True)
class ByManager:
    """The manager that is asked, where the specs do not say."""

    manager: ManagerName | None = option(
        under="manager (spec by spec: conda:NAME pip:NAME apt:NAME)",
        either="manager",
        each=names,
        help="ask {}",
    )


@dataclass(frozen=True)
class FromSources:
    """The places that packages are to come from."""

    channel: tuple[str, ...] = option(
        "-c", "--channel", action="append", help="a conda channel, first is strongest"
    )
    index_url: str = option(
        "-i", "--index-url", default="", metavar="URL", help="in place of pip's"
    )
    extra_index_url: tuple[str, ...] = option(
        "--extra-index-url", action="append", metavar="URL", help="in addition to pip's index"
    )

    def sources(self, usual: Sources, listed: Sources) -> Sources:
        """Return what the line says before what a list says, and where neither does, the usual."""
        said = Sources(self.channel, self.index_url, self.extra_index_url)
        return (said | listed).or_else(usual)


@dataclass(frozen=True)
class Groups:
    """Dependency groups, for the verbs that read them."""

    group: tuple[str, ...] = option(
        "--group",
        action="append",
        metavar="[FILE:]NAME",
        help="a dependency group of pyproject.toml",
    )


@dataclass(frozen=True)
class Rehearsal:
    """Ways to go about a change that every change has."""

    dry_run: bool = flag("--dry-run", help="show the plan and do nothing")
    force: bool = flag("--force", help="go on where a guard would stop")
    yes: bool = flag("-y", "--yes", help="accepted out of habit: nothing here ever asks")


@dataclass(frozen=True)
class Mode(Rehearsal):
    """Ways to go about an install, a removal or an undo."""

    record_only: bool = flag(
        "--record-only",
        help="put it into the history, so that it reaches the Dockerfile, and do nothing else",
    )
    engine: tuple[str, ...] = option(
        "--engine",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"what does the work: {', '.join(NAMES)}; may be given for conda and for pip",
    )
    quiet: bool = flag("-q", "--quiet", help="show what came of it, not how it went")


@dataclass(frozen=True)
class Several(Mode):
    """Ways to go about several steps that belong together."""

    keep_going: bool = flag(
        "--keep-going", help="keep the steps before one that fails, which are taken back without it"
    )
