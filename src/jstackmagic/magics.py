"""The notebook's surface: every verb of ``commands`` as ``%env<verb>``, found by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import commands, completion
from .capture import live
from .config import connect, disconnect
from .hint import hints
from .model.errors import JStackMagicError, UsageError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .display import Result


class Magic:
    """One verb as a magic: nothing of the verb is imported before it is called."""

    def __init__(self, shell: InteractiveShell, verb: str) -> None:
        self.shell = shell
        self.verb = verb
        self.__name__ = f"env{verb}"

    def __call__(self, line: str, cell: str | None = None) -> Result:
        """Run the verb on a magic's line, and its cell; display and return what it gives."""
        try:
            return self._run(line, cell)
        except JStackMagicError as error:
            error.coloured = self.shell.colors.lower() != "nocolor"
            raise

    def _run(self, line: str, cell: str | None) -> Result:
        from .display.ipython import print_json, show, words
        from .model.parsing import split_words

        if cell is not None and self.verb != "install":
            raise UsageError(
                f"%%env{self.verb} takes no cell.",
                kept="Nothing was started.",
                advice=f"Write it on one line: %env{self.verb} {line}".rstrip(),
            )
        with live.paused(), words() as output:  # it keeps its own records
            session = commands.Session(
                magic=True,
                cell=cell,
                notebook=self._notebook(),
                output=output,
                cells=self._cells,
                on_exit_status=self._set_exit_code,
            )
            result, as_json = commands.execute(self.verb, split_words(line), session)
        if as_json:
            print_json(result)
        else:
            show(result)
        return result

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """The verb's help: what ``%envverb?`` shows."""
        return commands.parser(self.verb, magic=True).format_help()

    def getdoc(self) -> str:
        """What IPython's inspector asks for, in preference to ``__doc__``."""
        return self.__doc__

    def _set_exit_code(self, status: int) -> None:
        self.shell.user_ns["_exit_code"] = status

    def _cells(self) -> list[str]:
        """What was run in this session, as it was typed."""
        history: Any = self.shell.history_manager
        return [str(cell) for cell in history.input_hist_raw] if history is not None else []

    def _notebook(self) -> str:
        """The notebook's path as VS Code tells it; elsewhere the environment does."""
        return str(self.shell.user_ns.get("__vsc_ipynb_file__", ""))


def register(shell: InteractiveShell) -> None:
    """Register every verb as a line and cell magic."""
    for verb in commands.names():
        shell.magics_manager.register_function(
            Magic(shell, verb), magic_kind="line_cell", magic_name=f"env{verb}"
        )
    settings = connect(shell)
    live.start(shell, settings)
    hints.start(shell, settings)
    completion.start(shell)


def unregister(shell: InteractiveShell) -> None:
    """Take out what ``register`` put in."""
    completion.stop(shell)
    hints.stop()
    live.stop(shell)
    disconnect(shell)
    registered: dict[str, dict[str, Any]] = shell.magics_manager.magics
    for kind in registered.values():
        for name in [name for name, magic in kind.items() if isinstance(magic, Magic)]:
            del kind[name]
