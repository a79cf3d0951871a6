"""Installs in command lines: from the words of a shell to requests."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uv import find_uv_bin

from jstackmagic.capture import Target
from jstackmagic.capture.argv import ProgramOptions
from jstackmagic.capture.commandlines import recognise, recognise_argv
from jstackmagic.capture.conda_tools import CONDA
from jstackmagic.capture.machine import Machine
from jstackmagic.capture.python_tools import PIP, UNINSTALL, UV, UV_PROJECT
from jstackmagic.capture.state import Effort, State
from jstackmagic.model.request import Request
from jstackmagic.model.shell import Operator, ShellCommand, Word, parse
from jstackmagic.model.sources import Sources
from support.growth import growth

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.capture import Found


def found(line: str, *, braces: bool = False, folder: str | None = "/w") -> list[Found]:
    return list(recognise(line, folder=folder, braces=braces))


def pip(*specs: str, **fields: object) -> Request:
    return Request("install", "pip", specs, **fields)  # type: ignore[arg-type]


def conda(*specs: str, **fields: object) -> Request:
    return Request("install", "conda", specs, **fields)  # type: ignore[arg-type]


def apt(*specs: str, **fields: object) -> Request:
    return Request("install", "apt", specs, **fields)  # type: ignore[arg-type]


def remove(manager: str, *specs: str) -> Request:
    return Request("remove", manager, specs)  # type: ignore[arg-type]


# What is asked

ASKED: list[tuple[str, list[Request]]] = [
    # the chapter's own
    ("conda install pymongo --yes", [conda("pymongo")]),
    ("pip install twitter", [pip("twitter")]),
    # pip by its names
    ("pip3 install six", [pip("six")]),
    ("pip3.11 install six", [pip("six")]),
    ("pip-3.6 install six", [pip("six")]),
    ("/opt/conda/bin/pip install six", [pip("six")]),
    ("python -m pip install six", [pip("six")]),
    ("python3.10 -m pip install six", [pip("six")]),
    ("python -u -W ignore -m pip install six", [pip("six")]),
    ("python -mpip install six", [pip("six")]),
    ("py -3 -m pip install six", [pip("six")]),
    ("$PYTHON -m pip install six", [pip("six")]),
    ("$(which python) -m pip install six", [pip("six")]),
    ("`which pip` install six", [pip("six")]),
    ("$PIP install six", [pip("six")]),
    # its options, in any place
    ("pip -q install six -U", [pip("six", upgrade=True)]),
    ("pip install -Uqqq pip --progress-bar off", [pip("pip", upgrade=True)]),
    ("pip install -qr req.txt", [pip("-r /w/req.txt")]),
    ("pip install -r req.txt -c cons.txt -e .", [pip("-r /w/req.txt", "-c /w/cons.txt", "-e /w")]),
    ("pip install --requirement=../r.txt", [pip("-r /r.txt")]),
    ("pip install -r https://h.example/r.txt", [pip("-r https://h.example/r.txt")]),
    ("pip install --force six --no-cache", [pip("six", options=("--force-reinstall",))]),
    ("pip install -- six", [pip("six")]),
    ("pip install six six", [pip("six")]),
    (
        "pip install -f https://h.example/whl.html torch==1.2+cu118 --no-deps --pre",
        [
            pip(
                "torch==1.2+cu118",
                options=("--find-links", "https://h.example/whl.html", "--no-deps", "--pre"),
            )
        ],
    ),
    (
        "pip install -i https://h.example/s --extra-index-url https://i.example/s six",
        [
            pip(
                "six",
                sources=Sources(
                    index_url="https://h.example/s", extra_index_urls=("https://i.example/s",)
                ),
            )
        ],
    ),
    (
        "PIP_NO_CACHE=1 PIP_INDEX_URL=https://h.example/s pip install six",
        [pip("six", sources=Sources(index_url="https://h.example/s"))],
    ),
    (
        "PIP_NO_BINARY=six PIP_NO_DEPS=1 PIP_PRE=0 PIP_PROGRESS_BAR=off pip install six",
        [pip("six", options=("--no-binary", "six", "--no-deps"))],
    ),
    (
        "export PIP_EXTRA_INDEX_URL='https://h.example/s https://i.example/s' && pip install six",
        [
            pip(
                "six",
                sources=Sources(extra_index_urls=("https://h.example/s", "https://i.example/s")),
            )
        ],
    ),
    # specs
    ("pip install 'numpy>=1.20,<2' \"dask[array]\"", [pip("numpy>=1.20,<2", "dask[array]")]),
    ("pip install dask[array] numpy==1.*", [pip("dask[array]", "numpy==1.*")]),
    ("pip install six\\>=1", [pip("six>=1")]),
    ("pip install \"six; python_version<'3'\"", [pip("six; python_version<'3'")]),
    (
        "pip install git+https://h.example/r.git@v1#egg=r",
        [pip("git+https://h.example/r.git@v1#egg=r")],
    ),
    ("pip install -e git+https://h.example/r@m", [pip("-e git+https://h.example/r@m")]),
    ("pip install 'r @ https://h.example/r.zip'", [pip("r @ https://h.example/r.zip")]),
    ("pip install r@https://h.example/r.zip", [pip("r @ https://h.example/r.zip")]),
    ("pip install dist/a-1-py3-none-any.whl", [pip("/w/dist/a-1-py3-none-any.whl")]),
    ("pip install /x/a.tar.gz ./b[dev]", [pip("/x/a.tar.gz", "/w/b[dev]")]),
    # taking away
    ("pip uninstall -y six numpy", [remove("pip", "six", "numpy")]),
    ("echo y | pip uninstall six", [remove("pip", "six")]),
    ("conda remove -y numpy", [remove("conda", "numpy")]),
    ("apt-get purge -y graphviz", [remove("apt", "graphviz")]),
    ("uv pip uninstall six", [remove("pip", "six")]),
    ("dpkg -r graphviz", [remove("apt", "graphviz")]),
    # uv and pipx
    ("uv pip install --system -qqq 't==5' -U", [pip("t==5", upgrade=True)]),
    ("uv -q pip install six --link-mode=copy --no-cache", [pip("six")]),
    (
        "uv pip install six --index pytorch=https://h.example/s --default-index https://i.example",
        [
            pip(
                "six",
                sources=Sources(
                    index_url="https://i.example", extra_index_urls=("https://h.example/s",)
                ),
            )
        ],
    ),
    ("uv add httpx --dev", [pip("httpx")]),
    ("uv run --with rich pip install six", [pip("six")]),
    ("python -m uv pip install six", [pip("six")]),
    ("pipx install black flake8", [pip("black"), pip("flake8")]),
    ("pipx inject black tomli", [pip("tomli")]),
    ("uv tool install ruff", [pip("ruff")]),
    # conda
    (
        "conda install -y -c conda-forge numpy=1.2",
        [conda("numpy=1.2", sources=Sources(channels=("conda-forge",)))],
    ),
    (
        "conda install -c=a --channel b numpy",
        [conda("numpy", sources=Sources(channels=("a", "b")))],
    ),
    (
        "conda install conda-forge::numpy 'python>=3.8'",
        [conda("conda-forge::numpy", "python>=3.8")],
    ),
    ("conda install numpy=1.2=py_0 --no-deps", [conda("numpy=1.2=py_0", options=("--no-deps",))]),
    ("conda install --file list.txt", [conda("--file /w/list.txt")]),
    ("conda update -y numpy", [conda("numpy", upgrade=True)]),
    ("conda env update -f env.yml --prune", [conda("--file /w/env.yml")]),
    ("conda env create", [conda("--file /w/environment.yml")]),
    ("micromamba install -yn base -f list.txt", [conda("--file /w/list.txt")]),
    ("mamba install -y numpy pandas", [conda("numpy", "pandas")]),
    (
        "yes | conda install -c conda-forge x",
        [conda("x", sources=Sources(channels=("conda-forge",)))],
    ),
    ("conda install pkg-1-py_0.tar.bz2", [conda("/w/pkg-1-py_0.tar.bz2")]),
    # Debian
    ("apt-get -qq install -y ffmpeg", [apt("ffmpeg")]),
    ("sudo apt update && sudo apt install -y a b=1", [apt("a", "b=1")]),
    ("apt install ./x.deb g++ libc6:i386", [apt("/w/x.deb", "g++", "libc6:i386")]),
    ("DEBIAN_FRONTEND=noninteractive apt-get install -y -q=2 a", [apt("a")]),
    ("apt-get install --only-upgrade a", [apt("a", upgrade=True)]),
    ("aptitude -y install a", [apt("a")]),
    ("sudo dpkg -i x.deb", [apt("/w/x.deb")]),
    ("apt-get install -t bookworm a", [apt("a", options=("--target-release", "bookworm"))]),
    # chains, wrappers, the shell's own words
    ("pip install a;pip install b&&pip install c||pip install d", [pip(n) for n in "abcd"]),
    ("pip install a & pip install b", [pip("a"), pip("b")]),
    ("pip install -q a 2>&1 | grep -v satisfied || true", [pip("a")]),
    ("pip install a > /dev/null 2>&1", [pip("a")]),
    ("pip install a &> log", [pip("a")]),
    ("pip install a  # and numpy", [pip("a")]),
    ("# pip install a", []),
    ("sudo -E -H -u joe pip install a", [pip("a")]),
    ("sudo -E env A=b pip install a", [pip("a")]),
    ("env -u A B=c pip install a", [pip("a")]),
    ("time -p nohup nice -n 10 timeout -k 5 60 pip install a", [pip("a")]),
    ("exec pip install a", [pip("a")]),
    ("bash -c 'pip install a && pip install b'", [pip("a"), pip("b")]),
    ("sh -lc \"pip install 'a>=1'\"", [pip("a>=1")]),
    ("su joe -c 'pip install a'", [pip("a")]),
    ("eval 'pip install a'", [pip("a")]),
    ("bash <<'EOF'\npip install a\nEOF\npip install b", [pip("a"), pip("b")]),
    ("bash <<< 'pip install a'", [pip("a")]),
    ("cat <<EOF | tee f\npip install a\nEOF\npip install b", [pip("b")]),
    ("out=$(pip install a 2>&1)", [pip("a")]),
    ("echo `pip install a`", [pip("a")]),
    ("if ! pip show a; then pip install a; else pip install b; fi", [pip("a"), pip("b")]),
    ("setup() {\n  pip install a\n}\nsetup", [pip("a")]),
    ("(cd sub && pip install -e .); pip install -e .", [pip("-e /w/sub"), pip("-e /w")]),
    ("pip install \\\n  a \\\n  b", [pip("a", "b")]),
    ("pip install a\r\npip install b\r\n", [pip("a"), pip("b")]),
    # nothing of the kind
    ("echo pip install a", []),
    ("grep 'pip install' README.md", []),
    ("git commit -m 'pip install a'", []),
    ("pip list; pip show a; pip freeze > r.txt; conda list; apt-cache search a", []),
    ("pip download a; pip wheel a; pip install --dry-run a; pip install --help", []),
    ("conda install --dry-run a; conda info; conda clean -y --all; apt-get update", []),
    ("bash run.sh; python main.py install; wget https://h.example/data.csv", []),
]


@pytest.mark.parametrize(("line", "requests"), ASKED, ids=[line for line, _ in ASKED])
def test_what_is_asked(line: str, requests: list[Request]) -> None:
    finds = found(line)
    assert [find.request for find in finds] == requests
    assert [find.reason for find in finds] == [""] * len(requests)


UNREAD: list[tuple[str, str]] = [
    ("pip install $PKG", r"\$PKG is only known"),
    ("pip install -r $(ls *.txt)", "only known"),
    ("pip install -i $URL six", r"\$URL is only known"),
    ("for p in a b; do pip install $p; done", r"\$p is only known"),
    ("pip install dist/*.whl", "pattern"),
    ("pip install 'six", "quote"),
    ("pip install six(1)", r"does not expect the \("),
    ("pip install six, numpy", "'six,': pip reads no package"),
    ("pip install", "names no package"),
    ("pip install a#b", "'a#b'"),
    ("pip install --target lib six", "--target lib"),
    ("cat r.txt | xargs -n 1 pip install", "xargs"),
    ("cd $X && pip install -e .", "folder"),
    ("curl -fsSL https://h.example/i.sh | bash", "from the network"),
    ("wget -qO- https://h.example/i.sh | sudo -E bash -s -- -y", "from the network"),
    ("curl https://h.example/i.py | python3 -", "from the network"),
    ("bash <(curl -s https://h.example/i.sh)", "from the network"),
    ('sh -c "$(curl -s https://h.example/i.sh)"', "from the network"),
    ("bash Miniconda3-latest-Linux-x86_64.sh -b", "Miniconda3"),
    ("wget https://h.example/x.deb", "Debian package"),
    ("add-apt-repository -y ppa:a/b", r"what apt installs from \(ppa:a/b\)"),
    ("npm install -g x", "npm"),
    ("python -m spacy download en", "spacy"),
    ("python setup.py install", "pip install ."),
    ("conda update --all -y", "every package"),
    ("apt-get upgrade -y", "every package"),
    ("conda remove -n old --all", "whole environment old"),
    ("conda create -n b --clone a", "copy of the environment a"),
    ("conda install --revision 2", "revision 2"),
    ("apt-get -f install", "names no package"),
    ("docker run image pip install six", "docker"),
    ("{tool} install six", r"\{tool\}"),
    ("uv pip sync r.txt", "uv pip sync"),
    ("apt install gcc-", "gcc-"),
]


@pytest.mark.parametrize(("line", "reason"), UNREAD, ids=[line for line, _ in UNREAD])
def test_what_is_not_understood_is_given_with_the_reason(line: str, reason: str) -> None:
    (find,) = found(line, braces=True)
    assert find.request is None
    assert re.search(reason, find.reason)


def test_what_is_clear_of_a_call_is_kept() -> None:
    clear, unclear = found("pip install six {pkg} -r $R", braces=True)
    assert clear.request == pip("six")
    assert unclear.request is None
    assert "{pkg}" in unclear.reason
    assert "$R" in unclear.reason


# Where

WHERE: list[tuple[str, Target]] = [
    ("pip install a", Target(interpreter="pip")),
    ("{sys.executable} -m pip install a", Target(interpreter="{sys.executable}")),
    (
        "/opt/c/envs/x/bin/pip3 install a",
        Target(prefix="/opt/c/envs/x", interpreter="/opt/c/envs/x/bin/pip3"),
    ),
    ("venv/bin/python -m pip install a", Target(prefix="/w/venv", interpreter="venv/bin/python")),
    (
        "{sys.prefix}/bin/pip install a",
        Target(prefix="{sys.prefix}", interpreter="{sys.prefix}/bin/pip"),
    ),
    ("source activate x && pip install a", Target(name="x", interpreter="pip")),
    ("conda activate x; conda install a", Target(name="x", interpreter="conda")),
    ("source activate x; conda deactivate; pip install a", Target(interpreter="pip")),
    (
        "source activate x; {sys.executable} -m pip install a",
        Target(interpreter="{sys.executable}"),
    ),
    (". /v/bin/activate && pip install a", Target(prefix="/v", interpreter="pip")),
    ("source ./v/bin/activate && pip install a", Target(prefix="/w/v", interpreter="pip")),
    (
        "source /opt/c/bin/activate x && pip install a",
        Target(name="x", interpreter="pip", root="/opt/c"),
    ),
    ("bash -lc 'source activate x && pip install a'", Target(name="x", interpreter="pip")),
    ("conda run -n x --no-capture-output pip install a", Target(name="x", interpreter="pip")),
    ("micromamba run -p /p pip install a", Target(prefix="/p", interpreter="pip")),
    ("conda install -yn x a", Target(name="x", interpreter="conda")),
    ("conda install --name=x a", Target(name="x", interpreter="conda")),
    ("conda install -p {sys.prefix} a", Target(prefix="{sys.prefix}", interpreter="conda")),
    ("conda activate y; conda install -n x a", Target(name="x", interpreter="conda")),
    ("conda create -n x a", Target(name="x", interpreter="conda", made=True)),
    ("uv pip install --python /v/bin/python a", Target(prefix="/v", interpreter="/v/bin/python")),
    ("pip --python /v/bin/python install a", Target(prefix="/v", interpreter="/v/bin/python")),
    (
        "pipx install a",
        Target(prefix="~/.local/share/pipx/venvs/a", interpreter="pipx"),
    ),
    ("(source activate x); pip install a", Target(interpreter="pip")),
]


@pytest.mark.parametrize(("line", "target"), WHERE, ids=[line for line, _ in WHERE])
def test_where(line: str, target: Target) -> None:
    (find,) = found(line, braces=True)
    assert find.request is not None
    assert find.target == target


# What the shell makes of it


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("conda install 'six=>1'", "'six>=1'"),
        ("mamba install scipy 'numpy=<2'", "'numpy<=2'"),
        ("pip install 'six=!1.16'", "'six!=1.16'"),
        ("pip install six=>1", "'six>=1'"),
    ],
)
def test_an_operator_that_is_written_backwards_is_no_package(line: str, meant: str) -> None:
    (find,) = found(line)
    assert find.request is None
    assert f"Probably meant: {meant}." in find.reason + find.note


def test_an_unquoted_version_is_a_redirection_and_said_to_be() -> None:
    (find,) = found("pip install -q numpy>=1.20 six")
    assert find.request == pip("numpy", "six")
    assert "'numpy>=1.20'" in find.note
    assert "a file called =1.20" in find.note


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pip install numpy<2", "'numpy<2'"),
        ("pip install numpy>=1.20,<2", "'numpy>=1.20,<2'"),
        ("pip install numpy >= 1.20", "'numpy>=1.20'"),
    ],
)
def test_where_nothing_would_run_nothing_is_asked(line: str, meant: str) -> None:
    (find,) = found(line)
    assert find.request is None
    assert meant in find.reason + find.note


def test_redirections_do_what_is_said_of_them(tmp_path: object) -> None:
    script = 'f() { printf "%s " "$@"; }; f numpy>=1.20; cat "=1.20"; f numpy<2 || echo none'
    done = subprocess.run(
        ["sh", "-c", script], cwd=str(tmp_path), check=False, capture_output=True, text=True
    )
    assert done.stdout == "numpy none\n"


@pytest.mark.parametrize(
    "line", ["pip install a > 1.log", "pip install a 2>1", "pip install a>log"]
)
def test_other_redirections_are_none_of_our_business(line: str) -> None:
    (find,) = found(line)
    assert find.request == pip("a")
    assert find.note == ""


def test_an_ampersand_in_a_url_ends_the_command() -> None:
    (find,) = found("pip install git+https://h.example/r#egg=a&subdirectory=b")
    assert find.request == pip("git+https://h.example/r#egg=a")
    assert "'git+https://h.example/r#egg=a&subdirectory=b'" in find.note


def test_options_of_uv_alone_are_named() -> None:
    (find,) = found("uv pip install six --no-deps --exclude-newer 2024-01-01")
    assert find.request == pip("six", options=("--no-deps",))
    assert "--exclude-newer 2024-01-01" in find.note


# As typed


def test_commands_are_given_as_typed_with_their_line() -> None:
    script = "set -e\nif true; then\n  sudo -E pip install 'a b>=1' six  # yes\nfi\npip install c"
    finds = found(script)
    assert [(find.command, find.line) for find in finds] == [
        ("sudo -E pip install 'a b>=1' six", 3),
        ("pip install c", 5),
    ]


def test_a_pipeline_that_runs_a_download_is_given_whole() -> None:
    (find,) = found("true\ncurl -s https://h.example/i.sh | tee i.sh | sudo bash -")
    assert find.command == "curl -s https://h.example/i.sh | tee i.sh | sudo bash -"
    assert find.line == 2


def test_words_that_no_shell_read() -> None:
    words = [Word("pip"), Word("install"), Word("a>=1"), Word("install"), Word("$b;c")]
    (find,) = recognise_argv(words[:4])
    assert find.request == pip("a>=1", "install")
    (find,) = recognise_argv(words)
    assert find.request is None


# The tokenizer, against a shell

BARE = re.compile(r"[A-Za-z0-9_./:=@+,%-]+")


def quoted(draw: st.DrawFn, text: str) -> str:
    """A word written in one of the ways a shell reads as that word."""
    cut = draw(st.integers(0, len(text)))
    parts = [text[:cut], text[cut:]] if draw(st.booleans()) else [text]
    written = ""
    for part in parts:
        ways = [
            "'" + part.replace("'", "'\\''") + "'",
            '"' + re.sub(r'([\\"$`])', r"\\\1", part) + '"',
        ]
        if BARE.fullmatch(part):
            ways.append(part)
        if part and "\n" not in part:
            ways.append(re.sub(r"([^A-Za-z0-9_./-])", r"\\\1", part))
        written += draw(st.sampled_from(ways))
    return written


blanks = st.sampled_from([" ", "  ", "\t", " \\\n ", " \t "])


@st.composite
def written_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Words, and a line that a shell reads as those."""
    text = st.text(st.characters(codec="ascii", exclude_characters="\0\r\x0b\x0c"), max_size=8)
    words = draw(st.lists(text, max_size=5))
    return "".join(draw(blanks) + quoted(draw, word) for word in words), words


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to compare with")
@settings(max_examples=40, deadline=None)
@given(st.lists(written_lines(), min_size=1, max_size=20))
def test_words_are_what_a_shell_makes_of_them(lines: list[tuple[str, list[str]]]) -> None:
    script = 'f() { printf \'%s\\0\' "$#" "$@"; }\n' + "".join(f"f{line}\n" for line, _ in lines)
    done = subprocess.run(["bash", "-f", "-c", script], check=True, capture_output=True, text=True)
    commands = [item for item in parse(script) if isinstance(item, ShellCommand)]
    ours = [
        part
        for command in commands
        if command.words and command.words[0].text == "f"
        for part in (str(len(command.words) - 1), *(word.text for word in command.words[1:]))
    ]
    assert ours == done.stdout.split("\0")[:-1]
    assert [words for _, words in lines] == [
        [word.text for word in command.words[1:]]
        for command in commands
        if command.words and command.words[0].text == "f"
    ]


