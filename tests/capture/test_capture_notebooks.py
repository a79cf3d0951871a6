"""Installs in cells and notebook files, and the verb that plans them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.test_capture_shell import TOKENS, calls
from jstackmagic import commands
from jstackmagic.capture import Target, notebooks, own, watcher
from jstackmagic.capture.cells import CellReader, mentions_install
from jstackmagic.capture.cellsource import logical_lines
from jstackmagic.capture.commandlines import READERS
from jstackmagic.capture.lists import expand
from jstackmagic.capture.others import OTHERS
from jstackmagic.capture.targets import Targets
from jstackmagic.model.errors import InvalidSpec, UsageError
from jstackmagic.model.ledger import fold
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from support.growth import growth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jstackmagic.capture import Found
    from jstackmagic.commands._captured import Capture
    from support.environments import Root
    from support.standin_conda import StandIn


def read(*cells: str, folder: str | None = "/w", **options: Any) -> list[Found]:
    """The finds of the cells of one notebook."""
    reader = CellReader(folder=folder, **options)
    return [find for cell in cells for find in reader.read(cell)]


def asked(*cells: str) -> list[tuple[int, str]]:
    """Line and specs of each find that is understood."""
    return [(find.line, " ".join(find.request.texts)) for find in read(*cells) if find.request]


# Cells: IPython

CELLS: list[tuple[str, list[tuple[int, str]]]] = [
    ("!pip install a", [(1, "a")]),
    ("!!pip install a", [(1, "a")]),
    ("! pip install a", [(1, "a")]),
    ("\n\n!pip install a  # yes", [(3, "a")]),
    ("x = !pip install a\ny=!pip install b", [(1, "a"), (2, "b")]),
    ("out, err = %sx pip install a", [(1, "a")]),
    ("%pip install a\n%system pip install b", [(1, "a"), (2, "b")]),
    ("%conda install a\n%mamba install b\n%micromamba install c", [(1, "a"), (2, "b"), (3, "c")]),
    ("%uv pip install a", [(1, "a")]),
    ("pip install a", [(1, "a")]),
    ("conda install -y a", [(1, "a")]),
    ("!pip install \\\n   a \\\n   b\n!pip install c", [(1, "a b"), (4, "c")]),
    ("try:\n    import a\nexcept ImportError:\n    !pip install a", [(4, "a")]),
    ("for i in x: pass\nif y:\n\t%pip install a", [(3, "a")]),
    ("%%bash\n\npip install a && pip install b", [(3, "a"), (3, "b")]),
    ("%%sh -e\npip install a", [(2, "a")]),
    ("%%script bash -s x\npip install a", [(2, "a")]),
    ("%%system\npip install a", [(2, "a")]),
    ("%%capture out\n!pip install a\n%pip install b", [(2, "a"), (3, "b")]),
    ("%%capture\n%%bash\npip install a", [(3, "a")]),
    ("%%time\nimport os\nos.system('pip install a')", [(3, "a")]),
    ("%time !pip install a", [(1, "a")]),
    ("%timeit -n 1 -r 1 !pip install a", [(1, "a")]),
    ("%envinstall --pip a apt:b 'c>=1'", [(1, "b"), (1, "a c>=1")]),
    ("%%envinstall -n x\na\nb>=1", [(1, "a b>=1")]),
    ("%envremove a", [(1, "a")]),
    # nothing of the kind
    ("# !pip install a\n#%pip install b", []),
    ("text = '''\n!pip install a\n'''", []),
    ('text = """\\"""\n!pip install a\n"""', []),
    ("f(\n!pip install a\n)\n!pip install b", [(4, "b")]),
    ("print('!pip install a'); x = 'pip install b'", []),
    ("a != pip\nx == !pip", []),
    ("%pip?\n!pip install --help\n%%", []),
    ("%%writefile install.sh\npip install a", []),
    ("%%html\n<!-- pip install a -->\n!pip install a", []),
    ("%envinstall --dry-run a", []),
    ("", []),
]


@pytest.mark.parametrize(("cell", "expected"), CELLS, ids=[cell for cell, _ in CELLS])
def test_cells(cell: str, expected: list[tuple[int, str]]) -> None:
    finds = read(cell)
    assert [(f.line, " ".join(f.request.texts)) for f in finds if f.request] == expected
    assert [f.reason for f in finds if f.reason] == []


# Cells: Python

