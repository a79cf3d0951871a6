"""Sources of packages, which a request, a recipe's step and a list name besides specs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .credentials import MASK, mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from .packages import ManagerName


@dataclass(frozen=True, slots=True)
class Sources:
    """The places that a manager is to ask, and the variables it is to see.

    A new field needs no other change here: a tuple adds up, a text counts where it was said first.

    Attributes:
        channels: Extra conda channels, first is strongest.
        index_url: Replaces pip's index.
        extra_index_urls: Added to pip's index.
        variables: What a build from source is to see, ``NAME=VALUE`` each: ``CMAKE_ARGS`` and the
            like, without which the very same version is another.
    """

    channels: tuple[str, ...] = field(default=(), metadata={"manager": "conda"})
    index_url: str = field(default="", metadata={"manager": "pip"})
    extra_index_urls: tuple[str, ...] = field(default=(), metadata={"manager": "pip"})
    variables: tuple[str, ...] = field(default=(), metadata={"manager": "pip"})

    def __bool__(self) -> bool:
        return self != _NONE

    def __or__(self, weaker: Sources) -> Sources:
        """Join two: a text of these before the other's, and a list before the other's.

        >>> both = Sources(("a",), "https://x.example") | Sources(("b", "a"), "https://y.example")
        >>> both.channels, both.index_url
        (('a', 'b'), 'https://x.example')
        """
        return self._with(weaker, _joined)

    def or_else(self, usual: Sources) -> Sources:
        """Fill every empty field from the usual ones.

        >>> filled = Sources(("a",)).or_else(Sources(("b",), "https://y.example"))
        >>> filled.channels, filled.index_url
        (('a',), 'https://y.example')
        """
        return self._with(usual, lambda said, other: said or other)

    def of(self, manager: ManagerName) -> Sources:
        """Return the ones that a manager reads."""
        kept = (each.name for each in fields(self) if each.metadata["manager"] == manager)
        return Sources(**{name: getattr(self, name) for name in kept})

    def masked(self) -> Sources:
        """Return them as a file or a screen may have them, without a credential."""
        return self._each(mask)

    def unmasked(self) -> Sources:
        """Leave out those whose credential was masked: they cannot be asked any more."""
        return self._each(lambda text: "" if MASK in text else text)

    def _with(self, other: Sources, join: Callable[[Any, Any], Any]) -> Sources:
        return Sources(*(join(getattr(self, n), getattr(other, n)) for n in _NAMES))

    def _each(self, change: Callable[[str], str]) -> Sources:
        def changed(value: str | tuple[str, ...]) -> Any:
            if isinstance(value, str):
                return change(value)
            return tuple(text for each in value if (text := change(each)))

        return Sources(*(changed(getattr(self, name)) for name in _NAMES))


_NAMES = tuple(each.name for each in fields(Sources))
_NONE = Sources()


def _joined(first: Any, second: Any) -> Any:
    return first or second if isinstance(first, str) else tuple(dict.fromkeys((*first, *second)))
