"""The image, with a real engine: who we are, both builders, secrets, pushing, serving."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import requests
from docker.models.containers import ContainerCollection

from jstackmagic.cli import main
from jstackmagic.display.console import PlainConsole, quiet
from jstackmagic.history.file import IMAGE_HISTORY
from jstackmagic.image.context import _first_base
from jstackmagic.image.engine import commit, labels
from jstackmagic.image.engine.build import BuildFailed, BuildOptions, build, fetch, push
from jstackmagic.image.engine.container import (
    ContainerBase,
    _inspected,
    base_of,
    named_base,
    this_container,
)
from jstackmagic.image.engine.dockersdk import EngineError, connect
from jstackmagic.image.engine.roots import container_of, content_of, is_there
from jstackmagic.image.engine.serve import images, servers
from jstackmagic.model.errors import Interrupted, UsageError
from jstackmagic.model.reference import parse_tag
from jstackmagic.session import Session
from support.engine import host
from support.kernels import PATIENCE
from support.machine import Unavailable, program
from support.ports import free_ports
from support.records import remember
from support.served import ServedKernel
from support.tiers import SIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient
    from docker.models.containers import Container

    from jstackmagic.image.engine import Builder
    from jstackmagic.image.engine.build import Built
    from jstackmagic.image.engine.dockersdk import ContainerEngine

pytestmark = pytest.mark.docker

SECRET = "$2y$05$XK/34SYfsK68aClt2/4fZepBPC0CvOqtn.hUzwOiMxvd9qWYs03Au"  # "secret", by bcrypt
REPOSITORY = f"jstackmagic-tests/made-{os.getpid()}"
BUILDERS: tuple[Builder, ...] = ("classic", "buildkit")
QUIET = quiet()


@pytest.fixture
def engine(docker_host: DockerClient) -> Iterator[ContainerEngine]:
    """The engine, reached as the product reaches it; what a test made is removed after it."""
    found = connect()
    yield found
    servers = {"all": True, "filters": {"label": labels.SERVER}, "ignore_removed": True}
    for container in docker_host.containers.list(**servers):
        if container.labels[labels.SERVER].startswith(REPOSITORY):
            container.remove(force=True, v=True)
    for image in docker_host.images.list(name=REPOSITORY):
        for tag in image.tags:  # and not the image itself: another may be the same
            if tag.startswith(REPOSITORY):
                docker_host.images.remove(tag)
    found.client.close()


@pytest.fixture
def make(engine: ContainerEngine, tmp_path: Path) -> Callable[..., Built]:
    """Builds a Dockerfile: `make("FROM ...", builder="classic", name="tag")`."""

    def make(text: str, *, name: str = "image", **asked: object) -> Built:
        (tmp_path / "Dockerfile").write_text(text)
        said = BuildOptions(parse_tag(f"{REPOSITORY}:{name}"), **asked)  # type: ignore[arg-type]
        console = asked.pop("console", QUIET)
        return build(engine, tmp_path, said, console=console)  # type: ignore[arg-type]

    return make


def contents(engine: ContainerEngine, image: str, path: str) -> bytes:
    """One file of an image."""
    found = content_of(engine, image, path)
    assert found is not None
    return found


# Which container is this?

WHO = """
from jstackmagic.where.host import look
from jstackmagic.image.engine.container import base_of, this_container
from jstackmagic.image.engine.dockersdk import connect
engine = connect()
found = this_container(engine, look())
print(found.id if found else None, base_of(engine, found).reference if found else None)
"""


@pytest.fixture
def run_here(
    docker_host: DockerClient, jstackmagic_image: str
) -> Iterator[Callable[..., Container]]:
    """Runs Python in a container that has the engine's socket; returns it, ended."""
    made = []

    def run(code: str, *, socket: bool = True, **options: object) -> Container:
        mounts = {host().removeprefix("unix://"): {"bind": "/var/run/docker.sock"}}
        container = docker_host.containers.run(
            jstackmagic_image,
            ["/opt/conda/bin/python", "-c", code],
            entrypoint=[],
            detach=True,
            volumes=mounts if socket else {},
            **options,
        )
        made.append(container)
        container.wait(timeout=PATIENCE)
        return container

    yield run
    for container in made:
        container.remove(force=True, v=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hostname": "somebody-else"},
        {"network_mode": "host"},
        {"cgroupns": "host"},
        {"tmpfs": {"/tmp": "", "/var/tmp": ""}},
        {"environment": {"HOME": "/nowhere"}},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_a_container_knows_itself_and_its_image(
    options: dict[str, object], run_here: Callable[..., Container], jstackmagic_image: str
) -> None:
    container = run_here(WHO, **options)
    said = container.logs().decode().split()
    assert said == [container.id, jstackmagic_image], container.logs().decode()


def test_with_another_containers_network_it_is_still_itself(
    run_here: Callable[..., Container], docker_host: DockerClient, stacks_image: str
) -> None:
    """The mounted files are the other's: only asking the engine tells the two apart."""
    other = docker_host.containers.run(stacks_image, ["sleep", "60"], entrypoint=[], detach=True)
    try:
        container = run_here(WHO, network_mode=f"container:{other.id}")
        assert container.logs().decode().split()[0] == container.id
    finally:
        other.remove(force=True, v=True)


def test_in_a_container_without_a_socket_there_is_no_engine(
    run_here: Callable[..., Container],
) -> None:
    container = run_here(WHO, socket=False)
    assert "No container engine can be reached from here." in container.logs().decode()


def test_a_socket_that_the_user_may_not_use(run_here: Callable[..., Container]) -> None:
    container = run_here(WHO, user="1234:1234")
    said = container.logs().decode()
    assert "this user may not use it" in said
    assert "NB_GID=" in said


def test_outside_of_a_container_there_is_none(engine: ContainerEngine) -> None:
    from jstackmagic.where.host import look

    here = look()
    if here.runtime is None:
        assert this_container(engine, here) is None


def test_an_image_whose_name_has_gone_can_still_be_built_on(
    engine: ContainerEngine,
    make: Callable[..., Built],
    stacks_image: str,
    docker_host: DockerClient,
) -> None:
    first = make(f"FROM {stacks_image}\nENV GENERATION=1\n", name="moving")
    container = docker_host.containers.create(first.tag, ["true"])
    try:
        make(f"FROM {stacks_image}\nENV GENERATION=2\n", name="moving")
        base = base_of(engine, _inspected(container.attrs))
        assert base.reference != first.tag
        assert base.variables["GENERATION"] == "1"
        make(f"FROM {base.reference}\n", name="on-it", builder="classic")
        docker_host.images.remove(base.reference, noprune=True)
    finally:
        container.remove(v=True)


def test_an_image_of_this_history_is_built_anew_from_its_own_base(
    engine: ContainerEngine, stacks_image: str
) -> None:
    record = remember("pip", ("six",), "six", "1.16.0")
    records = Session().history.records()
    made = {labels.HISTORY: record.id, labels.BASE: stacks_image}
    first = _first_base(engine, ContainerBase("made:1", labels=made), records)
    assert first is not None
    assert first.reference == stacks_image
    others = ({}, {**made, labels.HISTORY: "other.1"}, {**made, labels.BASE: "gone/since:1"})
    for other in others:
        assert _first_base(engine, ContainerBase("made:1", labels=other), records) is None


# Building


@pytest.mark.parametrize("builder", BUILDERS)
def test_build(
    builder: Builder,
    engine: ContainerEngine,
    stacks_image: str,
    tmp_path: Path,
    make: Callable[..., Built],
) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "left").write_text("left")
    (tmp_path / ".dockerignore").write_text("# what stays here\nleft\n")
    text = (
        f"FROM {stacks_image}\nUSER root\nCOPY . /srv/\n"
        f"RUN echo 'first line' && echo 'last line' > /srv/made  # {uuid4()}\n"
    )
    said: list[str] = []
    (tmp_path / "Dockerfile").write_text(text)
    asked = BuildOptions(
        parse_tag(f"{REPOSITORY}:x"), builder=builder, labels={"org.example.a": "b c"}
    )
    first = build(engine, tmp_path, asked, console=PlainConsole(said.append))
    assert first.builder == builder
    assert first.image_id == engine.client.images.get(f"{REPOSITORY}:x").id
    assert engine.client.images.get(first.tag).labels["org.example.a"] == "b c"
    assert contents(engine, first.tag, "/srv/made") == b"last line\n"
    with container_of(engine, first.tag) as created:
        assert is_there(engine, created, "/srv/kept")
        assert not is_there(engine, created, "/srv/left")
    title, *lines = "".join(said).splitlines()
    assert title == f"Building {REPOSITORY}:x …"
    assert re.fullmatch(r" 1/\d FROM .*", lines[0])
    assert any(re.fullmatch(r" \d/\d RUN echo 'first line' .*\d\.\d s", line) for line in lines)
    assert "last line\n" not in "".join(said)

    again = build(engine, tmp_path, asked, console=QUIET)
    assert again.cached > first.cached
    assert make(text, builder=builder, no_cache=True).cached <= 1  # the base, to BuildKit


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_failed_step_is_named_with_its_last_lines(
    builder: Builder, stacks_image: str, make: Callable[..., Built]
) -> None:
    before = make(f"FROM {stacks_image}\n", builder=builder)
    with pytest.raises(BuildFailed) as raised:
        make(
            f"FROM {stacks_image}\nRUN true\n"
            "RUN echo one && echo 'no such package: six' >&2 && exit 7\n",
            builder=builder,
        )
    said = str(raised.value)
    assert "step 3 of 3 failed: RUN echo one" in said
    assert "no such package: six" in said
    assert "No image was made" in said
    assert raised.value.step is not None
    assert raised.value.step.number == 3
    assert make(f"FROM {stacks_image}\n", builder=builder).image_id == before.image_id


