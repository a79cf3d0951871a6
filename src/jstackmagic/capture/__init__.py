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
    from ..model.sources import Sources  # noqa: TC004


@dataclass(frozen=True, slots=True)
class Target:
    """The environment that a command line names; empty fields where it names none.

    What is known only at run time stays as typed: ``{sys.prefix}``, ``$HOME/env``.
    """

    name: str = ""  #: an environment's name: ``conda install -n NAME``, ``conda activate NAME``
    prefix: str = ""  #: a prefix: ``-p PREFIX``, that of ``PREFIX/bin/pip``
    kernel: str = ""  #: a kernelspec: ``%envinstall --kernel NAME``
    #: the word that chooses the Python or the conda executable: ``pip3.10``, ``{sys.executable}``,
    #: ``mamba``
    interpreter: str = ""
    made: bool = False  #: whether the command makes that environment (``conda create``)
    #: whether a list only suggests it: another environment is as good
    advised: bool = False
    root: str = ""  #: the conda whose environment has that name, if lines before it chose one


class Origin(NamedTuple):
    """The place that a line fetches something from."""

    url: str  #: a repository, or a file
    revision: str | None = ""  #: the repository's; None if known only at run time
    is_file: bool = False  #: whether it is a file that a program downloads


@dataclass(frozen=True, slots=True)
class Found:
    """One install or removal that was found in a text."""

    command: str  #: as typed; it may hold credentials
    line: int = 1  #: its first line, counted from 1
    #: the request; None if it was not understood. A conda list or ``environment.yml`` is one spec,
    #: ``--file PATH``: `lists.expand` reads it.
    request: Request | None = None
    target: Target = field(default_factory=Target)  #: the environment that the command names
    reason: str = ""  #: the reason why it is not understood
    #: where it gets its packages from, if only these are unknown
    sources: Sources | None = None
    #: a note for the reader: what the shell does with it and what was probably meant, or its
    #: options that no request can express
    note: str = ""
    ours: bool = False  #: whether it is a line of ours, which records itself
    unsaid: tuple[str, ...] = ()  #: its specs that name no manager; see `own.resolved`
    when: str = ""  #: the condition it runs under, and its alternatives; empty if it always runs
    #: the extras of a project's list that it requests; ``*`` is all of them
    extras: tuple[str, ...] = ()
    #: what lines before it cloned or downloaded, as `machine.Machine` has it
    fetched: tuple[tuple[str, Origin], ...] = ()
    #: the lists among its specs that lines before it wrote, with their texts; None for a text that
    #: is not known
    written: tuple[tuple[str, str | None], ...] = ()
    #: the folders that lines before it filled with wheels, and of what
    wheels: tuple[tuple[str, tuple[Found, ...]], ...] = ()
