"""pip, always the target environment's own: ``PREFIX/bin/python -m pip``."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import process
from ..credentials import mask, secrets_of
from ..errors import CommandFailed, InvalidSpec, Stopped
from ..packages import (
    Change,
    Package,
    conda_distributions,
    normalise,
    read_conda,
    read_distributions,
)
from ..plan import Command, Plan
from ..request import split_hashes
from . import Manager

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement
    from packaging.version import Version

    from ..environment import Environment
    from ..request import Request
    from . import Output

_ENVIRON = (("PIP_NO_INPUT", "1"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1"))
_RISK = "A package may be half installed; the same install again mends it."
_NOTHING = "Nothing was changed."

_REPORTS = "22.2"  # the first pip with --dry-run and --report
_PEP_440_ONLY = "24.1"  # the first pip that refuses versions such as 2004b

_FLAGS = ("-r ", "-c ", "-e ")
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+\S+")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|file:/)\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_LEGACY = re.compile(
    rf"{_NAME}(?:\[[\w., -]*\])?\s*(?:(?:===?|[<>!~]=|[<>])\s*[\w.*+!-]+\s*(?:,\s*(?!$)|$))+"
)

_CHANGES_THE_QUESTION = (
    *("constraint", "editable", "force-reinstall", "ignore-installed", "prefix"),
    *("requirement", "root", "target", "upgrade"),
)
"""pip's own settings that make it do other than add what is missing."""

_SAYS_WHERE = ("index-url", "extra-index-url", "find-links", "no-index")


def manager(*, thorough: bool = False) -> Pip:
    """The manager; see ``Pip``."""
    return Pip(thorough=thorough)


