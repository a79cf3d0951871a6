"""The hint for a failed import: a package to install, or the reason why none would help.

Nothing here is imported before an import has failed, or a notebook is scanned.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from importlib.machinery import ModuleSpec
from itertools import islice
from types import TracebackType

from .. import names
from ..model.packages import normalise
from ..names import standard

_LIBRARY = re.compile(r"\b(lib[\w+.-]*?\.so(?:\.\d+)*)\b")
_NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_ADVICE = re.compile(
    r"\b(?:pip3?|conda) install (?:-{1,2}[\w-]+ )*['\"`]?([A-Za-z0-9][\w.-]*\w)(\[[\w,-]+\])?"
)
_CLUSTERS = ("distributed", "ipyparallel", "pyspark", "ray")
_DEPTH = 3  # folders up from where the notebook lies
_FOLDERS = 30  # folders below each of those, and entries of each, that are looked at
_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Hint:
    """The words to show below a traceback."""

    module: str  #: the module that could not be imported, or the library that could not be loaded
    text: str  #: a sentence or two: an explanation, or the reason why nothing can be installed
    spec: str = ""  #: the spec to install, for ``%envinstall``; empty without one

    @property
    def line(self) -> str:
        """Return the line to type, which runs as it is; empty if nothing helps."""
        return f"%envinstall {self.spec}" if self.spec else ""

    def __str__(self) -> str:
        return "\n".join(part for part in (self.text, self.line) if part)


def explain(error: BaseException, *, conda: bool, folder: str | None = None) -> Hint | None:
    """Return the hint for an error.

    Args:
        conda: Whether this is a conda environment, so that conda's names are used.
        folder: The folder of the user's own modules; by default the working folder.

    Returns:
        None if the error is not a failed import, or there is nothing to add to its message.
    """
    folder = os.getcwd() if folder is None else folder
    for each in _chain(error):
        library = _missing_library(each)
        if library:
            return _of_library(library)
        if isinstance(each, ModuleNotFoundError) and each.name:
            return _of_worker(each.name) or _of_module(each, conda, folder)
        if isinstance(each, ImportError):
            found = _of_name(each, conda, folder)
            if found:
                return found
            found = _of_advice(each, conda)
            if found:
                return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an import error and its causes: pandas raises its own in place of it."""
    seen: set[int] = set()
    each: BaseException | None = error
    if not isinstance(error, (ImportError, OSError)):
        return
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


# Shared libraries


def _missing_library(error: BaseException) -> str | None:
    """Return the library that the loader (ld.so, dlopen) did not find."""
    if not isinstance(error, (ImportError, OSError)):
        return None
    text = str(error)
    if not re.search(r"cannot open shared object file|cannot load library", text):
        return None
    found = _LIBRARY.search(text)
    return found[1] if found else None


def _of_library(library: str) -> Hint | None:
    if library.startswith(("libcuda.so", "libnvidia")):
        return Hint(library, f"{library} comes with NVIDIA's driver, which the machine must have.")
    package = names.debian_package(library)
    if package is None:
        return None
    return Hint(library, f"The system library {library} is in {package}.", f"apt:{package}")


# Modules


def _of_worker(module: str) -> Hint | None:
    """Return the hint for what is here, and was missed where a cluster's worker imported it."""
    root = module.partition(".")[0]
    if any(library in sys.modules for library in _CLUSTERS) and module == root and _spec(root):
        return Hint(root, f"{root} is here, and a worker of the cluster lacks it: %envsync")
    return None


def _of_module(error: ModuleNotFoundError, conda: bool, folder: str) -> Hint | None:
    module = str(error.name)
    wanted = _wanted(error.__traceback__, module)
    root = module.partition(".")[0]
    # "import google.cloud.storage" says no more than that there is no "google"
    longest = max(wanted, key=lambda name: name.count("."), default=module)
    spec = _spec(root) if "." in module else None
    if spec is None:
        return explain_module(longest, conda=conda, folder=folder)
    return _of_submodule(module, longest, spec, conda, folder)


def explain_module(module: str, *, conda: bool, folder: str) -> Hint | None:
    """Return the hint for a module whose top-level name is missing."""
    root = module.partition(".")[0]
    if module.startswith("google.colab"):
        root = "google.colab"
    return (
        _standard(root, conda) or _own(root, folder) or _packaged(module, conda) or _unknown(root)
    )


