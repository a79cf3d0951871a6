"""Python's own ways to run a command: ``subprocess``, ``os.system``, IPython's shell object."""

from __future__ import annotations

import ast
import copy
import itertools
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .argv import listed
from .others import python_reason
from .shell import Word
from .state import joined, split

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLED = listed(
    """
    os.system os.popen subprocess.getoutput subprocess.getstatusoutput commands.getoutput
    commands.getstatusoutput asyncio.create_subprocess_shell IPython.utils.process.system
    IPython.utils.process.getoutput
    """
)
"""Functions that hand their first argument to a shell."""

RUN = frozenset(
    f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")
)
"""Functions that take a list of words, or with ``shell=True`` a line."""

PIP = listed(
    """
    pip.main pip._internal.main pip._internal.main.main pip._internal.cli.main.main
    """
)
"""Functions that take pip's arguments as a list."""

_INSTALLS = re.compile(
    r"\s*(?:sudo\s+(?:-\S+\s+)*)?(?:\S*python[\d.]*\s+-m\s+)?\S*?"
    r"(?:pip[\d.]*|uv|pipx|(?:micro)?mamba|conda|apt|apt-get|npm|yarn|gem|cargo|brew|poetry|pixi)"
    r"\s+(?:\S+\s+)*?(?:install|add|create)\s"
)
"""A text that begins with a command which installs."""

_RUNNER = re.compile(
    r"(?:^|_)(?:run|system|exec|execute|call|spawn\w*|popen|sudo|local|bash|shell|sh|cmd|command"
    r"|Popen|Process|Thread|submit|sendline|invoke|check_(?:call|output)|getoutput)(?:$|_)"
)
"""Names of functions that run a command."""

KERNEL_PIP = (Word("{sys.executable}", holes=("{sys.executable}",)), Word("-m"), Word("pip"))

_REPLACING = re.compile(
    r"os\.(?:(?:exec|(?P<spawn>spawn))(?P<how>[lv])p?(?P<env>e)?|posix_spawnp?)|(?P<pty>pty\.spawn)"
)
"""Functions that start a program with words of its own, without a shell."""

_OPENERS = ("open", "io.open", "codecs.open")
_PASSIVE = listed(
    "close flush read readline readlines seek tell truncate fileno __enter__ __exit__"
)
_AS_SHELL: dict[str, tuple[str, tuple[int, ...]]] = {
    **dict.fromkeys(("os.remove", "os.unlink", "shutil.rmtree"), ("rm", (0,))),
    **dict.fromkeys(("os.rename", "os.replace", "shutil.move"), ("mv", (0, 1))),
    **dict.fromkeys(
        ("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree"), ("cp", (0, 1))
    ),
    "os.symlink": ("ln", (0, 1)),
    "urllib.request.urlretrieve": ("curl -o", (1, 0)),
    "wget.download": ("curl -o", (1, 0)),
}
"""Functions that do what a program does, and the order of the arguments that it takes."""

IPYTHON = "get_ipython()"
_SHELL_METHODS = ("system", "getoutput", "system_raw", "system_piped")
_GETTERS = ("get_ipython", "IPython.get_ipython", "IPython.core.getipython.get_ipython")


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
    """A line or words that do not run as written, with the reason."""

    what: Shelled | Argv
    reason: str