PYTHON: list[tuple[str, list[str]]] = [
    ("import os; os.system('pip install a')", ["a"]),
    ("from os import system as s\ns('pip install a')", ["a"]),
    ("os.popen('pip install a').read()", ["a"]),
    ("get_ipython().system('pip install a')", ["a"]),
    ("ip = get_ipython()\nip.system('pip install a')", ["a"]),
    ("get_ipython().run_line_magic('pip', 'install a')", ["a"]),
    ("get_ipython().magic('pip install a')", ["a"]),
    ("get_ipython().run_cell_magic('bash', '', 'pip install a\\npip install b')", ["a", "b"]),
    ("get_ipython().run_cell('!pip install a')", ["a"]),
    ("subprocess.run(['pip', 'install', 'a>=1'])", ["a>=1"]),
    ("subprocess.check_call((sys.executable, '-m', 'pip', 'install', 'a'))", ["a"]),
    ("import subprocess as sp\nsp.Popen(args=['pip', 'install', 'a'])", ["a"]),
    ("from subprocess import call\ncall('pip install a', shell=True)", ["a"]),
    ("subprocess.run('pip install a b'.split(), check=True)", ["a b"]),
    ("subprocess.run(shlex.split('pip install a'))", ["a"]),
    ("subprocess.run(['pip install a'], shell=True)", ["a"]),
    ("subprocess.run(['bash', '-c', 'pip install a && pip install b'])", ["a", "b"]),
    ("subprocess.run(['pip', 'install', '-e', '.'], cwd='sub')", ["-e /w/sub"]),
    ("subprocess.getoutput('pip install ' + 'a')", ["a"]),
    ("subprocess.run(['pip', 'install'] + ['a', 'b'])", ["a b"]),
    ("cmd = ['pip', 'install', 'a']\nsubprocess.run(cmd)", ["a"]),
    ("cmd = 'pip install a'\nos.system(cmd)\ncmd = 'ls'\nos.system(cmd)", ["a"]),
    ("await asyncio.create_subprocess_shell('pip install a')", ["a"]),
    ("await asyncio.create_subprocess_exec('pip', 'install', 'a')", ["a"]),
    ("import pip\npip.main(['install', 'a'])", ["a"]),
    ("from pip._internal import main as pipmain\npipmain(['install', 'a'])", ["a"]),
    ("os.chdir('sub')\nos.system('pip install -r r.txt')", ["-r /w/sub/r.txt"]),
    ("def f(x):\n    if x:\n        os.system('pip install a')", ["a"]),
    ("os.system('''\n  pip install a\n''')", ["a"]),
    # an age ago
    ("print 'installing'\nos.system('pip install a')", ["a"]),
    ("try:\n  import a\nexcept ImportError, e: pass\nelse: os.system('pip install b')", ["b"]),
    ("exec 'x = 1'\n!conda install pymongo --yes\n!pip install twitter", ["pymongo", "twitter"]),
    # only text, or nobody's
    ("print('pip install a')", []),
    ("log('pip install a', shell=True)", []),
    ("cmd = 'pip install a'", []),
    ("def run(cmd):\n    os.system(cmd)\ncmd = 'pip install a'\nrun('ls')", []),
    ("if x:\n    c = 'pip install a'\nelse:\n    c = 'ls'\nos.system(c)", []),
    ("s = 'pip install a'\ns += ' b'\nos.system(s)", ["a b"]),
]


@pytest.mark.parametrize(("cell", "expected"), PYTHON, ids=[cell for cell, _ in PYTHON])
def test_python(cell: str, expected: list[str]) -> None:
    finds = read(cell)
    assert [" ".join(f.request.texts) for f in finds if f.request] == expected
    assert [f.reason for f in finds if f.reason] == []


HOLES: list[tuple[str, str]] = [
    ("os.system(f'pip install {pkg}')", "{pkg}"),
    ("os.system(f'pip install {pkg}=={v[0]!r:>8}')", "{pkg}, {v[0]}"),
    ("os.system('pip install ' + pkg)", "{pkg}"),
    ("os.system('pip install {}=={version}'.format(a, version=b))", "{a}, {b}"),
    ("os.system('pip install %s' % pkg)", "{pkg}"),
    ("os.system(' '.join(['pip', 'install', pkg]))", "{pkg}"),
    ("subprocess.run([sys.executable, '-m', 'pip', 'install', package])", "{package}"),
    ("subprocess.run(['pip', 'install', *packages])", "{*packages}"),
    ("subprocess.run(['pip', 'install'] + packages)", "{packages}"),
    ("!pip install {pkg}", "{pkg}"),
    ("!pip install $pkg", "$pkg"),
    ("%pip install '{pkg}'", "{pkg}"),
    ("%envinstall {pkg}", "{pkg}"),
    ("get_ipython().system('pip install {pkg}')", "{pkg}"),
]


@pytest.mark.parametrize(("cell", "hole"), HOLES, ids=[cell for cell, _ in HOLES])
def test_what_only_the_run_can_tell_stays_visible(cell: str, hole: str) -> None:
    (find,) = read(cell)
    assert find.request is None
    assert find.reason.startswith(f"{hole} ")


UNREAD: list[tuple[str, str]] = [
    ("import a\npip install a", "Without ! or %"),
    ("system('pip install a')", "system runs it"),
    ("except Exception, e: os.system('pip install a')", "Python cannot read"),
    ("subprocess.run('pip install a')", "Without shell=True"),
    ("subprocess.run(['pip', 'install', 'a'], shell=True)", "With shell=True"),
    ("%%mymagic\n!pip install a", "%%mymagic"),
    ("%conda install 'a", "IPython cannot split"),
    ("%envinstall 'a", "cannot be split"),
    ("%envinstall --all-kernels a", "all kernels"),
    ("%cd {folder}\n!pip install -e .", "folder"),
    ("%cd -\n%envinstall -e .", "folder"),
    ("os.chdir(folder)\n!pip install -r r.txt", "folder"),
]


