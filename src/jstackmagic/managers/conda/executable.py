"""conda, mamba and micromamba: the executable that governs an environment does the work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...display.console import Console
from ...io import process
from ...io.process import Finished
from ...model.environment import CondaExecutable, Environment
from ...model.errors import NOTHING_CHANGED, CommandFailed, Stopped
from ...model.extras import line
from ...model.packages import Change, Package, PackageSet
from ...model.plan import Command, Plan
from ...model.request import Request
from ...model.sources import Sources
from ...where.metadata import read_packages
from .. import Engine
from .present import Installed, check_installed, check_records, lone_archives
from .spec import CondaSpec, command_lines, loose_pins, pinned_where, read_archive, read_specs

_RISK = "A half-finished conda transaction can leave the environment broken."


class ByExecutable(Engine):
    """Plans and changes with the executable that governs the environment.

    Args:
        thorough: Ask the executable in advance what it would change, which takes as long as the
            solving of the change itself.
        before: Install nothing that was published later, which no executable can be asked for.
    """

    def __init__(self, *, thorough: bool = False, before: str = "") -> None:
        self._thorough = thorough
        self._before = before

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Plan the commands, and ask the executable for their change."""
        executable = _executable(environment)
        check_records(environment.prefix)
        specs = read_specs(request)
        installed = Installed(environment)
        if request.action == "remove":
            check_installed(specs, installed)
        elif not request.upgrade and not request.options and all(map(installed.serves, specs)):
            present = self.resolved(request, environment)
            return Plan.of_nothing(request, environment, executable.tool, present)
        if self._before and request.action == "install":
            raise Stopped(
                "Packages that are too new are not allowed here, and"
                f" {executable.tool} cannot leave them out; py-rattler can.",
                advice=f"Let it do the work: --engine rattler ({line('fast')})",
            )
        commands = command_lines(request, environment, specs, installed.names)
        plan = Plan(
            request=request,
            environment=environment,
            engine=executable.tool,
            commands=commands,
            notes=(*lone_archives(specs, environment), *loose_pins(environment)),
        )
        if not self._thorough:
            return plan
        change = _foresee(commands, specs, environment)
        if change or request.options:
            return replace(plan, change=change)
        return replace(
            plan, commands=(), change=change, satisfied=self.resolved(request, environment)
        )

    def run(self, plan: Plan, console: Console) -> int:
        """Run the plan's commands until one fails."""
        for command in plan.commands:
            status = process.run(command, console.write, risk=_RISK)
            if status != 0:
                return status
        return 0


manager = ByExecutable
"""Make the engine, as every engine's module does."""


def _executable(environment: Environment) -> CondaExecutable:
    if environment.conda is None:
        raise Stopped(
            f"No conda, mamba or micromamba governs {environment.prefix}.",
            advice="Say where one is: set CONDA_EXE to its path, then ask again.",
        )
    return environment.conda


# What the executable foresees


def _foresee(
    commands: Sequence[Command], specs: Sequence[CondaSpec], environment: Environment
) -> Change:
    before = read_packages(environment, ("conda",))
    after = {package.name: package for package in before.packages}
    for command in commands:
        archives = [spec for spec in specs if spec.archive and spec.text in command.argv]
        if archives:  # of these, conda's dry run says nothing
            after |= {spec.name: _of_archive(spec) for spec in archives}
            continue
        for package, linked in _dry_run(command, environment):
            if linked:
                after[package.name] = _known(package, before)
            else:
                after.pop(package.name, None)
    return PackageSet(tuple(after.values())) - before


def _of_archive(spec: CondaSpec) -> Package:
    if not os.path.isabs(spec.archive):
        return Package("conda", spec.name, _exact(spec.match.version), spec.match.build or "")
    archive = read_archive(spec.archive)
    return Package("conda", archive.name, archive.version, archive.build, sha256=archive.sha256)


def _exact(version: str | None) -> str:
    return (version or "").lstrip("=")


def _known(package: Package, before: PackageSet) -> Package:
    """Return the installed package, if a dry run names the same one again."""
    old = before.get("conda", package.name)
    same = old is not None and (old.version, old.build, old.source.rstrip("/")) == (
        package.version,
        package.build,
        package.source.rstrip("/"),
    )
    return old if old is not None and same else package


def _dry_run(command: Command, environment: Environment) -> Iterator[tuple[Package, bool]]:
    """Yield the packages that a command would unlink (False), then link (True)."""
    flags = ("--dry-run", "--json")
    words = (*command.argv[:2], *flags, *command.argv[2:])
    captured = process.capture(Command(words, command.environ))
    answer = _json_of(captured.stdout)
    if captured.exit_status != 0 or "error" in answer or answer.get("success") is False:
        raise _failure(command, captured, answer, environment)
    actions = answer.get("actions") or {}
    for linked, entries in ((False, actions.get("UNLINK")), (True, actions.get("LINK"))):
        for entry in entries or ():
            yield _package(entry), linked


