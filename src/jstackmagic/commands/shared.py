"""Show what of the history was sent to the hub's service, to the letter.

Nothing is sent without a service, which the administrator sets. Names of environments and
notebooks and URLs go only where the administrator asks for them and the user says --details yes.

Examples:
    %envshared
    %envshared --details no
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Fold, Part, Result, Text
from ..model.text import counted
from ..sending.outbox import Outbox
from ..session import Session
from ._options import option


@dataclass(frozen=True)
class Options:
    """The consent, if it is to change."""

    details: str | None = option(
        "--details", choices=("yes", "no"), help="let names and URLs go, or not"
    )


def run(options: Options, session: Session) -> Shared:
    """Read the outbox."""
    outbox = Outbox(session.history.path, session.policy.hub_url)
    state = outbox.state()
    if options.details:
        outbox.keep(details=options.details == "yes")
        state = outbox.state()
    return Shared(outbox.url, tuple(outbox.sent()), state.details, state.fetched)


@dataclass(frozen=True, repr=False)
class Shared(Result):
    """The lines that were sent."""

    url: str  #: the service; empty if there is none
    lines: tuple[dict[str, Any], ...]  #: every line, as it was sent
    details: bool  #: whether the user lets names and URLs go
    fetched: str = ""  #: the time of the hub's policy that holds here, ISO 8601; empty for none

    def summary(self) -> str:
        return f"{counted(len(self.lines), 'line')} sent"

    def parts(self) -> Sequence[Part]:
        to = f" to {self.url}" if self.url else ""
        none = "" if self.url else " No service is set, and nothing is sent."
        kept = "may go" if self.details else "stay here"
        parts: list[Part] = [
            Text(f"{self.summary()}{to}.{none}"),
            Text(f"Names of environments and notebooks, and URLs, {kept}."),
        ]
        if self.url:
            policy = f"is of {self.fetched}" if self.fetched else "is not known yet"
            parts.append(Text(f"The hub's policy {policy}."))
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in self.lines)
        return [*parts, *([Fold("Each line: %envshared --json", text)] if text else [])]

    def to_json(self) -> Any:
        return {
            "url": self.url,
            "details": self.details,
            "policy_of": self.fetched or None,
            "lines": list(self.lines),
        }
