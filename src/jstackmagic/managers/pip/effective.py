"""Add those settings of pip to a request that another machine would not have.

A setting from a variable, or from a file of the user's home, is not in the image: without
it in the record, the same line elsewhere would ask the default index. A setting in ``/etc`` or in
the prefix of the image's own Python is the image's. A list's own options count for what is left of
it once one of its packages is removed, and for what a replay brings of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from ...model.buildvariables import set_here
from ...model.environment import Environment
from ...model.options import INSTALL
from ...model.parsing import Asked
from ...model.request import Request
from ...model.spec import read
from .pipconf import Setting, configured
from .wanted import said_in_lists

_VALUED = (
    "no-binary",
    "only-binary",
    "trusted-host",
    "config-settings",
    "upgrade-strategy",
    "uploaded-prior-to",
)
_FLAGS = (
    "no-index",
    "pre",
    "prefer-binary",
    "no-deps",
    "no-build-isolation",
    "require-hashes",
    "ignore-requires-python",
)


def effective(
    request: Request, environment: Environment, environ: Mapping[str, str] | None = None
) -> Request:
    """Return the request with its settings that an image does not have."""
    if request.action != "install":
        return request
    environ = os.environ if environ is None else environ
    settings = {
        name: setting
        for name, setting in configured(environment, environ=environ).items()
        if setting.is_ours(environment)
    }
    listed = said_in_lists(request.specs)
    sources = (Asked(sources=request.sources) + listed).sources
    own = (each.words for each in INSTALL["pip"].options(listed.pip_options))
    fresh = (words for words in own if not {*words} <= {*request.options, "--require-hashes"})
    said = (*request.options, *chain.from_iterable(fresh))
    index = settings.get("index-url")
    extra = settings.get("extra-index-url")
    if "--no-index" not in said:
        sources = replace(
            sources,
            index_url=sources.index_url or (index.value if index else ""),
            extra_index_urls=tuple(
                dict.fromkeys((*(extra.words if extra else ()), *sources.extra_index_urls))
            ),
        )
    links = settings["find-links"].words if "find-links" in settings else ()
    sources = replace(
        sources, find_links=tuple(dict.fromkeys((*map(_absolute, links), *sources.find_links)))
    )
    variables = dict.fromkeys((*sources.variables, *set_here(environ, _at_start())))
    sources = replace(sources, variables=tuple(variables))
    lists = [
        read("pip", spec)
        for name, option in (("constraint", "-c"), ("requirement", "-r"), ("editable", "-e"))
        for place in (settings[name].words if name in settings else ())
        if (spec := f"{option} {_absolute(place)}") not in request.texts
    ]
    more = tuple(word for word in _options(settings, said))
    return replace(request, specs=(*lists, *request.specs), sources=sources, options=(*more, *said))


def _options(settings: Mapping[str, Setting], said: tuple[str, ...]) -> Iterator[str]:
    for name in _VALUED:
        for value in settings[name].words if name in settings else ():
            if value not in said:
                yield from (f"--{name}", value)
    for name in _FLAGS:
        if name in settings and settings[name].is_on and f"--{name}" not in said:
            yield f"--{name}"


def _absolute(place: str) -> str:
    return place if "://" in place else os.path.abspath(os.path.expanduser(place))


_OF_UV = re.compile(
    r"UV_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|FIND_LINKS|(?:BUILD_)?CONSTRAINT|OVERRIDE"
    r"|EXCLUDE_NEWER|NO_BINARY|NO_BUILD|ONLY_BINARY|PRERELEASE|RESOLUTION|TORCH_BACKEND)"
)


def unfollowed(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return a note on uv's settings that choose packages: an install asks as pip does.

    >>> unfollowed({"UV_DEFAULT_INDEX": "https://x.example", "UV_CACHE_DIR": "/c"})
    ("UV_DEFAULT_INDEX is uv's own: an install follows pip's settings alone.",)
    """
    environ = os.environ if environ is None else environ
    names = [name for name in sorted(environ) if _OF_UV.fullmatch(name) and environ[name]]
    if not names:
        return ()
    are = "are" if len(names) > 1 else "is"
    return (f"{', '.join(names)} {are} uv's own: an install follows pip's settings alone.",)


@lru_cache(maxsize=1)
def _at_start() -> Mapping[str, str]:
    """Return the variables that this process was started with; empty if unknown."""
    try:
        with open("/proc/self/environ", "rb") as file:
            text = file.read().decode(errors="surrogateescape")
    except OSError:
        return dict(os.environ)
    return dict(entry.partition("=")[::2] for entry in text.split("\0") if "=" in entry)
