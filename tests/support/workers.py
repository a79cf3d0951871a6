"""How several workers share a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

_ENGINE = ("image_engine", "image_acceptance", "replay_containers")
"""What makes images of the one engine, which the others of them use."""

_LONGEST = (
    *("engine", "capture_live", "notebook", "manager_apt", "undo", "settled", "manager_rattler"),
    *("manager_pip", "replay", "quickstart", "docs", "frontends", "export_environments"),
)
"""What takes longest: nobody is to begin it when the others are done."""


class ByModule(LoadScopeScheduling):
    """A module stays with one worker, whose fixtures it shares; the longest are begun first.

    xdist's own ``loadgroup`` groups nothing with pytest 9.2 (pytest-xdist's issue 1386), and none
    of its own has an order.
    """

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.partition(".py::")[0].rpartition("test_")[2]
        return "engine" if name in _ENGINE else name

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
        super()._assign_work_unit(node)


def _place(scope: str) -> int:
    return _LONGEST.index(scope) if scope in _LONGEST else len(_LONGEST)
