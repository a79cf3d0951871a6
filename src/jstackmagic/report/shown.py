"""The report as tables, for a terminal, a notebook, a page, a spreadsheet or a program."""

from __future__ import annotations

import csv
import html
import io
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..display import Part, Result, Table, Text, json_text, size_text
from ..io.files import write_file
from ..model.errors import UsageError
from ..model.extras import is_here, line
from ..model.packages import PackageKey
from ..model.text import counted, readable
from .tally import Failure, Tally, Use

ORDERS: dict[str, Callable[[Use], float]] = {
    "people": lambda use: use.users,
    "installs": lambda use: use.installs,
    "seconds": lambda use: use.seconds,
    "bytes": lambda use: use.bytes,
}
"""What packages can be ranked by."""

_VERSIONS = 3  # of a package, the most asked for
_SKIPPED = 20  # that are named
_BARS = 12  # of a chart


def coarse(tally: Tally, least: int) -> Tally:
    """Return the counts without those under `least` people, the others in steps of it.

    The steps keep the difference of two reports, as of two days, from counting one person out.
    Times and sizes are what so many people have at the mean of all, which keeps one digit: a sum
    would say what the sixth person's install takes.
    """
    if least <= 1:
        return tally

    def step(count: int) -> int:
        return count - count % least

    def usual(everything: float, people: int) -> float:
        return float(f"{everything / max(people, 1):.0e}")

    def some(counter: Counter[Any]) -> Counter[Any]:
        return Counter({key: step(n) for key, n in counter.items() if n >= least})

    uses: dict[PackageKey, Use] = {}
    for name, use in tally.uses.items():
        shown = step(use.standing)
        kept = Use(
            users=step(use.users),
            installs=step(use.installs) if use.users >= least else 0,
            standing=shown,
            seconds=usual(use.seconds, use.standing) * shown,
            bytes=int(usual(use.bytes, use.standing) * shown),
            withdrawn=step(use.withdrawn),
            removed=step(use.removed),
            asked=some(use.asked),
            got=some(use.got),
            ways=some(use.ways),
        )
        if kept.users or kept.removed:
            uses[name] = kept
    return Tally(
        users=step(tally.users),
        records=step(tally.records) if tally.users >= least else 0,
        uses=uses,
        failures={
            kind: Failure(step(each.users), step(each.times))
            for kind, each in tally.failures.items()
            if each.users >= least
        },
        waits={
            name: replace(each, users=step(each.users), since="", why=())
            for name, each in tally.waits.items()
            if each.users >= least
        },
        images=some(tally.images),
        skipped=tally.skipped,
    )


