"""Images made of layers and sent to Debian's own registry; skopeo and umoci judge them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import select
import signal
import socket
import subprocess
import tarfile
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from jstackmagic.image.registry.client import (
    INDEXES,
    MANIFEST,
    Descriptor,
    Registry,
    RegistryImage,
    this_platform,
)
from jstackmagic.image.registry.connection import Connection, RegistryError
from jstackmagic.model.reference import parse_tag
from support.environments import make_uv_venv, uv
from support.fakeregistry import AnyMethod
from support.forked import jstackmagic
from support.machine import Unavailable, program
from support.registries import PASSWORD, USER, Served, registry, tokens
from support.rootfs import FILES, User, items_below, push_base

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SECRET = "tok-9fK2mQ7xLb4VwZ"  # what no image may have


class Place:
    """A registry with a login and a certificate, a base image, and an environment of its."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served, self.folder = served, folder
        self.environ = {"SSL_CERT_FILE": str(served.authority), "DOCKER_CONFIG": str(folder)}
        self.env = make_uv_venv(folder / "srv/env")
        (self.env / "share").mkdir()
        (self.env / "share/data").write_bytes(random.Random(1).randbytes(300_000))
        self.install_plainly("six==1.15.0", "attrs==23.1.0")
        made = folder / "base"
        made.mkdir()
        self.base = push_base(served, "base/notebook:1", items_below(self.env), made, self.environ)
        self.saved = folder / "saved"
        subprocess.run(["cp", "-a", self.env, self.saved], check=True)

    def install_plainly(self, *specs: str) -> None:
        uv("pip", "install", "--link-mode", "copy", *specs, prefix=self.env)

    def restore(self) -> None:
        """Makes the environment what the base image has, as a new container would have it."""
        subprocess.run(["rm", "-rf", self.env], check=True)
        subprocess.run(["cp", "-a", self.saved, self.env], check=True)

    def image(self, name: str) -> RegistryImage:
        reference = parse_tag(f"{self.served.address}/{name}")
        return Registry(reference, self.connection()).image(reference.tag, this_platform())

    def connection(self) -> Connection:
        return Connection(self.served.address, self.environ)

    def archives(self, name: str) -> list[bytes]:
        """The layers on top of the base, unpacked."""
        image = self.image(name)
        registry = Registry(image.name, self.connection())
        return [gzip.decompress(b"".join(registry.blob(one))) for one in image.layers[1:]]

    def user(self, name: str) -> User:
        return User(self.folder / name, **self.environ)

    def with_tabulate(self, name: str) -> User:
        """A user who has installed it here: what the first install left is there for the rest."""
        user, kept = self.user(name), self.folder / "with-tabulate"
        folders = (self.env, user.home / ".local/share/jstackmagic")
        if not kept.exists():
            user.say("install", "--prefix", str(self.env), "pip:tabulate==0.9.0")
            kept.mkdir()
            for folder in folders:
                subprocess.run(["cp", "-a", folder, kept / folder.name], check=True)
        else:
            folders[1].parent.mkdir(parents=True, exist_ok=True)
            for folder in folders:
                subprocess.run(["rm", "-rf", folder], check=True)
                subprocess.run(["cp", "-a", kept / folder.name, folder], check=True)
        return user


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("push")
    try:
        with registry(folder, login=True, tls=True) as served:
            served.log_in(folder)
            yield Place(served, folder)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def place(whole: Place) -> Iterator[Place]:
    yield whole
    whole.restore()


def push(user: User, place: Place, name: str, *more: str, status: int = 0) -> Any:
    tag = f"{place.served.address}/{name}"
    return user.say("image", "push", tag, "--from", place.base, *more, status=status)