# Install lines from a grammar

names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)
paths = st.from_regex(r"[a-z]{1,6}( [a-z]{1,4})?/[a-z]{1,6}", fullmatch=True)
urls = names.map(lambda name: f"https://h.example/{name}")

pip_specs = st.one_of(
    names,
    st.builds("{}=={}".format, names, versions),
    st.builds("{}>={},<{}".format, names, versions, versions),
    st.builds("{}[{}]".format, names, names),
    st.builds("{}!={}; python_version < '{}'".format, names, versions, versions),
    st.builds("{} @ {}.zip".format, names, urls),
    st.builds("git+{}.git@{}#egg={}&subdirectory=x".format, urls, names, names),
    st.builds("/{}.whl".format, paths),
)
conda_specs = st.one_of(
    names,
    st.builds("{}={}".format, names, versions),
    st.builds("{}={}=py_0".format, names, versions),
    st.builds("{}>={}".format, names, versions),
    st.builds("{}::{}".format, names, names),
    st.builds("{}[version='>={}']".format, names, versions),
)
apt_specs = st.one_of(
    names,
    st.builds("{}={}-1~x".format, names, versions),
    st.builds("{}:amd64".format, names),
    st.builds("/{}.deb".format, paths),
)


@dataclass
class Written:
    """A command's words while it is made up, and what it asks for."""

    words: list[str]
    request: Request
    parts: list[list[str]] = field(default_factory=list)


