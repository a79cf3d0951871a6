"""Environments and their host as tables."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Part, Result, Table, Text
from ..history.replays import Status
from ..install.unfinished import HalfDone
from ..managers import Worker
from ..model.credentials import mask
from ..model.environment import Environment
from ..where.host import Host

_KINDS = {
    "conda-base": "conda environment (base)",
    "conda-named": "conda environment",
    "conda-prefix": "conda environment, known by its prefix only",
    "venv": "virtual environment",
    "venv-on-conda": "virtual environment on top of a conda environment",
    "system": "system Python",
}


@dataclass(frozen=True, repr=False)
class Info(Result):
    """Environments, and the host they are on.

    Attributes:
        half_done, system_half_done: What was cut off.
    """

    environments: tuple[Environment, ...]
    host: Host
    engines: tuple[tuple[Worker, ...], ...]
    half_done: tuple[tuple[HalfDone, ...], ...] = ()
    system_half_done: tuple[HalfDone, ...] = ()
    replay: Status | None = None  #: the progress of the replay in this container; None without one
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        return ", ".join(environment.prefix for environment in self.environments)

    def parts(self) -> Sequence[Part]:
        tables = [
            Table(
                ("Environment", environment.name or environment.prefix),
                tuple(_facts(environment, engines)),
                facts=True,
            )
            for environment, engines in zip(self.environments, self.engines, strict=True)
        ]
        facts = [*_host_facts(self.host)]
        facts += [("replay", str(self.replay))] if self.replay else []
        here = Table(("Here", ""), tuple(facts), facts=True)
        cut_off = map(str, itertools.chain(*self.half_done, self.system_half_done))
        return (*tables, here, *(Text(note, "warning") for note in (*cut_off, *self.notes)))

    def to_json(self) -> Any:
        import msgspec

        data = msgspec.to_builtins(
            {
                "environments": self.environments,
                "host": self.host,
                "replay": self.replay,
                "half_done": self.system_half_done,
            }
        )
        every = zip(data["environments"], self.engines, self.half_done, strict=True)
        for environment, engines, left in every:
            environment["half_done"] = msgspec.to_builtins(left)
            environment["engines"] = {
                each.manager: {"engine": each.name or None, "why": each.why} for each in engines
            }
        return json.loads(mask(json.dumps(data)))


def _facts(environment: Environment, engines: Sequence[Worker]) -> Iterator[tuple[str, str]]:
    yield "kind", _KINDS[environment.kind]
    yield "prefix", environment.prefix
    gone = environment.python is not None and environment.executable is None
    yield "Python", f"{environment.python}, which is gone" if gone else environment.python or "none"
    if environment.base:
        yield "made with", environment.base
    if environment.is_conda:
        conda = environment.conda
        yield (
            "conda program",
            f"{conda.path} ({conda.tool}, found by: {conda.found})" if conda else "not found",
        )
        for number, channel in enumerate(environment.channels, start=1):
            yield f"channel {number}", f"{mask(channel.channel)} (from: {channel.source})"
        if environment.pins:
            yield "pinned", ", ".join(environment.pins)
    for each in engines:
        yield f"{each.manager} engine", f"{each.name or 'none'} ({mask(each.why)})"
    if environment.temporary:
        yield "temporary", environment.temporary
    yield "writable", "yes" if environment.writable else "no"
    if environment.frozen is not None:
        yield "frozen", environment.frozen or "yes"
    if environment.externally_managed is not None:
        yield "externally managed", environment.externally_managed.split("\n", 1)[0]


def _host_facts(host: Host) -> Iterator[tuple[str, str]]:
    yield "user", f"{host.user} (root)" if host.is_root else host.user
    yield "sudo without a password", f"{host.sudo} ({host.sudo_reason})"
    yield "container", host.runtime or "none detected"
    if host.container_id:
        yield "container id", host.container_id[:12]
    if host.image:
        yield "base image", f"{host.image} (from: {host.image_source})"
    else:
        yield "base image", "not known here; an export takes it with --from IMAGE"
