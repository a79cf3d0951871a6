"""Ask the channels for several specs at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ....display.progress import Progress
from ....model.errors import InvalidSpec
from ..spec import CondaSpec, name_of, parse
from . import repodata
from .trouble import network_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ....model.environment import Environment
    from .engine import Wire

_FEW = 8  # versions


async def available(
    texts: Sequence[str], environment: Environment, extra: Sequence[str], wire: Wire
) -> dict[str, tuple[str, ...]]:
    """For each spec the newest versions that match it; see the package's `available`."""
    from rattler.exceptions import FetchRepoDataError, GatewayError

    specs = list(_readable(texts))
    channels = repodata.Channels.of(environment, extra)
    channels = channels.and_of(spec.channel for spec in specs if spec.channel)
    wire.show(Progress("Reading the channels"))
    try:
        held = await repodata.versions(channels, [spec.name for spec in specs])
    except (GatewayError, FetchRepoDataError) as error:
        raise network_trouble(error, channels) from None
    found = {
        spec.text: tuple(
            dict.fromkeys(
                str(record.version)
                for record in held[spec.name]
                if spec.match.matches(record) and repodata.is_from(record, spec, channels)
            )
        )[:_FEW]
        for spec in specs
    }
    return {text: found.get(text, ()) for text in texts}


def _readable(texts: Sequence[str]) -> Iterator[CondaSpec]:
    for text in dict.fromkeys(texts):
        with contextlib.suppress(InvalidSpec):
            match = parse(text)
            yield CondaSpec(text=text, name=name_of(match), match=match)
