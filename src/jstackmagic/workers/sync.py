"""Bring a cluster's workers to what this environment has, and compare them with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..display import size_text
from ..display.console import Console
from ..history.file import History
from ..model.environment import EnvironmentRef
from ..model.plan import OnWorker, Outcome, Swap
from ..model.record import Context, Record
from ..model.request import Request
from ..model.text import counted
from ..where.detect import detect
from . import worker
from .cargo import Cargo, order
from .cluster import Cluster, Lost, answering

_RETURN = 30.0  # seconds in which a worker that went away may be started again
_POLL = 0.1  # seconds
_INSTALLERS = {"pip", "setuptools", "uv", "wheel"}


@dataclass(frozen=True)
class WorkerRow:
    """One worker, and how it went there."""

    worker: str  #: its address or number
    #: the result of `worker.look`; empty if it gave no answer
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: the changes: name, version before, version after
    brought: tuple[tuple[str, str, str], ...] = ()
    would: tuple[tuple[str, str, str], ...] = ()  #: likewise, in a dry run
    failed: str = ""  #: what failed, a sentence; empty if nothing did
    words: tuple[str, ...] = ()  #: sentences on what else is to be known


@dataclass(frozen=True)
class WorkerDifference:
    """One package that a worker has otherwise than the kernel."""

    worker: str
    name: str  #: the package, or ``Python`` or ``platform``
    here: str  #: what the kernel has
    there: str  #: what the worker has
    sent: bool = True


@dataclass(frozen=True)
class Synced:
    """The outcome of a sync."""

    rows: tuple[WorkerRow, ...]
    changes: tuple[OnWorker, ...] = ()  #: the changes on their disks, for the record
    seconds: float = 0.0  #: its duration

    @property
    def failed(self) -> tuple[WorkerRow, ...]:
        """The workers where something failed."""
        return tuple(row for row in self.rows if row.failed)


@answering
def sync(
    cluster: Cluster,
    cargo: Cargo,
    console: Console,
    *,
    dry_run: bool = False,
    on: Iterable[str] | None = None,
    begin: Callable[[], None] = lambda: None,
) -> Synced:
    """Bring every worker to an order, those that are started later included.

    Args:
        dry_run: Only look, and say what would be done.
        on: The workers; None for all, and for later ones.
    """
    begun = time.monotonic()
    names = worker.named(cargo.order)
    before = dict(cluster.call("look", (), names, on=on))
    for words in _foreign(cargo.order, before):
        console.say(words)
    cargo = cargo.fitted(before.values())
    if dry_run:
        return Synced(tuple(_expected(name, cargo, facts) for name, facts in before.items()))
    later = cluster.later(cargo) if on is None else ""
    waiting = [name for name, facts in before.items() if _has_work(cargo, facts)]
    if waiting:
        begin()
        what = f": {counted(len(cargo.rows), 'package')}, {size_text(cargo.size)}"
        console.say(
            f"Bringing {counted(len(waiting), 'worker')} in step{what * bool(cargo.rows)} …"
        )
    found = dict(cluster.bring(cargo, waiting)) if waiting else {}
    _follow(cluster, cargo, before, found)
    rows, changes = [], []
    for name, facts in before.items():
        answer = found.get(name)
        rows.append(_row(name, facts, answer))
        if answer is not None and not isinstance(answer, Lost) and answer["done"]:
            changes.append(_change(name, answer))
    rows = _restarted(cluster, before, found, rows)
    if later and rows:
        console.say(later)
    return Synced(tuple(rows), tuple(changes), round(time.monotonic() - begun, 3))


def _has_work(cargo: Cargo, facts: Any) -> bool:
    if isinstance(facts, Lost):
        return False
    plan = worker.todo(cargo.order, facts)
    elsewhere = facts["place"] != cargo.order["place"]
    return any(plan.values()) or (cargo.order["again"] and elsewhere)


def _foreign(wanted: Mapping[str, Any], before: Mapping[str, Any]) -> Iterable[str]:
    """Yield a sentence for each other Python or platform, before anything is sent."""
    facts = [each for each in before.values() if not isinstance(each, Lost)]
    kinds = {(each["python"], each["platform"]) for each in facts}
    for python, platform in sorted(kinds - {(wanted["python"], wanted["platform"])}):
        yield (
            f"There are workers with Python {python} on {platform}, and Python here is "
            f"{wanted['python']} on {wanted['platform']}: they get pure wheels alone, "
            "and what those need there."
        )


def _follow(cluster: Cluster, cargo: Cargo, before: dict[str, Any], found: dict[str, Any]) -> None:
    """Go on where a worker went away meanwhile: on itself, or on the one in its place."""
    lost = [name for name, answer in found.items() if isinstance(answer, Lost)]
    end = time.monotonic() + _RETURN
    while lost and time.monotonic() < end:
        now = cluster.workers()
        again = [name for name in lost if name in now]
        fresh = [name for name in now if name not in before]
        before |= cluster.call("look", (), worker.named(cargo.order), on=fresh) if fresh else {}
        found |= cluster.bring(cargo, [*again, *fresh]) if again or fresh else {}
        for name in [name for name in lost if name not in now][: len(fresh)]:
            before.pop(name)
            lost.remove(name)
        lost = [name for name in lost if isinstance(found[name], Lost)]
        time.sleep(_POLL * bool(lost))


def _expected(name: str, cargo: Cargo, facts: Any) -> WorkerRow:
    if isinstance(facts, Lost):
        return WorkerRow(name, failed=facts.words)
    plan = worker.todo(cargo.order, facts)
    there = facts["packages"]
    rows = [*plan["wheels"], *plan["conda"]]
    would = [(r["name"], there.get(r["name"], {}).get("version", ""), r["version"]) for r in rows]
    would += [(gone, there[gone]["version"], "") for gone in plan["remove"]]
    return WorkerRow(name, facts, would=tuple(would), words=_cannot(plan["cannot"]))


def _cannot(pairs: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(f"{name}: {reason}" for name, reason in pairs)


def _row(name: str, facts: Any, answer: Any) -> WorkerRow:
    for each in (facts, answer):
        if isinstance(each, Lost):
            return WorkerRow(name, {} if each is facts else facts, failed=each.words)
    if answer is None:
        return WorkerRow(name, facts)
    words = [f"waited for {answer['waited']}"] if answer["waited"] else []
    words += filter(None, [answer.get("words")])
    if answer["facts"]["folder"] and answer["done"]:
        words.append(f"its environment is read-only: in {answer['facts']['folder']}")
    failed = "; ".join((*filter(None, [answer["failed"]]), *_cannot(answer["cannot"])))
    brought = tuple((done[0], done[1], done[2]) for done in answer["done"])
    return WorkerRow(name, answer["facts"], brought, (), failed, tuple(words))


def _change(name: str, answer: Mapping[str, Any]) -> OnWorker:
    facts = answer["facts"]
    swaps = tuple(Swap(each[0], each[1], each[2], each[3] or {}) for each in answer["done"])
    return OnWorker(name, facts["host"], facts["prefix"], swaps)


def stale(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the distributions that a worker has imported and that have changed since."""
    now = after["packages"]
    gone = [n for n, each in before["packages"].items() if each["loaded"] and n not in now]
    return (*gone, *(name for name, each in now.items() if each["stale"]))


