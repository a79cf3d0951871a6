"""Dependency groups, for the verbs that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_group(parser: argparse.ArgumentParser) -> None:
    """Declare ``--group``."""
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="[FILE:]NAME",
        help="a dependency group of pyproject.toml",
    )
