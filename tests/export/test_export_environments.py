"""The exports of one environment, each read by the real tool that it is for."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from packaging.pylock import Pylock
from uv import find_uv_bin

from export.test_dockerfile import RICH
from jstackmagic import export
from jstackmagic.export._holdings import of_index
from jstackmagic.history.file import History
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import ExportError, JStackMagicError
from jstackmagic.model.packages import Package
from jstackmagic.model.recipe import Holding, Item, Recipe, RecipeStep
from jstackmagic.model.record import Context
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_conda, read_distributions
from strategies import BASE, VENV, recipes
from support import channel as channel_parts
from support.acceptance import (
    APT,
    BROUGHT,
    CONDA,
    PASSWORD,
    PIP,
    PIP_BROUGHT,
    UNDONE,
)
from support.acceptance import (
    SECOND as OTHER,
)
from support.channel import PYTHON, PYTHON_MINOR, ChannelBuilder, platform_subdir
from support.environments import create_environment, make_venv
from support.tiers import PYMONGO
from support.verbs import verb

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.acceptance import Acceptance
    from support.wheels import WheelIndex

FORMATS = ("conda", "conda-explicit", "conda-lock", "pip", "pylock", "pixi")
HOLDS = {"conda": ("conda", "pip"), "pip": ("pip",), "pixi": ("conda", "pip")}
"""Whose options a format has a place for, or else a note."""

ALL_PIP = {**PIP, **PIP_BROUGHT}


@pytest.fixture
def exported(
    acceptance: Acceptance, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Path]:
    """Writes an export of the history into a folder of its own: `exported("pip", "--hashes")`."""
    history = shutil.copy(acceptance.history, tmp_path / "history.jsonl")  # installs go into it
    monkeypatch.setenv("JSTACKMAGIC_HISTORY", str(history))
    (home / ".condarc").write_text(json.dumps({"channels": [acceptance.channel.url]}))
    (home / ".netrc").write_text(acceptance.netrc)
    (home / ".netrc").chmod(0o600)
    # a shell's own would lead pip to another index than the file says
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)

    def write(name: str, *words: object, file: str = "") -> Path:
        folder = tmp_path / "-".join(("export", name, *map(str, words))).replace("/", "_")
        path = folder / (file or "file")
        verb("export", name, "--output", path, *words)
        return path

    return write


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "venv")


def versions(prefix: Path) -> dict[str, str]:
    """What pip installed in a prefix, pip itself left out."""
    found = read_distributions(detect(prefix))
    return {package.name: package.version for package in found if package.name != "pip"}


def pip(prefix: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [prefix / "bin/python", "-m", "pip", "install", "--no-cache-dir", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


class TestConda:
    def test_is_what_a_person_would_write(
        self, exported: Callable[..., Path], acceptance: Acceptance
    ) -> None:
        index, git = acceptance.index.url, acceptance.history.parent / "repository"
        assert exported("conda").read_text() == (
            f"name: base\nchannels:\n- {acceptance.channel.url}\ndependencies:\n"
            f"- python={PYTHON_MINOR}\n- pymongo={PYMONGO[1]}\n"
            f"- {acceptance.channel.url}::six=1.16.0\n- pip\n- pip:\n"
            f"  - --index-url {index}\n"
            '  - demo-app[more]==1.0; python_version > "3"\n'
            '  - absent; sys_platform == "win32"\n'
            f"  - demo-url @ {index.replace('/simple/', '/files/')}demo_url-1.0-py3-none-any.whl\n"
            f"  - git+{git.as_uri()}@{acceptance.commit}#egg=demo-git\n"
            "  - ./jstackmagic/demo_local-1.0-py3-none-any.whl\n"
        )

    def test_rattler_solves_and_pip_installs_it(
        self, exported: Callable[..., Path], acceptance: Acceptance, tmp_path: Path
    ) -> None:
        path = exported("conda")
        data = yaml.safe_load(path.read_text())
        specs = [spec for spec in data["dependencies"] if isinstance(spec, str)]
        prefix = create_environment(
            tmp_path / "new",
            *specs,
            channels=data["channels"],
            packages=acceptance.channel.packages,
        )
        there = {package.name: package.version for package in read_conda(prefix)}
        assert {**CONDA, **BROUGHT}.items() <= there.items()
        assert there["python"] == PYTHON
        assert UNDONE not in there
        (section,) = (part["pip"] for part in data["dependencies"] if isinstance(part, dict))
        (path.parent / "pip.txt").write_text("\n".join(section))  # as conda does
        done = pip(prefix, "-r", "pip.txt", folder=path.parent)
        assert done.returncode == 0, done.stderr
        assert versions(prefix) == ALL_PIP

    @pytest.mark.parametrize("name", ["base", OTHER])
    def test_repo2docker_builds_from_it(
        self, exported: Callable[..., Path], name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from repo2docker.buildpacks import CondaBuildPack

        path = exported("conda", "--name", name, file="environment.yml")
        monkeypatch.chdir(path.parent)
        pack = CondaBuildPack("buildpack-deps:jammy")
        pack.platform = "linux/amd64"  # repo2docker's application sets it
        assert pack.detect()
        assert pack.python_version == PYTHON_MINOR
        assert "environment.yml" in pack.render({"NB_UID": "1000", "NB_USER": "jovyan"})

    def test_pins(self, exported: Callable[..., Path]) -> None:
        loose = yaml.safe_load(exported("conda", "--pin", "none").read_text())["dependencies"]
        assert loose[:2] == [f"python={PYTHON_MINOR}", "pymongo"]
        assert 'demo-app[more]; python_version > "3"' in loose[-1]["pip"]
        asked = yaml.safe_load(exported("conda", "--pin", "spec").read_text())["dependencies"]
        assert asked[1] == "pymongo"
        assert "demo-app[more]>=1; python_version > '3'" in asked[-1]["pip"]

    def test_channels_come_in_order_and_python_comes_once(self) -> None:
        items = (Item("numpy", "numpy", "2.0", source="https://conda.anaconda.org/conda-forge"),)
        steps = (
            RecipeStep("conda", BASE, items, sources=Sources(channels=("lab", "bio"))),
            RecipeStep(
                "conda", BASE, (Item("python>=3.12", "python", "3.12.1"), Item("r::six", "six"))
            ),
        )
        data = yaml.safe_load(export.get("conda").render(Recipe(steps)).text)
        assert data["channels"] == ["lab", "bio", "conda-forge"]
        assert data["dependencies"] == ["python=3.12.1", "numpy=2.0", "r::six"]


class TestExplicit:
    def test_an_install_from_it_gives_equal_records(
        self, exported: Callable[..., Path], acceptance: Acceptance, tmp_path: Path
    ) -> None:
        path = exported("conda-explicit", file="list.txt")
        text = path.read_text()
        assert text.startswith(f"# platform: {platform_subdir()}\n@EXPLICIT\n")
        assert text.count("#sha256:") == text.count("\n") - 2 > 4
        prefix = _empty(tmp_path / "new")
        verb("install", "--prefix", prefix, "-f", path)
        assert _conda_records(prefix) == _conda_records(acceptance.base)

    def test_another_archive_of_that_name_is_refused(
        self, exported: Callable[..., Path], tmp_path: Path
    ) -> None:
        path = exported("conda-explicit", file="list.txt")
        path.write_text(
            re.sub(r"(?<=six-1\.16\.0-pyhd_0\.tar\.bz2#sha256:)\w+", "0" * 64, path.read_text())
        )
        with pytest.raises(JStackMagicError, match=r"(?s)six.*(?:0{64}|hash|sha256)"):
            verb("install", "--prefix", _empty(tmp_path / "new"), "-f", path)

    def test_without_the_environment_it_has_what_the_history_saw(
        self, acceptance: Acceptance
    ) -> None:
        from jstackmagic.model.ledger import fold

        artifact = export.get("conda-explicit").render(fold(History(acceptance.history).records()))
        names = re.findall(r"/([a-z-]+)-[\d.]+-[^/]+#", artifact.text)
        assert names == ["dnspython", "pymongo", "six"]
        assert any("base is not here" in note for note in artifact.notes)


class TestCondaLock:
    def test_conda_lock_renders_it(self, exported: Callable[..., Path]) -> None:
        path = exported("conda-lock", file="conda-lock.yml")
        kinds = ("--kind", "explicit", "--kind", "env")
        _conda_lock("render", *kinds, path.name, folder=path.parent)
        rendered = (path.parent / f"conda-{platform_subdir()}.lock").read_text()
        urls = set(re.findall(r"^(\S+)#\w+$", rendered, re.MULTILINE))
        assert urls == set(_urls(exported("conda-explicit").read_text()))
        assert re.search(
            r"^# pip demo-app @ http\S+demo_app-1.0-py3-none-any.whl#sha256=\w{64}$",
            rendered,
            re.MULTILINE,
        )
        assert "# pip demo-git @ git+file://" in rendered
        data = yaml.safe_load((path.parent / f"conda-{platform_subdir()}.lock.yml").read_text())
        assert f"pymongo={PYMONGO[1]}={channel_parts.PYTHON_TAG}_0" in data["dependencies"]

    def test_it_says_what_needs_what(self, exported: Callable[..., Path]) -> None:
        packages = yaml.safe_load(exported("conda-lock").read_text())["package"]
        pymongo = next(package for package in packages if package["name"] == "pymongo")
        assert set(pymongo["dependencies"]["dnspython"].split(",")) == {">=1.16.0", "<3.0.0"}

    def test_other_platforms_are_solved(
        self, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        builder = ChannelBuilder(tmp_path / "channel")
        _two_packages(builder)
        with monkeypatch.context() as patch:
            patch.setattr(channel_parts, "platform_subdir", lambda: "osx-arm64")
            _two_packages(ChannelBuilder(tmp_path / "channel"), depends=["__osx >=11"])
        builder.index()
        prefix = create_environment(
            tmp_path / "env", "python", channels=[builder.url], packages=tmp_path / "pkgs"
        )
        (home / ".condarc").write_text(json.dumps({"channels": [builder.url]}))
        verb("install", "--prefix", prefix, "--conda", "tool")
        alone = verb("export", "conda-lock", "--prefix", prefix)
        assert any("only" in note for note in alone.artifact.notes)
        result = verb("export", "conda-lock", "--prefix", prefix, "--platform", "osx-arm64")
        packages = yaml.safe_load(result.text)["package"]
        assert {(p["name"], p["platform"], p["url"].split("/")[-2]) for p in packages} == {
            (name, subdir, subdir)
            for name in ("python", "tool")
            for subdir in ("osx-arm64", platform_subdir())
        }
        (tmp_path / "conda-lock.yml").write_text(result.text)
        _conda_lock("render", "--kind", "explicit", "conda-lock.yml", folder=tmp_path)
        assert "osx-arm64/tool-1.0-0.conda#" in (tmp_path / "conda-osx-arm64.lock").read_text()

    def test_a_platform_that_is_none(self, exported: Callable[..., Path]) -> None:
        with pytest.raises(JStackMagicError, match="amiga"):
            exported("conda-lock", "--platform", "amiga-68k")


class TestPip:
    def test_pip_installs_it(self, exported: Callable[..., Path], venv: Path) -> None:
        path = exported("pip", file="requirements.txt")
        done = pip(venv, "-r", path.name, folder=path.parent)
        assert done.returncode == 0, done.stderr
        assert versions(venv) == ALL_PIP

    def test_with_hashes_pip_installs_nothing_else(
        self, exported: Callable[..., Path], acceptance: Acceptance, venv: Path
    ) -> None:
        path = exported("pip", "--hashes", file="requirements.txt")
        for mode in (["--dry-run"], []):
            done = pip(venv, "--require-hashes", *mode, "-r", path.name, folder=path.parent)
            assert done.returncode == 0, done.stderr
        assert versions(venv) == {name: v for name, v in ALL_PIP.items() if name != "demo-git"}
        path.write_text(path.read_text().replace(_digest(acceptance, "demo_base-2.0"), "0" * 64))
        done = pip(
            venv, "--require-hashes", "--force-reinstall", "-r", path.name, folder=path.parent
        )
        assert done.returncode != 0
        assert "DO NOT MATCH THE HASHES" in done.stderr

    def test_the_index_completes_the_hashes(
        self, exported: Callable[..., Path], acceptance: Acceptance
    ) -> None:
        text = exported("pip", "--hashes").read_text()
        for tag in ("py3-none-any", "py3-none-macosx_11_0_arm64"):
            assert _digest(acceptance, f"demo_app-1.0-{tag}") in text
        assert _digest(acceptance, "demo_base-1.0") not in text
        offline = exported("pip", "--hashes", "--offline").read_text()
        assert _digest(acceptance, "demo_app-1.0-py3-none-any") in offline
        assert _digest(acceptance, "demo_app-1.0-py3-none-macosx") not in offline

    def test_an_index_that_has_another_project_of_that_name_is_not_believed(
        self, acceptance: Acceptance, exported: Callable[..., Path]
    ) -> None:
        acceptance.private.add("demo-url", "1.0", modules={"demo_url.py": "evil = True\n"})
        try:
            result = verb("export", "pylock", "--name", OTHER)
        finally:
            next(acceptance.private.folder.glob("demo_url*")).unlink()
        assert "demo-url" not in result.text
        assert _digest(acceptance, "demo_private-1.0") in result.text

    def test_what_pip_cannot_check_is_left_out_and_told(
        self, exported: Callable[..., Path]
    ) -> None:
        result = verb("export", "pip", "--hashes")
        assert "demo-git" not in result.text
        assert any("demo-git" in note and "no hash" in note for note in result.artifact.notes)

    def test_lists_and_constraints_lie_beside_it(
        self, wheel_index: WheelIndex, venv: Path, tmp_path: Path
    ) -> None:
        for version in ("1.0", "2.0", "3.0"):
            wheel_index.add("plain", version)
            wheel_index.add("other", version)
        (tmp_path / "list.txt").write_text("plain\n-r deep/more.txt\n")
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep/more.txt").write_text("other; python_version > '3'\n")
        (tmp_path / "limits.txt").write_text("other<3\n")
        items = (
            Item(f"-c {tmp_path}/limits.txt"),
            Item(f"-r {tmp_path}/list.txt", brought=(Item("plain", "plain", "1.0"),)),
        )
        recipe = Recipe(
            (RecipeStep("pip", VENV, items, sources=Sources(index_url=wheel_index.url)),)
        )
        path = tmp_path / "out/requirements.txt"
        export.get("pip").render(recipe).write(path)
        done = pip(venv, "-r", path.name, folder=path.parent)
        assert done.returncode == 0, done.stderr
        assert versions(venv) == {"plain": "1.0", "other": "2.0"}
        section = yaml.safe_load(export.get("conda").render(recipe).text)["dependencies"][-1]["pip"]
        assert section == path.read_text().splitlines()


class TestPylock:
    def test_the_standards_own_reader_takes_it(
        self, exported: Callable[..., Path], acceptance: Acceptance
    ) -> None:
        lock = Pylock.from_dict(tomllib.loads(exported("pylock").read_text()))
        packages = {package.name: package for package in lock.packages}
        assert set(packages) == set(ALL_PIP)
        assert packages["demo-git"].vcs is not None
        assert packages["demo-git"].vcs.commit_id == acceptance.commit
        assert len(packages["demo-app"].wheels or ()) == 2
        assert packages["demo-local"].archive is not None
        assert str(lock.requires_python) == f"=={PYTHON_MINOR}.*"

    def test_uv_installs_it(self, exported: Callable[..., Path], venv: Path) -> None:
        path = exported("pylock", file="pylock.toml")
        command = [
            find_uv_bin(),
            "pip",
            "install",
            "--no-config",
            "-r",
            path.name,
            "--python",
            venv / "bin/python",
        ]
        done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert versions(venv) == ALL_PIP


class TestPixi:
    def test_rattler_solves_it(
        self, exported: Callable[..., Path], acceptance: Acceptance, tmp_path: Path
    ) -> None:
        data = tomllib.loads(exported("pixi").read_text())
        assert data["workspace"]["platforms"] == [platform_subdir()]
        specs = [
            f"{name} {spec}"
            if isinstance(spec, str)
            else f"{spec['channel']}::{name} {spec['version']}"
            for name, spec in data["dependencies"].items()
        ]
        prefix = create_environment(
            tmp_path / "new",
            *specs,
            channels=data["workspace"]["channels"],
            packages=acceptance.channel.packages,
        )
        there = {package.name: package.version for package in read_conda(prefix)}
        assert {**CONDA, **BROUGHT}.items() <= there.items()

    def test_pips_part(self, exported: Callable[..., Path], acceptance: Acceptance) -> None:
        data = tomllib.loads(exported("pixi").read_text())
        assert data["pypi-options"] == {"index-url": acceptance.index.url}
        assert data["pypi-dependencies"] == {
            "demo-app": {
                "version": "==1.0",
                "extras": ["more"],
                "env-markers": 'python_version > "3"',
            },
            "absent": {"version": "*", "env-markers": 'sys_platform == "win32"'},
            "demo-url": {
                "url": acceptance.index.url.replace("/simple/", "/files/")
                + "demo_url-1.0-py3-none-any.whl"
            },
            "demo-git": {
                "git": (acceptance.history.parent / "repository").as_uri(),
                "rev": acceptance.commit,
            },
            "demo-local": {"path": "./jstackmagic/demo_local-1.0-py3-none-any.whl"},
        }


# All of them


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_state_gives_the_same_bytes(name: str, exported: Callable[..., Path]) -> None:
    assert verb("export", name).text == verb("export", name).text == exported(name).read_text()
    recipe = RICH
    assert export.get(name).render(recipe).text == export.get(name).render(recipe).text


@pytest.mark.parametrize("environment", ["base", OTHER])
@pytest.mark.parametrize("words", [*((name,) for name in FORMATS), ("pip", "--hashes")])
def test_no_credential_is_written_and_nothing_undone(
    words: tuple[str, ...], environment: str, exported: Callable[..., Path]
) -> None:
    result = verb("export", *words, "--name", environment)
    path = exported(*words, "--name", environment)
    written = [file.read_bytes() for file in path.parent.rglob("*") if file.is_file()]
    said = [result.text, *result.artifact.notes]
    assert not any(PASSWORD in text for text in said)
    assert not any(PASSWORD.encode() in content for content in written)
    assert UNDONE not in result.text
    other = OTHER if environment == "base" else "base"
    assert any(f"--name {other}" in note for note in said)
    for spec in APT:
        assert any(spec in text for text in said)


PRIVATE = Recipe(
    (
        RecipeStep(
            "conda",
            BASE,
            (
                Item("https://me:hunter2@conda.example.com/lab::six=1", "six", "1.0"),
                Item("https://me:hunter2@conda.example.com/l/linux-64/aa-1.0-0.conda", "aa", "1.0"),
            ),
            sources=Sources(
                channels=(
                    "https://me:hunter2@conda.example.com/lab",
                    "https://c.example.com/t/hunter2/x",
                )
            ),
        ),
        RecipeStep(
            "pip",
            BASE,
            (
                Item("bb @ https://me:hunter2@h.example.com/bb-1.0-py3-none-any.whl", "bb", "1.0"),
                Item("git+https://hunter2@h.example.com/cc.git@main#egg=cc", "cc", "1.0"),
            ),
            sources=Sources(
                index_url="https://me:hunter2@pypi.example.com/simple",
                extra_index_urls=("https://x.example.com/simple?token=hunter2",),
            ),
            options=("--find-links", "https://me:hunter2@w.example.com/", "--no-deps"),
        ),
    ),
    (
        Holding(
            BASE,
            (
                Package(
                    "conda",
                    "aa",
                    "1.0",
                    url="https://me:hunter2@c.example.com/linux-64/aa-1.0-0.conda",
                ),
                Package(
                    "pip",
                    "bb",
                    "1.0",
                    source="https://me:hunter2@h.example.com/bb-1.0-py3-none-any.whl",
                    sha256="0" * 64,
                ),
                Package(
                    "pip",
                    "cc",
                    "1.0",
                    source=f"git+https://hunter2@h.example.com/cc.git@{'a' * 40}",
                ),
            ),
        ),
    ),
)
"""What no history holds: even an unmasked credential stays here."""


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "conda-lock"])
def test_a_credential_is_left_out_and_told(name: str) -> None:
    artifact = export.get(name).render(PRIVATE)
    assert "hunter2" not in artifact.text + " ".join(artifact.notes)
    assert "example.com" in artifact.text
    assert any("credential" in note for note in artifact.notes)


@given(recipes())
def test_nothing_is_dropped_in_silence(recipe: Recipe) -> None:
    for name in FORMATS:
        for environment in {step.environment for step in recipe.steps if step.environment}:
            try:
                artifact = export.get(name).render(recipe, prefix=environment.prefix)
            except ExportError:
                assert name in ("conda-explicit", "conda-lock", "pylock")  # nothing was seen
                continue
            said = "\n".join((artifact.text, *artifact.notes))
            for step in recipe.steps:
                if step.environment in (environment, None):
                    for word in (*(item.name for item in step.install), *step.remove):
                        assert word in said, (name, word)
                if step.environment == environment and step.manager in HOLDS.get(name, ()):
                    assert all(word in said for word in step.options)
                if step.environment not in (environment, None):
                    assert step.environment.prefix in said or str(step.environment.name) in said


@pytest.mark.parametrize("name", FORMATS)
def test_what_no_file_can_hold_is_told(name: str) -> None:
    artifact = export.get(name).render(RICH)
    said = "\n".join((artifact.text, *artifact.notes))
    for words in (
        "python310",
        "libpq-dev",
        "nano",
        "scipy",
        "/srv/r env",
        "dask",
        "/home/jovyan/work/mine",
    ):
        if name in ("conda-explicit", "conda-lock", "pylock") and words == "/home/jovyan/work/mine":
            words = "mine"
        assert words in said, words


def test_an_environment_that_has_no_records() -> None:
    with pytest.raises(ExportError, match="nowhere") as raised:
        export.get("conda").render(RICH, name="nowhere")
    assert "--name python310" in raised.value.advice
    with pytest.raises(ExportError, match="Nothing is recorded"):
        export.get("pip").render(Recipe())


DIRECT = Recipe(
    (RecipeStep("pip", BASE, (Item("aa", "aa", "1.0"),)),),
    (
        Holding(
            BASE,
            (
                Package("conda", "cc", "1.0", url="https://c.example.com/linux-64/cc-1.0-0.conda"),
                Package(
                    *("pip", "aa", "1.0"),
                    source="https://pypi.example.com",
                    url="https://files.example.com/aa-1.0-py3-none-any.whl",
                    sha256="1" * 64,
                ),
                Package(
                    *("pip", "bb", "1.0"),
                    source="https://h.example.com/bb-1.0-py3-none-any.whl",
                    sha256="2" * 64,
                ),
            ),
        ),
    ),
)
"""One of an index, whose URL ends as a file's might, and one that came along from a URL."""