def _restarted(
    cluster: Cluster, before: Mapping[str, Any], found: Mapping[str, Any], rows: Sequence[WorkerRow]
) -> list[WorkerRow]:
    """Restart the workers that have stale modules, and say so in their rows."""
    changed = {
        name: names
        for name, facts in before.items()
        if not isinstance(facts, Lost) and not isinstance(answer := found.get(name), Lost)
        if (names := stale(facts, answer["facts"] if answer else facts))
    }
    why = cluster.restart(changed) if changed else {}

    def noted(row: WorkerRow) -> WorkerRow:
        if row.worker not in changed:
            return row
        reason = why.get(row.worker)
        words = f"not restarted: {reason}" if reason else "restarted"
        names = ", ".join(changed[row.worker])
        return replace(row, words=(*row.words, f"{words} ({names} was imported)"))

    return [noted(row) for row in rows]


# Comparing


@answering
def compare(cluster: Cluster, cargo: Cargo) -> tuple[WorkerRow, ...]:
    """Look at every worker, hashing the files of what a sync sends; nothing is changed."""
    names = worker.named(cargo.order)
    found = cluster.call("look", names, names)
    more = worker.named(cargo.fitted(found.values()).order)
    if more != names:
        found = cluster.call("look", more, more)
    return tuple(
        WorkerRow(name, failed=facts.words) if isinstance(facts, Lost) else WorkerRow(name, facts)
        for name, facts in found.items()
    )


def differences(
    wanted: Mapping[str, Any], here: Mapping[str, Any], rows: Iterable[WorkerRow]
) -> tuple[WorkerDifference, ...]:
    """Return each package that a worker has otherwise than the kernel, and its Python.

    Args:
        here: The result of `worker.look` in the kernel.
    """
    found = []
    for row in rows:
        if row.facts and row.facts["place"] != wanted["place"]:
            found += [
                WorkerDifference(row.worker, *each)
                for each in _differing(wanted, here, {**row.facts})
            ]
    return tuple(found)


def _differing(
    wanted: Mapping[str, Any], here: Mapping[str, Any], facts: dict[str, Any]
) -> Iterator[tuple[str, str, str, bool]]:
    for what in ("python", "platform"):
        if facts[what] != wanted[what]:
            yield what, wanted[what], facts[what], False
    there = facts["packages"]
    for row in worker.concerning(wanted["wheels"], facts):
        if words := _otherwise(row, there.get(row["name"]), facts["wrong"].get(row["name"], ())):
            yield row["name"], row["version"], words, True
    for row in wanted["conda"]:
        record = facts["conda"].get(row["name"])
        if record != [row["version"], row["build"]]:
            has = " ".join(record or ["not there"])
            yield row["name"], f"{row['version']} {row['build']}", has, True
    for row in worker.concerning(wanted["lacks"], facts):
        yield row["name"], "", f"not there: {row['why']}", True
    sent = {row["name"] for row in (*wanted["wheels"], *wanted["conda"])}
    for name in sorted((here["packages"].keys() & there.keys()) - sent - _INSTALLERS):
        versions = here["packages"][name]["version"], there[name]["version"]
        if versions[0] != versions[1]:
            yield (name, *versions, False)


