"""The secrets of a build: those the user gives, and those that this kernel's settings hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from ..io.reading import path_of
from ..model.credentials import mask
from ..model.errors import UsageError


def pairs(words: Sequence[str]) -> Mapping[str, str]:
    """Read labels, ``NAME=VALUE`` each.

    Raises:
        UsageError: One has no value, or holds a credential.
    """
    split = [word.partition("=") for word in words]
    wrong = [name for name, equals, _ in split if not equals]
    if wrong:
        raise UsageError(
            f"The label {wrong[0]} has no value.",
            kept="Nothing was built.",
            advice=f"--label {wrong[0]}=VALUE",
        )
    held = [mask(word) for word in words if mask(word) != word]
    if held:
        raise UsageError(
            f"The label {held[0]} would hold a credential, and whoever has the image reads it.",
            kept="Nothing was built.",
            advice="Give it to the build alone: --secret id=NAME,env=VARIABLE",
        )
    return {name: value for name, _, value in split}


def read(words: Sequence[str]) -> Mapping[str, bytes]:
    """Read build secrets as ``docker build --secret`` takes them, by their ids.

    Raises:
        UsageError: One is malformed, or its file or variable cannot be read.
    """
    found: dict[str, bytes] = {}
    for word in words:
        said = dict(part.partition("=")[::2] for part in word.split(","))
        name, file, variable = said.get("id", ""), said.get("src"), said.get("env")
        if not name or (file is None) == (variable is None):
            raise UsageError(
                f"{word!r} is not a build secret.",
                kept="Nothing was built.",
                advice="--secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE",
            )
        try:
            content = (
                os.environb[variable.encode()]
                if variable is not None
                else path_of(file or "").read_bytes()
            )
        except (KeyError, OSError) as error:
            raise UsageError(
                f"The secret {name} cannot be read: {error}.", kept="Nothing was built."
            ) from None
        found[name] = content
    return found


def completed(asked: Mapping[str, str], given: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the given secrets, and those that the Dockerfile needs in addition, from settings.

    Args:
        asked: By id the text of each secret, with its credential masked.
        given: By id those that the user gave.

    Raises:
        UsageError: A secret is in neither.
    """
    missing = {key: text for key, text in asked.items() if key not in given}
    found = {mask(url): url for url in _configured_urls()} if missing else {}
    unknown = [key for key, text in missing.items() if text not in found]
    if unknown:
        raise UsageError(
            f"The build needs {missing[unknown[0]]} with the credential for ****, which was never"
            " recorded.",
            kept="Nothing was built.",
            advice=tuple(f"--secret id={key},src=FILE, which holds that" for key in unknown),
        )
    return {**given, **{key: found[text].encode() for key, text in missing.items()}}


def _configured_urls() -> Iterator[str]:
    """Yield the indexes and channels that pip's variables and conda's settings name here."""
    from ..where.detect import detect

    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        yield from os.environ.get(variable, "").split()
    for channel in detect().channels:
        yield channel.channel
