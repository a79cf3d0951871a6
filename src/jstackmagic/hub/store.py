"""The service's database: SQLite by default, PostgreSQL where many write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ..history.lines import SCHEMA
from ..model.errors import UsageError
from ..model.managers import names, place
from ..model.spec import read
from ..report.person import Filter, PersonLine, count, decode
from ..report.tally import Tally, total
from ..sending.reduced import MAX_LINE

_ID = re.compile(r"[0-9a-f]{8}\.\d{1,4}")
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_EVENTS = ("begin", "end", "planned", "found")
_MAX_NAME = 300
_MOVE = ("place", "manager", "name", "version", "time")
_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}

_encode = msgspec.json.Encoder().encode


def now(days: float = 0) -> str:
    """Return the time, or one so many days ago, as records write it."""
    when = datetime.now(timezone.utc) - timedelta(days=days)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Batch(msgspec.Struct):
    records: list[msgspec.Raw]


def batch(body: bytes) -> list[bytes]:
    """Return the lines that a kernel sent, as it wrote them.

    Raises:
        ValueError: It sent no lines.
    """
    try:
        return list(map(bytes, msgspec.json.decode(body, type=_Batch).records))
    except RecursionError as error:
        raise ValueError("too deep") from error


def checked(text: bytes) -> PersonLine:
    """Return a line that a kernel sent, with the known fields alone.

    Raises:
        ValueError: It is no line of ours, or of another time, or too long.
    """
    if len(text) > MAX_LINE:
        raise ValueError("too long")
    try:
        line = decode(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if line.v != SCHEMA or line.event not in _EVENTS or not _ID.fullmatch(line.id):
        raise ValueError("no record")
    if not _TIME.fullmatch(line.time) or line.time > now(-1):
        raise ValueError("no time")
    if line.event != "end" and (line.request is None or line.request.manager not in names()):
        raise ValueError("no request")
    if b"\\u0000" in text:  # which PostgreSQL keeps in no text
        raise ValueError("no text")
    return line


@dataclass(frozen=True)
class HeldRow:
    """A package that somebody has now."""

    person: str
    manager: str
    name: str
    version: str


class Database:
    """The database.

    Args:
        url: Its address, as SQLAlchemy writes it.

    Raises:
        UsageError: It is of another kind.
    """

    def __init__(self, url: str) -> None:
        named = {"paramstyle": "named"} if url.startswith("sqlite") else {}
        self.engine = sa.create_engine(url, pool_pre_ping=True, **named)
        if self.engine.dialect.name not in _DIALECTS:
            raise UsageError(f"Only {' and '.join(_DIALECTS)} are known.")
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _set_up)
        self._migrate()
        meta = sa.MetaData()
        meta.reflect(self.engine)
        self._person, self._line = meta.tables["person"], meta.tables["line"]
        self._move = meta.tables["move"]
        self._decision, self._image = meta.tables["decision"], meta.tables["image"]
        self._people: dict[str, int] = {}
        entered = sa.insert(self._move).compile(self.engine, column_keys=["person_id", *_MOVE])
        self._enter_move = str(entered)

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _insert(self, table: sa.Table) -> Any:
        """Return an insert that knows conflicts, which the standard does not."""
        return _DIALECTS[self.engine.dialect.name].insert(table)

    # Collecting

    def person(self, name: str, connection: Connection) -> int:
        """Return the number of a person, who is entered where new."""
        if name not in self._people:
            connection.execute(self._insert(self._person).on_conflict_do_nothing(), {"name": name})
            asked = sa.select(self._person.c.id).where(self._person.c.name == name)
            self._people[name] = connection.execute(asked).scalar_one()
        return self._people[name]

    def take(self, name: str, lines: Sequence[PersonLine]) -> tuple[int, int]:
        """Enter one person's lines; those that are known already change nothing.

        Returns:
            The number of new lines, and the number of the person; zeros without a line.
        """
        if not lines:
            return 0, 0
        with self.engine.begin() as connection:
            who = self.person(name, connection)
            rows = [
                {"person_id": who, "record": each.id, "event": each.event, "time": each.time,
                 "body": _encode(each)}
                for each in lines
            ]  # fmt: skip
            columns = self._line.c
            entered = self._insert(self._line).on_conflict_do_nothing()
            found = connection.execute(
                entered.returning(columns.record, columns.event, columns.time), rows
            )
            new = {tuple(row) for row in found}
            fresh = [each for each in lines if (each.id, each.event, each.time) in new]
            if moves := [*self._moves(who, fresh, connection)]:
                # as the driver takes it: a record moves a dozen packages
                connection.exec_driver_sql(self._enter_move, moves)
            return len(fresh), who

    def _moves(
        self, who: int, lines: Sequence[PersonLine], connection: Connection
    ) -> Iterator[dict[str, Any]]:
        """Yield which packages came and went."""
        begun = {each.id: each for each in lines if each.event != "end"}
        ended = [each.id for each in lines if each.event == "end" and each.id not in begun]
        if ended:
            line = self._line.c
            asked = sa.select(line.body).where(
                line.person_id == who, line.event == "begin", line.record.in_(ended)
            )
            begun |= {start.id: start for start in map(decode, connection.scalars(asked))}
        for each in lines:
            start = begun.get(each.id)
            if each.outcome is None or start is None:
                continue
            change, prefix = each.outcome.change, start.environment.prefix
            moved = [(package, "") for package in change.removed]
            moved += [(package, package.version[:_MAX_NAME]) for package in change.added]
            managers = {package.manager for package, _ in moved}.intersection(names())
            places = {manager: place(manager, prefix)[:_MAX_NAME] for manager in managers}
            for package, version in moved:
                if len(package.name) <= _MAX_NAME and package.manager in places:
                    yield {
                        "person_id": who, "place": places[package.manager], "time": each.time,
                        "manager": package.manager, "name": package.name, "version": version,
                    }  # fmt: skip

    # Reading

    def ping(self) -> None:
        """Ask the database for nothing."""
        self._rows(sa.select(1))

    def _rows(self, asked: sa.Select[Any]) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(asked)]

    def _of(self, table: sa.Table, name: str) -> Any:
        """Return the condition that a table's rows are one person's."""
        person = self._person.c
        return (
            table.c.person_id == sa.select(person.id).where(person.name == name).scalar_subquery()
        )

    def asked(self, name: str) -> set[tuple[str, str]]:
        """Return the packages that a person asked for, by manager and name."""
        line = self._line
        asked = sa.select(line.c.body).where(self._of(line, name), line.c.event == "planned")
        starts = [decode(body) for (body,) in self._rows(asked)]
        return {
            (start.request.manager, read(start.request.manager, text).name)
            for start in starts
            if start.request
            for text in start.request.specs
        }

    def tallies(self, people: Iterable[int] | None = None) -> Iterator[tuple[int, str, Tally]]:
        """Yield the counts of each person; of some, or of all."""
        person, line = self._person.c, self._line.c
        asked = sa.select(person.id, person.name)
        if people is not None:
            asked = asked.where(person.id.in_(list(people)))
        with self.engine.connect() as connection:
            for number, name in connection.execute(asked).all():
                body = sa.select(line.body).where(line.person_id == number)
                lines = connection.scalars(body.order_by(line.time, line.id))
                yield number, name, count(lines, name, Filter())

    def tally_of(self, name: str) -> Tally:
        """Return one person's counts."""
        numbers = self._rows(sa.select(self._person.c.id).where(self._person.c.name == name))
        return total(tally for _, _, tally in self.tallies(number for (number,) in numbers))

    def held(self, name: str) -> list[HeldRow]:
        """Return who has a package now, by its normalised name."""
        person, move = self._person.c, self._move.c
        asked = sa.select(person.name, move.manager, move.name, move.version, move.place)
        asked = asked.join_from(self._move, self._person).where(move.name == name)
        return [HeldRow(*row[:4]) for row in self._last(asked, 0, 1, 4)]

    def holds(self, name: str) -> list[tuple[str, str, str, str]]:
        """Return what a person's environments hold: place, manager, package and version."""
        move = self._move.c
        asked = sa.select(move.place, move.manager, move.name, move.version)
        return sorted(self._last(asked.where(self._of(self._move, name)), 0, 1, 2))

    def _last(self, asked: sa.Select[Any], *key: int) -> Iterator[Any]:
        """Yield the last of the moves that have some columns in common; no removal."""
        rows = self._rows(asked.order_by(self._move.c.time, self._move.c.id))
        last = {tuple(row[at] for at in key): row for row in rows}
        return (row for row in last.values() if row[3])  # the version, in each of them

    def months(self, manager: str, name: str) -> dict[str, Counter[str]]:
        """Return how many people had each version of a package at the end of each month."""
        move = self._move.c
        asked = sa.select(move.person_id, move.place, move.version, move.time)
        asked = asked.where(move.manager == manager, move.name == name)
        now: dict[tuple[int, str], str] = {}
        found = {}
        with self.engine.connect() as connection:
            moves = connection.execute(asked.order_by(move.time, move.id))
            for month, those in groupby(moves, key=lambda row: row.time[:7]):
                now |= {(person, place): version for person, place, version, _ in those}
                had = {(person, version) for (person, _), version in now.items() if version}
                found[month] = Counter(version for _, version in had)
        return found

    def lines(self, name: str, limit: int) -> list[dict[str, Any]]:
        """Return one person's latest lines."""
        line = self._line.c
        asked = sa.select(line.body).where(self._of(self._line, name))
        asked = asked.order_by(line.time.desc(), line.id.desc()).limit(limit)
        return [msgspec.json.decode(body) for (body,) in self._rows(asked)]

    # Deciding

    def decide(self, manager: str, name: str, state: str, why: str, by: str) -> None:
        """Enter a decision on a request."""
        said = {"state": state, "why": why[:500], "by": by, "time": now()}
        insert = self._insert(self._decision).values(manager=manager, name=name, **said)
        with self.engine.begin() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["manager", "name"], set_=said)
            )

    def decisions(self) -> dict[tuple[str, str], dict[str, str]]:
        """Return the decisions by manager and name."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(self._decision)).mappings().all()
        return {
            (row["manager"], row["name"]): {key: row[key] for key in ("state", "why", "by", "time")}
            for row in rows
        }

    def push(self, name: str, image: str) -> None:
        """Enter an image that a person pushed; the first who does keeps it."""
        with self.engine.begin() as connection:
            who = self.person(name, connection)
            row = {"name": image, "person_id": who, "time": now(), "offered": False}
            connection.execute(self._insert(self._image).on_conflict_do_nothing(), row)

    def offer(self, image: str, *, offered: bool) -> None:
        """Offer an image to everybody, or no longer."""
        change = sa.update(self._image).where(self._image.c.name == image).values(offered=offered)
        with self.engine.begin() as connection:
            connection.execute(change)

    def images(self) -> list[tuple[str, str, bool]]:
        """Return the images: name, who pushed it, and whether it is offered to everybody."""
        image = self._image.c
        asked = sa.select(image.name, self._person.c.name, image.offered).join_from(
            self._image, self._person
        )
        return self._rows(asked.order_by(image.name))

    # Erasing

    def erase(self, name: str) -> int | None:
        """Erase all that there is of a person; return the number that was theirs."""
        with self.engine.begin() as connection:
            asked = sa.select(self._person.c.id).where(self._person.c.name == name)
            who: int | None = connection.execute(asked).scalar()
            for table in (self._line, self._move, self._image):
                connection.execute(sa.delete(table).where(table.c.person_id == who))
            connection.execute(sa.delete(self._person).where(self._person.c.id == who))
            decided = sa.update(self._decision).where(self._decision.c.by == name)
            connection.execute(decided.values(by=""))  # what was decided still holds
        self._people.pop(name, None)
        return who

    def people(self) -> list[str]:
        """Return everybody's name."""
        return [name for (name,) in self._rows(sa.select(self._person.c.name))]

    def drop_older(self, days: float) -> int:
        """Delete what is older; return how many lines it was."""
        before = now(days)
        with self.engine.begin() as connection:
            connection.execute(sa.delete(self._move).where(self._move.c.time < before))
            done = connection.execute(sa.delete(self._line).where(self._line.c.time < before))
        return int(done.rowcount)


def _set_up(connection: Any, _record: object) -> None:
    # 40 MB of pages: many of them are written again meanwhile
    for setting in (
        "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=10000",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {setting}")
