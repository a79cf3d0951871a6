"""The place that pip would install into, if its settings name another than the environment.

``user``, ``target``, ``prefix`` and ``root`` come from ``PIP_*`` variables and from ``pip.conf``. A
request names its environment, so that a variable of these is not handed on, and ``user`` is set
off; what a file says cannot be set off for one run, and stops it.
"""

from __future__ import annotations

import os

from ...model.environment import Environment
from ...model.errors import Stopped
from ...model.options import PIP
from ...model.request import Request
from .pipconf import configured
from .present import user_site

PLACES = ("target", "prefix", "root")
"""The settings that name a folder."""

LANDING = frozenset((*PLACES, "user"))
"""The settings that choose the place; options of these names are the user's own wish."""

VARIABLES = tuple(f"PIP_{name.upper()}" for name in (*PLACES, "user"))


def wished(options: tuple[str, ...]) -> dict[str, str]:
    """Return the places among a request's own options, by their names.

    >>> wished(("--no-deps", "--target", "/x")), wished(("--user",)), wished(("-t=/x",))
    ({'target': '/x'}, {'user': ''}, {'target': '/x'})
    """
    named = ((option.name.removeprefix("--"), option.value) for option in PIP.options(options))
    return {name: value for name, value in named if name in LANDING}


def set_off(environment: Environment, options: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the variables that keep an install in its environment; see also `VARIABLES`."""
    user = configured(environment).get("user")
    return (("PIP_USER", "0"),) if user is not None and "user" not in wished(options) else ()


def check_landing(request: Request, environment: Environment) -> None:
    """Stop an install that pip's settings would lead away from its environment.

    Raises:
        Stopped: A file names another folder, or requires a virtual environment and this is not one.
    """
    own = wished(request.options)
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    settings = configured(environment, environ=kept)
    for name in PLACES:
        setting = settings.get(name)
        if setting is not None and not own:
            raise Stopped(
                f"pip's setting {name} = {setting.value} ({setting.source}) would put it there, and"
                f" not into {environment.prefix}.",
                advice=(
                    f"Take it out: pip config unset install.{name}",
                    f"or say that you mean it: %envinstall --pip … -- --{name} {setting.value}",
                ),
            )
    wants = settings.get("require-virtualenv")
    if wants is not None and wants.is_on and not environment.kind.startswith("venv"):
        raise Stopped(
            f"pip's setting require-virtualenv ({wants.source}) allows virtual environments alone,"
            f" and {environment.prefix} is not one.",
            advice=(
                "Name a virtual environment: --prefix PATH",
                "or take it back for this session: %env PIP_REQUIRE_VIRTUALENV=0"
                if wants.source.startswith("PIP_")
                else f"or take it out of {wants.source}",
            ),
        )


def landed(request: Request, environment: Environment) -> str:
    """Return the folder outside of the environment that the user's own options name, or empty."""
    own = wished(request.options)
    if "user" in own:
        return user_site(environment) or os.path.expanduser("~/.local")
    return next((os.path.abspath(own[name]) for name in PLACES if own.get(name)), "")
