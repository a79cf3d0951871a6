"""The notebook's surface: every verb of ``commands`` as ``%env<verb>``, found by looking."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from . import commands
from .capture import recorder
from .config import JStackMagic, connect, disconnect
from .hint import completion, hints
from .model.errors import JStackMagicError, UsageError
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from .display import Result
    from .sending.outbox import Outbox, Sender

_senders: list[Sender] = []


class Magic:
    """One verb as a magic: nothing of the verb is imported before it is called."""

    def __init__(self, shell: InteractiveShell, verb: str, session: Session) -> None:
        self.shell = shell
        self.verb = verb
        self.session = session
        self.__name__ = f"env{verb}"

    def __call__(self, line: str, cell: str | None = None) -> Result:
        """Run the verb on a magic's line, and its cell; display and return what it gives."""
        try:
            return self._run(line, cell)
        except JStackMagicError as error:
            error.coloured = self.shell.colors.lower() != "nocolor"
            raise
        except (Exception, KeyboardInterrupt) as error:
            from .commands._unexpected import unexpected

            raise unexpected(error) from None

    def _run(self, line: str, cell: str | None) -> Result:
        from .display.ipython import console
        from .model.parsing import split_words

        if cell is not None and self.verb != "install":
            raise UsageError(
                f"%%env{self.verb} takes no cell.",
                advice=f"Write it on one line: %env{self.verb} {line}".rstrip(),
            )
        with recorder.paused(), closing(console()) as shown:  # it keeps its own records
            session = self.session.now(cell=cell, notebook=_notebook(self.shell), shown=shown)
            result, as_json = commands.execute(self.verb, split_words(line), session)
            shown.result(result, as_json=as_json)
            for sentence in _news(session):
                shown.say(sentence)
        return result

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """The verb's help: what ``%envverb?`` shows."""
        return commands.parser(self.verb, magic=True).format_help()

    def getdoc(self) -> str:
        """Return what IPython's inspector asks for, in preference to ``__doc__``."""
        return self.__doc__


def _notebook(shell: InteractiveShell) -> str:
    """Return the notebook's path where VS Code gives it; elsewhere the environment has it."""
    return str(shell.user_ns.get("__vsc_ipynb_file__", ""))


def _outbox(session: Session) -> Outbox | None:
    """Return where records go from here; None without a service."""
    if not (url := session.policy.hub_url):
        return None
    from .sending.outbox import Outbox

    return Outbox(session.history.path, url)


def _news(session: Session) -> Sequence[str]:
    """Return what was decided on this user's requests since they last heard."""
    outbox = _outbox(session)
    return outbox.news() if outbox else ()


def _session(shell: InteractiveShell, settings: JStackMagic) -> Session:
    """Return the session of a shell, which each call takes a copy of."""

    def cells() -> list[str]:
        history: Any = shell.history_manager
        return [str(cell) for cell in history.input_hist_raw] if history is not None else []

    def set_exit_code(status: int) -> None:
        shell.user_ns["_exit_code"] = status

    return Session(
        magic=True,
        cells=cells,
        variables=lambda: shell.user_ns,
        on_exit_status=set_exit_code,
        settings=settings.policy,
    )


def register(shell: InteractiveShell) -> None:
    """Register every verb as a line and cell magic."""
    settings = connect(shell)
    session = _session(shell, settings)
    for verb in commands.names():
        shell.magics_manager.register_function(
            Magic(shell, verb, session), magic_kind="line_cell", magic_name=f"env{verb}"
        )

    def complete(verb: str, words: list[str], token: str, body: bool) -> list[str]:
        from .commands._complete import complete

        return complete(verb, words, token, session.now(), body=body)

    recorder.start(shell, settings, lambda: session.now().history)
    if settings.hub_url:  # not by the policy: it reads every setting, whose defaults then stay
        _start_sending(session)
    hints.start(shell, mode=lambda: str(settings.on_missing), policy=lambda: session.now().policy)
    completion.start(shell, complete)
    if getattr(shell, "kernel", None) is not None:
        from . import panel

        panel.start(shell, session.now)


def _start_sending(session: Session) -> None:
    """Send records in the background."""
    from .sending.outbox import Sender

    sender = Sender(lambda: _outbox(session.now()))
    sender.start()
    _senders.append(sender)


def unregister(shell: InteractiveShell) -> None:
    """Take out what ``register`` put in."""
    while _senders:
        _senders.pop().stop()
    from . import panel

    panel.stop()
    completion.stop(shell)
    hints.stop()
    recorder.stop(shell)
    disconnect(shell)
    registered: dict[str, dict[str, Any]] = shell.magics_manager.magics
    for kind in registered.values():
        for name in [name for name, magic in kind.items() if isinstance(magic, Magic)]:
            del kind[name]
