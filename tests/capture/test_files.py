"""Files that list packages, read back: by their formats' own words, and from our own exports."""

from __future__ import annotations

import hashlib
import json
import subprocess
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jstackmagic import export
from jstackmagic.capture import Target, files
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import InvalidSpec, Stopped, UsageError
from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Package
from jstackmagic.model.recipe import Holding, Item, Recipe, RecipeStep
from jstackmagic.model.record import Context, Record
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_conda, read_distributions
from strategies import names, versions
from support.channel import platform_subdir
from support.environments import make_venv
from support.tiers import SIX
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.acceptance import Acceptance
    from support.environments import Root
    from support.tiers import Channel
    from support.wheels import WheelIndex

SHA, MD5 = "a" * 64, "b" * 32


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file below the test's folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


def conda(*specs: str, **more: object) -> Request:
    return Request("install", "conda", specs, **more)  # type: ignore[arg-type]


def pip(*specs: str, **more: object) -> Request:
    return Request("install", "pip", specs, **more)  # type: ignore[arg-type]


class TestEnvironmentYml:
    def test_conda_and_pip(self, write: Callable[..., Path], tmp_path: Path) -> None:
        path = write(
            "env.yml",
            f"""\
            # a comment
            name: analysis
            channels: [lab, conda-forge, nodefaults]
            variables: {{A: b}}
            dependencies:
              - python=3.11
              - conda-forge::numpy >=1.20
              - pip
              - pip:
                - --index-url https://pypi.example.com/simple
                - six==1.17.0 --hash=sha256:{SHA}
                - -e ./project
                - dask[array]>=2 ; python_version > "3"
                - -r more.txt
            """,
        )
        reading = files.read(path)
        assert reading.requests == (
            conda(
                *("python=3.11", "conda-forge::numpy >=1.20", "pip"),
                sources=Sources(channels=("lab", "conda-forge")),
            ),
            pip(
                f"six==1.17.0 --hash=sha256:{SHA}",
                f"-e {tmp_path}/project",
                'dask[array]>=2 ; python_version > "3"',
                f"-r {tmp_path}/more.txt",
                sources=Sources(index_url="https://pypi.example.com/simple"),
            ),
        )
        assert {found.target for found in reading.found} == {Target(name="analysis", advised=True)}
        assert {found.line for found in reading.found} == {5}
        assert any("variables" in note for note in reading.notes)

    @pytest.mark.parametrize("text", ["dependencies: [a", "dependencies: {a: b}"])
    def test_a_broken_one(self, write: Callable[..., Path], text: str) -> None:
        with pytest.raises(InvalidSpec, match="Nothing was started"):
            files.read(write("environment.yml", text))


