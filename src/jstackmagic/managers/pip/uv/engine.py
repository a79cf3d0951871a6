"""uv, for requests where it does the same as pip, many times faster.

Served here: requirements by name, wheels by path or URL, files of such
requirements, constraints, ``--upgrade``, ``--pre``, ``--no-deps``, ``--force-reinstall``, and pip's
settings about indexes, certificates, proxies and timeouts, which uv gets from
all the places that pip reads. `unserved` says what is left to pip, and why. uv's own configuration
is ignored: it could ask for something else.

If uv finds no solution, pip is tried before the user sees an error (an old build, a version that
only pip accepts as a candidate may succeed).

Differences on disk: ``INSTALLER`` says "uv"; ``uv_cache.json`` is in the metadata of a wheel
that came from this disk; an empty ``.lock`` in the prefix keeps two runs apart; and nothing is
byte-compiled before it is imported.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

from ....display.console import Console
from ....io import process
from ....io.bombs import Bomb
from ....model.credentials import mask, secrets_of, without
from ....model.environment import Environment
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ....model.packages import Change, Package, normalise
from ....model.plan import Command, Plan
from ....model.request import Request
from ....where.metadata import distributions_of_package
from ... import Engine, asked_names
from ..common import OfPip, foreseen, install_command, plan_removal, secrets_in_files
from ..executable import leaves_out
from ..marks import unmark
from ..present import version_on_disk
from ..spec import arguments, url_of
from . import terms as _uvterms
from .origins import Locked, lock, origins

_KEPT = re.compile(
    r"UV_(?:CACHE_DIR|CONCURRENT_\w+|HTTP_\w+|LINK_MODE|NATIVE_TLS|OFFLINE|SYSTEM_CERTS|TEST_\w+)"
)
"""uv's own variables that change how it works, but not the result."""


_NO_SOLUTION = 1
_OLDEST = (0, 13)
"""The first uv whose ``pip install --dry-run`` reports its plan in JSON."""

_NO_NETWORK = re.compile(r"dns error|tcp connect error|operation timed out")


def is_here() -> bool:
    """Return whether uv is available: installed with jstackmagic, or on PATH."""
    return _program() is not None


def unserved(environment: Environment, request: Request | None = None) -> tuple[str, ...]:
    """Return the reasons for using pip, each as part of a sentence; empty if uv does the same."""
    if _program() is None:
        return ("there is no uv here",)
    return _uvterms.translate(environment, request).reasons


class Uv(OfPip):
    """The engine that runs uv; its changes are always known in advance.

    Args:
        thorough: Say in advance where each archive would come from, with its hash.
        instead: The engine to try if uv finds no solution; without one, uv's error stands.
    """

    engine = "uv"

    def __init__(
        self, *, thorough: bool = False, instead: Engine | None = None, before: str = ""
    ) -> None:
        super().__init__(thorough=thorough, before=before)
        self._other = instead
        self._instead: Engine | None = None
        self._known: dict[str, Locked] = {}

    def _plan_removal(self, request: Request, environment: Environment) -> Plan:
        removal = plan_removal(request, environment)
        names = [package.name for package in removal.change.removed] if removal.change else []
        command = _command(environment, "uninstall", _uvterms.Terms(), *names)
        return replace(removal, engine=self.engine, detail=(command,))

    def _plan_install(self, request: Request, environment: Environment) -> Plan:
        terms = _uvterms.translate(environment, request)
        if self._before:
            terms.words += ("--exclude-newer", self._before)
        command = _command(environment, "install", terms, *arguments(request.specs))
        try:
            new = _dry_run(command, request)
        except CommandFailed as error:
            offline = _NO_NETWORK.search(error.problem)  # for pip too
            if self._other is None or offline or version_on_disk(environment) is None:
                raise
            if isinstance(error, Bomb) or (self._before and not leaves_out(environment)):
                raise
            self._instead = self._other
            plan = self._instead.plan(request, environment)
            return replace(plan, notes=(*plan.notes, "uv found no way; pip does it."))
        if self._thorough:
            known = origins(new, _locked(new, request, environment), request, environment)
            new = [known.get(package.name, package) for package in new]
        change = foreseen(new, environment)
        if not change:
            present = self.resolved(request, environment)
            return Plan.of_nothing(request, environment, self.engine, present)
        return Plan(
            request=request,
            environment=environment,
            engine=self.engine,
            commands=(install_command(request, environment, self._before),),
            change=change,
            detail=(*_from_cache(new, terms, request, environment), command),
        )

    def _run(self, plan: Plan, console: Console) -> int:
        if self._instead is not None:
            return self._instead.run(plan, console)
        assert isinstance(plan.detail, tuple)
        with ThreadPoolExecutor(1) as beside:  # it never takes longer than uv itself
            locked = beside.submit(_locked, _coming(plan), plan.request, plan.environment)
            status = _run_one(plan.detail, console, secrets_in_files(plan.request))
            self._known[plan.environment.prefix] = locked.result()
        if status == 0 and not all(_is_finished(p, plan.environment) for p in _coming(plan)):
            console.say("uv could not write the list of a package's files.")
            return 1
        asked = set(asked_names(plan.request, plan.environment))
        unmark((p.name for p in _coming(plan) if p.name not in asked), plan.environment)
        return status

    def explain(self, plan: Plan, change: Change) -> Change:
        """Add each archive's origin and hash to an observed change."""
        if self._instead is not None:
            return self._instead.explain(plan, change)
        return super().explain(plan, change)

    def _report(self, plan: Plan, change: Change) -> None:
        prefix = plan.environment.prefix
        arrived = [package for package in change.came if package.manager == "pip"]
        locked = self._known.get(prefix, {})
        self._reported[prefix] = origins(arrived, locked, plan.request, plan.environment)


