"""Requirements that only a worker's own Python or platform has (PEP 508)."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from sysconfig import get_platform
from typing import TYPE_CHECKING, Any

from ..io import process
from ..managers import hold
from ..model.credentials import mask
from ..model.environment import Environment
from ..model.errors import CommandFailed, Stopped
from ..model.ledger import Origins
from ..model.packages import Package, normalise
from ..model.plan import Command
from ..model.policy import Policy
from ..model.request import Request
from ..model.sources import Sources
from ..model.spec import read
from ..where.metadata import applying, distributions_of_package, python_markers
from .packing import repacked

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Row = dict[str, Any]

Kind = tuple[str, str]
"""A worker's Python, such as ``3.10.4``, and its platform, as ``sysconfig`` writes it."""


@dataclass(frozen=True)
class Elsewhere:
    """The packages that are sent, with all that their metadata asks for."""

    environment: Environment
    packages: Collection[Package]
    own: Collection[str]  #: the distributions of the cluster itself
    origins: Origins
    policy: Policy
    _fetched: dict[tuple[str, Kind], tuple[Row, tuple[str, ...]]] = field(default_factory=dict)

    def every(self, looked: Iterable[Row]) -> Iterator[tuple[str, Row]]:
        """Yield what workers need beside the order, as rows of its ``wheels`` or ``lacks``.

        Args:
            looked: The results of `worker.look`.
        """
        kinds: dict[Kind, list[Row]] = defaultdict(list)
        for facts in looked:
            kinds[facts["full"], facts["platform"]].append(facts["packages"])
        kinds.pop((self.environment.python or "", get_platform()), None)
        for kind, there in kinds.items():
            yield from self._rows(kind, there)

    def _rows(self, kind: Kind, there: list[Row]) -> Iterator[tuple[str, Row]]:
        markers = _markers(kind)
        seen = {package.name for package in self.packages} | set(self.own)
        waiting = [
            (package, text, extras)
            for package in self.packages
            if package.manager == "pip"
            for each in distributions_of_package(package, self.environment)[:1]
            for extras in (self._extras(package),)
            for text in each.requires
        ]
        for package, text, extras in waiting:  # it grows
            need = applying(text, ("", *extras), **markers)
            if not need or (name := normalise(need.name)) in seen:
                continue
            seen.add(name)
            versions = [each[name]["version"] if name in each else "" for each in there]
            fit = [v for v in {*versions} if v and need.specifier.contains(v, prereleases=True)]
            row = {"name": name, "only": list(kind), "fit": fit}
            if set(versions) <= {*fit}:
                continue
            try:
                wheel, requires = self._wheel(need, package, kind)
            except (CommandFailed, Stopped, OSError, ValueError) as error:
                reason = mask(getattr(error, "problem", str(error))).strip().splitlines()[-1]
                why = f"{package.name} needs it on Python {kind[0]} and {kind[1]}: {reason}"
                yield "lacks", {**row, "why": why}
                continue
            yield "wheels", {**wheel, **row, "fit": [*fit, wheel["version"]]}
            waiting += [(package, each, need.extras) for each in requires]

    def _extras(self, package: Package) -> set[str]:
        asked = self.origins.request(package)
        specs = asked.specs if asked else ()
        return {extra for spec in specs if spec.name == package.name for extra in spec.extras}

    def _wheel(self, need: Requirement, by: Package, kind: Kind) -> tuple[Row, tuple[str, ...]]:
        """Have pip fetch a wheel from the index that the package came from which needs it.

        Raises:
            CommandFailed: The index has no such wheel.
            Stopped: The policy forbids it.
        """
        spec, asked = str(need).partition(";")[0].strip(), self.origins.request(by)
        if (spec, kind) not in self._fetched:
            sources = asked.sources.unmasked() if asked else Sources()
            request = Request("install", "pip", (read("pip", spec),), sources=sources)
            hold(request, self.environment, self.policy)
            pip = (self.environment.executable or sys.executable, "-m", "pip", "download")
            words = ["--no-deps", "--only-binary=:all:", f"--python-version={kind[0]}"]
            if kind[1] != get_platform():
                words.append(f"--platform={kind[1].replace('-', '_').replace('.', '_')}")
            with tempfile.TemporaryDirectory() as folder:
                argv = (*pip, *words, "--retries=1", f"--dest={folder}", *sources.words, spec)
                done = process.capture(Command(argv, environ=(("PIP_NO_INPUT", "1"),)))
                for path in Path(folder).glob("*.whl"):
                    self._fetched[spec, kind] = repacked(path)
            if (spec, kind) not in self._fetched:
                raise CommandFailed(done.stderr.strip() or f"pip finds no wheel of {spec}")
        return self._fetched[spec, kind]


def _markers(kind: Kind) -> dict[str, str]:
    """Return the marker variables (PEP 508) of a worker's Python."""
    python, platform = kind
    system = "darwin" if platform.startswith("macosx") else platform.partition("-")[0]
    return {
        **python_markers(python),
        "platform_machine": platform.rpartition("-")[2],
        "platform_system": system.capitalize(),
        "sys_platform": system,
    }