def option(draw: st.DrawFn, short: str, long: str, value: str) -> list[str]:
    """An option with a value, in one of the ways to write it."""
    ways = [[short, value], [f"{short}{value}"], [long, value], [f"{long}={value}"]]
    return draw(st.sampled_from(ways))


@st.composite
def pip_calls(draw: st.DrawFn) -> tuple[list[str], Request]:
    program = draw(
        st.sampled_from(
            [
                ["pip"],
                ["pip3"],
                ["/opt/x/bin/pip"],
                ["python", "-m", "pip"],
                ["python3.10", "-m", "pip"],
                ["uv", "pip"],
                ["sudo", "-E", "pip"],
                ["env", "A=b c", "pip"],
                ["A=b c", "pip"],
            ]
        )
    )
    if draw(st.integers(0, 4)) == 0:
        specs = draw(st.lists(names, min_size=1, max_size=3, unique=True))
        return [*program, "uninstall", "-y", *specs], Request("remove", "pip", tuple(specs))
    parts: list[tuple[str, list[str]]] = [
        (spec, [spec]) for spec in draw(st.lists(pip_specs, min_size=1, max_size=4, unique=True))
    ]
    for short, long in (("-r", "--requirement"), ("-e", "--editable"), ("-c", "--constraint")):
        if draw(st.booleans()):
            path = draw(paths)
            parts.append((f"{short} /w/{path}", option(draw, short, long, path)))
    index = draw(st.one_of(st.just(""), urls))
    extra = draw(st.lists(urls, max_size=2, unique=True))
    upgrade = draw(st.booleans())
    options = draw(st.sampled_from([(), ("--no-deps",), ("--pre", "--no-index")]))
    others = [["-q"], ["--no-cache-dir"]] if draw(st.booleans()) else []
    others += [draw(st.sampled_from([["-U"], ["--upgrade"], ["-Uq"]]))] if upgrade else []
    others += [option(draw, "-i", "--index-url", index)] if index else []
    mixed = draw(st.permutations([*parts, *(("", words) for words in others)]))
    words = [word for _, group in mixed for word in group]
    words += [word for url in extra for word in ("--extra-index-url", url)] + list(options)
    request = pip(
        *(spec for spec, _ in mixed if spec),
        upgrade=upgrade,
        sources=Sources(index_url=index, extra_index_urls=tuple(extra)),
        options=options,
    )
    return [*program, "install", *words], request


