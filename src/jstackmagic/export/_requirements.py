"""pip's part of a recipe as the lines of a requirements file, and the files that they name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from ..model.errors import UsageError
from ..model.options import INSTALL
from ..model.packages import Package
from ..model.parsing import OF_ONE, Asked, read_requirement
from ..model.pins import Pin, pinned_spec
from ..model.recipe import Holding, Item, RecipeStep
from ..model.spec import Listing, LocalProject, Spec, VcsReference, is_direct, is_vcs, read
from ..model.words import checked, public, published
from ._artifact import File
from ._beside import Beside, generated
from ._locked import hashes_of, resolved

_WITHOUT_HASH = "{} {}, and pip wants one for all or for none: it is not in this file."


class Requirements:
    """The lines of a requirements file being written.

    Args:
        beside: The names of the files next to it.
        projects: Whether folders are copied too; otherwise they are needed at their paths.
    """

    def __init__(self, pin: Pin, beside: Beside, *, projects: bool = False) -> None:
        self.notes: list[str] = []
        self._pin = pin
        self._beside = beside
        self._projects = projects
        self._files: dict[str, File] = {}

    @property
    def files(self) -> tuple[File, ...]:
        """Return the files that belong next to it."""
        return tuple(self._files.values())

    def lines(self, steps: Sequence[RecipeStep], *, behind: bool = False) -> list[str]:
        """Return indexes and options, then the requested specs, in the user's order.

        Args:
            behind: Whether the options that a single requirement takes stand behind it.
        """
        lines = [*self.heading(steps, behind=behind)]
        for step in steps:
            own = _behind(step) if behind else ""
            lines += [self.line(item) + own * _takes_options(item) for item in step.install]
            lines += self._brought(step)
        return list(dict.fromkeys(lines))

    def locked(self, steps: Sequence[RecipeStep], holding: Holding) -> list[str]:
        """Return every package with the hashes of its archives, requested ones first.

        pip takes hashes for all or none: a package without a hash is left out, and noted. A list
        (``-r FILE``) and constraints are replaced by their packages.
        """
        lines = [*self.heading(steps)]
        for item, package in resolved(steps, holding):
            if item is not None:
                if isinstance(item.spec, Listing):
                    continue
                line = self.line(item)
            else:
                assert package is not None
                line = self._came_along(package)
            hashes = hashes_of(package, holding) if package else ()
            spec = read("pip", line)
            if not _can_have_hash(spec):
                self.notes.append(_WITHOUT_HASH.format(line, "can have no hash"))
            elif spec.hashes:
                lines.append(line)
            elif hashes:
                lines.append(" ".join((line, *(f"--hash=sha256:{each}" for each in hashes))))
            else:
                self.notes.append(_WITHOUT_HASH.format(line, "has no hash on record"))
        return list(dict.fromkeys(lines))

    # -- parts

    def _came_along(self, package: Package) -> str:
        """Return the requirement of a dependency; an editable one has its flag."""
        if not is_direct(package):
            return checked(f"{package.name}=={package.version}")
        source = public(package.source)
        if package.editable or is_vcs(source):
            return f"{'-e ' if package.editable else ''}{source}"
        if source.startswith("file:") and package.sha256:
            file = self._beside.archive(unquote(urlsplit(source).path), package.sha256)
            self._files.setdefault(file.name, file)
            return f"./{file.name}"
        return checked(f"{package.name} @ {source}")

    def heading(self, steps: Sequence[RecipeStep], *, behind: bool = False) -> Iterator[str]:
        """Yield the indexes and options of all steps: a requirements file has one set of them."""
        indexes = list(dict.fromkeys(step.sources.index_url for step in steps))
        built = dict.fromkeys(text for step in steps for text in step.sources.variables)
        if built:
            self.notes.append(
                f"It was built with {public(' '.join(built))}: set these before you install from"
                " this file, which cannot hold them."
            )
        # the default index stays where a step had it: an index of its own may lack all the rest
        first, *others = ["", *filter(None, indexes)] if "" in indexes else indexes or [""]
        extra = [*others, *(url for step in steps for url in step.sources.extra_index_urls)]
        if len(indexes) > 1:
            self.notes.append(
                "Not all were taken from the same index; in this file every package may come from"
                " any of them: a package of the same name on another index may be taken for it"
                " (dependency confusion)."
            )
        if first:
            yield f"--index-url {self._index(first)}"
        for url in dict.fromkeys(extra):
            yield f"--extra-index-url {self._index(url)}"
        for place in dict.fromkeys(place for step in steps for place in step.sources.find_links):
            yield checked(public(f"--find-links {place}"))
        yield from self._options([step for step in steps if step.install], behind=behind)

    def _index(self, url: str) -> str:
        if url.startswith(("file:", "/", "~", ".")):
            self.notes.append(f"The index {url} is on this machine.")
        where = ": pip takes it from .netrc, a keyring, or PIP_INDEX_URL"
        return published(url, self.notes, where)

    def _options(self, steps: Sequence[RecipeStep], *, behind: bool) -> Iterator[str]:
        """Yield the options that a requirements file may have, which hold for all of it."""
        given: dict[str, list[RecipeStep]] = {}
        for step in steps:
            for option in INSTALL["pip"].options(step.options):
                if not (
                    behind and option.name in OF_ONE and any(map(_takes_options, step.install))
                ):
                    given.setdefault(" ".join(option.words), []).append(step)
        for line, own in given.items():
            try:
                read = read_requirement(line, folder="/")
            except UsageError:
                read = Asked()
            names = ", ".join(item.name or item.text for step in own for item in step.install)
            if not (read.pip_options or read.sources):
                self.notes.append(
                    f"A requirements file cannot say {public(line)}, which pip was given for"
                    f" {public(names)}."
                )
            elif line == "--no-index" and len(own) < len(steps):
                self.notes.append("--no-index holds for a whole file: some of it needs an index.")
            else:
                if len(own) < len(steps):
                    self.notes.append(
                        f"{public(line)} holds for all of a requirements file; here it was for"
                        f" {public(names)} alone."
                    )
                yield checked(public(line))

    def line(self, item: Item) -> str:
        """Return one requirement; its local file is next to the list."""
        return checked(self.spec(item).text)

    def spec(self, item: Item) -> Spec:
        """Return the requested spec; a local file's place is next to the list."""
        hashes = "".join(f" --hash={each}" for each in item.spec.hashes)
        item = replace(item, spec=item.spec.unhashed)
        spec = pinned_spec(item, self._pin)
        if public(spec.text) != spec.text:
            self.notes.append(f"The credential of {public(spec.text)} is not written.")
            spec = read("pip", public(spec.text))
        if spec.path:
            spec = self._local(spec, item)
        return read("pip", f"{spec.text}{hashes}")

    def _local(self, spec: Spec, item: Item) -> Spec:
        """Put a file next to the list; a folder stays where it is."""
        is_folder = isinstance(spec, LocalProject)
        if is_folder and not self._projects:
            self.notes.append(
                f"{spec.path} is a folder of this machine, and is needed where it is."
            )
            return spec
        file = self._beside.file(item)
        self._files.setdefault(file.name, file)
        if isinstance(spec, Listing):
            return read("pip", f"{spec.words[0]} {file.name}")
        flag = "-e " if spec.editable else ""  # a relative path is not a URL, and has no name
        return read("pip", f"{flag}./{file.name}{spec.tail}")

    def _brought(self, step: RecipeStep) -> list[str]:
        """Return the versions that ``-r FILE`` installed, as constraints: it may not pin."""
        brought = {other.name: other for item in step.install for other in item.brought}
        if not brought or self._pin != "exact":
            return []
        lines = sorted(checked(f"{item.name}=={item.version}") for item in brought.values())
        file = generated("versions", "".join(f"{line}\n" for line in lines))
        self._files[file.name] = file
        return [f"-c {file.name}"]


def _behind(step: RecipeStep) -> str:
    """Return the options of a step that a requirements file has behind a requirement."""
    options = INSTALL["pip"].options(step.options)
    return "".join(f" {shlex.join(each.words)}" for each in options if each.name in OF_ONE)


def _takes_options(item: Item) -> bool:
    return not (isinstance(item.spec, Listing) or item.spec.editable)


def _can_have_hash(spec: Spec) -> bool:
    """Return whether pip can check one: of a version control checkout or a folder it cannot."""
    return not (isinstance(spec, (LocalProject, VcsReference)) or is_vcs(spec.place))
