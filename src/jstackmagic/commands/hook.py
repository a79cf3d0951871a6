"""Bring everything back when a server starts: a start-up hook for the Docker Stacks and others.

Examples:
    %envhook install                   # as root, in the image: RUN jstackmagic hook install
    %envhook install --folder PATH     # another folder of start-up hooks
    %envhook install --snippet FILE    # lines for an image's or a hub's own start-up script
    %envhook install --keep            # also keep the archives in the home volume, for no network
    %envhook remove
    %envhook run                       # what the hook does
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display import Code, Part, Result, Text
from ..io.files import write_file
from ..model.errors import JStackMagicError, Stopped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..history.file import History
    from ..model.environment import Environment
    from ..session import Session

FOLDER = Path("/usr/local/bin/before-notebook.d")
"""Where the Docker Stacks look for what is to run before the server (``run-hooks.sh``)."""

_NAME = "50-jstackmagic"
"""Without ``.sh``: that they would source, and run this as a program of its own."""

_SECONDS = 20
"""How long a server's start may have to wait for us; the replay itself it does not wait for."""

_MARK = "# Written by jstackmagic hook install; jstackmagic hook remove takes it out."

_SCRIPT = """\
{mark}
# Notes what the image brought, and brings back in the background what the home volume's history
# says. Whatever happens here, the server starts.
(
    set -- {python} -m jstackmagic hook run{options}
    if [ "$(id -u)" = 0 ] && [ "${{NB_USER:-root}}" != root ]; then
        set -- sudo --preserve-env --set-home --user "${{NB_USER}}" "PATH=${{PATH}}" "$@"
    fi
    if command -v timeout; then
        set -- timeout -k 2 {seconds} "$@"
    fi
    "$@"
) </dev/null >/dev/null 2>&1 || true
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command each."""
    verbs = parser.add_subparsers(dest="what", metavar="install|remove|run", required=True)
    for name in ("install", "remove", "run"):
        one = verbs.add_parser(name)
        if name != "run":
            one.add_argument("--folder", metavar="PATH", help=f"of hooks; {FOLDER} if not said")
        if name != "remove":
            one.add_argument(
                "--keep", action="store_true", help="have the replay keep all packages' archives"
            )
        if name == "install":
            one.add_argument(
                "--snippet", metavar="FILE", help="write the lines to a file of their own instead"
            )


def run(args: argparse.Namespace, session: Session) -> HookResult:
    """Install it, take it out, or do what it does."""
    if args.what == "run":
        return HookResult(tuple(_run(session, keep=args.keep)))
    folder = Path(args.folder).expanduser() if args.folder else FOLDER
    if args.what == "remove":
        return _remove(folder / _NAME)
    if args.snippet:
        path = Path(args.snippet).expanduser()
        _write(path, script(keep=args.keep), mode=0o644)
        return HookResult((f"Wrote {path}. Have the start-up script read it: . {path}",))
    if not args.folder and not folder.is_dir():
        return HookResult((_ELSEWHERE,), snippet=script(keep=args.keep))
    _write(folder / _NAME, f"#!/bin/sh\n{script(keep=args.keep)}", mode=0o755)
    return HookResult((f"Wrote {folder / _NAME}: every server that starts from now on runs it.",))


_ELSEWHERE = (
    f"There is no {FOLDER} here: this is no image of the Docker Stacks. Put these lines where the "
    "server is started from, before that; for JupyterHub, into the script that starts the "
    "single-user server, or its lifecycle's postStart."
)


def script(*, keep: bool = False) -> str:
    """The lines for a shell: POSIX, and always successful."""
    return _SCRIPT.format(
        mark=_MARK,
        python=shlex.quote(sys.executable),
        options=" --keep" if keep else "",
        seconds=_SECONDS,
    )


def _write(path: Path, text: str, *, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text, mode=mode)
    except OSError as error:
        raise Stopped(
            f"{path} cannot be written: {error.strerror}.",
            kept="Nothing was installed.",
            advice=(
                "It belongs into the image. In its Dockerfile, as root:",
                "RUN jstackmagic hook install",
            ),
        ) from None


def _remove(path: Path) -> HookResult:
    try:
        if _MARK not in path.read_text(encoding="utf-8"):
            raise Stopped(f"{path} is not ours.", kept="It was left as it is.")
        path.unlink()
    except FileNotFoundError:
        return HookResult((f"There is no {path}.",))
    except OSError as error:
        raise Stopped(f"{path} cannot be removed: {error.strerror}.") from None
    return HookResult((f"Removed {path}.",))


# What it does


def _run(session: Session, *, keep: bool) -> list[str]:
    """Note the baseline, then start the replay, which would change it; no error stops a server."""
    from ..where.baseline import take_snapshot

    said = []
    try:
        new = take_snapshot(_environments())
        said.append("What the image brought is noted." if new else "It was noted before.")
    except Exception as error:
        said.append(f"What the image brought cannot be noted: {_reason(error)}")
    try:
        said.append(_start_replay(session.history, keep=keep))
    except Exception as error:
        said.append(f"The replay cannot be started: {_reason(error)}")
    return said


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (JStackMagicError, OSError)) else repr(error)


def _environments() -> list[Environment]:
    """Those a kernel or a conda name stands for, and the one that we run in ourselves."""
    from ..where import environment, kernels

    found = [environment.detect()]
    found += [each.environment for each in kernels.environments()]
    for name in environment.known_names():
        with suppress(JStackMagicError):  # a name of several environments
            found.append(environment.find(name=name))
    return list({each.prefix: each for each in found}.values())


def _start_replay(history: History, *, keep: bool) -> str:
    """Replay in a process that outlives us and is nobody's to wait for."""
    import subprocess

    from ..io.runtime import own_runtime_folder

    if not history.path.exists():
        return "There is no history to replay yet."
    log = own_runtime_folder() / "replay.log"
    command = [sys.executable, "-m", "jstackmagic", "replay", "--log", str(log)]
    command += ["--keep"] if keep else []
    with log.open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=os.path.expanduser("~"),
        )
    return f"The history {history.path} is being replayed; {log} tells more."


@dataclass(frozen=True, repr=False)
class HookResult(Result):
    """The steps that were done, a sentence each.

    Attributes:
        sentences: What was done.
        snippet: Lines for a start-up script; empty where they were written to a file.
    """

    sentences: tuple[str, ...]
    snippet: str = ""

    def summary(self) -> str:
        """The first of them."""
        return self.sentences[0]

    def parts(self) -> Sequence[Part]:
        """The sentences, and the lines to copy."""
        return [
            *(Text(sentence) for sentence in self.sentences),
            *([Code(self.snippet)] if self.snippet else []),
        ]

    def to_json(self) -> Any:
        """The sentences and the lines."""
        return {"sentences": list(self.sentences), "snippet": self.snippet}
