"""Names of images, as the registries' specification has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import UsageError

# The grammar of https://github.com/distribution/reference, which engines and registries follow.
_ALPHANUMERIC = "[a-z0-9]+"
_SEPARATOR = r"(?:[._]|__|-+)"
_COMPONENT = f"{_ALPHANUMERIC}(?:{_SEPARATOR}{_ALPHANUMERIC})*"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])"
# Of what stands before the first slash only this is a registry: it has a port or a dot, or is an
# address in brackets, or localhost, or has a capital letter, which no repository may have.
_DOMAIN = (
    rf"(?:{_HOST}:[0-9]+|{_LABEL}(?:\.{_LABEL})+|\[[0-9A-Fa-f:]+\]|localhost"
    rf"|(?=[^/]*[A-Z]){_LABEL})"
)
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}))?"
)
_LONGEST_NAME = 255
_HEXADECIMAL = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name."""

    name: str  #: the repository, with its registry if it is named
    tag: str = ""  #: the tag; empty without one
    digest: str = ""  #: ``sha256:…``; empty without one

    @property
    def registry(self) -> str:
        """The host and port of the registry; empty if none is named."""
        head, slash, _ = self.name.partition("/")
        return head if slash and re.fullmatch(_DOMAIN, head) else ""

    @property
    def last(self) -> str:
        """Its name without the registry and folders."""
        return self.name.rpartition("/")[2]

    @property
    def with_tag(self) -> Reference:
        """The same with the tag ``latest`` where it has neither a tag nor a digest."""
        return self if self.tag or self.digest else replace(self, tag="latest")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def written(text: str) -> Reference:
    """Return the parts of a name as it is written, right or not.

    >>> written("registry.example.com:5000/lab/analysis:1@sha256:00").last
    'analysis'
    """
    name, _, digest = text.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Reference(f"{folder}{slash}{last}", tag, digest)


def parse(text: str) -> Reference:
    """Read an image's name.

    >>> parse("registry.example.com:5000/team/analysis:2026-11").tag
    '2026-11'

    Raises:
        UsageError: It is not an image's name.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match["name"]) > _LONGEST_NAME or _HEXADECIMAL.fullmatch(text):
        raise UsageError(
            f"{text!r} is not an image's name.",
            advice="Lower-case letters and digits, such as analysis:2026-11 or"
            " registry.example.com/team/analysis",
        )
    return Reference(match["name"], match["tag"] or "", match["digest"] or "")


def parse_tag(text: str) -> Reference:
    """Read a name to give to an image, by default with the tag ``latest``.

    Raises:
        UsageError: It is not an image's name, or has a digest, which only content can set.
    """
    reference = parse(text)
    if reference.digest:
        raise UsageError(
            f"{text!r} has a digest, which cannot be chosen.",
            advice=f"Without it: {Reference(reference.name, reference.tag)}",
        )
    return Reference(reference.name, reference.tag or "latest")
