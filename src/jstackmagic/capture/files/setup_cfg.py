"""setup.cfg: the requirements of a project of setuptools' older kind."""

from __future__ import annotations

from configparser import ConfigParser, Error
from pathlib import Path

from ...model.errors import InvalidSpec
from ...model.packages import normalise
from ...model.parsing import logical_lines
from . import Reading
from ._finds import finds, folder_of, has, line_of, text_of
from ._toolsources import of_files, requirements


def recognises(path: Path) -> bool:
    """Return whether it is a setup.cfg that lists requirements: many only configure tools."""
    return path.name == "setup.cfg" and has(path, r"^install_requires\s*=")


def read(path: Path, *, extras: tuple[str, ...] = ()) -> Reading:
    """Read what the project requires; its other extras are noted.

    Args:
        extras: The extras to include; ``*`` is all of them.
    """
    text = text_of(path)
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except Error as error:
        reason = " ".join(str(error).split())
        raise InvalidSpec(f"{path} is broken: {reason}") from None
    section = "options.extras_require"
    offered = dict(parser.items(section)) if parser.has_section(section) else {}
    wanted = {normalise(name) for name in (offered if "*" in extras else extras)}
    lists = [parser.get("options", "install_requires", fallback="")]
    lists += [listed for name, listed in offered.items() if normalise(name) in wanted]
    # setuptools' list-semi: on one line they are apart by semicolons
    texts = ["\n".join(of_files(t[5:], folder_of(path))) if t[:5] == "file:" else t for t in lists]
    texts = [text if "\n" in text else text.replace(";", "\n") for text in texts]
    lines = [line for listed in texts for _, line in logical_lines(listed)]
    asked = requirements(lines, folder_of(path), path, {})
    notes = [
        f"Its extra {name} is left aside: -e '.[{name}]' installs it."
        for name in offered
        if normalise(name) not in wanted
    ]
    found = finds(asked, line=line_of(text, "install_requires"))
    return Reading(path, tuple(found), (*notes, *asked.notes))
