"""The language of pip: reading the specs of a request, and what is wrong with one.

No manager: whoever serves pip's requests shares it.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.credentials import mask
from ...model.errors import NOTHING_CHANGED, InvalidSpec, Stopped
from ...model.packages import normalise
from ...model.spec import split_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement

    from ...model.request import Request

FLAGS = ("-r ", "-c ", "-e ")
"""What a spec begins with that is an option and its value, as in a requirements file."""

VCS = re.compile(r"(?:git|hg|svn|bzr)\+\S+")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|file:/)\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_LEGACY = re.compile(
    rf"{_NAME}(?:\[[\w., -]*\])?\s*(?:(?:===?|[<>!~]=|[<>])\s*[\w.*+!-]+\s*(?:,\s*(?!$)|$))+"
)


def check_specs(request: Request, *, legacy: bool) -> None:
    """Refuse what pip could not read.

    Args:
        request: Whose specs.
        legacy: Whether versions older than PEP 440 are read, such as 2004b.

    Raises:
        InvalidSpec: With the nearest right form, where there is one.
    """
    for spec in request.texts:
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
    if spec.startswith(FLAGS):
        return _problem_of_place(spec[3:].strip(), file=not spec.startswith("-e "))
    if spec.startswith("-"):
        return f"{spec!r} is an option, not a requirement; options go after two dashes: … -- {spec}"
    if is_place(spec):
        return _problem_of_place(spec, file=False)
    try:
        requirement = Requirement(spec)
    except InvalidRequirement:
        return "" if legacy and _LEGACY.fullmatch(spec) else f"{spec!r} is no requirement."
    if requirement.url is not None and not is_place(requirement.url):
        return f"{spec!r} is no requirement: {requirement.url!r} is no URL."
    return ""


def _problem_of_place(place: str, *, file: bool) -> str:
    if VCS.fullmatch(place) or _URL.fullmatch(place):
        return ""
    path = Path(re.sub(r"\[[^\]]*\]$", "", place)).expanduser()
    if path.is_file() or (path.is_dir() and not file):
        return ""
    return f"There is no {'file' if file else 'file or folder'} {place!r}."


def is_place(spec: str) -> bool:
    """Whether a spec is a path or URL rather than a name."""
    return spec.startswith(("/", ".", "~/")) or bool(VCS.match(spec) or _URL.fullmatch(spec))


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


def name_of(spec: str) -> str:
    """The normalised name in a spec; empty where it names none."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    spec, _ = split_hashes(spec)
    if spec.startswith(FLAGS):
        spec = spec[3:].strip() if spec.startswith("-e ") else ""
    egg = re.search(r"[#&]egg=([^&\[]+)", spec)
    if egg:
        return normalise(egg[1])
    if is_place(spec):
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


def url_of(spec: str) -> str:
    """The URL of the archive that a spec names; empty where it names a project or an index has it.

    >>> url_of("six @ https://host.example/six-1.17.0-py3-none-any.whl")
    'https://host.example/six-1.17.0-py3-none-any.whl'
    """
    from packaging.requirements import InvalidRequirement, Requirement

    place = spec = split_hashes(spec)[0]
    if not is_place(spec):
        try:
            place = Requirement(spec).url or ""
        except InvalidRequirement:
            return ""
    if place.startswith(("/", ".", "~")):
        return Path(place).expanduser().resolve().as_uri()
    return place


def plain_requirements(spec: str) -> list[Requirement] | None:
    """The requirements of a spec or of a file of specs; None where one is not only a name.

    Not with pip-api: it runs pip to be imported, evaluates markers for the Python that runs it,
    and passes over options such as ``--pre`` in silence.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lines = [spec]
    if spec.startswith(("-r ", "-c ")):
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


def arguments(specs: Iterable[str]) -> list[str]:
    """One argument each, but ``-r FILE`` is two; what has hashes goes into a file together."""
    words: list[str] = []
    hashed: list[str] = []
    for spec in specs:
        if split_hashes(spec)[1]:
            hashed.append(spec)
        else:
            words += (spec[:2], spec[3:].strip()) if spec.startswith(FLAGS) else (spec,)
    return [*words, *(("-r", _listed(hashed)) if hashed else ())]


def _listed(specs: Sequence[str]) -> str:
    """A file of specs: pip takes hashes from nowhere else. It stays, so that the command does.

    Raises:
        Stopped: It cannot be written.
    """
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
            kept=NOTHING_CHANGED,
            advice="Name a folder that can be written to: %env XDG_CACHE_HOME=/tmp",
        ) from None
    return str(file)
