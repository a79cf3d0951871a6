"""Building a folder with a Dockerfile in it, with BuildKit or the classic builder."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...model.credentials import mask
from ...model.errors import Interrupted, JStackMagicError, UsageError
from ...model.reference import Reference
from . import Builder
from .buildlog import BuildLog, BuildStep
from .dockersdk import EngineError, speaking
from .labels import RECIPE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from ...display.console import Console
    from ...model.recipe import Recipe
    from .dockersdk import ContainerEngine

    Events = Generator[Mapping[str, Any], None, None]

_PLATFORM = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+){0,2}")
_LABEL = re.compile(r"[^\s=\"'\x00-\x1f\x7f]+")
# what an export writes before the command that counts
_PREPARATIONS = re.compile(r"^RUN (?:--\S+ )+(?:export \w+=\S+ && )?")
_WANTS_LOGIN = re.compile("no basic auth|authentication required|denied|unauthorized", re.I)
_FULL = re.compile("no space left on device|disk quota exceeded", re.I)
_ERROR = re.compile(
    r"\berror\b|^E: |no matching distribution|unable to locate|nothing provides|not found"
    r"|does not exist|PackagesNotFound|conflict|no candidate|unsatisfiable",
    re.I,
)
_SHOWN_LINES = 15
_LONGEST_SECRET = 60_000  # bytes, which fit into one window of HTTP/2


class BuildFailed(JStackMagicError):
    """A build ended with an error; the problem carries its last lines."""

    step: BuildStep | None = (
        None  #: the instruction that failed; None if the build did not get that far
    )


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The options of a build."""

    tag: Reference
    dockerfile: str = "Dockerfile"  #: the Dockerfile's name in its folder
    builder: Builder | None = None  #: None for BuildKit if the engine offers it
    platform: str = ""  #: ``linux/arm64``, say; empty for the engine's own
    no_cache: bool = False  #: take nothing from earlier builds
    labels: Mapping[str, str] = field(default_factory=dict)
    #: build secrets, by id; they reach the instructions that mount them and no layer
    secrets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was built."""

    tag: str
    image_id: str
    size: int  #: bytes, its base included
    seconds: float  #: the duration
    builder: Builder | None  #: its builder; None if it had been built before
    steps: int  #: the number of instructions
    cached: int  #: the number of those from an earlier build


def build(engine: ContainerEngine, folder: Path, asked: BuildOptions, *, console: Console) -> Built:
    """Build a folder's Dockerfile, and show its progress.

    Args:
        folder: The context: the Dockerfile and all that it copies, without what its
            ``.dockerignore`` names.

    Raises:
        BuildFailed: An instruction failed.
        EngineError: The engine refused, or went away.
        Interrupted: The user interrupted it.
        UsageError: A platform, label or secret is invalid, or this builder does not support it.
    """
    builder = builder_of(engine, asked.builder)
    _check(asked, builder)
    started = time.monotonic()
    console.say(f"Building {asked.tag} …")
    log, progress = BuildLog(), StepLines(console)
    kept = f"No image was made; {asked.tag} is what it was."
    try:
        with speaking(f"{asked.tag} could not be built", kept=kept):
            send = _buildkit if builder == "buildkit" else _classic
            with closing(send(engine, folder, asked)) as events:
                for event in events:
                    progress.show(log.take(event, time.monotonic()))
            progress.show(log.close(time.monotonic()))
            if log.error:
                raise _failure(log, asked.tag, kept)
        with speaking(f"{asked.tag} was built, but cannot be looked at"):
            image = engine.client.api.inspect_image(str(asked.tag))
    except KeyboardInterrupt:
        raise Interrupted("The build was interrupted.", kept=kept) from None
    finally:
        progress.close()
    return Built(
        tag=str(asked.tag),
        image_id=image["Id"],
        size=image["Size"],
        seconds=time.monotonic() - started,
        builder=builder,
        steps=len(log.steps),
        cached=sum(step.cached for step in log.steps),
    )


def exists(engine: ContainerEngine, image: str) -> bool:
    """Return whether the engine has an image of a name.

    Raises:
        EngineError: The engine cannot be asked.
    """
    from docker.errors import ImageNotFound

    with speaking(f"{image} cannot be looked for"):
        try:
            engine.client.api.inspect_image(image)
        except ImageNotFound:
            return False
    return True


def named_image(engine: ContainerEngine, image: str, action: str = "prove") -> str:
    """Return the name of an image that the engine has.

    Raises:
        UsageError: It has none of that name; the error names those that are spelt like it.
        EngineError: The engine cannot be asked.
    """
    from difflib import get_close_matches

    if exists(engine, image):
        return image
    with speaking("The images cannot be listed"):
        tags = [tag for each in engine.client.api.images() for tag in each["RepoTags"] or ()]
    near = get_close_matches(image, tags, n=3, cutoff=0.8)
    raise UsageError(
        f"There is no image {image}.",
        advice=(
            *(f"Did you mean: %envimage {action} {name}" for name in near),
            f"Build it first: %envimage build {image}",
        ),
    )


def built_before(
    engine: ContainerEngine, tag: Reference, labels: Mapping[str, str]
) -> Built | None:
    """Return the image of a name if it was built from the same recipe; None without one.

    Raises:
        EngineError: The engine cannot be asked.
    """
    if not exists(engine, str(tag)):
        return None
    with speaking(f"{tag} cannot be looked at"):
        image = engine.client.api.inspect_image(str(tag))
    if (image["Config"].get("Labels") or {}).get(RECIPE) != labels[RECIPE]:
        return None
    return Built(str(tag), image["Id"], image["Size"], 0.0, None, 0, 0)


def fetch(engine: ContainerEngine, image: str, *, console: Console) -> None:
    """Have the engine pull an image that it does not have.

    Raises:
        EngineError: It cannot be pulled.
    """
    if exists(engine, image):
        return
    console.say(f"Pulling {image} …")
    with speaking(f"{image} could not be pulled", kept="Nothing was built."):
        for event in engine.client.api.pull(image, stream=True, decode=True):
            _raise_error(event)


def push(engine: ContainerEngine, tag: Reference, *, console: Console) -> str:
    """Push an image to its registry with the stored login; return its digest.

    Raises:
        EngineError: The registry refused.
    """
    digest, kept = "", "The image is here all the same."
    console.say(f"Pushing {tag} …")
    try:
        with speaking(f"{tag} could not be pushed", kept=kept):
            for event in engine.client.api.push(tag.name, tag=tag.tag, stream=True, decode=True):
                _raise_error(event)
                digest = (event.get("aux") or {}).get("Digest") or digest
    except EngineError as error:
        if not _WANTS_LOGIN.search(error.problem):
            raise
        advice = f"Log in, as the user of this kernel: docker login {tag.registry}".rstrip()
        raise EngineError(error.problem, kept=kept, advice=advice) from error
    return digest


def _raise_error(event: Mapping[str, Any]) -> None:
    from docker.errors import DockerException

    if "error" in event:
        raise DockerException(str(event["error"]))


def blame(recipe: Recipe, step: BuildStep | None) -> str:
    """Return a sentence on the specs that a failed instruction failed at; empty if none.

    They are those in its last lines, or if there are none, all that the instruction installs.
    """
    if step is None:
        return ""
    items = [
        item
        for one in recipe.steps
        for item in one.install
        if item.name and _names(step.instruction, item.name)
    ]
    last = step.lines[-_SHOWN_LINES:]
    if any(_FULL.search(line) for line in last):
        return (
            "The disk that the engine builds on is full; what was to be installed is not to blame."
        )
    # a manager names all that it collects, and in its errors what it cannot have
    errors = [line for line in last if _ERROR.search(line)]
    guilty = next(
        (
            found
            for lines in (errors, last)
            if (found := [item for item in items if _names("\n".join(lines), item.name)])
        ),
        [],
    )
    specs = ", ".join(dict.fromkeys(item.text for item in guilty or items))
    if not specs:
        return ""
    return f"It fell over: {specs}" if guilty else f"That step was to install: {specs}"


def _names(text: str, name: str) -> bool:
    """Return whether a text has a package's name as a word, in any spelling."""
    spelt = r"[-_.]+".join(re.escape(part) for part in re.split(r"[-_.]+", name))
    return re.search(rf"(?<![\w.-]){spelt}(?![\w-])", text, re.IGNORECASE) is not None


