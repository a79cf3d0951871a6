"""Put credentials for channels from their files into the URL, where the network looks.

anaconda-client keeps tokens in ``binstar/*.token`` (conda's ``gateways/anaconda_client.py`` reads
them), mamba logs in to ``~/.mamba/auth/authentication.json``. netrc, and rattler's own store, are
read by rattler itself.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from ....where.condarc import CondaConfig

_HAS_CREDENTIALS = re.compile(r"\w+://(?:[^/]*@|.*/t/[^/]+/)")


def with_credentials(url: str, config: CondaConfig) -> str:
    """Return a channel's URL with the credentials that a file holds for it; else as it is."""
    if not url.startswith(("http://", "https://")) or _HAS_CREDENTIALS.match(f"{url}/"):
        return url
    for site, token in _anaconda_tokens() if config.add_anaconda_token else ():
        if url.startswith(site):
            return _with_token(url, token, config)
    login = _mamba_login(url)
    if login.get("type") == "CondaToken":
        return _with_token(url, str(login.get("token")), config)
    if login.get("type") == "BasicHTTPAuthentication":
        password = base64.b64decode(str(login.get("password"))).decode(errors="replace")
        user = f"{quote(str(login.get('user')), safe='')}:{quote(password, safe='')}"
        return url.replace("://", f"://{user}@", 1)
    return url


def unserved_login(url: str) -> str:
    """Return the kind of a login that fits into no URL, with its file; empty without one."""
    kind = str(_mamba_login(url).get("type") or "")
    known = ("", "CondaToken", "BasicHTTPAuthentication")
    return "" if kind in known else f"{kind} for {urlsplit(url).netloc} ({_mamba_file()})"


def _with_token(url: str, token: str, config: CondaConfig) -> str:
    """Insert a token into a URL: behind ``channel_alias`` if that begins it, or behind the host."""
    alias = config.channel_alias.rstrip("/")
    parts = urlsplit(url)
    base = alias if url.startswith(f"{alias}/") else f"{parts.scheme}://{parts.netloc}"
    return f"{base}/t/{quote(token, safe='')}{url[len(base) :]}"


def _anaconda_tokens() -> Iterator[tuple[str, str]]:
    """Sites and their tokens; one for ``api.SITE`` is one for ``conda.SITE`` too."""
    from platformdirs import user_config_dir

    folder = os.environ.get("BINSTAR_CONFIG_DIR")
    folder = f"{folder}/data" if folder else user_config_dir("binstar", "ContinuumIO")
    for path in sorted(Path(folder).glob("*.token")):
        site = unquote_plus(path.name.removesuffix(".token"))
        try:
            token = path.read_text(encoding="utf-8").strip()
        except OSError:
            continue
        yield site, token
        yield re.sub(r"([./])api([./]|$)", r"\1conda\2", site, count=1), token


def _mamba_file() -> Path:
    return Path.home() / ".mamba" / "auth" / "authentication.json"


def _mamba_login(url: str) -> Mapping[str, Any]:
    """Return the login for a URL: that of its longest part with a login, as in libmamba."""
    try:
        logins = json.loads(_mamba_file().read_bytes())
    except (OSError, ValueError):
        return {}
    place = url.partition("://")[2].rstrip("/")
    while isinstance(logins, dict) and place:
        if isinstance(logins.get(place), dict):
            return dict(logins[place])
        place = place.rpartition("/")[0]
    return {}