@pytest.mark.parametrize(("cell", "reason"), UNREAD, ids=[cell for cell, _ in UNREAD])
def test_what_does_not_run_as_it_stands(cell: str, reason: str) -> None:
    (find,) = read(cell)
    assert find.request is None
    assert reason in find.reason


def test_ipythons_conda_loses_the_quotes() -> None:
    (find,) = read('%conda install "numpy>=1.20"')
    assert find.request == Request("install", "conda", ("numpy",))
    assert "%conda loses the quotes" in find.note
    (find,) = read('%pip install "numpy>=1.20"')
    assert find.request == Request("install", "pip", ("numpy>=1.20",))
    assert find.note == ""


def test_magics_reach_the_kernels_own_environment() -> None:
    kernel = Target(interpreter="{sys.executable}")
    conda = Target(prefix="{sys.prefix}", interpreter="conda")
    cells = ["%pip install a", "%conda install a", "%conda install -n x a", "!pip install a"]
    assert [find.target for find in read(*cells)] == [
        kernel,
        conda,
        Target(name="x", interpreter="conda"),
        Target(interpreter="pip"),
    ]
    (find,) = read("%envinstall --kernel ir --conda a")
    assert find.target == Target(kernel="ir")


def test_what_a_cell_sets_holds_for_the_next() -> None:
    assert asked(
        "import subprocess as sp",
        "%cd sub",
        "sp.run(['pip', 'install', '-e', '.'])",
        "!cd other",
        "!pip install -e .",
    ) == [(1, "-e /w/sub"), (1, "-e /w/sub")]


def test_specs_of_our_own_that_name_no_manager_go_to_who_is_asked_first() -> None:
    (find,) = read("%envinstall -c x six -r list.txt pip:toolz conda:numpy")[1:]
    for conda, wanted in (
        (True, [("conda", "six"), ("pip", "toolz -r /w/list.txt")]),
        (False, [("pip", "six toolz -r /w/list.txt")]),
    ):
        found = [each.request for each in own.resolved(find, conda=conda)]
        assert [(each.manager, " ".join(each.texts)) for each in found if each] == wanted
        assert next(each.sources for each in found if each).channels == (("x",) * conda)
    (find,) = read("%%envinstall -c x\nname: a\nchannels: [y]\ndependencies:\n- six\n")
    assert find.request == Request(
        "install", "conda", ("six",), sources=Sources(channels=("x", "y"))
    )


@pytest.mark.parametrize(
    ("line", "asks", "prefix"),
    [
        ("!jstackmagic install six", "pip six", ""),
        ("envinstall six", "pip six", ""),
        ("!cd e && python -m jstackmagic install -p ../x conda:six pip:idna", "pip idna", "/w/x"),
        ("%%bash\n/opt/x/bin/jstackmagic remove pip:six", "pip six", "/opt/x"),
        ("import os; os.system('sudo jstackmagic install apt:curl')", "apt curl", ""),
        ("%envinstall -p sub/e pip:six -- --no-deps", "pip six", "/w/sub/e"),
    ],
)
def test_our_own_line_is_followed_wherever_it_is_typed(line: str, asks: str, prefix: str) -> None:
    find = read(line)[-1]
    assert find.request is not None, find.reason
    assert f"{find.request.manager} {' '.join(find.request.texts)}" == asks
    assert (find.target.prefix, find.ours) == (prefix, True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!jstackmagic install $PKG", "$PKG is only known when it runs."),
        ("!jstackmagic install install six", "is the command itself"),
        ("!%envinstall six", "It is a magic, which no shell has. The line: jstackmagic install"),
        ("%%sh\nenvinstall six", "The line: jstackmagic install"),
        ("!jstackmagic replay", "It follows a history"),
        ("%envundo", "It follows a history"),
        ("%envinstall --bogus six", "It has no option --bogus."),
        ("!jstackmagic install --n x six", "It has no option --n."),
        ("!jstackmagic install -zy six", "It has no option -z, as in -zy."),
        ("!jstackmagic install --pip --apt six", "It takes one of --apt and --pip."),
        ("%envremove -n x --prefix=/y six", "It takes one of --name and --prefix."),
        ("!jstackmagic install six -- --no-deps $X", "$X is only known when it runs."),
        ("!xargs jstackmagic install < a.txt", "xargs gives it its packages, from a.txt."),
    ],
)
def test_our_own_line_that_is_not_followed_is_said(line: str, reason: str) -> None:
    (find,) = read(line)
    assert reason in find.reason


@pytest.mark.parametrize(
    "line",
    ["!jstackmagic install --dry-run six", "!jstackmagic export conda", "%envdiff", "envs = 3"],
)
def test_a_line_of_ours_that_installs_nothing_is_no_find(line: str) -> None:
    assert read(line) == []


def test_what_records_itself_is_not_recorded_by_the_session() -> None:
    cell = "!jstackmagic install six\n!pip install idna"
    assert [each.request.texts for each in watcher._read(cell) if each.request] == [("idna",)]


