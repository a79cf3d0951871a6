"""Mask passwords and tokens before anything is shown, recorded or exported.

Secrets are found by structure, not by a list of services: the user part of a URL, conda's
``/t/TOKEN/``, a query or fragment value whose key or look says so, the value of an option or
variable that is named for a secret, and the tokens that their issuers mark with a prefix.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASK = "****"

_WORDS = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pass",
        "pwd",
        "pw",
        "token",
        "tokens",
        "secret",
        "secrets",
    }
    | {"key", "keys", "apikey", "auth", "authorization", "credential", "credentials", "sig"}
    | {"signature", "sas", "jwt", "bearer", "sessionid", "cookie"}
)
"""Parts of a name (of an option, a variable, a query key) that say its value is a secret."""

_NO_SECRET_KEYS = frozenset(
    {"sha1", "sha224", "sha256", "sha384", "sha512", "md5", "blake2b", "egg", "subdirectory"}
)
"""Keys of a URL's fragment that pip and conda define."""

_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_\w{16,}|github_pat_\w{20,}|gl[a-z]{2,5}-[\w.-]{16,}|pypi-Ag[\w-]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|hf_[A-Za-z0-9]{16,}|dckr_pat_[\w-]{16,}|npm_[A-Za-z0-9]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"
)
"""Tokens whose issuers gave them a prefix so that scanners find them."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\s<>\"`|]*)")
_HOST = re.compile(
    r"(?:[\w-]+(?:\.[\w-]+)+|localhost|\[[\da-f:]+\])(?::\d+)?(?=[/?#\s'),;]|$)", re.I
)
_BARE = re.compile(
    r"(?<![\w./@:%+-])(?!mailto:)(?P<userinfo>[\w.%+~-]+:(?!//)[^\s/:@]+)@(?=[\w.-]+(?!\w*:[0-9a-f]{32}))"
)
_CONDA_TOKEN = re.compile(r"(?:(?<=/)|^)t/(?P<token>(?!\$|<)[^/\s:]+)(?=/|::|$)")
_CHANNEL = re.compile(r"(?<![\w./~\\-])t/(?P<token>(?!\$|<)[^/\s:]+)(?=/[\w.-])")
_PAIR = re.compile(r"(?<=[?&#;])(?P<key>[\w.\[\]-]+)=(?P<value>[^&#;\s'\"]+)")
_OPTION = re.compile(
    r"(?<![\w-])--?(?P<key>[A-Za-z][\w.-]*)(?=(?:=|[ \t]+)(?P<value>[^\s'\"]+|'[^']*'|\"[^\"]*\"))"
)
_ASSIGNED = re.compile(
    r"(?<![\w?&#;<>!~=/-])(?P<key>[A-Za-z_][\w.-]*)=(?![=])(?P<value>[^\s'\"&;|]+|'[^']*'|\"[^\"]*\")"
)
_REFERENCE = re.compile(r"\$\{?\w+\}?|<[\w -]+>|\*+")
_HARMLESS = re.compile(rf"(?:{_REFERENCE.pattern})$|(?:id|type)=")  # docker build --secret id=NAME
_VERSION = re.compile(r"\*|[\d.]+[\w.*+!=|,<>-]*")
_MAYBE = re.compile(r"[:=@]|\bt/|--|[_.-]\w|AKIA|ASIA")


def mask(text: str) -> str:
    """Return ``text`` with every credential in it replaced by ``****``.

    References to a variable (``${TOKEN}``) and the bare user name of an ssh URL stay.

    >>> mask("--index-url https://me:s3cret@pypi.example/simple")
    '--index-url https://****@pypi.example/simple'
    >>> mask("git+ssh://git@host.example/repo.git")
    'git+ssh://git@host.example/repo.git'
    >>> mask("https://conda.example/t/tk-123/channel/"), mask("/data/t/project/x.whl")
    ('https://conda.example/t/****/channel/', '/data/t/project/x.whl')
    >>> mask("--password hunter2 tokenizers=0.15 HF_TOKEN=abc")
    '--password **** tokenizers=0.15 HF_TOKEN=****'
    """
    if not _MAYBE.search(text):
        return text
    shown, end = [], 0
    for start, stop in _spans(text):
        shown += [text[end:start], MASK]
        end = stop
    return "".join([*shown, text[end:]])


def mask_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command line, each masked, and the value behind ``--password`` too.

    >>> mask_words(["--config-settings", "token=12", "--api-key", "abc", "six"])
    ('--config-settings', 'token=****', '--api-key', '****', 'six')
    """
    shown: list[str] = []
    option = ""
    for word in words:
        if option and not word.startswith("-") and not _REFERENCE.fullmatch(word):
            key, equals, value = word.partition("=")
            if _names_a_secret(option):
                shown.append(MASK)
            elif option in _SETTINGS and equals and value and _names_a_secret(key):
                shown.append(f"{key}={MASK}")
            else:
                shown.append(mask(word))
        else:
            shown.append(mask(word))
        option = word.lstrip("-") if word.startswith("-") and "=" not in word else ""
    return tuple(shown)


