"""Wheels made on the spot, and a package index that serves them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import threading
import zipfile
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType


def build_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    modules: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    extras: Mapping[str, Iterable[str]] | None = None,
    scripts: Mapping[str, str] | None = None,
    requires_python: str = ">=3.8",
    tag: str = "py3-none-any",
) -> Path:
    """Writes a wheel into `folder` and returns its path.

    `modules` maps paths to source (by default one module, named as the distribution, with its
    `__version__`); `extras` maps an extra's name to requirements; `scripts` maps a console script's
    name to "module:function".
    """
    escaped = canonicalize_name(name).replace("-", "_")
    if modules is None:
        modules = {f"{escaped}.py": f"__version__ = {version!r}\n"}
    dist_info = f"{escaped}-{version}.dist-info"
    files = dict(modules)
    files[f"{dist_info}/METADATA"] = _metadata(
        name, version, requires, extras or {}, requires_python
    )
    pure = str(tag.endswith("-none-any")).lower()
    files[f"{dist_info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    )
    if scripts:
        lines = (f"{script} = {target}\n" for script, target in scripts.items())
        files[f"{dist_info}/entry_points.txt"] = "[console_scripts]\n" + "".join(lines)
    record = f"{dist_info}/RECORD"
    files[record] = "".join(map(_record_line, files, files.values())) + f"{record},,\n"

    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{escaped}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def _metadata(
    name: str,
    version: str,
    requires: Iterable[str],
    extras: Mapping[str, Iterable[str]],
    requires_python: str,
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Summary: {name}, made for a test", f"Requires-Python: {requires_python}"]
    lines += [f"Requires-Dist: {required}" for required in requires]
    for extra, extra_requires in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {required}; extra == {extra!r}" for required in extra_requires]
    return "\n".join(lines) + "\n"


def _record_line(path: str, text: str) -> str:
    data = text.encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


@dataclass
class WheelIndex:
    """A simple index (PEP 503) of a folder of wheels, served on the loopback address.

    The folder is read at each request, so wheels can be added while it runs; it serves pip's
    `--find-links` too. With `user` and `password` it demands basic authentication.
    """

    folder: Path
    user: str | None = None
    password: str | None = None
    requests: list[str] = field(default_factory=list)
    """The paths asked for so far."""

    uploaded: dict[str, str] = field(default_factory=dict)
    """The times of files, by name; with any, the index is one of PEP 691 that says them (PEP 700).
    """

    _server: ThreadingHTTPServer | None = field(default=None, repr=False)

    def add(self, name: str, version: str, **details: object) -> Path:
        """Builds a wheel into the folder; takes what `build_wheel` takes."""
        return build_wheel(self.folder, name, version, **details)  # type: ignore[arg-type]

    def __enter__(self) -> WheelIndex:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops serving: from now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def port(self) -> int:
        assert self._server is not None, "the index is not being served"
        return self._server.server_port

    @property
    def url(self) -> str:
        """The index's URL, without credentials."""
        return f"http://127.0.0.1:{self.port}/simple/"

    @property
    def url_with_credentials(self) -> str:
        assert self.user is not None
        assert self.password is not None
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return self.url.replace("://", f"://{credentials}@")

    def _allows(self, authorization: str | None) -> bool:
        if self.user is None:
            return True
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {expected}"

    def _wheels(self) -> dict[str, list[Path]]:
        projects: dict[str, list[Path]] = {}
        for wheel in sorted(self.folder.glob("*.whl")):
            projects.setdefault(parse_wheel_filename(wheel.name)[0], []).append(wheel)
        return projects


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, index: WheelIndex, *arguments: object) -> None:
        self._index = index
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._index.requests.append(self.path)
        if not self._index._allows(self.headers.get("Authorization")):
            self._reply(401, b"who are you?", **{"WWW-Authenticate": 'Basic realm="wheels"'})
            return
        content = self._content(
            [unquote(part) for part in self.path.split("?")[0].split("/") if part]
        )
        if content is None:
            self._reply(404, b"not found")
        else:
            self._reply(200, *content)

    do_HEAD = do_GET  # noqa: N815

    def _content(self, parts: list[str]) -> tuple[bytes, str] | None:
        match parts:
            case ["simple"]:
                return _links((f"{name}/", name) for name in self._index._wheels())
            case ["simple", project]:
                wheels = self._index._wheels().get(canonicalize_name(project))
                if wheels is None:
                    return None
                if self._index.uploaded:
                    return self._dated(project, wheels)
                return _links((f"../../files/{_with_hash(wheel)}", wheel.name) for wheel in wheels)
            case ["files", name] if (self._index.folder / name).is_file():
                return (self._index.folder / name).read_bytes(), "application/octet-stream"
        return None

    def _dated(self, project: str, wheels: Iterable[Path]) -> tuple[bytes, str]:
        files = [
            {
                "filename": wheel.name,
                "url": f"../../files/{quote(wheel.name)}",
                "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
                "upload-time": self._index.uploaded[wheel.name],
            }
            for wheel in wheels
            if wheel.name in self._index.uploaded
        ]
        said = {"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": []}
        return json.dumps(said).encode(), "application/vnd.pypi.simple.v1+json"

    def _reply(self, status: int, body: bytes, kind: str = "text/plain", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: a test's output is its own."""


def _links(links: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    lines = (f'<a href="{html.escape(url)}">{html.escape(text)}</a>\n' for url, text in links)
    return (
        "<!DOCTYPE html><html><body>\n" + "".join(lines) + "</body></html>"
    ).encode(), "text/html"


def _with_hash(wheel: Path) -> str:
    return f"{quote(wheel.name)}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}"