def test_a_base_that_cannot_be_had(engine: ContainerEngine) -> None:
    with pytest.raises(EngineError, match="could not be pulled"):
        fetch(engine, "localhost:1/nothing/here:1", console=QUIET)


def test_buildkit_keeps_the_downloads_and_the_image_has_none(
    engine: ContainerEngine,
    stacks_image: str,
    make: Callable[..., Built],
    docker_host: DockerClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remember("apt", ("hello",), "hello", "")
    remember("conda", (f"six={SIX[0]}",), "six", SIX[0])
    remember("pip", ("colorama==0.4.6",), "colorama", "0.4.6")
    tag = f"{REPOSITORY}:cached"
    assert main(["image", "build", tag, "--from", stacks_image, "--builder", "buildkit"]) == 0
    capsys.readouterr()
    folders = "/mnt /var/cache/apt /var/lib/apt/lists /opt/conda/pkgs /home/jovyan/.cache"
    left = docker_host.containers.run(
        tag,
        ["bash", "-c", f"find {folders} -type f -size +0; python -c 'import six, colorama'"],
        remove=True,
    )
    assert left.decode().split() == []

    mounts = (
        "id=jstackmagic-packages-1000,target=/mnt,uid=1000,gid=100",
        "id=jstackmagic-apt,target=/var/cache/apt",
    )
    # as our own mounts are: the engine gives one that is not locked another, empty folder while a
    # build of another test holds this one
    look = "".join(f" --mount=type=cache,sharing=locked,{mount}" for mount in mounts)
    text = f"FROM {stacks_image}\nUSER root\nRUN{look} find /mnt /var/cache/apt > /srv/kept"
    built = make(f"{text}  # {uuid4()}\n", builder="buildkit")
    kept = contents(engine, built.tag, "/srv/kept").decode()
    assert re.search(r"^/mnt/conda/six-", kept, re.MULTILINE)
    assert re.search(r"^/mnt/pip/.", kept, re.MULTILINE)  # not each index lets pip keep files
    assert re.search(r"^/var/cache/apt/kept/hello_.*\.deb$", kept, re.MULTILINE)


def test_a_base_of_another_user_gets_no_caches(
    stacks_image: str, make: Callable[..., Built], capsys: pytest.CaptureFixture[str]
) -> None:
    """That user could not write to them."""
    base = make(f"FROM {stacks_image}\nENV NB_UID=1234\n", name="base").tag
    remember("pip", ("colorama==0.4.6",), "colorama", "0.4.6")
    words = ["image", "build", f"{REPOSITORY}:other", "--from", base, "--builder", "buildkit"]
    assert main(words) == 1  # there is no such user either
    assert "--no-cache-dir" in capsys.readouterr().err


def test_a_secret_reaches_its_instruction_and_no_layer(
    engine: ContainerEngine, stacks_image: str, make: Callable[..., Built]
) -> None:
    secret = "hunter2-" * 40
    built = make(
        f"FROM {stacks_image}\nUSER root\n"
        "RUN --mount=type=secret,id=pip_index_url,required=true,mode=0444"
        " sha256sum < /run/secrets/pip_index_url > /srv/sum\n",
        builder="buildkit",
        secrets={"pip_index_url": secret.encode()},
    )
    import hashlib

    assert (
        hashlib.sha256(secret.encode()).hexdigest()
        in contents(engine, built.tag, "/srv/sum").decode()
    )
    image = engine.client.images.get(built.tag)
    assert secret not in json.dumps([image.attrs, image.history()])
    # the last layer, which the instruction made, holds the sum and nothing else
    archive = io.BytesIO(b"".join(image.save()))
    with tarfile.open(fileobj=archive) as saved:
        for member in saved:
            if member.isfile():
                assert secret.encode() not in saved.extractfile(member).read()  # type: ignore[union-attr]


def test_a_secret_that_was_not_given_fails_the_build(
    stacks_image: str, make: Callable[..., Built]
) -> None:
    text = f"FROM {stacks_image}\nRUN --mount=type=secret,id=token,required=true true\n"
    with pytest.raises(BuildFailed, match="token"):
        make(text, builder="buildkit", secrets={"other": b"x"})


def test_the_classic_builder_gets_no_secret(stacks_image: str, make: Callable[..., Built]) -> None:
    with pytest.raises(UsageError, match="Only BuildKit"):
        make(f"FROM {stacks_image}\n", builder="classic", secrets={"a": b"x"})


@pytest.mark.parametrize("asked", [{"platform": "linux;rm"}, {"labels": {"a b": "c"}}])
def test_what_is_no_platform_or_label_starts_nothing(
    asked: dict[str, object], stacks_image: str, make: Callable[..., Built]
) -> None:
    with pytest.raises(UsageError, match="is not "):
        make(f"FROM {stacks_image}\n", **asked)


# A registry


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's own registry on the loopback address; yields its host and port."""
    with _registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@contextlib.contextmanager
def _registry(folder: Path, **more: object) -> Iterator[str]:
    try:
        registry = program("docker-registry")
    except Unavailable as reason:
        pytest.skip(str(reason))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
        **more,
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    command = [registry, "serve", str(folder / "config.yml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1500):
            try:
                requests.get(f"http://{address}/v2/", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def private_registry(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A registry that lets in who knows a password, and Docker's folder of settings for one."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "users").write_text(f"me:{SECRET}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    auth = {"htpasswd": {"realm": "tests", "path": str(folder / "users")}}
    with _registry(folder, auth=auth) as address:
        yield address


def test_a_push_is_made_as_who_is_logged_in(
    private_registry: str, make: Callable[..., Built], tmp_path: Path, docker_host: DockerClient
) -> None:
    engine = connect()
    tag = parse_tag(f"{private_registry}/team/base:1")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    build(engine, tmp_path, BuildOptions(tag), console=QUIET)
    try:
        with pytest.raises(EngineError, match="could not be pushed") as raised:
            push(engine, tag, console=QUIET)
        assert f"docker login {private_registry}" in str(raised.value)
        login = base64.b64encode(b"me:secret").decode()
        settings = {"auths": {private_registry: {"auth": login}}}
        Path(os.environ["DOCKER_CONFIG"], "config.json").write_text(json.dumps(settings))
        assert push(connect(), tag, console=QUIET).startswith("sha256:")
    finally:
        docker_host.images.remove(str(tag), force=True)


def test_push_pull_and_the_digest_of_the_base(
    registry: str, engine: ContainerEngine, tmp_path: Path, docker_host: DockerClient
) -> None:
    """A small image made of nothing: what counts is what the engine and the registry say."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nENV CONDA_DIR=/c\n")
    tag = parse_tag(f"{registry}/team/base:2026-11")
    build(engine, tmp_path, BuildOptions(tag), console=QUIET)
    digest = push(engine, tag, console=QUIET)
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    docker_host.images.remove(str(tag))

    said: list[str] = []
    fetch(engine, str(tag), console=PlainConsole(said.append))
    assert said == [f"Pulling {tag} …\n"]
    base = named_base(engine, str(tag))
    assert base.digest == digest
    container = docker_host.containers.create(str(tag), ["true"])
    try:
        pinned = base_of(engine, _inspected(container.attrs))
    finally:
        container.remove()
    assert pinned.reference == f"{tag}@{digest}"
    for builder in BUILDERS:
        (tmp_path / "Dockerfile").write_text(f"FROM {pinned.reference}\n")
        asked = BuildOptions(parse_tag(f"{REPOSITORY}:on-pinned"), builder=builder)
        build(engine, tmp_path, asked, console=QUIET)
    docker_host.images.remove(str(tag), force=True)


def test_a_registry_that_refuses(engine: ContainerEngine, stacks_image: str) -> None:
    with pytest.raises(EngineError, match="could not be pushed"):
        push(engine, parse_tag("localhost:1/nothing/here:1"), console=QUIET)


# The verb, in a terminal


def test_build_list_run_and_stop(
    engine: ContainerEngine,
    stacks_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = remember("pip", ("six==1.16.0",), "six", "1.16.0")
    tag = f"{REPOSITORY}:analysis"
    words = ["image", "build", tag, "--from", stacks_image, "--label", "org.example.x=y", "--json"]
    assert main(words) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["base"] == stacks_image
    image = engine.client.images.get(tag)
    assert image.id == built["image_id"]
    assert image.labels["org.example.x"] == "y"
    assert image.labels[labels.BASE] == stacks_image
    assert image.labels[labels.HISTORY] == record.id
    assert image.labels[labels.RECIPE]
    assert labels.CREATED in image.labels
    copied = contents(engine, tag, str(IMAGE_HISTORY))
    assert copied == Session().history.path.read_bytes()

    with monkeypatch.context() as patch:  # an export knows it, and asks no engine
        patch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
        assert main(["export", "jupyterhub"]) == 0
        assert '    tag: "analysis"\n' in capsys.readouterr().out
        patch.setenv("JSTACKMAGIC_HISTORY", str(tmp_path / "another.jsonl"))
        assert main(["export", "jupyterhub"]) == 1
        assert "The image is not known" in capsys.readouterr().err

    assert main(["image", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["tags"] for each in listed["images"] if each["history"] == record.id] == [[tag]]

    work = tmp_path / "my work"
    work.mkdir(mode=0o777)
    work.chmod(0o777)
    monkeypatch.chdir(work)
    assert main(["image", "run", "--grant-sudo", "--json"]) == 0
    server = json.loads(capsys.readouterr().out)
    assert server["work"] == str(work)
    assert all(place.startswith("127.0.0.1:") for _, place in server["ports"])
    with ServedKernel(server["url"]) as kernel:
        assert kernel.run("import six; six.__version__").check().text == "'1.16.0'"
        kernel.run("open('/home/jovyan/work/made', 'w').write('here')").check()
        said = kernel.run("!sudo -n id -u").check()
        assert said.stdout.strip() == "0"
    assert (work / "made").read_text() == "here"

    assert main(["image", "list"]) == 0
    assert server["url"] in capsys.readouterr().out
    with monkeypatch.context() as patch:  # who has another history is not shown it, nor stops it
        patch.setenv("JSTACKMAGIC_HISTORY", str(tmp_path / "another.jsonl"))
        remember("pip", ("attrs",), "attrs", "25.3.0")
        assert main(["image", "list"]) == 0
        assert tag not in capsys.readouterr().out
        assert main(["image", "stop"]) == 0
        assert "started no server that runs" in capsys.readouterr().out
        assert main(["image", "list", "--all"]) == 0
        said = capsys.readouterr().out
        assert tag in said
        assert server["url"] in said
    assert main(["image", "stop", server["name"]]) == 0
    assert f"Stopped: {server['name']}" in capsys.readouterr().out
    assert main(["image", "stop", server["name"]]) == 2
    assert "No server is called" in capsys.readouterr().err


@pytest.mark.parametrize("first", ["it goes", "it is looked at"])
def test_a_server_that_goes_while_the_list_is_made_is_in_none(
    first: str,
    engine: ContainerEngine,
    docker_host: DockerClient,
    stacks_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look, label = ContainerCollection.get, {labels.SERVER: f"{REPOSITORY}:going"}
    going = docker_host.containers.create(stacks_image, ["true"], labels=label)

    def get(containers: ContainerCollection, key: str) -> Container:
        if key == going.id and first == "it goes":
            going.remove()
        found = look(containers, key)
        if key == going.id:
            going.remove()
        return found

    monkeypatch.setattr(ContainerCollection, "get", get)
    assert going.id not in {server.id for server in servers(engine)}


def test_a_history_without_records_stops_no_server(
    stacks_image: str, docker_host: DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another's without records, or one that is labelled by hand, is not its own."""
    label = {labels.SERVER: f"{REPOSITORY}:others", labels.STARTED_BY: ""}
    others = docker_host.containers.create(stacks_image, ["true"], labels=label)
    try:
        assert main(["image", "stop"]) == 0
        assert "started no server that runs" in capsys.readouterr().out
        others.reload()
    finally:
        others.remove()


SLOW_TO_TELL = """
import http.server, sys, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api" or "open" in sys.argv else 403)
        self.end_headers()
server = http.server.HTTPServer(("", 8888), Answer)
threading.Thread(target=server.serve_forever).start()
time.sleep(2)
print("http://127.0.0.1:8888/tree?token=0123abcd", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize(("more", "end"), [([], "/?token=0123abcd"), (["open"], "/")])
def test_a_server_that_answers_before_it_tells_its_token(
    more: list[str],
    end: str,
    stacks_image: str,
    make: Callable[..., Built],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Jupyter does where the machine is busy. This one does each time; one that lets everybody in
    has no token to wait for."""
    command = json.dumps(["python", "-c", SLOW_TO_TELL, *more])
    built = make(f"FROM {stacks_image}\nCMD {command}\n")
    assert main(["image", "run", built.tag, "--no-work", "--json"]) == 0
    server = json.loads(capsys.readouterr().out)
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+{re.escape(end)}", server["url"])
    assert main(["image", "stop", server["name"]]) == 0


def test_a_server_that_ends_is_told_with_its_last_words(
    engine: ContainerEngine,
    stacks_image: str,
    make: Callable[..., Built],
    capsys: pytest.CaptureFixture[str],
) -> None:
    built = make(f'FROM {stacks_image}\nCMD ["bash", "-c", "echo I cannot >&2; exit 3"]\n')
    assert main(["image", "run", built.tag, "--no-work"]) == 1
    said = capsys.readouterr().err
    assert "ended" in said
    assert "I cannot" in said


def test_a_failed_build_names_the_spec(
    engine: ContainerEngine, stacks_image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remember("pip", ("no-such-distribution-1",), "no-such-distribution-1", "1.0")
    remember("pip", ("six",), "six", "1.16.0")
    assert main(["image", "build", f"{REPOSITORY}:failing", "--from", stacks_image]) == 1
    said = capsys.readouterr().err
    assert "It fell over: no-such-distribution-1\n" in said


def test_the_folder_builds_without_us(
    engine: ContainerEngine,
    stacks_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is written where no engine is in reach, with `docker build` from the command line."""
    try:
        docker = program("docker")
    except Unavailable as reason:
        pytest.skip(str(reason))
    remember("pip", ("six==1.16.0",), "six", "1.16.0")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
        assert main(["image", "build", "--from", stacks_image, "--style", "stacks"]) == 1
    command = [docker, "build", "--quiet", "--tag", f"{REPOSITORY}:alone", "jstackmagic-image"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert b"1.16.0" in engine.client.containers.run(
        f"{REPOSITORY}:alone", ["pip", "show", "six"], remove=True
    )


def test_an_interrupted_build_makes_no_image(
    engine: ContainerEngine, stacks_image: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {stacks_image}\nRUN sleep 60  # {uuid4()}\n")
    tag = parse_tag(f"{REPOSITORY}:interrupted")

    def interrupt(text: str) -> None:
        if "sleep" in text:
            raise KeyboardInterrupt

    for builder in BUILDERS:
        with pytest.raises(Interrupted):
            build(
                engine,
                tmp_path,
                BuildOptions(tag, builder=builder),
                console=PlainConsole(interrupt),
            )
        assert not engine.client.images.list(name=str(tag))


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_platform(builder: Builder, stacks_image: str, make: Callable[..., Built]) -> None:
    system = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(os.uname().machine)
    if system is None:
        pytest.skip(f"no name for the platform of {os.uname().machine}")
    assert make(f"FROM {stacks_image}\n", builder=builder, platform=system).image_id


# Proving, outside of a container


def test_a_pipeline_proves_one_environment(
    engine: ContainerEngine,
    conda_env: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An image made of nothing but the environment's own files: here, then tampered with."""
    prefix = conda_env("python", f"six={SIX[0]}", "demo-library")
    name = prefix.name

    def prove(text: str) -> dict[str, Any]:
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{text}")
        words = ["image", "prove", f"{REPOSITORY}:pipeline", "--prefix", str(prefix), "--json"]
        status = main([*words, "--file", str(tmp_path / "Dockerfile")])
        proof: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert status == (0 if proof["equal"] else 1)
        return proof

    copy = f"COPY [{json.dumps(name)}, {json.dumps(str(prefix))}]\n"
    proof = prove(copy)
    assert proof["equal"]
    assert [count for _, count in proof["compared"]] == [3]

    (meta,) = (prefix / "conda-meta").glob("six-*.json")
    record = meta.read_text()
    meta.write_text(record.replace(SIX[0], SIX[1]))
    try:
        tag = parse_tag(f"{REPOSITORY}:other")
        build(engine, tmp_path, BuildOptions(tag), console=QUIET)
    finally:
        meta.write_text(record)
    words = ["image", "prove", f"{REPOSITORY}:other", "--prefix", str(prefix), "--json"]
    assert main(words) == 1
    (found,) = json.loads(capsys.readouterr().out)["differences"]
    assert (found["here"]["version"], found["image"]["version"]) == SIX

    words = ["image", "prove", "--prefix", str(prefix), "--file", str(tmp_path / "Dockerfile")]
    for _ in range(2):  # without a name it is called the same again
        assert main(words) == 0
    engine.client.images.remove("jstackmagic/nothing-installed:file")
    capsys.readouterr()

    proof = prove("COPY Dockerfile /\n")
    assert not proof["equal"]
    assert "no environment" in proof["absent"][0]


def test_a_prefix_that_is_a_link_in_the_image(
    engine: ContainerEngine,
    conda_env: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prefix = conda_env("python", "six")
    folder = tmp_path / "context"
    (folder / "real").mkdir(parents=True)
    shutil.copytree(prefix, folder / "real/place", symlinks=True)
    link = folder / str(prefix).lstrip("/")
    link.parent.mkdir(parents=True)
    link.symlink_to("/real/place")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    tag = f"{REPOSITORY}:link"
    build(engine, folder, BuildOptions(parse_tag(tag)), console=QUIET)
    assert main(["image", "prove", tag, "--prefix", str(prefix)]) == 0, capsys.readouterr().out


# podman


@pytest.fixture
def podman() -> Iterator[str]:
    """podman's own socket, which speaks Docker's language; yields its address."""
    if os.geteuid() != 0:
        pytest.skip("podman's service needs root here")
    try:
        executable = program("podman")
    except Unavailable as reason:
        pytest.skip(str(reason))
    folder = Path(tempfile.mkdtemp(prefix="podman-"))  # it takes no runroot over 50 characters
    # a container in a machine with lower limits than podman asks for by itself
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    storage = ["--root", f"{folder}/root", "--runroot", f"{folder}/run"]
    process = subprocess.Popen(
        [executable, *storage, "system", "service", "--time=0", f"unix://{folder}/podman.sock"],
        env={**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        if (folder / "podman.sock").is_socket():
            break
        time.sleep(0.1)
    assert (folder / "podman.sock").is_socket(), f"podman ended with {process.poll()}"
    yield f"unix://{folder}/podman.sock"
    process.terminate()
    process.wait()
    subprocess.run(
        ["umount", "--recursive", f"{folder}/root/overlay"], check=False, capture_output=True
    )
    shutil.rmtree(folder, ignore_errors=True)


def test_podman_builds_and_proves(
    podman: str,
    conda_env: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman)
    prefix = conda_env("python", "six")
    copy = f"COPY [{json.dumps(prefix.name)}, {json.dumps(str(prefix))}]\n"
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{copy}")
    words = ["image", "prove", "team/analysis:1", "--file", str(tmp_path / "Dockerfile")]
    assert main([*words, "--prefix", str(prefix)]) == 0
    said = capsys.readouterr()
    assert re.search(r"^ 1/\d FROM scratch +\d", said.err, re.MULTILINE)
    assert "team/analysis:1 holds exactly what is here." in said.out
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    assert main(["image", "build", "team/analysis:2", *words[3:]]) == 1
    assert "step 2 of 2 failed: COPY nothing /" in capsys.readouterr().err
    assert main(["image", "build", "x", *words[3:], "--builder", "buildkit"]) == 2
    assert "does not offer BuildKit" in capsys.readouterr().err


def test_what_podman_commits_is_listed(
    podman: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """podman takes labels and the user from instructions alone."""
    monkeypatch.setenv("DOCKER_HOST", podman)
    # which files are new is asked of this machine, which is no container of podman's
    monkeypatch.setattr(commit, "_changes", lambda *_: ())
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nUSER 1000\n")
    with contextlib.closing(connect()) as engine:
        engine.client.images.build(path=str(tmp_path), tag="team/base:1")
        made = engine.client.containers.create("team/base:1", ["/x"], user="root")
        commit.commit(
            engine,
            _inspected(made.attrs),
            parse_tag("team/snapshot:1"),
            prefixes=tuple,
            labels=lambda: {labels.HISTORY: "one.1", labels.BASE: "team/base:1"},
            history=b"",
            clean=False,
        )
        (found,) = images(engine)
        user = engine.client.api.inspect_image("team/snapshot:1")["Config"]["User"]
    assert found.tags[0].endswith("team/snapshot:1")
    assert (found.history, found.base, user) == ("one.1", "team/base:1", "1000")
