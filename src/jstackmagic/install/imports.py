"""The running interpreter after an install: what can be imported now, what needs a restart."""

from __future__ import annotations

import importlib
import os
import site
import sys
from collections.abc import Iterable

from ..managers.steps import Stale
from ..model.environment import Environment
from ..model.packages import Change, Package
from ..where.metadata import files_of

FilesByPackage = dict[tuple[str, str], tuple[str, ...]]


def files_before(packages: Iterable[Package], environment: Environment) -> FilesByPackage:
    """Return the files of packages that may change: after the install their records are gone."""
    return {package.key: files_of(package, environment) for package in packages}


def stale_modules(
    change: Change, environment: Environment, before: FilesByPackage
) -> tuple[Stale, ...]:
    """Return the loaded modules whose files have changed, top-level names only.

    Names of distributions say little about names of modules (scikit-learn, sklearn), so the files
    that the packages own are compared with the files that modules were loaded from.
    """
    loaded = _loaded_files(environment)
    found: dict[str, Stale] = {}
    for old, new in change.lost:
        files = set(before.get(old.key, ()))
        files |= set(files_of(new, environment)) if new else set()
        for path in files & loaded.keys():
            top = loaded[path].partition(".")[0]
            found.setdefault(top, Stale(top, old.name, old.version, new.version if new else ""))
    for package in change.added:  # pip over conda, or a second copy: the files were another's
        for path in set(files_of(package, environment)) & loaded.keys():
            top = loaded[path].partition(".")[0]
            found.setdefault(top, Stale(top, package.name, _loaded_version(top), package.version))
    return tuple(found[name] for name in sorted(found))


def make_importable(environment: Environment, before: dict[str, set[str]]) -> None:
    """Make what was just installed importable in this interpreter's own environment.

    Drops the import system's caches, obeys new ``.pth`` files as start-up would have done, and
    lets namespace packages look for new portions.
    """
    importlib.invalidate_caches()
    for folder in environment.site_packages:
        known = {os.path.realpath(path) for path in sys.path}
        if os.path.realpath(folder) not in known:
            continue
        for name in sorted(_pth(folder) - before.get(folder, set())):
            site.addpackage(folder, name, known)


def path_files(environment: Environment) -> dict[str, set[str]]:
    """Return the ``.pth`` files of each site-packages folder."""
    return {folder: _pth(folder) for folder in environment.site_packages}


def _pth(folder: str) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if name.endswith(".pth")}
    except OSError:
        return set()


def is_running(environment: Environment) -> bool:
    """Return whether this interpreter runs in that environment."""
    return os.path.realpath(environment.prefix) == os.path.realpath(sys.prefix)


def _loaded_files(environment: Environment) -> dict[str, str]:
    """Return the files of loaded modules, with the prefix spelled as the environment's."""
    loaded = {}
    head = sys.prefix + os.sep
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and name != "__main__":
            path = os.path.normpath(path)
            if path.startswith(head):
                path = os.path.join(environment.prefix, path[len(head) :])
            loaded[path] = name
    return loaded


def _loaded_version(module: str) -> str:
    return str(getattr(sys.modules.get(module), "__version__", "an older version"))
