"""How several workers share a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

TOGETHER = {
    "named": ("persist",),
    "acceptance": (
        *("binder", "devcontainer", "export_environments", "export_verb", "files"),
        *("pep723", "recipe_json", "sbom", "script"),
    ),
}
"""Modules that share a turn, or what takes long to make: a history with all in it."""

_NAMED = (
    "test_and_so_it_does_where_there_is_an_engine",
    "test_and_so_does_every_example_that_needs_a_container",
)
"""Tests of the docs that call images as the notebook does: `support.engine.usual_names`."""

LONGEST = (
    *("named", "panel", "story", "push_container", "faults", "image_engine", "image_acceptance"),
    *("tamperings", "histories", "push", "recorder", "docs", "image_secrets", "newcomer"),
    *("notebook", "browser", "replay_containers", "acceptance", "undo", "replay", "nextimage"),
    *("manager_rattler", "manager_pip", "dask", "frontends", "transaction", "settled", "secrets"),
    *("manager_apt", "hub", "service", "surfaces"),
    *("base_install", "worker", "quickstart", "locks", "hostile_packages", "watcher"),
    *("hook_in_trouble", "support", "history", "verify", "export_to_standard_output"),
)
"""What takes longest: nobody is to begin it when the others are done."""


class ByModule(LoadScopeScheduling):
    """A module stays with one worker, whose fixtures it shares; the longest are begun first.

    xdist's own ``loadgroup`` groups nothing with pytest 9.2 (pytest-xdist's issue 1386), and none
    of its own has an order.
    """

    def _split_scope(self, nodeid: str) -> str:
        module, _, test = nodeid.partition(".py::")
        if test.partition("[")[0] in _NAMED:
            return "named"
        name = module.rpartition("test_")[2]
        return next((shared for shared, of_it in TOGETHER.items() if name in of_it), name)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
        super()._assign_work_unit(node)


def _place(scope: str) -> int:
    return LONGEST.index(scope) if scope in LONGEST else len(LONGEST)
