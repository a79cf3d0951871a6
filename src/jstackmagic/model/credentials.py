"""Passwords and tokens are masked before anything is shown, recorded or exported."""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "****"

# scheme://user:password@ or scheme://token@; an environment variable that pip expands
# (``${TOKEN}``) and a bare user name of an ssh URL are no secrets.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<userinfo>[^\s/@'\"]+)@")
_CONDA_TOKEN = re.compile(
    r"(?P<head>(?<![A-Za-z0-9+.-])(?!file:)[A-Za-z][A-Za-z0-9+.-]*://\S*?/t/)(?!\$\{?\w+\}?/)[^/\s]+(?=/)"
)
_QUERY = re.compile(
    r"(?P<key>[?&](?:access_token|api_key|apikey|auth|key|password|sig|signature|token)=)"
    r"(?!\$\{?\w+\}?)[^&#\s'\"]+",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Return ``text`` with the credentials of every URL in it replaced by ``****``.

    >>> mask("--index-url https://me:s3cret@pypi.example/simple")
    '--index-url https://****@pypi.example/simple'
    >>> mask("git+ssh://git@host.example/repo.git")
    'git+ssh://git@host.example/repo.git'
    >>> mask("https://conda.example/t/tk-123/channel/"), mask("/data/t/project/x.whl")
    ('https://conda.example/t/****/channel/', '/data/t/project/x.whl')
    """
    if "://" not in text:
        return text
    text = _USERINFO.sub(_mask_userinfo, text)
    text = _CONDA_TOKEN.sub(rf"\g<head>{MASK}", text)
    return _QUERY.sub(rf"\g<key>{MASK}", text)


def _mask_userinfo(match: re.Match[str]) -> str:
    scheme, userinfo = match["scheme"], match["userinfo"]
    user, colon, password = userinfo.partition(":")
    if scheme.endswith("ssh") and not colon:
        return match[0]
    if re.fullmatch(r"\$\{\w+\}", password if colon else user):
        return match[0]
    return f"{scheme}://{MASK}@"


def secrets_of(text: str) -> tuple[str, ...]:
    """The credentials that ``mask`` would hide in ``text``: to keep them out of a stream."""
    found = []
    for match in _USERINFO.finditer(text):
        if _mask_userinfo(match) != match[0]:
            # a user name is no secret, and would hide every home folder of that name
            found += [match["userinfo"], match["userinfo"].partition(":")[2] or match["userinfo"]]
    found += [match[0][len(match["head"]) :] for match in _CONDA_TOKEN.finditer(text)]
    found += [match[0][len(match["key"]) :] for match in _QUERY.finditer(text)]
    found += [unquote(secret) for secret in found]
    return tuple(
        dict.fromkeys(sorted(filter(None, found), key=lambda secret: (-len(secret), secret)))
    )
