"""The session: what a verb needs that is not on its line; a surface builds one and hands it down.

``%load_ext jstackmagic`` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # the fields name them, which nothing evaluates: loading stays light
    from .display.console import Console  # noqa: TC004
    from .history.file import History  # noqa: TC004
    from .model.policy import Policy  # noqa: TC004
    from .model.record import Context


def policy_of_files() -> Policy:
    """Return the policy that IPython's configuration files set, for what runs outside of IPython.

    Raises:
        JStackMagicError: One that mentions our settings cannot be read, or sets a bad value.
    """
    from .config import from_files

    return from_files()


def _ignore(_: object) -> None:
    pass


@dataclass
class Session:
    """One call's surroundings."""

    magic: bool = False  #: true for a magic, False in a terminal
    cell: str | None = None  #: the body of a cell magic
    notebook: str = ""  #: the notebook's path, where the surface knows it
    #: returns the source of the cells that this kernel ran
    cells: Callable[[], Sequence[str]] = tuple
    variables: Callable[[], Mapping[str, Any]] = dict  #: returns the notebook's variables
    shown: Console | None = None  #: the surface's console; None shows nothing
    #: takes the exit status of every command that ran
    on_exit_status: Callable[[int], None] = _ignore
    settings: Callable[[], Policy] = policy_of_files  #: returns the policy as the settings are now
    _histories: dict[Path, History] = field(default_factory=dict, repr=False)

    def now(self, **changes: Any) -> Session:
        """Return the next call's session, with new settings and the same history's contents."""
        return replace(self, **changes)

    def quiet(self) -> Session:
        """Return the same session without words or progress."""
        return replace(self, shown=None)

    @cached_property
    def console(self) -> Console:
        """Return where words and progress go."""
        if self.shown is not None:
            return self.shown
        from .display.console import quiet

        return quiet()

    @cached_property
    def policy(self) -> Policy:
        """The settings that bind this call.

        Raises:
            JStackMagicError: A configuration file cannot be read, or sets a bad value.
        """
        policy = self.settings()
        if not policy.hub_url:
            return policy
        from .sending.servicepolicy import with_served

        return with_served(policy, self._path(policy), self.console.say)

    @cached_property
    def history(self) -> History:
        """The history that this call reads and appends to.

        Raises:
            JStackMagicError: As for the policy, which may name the file.
        """
        from .history import file

        path = self._path(self.policy)
        if path not in self._histories:
            self._histories[path] = file.History(path, before=file.IMAGE_HISTORY)
        return self._histories[path]

    @staticmethod
    def _path(policy: Policy) -> Path:
        from .history.file import default_path

        return default_path(policy.history, locked="history" in policy.locked)

    def context(self) -> Context:
        """Return who asks, for the records."""
        from .history.who import context
        from .where.host import look

        host = look()
        return context(
            notebook=self.notebook, container=host.container_id or "", image=host.image or ""
        )
