"""Explain a network that fails, and give up on a server that accepts and never answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from ....model.credentials import mask
from ....model.errors import NOTHING_CHANGED, CommandFailed

if TYPE_CHECKING:
    from rattler import Client

T = TypeVar("T")

SILENCE = 30.0  # seconds without a byte


async def patiently(work: Awaitable[T], look: Callable[[], Awaitable[None]]) -> T:
    """Await work on the network, and check now and then whether it can succeed.

    Args:
        look: Awaited after each `SILENCE`; raises if it cannot.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait((task,), timeout=SILENCE))[0]:
            await look()
        return await task
    finally:
        task.cancel()


async def check_answers(client: Client, urls: Iterable[str]) -> None:
    """Check that channels answer at all.

    Raises:
        CommandFailed: One does not answer.
    """
    from rattler.package_streaming import download_to_writer

    async def check(url: str) -> None:
        try:
            asked = download_to_writer(client, f"{url}/noarch/repodata.json", _Deaf())
            await asyncio.wait_for(asked, SILENCE)
        except asyncio.TimeoutError:
            raise unanswered(url) from None
        except (OSError, RuntimeError):  # an error is an answer, which the work gets too
            pass

    await asyncio.gather(*(check(url) for url in urls if not url.startswith("file:")))


class _Deaf:
    """A file that takes nothing: the first byte is enough."""

    def write(self, _: bytes) -> int:
        raise OSError

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


def unanswered(url: str) -> CommandFailed:
    """Return the error for a server that does not answer."""
    return CommandFailed(
        f"{mask(url)} takes connections and does not answer.",
        kept=NOTHING_CHANGED,
        advice="Try again later, or name another channel: -c CHANNEL --override-channels",
    )


def network_trouble(error: Exception, channels: str, *, offline: bool) -> CommandFailed:
    """Return an error on what is wrong with the network or a channel."""
    text = mask(str(error))
    url = re.search(r"(?:channel '|for url \(|cache for )([^')\s]+)", text)
    where = url[1] if url else channels
    if offline:
        return CommandFailed(
            f"conda's configuration says offline, and nothing is kept of {where}.",
            kept=NOTHING_CHANGED,
            advice="Take offline: true out of the condarc, or unset CONDA_OFFLINE.",
        )
    for pattern, problem, advice in _TROUBLES:
        if re.search(pattern, text):
            return CommandFailed(problem.format(where), kept=NOTHING_CHANGED, advice=advice)
    return CommandFailed(
        f"The channels cannot be read:\n{text}",
        kept=NOTHING_CHANGED,
        advice="Is there a network? Try again, or name another channel: -c CHANNEL",
    )


_TROUBLES = (
    (
        r"could not find subdir|\b404\b",
        "There is no channel at {}.",
        "Look at the spelling: %envinfo shows the channels that are configured.",
    ),
    (
        r"\b40[13]\b",
        "The channel {} wants credentials, or others than it was given.",
        "Put them into ~/.netrc (machine HOST login NAME password SECRET).",
    ),
    (
        r"certificate",
        "The certificate of {} is not trusted.",
        "Name your site's certificates in the condarc: ssl_verify: /path/to/file",
    ),
    (
        r"dns error|Connect|timed out|error sending request",
        "{} cannot be reached.",
        "Is there a network? Behind a proxy: set https_proxy, or proxy_servers in the condarc.",
    ),
)
