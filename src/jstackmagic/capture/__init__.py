"""Installs made without us, read from command lines, cells and notebook files.

``shell`` reads shell text; ``argv`` and the ``*_tools`` read calls of package managers;
``lines`` follows a command line through its wrappers; ``source``, ``calls`` and ``cells`` read
IPython's and Python's ways to run one; ``notebooks``, ``files`` and ``lists`` read files. All but
the last three are pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    # a find is never read back from JSON, so nothing resolves this at run time, and every
    # %load_ext would pay for it
    from ..model.request import Request  # noqa: TC004


@dataclass(frozen=True, slots=True)
class Target:
    """The environment that a command line names; empty fields where it names none.

    What is known only at run time stays as typed: ``{sys.prefix}``, ``$HOME/env``.

    Attributes:
        name: An environment's name: ``conda install -n NAME``, ``conda activate NAME``.
        prefix: A prefix: ``-p PREFIX``, that of ``PREFIX/bin/pip``.
        interpreter: The word that chooses the Python or the conda executable: ``pip3.10``,
            ``{sys.executable}``, ``mamba``.
        kernel: A kernelspec: ``%envinstall --kernel NAME``.
        made: Whether the command makes that environment (``conda create``).
        root: The conda whose environment has that name, if lines before it chose one.
    """

    name: str = ""
    prefix: str = ""
    kernel: str = ""
    interpreter: str = ""
    made: bool = False
    root: str = ""


class Origin(NamedTuple):
    """The place that a line fetches something from.

    Attributes:
        url: A repository, or a file.
        revision: The repository's; None if known only at run time.
        is_file: Whether it is a file that a program downloads.
    """

    url: str
    revision: str | None = ""
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One install or removal that was found in a text.

    Attributes:
        command: As typed; it may hold credentials.
        line: Its first line, counted from 1.
        request: The request; None if it was not understood. A conda list or
            ``environment.yml`` is one spec, ``--file PATH``: `lists.expand` reads it.
        target: The environment that the command names.
        reason: The reason why it is not understood.
        note: A note for the reader: what the shell does with it and what was probably meant, or
            its options that no request can express.
        extras: The extras of a project's list that it requests; ``*`` is all of them.
        fetched: What lines before it cloned or downloaded, as `machine.Machine` has it.
        written: The lists among its specs that lines before it wrote, with their texts; None for
            a text that is not known.
    """

    command: str
    line: int = 1
    request: Request | None = None
    target: Target = field(default_factory=Target)
    reason: str = ""
    note: str = ""
    extras: tuple[str, ...] = ()
    fetched: tuple[tuple[str, Origin], ...] = ()
    written: tuple[tuple[str, str | None], ...] = ()
