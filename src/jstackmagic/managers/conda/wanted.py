"""Read a request to conda: lists and archives are read, channels become URLs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from ...io.reading import path_of, text_of
from ...model.environment import ConfiguredChannel, Environment
from ...model.errors import JStackMagicError
from ...model.options import CONDA
from ...model.parsing import logical_lines
from ...model.request import Request
from ...model.spec import LocalArchive, MatchSpec, RemoteArchive, RequirementsFile, Spec, read
from ...model.wanted import Wanted, plain_place
from .spec import configuration, local_path, read_archive

_UNCHECKED = "a server whose certificate is not checked"


def urls(
    channels: Iterable[str],
    environment: Environment,
    *,
    but: Callable[[str], bool] | None = None,
) -> list[str]:
    """Return the plain URLs of channels; see `condarc.load`."""
    from ...where.condarc import channel_urls

    config = configuration(environment, but=but)
    return [plain_place(url) for each in channels for url in channel_urls(each, config)]


def is_of_user(source: str, environment: Environment) -> bool:
    """Return whether a source of settings is a variable or of the home, which no image has."""
    theirs = source.startswith((os.path.expanduser("~/"), "CONDA_", "$", "MAMBA_"))
    return theirs and not source.startswith(f"{environment.root or environment.prefix}/")


def of_user(environment: Environment) -> list[ConfiguredChannel]:
    """Return the channels of the user's home and variables."""
    of_user = (each for each in environment.channels if is_of_user(each.source, environment))
    return [each for each in of_user if each.channel != "nodefaults"]  # a word, no channel


def settled(channels: Iterable[str], environment: Environment) -> list[str]:
    """Return the plain URLs of channels, whatever the user's files say they are called."""
    return urls(channels, environment, but=partial(is_of_user, environment=environment))


def _answering(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield what the user's files and variables let answer for a channel, each with its origin."""
    config = configuration(environment)
    fixed = configuration(environment, but=partial(is_of_user, environment=environment))
    if config.ssl_verify is False and fixed.ssl_verify is not False:
        yield _UNCHECKED, "ssl_verify"
    for each, proxy in config.proxy_servers.items():
        if fixed.proxy_servers.get(each) != proxy:
            yield proxy, f"proxy_servers: {each}"


def wanted(request: Request, environment: Environment) -> Wanted:
    """Read a request, and all that it names; see `Manager.wanted`."""
    found = Wanted()
    channels = [(channel, "") for channel in request.sources.channels]
    specs: list[tuple[Spec, str]] = [(spec, "") for spec in request.specs]
    for option in CONDA.options(request.options):
        if option.name == "--channel":
            channels.append((option.value, ""))
        elif option.name == "--use-local":
            found.places.append(("channels", "local", ""))
        elif option.name == "--insecure":
            found.places.append(("channels", _UNCHECKED, option.words[0]))
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
    found.places += [("channels", place, where) for place, where in _answering(environment)]
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
    name = spec.name
    if isinstance(spec, LocalArchive):
        path = local_path(spec.place.partition("#")[0])
        found.places.append(("channels", plain_place(Path(path).absolute().as_uri()), where))
        try:
            archive = read_archive(path)
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
