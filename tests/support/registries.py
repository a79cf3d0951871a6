"""Debian's own registry on the loopback address: with logins, with a certificate of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from .machine import program

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


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])


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
    address = f"{host}:{free_port(host)}"
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
    authority = _authority(folder, host) if tls else None
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
        for _ in range(300):
            with contextlib.suppress(requests.RequestException):
                requests.get(url, timeout=1, verify=str(authority) if authority else True)
                break
            time.sleep(0.05)
        yield Served(address, folder / "data", authority)
    finally:
        process.terminate()
        process.wait()


def _authority(folder: Path, host: str) -> Path:
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
