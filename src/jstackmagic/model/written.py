"""The nouns as a file has them: a line of the history, a step of a recipe.

In a file a spec is its text, and sources stand beside the other fields of their noun. Both formats
are older than the two nouns, and stay.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import lru_cache
from typing import Any, get_type_hints

from .credentials import mask, mask_words
from .packages import Package
from .recipe import Item, RecipeStep
from .request import Request
from .sources import Sources
from .spec import Spec


def plain(value: object, *, whole: bool = False) -> Any:
    """Return a noun as plain values, with no credential in any text.

    Every text of a record passes here and nowhere else on its way to a file.

    Args:
        whole: Also what is at its default, which a file leaves out.
    """
    if isinstance(value, str):
        return mask(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (tuple, list)):
        texts = tuple(str(item) for item in value if isinstance(item, (str, Spec)))
        masked = mask_words(texts) if len(texts) == len(value) else value
        return [plain(item, whole=whole) for item in masked]
    if isinstance(value, dict):
        return {key: plain(item, whole=whole) for key, item in value.items()}
    if isinstance(value, Spec):
        return plain(value.text)
    if isinstance(value, Package):
        return dict(_package(value, whole))
    return _fields_of(value, whole) if is_dataclass(value) else value


@lru_cache(maxsize=4096)
def _package(package: Package, whole: bool) -> dict[str, Any]:
    """Return a package, which stays the same from one install to the next, as plain values."""
    return _fields_of(package, whole)


def _fields_of(noun: Any, whole: bool) -> dict[str, Any]:
    lean: dict[str, Any] = {
        name: plain(item, whole=whole)
        for name, default in _defaults(noun.__class__)
        if (item := getattr(noun, name)) != default or whole
    }
    lean.update(lean.pop("sources", {}))
    return lean


@lru_cache(maxsize=32)
def _defaults(noun: Any) -> tuple[tuple[str, object], ...]:
    return tuple(
        (f.name, f.default if f.default_factory is MISSING else f.default_factory())
        for f in fields(noun)
    )


@lru_cache(maxsize=8)
def written(noun: Any) -> Any:
    """Return the dataclass of what a file holds of a noun, for a decoder."""
    if noun is Item:
        return _flat(Item, spec=str, brought=tuple[_flat(Item, spec=str, brought=tuple[()]), ...])  # type: ignore[misc]
    if noun is RecipeStep:
        return _flat(RecipeStep, install=tuple[written(Item), ...])  # type: ignore[misc]
    return _flat(Request, specs=tuple[str, ...])


def _flat(noun: Any, **hints: Any) -> Any:
    """Return a noun's class with its sources' fields inlined, and some types replaced."""
    hints = {**get_type_hints(Sources), **get_type_hints(noun), **hints}
    parts = [
        part
        for each in fields(noun)
        for part in (fields(Sources) if each.name == "sources" else (each,))
    ]
    spelled = [(part.name, hints[part.name], field(default=part.default)) for part in parts]
    return make_dataclass(noun.__name__, spelled, frozen=True, slots=True)


def request_of(line: Any) -> Request:
    """Return the request of what a file held of it."""
    return Request(**_fields(Request, line), sources=_sources(line))


def step_of(line: Any) -> RecipeStep:
    """Return the step of what a file held of it."""
    parts = _fields(RecipeStep, line) | {"install": tuple(map(_item, line.install))}
    return RecipeStep(**parts, sources=_sources(line))


def _item(line: Any) -> Item:
    """Return an item whose spec is text yet, which its step reads."""
    return Item(**_fields(Item, line) | {"brought": tuple(map(_item, line.brought))})


def _fields(noun: Any, line: Any) -> dict[str, Any]:
    return {each.name: getattr(line, each.name) for each in fields(noun) if each.name != "sources"}


def _sources(line: Any) -> Sources:
    return Sources(*(getattr(line, each.name) for each in fields(Sources)))
