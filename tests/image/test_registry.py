"""Registries as odd as they come: a push and a pull end right, or say what is wrong.

Each is one in memory (`support.fakeregistry`): most of them cannot be run here.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.image.registry import client as registry_client
from jstackmagic.image.registry import connection as registry_connection
from jstackmagic.image.registry.client import CONFIG, INDEXES, LAYER, MANIFEST, Registry
from jstackmagic.image.registry.connection import Connection, RegistryError
from jstackmagic.model.reference import parse_tag
from support.fakeregistry import Fake, Handler, digest_of, fake
from support.machine import Unavailable
from support.registries import make_authority

if TYPE_CHECKING:
    from collections.abc import Callable

BLOB = bytes(range(256)) * 14  # four parts
LOGIN = "Basic " + base64.b64encode(b"me:pass-Zq7w").decode()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(registry_client, "_CHUNK", 1000)
    monkeypatch.setattr(registry_connection, "_SYSTEM", ())  # nothing here has a certificate
    monkeypatch.setattr(registry_connection.time, "sleep", waited.append)
    return waited


def opened(there: Fake, host: str = "", **environ: str) -> Registry:
    address = there.address.replace("127.0.0.1", host) if host else there.address
    reference = parse_tag(f"{address}/t/x:1")
    return Registry(reference, Connection(address, {"DOCKER_CONFIG": "/nowhere", **environ}))


def push(registry: Registry, folder: Path, blob: bytes = BLOB) -> int:
    """Send an image and read it back; return by how much the progress moved."""
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["sha256:0"]}}
    moved: list[int] = []
    described = []
    for kind, content in ((LAYER, blob), (CONFIG, json.dumps(config).encode())):
        (folder / "blob").write_bytes(content)
        digest = digest_of(content)
        if not registry.has(digest) and not registry.mount(digest, "t/other"):
            registry.upload(folder / "blob", digest, moved.append, folder / "notes")
        described.append({"mediaType": kind, "digest": digest, "size": len(content)})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST}
    manifest |= {"config": described[1], "layers": described[:1]}
    registry.put_manifest("1", json.dumps(manifest).encode())
    image = registry.image("1", "linux/amd64")
    assert b"".join(registry.blob(image.layers[0])) == blob
    assert not json.loads((folder / "notes").read_text() if (folder / "notes").exists() else "{}")
    return sum(moved)


@pytest.mark.parametrize("blob", [BLOB, BLOB[:100]], ids=["large", "small"])
@pytest.mark.parametrize(
    "odd",
    [(), ("no-head",), ("no-parts",), ("no-whole",), ("no-digest",), ("no-parts", "no-head")],
    ids="+".join,
)
def test_what_a_registry_does_not_take_is_sent_in_another_way(
    odd: tuple[str, ...], blob: bytes, tmp_path: Path
) -> None:
    with fake("no-mount", *odd) as there:
        moved = push(opened(there), tmp_path, blob)
        assert moved == sum(map(len, there.blobs.values())), "no byte is counted twice"
        assert len({who for *_, who in there.heard}) == 1, "one connection serves all"


@pytest.mark.parametrize(
    "place",
    ["http://{0}/v2/t/x/blobs/uploads/{1}", "{1}", "http://LOCALHOST:{2}/v2/t/x/blobs/uploads/{1}"],
    ids=["absolute", "relative", "capitals"],
)
def test_an_upload_goes_on_where_the_registry_says_with_the_login(
    place: str, tmp_path: Path
) -> None:
    def asking(handler: Handler) -> bool | None:
        if handler.headers.get("Authorization") == LOGIN:
            return None
        return handler.answer(401, WWW_Authenticate='Basic realm="tests"')

    with fake("no-mount") as there:
        port = there.address.rpartition(":")[2]
        there.hook = asking
        there.upload = lambda number: place.format(f"localhost:{port}", number, port)
        auths = {f"localhost:{port}": {"auth": LOGIN.removeprefix("Basic ")}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        push(opened(there, "localhost", DOCKER_CONFIG=str(tmp_path)), tmp_path)


def test_an_address_of_ipv6_is_a_registry_too(tmp_path: Path) -> None:
    with fake("no-mount", host="::1") as there:
        assert push(opened(there), tmp_path)


def test_a_connection_that_is_cut_goes_on_from_there(tmp_path: Path) -> None:
    cut = []

    def cutting(handler: Handler) -> bool | None:
        where = (handler.command, handler.path.partition("?")[0])
        if handler.command == "PATCH" and cut.count(where) < 2:
            cut.append(where)
            number = handler.path.partition("?")[0].rpartition("/")[2]
            there.uploads[number] += handler.body[:300]
            return handler.cut()
        content = there.blobs.get(handler.path.rpartition("/")[2], b"")
        if handler.command == "GET" and len(content) > 1000:
            start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
            handler.send_response(206 if start else 200)
            handler.send_header("Content-Length", str(len(content) - start))
            handler.end_headers()
            handler.wfile.write(content[start : start + 1000])
            return handler.cut()
        return None

    with fake("no-mount") as there:
        there.hook = cutting
        push(opened(there), tmp_path)
        assert len(cut) == 2


# Logins and waits


def test_a_certificate_of_ones_own_is_shown_to_a_registry_that_wants_one(
    home: Path, tmp_path: Path
) -> None:
    try:
        authority = make_authority(tmp_path, "127.0.0.1")
    except Unavailable as reason:
        pytest.skip(str(reason))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    context.load_cert_chain(tmp_path / "own.crt", tmp_path / "own.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with fake("no-mount", tls=context) as there:
        folder = home / ".config/containers/certs.d" / there.address
        folder.mkdir(parents=True)
        shutil.copy(authority, folder / "ca.crt")
        with pytest.raises(RegistryError, match="cannot be reached"):
            push(opened(there), tmp_path)
        shutil.copy(tmp_path / "own.crt", folder / "client.cert")
        with pytest.raises(RegistryError, match=r"client\.cert holds no certificate"):
            opened(there)
        shutil.copy(tmp_path / "own.key", folder / "client.key")
        assert push(opened(there), tmp_path)


def token_server(
    lasting: int, challenge: str, failing: int = 0
) -> Callable[[Handler], bool | None]:
    """A hook that wants a token, each good for some requests."""
    left, given, fails = 0, 0, failing

    def hook(handler: Handler) -> bool | None:
        nonlocal left, given, fails
        if handler.path.startswith("/token"):
            if fails:
                fails -= 1
                return handler.answer(503)
            given, left = given + 1, lasting
            return handler.answer(200, json.dumps({"access_token": f"t{given}"}).encode())
        if left and handler.headers.get("Authorization") == f"Bearer t{given}":
            left -= 1
            return None
        realm = f"http://{handler.fake.address}/token"
        return handler.answer(401, WWW_Authenticate=challenge.format(realm))

    return hook


@pytest.mark.parametrize(
    ("lasting", "failing", "challenge"),
    [
        (1, 0, 'Bearer realm="{}",service="tests",scope="x"'),  # ends in the middle of an upload
        (99, 2, 'Bearer realm="{}",service="tests"'),
        (99, 0, 'Bearer realm="{}",service="tests", Basic realm="tests"'),
        (99, 0, 'Basic realm="tests", Bearer realm="{}",service="tests"'),
        (99, 0, 'Bearer realm="{}",service=tests'),
    ],
    ids=["expires", "its server fails", "two ways", "the other first", "without quotes"],
)
def test_a_token_is_asked_for_as_often_as_it_takes(
    lasting: int, failing: int, challenge: str, tmp_path: Path
) -> None:
    with fake("no-mount") as there:
        there.hook = token_server(lasting, challenge, failing)
        push(opened(there), tmp_path)


def test_a_token_that_is_never_good_is_an_error(tmp_path: Path) -> None:
    with fake() as there:
        there.hook = token_server(0, 'Bearer realm="{}"')
        with pytest.raises(RegistryError, match="may not be written to") as raised:
            push(opened(there), tmp_path)
    assert raised.value.advice == (
        f"Log in, as the user of this kernel: docker login {there.address}",
    )


def test_a_pause_that_is_asked_for_is_made(pauses: list[float], tmp_path: Path) -> None:
    asked = ["3", "40", "Wed, 21 Oct 2015 07:28:00 GMT"]

    def busy(handler: Handler) -> bool | None:
        if handler.command == "PUT" and "/manifests/" in handler.path and asked:
            return handler.answer(429, Retry_After=asked.pop(0))
        return None

    with fake("no-mount") as there:
        there.hook = busy
        push(opened(there), tmp_path)
        assert pauses[:2] == [3.0, 40.0]
        del pauses[:]
        asked.append("3000")
        with pytest.raises(RegistryError, match="429") as raised:
            push(opened(there), tmp_path)
    assert "wait 3000 seconds" in str(raised.value)
    assert pauses == []


def test_a_redirect_takes_no_login_along(home: Path, tmp_path: Path) -> None:
    (home / ".netrc").write_text("machine localhost login me password pass-Zq7w\n")
    with fake("no-mount") as there, fake() as store:
        port = store.address.rpartition(":")[2]
        elsewhere = f"http://localhost:{port}"

        def sending_away(handler: Handler) -> bool | None:
            if handler.command == "GET" and "/blobs/sha256" in handler.path:
                return handler.answer(307, Location=f"{elsewhere}{handler.path}")
            return None

        there.hook, store.blobs = sending_away, there.blobs
        push(opened(there), tmp_path)
        assert store.heard
        assert not any("Authorization" in headers for _, _, headers, _ in store.heard)


# What it sends


def manifest(there: Fake, layers: list[dict[str, Any]], **more: str) -> str:
    config = {"rootfs": {"diff_ids": ["sha256:0"] * len(layers)}, **more}
    described = there.keep(json.dumps(config).encode())
    body = {"schemaVersion": 2, "config": described, "layers": layers}
    return there.tag("1", MANIFEST, body)


def test_the_platform_of_every_machine_comes_before_that_of_newer_ones() -> None:
    with fake() as there:
        platforms = ["unknown/unknown", "linux/amd64/v3", "linux/amd64", "linux/arm64/v8"]
        listed = []
        for platform in platforms:
            system, architecture, *variant = platform.split("/")
            digest = manifest(there, [], author=platform)
            words = {"os": system, "architecture": architecture, "variant": "".join(variant)}
            listed.append({"mediaType": MANIFEST, "digest": digest, "platform": words})
        there.tag("1", INDEXES[0], {"schemaVersion": 2, "manifests": listed})
        for wanted, found in (("linux/amd64", 2), ("linux/arm64", 3)):
            assert opened(there).image("1", wanted).config["author"] == platforms[found]
        with pytest.raises(RegistryError, match="only for linux/amd64/v3, linux/amd64, linux/arm"):
            opened(there).image("1", "linux/s390x")


def test_a_layer_that_may_not_be_shared_is_read_where_its_address_says() -> None:
    with fake() as there, fake() as vendor:
        described = vendor.keep(BLOB)
        url = f"http://{vendor.address}/v2/v/x/blobs/{described['digest']}"
        manifest(there, [{**described, "urls": [url]}])
        registry = opened(there)
        (layer,) = registry.image("1", "linux/amd64").layers
        assert b"".join(registry.blob(layer)) == BLOB


def test_a_manifest_is_not_asked_for_packed(tmp_path: Path) -> None:
    def packing(handler: Handler) -> bool | None:
        tag = handler.path.rpartition("/")[2]
        if "gzip" not in handler.headers.get("Accept-Encoding", "") or handler.command != "GET":
            return None
        return handler.answer(200, gzip.compress(there.manifests[tag][1]), Content_Encoding="gzip")

    with fake("no-mount") as there:
        there.hook = packing
        push(opened(there), tmp_path)


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWl0"
SIGNED = "https://s3.example.com/x?X-Amz-Signature=0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def denied(handler: Handler) -> bool:
    said = f"no {SIGNED}&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE Authorization: Bearer {JWT}"
    return handler.answer(403, json.dumps({"errors": [{"message": said}]}).encode())


ANSWERS: dict[str, tuple[Callable[[Handler], bool], str]] = {
    "a page": (lambda h: h.answer(200, b"<html>", Content_Type="text/html"), "cannot be read"),
    "a loop": (lambda h: h.answer(307, Location=h.path), "30 redirects"),
    "a strange scheme": (lambda h: h.answer(307, Location="ftp://x/y"), "cannot be reached"),
    "the first format": (
        lambda h: h.answer(
            200, b"{}", Docker_Content_Digest=digest_of(b""),
            Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws",
        ),
        "Docker's first format",
    ),
    "no errors": (lambda h: h.answer(400, b'{"errors": null}'), "400 Bad Request"),
    "an echo": (denied, r"X-Amz-Signature=\*\*\*\*&X-Amz-Credential=\*\*\*\* .*Bearer \*\*\*\*"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_image_is_said(name: str) -> None:
    with fake() as there:
        there.hook, words = ANSWERS[name]
        with pytest.raises(RegistryError, match=words) as raised:
            opened(there).image("1", "linux/amd64")
    assert not any(secret in str(raised.value) for secret in (JWT, "0f1e2d3c", "AKIA"))


def test_an_upload_without_a_place_is_said(tmp_path: Path) -> None:
    with fake() as there:
        there.hook = lambda h: h.answer(202) if h.command == "POST" else None
        (tmp_path / "x").write_bytes(BLOB)
        with pytest.raises(RegistryError, match="says nowhere to send"):
            opened(there).upload(tmp_path / "x", digest_of(BLOB), print, tmp_path / "notes")
