"""A second container on the same home volume gets everything back while it starts."""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from support import stacks
from support.debs import build_deb
from support.engine import host
from support.kernels import PATIENCE
from support.tiers import PYMONGO, SIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

IMAGE = f"jstackmagic-tests/hooked-{os.getpid()}:replay"
DEB = "jstackmagic-test-container"

SERVER = "the server starts"
LOOK = "cat /tmp/jstackmagic-1000/replay-*.json"  # as `%envinfo` does, without a Python each time

WAYS = f"""
set -e
jstackmagic install --conda pymongo={PYMONGO[0]}
jstackmagic install --pip twitter==1.19.6
jstackmagic install --kernel python2 conda:six={SIX[0]} pip:attrs==23.1.0
jstackmagic install apt:/home/jovyan/{DEB}_1.0_all.deb
cat > /tmp/cells.ipy <<'EOF'
%load_ext jstackmagic
!pip install --quiet toolz==1.0.0
import subprocess, sys
# over conda's
done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "idna==3.7"])
EOF
ipython --no-banner --colors=NoColor /tmp/cells.ipy
"""

PACKAGES = """
import json
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
found = [*read_packages(detect(), ("apt",)).packages]
for prefix in ("/opt/conda", "/opt/conda/envs/python2"):
    found += read_packages(detect(prefix), ("conda", "pip")).packages
print(json.dumps(sorted([*p.key, p.version, p.build, p.source, p.requested] for p in found)))
"""


@pytest.fixture(scope="module")
def hooked_image(
    docker_engine: DockerClient, jstackmagic_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The image of a site that installs the start-up hook, with `--keep`."""
    folder = tmp_path_factory.mktemp("hooked")
    lines = (f"FROM {jstackmagic_image}", "USER root", "RUN jstackmagic hook install --keep")
    (folder / "Dockerfile").write_text("\n".join((*lines, "USER ${NB_UID}\n")))
    stacks.build(docker_engine, IMAGE, folder)
    yield IMAGE
    docker_engine.images.remove(IMAGE, force=True)


@pytest.fixture
def volume(docker_engine: DockerClient) -> Iterator[str]:
    """A home volume, filled from the image as it is first mounted."""
    made = docker_engine.volumes.create(f"jstackmagic-tests-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove(force=True)


@contextmanager
def started(
    client: DockerClient,
    volume: str,
    *,
    image: str = IMAGE,
    mounts: Mapping[str, object] | None = None,
    network_mode: str = "bridge",
) -> Iterator[Container]:
    """A container of the image, started as a server's is, with nothing but a sleep for a server."""
    container = client.containers.run(
        image,
        ["sh", "-c", f"echo {SERVER}; exec sleep 3600"],
        detach=True,
        user="root",
        environment={"GRANT_SUDO": "yes"},
        volumes={volume: {"bind": "/home/jovyan", "mode": "rw"}, **(mounts or {})},
        network_mode=network_mode,
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def do(container: Container, *command: str, user: str = "jovyan") -> str:
    status, output = container.exec_run(command, user=user, workdir="/home/jovyan")
    assert status == 0, output.decode()
    return str(output.decode())


def wait_for_server(container: Container) -> None:
    """Until `start.sh` gave way to the server: what sudo may do is granted before."""
    deadline = time.monotonic() + PATIENCE
    while SERVER not in container.logs().decode():
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.1)


def wait_for_replay(container: Container) -> None:
    """Until the replay in the background has ended well."""
    deadline = time.monotonic() + 240
    _, text = container.exec_run(["sh", "-c", LOOK])
    while not text.startswith(b"{") or b'"state": "running"' in text:
        assert time.monotonic() < deadline, (text, container.logs())
        time.sleep(0.2)
        _, text = container.exec_run(["sh", "-c", LOOK])
    status = json.loads(do(container, "jstackmagic", "info", "--json"))["replay"]
    assert status["state"] == "done", (status, do(container, "cat", status["log"]))


def packages(container: Container) -> set[tuple[object, ...]]:
    return {tuple(line) for line in json.loads(do(container, "python", "-c", PACKAGES))}


def test_a_second_container_and_a_third_without_a_network(
    docker_engine: DockerClient, hooked_image: str, volume: str, tmp_path: Path
) -> None:
    with started(docker_engine, volume) as first:
        wait_for_server(first)
        put(first, build_deb(tmp_path, DEB))
        brought = packages(first)
        do(first, "bash", "-c", WAYS)
        was = packages(first)
        assert {name for _, name, *_ in was - brought} >= {
            "pymongo",
            "dnspython",
            "twitter",
            "six",
            "attrs",
            "toolz",
            "idna",
            DEB,
        }
    with started(docker_engine, volume) as second:
        wait_for_replay(second)
        print(do(second, "cat", "/home/jovyan/.local/share/jstackmagic/history.jsonl"))
        print(do(second, "bash", "-c", "cat /tmp/jstackmagic*/replay.log"))
        assert packages(second) == was
        drifts = json.loads(do(second, "jstackmagic", "diff", "--json"))
        assert all(found["record"] for drift in drifts for found in drift["differences"])
        assert {found["now"]["name"] for d in drifts for found in d["differences"]} >= {"toolz"}
    with started(docker_engine, volume, network_mode="none") as third:
        wait_for_replay(third)
        assert packages(third) == was


BEHIND_OUR_BACK = """
set -e
pip install -q toolz==1.0.0 tabulate==0.8.9
pip uninstall -q -y hyperframe
mamba install --yes --name base demo-tool
# nothing of this has a time that tells
find /opt/conda/lib -name 'toolz*info' -exec touch -d 2000-01-01 {} +
sed -i 's/^==> .* <==/==> 2000-01-01 00:00:00 <==/' /opt/conda/conda-meta/history
"""


def test_the_image_itself_tells_what_it_brought(
    docker_engine: DockerClient, jstackmagic_image: str, volume: str, tmp_path: Path
) -> None:
    """No hook took a snapshot; the engine's socket is in the container."""
    socket = {host().removeprefix("unix://"): {"bind": "/var/run/docker.sock", "mode": "rw"}}
    with started(docker_engine, volume, image=jstackmagic_image, mounts=socket) as container:
        wait_for_server(container)
        assert do(container, "jstackmagic", "diff").count("Nothing differs") == 2
        put(container, build_deb(tmp_path, DEB))
        do(container, "bash", "-c", BEHIND_OUR_BACK)
        do(container, "dpkg", "--install", f"/home/jovyan/{DEB}_1.0_all.deb", user="root")
        drifts = json.loads(do(container, "jstackmagic", "diff", "--json"))
    for drift in drifts:
        assert set(drift["evidence"].values()) == {f"the image {jstackmagic_image}"}
    found = {}
    for each in (each for drift in drifts for each in drift["differences"]):
        package = each["now"] or each["before"]
        found[package["manager"], package["name"]] = "+" if each["now"] else "-"
    assert found == {
        ("conda", "demo-tool"): "+",
        ("pip", "toolz"): "+",
        ("pip", "tabulate"): "+",
        ("pip", "hyperframe"): "-",
        ("apt", DEB): "+",
    }


def put(container: Container, file: Path) -> None:
    import io
    import tarfile

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.add(file, file.name)
    container.put_archive("/home/jovyan", data.getvalue())