def test_an_index_is_told_from_an_archive() -> None:
    aa, bb = yaml.safe_load(export.get("conda-lock").render(DIRECT).text)["package"]
    assert (aa["url"], "source" in aa) == (
        "https://files.example.com/aa-1.0-py3-none-any.whl",
        False,
    )
    assert bb["source"] == {"type": "url", "url": "https://h.example.com/bb-1.0-py3-none-any.whl"}
    packages = tomllib.loads(export.get("pylock").render(DIRECT).text)["packages"]
    assert [sorted(package) for package in packages] == [
        ["name", "version", "wheels"],
        ["archive", "name", "version"],
    ]
    assert export.get("pip").render(DIRECT, hashes=True).text == (
        f"aa==1.0 \\\n    --hash=sha256:{'1' * 64}\n"
        "bb @ https://h.example.com/bb-1.0-py3-none-any.whl \\\n"
        f"    --hash=sha256:{'2' * 64}\n"
    )


def test_a_virtual_environment_has_no_conda_lock(venv: Path) -> None:
    recipe = Recipe(
        (RecipeStep("pip", VENV, (Item("aa", "aa", "1.0"),)),),
        (Holding(VENV, (Package("pip", "aa", "1.0"),)),),
    )
    for name in ("conda-lock", "conda-explicit"):
        with pytest.raises(ExportError, match="venv has no conda packages"):
            export.get(name).render(recipe)
    data = yaml.safe_load(export.get("conda").render(recipe).text)
    assert data["dependencies"] == ["python=3.12", "pip", {"pip": ["aa==1.0"]}]


