"""Requests to a registry: logins, tokens, certificates, and retries where they may help."""

from __future__ import annotations

import os
import re
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from ...model.credentials import mask
from ...model.errors import JStackMagicError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIES = 6
_LONGEST_PAUSE = 8.0  # seconds between two tries
_SHORT = 2**16  # bytes
_TIMEOUT = (10.0, 90.0)  # seconds to connect, and between two bytes
_PASSING = (408, 429, 500, 502, 503, 504)
"""Status codes after which the same request may succeed."""

_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")
_DEFAULT = "docker.io"
_DEFAULT_HOST = "registry-1.docker.io"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d", "~/.config/containers/certs.d")
"""The folders of a registry's own certificate authorities for Docker and podman, ``HOST/*.crt``."""

_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_TOKEN_USER = "<token>"  # noqa: S105 - the user's name that stands for an identity token


class RegistryError(JStackMagicError):
    """A registry refused, cannot be reached, or sent what it should not."""


class NotFound(RegistryError):
    """The registry has nothing of that name or digest."""


class Connection:
    """One registry, spoken to as whoever Docker's configuration says is logged in there.

    Proxies and certificates are taken from the usual variables (``HTTPS_PROXY``, ``NO_PROXY``,
    ``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``), and certificates from the places of Docker's and
    podman's.

    Args:
        registry: Host and port; empty for Docker's own.
        environ: The environment variables.
    """

    def __init__(self, registry: str, environ: Mapping[str, str] = os.environ) -> None:
        self.registry = registry or _DEFAULT
        host = _DEFAULT_HOST if self.registry == _DEFAULT else self.registry
        self._session = requests.Session()
        self._session.mount("https://", _Adapter(_trusting(host, environ)))
        self._base = f"https://{host}"
        self._loopback = _LOOPBACK.fullmatch(host) is not None
        self._tokens: dict[str, str] = {}
        self._basic = False
        self._login: Mapping[str, str] | None = None
        self._environ = environ

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        expect: tuple[int, ...] = (200,),
        tries: int = _TRIES,
        stream: bool = False,
        **more: Any,
    ) -> requests.Response:
        """Send a request, log in if the registry requires it, and retry if that may help.

        Args:
            method: The HTTP method.
            path: A path below the registry, or a whole URL that it gave.
            scope: The scope of a token: ``repository:NAME:pull,push``; several with blanks between.
            expect: The status codes that are not errors.
            tries: The number of tries.
            stream: Whether the caller reads the body; otherwise it is of no interest.
            more: Further arguments for `requests`.

        Raises:
            NotFound: There is no such thing.
            RegistryError: It refused, or could not be reached.
        """
        fault: requests.RequestException | None = None
        for number in range(1, tries + 1):
            try:
                response = self._send(method, path, scope, more)
            except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
                # a certificate that cannot be trusted is no reason to do without one
                if "CERTIFICATE_VERIFY_FAILED" not in str(error) and self._falls_back():
                    continue
                raise self._unreachable(error) from error
            except (requests.ConnectionError, requests.Timeout) as error:
                fault = error
                if self._falls_back():
                    continue
            else:
                if response.status_code in expect:
                    if not stream:
                        _leave(response)
                    return response
                if response.status_code not in _PASSING or number == tries:
                    raise self._refused(response, scope)
                _leave(response)
            if number < tries:
                time.sleep(_pause(number, None if fault else response))
        assert fault is not None
        raise self._unreachable(fault) from fault

    def _send(self, method: str, path: str, scope: str, more: dict[str, Any]) -> requests.Response:
        response = self._once(method, path, scope, more)
        if response.status_code == 401:
            challenge = response.headers.get("WWW-Authenticate", "")
            _leave(response)
            if self._answer(challenge, scope):
                response = self._once(method, path, scope, more)
        return response

    def _once(self, method: str, path: str, scope: str, more: dict[str, Any]) -> requests.Response:
        url = urljoin(f"{self._base}/v2/", path)
        ours = urlsplit(url)[:2] == urlsplit(self._base)[:2]
        # a login is for the registry alone, whoever it sends us to
        auth = _Authorization(self._authorization(scope) if ours else "")
        return self._session.request(method, url, auth=auth, timeout=_TIMEOUT, stream=True, **more)

    def _falls_back(self) -> bool:
        """Use HTTP from here on for a registry on this machine, as Docker does."""
        if not self._loopback or self._base.startswith("http:"):
            return False
        self._base = self._base.replace("https:", "http:", 1)
        return True

    # Logins

    def _authorization(self, scope: str) -> str:
        token = self._tokens.get(scope)
        if token:
            return f"Bearer {token}"
        return _basic(self._known_login()) if self._basic else ""

    def _answer(self, challenge: str, scope: str) -> bool:
        """Answer the registry's challenge; return False if there is nothing new."""
        kind, _, rest = challenge.partition(" ")
        login = self._known_login()
        if kind.lower() == "basic":
            was, self._basic = self._basic, True
            return not was and bool(_basic(login))
        if kind.lower() != "bearer":
            return False
        fields = dict(_CHALLENGE.findall(rest))
        realm = fields.get("realm", "")
        if self._base.startswith("https:") and not realm.startswith("https:"):
            raise RegistryError(f"{self.registry} asks to log in where nothing is encrypted.")
        self._tokens[scope] = self._token(realm, fields.get("service", ""), scope, login)
        return True

    def _token(self, realm: str, service: str, scope: str, login: Mapping[str, str]) -> str:
        """Get a token, as https://distribution.github.io/distribution/spec/auth/ has it."""
        identity = login.get("IdentityToken")
        asked: dict[str, Any] = {"service": service, "scope": scope.split()}
        if identity:
            asked |= {"grant_type": "refresh_token", "refresh_token": identity}
            asked |= {"client_id": "jstackmagic", "scope": scope}
            answer = self._session.post(
                realm, data=asked, auth=_Authorization(""), timeout=_TIMEOUT
            )
        else:
            auth = _Authorization(_basic(login))
            answer = self._session.get(realm, params=asked, auth=auth, timeout=_TIMEOUT)
        if not answer.ok:
            raise self._refused(answer, scope)
        try:
            found = answer.json()
            return str(found.get("token") or found["access_token"])
        except (ValueError, KeyError):
            raise RegistryError(f"{self.registry} gave no token to log in with.") from None

    def _known_login(self) -> Mapping[str, str]:
        """Return the stored login, from ``auths``, ``credHelpers`` or ``credsStore``."""
        if self._login is None:
            import docker.auth
            from docker.errors import DockerException

            folder = self._environ.get("DOCKER_CONFIG") or "~/.docker"
            file = Path(folder, "config.json").expanduser()
            try:
                known = docker.auth.load_config(str(file)) if file.exists() else None
                found = known.resolve_authconfig(self.registry) if known else None
            except (DockerException, OSError) as error:
                raise RegistryError(
                    f"The login to {self.registry} cannot be read: {mask(str(error))}",
                    advice=f"It is named in {file}.",
                ) from error
            self._login = {k.lower(): v for k, v in (found or {}).items() if isinstance(v, str)}
            identity = self._login.get("identitytoken")
            self._login |= {"IdentityToken": identity} if identity else {}
        return self._login

    # Errors

    def _unreachable(self, error: Exception) -> RegistryError:
        words = mask(str(getattr(error.args[0], "reason", error) if error.args else error))
        advice: tuple[str, ...] = ()
        if isinstance(error, requests.exceptions.SSLError):
            advice = (
                f"Its authority's certificate: {_CERTIFICATES[2]}/{self.registry}/ca.crt,"
                " or the variable SSL_CERT_FILE",
            )
        return RegistryError(f"{self.registry} cannot be reached: {words}", advice=advice)

    def _refused(self, response: requests.Response, scope: str) -> RegistryError:
        words, status = _words(response), response.status_code
        response.close()
        name = scope.split(":")[1] if ":" in scope else ""
        where = f"{self.registry}/{name}" if name else self.registry
        if status in (401, 403):
            who = self._known_login().get("username")
            known = f" as {who}" if who else ", as nobody is logged in there"
            return RegistryError(
                f"{where} may not be {_doing(scope)}{known}: {words}",
                advice=f"Log in, as the user of this kernel: docker login {self.registry}",
            )
        if status == 404:
            return NotFound(f"{where} is not there: {words}")
        return RegistryError(f"{where}: {words}")


