"""Python's own ways to run a command: ``subprocess``, ``os.system``, IPython's shell object."""

from __future__ import annotations

import ast
import copy
import itertools
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ..model.shell import Word
from ..model.words import listed
from .argv import MANAGER_OF
from .blocks import NEVER, Branch, Path
from .cellsource import SourceLine
from .effects import load_variables, unseen
from .handed import number_of
from .others import INSTALLERS, python_reason
from .state import State, joined, joined_by_blanks, split

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

PIP = listed("pip.main pip._internal.main pip._internal.main.main pip._internal.cli.main.main")
"""Functions that take pip's arguments as a list."""

_STARTS = listed("python bash sh curl wget dpkg nala apt-fast time nohup su exec xargs")
_NAMES = "|".join(map(re.escape, {*MANAGER_OF, *INSTALLERS, *_STARTS}))
_INSTALLS = re.compile(
    rf"\s*[!%]*\s*(?:sudo\s+(?:-\S+\s+)*|env\s+|\w+=\S*\s+)*(?:\S*/)?(?:{_NAMES}|\$\w+)[\d.]*\s"
    r"(?!.*(?:\w[.?!:]\s*$|\b(?:the|it|you|me|please|this|that|how|now)\b))"
)
"""A text that begins with a program which may install, and is no sentence."""

_RUNNER = re.compile(
    r"(?:^|_)(?:run|system|exec|execute|call|spawn\w*|popen|sudo|local|bash|shell|sh|cmd|command"
    r"|Popen|Process|Thread|submit|sendline|communicate|invoke|check_(?:call|output)|getoutput)(?:$|_)"
)
"""Names of functions that run a command."""

_TELLING = re.compile(
    r"^(?:(?:p|pp|c|t|log_|print_)?(?:print|warn)\w*|log|info|debug|error|critical|exception|fatal|fail|skip\w*"
    r"|xfail|importorskip|display|markdown|html|text|code|caption|header|title|write\w*|append|extend"
    r"|insert|add\w*|remove|discard|put|set\w*|get|pop|update|join|split|strip|(?:starts|ends)with"
    r"|format|replace|find\w*|index|count|search|fullmatch|match|sub|compile|escape|str|repr|len|sorted"
    r"|list|tuple|dict|dedent|indent|encode|decode|dumps?|loads?|quote|assert\w*|echo|secho|input"
    r"|message|notify|note|comment|success|status|toast|help|doc|Path|hash|isinstance|type|any|all)$"
    r"|(?:Error|Exception|Warning|Exit|Message|Text|Label|Button|Argument|Option|Column|Field)$",
    re.IGNORECASE,
)
"""Names of functions that show a text, raise it or keep it."""

_COMMANDS = re.compile(r"\w*(?:cmd|command)s?|args|argv|script|line|code|cell|target|func|fn", re.I)
"""Names of arguments that are a command."""

KERNEL_PIP = (Word("{sys.executable}", holes=("{sys.executable}",)), Word("-m"), Word("pip"))

_REPLACING = re.compile(
    r"os\.(?:(?:exec|(?P<spawn>spawn))(?P<how>[lv])p?(?P<env>e)?|posix_spawnp?)|(?P<pty>pty\.spawn)"
)
"""Functions that start a program with words of its own, without a shell."""

_RUNNING = ("run", "run_fg", "run_bg", "run_tf", "run_tee", "run_retcode", "popen")
_FOREGROUND = ("FG", "BG", "TF", "TEE", "RETCODE", "ERROUT", "NOHUP")
"""Ways to start one of plumbum's commands: a method, or ``command & FG``."""

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
    "git.Repo.clone_from": ("git clone", (0, 1)),
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

    @property
    def text(self) -> str:
        """The words in one line."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class MagicCall:
    """A line magic, or with a body a cell magic."""

    name: str
    line: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's source that is run."""

    text: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A call that is not captured, with the reason."""

    reason: str
    what: Shelled | Argv | None = None  #: what it is listed for, if that installs; None if always


What = Shelled | Argv | MagicCall | Cell | Unread


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables that a call is given."""

    values: Mapping[str, Word]
    inherits: bool = True  #: whether they come on top of the process's own