def _json_of(text: str) -> Mapping[str, Any]:
    """Return the last JSON object of an output: mamba writes other lines before it."""
    decoder = json.JSONDecoder()
    found: Mapping[str, Any] = {}
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:
            end = position + 1
        else:
            found = value
        position = text.find("{", end)
    return found


def _package(entry: Mapping[str, Any]) -> Package:
    """Return a package of conda's answer or of libmamba's: they spell some keys differently."""
    url = str(entry.get("url") or "")
    source = url.rsplit("/", 2)[0] if url else str(entry.get("base_url") or "")
    return Package(
        manager="conda",
        name=str(entry["name"]).lower(),
        version=str(entry["version"]),
        build=str(entry.get("build_string") or entry.get("build") or ""),
        source=source or str(entry.get("channel") or ""),
        url=url,
        sha256=str(entry.get("sha256") or ""),
        size=entry.get("size"),
    )


def available(
    specs: Sequence[str], environment: Environment, channels: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the versions that the channels hold for each spec, as the executable searches them.

    Raises:
        CommandFailed: The channels cannot be read.
    """
    executable = _executable(environment)
    where = Sources(channels=tuple(channels)).words
    found: dict[str, tuple[str, ...]] = {}
    for spec in specs:
        command = Command((executable.path, "search", "--json", *where, spec))
        captured = process.capture(command)
        answer = _json_of(captured.stdout)
        if str(answer.get("exception_name") or "").startswith("PackagesNotFound"):
            found[spec] = ()
            continue
        if "error" in answer or (captured.exit_status != 0 and not answer):
            raise _failure(command, captured, answer, environment)
        listed = (answer.get("result") or {}).get("pkgs")  # mamba's; conda's are by name
        entries = listed if listed is not None else [e for each in answer.values() for e in each]
        found[spec] = tuple(dict.fromkeys(str(entry["version"]) for entry in entries))[-3:]
    return found


# What the executable says when it finds no way

_ADVICE: dict[str, tuple[str, ...]] = {
    "CondaHTTPError": (
        "Is there a network? Behind a proxy: set https_proxy, or proxy_servers in the condarc.",
    ),
    "CondaSSLError": ("Name your site's certificates in the condarc: ssl_verify: /path/to/file",),
    "EnvironmentIsFrozenError": ("Go on all the same: --force … -- --override-frozen",),
    "EnvironmentNotWritableError": (
        "Keep the request for the image: --record-only, then %envexport dockerfile",
    ),
    "NoChannelsConfiguredError": ("Name a channel: -c conda-forge",),
    "NoWritablePkgsDirError": ("Name a package cache of your own in the condarc: pkgs_dirs",),
    "OfflineError": ("Take offline: true out of the condarc, or unset CONDA_OFFLINE.",),
    "UnavailableInvalidChannel": ("Look at the spelling: %envinfo shows the channels.",),
}
"""Advice for conda's errors, by their names; conda's own message says the rest."""

_LAST_WORDS = 15  # lines


def _failure(
    command: Command, captured: Finished, answer: Mapping[str, Any], environment: Environment
) -> CommandFailed:
    tool = Path(command.argv[0]).name
    name = str(answer.get("exception_name") or "")
    if name.startswith("PackagesNotFound"):
        return _not_found(tool, answer)
    words = str(answer.get("message") or answer.get("error") or "").strip()
    problems = [str(problem) for problem in answer.get("solver_problems") or ()]
    # libmamba reports the whole tree of a conflict on stderr and only its leaves in the JSON
    words = words or captured.stderr.strip() or "\n".join(problems) or captured.stdout.strip()
    lines = [line for line in words.splitlines() if line.strip()]
    advice = _ADVICE.get(name, ())
    if environment.pins and re.search(r"\bpin", words, re.IGNORECASE):
        where = pinned_where(environment.prefix, environment.pins)
        advice = (*advice, f"Pinned here: {', '.join(environment.pins)} ({where}).")
    if not advice and any("does not exist" in line or "nothing provides" in line for line in lines):
        advice = _ELSEWHERE
    return CommandFailed(
        f"{tool} cannot do that in {environment.prefix}:\n" + "\n".join(lines[-_LAST_WORDS:]),
        kept=NOTHING_CHANGED,
        advice=advice,
    )


_ELSEWHERE = (
    "Another channel may have it: -c CHANNEL",
    "or the Python Package Index: %envinstall --pip NAME",
)


def _not_found(tool: str, answer: Mapping[str, Any]) -> CommandFailed:
    names = answer.get("packages") or answer.get("package_name") or ()
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        return CommandFailed(str(answer.get("message")), kept=NOTHING_CHANGED, advice=_ELSEWHERE)
    channels = dict.fromkeys(
        str(url).rstrip("/").rpartition("/")[0] for url in answer.get("channel_urls") or ()
    )
    where = f" in {', '.join(channels)}" if channels else ""
    name = re.split(r"[\[=<>!~\s]", names[0].rpartition("::")[2])[0]
    return CommandFailed(
        f"{tool} finds no {', '.join(names)}{where}.",
        kept=NOTHING_CHANGED,
        advice=(f"To search: !{tool} search '*{name}*'", *_ELSEWHERE),
    )
