"""Show which environment this kernel runs in, what governs it, and what can be done here.

Examples:
    %envinfo                       # the running kernel's environment
    %envinfo --kernel ir           # the environment of another kernelspec
    %envinfo --name other
    %envinfo --all-kernels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..history.progress import status
from ..managers import workers
from ..where.host import look
from ._info import Info
from ._shared import Target

if TYPE_CHECKING:
    from ..session import Session


@dataclass(frozen=True)
class Options(Target):
    """The environment to show."""


def run(options: Options, session: Session) -> Info:
    """Look at every target."""
    environments, engines = options.environments(), session.policy.engines
    return Info(
        environments=environments,
        host=look(),
        replay=status(),
        engines=tuple(tuple(workers(each, engines)) for each in environments),
        notes=options.not_reached(),
    )
