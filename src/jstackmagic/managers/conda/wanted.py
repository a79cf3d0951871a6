"""Read a request to conda: lists and archives are read, channels become URLs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ...io.reading import path_of, text_of
from ...model.errors import JStackMagicError
from ...model.options import CONDA
from ...model.parsing import logical_lines
from ...model.spec import LocalArchive, MatchSpec, RemoteArchive, RequirementsFile, Spec, read
from ...model.wanted import Wanted, plain_place
from ...where.condarc import channel_urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...model.environment import ConfiguredChannel, Environment
    from ...model.request import Request


def urls(channels: Iterable[str], environment: Environment) -> list[str]:
    """Return the plain URLs of channels."""
    from .spec import configuration

    config = configuration(environment)
    return [plain_place(url) for each in channels for url in channel_urls(each, config)]


def of_user(environment: Environment) -> list[ConfiguredChannel]:
    """Return the channels of the user's home and variables, which no image has."""
    home = os.path.expanduser("~/")
    inside = f"{environment.root or environment.prefix}/"
    return [
        each
        for each in environment.channels
        if each.source.startswith((home, "CONDA_", "$", "MAMBA_"))
        and not each.source.startswith(inside)
    ]


def wanted(request: Request, environment: Environment) -> Wanted:
    """Read a request, and all that it names; see `Manager.wanted`."""
    found = Wanted()
    channels = [(channel, "") for channel in request.sources.channels]
    specs: list[tuple[Spec, str]] = [(spec, "") for spec in request.specs]
    for option in CONDA.read(request.options):
        if option.name == "--channel":
            channels.append((option.value, ""))
        elif option.name == "--use-local":
            found.places.append(("channels", "local", ""))
        elif option.name in ("", "--file"):
            flag = "--file " if option.name else ""
            specs.append((read("conda", f"{flag}{option.value}"), ""))
        elif option.name not in CONDA:
            found.beyond.append((option.name, ""))
    for spec, where in specs:
        for each, place in _listed(spec, where, found):
            channels += _one(each, place, found)
    if "--override-channels" not in request.options:
        channels += [(each.channel, each.source) for each in of_user(environment)]
    for channel, where in channels:
        found.places += [("channels", url, where) for url in urls([channel], environment)]
    return found


def _listed(spec: Spec, where: str, found: Wanted) -> list[tuple[Spec, str]]:
    """Return a spec, or those of the list that it names."""
    if not isinstance(spec, RequirementsFile):
        return [(spec, where)]
    try:
        lines = [line for _, line in logical_lines(text_of(path_of(spec.place)))]
    except (OSError, ValueError, JStackMagicError) as error:
        found.beyond.append((f"{spec.text} ({getattr(error, 'strerror', '') or error})", where))
        return []
    return [(read("conda", line), spec.place) for line in lines if not line.startswith("@")]


def _one(spec: Spec, where: str, found: Wanted) -> list[tuple[str, str]]:
    """Add a spec's name and place; return its channel."""
    from .spec import local_path, read_archive

    name = spec.name
    if isinstance(spec, LocalArchive):
        try:
            archive = read_archive(local_path(spec.place.partition("#")[0]))
        except JStackMagicError as error:
            found.nameless.append((error.problem, where))
        else:
            found.names.append((archive.name, where))
            found.needs += [(read("conda", need).name, spec.place) for need in archive.depends]
    elif isinstance(spec, RemoteArchive):
        found.places.append(("channels", plain_place(spec.place), where))
    pattern = re.match(r"(?:.*::)?[\w.-]*\*", spec.text) if isinstance(spec, MatchSpec) else None
    found.name("" if pattern else name, spec.text, where)
    return [(spec.channel, where)] if isinstance(spec, MatchSpec) and spec.channel else []
