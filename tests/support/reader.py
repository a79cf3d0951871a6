"""Who reads a page of the documentation and types its examples: what lies there, and where."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import nbformat

from .channel import ChannelBuilder
from .debs import without
from .engine import host
from .kernels import PATIENCE, Cell, Kernel, Sockets, write_kernelspec
from .machine import program
from .people import Home
from .stacks import kernel, know
from .wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from docker import DockerClient

    from .examples import Example
    from .kernels import Result

WHEELS = {
    "flake8": "7.3.0",
    "isort": "7.0.0",
    "numpy": "2.3.4",
    "pandas": "2.3.3",
    "pymongo": "4.10.1",
    "toolz": "1.1.0",
    "twitter": "1.19.6",
}
"""What the index has."""

DEBIAN = ("graphviz", "tree")
"""What the pages ask apt for, as if for the first time."""

_BACKEND = """
import os, zipfile

def build_editable(folder, *_):
    name, info = "project-1.0-py3-none-any.whl", "project-1.0.dist-info"
    files = {
        "project.pth": os.getcwd(),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: project\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
_FILES = {
    "requirements.txt": "flake8\n",
    "environment.yml": "dependencies:\n  - demo-library\n  - pip:\n      - isort\n",
    "pyproject.toml": '[project]\nname = "ours"\n[dependency-groups]\ndev = ["isort"]\n',
    "project/backend.py": _BACKEND,
    "project/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
    'backend-path = ["."]\n',
}
_NOTEBOOKS = {
    "analysis.ipynb": "!pip install twitter\nimport twitter",
    "old.ipynb": "import flake8",
    "notebooks/first.ipynb": "!pip install flake8",
}


def lay_out(folder: Path) -> None:
    """Puts there what the pages speak of: notebooks, lists of packages, a project, homes."""
    for name in ("ada", "bob"):
        Home(folder / "homes", name).installs("pip", "twitter", "1.19.6")
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name, code in _NOTEBOOKS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cell = nbformat.v4.new_code_cell(code, id="first")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / name)


def conda_forge(folder: Path) -> None:
    """Makes a channel of that name, for what the pages ask it for."""
    builder = ChannelBuilder(folder / "conda-forge")
    for name, version in (("numpy", "2.3.4"), ("pandas", "2.3.3"), ("python-graphviz", "0.21")):
        builder.add_package(name, version, noarch="python", build="py_0", depends=["python"])
    builder.add_package("opencv", "4.12.0", files={"share/opencv.txt": "a stand-in\n"})
    builder.index()


