"""The two channels the tests use: a light one for speed, a full one whose Python hosts a kernel."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, channel
from .channel import PLACEHOLDER, SHEBANG, ChannelBuilder, File

if TYPE_CHECKING:
    from collections.abc import Callable

SIX = ("1.16.0", "1.17.0")
DNSPYTHON = ("2.6.1", "2.7.0")
PYMONGO = ("4.10.1", "4.13.2")
"""An older and a newer version of each: both are in both channels, so changes are real ones."""

_OLD, _NEW = (
    [f"six=={SIX[i]}", f"dnspython=={DNSPYTHON[i]}", f"pymongo=={PYMONGO[i]}"] for i in (0, 1)
)


@dataclass(frozen=True)
class Channel:
    """A built channel and the folder its packages are extracted to."""

    folder: Path
    packages: Path

    @property
    def url(self) -> str:
        return self.folder.as_uri()


def shim() -> Channel:
    """A Python that links to the running one, a stub of Python 2.7, pip, and a few libraries."""
    wheels = cache.wheels(["--no-deps", *_OLD], ["--no-deps", *_NEW, "pip", "setuptools", "wheel"])

    def fill(builder: ChannelBuilder) -> None:
        builder.add_python("shim")
        builder.add_python("stub")
        _add_synthetic(builder)
        for wheel in wheels:
            # Both formats are met by every test that installs the two versions of six.
            old_format = wheel.name.startswith(f"six-{SIX[0]}")
            builder.add_wheel(wheel, archive=".tar.bz2" if old_format else ".conda")

    return _kept("shim", wheels, fill)


def full() -> Channel:
    """A copy of the running Python, ipykernel and all it needs, pip, and a few libraries.

    Raises:
        Unfeasible: the running interpreter cannot be copied.
    """
    wheels = cache.wheels(["--no-deps", *_OLD], [*_NEW, "ipykernel", "pip", "setuptools", "wheel"])

    def fill(builder: ChannelBuilder) -> None:
        builder.add_python("full")
        _add_synthetic(builder)
        for wheel in wheels:
            builder.add_wheel(wheel)

    return _kept("full", wheels, fill)


def _kept(name: str, wheels: list[Path], fill: Callable[[ChannelBuilder], None]) -> Channel:
    def make(folder: Path) -> None:
        builder = ChannelBuilder(folder / "channel")
        fill(builder)
        builder.index()

    sources = [Path(module).read_text() for module in (__file__, channel.__file__)]
    interpreter = (sys.base_prefix, sys.version)
    inputs = (interpreter, [wheel.name for wheel in wheels], sources)
    folder = cache.kept(f"{name}-channel", inputs, make)
    return Channel(folder / "channel", folder / "pkgs")


def _add_synthetic(builder: ChannelBuilder) -> None:
    """Small packages that show what no wheel can: each name says what it is for."""
    builder.add_package(
        "r-base",
        "4.4.2",
        build="stub_0",
        files={"bin/R": File.text("#!/bin/sh\necho 'a stub of R'\n", executable=True)},
    )
    builder.add_package("r-demo", "1.0", depends=["r-base"], files={"share/r-demo.txt": "for R\n"})
    for version in ("1.0", "2.0"):
        builder.add_package(
            "demo-tool",
            version,
            noarch="python",
            build="py_0",
            depends=["python >=3"],
            files={
                "site-packages/demo_tool.py": f"def main():\n    print('demo-tool {version}')\n"
            },
            entry_points=["demo-tool = demo_tool:main"],
        )
    builder.add_package(
        "demo-library",
        "1.0",
        files={
            "share/demo-library/prefix.txt": f"{PLACEHOLDER}/share\n",
            "lib/libdemo.so": File(b"\0" + PLACEHOLDER.encode() + b"/lib\0\1"),
            "bin/demo-where": File.text(
                f"{SHEBANG}import sys\nprint(sys.prefix)\n", executable=True
            ),
        },
        depends=["python"],
    )
    builder.add_package("demo-needs-missing", "1.0", depends=["no-such-package >=3"])
    builder.add_package("demo-needs-old-six", "1.0", depends=[f"six =={SIX[0]}", "python"])
