"""The parts that install and remove share: options, their execution, the table of changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..display import Code, Part, Result, Table, Text, channel_text, size_text
from ..managers.steps import Done
from ..model.engines import NAMES
from ..model.managers import is_system, names
from ..model.packages import Change
from ._verify import Verified

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator, Sequence

    from ..install.transaction import Transaction
    from ..managers.steps import Step
    from ..model.packages import Package
    from ..session import Session


def add_managers(parser: argparse.ArgumentParser) -> None:
    """Declare ``--conda``, ``--pip`` and ``--apt``."""
    group = parser.add_argument_group("manager (spec by spec: conda:NAME pip:NAME apt:NAME)")
    one = group.add_mutually_exclusive_group()
    for name in names():
        one.add_argument(
            f"--{name}", dest="manager", action="store_const", const=name, help=f"ask {name}"
        )


def add_mode(parser: argparse.ArgumentParser) -> None:
    """Declare ``--dry-run``, ``--engine`` and what else says how to go about a change."""
    parser.add_argument("--dry-run", action="store_true", help="show the plan and do nothing")
    parser.add_argument(
        "--record-only",
        action="store_true",
        help="put it into the history, so that it reaches the Dockerfile, and do nothing else",
    )
    parser.add_argument("--force", action="store_true", help="go on where a guard would stop")
    parser.add_argument(
        "--engine",
        action="append",
        default=[],
        choices=NAMES,
        metavar="NAME",
        help=f"what does the work: {', '.join(NAMES)}; may be given for conda and for pip",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="show what came of it, not how it went"
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="accepted out of habit: nothing here ever asks"
    )


def add_keep_going(parser: argparse.ArgumentParser) -> None:
    """Declare ``--keep-going``."""
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="keep the steps before one that fails, which are taken back without it",
    )


def transaction(session: Session, engines: Sequence[str] = (), **mode: Any) -> Transaction:
    """Return a transaction of this session.

    Args:
        session: Whose history, policy and console it has.
        engines: The names that ``--engine`` was given.
        mode: The other fields of a `Mode`.
    """
    from ..install.transaction import Mode, Transaction
    from ..model.policy import engines_of

    return Transaction(
        history=session.history,
        context=session.context(),
        policy=session.policy,
        console=session.console,
        on_exit_status=session.on_exit_status,
        mode=Mode(engines=engines_of(engines, session.policy), **mode),
    )


def carry_out(
    steps: Sequence[Step], args: argparse.Namespace, session: Session, notes: Sequence[str] = ()
) -> ChangeResult:
    """Carry steps out as one transaction, as the options say."""
    made = transaction(
        session,
        args.engine,
        dry_run=args.dry_run,
        record_only=args.record_only,
        force=args.force,
    )
    if not args.keep_going:
        made.take_back = partial(_take_back, session, args.engine)
    return ChangeResult(done=tuple(made.carry_out(steps)), notes=tuple(notes))


def _take_back(
    session: Session, engines: Sequence[str], failed: str
) -> tuple[Collection[str], Sequence[str]]:
    """Take back the steps of a transaction that failed; see `Transaction.take_back`."""
    from ..restore.undo import UndoOptions, undo

    session.console.say("A step failed: what was done before it is taken back …")
    carrier = transaction(session, engines, force=True, thorough=True)
    undone = undo(UndoOptions(id=failed, apart=True), session.history, carrier)
    return {record.id for record in undone.records}, undone.problems


@dataclass(frozen=True, repr=False)
class ChangeResult(Result):
    """The outcome of an install or a removal.

    Attributes:
        done: Each step as it went.
        notes: What was decided on the way, for the user.
        verified: What ``--verify`` found; None where nobody asked for it.
    """

    done: tuple[Done, ...]
    notes: tuple[str, ...] = ()
    verified: Verified | None = None

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 where ``--verify`` found a difference."""
        return self.verified.exit_status if self.verified else 0

    @property
    def change(self) -> Change:
        """Return what changed on disk, all steps together."""
        changes = [item.outcome.change for item in self.done if item.outcome]
        return Change(
            added=tuple(package for change in changes for package in change.added),
            changed=tuple(pair for change in changes for pair in change.changed),
            removed=tuple(package for change in changes for package in change.removed),
        )

    def summary(self) -> str:
        """Return how many packages were added, changed and removed."""
        return count_text(self.change) or "nothing changed"

    def parts(self) -> Sequence[Part]:
        """Each step's table and advice, then the notes."""
        parts: list[Part] = [Text(note, "warning") for note in self.notes]
        for item in self.done:
            parts += _parts_of(item)
        return [*parts, *(self.verified.parts() if self.verified else ())]

    def to_json(self) -> Any:
        """The steps, with their records."""
        import msgspec

        return {
            "changed": bool(self.change),
            "notes": list(self.notes),
            **({"verified": self.verified.to_json()} if self.verified else {}),
            "steps": [
                msgspec.to_builtins(
                    {
                        "manager": item.plan.request.manager,
                        "environment": item.plan.environment.ref,
                        "commands": [str(command) for command in item.plan.commands],
                        "planned": item.plan.change,
                        "record": item.record.id if item.record else None,
                        "outcome": item.outcome,
                        "restart": list(item.stale),
                        "notes": [*item.plan.notes, *item.notes],
                    }
                )
                for item in self.done
            ],
        }


def count_text(change: Change) -> str:
    """A change in a few words; empty where nothing changed."""
    counts = (
        (len(change.added), "added"),
        (len(change.changed), "changed"),
        (len(change.removed), "removed"),
    )
    return ", ".join(f"{number} {word}" for number, word in counts if number)


def change_table(change: Change, caption: str = "") -> Table:
    """A change as a table: what came, what moved from which version, what went."""
    rows = [
        *(_row("+", package, package.version) for package in change.added),
        *(_row("~", new, _moved(old, new)) for old, new in change.changed),
        *(_row("−", package, package.version) for package in change.removed),
    ]
    columns = ("", "Package", "Version", "Build", "From", "Size")
    used = [i for i in range(len(columns)) if i < 3 or any(row[i] for row in rows)]
    return Table(
        columns=tuple(columns[i] for i in used),
        rows=tuple(tuple(row[i] for i in used) for row in rows),
        caption=caption,
    )


def _row(sign: str, package: Package, version: str) -> tuple[str, ...]:
    origin = channel_text(package.source)
    return (sign, package.name, version, package.build, origin, size_text(package.size))


def _moved(old: Package, new: Package) -> str:
    if old.version != new.version:
        return f"{old.version} → {new.version}"
    return f"{new.version} (was {old.build or channel_text(old.source) or 'another archive'})"


def _parts_of(item: Done) -> Iterator[Part]:
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
        yield Text(
            f"Recorded, not installed: {plan.request.manager} {' '.join(item.record.request.texts)}"
            f" for {where}. %envexport dockerfile puts it into the image."
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
        yield Text("What it would change cannot be told beforehand.", "quiet")
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