def test_the_sources_of_our_own_line_are_for_its_lists_too(tmp_path: Path) -> None:
    text = "channels: [y]\ndependencies:\n- six\n- pip: [toolz]\n"
    (tmp_path / "environment.yml").write_text(text)
    (tmp_path / "r.txt").write_text("idna\n")
    line = "%envinstall -c x -i https://h.example/simple -f environment.yml -r r.txt"
    found = [each for find in read(line, folder=str(tmp_path)) for each in expand(find)]
    index = Sources(index_url="https://h.example/simple")
    assert [(each.request.manager, each.request.sources) for each in found if each.request] == [
        ("pip", index), ("conda", Sources(channels=("x", "y"))), ("pip", index),
    ]  # fmt: skip


def test_commands_are_as_typed() -> None:
    cell = (
        "!pip install a \\\n   b\nx = %pip install c\nsubprocess.run(['pip', 'install', 'd'])\n"
        "get_ipython().run_cell_magic('bash', '', 'set -e\\nexec pip install e')"
    )
    assert [(find.command, find.line) for find in read(cell)] == [
        ("pip install a b", 1),
        ("%pip install c", 3),
        ("subprocess.run(['pip', 'install', 'd'])", 4),
        ("exec pip install e", 5),
    ]


def test_escapes_are_found_where_ipython_finds_them() -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    cell = (
        "!a\nx = !b\nif 1:\n    %c d\ns = '''\n!no\n'''\n# !no\nf(1,\n  2)\n"
        "y = {\n  'k': '!no',\n}\nz = %e f\nw = 'it''s' # don't\n!g \\\n  h\nq = a != b\n"
    )
    ours = [line.text for line in logical_lines(cell) if line.escaped]
    transformed = TransformerManager().transform_cell(cell)
    theirs = re.findall(r"get_ipython\(\)\.\w+\('(.*?)'(?:, '(.*?)')?\)", transformed)
    assert len(ours) == len(theirs) == 5
    for line, words in zip(ours, theirs, strict=True):
        assert line.lstrip("!%").split() == " ".join(words).split()


def test_cells_that_are_not_worth_reading_are_told_by_a_look() -> None:
    assert not mentions_install("import numpy as np\nnp.pipe(adapt(chapter), uvw)\n")
    for name in (*READERS, *OTHERS):
        assert mentions_install(f"!{name} x")


install_lines = calls.filter(lambda call: not re.match(r"A=", call[0][0]))


@settings(deadline=None)
@given(install_lines)
def test_every_way_to_run_a_line_gives_the_same_request(call: tuple[list[str], Request]) -> None:
    import shlex

    words, request = call
    line = shlex.join(words)
    cells = [
        f"!{line}",
        f"x = 1\nout = !{line}",
        f"%%bash\n{line}",
        f"%sx {line}",
        f"import os\nos.system({line!r})",
        f"import subprocess\nsubprocess.run({words!r}, check=True)",
        f"import subprocess\nsubprocess.run({line!r}, shell=True)",
        f"get_ipython().system({line!r})",
        f"print 'old'\nos.system({line!r})",
        f"os.system(f{line!r})",
    ]
    for cell in cells:
        assert [find.request for find in read(cell)] == [request], cell


cellish = st.lists(
    st.sampled_from(
        [
            *(*TOKENS.split(), "\n", "    ", "!", "%", "%%bash\n", "%pip", "'''", '"""', "x = !"),
            *("os.system(", "subprocess.run([", "f'", "%time", "%%time\n", "%%envinstall\n", "%cd"),
            *("import os", "get_ipython().system('", "if x:", "shell=True", "pip.main("),
        ]
    )
).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(), cellish))
def test_any_cell_gives_finds(cell: str) -> None:
    for find in read(cell):
        assert (find.request is None) == bool(find.reason)
        assert 1 <= find.line <= cell.count("\n") + 1
        assert find.command


def test_deep_python_is_no_trouble() -> None:
    deep = " + ".join(["'a'"] * 5000)
    finds = read(f"x = {deep}\nos.system('pip install a')")
    assert [find.request and find.request.texts for find in finds] == [("a",)]


@pytest.mark.parametrize(
    "line",
    ["a = a + a", "a = f'{a}{a}'", "a = '{0}{0}'.format(a)", "a = '%s%s' % (a, a)", "d['N'] = 'x'"],
)
def test_the_time_grows_with_lines_that_double_a_value(line: str) -> None:
    def cells(times: int) -> None:
        lines = "\n".join(line.replace("N", str(n)) for n in range(times))
        read(f"a, d = 'x', {{}}\n{lines}\n!pip install {{a}}")

    assert growth(cells, 8, least=0.05) < 64


def test_scripts_that_run_each_other_without_end_are_said() -> None:
    reader = CellReader()
    reader.state.effort.left = 200
    cells = [f"%%writefile {n}.ipy\n" + f"%run {n + 1}.ipy\n" * 9 for n in range(8)]
    finds = [find for cell in (*cells, "%run 0.ipy") for find in reader.read(cell)]
    assert any("run more than 10,000 commands there" in find.reason for find in finds)


@pytest.mark.parametrize("nest", ["%%time\n", "%time ", "%%capture\n"])
def test_magics_within_magics_are_followed_a_few_deep_and_then_said(nest: str) -> None:
    (find,) = read(f"{nest * 3}!pip install six")
    assert find.request
    (find,) = read(f"{nest * 3000}!pip install six")
    assert find.reason == "It is nested more than 10 deep, which is not read here."


