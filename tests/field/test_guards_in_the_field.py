"""What people typed by mistake, or what others had pinned, owned or closed: it stops, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands
from jstackmagic.capture.lines import recognise
from jstackmagic.model.errors import UsageError
from jstackmagic.session import Session
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


class TestAVerbTypedAsAPackage:
    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (["install", "pandas"], "%envinstall pandas"),
            (["--pip", "pip", "install", "six"], "%envinstall six"),
            (["%conda", "install", "numpy>=1.20"], "%envinstall 'numpy>=1.20'"),
            (["remove", "pandas"], "%envremove pandas"),
            (["uv", "add", "httpx"], "%envinstall httpx"),
        ],
    )
    def test_it_is_asked_about(self, words: list[str], meant: str, history_file: Path) -> None:
        with pytest.raises(UsageError) as caught:
            verb("install", "--record-only", *words)
        assert f"Did you mean: {meant}?" in str(caught.value)
        assert not history_file.exists()

    def test_also_in_a_cell(self, history_file: Path) -> None:
        session = Session(cell="pip install six\n")
        with pytest.raises(UsageError, match="Did you mean: %envinstall six"):
            commands.execute("install", ["--record-only"], session)
        assert not history_file.exists()

    @pytest.mark.parametrize(
        ("words", "specs"),
        [
            (["--pip", "pip", "six"], ["pip", "six"]),  # pip itself is a package
            (["pip:install", "pip:six"], ["install", "six"]),  # the manager is named: it is meant
            (["--pip", "install==1.3.5", "six"], ["install==1.3.5", "six"]),
            (["--pip", "--force", "install", "six"], ["install", "six"]),
            (["--pip", "six", "install"], ["six", "install"]),
        ],
    )
    def test_a_package_of_that_name_can_be_had(
        self, words: list[str], specs: list[str], history_file: Path
    ) -> None:
        verb("install", "--record-only", *words)
        begun = json.loads(history_file.read_text().splitlines()[0])
        assert begun["request"]["specs"] == specs

    @pytest.mark.parametrize(
        ("line", "specs"),
        [
            ("pip install -U -q install databricks-sdk mlflow", ("databricks-sdk", "mlflow")),
            ("conda install -y conda install numpy", ("numpy",)),
            ("apt-get install -y apt-get install graphviz", ("graphviz",)),
        ],
    )
    def test_captured_it_is_left_out_and_said(self, line: str, specs: tuple[str, ...]) -> None:
        (found,) = recognise(line, folder="/w")
        assert found.request is not None
        assert found.request.specs == specs
        assert "typed twice" in found.note

    @pytest.mark.parametrize(
        "line", ["pip install pip six", "pip install -U pip", "pip install install"]
    )
    def test_captured_packages_stay_packages(self, line: str) -> None:
        (found,) = recognise(line, folder="/w")
        assert found.request is not None
        assert found.request.specs[0] in ("pip", "install")
        assert not found.note