@dataclass(frozen=True, repr=False)
class Report(Result):
    """The counts over many histories."""

    tally: Tally  #: the counts, as they may be shown
    by: str = "people"  #: what ranks the packages, one of `ORDERS`
    limit: int = 20  #: the most rows of a table; 0 for all
    least: int = 1  #: the fewest people that a count may be of
    written: str = ""  #: the file that it was written to; empty if it is only shown

    def summary(self) -> str:
        return f"{_people(self.tally.users)}, {counted(self.tally.records, 'record')}"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = [Text(f"{self.summary()}.")]
        if self.least > 1:
            parts.append(
                Text(
                    f"Counts of fewer than {self.least} people are left out, and the others are in"
                    f" steps of {self.least}.",
                    "quiet",
                )
            )
        parts += [table for table in self.tables() if table.rows]
        skipped = self.tally.skipped
        parts += [Text(f"Not read: {path}: {why}.", "warning") for path, why in skipped[:_SKIPPED]]
        if (left := len(skipped) - _SKIPPED) > 0:
            parts.append(Text(f"and {left} more that were not read, or not whole.", "warning"))
        if self.written:
            parts.append(Text(f"Wrote {self.written}"))
            bare = self.written.endswith(".html") and not is_here("pygal")
            parts += [Text(f"It has no charts without pygal: {line('hub')}")] * bare
        return parts

    def ranked(self, by: str = "") -> list[tuple[PackageKey, Use]]:
        """Return the packages that people installed, the first costs most."""
        order = ORDERS[by or self.by]
        used = [item for item in self.tally.uses.items() if item[1].users]
        return sorted(used, key=lambda item: (-order(item[1]), item[0]))

    def tables(self) -> Sequence[Table]:
        """Return the report's tables, empty ones as well."""
        tally = self.tally
        return (
            self._table(
                "What people install, and what it costs each time that all of their servers start",
                "Package|People|Installs|At every start|Time then|Disk then|Asked for",
                (
                    (_called(name), use.users, use.installs, use.standing, duration(use.seconds),
                     size_text(use.bytes or None), _versions(use))
                    for name, use in self.ranked()
                ),
            ),
            self._table(
                "What fails",
                "Package|Why|People|Times",
                (
                    (f"{manager}:{name}", why, each.users, each.times)
                    for (manager, name, why), each in _by_users(tally.failures.items())
                ),
            ),
            self._counts("What is removed again within an hour", "withdrawn"),
            self._table(
                "Requests that wait for an image",
                "Package|People|Since|Reasons" if self.least <= 1 else "Package|People",
                (
                    (_called(name), wait.users)
                    + ((wait.since, "; ".join(wait.why)) if self.least <= 1 else ())
                    for name, wait in _by_users(tally.waits.items())
                ),
            ),
            self._counts("What people remove that they did not install", "removed"),
            self._table(
                "The images that people start from", "Image|People", tally.images.most_common()
            ),
        )  # fmt: skip

    def _counts(self, caption: str, what: str) -> Table:
        """Return the packages with one of their counts, the highest first."""
        counts = Counter({_called(n): getattr(use, what) for n, use in self.tally.uses.items()})
        return self._table(caption, "Package|People", (+counts).most_common())

    def _table(self, caption: str, columns: str, rows: Iterable[Sequence[object]]) -> Table:
        found = [
            tuple(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
            for row in rows
        ]
        shown = found[: self.limit] if self.limit > 0 else found
        more = f" (the first {len(shown)} of {len(found):,})" if len(shown) < len(found) else ""
        return Table(tuple(columns.split("|")), tuple(shown), caption + more)

    def to_json(self) -> Any:
        """Return all of it: no table is cut off."""
        tally = self.tally
        return {
            "people": tally.users,
            "records": tally.records,
            "at_least": self.least,
            "packages": [
                {
                    "manager": manager, "name": name, "people": use.users,
                    "installs": use.installs, "at_every_start": use.standing,
                    "seconds": round(use.seconds, 1), "bytes": use.bytes,
                    "withdrawn": use.withdrawn, "removed": use.removed,
                    "asked": dict(use.asked.most_common()), "got": dict(use.got.most_common()),
                }
                for (manager, name), use in (
                    *self.ranked(),
                    *((name, use) for name, use in tally.uses.items() if not use.users),
                )
            ],
            "failures": [
                {"manager": manager, "name": name, "why": why, "people": each.users,
                 "times": each.times}
                for (manager, name, why), each in _by_users(tally.failures.items())
            ],
            "waiting": [
                {"manager": manager, "name": name, "people": wait.users, "since": wait.since,
                 "why": list(wait.why)}
                for (manager, name), wait in _by_users(tally.waits.items())
            ],
            "images": dict(tally.images.most_common()),
            "skipped": [{"file": file, "why": why} for file, why in tally.skipped],
        }  # fmt: skip

    def to_csv(self) -> str:
        """Return every table, one below the other, for a spreadsheet."""
        text = io.StringIO()
        writer = csv.writer(text)
        for table in replace(self, limit=0).tables():
            writer.writerow(("", *table.columns))
            writer.writerows((table.caption, *map(_inert, row)) for row in table.rows)
        return text.getvalue()

    def write(self, path: Path) -> Report:
        """Write it in the form that the file's name ends with; return it with that noted.

        Raises:
            UsageError: It is no such form, or the file cannot be written.
        """
        forms: dict[str, Callable[[], str]] = {
            ".html": self.to_html,
            ".csv": self.to_csv,
            ".json": lambda: json_text(self),
        }
        if path.suffix not in forms:
            raise UsageError(
                f"A report is written as .html, .csv or .json, not as {path.name}.",
                kept="Nothing was written.",
                advice="%envreport FOLDER -o report.html",
            )
        try:
            write_file(path, forms[path.suffix]())
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}.", kept="Nothing was written."
            ) from None
        return replace(self, written=str(path))

    def to_html(self) -> str:
        """Return a page of its own, without a script."""
        return document("What people install", self.body())

    def body(self) -> str:
        """Return the content of a page: the charts and the tables behind them."""
        from ..display.html import as_html

        return "".join(map(picture, self.charts())) + as_html(self.parts())

    def charts(self) -> Sequence[tuple[str, bytes]]:
        """Return the charts, each with its title, as SVG; nothing without the library."""
        if not is_here("pygal"):
            return ()
        from .charts import bars

        people = [(_called(name), use.users) for name, use in self.ranked("people")]
        seconds = [(_called(name), use.seconds) for name, use in self.ranked("seconds")]
        most = max((number for _, number in seconds), default=0)
        unit, size = ("Minutes", 60) if most >= 120 else ("Seconds", 1)
        wanted = (
            ("People who install it", people),
            (f"{unit} when all servers start", [(name, n / size) for name, n in seconds]),
        )
        drawn = ((title, [row for row in rows[:_BARS] if row[1]]) for title, rows in wanted)
        return [(title, bars(title, rows)) for title, rows in drawn if rows]


