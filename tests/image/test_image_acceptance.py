"""Inside a container of the Docker Stacks' stand-in, as a user: install, build, prove, tamper.

Cells run in a kernel of the container's own notebook server, over HTTP and WebSocket. One container
serves all the tests here; each leaves it as it found it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history.file import IMAGE_HISTORY
from jstackmagic.image.engine import labels
from support import stacks
from support.engine import host
from support.machine import Unavailable, program
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


def test_and_so_it_does_in_depth(live: Live) -> None:
    assert "holds exactly what is here" in live.say(f"%envimage prove {BUILT} --deep")


def test_the_exported_dockerfile_builds_without_us(live: Live, dockerfile: Path) -> None:
    """With the plain client and its own choice of a builder; hadolint has nothing to say of it."""
    linter = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert linter is not None
    ignored = [f"--ignore={rule}" for rule in ("DL3006", "DL3008", "DL3013", "DL3066")]
    linted = subprocess.run([linter, *ignored, dockerfile], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")
    try:
        docker = program("docker")
    except Unavailable as reason:
        pytest.skip(str(reason))
    command = [docker, "build", "--tag", f"{TAG}:plain", "--file", dockerfile, dockerfile.parent]
    built = subprocess.run(
        command,
        env={**os.environ, "DOCKER_HOST": host()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    assert "holds exactly what is here" in live.say(f"%envimage prove {TAG}:plain")


def test_a_removed_line_and_a_changed_version_are_named(live: Live, dockerfile: Path) -> None:
    text = dockerfile.read_text()
    install = re.search(r"RUN (pip install (?:.*\n)+?    'twitter==1\.19\.6' && \\\n    )", text)
    assert install is not None
    tamper(dockerfile, install[1], "")
    tamper(dockerfile, "'pymongo=4.10.1'", "'pymongo=4.13.2'")
    tamper(dockerfile, "'attrs==23.1.0'", "'attrs==23.2.0'")
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
    assert live.say("proof.exit_status").strip() == "1"


def test_what_nobody_recorded_is_named(live: Live) -> None:
    """In a terminal, as a pipeline would: the exit status is what counts there."""
    live.do("pip install --quiet idna-ssl==1.1.0")
    live.do("apt-get install --quiet --yes --no-install-recommends ed", user="root")
    live.do("/opt/conda/envs/python2/bin/pip uninstall --quiet --yes attrs")
    try:
        shown = live.do(f"! jstackmagic image prove {BUILT}")
    finally:
        live.do("pip uninstall --quiet --yes idna-ssl")
        live.do("apt-get purge --quiet --yes ed", user="root")
        live.do("/opt/conda/envs/python2/bin/pip install --quiet attrs==23.1.0")
    (line,) = [line for line in shown.splitlines() if "pip:idna-ssl" in line]
    assert "%envinstall --record-only --name base pip:idna-ssl==1.1.0" in line
    (line,) = [line for line in shown.splitlines() if "apt:ed" in line]
    assert line.startswith("system")
    assert "%envinstall --record-only apt:ed" in line
    (line,) = [line for line in shown.splitlines() if "pip:attrs" in line]
    assert line.split()[:4] == ["python2", "pip:attrs", "not", "installed"]
    assert "%envremove --record-only --name python2 pip:attrs" in line
    assert "holds exactly" in live.do(f"jstackmagic image prove {BUILT}")


SITE = "/opt/conda/lib/python3*/site-packages"


def prove_on(live: Live, *commands: str) -> str:
    """What the proof says of the image after some commands in it."""
    folder = live.work / "tampered"
    folder.mkdir(exist_ok=True)
    lines = "".join(f"RUN {command}\n" for command in commands)
    (folder / "Dockerfile").write_text(f"FROM {BUILT}\nUSER root\n{lines}USER 1000\n")
    return live.say(f"%envimage prove {TAG}:tampered --file tampered/Dockerfile")


def test_nothing_is_called_equal_that_could_not_be_read(live: Live) -> None:
    """Unread metadata on the image's side, and environments that only one side has."""
    shown = prove_on(
        live,
        f"echo > {SITE}/twitter-1.19.6.dist-info/METADATA",
        "echo > /opt/conda/conda-meta/pymongo-*.json",
        "rm /var/lib/dpkg/status",
        "mv /opt/conda/envs/python2 /opt/conda/envs/third",
    )
    assert "does not hold exactly what is here" in shown
    for said in (
        "twitter-1.19.6.dist-info in the image does not name its distribution",
        "The record of pymongo in base in the image cannot be read",
        "The image has no dpkg status file",
        "The image has no environment python2",
        "The image has an environment /opt/conda/envs/third, which is not here",
    ):
        assert said in shown


def test_depth_finds_what_the_metadata_does_not_tell(live: Live) -> None:
    shown = prove_on(
        live,
        f"echo '1/0' >> $(echo {SITE}/twitter/__init__.py)",
        f"echo '# other' >> $(echo {SITE}/dns/exception.py)",
        f"rm $(echo {SITE}/twitter/archiver.py)",
    )
    assert "holds exactly" in shown
    live.do(f"echo '# mine' >> $(echo {SITE}/twitter/ansi.py)")
    try:
        shown = live.say(f"%envimage prove {TAG}:tampered --deep")
    finally:
        live.do("pip install --quiet --force-reinstall --no-deps twitter==1.19.6")
    found = {
        (line.split()[1], *re.split(r"  +", line.split("site-packages/")[1])[:2])
        for line in shown.splitlines()
        if line.startswith("base") and "site-packages/" in line
    }
    assert found == {
        ("twitter", "twitter/__init__.py", "changed in the image"),
        ("twitter", "twitter/archiver.py", "not in the image"),
        ("twitter", "twitter/ansi.py", "changed here"),
        ("dnspython", "dns/exception.py", "changed in the image"),
    }
    assert "twitter in base: ZeroDivisionError" in shown


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
        for name, code, answer in (
            ("python3", "import pymongo, twitter; pymongo.version", "'4.10.1'"),
            ("python2", "import six, attr; six.__version__", "'1.16.0'"),
        ):
            with ServedKernel(url, name) as kernel:
                assert kernel.run(code).check().text == answer
        with ServedKernel(url) as kernel:
            kernel.run("open('/home/jovyan/work/made', 'w').write('x')").check()
            assert kernel.run("!hello").check().stdout.startswith("Hello")
            # the new container's home has no record of its own: what is shown is the image's
            shown = kernel.run("%load_ext jstackmagic\n%envhistory").check().shown
            assert re.search(r"install twitter==1.19.6 +base +pip", shown)
            assert f"made from ({IMAGE_HISTORY})" in shown
        assert (live.work / "project/made").exists()
    finally:
        live.say("%envimage stop {server.server.name}")
    alone = live.say(f"server = %envimage run {BUILT} --work ~")
    live.say("%envimage stop {server.server.name}")
    assert "is in this container only" in alone