class TestRequirements:
    @pytest.mark.parametrize("lists", [1, 2])
    def test_lists_that_include_each_other_are_read_once(
        self, write: Callable[..., Path], tmp_path: Path, lists: int
    ) -> None:
        """However deep, and also where each would double the one before."""
        for n in range(1500):
            (tmp_path / f"r{n}.txt").write_text(f"-r r{n + 1}.txt\n" * lists)
        write("r1500.txt", "six\n")
        assert files.read(tmp_path / "r0.txt").requests == (pip("six"),)

    def test_what_pip_reads(
        self, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write("limits.txt", "")
        write("wheels/x-1.0-py3-none-any.whl", "")
        write("more/deep.txt", "-r ../requirements.txt\nflask\n./wheels/x-1.0-py3-none-any.whl\n")
        path = write(
            "requirements.txt",
            f"""\
            # heading
            -i https://pypi.example.com/simple
            --extra-index-url=https://more.example.com/simple
            --no-binary :all:
            --pre
            six==1.17.0 ; python_version > "3" \\
                --hash=sha256:{SHA} \\
                --hash sha512:{MD5}  # both
            dask[array] >= 2.0
            -c limits.txt
            -r more/deep.txt
            -e git+https://git.example.com/r.git@v1#egg=r
            """,
        )
        assert files.read(path).requests == (
            pip(
                f'six==1.17.0 ; python_version > "3" --hash=sha256:{SHA} --hash=sha512:{MD5}',
                "dask[array]>=2.0",
                f"-c {tmp_path}/limits.txt",
                "flask",
                f"{tmp_path}/wheels/x-1.0-py3-none-any.whl",
                "-e git+https://git.example.com/r.git@v1#egg=r",
                sources=Sources(
                    index_url="https://pypi.example.com/simple",
                    extra_index_urls=("https://more.example.com/simple",),
                ),
                options=("--no-binary", ":all:", "--pre"),
            ),
        )
        assert files.read(path).found[0].line == 2

    def test_a_variable_that_only_pip_fills_in(self, write: Callable[[str, str], Path]) -> None:
        path = write("requirements.txt", "flask\n-i https://${TOKEN}@pypi.example.com/simple\n")
        (found,) = files.read(path).found
        assert found.request == pip(f"-r {path}")
        assert "left to pip" in found.note

    def test_it_is_not_anything_with_that_suffix(self, write: Callable[..., Path]) -> None:
        assert not files.formats()["requirements"].recognises(write("apt.txt", "graphviz\n"))
        assert not files.formats()["requirements"].recognises(write("list.txt", "@EXPLICIT\n"))


class TestExplicit:
    def test_urls_and_paths_with_their_hashes(
        self, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        url = "https://conda.example.com/lab/linux-64"
        path = write(
            "conda-linux-64.lock",
            f"""\
            # platform: linux-64
            @EXPLICIT
            {url}/a-1.0-0.conda#{MD5}
            {url}/b-1.0-0.tar.bz2#sha256:{SHA}
            {url}/c-1.0-0.conda#{SHA}
            ./d-1.0-0.conda
            # pip six @ https://files.example.com/six-1.17.0-py3-none-any.whl#sha256={SHA}
            """,
        )
        reading = files.read(path)
        assert reading.requests == (
            conda(
                f"{url}/a-1.0-0.conda#{MD5}",
                f"{url}/b-1.0-0.tar.bz2#sha256:{SHA}",
                f"{url}/c-1.0-0.conda#sha256:{SHA}",
                (tmp_path / "d-1.0-0.conda").as_uri(),
            ),
            pip(
                f"six @ https://files.example.com/six-1.17.0-py3-none-any.whl#sha256={SHA}",
                options=("--no-deps",),
            ),
        )
        assert reading.found[0].line == 3

    def test_a_broken_one(self, write: Callable[..., Path]) -> None:
        with pytest.raises(InvalidSpec, match=r"Line 2 of .* numpy"):
            files.read(write("list.txt", "@EXPLICIT\nnumpy=1.0\n"))


class TestCondaList:
    def test_names_versions_and_what_pip_had_installed(self, write: Callable[..., Path]) -> None:
        path = write(
            "spec-file.txt",
            """\
            # This file may be used to create an environment using:
            # $ conda create --name <env> --file <this file>
            # platform: linux-64
            numpy=1.26.4=py311_0
            six=1.17.0=pypi_0
            """,
        )
        assert files.read(path).requests == (conda("numpy=1.26.4=py311_0"), pip("six==1.17.0"))


class TestPylock:
    TEXT = f"""\
        lock-version = "1.0"
        created-by = "somebody"
        requires-python = ">=3.10"
        extras = ["more"]

        [[packages]]
        name = "six"
        version = "1.17.0"
        marker = "python_version > '3'"
        [packages.sdist]
        url = "https://f.example.com/six-1.17.0.tar.gz"
        hashes = {{sha256 = "{SHA}"}}
        [[packages.wheels]]
        url = "https://f.example.com/six-1.17.0-py3-none-any.whl"
        hashes = {{sha256 = "{"c" * 64}"}}

        [[packages]]
        name = "only-extra"
        version = "1"
        marker = "'more' in extras"
        [packages.sdist]
        url = "https://f.example.com/only_extra-1.tar.gz"
        hashes = {{sha256 = "{SHA}"}}

        [[packages]]
        name = "r"
        [packages.vcs]
        type = "git"
        url = "https://git.example.com/r.git"
        commit-id = "{"d" * 40}"
        subdirectory = "s"

        [[packages]]
        name = "local"
        directory = {{path = "project", editable = true}}

        [[packages]]
        name = "archive"
        archive = {{path = "wheels/archive-1-py3-none-any.whl", hashes = {{sha256 = "{SHA}"}}}}

        [[packages]]
        name = "unsaid"
        sdist = {{url = "https://f.example.com/unsaid-1.tar.gz", hashes = {{sha256 = "{SHA}"}}}}
        """

    def test_all_kinds_of_packages(self, write: Callable[..., Path], tmp_path: Path) -> None:
        reading = files.read(write("pylock.dev.toml", self.TEXT))
        assert reading.requests == (
            pip(
                f'six==1.17.0 ; python_version > "3" --hash=sha256:{"c" * 64} --hash=sha256:{SHA}',
                f"{tmp_path}/wheels/archive-1-py3-none-any.whl --hash=sha256:{SHA}",
                options=("--no-deps",),
            ),
            pip(
                f"r @ git+https://git.example.com/r.git@{'d' * 40}#subdirectory=s",
                f"-e {tmp_path}/project",
                options=("--no-deps",),
            ),
        )
        assert [(found.command, found.line) for found in reading.problems] == [("unsaid", 41)]
        assert any("more" in note for note in reading.notes)

    def test_a_broken_one(self, write: Callable[..., Path]) -> None:
        for text in (
            "lock-version = '1.0'\n",
            "=",
            "lock-version = '9.0'\ncreated-by = 'x'\npackages = []\n",
        ):
            with pytest.raises(InvalidSpec):
                files.read(write("pylock.toml", text))


class TestCondaLock:
    def text(self, platform: str) -> str:
        def package(name: str, manager: str, url: str, **more: object) -> dict[str, object]:
            fields = {"name": name, "version": "1.0", "manager": manager, "platform": platform}
            fields |= {"dependencies": {}, "url": url, "hash": {"md5": MD5}, "category": "main"}
            return {**fields, "optional": False, **more}

        url = f"https://conda.example.com/lab/{platform}"
        both = {"md5": MD5, "sha256": SHA}
        git = f"git+https://g.example.com/r.git@{'d' * 40}"
        packages = [
            package("a", "conda", f"{url}/a-1.0-0.conda", hash=both),
            package("b", "conda", f"{url}/b-1.0-0.conda"),
            package("c", "conda", f"{url}/c-1.0-0.conda", category="dev"),
            package("d", "conda", f"{url}/d-1.0-0.conda", platform="amiga-68000"),
            package("six", "pip", "https://f.example.com/six.whl", hash={"sha256": SHA}),
            package("r", "pip", git, hash={}),
        ]
        metadata = {"content_hash": {}, "channels": [], "platforms": [platform], "sources": []}
        return yaml.safe_dump({"version": 1, "metadata": metadata, "package": packages})

    def test_this_platforms_part(self, write: Callable[..., Path]) -> None:
        here = platform_subdir()
        reading = files.read(write("conda-lock.yml", self.text(here)))
        url = f"https://conda.example.com/lab/{here}"
        assert reading.requests == (
            conda(f"{url}/a-1.0-0.conda#sha256:{SHA}", f"{url}/b-1.0-0.conda#{MD5}"),
            pip(f"six==1.0 --hash=sha256:{SHA}", options=("--no-deps",)),
            pip(f"r @ git+https://g.example.com/r.git@{'d' * 40}", options=("--no-deps",)),
        )
        assert any("dev" in note for note in reading.notes)

    def test_another_platforms(self, write: Callable[..., Path]) -> None:
        with pytest.raises(InvalidSpec, match="amiga-68k"):
            files.read(write("conda-lock.yml", self.text("amiga-68k")))


SCRIPT = """\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "six>=1.16",
#     "dask[array]; python_version > '3'",  # lazy
# ]
# [[tool.uv.index]]
# url = "https://pypi.example.com/simple"
# ///
import six
"""


class TestInlineScript:
    def test_a_script(self, write: Callable[..., Path]) -> None:
        reading = files.read(write("script.py", SCRIPT))
        wanted = pip(
            "six>=1.16",
            "dask[array]; python_version > '3'",
            sources=Sources(extra_index_urls=("https://pypi.example.com/simple",)),
        )
        assert reading.requests == (wanted,)
        assert reading.found[0].line == 2
        assert reading.notes == ("It is for Python >=3.10.",)

    def test_a_notebook_as_juv_writes_it(self, write: Callable[..., Path]) -> None:
        cells = [
            {"cell_type": "markdown", "source": "x"},
            {"cell_type": "code", "source": SCRIPT.splitlines(keepends=True)},
        ]
        path = write("note.ipynb", json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
        assert files.read(path).requests[0].texts == (
            "six>=1.16",
            "dask[array]; python_version > '3'",
        )

    def test_a_script_without_is_none(self, write: Callable[..., Path]) -> None:
        assert files.reader(write("script.py", "import six\n")) is None
        with pytest.raises(UsageError, match="is not a list of packages") as raised:
            files.read(write("script.py", "import six\n"))
        assert any("pylock.toml" in line for line in raised.value.advice)

    @pytest.mark.parametrize(
        "text",
        [
            SCRIPT + "\n" + SCRIPT,
            "# /// script\n# =\n# ///\n",
            "# /// script\n# dependencies = 3\n# ///\n",
        ],
    )
    def test_a_broken_one(self, write: Callable[..., Path], text: str) -> None:
        with pytest.raises(InvalidSpec):
            files.read(write("script.py", text))


class TestPyproject:
    TEXT = """\
        [project]
        name = "mine"
        version = "1"
        dependencies = ["six>=1.16"]
        optional-dependencies = {plot = ["matplotlib"]}

        [dependency-groups]
        Docs_All = ["sphinx"]
        dev = ["pytest>=8", {include-group = "docs-all"}]
        loop = [{include-group = "loop"}]
        """

    def test_the_project_and_its_groups(self, write: Callable[..., Path]) -> None:
        from jstackmagic.capture.files import pyproject

        path = write("pyproject.toml", self.TEXT)
        reading = files.read(path)
        assert reading.requests == (pip("six>=1.16"),)
        assert reading.found[0].line == 4
        assert any("--group dev" in note for note in reading.notes)
        assert any("plot" in note for note in reading.notes)
        assert pyproject.read_group(f"{path}:dev").requests == (pip("pytest>=8", "sphinx"),)
        assert pyproject.read_group(f"{path}:docs.all").requests == (pip("sphinx"),)
        with pytest.raises(InvalidSpec, match="loop → loop"):
            pyproject.read_group(f"{path}:loop")
        with pytest.raises(InvalidSpec, match="no dependency group nothing"):
            pyproject.read_group(f"{path}:nothing")


def test_no_two_formats_take_the_same_file(write: Callable[..., Path]) -> None:
    samples = {
        "environment.yml": "dependencies: [six]\n",
        "conda-lock.yml": TestCondaLock().text(platform_subdir()),
        "requirements.txt": "six\n",
        "apt.txt": "graphviz\n",
        "list.txt": "@EXPLICIT\n",
        "spec.txt": "# This file may be used to create an environment using:\nsix=1=0\n",
        "pylock.toml": TestPylock.TEXT,
        "pyproject.toml": TestPyproject.TEXT,
        "script.py": SCRIPT,
    }
    for name, text in samples.items():
        path = write(name, text)
        found = [key for key, module in files.formats().items() if module.recognises(path)]
        assert len(found) == 1, (name, found)
        path.unlink()
    assert files.reader(Path("/nowhere/requirements.txt")) is None


# By the verbs


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "venv")


def versions_in(prefix: Path) -> dict[str, str]:
    found = read_distributions(detect(prefix))
    return {package.name: package.version for package in found if package.name != "pip"}


def test_install_takes_a_lock_and_checks_its_hashes(
    wheel_index: WheelIndex, venv: Path, write: Callable[..., Path]
) -> None:
    wheel = wheel_index.add("plain", "1.0", requires=["two"])
    wheel_index.add("two", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def lock(digest: str) -> Path:
        return write(
            "pylock.toml",
            f"""\
            lock-version = "1.0"
            created-by = "somebody"
            [[packages]]
            name = "plain"
            version = "1.0"
            [[packages.wheels]]
            url = "{wheel_index.url}"
            name = "{wheel.name}"
            hashes = {{sha256 = "{digest}"}}
            """,
        )

    with pytest.raises(Exception, match=r"Hash mismatch|DO NOT MATCH THE HASHES"):
        verb("install", "--prefix", venv, "-r", lock("0" * 64), "-i", wheel_index.url)
    assert versions_in(venv) == {}
    result = verb("install", "--prefix", venv, "-r", lock(digest), "-i", wheel_index.url)
    assert versions_in(venv) == {"plain": "1.0"}  # a lock is whole: nothing else is resolved
    # the command that was shown does the same again
    (command,) = result.done[0].plan.commands
    again = subprocess.run([*command.argv, "--force-reinstall"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    (step,) = fold(Session().history.records()).steps
    assert step.install[0].name == "plain"
    assert step.install[0].version == "1.0"
    dockerfile = verb("export", "dockerfile", "--from", "base:1").artifact
    assert "--requirement '/tmp/jstackmagic/hashed-" in dockerfile.text
    hashed = f"plain==1.0 --hash=sha256:{digest}\n".encode()
    assert hashed in [file.source for file in dockerfile.files]


def test_a_credential_and_hashes_cannot_go_together(venv: Path) -> None:
    spec = f"x @ https://me:s3cret@files.example.com/x-1.0-py3-none-any.whl --hash=sha256:{SHA}"
    with pytest.raises(InvalidSpec, match=r"\*{4}@.*\.netrc") as raised:
        verb("install", "--prefix", venv, "--pip", "--dry-run", spec)
    assert "s3cret" not in str(raised.value)


def test_hashes_need_a_place_to_be_written(
    venv: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(write("a-file", "")))
    with pytest.raises(Stopped, match="from a file alone"):
        verb("install", "--prefix", venv, "--pip", f"six==1.0 --hash=sha256:{SHA}")


def test_install_takes_a_conda_lock(
    acceptance: Acceptance,
    conda_env: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Where conda is to bring the Python and the pip first: pip's part waits for them."""
    with monkeypatch.context() as patch:
        patch.setenv("JSTACKMAGIC_HISTORY", str(acceptance.history))
        verb("export", "conda-lock", "--output", tmp_path / "conda-lock.yml")
    prefix = conda_env("r-base")
    words = ("--prefix", prefix, "conda:pip", "-f", tmp_path / "conda-lock.yml")
    before = versions_in(prefix)
    dry = verb("install", *words, "-i", acceptance.index.url, "--dry-run")
    assert versions_in(prefix) == before
    assert "-m pip install" in str(dry.done[-1].plan.commands[0])
    verb("install", *words, "-i", acceptance.index.url)
    assert versions_in(prefix) == versions_in(acceptance.base)
    there, beside = read_conda(acceptance.base), {"pip", "r-base"}
    assert {(p.name, p.version, p.sha256) for p in read_conda(prefix) if p.name not in beside} == {
        (p.name, p.version, p.sha256) for p in there if p.name not in beside
    }


def test_install_takes_an_environment_yml_and_a_group(
    conda_env: Callable[..., Path],
    shim_channel: Channel,
    wheel_index: WheelIndex,
    write: Callable[..., Path],
) -> None:
    wheel_index.add("plain", "1.0")
    wheel_index.add("grouped", "1.0")
    prefix = conda_env("python", "pip")
    path = write(
        "environment.yml",
        f"""\
        name: other
        channels: [{shim_channel.url}]
        dependencies:
        - six={SIX[0]}
        - pip:
          - -i {wheel_index.url}
          - plain
        """,
    )
    group = write("pyproject.toml", "[dependency-groups]\ndev = ['grouped']\n")
    result = verb(
        *("install", "--prefix", prefix, "-f", path),
        *("--group", f"{group}:dev", "-i", wheel_index.url),
    )
    assert versions_in(prefix) == {"plain": "1.0", "grouped": "1.0"}
    assert "six" in {package.name for package in read_conda(prefix)}
    assert any("environment other" in note for note in result.notes)


def test_install_leaves_pips_own_lists_to_pip(
    wheel_index: WheelIndex, venv: Path, write: Callable[..., Path]
) -> None:
    wheel_index.add("plain", "1.0")
    path = write("requirements.txt", f"-i {wheel_index.url}\nplain; python_version > '3'\n")
    result = verb("install", "--prefix", venv, "-f", path)
    assert result.done[0].plan.request.texts == (f"-r {path}",)
    assert versions_in(venv) == {"plain": "1.0"}


def test_capture_plans_what_files_say(
    conda_env: Callable[..., Path], write: Callable[..., Path], tmp_path: Path
) -> None:
    prefix = conda_env("python")
    yml = write(
        "environment.yml", "name: x\nvariables: {A: b}\ndependencies: [six, {pip: [flask]}]\n"
    )
    script = write("script.py", SCRIPT + "\nimport os\nos.system('pip install requests')\n")
    lock = write("pylock.toml", TestPylock.TEXT)
    capture = verb("capture", "--prefix", prefix, yml, script, lock)
    specs = [spec for record in capture.records for spec in record.request.texts]
    assert specs[:5] == [
        "six",
        "flask",
        "six>=1.16",
        "dask[array]; python_version > '3'",
        "requests",
    ]
    assert specs[5].startswith("six==1.17.0")
    assert {file for file, _ in capture.problems} >= {str(yml), str(script)}
    assert any(c.reason and c.found.command == "unsaid" for c in capture.captures)
    steps = fold(Session().history.records()).steps
    assert {step.manager for step in steps} == {"conda", "pip"}


def test_capture_goes_to_the_environment_that_a_file_names(
    conda_root: Root, home: Path, write: Callable[..., Path]
) -> None:
    prefix = conda_root.create("analysis", "python")
    path = write("environment.yml", "name: analysis\ndependencies: [six]\n")
    (home / ".condarc").write_text(f"envs_dirs: [{conda_root.prefix}/envs]\n")
    (record,) = verb("capture", "--prefix", conda_root.prefix, path).records
    assert record.environment.prefix == str(prefix)
    path.write_text("name: elsewhere\ndependencies: [r-base]\n")
    capture = verb("capture", "--prefix", conda_root.prefix, path)
    assert capture.records[0].environment.prefix == str(conda_root.prefix)
    assert any("no environment elsewhere here" in note for note in capture.captures[0].notes)


def test_capture_takes_groups(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("pyproject.toml", TestPyproject.TEXT).parent)
    capture = verb("capture", "--group", "dev")
    assert [record.request.texts for record in capture.records] == [("pytest>=8", "sphinx")]
    with pytest.raises(UsageError, match="nothing to read"):
        verb("capture")
    with pytest.raises(UsageError, match=r"elsewhere/pyproject\.toml cannot be read"):
        verb("install", "--group", "elsewhere/pyproject.toml:dev")


def test_what_capture_cannot_read_is_listed(write: Callable[..., Path]) -> None:
    path = write("environment.yml", "dependencies: [a\n")
    capture = verb("capture", path)
    assert capture.records == ()
    assert "not valid YAML" in dict(capture.problems)[str(path)]


def test_a_conda_command_in_a_notebook_reads_the_file(
    conda_env: Callable[..., Path], write: Callable[..., Path]
) -> None:
    prefix = conda_env("python")
    write("list.txt", f"@EXPLICIT\nhttps://conda.example.com/lab/noarch/a-1.0-0.conda#{MD5}\n")
    write("plain.txt", "numpy=1.26\nscipy >=1.10\n")
    write("env.yml", "variables: {A: b}\ndependencies: [r-base]\n")
    cells = [
        {"cell_type": "code", "source": source}
        for source in (
            "!conda install --file list.txt",
            "!conda install --file plain.txt",
            "!conda env update --file env.yml",
        )
    ]
    path = write("note.ipynb", json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    capture = verb("capture", "--prefix", prefix, path)
    assert [record.request.texts for record in capture.records] == [
        (f"https://conda.example.com/lab/noarch/a-1.0-0.conda#{MD5}",),
        ("numpy=1.26", "scipy>=1.10"),
        ("r-base",),
    ]
    assert any("variables" in note for note in capture.captures[-1].notes)


# Round trips: export, read, export

ENVIRONMENT = EnvironmentRef("conda-named", "analysis", "/opt/conda/envs/analysis", "3.12.3")


def planned(reading: files.Reading, environment: EnvironmentRef = ENVIRONMENT) -> Recipe:
    """The recipe that the requests of a file come to, when they are planned."""
    return fold(
        Record(
            id=f"{number:08x}.1",
            time="2026-01-01T00:00:00.000Z",
            status="planned",
            request=request,
            environment=environment,
            context=Context(),
        )
        for number, request in enumerate(reading.requests)
    )


digests = st.integers(0, 2**256 - 1).map("{:064x}".format)
channels = st.sampled_from(("forge", "bio", "https://conda.example.com/lab"))
urls = st.builds("https://files.example.com/{}-{}-py3-none-any.whl".format, names, versions)


@st.composite
def conda_items(draw: st.DrawFn) -> Item:
    name, version = draw(names), draw(versions)
    spec = draw(
        st.sampled_from(
            (
                name,
                f"{name}>={version}",
                f"{name}={version}=h0_0",
                f"bio::{name}",
                f"{name}[build='h0_0']",
            )
        )
    )
    seen = draw(st.booleans())
    return Item(
        spec, name, version if seen else "", "h0_0" if seen else "", "forge" if seen else ""
    )


@st.composite
def pip_items(draw: st.DrawFn) -> Item:
    name, version = draw(names), draw(versions)
    extras = draw(st.sampled_from(("", "[more]", "[a,b]")))
    marker = draw(
        st.sampled_from(("", "; python_version>'3'", "; sys_platform == 'win32' or extra == 'x'"))
    )
    place = draw(st.sampled_from(("", "git+", "url")))
    version_seen = version if draw(st.booleans()) else ""
    if place == "git+":
        commit = "c" * 40
        spec = f"git+https://git.example.com/{name}.git@main#egg={name}"
        return Item(
            spec, name, version_seen, source=f"git+https://git.example.com/{name}.git@{commit}"
        )
    if place == "url":
        return Item(f"{name}{extras} @ {draw(urls)}", name, version_seen)
    return Item(
        f"{name}{extras}{draw(st.sampled_from(('', f'>={version}')))}{marker}", name, version_seen
    )


@st.composite
def environments(draw: st.DrawFn) -> Recipe:
    """What one environment was asked for, each thing once, with what it came to."""
    unique = {"unique_by": lambda item: item.name}
    found_conda = draw(st.lists(conda_items(), max_size=4, **unique))
    found_pip = draw(st.lists(pip_items(), max_size=4, **unique))
    steps = []
    if found_conda:
        steps.append(
            RecipeStep(
                "conda",
                ENVIRONMENT,
                tuple(found_conda),
                sources=Sources(channels=tuple(draw(st.lists(channels, unique=True)))),
            )
        )
    if found_pip or not steps:
        steps.append(
            RecipeStep(
                "pip",
                ENVIRONMENT,
                tuple(found_pip) or (Item("six", "six", "1.17.0"),),
                sources=Sources(
                    index_url=draw(st.sampled_from(("", "https://pypi.example.com/simple"))),
                    extra_index_urls=draw(st.sampled_from(((), ("https://x.example.com/simple",)))),
                ),
                options=draw(st.sampled_from(((), ("--pre",), ("--no-binary", ":all:")))),
            )
        )
    packages = [
        Package(
            "conda",
            item.name,
            item.version,
            "h0_0",
            url=f"https://conda.example.com/lab/linux-64/{item.name}-{item.version}-h0_0.conda",
            sha256=draw(digests),
        )
        for item in found_conda
        if item.version
    ]
    packages += [
        Package("pip", item.name, item.version, url=draw(urls), sha256=draw(digests))
        for item in (*found_pip, *draw(st.lists(pip_items(), max_size=2, **unique)))
        if item.version
    ]
    packages = list({package.key: package for package in packages}.values())
    return Recipe(
        tuple(steps), (Holding(ENVIRONMENT, tuple(sorted(packages, key=lambda p: p.key))),)
    )


def round_trip(
    recipe: Recipe, folder: Path, name: str, file: str, **options: object
) -> tuple[str, str]:
    """What a format writes, and what it writes of what was read back."""
    first = export.get(name).render(recipe, **options).text
    path = folder / file
    path.write_text(first)
    again = export.get(name).render(planned(files.read(path)), **options).text
    return first, again


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=environments(), pin=st.sampled_from(("exact", "spec", "none")))
def test_environment_yml_and_back(recipe: Recipe, pin: str, tmp_path: Path) -> None:
    first, again = round_trip(recipe, tmp_path, "conda", "environment.yml", pin=pin)
    assert again == first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=environments(), pin=st.sampled_from(("exact", "spec", "none")))
def test_requirements_and_back(recipe: Recipe, pin: str, tmp_path: Path) -> None:
    if any(step.manager == "pip" for step in recipe.steps):
        first, again = round_trip(recipe, tmp_path, "pip", "requirements.txt", pin=pin)
        assert again == first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=environments())
def test_requirements_with_hashes_and_back(recipe: Recipe, tmp_path: Path) -> None:
    text = export.get("pip").render(recipe, hashes=True).text
    if "--hash=" in text:
        first, again = round_trip(recipe, tmp_path, "pip", "requirements.txt", hashes=True)
        assert again == first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=environments())
def test_explicit_and_back(recipe: Recipe, tmp_path: Path) -> None:
    if any(package.manager == "conda" for package in recipe.holdings[0].packages):
        first, again = round_trip(recipe, tmp_path, "conda-explicit", "list.txt")
        assert again == first


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("conda",), "environment.yml"),
        (("pip",), "requirements.txt"),
        (("pip", "--hashes"), "requirements.txt"),
        (("conda-explicit",), "list.txt"),
    ],
)
def test_the_acceptance_history_and_back(
    words: tuple[str, ...],
    file: str,
    acceptance: Acceptance,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("JSTACKMAGIC_HISTORY", str(acceptance.history))
        verb("export", *words, "--output", tmp_path / file)
    monkeypatch.chdir(tmp_path)
    verb("capture", "--prefix", acceptance.base, file)
    offline = ["--offline"] if "pip" in words else []
    verb("export", *words, *offline, "--output", tmp_path / "again" / file)
    assert (tmp_path / "again" / file).read_text() == (tmp_path / file).read_text()
