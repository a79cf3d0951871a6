"""Build, commit, run and prove an image of what was installed, with the container engine.

Nothing else here uses the engine's socket: whoever has it is root on its host.

Examples:
    %envimage build analysis:2026-11        # from the history, on the image this container runs
    %envimage prove                         # whether the image holds exactly what is here
    %envimage prove analysis:2026-11 --deep
    %envimage prove --file Dockerfile       # whether this Dockerfile has drifted
    %envimage run analysis:2026-11          # a server from it, with the working folder in it
    %envimage list
    %envimage stop
    %envimage commit snapshot               # this container as it stands
    %envimage suggest                       # which of the Docker Stacks has it already
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

from ..export.dockerfile import STYLES
from ..image.engine.build import BUILDERS
from ..model.credentials import mask
from ..model.errors import ExportError, JStackMagicError, UsageError
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from ..display import Result
    from ..image.engine.build import Built
    from ..image.engine.client import Engine
    from ..model.reference import Reference
    from ..session import Session
    from ._image import BuiltImage, CommittedImage, Images, Proved, Running, Stopped, Suggestions
    from ._imagecontext import Context

SERVER_SECONDS = 90.0
"""How long a server may take to answer; JupyterLab's first start in a container is slow."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a thing to do."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    build = verbs.add_parser(
        "build", help="build the recipe", description=cleandoc(_build.__doc__ or "")
    )
    build.add_argument("tag", nargs="?", metavar="TAG", help="what to call it")
    _add_source(build)
    build.add_argument("--push", action="store_true", help="push it to its registry as well")

    prove = verbs.add_parser(
        "prove",
        help="compare an image with what is here",
        description=cleandoc(_prove.__doc__ or ""),
    )
    prove.add_argument("tag", nargs="?", metavar="TAG", help="the image; built if it is not there")
    _add_source(prove)
    prove.add_argument(
        "--deep", action="store_true", help="compare files' contents and import what was added, too"
    )
    add_target(prove)

    commit = verbs.add_parser(
        "commit",
        help="make an image of this container",
        description=cleandoc(_commit.__doc__ or ""),
    )
    commit.add_argument("tag", metavar="TAG", help="what to call it")
    commit.add_argument("--clean", action="store_true", help="empty the managers' caches first")

    run_ = verbs.add_parser("run", help="start a server", description=cleandoc(_run.__doc__ or ""))
    run_.add_argument("tag", nargs="?", metavar="TAG", help="the image (default: this history's)")
    run_.add_argument(
        "-v", "--work", metavar="FOLDER", default=".", help="to mount (default: the working folder)"
    )
    run_.add_argument("--no-work", action="store_true", help="mount nothing")
    run_.add_argument("--grant-sudo", action="store_true", help="let its user use sudo")
    run_.add_argument("--public", action="store_true", help="let other machines reach it")

    list_ = verbs.add_parser(
        "list", help="the images and the servers", description=cleandoc(_list.__doc__ or "")
    )
    list_.add_argument("--all", action="store_true", help="those of other histories as well")

    stop = verbs.add_parser("stop", help="stop servers", description=cleandoc(_stop.__doc__ or ""))
    stop.add_argument("names", nargs="*", metavar="NAME", help="which (default: this history's)")
    stop.add_argument("--all", action="store_true", help="those of other histories as well")

    suggest = verbs.add_parser(
        "suggest",
        help="which of the Docker Stacks has it already",
        description=cleandoc(_suggest.__doc__ or ""),
    )
    suggest.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Declare what is built, and how."""
    parser.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")
    parser.add_argument("--style", choices=STYLES, help="the Dockerfile's pattern")
    parser.add_argument(
        "-f", "--file", metavar="DOCKERFILE", help="build this one, in its folder, as it stands"
    )
    parser.add_argument(
        "--builder", choices=BUILDERS, help="default: BuildKit, where it is offered"
    )
    parser.add_argument("--platform", default="", metavar="OS/ARCH", help="such as linux/arm64")
    parser.add_argument("--no-cache", action="store_true", help="take nothing of earlier builds")
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="to put on the image"
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="id=ID,src=FILE|env=NAME",
        help="a build secret: a private index, say",
    )


def run(args: argparse.Namespace, session: Session) -> Result:
    """Do what was asked for."""
    actions = {
        "build": _build,
        "prove": _prove,
        "commit": _commit,
        "run": _run,
        "list": _list,
        "stop": _stop,
        "suggest": _suggest,
    }
    return actions[args.action](args, session)


# Build and prove


def _build(args: argparse.Namespace, session: Session) -> BuiltImage:
    """Build the recipe, the net of the history, on the image that this container runs.

    Without a TAG it is called after the history. Nothing is sent anywhere without --push.
    """
    from ..history.built import note_image
    from ..image.engine.build import push
    from ..model.reference import parse_tag
    from ._image import BuiltImage

    tag = parse_tag(args.tag) if args.tag else None
    _check_file(args)
    with _engine(args, session) as engine, _context(args, engine, session) as context:
        built = _build_context(args, session, engine, context, tag)
        digest = ""
        if args.push:
            digest = push(engine, parse_tag(built.tag), console=session.console)
    if not args.file:
        note_image(
            f"{parse_tag(built.tag).name}@{digest}" if digest else built.tag, session.history
        )
    return BuiltImage(built=built, base=context.base, digest=digest, notes=context.notes)


def _prove(args: argparse.Namespace, session: Session) -> Proved:
    """Say whether an image holds exactly what is here: conda's, pip's and Debian's packages.

    Without a TAG, the image of this history is built first. Read are the image's files; nothing of
    ours is needed in it. Inside a container every environment counts, and the Debian packages;
    outside, the environment of this process, or the target. The exit status is 1 where anything
    differs or could not be read.
    """
    from ..image.engine.build import exists
    from ..image.prove.compare import Here, everything_here, prove
    from ..model.reference import parse, parse_tag
    from ._image import Proved

    if args.tag:
        parse(args.tag)
    _check_file(args)
    is_said = args.name or args.prefix or args.kernel or args.all_kernels
    here = Here(targets(args), whole=False) if is_said else everything_here()
    records = session.history.records()
    with _engine(args, session) as engine:
        image, built = args.tag, None
        if args.file or not (args.tag and exists(engine, args.tag)):
            tag = parse_tag(args.tag) if args.tag else None
            with _context(args, engine, session) as context:
                # of a Dockerfile that was given nobody knows whether it is what was built before
                again = tag or args.file or args.no_cache
                built = None if again else _existing(engine, context)
                built = built or _build_context(args, session, engine, context, tag)
            image = built.tag
        proof = prove(engine, image, here, records, deep=args.deep, console=session.console)
    return Proved(proof)


def _check_file(args: argparse.Namespace) -> None:
    if args.file and not os.path.isfile(os.path.expanduser(args.file)):
        raise UsageError(f"There is no file {args.file}.", kept="Nothing was built.")


def _build_context(
    args: argparse.Namespace,
    session: Session,
    engine: Engine,
    context: Context,
    tag: Reference | None,
) -> Built:
    from ..image.engine.build import Asked, BuildFailed, blame, build, fetch

    if context.base and not args.platform:
        fetch(engine, context.base, console=session.console)
    asked = Asked(
        tag=tag or context.default_tag,
        dockerfile=context.dockerfile,
        builder=args.builder,
        platform=args.platform,
        no_cache=args.no_cache,
        labels={**context.labels, **_pairs(args.label)},
        secrets=_all_secrets(context, _secrets(args.secret)),
    )
    try:
        return build(engine, context.folder, asked, console=session.console)
    except BuildFailed as error:
        advice = blame(context.recipe, error.step) or ()
        raise BuildFailed(error.problem, kept=error.kept, advice=advice) from error


def _existing(engine: Engine, context: Context) -> Built | None:
    """The image that was built of this very recipe, if there is one."""
    from ..image.engine.build import built_before

    return built_before(engine, context.default_tag, context.labels)


def _pairs(words: list[str]) -> Mapping[str, str]:
    pairs = [word.partition("=") for word in words]
    wrong = [name for name, equals, _ in pairs if not equals]
    if wrong:
        raise UsageError(
            f"The label {wrong[0]} has no value.",
            kept="Nothing was built.",
            advice=f"--label {wrong[0]}=VALUE",
        )
    return {name: value for name, _, value in pairs}


def _secrets(words: list[str]) -> Mapping[str, bytes]:
    """Build secrets as ``docker build --secret`` takes them."""
    found: dict[str, bytes] = {}
    for word in words:
        said = dict(part.partition("=")[::2] for part in word.split(","))
        name, file, variable = said.get("id", ""), said.get("src"), said.get("env")
        if not name or (file is None) == (variable is None):
            raise UsageError(
                f"{word!r} is no build secret.",
                kept="Nothing was built.",
                advice="--secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE",
            )
        try:
            content = (
                os.environb[variable.encode()]
                if variable is not None
                else Path(file or "").expanduser().read_bytes()
            )
        except (KeyError, OSError) as error:
            raise UsageError(
                f"The secret {name} cannot be read: {error}.", kept="Nothing was built."
            ) from None
        found[name] = content
    return found


def _all_secrets(context: Context, given: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """What was given, and what the Dockerfile asks for besides: this kernel's settings have it.

    Raises:
        UsageError: A secret is in neither.
    """
    missing = {key: text for key, text in context.secrets.items() if key not in given}
    found = {mask(url): url for url in _configured_urls()} if missing else {}
    unknown = [key for key, text in missing.items() if text not in found]
    if unknown:
        raise UsageError(
            f"The build needs {missing[unknown[0]]} with the credential for ****, which was never"
            " recorded.",
            kept="Nothing was built.",
            advice=tuple(f"--secret id={key},src=FILE, which holds that" for key in unknown),
        )
    return {**given, **{key: found[text].encode() for key, text in missing.items()}}


def _configured_urls() -> Iterator[str]:
    """The indexes and channels that pip's variables and conda's settings name here."""
    from ..where.environment import detect

    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        yield from os.environ.get(variable, "").split()
    for channel in detect().channels:
        yield channel.channel


@contextlib.contextmanager
def _engine(args: argparse.Namespace, session: Session) -> Iterator[Engine]:
    """The engine; where none is in reach, the folder to build elsewhere is written instead."""
    from ..image.engine.client import NoEngine, connect

    try:
        engine = connect()
    except NoEngine as error:
        raise _without_engine(args, error, session) from None
    with contextlib.closing(engine):
        yield engine


def _without_engine(
    args: argparse.Namespace, error: JStackMagicError, session: Session
) -> JStackMagicError:
    from ..image.engine.client import NoEngine
    from ._imagecontext import FOLDER, write

    tag = getattr(args, "tag", None) or "TAG"
    if getattr(args, "file", None):
        folder = os.path.dirname(args.file) or "."
        elsewhere = f"Build it where an engine is: docker build --tag {tag} -f {args.file} {folder}"
        return NoEngine(error.problem, kept=error.kept, advice=(elsewhere, *error.advice))
    try:
        write(Path(FOLDER), args, session.history)
    except ExportError as reason:
        kept = f"The folder to build elsewhere was not written: {reason.problem}"
        return NoEngine(error.problem, kept=kept, advice=(*reason.advice, *error.advice))
    return NoEngine(
        error.problem,
        kept=f"All that a build needs was written to {Path(FOLDER).resolve()}.",
        advice=(
            f"Take that folder to where an engine is: docker build --tag {tag} {FOLDER}",
            *error.advice,
        ),
    )


def _context(
    args: argparse.Namespace, engine: Engine, session: Session
) -> contextlib.AbstractContextManager[Context]:
    from ._imagecontext import given, rendered

    if args.file:
        return given(args.file, session.history)
    return rendered(args, engine, session.history)


# The other things to do


def _commit(args: argparse.Namespace, session: Session) -> CommittedImage:
    """Make an image of this container as it stands, and say what that carries along.

    It is the quick way, and nobody can tell later what is in it; build is the lasting one.
    """
    from datetime import datetime, timezone

    from ..image.engine.commit import commit
    from ..image.engine.container import base_of, this_container
    from ..image.engine.labels import labels
    from ..image.prove.compare import everything_here
    from ..model.reference import parse_tag
    from ..where.host import look
    from ._image import CommittedImage

    tag = parse_tag(args.tag)
    with _engine(args, session) as engine:
        container = this_container(engine, look())
        if container is None:
            raise UsageError(
                "This is no container of the engine's, so that there is nothing to commit.",
                kept="Nothing was started.",
                advice=f"Build an image instead: %envimage build {tag}",
            )
        base = base_of(engine, container)
        history = session.history
        session.console.say(f"Committing {container.name} …")
        committed = commit(
            engine,
            container,
            tag,
            prefixes=[each.prefix for each in everything_here().environments],
            labels=labels(
                recipe="",
                records=history.records(),
                base=base.reference,
                base_digest=base.digest,
                now=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            ),
            history=history.content(),
            clean=args.clean,
        )
    return CommittedImage(committed)


def _run(args: argparse.Namespace, session: Session) -> Running:
    """Start a server from an image, wait until it answers, and give its URL with the token.

    The folder is mounted where the image has its work; without --public only the engine's own
    machine can reach the server.
    """
    from ..history.built import history_id
    from ..image.engine.serve import Wanted, start, wait
    from ..model.reference import parse
    from ._image import Running

    if args.tag:
        parse(args.tag)
    with _engine(args, session) as engine:
        image = args.tag or _own_image(engine, session)
        work, notes = ("", []) if args.no_work else _on_host(engine, args.work)
        session.console.say(f"Starting {image} …")
        wanted = Wanted(
            image,
            work=work,
            grant_sudo=args.grant_sudo,
            public=args.public,
            history=history_id(session.history.records()),
        )
        server = wait(engine, start(engine, wanted), seconds=SERVER_SECONDS)
    return Running(server=server, work=work, notes=tuple(notes))


def _own_image(engine: Engine, session: Session) -> str:
    """The latest image that was made from this history."""
    from ..history.built import history_id
    from ..image.engine.serve import images

    own = history_id(session.history.records())
    found = [image for image in images(engine) if own and image.history == own and image.tags]
    if not found:
        raise UsageError(
            "No image was made from this history yet.",
            kept="No server was started.",
            advice=("Build it: %envimage build", "Or name one: %envimage run TAG"),
        )
    # one that was built is of that history alone, a commit is not
    return next((image for image in found if image.recipe), found[0]).tags[0]


def _on_host(engine: Engine, folder: str) -> tuple[str, list[str]]:
    """Where a folder lies on the engine's host, and what to say of it."""
    from ..image.engine.container import this_container
    from ..where.host import look

    path = os.path.realpath(os.path.expanduser(folder))
    if not os.path.isdir(path):
        raise UsageError(f"There is no folder {path}.", kept="No server was started.")
    host = look()
    if host.runtime is None:
        return path, []
    container = this_container(engine, host)
    place = container.on_host(path) if container else None
    if place is None:
        note = f"{path} lies in this container alone, where no other can mount it: it has no work."
        return "", [note]
    return place, []


