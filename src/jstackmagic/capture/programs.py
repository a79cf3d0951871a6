"""The names of programs, as a line of a shell has them."""

from __future__ import annotations

import os
import re

from ..model.shell import Word


def program_name(word: Word) -> str:
    """Return a program's name without folder, version or suffix.

    >>> from jstackmagic.model.shell import Word
    >>> program_name(Word("/opt/c/bin/pip3.11")), program_name(Word("$PIP", holes=("$PIP",)))
    ('pip', 'pip')
    """
    text = word.text
    if word.holes and text.endswith(word.holes[-1]):
        # $CONDA_EXE, {sys.executable}: the name says what it is more often than not
        name = re.sub(r"\W", " ", text).split()[-1:] or [""]
        text = re.sub(r"_?(exe|executable|bin|path|cmd)$", "", name[0].lower()) or "python"
    name_only = os.path.basename(text.replace("\\", "/")).lower().removesuffix(".exe")
    return re.sub(r"-?\d+(\.\d+)*$", "", name_only)