def test_the_running_environment_comes_first(home: Path) -> None:
    for prefix, spec in (("/elsewhere", "aa"), (sys.prefix, "bb")):
        environment = EnvironmentRef("venv", None, prefix, PYTHON)
        history = Session().history
        history.note(
            "planned",
            Request("install", "pip", (spec,)),
            environment,
            transaction=history.new_transaction(),
            step=1,
            context=Context(),
        )
    assert verb("export", "pip").text == "bb\n"
    assert verb("export", "pip", "--prefix", "/elsewhere").text == "aa\n"


@pytest.mark.parametrize(
    "index", ["file:///nowhere/simple", "http://127.0.0.1:9/simple", "{index}files"]
)
def test_what_is_no_index_is_told(index: str, wheel_index: WheelIndex) -> None:
    index = index.format(index=wheel_index.url.removesuffix("simple/"))
    (wheel_index.folder / "aa").write_text("no page")
    step = replace(DIRECT.steps[0], sources=Sources(index_url=index))
    recipe, notes = of_index(replace(DIRECT, steps=(step,)), name="base", prefix="")
    assert recipe.holdings == DIRECT.holdings
    assert f"{index} could not be asked" in notes[0]


def test_an_index_that_cannot_be_asked_is_told(
    acceptance: Acceptance, exported: Callable[..., Path], home: Path
) -> None:
    (home / ".netrc").unlink()
    result = verb("export", "pylock", "--name", OTHER)
    assert _digest(acceptance, "demo_private-1.0") in result.text
    assert any("credential" in note for note in result.artifact.notes)
    assert any("only the installed ones" in note for note in result.artifact.notes)


