"""Below the traceback of a failed import, in IPython: what to type.

The line becomes part of the traceback itself, so that it is where the user looks, and stays in
the saved notebook. If something else shows tracebacks (rich, a handler of the user's own), that
is left alone, and the line follows the cell.

``%load_ext jstackmagic`` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from ..model.packages import ManagerName
    from ..model.policy import Policy
    from .missing import Hint


class Hints:
    """Listen to one shell's errors. Nothing here raises into the user's cell."""

    def __init__(
        self, shell: InteractiveShell, mode: Callable[[], str], policy: Callable[[], Policy]
    ) -> None:
        self._shell = shell
        self._mode = mode
        self._policy = policy
        # one object: a bound method is a new one at every look
        self._wrapper = self._show
        self._plain = shell._showtraceback
        self._open = False
        self._last: tuple[BaseException, Hint] | None = None
        self._asked: set[str] = set()

    def open(self) -> None:
        """Begin."""
        self._open = True
        # ipykernel leaves the class's own method in the instance; any other comes from elsewhere
        if getattr(self._plain, "__func__", None) is type(self._shell)._showtraceback:
            self._shell._showtraceback = self._wrapper  # type: ignore[method-assign]
        self._shell.events.register("post_run_cell", self._after_cell)

    def close(self) -> None:
        """End; whoever wrapped the method after us keeps what he made."""
        self._open = False
        if vars(self._shell).get("_showtraceback") is self._wrapper:
            self._shell._showtraceback = self._plain  # type: ignore[method-assign]
        self._shell.events.unregister("post_run_cell", self._after_cell)

    def _show(self, etype: Any, evalue: Any, stb: Any) -> None:
        """Show a traceback as the shell does, with the line below.

        The shell formats tracebacks for other ends, too; this method is called for those that a
        user sees (IPython 8 and 9, and ipykernel's shell).
        """
        if self._open and isinstance(evalue, (ImportError, OSError)) and isinstance(stb, list):
            hint = self._hint(evalue)
            if hint is not None:
                self._last = (evalue, hint)
                stb = [*stb, "", *str(hint).split("\n")]
        self._plain(etype, evalue, stb)

    def _hint(self, error: BaseException) -> Hint | None:
        if self._mode() == "off":
            return None
        try:
            return self._explain(error)
        except Exception:  # a hint is never worth a second traceback
            return None

    def _explain(self, error: BaseException) -> Hint | None:
        from dataclasses import replace

        from ..model.policy import is_denied
        from ..model.spec import read
        from ..where.detect import is_conda_prefix
        from .missing import explain

        policy = self._policy()
        conda = "conda" in policy.managers and is_conda_prefix(sys.prefix)
        hint = explain(error, conda=conda)
        if hint is None or not hint.spec:
            return hint
        usual: ManagerName = "conda" if conda else "pip"
        manager: ManagerName = "apt" if hint.spec.startswith("apt:") else usual
        name = read(manager, hint.spec.strip("'").rpartition(":")[2]).name
        if is_denied(policy, manager, name):
            return replace(hint, text=f"{hint.text} It is not allowed here.", spec="")
        return hint

    def _after_cell(self, result: ExecutionResult | None = None) -> None:
        last, self._last = self._last, None
        error = None if result is None else result.error_in_exec or result.error_before_exec
        if not isinstance(error, (ImportError, OSError)):
            return
        if last is not None and last[0] is error:
            hint: Hint | None = last[1]
        else:  # other code showed the traceback
            hint = self._hint(error)
            if hint is not None:
                sys.stderr.write(f"{hint}\n")
                sys.stderr.flush()
        if hint is not None and hint.spec and hint.module not in self._asked:
            self._act(hint)

    def _act(self, hint: Hint) -> None:
        """Install, if the user wants that automatically or says yes now."""
        from ..model.errors import JStackMagicError

        mode = self._mode()
        if mode not in ("ask", "install") or (mode == "ask" and not _has_terminal(self._shell)):
            return
        self._asked.add(hint.module)  # once: what did not help will not help again
        if mode == "ask":
            from IPython.utils.io import ask_yes_no

            question = f"Run {hint.line} now? [y/N] "
            if not ask_yes_no(question, default="n", interrupt="n"):  # type: ignore[no-untyped-call]
                return
        try:
            self._shell.run_line_magic("envinstall", hint.spec)
        except JStackMagicError as error:
            sys.stderr.write(f"{error}\n")
        else:
            sys.stdout.write("Run the cell again.\n")


def _has_terminal(shell: InteractiveShell) -> bool:
    return getattr(shell, "kernel", None) is None and sys.stdin is not None and sys.stdin.isatty()


_hints: Hints | None = None


def start(
    shell: InteractiveShell, *, mode: Callable[[], str], policy: Callable[[], Policy]
) -> None:
    """Start to help with a shell's failed imports.

    Args:
        mode: Returns the mode: "hint", "ask", "install" or "off".
    """
    global _hints
    if _hints is None:
        _hints = Hints(shell, mode, policy)
        _hints.open()


def stop() -> None:
    """End what `start` began."""
    global _hints
    if _hints is not None:
        _hints.close()
        _hints = None
