"""An order compared with what a worker has, and with what its administrator forbids."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .facts import Plain, look, normal, read_text


def todo(order: Plain, facts: Plain) -> dict[str, list[Any]]:
    """Return what a worker lacks of an order, as plain values; nothing is touched.

    Returns:
        ``wheels`` and ``conda``: the rows to install; ``remove`` and ``unlink``: the names of
        distributions and of conda's packages to remove;
        ``cannot``: the names that cannot be sent there, each with the reason.
    """
    if facts["place"] == order["place"]:  # the kernel's own environment
        return {"wheels": [], "conda": [], "remove": [], "unlink": [], "cannot": []}
    there, prefix = facts["packages"], facts["conda"]
    foreign = ""
    if facts["python"] != order["python"]:
        foreign = f"it is built for Python {order['python']}, and Python is {facts['python']} there"
    elif facts["platform"] != order["platform"]:
        foreign = f"it is built for {order['platform']}, and that is {facts['platform']}"
    wheels, cannot = [], []
    for row in concerning(order["wheels"], facts):
        here = there.get(row["name"])
        if here and here["print"] == row["print"] and row["name"] not in facts["wrong"]:
            continue
        if "only" in row:  # it was fetched for this Python and platform
            wheels.append(row)
        elif foreign and not row["pure"]:
            cannot.append([row["name"], foreign])
        elif facts["python"] not in row.get("minors", (facts["python"],)):
            cannot.append([row["name"], f"it is not for Python {facts['python']}, by its metadata"])
        else:
            wheels.append(row)
    cannot += [[row["name"], row["why"]] for row in concerning(order["lacks"], facts)]
    conda = []
    for row in order["conda"]:
        if prefix.get(row["name"]) == [row["version"], row["build"]]:
            continue
        if not prefix:
            cannot.append(
                [row["name"], "it is a conda package, and that is not a conda environment"]
            )
        elif foreign and not (row["noarch"] and facts["python"] == order["python"]):
            cannot.append([row["name"], foreign])
        elif facts["folder"]:
            cannot.append([row["name"], "it is conda's, and the environment is read-only"])
        else:
            conda.append(row)
    gone = [n for n in order["remove"] if n in there and there[n]["owner"] != "conda"]
    unlink = [name for name in order["remove"] if name in prefix]
    plan = {"wheels": wheels, "conda": conda, "remove": gone, "unlink": unlink}
    return {**plan, "cannot": cannot}


def concerning(rows: Iterable[Plain], facts: Plain) -> Iterator[Plain]:
    """Yield the rows that a worker needs: some are for one Python and platform alone.

    A version of those that fits may be there already.
    """
    kind = [facts["full"], facts["platform"]]
    for row in rows:
        fit = facts["packages"].get(row["name"], {}).get("version") in row.get("fit", ())
        if row.get("only", kind) == kind and (not fit or row["name"] in facts["wrong"]):
            yield row


def named(order: Plain) -> list[str]:
    """Return the distributions that an order is about."""
    return [*(row["name"] for row in order["wheels"]), *order["remove"]]


def planned(order: Plain) -> dict[str, Any]:
    """Return what this worker lacks and its administrator allows, with its ``facts``."""
    facts = look(named(order) if order["again"] else (), named(order))
    plan = todo(order, facts)
    _obey(plan, order)
    return {**plan, "facts": facts}


def _obey(plan: dict[str, list[Any]], order: Plain) -> None:
    """Move what this machine's administrator forbids from a plan to what cannot be done."""
    settings = _settings()
    lists = {name: settings.get(name) for name in ("managers", "allow", "deny", "locked")}
    for kind, manager in (("wheels", "pip"), ("conda", "conda")):
        kept = []
        for row in plan[kind]:
            reason = _forbidden(row, manager, lists, order["via"])
            plan["cannot"] += [[row["name"], reason]] if reason else []
            kept += [] if reason else [row]
        plan[kind] = kept


def _forbidden(row: Plain, manager: str, lists: dict[str, Any], via: str) -> str:
    if lists["managers"] is not None and manager not in lists["managers"]:
        return f"the administrator there does not allow {manager}"
    if _matches(lists["deny"] or (), manager, row["name"]):
        return "the administrator there forbids it"
    asked = row.get("asked") and lists["allow"]
    if asked and not _matches(lists["allow"], manager, row["name"]):
        return "it is not among the packages that the administrator there allows"
    source = "index_url" if manager == "pip" else "channels"
    if source in (lists["locked"] or ()) and via != "index":
        return f"the administrator there has locked {source}: it may come from there alone"
    return ""


def _matches(patterns: Iterable[str], manager: str, name: str) -> bool:
    parts = (pattern.rpartition(":") for pattern in patterns)
    return any(
        fnmatch.fnmatchcase(normal(name), re.sub(r"[_.]+", "-", rest).lower())
        for whose, colon, rest in parts
        if not colon or whose == manager
    )


class _Section(dict):  # type: ignore[type-arg]
    """A part of IPython's configuration, as its files write to it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.setdefault(name, _Section())

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def append(self, value: Any) -> None:
        """Note a value for a list that has a default."""
        self.setdefault("+", []).append(value)

    def extend(self, values: Iterable[Any]) -> None:
        """Note some."""
        self.setdefault("+", []).extend(values)


def _settings() -> dict[str, Any]:
    """Return the JStackMagic settings of this machine's IPython files, which IPython would run."""
    found = _Section()
    for place in ("/etc/ipython", "/usr/local/etc/ipython", f"{sys.prefix}/etc/ipython"):
        for name in ("ipython_config.py", "ipython_config.json"):
            path = os.path.join(place, name)
            text = read_text(path)
            if "JStackMagic" not in text:
                continue
            try:
                if name.endswith(".json"):
                    found.update(json.loads(text).get("JStackMagic", {}))
                else:
                    whole = _Section(JStackMagic=found)
                    names = {"c": whole, "get_config": lambda whole=whole: whole, "__file__": path}
                    exec(compile(text, path, "exec"), names)  # noqa: S102
            except Exception as error:
                raise ValueError(f"{path} cannot be read: {type(error).__name__}") from None
    return {k: v.get("+", []) if isinstance(v, _Section) else v for k, v in found.items()}
