"""Which engine serves a request: the user's choice, and what "auto" comes to and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ..model.environment import Environment
from ..model.errors import NOTHING_CHANGED, Stopped
from ..model.packages import ManagerName
from ..where.environment import executable_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.engines import Engines
    from ..model.environment import Tool
    from ..model.request import Request


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why it is that one.

    Attributes:
        manager: Whose work it does.
        engine: The module of this package that does it: "conda", "rattler", "uv", "pip", "apt".
        environment: The one asked for, governed by the executable that was asked for.
        why: For people, a part of a sentence; empty where there is no choice.
        asked: Whether the user named it, so that no other may step in.
    """

    manager: ManagerName
    engine: str
    environment: Environment
    why: str = ""
    asked: bool = False

    @property
    def name(self) -> str:
        """What people call it: the executable's own name, where it is one."""
        if self.engine == "conda" and self.environment.conda is not None:
            return self.environment.conda.tool
        return self.engine


def choose(
    manager: ManagerName,
    environment: Environment,
    engines: Engines,
    request: Request | None = None,
) -> Choice:
    """The engine that serves a manager's requests in an environment.

    Args:
        manager: Whose work is to be done.
        environment: Where.
        engines: What the user wants.
        request: What is asked; without one, what any plain request would get.

    Raises:
        Stopped: The engine that the user named is not in reach.
    """
    if manager == "conda":
        return _conda(environment, engines.conda, request)
    if manager == "pip":
        return _pip(environment, engines.pip, request)
    return Choice(manager, manager, environment)


def _conda(environment: Environment, wanted: str, request: Request | None) -> Choice:
    if wanted == "rattler":
        return Choice("conda", "rattler", environment, "you chose it", asked=True)
    if wanted != "auto":
        found = executable_of(environment, cast("Tool", wanted))
        if found is None:
            raise Stopped(
                f"There is no {wanted} in reach of {environment.prefix}.",
                kept=NOTHING_CHANGED,
                advice=("Leave the choice to us: --engine auto", "What there is: %envinfo"),
            )
        return Choice("conda", "conda", replace(environment, conda=found), "you chose it", True)
    if environment.conda is None:
        return Choice("conda", "rattler", environment, "no conda is in reach")
    from .conda.rattler import unhonoured, unserved

    reasons: Sequence[str] = unserved(request) if request is not None else ()
    if reasons:
        why = f"py-rattler does not take {', '.join(reasons)}"
        return Choice("conda", "conda", environment, why)
    reasons = unhonoured(environment)
    if reasons:
        why = f"py-rattler does not honour {', '.join(reasons)}"
        return Choice("conda", "conda", environment, why)
    return Choice("conda", "rattler", environment, "it honours all that conda would go by here")


def _pip(environment: Environment, wanted: str, request: Request | None) -> Choice:
    if wanted == "pip":
        return Choice("pip", "pip", environment, "you chose it", asked=True)
    from .pip.uv import engine as uv

    reasons = uv.unserved(environment, request)
    if wanted == "uv":
        if reasons:
            raise Stopped(
                f"uv would not do the same as pip here: {', '.join(reasons)}.",
                kept=NOTHING_CHANGED,
                advice="Let pip do it: --engine pip",
            )
        return Choice("pip", "uv", environment, "you chose it", asked=True)
    if reasons:
        return Choice("pip", "pip", environment, f"uv would not do the same: {', '.join(reasons)}")
    return Choice("pip", "uv", environment, "it does the same here as pip would")
