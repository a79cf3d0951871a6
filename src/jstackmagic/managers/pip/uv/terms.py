"""Translate pip's requests and settings for uv, and name those that uv cannot express.

Texts that may have a credential go into variables, which no list of processes shows.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ....model.credentials import mask
from ....model.environment import Environment
from ....model.options import PIP
from ....model.request import Request
from ....model.sources import Sources
from ....model.spec import Constraint, Listing, Spec
from ....model.words import listed
from ....where.metadata import find_distribution
from ..landing import LANDING
from ..pipconf import UNREADABLE, Setting, configured
from ..present import serving, user_site
from ..spec import plain_requirements

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_OLDEST = (3, 8)  # the oldest Python that is left to uv


@dataclass
class Terms:
    """A request in uv's terms."""

    words: list[str] = field(default_factory=list)  #: options of its command line
    variables: dict[str, str] = field(default_factory=dict)  #: by name
    #: the reasons why uv cannot express some of it, each as part of a sentence
    reasons: tuple[str, ...] = ()

    @property
    def environ(self) -> tuple[tuple[str, str], ...]:
        """The variables, as a command takes them."""
        return tuple(self.variables.items())


def translate(environment: Environment, request: Request | None = None) -> Terms:
    """Return a request in uv's terms, with pip's own configuration for it."""
    removes = request is not None and request.action == "remove"
    settings = configured(environment, "uninstall" if removes else "install")
    if removes:
        assert request is not None
        return Terms(reasons=(*_unfit(environment), *_kept(request, environment)))
    terms = places(environment, request)
    reasons = [*_unfit(environment), *_odd(settings, environment), *_unsafe(terms)]
    for name, words in _FLAGS.items():
        if name in settings and settings[name].is_on:
            terms.words += words
    for name in ("only-binary", "no-binary"):
        for value in settings[name].value.split(",") if name in settings else ():
            terms.words += (f"--{name}", value.strip())
    for file in settings["constraint"].words if "constraint" in settings else ():
        terms.words += ("--constraints", file)
        reasons += _of_file(Constraint(file, place=file))
    if request is not None:
        reasons += [reason for spec in request.specs for reason in _of_spec(spec)]
        for option in PIP.options(request.options):
            name = option.name.removeprefix("--")
            if name in _FLAGS:
                terms.words += _FLAGS[name]
            elif name in ("only-binary", "no-binary"):
                for part in option.value.split(","):
                    terms.words += (f"--{name}", part)
            elif name not in _WHERE:
                reasons.append(f"{option.words[0]} is an option for pip")
        if any(spec.hashes for spec in request.specs):
            terms.words.append("--require-hashes")  # as pip, where one has a hash
        if request.upgrade and not reasons:
            terms.words += _moving(request.specs)
    terms.reasons = tuple(dict.fromkeys(reasons))
    return terms


_WHERE = ("no-index", "trusted-host")


# The environment


def _unfit(environment: Environment) -> Iterator[str]:
    version = tuple(int(part) for part in re.findall(r"\d+", environment.python or "")[:2])
    if version < _OLDEST:
        yield f"Python {environment.python} is too old for uv"
    if environment.kind == "system" or environment.externally_managed is not None:
        yield "the system's Python has rules of its own"
    elif not environment.writable:
        yield "pip would install for you alone"
    if _sees_the_system(environment.prefix):
        yield "pip counts what is in the Python below this environment"
    folder = user_site(environment)
    if folder is not None and any(Path(folder).glob("*.dist-info")):
        yield f"pip counts what is in your user site, {folder}"


