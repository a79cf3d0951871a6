"""Homes with histories in them, written as an install writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jstackmagic.history.file import History
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Context
from jstackmagic.model.request import Request
from jstackmagic.report.folders import USUAL

from .records import BASE

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.model.record import Record

WHO = Context(user="jovyan", image="registry.example.com/lab/base:1")


class Home:
    """One person's home, in a folder of homes."""

    def __init__(self, homes: Path, name: str) -> None:
        self.folder = homes / name
        self.history = History(self.folder / USUAL)

    def note(self, status: Any, request: Request, **more: Any) -> Record:
        transaction = self.history.new_transaction()
        return self.history.note(
            status, request, BASE, transaction=transaction, step=1, **{"context": WHO, **more}
        )

    def installs(
        self, manager: str, spec: str, version: str = "1.0", *, fails: str = "", **more: Any
    ) -> Record:
        """Records an install of one package of 3 MB that takes two seconds, or its failure."""
        record = self.note("running", Request("install", manager, (spec,)), **more)
        (asked,) = record.request.specs
        package = Package(manager, asked.name, version, size=3 * 2**20, requested=True)
        if fails:
            return self.history.end(record, Outcome("failed", 1, 1.0, message=fails))
        return self.history.end(record, Outcome("ok", 0, 2.0, Change((package,)), (package,)))

    def removes(self, manager: str, name: str, version: str = "1.0", **more: Any) -> Record:
        record = self.note("running", Request("remove", manager, (name,)), **more)
        change = Change(removed=(Package(manager, name, version),))
        return self.history.end(record, Outcome("ok", 0, 1.0, change))

    def waits(self, name: str, why: str = "", manager: str = "apt") -> Record:
        notes = (f"why: {why}",) if why else ()
        return self.note("planned", Request("install", manager, (name,)), notes=notes)
