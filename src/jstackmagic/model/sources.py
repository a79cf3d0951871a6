"""Sources of packages, which a request, a recipe's step and a list name besides specs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .credentials import MASK, mask
from .options import INSTALL
from .packages import ManagerName


def _of(*managers: ManagerName, option: str = "") -> dict[str, Any]:
    return {"managers": managers, "option": option}


@dataclass(frozen=True, slots=True)
class Sources:
    """The places that a manager is to ask, and the variables it is to see.

    A new field needs no other change here: a tuple adds up, a text counts where it was said first.
    """

    #: extra conda channels, first is strongest
    channels: tuple[str, ...] = field(default=(), metadata=_of("conda", option="-c"))
    #: replaces pip's index
    index_url: str = field(default="", metadata=_of("pip", option="--index-url"))
    #: added to pip's index
    extra_index_urls: tuple[str, ...] = field(
        default=(), metadata=_of("pip", option="--extra-index-url")
    )
    #: what the manager is to see, ``NAME=VALUE`` each: ``CMAKE_ARGS`` and the like, without which
    #: the very same version is another; ``CONDA_OVERRIDE_CUDA``, by which conda chooses between
    #: builds
    variables: tuple[str, ...] = field(default=(), metadata=_of("conda", "pip"))
    #: folders and pages of archives that pip looks in besides
    find_links: tuple[str, ...] = field(default=(), metadata=_of("pip", option="--find-links"))

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
        kept = (each.name for each in fields(self) if manager in each.metadata["managers"])
        return Sources(**{name: getattr(self, name) for name in kept})

    def given(self) -> Iterator[tuple[str, str]]:
        """Yield the managers' options for them, each with its value.

        >>> list(Sources(index_url="https://x.example", find_links=("/w",)).given())
        [('--index-url', 'https://x.example'), ('--find-links', '/w')]
        """
        for each in fields(self):
            said, option = getattr(self, each.name), each.metadata["option"]
            values = (said,) if isinstance(said, str) else said
            yield from ((option, value) for value in values if option and value)

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        return [word for pair in self.given() for word in pair]

    def taking(
        self, manager: ManagerName, options: tuple[str, ...]
    ) -> tuple[Sources, tuple[str, ...]]:
        """Return these with the sources that a manager's options name, and the other options.

        >>> sources, options = Sources().taking("pip", ("--pre", "-f/w"))
        >>> sources.find_links, options
        (('/w',), ('--pre',))
        """
        table = INSTALL.get(manager)
        if table is None or not table.sources or not options:
            return self, options
        found = list(table.options(options))
        named = [each for each in found if each.name in table.sources]
        if not named:
            return self, options
        sources = self
        for each in named:
            name = table.sources[each.name]
            more: Any = {name: (*getattr(sources, name), each.value)}
            sources = replace(sources, **more)
        return sources, tuple(word for each in found if each not in named for word in each.words)

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
