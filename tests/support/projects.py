"""Projects that build without a network: their backend lies in their own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
_BACKEND = """
import os, zipfile

def build_wheel(folder, *_):
    return build(folder, {"NAME.py": "built = True\\n"})

def build_editable(folder, *_):
    return build(folder, {"NAME.pth": os.getcwd() + "\\n"})

def build(folder, files):
    info = "NAME-1.0.dist-info"
    with open("PKG-INFO") as file:
        files[f"{info}/METADATA"] = file.read()
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\\n" for path in [*files, record])
    name = "NAME-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def write_project(folder: Path, name: str) -> Path:
    """Writes a project of version 1.0 with one module; returns its folder.

    `name` is the distribution's and the module's.
    """
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "PKG-INFO").write_text(_METADATA.format(name=name))
    (folder / "backend.py").write_text(_BACKEND.replace("NAME", name))
    return folder
