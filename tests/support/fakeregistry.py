"""A registry in memory that can be as odd as any: one that this machine cannot run for real.

Debian's own is the judge of what is usual (`registries`). Others take no parts, no HEAD or no
mounts, send elsewhere, or ask to wait; here each oddness is a word or a hook.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ssl import SSLContext


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Fake:
    """What a registry has, and what it heard.

    Attributes:
        address: Its host and port.
        odd: Its oddnesses: no-head, no-mount, no-parts, no-whole, no-digest.
        hook: Called before each request with its handler; True where it has answered.
        upload: Where an upload of a number goes on.
        heard: Method, path and headers of each request, and who sent it.
    """

    address: str = ""
    odd: tuple[str, ...] = ()
    hook: Callable[[Handler], bool | None] = lambda _: None
    upload: Callable[[str], str] = "/v2/t/x/blobs/uploads/{}?_state=a".format
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    heard: list[tuple[str, str, dict[str, str], object]] = field(default_factory=list)

    def tag(self, tag: str, kind: str, manifest: object) -> str:
        content = json.dumps(manifest).encode()
        self.manifests[tag] = self.manifests[digest_of(content)] = (kind, content)
        return digest_of(content)

    def keep(self, content: bytes) -> dict[str, object]:
        """Keep a blob; return its description."""
        self.blobs[digest_of(content)] = content
        return {"digest": digest_of(content), "size": len(content)}


class AnyMethod(BaseHTTPRequestHandler):
    """A handler with one function for all that a registry is asked, which leaves no words."""

    protocol_version = "HTTP/1.1"

    def do_any(self) -> None:
        raise NotImplementedError

    def _any(self) -> None:
        self.do_any()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()


class Handler(AnyMethod):
    fake: Fake
    body: bytes

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def cut(self) -> bool:
        self.close_connection = True
        self.connection.close()
        return True

    def do_any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake, path = self.fake, urlsplit(self.path).path
        fake.heard.append((self.command, self.path, dict(self.headers), self.client_address))
        if fake.hook(self):
            return
        upload = re.fullmatch(r"/v2/.+/blobs/uploads/(\w*)", path)
        there = re.fullmatch(r"/v2/.+/(blobs|manifests)/([\w:]+)", path)
        if upload:
            self.uploading(upload[1])
        elif self.command == "HEAD" and "no-head" in fake.odd:
            self.answer(405)
        elif there and self.command == "PUT":
            kind = self.headers["Content-Type"]
            fake.manifests[there[2]] = fake.manifests[digest_of(self.body)] = (kind, self.body)
            self.answer(201, **self.digest(self.body))
        elif there and there[1] == "manifests" and there[2] in fake.manifests:
            kind, content = fake.manifests[there[2]]
            self.answer(200, content, Content_Type=kind, **self.digest(content))
        elif there and there[2] in fake.blobs:
            self.answer(200, fake.blobs[there[2]])
        else:
            self.answer(404)

    def uploading(self, number: str) -> bool:
        fake, query = self.fake, parse_qs(urlsplit(self.path).query)
        if self.command == "POST":
            if "mount" in query and "no-mount" not in fake.odd:
                return self.answer(201)
            number = str(len(fake.heard))
            fake.uploads[number] = b""
            return self.answer(202, Location=fake.upload(number))
        if number not in fake.uploads:
            return self.answer(404)
        there = fake.uploads[number]
        if self.command == "GET":
            return self.answer(204, Range=f"0-{max(0, len(there) - 1)}")
        if self.command == "PATCH" and "no-parts" not in fake.odd:
            fake.uploads[number] += self.body
            return self.answer(202, Location=fake.upload(number))
        whole = there + self.body
        refused = self.command != "PUT" or ("no-whole" in fake.odd and self.body)
        if refused or digest_of(whole) != query["digest"][0]:
            return self.answer(400)
        fake.keep(whole)
        return self.answer(201, **self.digest(whole))

    def digest(self, content: bytes) -> dict[str, str]:
        known = "no-digest" not in self.fake.odd
        return {"Docker-Content-Digest": digest_of(content)} if known else {}


@contextlib.contextmanager
def fake(*odd: str, host: str = "127.0.0.1", tls: SSLContext | None = None) -> Iterator[Fake]:
    """Serve one."""
    made = Fake(odd=odd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("Server", (ThreadingHTTPServer,), {"address_family": family})
    with kind((host, 0), type("Own", (Handler,), {"fake": made})) as server:
        made.address = (
            f"[{host}]:{server.server_port}" if ":" in host else f"{host}:{server.server_port}"
        )
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()
