"""``python -m jstackmagic``: the terminal's surface, where the program is not on the PATH."""

from __future__ import annotations

from .cli import main

raise SystemExit(main())
