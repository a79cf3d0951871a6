"""The lists that a command names, and the requests made of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from ..io.reading import text_of
from ..model.errors import UsageError
from ..model.packages import ManagerName
from ..model.request import Request
from ..model.sources import Sources
from ..model.spec import Constraint, RequirementsFile, Spec
from ..model.spec import read as read_spec
from . import Found, Origin
from .argv import name_of_repository, repository
from .downloads import taken
from .files import ListFormat, Reading
from .machine import origin_of

_LISTS = (Constraint, RequirementsFile)


def expand(found: Found) -> Iterator[Found]:
    """Yield the requests of a find, with the lists among its specs read.

    A ``-r FILE`` that pip reads as we do stays as it is. A missing local file is given
    back as not understood: its content is unknown, and so would be a replay.
    """
    left, done = taken(found, lambda folder: _wheels(found, folder))
    yield from done
    if left is None or left.request is None:
        yield from () if left is None else (left,)
        return
    found, request = left, left.request
    if changed := ", ".join(path for path, text in found.written if _differs(path, text)):
        note = f"A line before it writes {changed}: it is read as it lies here now."
        found = replace(found, note=" ".join(filter(None, (found.note, note))))
    specs = tuple(_from_origin(spec, request.manager, found) for spec in request.specs)
    request = replace(request, specs=specs)
    missing = [spec for spec in request.specs if not os.path.exists(local_path(spec) or "/")]
    lists = {
        spec: reading
        for spec in request.specs
        if spec not in missing and (reading := _list_of(found, spec)) is not None
    }
    specs = tuple(spec for spec in request.specs if spec not in missing and spec not in lists)
    if any(not isinstance(spec, Constraint) for spec in specs):
        sources = request.sources if found.unsaid else request.sources.of(request.manager)
        yield replace(found, request=replace(request, specs=specs, sources=sources))
    for listed in lists.values():
        yield from listed
    texts = {path: text for path, text in found.written if text is not None}
    written = [spec for spec in missing if local_path(spec) in texts]
    for spec in written:
        path = local_path(spec)
        folder = os.path.dirname(path)
        yield from listed_in(found, request, path, texts[path], folder=folder)
    missing = [spec for spec in missing if spec not in written]
    if missing:
        paths = ", ".join(map(local_path, missing))
        origins = [origin_of(local_path(spec), dict(found.fetched)) for spec in missing]
        urls = dict.fromkeys(each[0].url for each in origins if each)
        why = "".join(f" It comes from {url}, which the lines fetch." for url in urls)
        if {path for path, _ in found.written} & set(map(local_path, missing)):
            why = " A line before it writes it, and only the run can tell what."
        whole = found.command == " ".join(request.texts)  # of a list, which lost one
        command = " ".join(map(str, missing)) if whole else found.command
        reason = f"There is no {paths} here.{why}"
        yield replace(found, command=command, request=None, reason=reason)


def _wheels(found: Found, folder: str) -> Iterator[Found]:
    for each in dict(found.wheels)[folder]:
        yield from expand(each)


_INCLUDE = re.compile(
    r"^[ \t-]*?(?:-r|-c|-e|--requirement|--constraint|--editable)[ \t=]*[^\s=].*", re.MULTILINE
)


def listed_in(
    found: Found, request: Request, path: str, text: str, *, folder: str
) -> Iterator[Found]:
    """Yield the requests of a list that earlier lines write, and that is not here."""
    from .files import conda_list, environment_yml, requirements

    if match := _INCLUDE.search(text):
        reason = f"{path}, which the lines before it write, names another list: {match[0].strip()}"
        yield replace(found, request=None, reason=reason)
        return
    with TemporaryDirectory() as there:
        file = Path(there, os.path.basename(path))
        file.write_text(text, encoding="utf-8")
        try:
            if environment_yml.recognises(file):
                reading = environment_yml.read(file)
            elif request.manager == "conda":
                reading = conda_list.read(file)
            else:
                reading = requirements.read(file, folder=folder)
        except (OSError, UsageError) as error:
            problem = getattr(error, "reason", str(error)).replace(str(file), path)
            yield replace(found, request=None, reason=f"{path} cannot be read: {problem}")
            return
        if any(there in each for asked in reading.requests for each in asked.texts):
            reason = f"{path}, which the lines before it write, names files beside it."
            yield replace(found, request=None, reason=reason)
            return
    yield from listed_by(found, request, path, reading)


def _differs(path: str, text: str | None) -> bool:
    """Return whether a file here is, or may be, another than what lines before its use leave."""
    try:
        return os.path.isfile(path) and text_of(Path(path)).strip() != (text or "").strip()
    except (OSError, UsageError):
        return True


def _from_origin(spec: Spec, manager: ManagerName, found: Found) -> Spec:
    """Return what is not here by the URL that the lines before it fetch it from."""
    path = local_path(spec)
    fetched = origin_of(path, dict(found.fetched)) if path and not os.path.exists(path) else None
    url = fetched_url(*fetched, manager, is_list=isinstance(spec, _LISTS)) if fetched else ""
    return at_url(spec, manager, url) if url else spec


def at_url(spec: Spec, manager: ManagerName, url: str) -> Spec:
    """Return what is not here by its URL; extras need its name: the repository's, or the file's.

    >>> from jstackmagic.model.spec import read
    >>> str(at_url(read("pip", "/w/p[a]"), "pip", "git+https://h.example/o/p.git@v1"))
    'p[a] @ git+https://h.example/o/p.git@v1'
    """
    flag = f"{str(spec).split(maxsplit=1)[0]} " if isinstance(spec, _LISTS) else ""
    if spec.extras:
        name = name_of_repository(re.sub(r"(?:@[^/@]+)?(?:#.*)?$", "", url))
        url = spec.named(re.sub(r"-\d.*", "", name), url)
    return read_spec(manager, flag + url)


def fetched_url(origin: Origin, below: str, manager: str, *, is_list: bool) -> str:
    """Return the URL by which a manager takes a fetched file or project; empty if it takes none.

    >>> from jstackmagic.capture import Origin
    >>> fetched_url(Origin("https://h.example/p.git", "v1"), "sub", "pip", is_list=False)
    'git+https://h.example/p.git@v1#subdirectory=sub'
    >>> fetched_url(Origin("https://h.example/a.txt", is_file=True), "", "conda", is_list=True)
    ''
    """
    if origin.revision is None or manager == "apt":
        return ""
    if origin.is_file:
        return "" if is_list and manager != "pip" else origin.url
    if is_list or manager != "pip" or below.endswith((".whl", ".gz", ".zip", ".bz2")):
        return ""
    return repository(origin.url, origin.revision, below)


def local_path(spec: Spec) -> str:
    """Return the local path that a spec needs; empty where it needs none.

    >>> from jstackmagic.model.spec import read
    >>> local_path(read("pip", "-r /w/list.txt")), local_path(read("pip", "six"))
    ('/w/list.txt', '')
    >>> local_path(read("pip", "six @ file:///w/six.whl")), local_path(read("pip", "-r http://h/l"))
    ('/w/six.whl', '')
    """
    if spec.place.startswith("file:"):
        path = re.split(r"[#?]", spec.place.removeprefix("file:"), maxsplit=1)[0]
        return unquote(re.sub("^//(?=/)", "", path))
    return spec.place if os.path.isabs(spec.place) else ""


def _list_of(found: Found, spec: Spec) -> tuple[Found, ...] | None:
    """Return the finds of a list among the specs; None if the spec stays as it is."""
    from .files import conda_list, reader, requirements

    assert found.request is not None
    file = local_path(spec)
    if not isinstance(spec, RequirementsFile) or not file:
        return None
    of_pip = found.request.manager == "pip"
    path = Path(file)
    module = reader(path)
    try:
        if not of_pip:
            if found.request.manager == "conda" and module in (None, requirements):
                module = conda_list  # to conda a plain list holds specs of its own
            if module is None:
                raise UsageError(f"what {file} lists is not read here.")
            reading = module.read(path)
        elif module in (None, requirements):
            reading = requirements.read(path, folder=str(path.parent))
            if requirements.is_clean(reading):
                return None
        else:
            assert module is not None
            reading = _read_by(found, module, path)
    except (OSError, UsageError) as error:
        reason = f"{file} cannot be read: {getattr(error, 'reason', error)}"
        return (replace(found, request=None, reason=reason),)
    return tuple(listed_by(found, found.request, file, reading))


def _read_by(found: Found, module: ListFormat, path: Path) -> Reading:
    """Read a list in another format than pip's for the tool that got it."""
    from .files import inline_script, pylock, pyproject, setup_cfg

    if found.ours:
        return module.read(path)
    is_uv = re.search(r"\buv\b", found.command) is not None
    if module is pyproject and is_uv:
        return pyproject.read(path, extras=found.extras, by_uv=True)
    if module is setup_cfg and is_uv:
        return setup_cfg.read(path, extras=found.extras)
    if module is pylock:
        return pylock.read(path)
    if module is inline_script and is_uv:
        return inline_script.read(path)
    kind = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    raise UsageError(
        f"pip refuses it as requirements: {kind}. %envinstall -f {path} reads it, or a file that is"
        " named for what it holds."
    )


def listed_by(found: Found, request: Request, file: str, reading: Reading) -> Iterator[Found]:
    """Yield the requests of a find, from the content of its list."""
    for each in reading.found:
        target = found.target
        if target.made and each.target.name and not (target.name or target.prefix):
            target = replace(target, name=each.target.name)
        listed = each.request
        if listed is not None:
            own = request.manager == listed.manager
            given = request.sources if own or found.ours else Sources()
            sources = given.of(listed.manager) | listed.sources
            options = (*listed.options, *request.options) if own else listed.options
            listed = replace(listed, sources=sources, options=options, upgrade=request.upgrade)
        notes = (n for n in reading.notes if request.manager == "pip" or "pip refuses" not in n)
        note = " ".join(filter(None, (found.note, each.note, *notes)))
        reason = f"{file}:{each.line}: {each.command}: {each.reason}" if each.reason else ""
        yield replace(found, request=listed, target=target, reason=reason, note=note)
    if not reading.found:
        reason = " ".join((f"{file} names no package.", *reading.notes))
        yield replace(found, request=None, reason=reason)