@dataclass(frozen=True, slots=True)
class Folder:
    """The working folder from here on; None if known only at run time.

    Attributes:
        path: The folder.
        within: Whether it holds until the `Left` of its block.
    """

    path: str | None
    within: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """The end of a block with a working folder of its own."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file that Python writes: its path, the text, and whether that is appended.

    The text is None where it is only known when it runs.
    """

    path: Word
    text: str | None
    append: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the process from here on: ``os.environ[NAME] = value``; None removes it."""

    name: str
    value: Word | None


@dataclass(frozen=True, slots=True)
class Name:
    """The value of a Python name from here on; None if known only at run time."""

    name: str
    value: ast.expr | None


@dataclass(frozen=True, slots=True)
class Other:
    """A call that installs and is not captured, with the reason."""

    reason: str


What = Shelled | Argv | Magic | Cell | Unread | Folder | Left | Variable | Wrote | Name | Other


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that a call is given.

    Attributes:
        values: Their values.
        inherits: Whether they come on top of the process's own.
    """

    values: Mapping[str, Word]
    inherits: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One call.

    Attributes:
        what: The program or function that it runs.
        line: Its first line, counted from 1; half a line less at the start of a branch.
        typed: The call as typed.
        folder: The folder it is given to run in; None without one.
        variables: The variables it is given; None if known only at run time.
    """

    what: What
    line: float
    typed: str = ""
    folder: Word | None = None
    variables: Variables | None = Variables({})


@dataclass
class Names:
    """The values of names so far: imported modules and functions, texts and lists.

    Attributes:
        imported: ``sp`` → ``subprocess``.
        values: ``cmd`` → the expression last assigned to it; None if known only at
            run time.
        readers: The names whose values have a name in them that was unknown.
    """

    imported: dict[str, str] = field(default_factory=dict)
    values: dict[str, ast.expr | None] = field(default_factory=dict)
    readers: dict[str, set[str]] = field(default_factory=dict)

    def assign(self, name: str, value: ast.expr | None) -> ast.expr | None:
        """Assign a value; return what of it is followed.

        A name in another value that was unknown stays so: what it gets now is not what was read.
        """
        for reader in self.readers.pop(name, ()):
            self.values[reader] = _as_it_was(self.values.get(reader), name)
        if value is not None and next(itertools.islice(ast.walk(value), _LARGEST, None), None):
            value = None
        value = _as_it_was(value, name)
        for each in ast.walk(value) if value is not None else ():
            if isinstance(each, ast.Name):
                self.readers.setdefault(each.id, set()).add(name)
        self.values[name] = value
        return value


def parse(source: str) -> ast.Module | None:
    """Parse Python of any version; None if the text is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a "\d" in the user's cell
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parse_line(source: str) -> tuple[ast.Module | None, str]:
    """Parse a logical line without its indent, also one that opens or continues a block.

    Returns:
        The tree (None if it is not Python), and the source that was parsed.
    """
    for template in ("{}", "{} pass", "if 1: pass\n{}", "if 1: pass\n{} pass", "try: pass\n{}"):
        whole = template.replace("{}", source)
        tree = parse(whole)
        if tree is not None:
            return tree, whole
    return None, source


def events(tree: ast.Module, source: str, names: Names) -> list[Event]:
    """Return the calls that run something, in their order; ``names`` is updated on the way."""
    visitor = _Visitor(source, names)
    if "install" in source:
        lists = (each.elts for each in ast.walk(tree) if isinstance(each, (ast.List, ast.Tuple)))
        texts = (text for elements in lists for each in elements if (text := _text(each)))
        visitor.texts = [text.text for text in texts]
    visitor.visit(tree)
    return visitor.events


_TEXTS = (ast.JoinedStr, ast.BinOp, ast.Call, ast.List, ast.Tuple)


def filled_in(node: ast.expr, values: Mapping[str, ast.expr | None]) -> ast.expr:
    """Return an expression with texts, lists and ``sys.executable`` in the place of names."""
    names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    known = {
        name: value
        for name in names
        if (value := values.get(name)) is not None and _is_known(value)
    }
    if not known:
        return node

    class Filler(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return known.get(name.id, name) if isinstance(name.ctx, ast.Load) else name

    made: ast.expr = Filler().visit(copy.deepcopy(node))
    return made


def _as_it_was(value: ast.expr | None, name: str) -> ast.expr | None:
    """Return a value in which a name is none that is looked up."""
    if value is None or all(getattr(each, "id", "") != name for each in ast.walk(value)):
        return value

    class Earlier(ast.NodeTransformer):
        def visit_Name(self, each: ast.Name) -> ast.expr:
            return ast.Name(f"{name} as it was", each.ctx) if each.id == name else each

    made: ast.expr = Earlier().visit(copy.deepcopy(value))
    return made


def _is_known(value: ast.expr) -> bool:
    return isinstance(value, _KNOWN) or (isinstance(value, ast.Call) and _text(value) is not None)


_LARGEST = 2000
"""The nodes of a value that is followed: ``x = x + x`` doubles it at every turn."""

_KNOWN = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Attribute, ast.BinOp)
_CHANGING = listed(
    "append extend insert remove pop clear sort reverse update setdefault popitem add discard"
)
"""Methods that change a list or a dictionary in place."""


def value_of(expression: str, values: Mapping[str, ast.expr | None]) -> Word | None:
    """Return the value of an expression that IPython fills in; None if no name in it is known.

    What is known only at run time is a hole in it.
    """
    kernel = re.fullmatch(r"\s*sys\s*\.\s*(executable|prefix|exec_prefix)\s*", expression)
    if kernel:
        hole = f"{{sys.{kernel[1]}}}".replace("exec_prefix", "prefix")
        return Word(hole, holes=(hole,), quoted=True)
    tree = parse(expression.strip())
    body = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    if not isinstance(body, ast.Expr):
        return None
    names = {name.id for name in ast.walk(body) if isinstance(name, ast.Name)}
    if not names & values.keys() and not isinstance(body.value, ast.Constant):
        return None
    return _word(filled_in(body.value, values))


def _same(one: ast.expr | None, other: ast.expr | None) -> bool:
    return one is other or (
        one is not None and other is not None and ast.dump(one) == ast.dump(other)
    )


