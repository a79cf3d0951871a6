"""Results as HTML: for JupyterLab, Notebook 7, VS Code, and pages that were saved.

There is no script. Colours and fonts are those of the page's theme, by the CSS variables of
JupyterLab (``--jp-*``) and of VS Code (``--vscode-*``), with fallbacks that can be read on white
and on black. No colour says anything that a word or a sign does not say too. A page that takes the
style away, as GitHub does, still shows plain tables, code and folds.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from ..model.text import readable
from .log import Line, Style
from .parts import SIGNS, Code, Fold, Part, Table, Text

# https://jupyterlab.readthedocs.io/en/stable/developer/css.html
# https://code.visualstudio.com/api/references/theme-color
_RULES = """
& {
  --jm-fg: var(--jp-content-font-color1, var(--vscode-editor-foreground, inherit));
  --jm-quiet: var(--jp-content-font-color2,
    var(--vscode-descriptionForeground, color-mix(in srgb, currentcolor 65%, transparent)));
  --jm-line: var(--jp-border-color2, var(--vscode-panel-border, rgba(128, 128, 128, .4)));
  --jm-back: var(--jp-cell-editor-background,
    var(--vscode-textCodeBlock-background, rgba(128, 128, 128, .1)));
  --jm-hover: var(--jp-rendermime-table-row-hover-background,
    var(--vscode-list-hoverBackground, rgba(128, 128, 128, .15)));
  --jm-good: var(--jp-success-color1, var(--vscode-testing-iconPassed, #2e8540));
  --jm-warn: var(--jp-warn-color1, var(--vscode-editorWarning-foreground, #b26a00));
  --jm-bad: var(--jp-error-color1, var(--vscode-editorError-foreground, #d32f2f));
  --jm-mono: var(--jp-code-font-family, var(--vscode-editor-font-family, monospace));
  --jm-mono-size: var(--jp-code-font-size, var(--vscode-editor-font-size, 13px));
  color: var(--jm-fg); max-width: 100%; overflow-x: auto; line-height: 1.45; padding: .1em 0 .2em;
}
& p {
  margin: .35em 0; padding: 0 0 0 .65em; border-left: 3px solid transparent; max-width: 75em;
  white-space: pre-line;
}
& p.good { border-left-color: var(--jm-good); }
& p.warning { border-left-color: var(--jm-warn); }
& p.good > span { color: var(--jm-good); font-weight: 700; }
& p.warning > span { color: var(--jm-warn); font-weight: 700; }
& p.quiet, & .count { color: var(--jm-quiet); }
& code, & pre { font-family: var(--jm-mono); font-size: var(--jm-mono-size); color: inherit; }
& code {
  background: var(--jm-back); padding: .1em .35em; border-radius: 3px;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
& pre {
  background: var(--jm-back); border: 1px solid var(--jm-line); border-radius: 3px;
  margin: .4em 0; padding: .5em .75em; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
& details { margin: .2em 0; }
& details > pre { max-height: 24em; overflow: auto; }
& summary { cursor: pointer; }
& summary code, & .said code { background: none; padding: 0 .35em 0 0; }
& .said { padding-left: .65em; }
& table {
  border: 0; border-collapse: collapse; margin: .4em 0 .7em; color: inherit; font-size: inherit;
  min-width: min(100%, 42em);
}
& caption {
  caption-side: top; text-align: left; font-weight: 600; color: inherit;
  padding: .2em .65em .35em;
}
& th, & td {
  text-align: left; vertical-align: top; padding: .28em .65em; border: 0; background: none;
  max-width: none; white-space: nowrap;
}
& td.long { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 20em; }
& thead th, & thead td { border-bottom: 1px solid var(--jm-line); font-weight: 600; }
& tbody tr { border-bottom: 1px solid var(--jm-line); background: none; }
& tbody tr:hover { background: var(--jm-hover); }
& tbody th { font-weight: 400; color: var(--jm-quiet); width: 12em; }
& .size { text-align: right; font-variant-numeric: tabular-nums; }
& .sign { font-family: var(--jm-mono); font-weight: 700; padding-right: .1em; width: 1em; }
& .added td.sign { color: var(--jm-good); }
& .changed td.sign { color: color-mix(in srgb, var(--jm-warn) 65%, currentcolor); }
& .removed td.sign { color: var(--jm-bad); }
"""
# the class twice, to outweigh what JupyterLab says of every table
STYLE = re.sub(r"\s+", " ", _RULES.replace("&", ".jstackmagic.jstackmagic")).strip()

_LONG = 44  # characters of a cell that may be broken into lines
_MARKS = {"good": "✓", "warning": "▲"}

# a sentence that ends with what to type: "See which: %envhistory 3f9a"
_COMMAND = re.compile(r"(?<=[:?] )(%env\w+(?: [^\n]*[^\n.])?)(?=\.?$)", re.MULTILINE)

# near the palette of JupyterLab's own rendering; black and white are whatever the page writes in
_COLOURS = {
    "black": "inherit", "red": "#e75c58", "green": "#00a250", "yellow": "#b8931f",
    "blue": "#208ffb", "magenta": "#d160c4", "cyan": "#2fa8ab", "white": "inherit",
}  # fmt: skip


def as_html(parts: Sequence[Part]) -> str:
    """Draw parts for a notebook; every text is escaped."""
    return page(_part(part) for part in parts)


def page(blocks: Iterable[str]) -> str:
    """HTML of ours with the style it needs."""
    return f'<div class="jstackmagic"><style>{STYLE}</style>{"".join(blocks)}</div>'


def fold(summary: str, body: str, *, is_open: bool = False) -> str:
    """Return one line that opens; both are HTML."""
    return f"<details{' open' * is_open}><summary>{summary}</summary>{body}</details>"


def lines(drawn: Sequence[Line]) -> str:
    """Return the lines of a log, in its own colours."""
    text = "\n".join("".join(_piece(text, style) for text, style in line) for line in drawn)
    return f"<pre>{text}</pre>"


def _escaped(text: str) -> str:
    return html.escape(readable(text))


def _piece(text: str, style: Style) -> str:
    rules = [f"color:{_colour(style.colour)}"] if style.colour else []
    rules += ["font-weight:700"] if style.bold else []
    rules += ["opacity:.7"] if style.faint else []
    escaped = _escaped(text)
    return f'<span style="{";".join(rules)}">{escaped}</span>' if rules else escaped


def _colour(name: str) -> str:
    return _COLOURS.get(name.removeprefix("bright-"), name)


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Code):
        text = _escaped(part.text)
        return f"<pre>{text}</pre>"
    if isinstance(part, Fold):
        return fold(_escaped(part.title), f"<pre>{_escaped(part.text)}</pre>")
    return _sentence(part)


def _sentence(part: Text) -> str:
    mark = _MARKS.get(part.tone, "")
    sign = f'<span aria-hidden="true">{mark}</span> ' if mark else ""
    text = _COMMAND.sub(r"<code>\1</code>", html.escape(readable(part.text), quote=False))
    return f'<p class="{part.tone}">{sign}{text}</p>'


def _table(table: Table) -> str:
    caption = f"<caption>{_escaped(table.caption)}</caption>" if table.caption else ""
    head = "".join(_heading(name) for name in table.columns)
    rows = "".join(_row(table, row) for row in table.rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _heading(name: str) -> str:
    if not name:
        return '<td class="sign"></td>'
    kind = ' class="size"' if name == "Size" else ""
    return f'<th scope="col"{kind}>{_escaped(name)}</th>'


def _row(table: Table, row: Sequence[str]) -> str:
    first, *others = row
    became = SIGNS.get(first) if not table.columns[0] else None
    if became:
        sign = f'<span role="img" aria-label="{became}" title="{became}">{first}</span>'
        head = f'<td class="sign">{sign}</td>'
    elif table.facts:
        head = f'<th scope="row">{_escaped(first)}</th>'
    else:
        head = _cell(table.columns[0], first)
    cells = "".join(_cell(name, cell) for name, cell in zip(table.columns[1:], others, strict=True))
    kind = f' class="{became}"' if became else ""
    return f"<tr{kind}>{head}{cells}</tr>"


def _cell(name: str, text: str) -> str:
    kind = ' class="size"' if name == "Size" else ' class="long"' if len(text) > _LONG else ""
    return f"<td{kind}>{_escaped(text)}</td>"