@st.composite
def conda_calls(draw: st.DrawFn) -> tuple[list[str], Request]:
    program = draw(st.sampled_from(["conda", "mamba", "micromamba", "/opt/c/bin/conda"]))
    verb = draw(st.sampled_from(["install", "update", "remove"]))
    strategy = names if verb == "remove" else conda_specs
    specs = draw(st.lists(strategy, min_size=1, max_size=4, unique=True))
    channels = [] if verb == "remove" else draw(st.lists(names, max_size=2, unique=True))
    parts = [[spec] for spec in specs]
    parts += [[draw(st.sampled_from(["-y", "--yes", "-q"]))]]
    if draw(st.booleans()):
        parts.append(option(draw, "-n", "--name", draw(names)))
    at = draw(st.integers(0, len(parts)))
    given = [option(draw, "-c", "--channel", channel) for channel in channels]
    parts[at:at] = given
    return [program, verb, *(word for part in parts for word in part)], Request(
        "remove" if verb == "remove" else "install",
        "conda",
        tuple(specs),
        upgrade=verb == "update",
        sources=Sources(channels=tuple(channels)),
    )


@st.composite
def apt_calls(draw: st.DrawFn) -> tuple[list[str], Request]:
    program = draw(st.sampled_from(["apt", "apt-get", "aptitude"]))
    removed = draw(st.booleans())
    specs = draw(st.lists(names if removed else apt_specs, min_size=1, max_size=4, unique=True))
    words = [program, "remove" if removed else "install", *specs]
    words.insert(draw(st.integers(1, len(words))), draw(st.sampled_from(["-y", "-qq", "--yes"])))
    return ["sudo", *words], Request("remove" if removed else "install", "apt", tuple(specs))