# Tools


def _empty(prefix: Path) -> Path:
    """A conda environment with nothing in it."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/history").touch()
    return prefix


def _conda_records(prefix: Path) -> dict[str, object]:
    """The records of a prefix, less what is of the place and the time."""
    found: dict[str, object] = {}
    for path in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(path.read_text())
        kept = (
            "name",
            "version",
            "build",
            "build_number",
            "subdir",
            "depends",
            "sha256",
            "fn",
        )
        found[path.name] = {key: record.get(key) for key in kept}
    return found


def _conda_lock(*words: str, folder: Path) -> None:
    command = [
        find_uv_bin(),
        "tool",
        "run",
        "--quiet",
        "--from",
        "conda-lock>=4",
        "conda-lock",
        *words,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _urls(text: str) -> Iterator[str]:
    return (match[1] for match in re.finditer(r"^(\S+)#sha256:\w+$", text, re.MULTILINE))


def _digest(acceptance: Acceptance, stem: str) -> str:
    (wheel,) = (
        path
        for index in (acceptance.index, acceptance.private)
        for path in index.folder.glob(f"{stem}*.whl")
    )
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _two_packages(builder: ChannelBuilder, depends: list[str] | None = None) -> None:
    builder.add_package(
        "python",
        "3.11.7",
        build="stub_0",
        depends=depends or [],
        files={"bin/python": "#!/bin/sh\n"},
    )
    builder.add_package(
        "tool", "1.0", depends=["python", *(depends or [])], files={"share/tool": "x\n"}
    )


@pytest.mark.parametrize("name", ["conda", "pixi", "binder"])
def test_of_a_list_conda_s_own_packages_are_written(name: str) -> None:
    brought = (Item("numpy", "numpy", "2.0.1"),)
    step = RecipeStep("conda", BASE, (Item("--file /w/list.txt", brought=brought),))
    made = export.get(name).render(Recipe((step,)))
    text = made.text + "".join(str(file.source) for file in made.files)
    assert "numpy" in text
    assert "/w/list.txt" not in text


def test_of_a_list_nobody_saw_it_is_said() -> None:
    step = RecipeStep("conda", BASE, (Item("--file /w/list.txt"),))
    made = export.get("conda").render(Recipe((step,)))
    assert "What /w/list.txt asks for was never seen: it is not in this file." in made.notes
