"""Entries of the history, written as an install writes them, where no install is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jstackmagic.history.who import context
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.session import Session

if TYPE_CHECKING:
    from jstackmagic.history.file import History
    from jstackmagic.model.packages import ManagerName
    from jstackmagic.model.record import Context, Record

BASE = EnvironmentRef(kind="conda-base", name="base", prefix="/opt/conda", python="3.13.1")


def remember(manager: ManagerName, specs: tuple[str, ...], name: str, version: str) -> Record:
    """Writes a successful install of one package into the history that is in force."""
    history = Session().history
    package = Package(manager, name, version, requested=True)
    record = history.note(
        "running",
        Request("install", manager, specs),
        BASE,
        transaction=history.new_transaction(),
        step=1,
        engine=manager,
        commands=(),
        context=context(),
    )
    return history.end(record, Outcome("ok", 0, 0.1, Change(added=(package,)), (package,)))


def append_only(history: History, who: Context) -> Record:
    """Append the beginning of an install of six: one write and nothing else."""
    return history.note(
        "running",
        Request("install", "pip", ("six",)),
        BASE,
        transaction="ab12cd34",
        step=1,
        engine="pip",
        commands=(),
        context=who,
    )