def _standard(root: str, conda: bool) -> Hint | None:
    """Parts of Python itself, and what only other systems have."""
    if root in standard.ELSEWHERE:
        return Hint(root, f"{root} is there on {standard.ELSEWHERE[root]} alone.")
    if root in standard.PYTHON_2:
        return Hint(root, f"{root} is Python 2's; Python 3 has {standard.PYTHON_2[root]}.")
    if root in standard.REMOVED:
        since, instead = standard.REMOVED[root]
        if sys.version_info >= tuple(map(int, since.split("."))):
            return Hint(root, f"Python {since} removed {root}. In its place: {instead}.")
    if root in standard.OPTIONAL:
        debian, of_conda = standard.OPTIONAL[root]
        if conda and of_conda:
            return Hint(root, f"{root} belongs to Python; conda packs it apart.", of_conda)
        if debian and _is_debians():
            return Hint(root, f"{root} belongs to Python; Debian packs it apart.", f"apt:{debian}")
    if root in standard.BUILT_WITH:
        library = standard.BUILT_WITH[root]
        return Hint(root, f"This Python was built without {root}: {library} was not there then.")
    if root in standard.DEBIAN_PYTHON:
        package = standard.DEBIAN_PYTHON[root]
        if _is_debians():
            return Hint(root, f"{root} is in Debian's {package}.", f"apt:{package}")
        return Hint(root, f"{root} is for the system's own Python ({package}), not for this one.")
    if root in standard.OPTIONAL or root in sys.stdlib_module_names:
        return Hint(root, f"{root} belongs to Python itself, and this Python was built without it.")
    return None


def _is_debians() -> bool:
    """Return whether this interpreter is the one that Debian packs, or a venv on it."""
    return sys.base_prefix == "/usr"


def _packaged(module: str, conda: bool) -> Hint | None:
    root = module.partition(".")[0]
    only = standard.CONDA_ONLY.get(root)
    if only is not None:
        if conda:
            return Hint(module, f"{root} is in conda's package {only}.", only)
        return Hint(module, f"{root} is in conda's package {only}; no wheel brings it.")
    package = names.package_of(module)
    if package is None:
        if root not in names.names().namespaces:
            return None
        some = ", ".join(names.members(root))
        return Hint(module, f"Many packages share the name {root}: {some} … Which one is meant?")
    for pattern, (system, platform) in standard.ONE_SYSTEM.items():
        if re.fullmatch(pattern, package) and sys.platform != platform:
            text = f"{root} is in the package {package}, which is there on {system} alone."
            return Hint(module, text)
    spec = names.conda_name(package) if conda else package
    several = names.names().several.get(root)
    if several is not None:
        text = f"{root} is in the packages {' and '.join(several)}, which are not the same."
        # the line to type is the one that is meant nearly always
        most = "" if package == several[0] else f" {package} is used far more."
        return Hint(module, text + most, spec)
    shown = module if "." in module and root in names.names().namespaces else root
    note = _NOTES.get(root, "")
    text = f"{shown} is in the package {spec}{note}."
    if normalise(shown) == spec and not note:
        text = f"{shown} is not installed in this environment."
    return Hint(module, text, _PINNED.get(root, spec))


_NOTES = {"pkg_resources": ", up to version 81"}
_PINNED = {"pkg_resources": "'setuptools<82'"}


def _unknown(root: str) -> Hint | None:
    """Return the hint for an unknown name, which may be a typing error."""
    slip = names.slip_of(root)
    near = [slip] if slip else []
    for known in (_importable(), list(names.names().imports)):
        near = near or [name for name in names.nearest(root, known) if _is_slip(root, name)]
    near = near or list(names.nearest(root))
    if near:
        return Hint(root, f"No known package has {root}. Did you mean {near[0]}?")
    return Hint(
        root,
        f"No known package has {root}. Where it is a file of your own, its folder must be on "
        "sys.path.",
    )


def _is_slip(one: str, other: str) -> bool:
    return abs(len(one) - len(other)) <= 1 and len(one) > 3


