"""pip's language of specs: read those of a request, and say what is wrong with one.

The engines for pip's requests share it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import names
from ...io.reading import path_of, text_or_none
from ...model.credentials import mask, without_login
from ...model.errors import InvalidSpec, Stopped
from ...model.parsing import logical_lines
from ...model.request import Request
from ...model.spec import (
    URL,
    Listing,
    Requirement,
    RequirementsFile,
    Spec,
    VcsReference,
    is_vcs,
    read,
    turned,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement as Pep508

_URL = re.compile(rf"(?:{URL.pattern}|file:/)\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_LEGACY = re.compile(
    rf"{_NAME}(?:\[[\w., -]*\])?\s*(?:(?:===?|[<>!~]=|[<>])\s*[\w.*+!-]+\s*(?:,\s*(?!$)|$))+"
)


def check_specs(request: Request, *, legacy: bool) -> None:
    """Refuse specs that pip could not read.

    Args:
        legacy: Whether versions older than PEP 440 are read, such as 2004b.

    Raises:
        InvalidSpec: A spec is invalid; the error has the nearest valid form, if any.
    """
    for spec in request.specs:
        text = spec.text
        problem = _problem(spec, legacy=legacy)
        if problem:
            raise InvalidSpec(problem, advice=tuple(_nearest(text)))
        named = isinstance(spec, RequirementsFile) or re.fullmatch(_NAME, text)
        if request.action == "remove" and not named:
            name = re.match(_NAME, text)
            raise InvalidSpec(
                f"{text!r} is not the name of an installed package.",
                advice=f"Remove it by its name: %envremove {name[0]}" if name else (),
            )


def _problem(spec: Spec, *, legacy: bool) -> str:
    """Return what is wrong with a spec; empty if pip can read it."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = spec.unhashed.text
    if spec.hashes and mask(text) != text:
        return (
            f"{mask(text)!r} has a credential and hashes, and pip takes hashes from a file alone,"
            " where no credential may lie; .netrc is the place for it."
        )
    if _CONTROL.search(text) or not text.strip():
        return f"{text!r} is not a requirement: it is not one line of text."
    if isinstance(spec, Listing) or spec.editable:
        return _problem_of_place(spec, file=isinstance(spec, Listing))
    if text.startswith("-"):
        return f"{text!r} is an option, not a requirement; options go after two dashes: … -- {text}"
    if is_place(text):
        return _problem_of_place(spec, file=False)
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return "" if legacy and _LEGACY.fullmatch(text) else f"{text!r} is not a requirement."
    if requirement.url is not None and not is_place(requirement.url):
        return f"{text!r} is not a requirement: {requirement.url!r} is not a URL."
    return ""


def _problem_of_place(spec: Spec, *, file: bool) -> str:
    if spec.is_url:
        return "" if re.fullmatch(r"\S+", spec.place) else f"{spec.place!r} is not a URL."
    path = path_of(spec.place)
    if file and path.is_dir():
        return f"{spec.place!r} is a folder, not a list of packages."
    if path.is_file() or (path.is_dir() and not file):
        return ""
    return f"There is no {'file' if file else 'file or folder'} {spec.place!r}."


def is_place(spec: str) -> bool:
    """Return whether a spec is a path or URL rather than a name."""
    return spec.startswith(("/", ".", "~/")) or bool(is_vcs(spec) or _URL.fullmatch(spec))


def _nearest(spec: str) -> Iterator[str]:
    """Yield advice with the requirement that was probably meant."""
    if "::" in spec or re.fullmatch(rf"{_NAME}=[^=\s]+=[^=\s]+", spec):
        yield f"That is a match spec of conda's: %envinstall {shlex.quote(f'conda:{spec}')}"
        return
    if spec.endswith(";"):
        yield "A magic reads its whole line as packages; Python goes on in the next line."
        return
    fixed = re.sub(r"(?<![<>=!~])=(?!=)", "==", turned(spec))
    fixed = re.sub(rf"^({_NAME})(?:\s+|\s*@\s*)(\d\S*)$", r"\1==\2", fixed)
    if fixed != spec and not _problem(read("pip", fixed), legacy=False):
        yield f"Did you mean: %envinstall {shlex.quote(f'pip:{fixed}')}"


def url_of(spec: Spec) -> str:
    """Return the URL of the archive that a spec names; empty where an index has it.

    >>> url_of(read("pip", "six @ https://host.example/six-1.17.0-py3-none-any.whl"))
    'https://host.example/six-1.17.0-py3-none-any.whl'
    """
    if isinstance(spec, Listing) or spec.editable:
        return ""
    return spec.place if spec.is_url or not spec.place else _as_url(spec)


def _as_url(spec: Spec) -> str:
    return Path(os.path.realpath(path_of(spec.place))).as_uri()


def installed_from(spec: Spec) -> str:
    """Return what ``direct_url.json`` begins with for a path or URL; else empty."""
    if isinstance(spec, (*Listing, Requirement)) or not spec.place:
        return ""
    if not spec.is_url:
        return _as_url(spec)
    url = without_login(spec.place.partition("#")[0])
    return re.sub(r"@[^@/]+$", "", url) if isinstance(spec, VcsReference) else url


def plain_requirements(spec: Spec) -> list[Pep508] | None:
    """Return the requirements of a spec or of a file of specs; None if one is not only a name.

    Not with pip-api: it runs pip to be imported, evaluates markers for the Python that runs it,
    and passes over options such as ``--pre`` in silence.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lines = [spec.text]
    if isinstance(spec, Listing):
        text = text_or_none(spec.place)
        if text is None:
            return None
        lines = [line for _, line in logical_lines(text)]
    try:
        found = [Requirement(line) for line in lines if line]
    except InvalidRequirement:
        return None
    return None if any(item.url for item in found) else found


def arguments(specs: Iterable[Spec]) -> list[str]:
    """Return one argument each, but two of ``-r FILE``; those with hashes are a file together."""
    words: list[str] = []
    hashed: list[str] = []
    for spec in specs:
        if spec.hashes:
            hashed.append(spec.text)
        else:
            words += spec.words
    return [*words, *(("-r", _listed(hashed)) if hashed else ())]


def _listed(specs: Sequence[str]) -> str:
    """Write a file of specs, pip's only place for hashes. It stays, so that the command works."""
    from platformdirs import user_cache_path

    text = "".join(f"{spec}\n" for spec in specs)
    name = f"requirements-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    file = user_cache_path("jstackmagic") / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stopped(
            f"pip takes hashes from a file alone, and {file} cannot be written: {error.strerror}.",
            advice="Name a folder that can be written to: %env XDG_CACHE_HOME=/tmp",
        ) from None
    return str(file)


def own_name(spec: str) -> str:
    """Return a spec by PyPI's name if conda-forge's differs: ``opencv`` → ``opencv-python``.

    Only for much used packages, where the meaning is clear.
    """
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec)
    name = found[0].lower() if found else spec
    other = names.pypi_name(name)
    meant = names.is_popular(other) and not (
        names.is_popular(name) and names.conda_name(name) == name
    )
    if not meant:
        return spec
    return other + spec[len(name) :]
