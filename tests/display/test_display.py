"""How a result looks."""

from __future__ import annotations

import pkgutil
import re
from html.parser import HTMLParser
from importlib import import_module

from hypothesis import given
from hypothesis import strategies as st

from jstackmagic import commands
from jstackmagic.display import Code, Fold, Result, Table, Text, as_text, channel_text, size_text
from jstackmagic.display.html import as_html
from jstackmagic.model.text import for_terminal

PARTS = (
    Text("Restart <the> kernel", "warning"),
    Code("pip install 'a<b'"),
    Table(("", "Package"), (("+", "six & seven"), ("−", "x")), caption="What <changed>"),
)


class Words(HTMLParser):
    """The text of a page, and every tag and attribute on it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_both_forms_say_the_same() -> None:
    text, page = as_text(PARTS), Words(as_html(PARTS))
    for words in ("Restart <the> kernel", "pip install 'a<b'", "six & seven", "What <changed>"):
        assert words in text
        assert words in page.words


def test_a_table_lines_up_in_plain_text() -> None:
    table = Table(("Id", "What"), (("1", "a"), ("1000", "b")))
    assert as_text([table]) == "Id    What\n────  ────\n1     a\n1000  b"


@given(st.text(), st.text())
def test_no_text_becomes_markup(first: str, second: str) -> None:
    parts = [
        Text(first),
        Text(f"Say it: %envinstall {second}", "warning"),
        Code(second),
        Fold(first, second),
        Table((first,), ((second,),), first),
        Table(("", "x"), ((first, second), ("+", second)), facts=True),
    ]
    page = Words(as_html(parts))
    assert set(page.tags) <= {
        *("div", "style", "p", "span", "code", "pre", "details", "summary"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    }
    assert set(page.attributes) <= {"class", "scope", "role", "title", "aria-label", "aria-hidden"}


def test_html_takes_its_colours_from_the_theme_and_needs_no_script() -> None:
    page = as_html(PARTS)
    for family in ("--jp-", "--vscode-"):
        assert f"var({family}" in page
    assert "<script" not in page
    # of an outer variable there is always something to fall back on
    outer = re.findall(r"var\(--(?:jp|vscode)-[\w-]+(.)", page)
    assert outer
    assert set(outer) == {","}


def test_a_screen_reader_hears_what_a_table_is_and_what_its_signs_mean() -> None:
    table = Table(("", "Package"), (("+", "six"), ("−", "seven")), "What changed")
    page = as_html([table])
    assert "<caption>What changed</caption>" in page
    assert '<th scope="col">Package</th>' in page
    assert 'role="img" aria-label="added"' in page
    assert 'role="img" aria-label="removed"' in page
    facts = as_html([Table(("Environment", "base"), (("kind", "conda"),), facts=True)])
    assert '<th scope="row">kind</th>' in facts


def test_a_warning_is_told_by_more_than_its_colour() -> None:
    signs = [
        re.findall(
            r'<p class="\w+"><span aria-hidden="true">(.)</span>', as_html([Text("x", tone)])
        )
        for tone in ("plain", "good", "warning")
    ]
    assert len(set(map(tuple, signs))) == 3


def test_what_to_type_stands_out() -> None:
    page = as_html([Text("Does it hold? %envimage prove a:1\nSee which: %envhistory 3f9a.")])
    assert "<code>%envimage prove a:1</code>" in page
    assert "<code>%envhistory 3f9a</code>." in page


def test_a_long_text_is_one_line_until_it_is_opened() -> None:
    parts = [Fold("2 lines of log: %envhistory 3f9a --log", "first\nsecond <line>")]
    assert as_text(parts) == "2 lines of log: %envhistory 3f9a --log"
    assert "<details><summary>2 lines" in as_html(parts)
    assert "second &lt;line&gt;" in as_html(parts)


def test_a_terminals_sentences_are_in_its_own_words_and_code_stays_as_it_is() -> None:
    parts = (Text("Now: %envundo"), Code("# %envundo"), Fold("All: %envhistory 1", "x"))
    shown = as_text(parts, words=for_terminal)
    assert shown == "Now: jstackmagic undo\n# %envundo\nAll: jstackmagic history 1"


def test_sizes_and_channels_for_people() -> None:
    assert size_text(0) == "1 KiB"
    assert size_text(5 * 1024 * 1024 // 2) == "2.5 MiB"
    assert channel_text("https://me:secret@h.example/t/tok/my-channel/") == "my-channel"
    assert (
        channel_text("git+https://me:x@h.example/r.git@abc")
        == "git+https://****@h.example/r.git@abc"
    )


def test_no_result_shows_its_fields_where_python_shows_a_value() -> None:
    for module in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        import_module(module.name)
    kinds, found = [Result], set[type[Result]]()
    while kinds:
        found |= (more := set(kinds.pop().__subclasses__()))
        kinds += more
    assert {"UndoResult", "ChangeResult", "Images"} <= {kind.__name__ for kind in found}
    assert [kind.__name__ for kind in found if kind.__repr__ is not Result.__repr__] == []