# uv itself


@lru_cache(maxsize=1)
def _program() -> str | None:
    """Return the executable that the wheel of uv brings, or one that is on PATH already."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
        return found if found and _version_of(found) >= _OLDEST else None


def _version_of(program: str) -> tuple[int, ...]:
    said = process.capture(Command((program, "--version"))).stdout
    return tuple(map(int, re.findall(r"\d+", said)[:2]))


def _command(environment: Environment, verb: str, terms: _uvterms.Terms, *specs: str) -> Command:
    return Command(
        (
            *(_program() or "uv", "pip", verb, "--no-config", "--python"),
            *(str(environment.executable), *terms.words, *specs),
        ),
        environ=(("UV_NO_PYTHON_DOWNLOADS", "1"), *terms.environ),
        without=tuple(
            name for name in os.environ if name.startswith("UV_") and not _KEPT.fullmatch(name)
        ),
    )


def _from_cache(
    new: Sequence[Package], terms: _uvterms.Terms, request: Request, environment: Environment
) -> Iterator[Command]:
    """Yield the install of just these versions from uv's cache, which resolves nothing again.

    It fails before it changes anything where an archive is not there yet. Nothing is yielded if
    more than a name and a version decides which archive is meant.
    """
    by_name = not any(spec.hashes or url_of(spec) for spec in request.specs)
    if by_name and "--require-hashes" not in terms.words and "UV_NO_CACHE" not in terms.variables:
        pins = (f"{package.name}=={package.version}" for package in new)
        words = ("--no-progress", "--no-deps", "--offline")  # uv takes none of them twice
        more = (word for word in words if word not in terms.words)
        yield _command(environment, "install", terms, *more, *pins)


def _run_one(commands: Sequence[Command], console: Console, secrets: tuple[str, ...]) -> int:
    """Run commands until one does more than find no solution; return its exit status.

    uv ends with 1 where it finds none, before it changes anything, and otherwise with 2, or is
    killed (https://docs.astral.sh/uv/reference/exit-codes/): then what it began is left as it is.
    """
    *quick, last = commands
    for command in quick:
        words: list[str] = []
        status = process.run(command, words.append, secrets=(*_secrets(command), *secrets))
        if status != _NO_SOLUTION:
            console.write("".join(words))
            return status
    if not console.terminal:  # a notebook would show each state of uv's bars as lines
        last = replace(last, argv=(*last.argv[:3], "--no-progress", *last.argv[3:]))
    return process.run(last, console.write, secrets=(*_secrets(last), *secrets))


def _coming(plan: Plan) -> tuple[Package, ...]:
    return plan.change.came if plan.change and plan.request.action == "install" else ()


def _is_finished(package: Package, environment: Environment) -> bool:
    """Return whether RECORD was written to its end: uv does not notice where the disk fails."""
    return any(
        row.path.endswith(".dist-info/INSTALLER")
        for item in distributions_of_package(package, environment)
        for row in item.record
    )


def _secrets(command: Command) -> Iterator[str]:
    for _, value in command.environ:
        yield from secrets_of(value)


def _locked(packages: Sequence[Package], request: Request, environment: Environment) -> Locked:
    terms = _uvterms.places(environment, request)
    return lock(packages, _command(environment, "compile", terms))


def _dry_run(command: Command, request: Request) -> list[Package]:
    """Return the packages that uv would install."""
    program, pip, verb, *words = command.argv
    looked = ("--dry-run", "--output-format", "json", "--color", "never", "--no-progress")
    done = process.capture(replace(command, argv=(program, pip, verb, *looked, *words)))
    try:
        changes = json.loads(done.stdout)["changes"] if done.exit_status == 0 else None
    except (ValueError, KeyError, TypeError):
        changes = None
    if changes is None:
        secrets = (*_secrets(command), *secrets_in_files(request))
        raise CommandFailed(
            f"uv cannot install this.\n{_reasons(done, secrets)}", kept=NOTHING_CHANGED
        )
    direct = {spec.name: mask(url) for spec in request.specs if (url := url_of(spec))}
    new = ((normalise(c["name"]), str(c["version"])) for c in changes if c["action"] == "installed")
    return [
        Package("pip", name, version, source=direct.get(name, ""), url=direct.get(name, ""))
        for name, version in new
    ]


def _reasons(done: process.Finished, secrets: Sequence[str]) -> str:
    said = without(mask(done.stderr.strip() or done.stdout.strip()), secrets)
    lines = [line for line in said.splitlines() if line.strip()]
    return "\n".join(line for line in lines if not line.startswith("Using Python"))[-4000:]
