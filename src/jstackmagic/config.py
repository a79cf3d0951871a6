"""Settings, changed by ``%config JStackMagic.NAME = VALUE`` or in ``ipython_config.py``.

The terminal's command reads the same files: the system's, the environment's, and those of the
user's default profile. The file of an administrator can lock settings, which then keep its values.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, Float, List, TraitError, Unicode, default, validate
from traitlets.config import Config, SingletonConfigurable
from traitlets.config.loader import LazyConfigValue

from .model.engines import CONDA, PIP, Engines
from .model.managers import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from .model.policy import Policy

_NAMES = (
    *("capture", "conda_engine", "pip_engine", "on_missing", "managers", "allow", "deny"),
    *("channels", "index_url", "extra_index_urls", "cooldown_days", "history", "hub_url"),
    "locked",
)


class _ManagerName(Enum):  # type: ignore[type-arg]
    """A name in the list of managers as it is when a value is set."""

    def validate(self, obj: Any, value: Any) -> Any:
        self.values = names()
        return super().validate(obj, value)


class JStackMagic(SingletonConfigurable):
    """Settings of jstackmagic: automatic actions, what may be installed, and from where."""

    capture = Bool(
        True, help="Record the installs that cells make without %envinstall, however they do it."
    ).tag(config=True)

    conda_engine = Enum(
        CONDA,
        help="The engine that does conda's work. auto: py-rattler in this process where it honours "
        "each setting that conda would use, the executable otherwise. $JSTACKMAGIC_CONDA_ENGINE is "
        "the default.",
    ).tag(config=True)

    pip_engine = Enum(
        PIP,
        help="The engine that does pip's work. auto: uv where it does the same as pip would, pip "
        "otherwise. $JSTACKMAGIC_PIP_ENGINE is the default.",
    ).tag(config=True)

    @default("conda_engine")
    def _conda_engine(self) -> str:
        return Engines.of_environ().conda

    @default("pip_engine")
    def _pip_engine(self) -> str:
        return Engines.of_environ().pip

    on_missing = Enum(
        ("hint", "ask", "install", "off"),
        default_value="hint",
        help="When an import fails: show what to type (hint), ask in a terminal whether to run it "
        "(ask), run it (install), or nothing (off).",
    ).tag(config=True)

    managers = List(_ManagerName(names()), help="The package managers that may be used.").tag(
        config=True
    )

    @default("managers")
    def _managers(self) -> list[str]:
        return list(names())

    allow = List(
        Unicode(),
        help="The only packages that may be asked for: names or patterns, as 'numpy', 'acme-*' or "
        "'apt:libpq-dev'. Dependencies are free. Empty: all may.",
    ).tag(config=True)

    deny = List(
        Unicode(),
        help="Packages that must not be installed, not even as a dependency; patterns as in allow.",
    ).tag(config=True)

    channels = List(
        Unicode(), help="The conda channels to ask first, where the line names none."
    ).tag(config=True)

    index_url = Unicode(
        help="The package index in place of pip's own, where the line names none."
    ).tag(config=True)

    extra_index_urls = List(
        Unicode(), help="Package indexes in addition to pip's, where the line names none."
    ).tag(config=True)

    cooldown_days = Float(
        0.0,
        min=0.0,
        help="The days that a package of conda or pip has to be public before it may be "
        "installed, by the time that its channel or index says. 0: none.",
    ).tag(config=True)

    history = Unicode(
        help="The history file, as '~/work/history.jsonl'; $JSTACKMAGIC_HISTORY is stronger, "
        "unless this is locked. Empty: in the platform's user data folder."
    ).tag(config=True)

    hub_url = Unicode(
        help="The hub's jstackmagic service: records are sent there in the background, and its "
        "policy is followed. $JSTACKMAGIC_HUB_URL is the default. Empty: nothing is sent."
    ).tag(config=True)

    @default("hub_url")
    def _hub_url(self) -> str:
        return os.environ.get("JSTACKMAGIC_HUB_URL", "")

    locked = List(
        Enum(_NAMES),
        help="Settings that keep the values of this file; it counts in the system's and the "
        "environment's ipython_config.py alone.",
    ).tag(config=True)

    def __init__(self, **options: Any) -> None:
        self._fixed: dict[str, Any] = {}
        self._set_in = ""
        super().__init__(**options)
        self._fix()

    def _fix(self) -> None:
        """Take the administrator's values of what he locked, whatever came after them."""
        section, files = _section(system_folders())
        self._set_in = ", ".join(files)
        locked = [name for name in section.get("locked", ()) if name in _NAMES]
        if "index_url" in locked and "extra_index_urls" not in locked:
            locked.append("extra_index_urls")  # a further index would be one past it
        for name in locked:
            default = self.trait_defaults(name)
            value = section.get(name, default)
            if isinstance(value, LazyConfigValue):  # c.JStackMagic.deny.append(…)
                value = value.get_value(default)
            setattr(self, name, value)
            self._fixed[name] = getattr(self, name)
        self.locked = locked
        if locked:
            self._fixed["locked"] = locked

    @validate(*_NAMES)
    def _keep_locked(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name in self._fixed and value != self._fixed[name]:
            raise TraitError(
                f"JStackMagic.{name} is locked by {self._set_in}; it stays {self._fixed[name]!r}."
            )
        return value

    def policy(self) -> Policy:
        """Return what binds an install, as it is set now."""
        from .model.policy import Policy
        from .model.sources import Sources

        return Policy(
            managers=tuple(self._value("managers")),
            allow=tuple(self._value("allow")),
            deny=tuple(self._value("deny")),
            sources=Sources(
                channels=tuple(self._value("channels")),
                index_url=self._value("index_url"),
                extra_index_urls=tuple(self._value("extra_index_urls")),
            ),
            engines=Engines(conda=self._value("conda_engine"), pip=self._value("pip_engine")),
            history=self._value("history"),
            locked=tuple(self._fixed),
            set_in=self._set_in,
            hub_url=self._value("hub_url"),
            cooldown_days=self._value("cooldown_days"),
        )

    def _value(self, name: str) -> Any:
        return self._fixed.get(name, getattr(self, name))


def connect(shell: InteractiveShell) -> JStackMagic:
    """Return the settings of a shell, where ``%config`` and its configuration files reach them.

    Raises:
        JStackMagicError: A setting has a value that it cannot have.
    """
    with _understood():
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


# Files


def system_folders() -> tuple[str, ...]:
    """Return the system folders of IPython's configuration, the weakest first, as IPython does."""
    folders = ("/etc/ipython", "/usr/local/etc/ipython", f"{sys.prefix}/etc/ipython")
    return tuple(dict.fromkeys(folders))


def from_files() -> Policy:
    """Read the policy outside of IPython: the same files, with those of the user's profile.

    Raises:
        JStackMagicError: A file with these settings cannot be read, or a setting has an
            invalid value.
    """
    ipython = os.environ.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    section, _ = _section((*system_folders(), f"{ipython}/profile_default"))
    with _understood():
        return JStackMagic(config=Config(JStackMagic=section)).policy()


def _section(folders: Iterable[str]) -> tuple[Config, list[str]]:
    """Return the JStackMagic part of the configuration files in some folders, and their paths."""
    merged, files = Config(), []
    for path in _speaking(folders):
        files.append(path)
        merged.merge(_load(path))
    return merged.JStackMagic, files


def _speaking(folders: Iterable[str]) -> Iterator[str]:
    """Yield the files that mention these settings: no other is run."""
    for folder in folders:
        for name in ("ipython_config.py", "ipython_config.json"):
            path = f"{folder}/{name}"
            try:
                with open(path, "rb") as file:
                    speaks = b"JStackMagic" in file.read()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(path, str(error.strerror)) from None
            if speaks:
                yield path


def _load(path: str) -> Config:
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    kind = PyFileConfigLoader if path.endswith(".py") else JSONFileConfigLoader
    try:
        return kind(os.path.basename(path), path=os.path.dirname(path)).load_config()
    except Exception as error:  # the file is a program
        raise _unreadable(path, f"{type(error).__name__}: {error}") from None


@contextmanager
def _understood() -> Iterator[None]:
    """Report an invalid value of a setting as a mistake in a file, which it is."""
    from .model.errors import NOTHING_CHANGED, JStackMagicError

    try:
        yield
    except TraitError as error:
        raise JStackMagicError(
            f"IPython's configuration has a JStackMagic setting that cannot be: {error}",
            kept=NOTHING_CHANGED,
            advice="Fix ipython_config.py, or ask whoever wrote it.",
        ) from None


def _unreadable(path: str, reason: str) -> Exception:
    from .model.errors import NOTHING_CHANGED, JStackMagicError

    return JStackMagicError(
        f"The settings in {path} cannot be read: {reason}",
        kept=NOTHING_CHANGED,
        advice="Fix that file, or ask whoever wrote it.",
    )
