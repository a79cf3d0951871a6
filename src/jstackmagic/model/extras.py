"""The optional libraries: the extra that installs each, and what to type if it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .errors import Stopped

EXTRAS = {
    "rattler": ("py-rattler", "fast"),
    "uv": ("uv", "fast"),
    "tomli_w": ("tomli-w", "formats"),
    "pypi_simple": ("pypi-simple", "formats"),
    "h2": ("h2", "image"),
    **{name: (name, "hub") for name in ("alembic", "jinja2", "jupyterhub", "pygal", "sqlalchemy")},
    "distributed": ("distributed", "dask"),
    "ipyparallel": ("ipyparallel", "ipyparallel"),
    "ray": ("ray", "ray"),
    "pyspark": ("pyspark", "spark"),
}
"""By the name that is imported: the distribution, and the extra of jstackmagic that brings it."""


def is_here(module: str) -> bool:
    """Return whether a library can be imported, without importing it."""
    return find_spec(module) is not None


def line(extra: str) -> str:
    """Return the line that installs an extra.

    >>> line("fast")
    "%envinstall --pip 'jstackmagic[fast]'"
    """
    return f"%envinstall --pip 'jstackmagic[{extra}]'"


@contextmanager
def explained() -> Iterator[None]:
    """Say what to type where a library is missing that an extra brings.

    Raises:
        Stopped: It is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        known = EXTRAS.get((error.name or "").partition(".")[0])
        if known is None:
            raise
        distribution, extra = known
        raise Stopped(
            f"This needs {distribution}, which is not installed with jstackmagic.",
            advice=line(extra),
        ) from None