calls = st.one_of(pip_calls(), conda_calls(), apt_calls())


@st.composite
def scripts(draw: st.DrawFn) -> tuple[str, list[Request]]:
    """A command line or script of install commands and others, and what it asks for."""
    text, requests = "", []
    for words, request in draw(st.lists(calls, min_size=1, max_size=4)):
        if text:
            text += draw(st.sampled_from(["&&", " || ", ";", "\n", " ;\n", " | tee log\n"]))
        if draw(st.integers(0, 3)) == 0:
            text += draw(
                st.sampled_from(["echo 'pip install no' && ", "# pip install no\n", "cd . ; "])
            )
        for word in words:
            assignment = re.fullmatch(r"([A-Za-z_]\w*=)(.*)", word)
            head = assignment[1] if assignment else ""  # quoted, it would assign nothing
            text += draw(blanks) + head + quoted(draw, word[len(head) :])
        requests.append(request)
    return text + draw(st.sampled_from(["", " ", "  # and so on", "\n"])), requests


@settings(deadline=None)
@given(scripts())
def test_the_same_requests_come_back(script: tuple[str, list[Request]]) -> None:
    text, requests = script
    finds = found(text)
    assert [find.reason for find in finds] == [""] * len(requests)
    assert [find.request for find in finds] == requests