def test_what_was_installed_changed_and_removed_is_in_the_image_and_judges_take_it(
    place: Place, tmp_path: Path
) -> None:
    user = place.user("one")
    user.say("install", "--prefix", str(place.env), "pip:six==1.16.0", "pip:tabulate==0.9.0")
    user.say("remove", "--prefix", str(place.env), "pip:attrs")
    place.install_plainly("iniconfig==2.0.0")  # nobody records it
    planned = push(user, place, "one/x:1", "--dry-run")
    assert planned["digest"] == ""
    assert [layer["manager"] for layer in planned["layers"]] == ["pip", ""]
    assert any("iniconfig" in name for name in planned["unrecorded"])
    with pytest.raises(RegistryError):
        place.image("one/x:1")

    done = push(user, place, "one/x:1")
    inspected = subprocess.run(
        [program("skopeo"), "inspect", "--tls-verify=false", f"--creds={USER}:{PASSWORD}",
         f"docker://{place.served.address}/one/x:1"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    seen = json.loads(inspected.stdout)
    assert seen["Digest"] == done["digest"]
    assert seen["Labels"]["maintainer"] == "tests"
    assert seen["Labels"]["org.opencontainers.image.base.digest"] in place_digest(place)
    image = place.image("one/x:1")
    assert image.settings["User"] == "1000"
    assert image.settings["Entrypoint"] == ["tini", "-g", "--"]

    layout = tmp_path / "x.tar"
    push(user, place, "one/x:1", "--output", str(layout))
    subprocess.run(
        [program("skopeo"), "copy", "-q", f"oci-archive:{layout}", f"oci:{tmp_path}/layout:1"],
        check=True,
    )
    umoci = [program("umoci"), "unpack", "--image", f"{tmp_path}/layout:1", str(tmp_path / "un")]
    if os.geteuid() != 0:
        umoci.insert(2, "--rootless")
    subprocess.run(umoci, check=True)
    there = Path(f"{tmp_path}/un/rootfs{place.env}")
    (packages,) = there.glob("lib/python3*/site-packages")
    assert (packages / "six-1.16.0.dist-info").is_dir()
    assert not (packages / "six-1.15.0.dist-info").exists()
    assert not (packages / "attrs").exists()
    assert not (packages / "iniconfig").exists()
    assert (there / "bin/tabulate").stat().st_mode & 0o777 == 0o775
    assert b"tabulate" in (tmp_path / "un/rootfs/etc/jstackmagic/history.jsonl").read_bytes()
    for path in place.env.rglob("*.py"):
        if "iniconfig" not in str(path):
            assert (there / path.relative_to(place.env)).read_bytes() == path.read_bytes()


def place_digest(place: Place) -> str:
    return place.image("base/notebook:1").digest


def test_two_users_who_install_the_same_share_the_layer(place: Place) -> None:
    one, two = place.user("early"), place.user("late")
    prefix = ("--prefix", str(place.env))
    one.say("install", *prefix, "pip:tabulate==0.9.0")
    one.say("install", *prefix, "pip:toolz==0.12.1")
    first = push(one, place, "early/x:1", "--share", "team/layers")
    place.restore()
    two.say("install", *prefix, "pip:toolz==0.12.1", "pip:idna==3.7")
    two.say("remove", *prefix, "pip:idna")
    os.umask(0o002)
    try:
        two.say("install", *prefix, "pip:tabulate==0.9.0")
    finally:
        os.umask(0o022)
    second = push(two, place, "late/x:1", "--share", "team/layers")
    images = [place.image(name) for name in ("early/x:1", "late/x:1")]
    layers = [[layer.digest for layer in image.layers] for image in images]
    assert layers[0][:2] == layers[1][:2], "the base and pip's layer"
    assert layers[0][2] != layers[1][2], "each has a history of their own"
    assert second["sent"] < 10_000 < first["sent"]
    again = push(two, place, "late/x:2")
    assert again["sent"] < 4000, "the manifest alone"


def test_a_registry_that_lost_a_layer_gets_it_again(place: Place) -> None:
    user = place.with_tabulate("losing")
    push(user, place, "losing/x:1")
    for name in ("losing/x:1", "losing/x:2"):
        digests = [layer.digest.rpartition(":")[2] for layer in place.image("losing/x:1").layers]
        for digest in digests[:2]:  # the base's, and pip's
            (link,) = place.served.data.rglob(f"losing/x/_layers/sha256/{digest}")
            subprocess.run(["rm", "-r", link], check=True)
        assert push(user, place, name)["digest"]
        assert len(place.archives(name)) == 2


def test_an_undone_install_leaves_nothing(place: Place) -> None:
    user = place.with_tabulate("undoer")
    user.say("undo")
    planned = push(user, place, "undoer/x:1", "--dry-run")
    assert [layer["manager"] for layer in planned["layers"]] == [""]


# a file of the home folder, or of the environment, and its text
AT_HOME = {
    ".netrc": "machine pypi.example.com login me password {}",
    ".config/pip/pip.conf": "[global]\nextra-index-url = https://me:{}@pypi.example.com/",
    ".bash_history": "export TOKEN={}",
    ".env": "API_KEY={}",
    "analysis.ipynb": '{{"token": "{}"}}',
    ".docker/config.json": '{{"auths": {{"other.example.com": {{"auth": "{}"}}}}}}',
    ".ssh/id_ed25519": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}",
    ".aws/credentials": "[default]\naws_secret_access_key = {}",
    ".config/gh/hosts.yml": "github.com: {{oauth_token: {}}}",
    ".git-credentials": "https://me:{}@git.example.com",
    ".jupyter/jupyter_server_config.json": '{{"IdentityProvider": {{"token": "{}"}}}}',
    ".cache/pip/http/entry": "Authorization: Bearer {}",
    ".config/containers/auth.json": '{{"auths": {{"r.example.com": {{"identitytoken": "{}"}}}}}}',
    ".local/share/jupyter/runtime/kernel-1.json": '{{"key": "{}"}}',
    ".kaggle/kaggle.json": '{{"username": "me", "key": "{}"}}',
    ".cache/huggingface/token": "{}",
    ".config/gcloud/application_default_credentials.json": '{{"refresh_token": "{}"}}',
    ".config/rclone/rclone.conf": "[s3]\nsecret_access_key = {}",
    ".pypirc": "[pypi]\nusername = __token__\npassword = {}",
    ".ipython/profile_default/startup/00.py": "TOKEN = '{}'",
}
IN_ENVIRONMENT = {
    "pip.conf": "[global]\nindex-url = https://me:{}@pypi.example.com/simple",
    ".env": "TOKEN={}",
    "token.txt": "{}",
    "lib/key.pem": "-----BEGIN PRIVATE KEY-----\n{}",
    ".npmrc": "//npm.example.com/:_authToken={}",
    ".condarc": "channels: [https://conda.example.com/t/{}/main]",
    "etc/jupyter/jupyter_config.json": '{{"token": "{}"}}',
    "var/log/install.log": "GET /simple?token={}",
    "etc/netrc": "machine pypi.example.com login me password {}",
    "lib/signed.txt": "https://s3.example.com/x.whl?X-Amz-Signature={}",
    "share/jwt.json": '{{"jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}"}}',
}
IN_VARIABLES = {
    "HF_TOKEN": "{}",
    "AWS_SECRET_ACCESS_KEY": "{}",
    "UV_EXTRA_INDEX_URL": "https://me:{}@127.0.0.1:9/simple",
    "CONDA_TOKEN": "{}",
    "JUPYTERHUB_API_TOKEN": "{}",
    "DOCKER_AUTH_CONFIG": '{{"auths": {{"r.example.com": {{"auth": "{}"}}}}}}',
    "DATABASE_URL": "postgres://me:{}@db.example.com/x",
    "GITHUB_TOKEN": "{}",
}
LINES = (
    ["pip:tabulate==0.9.0", "--extra-index-url", "https://me:{}@127.0.0.1:9/simple"],
    ["pip:tabulate @ https://127.0.0.1:9/t-0.9-py3-none-any.whl?token={}"],
    ["pip:tabulate @ https://127.0.0.1:9/t-0.9-py3-none-any.whl?X-Amz-Signature={}&X-Amz-Date=1"],
    ["pip:git+https://{}@127.0.0.1:9/me/private.git"],
)


def test_no_planted_secret_is_in_an_image_or_a_log(place: Place) -> None:
    user = place.user("careless")
    secrets: dict[str, str] = {}

    def secret(kind: str) -> str:
        return secrets.setdefault(kind, f"{SECRET}{len(secrets):02}")

    for folder, planted in ((user.home, AT_HOME), (place.env, IN_ENVIRONMENT)):
        for name, text in planted.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.format(secret(f"{folder}/{name}")))
    given = {name: text.format(secret(f"${name}")) for name, text in IN_VARIABLES.items()}
    plain = {**user.environ, "PIP_CONFIG_FILE": "/dev/null"}  # what is in them would be asked for
    user.environ = {**plain, **given}
    prefix = ("--prefix", str(place.env))
    said = [
        user.run("install", *prefix, *(word.format(secret(words[-1])) for word in words))
        for words in LINES
    ]
    user.environ = {**plain, **{k: v for k, v in given.items() if k != "UV_EXTRA_INDEX_URL"}}
    user.say("install", *prefix, "pip:tabulate==0.9.0")
    (packages,) = place.env.glob("lib/python3*/site-packages")
    url = f"https://me:{secret('direct_url.json')}@pypi.example.com/t.whl"
    (packages / "tabulate-0.9.0.dist-info/direct_url.json").write_text(
        json.dumps({"url": url, "archive_info": {}})
    )
    with (packages / "tabulate-0.9.0.dist-info/RECORD").open("a") as record:
        record.write("tabulate-0.9.0.dist-info/direct_url.json,,\n")
    to = ("image", "push", f"{place.served.address}/careless/x:1", "--from", place.base)
    refused = user.run(*to, "--label", f"from=https://me:{secret('label')}@example.com")
    assert refused.returncode != 0
    shown = user.run(*to)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    said += [user.run(*to, "--dry-run", "--json"), refused, shown, user.run("history")]

    image = place.image("careless/x:1")
    everything = {f"layer {n}": each for n, each in enumerate(place.archives("careless/x:1"))}
    everything["the configuration"] = json.dumps(image.config).encode()
    everything["the manifest"] = str(image.layers).encode()
    everything |= {" ".join(map(str, d.args)): (d.stdout + d.stderr).encode() for d in said}
    # what of ours stays: the history, the cache with its notes and archives
    for file in (f for f in user.home.rglob("*") if "jstackmagic" in str(f.relative_to(user.home))):
        if file.is_file():
            content = file.read_bytes()
            packed = content[:2] == b"\x1f\x8b"
            everything[str(file)] = gzip.decompress(content) if packed else content
    assert len(secrets) >= 25
    for kind, text in {**secrets, "the registry's": PASSWORD}.items():
        spelt = (text, quote(text, safe=""), base64.b64encode(text.encode()).decode())
        found = [k for k, each in everything.items() if any(s.encode() in each for s in spelt)]
        assert not found, f"{kind} is in {found}"
    assert sum(b"tabulate" in each for each in everything.values()) >= 4


