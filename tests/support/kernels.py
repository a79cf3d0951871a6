"""Kernels started from an environment's own Python, as a notebook server starts them."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol
from urllib.request import Request, urlopen

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import LocalProvisioner

from . import forked_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


_PASSED_ON = (
    *("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("PIP_CERT", "PIP_CACHE_DIR", "PIP_INDEX_URL", "UV_CACHE_DIR", "UV_DEFAULT_INDEX"),
    *("JSTACKMAGIC_HISTORY", "CONDARC", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    *("XDG_RUNTIME_DIR", "APT_CONFIG", "DPKG_ADMINDIR"),
)

PATIENCE = 150
"""Seconds to wait for what takes one or two, on a machine that has as much else to do."""


def clean_environ(**variables: str) -> dict[str, str]:
    """The variables of a process that no environment was activated for, with `variables` added."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **passed_on, **variables}


@dataclass
class Result:
    """What a cell did."""

    status: str = ""
    """"ok" or "error" (jupyter's own words), "" while the cell runs."""

    stdout: str = ""
    stderr: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    """The value of the last expression, by media type."""

    displays: list[dict[str, Any]] = field(default_factory=list)
    """What was displayed otherwise, each by media type, updates in place of what they update."""

    error_name: str = ""
    error_value: str = ""
    traceback: str = ""

    @property
    def text(self) -> str:
        """The last expression's value as plain text."""
        return str(self.data.get("text/plain", ""))

    @property
    def html(self) -> str:
        """Everything shown as HTML: the displays, then the last expression's value."""
        shown = [*self.displays, self.data]
        return "\n".join(data["text/html"] for data in shown if "text/html" in data)

    @property
    def shown(self) -> str:
        """Everything a user reads, as plain text: both streams, displays, value, error."""
        plain = [str(data.get("text/plain", "")) for data in (*self.displays, self.data)]
        return "\n".join(filter(None, [self.stdout, self.stderr, *plain, self.traceback]))

    def check(self) -> Result:
        """Returns itself; fails if the cell raised."""
        assert self.status == "ok", f"the cell failed\n{self.shown}"
        return self


class Channels(Protocol):
    """A kernel's two channels that a cell is about."""

    def execute(self, code: str, *, allow_stdin: bool) -> str:
        """Starts a cell; returns the id of the request."""

    def receive(self, timeout: float) -> list[dict[str, Any]]:
        """The next messages of either, after at most `timeout` seconds; none where none came."""