# Anything at all

TOKENS = r"""
pip install conda apt-get -r -e -n -c -m python bash sudo source activate uv run cd & && | ; ( ) { }
{{ $( ${ ` ' " \ # < > << <<< EOF = * [ ] $x six >=1 {x} curl x.deb - --
"""
shellish = st.lists(st.sampled_from([*TOKENS.split(), "\n", "\t"]))


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(), shellish.map(" ".join), shellish.map("".join)), st.booleans())
def test_any_text_gives_finds(text: str, braces: bool) -> None:
    for item in parse(text, braces=braces):
        assert isinstance(item, (ShellCommand, Operator))
        assert 0 <= item.start <= len(text)
    for find in found(text, braces=braces, folder="/w" if braces else None):
        assert (find.request is None) == bool(find.reason)
        assert 1 <= find.line <= text.count("\n") + 1
        assert find.command


@pytest.mark.parametrize("nest", ["$(", "`", "{", "(", "bash -c '", "<("])
def test_deep_nesting_is_no_trouble(nest: str) -> None:
    found(f"pip install {nest * 3000} six", braces=True)
    found(f"{nest * 3000} pip install six", braces=True)


@pytest.mark.parametrize("nest", ["${a:-", "${a=", "${a-x${b:-"])
def test_defaults_within_defaults_are_filled_in_a_few_deep(nest: str) -> None:
    def asked(times: int) -> Found:
        (find,) = found(f"pip install {nest * times}six{'}' * nest.count('{') * times}")
        return find

    assert "is taken as unset" in asked(1).note
    assert asked(2000).reason.endswith("is only known when it runs.")


@pytest.mark.parametrize(
    "nest", ["(", "((", "((;", "$((", "$(", "${", "{;", "{ ", "a=(", "<(", "if true; then ", "`"]
)
def test_the_time_grows_with_what_is_nested_and_not_with_its_square(nest: str) -> None:
    def read(times: int) -> None:
        parse(f"{nest * times}pip install six", braces=True)

    assert growth(read, 1_000, least=0.001) < 64


@pytest.mark.parametrize(
    "line",
    [
        "a=$a$a",
        "a=$a$a$unknown",
        "a+=$a",
        'a=("${a[@]}" "${a[@]}")',
        'set -- "$@" "$@" x',
        "a=$(echo $a $a)",
        "a=${a//x/xx}",
        "a=$((9 * a))",
        "PATH=$PATH:$PATH:/v/bin",
        "cat f f > g; cat g g > f",
        "alias a='$a$a'",
        "pip wheel -w /w six; cp /w/* /v; cp /v/* /w",
    ],
)
def test_the_time_grows_with_lines_that_double_a_value(line: str) -> None:
    def read(times: int) -> None:
        begun = "a=x\necho six > f\nPATH=/a/bin:$PATH\n"
        found(f"{begun}{(line + chr(10)) * times}pip install $a -r f /w/*.whl\n")

    assert growth(read, 8, least=0.1) < 64


ENDLESS = "run more than 10,000 commands there. It is not read here."


@pytest.mark.parametrize(
    "text",
    [
        "f0() { pip install six; }\n"
        + "".join(f"f{n + 1}() {{ f{n}; f{n}; f{n}; }}\n" for n in range(9))
        + "f9\n",
        "cat > s.sh <<'E'\n" + "source s.sh\n" * 9 + "pip install six\nE\nsource s.sh\n",
        "cat > s.sh <<'E'\n"
        + "bash t.sh\n" * 9
        + "E\ncat > t.sh <<'E'\n"
        + "bash s.sh\n" * 9
        + "pip install six\nE\nbash s.sh\n",
        "cat > s.py <<'E'\nimport os\n"
        + "os.system('python s.py')\n" * 9
        + "os.system('pip install six')\nE\npython s.py\n",
        "shopt -s expand_aliases\nalias a0='pip install six'\n"
        + "".join(f"alias a{n + 1}='a{n}; a{n}; a{n}'\n" for n in range(9))
        + "a9\n",
    ],
)
def test_lines_that_run_each_other_without_end_are_said(text: str) -> None:
    state = State(folder="/w", effort=Effort(300))
    finds = list(recognise(text, state=state))
    assert any(find.reason.endswith(ENDLESS) for find in finds)
    assert state.effort.depth == 0
    assert len(finds) < 1000


