"""pip, always the target environment's own: ``PREFIX/bin/python -m pip``."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...display.console import Console
from ...display.log import without_colours
from ...io import process
from ...model.credentials import mask
from ...model.environment import Environment
from ...model.errors import NOTHING_CHANGED, CommandFailed, Stopped
from ...model.extras import line
from ...model.packages import Change, Package, normalise
from ...model.plan import Plan
from ...model.request import Request
from .common import (
    OfPip,
    at_least,
    foreseen,
    index_of,
    install_command,
    pip_command,
    plan_removal,
    secrets_in_files,
)
from .landing import landed
from .pipconf import configured
from .present import version_on_disk

if TYPE_CHECKING:
    from packaging.version import Version

_VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
_SHOWN = 8  # of the versions there are, the newest
_REPORTS = "22.2"  # the first pip with --dry-run and --report
_DATES = "26.0"  # the first pip with --uploaded-prior-to
_BEFORE = "uploaded-prior-to"


class PipProgram(OfPip):
    """Runs pip.

    Args:
        thorough: Resolve in advance, so that the plan says what would change, everywhere. It costs
            a second resolution, which by default only a conda environment is worth: there pip could
            overwrite what conda owns.
        also: Returns whether another engine could install pip into an environment without it.
        before: See `OfPip`.
    """

    engine = "pip"

    def __init__(
        self,
        *,
        thorough: bool = False,
        also: Callable[[Environment], bool] = lambda _: False,
        before: str = "",
    ) -> None:
        super().__init__(thorough=thorough, before=before)
        self._also = also

    def _plan_removal(self, request: Request, environment: Environment) -> Plan:
        removal = plan_removal(request, environment)
        _pip_version(environment, self._also)
        return removal

    def _plan_install(self, request: Request, environment: Environment) -> Plan:
        version = _pip_version(environment, self._also)
        if self._before:
            _check_dates(version, request, environment)
        plan = Plan(
            request=request,
            environment=environment,
            engine=self.engine,
            commands=(install_command(request, environment, self._before),),
        )
        elsewhere = landed(request, environment)  # nothing changes in the environment
        if elsewhere or not (self._thorough or environment.is_conda):
            return plan
        if not at_least(version, _REPORTS):
            note = f"pip {version} cannot say what it would change; {_REPORTS} and later can."
            return replace(plan, notes=(note,))
        change = _dry_run(plan)
        if not change:
            present = self.resolved(request, environment)
            return Plan.of_nothing(request, environment, self.engine, present)
        return replace(plan, change=change)

    def _run(self, plan: Plan, console: Console) -> int:
        reported = self._reported[plan.environment.prefix] = {}
        secrets = secrets_in_files(plan.request)
        for command in plan.commands:
            with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
                report = Path(folder, "report.json")
                # As a variable: the command shown stays the user's, and an old pip ignores it.
                environ = (*command.environ, ("PIP_REPORT", str(report)))
                command = replace(command, environ=environ)
                status = process.run(command, console.write, secrets=secrets)
                reported |= {item.name: item for item in _read_report(report, plan)}
            if status != 0:
                return status
        return 0


manager = PipProgram
"""Make the engine, as every engine's module does."""


# pip itself


def _pip_version(environment: Environment, also: Callable[[Environment], bool]) -> Version:
    """Return the version of the pip that would run."""
    from packaging.version import Version

    version = version_on_disk(environment)
    if version is not None:
        return version
    # A virtual environment may see the pip of the Python it stands on.
    said = re.match(
        r"pip (\d+(?:\.\d+)*) ", process.capture(pip_command(environment, "--version")).stdout
    )
    if said:
        return Version(said[1])
    ways = [f"!{shlex.quote(str(environment.executable))} -m ensurepip"]
    target = shlex.join(environment.conda_target())
    if environment.is_conda:
        ways.insert(0, f"%envinstall {target} --conda pip")
    elif also(environment):
        ways.insert(0, f"%envinstall {target} --pip pip")
    raise Stopped(
        f"The environment at {environment.prefix} has no pip.",
        advice=("Put one there: " + ", or ".join(ways),),
    )


def leaves_out(environment: Environment) -> bool:
    """Return whether an environment's pip can leave out what was published later."""
    version = version_on_disk(environment)
    return version is not None and at_least(version, _DATES)


def _check_dates(version: Version, request: Request, environment: Environment) -> None:
    """Stop where pip would not follow the limit, or another one is set."""
    if not at_least(version, _DATES):
        raise Stopped(
            f"Packages that are too new are not allowed here, and pip {version} cannot leave"
            f" them out; {_DATES} and later can, and uv.",
            advice=line("fast"),
        )
    own = any(word.startswith(f"--{_BEFORE}") for word in request.options)
    if own or _BEFORE in configured(environment):
        raise Stopped(
            f"The settings here say how new a package may be; --{_BEFORE} cannot say it too.",
            advice=f"Leave --{_BEFORE} out, and PIP_UPLOADED_PRIOR_TO or pip's configuration.",
        )


def _dry_run(plan: Plan) -> Change:
    """Return what pip's own resolver would change."""
    (command,) = plan.commands
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
        report = Path(folder, "report.json")
        python, dash, module, verb, *words = command.argv
        looked = ("--dry-run", "--report", str(report))
        done = process.capture(replace(command, argv=(python, dash, module, verb, *looked, *words)))
        if done.exit_status != 0:
            raise CommandFailed(
                mask(f"pip cannot install this.\n{_reasons(done)}"),
                kept=NOTHING_CHANGED,
            )
        return foreseen(_read_report(report, plan), plan.environment)


def _reasons(done: process.Finished) -> str:
    """Return the errors, and the conflict it explains among its other words."""
    # a kernel's variables ask for colours, also where no terminal is
    stdout, stderr = without_colours(done.stdout), without_colours(done.stderr)
    lines = [line for line in stderr.splitlines() if not line.startswith("WARNING: ")]
    conflict = re.search(r"^The conflict is caused by:\n(?:[ \t]+.+\n)+", stdout, re.MULTILINE)
    if conflict:
        lines += conflict[0].splitlines()
    lines = [line.removeprefix("ERROR: ") for line in lines if line.strip()]
    return "\n".join(_VERSIONS.sub(_latest, line) for line in lines[-20:])


def _latest(versions: re.Match[str]) -> str:
    known = versions[1].split(", ")
    return f"(from versions: {', '.join(('…', *known[-_SHOWN:]) if known[_SHOWN:] else known)})"


def _read_report(report: Path, plan: Plan) -> Iterator[Package]:
    """Yield the packages of pip's installation report (version 1 of its format)."""
    try:
        data = json.loads(report.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # an old pip, or one that failed first
        return
    for item in data.get("install", ()):
        download = item.get("download_info") or {}
        url = mask(str(download.get("url", "")))
        yield Package(
            manager="pip",
            name=normalise(item["metadata"]["name"]),
            version=item["metadata"]["version"],
            source=_origin(download, url)
            if item.get("is_direct")
            else index_of(url, plan.request, plan.environment),
            url=url,
            sha256=((download.get("archive_info") or {}).get("hashes") or {}).get("sha256", ""),
            requested=bool(item.get("requested")),
            editable=bool((download.get("dir_info") or {}).get("editable")),
        )


def _origin(download: dict[str, Any], url: str) -> str:
    vcs = download.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