def _otherwise(row: Mapping[str, Any], there: Any, wrong: Sequence[str]) -> str:
    """Return how a worker has a wheel otherwise; empty if it is the same."""
    if there is None:
        return "not there"
    if there["version"] != row["version"]:
        return str(there["version"])
    if there["print"] != row["print"]:
        return f"another build of {there['version']}"
    return f"changed: {', '.join(wrong[:3])}{' …' * (len(wrong) > 3)}" if wrong else ""


# On record


def on_record(
    cluster: Cluster,
    cargo: Cargo,
    console: Console,
    history: History,
    context: Context,
    ref: EnvironmentRef,
    command: str,
    transaction: str = "",
) -> tuple[Synced, Record | None]:
    """Sync, with a record of it where there is anything to do; see `sync`.

    Args:
        transaction: The transaction that it belongs to; empty for one of its own.
    """
    begun: list[Record] = []

    def begin() -> None:
        known = [r for r in history.records() if transaction and r.transaction == transaction]
        begun.append(
            history.note(
                "running",
                Request("install", "pip", ()),
                ref,
                transaction=transaction or history.new_transaction(),
                step=len(known) + 1,
                engine=cluster.kind,
                commands=(command,),
                context=replace(context, cluster=f"{cluster.kind} {cluster.name}"),
            )
        )

    try:
        synced = sync(cluster, cargo, console, begin=begin)
    except BaseException as error:
        for record in begun:
            history.end(record, Outcome("interrupted", 130, 0.0, message=str(error)))
        raise
    if not begun:
        return synced, None
    words = "\n".join(f"{row.worker}: {row.failed}" for row in synced.failed)
    outcome = Outcome(
        "failed" if words else "ok", int(bool(words)), synced.seconds, message=words,
        workers=synced.changes,
    )  # fmt: skip
    return synced, history.end(begun[0], outcome)


@answering
def take_back(cluster: Cluster, record: Record, console: Console, cargo: Cargo) -> list[str]:
    """Bring workers back to what they had before a sync; return what cannot be, in sentences.

    Args:
        cargo: What workers that are started later get, but for what the sync brought and is
            still here.
    """
    return [*_taken_back(cluster, record, console, cargo)]


def _taken_back(cluster: Cluster, record: Record, console: Console, cargo: Cargo) -> Iterator[str]:
    assert record.outcome is not None
    changes = record.outcome.workers
    brought = {(swap.name, swap.new) for on in changes for swap in on.swaps}
    wheels, conda = (
        [row for row in cargo.order[kind] if (row["name"], row["version"]) not in brought]
        for kind in ("wheels", "conda")
    )
    rest = replace(cargo, order={**cargo.order, "wheels": wheels, "conda": conda})
    cluster.later(rest)
    looked = {n: facts for n, facts in cluster.call("look").items() if not isinstance(facts, Lost)}
    places = {name: (facts["host"], facts["prefix"]) for name, facts in looked.items()}
    for change in changes:
        on = [name for name, place in places.items() if place == (change.host, change.prefix)]
        if not on:
            yield f"No worker is in {change.prefix} of {change.host} now: it stays as it is there."
            continue
        lost = [swap.name for swap in change.swaps if swap.old and not swap.back]
        if lost:
            yield f"{change.worker}: what it had of {', '.join(lost)} is not kept here."
        goes = [swap.name for swap in change.swaps if not swap.old]
        comes = [swap.back for swap in change.swaps if swap.back]
        words = {name: looked[on[0]][name] for name in ("python", "platform")}
        wanted = Cargo(order(detect(), wheels=comes, remove=goes, **words))
        yield from _unlike(sync(cluster, wanted, console, on=on))
    known = {(change.host, change.prefix) for change in changes}
    for name in [name for name, place in places.items() if place not in known]:  # it came later
        there = looked[name]["packages"]
        goes = [
            each
            for each, version in sorted(brought)
            if each in there and there[each]["version"] == version
            if there[each]["owner"] == "jstackmagic"
        ]
        if goes:
            wanted = replace(rest, order={**rest.order, "remove": goes})
            yield from _unlike(sync(cluster, wanted, console, on=[name]))


def _unlike(synced: Synced) -> Iterator[str]:
    for row in synced.rows:
        words = [each for each in row.words if each.startswith("not restarted")]
        yield from (f"{row.worker}: {each}." for each in (*filter(None, [row.failed]), *words))