def _merged(ends: list[dict[str, ast.expr | None]]) -> dict[str, ast.expr | None]:
    """Return the values after one of several branches; an undefined name is an error."""
    names = dict.fromkeys(name for values in ends for name in values)
    merged: dict[str, ast.expr | None] = {}
    for name in names:
        first, *others = [values[name] for values in ends if name in values]
        same = all(_same(first, other) for other in others)
        merged[name] = first if same else _beginning([first, *others])
    return merged


def _beginning(values: Sequence[ast.expr | None]) -> ast.expr | None:
    """Return how several lists or texts all begin, the rest a hole; None of anything else."""
    rest = ast.Name("…", ast.Load())
    lists = [_elements(value) for value in values]
    if all(lists):
        pairs = zip(*lists, strict=False)
        same = itertools.takewhile(lambda each: all(_same(each[0], one) for one in each), pairs)
        return ast.List([*(each[0] for each in same), rest], ast.Load())
    texts = [None if value is None else _text(value) for value in values]
    known = [text.text for text in texts if text is not None and not text.holes]
    if len(known) < len(values):
        return None
    letters = itertools.takewhile(lambda each: len(set(each)) == 1, zip(*known, strict=False))
    beginning = ast.Constant("".join(each[0] for each in letters))
    return ast.BinOp(beginning, ast.Add(), rest) if beginning.value else None


