"""Wheels that lines get into a folder and install from there: asked for as what they are of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ..io.reading import text_or_none
from ..model.documents import parse_toml
from ..model.errors import InvalidSpec
from ..model.packages import normalise
from ..model.request import Request
from ..model.spec import Constraint, Listing, Requirement, RequirementsFile, Spec, read
from . import Found

_WHEEL = re.compile(r"([\w.]+)-([^-]+)-.+\.whl")


def taken(
    found: Found, of: Callable[[str], Iterable[Found]]
) -> tuple[Found | None, tuple[Found, ...]]:
    """Separate what a find takes from folders that lines before it filled with wheels.

    Args:
        of: Returns what such a folder's wheels are of, with the lists as they are here.

    Returns:
        The find without that, if anything is left; the requests for the rest.
    """
    request, folders = found.request, dict(found.wheels)
    if request is None or request.manager != "pip" or not folders:
        return found, ()
    files = [
        spec
        for spec in request.specs
        if os.path.dirname(spec.place) in folders and not isinstance(spec, Listing)
    ]
    rest = tuple(spec for spec in request.specs if spec not in files)
    links = [link for link in request.sources.find_links if _path(link) in folders]
    done = [each for spec in files for each in _of_file(found, request, spec, of)]
    if links:
        made = [each for link in links for each in of(_path(link))]
        named = [spec for spec in rest if not spec.place]
        done += [each for spec in named for each in _by_name(found, request, spec, made)]
        rest = tuple(spec for spec in rest if spec.place)
        request = next((_joined(request, m.request) for m in made if m.request), request)
    left = replace(found, request=replace(request, specs=rest)) if rest else None
    return left, tuple(_together(done))


def _together(done: list[Found]) -> Iterator[Found]:
    """Yield the finds, those that differ in their specs alone as one."""
    alike: dict[Found, list[Spec]] = {}
    for each in done:
        one = each.request
        key = replace(each, request=one and replace(one, specs=()), wheels=())
        alike.setdefault(key, []).extend(one.specs if one else ())
    for each, specs in alike.items():
        texts = tuple(dict.fromkeys(specs))
        yield replace(each, request=each.request and replace(each.request, specs=texts))


def _of_file(
    found: Found, request: Request, spec: Spec, of: Callable[[str], Iterable[Found]]
) -> Iterator[Found]:
    """Yield the requests for a wheel, or for those that a pattern names."""
    folder, name = os.path.split(spec.place)
    made = list(of(folder))
    if name not in ("*", "*.whl"):
        wheel = _WHEEL.fullmatch(name)
        plain = f"{wheel[1]}=={wheel[2]}" if wheel else re.split(r"[-*?\[]", name, maxsplit=1)[0]
        yield from _by_name(found, request, read("pip", plain.replace("_", "-")), made)
        return
    for each in made:
        if each.request is None:
            yield replace(found, request=None, reason=f"The wheels in {folder}: {each.reason}")
            continue
        whole = _joined(request, each.request, *each.request.specs)
        if "--no-deps" not in each.request.options:  # they came along
            options = tuple(word for word in whole.options if word != "--no-deps")
            whole = replace(whole, options=options)
        yield replace(found, request=whole)


def _by_name(found: Found, request: Request, spec: Spec, made: list[Found]) -> Iterator[Found]:
    """Yield the request for a package out of wheels."""
    every = [(each.request, one) for each in made if each.request for one in _listed(each.request)]
    for of, one in every:
        if _name(one) == normalise(spec.name):
            own = str(one)
            if spec.extras and one.place:
                own = spec.named(spec.name, one.place) if one.is_url else spec.elsewhere(one.place)
            elif spec.extras:
                own = f"{spec.name}[{','.join(spec.extras)}]{getattr(one, 'version', '')}"
            is_open = one.place or (isinstance(spec, Requirement) and not spec.version)
            yield replace(found, request=_joined(request, of, own if is_open else spec))
            return
    if not every or not all(_name(one) for _, one in every):
        reason = f"It takes {spec} from wheels, and what they are of is not clear."
        reasons = (reason, *filter(None, (each.reason for each in made)))
        yield replace(found, request=None, reason=" ".join(reasons))
    else:  # what another of them needs
        yield replace(found, request=_joined(request, every[0][0], spec))


def _joined(request: Request, of: Request, *specs: Spec | str) -> Request:
    """Return an install from the place where the wheels are from, under their constraints."""
    own = tuple(word for word in request.options if word != "--no-index")
    options = tuple(word for word in of.options if word != "--no-deps")
    links = tuple(link for link in request.sources.find_links if "://" in link)
    bounds = (spec for spec in of.specs if isinstance(spec, Constraint))
    texts = dict.fromkeys(map(str, (*specs, *bounds)))
    return replace(
        request,
        specs=tuple(read("pip", text) for text in texts),
        sources=replace(request.sources, find_links=links) | of.sources,
        options=own if own == options else options + own,
    )


def _listed(request: Request) -> Iterator[Spec]:
    """Yield a request's specs, with the lists among them read."""
    from .files import requirements

    for spec in request.specs:
        if isinstance(spec, RequirementsFile) and os.path.isfile(spec.place):
            for listed in requirements.read(Path(spec.place)).requests:
                yield from listed.specs
        elif not isinstance(spec, Constraint):
            yield spec


def _name(spec: Spec) -> str:
    """Return the name of a distribution, which a project's pyproject.toml has; or empty."""
    if spec.name or not os.path.isdir(spec.place):
        return normalise(spec.name)
    try:
        data = parse_toml(text_or_none(os.path.join(spec.place, "pyproject.toml")) or "", "")
    except InvalidSpec:
        return ""
    return normalise(str(data.get("project", {}).get("name") or ""))


def _path(link: str) -> str:
    return link.removeprefix("file://").rstrip("/")
