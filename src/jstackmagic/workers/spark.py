"""Spark's executors: one archive by Spark's own file server, on the path of each Python there.

Spark takes an archive to each executor that works for the session, later ones included, and
unpacks it there (``SparkContext.addArchive``). Each task's Python puts the session's includes on
its path (``setup_spark_files`` in PySpark), of which our folder is one. A variable that changes
with it makes Spark start new Pythons, so that none keeps what it had imported.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..model.errors import Stopped, UsageError
from . import call, worker
from .cargo import Cargo
from .cluster import Lost, gathered, shipped

SCHEMES = ()
_FOLDER = "jstackmagic-"
_VARIABLE = "JSTACKMAGIC_SYNC"


def of(value: Any) -> Executors | None:
    """Return a session or its context as a cluster.

    Raises:
        UsageError: It is one of Spark Connect, which has no context here.
    """
    if "connect" in type(value).__module__ and hasattr(value, "addArtifacts"):
        raise UsageError(
            "A session of Spark Connect lets nobody see its executors.",
            kept="Nothing was sent.",
            advice="Give it the archive and the options of: %envexport spark",
        )
    context = getattr(value, "sparkContext", value)
    alive = hasattr(context, "addArchive") and getattr(context, "_jsc", None) is not None
    return Executors(context) if alive and hasattr(context, "_python_includes") else None


class Executors:
    """The executors of a session."""

    kind = "spark"
    own = frozenset({"pyspark", "py4j"})

    def __init__(self, context: Any) -> None:
        self._context = context
        self._task = shipped(call)["on_executor"]
        self._source = worker.source()
        self.name = f"{context.master} {context.applicationId}"

    def workers(self) -> Sequence[str]:
        return list(self.call("store"))

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        """Call it in a task on every slot at once (a barrier), so that no executor is left out."""
        count = self._context.defaultParallelism
        source, task = self._source, self._task

        def tasks(_: Any) -> Any:
            return task(source, function, args)

        tasks.__module__ = "__main__"  # sent by value
        found = self._context.parallelize(range(count), count).barrier().mapPartitions(tasks)
        answers = gathered({self.name: found}, self._collected, function)[self.name]
        if isinstance(answers, Lost):
            return {self.name: answers}
        names = None if on is None else set(on)
        return {n: answer for n, answer in sorted(answers.items()) if names is None or n in names}

    def _collected(self, tasks: Any, seconds: float) -> dict[str, Any]:
        """Return the results of tasks, which are cancelled after so many seconds."""
        tag, late = f"jstackmagic-{uuid.uuid4().hex}", threading.Event()

        def cancel() -> None:
            late.set()
            self._context.cancelJobsWithTag(tag)

        timer = threading.Timer(seconds, cancel)
        timer.daemon = True
        self._context.addJobTag(tag)  # the job group is the user's
        timer.start()
        try:
            return dict(tasks.collect())
        except Exception:
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            self._context.removeJobTag(tag)

    def bring(self, cargo: Cargo, on: Iterable[str]) -> Mapping[str, Any]:
        plans = self.call("planned", cargo.order, on=on)
        rows: dict[str, Any] = self._context.__dict__.setdefault("_jstackmagic", {})
        for plan in plans.values():
            if not isinstance(plan, Lost):
                rows |= {row["name"]: row for row in plan["wheels"]}
        for name in cargo.order["remove"]:
            rows.pop(name, None)
        if gone := [name for name, row in rows.items() if not worker.is_kept(row)]:
            for name in gone:
                del rows[name]
            raise Stopped(
                f"The archives of {', '.join(gone)}, which were sent before, are no longer here.",
                advice="To go on without what this environment lacks: %envsync",
            )
        broken = cargo.order["again"] and any(
            plan["facts"]["wrong"] for plan in plans.values() if not isinstance(plan, Lost)
        )
        self._offer(rows, again=bool(broken))
        names = worker.named(cargo.order)
        after = self.call("look", names, names)
        return {name: _outcome(plan, after.get(name)) for name, plan in plans.items()}

    def _offer(self, rows: Mapping[str, Any], *, again: bool) -> None:
        """Have the folder of these wheels on the path of every Python, in place of an earlier."""
        times: int = self._context.__dict__.setdefault("_jstackmagic_times", 0) + again
        self._context.__dict__["_jstackmagic_times"] = times
        content = [str(times), *sorted(row["sha256"] for row in rows.values())]
        name = f"{_FOLDER}{hashlib.sha256(''.join(content).encode()).hexdigest()[:16]}"
        includes = self._context._python_includes
        includes[:] = [each for each in includes if not each.startswith(_FOLDER)]
        offered: set[str] = self._context.__dict__.setdefault("_jstackmagic_offered", set())
        if rows:
            if name not in offered:  # the driver serves the file from where it is
                path = os.path.join(worker.store(), "spark", f"{name}.zip")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _merge(rows.values(), path)
                self._context.addArchive(f"{path}#{name}")
                offered.add(name)
            includes.append(name)
        self._context.environment[_VARIABLE] = name

    def later(self, cargo: Cargo) -> str:
        return "Executors that are started later get the same."

    def restart(self, workers: Iterable[str]) -> Mapping[str, str]:
        return {}  # `_offer` has new Pythons started


def _merge(rows: Iterable[Any], path: str) -> None:
    """Write the content of wheels to one archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as merged:
        for row in rows:
            with zipfile.ZipFile(worker.path_of(row)) as wheel:
                for name in wheel.namelist():
                    merged.writestr(worker.in_site(name), wheel.read(name))


def _outcome(plan: Any, after: Any) -> Any:
    """Return how it went on an executor, as `worker.install` does."""
    if isinstance(plan, Lost) or isinstance(after, Lost) or after is None:
        return plan if isinstance(plan, Lost) else after or Lost("it went away")
    before, now, failed, done = plan["facts"]["packages"], after["packages"], [], []
    for row in plan["wheels"]:
        there = now.get(row["name"], {})
        if there.get("print") != row["print"] or row["name"] in after["wrong"]:
            failed.append(f"{row['name']} did not arrive as it was sent")
        else:
            old = before.get(row["name"], {}).get("version", "")
            done.append([row["name"], old, row["version"], None])
    for name in plan["remove"]:
        if name in now:
            failed.append(f"{name} is in the environment there, which Spark does not change")
        else:
            done.append([name, before[name]["version"], "", None])
    words = "in a folder on its path" if done else ""
    state = {"failed": "; ".join(failed), "waited": "", "words": words}
    return {"facts": {**after, "folder": ""}, "done": done, "cannot": plan["cannot"], **state}