@dataclass(frozen=True, slots=True)
class Event:
    """One call."""

    what: What
    line: int  #: its first line, counted from 1
    typed: str = ""  #: the call as typed
    folder: Word | None = None  #: the folder it is given to run in; None without one
    #: the variables it is given; None if known only at run time
    variables: Variables | None = Variables({})


@dataclass
class KnownNames:
    """The values of names so far: imported modules and functions, texts and lists."""

    imported: dict[str, str] = field(default_factory=dict)  #: ``sp`` → ``subprocess``
    #: ``cmd`` → the expression last assigned to it; None if known only at run time
    values: dict[str, ast.expr | None] = field(default_factory=dict)
    #: the names whose values have a name in them that was unknown
    readers: dict[str, frozenset[str]] = field(default_factory=dict)

    def assign(self, name: str, value: ast.expr | None) -> None:
        """Assign a value, as far as it is followed.

        A name in another value that was unknown stays so: what it gets now is not what was read.
        """
        for reader in self.readers.pop(name, ()):
            self.values[reader] = _as_it_was(self.values.get(reader), name)
        nodes = [*itertools.islice(ast.walk(value), _LARGEST + 1)] if value is not None else []
        if len(nodes) > _LARGEST:
            value, nodes = None, []
        names = {each.id for each in nodes if isinstance(each, ast.Name)}
        for each in names - {name}:
            self.readers[each] = self.readers.get(each, frozenset()) | {name}
        self.values[name] = _as_it_was(value, name) if name in names else value

    def copy(self) -> KnownNames:
        """Return a copy for a branch; what is imported in one is imported."""
        return KnownNames(self.imported, self.values.copy(), self.readers.copy())

    def join(self, other: KnownNames) -> None:
        """Become the names after one of two branches; an undefined name is an error."""
        for name, value in other.values.items():
            own = self.values.setdefault(name, value)
            if not _same(own, value):
                self.values[name] = _beginning([own, value])
        for name, found in other.readers.items():
            self.readers[name] = self.readers.get(name, found) | found


def _code(node: ast.AST) -> str:
    """Return the code of a node; an ellipsis where Python has no way to write it."""
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError):  # before 3.12, f"{'\\n'.join(x)}" in some forms
        return "…"


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
    for template in ("{}", "{} pass", "if _: pass\n{}", "if _: pass\n{} pass", "try: pass\n{}"):
        whole = template.replace("{}", source)
        tree = parse(whole)
        if tree is not None:
            return tree, whole
    return None, source


def walk(
    tree: ast.Module | None,
    source: str,
    state: State,
    run: Callable[[Event | SourceLine, Path], None],
    escaped: Iterable[SourceLine] = (),
) -> bool:
    """Run the calls of a tree in their order: each changes the state, or is handed to ``run``.

    Args:
        state: The state before it, which has `KnownNames`.
        escaped: IPython's lines, which the tree has a placeholder for.

    Returns:
        False without a tree, or if it is too deep.
    """
    if tree is None:
        return False
    visitor = _Visitor(source, state, run, tree)
    visitor.escaped.update((line.number, line) for line in escaped)
    try:
        visitor.visit(tree)
    except RecursionError:
        return False
    return True


_TEXTS = (ast.JoinedStr, ast.BinOp, ast.Call, ast.List, ast.Tuple)


def filled_in(node: ast.expr, values: Mapping[str, ast.expr | None]) -> ast.expr:
    """Return an expression with texts, lists and ``sys.executable`` in the place of names."""
    names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    known = {
        name: value
        for name in names
        if (value := values.get(name)) is not None
        and (
            isinstance(value, _KNOWN) or (isinstance(value, ast.Call) and _text(value) is not None)
        )
    }
    if not known:
        return node

    return _replaced(node, known)