class Pip(Manager):
    """Runs pip.

    Args:
        thorough: Resolve beforehand, so that the plan says what would change, everywhere. It costs
            a second resolution, so that else only a conda environment is worth it: there pip could
            overwrite what conda owns.
    """

    def __init__(self, *, thorough: bool = False) -> None:
        self._thorough = thorough
        self._reports: dict[str, dict[str, Package]] = {}

    def check(self, request: Request, environment: Environment) -> None:
        """Refuse specs that are none of its; see ``Manager.check``."""
        check_specs(request, environment)

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Say what pip would be run with; see ``Manager.plan``."""
        if environment.executable is None:
            raise Stopped(
                f"The environment at {environment.prefix} has no Python, so no pip either.",
                kept=_NOTHING,
                advice="Install a Python first: %envinstall --conda python",
            )
        check_specs(request, environment)
        if request.action == "remove":
            return _plan_removal(request, environment)
        present = satisfied(request, environment)
        if present is not None:
            return _nothing_to_do(request, environment, present)
        version = _pip_version(environment)
        plan = Plan(
            request=request,
            environment=environment,
            engine="pip",
            commands=(_command(request, environment),),
        )
        if not (self._thorough or environment.is_conda):
            return plan
        if not _at_least(version, _REPORTS):
            note = f"pip {version} cannot tell what it would change; {_REPORTS} and later can."
            return replace(plan, notes=(note,))
        change = _dry_run(plan)
        if not change:
            return _nothing_to_do(request, environment, self.resolved(request, environment))
        return replace(plan, change=change)

    def run(self, plan: Plan, output: Output) -> int:
        """Run pip; see ``Manager.run``."""
        told = self._reports[plan.environment.prefix] = {}
        secrets = _secrets_in_files(plan.request)
        for command in plan.commands:
            with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
                report = Path(folder, "report.json")
                # As a variable: the command shown stays the user's, and an old pip ignores it.
                environ = (*command.environ, ("PIP_REPORT", str(report)))
                command = replace(command, environ=environ)
                status = process.run(command, output, secrets=secrets, risk=_RISK)
                told |= {item.name: item for item in _read_report(report, plan)}
            if status != 0:
                return status
        return 0

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        """The distributions that serve the specs now; see ``Manager.resolved``."""
        found = (_serving(spec, environment) for spec in request.specs)
        return tuple(dict.fromkeys(package for package in found if package is not None))

    def explain(self, plan: Plan, change: Change) -> Change:
        """Add to an observed change what only the report of the last run tells: URL and hash."""
        told = self._reports.get(plan.environment.prefix, {})
        return replace(
            change,
            added=tuple(_explained(package, told) for package in change.added),
            changed=tuple((old, _explained(new, told)) for old, new in change.changed),
        )

    def advise(self, plan: Plan, change: Change) -> tuple[str, ...]:
        """Say what would be imported in place of what was asked for."""
        names = {package.name for package in (*change.added, *(new for _, new in change.changed))}
        names |= {name for spec in plan.request.specs if (name := _name_of(spec))}
        return tuple(
            f"{item.name} {item.version} in {item.folder}, your user site, comes before the "
            "environment: it is what will be imported. To remove it: "
            f"!{shlex.quote(str(plan.environment.executable))} -m pip uninstall --yes {item.name}"
            for item in shadowed(plan.environment, names)
        )


def _explained(package: Package, told: dict[str, Package]) -> Package:
    report = told.get(package.name)
    if report is None or package.manager != "pip" or report.version != package.version:
        return package
    return replace(
        package,
        source=package.source or report.source,
        url=package.url or report.url,
        sha256=package.sha256 or report.sha256,
    )


# Specs


def check_specs(request: Request, environment: Environment) -> None:
    """Refuse what this environment's pip could not read.

    Raises:
        InvalidSpec: With the nearest right form, where there is one.
    """
    version = _version_on_disk(environment)
    legacy = version is not None and not _at_least(version, _PEP_440_ONLY)
    for spec in request.specs:
        problem = _problem(spec, legacy=legacy)
        if problem:
            raise InvalidSpec(problem, kept="Nothing was started.", advice=tuple(_nearest(spec)))
        if request.action == "remove" and not re.fullmatch(f"-r .+|{_NAME}", spec):
            name = re.match(_NAME, spec)
            raise InvalidSpec(
                f"{spec!r} is not the name of an installed package.",
                kept="Nothing was started.",
                advice=f"Remove it by its name: %envremove {name[0]}" if name else (),
            )


def _problem(spec: str, *, legacy: bool) -> str:
    """What is wrong with a spec; empty where pip can read it."""
    from packaging.requirements import InvalidRequirement, Requirement

    spec, hashes = split_hashes(spec)
    if hashes and mask(spec) != spec:
        return (
            f"{mask(spec)!r} has a credential and hashes, and pip takes hashes from a file alone,"
            " where no credential may lie; .netrc is the place for it."
        )
    if _CONTROL.search(spec) or not spec.strip():
        return f"{spec!r} is no requirement: it is not one line of text."
    if spec.startswith(_FLAGS):
        return _problem_of_place(spec[3:].strip(), file=not spec.startswith("-e "))
    if spec.startswith("-"):
        return f"{spec!r} is an option, not a requirement; options go after two dashes: … -- {spec}"
    if _is_place(spec):
        return _problem_of_place(spec, file=False)
    try:
        requirement = Requirement(spec)
    except InvalidRequirement:
        return "" if legacy and _LEGACY.fullmatch(spec) else f"{spec!r} is no requirement."
    if requirement.url is not None and not _is_place(requirement.url):
        return f"{spec!r} is no requirement: {requirement.url!r} is no URL."
    return ""


def _problem_of_place(place: str, *, file: bool) -> str:
    if _VCS.fullmatch(place) or _URL.fullmatch(place):
        return ""
    path = Path(re.sub(r"\[[^\]]*\]$", "", place)).expanduser()
    if path.is_file() or (path.is_dir() and not file):
        return ""
    return f"There is no {'file' if file else 'file or folder'} {place!r}."


def _is_place(spec: str) -> bool:
    """Whether a spec is a path or URL rather than a name."""
    return spec.startswith(("/", ".", "~/")) or bool(_VCS.match(spec) or _URL.fullmatch(spec))


def _nearest(spec: str) -> Iterator[str]:
    """Advice: the requirement that was probably meant."""
    if "::" in spec or re.fullmatch(rf"{_NAME}=[^=\s]+=[^=\s]+", spec):
        yield f"That is a match spec of conda's: %envinstall {shlex.quote(f'conda:{spec}')}"
        return
    fixed = re.sub(r"=([<>~!])(?!=)", r"\1=", spec)
    fixed = re.sub(r"(?<![<>=!~])=(?!=)", "==", fixed)
    fixed = re.sub(rf"^({_NAME})(?:\s+|\s*@\s*)(\d\S*)$", r"\1==\2", fixed)
    if fixed != spec and not _problem(fixed, legacy=False):
        yield f"Did you mean: %envinstall {shlex.quote(f'pip:{fixed}')}"


def _name_of(spec: str) -> str:
    """The normalised name in a spec; empty where it names none."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    spec, _ = split_hashes(spec)
    if spec.startswith(_FLAGS):
        spec = spec[3:].strip() if spec.startswith("-e ") else ""
    egg = re.search(r"[#&]egg=([^&\[]+)", spec)
    if egg:
        return normalise(egg[1])
    if _is_place(spec):
        file = re.split(r"[?#]", spec, maxsplit=1)[0].rpartition("/")[2]
        try:
            return str(parse_wheel_filename(file)[0])
        except InvalidWheelFilename:
            return ""
    try:
        return normalise(Requirement(spec).name)
    except InvalidRequirement:
        name = re.match(_NAME, spec)
        return normalise(name[0]) if name else ""