# The two builders


def builder_of(engine: ContainerEngine, asked: Builder | None) -> Builder:
    """Return the requested builder, or BuildKit if the engine offers it.

    Raises:
        UsageError: The engine does not offer it.
    """
    if asked == "buildkit" and not engine.offers_buildkit:
        raise UsageError(
            f"This engine ({engine.name} {engine.version}) does not offer BuildKit.",
            kept="Nothing was built.",
            advice="With what it has: --builder classic",
        )
    return asked or ("buildkit" if engine.offers_buildkit else "classic")


def _check(asked: BuildOptions, builder: Builder) -> None:
    kept = "Nothing was built."
    if asked.platform and not _PLATFORM.fullmatch(asked.platform):
        raise UsageError(
            f"{asked.platform!r} is not a platform.", kept=kept, advice="Such as linux/arm64"
        )
    for key in asked.labels:
        if not _LABEL.fullmatch(key):
            raise UsageError(
                f"{key!r} is not a label's name.", kept=kept, advice="--label org.example.team=lab"
            )
    if asked.secrets and builder == "classic":
        raise UsageError(
            "Only BuildKit passes secrets to a build; the classic builder would keep them.",
            kept=kept,
            advice="--builder buildkit, where the engine offers it",
        )
    long = [name for name, content in asked.secrets.items() if len(content) > _LONGEST_SECRET]
    if long:
        raise UsageError(f"The secret {long[0]} is longer than 60,000 bytes.", kept=kept)