def _replaced(node: ast.expr, known: Mapping[str, ast.expr]) -> ast.expr:
    """Return an expression with others in the place of names."""

    class Replacer(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return known.get(name.id, name) if isinstance(name.ctx, ast.Load) else name

    made: ast.expr = Replacer().visit(copy.deepcopy(node))
    return made


def _as_it_was(value: ast.expr | None, name: str) -> ast.expr | None:
    """Return a value in which a name stands for itself and is not looked up."""
    if value is None or all(getattr(each, "id", "") != name for each in ast.walk(value)):
        return value
    return _replaced(value, {name: ast.Name(f"{name} as it was", ast.Load())})


_LARGEST = 2000
"""The nodes of a value that is followed: ``x = x + x`` doubles it at every turn."""
_LONGEST = 2**14
"""The characters of a text that is followed, which a format may double."""

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
    constant = isinstance(body.value, (ast.Constant, ast.BinOp)) and not names
    known = names & values.keys()
    if not known and not constant and not names <= {"os", "sys"}:
        return None
    word = _word(filled_in(body.value, values))
    return word if known or constant or word.text not in word.holes else None


def _same(one: ast.expr | None, other: ast.expr | None) -> bool:
    return one is other or (
        one is not None and other is not None and ast.dump(one) == ast.dump(other)
    )


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


def _conditions(block: ast.AST) -> Iterator[str]:
    """Yield what each branch of a statement runs under; empty for one that always runs."""
    if isinstance(block, ast.If):
        test = _code(block.test)
        if isinstance(block.test, ast.Constant):
            yield from ("", NEVER) if block.test.value else (NEVER, "")
        elif test.startswith("__name__ =="):
            yield from ("", "")
        yield from (f"if this is true: {test}", f"if this is false: {test}")
    elif (handlers := getattr(block, "handlers", None)) is not None:  # also of except*
        yield ""
        for handler in handlers:
            said = f" {_code(handler.type)}" if handler.type else ""
            yield f"if Python raises{said or ' an error'}"
    elif isinstance(block, ast.Match):
        yield from (f"in one case of {_code(block.subject)}" for _ in block.cases)
    else:
        constant = getattr(block, "test", None)
        yield NEVER if isinstance(constant, ast.Constant) and not constant.value else ""


class _Visitor(ast.NodeVisitor):
    def __init__(
        self,
        source: str,
        state: State,
        run: Callable[[Event | SourceLine, Path], None],
        tree: ast.AST,
    ) -> None:
        self.lines = [line.encode() for line in re.split(r"\r\n?|\n", source)]  # as Python's
        self.state = state
        self.run = run
        self.tree = tree
        self.escaped: dict[int, SourceLine] = {}
        self.path: Path = ()

    @property
    def names(self) -> KnownNames:
        names: KnownNames = self.state.names
        return names

    def visit(self, node: ast.AST) -> None:
        """Visit a node; a placeholder of IPython's line is that line."""
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            line = self.escaped.pop(node.lineno, None)
            if line is not None:
                self.run(line, self.path)
        super().visit(node)

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

    def visit_AnnAssign(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._assign(node.target, node.value)

    visit_NamedExpr = visit_AnnAssign  # noqa: N815 - the name is of ast

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.names.assign(target.id, self._known(value))
        elif (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
            and not any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
        ):
            for one, its in zip(target.elts, value.elts, strict=True):
                self._assign(one, its)
        elif self._dotted(target) == "sys.argv":
            self.names.assign("sys.argv", self._known(value))
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
            after: ast.expr = ast.BinOp(before, ast.BitOr(), more)
            if isinstance(before, ast.Dict) and isinstance(more, ast.Dict):
                after = ast.Dict([*before.keys, *more.keys], [*before.values, *more.values])
            self.names.assign(changed.id, after)

    def _environ(self, name: ast.expr, value: ast.expr | None, line: int) -> None:
        part = _whole(self._known(name))
        if part.holes:
            unseen(self.state, f"os.environ[{_code(name)}]", "", line)
            return
        word = None if value is None else _word(self._known(value))
        self.state.put(part.text, word)

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
            self._updated([node.value], target.lineno)
        elif isinstance(target, ast.Name) and isinstance(node.op, (ast.Add, ast.BitOr)):
            before = self.names.values.get(target.id)
            after = ast.BinOp(before, node.op, node.value) if before is not None else None
            self.names.assign(target.id, self._known(after) if after else None)
        else:
            self._varies(target)
        self.generic_visit(node)

    # -- branches: which of two values holds is known only at run time

    def _branches(self, block: ast.AST, *bodies: Sequence[ast.AST], covered: bool) -> None:
        """Visit bodies of which one runs; without ``covered``, perhaps none of them."""
        base, path = self.state.snapshot(), self.path
        ends = [] if covered else [base]
        for number, (body, when) in enumerate(zip(bodies, _conditions(block), strict=False)):
            if number:
                self.state.become(base.snapshot())
            self.path = (*path, Branch(id(block), number, when))
            for each in body:
                self.visit(each)
            if when != NEVER:
                ends.append(self.state.snapshot())
        self.path = path
        self.state.merge(ends)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node, node.body, node.orelse, covered=True)

    def visit_Try(self, node: ast.Try) -> None:
        handlers = [handler.body for handler in node.handlers]
        self._branches(node, [*node.body, *node.orelse], *handlers, covered=True)
        for each in node.finalbody:
            self.visit(each)

    visit_TryStar = visit_Try  # noqa: N815 - the name is of ast

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        self._branches(node, *(case.body for case in node.cases), covered=False)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._branches(node, [node.body], covered=False)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
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
                    self.names.assign(name.id, None)
            for changed in _changed(each):
                value = self.names.values.get(changed)
                self.names.assign(changed, _beginning([value, value]))
        self._branches(node, node.body, covered=False)
        for each in node.orelse:
            self.visit(each)

    def visit_With(self, node: ast.With) -> None:
        entered = 0
        for item in node.items:
            call, name = item.context_expr, item.optional_vars
            if isinstance(name, ast.Name) and self._opened(call):
                self.names.assign(name.id, call)
            elif name is not None:
                self._varies(name)
            if isinstance(call, ast.Call) and self._dotted(call.func) == "contextlib.chdir":
                part = _whole(self._value(call.args[0])) if call.args else _hole(call)
                self.state.enter(part, within=True)
                entered += 1
        self.generic_visit(node)
        for _ in range(entered):
            self.state.leave()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        before = self.names.copy()
        self.names.values.update(dict.fromkeys(argument.arg for argument in every))
        self._branches(node, [*ast.iter_child_nodes(node)], covered=False)
        shared = [each.names for each in ast.walk(node) if isinstance(each, ast.Global)]
        changed = {name for names in shared for name in names}
        changed |= _changed(node) & before.values.keys()
        before.values.update(dict.fromkeys(changed))
        self.state.names = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name is of ast

    def _varies(self, target: ast.expr) -> None:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                self.names.assign(name.id, None)

    def _known(self, node: ast.expr) -> ast.expr:
        """Return an expression with the values of names in their place."""
        return filled_in(node, self.names.values)

    def _value(self, node: ast.expr) -> ast.expr:
        """Return the last expression assigned to a name; the node itself if unknown."""
        if isinstance(node, ast.Name):
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
            if function.endswith("create_command") and not name.holes:  # pip's own
                return f"pip {name.text}"
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

    def _unread(self, node: ast.Call) -> Unread | None:
        """Return a reason for a call that is not known, and is given an install to run."""
        own, given = self._name_of(node.func), self._given(node)
        if own == "write" and self._name_of(getattr(node.func, "value", node)) == "stdin":
            own = "communicate"  # with the shell that it is the input of
        names = [own, *map(self._name_of, given)]
        runner = next(filter(_RUNNER.search, names), "" if _TELLING.search(own) else own)
        texts = [text for each in given if (text := _text(self._value(each))) is not None]
        lists = [
            words for each in (*node.args, ast.List(node.args)) if (words := self._words(each))
        ]
        texts += map(joined_by_blanks, lists)
        commands = [_command(text) for text in texts if _INSTALLS.match(text.text)]
        if not runner or not commands:
            return None
        reason = f"{runner} runs it, in a way that is not read here."
        return Unread(reason, Shelled("\n".join(commands)))

    def _given(self, node: ast.Call) -> list[ast.expr]:
        """Return the arguments that may be run, and the elements of lists among them."""
        given = [*node.args, *(k.value for k in node.keywords if _COMMANDS.fullmatch(k.arg or ""))]
        lists = (each.elts for each in given if isinstance(each, (ast.List, ast.Tuple)))
        return [*given, *(element for elements in lists for element in elements)]

    def _name_of(self, node: ast.expr) -> str:
        """Return the last name of a function, also of one that a call returns."""
        while isinstance(node, ast.Call):
            inner = node.args and not isinstance(node.func, ast.Attribute)
            node = node.args[0] if inner else node.func
        return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")

    def _any_of(self, node: ast.Call) -> None:
        """List the installs in a cell's lists: a call in a loop runs some of them."""
        typed = self._typed(node)
        reason = f"{typed} may run it; only the run can tell."
        for text, command in installs_in(self.tree, self.names.values.values()).items():
            self.run(Event(Unread(reason, Shelled(command)), node.lineno, text), self.path)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self._method(node)
        self._writes(node)
        what = self._what(node)
        name = self._dotted(node.func)
        runs = name in SHELLED | RUN or name.startswith(f"{IPYTHON}.")
        if isinstance(node.func, ast.Name) and _RUNNER.search(node.func.id):
            runs = runs or any(_text(self._value(each)) is None for each in node.args)
        if runs and node.args and _is_unclear(what):
            self._any_of(node)
        what = what or self._unread(node)
        if what is None:
            return
        typed = self._typed(node)
        given = {k.arg: k.value for k in node.keywords}
        folder, variables = given.get("cwd"), given.get("env")
        replaced = _REPLACING.fullmatch(self._dotted(node.func))
        if replaced and replaced["env"] is not None and node.args:
            variables = node.args[-1]
        event = Event(
            what=what,
            line=node.lineno,
            typed=typed,
            folder=None if folder is None else _whole(self._known(folder)),
            variables=self._variables(variables) if variables else Variables({}),
        )
        self.run(event, self.path)

    def _opened(self, node: ast.expr) -> tuple[Word, bool] | None:
        """Return the path of a file that is opened to be written, and whether at its end."""
        if not isinstance(node, ast.Call):
            return None
        arguments = list(node.args)
        if self._dotted(node.func) not in _OPENERS:
            if not isinstance(node.func, ast.Attribute) or node.func.attr != "open":
                return None
            arguments.insert(0, node.func.value)
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
            known = _whole(self._known(expression)) if expression else None
            content = known.text if known and not known.holes else None
            by = f"Python, {self.state.machine.at(node.lineno)},"
            place = self.state.path_of(path)
            self.state.machine.wrote(place, content, append=append, by=by)

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
            self.names.assign(name.id, after or _beginning([value, value]))
        elif method == "update" and self._variables(value) is not None:
            for each in (*node.args, _as_dict(node.keywords)):
                self._added(name, each)
        else:
            self.names.assign(name.id, None)

    def _what(self, node: ast.Call) -> What | None:
        name = self._dotted(node.func)
        if name == "os.environ.update":
            self._updated([*node.args, _as_dict(node.keywords)], node.lineno)
            return None
        if (bound := self._bound(node)) is not None:
            return Argv(bound)
        arguments = list(node.args)
        arguments += [k.value for k in node.keywords if k.arg in ("args", "cmd", "packages")]
        if name.startswith("condacolab.install"):
            return Unread(python_reason(name, "", ""))
        if name == "dotenv.load_dotenv":
            named = {k.arg: k.value for k in node.keywords}
            file = arguments[0] if arguments else named.get("dotenv_path", ast.Constant(".env"))
            override = any(k.arg == "override" and _is(k.value, True) for k in node.keywords)
            load_variables(self.state, _whole(self._value(file)), node.lineno, override=override)
        if not name or not arguments:
            return None
        first = self._value(arguments[0])
        if name in SHELLED:
            return _shelled(first)
        if name in RUN:
            return self._run(node, first)
        replaced = _REPLACING.fullmatch(name)
        if replaced:
            return self._started(replaced, arguments)
        command = re.fullmatch(r"pip (\w+)\.main", name)
        if name in PIP or command:
            verb = map(Word, command.groups() if command else ())
            return Argv((*KERNEL_PIP, *verb, *(self._words(first) or ())))
        if name == "runpy.run_path":
            return MagicCall("run", _word(first).text)
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
            read = re.fullmatch(r"open\('([^']+)'.*\)\.read\(\)", _code(first))
            return MagicCall("run", read[1]) if read else None
        words = _joined(ast.Constant(" "), arguments[0]) or _text(arguments[0])
        what = words.text if words is not None and not words.holes else ""
        version = next((_whole(k.value).text for k in node.keywords if k.arg == "version"), "")
        asked = (k.value for k in node.keywords if k.arg in ("repo", "index_urls"))
        places = [_whole(value).text for value in (*arguments[1:], *asked)]
        urls = re.findall(r"https?://[^\s'\",\]]+", " ".join(places))
        if not urls and any(k.arg in ("repo", "index_urls") for k in node.keywords):
            what = ""  # it has an index, and which one is only known when it runs
        other = python_reason(name, what, version, urls)
        if other:
            return Unread(other)
        if name in ("os.putenv", "os.environ.setdefault") and len(arguments) > 1:
            self._environ(arguments[0], arguments[1], node.lineno)
        elif name in ("os.unsetenv", "os.environ.pop"):
            self._environ(arguments[0], None, node.lineno)
        if name == "os.chdir":
            self.state.enter(_whole(first))
        base, _, method = name.rpartition(".")
        if base == IPYTHON or method in ("run_line_magic", "run_cell_magic"):
            return _ipython(method, [self._value(argument) for argument in arguments])
        return None

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        how = self._dotted(node.right).removeprefix("plumbum.")
        if isinstance(node.op, ast.BitAnd) and how in _FOREGROUND:
            piped = [node.left]
            while isinstance(piped[-1], ast.BinOp) and isinstance(piped[-1].op, ast.BitOr):
                piped[-1:] = [piped[-1].right, piped[-1].left]
            for words in filter(None, map(self._program, piped)):
                self.run(Event(Argv(words), node.lineno, self._typed(node)), self.path)

    def _bound(self, node: ast.Call) -> tuple[Word, ...] | None:
        """Return the words of a call of sh's or plumbum's; None of another call."""
        runs = isinstance(node.func, ast.Attribute) and node.func.attr in _RUNNING
        words = self._program(node.func.value if runs else node.func)  # type: ignore[attr-defined]
        given = [] if runs else node.args
        return None if words is None else (*words, *self._bound_to(given))

    def _program(self, node: ast.expr) -> tuple[Word, ...] | None:
        """Return a program of sh's or plumbum's with what is bound to it: ``pip["install"]``."""
        node = self._value(node)
        if isinstance(node, ast.Subscript):
            if self._dotted(node.value).endswith("local"):
                return (_word(self._value(node.slice)),)
            words = self._program(node.value)
            more = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return None if words is None else (*words, *self._bound_to(more))
        if isinstance(node, ast.Call):
            if self._dotted(node.func) == "sh.Command" and node.args:
                return (_word(self._value(node.args[0])),)
            bakes = isinstance(node.func, ast.Attribute) and node.func.attr == "bake"
            words = self._program(node.func.value) if bakes else None  # type: ignore[attr-defined]
            return None if words is None else (*words, *self._bound_to(node.args))
        name = self._dotted(node)
        match = re.fullmatch(r"(?:sh|plumbum\.cmd)\.(\w+(?:\.\w+)*)", name)
        return tuple(map(Word, match[1].split("."))) if match else None

    def _bound_to(self, given: Sequence[ast.expr]) -> Iterator[Word]:
        for each in given:
            words = self._program(each)  # sudo[pip["install"]]
            words = self._words(each.value) if isinstance(each, ast.Starred) else words
            yield from words or (_word(self._value(each)),)

    def _typed(self, node: ast.expr) -> str:
        last, end = node.end_lineno or node.lineno, node.end_col_offset
        *before, line = self.lines[node.lineno - 1 : last]
        lines = [*before, line[:end]]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode()

    def _updated(self, arguments: Sequence[ast.expr], line: int) -> None:
        for argument in arguments:
            known = self._variables(argument)
            if known is None:
                texts = any(isinstance(each, ast.Constant) for each in ast.walk(argument))
                said = "a dictionary" if texts else _code(argument)  # no secret of it
                unseen(self.state, f"{said} in os.environ", "", line)
            for name, word in known.values.items() if known is not None else ():
                self.state.put(name, word)

    def _started(self, match: re.Match[str], arguments: Sequence[ast.expr]) -> What | None:
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
            return Unread(reason, line)
        if not shell:
            given = next((k.value for k in node.keywords if k.arg == "input"), None)
            text = None if given is None else _text(self._value(given))
            if text is not None and [word.text for word in words] in (["bash"], ["sh"]):
                return Shelled(_escaped(text))
            return Argv(words)
        if len(words) == 1:
            return Shelled(_escaped(words[0]))
        reason = "With shell=True the first word alone is the command, and the others are not read."
        return Unread(reason, Argv(words))

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
            if whole is not None and text in node.args and not whole.holes:  # shlex's
                return tuple(replace(word, quoted=True) for word in _divided(whole.text))
            return None if whole is None else tuple(split(whole))
        return None


def _is_unclear(what: What | None) -> bool:
    """Return whether only the run can tell which command a call runs."""
    text = what.text if isinstance(what, (Shelled, Argv, Cell)) else ""
    return what is None or re.fullmatch(r"(?:\S*sh -l?c )?\{[^{}]*\}", text) is not None


def _as_dict(keywords: Sequence[ast.keyword]) -> ast.Dict:
    """Return the keywords of a call as the dictionary that ``dict`` makes of them."""
    keys: list[ast.expr | None] = [ast.Constant(k.arg) if k.arg else None for k in keywords]
    return ast.Dict(keys, [k.value for k in keywords])


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _ipython(method: str, arguments: list[ast.expr]) -> What | None:
    if method in _SHELL_METHODS:
        return _shelled(arguments[0], by_ipython=True)
    texts = [_word(argument).text for argument in arguments]
    if method == "run_line_magic" and len(texts) > 1:
        return MagicCall(texts[0], texts[1])
    if method == "run_cell_magic" and len(texts) > 2:
        return MagicCall(texts[0], texts[1], texts[2])
    if method == "magic":
        name, _, line = texts[0].lstrip("%").partition(" ")
        return MagicCall(name, line)
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


def _divided(text: str) -> list[Word]:
    """Return the words that ``shlex.split`` makes of a text."""
    try:
        return [Word(each) for each in shlex.split(text)]
    except ValueError:
        return []


def installs_in(tree: ast.AST | None, values: Iterable[ast.AST | None]) -> dict[str, str]:
    """Return the texts in the lists and dictionaries of a cell and of known values that install.

    Args:
        tree: The cell.

    Returns:
        Each text with its shell's line.
    """
    known = map(_listed_in, filter(None, (tree, *values)))
    return {text: line for found in known for text, line in found.items()}


@lru_cache(maxsize=4096)  # a cell may have thousands of calls that only its run can tell
def _listed_in(node: ast.AST) -> dict[str, str]:
    every = [*ast.walk(node)]
    lists = [each.elts for each in every if isinstance(each, (ast.List, ast.Tuple))]
    lists += [each.values for each in every if isinstance(each, ast.Dict)]
    texts = [text for each in lists for one in each if (text := _text(one)) is not None]
    return {text.text: _command(text) for text in texts if _INSTALLS.match(text.text)}


def _command(word: Word) -> str:
    """Return a text as a shell's line, without the sign of IPython's before it."""
    return re.sub(r"^\s*[!%]+", "", _escaped(word))


def _text(node: ast.expr) -> Word | None:
    """Return a text; None if nothing of it is known."""
    number = number_of(node)
    if number is not None:
        return Word(str(number), quoted=True)
    if isinstance(node, ast.Attribute) and _code(node) in _SEPARATORS:
        return Word(_SEPARATORS[_code(node)], quoted=True)
    if isinstance(node, ast.Constant):
        value = node.value.decode(errors="replace") if isinstance(node.value, bytes) else node.value
        known = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return Word(str(value), quoted=True) if known else None
    if isinstance(node, ast.JoinedStr):
        return joined(map(_piece, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (node.left, node.right)
        if any(number_of(side) is not None for side in sides):
            return None
        texts = [_text(side) for side in sides]
        words = (text or _hole(side) for text, side in zip(texts, sides, strict=True))
        return joined(replace(word, quoted=True) for word in words) if any(texts) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):  # of a Path
        return _joined(ast.Constant("/"), ast.List([node.left, node.right], ast.Load()))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return _filled(_text(node.left), r"%(?:\((\w+)\))?[-+ #0-9.]*[sdrif]", values)
    return _made(node) if isinstance(node, ast.Call) else None


def _made(node: ast.Call) -> Word | None:
    """Return the path or the text that a call makes of texts; None of another call."""
    name = _code(node.func)
    parts = node.args
    if _code(node) == "os.path.dirname(sys.executable)":
        return Word("{sys.prefix}/bin", ("{sys.prefix}",), quoted=True)
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
    if node.func.attr == "format":
        return _filled(_text(base), r"\{(\w*)[^{}]*\}", parts, node.keywords)
    return _joined(base, parts[0]) if node.func.attr == "join" and len(parts) == 1 else None


_SEPARATORS = {"os.pathsep": ":", "os.sep": "/", "os.path.sep": "/", "os.linesep": "\n"}


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
    text = _code(inner).replace("{", "(").replace("}", ")").replace("\n", " ")
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
    words: dict[ast.expr, Word] = {}  # of a value that a format names again and again
    at = 0
    known = {str(number): value for number, value in enumerate(values)}
    known |= {keyword.arg: keyword.value for keyword in named if keyword.arg}
    for number, match in enumerate(re.finditer(pattern, text.text)):
        value = known.get(match[1] or str(number))
        plain = re.fullmatch(r"\{\w*\}|%(?:\(\w+\))?[sd]", match[0]) and value is not None
        if plain and value is not None and value not in words:
            words[value] = _text(value) or _hole(value)
        word = words.get(value) if plain and value is not None else None
        filled += [text.part(at, match.start()), word or _hole_of(match[1] or "…")]
        at = match.end()
    if sum(len(word.text) for word in filled) > _LONGEST:
        return None
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