# Commands


def _command(request: Request, environment: Environment) -> Command:
    words = ["--upgrade"] if request.upgrade else []
    words += ["--index-url", request.index_url] if request.index_url else []
    for url in request.extra_index_urls:
        words += ["--extra-index-url", url]
    words += _arguments(request.specs)
    return _pip(environment, "install", *words, *request.options)


def _plan_removal(request: Request, environment: Environment) -> Plan:
    files = [spec for spec in request.specs if spec.startswith("-r ")]
    names = [spec for spec in request.specs if spec not in files]
    found = {name: _serving(name, environment) for name in names}
    missing = [name for name in names if found[name] is None]
    specs = [spec for spec in request.specs if spec not in missing]
    if not specs:
        raise Stopped(
            f"Not installed in {environment.prefix}: {', '.join(missing)}.",
            kept="There is nothing to remove.",
        )
    _pip_version(environment)
    removed = tuple(package for package in found.values() if package is not None)
    return Plan(
        request=request,
        environment=environment,
        engine="pip",
        commands=(_pip(environment, "uninstall", "--yes", *_arguments(specs), *request.options),),
        change=None if files else Change(removed=removed),
        notes=tuple(f"{name} is not installed." for name in missing),
    )


def _nothing_to_do(
    request: Request, environment: Environment, present: tuple[Package, ...]
) -> Plan:
    return Plan(
        request=request,
        environment=environment,
        engine="pip",
        commands=(),
        change=Change(),
        satisfied=present,
    )


def _pip(environment: Environment, *words: str) -> Command:
    assert environment.executable is not None
    return Command((environment.executable, "-m", "pip", *words), environ=_ENVIRON)


def _arguments(specs: Iterable[str]) -> list[str]:
    """One argument each, but ``-r FILE`` is two; what has hashes goes into a file together."""
    words: list[str] = []
    hashed: list[str] = []
    for spec in specs:
        if split_hashes(spec)[1]:
            hashed.append(spec)
        else:
            words += (spec[:2], spec[3:].strip()) if spec.startswith(_FLAGS) else (spec,)
    return [*words, *(("-r", _listed(hashed)) if hashed else ())]


def _listed(specs: Sequence[str]) -> str:
    """A file of specs: pip takes hashes from nowhere else. It stays, so that the command does."""
    from platformdirs import user_cache_path

    text = "".join(f"{spec}\n" for spec in specs)
    name = f"requirements-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    file = user_cache_path("jstackmagic", ensure_exists=True) / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def _secrets_in_files(request: Request) -> tuple[str, ...]:
    secrets: list[str] = []
    for spec in request.specs:
        if spec.startswith(("-r ", "-c ")):
            try:
                secrets += secrets_of(Path(spec[3:].strip()).read_text(errors="replace"))
            except OSError:  # a URL; what pip says of it, it masks
                continue
    return tuple(secrets)


