"""Dependencies of conda packages, from their records."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from ...model.environment import Environment
from ...model.packages import Need, Package, PackageKey, PackageSet
from .present import is_match, records
from .spec import parse


def needs(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    """Yield what the records of an environment say; nothing of another kind."""
    for name, record in records(environment.prefix).items() if environment.is_conda else ():
        for text in record.depends:
            key: PackageKey = ("conda", _name_in(text))
            if key in whom and key in here:
                yield Need(("conda", name), text, key, _test(text))


def lacking(depends: Mapping[str, Iterable[str]], after: Mapping[PackageKey, Package]) -> list[str]:
    """Return the missing dependencies of conda packages; the system's (``__glibc``) are skipped.

    Args:
        depends: The match specs that each package needs, by its name.
    """
    missing = []
    for name, texts in depends.items():
        for text in texts:
            key: PackageKey = ("conda", _name_in(text))
            there = after.get(key)
            if key[1].startswith("__") or (there and _test(text)(there)):
                continue
            missing.append(f"{name} needs {text}.")
    return missing


def _name_in(text: str) -> str:
    return re.split(r"[\s<>=!~\[]", text, maxsplit=1)[0].lower()


def _test(text: str) -> Callable[[Package], bool]:
    match = parse(text)
    return lambda package: is_match(match, package)
