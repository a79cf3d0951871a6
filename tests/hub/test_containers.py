"""A hub with DockerSpawner, whose servers are containers."""

from __future__ import annotations

import os
import tempfile
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import stacks
from support.engine import host
from support.hub import Hub
from support.machine import Unavailable
from support.served import ServedKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.slow]

NEXT = f"jstackmagic-tests/next-{os.getpid()}:1"


@pytest.fixture(scope="module")
def base(docker_engine: DockerClient, jstackmagic_image: str) -> str:
    """The image that people start from: with what makes a server one of a hub's."""
    tag = f"jstackmagic-tests/hub:{jstackmagic_image.rpartition(':')[2]}"
    if not any(tag in image.tags for image in docker_engine.images.list()):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(
                f"FROM {jstackmagic_image}\nRUN pip install --no-cache-dir 'jupyterhub>=5'\n"
            )
            stacks.build(docker_engine, tag, Path(folder))
    return tag


@pytest.fixture
def hub(
    docker_engine: DockerClient, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hub]:
    monkeypatch.setenv("DOCKER_HOST", host())
    started: list[Hub] = []
    (network,) = docker_engine.networks.get("bridge").attrs["IPAM"]["Config"][:1]
    options = ("--pause", "0.3", "--at-least", "1", "--token-seconds", "1")
    try:
        # an engine that found its bridge made names no gateway: it is the network's first address
        gateway = network.get("Gateway") or next(ip_network(network["Subnet"]).hosts())
        with Hub(tmp_path, *options, image=base, address=str(gateway)) as made:
            started.append(made)
            yield made
    except Unavailable as reason:
        pytest.skip(str(reason))
    finally:
        for container in docker_engine.containers.list(all=True):
            for made in started:
                if container.name.startswith(f"jstackmagic-tests-{made.url.rpartition(':')[2]}-"):
                    container.remove(force=True)


def test_a_server_starts_from_the_image_that_its_user_pushed(
    hub: Hub, docker_engine: DockerClient, base: str
) -> None:
    docker_engine.images.get(base).tag(*NEXT.split(":"))
    try:
        assert hub.ask("api/images", hub.token("ada"), "POST", json={"image": NEXT}).ok
        with hub.server("ada", image=NEXT) as url, ServedKernel(url) as kernel:
            kernel.run("%load_ext jstackmagic").check()
            (container,) = [
                each for each in docker_engine.containers.list() if each.name.endswith("-ada")
            ]
            assert container.attrs["Config"]["Image"] == NEXT
            assert "0 lines sent to" in kernel.run("%envshared").check().shown
    finally:
        docker_engine.images.remove(NEXT, force=True)
