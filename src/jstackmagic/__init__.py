"""Install into the running kernel's environment, keep the record, make it permanent.

``%load_ext jstackmagic`` in IPython or Jupyter; ``jstackmagic`` in a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__ as __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register every verb as a magic; called by ``%load_ext jstackmagic``."""
    from .magics import register

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics out again; called by ``%unload_ext jstackmagic``."""
    from .magics import unregister

    unregister(shell)