KILLED = """
import os, signal, sys
from http.client import HTTPConnection
from jstackmagic.cli import main

left = int(sys.argv.pop(1))

def counted(method):
    def call(*words, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*words, **more)
    return call

for name in ("send", "getresponse"):
    setattr(HTTPConnection, name, counted(getattr(HTTPConnection, name)))
main()
sys.stderr.write(f"left {left}")
"""
"""The program, killed before it sends its n-th piece to the registry or waits for an answer."""


def test_killed_at_any_moment_the_old_tag_stands_and_the_next_push_ends_right(
    place: Place, pytestconfig: pytest.Config
) -> None:
    user = place.with_tabulate("unlucky")
    prefix = ("--prefix", str(place.env))
    old = push(user, place, "unlucky/x:1")["digest"]
    user.say("install", *prefix, "pip:toolz==0.12.1")

    def push_until(call: int, name: str) -> subprocess.CompletedProcess[str]:
        words = [call, "image", "push", f"{place.served.address}/{name}", "--from", place.base]
        return jstackmagic(*words, environ=user.environ, script=KILLED)

    # as one goes on where another was killed, none has more calls than one that finds it all there
    for _ in range(2):
        done = push_until(10**6, "unlucky/measured:1")
    calls = 10**6 - int(done.stderr.rpartition("left ")[2])
    new = place.image("unlucky/measured:1").digest
    asked = pytestconfig.getoption("--faults")
    number = calls if asked == "all" else min(calls, 5 * int(asked))
    killed = 0
    for call in sorted({1 + at * (calls - 1) // (number - 1) for at in range(number)}):
        status = push_until(call, "unlucky/x:1").returncode
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        assert place.image("unlucky/x:1").digest in ((old, new) if status else (new,))
        place.archives("unlucky/x:1")  # all of it can be read
    print(f"{calls} calls, killed {killed} times of {number}")
    assert killed > number // 2
    assert push(user, place, "unlucky/x:1")["digest"] == new
    assert place.image("unlucky/x:1").digest == new


def test_who_is_not_logged_in_hears_how(place: Place, tmp_path: Path) -> None:
    user = place.user("nobody")
    user.environ["DOCKER_CONFIG"] = str(tmp_path)
    done = user.run("image", "push", f"{place.served.address}/n/x:1", "--from", place.base)
    assert done.returncode == 1
    assert f"docker login {place.served.address}" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
def test_a_helper_of_dockers_gives_the_login(place: Place, tmp_path: Path, kind: str) -> None:
    helper = tmp_path / "docker-credential-tests"
    said = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{said}'\n")
    helper.chmod(0o755)
    own = {place.served.address: "tests"} if kind == "credHelpers" else "tests"
    (tmp_path / "config.json").write_text(json.dumps({kind: own}))
    user = place.user("helped")
    user.environ |= {
        "DOCKER_CONFIG": str(tmp_path),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    assert push(user, place, "helped/x:1")["digest"]


def test_a_certificate_that_nobody_vouches_for_is_refused(place: Place) -> None:
    user = place.user("trusting")
    user.environ.pop("SSL_CERT_FILE")
    done = user.run("image", "push", f"{place.served.address}/n/x:1", "--from", place.base)
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stdout + done.stderr


def test_what_no_image_can_have_is_said_before_anything_is_sent(place: Place) -> None:
    user = place.with_tabulate("stuck")
    (packages,) = place.env.glob("lib/python3*/site-packages")
    source = packages / "tabulate/version.py"
    source.unlink()
    os.mkfifo(source)
    tag = f"{place.served.address}/stuck/x:1"
    done = user.run("image", "push", tag, "--from", place.base)
    assert done.returncode == 1
    assert f"{source} is a device, a pipe or a socket" in done.stdout + done.stderr
    with pytest.raises(RegistryError):
        place.image("stuck/x:1")


def test_what_another_image_had_is_left_out_with_a_note(place: Place) -> None:
    user = place.user("moved")
    user.environ["JUPYTER_IMAGE"] = "registry.example.com/other:1"
    env = make_uv_venv(user.home / "env")
    user.say("install", "--prefix", str(env), "pip:idna==3.7")
    subprocess.run(["rm", "-rf", env], check=True)
    user.environ["JUPYTER_IMAGE"] = place.base
    user.say("install", "--prefix", str(place.env), "pip:tabulate==0.9.0")
    planned = push(user, place, "moved/x:1", "--dry-run")
    assert [layer["manager"] for layer in planned["layers"]] == ["pip", ""]
    (note,) = planned["notes"]
    assert "idna" in note
    assert "registry.example.com/other:1" in note
    assert "%envimage push --all-images" in note
    with_all = push(user, place, "moved/x:1", "--dry-run", "--all-images", status=1)
    assert "home folder" in with_all["faults"][0]


def test_a_blob_that_is_not_what_it_is_called_is_refused(place: Place) -> None:
    image = place.image("base/notebook:1")
    digest = image.layers[0].digest.rpartition(":")[2]
    (blob,) = place.served.data.rglob(f"{digest}/data")
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        client = Registry(image.name, place.connection())
        with pytest.raises(RegistryError, match="something else"):
            for _ in client.blob(Descriptor(image.layers[0].digest, image.layers[0].size)):
                pass
    finally:
        blob.write_bytes(whole)


def test_nothing_is_sent_where_no_registry_is_named(place: Place) -> None:
    user = place.user("vague")
    done = user.run("image", "push", "team/x:1", "--from", place.base)
    assert done.returncode == 2
    assert "names no registry" in done.stdout + done.stderr


def test_a_build_without_an_engine_makes_the_layers_and_says_so(
    place: Place, tmp_path: Path
) -> None:
    user = place.with_tabulate("builder")
    tag, base = f"{place.served.address}/builder/x:1", ("--from", place.base)
    done = user.run("image", "build", tag, *base)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made of layers from the record, without an engine" in done.stdout + done.stderr
    digest = place.image("builder/x:1").digest
    written = user.say("image", "build", "x:1", "--output", f"{tmp_path}/x.tar", *base)
    assert written["digest"] == digest, "it is the same image"
    assert user.say("image", "build", tag, *base, "--builder", "layers")["digest"] == digest


def test_a_layout_is_a_folder_too(place: Place, tmp_path: Path) -> None:
    user = place.user("layouter")
    folder = tmp_path / "layout"
    push(user, place, "team/x:1", "--output", str(folder))
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    shown = subprocess.run(
        [program("skopeo"), "inspect", f"oci:{folder}:1"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(shown.stdout)["Labels"]["maintainer"] == "tests"
    archive = tmp_path / "x.tar"
    push(user, place, "team/x:1", "--output", str(archive))
    with tarfile.open(archive) as opened:
        assert "manifest.json" in opened.getnames()


def test_an_image_of_this_history_is_made_again_on_its_own_base(place: Place) -> None:
    user = place.with_tabulate("again")
    push(user, place, "again/x:1")
    user.say("install", "--prefix", str(place.env), "pip:toolz==0.12.1")
    tag = f"{place.served.address}/again/x"
    user.say("image", "push", f"{tag}:2", "--from", f"{tag}:1")
    user.say("image", "push", f"{tag}:3", "--from", place.base)
    images = [place.image(f"again/x:{number}") for number in (2, 3)]
    assert images[0].layers == images[1].layers
    assert len(images[0].layers) == 3, "the base, pip's, the history"


class Proxy(AnyMethod):
    """A site's proxy, for HTTPS (CONNECT) and for HTTP."""

    protocol_version = "HTTP/1.0"
    passed: set[tuple[str, str]]

    def do_CONNECT(self) -> None:  # noqa: N802 - the name is of http.server
        host, _, port = self.path.partition(":")
        self.passed.add(("CONNECT", self.path))
        with socket.create_connection((host, int(port))) as behind:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: behind, behind: self.connection}
            while ready := select.select(list(ends), [], [], 20)[0]:
                for each in ready:
                    data = each.recv(2**16)
                    if not data:
                        return
                    ends[each].sendall(data)

    def do_any(self) -> None:
        where = urlsplit(self.path)
        self.passed.add(("HTTP", where.netloc))
        connection = HTTPConnection(where.netloc, timeout=20)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection.request(self.command, f"{where.path}?{where.query}", body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def test_a_base_of_several_platforms_in_another_registry_is_copied_through_the_sites_proxy(
    place: Place, tmp_path: Path
) -> None:
    handler = type("Own", (Proxy,), {"passed": set()})
    with (
        registry(tmp_path) as other,
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "base").mkdir()
        base = push_base(other, "base/n:own", items_below(place.env), tmp_path / "base", {})
        client = Registry(parse_tag(base))
        own = client.image("own", this_platform())
        content = client._manifest("own")[1]
        foreign = json.dumps({**json.loads(content), "annotations": {"of": "arm64"}}).encode()
        platforms = [
            ("arm64", client.put_manifest("arm64", foreign), len(foreign)),
            (this_platform().split("/")[1], own.digest, len(content)),
        ]
        manifests = [
            {"mediaType": MANIFEST, "digest": digest, "size": size,
             "platform": {"os": "linux", "architecture": name}}
            for name, digest, size in platforms
        ]  # fmt: skip
        index = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": manifests}
        url = f"http://{other.address}/v2/base/n/manifests/1"
        assert requests.put(url, json=index, headers={"Content-Type": INDEXES[0]}, timeout=20).ok
        user = place.with_tabulate("behind")
        proxy = f"http://127.0.0.1:{server.server_port}"
        user.environ |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "http_proxy": proxy}
        tag = f"{place.served.address}/behind/x:1"
        done = user.say("image", "push", tag, "--from", f"{other.address}/base/n:1")
        assert ("CONNECT", place.served.address) in handler.passed
        assert ("HTTP", other.address) in handler.passed
        server.shutdown()
    pushed = place.image("behind/x:1")
    assert pushed.layers[0] == own.layers[0]
    assert pushed.labels["org.opencontainers.image.base.digest"] == own.digest
    assert done["sent"] > own.layers[0].size, "it was copied, not mounted"
    assert len(place.archives("behind/x:1")) == 2


def test_the_hub_hears_of_the_image_and_the_push_holds_if_it_does_not(place: Place) -> None:
    heard, answers = [], [200, 500]

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, self.headers["Authorization"], body))
            self.send_response(answers.pop(0))
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    user, tag = place.user("hubbed"), f"{place.served.address}/hubbed/x:1"
    user.environ["JUPYTERHUB_API_TOKEN"] = "own"
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        user.environ["JSTACKMAGIC_HUB_URL"] = f"http://127.0.0.1:{server.server_port}"
        push(user, place, "hubbed/x:1", "--dry-run")
        assert heard == []
        words = ("image", "push", tag, "--from", place.base)
        said = [user.run(*words) for _ in range(2)]
        server.shutdown()
    assert heard == [("/api/images", "token own", {"image": tag})] * 2
    assert [each.returncode for each in said] == [0, 0]
    assert "The hub offers it at your next start" in said[0].stdout + said[0].stderr
    assert "the service says 500" in said[1].stdout + said[1].stderr


def test_a_token_is_asked_for_each_repository(place: Place, tmp_path: Path) -> None:
    """Debian's registry with tokens, which are signed here as a token server signs them."""
    with tokens(tmp_path) as (auth, asked), registry(tmp_path, auth=auth) as served:
        settings = tmp_path / "docker"
        settings.mkdir()
        served.log_in(settings)
        environ = {"DOCKER_CONFIG": str(settings)}
        (tmp_path / "base").mkdir()
        base = push_base(
            served, "base/notebook:1", items_below(place.env), tmp_path / "base", environ
        )
        user = place.with_tabulate("bearer")
        user.environ |= environ
        done = user.say("image", "push", f"{served.address}/b/x:1", "--from", base)
        mounting = [scopes for scopes in asked if len(scopes) == 2]
        assert mounting == [["repository:b/x:pull,push", "repository:base/notebook:pull"]]
        assert done["sent"] < 200_000, "the base was mounted"
        user.environ["DOCKER_CONFIG"] = str(tmp_path)  # nobody is logged in there
        failed = user.run("image", "push", f"{served.address}/b/x:2", "--from", base)
        assert failed.returncode == 1
        assert f"docker login {served.address}" in failed.stdout + failed.stderr


# Another base


@pytest.fixture
def pushed(place: Place, tmp_path: Path) -> tuple[User, str]:
    user = place.user("rebaser")
    user.say("install", "--prefix", str(place.env), "pip:tabulate==0.9.0", "pip:six==1.16.0")
    push(user, place, "rebaser/x:1")
    place.restore()
    return user, f"{place.served.address}/rebaser/x:1"


def new_base(place: Place, tmp_path: Path, tag: str, **files: bytes) -> str:
    """A base of what is in the environment now, with other files beside it."""
    made = tmp_path / tag
    made.mkdir()
    items = items_below(place.env, files={**FILES, **files})
    return push_base(place.served, f"base/notebook:{tag}", items, made, place.environ, tag)


def test_a_base_with_a_fix_gets_the_same_layers(
    place: Place, pushed: tuple[User, str], tmp_path: Path
) -> None:
    user, tag = pushed
    fixed = new_base(place, tmp_path, "fixed", **{"/usr/lib/libssl.so.3": b"the fixed one"})
    before = place.image("rebaser/x:1")
    planned = user.say("image", "rebase", tag, "--onto", fixed, "--dry-run")
    assert [each["state"] for each in planned["images"]] == ["would be"]
    assert place.image("rebaser/x:1").digest == before.digest
    known = user.environ.get("XDG_CACHE_HOME", "")
    user.environ["XDG_CACHE_HOME"] = "/dev/null/x"  # a home that cannot be written to
    failed = user.run("image", "rebase", tag, "--onto", fixed)
    shown = failed.stdout + failed.stderr
    assert failed.returncode == 1
    assert f"{tag} is what it was." in shown
    assert "traceback" not in shown.lower()
    user.environ["XDG_CACHE_HOME"] = known
    done = user.say("image", "rebase", tag, "--onto", fixed)
    assert [each["state"] for each in done["images"]] == ["done"]
    after = place.image("rebaser/x:1")
    assert after.digest == done["images"][0]["digest"] != before.digest
    assert after.layers[0].digest == place.image("base/notebook:fixed").layers[0].digest
    assert after.layers[1].digest == before.layers[1].digest, "pip's layer is the same"
    assert (before.labels["maintainer"], after.labels["maintainer"]) == ("tests", "fixed")
    assert done["images"][0]["size"] < 100_000
    again = user.say("image", "rebase", tag, "--onto", fixed)
    assert [each["state"] for each in again["images"]] == ["is already"]


def test_a_base_that_brings_another_version_is_no_base_for_it(
    place: Place, pushed: tuple[User, str], tmp_path: Path
) -> None:
    user, tag = pushed
    place.install_plainly("six==1.17.0")
    newer = new_base(place, tmp_path, "newer")
    before = place.image("rebaser/x:1").digest
    listed = tmp_path / "images"
    listed.write_text(f"# ours\n{tag}\n{place.served.address}/base/notebook:1\n")
    done = user.say("image", "rebase", "--all", str(listed), "--onto", newer, status=1)
    states = {each["image"]: each for each in done["images"]}
    assert states[tag]["state"] == "no"
    assert any("pip:six 1.17.0" in reason for reason in states[tag]["reasons"])
    assert "was not made by" in states[f"{place.served.address}/base/notebook:1"]["reasons"][0]
    assert place.image("rebaser/x:1").digest == before


def test_a_base_with_another_python_is_no_base_for_it(
    place: Place, pushed: tuple[User, str], tmp_path: Path
) -> None:
    user, tag = pushed
    (library,) = place.env.glob("lib/python3*")
    library.rename(library.with_name("python3.99"))
    other = new_base(place, tmp_path, "python")
    done = user.say("image", "rebase", tag, "--onto", other, "--dry-run", status=1)
    assert "has Python 3.99" in " ".join(done["images"][0]["reasons"])


def test_a_proof_without_an_engine_finds_what_is_not_the_same(place: Place) -> None:
    user = place.with_tabulate("prover")
    push(user, place, "prover/x:1")
    tag = f"{place.served.address}/prover/x:1"
    words = ("image", "prove", tag, "--prefix", str(place.env))
    proof = user.say(*words)
    assert proof["equal"], proof
    assert user.say(*words, "--deep")["equal"]
    (packages,) = place.env.glob("lib/python3*/site-packages")
    (packages / "tabulate/version.py").write_text("version = 'tampered'\n")
    deep = user.say(*words, "--deep", status=1)
    assert [file["path"] for file in deep["files"]] == [str(packages / "tabulate/version.py")]
    place.install_plainly("iniconfig==2.0.0")
    assert not user.say(*words, status=1)["equal"]


# A registry in trouble


class Trouble(AnyMethod):
    """A way to a registry that fails: every few requests, in one of several ways."""

    behind = ""
    count = 0
    every = 4
    lie = False
    full = False

    def do_any(self) -> None:
        cls = type(self)
        cls.count += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = cls.count % cls.every == 0
        if trouble and cls.count % 3 == 0:
            self.close_connection = True
            self.connection.close()
            return
        if trouble and cls.count % 3 == 1:
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if cls.full and self.command in ("PATCH", "PUT") and "/uploads/" in self.path:
            self.send_response(507)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = HTTPConnection(cls.behind, timeout=20)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read() if self.command != "HEAD" else b""
        if cls.lie and "/blobs/sha256" in self.path and len(content) > 1000:
            content = content[:500] + bytes([content[500] ^ 1]) + content[501:]
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        if trouble and len(content) > 100:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(content)


@pytest.fixture
def troubled(place: Place, tmp_path: Path) -> Iterator[tuple[User, str, str, type[Trouble]]]:
    """A user, the name of a registry that is in trouble, and a base in it."""
    with registry(tmp_path) as served:
        (tmp_path / "base").mkdir()
        push_base(served, "base/notebook:1", items_below(place.env), tmp_path / "base", {})
        handler = type("Own", (Trouble,), {"behind": served.address})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"127.0.0.1:{server.server_port}"
            user = place.with_tabulate("patient")
            user.environ["XDG_CACHE_HOME"] = str(tmp_path / "cache")
            yield user, address, f"{address}/base/notebook:1", handler
            server.shutdown()


def test_a_registry_that_fails_now_and_then_gets_the_image_all_the_same(
    place: Place, troubled: tuple[User, str, str, type[Trouble]]
) -> None:
    user, address, base, handler = troubled
    done = user.say("image", "push", f"{address}/p/x:1", "--from", base)
    assert handler.count > 8, "some of them failed"
    handler.every = 10**9
    reference = parse_tag(f"{handler.behind}/p/x:1")
    client = Registry(reference)
    image = client.image("1", this_platform())
    assert image.digest == done["digest"]
    for layer in image.layers:
        assert sum(map(len, client.blob(layer))) == layer.size


@pytest.mark.parametrize(("what", "words"), [("lie", "something else"), ("full", "507")])
def test_a_registry_that_lies_or_is_full_is_refused_and_nothing_is_tagged(
    place: Place, troubled: tuple[User, str, str, type[Trouble]], what: str, words: str
) -> None:
    user, address, base, handler = troubled
    handler.every = 10**9
    setattr(handler, what, True)
    failed = user.run("image", "push", f"{address}/p/x:1", "--from", base)
    shown = failed.stdout + failed.stderr
    assert failed.returncode == 1
    assert words in shown
    assert "Traceback" not in shown
    with pytest.raises(RegistryError):
        Registry(parse_tag(f"{handler.behind}/p/x:1")).image("1", this_platform())
    setattr(handler, what, False)
    assert user.say("image", "push", f"{address}/p/x:1", "--from", base)["digest"]
