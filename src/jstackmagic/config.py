"""Settings, changed by ``%config JStackMagic.NAME = VALUE`` or in ``ipython_config.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool
from traitlets.config import SingletonConfigurable

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class JStackMagic(SingletonConfigurable):
    """What jstackmagic does unasked."""

    capture = Bool(
        True, help="Record the installs that cells make without %envinstall, however they do it."
    ).tag(config=True)


def connect(shell: InteractiveShell) -> JStackMagic:
    """The settings of a shell, where ``%config`` and its configuration files reach them."""
    settings = JStackMagic.instance(parent=shell)
    configurables: list[Any] = shell.configurables  # typed as holding shells alone in IPython 9
    if settings not in configurables:
        configurables.append(settings)
    return settings


def disconnect(shell: InteractiveShell) -> None:
    """Take the settings out of ``%config`` again and forget them."""
    if JStackMagic.initialized():
        settings = JStackMagic.instance()
        configurables: list[Any] = shell.configurables
        configurables.remove(settings)
        JStackMagic.clear_instance()
