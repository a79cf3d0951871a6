"""The requests in calls of apt, aptitude and dpkg."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model.options import INSTALL
from ..model.request import Action
from ..model.words import listed
from . import Found
from .argv import Call, ProgramOptions

APT = ProgramOptions.of(
    INSTALL["apt"],
    valued="-c/--config-file -P/--build-profiles --solver",
    flags="""
    -h/--help -v/--version --assume-no --ignore-missing/--fix-missing -u/--show-upgraded
    --force-yes --autoremove/--auto-remove --trivial-only -U/--update
    """,
    looks="--help --version",
)

_KEPT = listed(
    """
    --target-release --option --install-recommends --install-suggests --allow-unauthenticated
    --allow-downgrades --allow-change-held-packages --force-yes --reinstall
    """
)
"""Options that change the result; recommended packages are left out here unless requested."""

_ACTIONS: dict[str, Action] = {
    "install": "install",
    "reinstall": "install",
    "remove": "remove",
    "purge": "remove",
    "autoremove": "remove",
    "autopurge": "remove",
}

_EVERYTHING = "It moves every package to its newest version and names none."
_OTHER = {
    "upgrade": _EVERYTHING,
    "safe-upgrade": _EVERYTHING,
    "dist-upgrade": _EVERYTHING,
    "full-upgrade": _EVERYTHING,
    "build-dep": "It installs what another package is built with.",
    "satisfy": "It installs what a dependency says, not packages by name.",
}


_REPAIR = "It installs the dependencies that are missing, and names no package."


def is_repair(found: Found) -> bool:
    """Return whether a find is ``apt-get install -f``, which ends what ``dpkg -i`` began."""
    return found.reason == _REPAIR


def apt(call: Call) -> Iterator[Found]:
    """Read apt, apt-get and aptitude; ``update`` installs nothing."""
    given = APT.read(call.arguments)
    reason = APT.misread(call.arguments) if call.program != "aptitude" else ""
    if reason and not _ACTIONS.keys().isdisjoint(word.text for word in given.words):
        yield call.unread(reason)
        return
    if not given.words or given.has(*APT.looks):
        return
    verb, *words = given.words
    call = call.leaving_out(APT.unknown(given))
    kept = given.only(_KEPT)
    unclear = call.unclear([verb, *(word for _, word in kept.items)])
    action = _ACTIONS.get(verb.text)
    if unclear:
        yield from unclear
    elif verb.text in _OTHER:
        yield call.unread(_OTHER[verb.text])
    elif action is None:
        yield from call.misspelt(verb, _ACTIONS) if verb.text != "update" else ()
    elif verb.text.startswith("auto") and not words:
        yield call.unread("It removes what no package needs any more and names none.")
    elif not words and given.has("--fix-broken"):
        yield call.unread(_REPAIR)
    else:
        if action == "install" and verb.text == "install":  # NAME- is taken away, NAME+ comes
            gone = [word for word in words if re.fullmatch(r"[a-z0-9][\w.]*-", word.text)]
            gone = gone if len(gone) < len(words) else []
            added = re.compile(r"[a-z0-9][\w.]*\+")  # libstdc++ has two
            words = [
                word.part(0, len(word.text) - 1) if added.fullmatch(word.text) else word
                for word in words
                if word not in gone
            ]
            names = [("", word.part(0, len(word.text) - 1)) for word in gone]
            yield from call.ask("remove", "apt", names) if gone else ()
        yield from call.ask(
            action,
            "apt",
            [("", word) for word in words],
            upgrade=given.has("--only-upgrade"),
            options=kept.written(),
        )


_DPKG = ProgramOptions.of(
    valued="--admindir --root --instdir --add-architecture",
    flags="""
    -i/--install -r/--remove -P/--purge -R/--recursive -E/--skip-same-version
    -G/--refuse-downgrade -s/--status -l/--list -L/--listfiles -S/--search -c/--contents
    -I/--info --configure --unpack --no-act/--dry-run/--simulate
    """,
)


def dpkg(call: Call) -> Iterator[Found]:
    """Read ``dpkg -i`` and what takes it back; for apt, a file is a spec like any other."""
    given = _DPKG.read(call.arguments)
    specs = [("", word) for word in given.words]
    if given.has("--simulate"):
        return
    if given.has("--add-architecture"):
        yield call.unread("It adds an architecture to the system, which a request cannot say.")
    elif given.has("--install"):
        if given.has("--recursive"):
            yield call.unread("It installs every package in a folder.")
        else:
            yield from call.ask("install", "apt", specs)
    elif given.has("--remove", "--purge"):
        yield from call.ask("remove", "apt", specs)