def _importable() -> list[str]:
    """Return the top-level modules that are here."""
    from pkgutil import iter_modules

    found = {module.name for module in iter_modules()} | set(sys.stdlib_module_names)
    return sorted(name for name in found if not name.startswith("_"))


# The user's own files


def _own(root: str, folder: str) -> Hint | None:
    popular = names.is_popular(names.package_of(root) or "")
    path = None if popular else _own_file(root, folder)
    if path is not None:
        shown = os.path.relpath(path, folder)
        if path.endswith(".ipynb"):
            return Hint(root, f"{shown} is a notebook, which import cannot read: %run {shown}")
        place = os.path.dirname(shown) or "."
        if place == ".":
            return Hint(root, f"Your own file is called {shown}, and case counts.")
        return Hint(
            root,
            f"{shown} is yours, and its folder is not on sys.path: "
            f"import sys; sys.path.insert(0, {place!r})",
        )
    if root in names.names().own:
        return Hint(
            root,
            f"{root} looks like a file of your own, which is neither in {folder} nor on sys.path.",
        )
    return None


def _own_file(root: str, folder: str) -> str | None:
    """Return a user's module near a folder: in it in another case, next to, above or below it."""
    wanted = root.lower()
    here = [folder]
    for _ in range(_DEPTH):
        here.append(os.path.dirname(here[-1]))
    home = os.path.realpath(os.path.expanduser("~"))
    for place in here:
        for path in _modules_in(place, wanted):
            return path
        below = sorted(_folders_in(place)) if place == folder or _is_project(place) else []
        for child in below[:_FOLDERS]:
            for path in _modules_in(child, wanted):
                return path
        if os.path.realpath(place) in (home, "/"):
            break
    return None


def _modules_in(folder: str, wanted: str) -> Iterator[str]:
    for entry in _entries(folder):
        stem, dot, suffix = entry.name.lower().partition(".")
        if stem != wanted:
            continue
        if (dot and suffix in ("py", "ipynb")) or os.path.isfile(f"{entry.path}/__init__.py"):
            yield entry.path


def _folders_in(folder: str) -> Iterator[str]:
    for entry in _entries(folder):
        plain = entry.is_dir() and not entry.name.startswith((".", "_"))
        if plain and not any(
            os.path.exists(f"{entry.path}/{mark}") for mark in ("pyvenv.cfg", "conda-meta")
        ):
            yield entry.path


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, _ENTRIES))
    except OSError:
        return []


def _is_project(folder: str) -> bool:
    """Return whether a folder above is the project's, so that its other folders count."""
    marks = (".git", "pyproject.toml", "setup.py", "setup.cfg", "environment.yml", "src")
    return any(os.path.exists(f"{folder}/{mark}") for mark in marks)


# Submodules


def _of_submodule(
    module: str, longest: str, spec: ModuleSpec, conda: bool, folder: str
) -> Hint | None:
    """Return the hint for a missing module below a top-level name that is installed."""
    root = module.partition(".")[0]
    shadow = _shadow(root, spec, folder)
    if shadow:
        return shadow
    for moved, now in standard.MOVED.items():
        if f"{module}.".startswith(f"{moved}.") or f"{longest}.".startswith(f"{moved}."):
            return Hint(module, f"{moved} is gone: {now}.")
    full = longest if longest.startswith(f"{module}.") else module
    if full.startswith("google.colab"):
        return Hint(module, "google.colab is there on Google Colab alone.")
    package = names.package_of(full)
    if package and package != names.package_of(root) and not _version(package):
        return _packaged(full, conda)
    if root in names.names().namespaces and _is_namespace(spec):
        return Hint(module, f"No known package has {full}.")
    parent, _, child = module.rpartition(".")
    siblings = _submodules(parent)
    near = names.nearest(child, siblings)
    whose = names.package_of(root) or root
    version = _version(whose)
    text = f"{parent} has no module {child}{f' in {whose} {version}' if version else ''}."
    if near:
        text += f" Did you mean {parent}.{near[0]}?"
    return Hint(module, text)


