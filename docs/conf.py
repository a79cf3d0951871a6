"""How the documentation is built: ``python -m sphinx -W docs build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path

from jstackmagic import __version__

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

project = "jstackmagic"
author = "the jstackmagic contributors"
release = version = __version__
extensions = ["myst_parser", "verbs"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext", "_build"]
html_theme = "furo"
html_title = "jstackmagic"
myst_heading_anchors = 3
