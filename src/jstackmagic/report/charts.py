"""Charts as SVG, drawn by pygal: no script, and readable on white and on black."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pygal
from pygal.style import Style

from ..model.text import readable

_GREY = "#767676"  # 4.5 to 1 against white and against black, as WCAG 2.2 asks of text
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground=_GREY,
    foreground_strong=_GREY,
    foreground_subtle=_GREY,
    opacity="1",
    colors=("#3182bd",),
    font_family="system-ui, sans-serif",
    title_font_size=20,
    label_font_size=16,
    major_label_font_size=16,
    value_font_size=16,
    guide_stroke_color="transparent",
    major_guide_stroke_color="transparent",
)
_LONG = 28  # characters of a label


def bars(title: str, rows: Sequence[tuple[str, float]]) -> bytes:
    """Return a chart of horizontal bars, the first row at the top."""
    chart = pygal.HorizontalBar(
        style=_STYLE,
        title=title,
        show_legend=False,
        js=(),
        print_values=True,
        formatter=lambda number: f"{number:,.0f}" if number >= 10 else f"{number:.2g}",
        show_x_labels=False,  # each bar says its value
        width=640,
        height=60 + 34 * len(rows),
        truncate_label=-1,
    )
    upwards = rows[::-1]
    chart.x_labels = [_label(name) for name, _ in upwards]
    chart.add("", [number for _, number in upwards])
    tree = ET.fromstring(chart.render())  # noqa: S314 - what pygal has just written
    for parent in list(tree.iter()):
        for child in [each for each in parent if each.tag.endswith("script")]:
            parent.remove(child)
    return ET.tostring(tree)


def _label(name: str) -> str:
    text = readable(name)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
