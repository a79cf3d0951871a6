"""Read a request to apt: names behind two dashes, and a file's own package name."""

from __future__ import annotations

import re
import shutil

from ...io import process
from ...model.environment import Environment
from ...model.options import APT
from ...model.plan import Command
from ...model.request import Request
from ...model.spec import LocalArchive, read
from ...model.wanted import Wanted


def wanted(request: Request, environment: Environment) -> Wanted:  # noqa: ARG001
    """Read a request; see `Manager.wanted`."""
    found = Wanted()
    specs = list(request.specs)
    for option in APT.options(request.options):
        if not option.name:
            specs.append(read("apt", option.value))
        elif option.name not in APT:
            found.beyond.append((option.name, ""))
    for spec in specs:
        name = spec.name.partition(":")[0]
        if isinstance(spec, LocalArchive):
            inside, needs = _of_file(spec.place)
            found.names += [(inside, "")] if inside else []
            found.needs += [(need, spec.place) for need in needs]
        pattern = re.search(r"[*?^$\[]", name)  # apt-get takes these, and whole tasks, too
        found.name("" if pattern else name, spec.text, "")
        if name[-1:] in ("+", "-"):  # apt-get takes it for a sign, where no package is called so
            found.names.append((name[:-1], ""))
    return found


def _of_file(path: str) -> tuple[str, list[str]]:
    program = shutil.which("dpkg-deb")
    if program is None:
        return "", []
    fields = "${Package}\\n${Pre-Depends}, ${Depends}\\n"
    done = process.capture(Command((program, "--show", f"--showformat={fields}", path)), timeout=60)
    name, _, needs = done.stdout.partition("\n")
    return name, re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", needs)
