"""Debian's own registry on the loopback address: with logins, with a certificate of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from .machine import program
from .ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "me", "pass-Zq7w"
"""Who is let in where there are logins."""


@dataclass(frozen=True)
class Served:
    """A registry that runs.

    Attributes:
        address: Its host and port.
        data: The folder that it keeps things in.
        authority: The certificate of its authority; None where it speaks HTTP.
    """

    address: str
    data: Path
    authority: Path | None = None

    def log_in(self, folder: Path, user: str = USER, password: str = PASSWORD) -> Path:
        """Write Docker's configuration with a login, into a folder for DOCKER_CONFIG."""
        import base64

        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        file = folder / "config.json"
        file.write_text(json.dumps({"auths": {self.address: {"auth": auth}}}))
        return folder


@contextlib.contextmanager
def registry(
    folder: Path, *, login: bool = False, tls: bool = False, host: str = "127.0.0.1", **more: Any
) -> Iterator[Served]:
    """A registry.

    Args:
        folder: For its data and settings.
        login: Whether it asks for a password.
        tls: Whether it speaks TLS, by an authority that is made now.
        host: The address to listen at.
        more: Its own settings.

    Raises:
        Unavailable: A program is missing.
    """
    command = program("docker-registry")
    address = f"{host}:{free_ports(1)[0]}"
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": address, "relativeurls": True},
        **more,
    }
    if login:
        made = subprocess.run(
            [program("htpasswd"), "-Bbn", USER, PASSWORD], check=True, capture_output=True
        )
        (folder / "users").write_bytes(made.stdout)
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "users")}}
    authority = make_authority(folder, host) if tls else None
    if authority:
        pair = {"certificate": str(folder / "own.crt"), "key": str(folder / "own.key")}
        settings["http"]["tls"] = pair
    (folder / "config.yml").write_text(json.dumps(settings))
    with open(folder / "registry.log", "w") as log:
        process = subprocess.Popen(
            [command, "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        url = f"http{'s' if tls else ''}://{address}/v2/"
        for _ in range(1200):
            assert process.poll() is None, (folder / "registry.log").read_text()
            with contextlib.suppress(requests.RequestException):
                requests.get(url, timeout=5, verify=str(authority) if authority else True)
                break
            time.sleep(0.05)
        yield Served(address, folder / "data", authority)
    finally:
        process.terminate()
        process.wait()


def make_authority(folder: Path, host: str) -> Path:
    """Make an authority, and a certificate of its for one address; return the authority's own."""

    def openssl(*words: str) -> None:
        subprocess.run([program("openssl"), *words], check=True, capture_output=True, cwd=folder)

    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(
        *new, "-x509", "-days", "2", "-subj", "/CN=Tests", "-keyout", "ca.key", "-out", "ca.crt"
    )
    openssl(*new, "-subj", "/CN=registry", "-keyout", "own.key", "-out", "own.csr")
    (folder / "names").write_text(f"subjectAltName=IP:{host},DNS:localhost\n")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "own.csr", *signed, "-extfile", "names", "-out", "own.crt")
    return folder / "ca.crt"


@contextlib.contextmanager
def tokens(folder: Path) -> Iterator[tuple[dict[str, Any], list[list[str]]]]:
    """A token server: whoever has the password gets what they ask for.

    Yields:
        The registry's settings for it, and the scopes of each request.
    """
    import base64
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import parse_qs, urlsplit

    make_authority(folder, "127.0.0.1")
    asked: list[list[str]] = []
    login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    der = "".join((folder / "ca.crt").read_text().splitlines()[1:-1])

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def signed(scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {"iss": "tests", "aud": "registry", "sub": USER, "jti": str(now)}
        claims |= {"exp": now + 300, "nbf": now - 10, "iat": now, "access": access}  # type: ignore[dict-item]
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        text = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        command = [program("openssl"), "dgst", "-sha256", "-sign", str(folder / "ca.key")]
        signature = subprocess.run(command, input=text, capture_output=True, check=True).stdout
        return (text + b"." + encoded(signature)).decode()

    class Tokens(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            known = self.headers.get("Authorization") == login
            content = json.dumps({"token": signed(scopes)} if known else {}).encode()
            if known:
                asked.append(scopes)
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        realm = f"http://127.0.0.1:{server.server_port}/token"
        names = {"realm": realm, "service": "registry", "issuer": "tests"}
        yield {"token": {**names, "rootcertbundle": str(folder / "ca.crt")}}, asked
        server.shutdown()