def _classic(engine: ContainerEngine, folder: Path, asked: BuildOptions) -> Events:
    with _context(folder, asked) as context:
        yield from engine.client.api.build(
            fileobj=context,
            custom_context=True,
            encoding="gzip",
            tag=str(asked.tag),
            dockerfile=asked.dockerfile,
            nocache=asked.no_cache,
            platform=asked.platform or None,
            labels=dict(asked.labels),
            rm=True,
            forcerm=True,
            decode=True,
        )


def _buildkit(engine: ContainerEngine, folder: Path, asked: BuildOptions) -> Events:
    """BuildKit by the engine's own API: the SDK knows the classic builder only."""
    from .secretserver import SecretsSession

    api = engine.client.api
    params = {
        "version": "2",
        "t": str(asked.tag),
        "dockerfile": asked.dockerfile,
        "nocache": "1" if asked.no_cache else "",
        "platform": asked.platform,
        "labels": json.dumps(dict(asked.labels)),
    }
    with (
        _context(folder, asked) as context,
        SecretsSession(engine, asked.secrets) if asked.secrets else nullcontext() as session,
    ):
        if session is not None:
            params["session"] = session.id
        response = api.post(
            f"{api.base_url}/v{api.api_version}/build",
            params=params,
            data=context,
            headers={"Content-Type": "application/x-tar", "Content-Encoding": "gzip"},
            stream=True,
            timeout=api.timeout,
        )
        with response:
            api._raise_for_status(response)
            for line in response.iter_lines(chunk_size=None):
                if line:
                    yield json.loads(line)


def _context(folder: Path, asked: BuildOptions) -> Any:
    """Return the folder as a compressed archive in a temporary file."""
    from docker.utils import tar

    ignored = []
    if (folder / ".dockerignore").is_file():
        lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
        ignored = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
    return tar(os.fspath(folder), exclude=ignored, dockerfile=(asked.dockerfile, None), gzip=True)


# What is shown


class StepLines:
    """Show a line per step; if a line can be overwritten, also its last line of output."""

    _WIDTH = 100
    _PAUSE = 0.25  # seconds between two states of a line: a notebook keeps what it is sent

    def __init__(self, console: Console) -> None:
        self._write = console.write
        self._live = console.live
        self._open: BuildStep | None = None
        self._last = ""
        self._drawn = 0.0

    def show(self, touched: Iterable[BuildStep]) -> None:
        """Show the steps that began or ended, and how the one that runs goes on."""
        for step in touched:
            if step.seconds is None:
                self._begin(step)
            else:
                self._end(step)
        running = self._open
        if not self._live or running is None or time.monotonic() < self._drawn + self._PAUSE:
            return
        if running.lines:
            self._write_over(f"{_title(running)}  {running.lines[-1]}")

    def close(self) -> None:
        """End the line that is open."""
        if self._open is not None:
            self._write("\n")
            self._open = None

    def _begin(self, step: BuildStep) -> None:
        self.close()
        self._open, self._last = step, ""
        self._write(_title(step))

    def _end(self, step: BuildStep) -> None:
        if self._open is not step:
            self._begin(step)
        if self._live and self._last:
            self._write_over(_title(step))
        took = "cached" if step.cached else f"{step.seconds or 0:.1f} s"
        self._write(f"  {took}\n")
        self._open = None

    def _write_over(self, text: str) -> None:
        shown = mask(text)[: self._WIDTH]
        if shown != self._last:
            self._write(f"\r{shown.ljust(len(self._last))}")
            if len(shown) < len(self._last):  # the end of the line stands after its last letter
                self._write(f"\r{shown}")
            self._last = shown
        self._drawn = time.monotonic()


def _title(step: BuildStep) -> str:
    return f"{step.number:2}/{step.total} {_shown(step)}"


def _shown(step: BuildStep) -> str:
    text = mask(" ".join(step.instruction.replace("\\\n", " ").split()))
    text = _PREPARATIONS.sub("RUN ", text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _failure(log: BuildLog, tag: Reference, kept: str) -> BuildFailed:
    step = log.failed
    where = f"; step {step.number} of {step.total} failed: {_shown(step)}" if step else "."
    lines = list(step.lines)[-_SHOWN_LINES:] if step else []
    if not any(log.error in line for line in lines):
        lines.append(log.error)
    text = "\n".join(f"  {mask(line)}" for line in lines)
    error = BuildFailed(f"{tag} could not be built{where}\n{text}", kept=kept)
    error.step = step
    return error