# Files


def code(source: str, *, outputs: bool = True) -> dict[str, Any]:
    """A code cell of nbformat 4, as Jupyter saves it."""
    shown = [{"output_type": "stream", "name": "stdout", "text": ["Collecting six\n", "…\n"]}]
    return {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": {"tags": []},
        "outputs": shown if outputs else [],
        "source": source.splitlines(keepends=True),
    }


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": [source]}


def notebook(*cells: dict[str, Any], kernel: str = "python3", language: str = "python") -> str:
    metadata = {
        "kernelspec": {"display_name": "x", "language": language, "name": kernel},
        "language_info": {"name": language, "version": "3.10.1"},
    }
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1)


@pytest.mark.parametrize("language", [None, "coconut"])
def test_a_language_that_is_null_or_has_ipythons_magics(
    language: str | None, tmp_path: Path
) -> None:
    kernel = {"display_name": "x", "language": language, "name": "x"}
    cell = {"cell_type": "code", "source": "%pip install six"}
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps({"cells": [cell], "metadata": {"kernelspec": kernel}}))
    assert places(notebooks.read(str(file))) == [(1, 1, "six")]


def old_notebook(*sources: str) -> str:
    """A notebook of nbformat 3, as IPython 1 and 2 saved it."""
    cells = [
        {
            "cell_type": "code",
            "collapsed": False,
            "input": source.splitlines(keepends=True),
            "language": "python",
            "metadata": {},
            "outputs": [{"output_type": "pyout", "text": ["1"], "prompt_number": 1}],
            "prompt_number": 1,
        }
        for source in sources
    ]
    heading = {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Mining Twitter"]}
    sheet = {"cells": [heading, *cells], "metadata": {}}
    metadata = {"name": "", "signature": "sha256:0"}
    return json.dumps(
        {"metadata": metadata, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]}
    )


def places(reading: notebooks.NotebookReading) -> list[tuple[int, int, str]]:
    return [
        (each.cell, each.line, " ".join(each.found.request.texts) if each.found.request else "")
        for each in reading.findings
    ]


def test_a_notebook(tmp_path: Path) -> None:
    file = tmp_path / "a b.ipynb"
    file.write_text(
        notebook(
            markdown("# !pip install no"),
            code("import sys\n!{sys.executable} -m pip install -q six\n"),
            {"cell_type": "raw", "metadata": {}, "source": "!pip install no"},
            {**code(""), "source": "%%bash\napt-get update\napt-get install -y graphviz"},
            code("!pip install -r requirements.txt"),
            kernel="python2",
        )
    )
    reading = notebooks.read(str(file))
    assert places(reading) == [
        (2, 2, "six"),
        (4, 3, "graphviz"),
        (5, 1, f"-r {tmp_path}/requirements.txt"),
    ]
    assert reading.kernel == "python2"
    assert reading.problem == ""
    assert {each.file for each in reading.findings} == {str(file)}


def test_a_notebook_of_the_chapters_time(tmp_path: Path) -> None:
    file = tmp_path / "old.ipynb"
    file.write_text(
        old_notebook("!conda install pymongo --yes", "print 'x'", "!pip install twitter\n")
    )
    assert places(notebooks.read(str(file))) == [(2, 1, "pymongo"), (4, 1, "twitter")]


def test_nbformats_own_notebooks_are_read(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("x"), nbformat.v4.new_code_cell("!pip install six")]
    )
    for version in (3, 4):
        file = tmp_path / f"{version}.ipynb"
        file.write_text(nbformat.writes(made, version=version))
        assert places(notebooks.read(str(file))) == [(2, 1, "six")]


def test_what_outputs_may_hold_is_no_trouble(tmp_path: Path) -> None:
    file = tmp_path / "odd.ipynb"
    odd = code("!pip install six")
    odd["outputs"] = [{"data": {"application/json": {"loss": float("nan")}}, "text": "\ud83d"}]
    file.write_text("\ufeff" + notebook(odd), encoding="utf-8")
    assert places(notebooks.read(str(file))) == [(1, 1, "six")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b'{"cells": [', "not a notebook"),
        (b"<<<<<<< HEAD\n{}", "not a notebook"),
        (b'{"a": 1}', "has no cells"),
        (b"[1, 2]", "not a notebook"),
        (b"\xff\xfe\x00", "not a notebook"),
        (b'{"cells": 3}', "not a notebook"),
        (b'{"cells": ' + b"[" * 100_000, "not a notebook"),
    ],
)
def test_a_broken_file_has_a_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "broken.ipynb"
    file.write_bytes(content)
    reading = notebooks.read(str(file))
    assert problem in reading.problem
    assert reading.findings == ()


def test_cells_in_other_languages(tmp_path: Path) -> None:
    shell, other = tmp_path / "bash.ipynb", tmp_path / "r.ipynb"
    shell.write_text(notebook(code("pip install six"), kernel="bash", language="bash"))
    other.write_text(notebook(code('install.packages("x")'), kernel="ir", language="R"))
    assert places(notebooks.read(str(shell))) == [(1, 1, "six")]
    assert notebooks.read(str(other)).problem == "Cells in r are not read."


