"""Requests to a registry: logins, tokens, certificates, and retries where they may help."""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from ...model.credentials import mask
from ...model.errors import JStackMagicError
from ..engine.dockersdk import reason_of

_TRIES = 6
_LONGEST_PAUSE = 8.0  # seconds between two tries
_LONGEST_ASKED = 60.0  # the same, where the registry asks for a pause
_SHORT = 2**16  # bytes
_TIMEOUT = (10.0, 90.0)  # seconds to connect, and between two bytes
_PASSING = (408, 429, 500, 502, 503, 504)
"""Status codes after which the same request may succeed."""

_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")
_DEFAULT = "docker.io"
_DEFAULT_HOST = "registry-1.docker.io"
_CHALLENGE = re.compile(r"(?:^|,\s*)(basic|bearer)\b", re.I)
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s",]+))')
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
    """

    def __init__(self, registry: str, environ: Mapping[str, str] = os.environ) -> None:
        self.registry = registry or _DEFAULT
        host = _DEFAULT_HOST if self.registry == _DEFAULT else self.registry
        self._session = _Redirected()
        # a manifest's digest is that of its bytes, which a proxy would pack
        self._session.headers["Accept-Encoding"] = "identity"
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
            path: A path below the registry, or a whole URL that it gave.
            scope: The scope of a token: ``repository:NAME:pull,push``; several with blanks between.
            expect: The status codes that are not errors.
            stream: Whether the caller reads the body; otherwise it is of no interest.
            more: Further arguments for `requests`.

        Raises:
            NotFound: There is no such thing.
            RegistryError: It refused, or could not be reached.
        """
        for number in range(1, tries + 1):
            pause = min(0.25 * 2**number, _LONGEST_PAUSE)
            fault: requests.RequestException | None = None
            try:
                response = self._send(method, path, scope, more)
            except requests.RequestException as error:
                fault = error
            if fault is not None:
                # a certificate that cannot be trusted is no reason to do without one
                if "CERTIFICATE_VERIFY_FAILED" not in str(fault) and self._falls_back():
                    return self.ask(
                        method, path, scope=scope, expect=expect, tries=tries, stream=stream, **more
                    )
                may_pass = isinstance(fault, (requests.ConnectionError, requests.Timeout))
                is_tls = isinstance(fault, requests.exceptions.SSLError)
                if not may_pass or is_tls or number == tries:
                    raise self._unreachable(fault) from fault
            elif response.status_code in expect:
                if not stream:
                    _leave(response)
                return response
            else:
                asked = _pause_of(response)
                passes = response.status_code in _PASSING and asked <= _LONGEST_ASKED
                if not passes or number == tries:
                    raise self._refused(response, scope)
                _leave(response)
                pause = asked or pause
            time.sleep(pause)
        raise AssertionError(tries)

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
        ours = _place(url) == _place(self._base)
        if hasattr(more.get("data"), "seek"):
            more["data"].seek(0)  # a file that an earlier try has read
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
        _, *parts = _CHALLENGE.split(challenge)
        kinds = {kind.lower(): rest for kind, rest in zip(parts[::2], parts[1::2], strict=True)}
        login = self._known_login()
        if "bearer" not in kinds:
            was, self._basic = self._basic, "basic" in kinds
            return self._basic and not was and bool(_basic(login))
        fields = {key: quoted or plain for key, quoted, plain in _FIELD.findall(kinds["bearer"])}
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
        if answer.status_code in _PASSING:
            raise requests.ConnectionError(f"its login answers {_words(answer)}")
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
        advice: tuple[str, ...] = ()
        if isinstance(error, requests.exceptions.SSLError):
            advice = (
                f"Its authority's certificate: {_CERTIFICATES[2]}/{self.registry}/ca.crt,"
                " or the variable SSL_CERT_FILE",
            )
        way = " by the proxy" if isinstance(error, requests.exceptions.ProxyError) else ""
        problem = f"{self.registry} cannot be reached{way}: {reason_of(error)}"
        return RegistryError(problem, advice=advice)

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
        asked = int(_pause_of(response))
        advice = (f"It asks to wait {asked} seconds before the next try.",) if asked > 0 else ()
        return RegistryError(f"{where}: {words}", advice=advice)


class _Redirected(requests.Session):
    """Requests whose redirects carry no login to another host, that of ``~/.netrc`` neither."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        if _place(str(response.request.url)) != _place(str(prepared_request.url)):
            prepared_request.headers.pop("Authorization", None)


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
    own = [file for folder in _CERTIFICATES for file in Path(folder, host).expanduser().glob("*")]
    said = environ.get("SSL_CERT_FILE")
    # the context has Python's own already, and a large file takes a while
    known = os.path.realpath(ssl.get_default_verify_paths().cafile or "")
    for file in map(Path, (*_SYSTEM, *own, *([said] if said else ()))):
        try:
            if file in own and file.suffix == ".cert":  # who we are, instead of a password
                context.load_cert_chain(file, file.with_suffix(".key"))
            elif file in own and file.suffix != ".crt":
                continue
            elif file.is_file() and os.path.realpath(file) != known:
                context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as error:
            raise RegistryError(f"{file} holds no certificate to use: {error}") from error
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


def _place(url: str) -> tuple[str, str | None, int]:
    """Return the scheme, host and port of a URL: the port and capital letters may be left out."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _pause_of(response: requests.Response) -> float:
    """Return the seconds to wait that a registry asks for (RFC 9110, Retry-After), or 0."""
    said = response.headers.get("Retry-After", "")
    if said.isdigit():
        return float(said)
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    return 0.0


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
