"""Where packages come from and go to: settings of pip's, of the line, of another cell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.pip.landing import wished
from jstackmagic.model.errors import Stopped
from jstackmagic.where.environment import detect
from jstackmagic.where.packages import read_packages
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def holds(prefix: Path, name: str) -> bool:
    return read_packages(detect(prefix), ("pip",)).get("pip", name) is not None


class TestWhereTo:
    """The environment that is named is where it goes, or it stops and says which setting."""

    @pytest.mark.parametrize("engine", ["uv", "pip"])
    @pytest.mark.parametrize("variable", ["PIP_USER", "PIP_TARGET", "PIP_PREFIX"])
    def test_variables_do_not_lead_it_away(
        self,
        tmp_path: Path,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        engine: str,
        variable: str,
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        monkeypatch.setenv(variable, "yes" if variable == "PIP_USER" else str(tmp_path / "x"))
        verb("install", "--pip", "--prefix", prefix, "--engine", engine, "six")
        assert holds(prefix, "six")
        assert not (tmp_path / "x").exists()
        assert not (home / ".local/lib").exists()

    def test_nor_do_they_in_a_conda_environment(
        self, conda_env: Callable[..., Path], home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = conda_env("python", "pip")
        monkeypatch.setenv("PIP_USER", "yes")
        verb("install", "--pip", "--prefix", prefix, "six")
        assert holds(prefix, "six")
        assert not (home / ".local/lib").exists()

    def test_a_file_that_says_user_does_not_either(self, tmp_path: Path, home: Path) -> None:
        prefix = make_venv(tmp_path / "venv")
        (prefix / "pip.conf").write_text("[install]\nuser = yes\n")
        verb("install", "--pip", "--prefix", prefix, "--engine", "pip", "six")
        assert holds(prefix, "six")
        assert not (home / ".local/lib").exists()

    @pytest.mark.parametrize("engine", ["uv", "pip"])
    def test_a_file_that_names_a_folder_stops_it(
        self, tmp_path: Path, history_file: Path, engine: str
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        (prefix / "pip.conf").write_text(f"[install]\ntarget = {tmp_path}/x\n")
        with pytest.raises(Stopped, match="setting target") as caught:
            verb("install", "--pip", "--prefix", prefix, "--engine", engine, "six")
        assert str(prefix / "pip.conf") in str(caught.value)
        assert not history_file.exists()

    def test_where_only_virtual_environments_are_allowed(
        self, conda_env: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
        with pytest.raises(Stopped, match="PIP_REQUIRE_VIRTUALENV"):
            verb("install", "--pip", "--prefix", conda_env("python", "pip"), "six")
        venv = make_venv(tmp_path / "venv")
        verb("install", "--pip", "--prefix", venv, "six")
        assert holds(venv, "six")

    def test_what_the_line_itself_says_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        monkeypatch.setenv("PIP_TARGET", str(tmp_path / "other"))
        target = tmp_path / "x"
        result = verb("install", "--pip", "--prefix", prefix, "six", "--", "--target", target)
        assert (target / "six.py").exists()
        assert not (tmp_path / "other").exists()
        assert any(str(target) in note for note in result.done[0].notes)
        assert result.done[0].record.request.options == ("--target", str(target))

    def test_an_option_of_another_is_no_place(self) -> None:
        assert wished(("--user-agent", "x", "--root-user-action", "ignore")) == {}
        assert os.path.isabs(wished(("--prefix=/opt/x",))["prefix"])