PERCENT = """\
# -*- coding: utf-8 -*-
import sys
# %% [markdown]
# !pip install no
# %% setup
# !pip install no
!pip install a
#%%
%pip install b
os.system("pip install c")
# %% {"language": "bash"}
# pip install d
"""

EXPORTED = """\
#!/usr/bin/env python
# coding: utf-8

# # Title
# In[1]:


get_ipython().system('pip install a')
# !pip install no


# In[ ]:


get_ipython().run_line_magic('pip', 'install b')
get_ipython().run_cell_magic('bash', '', 'pip install c\\n')
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PERCENT, [(3, 7, "a"), (4, 9, "b"), (4, 10, "c"), (5, 12, "d")]),
        (EXPORTED, [(1, 8, "a"), (2, 15, "b"), (2, 16, "c")]),
        ("import os\n\nos.system('pip install a')\n", [(0, 3, "a")]),
        ("!pip install a\n", [(0, 1, "a")]),
        ("#!/bin/sh\nprint 'x'\nos.system('pip install a')\r\n", [(0, 3, "a")]),
        ("\n" * 5000 + "# x\n", []),
    ],
    ids=["percent", "exported", "plain", "IPython's", "old", "blank"],
)
def test_scripts(tmp_path: Path, text: str, expected: list[tuple[int, int, str]]) -> None:
    file = tmp_path / "script.py"
    file.write_text(text, newline="")
    assert places(notebooks.read(str(file))) == expected


def test_a_bare_pip_line_in_a_script_is_no_magic(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text("pip install six")
    (finding,) = notebooks.read(str(file)).findings
    assert "Without ! or %" in finding.found.reason


SOURCES = [
    "import sys\n!pip install a\n# !pip install no\n%pip install \\\n  b",
    "%%bash\napt-get update\napt-get install -y c\n# pip install no",
    "%%capture\nx = !pip install d\nif x:\n    !pip install e",
    "%%bash -s x\npip install f",
]


@pytest.mark.parametrize("kind", ["py:percent", "py:light", "py:hydrogen", "md", "md:myst", "Rmd"])
def test_what_jupytext_writes_is_read_as_the_notebook_is(tmp_path: Path, kind: str) -> None:
    jupytext = pytest.importorskip("jupytext")
    nbformat = pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(source) for source in SOURCES]
    cells.insert(1, nbformat.v4.new_markdown_cell("Text\n\n    !pip install no"))
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    file = tmp_path / f"text.{kind.split(':')[0]}"
    file.write_text(jupytext.writes(made, fmt=kind))
    assert list(notebooks.files([tmp_path])) == [str(file)]
    specs = [spec for _, _, spec in places(notebooks.read(str(file)))]
    assert specs == ["a", "b", "c", "d", "e", "f"]


def test_a_quarto_document(tmp_path: Path) -> None:
    pytest.importorskip("jupytext")
    file = tmp_path / "report.qmd"
    file.write_text("---\ntitle: x\n---\n\n```{python}\n#| echo: false\n!pip install six\n```\n")
    assert places(notebooks.read(str(file))) == [(2, 2, "six")]


def test_text_notebooks_where_jupytext_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    file = tmp_path / "text.qmd"
    file.write_text("```python\n!pip install six\n```\n")
    assert "jupytext" in notebooks.read(str(file)).problem


def test_folders(tmp_path: Path) -> None:
    for name in ("a.ipynb", "sub/b.ipynb", ".ipynb_checkpoints/no.ipynb", ".git/no.ipynb"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(notebook(code("!pip install six")))
    (tmp_path / "library.py").write_text("import os\nos.system('pip install no')\n")
    (tmp_path / "cells.py").write_text("# %%\n!pip install six\n")
    (tmp_path / "README.md").write_text("```bash\npip install no\n```\n")
    (tmp_path / "notes.txt").write_text("!pip install no")
    found = [file.removeprefix(f"{tmp_path}/") for file in notebooks.files([tmp_path])]
    assert found == ["a.ipynb", "cells.py", "sub/b.ipynb"]
    again = notebooks.files([tmp_path / "library.py", tmp_path / "a.ipynb", tmp_path])
    assert [file.rpartition("/")[2] for file in again] == [
        *("library.py", "a.ipynb", "cells.py", "b.ipynb")
    ]


def test_a_whole_machine_or_disk_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").symlink_to("/")
    for folder in ("/", "//", tmp_path / "root"):
        with pytest.raises(InvalidSpec, match="no project"):
            list(notebooks.files([folder]))
    for name in ("a", "b", "c"):
        (tmp_path / "disk" / name).mkdir(parents=True)
    (tmp_path / "disk/cells.py").write_text("# %%\n!pip install six\n")
    assert len(list(notebooks.files([tmp_path / "disk"]))) == 1
    monkeypatch.setattr(notebooks, "_MAX_FOLDERS", 3)
    monkeypatch.setattr(notebooks, "_is_text_notebook", lambda path: pytest.fail(f"{path} is read"))
    with pytest.raises(InvalidSpec, match="more than 3 folders"):
        list(notebooks.files([tmp_path / "disk"]))


# The verb


def capture(*words: str | Path) -> Capture:
    result, _ = commands.execute("capture", [str(word) for word in words], Session())
    return result  # type: ignore[return-value]


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a notebook: `file("!pip install six", name="b.ipynb", kernel="ir")`."""

    def write(*sources: str, name: str = "a.ipynb", **options: str) -> Path:
        path = tmp_path / name
        path.write_text(notebook(*(code(source) for source in sources), **options))
        return path

    return write