def _of_name(error: ImportError, conda: bool, folder: str) -> Hint | None:
    """Return the hint for ``cannot import name``: a missing namespace part, or a hidden file."""
    if "attempted relative import" in str(error):
        return Hint(
            "",
            "A cell is not part of a package, so that its imports take no leading dot: "
            "from package.module import name",
        )
    found = _NO_NAME.search(str(error))
    if not found:
        return None
    name, module = found[1], found[2]
    root = module.partition(".")[0]
    spec = _spec(root)
    if spec is None:
        return None
    shadow = _shadow(root, spec, folder)
    if shadow:
        return shadow
    if root not in names.names().namespaces:
        return None
    full = f"{module}.{name}"
    package = names.package_of(full)
    if package and package != names.package_of(module) and not _version(package):
        return _packaged(full, conda)
    return None


def _of_advice(error: ImportError, conda: bool) -> Hint | None:
    """Return the hint in the error itself, as in those of optional dependencies."""
    found = _ADVICE.search(str(error))
    if not found or not names.is_known(found[1]) or (_version(found[1]) and not found[2]):
        return None
    package, extras = found[1], found[2]
    spec = f"'pip:{package}{extras}'" if extras else names.conda_name(package) if conda else package
    return Hint(package, f"The error names what it misses: {package}{extras or ''}.", spec)


def _shadow(root: str, spec: ModuleSpec, folder: str) -> Hint | None:
    """Return a file of the user's that hides a module of Python's or of a package's."""
    origin = spec.origin or ""
    if not origin.endswith(".py") or os.path.dirname(os.path.realpath(origin)) != os.path.realpath(
        folder
    ):
        return None
    if root not in sys.stdlib_module_names and not names.is_known(names.package_of(root) or root):
        return None
    return Hint(
        root, f"Your own {origin} hides the real {root}: give it another name, and restart."
    )


def _spec(root: str) -> ModuleSpec | None:
    module = sys.modules.get(root)
    if module is not None and getattr(module, "__spec__", None) is not None:
        return module.__spec__
    try:
        return util.find_spec(root)
    except (ImportError, ValueError, AttributeError):
        return None


def _is_namespace(spec: ModuleSpec) -> bool:
    return spec.submodule_search_locations is not None and spec.origin is None


def _submodules(parent: str) -> list[str]:
    from pkgutil import iter_modules

    module = sys.modules.get(parent)
    places = getattr(module, "__path__", None)
    if places is None:
        spec = _spec(parent) if "." not in parent else None
        places = spec.submodule_search_locations if spec else None
    return sorted(found.name for found in iter_modules(places)) if places is not None else []


def _version(package: str) -> str:
    """Return the version of an installed package; empty if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


# What the code says


def _wanted(traceback: TracebackType | None, module: str) -> list[str]:
    """Return the dotted names, under a module, of the import statement that failed.

    The error names what is missing first: ``google``, where ``google.cloud.storage`` was requested.
    """
    place = None
    while traceback is not None:
        frame = traceback.tb_frame
        if "importlib" not in frame.f_code.co_filename:
            place = (frame.f_code.co_filename, traceback.tb_lineno, frame.f_globals)
        traceback = traceback.tb_next
    if place is None:
        return []
    file, line, namespace = place
    text = "".join(linecache.getlines(file, namespace))
    return [
        name
        for at, last, name in imported(text)
        if at <= line <= last and (name == module or name.startswith(f"{module}."))
    ]


def imported(text: str) -> list[tuple[int, int, str]]:
    """Return the modules that Python code imports: first line, last line, dotted name.

    Of ``from a import b`` both ``a`` and ``a.b`` are named, since ``b`` may be either. Relative
    imports, and text that is not Python, give nothing.
    """
    found = []
    for node in _statements(text):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            dotted = [
                node.module,
                *(f"{node.module}.{a.name}" for a in node.names if a.name != "*"),
            ]
        else:
            continue
        found += [(node.lineno, node.end_lineno or node.lineno, name) for name in dotted]
    return found


def optional(text: str) -> set[str]:
    """Return the imports that Python code can do without, as it catches the error."""
    found = set()
    for node in _statements(text):
        if isinstance(node, ast.Try) and any(map(_catches_import, node.handlers)):
            body = "\n".join(ast.unparse(statement) for statement in node.body)
            found |= {name for _, _, name in imported(body)}
    return found


def _catches_import(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not caught.isdisjoint({"ImportError", "ModuleNotFoundError", "Exception"})


def _statements(text: str) -> Iterator[ast.AST]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return iter(())
    return ast.walk(tree)