# pip itself


def _version_on_disk(environment: Environment) -> Version | None:
    from packaging.version import InvalidVersion, Version

    pip = _find("pip", environment.site_packages)
    try:
        return Version(pip.version) if pip is not None else None
    except InvalidVersion:
        return None


def _pip_version(environment: Environment) -> Version:
    """The version of the pip that would be run.

    Raises:
        Stopped: There is none.
    """
    from packaging.version import Version

    version = _version_on_disk(environment)
    if version is not None:
        return version
    # A virtual environment may see the pip of the Python it stands on.
    said = re.match(r"pip (\d+(?:\.\d+)*) ", process.capture(_pip(environment, "--version")).stdout)
    if said:
        return Version(said[1])
    ways = [f"!{shlex.quote(str(environment.executable))} -m ensurepip"]
    if environment.is_conda:
        ways.insert(0, f"%envinstall {shlex.join(environment.conda_target())} --conda pip")
    raise Stopped(
        f"The environment at {environment.prefix} has no pip.",
        kept=_NOTHING,
        advice=("Put one there: " + ", or ".join(ways),),
    )


def _at_least(version: Version, least: str) -> bool:
    from packaging.version import Version

    return version >= Version(least)


def _dry_run(plan: Plan) -> Change:
    """What pip's own resolver would change.

    Raises:
        CommandFailed: It found no way; carries its reasons.
    """
    (command,) = plan.commands
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
        report = Path(folder, "report.json")
        python, dash, module, verb, *words = command.argv
        looked = ("--dry-run", "--report", str(report))
        done = process.capture(replace(command, argv=(python, dash, module, verb, *looked, *words)))
        if done.exit_status != 0:
            raise CommandFailed(
                mask(f"pip cannot install this.\n{_reasons(done)}"),
                kept=_NOTHING,
            )
        new = list(_read_report(report, plan))
    old = {package.name: _serving(package.name, plan.environment) for package in new}
    return Change(
        added=tuple(package for package in new if old[package.name] is None),
        changed=tuple(
            (before, package) for package in new if (before := old[package.name]) is not None
        ),
    )


def _reasons(done: process.Captured) -> str:
    """The errors, and the conflict it explains among its other words."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: ")]
    conflict = re.search(r"^The conflict is caused by:\n(?:[ \t]+.+\n)+", done.stdout, re.MULTILINE)
    if conflict:
        lines += conflict[0].splitlines()
    return "\n".join([line.removeprefix("ERROR: ") for line in lines if line.strip()][-20:])


def _read_report(report: Path, plan: Plan) -> Iterator[Package]:
    """The packages of pip's installation report (version 1 of its format)."""
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
            source=_origin(download, url) if item.get("is_direct") else _index(url, plan),
            url=url,
            sha256=((download.get("archive_info") or {}).get("hashes") or {}).get("sha256", ""),
            requested=bool(item.get("requested")),
            editable=bool((download.get("dir_info") or {}).get("editable")),
        )


def _origin(download: dict[str, Any], url: str) -> str:
    vcs = download.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url


def _index(url: str, plan: Plan) -> str:
    """The index that an archive came from: the default one, or one asked for on the same host.

    pip tells the archive's URL alone; where neither is sure, its host has to do.
    """
    from urllib.parse import urlsplit

    host = urlsplit(url).netloc
    asked = [*filter(None, (plan.request.index_url, *plan.request.extra_index_urls))]
    for index in asked:
        if urlsplit(index).netloc.rpartition("@")[2] == host:
            return mask(index)
    if not (asked or plan.request.options or _is_configured(plan.environment, _SAYS_WHERE)):
        return "PyPI"
    return f"{urlsplit(url).scheme}://{host}" if host else ""


