"""The service of a JupyterHub: collects records, shows the report, decides requests.

``spawner.py`` is for the hub's own configuration.
"""

from __future__ import annotations

from ..model.errors import Stopped
from ..model.extras import explained


def main() -> None:
    """Run ``jstackmagic-hub`` until it is stopped."""
    try:
        with explained():
            from .app import main as serve
    except Stopped as lacking:
        raise SystemExit(f"jstackmagic-hub: {lacking}") from None
    serve()
