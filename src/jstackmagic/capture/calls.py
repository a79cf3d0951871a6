"""Python's own ways to run a command: ``subprocess``, ``os.system``, IPython's shell object."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field

from .argv import listed
from .shell import Word

SHELLED = listed(
    """
    os.system os.popen subprocess.getoutput subprocess.getstatusoutput commands.getoutput
    commands.getstatusoutput asyncio.create_subprocess_shell
    """
)
"""What hands its first argument to a shell."""

RUN = frozenset(
    f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")
)
"""What takes a list of words, or with ``shell=True`` a line."""

PIP = listed(
    """
    pip.main pip._internal.main pip._internal.main.main pip._internal.cli.main.main
    """
)
"""What takes pip's arguments as a list."""

_KERNEL_PIP = (Word("{sys.executable}", holes=("{sys.executable}",)), Word("-m"), Word("pip"))

IPYTHON = "get_ipython()"
_SHELL_METHODS = ("system", "getoutput", "system_raw", "system_piped")
_GETTERS = ("get_ipython", "IPython.get_ipython", "IPython.core.getipython.get_ipython")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text: a literal, or an expression whose value only the run can tell."""

    text: str
    hole: bool = False


@dataclass(frozen=True, slots=True)
class Shelled:
    """A line that a shell reads; braces in it are holes, ``{{`` is a brace."""

    text: str


@dataclass(frozen=True, slots=True)
class Argv:
    """The words of a call that no shell reads."""

    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Magic:
    """A line magic, or with a body a cell magic."""

    name: str
    line: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's source that is run."""

    source: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A line or words that do not run as they stand, with the reason."""

    what: Shelled | Argv
    reason: str


@dataclass(frozen=True, slots=True)
class Folder:
    """The working folder from here on; None where only the run can tell."""

    path: str | None


What = Shelled | Argv | Magic | Cell | Unread | Folder


@dataclass(frozen=True, slots=True)
class Event:
    """One call.

    Attributes:
        what: What it runs.
        line: Where it begins, counted from 1.
        typed: The call as typed.
        folder: The folder it is told to run in; None where it is not told.
    """

    what: What
    line: int
    typed: str
    folder: Part | None = None


@dataclass
class Names:
    """What names stand for so far: imported modules and functions, and texts and lists.

    Attributes:
        imported: ``sp`` → ``subprocess``.
        values: ``cmd`` → the expression that was last assigned to it.
        in_branch: The names whose value was assigned where it may not be run.
    """

    imported: dict[str, str] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    in_branch: set[str] = field(default_factory=set)


def parse(source: str) -> ast.Module | None:
    """Python as a tree; None where it is none, of whatever age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a "\\d" in somebody's cell
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parse_line(source: str) -> tuple[ast.Module | None, str]:
    """A logical line without its indent as a tree, also one that opens or continues a block.

    Returns:
        The tree, None where there is none, and the source that it is of.
    """
    for template in ("{}", "{} pass", "if 1: pass\n{}", "if 1: pass\n{} pass", "try: pass\n{}"):
        whole = template.replace("{}", source)
        tree = parse(whole)
        if tree is not None:
            return tree, whole
    return None, source


def events(tree: ast.Module, source: str, names: Names) -> list[Event]:
    """The calls that run something, in the order they stand in; ``names`` learns on the way."""
    visitor = _Visitor(source, names)
    visitor.visit(tree)
    return visitor.events


class _Visitor(ast.NodeVisitor):
    def __init__(self, source: str, names: Names) -> None:
        self.source = source
        self.names = names
        self.events: list[Event] = []
        self.parameters: list[set[str]] = []
        self.branches = 0

    # -- names

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.names.imported[name] = alias.name if alias.asname else name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.names.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._assign(target.id, node.value)

    def _assign(self, name: str, value: ast.expr) -> None:
        known = self.names.values.pop(name, None)
        # of two values, one of them in a branch, only the run can tell which it is
        if known is None or not (self.branches or name in self.names.in_branch):
            self.names.values[name] = value
            (self.names.in_branch.add if self.branches else self.names.in_branch.discard)(name)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._varies(node.target)
        self.generic_visit(node)

    def _branch(self, node: ast.stmt) -> None:
        self.branches += 1
        self.generic_visit(node)
        self.branches -= 1

    def visit_If(self, node: ast.If) -> None:
        self._branch(node)

    def visit_Try(self, node: ast.Try) -> None:
        self._branch(node)

    def visit_While(self, node: ast.While) -> None:
        self._branch(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        self.parameters.append({argument.arg for argument in every})
        self.generic_visit(node)
        self.parameters.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_For(self, node: ast.For) -> None:
        self._varies(node.target)
        self._branch(node)

    def _varies(self, target: ast.expr) -> None:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                self.names.values.pop(name.id, None)

    def _value(self, node: ast.expr) -> ast.expr:
        """The expression that a name was last given; the node itself where that is not known."""
        if isinstance(node, ast.Name) and not any(node.id in names for names in self.parameters):
            return self.names.values.get(node.id, node)
        return node

    def _dotted(self, node: ast.expr) -> str:
        """What a call's function is called in full; empty where it has no name."""
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Call):
            return IPYTHON if self._dotted(node.func) in _GETTERS else ""
        if not isinstance(node, ast.Name):
            return ""
        value = self._value(node)
        if isinstance(value, ast.Call) and self._dotted(value.func) in _GETTERS:
            return IPYTHON
        return self.names.imported.get(node.id, node.id)

    # -- calls

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        what = self._what(node)
        if what is None:
            return
        typed = ast.get_source_segment(self.source, node) or ""
        folder = next((k.value for k in node.keywords if k.arg == "cwd"), None)
        self.events.append(
            Event(
                what=what,
                line=node.lineno,
                typed=typed,
                folder=None if folder is None else _one_part(folder),
            )
        )

    def _what(self, node: ast.Call) -> What | None:
        name = self._dotted(node.func)
        arguments = list(node.args)
        arguments += [keyword.value for keyword in node.keywords if keyword.arg in ("args", "cmd")]
        if not name or not arguments:
            return None
        first = self._value(arguments[0])
        if name in SHELLED:
            return _shelled(first)
        if name in RUN:
            return self._run(node, first)
        if name in PIP:
            return Argv((*_KERNEL_PIP, *(self._words(first) or ())))
        if name == "asyncio.create_subprocess_exec":
            return Argv(tuple(_word(argument) for argument in arguments))
        if name == "os.chdir":
            part = _one_part(first)
            return Folder(None if part.hole else part.text)
        base, _, method = name.rpartition(".")
        if base == IPYTHON or method in ("run_line_magic", "run_cell_magic"):
            return _ipython(method, [self._value(argument) for argument in arguments])
        return None

    def _run(self, node: ast.Call, first: ast.expr) -> What | None:
        shell = any(
            keyword.arg == "shell" and not _is(keyword.value, False) for keyword in node.keywords
        )
        words = self._words(first)
        if words is None:
            line = _shelled(first)
            if line is None or shell:
                return line
            reason = "Without shell=True the whole text is the name of one program: nothing runs."
            return Unread(line, reason)
        if not shell:
            return Argv(words)
        if len(words) == 1:
            return Shelled(_escaped(_parts_of_word(words[0])))
        reason = "With shell=True the first word alone is the command, and the others are not read."
        return Unread(Argv(words), reason)

    def _words(self, node: ast.expr) -> tuple[Word, ...] | None:
        """The words of a list, or of a text that is split; None where it is neither."""
        node = self._value(node)
        if isinstance(node, (ast.List, ast.Tuple)):
            return tuple(_word(element) for element in node.elts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._words(node.left), self._words(node.right)
            if left is None and right is None:
                return None
            return (*(left or (_word(node.left),)), *(right or (_word(node.right),)))
        if isinstance(node, ast.Call):
            text = _split_text(node)
            return None if text is None else _split(_parts(text))
        return None


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _ipython(method: str, arguments: list[ast.expr]) -> What | None:
    if method in _SHELL_METHODS:
        return _shelled(arguments[0], by_ipython=True)
    texts = ["".join(part.text for part in _parts(argument) or ()) for argument in arguments]
    if method == "run_line_magic" and len(texts) > 1:
        return Magic(texts[0], texts[1])
    if method == "run_cell_magic" and len(texts) > 2:
        return Magic(texts[0], texts[1], texts[2])
    if method == "magic":
        name, _, line = texts[0].lstrip("%").partition(" ")
        return Magic(name, line)
    return Cell(texts[0]) if method in ("run_cell", "ex") else None


# Texts: literals and holes


def _shelled(node: ast.expr, *, by_ipython: bool = False) -> Shelled | None:
    parts = _parts(node)
    if parts is None:
        return None
    if by_ipython and all(not part.hole for part in parts):
        return Shelled("".join(part.text for part in parts))  # IPython fills the braces in
    return Shelled(_escaped(parts))


def _escaped(parts: list[Part]) -> str:
    return "".join(
        part.text if part.hole else part.text.replace("{", "{{").replace("}", "}}")
        for part in parts
    )


def _parts(node: ast.expr) -> list[Part] | None:
    """A text in pieces; None where nothing of it can be seen."""
    if isinstance(node, ast.Constant):
        return [Part(node.value)] if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return [part for value in node.values for part in _piece(value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _parts(node.left), _parts(node.right)
        if left is None and right is None:
            return None
        return [*(left or [_hole(node.left)]), *(right or [_hole(node.right)])]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _filled(_parts(node.left), r"%(?:\((\w+)\))?[-+ #0-9.]*[sdrif]")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return _filled(_parts(node.func.value), r"\{(\w*)[^{}]*\}")
        if node.func.attr == "join" and len(node.args) == 1:
            return _joined(node.func.value, node.args[0])
    return None


def _piece(value: ast.expr) -> list[Part]:
    return [_hole(value)] if isinstance(value, ast.FormattedValue) else (_parts(value) or [])


def _hole(node: ast.AST) -> Part:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    text = ast.unparse(inner).replace("{", "(").replace("}", ")").replace("\n", " ")
    return Part(f"{{{text}}}", hole=True)


def _filled(parts: list[Part] | None, pattern: str) -> list[Part] | None:
    """A format's text, each of its fields a hole."""
    if parts is None:
        return None
    filled: list[Part] = []
    for part in parts:
        at = 0
        for match in re.finditer(pattern, part.text):
            hole = Part(f"{{{match[1] or '…'}}}", hole=True)
            filled += [Part(part.text[at : match.start()]), hole]
            at = match.end()
        filled.append(Part(part.text[at:], hole=part.hole))
    return filled


def _joined(separator: ast.expr, items: ast.expr) -> list[Part] | None:
    between = _parts(separator)
    if between is None or not isinstance(items, (ast.List, ast.Tuple)):
        return None
    joined: list[Part] = []
    for item in items.elts:
        joined += [*(between if joined else []), *(_parts(item) or [_hole(item)])]
    return joined


def _one_part(node: ast.expr) -> Part:
    parts = _parts(node)
    if parts is None or any(part.hole for part in parts):
        return _hole(node)
    return Part("".join(part.text for part in parts))


# Words


def _word(node: ast.expr) -> Word:
    parts = _parts(node)
    return _word_of([_hole(node)] if parts is None else parts)


def _word_of(parts: list[Part]) -> Word:
    return Word(
        text="".join(part.text for part in parts),
        holes=tuple(part.text for part in parts if part.hole),
        quoted=True,
    )


def _parts_of_word(word: Word) -> list[Part]:
    pieces = re.split("(" + "|".join(map(re.escape, word.holes)) + ")", word.text)
    known = set(word.holes)
    return [Part(piece, hole=piece in known) for piece in (pieces if known else [word.text])]


def _split_text(node: ast.Call) -> ast.expr | None:
    """What ``text.split()`` and ``shlex.split(text)`` split."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "split":
        return None
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "shlex":
        return node.args[0] if node.args else None
    return node.func.value


def _split(parts: list[Part] | None) -> tuple[Word, ...] | None:
    if parts is None:
        return None
    words: list[list[Part]] = [[]]
    for part in parts:
        if part.hole:
            words[-1].append(part)
            continue
        first, *others = re.split(r"\s+", part.text)
        words[-1].append(Part(first))
        words += [[Part(other)] for other in others]
    return tuple(word for word in map(_word_of, words) if word.text)