def _sees_the_system(prefix: str) -> bool:
    try:
        text = Path(prefix, "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(re.search(r"^include-system-site-packages\s*=\s*true", text, re.I | re.M))


def _kept(request: Request, environment: Environment) -> Iterator[str]:
    """Yield why uv cannot do a removal: it uses RECORD alone."""
    if request.options:
        yield f"{' '.join(request.options)} is for pip"
    there = serving(request.specs, environment)
    for spec in request.specs:
        found = there[spec]
        if isinstance(spec, Listing):
            yield f"{spec} names a file"
        elif found is not None and found.manager == "conda":
            yield f"conda installed {spec}"
        elif found is not None and not _has_record(spec.text, environment):
            yield f"{spec} has no list of its files"


def _has_record(name: str, environment: Environment) -> bool:
    there = find_distribution(name, environment.site_packages)
    return there is not None and bool(there.record)


# Settings


_INERT = listed("""
    build cache-dir check-build-dependencies compile config-file debug disable-pip-version-check
    exists-action log log-file local-log no-clean no-color no-compile no-input
    no-python-version-warning no-warn-conflicts no-warn-script-location progress-bar quiet
    resume-retries root-user-action src verbose
""")
"""Settings that do not change what is installed."""

_TRANSLATED = listed("""
    cert client-cert constraint default-timeout extra-index-url find-links index-url no-binary
    no-cache-dir no-index only-binary proxy retries timeout trusted-host
""")

_FLAGS = {
    "break-system-packages": ("--break-system-packages",),
    "force-reinstall": ("--reinstall",),
    "no-deps": ("--no-deps",),
    "pre": ("--prerelease", "allow"),
    "require-hashes": ("--require-hashes",),
}
"""The flags that both have, under whatever name."""

_FALSE = {"n", "no", "f", "false", "off", "0"}


def _odd(settings: Mapping[str, Setting], environment: Environment) -> Iterator[str]:
    """Yield the settings that uv has nothing like."""
    for setting in settings.values():
        if setting.name == UNREADABLE:
            yield f"{setting.source} cannot be read"
        elif not _is_plain(setting, environment):
            yield f"pip's setting {setting.name} ({setting.source})"


def _is_plain(setting: Setting, environment: Environment) -> bool:
    name, value = setting.name, setting.value.strip().lower()
    if name in LANDING:  # uv installs into the environment that is named
        return True
    if name in _INERT or name in _TRANSLATED or name in _FLAGS or value in _FALSE:
        return True
    if name == "require-virtualenv":
        return environment.kind.startswith("venv")
    if name == "keyring-provider":  # questions are forbidden, and "auto" asks no keyring then
        return value in ("auto", "disabled", "subprocess")
    return name == "use-feature" and set(setting.words) <= {"truststore", "fast-deps"}


def places(environment: Environment, request: Request | None = None) -> Terms:
    """Return where packages come from, and how the network is reached, in uv's terms."""
    settings = configured(environment)
    terms = Terms(words=["--index-strategy", "unsafe-best-match"])  # as pip: the best of them all
    variables = terms.variables

    def many(name: str) -> tuple[str, ...]:
        return settings[name].words if name in settings else ()

    def one(*names: str) -> str:
        return next((settings[name].value for name in names if name in settings), "")

    sources = request.sources if request else Sources()
    index = sources.index_url or one("index-url")
    extra = (*many("extra-index-url"), *sources.extra_index_urls)
    options = list(PIP.options(request.options)) if request else []
    hosts = [option.value for option in options if option.name == "--trusted-host"]
    trusted = (*many("trusted-host"), *hosts)
    links = [x for x in (*many("find-links"), *sources.find_links) if not _is_lost(x)]
    alone = one("no-index") and settings["no-index"].is_on
    if alone or any(option.name == "--no-index" for option in options):
        terms.words.append("--no-index")
    elif index:
        variables["UV_INDEX_URL"] = index
    if extra and "--no-index" not in terms.words:
        variables["UV_EXTRA_INDEX_URL"] = " ".join(extra)
    if links:
        variables["UV_FIND_LINKS"] = ",".join(links)
    if trusted:
        variables["UV_INSECURE_HOST"] = " ".join(trusted)
    if one("keyring-provider") == "subprocess":
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    if one("no-cache-dir") and settings["no-cache-dir"].is_on:
        variables["UV_NO_CACHE"] = "1"
    return _network(terms, one)


def _network(terms: Terms, one: Callable[..., str]) -> Terms:
    variables = terms.variables
    for name, setting in (
        ("UV_HTTP_TIMEOUT", one("timeout", "default-timeout")),
        ("UV_HTTP_RETRIES", one("retries")),
        ("SSL_CLIENT_CERT", one("client-cert")),
    ):
        if setting:
            variables[name] = setting
    proxy = one("proxy")
    if proxy:
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            variables |= {name: proxy, name.upper(): proxy}
    # pip's HTTP library uses these two, or else the system's certificates
    bundles = (one("cert"), *map(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")))
    bundle = next(filter(None, bundles), "")
    if bundle:
        variables["SSL_CERT_DIR" if os.path.isdir(bundle) else "SSL_CERT_FILE"] = bundle
    elif ssl.get_default_verify_paths().cafile is not None:
        variables["UV_SYSTEM_CERTS"] = "1"
    return terms


def _is_lost(link: str) -> bool:
    """Return whether a folder of archives is not there: pip passes over it, uv would fail."""
    return "://" not in link and not os.path.exists(os.path.expanduser(link))


def _unsafe(terms: Terms) -> Iterator[str]:
    """Yield the places that pip passes over, because nothing protects what comes from there."""
    trusted = terms.variables.get("UV_INSECURE_HOST", "").split()
    named = [
        url
        for name, separator in (
            ("UV_INDEX_URL", " "),
            ("UV_EXTRA_INDEX_URL", " "),
            ("UV_FIND_LINKS", ","),
        )
        for url in terms.variables.get(name, "").split(separator)
        if url
    ]
    for url in named:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host in ("localhost", "::1") or host.startswith("127.")
        if parts.scheme == "http" and not local and not {host, f"{host}:{parts.port}"} & {*trusted}:
            yield f"pip does not trust {mask(url)}"


# Specs


def _of_spec(spec: Spec) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    if spec.editable:
        yield f"{spec.unhashed.text.partition(' ')[2].strip()} is a project to edit"
    elif isinstance(spec, Listing):
        yield from _of_file(spec)
    elif spec.place:
        yield from _of_place(spec.place)
    else:
        try:
            Requirement(spec.unhashed.text)
        except InvalidRequirement:
            yield f"{spec.unhashed} is older than PEP 440"
            return
        if "===" in spec.text:
            yield f"{spec.unhashed} compares versions as text"


def _of_place(place: str) -> Iterator[str]:
    """Only a wheel is the same to both: what has to be built, each keeps in its own way."""
    if not re.fullmatch(r"(?!\w+\+)[^?#]*\.whl(?:#.*)?", place):
        yield f"{mask(place)} is to be built"


def _of_file(file: Spec) -> Iterator[str]:
    if plain_requirements(file) is None:
        yield f"{mask(file.place)} holds more than requirements by name"


def _moving(specs: Iterable[Spec]) -> Iterator[str]:
    """Yield the packages that ``--upgrade`` moves in pip: those named, and only what they need."""
    named: list[Requirement] = []
    for spec in specs:
        if not isinstance(spec, Constraint):
            named += plain_requirements(spec.unhashed) or ()
    for name in dict.fromkeys(requirement.name for requirement in named):
        yield from ("--upgrade-package", name)