def test_a_function_that_is_called_too_deep_is_said() -> None:
    chain = "".join(f"f{n + 1}() {{ f{n}; }}\n" for n in range(500))
    text = f"f0() {{ pip install six; }}\n{chain}f500\n"
    find = found(text)[0]
    assert find.reason == "It is nested more than 10 deep, which is not read here."
    assert f"{{ {find.command}; }}" in text.splitlines()[find.line - 1]


def test_functions_defined_in_functions_are_no_trouble() -> None:
    nested = "".join(f"f{n}() {{\n" for n in range(2000))
    (find,) = found(f"{nested}pip install six\n{'}' * 2000}")
    assert find.request is None
    assert "nested more than 10 deep" in find.reason


@pytest.mark.parametrize(
    "words", ["{a,b}" * 40, "{a," * 40 + "b" + "}" * 40, f"x{{{','.join('a' * 5000)}}}"]
)
def test_braces_that_stand_for_too_many_words_are_left_as_typed(words: str) -> None:
    (find,) = found(f"pip install {words}")
    assert find.request is None
    assert words[:20] in find.reason


def grepped(text: str, *words: str) -> str | None:
    state = State(machine=Machine(look={"/w/t": text, "/w/skip": "torch\n^six\n"}.get), folder="/w")
    return state.printed([*map(Word, ("grep", *words, "/w/t"))], ())


def test_a_relative_file_behind_a_name_is_one_of_the_lines_folder() -> None:
    (find,) = found("cd sub && pip install 'foo @ file:./foo'")
    assert find.request == pip("foo @ file:///w/sub/foo")
    (find,) = found("cd $X && pip install 'foo @ file:./foo'")
    assert "only known when it runs" in find.reason
    (find,) = found("pip install 'foo @ ./foo'")
    assert find.request is None


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "a*a*a*a*b", "a?" * 60 + "a" * 60])
def test_a_pattern_that_takes_too_long_is_not_followed(pattern: str) -> None:
    assert grepped("a" * 60, "-E", pattern) is None
    assert grepped("six\n# idna\n" * 200, "-vE", r"^\s*(#|$)") == "six\n" * 200


@pytest.mark.parametrize("options", ["-v", "-v -E", "-iv", "-vF", "-w", "-vx", "-ve ^a -f skip -e"])
def test_the_lines_that_grep_leaves_are_known(options: str, tmp_path: Path) -> None:
    text = "torch\nsix+1\n(torch|six)\nabb\nb{2}\na.c\n  # x?\n(a\nmytorch-x"
    (tmp_path / "skip").write_text("torch\n^six\n")
    for pattern in (
        r"\(torch\|six\)", "(torch|six)", "^torch$", "six+", r"six\+", "x?", r"[+|(]a", r"b\{2\}",
        "b{2}", r"\.", "a.c", r"^\s*#", "^[[:space:]]*#", "TORCH", "[^a-z]", "six\ntorch", r"\s",
    ):  # fmt: skip
        words = [*options.split(), pattern]
        real = subprocess.run(
            ["grep", *words], input=text, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert grepped(text, *words) == real.stdout


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("-v -e torch -e numpy", "six"),
        ("--invert-match --regexp=torch", "numpy six"),
        ("--inv --ignore-case NumPy", "torch six"),
        ("-vf skip", "numpy"),
        ("-v --fixed-strings --word-regexp --color=auto torch", "numpy six"),
        ("--extended-regexp -vh 't|n'", "six"),
    ],
)
def test_what_grep_takes_out_of_a_list_is_not_installed(options: str, left: str) -> None:
    written = "printf 'torch\\nnumpy\\nsix\\n' > r.txt; printf 'torch\\n^six\\n' > skip; "
    find, *_ = [*found(f"{written}grep {options} r.txt | xargs pip install")]
    assert find.request == pip(*left.split())


@pytest.mark.parametrize("options", ["-c x", "-o x", "-n x", "-A1 x", "-vm1 x", "-EF x", "-q x"])
def test_an_option_by_which_grep_prints_otherwise_is_not_followed(options: str) -> None:
    assert grepped("six\n", *options.split()) is None


def test_grep_says_which_of_several_files_a_line_is_from() -> None:
    written = "echo six > a.txt; echo toolz > b.txt; "
    *_, named = found(written + "grep -v x a.txt b.txt | xargs pip install")
    *_, bare = found(written + "grep -hv x a.txt b.txt | xargs pip install")
    assert (named.request, bare.request) == (None, pip("toolz"))


@pytest.mark.parametrize(
    "pattern",
    [
        *("a[[:punct:]]", r"\<a\>", r"[a\]x]", "[^[:alnum:]]", r"\d", "b^a", "[[=a=]]", "$X"),
        *(r"b\+\?", r"b*\+", "[:space:]", "^[[:space:]]*[:space:]"),
    ],
)
def test_a_pattern_that_python_reads_otherwise_is_not_followed(pattern: str) -> None:
    holes = ("$X",) if pattern == "$X" else ()
    state = State(machine=Machine(look={"/w/t": "a\n"}.get), folder="/w")
    words = [Word("grep"), Word("-v"), Word(pattern, holes=holes), Word("/w/t")]
    assert state.printed(words, ()) is None


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("sed '/torch/d' r.txt", "six numpy"),
        ("sed -e '/^t/d' -e '/num/d' r.txt", "six"),
        ("sed -E '/torch|six/d; s/#.*//' r.txt", "numpy"),
        ("sed '/#/d' r.txt", "torch numpy"),
    ],
)
def test_what_sed_takes_out_of_a_list_is_not_installed(command: str, left: str) -> None:
    written = "printf 'torch\\nsix # x\\nnumpy\\n' > r.txt; "
    finds = found(f"{written}{command} > s.txt; pip install -r s.txt")
    (kept,) = [text for find in finds for path, text in find.written if path == "/w/s.txt"]
    assert re.sub(r"\s*#.*", "", kept or "").split() == left.split()


