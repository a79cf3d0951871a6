"""The settings of conda that this engine does not honour, and so should leave to conda."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ....model.environment import Environment
from ....model.packages import normalise
from ....where.condarc import CondaConfig, channel_urls
from ..spec import configuration
from .access import unserved_login

_SCHEMES = {"http", "https"}

_HARMLESS_PLUGINS = {
    *("conda-libmamba-solver", "conda-rattler-solver"),  # solve
    *("conda-anaconda-telemetry", "conda-self", "conda-tree"),  # these only report
    *("conda-build", "conda-index", "conda-lockfiles", "conda-pypi", "menuinst"),  # make
}
"""Plugins that do not change the result of an install."""


def unhonoured(environment: Environment) -> tuple[str, ...]:
    """Return settings that conda obeys and this engine does not, each as part of a sentence."""
    config = configuration(environment)
    return (*_settings(config), *_plugins(environment.root))


def _settings(config: CondaConfig) -> Iterator[str]:
    for setting in config.unhonoured:
        yield f"{setting.name} ({setting.source})"
    if config.client_ssl_cert is not None:
        yield "client_ssl_cert"
    for channel in config.channels:
        for url in channel_urls(channel.channel, config):
            login = unserved_login(url)
            if login:
                yield login
    for key in config.proxy_servers:
        if key not in _SCHEMES:
            yield f"proxy_servers: {key}"


def _plugins(root: str | None) -> Iterator[str]:
    """Conda's plugins, which register themselves as entry points of the root's Python."""
    if root is None:
        return
    for path in Path(root).glob("lib/python3.*/site-packages/*.dist-info/entry_points.txt"):
        name = normalise(path.parent.name.split("-")[0])
        registered = re.search(r"^\[conda\]", path.read_text(errors="replace"), re.MULTILINE)
        if registered and name not in _HARMLESS_PLUGINS:
            yield f"the plugin {name}"
