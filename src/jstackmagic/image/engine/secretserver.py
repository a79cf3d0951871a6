"""Build secrets, as BuildKit requests them: over a session, from memory, never in a layer.

A client that builds also opens a session (``POST /session``): the connection is turned
round, and the engine becomes the client of a small gRPC service that answers with secrets.
"""

from __future__ import annotations

import contextlib
import secrets as random
import socket
import threading
from collections.abc import Mapping
from typing import Any

from .buildlog import fields
from .dockersdk import ContainerEngine

_GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105
_HEALTH = "/grpc.health.v1.Health/Check"
_NOT_FOUND, _UNIMPLEMENTED = "5", "12"  # gRPC status codes


class SecretsSession:
    """A session that answers for some secrets; a context manager.

    Args:
        engine: The engine whose builder may ask.
        secrets: The secrets that it may request, by id.

    Attributes:
        id: Its id for the build request.
    """

    def __init__(self, engine: ContainerEngine, secrets: Mapping[str, bytes]) -> None:
        self.id = random.token_hex(16)
        self._engine = engine
        self._secrets = dict(secrets)
        self._response: Any = None
        self._socket: Any = None
        self._reader: Any = None

    def __enter__(self) -> SecretsSession:
        api = self._engine.client.api
        self._response = api.post(
            f"{api.base_url}/v{api.api_version}/session",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "h2c",
                "X-Docker-Expose-Session-Uuid": self.id,
                "X-Docker-Expose-Session-Name": "jstackmagic",
                "X-Docker-Expose-Session-Grpc-Method": _GET_SECRET,
            },
            stream=True,
        )
        api._raise_for_status(self._response)
        # what the engine sent right after its answer lies in the answer's own buffer already
        self._reader = self._response.raw._fp.fp
        raw = self._reader.raw
        self._socket = getattr(raw, "_sock", raw)
        self._socket.settimeout(None)
        threading.Thread(target=self._serve, name="build-secrets", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the engine has closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()

    def _serve(self) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection
        from h2.exceptions import ProtocolError

        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        calls: dict[int, _BuilderCall] = {}
        try:
            self._socket.sendall(connection.data_to_send())
            while data := self._reader.read1(65536):
                for event in connection.receive_data(data):
                    self._take(event, connection, calls)
                self._socket.sendall(connection.data_to_send())
        except (OSError, ValueError, ProtocolError):
            return  # the build has ended, or will say itself that a secret is missing

    def _take(self, event: Any, connection: Any, calls: dict[int, _BuilderCall]) -> None:
        from h2 import events

        if isinstance(event, events.RequestReceived):
            calls[event.stream_id] = _BuilderCall(str(dict(event.headers)[b":path"], "utf-8"))
        elif isinstance(event, events.DataReceived):
            calls[event.stream_id].body += event.data
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if isinstance(event, events.StreamEnded):
            call = calls.pop(event.stream_id)
            status, message = self._answer(call)
            head = [(":status", "200"), ("content-type", "application/grpc")]
            connection.send_headers(event.stream_id, head)
            if status == "0":
                # gRPC's frame: not compressed, four bytes of length
                frame = b"\0" + len(message).to_bytes(4, "big") + message
                connection.send_data(event.stream_id, frame)
            connection.send_headers(event.stream_id, [("grpc-status", status)], end_stream=True)

    def _answer(self, call: _BuilderCall) -> tuple[str, bytes]:
        if call.path == _HEALTH:
            return "0", b"\x08\x01"  # HealthCheckResponse: 1 status = SERVING
        if call.path != _GET_SECRET:
            return _UNIMPLEMENTED, b""
        asked = dict(fields(call.body[5:])).get(1, b"")  # GetSecretRequest: 1 ID
        secret = self._secrets.get(asked.decode()) if isinstance(asked, bytes) else None
        if secret is None:
            return _NOT_FOUND, b""
        return "0", b"\x0a" + _varint(len(secret)) + secret  # GetSecretResponse: 1 data


class _BuilderCall:
    """A call of the engine's, as far as it has arrived."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.body = b""


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