class Sockets:
    """Those of a kernel on this machine."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.execute = client.execute
        # both at once: to wait for one after the other takes longer than a short cell
        self._receivers = {
            client.iopub_channel.socket: client.get_iopub_msg,
            client.shell_channel.socket: client.get_shell_msg,
        }

    def receive(self, timeout: float) -> list[dict[str, Any]]:
        ready = zmq.select([*self._receivers], [], [], timeout=timeout)[0]
        return [self._receivers[each](timeout=1) for each in ready]


class Cell:
    """A cell that runs: started, not yet waited for."""

    def __init__(self, channels: Channels, code: str) -> None:
        self.result = Result()
        self._channels = channels
        self._displayed: dict[str, dict[str, Any]] = {}
        self._idle = False
        self._message = channels.execute(code, allow_stdin=False)

    def wait(self, timeout: float = PATIENCE) -> Result:
        """Waits at most `timeout` seconds for the end."""
        self._read(time.monotonic() + timeout, lambda: self._idle and bool(self.result.status))
        return self.result

    def wait_for(self, text: str, timeout: float = PATIENCE) -> Result:
        """Waits at most `timeout` seconds until `text` was shown; the cell goes on."""
        self._read(time.monotonic() + timeout, lambda: text in self.result.shown)
        return self.result

    def _read(self, deadline: float, done: Any) -> None:
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the cell did not get there; so far:\n{self.result.shown}")
            for message in self._channels.receive(left):
                if message["parent_header"].get("msg_id") == self._message:
                    self._take(message["msg_type"], message["content"])

    def _take(self, kind: str, content: dict[str, Any]) -> None:
        match kind:
            case "stream" if content["name"] == "stdout":
                self.result.stdout += content["text"]
            case "stream":
                self.result.stderr += content["text"]
            case "execute_result":
                self.result.data = content["data"]
            case "display_data" | "update_display_data":
                self._display(content)
            case "error":
                self.result.error_name = content["ename"]
                self.result.error_value = content["evalue"]
                self.result.traceback = "\n".join(content["traceback"])
            case "execute_reply":
                self.result.status = content["status"]
            case "status":
                self._idle = content["execution_state"] == "idle"

    def _display(self, content: dict[str, Any]) -> None:
        name = content.get("transient", {}).get("display_id")
        if name in self._displayed:
            self._displayed[name].clear()
            self._displayed[name].update(content["data"])
            return
        data = dict(content["data"])
        self.result.displays.append(data)
        if name is not None:
            self._displayed[name] = data


class _Forking(LocalProvisioner):
    """What starts a manager's kernels."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        environ = {**kwargs["env"], "JPY_PARENT_PID": str(os.getpid())}  # as jupyter_client has it
        self.process = forked_kernels.start(cmd, environ=environ, folder=Path(kwargs["cwd"]))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class Kernel:
    """An IPython kernel of the environment at `prefix`; a context manager that starts and ends it.

    It is started by a kernelspec with no more variables than `clean_environ` gives, and `environ`:
    no environment is activated. It is forked from a process that has its imports.
    """

    def __init__(
        self, prefix: Path, *, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.prefix = prefix
        self._cwd = cwd
        self._environ = clean_environ(**(environ or {}))
        self._folder = TemporaryDirectory(prefix="kernel-")
        specs = KernelSpecManager(kernel_dirs=[self._folder.name], ensure_native_kernel=False)
        write_kernelspec(Path(self._folder.name, "tested"), prefix)
        connection = str(Path(self._folder.name, "connection.json"))
        self._manager = KernelManager(
            kernel_name="tested",
            kernel_spec_manager=specs,
            connection_file=connection,
            transport="ipc",  # a port that is picked free may be taken before the kernel listens
        )
        self._client: BlockingKernelClient | None = None

    def __enter__(self) -> Kernel:
        cwd = self._cwd or Path(self._folder.name)
        self._manager.provisioner = _Forking(
            kernel_id="tested", kernel_spec=self._manager.kernel_spec, parent=self._manager
        )
        self._manager.start_kernel(env=self._environ, cwd=str(cwd))
        self._connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.stop_channels()
        self.kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        return int(self._manager.provisioner.pid)  # type: ignore[union-attr]

    @property
    def client(self) -> BlockingKernelClient:
        """The kernel's channels."""
        assert self._client is not None, "the kernel is not started: use `with`"
        return self._client

    def start(self, code: str) -> Cell:
        """Starts a cell and does not wait for it."""
        return Cell(Sockets(self.client), code)

    def run(self, code: str, timeout: float = PATIENCE) -> Result:
        """Runs a cell to its end, at most `timeout` seconds."""
        return self.start(code).wait(timeout)

    def leave_in(self, folder: Path) -> None:
        """Has what the kernel starts, and is killed with it, leave its temporary files there."""
        code = "import os, tempfile\ntempfile.tempdir = os.environ['TMPDIR'] = "
        self.run(f"{code}{str(folder)!r}").check()

    def interrupt(self) -> None:
        """Interrupts the running cell as the notebook's stop button does."""
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """Ends the kernel's process at once, as the system does when memory runs out."""
        if self._manager.has_kernel:
            # the manager would look ten times a second whether it has ended
            process = self._manager.provisioner.process  # type: ignore[union-attr]
            process.kill()
            process.wait(PATIENCE)
        self._manager.shutdown_kernel(now=True)

    def restart(self) -> None:
        """Restarts the kernel: a new process, nothing imported."""
        assert self._client is not None
        self._client.stop_channels()
        self._manager.restart_kernel(now=True)
        self._connect()

    def _connect(self) -> None:
        self._client = connected(self._manager.client(), self._manager.is_alive)


def connected(
    client: BlockingKernelClient, is_alive: Callable[[], bool] = lambda: True
) -> BlockingKernelClient:
    """Returns it when both channels are connected. `wait_for_ready` waits until nothing comes."""
    client.start_channels()
    deadline = time.monotonic() + PATIENCE
    while not _has_answered(client):
        assert is_alive(), "the kernel died before it answered"
        assert time.monotonic() < deadline, "the kernel does not answer"
    return client


def _has_answered(client: BlockingKernelClient) -> bool:
    client.kernel_info()
    try:
        client.get_shell_msg(timeout=1)
        client.get_iopub_msg(timeout=0.2)
    except queue.Empty:
        return False
    return True


class Server:
    """A Jupyter server that runs in the environment at `prefix`; a context manager.

    `application` is the module to run: "jupyter_server", "jupyterlab", "notebook". In the
    `background` it ignores what a shell's background job does, and nohup's: SIGINT among them.
    """

    url: str

    def __init__(
        self,
        prefix: Path,
        *,
        environ: Mapping[str, str],
        folder: Path,
        application: str = "jupyter_server",
        background: bool = False,
    ) -> None:
        self._background = background
        self._prefix = prefix
        self._application = application
        self._environ = dict(environ)
        self._folder = folder
        self._runtime = Path(environ["JUPYTER_RUNTIME_DIR"])
        self._clients: list[BlockingKernelClient] = []

    def __enter__(self) -> Server:
        options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
        options += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
        command = [str(self._prefix / "bin/python"), "-m", self._application, *options]
        if self._background:
            command = ["sh", "-c", 'trap "" HUP INT QUIT; exec "$@"', "sh", *command]
        self._log = (self._folder / "server.log").open("w")
        self._process = subprocess.Popen(
            command, env=self._environ, cwd=self._folder, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + PATIENCE
        # the file is there before it is written, and written before the server listens
        while not (said := "".join(f.read_text() for f in self._runtime.glob("jpserver-*.json"))):
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        information = json.loads(said)
        self.url = information["url"]
        while not _answers(information["port"]):
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.stop_channels()
        self._process.terminate()  # it ends its kernels itself
        self._process.wait(PATIENCE)
        self._log.close()

    def interrupt(self, client: BlockingKernelClient) -> None:
        """Has the server interrupt a kernel that it started, as the stop button does."""
        kernel = Path(client.connection_file).stem.removeprefix("kernel-")
        request = Request(f"{self.url}api/kernels/{kernel}/interrupt", data=b"", method="POST")
        urlopen(request, timeout=PATIENCE).close()

    def start_kernel(self, name: str) -> BlockingKernelClient:
        """Has the server start a kernel by its kernelspec, and connects to that."""
        data = json.dumps({"name": name}).encode()
        request = Request(f"{self.url}api/kernels", data=data, method="POST")
        with urlopen(request, timeout=PATIENCE) as reply:
            return self.connect(json.loads(reply.read())["id"])

    def connect(self, kernel: str) -> BlockingKernelClient:
        """Waits until a kernel of the server's answers, and connects to that."""
        client = BlockingKernelClient(connection_file=str(self._runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        self._clients.append(client)
        deadline = time.monotonic() + PATIENCE
        while True:
            # whose heart does not beat yet counts as dead: it is not our child
            try:
                client.wait_for_ready(timeout=PATIENCE)
            except RuntimeError:  # noqa: PERF203
                assert time.monotonic() < deadline, "the kernel does not answer"
            else:
                return client


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def write_kernelspec(folder: Path, prefix: Path, *, display_name: str = "Tested") -> Path:
    """Writes a kernelspec for the environment's Python into `folder` and returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": display_name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec, indent=1))
    return folder
