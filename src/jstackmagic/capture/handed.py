"""Lists that a shell hands over: ``$(cat FILE)``, ``xargs < FILE``, ``while read``."""

from __future__ import annotations

import re

from .programs import listed, program_name
from .shell import Command, parse

_PASSING = listed("cat grep egrep sed awk tr cut head tail sort uniq echo tee dos2unix xargs")
"""Programs that pass a file's lines on."""


def file_of(script: str) -> str:
    """Return the file whose lines a script passes on; empty if there is none or it is unclear."""
    for item in parse(script):
        if not isinstance(item, Command) or not item.words:
            continue
        name = program_name(item.words[0])
        inputs = [r.target for r in item.redirections if r.operator == "<"]
        if inputs and not inputs[-1].holes:
            return inputs[-1].text
        if name not in _PASSING:
            return ""
        last = item.words[-1] if len(item.words) > 1 else None
        if last is not None and re.search(r"\.[A-Za-z]{2,5}$|[\w-]+/[\w.-]+$", last.text):
            return "" if last.holes else last.text
    return ""
