"""Which engine does the work, and who says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jstackmagic import config
from jstackmagic.config import JStackMagic
from jstackmagic.managers import choose
from jstackmagic.model.engines import Engines
from jstackmagic.model.errors import Stopped, UsageError
from jstackmagic.model.request import Request
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support import tiers
from support.standin_conda import NOTHING_TO_DO, StandIn
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jstackmagic.model.environment import Environment
    from support.environments import Root
    from support.tiers import Channel


@pytest.fixture(autouse=True)
def condarc(home: Path, shim_channel: Channel) -> Path:
    path = home / ".condarc"
    path.write_text(json.dumps({"channels": [shim_channel.url]}))
    return path


@pytest.fixture
def governed(conda_root: Root, recording_conda: StandIn) -> Environment:
    """A named environment that a conda governs, which records what it is asked."""
    return detect(conda_root.create("analysis", "python", f"six={tiers.SIX[1]}"))


def engine(
    environment: Environment, wanted: str = "auto", *options: str, action: str = "install"
) -> str:
    request = Request(action, "conda", ("six",), options=options)  # type: ignore[arg-type]
    return choose("conda", environment, Engines(conda=wanted), request).name


def test_rattler_where_it_honours_everything_and_the_executable_elsewhere(
    governed: Environment, condarc: Path, conda_root: Root
) -> None:
    assert engine(governed) == "rattler"
    assert engine(governed, "auto", "--no-deps") == "conda"
    assert engine(governed, "auto", "--force", action="remove") == "rattler"
    assert engine(governed, "auto", "--force") == "conda"
    assert engine(governed, "conda") == "conda"
    condarc.write_text(condarc.read_text()[:-1] + ', "client_ssl_cert": "/my.pem"}')
    choice = choose("conda", governed, Engines())
    assert (choice.name, choice.engine) == ("conda", "conda")
    assert "client_ssl_cert" in choice.why
    assert engine(governed, "rattler") == "rattler"


def test_an_executable_by_its_name(governed: Environment, conda_root: Root) -> None:
    with pytest.raises(Stopped, match="There is no mamba for"):
        engine(governed, "mamba")
    mamba = conda_root.stand_in("mamba")
    choice = choose("conda", governed, Engines(conda="mamba"))
    assert choice.name == "mamba"
    assert choice.environment.conda is not None
    assert choice.environment.conda.path == str(mamba.executable)
    mamba.answer("--dry-run", output=NOTHING_TO_DO)
    verb("install", "--prefix", governed.prefix, "--conda", "wheel", "--engine", "mamba")
    assert mamba.argvs[0][:2] == ["install", "--yes"]
    record = Session().history.records()[-1]
    assert record.engine == "mamba"


def test_rattler_speaks_the_language_of_the_executable_it_stands_in_for(
    governed: Environment, recording_conda: StandIn
) -> None:
    words = ("--prefix", governed.prefix, "--conda", f"six={tiers.SIX[0]}")
    verb("install", *words)
    assert recording_conda.calls == []
    record = Session().history.records()[-1]
    assert record.engine == "rattler"
    assert record.commands == (
        f"{recording_conda.executable} install --yes --name analysis six={tiers.SIX[0]}",
    )
    six = read_packages(governed, ("conda",)).by_key["conda", "six"]
    assert six.version == tiers.SIX[0]
    verb("undo")
    assert recording_conda.calls == []
    assert read_packages(governed, ("conda",)).by_key["conda", "six"].version == tiers.SIX[1]


def test_what_only_an_executable_takes_is_not_dropped(governed: Environment) -> None:
    words = ("--prefix", governed.prefix, "--conda", "wheel", "--engine", "rattler")
    with pytest.raises(Stopped, match="--no-deps is for a conda executable") as caught:
        verb("install", *words, "--", "--no-deps")
    assert "--engine conda" in " ".join(caught.value.advice)


def test_undo_and_replay_take_the_configured_engine(
    governed: Environment, recording_conda: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb("install", "--prefix", governed.prefix, "--conda", f"six={tiers.SIX[0]}")
    monkeypatch.setenv("JSTACKMAGIC_CONDA_ENGINE", "conda")
    verb("undo", "--force")
    assert recording_conda.argvs, "conda was asked"
    asked = len(recording_conda.calls)
    verb("install", "--prefix", governed.prefix, "--record-only", "--conda", "wheel")
    verb("replay")
    assert len(recording_conda.calls) > asked
    assert any("wheel" in " ".join(argv) for argv in recording_conda.argvs[asked:])


def test_info_says_which_and_why(
    governed: Environment, condarc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = str(verb("info", "--prefix", governed.prefix))
    assert "conda engine rattler (it honours every setting" in " ".join(shown.split())
    assert "pip engine" in " ".join(shown.split())
    monkeypatch.setenv("JSTACKMAGIC_PIP_ENGINE", "pip")
    condarc.write_text(condarc.read_text()[:-1] + ', "always_copy": true}')
    (told,) = verb("info", "--prefix", governed.prefix).to_json()["environments"]
    assert told["engines"]["conda"]["engine"] == "conda"
    assert f"always_copy ({condarc})" in told["engines"]["conda"]["why"]
    assert told["engines"]["pip"] == {"engine": "pip", "why": "you chose it"}
    monkeypatch.setenv("JSTACKMAGIC_CONDA_ENGINE", "micromamba")
    told = verb("info", "--prefix", governed.prefix).to_json()["environments"][0]["engines"]
    assert told["conda"]["engine"] is None
    assert "no micromamba for" in told["conda"]["why"]


# Who says so


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "jstackmagic")
    yield made
    made.run_line_magic("unload_ext", "jstackmagic")
    InteractiveShell.clear_instance()


def test_config(shell: InteractiveShell, governed: Environment) -> None:
    where = f"--prefix '{governed.prefix}'"
    first = shell.run_line_magic("envinfo", where)
    shell.run_line_magic("config", "JStackMagic.conda_engine = 'conda'")
    second = shell.run_line_magic("envinfo", where)
    engines = [info.to_json()["environments"][0]["engines"]["conda"] for info in (first, second)]
    assert [each["engine"] for each in engines] == ["rattler", "conda"]
    shell.run_line_magic("config", "JStackMagic.conda_engine = 'apt'")
    assert JStackMagic.instance().conda_engine == "conda"


def test_the_variables_are_the_defaults(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSTACKMAGIC_PIP_ENGINE", "pip")
    assert JStackMagic.instance().policy().engines == Engines(pip="pip")
    monkeypatch.setenv("JSTACKMAGIC_PIP_ENGINE", "conda")
    with pytest.raises(UsageError, match="'conda', which is not an engine"):
        Engines.of_environ()


def test_an_administrators_choice_holds_in_a_terminal_too(
    governed: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ipython_config.py"
    file.write_text("c.JStackMagic.conda_engine = 'rattler'\nc.JStackMagic.pip_engine = 'pip'\n")
    monkeypatch.setattr(config, "system_folders", lambda: (str(tmp_path),))
    assert config.from_files().engines == Engines(conda="rattler", pip="pip")
    add = ("install", "--prefix", governed.prefix, "--conda", "six", "--dry-run")
    assert verb(*add, "--engine", "conda").done[0].plan.engine == "conda"
    file.write_text(f"{file.read_text()}c.JStackMagic.locked = ['conda_engine', 'pip_engine']\n")
    monkeypatch.setenv("JSTACKMAGIC_PIP_ENGINE", "uv")
    assert config.from_files().engines == Engines(conda="rattler", pip="pip")
    with pytest.raises(Stopped, match="conda may not do conda's work here; rattler is locked"):
        verb(*add, "--engine", "conda")
    assert verb(*add, "--engine", "rattler").done[0].plan.engine == "rattler"


def test_an_option_wins_over_what_is_configured() -> None:
    configured = Engines(conda="mamba", pip="pip")
    assert configured.but(["uv"]) == Engines(conda="mamba", pip="uv")
    assert configured.but(["rattler", "uv"]) == Engines(conda="rattler", pip="uv")
    assert configured.but(["auto"]) == Engines()
    with pytest.raises(UsageError, match="invalid choice"):
        verb("install", "six", "--engine", "apt")
