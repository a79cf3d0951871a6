"""The whole way: three people install, an administrator approves, a hub starts the next image.

One of them does it in a server of the hub's, and what the two others did is in their homes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from jstackmagic.sending.outbox import Outbox
from support import stacks
from support.browser import chromium
from support.hub import ADMIN, USERS, Hub, sign_in, until
from support.kernels import PATIENCE
from support.machine import Unavailable, program
from support.people import Home
from support.ports import free_ports
from support.postgres import postgres
from support.served import ServedKernel
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

pytestmark = [
    *(pytest.mark.docker, pytest.mark.browser, pytest.mark.cluster, pytest.mark.slow),
    pytest.mark.timeout(1500),  # the first of a run makes the images
]

NEXT = f"jstackmagic-tests/next-{os.getpid()}:1"


@pytest.fixture(scope="module")
def base(docker_engine: DockerClient, jstackmagic_image: str) -> str:
    """The image that people start from: with what makes a server one of a hub's."""
    tag = f"jstackmagic-tests/hub:{jstackmagic_image.rpartition(':')[2]}"
    if not docker_engine.images.list(name=tag):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(
                f"FROM {jstackmagic_image}\nRUN pip install --no-cache-dir 'jupyterhub>=5'"
                f" && {stacks.SETTLED}\n"
            )
            stacks.build(docker_engine, tag, Path(folder))
    return tag


@pytest.fixture
def hub(docker_host: DockerClient, base: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub whose servers are containers and whose records are in PostgreSQL."""
    (network,) = docker_host.networks.get("bridge").attrs["IPAM"]["Config"][:1]
    # an engine that found its bridge made names no gateway: it is the network's first address
    gateway = network.get("Gateway") or next(ip_network(network["Subnet"]).hosts())
    options = ("--pause", "1", "--at-least", "1", "--token-seconds", "1", "--database")
    mark = ""
    try:
        with postgres() as url:
            made = Hub(tmp_path, *options, url, image=base, address=str(gateway))
            mark = f"jstackmagic-tests-{made.url.rpartition(':')[2]}-"
            with made:
                yield made
    except Unavailable as reason:
        pytest.skip(str(reason))
    finally:
        ours = {"all": True, "filters": {"name": mark}}
        for container in docker_host.containers.list(**ours) if mark else ():
            container.remove(force=True)


@contextlib.contextmanager
def prometheus(hub: Hub, folder: Path) -> Iterator[str]:
    """Debian's own, which scrapes the service with a token that the hub knows."""
    (port,) = free_ports(1)
    target = {
        "job_name": "hub",
        "scrape_interval": "2s",
        "metrics_path": "/services/jstackmagic/metrics",
        "authorization": {"type": "token", "credentials": f"{ADMIN}-token"},
        "static_configs": [{"targets": [hub.url.removeprefix("http://")]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [target]}))
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/api/v1/query"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def counts(query: str, metric: str, number: int) -> bool:
    with contextlib.suppress(requests.RequestException):
        found = requests.get(query, params={"query": f"{metric} == {number}"}, timeout=5)
        return bool(found.ok and found.json()["data"]["result"])
    return False


def test_the_image_that_spares_people_the_installing(
    hub: Hub, docker_host: DockerClient, base: str, tmp_path: Path
) -> None:
    with hub.server("bob") as url, ServedKernel(url) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        kernel.run("%envinstall six=1.16.0 pip:twitter==1.19.6").check()
        own = hub.login("bob")
        until(lambda: ">twitter<" in own.get(f"{hub.service}/me").text)
    ada, bob, eve = (Home(tmp_path / "homes", user) for user in USERS)
    ada.history.path.parent.mkdir(parents=True)
    shutil.copyfile(bob.history.path, ada.history.path)  # she did the same
    eve.installs("pip", "toolz==1.0.0", "1.0.0")
    eve.waits("hello", "to greet")
    for home in (ada, eve):
        outbox = Outbox(home.history.path, hub.service, hub.token(home.folder.name))
        outbox.fetch()
        assert outbox.send()
    try:
        with prometheus(hub, tmp_path) as query, chromium() as browser:
            until(lambda: counts(query, "jstackmagic_people", 3))
            until(lambda: counts(query, "jstackmagic_requests_waiting", 1))
            page = sign_in(browser.pages[0], hub, ADMIN)
            page.get_by_role("link", name="Requests").click()
            page.get_by_label("Reason").fill("with the next image")
            page.get_by_role("button", name="Approve hello").click()
            page.get_by_text("approved by").wait_for()
            page.get_by_role("link", name="The next image").click()
            page.get_by_label("Covers").fill("75%")
            page.get_by_label("From").fill(base)
            page.get_by_role("button", name="Suggest").click()
            text = page.get_by_role("region", name="Dockerfile").inner_text()
            (tmp_path / "next").mkdir()
            (tmp_path / "next/Dockerfile").write_text(text)
            stacks.build(docker_host, NEXT, tmp_path / "next")
            held = verb("report", tmp_path / "homes", "--against", NEXT)
            assert (held.people, held.exact, held.left) == (3, 2, (("pip:toolz", 1),))
            assert hub.ask("api/images", hub.token("ada"), "POST", json={"image": NEXT}).ok
            page.get_by_role("link", name="Images").click()
            page.get_by_role("button", name=f"Offer {NEXT} to all").click()
            page.get_by_text("offered to all").wait_for()
        with pytest.raises(AssertionError, match=r"[45]00"):
            hub.api("POST", "users/eve/server", json={"image": "evil.example.com/x:1"})
        # ada pushed it; bob has it because it is offered
        with hub.server("bob", image=NEXT) as url, ServedKernel(url) as kernel:
            kernel.run("import six, twitter").check()
            kernel.run("%load_ext jstackmagic").check()
            assert "is there already" in kernel.run("%envreplay").check().shown
            assert "Hello, world!" in kernel.run("!hello").check().shown
            assert " 0 lines sent" not in kernel.run("%envshared").check().shown
    finally:
        with contextlib.suppress(Exception):
            docker_host.images.remove(NEXT, force=True)