# What is there already


@dataclass(frozen=True, slots=True)
class Installed:
    """A distribution, as far as a requirement is concerned with it.

    Attributes:
        name: As its author writes it.
        version: As its metadata gives it.
        requires: Its own requirements.
        folder: What its files are relative to.
        owner: The manager that installed it.
        direct: Whether it was installed from a URL or a path (PEP 610).
    """

    name: str
    version: str
    requires: tuple[str, ...]
    folder: str
    owner: Literal["conda", "pip"]
    direct: bool


def satisfied(request: Request, environment: Environment) -> tuple[Package, ...] | None:
    """The packages that serve every spec already, with all that they require.

    Decided from metadata on disk, for the target's Python. None where only pip can decide: for a
    URL, a path, a constraints file, an upgrade, options, an old-style version.
    """
    if request.upgrade or request.options or _is_configured(environment, _CHANGES_THE_QUESTION):
        return None
    requirements: list[Requirement] = []
    for spec in request.specs:
        plain = _plain_requirements(spec)
        if plain is None:
            return None
        requirements += plain
    markers = _markers(environment)
    if not _all_there(requirements, markers, environment):
        return None
    wanted = (item for item in requirements if item.marker is None or item.marker.evaluate(markers))
    found = (_present(item.name, environment) for item in wanted)
    return tuple(dict.fromkeys(package for package in found if package is not None))


def _present(name: str, environment: Environment) -> Package | None:
    """An installed package; only its own metadata is read unless its origin matters."""
    found = _find(name, environment.site_packages)
    if found is None or found.direct:
        return _serving(name, environment)
    return Package(manager=found.owner, name=normalise(name), version=found.version)


def _plain_requirements(spec: str) -> list[Requirement] | None:
    """The requirements of a spec or of a file of specs; None where one is not only a name.

    Not with pip-api: it runs pip to be imported, evaluates markers for the Python that runs it,
    and passes over options such as ``--pre`` in silence.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lines = [spec]
    if spec.startswith("-r "):
        try:
            text = Path(spec[3:].strip()).read_text(encoding="utf-8").replace("\\\n", " ")
        except (OSError, UnicodeDecodeError):
            return None
        lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    try:
        found = [Requirement(line) for line in lines if line]
    except InvalidRequirement:
        return None
    return None if any(item.url for item in found) else found


def _all_there(
    requirements: Iterable[Requirement], markers: dict[str, str], environment: Environment
) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, wanted_by = waiting.pop()
        marker = requirement.marker
        if marker is not None and not marker.evaluate({**markers, "extra": wanted_by}):
            continue
        found = _find(requirement.name, environment.site_packages)
        if found is None or requirement.url:
            return False
        try:
            # as pip: what is installed may be a pre-release
            if not requirement.specifier.contains(found.version, prereleases=True):
                return False
            for extra in ("", *requirement.extras):
                key = (normalise(requirement.name), extra)
                if key not in seen:
                    seen.add(key)
                    waiting += [(Requirement(text), extra) for text in found.requires]
        except (InvalidVersion, InvalidRequirement):
            return False
    return True


def _markers(environment: Environment) -> dict[str, str]:
    """The marker variables (PEP 508) of the target's Python, which is on this machine."""
    from packaging.markers import default_environment

    version = environment.python or ""
    own = {key: str(value) for key, value in default_environment().items()}
    if version.startswith("2.") and own["sys_platform"] == "linux":
        own["sys_platform"] = "linux2"
    return {
        **own,
        "extra": "",
        "implementation_version": version,
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
    }


def _is_configured(environment: Environment, keys: Iterable[str]) -> bool:
    """Whether a variable or pip's configuration files (its documentation has the list) say one."""
    keys = {key.replace("-", "_") for key in keys}
    if any(f"PIP_{key.upper()}" in os.environ for key in keys):
        return True
    settings = _settings(environment)
    return settings is None or not settings.keys().isdisjoint(keys)