class Reader(ABC):
    """Somebody at a notebook and at a terminal: a context manager.

    Attributes:
        folder: Where they work, as it is seen from here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @abstractmethod
    def cell(self, code: str) -> Result:
        """Runs a cell."""

    @abstractmethod
    def commands(self, code: str) -> tuple[str, str]:
        """Runs commands; ``failed`` if one did, and what they showed."""

    @abstractmethod
    def history(self) -> str:
        """What their history has by now."""

    @abstractmethod
    def forget(self) -> None:
        """Takes the history away."""

    def run(self, example: Example) -> tuple[str, str]:
        """The name of the error that an example ended with, if any, and what it showed.

        Its 3f9a is the first transaction of the history.
        """
        history = self.history()
        first = json.loads(history.splitlines()[0])["id"].partition(".")[0] if history else ""
        code = example.code if example.is_cell else example.commands()
        code = code.replace("3f9a", first) if first else code
        if not example.is_cell:
            return self.commands(code)
        result = self.cell(code)
        return result.error_name, result.shown

    def write(self, name: str, text: str) -> Path:
        """Puts a file there that the page has."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Here(Reader):
    """In the environment at `prefix`, with its own home; no engine is in reach.

    The kernel is started by the first cell, so that it finds the files that the page has before.
    """

    def __init__(self, prefix: Path, home: Path, channels: list[str], alias: str) -> None:
        self.prefix = prefix
        super().__init__(home / "work")
        self._home = home
        self._kernel: Kernel | None = None
        condarc = {"channels": channels, "channel_alias": alias}
        (home / ".condarc").write_text(json.dumps(condarc))
        lay_out(self.folder)

    def knows(self, kernelspec: str, prefix: Path, *, argv: list[str] | None = None) -> None:
        """Another kernel is there, of that environment."""
        spec = self._home / ".local/share/jupyter/kernels" / kernelspec
        write_kernelspec(spec, prefix)
        if argv is not None:
            found = json.loads((spec / "kernel.json").read_text())
            (spec / "kernel.json").write_text(json.dumps({**found, "argv": argv}))

    def __enter__(self) -> Here:
        self._stack.callback(shutil.rmtree, self.prefix / "etc/ipython", ignore_errors=True)
        index = self._stack.enter_context(WheelIndex(self._home / "index"))
        for name, version in WHEELS.items():
            index.add(name, version)
        self._environ = {
            "DOCKER_HOST": f"unix://{self._home}/no.sock",
            "PIP_INDEX_URL": index.url,
            "PIP_ROOT_USER_ACTION": "ignore",  # the tests' user may be root
            **without(self._home / "dpkg", *DEBIAN),
            # as where the environment is activated, or is the image's only one
            "PATH": f"{self.prefix / 'bin'}:{os.environ['PATH']}",
        }
        self._stack.callback(self._wait_for_replay)
        return self

    def _wait_for_replay(self) -> None:
        """Waits for the replay that a page's start-up hook began: it changes the environment."""
        folder = self._home / "run/jstackmagic"
        end = time.monotonic() + PATIENCE
        script = self.folder / "start-up.sh"
        while script.exists():
            states = [json.loads(told.read_text()) for told in folder.glob("replay-*.json")]
            # an earlier replay of the page's own has ended before
            new = [each for each in states if each["began"] > script.stat().st_mtime]
            if new and new[0]["state"] != "running":
                return
            assert time.monotonic() < end, "the hook's replay does not end"
            time.sleep(0.05)

    def cell(self, code: str) -> Result:
        if self._kernel is None:
            kernel = Kernel(self.prefix, cwd=self.folder, environ=self._environ)
            self._kernel = self._stack.enter_context(kernel)
        return self._kernel.run(code)

    def commands(self, code: str) -> tuple[str, str]:
        return in_bash(code, self.folder, {**os.environ, **self._environ})

    def history(self) -> str:
        path = self._home / "history.jsonl"
        return path.read_text() if path.exists() else ""

    def forget(self) -> None:
        (self._home / "history.jsonl").unlink(missing_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Puts a file there that the page has; PREFIX is the environment's."""
        return super().write(name.replace("PREFIX", str(self.prefix)), text)


class There(Reader):
    """In a container of the image, which has the engine's socket; as its user, who may use sudo.

    The image below it is known there.
    """

    _HISTORY = "/home/jovyan/.local/share/jstackmagic/history.jsonl"

    def __init__(self, client: DockerClient, image: str, below: str, folder: Path) -> None:
        super().__init__(folder)
        self._client = client
        self._image, self._below = image, below
        lay_out(folder)
        for path in (folder, *folder.rglob("*")):  # its user in the container is another
            path.chmod(0o777 if path.is_dir() else 0o666)

    def __enter__(self) -> There:
        made = kernel(self._client, self._image, self.folder, GIT_COMMIT="3f9a1c0")
        self._container, client = self._stack.enter_context(made)
        self._channels = Sockets(client)
        know(self._client, self._container, self._below)
        self.cell("%cd -q /home/jovyan/work").check()
        return self

    def cell(self, code: str) -> Result:
        return Cell(self._channels, code).wait(4 * PATIENCE)

    def commands(self, code: str, *, user: str = "jovyan") -> tuple[str, str]:
        done = self._container.exec_run(
            ["bash", "-euo", "pipefail", "-c", code], user=user, workdir="/home/jovyan/work"
        )
        return "failed" if done.exit_code else "", done.output.decode()

    def history(self) -> str:
        try:  # by the engine itself, so that no failure passes for an empty history
            chunks, _ = self._container.get_archive(self._HISTORY)
        except docker.errors.NotFound:
            return ""
        with tarfile.open(fileobj=BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile(archive.getmembers()[0])
            assert file is not None
            return file.read().decode()

    def forget(self) -> None:
        self.commands(f"rm -f {self._HISTORY}")

    def beside(self, example: Example) -> tuple[str, str]:
        """What commands do in a terminal of the engine's machine, where its socket is at hand."""
        socket = host().removeprefix("unix://")
        code = re.sub(r"(-v |%g )/var/run/docker\.sock", rf"\1{socket}", example.commands())
        path = f"{Path(program('docker')).parent}:{os.environ['PATH']}"
        return in_bash(code, self.folder, {**os.environ, "DOCKER_HOST": host(), "PATH": path})


def in_bash(code: str, folder: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """Runs commands as a terminal would, and stops at the first that fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return "failed" if done.returncode else "", done.stdout + done.stderr
