"""A verb's options: each declared once, a field of a frozen dataclass that the parser fills."""

from __future__ import annotations

import argparse
from dataclasses import field, fields
from typing import Any, TypeVar

from ..io.reading import absolute

T = TypeVar("T")


def option(
    *flags: str, under: str = "", either: str = "", each: Any = None, **settings: Any
) -> Any:
    """Declare an option, or without flags an argument, as the field of its name.

    Args:
        either: A name shared by options of which only one may be given.
        settings: Arguments of `argparse.ArgumentParser.add_argument`; a function may return the
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


def count(text: str) -> int:
    """Return a whole number, zero or more.

    Raises:
        ValueError: It is not one; argparse says so.
    """
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def by_name(under: str) -> Any:
    """Declare the target by its name, in a group of options of which one may be given."""
    return option(
        *("-n", "--name"),
        under=under,
        either="target",
        metavar="ENV",
        help="a conda environment, by name",
    )


def by_prefix(under: str) -> Any:
    """Declare the target by its prefix; see `by_name`."""
    return option(
        *("-p", "--prefix"),
        under=under,
        either="target",
        metavar="PATH",
        type=absolute,
        help="any environment, by its prefix",
    )


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
    """Return parsed words as the value that a verb declares; ``given`` has the others."""
    said = vars(args)
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    known = {name: value for name, value in said.items() if name in names}
    if "given" in names:
        known["given"] = {name: value for name, value in said.items() if name not in names}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})