@pytest.mark.parametrize(
    ("command", "text", "left"),
    [
        ("sed 's/ #.*//'", "a#b # c\n", "a#b\n"),
        ("sed 's/\\s*#.*//'", "a#b # c\n", "a\n"),
        ("sed 's/[=<>].*//g'", "a==1\nb>2\nc\n", "a\nb\nc\n"),
        ("sed -E 's/=+1//'", "a==1==1\n", "a==1\n"),
        ("sed 's/a\\|ab//'", "ab\n", None),
        ("sed 's/*#.*//'", "a #\n", None),
        ("sed 's/a/b/'", "a\n", None),
        ("tr '\\r' '\\n'", "a\r\nb\n", "a\n\nb\n"),
        ("tr '\\n' '\\n'", "a\nb\n", "a\nb\n"),
        ("tr -d '\\r\\n'", "a\r\nb\n", "ab"),
        ("tr '\\r\\n' ' '", "a\r\nb\n", "a  b "),
        ("tr -s '\\n'", "a\n\n", None),
        ("tr a-z A-Z", "a\n", None),
        ("sort", "b\na", "a\nb\n"),
    ],
)
def test_a_filter_leaves_what_the_real_program_leaves(
    command: str, text: str, left: str | None
) -> None:
    if left is not None:
        printed = subprocess.run(["sh", "-c", command], input=text.encode(), capture_output=True)
        assert printed.stdout.decode() == left
    state = State(machine=Machine(look=dict.fromkeys(["/w/t"], text).get), folder="/w")
    (item,) = parse(f"{command} </w/t")
    assert isinstance(item, ShellCommand)
    assert state.printed(item.words, item.redirections) == left


@pytest.mark.parametrize(
    "nest", ["sudo ", "xargs ", "nice -n 5 ", "conda run -n x ", "command ", "taskset 1 ", "eval "]
)
def test_a_program_that_runs_another_is_followed_a_few_deep_and_then_said(nest: str) -> None:
    """Which takes a moment: each level looks at all words behind it."""
    (find,) = found(f"{nest * 3} pip install six")
    assert "nested" not in find.reason
    began = time.process_time()
    (find,) = found(f"{nest * 3000} pip install six")
    assert time.process_time() - began < 2
    assert find.reason == "It is nested more than 10 deep, which is not read here."


# The options, against the programs


def test_every_option_of_the_installed_pip_is_known() -> None:
    command = pytest.importorskip("pip._internal.commands")
    for name, table in (("install", PIP), ("uninstall", UNINSTALL)):
        for known in command.create_command(name).parser.option_list_all:
            for written in known._short_opts + known._long_opts:
                assert table.takes(written) == known.takes_value(), written


@pytest.mark.parametrize("verb", ["pip install", "pip uninstall", "add", "remove", "tool install"])
def test_every_option_of_the_installed_uv_is_known(verb: str) -> None:
    command = [find_uv_bin(), *verb.split(), "--help"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    table = UV if verb.startswith("pip") else UV_PROJECT
    lines = re.findall(r"^ {2,6}(?:(-\w), )?(--[\w-]+)(?:\.\.\.)?( <)?", text, re.MULTILINE)
    assert len(lines) > 20
    for short, long, value in lines:
        # `uv add --editable` is a flag, and the path that follows is taken for its value: the same
        for written in {short, long} - {"", "-e", "--editable"}:
            assert table.takes(written) == bool(value), written


def test_every_option_of_a_real_conda_is_known() -> None:
    conda_program = shutil.which("conda")
    if conda_program is None:
        pytest.skip("there is no conda on the PATH")
    text = subprocess.run(
        [conda_program, "install", "--help"], check=True, capture_output=True, text=True
    ).stdout
    for written in set(re.findall(r"(?<![\w-])--[a-z-]{3,}", text)):
        assert CONDA.takes(written) is not None, written


OPTIONS = ProgramOptions.of(
    valued="-r/--requirement --name", flags="-q/--quiet -U/--upgrade --upset"
)


@pytest.mark.parametrize(
    ("line", "items"),
    [
        ("-r f", [("--requirement", "f")]),
        ("-rf", [("--requirement", "f")]),
        ("-r=f", [("--requirement", "f")]),
        ("-qUrf", [("--quiet", None), ("--upgrade", None), ("--requirement", "f")]),
        ("--requirement=f", [("--requirement", "f")]),
        ("--req f", [("--requirement", "f")]),
        ("--up", [("--up", None)]),
        ("--unknown=f x", [("--unknown", "f"), ("", "x")]),
        ("-- -q", [("", "-q")]),
        ("-r", [("--requirement", None)]),
        ("-", [("", "-")]),
    ],
)
def test_options_are_read_as_getopt_reads_them(line: str, items: list[tuple[str, str]]) -> None:
    given_items = OPTIONS.read([Word(text) for text in line.split()]).items
    assert [(name, word and word.text) for name, word in given_items] == items


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "'a b' " * 20_000, "a>=1 " * 20_000, "\\\n" * 50_000]
)
@pytest.mark.timeout(120)  # a second; a square of its length would be hours
def test_a_long_line_takes_a_moment(text: str) -> None:
    assert found(f"pip install a {text}")
