"""Show which environment this kernel runs in, what governs it, and what can be done here.

Examples:
    %envinfo                       # the running kernel's environment
    %envinfo --kernel ir           # the environment of another kernelspec
    %envinfo --name other
    %envinfo --all-kernels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..display import Part, Result, Table, Text
from ..history.progress import Status
from ..model.credentials import mask
from ..model.environment import Environment
from ..model.errors import Stopped
from ..model.packages import ManagerName
from ..where.host import Host
from ._target import add_target, left_out, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..model.engines import Engines
    from ..session import Session

_KINDS = {
    "conda-base": "conda environment (base)",
    "conda-named": "conda environment",
    "conda-prefix": "conda environment, known by its prefix only",
    "venv": "virtual environment",
    "venv-on-conda": "virtual environment on top of a conda environment",
    "system": "system Python",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_target(parser)


def run(args: argparse.Namespace, session: Session) -> Info:
    """Look at every target."""
    from ..history.progress import status
    from ..where.host import look

    environments, engines = targets(args), session.policy.engines
    return Info(
        environments=environments,
        host=look(),
        replay=status(),
        engines=tuple(tuple(_engines(each, engines)) for each in environments),
        notes=left_out(args),
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """What would do a manager's work in an environment.

    Attributes:
        manager: Whose.
        engine: What; empty where what was configured is not to be had.
        why: For people.
    """

    manager: ManagerName
    engine: str
    why: str


def _engines(environment: Environment, wanted: Engines) -> Iterator[Engine]:
    if environment.is_conda:
        yield _engine("conda", environment, wanted)
    if environment.executable:
        yield _engine("pip", environment, wanted)


def _engine(manager: ManagerName, environment: Environment, wanted: Engines) -> Engine:
    from ..managers import choose

    try:
        choice = choose(manager, environment, wanted)
    except Stopped as stopped:
        return Engine(manager, "", stopped.problem)
    return Engine(manager, choice.name, choice.why)


@dataclass(frozen=True, repr=False)
class Info(Result):
    """Environments, and the host they are on.

    Attributes:
        replay: How far the replay in this container is; None where there was none.
    """

    environments: tuple[Environment, ...]
    host: Host
    engines: tuple[tuple[Engine, ...], ...]
    replay: Status | None = None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """The prefixes."""
        return ", ".join(environment.prefix for environment in self.environments)

    def parts(self) -> Sequence[Part]:
        """A table for each environment and one for the host."""
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
        return (*tables, here, *(Text(note, "warning") for note in self.notes))

    def to_json(self) -> Any:
        """The environments and the host."""
        import json

        import msgspec

        data = msgspec.to_builtins(
            {"environments": self.environments, "host": self.host, "replay": self.replay}
        )
        for environment, engines in zip(data["environments"], self.engines, strict=True):
            environment["engines"] = {
                each.manager: {"engine": each.engine or None, "why": each.why} for each in engines
            }
        return json.loads(mask(json.dumps(data)))


def _facts(environment: Environment, engines: Sequence[Engine]) -> Iterator[tuple[str, str]]:
    yield "kind", _KINDS[environment.kind]
    yield "prefix", environment.prefix
    yield "Python", environment.python or "none"
    if environment.base:
        yield "stands on", environment.base
    if environment.is_conda:
        conda = environment.conda
        yield (
            "conda is",
            f"{conda.path} ({conda.tool}, found by: {conda.found})" if conda else "not in reach",
        )
        for number, channel in enumerate(environment.channels, start=1):
            yield f"channel {number}", f"{mask(channel.channel)} (from: {channel.source})"
        if environment.pins:
            yield "pinned", ", ".join(environment.pins)
    for each in engines:
        yield f"{each.manager}'s work is done by", f"{each.engine or 'nothing'}: {mask(each.why)}"
    yield "can be written to", "yes" if environment.writable else "no"
    if environment.frozen is not None:
        yield "frozen", environment.frozen or "yes"
    if environment.externally_managed is not None:
        yield "externally managed", environment.externally_managed.split("\n", 1)[0]


def _host_facts(host: Host) -> Iterator[tuple[str, str]]:
    yield "user", f"{host.user} (root)" if host.is_root else host.user
    yield "sudo without a password", f"{host.sudo} ({host.sudo_reason})"
    yield "container", host.runtime or "none that shows"
    if host.container_id:
        yield "container id", host.container_id[:12]
    if host.image:
        yield "base image", f"{host.image} (from: {host.image_source})"
    else:
        yield "base image", "not known here; an export takes it with --from IMAGE"
