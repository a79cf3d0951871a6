"""A pylock.toml (PEP 751): every package that pip installed, with the hashes of its archives.

pip and uv install it without resolving anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from ..model.errors import ExportError
from ..model.packages import Package
from ..model.recipe import Recipe
from ..model.spec import Listing, checkout, is_direct
from ..model.words import checked, published
from ._artifact import Artifact, File
from ._beside import Beside
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, OFFLINE, Format
from ._locked import archives_of, resolved
from ._toml import as_toml


def render(recipe: Recipe, *, name: str = "", prefix: str = "") -> Artifact:
    """Render what pip installed in an environment as a lock file; see `Format.render`."""
    page = _LockPage(choose(recipe, name=name, prefix=prefix), Beside(recipe))
    packages = sorted(page.packages(), key=lambda package: str(package["name"]))
    if not packages:
        raise ExportError(
            f"Of no package that pip installed in {page.chosen.name} is it known where it came"
            " from.",
            advice="A list of requirements: %envexport pip",
        )
    content: dict[str, Any] = {"lock-version": "1.0"}
    if page.chosen.python:
        content["requires-python"] = f"=={page.chosen.python}.*"
    content |= {"created-by": "jstackmagic", "packages": packages}
    return Artifact(as_toml(content), tuple(page.files), page.notes)


class _LockPage:
    """A lock file being written."""

    def __init__(self, chosen: Chosen, beside: Beside) -> None:
        self.chosen = chosen
        self._beside = beside
        self.notes = [*chosen.left_out, *chosen.without("conda")]
        self.files: list[File] = []

    def packages(self) -> Iterator[dict[str, Any]]:
        """Yield the packages, each as a table."""
        for item, package in resolved(self.chosen.of("pip"), self.chosen.holding):
            if package is None:
                assert item is not None
                if not isinstance(item.spec, Listing):  # what came of these is among the rest
                    self.notes.append(f"{item.text} was never seen installed: it is not locked.")
                continue
            table = self._of(package)
            if table is None:
                self.notes.append(
                    f"{package.name} {package.version} is not locked: the archive that it came"
                    " from is not known."
                )
            else:
                yield {"name": checked(package.name), **table}

    def _of(self, package: Package) -> dict[str, Any] | None:
        version = {"version": checked(package.version)}
        source = published(package.source, self.notes)
        vcs = checkout(source)
        if vcs is not None and vcs.ref:
            below = {"subdirectory": vcs.subdirectory} if vcs.subdirectory else {}
            return {"vcs": {"type": vcs.kind, "url": vcs.url, "commit-id": vcs.ref} | below}
        if package.editable or (source.startswith("file:") and not package.sha256):
            path = unquote(urlsplit(source).path)
            self.notes.append(f"{path} is a folder of this machine, and is needed where it is.")
            return {"directory": {"path": path} | ({"editable": True} if package.editable else {})}
        if source.startswith("file:"):
            file = self._beside.archive(unquote(urlsplit(source).path), package.sha256)
            self.files.append(file)
            hashes = {"sha256": package.sha256}
            return {**version, "archive": {"path": file.name, "hashes": hashes}}
        if is_direct(package) and package.sha256:
            url = {"url": source.partition("#")[0]}
            return {**version, "archive": url | {"hashes": {"sha256": package.sha256}}}
        return self._of_index(package, version)

    def _of_index(self, package: Package, version: dict[str, str]) -> dict[str, Any] | None:
        archives = {
            published(archive.url, self.notes): archive.sha256
            for archive in archives_of(package, self.chosen.holding)
        }
        if not archives and package.url and package.sha256:
            archives = {published(package.url, self.notes): package.sha256}
        tables = [
            {"name": _file(url), "url": url, "hashes": {"sha256": sha256}}
            for url, sha256 in archives.items()
        ]
        wheels = [table for table in tables if str(table["name"]).endswith(".whl")]
        sources = [table for table in tables if table not in wheels]
        if not tables:
            return None
        found: dict[str, Any] = {**version}
        if sources:
            found["sdist"] = sources[0]
        if wheels:
            found["wheels"] = wheels
        return found


def _file(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


FORMAT = Format(
    description=__doc__,
    files={"pylock.toml": {}},
    render=render,
    options=(*ENVIRONMENT, OFFLINE),
    needs={"index": ""},
    one_environment=True,
)
