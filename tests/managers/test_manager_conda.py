"""The conda executables: the exact command lines, and what their answers are made into.

Where no real executable can be had, a recording stand-in takes the calls; the last class asks the
same of every real one on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.display.console import PlainConsole
from jstackmagic.managers.conda import MANAGER
from jstackmagic.managers.conda import executable as conda
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import CommandFailed, Interrupted, InvalidSpec, Stopped
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support.channel import ChannelBuilder, platform_subdir
from support.environments import create_environment
from support.interrupts import interrupt_when
from support.standin_conda import NOTHING_TO_DO, dry_run_answer, failure_answer
from support.tiers import SIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from jstackmagic.model.plan import Plan
    from support.environments import Root
    from support.standin_conda import StandIn
    from support.tiers import Channel


def install(*specs: str, **more: object) -> Request:
    return Request("install", "conda", specs, **more)  # type: ignore[arg-type]


def remove(*specs: str) -> Request:
    return Request("remove", "conda", specs)


def plan(environment: Environment, request: Request, *, thorough: bool = True) -> Plan:
    return conda.manager(thorough=thorough).plan(request, environment)


@pytest.mark.parametrize(
    ("spec", "meant"),
    [("six=>1", "six>=1"), ("six=<2,=>1", "six<=2,>=1"), ("six=!1.16", "six!=1.16")],
)
def test_an_operator_written_backwards_is_named_anywhere(spec: str, meant: str) -> None:
    with pytest.raises(InvalidSpec, match="is not a match spec") as refused:
        MANAGER.check(install(spec), Environment(kind="conda", name=None, prefix="/e"))
    assert refused.value.advice == (f"Did you mean: 'conda:{meant}'",)
    with pytest.raises(Stopped) as stopped:
        MANAGER.check_target(install(spec), Environment(kind="venv", name=None, prefix="/e"))
    assert stopped.value.advice == (f"Install with pip: %envinstall --pip '{meant}'",)


@pytest.fixture
def named(conda_root: Root, recording_conda: StandIn) -> Environment:
    """A named environment with Python and the older six, below a root with a stand-in."""
    return detect(conda_root.create("analysis", "python", f"six={SIX[0]}"))


@pytest.fixture
def answer_six(named: Environment, recording_conda: StandIn) -> None:
    """The dry run of an update of six."""
    recording_conda.answer(
        "--dry-run",
        output=dry_run_answer(
            Path(named.prefix),
            unlink=[f"six-{SIX[0]}-pyhd_0"],
            link=[f"six-{SIX[1]}-pyhd_0"],
        ),
    )


class TestCommandLine:
    def test_a_named_environment_is_named(
        self, named: Environment, recording_conda: StandIn, answer_six: None
    ) -> None:
        request = install(
            f"six={SIX[1]}", sources=Sources(channels=("conda-forge", "https://ch.example/c"))
        )
        made = plan(named, request)
        arguments = ["--yes", "--name", "analysis", "-c", "conda-forge", "-c"]
        arguments += ["https://ch.example/c", f"six={SIX[1]}"]
        (command,) = made.commands
        assert list(command.argv) == [str(recording_conda.executable), "install", *arguments]
        assert recording_conda.argvs == [["install", "--dry-run", "--json", *arguments]]

    def test_an_environment_without_a_name_goes_by_its_prefix(
        self, tmp_path: Path, conda_root: Root, recording_conda: StandIn
    ) -> None:
        prefix = tmp_path / "some where"
        create_environment(
            prefix, "python", channels=conda_root.channels, packages=conda_root.packages
        )
        (command,) = plan(detect(prefix), install("six"), thorough=False).commands
        assert command.argv[1:] == ("install", "--yes", "--prefix", str(prefix), "six")
        assert f"--prefix '{prefix}' six" in str(command)

    def test_a_spec_is_one_argument(
        self, named: Environment, recording_conda: StandIn, answer_six: None
    ) -> None:
        made = plan(named, install("six >=1.17,<2", "numpy>=1.20", "scipy[version='>=1|<3']"))
        assert conda.manager().run(made, PlainConsole(lambda _: None)) == 0
        assert recording_conda.argvs[-1] == [
            *("install", "--yes", "--name", "analysis"),
            *("six >=1.17,<2", "numpy>=1.20", "scipy[version='>=1|<3']"),
        ]
        assert "'numpy>=1.20'" in str(made.commands[0])

    @pytest.mark.parametrize(
        "spec",
        ["a;rm -rf x", "$(id)", "`id`", "six\n--force", "--force", "-c", "six>=", "x|y", "a/b", ""],
    )
    def test_what_is_no_match_spec_is_refused(
        self, named: Environment, recording_conda: StandIn, spec: str
    ) -> None:
        with pytest.raises(InvalidSpec, match="is not a match spec"):
            plan(named, install("six", spec))
        assert recording_conda.calls == []

    def test_options_come_last_as_they_are(self, named: Environment) -> None:
        request = install("six", options=("--no-deps", "--solver", "classic; x"))
        (command,) = plan(named, request, thorough=False).commands
        assert command.argv[-4:] == ("six", "--no-deps", "--solver", "classic; x")

    def test_the_plain_name_is_shown_where_it_finds_the_same_file(
        self,
        named: Environment,
        recording_conda: StandIn,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        beside = recording_conda.executable.parent
        monkeypatch.setenv("PATH", f"{beside}{os.pathsep}{os.environ['PATH']}")
        (command,) = plan(named, install("pip"), thorough=False).commands
        assert command.argv[0] == "conda"
        another = tmp_path / "another"
        another.mkdir()
        shutil.copy(recording_conda.executable, another / "conda")
        monkeypatch.setenv("PATH", f"{another}{os.pathsep}{os.environ['PATH']}")
        (command,) = plan(named, install("pip"), thorough=False).commands
        assert command.argv[0] == str(recording_conda.executable)

    def test_removing(self, named: Environment, recording_conda: StandIn) -> None:
        recording_conda.answer(
            "--dry-run",
            output=dry_run_answer(Path(named.prefix), unlink=[f"six-{SIX[0]}-pyhd_0"]),
        )
        made = plan(named, remove("six"))
        assert made.commands[0].argv[1:] == ("remove", "--yes", "--name", "analysis", "six")
        assert made.change is not None
        assert [package.name for package in made.change.removed] == ["six"]

    def test_credentials_are_not_shown(self, named: Environment) -> None:
        request = install("pip", sources=Sources(channels=("https://me:s3cret@ch.example/c",)))
        (command,) = plan(named, request, thorough=False).commands
        assert "https://me:s3cret@ch.example/c" in command.argv
        assert "s3cret" not in str(command)


class TestUpgrade:
    def test_conda(self, named: Environment) -> None:
        (command,) = plan(named, install("six", "pip", upgrade=True), thorough=False).commands
        assert command.argv[1:4] == ("install", "--yes", "--update-specs")
        assert command.argv[-2:] == ("six", "pip")

    @pytest.mark.parametrize("tool", ["mamba", "micromamba"])
    def test_mamba_updates_what_is_there_and_installs_the_rest(
        self, conda_root: Root, monkeypatch: pytest.MonkeyPatch, tool: str
    ) -> None:
        conda_root.stand_in(tool)
        monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(conda_root.prefix))
        environment = detect(conda_root.create("analysis", "python", "six"))
        made = plan(environment, install("six", "pip", upgrade=True), thorough=False)
        assert [command.argv[1:] for command in made.commands] == [
            ("update", "--yes", "--name", "analysis", "six"),
            ("install", "--yes", "--name", "analysis", "pip"),
        ]
        assert made.engine == tool


class TestAlreadyThere:
    @pytest.mark.parametrize("spec", ["six", f"six={SIX[0]}", "six<1.17", "SIX", "six=*=pyhd_0"])
    def test_no_process_is_started(
        self, named: Environment, recording_conda: StandIn, spec: str
    ) -> None:
        made = plan(named, install(spec, "python"))
        assert made.commands == ()
        assert [package.name for package in made.satisfied] == ["six", "python"]
        assert recording_conda.calls == []

    @pytest.mark.parametrize("spec", ["six>=1.17", "six=*=other_0", "bioconda::six", "pip"])
    def test_what_does_not_match_is_asked_for(
        self, named: Environment, recording_conda: StandIn, spec: str, answer_six: None
    ) -> None:
        assert plan(named, install(spec)).commands
        assert len(recording_conda.calls) == 1

    def test_its_own_channel_matches(self, named: Environment, shim_channel: Channel) -> None:
        assert plan(named, install(f"{shim_channel.url}::six")).commands == ()
        assert plan(named, install(f"{shim_channel.url}/noarch::six")).commands == ()

    def test_what_it_needs_must_be_there_too(
        self, conda_root: Root, recording_conda: StandIn, answer_six: None
    ) -> None:
        prefix = conda_root.create("broken", "python", "demo-needs-old-six")
        environment = detect(prefix)
        assert plan(environment, install("demo-needs-old-six")).commands == ()
        next(prefix.glob("conda-meta/six-*.json")).unlink()
        assert plan(environment, install("demo-needs-old-six")).commands

    def test_conda_may_say_so_as_well(self, named: Environment, recording_conda: StandIn) -> None:
        recording_conda.answer("--dry-run", output=NOTHING_TO_DO)
        made = plan(named, install("six", upgrade=True))
        assert made.commands == ()
        assert [package.version for package in made.satisfied] == [SIX[0]]

    def test_removing_what_is_not_there(self, named: Environment, recording_conda: StandIn) -> None:
        with pytest.raises(CommandFailed) as caught:
            plan(named, remove("sixx"))
        assert "Not installed by conda: sixx" in caught.value.problem
        assert "Installed is: six" in caught.value.advice
        assert recording_conda.calls == []


class TestForeseen:
    def test_conda_s_answer(self, named: Environment, answer_six: None) -> None:
        change = plan(named, install(f"six={SIX[1]}")).change
        assert change is not None
        ((old, new),) = change.changed
        assert (old.version, new.version) == SIX
        assert old == read_packages(named, ("conda",)).get("conda", "six")
        assert new.source == "https://conda.anaconda.org/conda-forge"
        assert not change.added
        assert not change.removed

    def test_libmamba_s_answer(self, named: Environment, recording_conda: StandIn) -> None:
        entry = {
            "name": "tabulate",
            "version": "0.9.0",
            "build": "pyhd8ed1ab_2",
            "build_string": "pyhd8ed1ab_2",
            "channel": "https://conda.anaconda.org/conda-forge",
            "subdir": "noarch",
            "url": "https://conda.anaconda.org/conda-forge/noarch/tabulate-0.9.0-pyhd8ed1ab_2.conda",
            "sha256": "ab" * 32,
        }
        answer = {"actions": {"LINK": [entry], "FETCH": [entry]}, "success": True, "dry_run": True}
        text = f"Transaction\n\n  Prefix: {{x}}\n{json.dumps(answer, indent=4)}\n"
        recording_conda.answer("--dry-run", output=text)
        change = plan(named, install("tabulate")).change
        assert change is not None
        (package,) = change.added
        assert (package.version, package.build) == ("0.9.0", "pyhd8ed1ab_2")
        assert package.source == "https://conda.anaconda.org/conda-forge"
        assert package.sha256 == "ab" * 32

    def test_a_package_linked_anew_is_no_change(
        self, named: Environment, recording_conda: StandIn, shim_channel: Channel
    ) -> None:
        answer = dry_run_answer(
            Path(named.prefix), unlink=[f"six-{SIX[0]}-pyhd_0"], link=[f"six-{SIX[0]}-pyhd_0"]
        )
        for entry in answer["actions"]["LINK"]:  # type: ignore[index]
            entry["base_url"] = shim_channel.url
        recording_conda.answer("--dry-run", output=answer)
        made = plan(named, install("six", options=("--force-reinstall",)))
        assert made.commands
        assert not made.change

    def test_without_it_nothing_is_asked(
        self, named: Environment, recording_conda: StandIn
    ) -> None:
        made = plan(named, install("pip"), thorough=False)
        assert made.change is None
        assert recording_conda.calls == []


class TestRefused:
    def fail(
        self, named: Environment, stand_in: StandIn, answer: object, status: int = 1
    ) -> CommandFailed:
        stand_in.answer("--dry-run", output=answer, status=status)  # type: ignore[arg-type]
        with pytest.raises(CommandFailed) as caught:
            plan(named, install("nosuch>=3"))
        assert caught.value.kept == "Nothing was changed."
        return caught.value

    @pytest.mark.parametrize("name", ["PackagesNotFoundError", "PackagesNotFoundInChannelsError"])
    def test_no_such_package(self, named: Environment, recording_conda: StandIn, name: str) -> None:
        answer = failure_answer(
            name,
            "The following packages are not available from current channels:\n\n  - nosuch",
            packages=["nosuch[version='>=3']"],
            channel_urls=["https://ch.example/c/linux-64", "https://ch.example/c/noarch"],
        )
        error = self.fail(named, recording_conda, answer)
        assert "finds no nosuch[version='>=3'] in https://ch.example/c." in error.problem
        assert any("%envinstall --pip" in line for line in error.advice)
        assert any("search '*nosuch*'" in line for line in error.advice)

    def test_a_conflict_is_told_in_conda_s_words(
        self, named: Environment, recording_conda: StandIn
    ) -> None:
        words = "The following specifications were found to be incompatible:\n  - a -> b"
        error = self.fail(named, recording_conda, failure_answer("UnsatisfiableError", words))
        assert words in error.problem

    def test_no_right_to_write(self, named: Environment, recording_conda: StandIn) -> None:
        answer = failure_answer(
            "EnvironmentNotWritableError", "The current user does not have write permissions"
        )
        error = self.fail(named, recording_conda, answer)
        assert "write permissions" in error.problem
        assert any("--record-only" in line for line in error.advice)

    def test_libmamba_s_problems(self, named: Environment, recording_conda: StandIn) -> None:
        answer = {"solver_problems": ["nothing provides requested nosuch >=3"], "success": False}
        error = self.fail(named, recording_conda, answer)
        assert "nothing provides requested nosuch" in error.problem
        assert any("-c CHANNEL" in line for line in error.advice)

    def test_no_json_at_all(self, named: Environment, recording_conda: StandIn) -> None:
        error = self.fail(named, recording_conda, "Traceback\nValueError: what\n", status=1)
        assert "ValueError: what" in error.problem

    def test_an_error_counts_though_the_status_is_zero(
        self, named: Environment, recording_conda: StandIn
    ) -> None:
        answer = failure_answer("CondaHTTPError", "HTTP 503")
        error = self.fail(named, recording_conda, answer, status=0)
        assert "HTTP 503" in error.problem

    def test_nobody_governs(self, named: Environment) -> None:
        from dataclasses import replace

        with pytest.raises(Stopped, match="No conda, mamba or micromamba governs"):
            plan(replace(named, conda=None), install("six"))


class TestArchive:
    @pytest.fixture(params=[".conda", ".tar.bz2"])
    def archive(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        builder = ChannelBuilder(tmp_path / "built here")
        return builder.add_package(
            "demo-local", "1.5", build="h1_0", depends=["python", "demo-tool >=1"],
            archive=request.param, files={"share/demo-local": "x"},
        )  # fmt: skip

    def test_it_has_a_command_of_its_own(
        self, named: Environment, recording_conda: StandIn, archive: Path, answer_six: None
    ) -> None:
        made = plan(named, install(str(archive), f"six={SIX[1]}"))
        assert [command.argv[-1] for command in made.commands] == [f"six={SIX[1]}", str(archive)]
        assert made.change is not None
        (package,) = made.change.added
        assert (package.name, package.version, package.build) == ("demo-local", "1.5", "h1_0")
        digest = subprocess.run(["sha256sum", archive], check=True, capture_output=True, text=True)
        assert package.sha256 == digest.stdout.split()[0]
        assert [old.name for old, _ in made.change.changed] == ["six"]

    def test_what_it_needs_is_told(self, named: Environment, archive: Path) -> None:
        (note,) = plan(named, install(str(archive)), thorough=False).notes
        assert note.endswith("%envinstall --conda demo-tool")

    def test_the_same_archive_again_changes_nothing(
        self, tmp_path: Path, conda_root: Root, recording_conda: StandIn, archive: Path
    ) -> None:
        builder = ChannelBuilder(archive.parent.parent)
        builder.index()
        prefix = conda_root.prefix / "envs" / "with"
        channels = [*conda_root.channels, builder.url]
        create_environment(prefix, "demo-local", channels=channels, packages=conda_root.packages)
        assert plan(detect(prefix), install(str(archive))).commands == ()
        other = ChannelBuilder(tmp_path / "other").add_package(
            "demo-local", "1.5", build="h1_0", files={"share/demo-local": "other contents"}
        )
        assert plan(detect(prefix), install(str(other)), thorough=False).commands

    def test_what_is_none_is_refused(self, named: Environment, tmp_path: Path) -> None:
        broken = tmp_path / "broken-1-0.conda"
        broken.write_text("no archive")
        with pytest.raises(InvalidSpec, match="is not a package archive"):
            plan(named, install(str(broken)))
        with pytest.raises(InvalidSpec, match="No such file"):
            plan(named, install(str(tmp_path / "missing-1-0.conda")))
        with pytest.raises(InvalidSpec, match="archive in brackets"):
            plan(named, install("six[url=https://h.example/noarch/other-1-0.conda]"))
        with pytest.raises(InvalidSpec, match="names an archive") as caught:
            plan(named, remove(str(broken)))
        assert "Remove it by its name: %envremove broken" in caught.value.advice


class TestRunning:
    def test_words_come_and_the_status_goes_back(
        self, named: Environment, recording_conda: StandIn
    ) -> None:
        made = plan(named, install("pip"), thorough=False)
        recording_conda.answer("install", output="solving\rsolving.\nfailed\n", status=3)
        words: list[str] = []
        assert conda.manager().run(made, PlainConsole(words.append)) == 3
        assert "".join(words) == "solving\rsolving.\nfailed\n"

    def test_the_next_command_waits_for_the_first(
        self, conda_root: Root, recording_conda: StandIn, tmp_path: Path
    ) -> None:
        environment = detect(conda_root.create("analysis", "python"))
        builder = ChannelBuilder(tmp_path / "built")
        archive = builder.add_package("demo-local", "1.5", files={"share/x": "x"})
        made = plan(environment, install("six", str(archive)), thorough=False)
        recording_conda.answer("six", status=1)
        assert conda.manager().run(made, PlainConsole(lambda _: None)) == 1
        assert len(recording_conda.calls) == 1

    def test_an_interrupted_dry_run_changed_nothing(
        self, named: Environment, recording_conda: StandIn
    ) -> None:
        recording_conda.answer("--dry-run", output="{}", seconds=20)
        interrupt_when(lambda: any("--dry-run" in call.argv for call in recording_conda.calls))
        with pytest.raises(Interrupted) as caught:
            plan(named, install("pip"))
        assert caught.value.kept == "Nothing was changed."


@pytest.mark.parametrize("tool", ["conda", "mamba", "micromamba"])
class TestRealExecutable:
    """The same with each of the family that is installed here."""

    @pytest.fixture
    def environment(
        self,
        tool: str,
        tmp_path: Path,
        shim_channel: Channel,
        monkeypatch: pytest.MonkeyPatch,
        conda_env: Callable[..., Path],
    ) -> Environment:
        path = shutil.which(tool)
        if path is None:
            pytest.skip(f"there is no {tool} on the PATH")
        monkeypatch.setenv("CONDA_PKGS_DIRS", str(tmp_path / "pkgs"))
        variable = "CONDA_EXE" if tool == "conda" else "MAMBA_EXE"
        monkeypatch.setenv(variable, path)
        Path(os.environ["CONDARC"]).write_text(
            f"channels: ['{shim_channel.url}']\ndefault_channels: []\n"
        )
        return detect(conda_env("python", f"six={SIX[0]}"))

    def test_it_installs_what_it_foresaw(self, environment: Environment, tool: str) -> None:
        made = plan(environment, install("demo-tool<2", f"six={SIX[1]}"))
        assert made.engine == tool
        assert made.change is not None
        before = read_packages(environment, ("conda",))
        assert conda.manager().run(made, PlainConsole(print)) == 0
        change = read_packages(environment, ("conda",)) - before
        assert [package.version for package in change.added if package.name == "demo-tool"] == [
            "1.0"
        ]
        assert [(old.version, new.version) for old, new in change.changed] == [SIX]
        assert [p.name for p in made.change.added] == [p.name for p in change.added]
        assert [p.key for p, _ in made.change.changed] == [p.key for p, _ in change.changed]
        assert plan(environment, install("demo-tool<2")).commands == ()

    def test_it_upgrades_and_removes(self, environment: Environment) -> None:
        manager = conda.manager(thorough=True)
        made = manager.plan(install("six", upgrade=True), environment)
        assert made.change is not None
        assert [new.version for _, new in made.change.changed] == [SIX[1]]
        assert manager.run(made, PlainConsole(print)) == 0
        assert manager.run(manager.plan(remove("six"), environment), PlainConsole(print)) == 0
        assert ("conda", "six") not in read_packages(environment, ("conda",))

    def test_it_finds_no_such_package(self, environment: Environment) -> None:
        with pytest.raises(CommandFailed, match="no-such-package"):
            plan(environment, install("no-such-package"))

    def test_it_takes_an_archive(self, environment: Environment, tmp_path: Path) -> None:
        builder = ChannelBuilder(tmp_path / "built")
        archive = builder.add_package("demo-local", "1.5", files={"share/demo-local": "x"})
        made = plan(environment, install(str(archive)))
        assert conda.manager().run(made, PlainConsole(print)) == 0
        assert Path(environment.prefix, "share/demo-local").read_text() == "x"
        assert plan(environment, install(str(archive))).commands == ()
        assert platform_subdir() in str(archive)
