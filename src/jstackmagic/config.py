"""Settings, changed by ``%config JStackMagic.NAME = VALUE`` or in ``ipython_config.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, default
from traitlets.config import SingletonConfigurable

from .engines import CONDA, PIP, Engines

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class JStackMagic(SingletonConfigurable):
    """What jstackmagic does unasked."""

    capture = Bool(
        True, help="Record the installs that cells make without %envinstall, however they do it."
    ).tag(config=True)

    conda_engine = Enum(
        CONDA,
        help="What does conda's work. auto: py-rattler in this process where it honours all that "
        "conda would go by, the executable otherwise. $JSTACKMAGIC_CONDA_ENGINE is the default.",
    ).tag(config=True)

    pip_engine = Enum(
        PIP,
        help="What does pip's work. auto: uv where it does the same as pip would, pip otherwise. "
        "$JSTACKMAGIC_PIP_ENGINE is the default.",
    ).tag(config=True)

    @default("conda_engine")
    def _conda_engine(self) -> str:
        return Engines.of_environ().conda

    @default("pip_engine")
    def _pip_engine(self) -> str:
        return Engines.of_environ().pip

    @property
    def engines(self) -> Engines:
        """The two choices as the rest of the package takes them."""
        return Engines(conda=self.conda_engine, pip=self.pip_engine)


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