def configured(environment: Environment, key: str) -> str:
    """What a variable or pip's configuration files say of an option; empty where none does."""
    key = key.replace("-", "_")
    said = os.environ.get(f"PIP_{key.upper()}")
    return said if said is not None else (_settings(environment) or {}).get(key, "")


def _settings(environment: Environment) -> dict[str, str] | None:
    """What pip's configuration files say for an install; None where one cannot be read."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    site = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    folders = (
        *(f"{folder}/pip" for folder in site),
        *("/etc", "~/.pip", f"{config}/pip", environment.prefix),
    )
    files = [os.path.join(os.path.expanduser(folder), "pip.conf") for folder in folders]
    files = [
        file for file in (*files, os.environ.get("PIP_CONFIG_FILE", "")) if os.path.exists(file)
    ]
    if not files:
        return {}
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(strict=False)
    try:
        parser.read(files, encoding="utf-8")
    except (Error, UnicodeDecodeError):
        return None
    sections = [parser[name] for name in ("global", "install") if parser.has_section(name)]
    return {option.replace("-", "_"): section[option] for section in sections for option in section}


def _find(name: str, folders: Iterable[str]) -> Installed | None:
    """The distribution that an import would find, from its own metadata alone."""
    from email.parser import HeaderParser
    from importlib.metadata import distributions

    for found in distributions(name=normalise(name), path=list(folders)):
        metadata = found.read_text("METADATA")
        text = metadata or found.read_text("PKG-INFO") or found.read_text("") or ""
        headers = HeaderParser().parsestr(text.partition("\n\n")[0])
        if not headers["Name"] or not headers["Version"]:
            continue  # what an interrupted pip left behind
        installer = (found.read_text("INSTALLER") or "").strip()
        requires = headers.get_all("Requires-Dist", []) if metadata else found.requires or []
        return Installed(
            name=headers["Name"],
            version=headers["Version"],
            requires=tuple(requires),
            folder=str(found.locate_file("")),
            owner="conda" if installer == "conda" else "pip",
            direct=found.read_text("direct_url.json") is not None,
        )
    return None


def _serving(spec: str, environment: Environment) -> Package | None:
    """The package that a spec names, or that was installed from where it points."""
    name = _name_of(spec)
    if name and _find(name, environment.site_packages) is None:
        return None
    place = _place(spec)
    for package in read_distributions(environment):
        if package.name == name or (not name and place and package.source.startswith(place)):
            return package
    version = conda_distributions(environment).get(name)
    if version is None:
        return None
    for package in read_conda(environment.prefix):
        if package.name == name:
            return package
    return Package(manager="conda", name=name, version=version)


def _place(spec: str) -> str:
    """What ``direct_url.json`` begins with for a spec that is a path or URL; else empty."""
    spec, _ = split_hashes(spec[3:].strip() if spec.startswith("-e ") else spec)
    if not _is_place(spec):
        return ""
    if spec.startswith(("/", ".", "~")):
        return Path(re.sub(r"\[[^\]]*\]$", "", spec)).expanduser().resolve().as_uri()
    url = re.sub(r"//[^/@\s]+@", "//", spec.partition("#")[0])
    return re.sub(r"@[^@/]+$", "", url) if _VCS.match(url) else url


# The user site


def shadowed(environment: Environment, names: Iterable[str]) -> tuple[Installed, ...]:
    """The distributions of these names in the user site, which comes before the environment's own.

    A virtual environment has no user site.
    """
    folder = _user_site(environment)
    if folder is None or not os.path.isdir(folder):
        return ()
    found = (_find(name, [folder]) for name in sorted(set(names)))
    return tuple(item for item in found if item is not None)


def _user_site(environment: Environment) -> str | None:
    """Where the user's own packages are (Python's documentation of ``site``); None without it."""
    if environment.kind.startswith("venv") or os.environ.get("PYTHONNOUSERSITE"):
        return None
    base = os.environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")
    for path in environment.site_packages:
        python = re.search(r"/((?:python|pypy)\d+\.\d+t?)/(?:site|dist)-packages$", path)
        if python:
            return os.path.join(base, "lib", python[1], "site-packages")
    return None
