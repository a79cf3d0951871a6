"""Inside a container of the Docker Stacks' stand-in, as a user: install, build, prove, tamper.

Cells run in a kernel of the container's own notebook server, over HTTP and WebSocket. One container
serves all the tests here; each leaves it as it found it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history.file import IMAGE_HISTORY
from jstackmagic.image.engine import labels
from support import stacks
from support.served import ServedKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TAG = f"jstackmagic-tests/accepted-{os.getpid()}"
BUILT = f"{TAG}:built"


class Live:
    """A running container, its work folder, and a kernel in it."""

    def __init__(self, client: DockerClient, container: str, work: Path, kernel: ServedKernel):
        self.client = client
        self.container = client.containers.get(container)
        self.work = work
        self.kernel = kernel

    def say(self, code: str) -> str:
        """Runs a cell that must succeed and returns all that it shows."""
        return self.kernel.run(code).check().shown

    def do(self, command: str, *, user: str = "jovyan") -> str:
        """Runs a command in the container behind the kernel's back: nothing records it."""
        words = ["bash", "-c", command]
        status, output = self.container.exec_run(words, user=user)
        assert status == 0, output.decode()
        return str(output.decode())


@pytest.fixture(scope="module")
def live(
    docker_engine: DockerClient, jstackmagic_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """The container: started as root with GRANT_SUDO, the engine's socket and a folder in it, and
    with everything installed, recorded, and built."""
    work = tmp_path_factory.mktemp("live") / "my work"
    work.mkdir()
    work.chmod(0o777)
    own = TAG
    container = stacks.serving(docker_engine, jstackmagic_image, work)
    try:
        stacks.know(docker_engine, container, jstackmagic_image)
        with ServedKernel(stacks.address(container)) as kernel:
            live = Live(docker_engine, container.id, work, kernel)
            live.say("%cd -q /home/jovyan/work")
            live.say("%load_ext jstackmagic")
            live.say("%envinstall --conda pymongo=4.10.1")
            live.say("%envinstall --pip twitter==1.19.6")
            live.say("%envinstall --kernel python2 --conda six=1.16.0")
            live.say("%envinstall --kernel python2 --pip attrs==23.1.0")
            live.say("%envinstall --apt hello")
            live.say("built = %envimage build")
            own = live.say("built.built.tag").strip("\n'").partition(":")[0]
            docker_engine.images.get(own).tag(*BUILT.split(":"))
            yield live
    finally:
        container.remove(force=True, v=True)
        made = {each for name in (TAG, own) for each in docker_engine.images.list(name=name)}
        for image in made:
            docker_engine.images.remove(image.id, force=True)


def entry(live: Live, name: str) -> str:
    """The id of the record of an install, as the history shows it."""
    shown = live.say("%envhistory")
    (line,) = [line for line in shown.splitlines() if f"install {name}" in line]
    return line.split()[0]


@pytest.fixture
def dockerfile(live: Live, jstackmagic_image: str) -> Iterator[Path]:
    """The exported Dockerfile, in the work folder, to tamper with."""
    live.say(f"%envexport dockerfile --output Dockerfile --from {jstackmagic_image}")
    path = live.work / "Dockerfile"
    yield path
    path.unlink()


def tamper(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, text
    path.chmod(0o666)
    path.write_text(text.replace(old, new))


def test_the_image_holds_exactly_what_is_here(live: Live) -> None:
    """Without a name it is the history's own image, and that is built once."""
    name = f"jstackmagic/{entry(live, 'pymongo=4.10.1').partition('.')[0]}:latest"
    shown = live.say("proof = %envimage prove")
    assert "RUN mamba" not in shown
    assert f"{name} holds exactly what is here." in shown
    assert re.search(r"base \(\d+ packages\), python2 \(\d+ packages\), system \(\d+", shown)
    assert live.say("bool(proof), proof.exit_status").strip() == "(True, 0)"
    assert live.say("dict(proof.proof.compared)['base'] > 60").strip() == "True"
    assert live.say("proof.to_json()['equal']").strip() == "True"


def test_the_image_is_what_it_says(live: Live, jstackmagic_image: str) -> None:
    image = live.client.images.get(BUILT)
    assert image.labels[labels.BASE] == jstackmagic_image
    assert image.labels[labels.HISTORY] == entry(live, "pymongo=4.10.1")
    assert f"{BUILT}" in live.say("%envimage list")


def test_a_recipe_that_changed_is_built_anew(live: Live) -> None:
    live.say("%envinstall --record-only pip:toolz==1.0.0")
    try:
        shown = live.say("%envimage prove")
    finally:
        live.say("%envundo")
    assert re.search(r"^Building jstackmagic/\w+:latest …$", shown, re.MULTILINE)
    (line,) = [line for line in shown.splitlines() if "pip:toolz" in line]
    assert line.split()[:4] == ["base", "pip:toolz", "not", "installed"]
    assert "asks for it, and it is not installed here: %envinstall --name base pip:toolz" in line


def test_a_removed_line_and_a_changed_version_are_named(live: Live, dockerfile: Path) -> None:
    text = dockerfile.read_text()
    install = re.search(r"RUN (pip install (?:.*\n)+?    'twitter==1\.19\.6' && \\\n    )", text)
    assert install is not None
    tamper(dockerfile, install[1], "")
    tamper(dockerfile, "'pymongo=4.10.1'", "'pymongo=4.13.2'")
    tamper(dockerfile, "'attrs==23.1.0'", "'attrs==23.2.0'")
    with dockerfile.open("a") as file:
        file.write("USER root\nRUN rm /var/lib/dpkg/status\nUSER ${NB_UID}\n")
    shown = live.say(f"proof = %envimage prove {TAG}:tampered --file Dockerfile")
    assert "does not hold exactly what is here" in shown
    lines = [line for line in shown.splitlines() if re.match("base |python2 ", line)]
    assert [line.split()[:4] for line in lines] == [
        ["base", "conda:pymongo", "4.10.1", "4.13.2"],
        ["base", "pip:twitter", "1.19.6", "not"],
        ["python2", "pip:attrs", "23.1.0", "23.2.0"],
    ]
    assert f"{entry(live, 'pymongo')} has 4.10.1" in lines[0]
    assert f"{entry(live, 'twitter')} installed it here" in lines[1]
    assert f"{entry(live, 'attrs')} has 23.1.0" in lines[2]
    assert "The image has no dpkg status file" in shown
    assert live.say("proof.exit_status").strip() == "1"


def test_commit_says_what_it_carries(live: Live) -> None:
    live.do("echo 'machine example.org login me password x' > ~/.netrc")
    live.do("mkdir -p ~/.cache/pip/x && head -c 300000 /dev/zero > ~/.cache/pip/x/cached")
    try:
        shown = live.say(f"committed = %envimage commit {TAG}:snapshot --clean")
        assert "/home/jovyan/.netrc" in shown
        assert "a token, a key or a password" in shown
        assert "GRANT_SUDO" in shown
        assert "The lasting way: %envimage build" in shown
        assert live.say("committed.committed.cleaned >= 300000").strip() == "True"
        assert live.do("ls -A ~/.cache/pip | wc -l").strip() == "0"
    finally:
        live.do("rm -f ~/.netrc")
    image = live.client.images.get(f"{TAG}:snapshot")
    assert image.attrs["Config"]["User"] == "1000"
    assert image.labels[labels.HISTORY] == entry(live, "pymongo=4.10.1")
    said = live.client.containers.run(
        image.id, ["cat", str(IMAGE_HISTORY), "/home/jovyan/.netrc"], remove=True, user="1000"
    )
    assert b"twitter" in said
    assert b"login me" in said
    shown = live.say(f"%envimage prove {TAG}:snapshot")  # whose variables are this container's
    rows = [line for line in shown.splitlines() if re.match("image|base|python2|system", line)]
    assert [row.split()[:4] for row in rows] == [["image", "configuration", "ENV", "GRANT_SUDO"]]
    assert f"{TAG}:snapshot" in live.say("%envimage list")


def test_run_from_inside_a_container(live: Live) -> None:
    """The mount is the host's folder, and the server is reached from beside it and from outside."""
    (live.work / "project").mkdir(mode=0o777)
    (live.work / "project").chmod(0o777)
    shown = live.say(f"server = %envimage run {BUILT} --work project")
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+/\?token=\w+", shown)
    try:
        assert live.say("server.work").strip("'") == str(live.work / "project")
        with ServedKernel(url, "python2") as kernel:
            shown = kernel.run("import six, attr; six.__version__").check().text
            assert shown == "'1.16.0'"
        with ServedKernel(url) as kernel:
            shown = kernel.run("import pymongo, twitter; pymongo.version").check().text
            assert shown == "'4.10.1'"
            kernel.run("open('/home/jovyan/work/made', 'w').write('x')").check()
            assert kernel.run("!hello").check().stdout.startswith("Hello")
            # the new container's home has no record of its own: what is shown is the image's
            shown = kernel.run("%load_ext jstackmagic\n%envhistory").check().shown
            assert re.search(r"install twitter==1.19.6 +base +pip", shown)
            assert f"made from ({IMAGE_HISTORY})" in shown
        assert (live.work / "project/made").exists()
    finally:
        live.say("%envimage stop {server.server.name}")
    alone = live.say(
        "import os\n"
        "from jstackmagic.image.engine.dockersdk import connect\n"
        "from jstackmagic.image.engine.mounts import on_host\n"
        "on_host(connect(os.environ), '~')"
    )
    assert "is in this container only" in alone
