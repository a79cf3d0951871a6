"""The service of a JupyterHub: collects records, shows the report, decides requests.

``spawner.py`` is for the hub's own configuration.
"""

from __future__ import annotations


def main() -> None:
    """Run ``jstackmagic-hub`` until it is stopped."""
    try:
        from .app import main as serve
    except ModuleNotFoundError as error:
        from ..model.extras import missing

        lacking = missing(error)
        if lacking is None:
            raise
        raise SystemExit(f"jstackmagic-hub: {lacking}") from None
    serve()
