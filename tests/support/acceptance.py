"""One real history with all that an export may meet, for the formats' acceptance by real readers.

It holds conda and pip packages in two environments, Debian packages, a channel-qualified spec,
extras, a marker, a URL, a `git+` commit, a local wheel, a private index, and an undone install.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.export._holdings import on_disk
from jstackmagic.history.file import History
from jstackmagic.model.ledger import fold

from .environments import Root, make_root
from .tiers import DNSPYTHON, PYMONGO, SIX, Channel
from .verbs import verb
from .wheels import WheelIndex, build_wheel

if TYPE_CHECKING:
    from jstackmagic.model.recipe import Recipe


USER, PASSWORD = "reader", "s3cret-w0rd"
"""What the private index asks for; no export may hold the password."""

CONDA = {"pymongo": PYMONGO[1], "six": SIX[0]}
"""What conda was asked for in the base environment, and the versions there are."""

BROUGHT = {"dnspython": DNSPYTHON[1]}
PIP = {
    "demo-app": "1.0",
    "demo-url": "1.0",
    "demo-git": "1.0",
    "demo-local": "1.0",
}
"""What pip was asked for there; `demo-extra`, and `demo-base` of all, came along."""

PIP_BROUGHT = {"demo-extra": "1.0", "demo-base": "2.0"}
SECOND = "analysis"
"""The other environment: `demo-tool` by conda, `demo-private` by pip from the private index."""

APT = ("graphviz", "libpq-dev=15.3-1")
UNDONE = "demo-library"

_BACKEND = """
import os, zipfile

def build_wheel(folder, *_):
    name, info = "demo_git-1.0-py3-none-any.whl", "demo_git-1.0.dist-info"
    files = {
        "demo_git.py": "__version__ = '1.0'\\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: demo-git\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\\n" for path in [*files, record])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@dataclass(frozen=True)
class Acceptance:
    """The history, and where it was made.

    Attributes:
        history: The file.
        root: The conda root; its base environment is the first of the two.
        channel: Where conda's packages came from.
        index: Where pip's came from, but for one.
        private: Where that one came from; it asks for `USER` and `PASSWORD`.
        netrc: A `.netrc` that answers.
        commit: Of `git+`.
    """

    history: Path
    root: Root
    channel: Channel
    index: WheelIndex
    private: WheelIndex
    netrc: str
    commit: str

    @property
    def base(self) -> Path:
        """The prefix of the first environment."""
        return self.root.prefix

    @property
    def second(self) -> Path:
        """The prefix of the other."""
        return self.root.prefix / "envs" / SECOND

    def recipe(self) -> Recipe:
        """What the history comes to, with what lies on disk."""
        return on_disk(fold(History(self.history).records()))


def make(folder: Path, channel: Channel) -> tuple[Acceptance, list[WheelIndex]]:
    """Makes it, in some fifteen seconds; stop the two indexes when it is no longer needed."""
    index = WheelIndex(folder / "wheels").__enter__()
    private = WheelIndex(folder / "private", USER, PASSWORD).__enter__()
    for tag in ("py3-none-any", "py3-none-macosx_11_0_arm64"):
        index.add(
            "demo-app", "1.0", requires=["demo-base"], extras={"more": ["demo-extra"]}, tag=tag
        )
    for name in ("demo-extra", "demo-url"):
        index.add(name, "1.0")
    index.add("demo-base", "1.0")
    index.add("demo-base", "2.0")
    private.add("demo-private", "1.0")
    local = build_wheel(folder / "local", "demo-local", "1.0")
    commit = repository(folder / "repository")
    root = make_root(folder / "root", "python", "pip", channels=[channel.url])
    root.create(SECOND, "python", "pip")
    acceptance = Acceptance(
        history=folder / "history.jsonl",
        root=root,
        channel=channel,
        index=index,
        private=private,
        netrc=f"machine 127.0.0.1 login {USER} password {PASSWORD}\n",
        commit=commit,
    )
    with pytest.MonkeyPatch.context() as patch:
        home = folder / "home"
        home.mkdir()
        (home / ".condarc").write_text(json.dumps({"channels": [channel.url]}))
        patch.setenv("HOME", str(home))
        patch.setenv("CONDARC", str(home / ".condarc"))
        patch.setenv("JSTACKMAGIC_HISTORY", str(acceptance.history))
        base, second = ("--prefix", root.prefix), ("--prefix", acceptance.second)
        verb("install", *base, "--record-only", *(f"apt:{spec}" for spec in APT))
        verb("install", *base, "--conda", "pymongo", f"{channel.url}::six={SIX[0]}")
        verb("install", *base, "--conda", UNDONE)
        verb("undo")
        verb(
            *(
                "install",
                *base,
                "--pip",
                "-i",
                index.url,
                "demo-app[more]>=1; python_version > '3'",
            ),
            "absent; sys_platform == 'win32'",
            f"demo-url @ {index.url.replace('/simple/', '/files/')}demo_url-1.0-py3-none-any.whl",
            f"git+{(folder / 'repository').as_uri()}@main#egg=demo-git",
            local,
        )
        verb("install", *second, "--conda", "demo-tool=1.0")
        verb("install", *second, "--pip", "-i", private.url_with_credentials, "demo-private")
    return acceptance, [index, private]


def repository(folder: Path) -> str:
    """A project under version control, that needs nothing to be built; returns its commit."""
    folder.mkdir()
    (folder / "backend.py").write_text(_BACKEND)
    (folder / "pyproject.toml").write_text(_PROJECT)

    def git(*words: str) -> str:
        who = {
            f"GIT_{role}_{what}": "nobody@example.org"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **who},
        )
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "a project")
    return git("rev-parse", "HEAD")