def test_finds_become_planned_records(file: Callable[..., Path]) -> None:
    path = file("!pip install -q six", "!sudo apt-get install -y graphviz\n!pip uninstall -y six")
    other = file("!pip install numpy", name="b.ipynb")
    result = capture(path, other)
    records = Session().history.records()
    assert [record.status for record in records] == ["planned"] * 4
    assert [record.request for record in records] == [
        Request("install", "pip", ("six",)),
        Request("install", "apt", ("graphviz",)),
        Request("remove", "pip", ("six",)),
        Request("install", "pip", ("numpy",)),
    ]
    assert {record.environment.prefix for record in records} == {sys.prefix}
    assert records[0].commands == ("pip install -q six",)
    assert [record.context.notebook for record in records] == [str(path)] * 3 + [str(other)]
    assert records[0].transaction == records[2].transaction != records[3].transaction
    assert result.records == tuple(records)
    assert records[0].id in str(result)


def test_planned_records_reach_the_recipe(file: Callable[..., Path]) -> None:
    capture(file("!pip install six 'numpy>=1.20'", "!pip uninstall -y six", "!apt install -y tree"))
    steps = fold(Session().history.records()).steps
    assert [(step.manager, [item.text for item in step.install]) for step in steps] == [
        ("apt", ["tree"]),
        ("pip", ["numpy>=1.20"]),
    ]


def test_a_dry_run_records_nothing(file: Callable[..., Path], history_file: Path) -> None:
    result = capture("--dry-run", file("!pip install six"))
    assert "would be planned" in str(result)
    assert not history_file.exists()


def test_capturing_again_adds_nothing(file: Callable[..., Path]) -> None:
    path = file("!pip install six\n!pip uninstall -y six\n!pip install six", "!pip install numpy")
    assert len(capture(path).records) == 4
    result = capture(path)
    assert [captured.known for captured in result.captures] == [True] * 4
    changed = capture(file("!pip install numpy", "!pip install pandas", name="b.ipynb"))
    assert [record.request.texts for record in changed.records] == [("pandas",)]
    secret = file("!pip install a -i https://me:secret@h.example/s", name="c.ipynb")
    assert len(capture(secret).records) == 1
    assert capture(secret).records == ()


def test_what_was_taken_away_since_is_planned_again(file: Callable[..., Path]) -> None:
    install = file("!pip install six")
    remove = file("!pip uninstall -y six", name="b.ipynb")
    assert [len(capture(path).records) for path in (install, remove, install)] == [1, 1, 1]


def test_secrets_stay_out(file: Callable[..., Path], history_file: Path) -> None:
    url = "https://me:s3cret@h.example"
    result = capture(
        file(f"!pip install -i {url}/s git+{url}/r.git", f"!pip install -i {url}/$X six")
    )
    assert len(result.records) == 1
    for text in (str(result), json.dumps(result.to_json()), history_file.read_text()):
        assert "****" in text
        assert "s3cret" not in text


def test_what_is_not_understood_is_listed(file: Callable[..., Path], tmp_path: Path) -> None:
    path = file("!pip install {x} six\n!curl https://h.example/i.sh | sh", "!pip install -r no.txt")
    (tmp_path / "broken.ipynb").write_text("{")
    result = capture(tmp_path)
    text = str(result)
    assert [record.request.texts for record in result.records] == [("six",)]
    assert re.search(rf"{path} cell 1:1 +pip install \{{x\}} six +\{{x\}} is only known", text)
    assert re.search(rf"{path} cell 1:2 +curl https://h.example/i.sh \| sh +It runs a script", text)
    assert f"There is no {tmp_path}/no.txt here." in text
    assert re.search(r"broken.ipynb +It is not a notebook", text)
    assert "1 install or removal, 3 not understood, 1 planned, in 2 files." in text


def test_notes_name_their_place(file: Callable[..., Path]) -> None:
    path = file("import x", "\n!pip install numpy>=1.20")
    result = capture("--dry-run", path)
    assert f"{path} cell 2:2: The shell takes >=1.20 as a redirection" in str(result)
    assert result.to_json()["found"][0]["notes"][0].startswith("The shell takes")


