"""Kinds of failures, in no words of a user's."""

from __future__ import annotations

import re

_CAUSES = (
    # pip reads an index that does not answer as one that has nothing
    ("network", r"connection broken by(?s:.*)\(from versions: none\)"),
    (
        "not found",
        r"no matching distribution|packagesnotfound|unable to locate|nothing provides|"
        r"could not find a version|no candidates|not available from current channels|"
        r"not found in the package registry|has no installation candidate|404",
    ),
    (
        "conflict",
        r"resolutionimpossible|unsatisfiable|conflict|incompatible|no solution found|"
        r"unmet dependencies",
    ),
    ("no space", r"no space left|disk quota|errno 28"),
    ("no right to", r"permission denied|not permitted|errno 13|are you root|needs root|sudo"),
    (
        "network",
        r"timed? ?out|connection|temporary failure|could not resolve|ssl|proxy|unreach|not answer",
    ),
    (
        "build failed",
        r"failed building|subprocess-exited|build (?:backend|failed)|gcc|g\+\+|cmake|"
        r"compil|metadata-generation-failed|\.h: no such file",
    ),
)
OTHER = "another reason"
CAUSES = (*dict.fromkeys(name for name, _ in _CAUSES), OTHER)
_CAUSE = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _CAUSES]


def cause_of(message: str) -> str:
    r"""Return the kind of a failure by the manager's last words, or by its kind.

    >>> cause_of("ERROR: No matching distribution found for six==99"), cause_of("network")
    ('not found', 'network')
    >>> retried = "Retrying after connection broken by 'Refused'\nERROR: Could not find a version "
    >>> cause_of(f"{retried}(from versions: none)"), cause_of(f"{retried}(from versions: 1.0)")
    ('network', 'not found')
    """
    if message in CAUSES:
        return message
    return next((name for name, pattern in _CAUSE if pattern.search(message)), OTHER)
