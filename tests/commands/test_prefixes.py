"""Prefixes as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands, export
from jstackmagic.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_one_is_made_absolute_where_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record has it so: one that is compared with it as typed would have none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    read = {
        name: one.type
        for name in commands.names()
        for one in commands.parser(name, magic=False)._actions
        if "--prefix" in one.option_strings
    }
    assert {"install", "remove", "replay", "history", "info", "diff"} <= read.keys()
    for form in export.formats():
        read |= {
            f"export {form}": o.settings["type"]
            for o in export.get(form).options
            if o.name == "prefix"
        }
    assert "export conda" in read
    for one in read.values():
        assert [one(text) for text in ("e", "x/../e/", "~/e", str(tmp_path / "e"))] == [
            str(tmp_path / "e")
        ] * 4
        with pytest.raises(UsageError, match="no user"):
            one("~no-such-user-here/e")


def test_a_link_stays_what_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "dash").symlink_to(tmp_path)
    (option,) = [o for o in export.get("conda").options if o.name == "prefix"]
    assert option.settings["type"](f"{tmp_path}/dash") == f"{tmp_path}/dash"
