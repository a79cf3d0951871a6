"""Display a step of a change with its outcome."""

from __future__ import annotations

from collections.abc import Iterator

from ..display import Code, Part, Text
from ..display.changes import change_table
from ..managers.steps import Done
from ..model.managers import is_system


def parts_of(item: Done) -> Iterator[Part]:
    """Yield the changes, the packages that were there already, and the notes."""
    plan, outcome = item.plan, item.outcome
    where = "the system" if is_system(plan.request.manager) else plan.environment.description
    if outcome is None:
        yield from _planned(item, where)
        return
    if outcome.change:
        did = {"install": "Installed into", "remove": "Removed from"}[plan.request.action]
        yield change_table(
            outcome.change, f"{did} {where} with {plan.engine}, {outcome.seconds:.1f} s"
        )
    for package in plan.satisfied:
        yield Text(f"{package.name} {package.version} is already there ({package.manager}).")
    if not outcome.change and not plan.satisfied:
        yield Text(f"Nothing changed in {where}.")
    for note in item.notes:
        yield Text(note, "warning")
    if item.running and outcome.change and not is_system(plan.request.manager):
        yield from _restart_advice(item)


def _planned(item: Done, where: str) -> Iterator[Part]:
    plan = item.plan
    if item.record is not None:
        did, then = {
            "install": ("installed", "puts it into"),
            "remove": ("removed", "leaves it out of"),
        }[plan.request.action]
        yield Text(
            f"Recorded, not {did}: {plan.request.manager} {' '.join(item.record.request.texts)}"
            f" for {where}. %envexport dockerfile {then} the image."
        )
        return
    if plan.commands:
        yield Text(f"Would run, for {where}:")
        yield Code("\n".join(str(command) for command in plan.commands))
    for package in plan.satisfied:
        yield Text(f"{package.name} {package.version} is already there ({package.manager}).")
    if plan.change:
        yield change_table(plan.change, "Would change")
    elif plan.commands and plan.change is None:
        yield Text("Its changes are not known in advance.", "quiet")
    for note in plan.notes:
        yield Text(note, "quiet")


def _restart_advice(item: Done) -> Iterator[Part]:
    for stale in item.stale:
        now = f"{stale.new} is installed now" if stale.new else "it is removed now"
        yield Text(
            f"Restart the kernel: {stale.module} was imported from {stale.package} {stale.old}; "
            f"{now}.",
            "warning",
        )
    if not item.stale and item.outcome and item.outcome.change.added:
        yield Text("It can be imported now; no restart is needed.", "good")