_SETTINGS = frozenset(
    {"config-settings", "config-setting", "C", "global-option", "build-option", "o"}
)
"""Options whose value is a setting of their own, ``KEY=VALUE``."""


def secrets_of(text: str) -> tuple[str, ...]:
    """Return the credentials that `mask` hides in ``text``, longest first.

    They are for keeping a program's output free of them.
    """
    found = []
    for start, stop in _spans(text):
        secret = text[start:stop].strip("'\"")
        # a user name is no secret, and would hide every home folder of that name
        password = secret.partition(":")[2] if text[stop : stop + 1] == "@" else ""
        found += [secret, password or secret]
    found += [unquote(secret) for secret in found]
    return tuple(
        dict.fromkeys(sorted(filter(None, found), key=lambda secret: (-len(secret), secret)))
    )


def _spans(text: str) -> list[tuple[int, int]]:
    """Return where the secrets of a text stand, in order, none within another."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(_found(text), key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif text[start:stop].strip("*"):
            merged.append((start, stop))
    return merged


def _found(text: str) -> Iterator[tuple[int, int]]:
    for match in _URL.finditer(text):
        yield from _in_url(match)
    for match in _BARE.finditer(text):
        if not _REFERENCE.fullmatch(match["userinfo"].partition(":")[2]):
            yield match.span("userinfo")
    for match in _CHANNEL.finditer(text):
        yield match.span("token")
    for match in _PREFIXED.finditer(text):
        yield match.span()
    for match in _OPTION.finditer(text):
        if _names_a_secret(match["key"]) and not _is_harmless(match["value"]):
            yield match.span("value")
    for match in _ASSIGNED.finditer(text):
        key, value = match["key"], match["value"]
        # conda writes a version so: secret-storage=3.3; a variable is in capitals
        version = not key.isupper() and _VERSION.fullmatch(value)
        if _names_a_secret(key) and not _is_harmless(value) and not version:
            yield match.span("value")


def _in_url(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    scheme, rest, offset = match["scheme"], match["rest"], match.start("rest")
    end = _end_of_userinfo(rest)
    if end:
        user, colon, password = rest[:end].partition(":")
        named = scheme.endswith("ssh") and not colon
        if not named and not _REFERENCE.fullmatch(password if colon else user):
            yield offset, offset + end
    if scheme != "file":
        for token in _CONDA_TOKEN.finditer(rest):
            yield offset + token.start("token"), offset + token.end("token")
    for pair in _PAIR.finditer(rest):
        key, value = pair["key"], pair["value"]
        if key.lower() in _NO_SECRET_KEYS or _is_harmless(value):
            continue
        if _names_a_secret(key) or _looks_secret(value):
            yield offset + pair.start("value"), offset + pair.end("value")


def _end_of_userinfo(rest: str) -> int:
    """Return where the ``@`` of a URL's user part stands; 0 without one.

    A password may hold an unquoted ``@``, ``/`` or ``'``, against RFC 3986, as people paste them.
    """
    authority = re.match(r"[^/?#]*", rest)
    length = authority.end() if authority else 0
    end = rest.rfind("@", 0, length)
    if end > 0:
        quoted = re.search(r"['\"][,)\]]", rest[:end])  # the end of a quoted URL, and the next
        return 0 if quoted else end
    user, colon, after = rest[:length].partition(":")
    if not colon or not user or re.fullmatch(r"\d*", after):
        return 0  # a port
    for at in re.finditer("@", rest):
        if _HOST.match(rest, at.end()):
            return at.start()
    return 0


def _names_a_secret(key: str) -> bool:
    parts = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).lower())
    return not {"no", "use", "without"} & {parts[0]} and any(
        part in _WORDS or part.endswith(("password", "passwd", "apikey")) for part in parts
    )


def _is_harmless(value: str) -> bool:
    """Say whether a value named for a secret holds none: a URL is masked by its parts."""
    bare = value.strip("'\"")
    return not bare or "://" in bare or _HARMLESS.match(bare) is not None


def _looks_secret(value: str) -> bool:
    """Say whether a value is long and mixed as only generated ones are."""
    text = unquote(value)
    if len(text) < 20 or "/" in text or re.search(r"\s", text):
        return False
    kinds = sum(bool(re.search(kind, text)) for kind in ("[a-z]", "[A-Z]", r"\d"))
    return kinds == 3 or (kinds >= 2 and len(set(text)) >= 10 and not re.search(r"[.-]", text))
