"""What a replay says of a file that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.commands._replaysource import home_of
from jstackmagic.model.environment import Environment, Kind
from jstackmagic.model.record import Context

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT_YML = "name: fresh\ndependencies: [toolz, {pip: [pyjokes]}]\n"


@pytest.mark.parametrize(
    ("kind", "name", "text", "expected"),
    [
        ("conda-named", "lab", ENVIRONMENT_YML,
         ("There is no environment fresh here: lab is used instead.",)),
        ("venv", None, ENVIRONMENT_YML,
         ("Left out: toolz ({prefix} is not a conda environment.)",
          "There is no environment fresh here: {prefix} is used instead.")),
        ("conda-named", "lab", ENVIRONMENT_YML.removeprefix("name: fresh\n"), ()),
    ],
)  # fmt: skip
def test_notes_say_what_goes_elsewhere_or_is_left_out(
    kind: Kind, name: str | None, text: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "environment.yml").write_text(text)
    prefix = str(tmp_path / "lab")
    home = home_of(str(tmp_path / "environment.yml"), [Environment(kind, name, prefix)], Context())
    assert home.notes == tuple(note.format(prefix=prefix) for note in expected)
    assert home.records
