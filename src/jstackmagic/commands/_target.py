"""The environments that a verb serves: the same four options wherever a target is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from ..model.environment import Environment


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declare ``--name``, ``--prefix``, ``--kernel`` and ``--all-kernels``."""
    group = parser.add_argument_group("target (the running kernel's environment, if not said)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("-n", "--name", metavar="ENV", help="a conda environment, by name")
    one.add_argument("-p", "--prefix", metavar="PATH", help="any environment, by its prefix")
    one.add_argument("--kernel", metavar="KERNELSPEC", help="the environment of a kernelspec")
    one.add_argument(
        "--all-kernels", action="store_true", help="every environment that a kernelspec stands for"
    )


def targets(args: argparse.Namespace) -> tuple[Environment, ...]:
    """The environments that the arguments name.

    Raises:
        UnknownEnvironment: There is none of that name, prefix or kernelspec.
    """
    from ..where import environment, kernels

    if args.kernel:
        return (kernels.environment_of(args.kernel),)
    if args.all_kernels:
        return tuple(found.environment for found in kernels.environments())
    if args.name or args.prefix:
        return (environment.find(name=args.name, prefix=args.prefix),)
    return (environment.detect(),)


def left_out(args: argparse.Namespace) -> tuple[str, ...]:
    """Return what ``--all-kernels`` does not reach, and why: sentences for the user."""
    from ..where import kernels

    return tuple(error.problem for error in kernels.not_understood()) if args.all_kernels else ()