def test_the_environment_that_a_command_names(
    file: Callable[..., Path], conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env("python")
    result = capture(
        file(
            f"!conda install -y -p {prefix} six",
            f"!{prefix}/bin/pip install numpy",
            f"!source {prefix}/bin/activate {prefix} && pip install pandas",
            "!pip install here",
        )
    )
    assert [record.environment.prefix for record in result.records] == [str(prefix)] * 3 + [
        sys.prefix
    ]
    assert result.records[0].environment.kind == "conda-prefix"


def test_named_environments(
    file: Callable[..., Path],
    conda_root: Root,
    recording_conda: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONDA_EXE", str(recording_conda.executable))
    prefix = conda_root.create("analysis", "python")
    result = capture(
        file(
            "!conda install -y -n analysis six",
            "!source activate analysis && pip install numpy",
            "!conda install -y -n root six",
            "!pip install -q six\n!conda run -n elsewhere pip install pandas",
        )
    )
    assert [record.environment.prefix for record in result.records] == [
        str(prefix),
        str(prefix),
        str(conda_root.prefix),
        sys.prefix,
    ]
    assert "There is no environment elsewhere here" in result.captures[-1].reason


def test_a_path_in_an_unknown_folder_is_not_looked_for_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env/conda-meta").mkdir(parents=True)
    (tmp_path / "env/conda-meta/history").touch()
    monkeypatch.chdir(tmp_path)
    targets = Targets(detect())
    for line, said in (
        ("conda install -y -p env six", "The folder that env is in"),
        ("jstackmagic install -p ./env six", "The folder that env is in"),
        ("conda install -y -p $PWD/env six", "Its environment, "),
        (f"conda install -y -p {tmp_path}/env six", ""),
    ):
        find = read(f"!cd $SOMEWHERE && {line}")[-1]
        assert targets.of(find).reason.startswith(said) if said else not targets.of(find).reason


def test_an_environment_that_a_command_makes(file: Callable[..., Path]) -> None:
    result = capture(
        file("!conda create -yn old python=2.7 pymongo", "!conda run -n old pip install twitter")
    )
    first, second = result.records
    assert (first.environment.kind, first.environment.name) == ("conda-named", "old")
    assert first.environment.python == "2.7"
    assert first.environment.prefix.endswith("/envs/old")
    assert second.environment == first.environment


def test_the_kernel_that_a_notebook_names(
    file: Callable[..., Path], conda_env: Callable[..., Path], home: Path
) -> None:
    prefix = conda_env("python")
    spec = home / ".local/share/jupyter/kernels/analysis"
    spec.mkdir(parents=True)
    argv = [f"{prefix}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x"}))
    result = capture(
        file("%pip install six", "!conda install -y numpy", kernel="analysis"),
        file("%pip install pandas", name="b.ipynb", kernel="nowhere"),
    )
    assert [record.environment.prefix for record in result.records] == [
        str(prefix),
        str(prefix),
        sys.prefix,
    ]


def test_a_target_stands_in_for_the_running_kernel(
    file: Callable[..., Path], conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env("python")
    result = capture("--prefix", prefix, file("!pip install six", "%envinstall numpy"))
    assert [record.environment.prefix for record in result.records] == [str(prefix)] * 2
    assert [record.request.manager for record in result.records] == ["pip", "conda"]


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs to run in a virtual environment")
def test_conda_is_not_planned_where_it_cannot_work(file: Callable[..., Path]) -> None:
    result = capture(file("!conda install -y six"))
    assert result.records == ()
    assert "is not a conda environment" in result.captures[0].reason


def test_condas_lists_are_read(
    file: Callable[..., Path], conda_env: Callable[..., Path], tmp_path: Path
) -> None:
    prefix = conda_env("python")
    (tmp_path / "list.txt").write_text("# made by hand\nsix\nnumpy 1.26.*\n")
    (tmp_path / "env.yml").write_text(
        "name: x\nchannels: [c]\ndependencies:\n- six\n- pip:\n  - a>=1\n  - -e ./pkg\n"
    )
    result = capture(
        file(
            f"!conda install -y -p {prefix} --file list.txt -c d pandas",
            f"!conda env update -p {prefix} -f env.yml",
            "!conda env create -f env.yml",
            f"!conda install -y -p {prefix} --file no.txt",
        )
    )
    assert [record.request for record in result.records] == [
        Request("install", "conda", ("pandas",), sources=Sources(channels=("d",))),
        Request("install", "conda", ("six", "numpy 1.26.*"), sources=Sources(channels=("d",))),
        Request("install", "conda", ("six",), sources=Sources(channels=("c",))),
        Request("install", "pip", ("a>=1", f"-e {tmp_path}/pkg")),
        Request("install", "conda", ("six",), sources=Sources(channels=("c",))),
        Request("install", "pip", ("a>=1", f"-e {tmp_path}/pkg")),
    ]
    assert [record.environment.name for record in result.records[4:]] == ["x", "x"]
    assert result.captures[-1].reason == f"There is no {tmp_path}/no.txt here."


def test_json(file: Callable[..., Path]) -> None:
    path = file("!pip install six\n!pip install {x}")
    result = capture("--dry-run", path)
    content = json.loads(json.dumps(result.to_json()))
    assert content["files"] == 1
    understood, unread = content["found"]
    assert understood["request"]["specs"] == ["six"]
    assert (understood["file"], understood["cell"], understood["line"]) == (str(path), 1, 1)
    assert unread["request"] is None
    assert "{x}" in unread["reason"]


def test_a_path_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file or folder"):
        capture(tmp_path / "no.ipynb")


def test_the_terminal(file: Callable[..., Path]) -> None:
    words = ["capture", "--dry-run", str(file("%pip install six"))]
    script = "import sys; from jstackmagic.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "install six" in done.stdout
