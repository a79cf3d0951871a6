"""Small environments, and what is done in them: each operation with the state it starts from."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.channel import ChannelBuilder, File
from support.debs import build_deb, make_repository, make_system
from support.environments import create_environment, make_uv_venv, make_venv
from support.wheels import build_wheel

from .harness import Bench

ENGINES = ("rattler", "uv", "pip", "apt")

_FILES = {
    "{0}/__init__.py": "version = '{1}'\n",
    "{0}/core.py": "core = '{1}'\n" * 50,
    "{0}/of_{2}.py": "only = '{1}'\n",
    "{0}/data/table.csv": "a,b\n{1},2\n",
    "{0}/data/of_{2}/note.txt": "{1}\n",
}
"""The files of a package, by name, version and major version: some stay, some come and go."""


@dataclass
class Scene:
    """A user's folders, which a run starts from and can be brought back.

    Attributes:
        root: Holds all of it.
        environ: The variables of every command.
        prefix: The environment.
        bench: Runs the commands.
    """

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    bench: Bench | None = None

    def __post_init__(self) -> None:
        for name in ("home", "work", "cache", "tmp"):
            (self.root / name).mkdir(parents=True)
        self.environ |= {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),  # what is killed leaves its files there
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_CONFIG_HOME": str(self.root / "home/.config"),
            "XDG_DATA_HOME": str(self.root / "home/.local/share"),
            "XDG_RUNTIME_DIR": str(self.root / "home/run"),
            "DPKG_ADMINDIR": str(self.root / "no-dpkg"),  # what this machine's is at
            "CONDARC": str(self.root / "home/.condarc"),
            "JSTACKMAGIC_HISTORY": str(self.root / "home/history/history.jsonl"),
            "UV_CACHE_DIR": str(self.root / "cache/uv"),
            "PIP_CACHE_DIR": str(self.root / "cache/pip"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"),
            "PIP_NO_COMPILE": "1",
            "UV_CONCURRENT_INSTALLS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }

    @property
    def prefix(self) -> Path:
        return self.root / "env"

    @property
    def watched(self) -> list[str]:
        names = ("env", "home", "work", "system")
        return [str(self.root / name) for name in names if (self.root / name).exists()]

    @property
    def system(self) -> Path:
        """A Debian system of its own, where the engine is apt."""
        return self.root / "system"

    def save(self) -> None:
        """Keep the state that every run starts from."""
        (self.root / "saved").mkdir()
        for path in self.watched:
            _copy(Path(path), self.root / "saved" / Path(path).name)

    def restore(self) -> None:
        """Be as it was when it was saved."""
        for path in map(Path, self.watched):
            shutil.rmtree(path)
            _copy(self.root / "saved" / path.name, path)

    def do(self, *words: str) -> str:
        """Run a command of ours without a fault, and return what it says."""
        assert self.bench is not None
        done, said = self.bench.run(self, list(words))
        assert done.status == 0, f"{words}: {said}"
        return said

    def last_id(self) -> str:
        """Return the last transaction of the history."""
        lines = Path(self.environ["JSTACKMAGIC_HISTORY"]).read_text().splitlines()
        return str(json.loads(lines[-1])["id"]).rpartition(".")[0]


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


@dataclass(frozen=True)
class Operation:
    """Something that is done under faults.

    Attributes:
        name: For people, and for the test's id.
        engine: What does the work; empty where no engine takes part.
        ready: Makes the state it starts from, and returns the words of its command.
        whole: Whether a fault may leave nothing between before and after: files, not environments.
    """

    name: str
    engine: str
    ready: Callable[[Scene], list[str]]
    whole: bool = False

    @property
    def id(self) -> str:
        return "-".join(filter(None, (self.engine, self.name)))


# Environments


def _files(name: str, version: str, site: str = "") -> dict[str, str]:
    major = version.partition(".")[0]
    return {
        site + path.format(name, version, major): text.format(name, version, major)
        for path, text in _FILES.items()
    }


def make_packages(root: Path) -> None:
    """Write the wheels and the channel that the scenes install from."""
    builder = ChannelBuilder(root / "channel")
    builder.add_python("shim")
    for version in ("1.0", "2.0"):
        for name, needs in (("app", f"library>={version}"), ("library", "")):
            requires = [needs] if needs else []
            scripts = {name: f"{name}:main"} if name == "app" else {}
            build_wheel(
                root / "wheels",
                name,
                version,
                modules=_files(name, version),
                requires=requires,
                scripts=scripts,
            )
            builder.add_package(
                name,
                version,
                noarch="python",
                build="py_0",
                depends=["python", *(each.replace(">=", " >=") for each in requires)],
                files={
                    **_files(name, version, "site-packages/"),
                    f"site-packages/{name}-{version}.dist-info/METADATA": File.text(
                        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                    ),
                    f"site-packages/{name}-{version}.dist-info/INSTALLER": "conda\n",
                },
                entry_points=[f"{key} = {value}" for key, value in scripts.items()],
            )
    builder.index()


_SCRIPTS = {
    "postinst": '#!/bin/sh\n[ "$1" != configure ] || touch "$DPKG_ROOT/usr/share/{0}/ready"\n',
    "prerm": '#!/bin/sh\nrm -f "$DPKG_ROOT/usr/share/{0}/ready"\n',
}
"""Those of a Debian package, by its name."""


def _make_system(scene: Scene) -> None:
    debs = [
        build_deb(
            scene.root / "debs",
            name,
            version,
            depends=needs,
            files=_files(name, version, "usr/share/"),
            scripts={key: text.replace("{0}", name) for key, text in _SCRIPTS.items()},
        )
        for version in ("1.0", "2.0")
        for name, needs in (("app", f"library (>= {version})"), ("library", ""))
    ]
    scene.environ |= make_system(scene.system, make_repository(scene.root / "repository", *debs))


def _environment(scene: Scene, engine: str) -> None:
    if engine == "apt":
        _make_system(scene)
        make_uv_venv(scene.prefix)
        return
    make_packages(scene.root)
    if engine == "rattler":
        channel = (scene.root / "channel").as_uri()
        create_environment(
            scene.prefix, "python", channels=[channel], packages=scene.root / "cache/pkgs"
        )
        (scene.root / "home/.condarc").write_text(
            f"channels: [{channel}]\npkgs_dirs: [{scene.root / 'cache/pkgs'}]\n"
        )
    elif engine == "uv":
        make_uv_venv(scene.prefix)
    else:
        make_venv(scene.prefix)
        # nothing changes the manager itself: 900 files less to copy and to read for each point
        (pip,) = scene.prefix.glob("lib/python*/site-packages/pip")
        pip.rename(scene.root / "pip")
        pip.symlink_to(scene.root / "pip")


def _line(engine: str, verb: str, scene: Scene, *words: str) -> list[str]:
    if engine == "apt":
        return [verb, "--prefix", str(scene.prefix), "--apt", *words]
    manager = "conda" if engine == "rattler" else "pip"
    return [verb, "--engine", engine, "--prefix", str(scene.prefix), f"--{manager}", *words]


def _pin(engine: str, name: str, version: str) -> str:
    return f"{name}{'=' if engine in ('rattler', 'apt') else '=='}{version}"


def _install(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        _environment(scene, engine)
        return _line(engine, "install", scene, "app")

    return ready


def _upgrade(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        _environment(scene, engine)
        old = [_pin(engine, name, "1.0") for name in ("app", "library")]
        scene.do(*_line(engine, "install", scene, *old))
        return _line(engine, "install", scene, *(_pin(engine, "app", "2.0"), "library"), "-U")

    return ready


def _remove(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        scene.do(*_install(engine)(scene))
        return _line(engine, "remove", scene, "app")

    return ready


def _undo(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        scene.do(*_upgrade(engine)(scene))
        chosen = () if engine == "apt" else ("--engine", engine)
        return ["undo", *chosen, scene.last_id()]

    return ready


def _replay(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        _environment(scene, engine)
        changed, clean = scene.system if engine == "apt" else scene.prefix, scene.root / "clean"
        _copy(changed, clean)
        pins = [_pin(engine, name, "1.0") for name in ("app", "library")]
        scene.do(*_line(engine, "install", scene, *pins[: 2 if engine == "apt" else 1]))
        shutil.rmtree(changed)
        clean.rename(changed)
        return ["replay", "--prefix", str(scene.prefix)]

    return ready


def _repair(engine: str) -> Callable[[Scene], list[str]]:
    def ready(scene: Scene) -> list[str]:
        _kill_at(150 if engine == "apt" else 60, scene, _install(engine)(scene))
        return ["install", "--repair", "--prefix", str(scene.prefix)]

    return ready


def _kill_at(number: int, scene: Scene, argv: list[str]) -> None:
    """Leave what an install leaves that is killed in its middle."""
    assert scene.bench is not None
    done, said = scene.bench.run(scene, argv, "kill", number)
    assert done.failed, said


# Files


def _record(scene: Scene) -> list[str]:
    _environment(scene, "uv")
    return _line("uv", "install", scene, "--record-only", "app")


def _export(scene: Scene) -> list[str]:
    scene.do(*_record(scene))
    (scene.root / "work/Dockerfile").write_text("FROM scratch\n" * 1000)
    return ["export", "dockerfile", "--from", "example.com/base:1", "--output", "Dockerfile"]


def _capture(scene: Scene) -> list[str]:
    _environment(scene, "uv")
    cell = {"cell_type": "code", "source": "%pip install app", "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (scene.root / "work/notebook.ipynb").write_text(json.dumps(notebook))
    return ["capture", "--prefix", str(scene.prefix), "notebook.ipynb"]


OPERATIONS = [
    *(
        Operation(make.__name__.lstrip("_"), engine, make(engine))
        for engine in ENGINES
        for make in (_install, _upgrade, _remove, _undo, _replay, _repair)
    ),
    *(Operation(f.__name__.lstrip("_"), "", f, whole=True) for f in (_record, _export, _capture)),
]
