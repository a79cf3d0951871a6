"""Where packages come from, as a value."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import msgspec
import pytest

from jstackmagic.model.recipe import RecipeStep
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.model.written import plain, request_of, step_of, written

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = Sources(
    ("lab", "forge"),
    "https://p.example.com/simple",
    ("https://x.example.com/simple",),
    ("CMAKE_ARGS=-DX=ON",),
    ("/w",),
)


def test_every_field_is_of_a_manager() -> None:
    """Two read the variables; a field of none would be lost between list and request."""
    parts = [ALL.of("conda"), ALL.of("pip"), ALL.of("apt")]
    assert parts[2] == Sources()
    for each in fields(Sources):
        assert [getattr(part, each.name) != each.default for part in parts].count(True) == (
            2 if each.name == "variables" else 1
        )


def test_the_first_text_counts_and_lists_add_up() -> None:
    other = Sources(("forge", "bio"), "https://q.example.com", ("https://y.example.com",))
    assert ALL | other == Sources(
        ("lab", "forge", "bio"),
        ALL.index_url,
        ("https://x.example.com/simple", "https://y.example.com"),
        ALL.variables,
        ALL.find_links,
    )
    assert Sources() | ALL == ALL == ALL | Sources()


def test_the_usual_fills_what_is_empty_alone() -> None:
    usual = Sources(("usual",), "https://usual.example.com", ("https://more.example.com",))
    said = Sources(extra_index_urls=("https://x.example.com",))
    assert said.or_else(usual) == Sources(
        ("usual",), "https://usual.example.com", ("https://x.example.com",)
    )
    assert ALL.or_else(usual) == ALL


def test_a_credential_is_masked_and_what_was_masked_is_not_asked() -> None:
    private = Sources(
        ("https://me:s3cret@c.example.com/t", "lab"),
        "https://me:s3cret@p.example.com/simple",
        ("https://x.example.com/simple?token=s3cret", "https://open.example.com"),
    )
    assert "s3cret" not in repr(private.masked())
    assert private.masked().unmasked() == Sources(("lab",), "", ("https://open.example.com",))
    assert ALL.masked() == ALL == ALL.unmasked()


def test_only_what_names_something_is_true() -> None:
    assert not Sources()
    assert all(Sources(**{each.name: getattr(ALL, each.name)}) for each in fields(Sources))


@pytest.mark.parametrize(
    ("noun", "back", "rest"),
    [
        (Request, request_of, {"action": "install", "manager": "pip", "specs": ["six"]}),
        (RecipeStep, step_of, {"manager": "apt", "environment": None}),
    ],
)
def test_a_file_has_them_beside_the_other_fields(
    noun: type, back: Callable[[object], Request | RecipeStep], rest: dict[str, object]
) -> None:
    """The format of before they were one noun: old histories and recipes are read as they were."""
    said = {
        "channels": ["lab", "forge"],
        "index_url": "https://p.example.com/simple",
        "extra_index_urls": ["https://x.example.com/simple"],
        "variables": ["CMAKE_ARGS=-DX=ON"],
        "find_links": ["/w"],
    }
    for written_as, sources in (({**rest, **said}, ALL), (rest, Sources())):
        line = msgspec.json.decode(msgspec.json.encode(written_as), type=written(noun))
        assert back(line).sources == sources
        assert plain(back(line)) == written_as


@pytest.mark.parametrize(
    ("manager", "options", "links", "rest"),
    [
        ("pip", ["--pre", "--find-links", "/w", "-f/x"], ("/w", "/x"), ("--pre",)),
        (
            "pip",
            ["--find-links=https://l.example/", "-qf", "/w"],
            ("https://l.example/", "/w"),
            ("-q",),
        ),
        ("pip", ["--global-option", "-f", "--", "-f"], (), ("--global-option", "-f", "--", "-f")),
        ("apt", ["-f", "/w"], (), ("-f", "/w")),
    ],
)
def test_links_among_the_options_are_sources(
    manager: str, options: list[str], links: tuple[str, ...], rest: tuple[str, ...]
) -> None:
    """Older histories have them there, and so has a line after its two dashes."""
    request = Request("install", manager, (), options=tuple(options))
    assert (request.sources.find_links, request.options) == (links, rest)