def _elements(node: ast.expr | None) -> list[ast.expr]:
    """Return the elements of a list or a sum of lists; none of anything else."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return node.elts
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _elements(node.left), _elements(node.right)
        return [*left, *right] if left and right else []
    return []


class Branches:
    """The branches of a cell, and the lines of each."""

    def __init__(self, tree: ast.Module | None) -> None:
        self._spans: list[tuple[int, int, int, int]] = []  # first, last, block, branch
        for block in ast.walk(tree) if tree is not None else ():
            if isinstance(block, ast.If):
                bodies = [block.body, block.orelse]
            elif isinstance(block, ast.Try):
                bodies = [block.body, *(handler.body for handler in block.handlers)]
            else:
                continue
            for branch, body in enumerate(bodies):
                if body:
                    last = body[-1].end_lineno or body[-1].lineno
                    self._spans.append((body[0].lineno, last, id(block), branch))

    def of(self, line: int) -> tuple[tuple[int, int], ...]:
        """Return the blocks about a line, each with the number of the branch."""
        return tuple(
            (block, branch) for first, last, block, branch in self._spans if first <= line <= last
        )


class _Visitor(ast.NodeVisitor):
    def __init__(self, source: str, names: Names) -> None:
        self.source = source
        self.names = names
        self.events: list[Event] = []
        self.parameters: list[set[str]] = []
        self.branches = 0
        self.texts: list[str] = []

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
            self._assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._assign(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self._assign(node.target, node.value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._set(target.id, self._known(value), target.lineno)
        elif (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
            and not any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
        ):
            for one, its in zip(target.elts, value.elts, strict=True):
                self._assign(one, its)
        elif self._dotted(target) == "sys.argv":
            self._set("sys.argv", self._known(value), target.lineno)
        elif isinstance(target, ast.Subscript) and self._dotted(target.value) == "os.environ":
            self._environ(target.slice, value, target.lineno)
        elif isinstance(target, ast.Subscript) and self._variables(target.value) is not None:
            self._added(target.value, ast.Dict([target.slice], [self._known(value)]))
        else:
            self._varies(target)

    def _added(self, changed: ast.expr, more: ast.expr) -> None:
        """Note that a dictionary with variables got more of them."""
        if isinstance(changed, ast.Name):
            before = self.names.values.get(changed.id) or changed
            self._set(changed.id, ast.BinOp(before, ast.BitOr(), more), changed.lineno)

    def _set(self, name: str, value: ast.expr | None, line: float) -> None:
        self.events.append(Event(Name(name, self.names.assign(name, value)), line))

    def _environ(self, name: ast.expr, value: ast.expr | None, line: int) -> None:
        part = _whole(self._known(name))
        if part.holes:
            return
        word = None if value is None else _word(self._known(value))
        if self.branches and word is not None:
            word = Word(f"${part.text}", holes=(f"${part.text}",), quoted=True)
        self.events.append(Event(Variable(part.text, word), line))

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript) and self._dotted(target.value) == "os.environ":
                self._environ(target.slice, None, target.lineno)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript) and self._dotted(target.value) == "os.environ":
            read = ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
            self._environ(target.slice, ast.BinOp(read, node.op, node.value), target.lineno)
        elif self._dotted(target) == "os.environ":
            self._updated([node.value], [], target.lineno)
        elif isinstance(target, ast.Name) and isinstance(node.op, (ast.Add, ast.BitOr)):
            before = self.names.values.get(target.id)
            after = ast.BinOp(before, node.op, node.value) if before is not None else None
            self._set(target.id, self._known(after) if after else None, target.lineno)
        else:
            self._varies(target)
        self.generic_visit(node)

    # -- branches: which of two values holds is known only at run time

    def _branches(self, node: ast.stmt, *bodies: list[ast.stmt], covered: bool) -> None:
        """Visit bodies of which one runs; without ``covered``, perhaps none of them."""
        before = dict(self.names.values)
        ends = [] if covered else [before]
        self.branches += 1
        for body in bodies:
            if not body:
                ends.append(before)
                continue
            self._become(before, body[0].lineno - 0.5)
            for each in body:
                self.visit(each)
            ends.append(dict(self.names.values))
        self.branches -= 1
        self._become(_merged(ends), node.end_lineno or node.lineno)

    def _become(self, values: dict[str, ast.expr | None], line: float) -> None:
        now = self.names.values
        for name in dict.fromkeys((*now, *values)):
            if not _same(now.get(name), values.get(name)) or (name in now) != (name in values):
                self.events.append(Event(Name(name, values.get(name)), line))
        self.names.values = dict(values)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node, node.body, node.orelse, covered=True)

    def visit_Try(self, node: ast.Try) -> None:
        handlers = [handler.body for handler in node.handlers]
        self._branches(node, [*node.body, *node.orelse], *handlers, covered=True)
        for each in node.finalbody:
            self.visit(each)

    def visit_While(self, node: ast.While) -> None:
        self._loop(node)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._varies(node.target)
        self._loop(node)

    def _loop(self, node: ast.For | ast.While) -> None:
        for each in node.body:  # at the second turn they have another value
            grown = [one.target for one in ast.walk(each) if isinstance(one, ast.AugAssign)]
            for name in ast.walk(each):
                if name in grown:
                    continue
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    self._set(name.id, None, node.lineno)
            for changed in _changed(each):
                value = self.names.values.get(changed)
                self._set(changed, _beginning([value, value]), node.lineno)
        self._branches(node, node.body, covered=False)
        for each in node.orelse:
            self.visit(each)

    def visit_With(self, node: ast.With) -> None:
        entered = 0
        for item in node.items:
            call, name = item.context_expr, item.optional_vars
            if isinstance(name, ast.Name) and self._opened(call):
                self._set(name.id, call, node.lineno)
            elif name is not None:
                self._varies(name)
            if isinstance(call, ast.Call) and self._dotted(call.func) == "contextlib.chdir":
                part = _whole(self._value(call.args[0])) if call.args else _hole(call)
                folder = Folder(None if part.holes else part.text, within=True)
                self.events.append(Event(folder, node.lineno))
                entered += 1
        self.generic_visit(node)
        end = (node.end_lineno or node.lineno) + 0.5
        self.events += [Event(Left(), end)] * entered

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        self.parameters.append({argument.arg for argument in every})
        before = dict(self.names.values)
        self.branches += 1
        self.generic_visit(node)
        self.branches -= 1
        self.parameters.pop()
        shared = [each.names for each in ast.walk(node) if isinstance(each, ast.Global)]
        changed = {name for names in shared for name in names} | (_changed(node) & before.keys())
        after = {**before, **dict.fromkeys(changed, None)}
        self._become(after, node.end_lineno or node.lineno)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _varies(self, target: ast.expr) -> None:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                self._set(name.id, None, name.lineno)

    def _known(self, node: ast.expr) -> ast.expr:
        """Return an expression with the values of names in their place."""
        hidden = {name for names in self.parameters for name in names}
        return filled_in(node, {k: v for k, v in self.names.values.items() if k not in hidden})

    def _value(self, node: ast.expr) -> ast.expr:
        """Return the last expression assigned to a name; the node itself if unknown."""
        if isinstance(node, ast.Name) and not any(node.id in names for names in self.parameters):
            return self.names.values.get(node.id) or node
        return self._known(node) if isinstance(node, _TEXTS) else node

    def _dotted(self, node: ast.expr) -> str:
        """Return the full name of a call's function; empty if it has none."""
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Call):
            function = self._dotted(node.func)
            name = _whole(self._known(node.args[-1])) if node.args else Word("")
            if function in ("__import__", "importlib.import_module") and not name.holes:
                return name.text if name.text not in ("os", "subprocess") else ""  # is listed
            if function == "getattr" and len(node.args) == 2 and not name.holes:
                base = self._dotted(node.args[0])
                return f"{base}.{name.text}" if base else ""
            return IPYTHON if function in _GETTERS else ""
        if not isinstance(node, ast.Name):
            return ""
        value = self._value(node)
        if isinstance(value, ast.Call) and self._dotted(value.func) in _GETTERS:
            return IPYTHON
        if isinstance(value, ast.Attribute):
            return self._dotted(value)
        return self.names.imported.get(node.id, node.id)

    # -- calls

    def _unread(self, node: ast.Call) -> Other | None:
        """Return a reason for a call that is not known, and is given an install to run."""
        functions = [] if isinstance(node.func, ast.Name) else [node.func]
        names = [self._name_of(each) for each in (*functions, *self._given(node))]
        texts = [_text(self._value(each)) for each in self._given(node)]
        installs = any(text is not None and _INSTALLS.match(text.text) for text in texts)
        runner = next(filter(_RUNNER.search, names), None)
        if not installs or runner is None:
            return None
        return Other(f"{runner} runs it, in a way that is not read here.")

    def _given(self, node: ast.Call) -> list[ast.expr]:
        """Return the arguments of a call, and the elements of lists among them."""
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        lists = (each.elts for each in given if isinstance(each, (ast.List, ast.Tuple)))
        return [*given, *(element for elements in lists for element in elements)]

    def _name_of(self, node: ast.expr) -> str:
        """Return the last name of a function, also of one that a call returns."""
        while isinstance(node, ast.Call):
            node = (
                node.args[0]
                if node.args and not isinstance(node.func, ast.Attribute)
                else node.func
            )
        return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")

    def _any_of(self, node: ast.Call) -> None:
        """List the installs in a cell's lists: a call in a loop runs some of them."""
        installs = dict.fromkeys(text for text in self.texts if _INSTALLS.match(text))
        typed = ast.get_source_segment(self.source, node) or ""
        for text in installs:
            reason = f"{typed} may run it; only the run can tell."
            self.events.append(Event(Other(reason), node.lineno, text))

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self._method(node)
        self._writes(node)
        what = self._what(node)
        if what is None and node.args and self._dotted(node.func) in SHELLED | RUN:
            self._any_of(node)
        what = what or self._unread(node)
        if what is None:
            return
        typed = ast.get_source_segment(self.source, node) or ""
        given = {k.arg: k.value for k in node.keywords}
        folder, variables = given.get("cwd"), given.get("env")
        replaced = _REPLACING.fullmatch(self._dotted(node.func))
        if replaced and replaced["env"] is not None and node.args:
            variables = node.args[-1]
        self.events.append(
            Event(
                what=what,
                line=node.lineno,
                typed=typed,
                folder=None if folder is None else _whole(self._known(folder)),
                variables=self._variables(variables) if variables else Variables({}),
            )
        )

    def _opened(self, node: ast.expr) -> tuple[Word, bool] | None:
        """Return the path of a file that is opened to be written, and whether at its end."""
        if not isinstance(node, ast.Call):
            return None
        arguments = list(node.args)
        if isinstance(node.func, ast.Attribute) and self._dotted(node.func) not in _OPENERS:
            if node.func.attr != "open":
                return None
            arguments.insert(0, node.func.value)
        elif self._dotted(node.func) not in _OPENERS:
            return None
        modes = [*arguments[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
        mode = _whole(self._known(modes[0])).text if modes else "r"
        path = _text(self._known(arguments[0])) if arguments else None
        return (path, "a" in mode) if path is not None and re.search(r"^\w*[wax+]", mode) else None

    def _writes(self, node: ast.Call) -> None:
        """Note what a call writes into a file."""
        written: list[tuple[Word, ast.expr | None, bool]] = []
        name, function = self._name_of(node.func), node.func
        text = node.args[0] if len(node.args) == 1 else None
        if opened := self._opened(node):
            written.append((opened[0], ast.Constant(""), opened[1]))
        elif isinstance(function, ast.Attribute) and (
            opened := self._opened(self._value(function.value))
        ):
            if name == "writelines" and text is not None:
                text = ast.Call(ast.Attribute(ast.Constant(""), "join", ast.Load()), [text], [])
            if name not in _PASSIVE:
                written.append((opened[0], text if name.startswith("write") else None, True))
        elif name in ("write_text", "write_bytes") and isinstance(function, ast.Attribute):
            path = _text(self._known(function.value))
            written += [(path, node.args[0] if node.args else None, False)] if path else []
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(given, ast.Name) and (opened := self._opened(self._value(given))):
                line = ast.BinOp(text, ast.Add(), ast.Constant("\n")) if text else None
                written.append((opened[0], line if name == "print" else None, True))
        for path, expression, append in written:
            known = _whole(self._known(expression)) if expression and not self.branches else None
            what = Wrote(path, known.text if known and not known.holes else None, append)
            self.events.append(Event(what, node.lineno))

    def _variables(self, node: ast.expr) -> Variables | None:
        """Return what a dictionary adds to ``os.environ``; None if known only at run time."""
        node = self._value(node)
        if self._dotted(node) == "os.environ" or _is(node, None):
            return Variables({})
        parts: list[Variables | None] = []
        if isinstance(node, ast.Dict):
            parts.append(Variables({}, inherits=False))
            for key, value in zip(node.keys, node.values, strict=True):
                name = None if key is None else _whole(self._known(key))
                if name is None:
                    parts.append(self._variables(value))
                elif name.holes:
                    return None
                else:
                    word = _word(self._known(value))
                    parts.append(Variables({name.text: word}, inherits=False))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            parts += [self._variables(node.left), self._variables(node.right)]
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "copy" and not node.args:
                return self._variables(node.func.value)
            if self._dotted(node.func) not in ("dict", "copy.copy", "copy.deepcopy"):
                return None
            parts += [self._variables(argument) for argument in node.args]
            parts.append(self._variables(_as_dict(node.keywords)))
        known = [part for part in parts if part is not None]
        if not parts or len(known) < len(parts):
            return None
        values = {name: word for part in known for name, word in part.values.items()}
        return Variables(values, inherits=any(part.inherits for part in known))

    def _method(self, node: ast.Call) -> None:
        """Follow a method that changes a list or a dictionary that has a name."""
        if not isinstance(node.func, ast.Attribute) or not isinstance(node.func.value, ast.Name):
            return
        name, method = node.func.value, node.func.attr
        value = self.names.values.get(name.id)
        if method not in _CHANGING or value is None:
            return
        more = self._known(node.args[0]) if len(node.args) == 1 else None
        if method == "append" and more is not None and self._words(value) is not None:
            more = ast.List([more], ast.Load())
        if method in ("append", "extend"):
            known = more is not None and self._words(value) and self._words(more)
            after = ast.BinOp(value, ast.Add(), more) if known and more else None
            self._set(name.id, after or _beginning([value, value]), node.lineno)
        elif method == "update" and self._variables(value) is not None:
            for each in (*node.args, _as_dict(node.keywords)):
                self._added(name, each)
        else:
            self._set(name.id, None, node.lineno)

    def _what(self, node: ast.Call) -> What | None:
        name = self._dotted(node.func)
        if name == "os.environ.update":
            self._updated(node.args, node.keywords, node.lineno)
            return None
        arguments = list(node.args)
        arguments += [keyword.value for keyword in node.keywords if keyword.arg in ("args", "cmd")]
        if name.startswith("condacolab.install"):
            return Other(python_reason(name, "", ""))
        if not name or not arguments:
            return None
        first = self._value(arguments[0])
        if name in SHELLED:
            return _shelled(first)
        if name in RUN:
            return self._run(node, first)
        replaced = _REPLACING.fullmatch(name)
        if replaced:
            return self._replaced(replaced, arguments)
        if name in PIP:
            return Argv((*KERNEL_PIP, *(self._words(first) or ())))
        if name.startswith("sh.") and name.count(".") == 1:  # the package sh has any program
            return Argv((Word(name[3:]), *(_word(self._value(each)) for each in arguments)))
        if name == "runpy.run_module":
            given = self._words(self.names.values.get("sys.argv") or ast.Constant(None)) or ()
            return Argv((*KERNEL_PIP[:2], _word(first), *given[1:]))
        if name in ("exec", "eval") and (code := _text(first)) is not None and not code.holes:
            return Cell(code.text)
        if name in _AS_SHELL:
            program, order = _AS_SHELL[name]
            said = [_word(self._value(argument)) for argument in arguments]
            return Argv(
                (*map(Word, program.split()), *(said[at] for at in order if at < len(said)))
            )
        if name == "asyncio.create_subprocess_exec":
            return Argv(tuple(_word(argument) for argument in arguments))
        if name == "exec" and isinstance(first, ast.Call):
            read = re.fullmatch(r"open\('([^']+)'.*\)\.read\(\)", ast.unparse(first))
            return Magic("run", read[1]) if read else None
        words = _joined(ast.Constant(" "), arguments[0]) or _text(arguments[0])
        what = words.text if words is not None and not words.holes else ""
        version = next((_whole(k.value).text for k in node.keywords if k.arg == "version"), "")
        other = python_reason(name, what, version)
        if other:
            return Other(other)
        if name in ("os.putenv", "os.environ.setdefault") and len(arguments) > 1:
            self._environ(arguments[0], arguments[1], node.lineno)
        elif name in ("os.unsetenv", "os.environ.pop"):
            self._environ(arguments[0], None, node.lineno)
        if name == "os.chdir":
            part = _whole(first)
            return Folder(None if part.holes else part.text)
        base, _, method = name.rpartition(".")
        if base == IPYTHON or method in ("run_line_magic", "run_cell_magic"):
            return _ipython(method, [self._value(argument) for argument in arguments])
        return None

    def _updated(
        self, arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword], line: int
    ) -> None:
        for keyword in keywords:
            if keyword.arg:
                self._environ(ast.Constant(keyword.arg), keyword.value, line)
        for argument in map(self._value, arguments):
            if isinstance(argument, ast.Dict):
                for key, value in zip(argument.keys, argument.values, strict=True):
                    if key is not None:
                        self._environ(key, value, line)

    def _replaced(self, match: re.Match[str], arguments: Sequence[ast.expr]) -> What | None:
        """Return what a function starts that is given a program and the words it sees."""
        at = 1 if match["spawn"] else 0  # after the mode
        if match["pty"] or len(arguments) < at + 2:
            words = self._words(arguments[0])
            return Argv(words) if words and match["pty"] else None
        if match["how"] == "l":
            listed_here = arguments[at + 1 : -1 if match["env"] else None]
            seen: Sequence[Word] = tuple(_word(self._value(each)) for each in listed_here)
        else:
            seen = self._words(arguments[at + 1]) or ()
        return Argv((_word(self._value(arguments[at])), *seen[1:]))

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
            given = next((k.value for k in node.keywords if k.arg == "input"), None)
            text = None if given is None else _text(self._value(given))
            if text is not None and [word.text for word in words] in (["bash"], ["sh"]):
                return Shelled(_escaped(text))
            return Argv(words)
        if len(words) == 1:
            return Shelled(_escaped(words[0]))
        reason = "With shell=True the first word alone is the command, and the others are not read."
        return Unread(Argv(words), reason)

    def _words(self, node: ast.expr) -> tuple[Word, ...] | None:
        """Return the words of a list, or of a split text; None if it is neither."""
        node = self._value(node)
        if isinstance(node, (ast.List, ast.Tuple)):
            return tuple(
                word
                for each in node.elts
                for word in (
                    self._words(each.value) or (_hole(each),)
                    if isinstance(each, ast.Starred)
                    else (_word(each),)
                )
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._words(node.left), self._words(node.right)
            if left is None and right is None:
                return None
            return (*(left or (_word(node.left),)), *(right or (_word(node.right),)))
        if isinstance(node, ast.Call):
            text = _split_text(node)
            whole = None if text is None else _text(text)
            return None if whole is None else tuple(split(whole))
        return None


def _as_dict(keywords: Sequence[ast.keyword]) -> ast.Dict:
    """Return the keywords of a call as the dictionary that ``dict`` makes of them."""
    keys: list[ast.expr | None] = [ast.Constant(k.arg) if k.arg else None for k in keywords]
    return ast.Dict(keys, [k.value for k in keywords])


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _ipython(method: str, arguments: list[ast.expr]) -> What | None:
    if method in _SHELL_METHODS:
        return _shelled(arguments[0], by_ipython=True)
    texts = [(_text(argument) or Word("")).text for argument in arguments]
    if method == "run_line_magic" and len(texts) > 1:
        return Magic(texts[0], texts[1])
    if method == "run_cell_magic" and len(texts) > 2:
        return Magic(texts[0], texts[1], texts[2])
    if method == "magic":
        name, _, line = texts[0].lstrip("%").partition(" ")
        return Magic(name, line)
    return Cell(texts[0]) if method in ("run_cell", "ex") else None


# Texts: words whose holes are expressions


def _shelled(node: ast.expr, *, by_ipython: bool = False) -> Shelled | None:
    text = _text(node)
    if text is None:
        return None
    # without a hole IPython itself fills the braces in
    return Shelled(text.text if by_ipython and not text.holes else _escaped(text))


def _escaped(word: Word) -> str:
    return "".join(
        piece if hole else piece.replace("{", "{{").replace("}", "}}")
        for piece, hole, _ in word.pieces()
    )


def _text(node: ast.expr) -> Word | None:
    """Return a text; None if nothing of it is known."""
    number = _number(node)
    if number is not None:
        return Word(str(number), quoted=True)
    if isinstance(node, ast.Attribute) and ast.unparse(node) in _SEPARATORS:
        return Word(_SEPARATORS[ast.unparse(node)], quoted=True)
    if isinstance(node, ast.Constant):
        known = isinstance(node.value, (str, int, float)) and not isinstance(node.value, bool)
        return Word(str(node.value), quoted=True) if known else None
    if isinstance(node, ast.JoinedStr):
        return joined(map(_piece, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (node.left, node.right)
        if any(_number(side) is not None for side in sides):
            return None
        texts = [_text(side) for side in sides]
        words = (text or _hole(side) for text, side in zip(texts, sides, strict=True))
        return joined(replace(word, quoted=True) for word in words) if any(texts) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):  # of a Path
        return _joined(ast.Constant("/"), ast.List([node.left, node.right], ast.Load()))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return _filled(_text(node.left), r"%(?:\((\w+)\))?[-+ #0-9.]*[sdrif]", values)
    if isinstance(node, ast.Call) and (path := _path(node)) is not None:
        return path
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return _filled(_text(node.func.value), r"\{(\w*)[^{}]*\}", node.args, node.keywords)
        if node.func.attr == "join" and len(node.args) == 1:
            return _joined(node.func.value, node.args[0])
    return None


def _path(node: ast.Call) -> Word | None:
    """Return a path that a call makes of texts; None of another call."""
    name = ast.unparse(node.func)
    parts = node.args
    if re.fullmatch(r"(?:pathlib\.)?(?:Pure)?(?:Posix)?Path|os\.path\.join", name) and parts:
        return _joined(ast.Constant("/"), ast.List(parts, ast.Load()))
    if re.fullmatch(r"(?:pathlib\.)?Path\.home", name):
        return Word("~")
    if re.fullmatch(r"str|os\.fspath|os\.path\.(?:expanduser|abspath|realpath|normpath)", name):
        return _text(parts[0]) if len(parts) == 1 else None
    if not isinstance(node.func, ast.Attribute):
        return None
    base = node.func.value
    if node.func.attr in ("expanduser", "resolve", "absolute", "as_posix"):
        return _text(base)
    if node.func.attr == "joinpath":
        return _joined(ast.Constant("/"), ast.List([base, *parts], ast.Load()))
    return None


_SEPARATORS = {"os.pathsep": ":", "os.sep": "/", "os.path.sep": "/", "os.linesep": "\n"}


def _number(node: ast.expr) -> int | float | None:
    """Return the value of a number, or of a sum or product of numbers; None of anything else."""
    if isinstance(node, ast.Constant):
        known = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        return node.value if known else None  # type: ignore[return-value]
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _number(node.left), _number(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    return left * right if isinstance(node.op, ast.Mult) else None


def _changed(node: ast.AST) -> set[str]:
    """Return the names whose lists or dictionaries a block changes in place."""
    names: set[str] = set()
    for each in ast.walk(node):
        changed: ast.expr | None = each.target if isinstance(each, ast.AugAssign) else None
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            changed = each.func.value if each.func.attr in _CHANGING else None
        if isinstance(changed, ast.Name):
            names.add(changed.id)
    return names


def _piece(value: ast.expr) -> Word:
    if not isinstance(value, ast.FormattedValue):
        return _text(value) or Word("")
    plain = value.conversion == -1 and value.format_spec is None
    return (_text(value.value) if plain else None) or _hole(value)


def _hole(node: ast.AST) -> Word:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    text = ast.unparse(inner).replace("{", "(").replace("}", ")").replace("\n", " ")
    return _hole_of(text)


def _hole_of(text: str) -> Word:
    return Word(f"{{{text}}}", (f"{{{text}}}",), quoted=True)


def _filled(
    text: Word | None,
    pattern: str,
    values: Sequence[ast.expr],
    named: Sequence[ast.keyword] = (),
) -> Word | None:
    """Return a format's text with its values; each of those that are not known is a hole."""
    if text is None:
        return None
    filled: list[Word] = []
    at = 0
    known = {str(number): value for number, value in enumerate(values)}
    known |= {keyword.arg: keyword.value for keyword in named if keyword.arg}
    for number, match in enumerate(re.finditer(pattern, text.text)):
        value = known.get(match[1] or str(number))
        plain = re.fullmatch(r"\{\w*\}|%(?:\(\w+\))?[sd]", match[0]) and value is not None
        word = _text(value) if plain and value is not None else None
        filled += [text.part(at, match.start()), word or _hole_of(match[1] or "…")]
        at = match.end()
    return joined([*filled, text.part(at, len(text.text))])


def _joined(separator: ast.expr, items: ast.expr) -> Word | None:
    between = _text(separator)
    if between is None or not isinstance(items, (ast.List, ast.Tuple)):
        return None
    words = [each for item in items.elts for each in (between, _word(item))]
    return joined(words[1:])


def _whole(node: ast.expr) -> Word:
    """Return a text that is known as a whole; otherwise its expression as a hole."""
    text = _text(node)
    return _hole(node) if text is None or text.holes else text


def _word(node: ast.expr) -> Word:
    text = _text(node)
    return _hole(node) if text is None else replace(text, quoted=True)


def _split_text(node: ast.Call) -> ast.expr | None:
    """Return what ``text.split()`` and ``shlex.split(text)`` split."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "split":
        return None
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "shlex":
        return node.args[0] if node.args else None
    return node.func.value