def _list(args: argparse.Namespace, session: Session) -> Images:
    """The images that were made from this history, and the servers that it started."""
    from ..history.built import history_id
    from ..image.engine.client import connect
    from ..image.engine.serve import images, servers
    from ._image import Images

    own = history_id(session.history.records())
    with contextlib.closing(connect()) as engine:
        found = Images(images=images(engine), servers=servers(engine), history=own)
    if args.all:
        return found
    return replace(
        found,
        images=tuple(each for each in found.images if each.history == own and each.tags),
        servers=tuple(each for each in found.servers if each.history == own),
    )


def _stop(args: argparse.Namespace, session: Session) -> Stopped:
    """Stop the servers that were started here, and take their containers away."""
    from ..history.built import history_id
    from ..image.engine.client import connect
    from ..image.engine.serve import stop
    from ._image import Stopped

    with contextlib.closing(connect()) as engine:
        own = None if args.all else history_id(session.history.records())
        return Stopped(stop(engine, args.names, history=own, console=session.console))


def _suggest(args: argparse.Namespace, session: Session) -> Suggestions:
    """Say which of the Docker Stacks has what was installed already. No engine is asked."""
    from ..model.ledger import fold
    from ..where.host import look
    from ._suggest import likely_image, suggestions

    records = session.history.records()
    image = args.base_image or look().image or likely_image(records)
    return suggestions(image, fold(records))
