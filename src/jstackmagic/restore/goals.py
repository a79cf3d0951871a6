"""Bring environments to a history's net, in as few runs as possible.

Nothing here touches the disk; ``replay.py`` does, with this module's results.
"""

from __future__ import annotations

import os

from ..managers import get
from ..managers.goal import Exactness, Goal
from ..model.ledger import Ledger
from ..model.packages import ManagerName, PackageSet
from ..model.recipe import RecipeStep
from ..model.request import Request
from ..model.spec import read_all


def goals(ledger: Ledger) -> list[Goal]:
    """Return what there should be: the system first, then every environment."""
    moves, origins, steps = ledger.moves(), ledger.origins(), ledger.recipe().steps
    found = []
    for place, ref in ledger.places().items():
        mine = {key[1:]: move for key, move in moves.items() if key[0] == place}
        goal = Goal(
            ref=ref,
            steps=tuple(step for step in steps if _place_of(step) == place),
            there={key: move.left for key, move in mine.items() if move.left is not None},
            gone=tuple(key for key, move in mine.items() if move.left is None),
            origins=origins,
        )
        if goal.steps or goal.there or goal.gone:
            found.append(goal)
    return found


def _place_of(step: RecipeStep) -> str:
    return os.path.normpath(step.environment.prefix) if step.environment else ""


def requests(
    goal: Goal, manager: ManagerName, here: PackageSet, exactness: Exactness
) -> list[Request]:
    """Return one manager's requests to reach a goal; nothing if it is reached."""
    remove = goal.to_remove(manager, here, exactness)
    asked = [Request("remove", manager, read_all(manager, remove))] if remove else []
    return asked + get(manager).bring(goal, here, exactness)