class _Adapter(HTTPAdapter):
    """Connections that trust what `_trusting` found, beside what requests trusts."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=4)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)


class _Authorization(requests.auth.AuthBase):
    """The header alone: without it requests would look into ``~/.netrc``."""

    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


def _trusting(host: str, environ: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    own = [file for folder in _CERTIFICATES for file in Path(folder).expanduser().glob(f"{host}/*")]
    said = environ.get("SSL_CERT_FILE")
    for file in (*_SYSTEM, *(str(f) for f in own if f.suffix == ".crt"), *([said] if said else ())):
        if os.path.isfile(file):
            try:
                context.load_verify_locations(file)
            except (OSError, ssl.SSLError) as error:
                raise RegistryError(f"{file} holds no certificates: {error}") from error
    return context


def _leave(response: requests.Response) -> None:
    """Let go of an answer; its connection is used again if the rest of the body is short."""
    with suppress(HTTPError, OSError):
        response.raw.read(_SHORT, decode_content=False)
    response.close()


def _basic(login: Mapping[str, str]) -> str:
    from base64 import b64encode

    user, password = login.get("username"), login.get("password")
    if not user or password is None or user == _TOKEN_USER:
        return ""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _pause(number: int, response: requests.Response | None) -> float:
    said = response.headers.get("Retry-After", "") if response is not None else ""
    seconds = float(said) if said.isdigit() else 0.25 * 2**number
    return min(seconds, _LONGEST_PAUSE)


def _words(response: requests.Response) -> str:
    """Return an answer's error message, without anything that may echo our request."""
    try:
        error = response.json()["errors"][0]
        text = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    except (ValueError, LookupError, TypeError, requests.RequestException):
        text = response.reason or ""
    return mask(f"{response.status_code} {text}"[:300].strip())


def _doing(scope: str) -> str:
    return "written to" if "push" in scope else "read"
