"""The errors for users, each with what was left as it was and what to do next."""

from __future__ import annotations

from typing import Any

from .text import readable

NOTHING_CHANGED = "Nothing was changed."


class JStackMagicError(Exception):
    """An error that the user can fix: shown as a few lines, never as a Python traceback.

    Args:
        problem: What was wrong, one sentence.
        kept: What was left as it was, one sentence; empty if nothing was at stake. Without one it
            is `usual`, what holds for most errors of a kind.
        advice: What to type or do next, a line each.
    """

    exit_status = 1
    coloured = True  #: whether its name may be red; False if the user wants no colours
    usual = ""

    def __init__(
        self, problem: str, *, kept: str | None = None, advice: str | tuple[str, ...] = ()
    ) -> None:
        self.problem = _encodable(problem)
        super().__init__(self.problem)
        self.kept = self.usual if kept is None else kept
        self.advice = tuple(map(_encodable, (advice,) if isinstance(advice, str) else advice))

    @property
    def reason(self) -> str:
        """The problem and the advice, as sentences of one line."""
        return " ".join((self.problem, *self.advice))

    def __str__(self) -> str:
        return readable("\n".join(filter(None, (self.problem, self.kept, *self.advice))))

    def to_json(self) -> dict[str, Any]:
        """Return it for programs, with its cause in one of a few words, where that is known."""
        from .causes import OTHER, cause_of

        return {
            "error": {
                "kind": type(self).__name__,
                "cause": cause_of(self.problem).replace(OTHER, ""),
                "problem": self.problem,
                "kept": self.kept,
                "advice": self.advice,
                "exit_status": self.exit_status,
            }
        }

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback (it looks for this name)."""
        red, bold, reset = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if self.coloured else ("",) * 3
        lines = [f"{red}{type(self).__name__}{reset}: {bold}{readable(self.problem)}{reset}"]
        lines += [readable(self.kept)] if self.kept else []
        lines += [f"  → {readable(line)}" for line in self.advice]
        return lines


def _encodable(text: str) -> str:
    """Write out a lone surrogate, which no terminal and no file takes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class UsageError(JStackMagicError):
    """The command line cannot be understood; nothing was started."""

    exit_status = 2
    usual = "Nothing was started."


class InvalidSpec(UsageError):
    """A spec that the manager could not read, so it was not passed on."""


class UnknownEnvironment(UsageError):
    """No environment answers to that name, prefix or kernelspec."""

    usual = NOTHING_CHANGED


class Stopped(JStackMagicError):
    """A guard stopped the change before anything happened."""

    usual = NOTHING_CHANGED


class CommandFailed(JStackMagicError):
    """A manager ended with an error; the problem carries its own last words."""


class Interrupted(JStackMagicError):
    """The user interrupted a manager."""

    exit_status = 130


class HistoryError(JStackMagicError):
    """The history file cannot be read or written."""


class ExportError(JStackMagicError):
    """The recipe cannot be rendered as asked."""

    usual = "Nothing was written."
