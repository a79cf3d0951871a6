"""Package URLs: https://github.com/package-url/purl-spec."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from ..model.packages import Package


def package_url(kind: str, package: Package, qualifiers: Mapping[str, str]) -> str:
    """Write the URL of a package.

    Args:
        kind: The type, and the namespace if the type has one.
        qualifiers: Those without a value are left out.
    """
    said = "&".join(
        f"{key}={quote(value, safe=':/')}" for key, value in sorted(qualifiers.items()) if value
    )
    at = f"@{quote(package.version, safe=':')}" if package.version else ""
    return f"pkg:{kind}/{quote(package.name, safe='')}{at}" + (f"?{said}" if said else "")