def picture(chart: tuple[str, bytes]) -> str:
    """Return a chart as an image, in which nothing can run; the tables have the same numbers."""
    title, drawn = chart
    source = f"data:image/svg+xml;base64,{b64encode(drawn).decode()}"
    return f'<img class="chart" src="{source}" alt="{html.escape(title)}; the table has all of it">'


def document(title: str, body: str) -> str:
    """Return an HTML page that is light or dark as its reader's system is."""
    called = html.escape(readable(title))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{called}</title><style>{PAGE}</style></head>"
        f"<body><main><h1>{called}</h1>{body}</main></body></html>\n"
    )


PAGE = (
    ":root{color-scheme:light dark;background:canvas;color:canvastext}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1em;max-width:75em}"
    "img.chart{width:min(100%,32em);height:auto;vertical-align:top}"
    "nav a{display:inline-block;padding:.3em .6em .3em 0}"
    "nav a[aria-current]{font-weight:600;color:inherit;text-decoration:none}"
    "p[role=alert]{font-weight:600;white-space:pre-line}"
    "form{margin:.6em 0;display:flex;flex-wrap:wrap;gap:.4em .8em;align-items:center}"
    "input,select,button{font:inherit;padding:.15em .4em}"
    "main>pre{overflow-x:auto;padding:.8em;border:1px solid #7676767f;border-radius:3px}"
)
"""The style of a page around what `jstackmagic.display.html` draws."""


def _by_users(items: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return sorted(items, key=lambda item: (-item[1].users, item[0]))


def _called(name: PackageKey) -> str:
    return ":".join(name)


def _versions(use: Use) -> str:
    shown = [
        f"{version or 'any'} ({count:,})" for version, count in use.asked.most_common(_VERSIONS)
    ]
    return ", ".join([*shown, *(["…"] if len(use.asked) > _VERSIONS else [])])


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"


def duration(seconds: float) -> str:
    """Return a time for people.

    >>> duration(0.4), duration(90), duration(9000)
    ('0.4 s', '1.5 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds else ""
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else readable(cell)
