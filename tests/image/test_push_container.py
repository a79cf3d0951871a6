"""In a container of the stand-in for the Docker Stacks: a user without an engine makes an image."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from docker.types import Mount

from support import stacks
from support.channel import ChannelBuilder, File
from support.engine import host
from support.kernels import PATIENCE
from support.machine import Unavailable, program
from support.registries import PASSWORD, USER, Served, registry
from support.served import ServedKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = [pytest.mark.docker, pytest.mark.slow]


class Kernel:
    """A container that somebody works in, as uid 1000, without a socket."""

    def __init__(self, container: Container, served: Served, base: str) -> None:
        self.container, self.served, self.base = container, served, base

    def do(self, *words: str, user: str = "1000:100", status: int | None = 0) -> str:
        environ = {
            "HOME": "/home/jovyan",
            "SSL_CERT_FILE": "/mnt/settings/ca.crt",
            "DOCKER_CONFIG": "/mnt/settings",
            "JUPYTER_IMAGE": self.base,
        }
        found, output = self.container.exec_run(list(words), user=user, environment=environ)
        text = str(output.decode())
        assert status is None or found == status, text[-3000:]
        return text

    def say(self, *words: str, status: int | None = 0) -> str:
        return self.do("/opt/conda/bin/jstackmagic", *words, status=status)

    def data(self, *words: str, status: int | None = 0) -> Any:
        text = self.say(*words, "--json", status=status)
        return json.loads(text[text.index("{") :])


@pytest.fixture(scope="module")
def kernel(
    docker_engine: DockerClient, jstackmagic_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("hub")
    config = docker_engine.networks.get("bridge").attrs["IPAM"]["Config"][0]
    first = next(ipaddress.ip_network(config["Subnet"]).hosts())
    gateway = config.get("Gateway", str(first))  # not said before a container has run
    try:
        skopeo = program("skopeo")
        served = registry(folder, login=True, tls=True, host=gateway)
        with served as served:
            settings = folder / "settings"
            settings.mkdir()
            served.log_in(settings)
            assert served.authority is not None
            (settings / "ca.crt").write_bytes(served.authority.read_bytes())
            scripted(settings / "channel")
            settings.chmod(0o755)
            base = f"{served.address}/base/notebook:1"
            subprocess.run(
                [skopeo, "copy", "-q", "--src-daemon-host", host(), "--dest-tls-verify=false",
                 "--dest-compress-format=gzip", "--dest-compress-level=1",
                 f"--dest-creds={USER}:{PASSWORD}", f"docker-daemon:{jstackmagic_image}",
                 f"docker://{base}"],
                check=True,
            )  # fmt: skip
            container = docker_engine.containers.run(
                jstackmagic_image,
                ["sleep", "3600"],
                detach=True,
                user="root",
                environment={"GRANT_SUDO": "yes"},
                mounts=[Mount("/mnt/settings", str(settings), type="bind", read_only=True)],
            )
            try:
                yield Kernel(container, served, base)
            finally:
                container.remove(force=True, v=True)
    except Unavailable as reason:
        pytest.skip(str(reason))


def scripted(folder: Path) -> None:
    """A channel with a package whose post-link script makes a file that no package owns."""
    words = 'mkdir -p "$PREFIX/etc/scripted"; echo "$PKG_NAME" > "$PREFIX/etc/scripted/made"'
    script = File.text(f"#!/bin/bash\n{words}\n", executable=True)
    builder = ChannelBuilder(folder)
    files = {"bin/.scripted-post-link.sh": script, "share/scripted": "x"}
    builder.add_package("scripted", "1.0", files=files)
    builder.index()


def test_a_user_without_an_engine_makes_the_image(
    kernel: Kernel, docker_engine: DockerClient, tmp_path: Path
) -> None:
    kernel.do("bash", "-c", "for i in $(seq 500); do sudo -n true && exit; sleep 0.2; done; exit 1")
    kernel.say("install", "conda:pymongo=4.10.1")
    kernel.say("install", "-c", "file:///mnt/settings/channel", "conda:scripted")
    kernel.say("install", "pip:twitter==1.19.6", "pip:tabulate==0.9.0")
    kernel.say("install", "--name", "python2", "conda:six=1.16.0")
    kernel.say("install", "--name", "python2", "pip:attrs==23.1.0")
    kernel.say("install", "--name", "python2", "pip:attrs==23.2.0")
    # an alternative, a library, a user of its own, and files that only root may read
    kernel.say("install", "apt:vim-tiny", "apt:libsodium23", "apt:mosquitto", "apt:at")
    kernel.say("install", "pip:toolz==0.12.1")
    kernel.say("undo")
    kernel.say("install", "pip:iniconfig==2.0.0", "pip:jupyterlab==4.6.6")
    kernel.say("remove", "pip:tabulate")
    tag = f"{kernel.served.address}/me/analysis:1"
    planned = kernel.data("image", "push", tag, "--dry-run")
    assert planned["faults"] == []
    assert planned["unrecorded"] == []
    managers = [(each["manager"], each["environment"]) for each in planned["layers"]]
    assert managers == [
        ("apt", ""),
        ("dpkg", ""),
        ("conda", "/opt/conda"),
        ("conda", "/opt/conda/envs/python2"),
        ("pip", "/opt/conda"),
        ("pip", "/opt/conda/envs/python2"),
        ("", ""),
    ]
    files = {path for each in planned["layers"] for path in each["files"]}
    assert "/etc/alternatives/vi" in files
    assert not [path for path in files if path.startswith(("/home", "/root", "/tmp"))]
    pushed = kernel.data("image", "push", tag)
    assert pushed["digest"]
    proof = kernel.data("image", "prove", tag, "--deep", status=None)
    differing = {key: proof[key] for key in ("differences", "absent", "unread", "facts", "files")}
    assert proof["equal"], json.dumps(differing, indent=1)[:6000]
    kernel.say("image", "push", tag, "--output", "/tmp/image.tar")
    chunks, _ = kernel.container.get_archive("/tmp/image.tar")
    archive = tmp_path / "out.tar"
    with archive.open("wb") as file:
        file.writelines(chunks)
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    docker = [program("docker"), "--host", host()]
    subprocess.run([*docker, "load", "-qi", tmp_path / "image.tar"], check=True)
    try:
        check = (
            "set -e; python -c 'import pymongo, twitter, iniconfig';"
            "/opt/conda/envs/python2/bin/python -c 'import six, attr; print(attr.__version__)';"
            "! python -c 'import tabulate' 2>/dev/null; ! python -c 'import toolz' 2>/dev/null;"
            "vi --version | head -1; dpkg --verify vim-tiny libsodium23; dpkg -s libsodium23;"
            "ldconfig -p | grep libsodium; grep scripted /opt/conda/etc/scripted/made;"
            "test $(stat -c %U /var/lib/mosquitto) = mosquitto;"
            "test $(stat -c %a%s /etc/at.deny) = 640144; test $(id -u) = 1000; pip check;"
            "touch $(python -c 'import pymongo; print(pymongo.__path__[0])')/x;"
            "jstackmagic history; jstackmagic info"
        )
        shown = docker_engine.containers.run(
            tag, ["bash", "-c", check], remove=True, stderr=True
        ).decode()
        assert "23.2.0" in shown
        lab = {"DOCKER_STACKS_JUPYTER_CMD": "lab"}
        container = docker_engine.containers.run(
            tag, detach=True, ports={"8888/tcp": None}, environment=lab
        )
        try:
            url = stacks.address(container)
            page = requests.get(url, timeout=PATIENCE)
            assert urlsplit(page.url).path == "/lab"
            assert '"appName": "JupyterLab"' in page.text
            with ServedKernel(url) as notebook:
                cell = "import pymongo, twitter; print(pymongo.version)"
                assert notebook.run(cell).check().shown.strip() == "4.10.1"
        finally:
            container.remove(force=True)
    finally:
        docker_engine.images.remove(tag, force=True)
