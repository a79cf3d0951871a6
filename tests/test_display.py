"""How a result looks."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.display import Code, Table, Text, as_html, as_text, channel_text, size_text

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
        self.words.append(data)

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
    page = Words(as_html([Text(first), Code(second), Table((first,), ((second,),), first)]))
    assert set(page.tags) <= {
        "div", "p", "pre", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert set(page.attributes) <= {"class", "style", "scope"}


def test_html_takes_its_colours_from_the_theme_and_needs_no_script() -> None:
    page = as_html(PARTS)
    assert "var(--jp-" in page
    assert "<script" not in page


def test_sizes_and_channels_for_people() -> None:
    assert size_text(0) == "1 KiB"
    assert size_text(5 * 1024 * 1024 // 2) == "2.5 MiB"
    assert channel_text("https://me:secret@h.example/t/tok/my-channel/") == "my-channel"
    assert (
        channel_text("git+https://me:x@h.example/r.git@abc")
        == "git+https://****@h.example/r.git@abc"
    )
