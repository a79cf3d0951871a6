"""Installers that are not captured: each is listed with the reason and our line for it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ..model.shell import PASSING_ON
from ..model.words import listed
from . import Found
from .argv import MANAGER_OF, Call
from .machine import OF_APT

OTHERS: dict[str, tuple[str, ...]] = {
    name: tuple(filter(None, words.split(",")))
    for name, _, words in (
        entry.partition("=")
        for entry in listed(
            """
            anaconda-project=prepare apk=add asdf=install,plugin az=extension brew=install,tap
            bun=add,install,i bundle=install cabal=install cargo=install checkinstall=
            cmake=--install,install code-server=--install-extension code=--install-extension
            composer=install,require conda-lock=install conda-project=install,prepare
            conda-unpack= cpan= cpanm= deno=add,install dnf=install dotnet=add,tool
            easy_install= emerge= ensurepip= flatpak=install flit=install fpm=install gdebi=
            gem=install go=install,get guix=install hatch=env helm=install luarocks=install
            make=install mamba-lock=install meson=install microdnf=install mim=install,uninstall
            mise=use,install ninja=install nix-env=-i,-iA,--install npm=install,i,ci,add
            nvm=install opam=install pacman=-S,-Sy,-Syu,-U pdm=add,install,sync pip-sync=
            pipenv=install,sync,uninstall pixi=add,install,global
            playwright=install,install-deps pnpm=add,install,i poetry=add,install,remove,sync
            pyenv=install raco=pkg rustup=install,toolchain,component,target
            rye=add,sync,install snap=install spack=install spacy=download stack=install
            tdnf=install tlmgr=install vcpkg=install yarn=add,install,global
            yum=install,localinstall zypper=install,in
            """
        )
    )
}
"""Installers that no request can express; each with the words that install, empty for all words."""

REMOTE = listed("ssh docker podman nerdctl kubectl oc chroot singularity apptainer lxc multipass")
"""Programs that run a command on another machine or in another container."""

RUNNERS = listed(
    "at batch sbatch qsub bsub torchrun accelerate ray spark-submit coverage kernprof ipython"
    " jupyter papermill runipy run-parts"
)
"""Programs that run a file among their words."""

DOWNLOADERS = ("curl", "wget", "aria2c")

_NOT_OURS = "A request is for conda, pip or apt; {} is not one of them."

IN_CODE = re.compile(r"\b(?:pip3?|conda|mamba|apt(?:-get)?|npm|uv)\b.{0,40}?\b(?:install|add)\b")
"""An install in a text of another language."""

_MEANT = frozenset(("install", "uninstall", "add", "update", "remove", "create"))

PRINTERS = listed(
    "echo printf grep egrep fgrep rg which whereis type man cat ls test [ [[ alias git gh sed awk"
    " gawk mawk nawk export declare local read tee touch rm mkdir cp mv ln chmod chown hash help"
    " info set logger useradd adduser usermod chsh"
)
"""Programs that take an installer's name as text."""

_AWK = r"\bsystem\s*\(|\|\s*&?\s*getline|\|\s*\"(?:ba|da|z)?sh\b"
_RUNS: dict[str, str] = {
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _AWK),
    "git": r"\A(?:foreach|bisect|--exec|-x)\Z",
    "sed": r"(?:^|[;}/\d])e(?:\s|$)",
}


def prints(call: Call) -> bool:
    """Return whether a call takes the names in its words as text, and runs none of them."""
    runs = _RUNS.get(call.program)
    return call.program in PRINTERS and not (
        runs and any(re.search(runs, word.text) for word in call.arguments)
    )


RUN_LATER = re.compile(
    r"/(?P<folder>(?:start|before)-notebook\.d|cron\.\w+|init\.d|systemd|profile_\w+/startup"
    r"|\.git/hooks|my_init\.d|cont-init\.d|docker-entrypoint[\w-]*\.d|supervisor|profile\.d)(?:/|$)"
    r"|/rc\.local$|/etc/(?:crontab|profile|bashrc|bash\.bashrc|zsh/\w+)$"
    r"|\.(?:bashrc|bash_profile|profile|zshrc|bash_login)$"
)
"""Files that a server, a shell or a timer runs."""

_R = re.compile(
    r"(?:install\.packages|install_(?:github|version|cran|bioc|gitlab|bitbucket|url|git|local|deps)"
    r"|BiocManager::install|biocLite|pak::pkg_install|pkg_install|pacman::p_load|p_load"
    r"|renv::(?:install|restore)|remotes::install\w*|devtools::install\w*|pak::pak)\s*\(",
)
_RETICULATE = re.compile(r"\b(?:py_install|virtualenv_install)\s*\(((?:[^()]|c\([^()]*\))*)")
_R_NAMES = re.compile(
    r"(?:install\.packages|install_version|install_cran|pkg_install|pak::pak|p_load|renv::install)"
    r"\s*\(\s*(?:pkgs\s*=\s*)?(?:c\s*\()?((?:\s*[\"'][\w./@-]+[\"']\s*,?)+)"
)
_BIOC_NAMES = re.compile(
    r"(?:BiocManager::install|biocLite)\s*\(\s*(?:c\s*\()?((?:\s*[\"'][\w.-]+[\"']\s*,?)+)"
)
_JULIA = re.compile(
    r"\bPkg\.(?:add|develop|instantiate|build|update|clone)\s*\(|(?:\]|\bpkg\")\s*add\s+\w"
)


def r_reason(code: str) -> str:
    """Return why R code that installs is not followed, with the line for it; empty without any.

    >>> r_reason('install.packages("dplyr")').rpartition(": ")[2]
    '%envinstall conda:r-dplyr'
    """
    python = _RETICULATE.search(code)
    if python:
        asked = " ".join(re.findall(r"[\"']([\w.\[\]=<>!~-]+)[\"']", python[1]))
        line = f" The line for it: %envinstall {asked}" if asked else ""
        return f"It installs into the Python that reticulate chooses.{line}"
    if not _R.search(code):
        return ""
    names: list[str] = []
    for pattern, before in ((_R_NAMES, "r-"), (_BIOC_NAMES, "bioconductor-")):
        for match in pattern.finditer(code):
            found = re.findall(r"[\"']([A-Za-z][\w.]*)[\"']", match[1])
            names += [f"conda:{before}{name.lower()}" for name in found]
    reason = "It installs into R's own library; a request is for conda, pip or apt."
    line = f" With conda's R this is the line: %envinstall {' '.join(dict.fromkeys(names))}"
    return reason + (line if names else "")


def julia_reason(code: str) -> str:
    """Return why Julia code that installs is not followed; empty without any."""
    if not _JULIA.search(code):
        return ""
    return "It installs into Julia's own depot; a request is for conda, pip or apt."


def found(call: Call) -> Iterator[Found]:
    """Yield a find for an installing call of a program that is not a manager of ours."""
    name, texts = call.program, [word.text for word in call.arguments]
    scripts = [text for text in texts if text.lower().endswith((".r", ".jl"))]
    texts += [call.machine.text(call.path(script)) or "" for script in scripts]
    reason = _reason(call, name, texts)
    if reason:
        yield call.unread(reason)
    elif call.words[0].holes and texts[:1] and texts[0] in _MEANT:
        yield call.unread(f"Only the run can tell which program {call.words[0].text} is.")


_TASKS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("make", "gmake"), ("Makefile", "makefile", "GNUmakefile")),
    "just": ("justfile", "Justfile"),
    **dict.fromkeys(("task", "go-task"), ("Taskfile.yml", "Taskfile.yaml")),
    **dict.fromkeys(("inv", "invoke"), ("tasks.py",)),
    "fab": ("fabfile.py",),
    "nox": ("noxfile.py",),
    "doit": ("dodo.py",),
    "rake": ("Rakefile",),
    "poe": ("pyproject.toml",),
    "pyinfra": (),
    "ant": ("build.xml",),
}
"""Programs that run the tasks of a file, and the names of that file."""

INSTALLING = re.compile(
    r"install|require|\bdeps?\b|depend|bootstrap|\bset-?up|conda|\bv?env\b|provision"
)
"""Names of unseen programs and tasks that may install something."""


def _task(call: Call, texts: list[str]) -> str:
    """Return why a task that may install is not followed; empty where its file installs nothing."""
    after = [word for before, word in zip(["", *texts], texts, strict=False) if before == "-f"]
    files = [
        (name, call.machine.text(call.path(name))) for name in after or _TASKS.get(call.program, ())
    ]
    read = next(((name, text) for name, text in files if text is not None), None)
    if read is not None:
        match = IN_CODE.search(read[1])
        line = read[1].count("\n", 0, match.start()) + 1 if match else 0
        return f"It runs tasks of {read[0]}, which install (line {line})." if match else ""
    if any(map(INSTALLING.search, texts)):
        return f"What {call.program} runs for {' '.join(texts)} is not seen here."
    return ""


_NO_INSTALLERS = listed(
    "apt-file cron crontab git husky install ipykernel kernda launchctl lefthook nbdime nbstripout"
    " overcommit pre-commit systemctl update-rc.d"
)
"""Programs whose verb ``install`` brings no package."""


def _is_installer(call: Call, name: str, texts: list[str]) -> bool:
    """Return whether an unknown program is asked to install: its first or second word says so."""
    words = [text for text in texts if not text.startswith("-")]
    at = words[:2].index("install") if "install" in words[:2] else None
    if at is None or call.words[0].holes or len(words) == at + 1:
        return False
    own = {name, *words[:at]}
    passing = PRINTERS | PASSING_ON | REMOTE - {"kubectl"} | MANAGER_OF.keys()
    known = _NO_INSTALLERS | passing | OTHERS.keys()
    return own.isdisjoint(known) and name not in _BY_WORDS and not re.search(r"\W", words[0][1:-1])


def _reason(call: Call, name: str, texts: list[str]) -> str:
    special = SPECIAL.get(os.path.basename(call.words[0].text)) or SPECIAL.get(name)
    if special is not None:
        return special(texts)
    if name in _BY_WORDS:
        pattern, reason = _BY_WORDS[name]
        match = re.search(pattern, "\n".join(texts), re.MULTILINE)
        return match.expand(reason) if match else ""
    if name in OTHERS:
        meant = OTHERS[name] if texts[:1] != ["run"] else (None,)
        wanted = texts if name in ("make", "ninja", "cmake") else texts[:3]
        if not meant or any(text in meant or text.startswith("install-") for text in wanted):
            if {"--help", "-h", "--version"} & set(texts):
                return ""
            line = _line(call, name, texts)
            return f"{_NOT_OURS.format(name)}{line}"
    if _is_installer(call, name, texts):
        return _NOT_OURS.format(name)
    if name in OTHERS and texts[:1] == ["run"]:
        task = next((text for text in texts[1:] if not text.startswith("-")), "")
        return _task(call, texts[1:] if ":" in task else [task])
    return _task(call, texts) if name in _TASKS else ""


_LISTS = {
    "conda-lock": ("conda-lock.yml",),
    "pip-sync": ("requirements.txt",),
    "poetry": ("poetry.lock", "pyproject.toml"),
    "pdm": ("pdm.lock", "pyproject.toml"),
    "pipenv": ("Pipfile.lock", "Pipfile"),
    "pixi": ("pixi.lock", "pixi.toml", "pyproject.toml", "pixi.toml"),
    "uv": ("uv.lock", "pyproject.toml"),
}
"""The lists that these install, where none is named: the lock where there is one."""


def line_of_list(call: Call, name: str) -> str:
    """Return the line of ours for the list that a project's tool installs."""
    *locks, last = _LISTS[name]
    there = (lock for lock in locks if call.machine.text(call.path(lock)) is not None)
    return f" The line for it: %envinstall -f {next(there, last)}"


def _line(call: Call, name: str, texts: list[str]) -> str:
    """Return the line of ours for an installer of a list; empty for one of packages by name."""
    named = name == "pipenv" and any(text[:1] != "-" for text in texts[1:])
    if name not in _LISTS or {"add", "remove", "uninstall", "global"} & set(texts[:2]) or named:
        return ""
    files = [text for text in texts if re.search(r"\.(?:txt|in|ya?ml|lock)$", text)]
    own = " ".join(f"-f {file}" for file in files)
    return f" The line for it: %envinstall {own}" if own else line_of_list(call, name)


def _r(texts: list[str]) -> str:
    code = " ".join(texts)
    reason = r_reason(code)
    if reason:
        return reason
    if "CMD" in texts and "INSTALL" in texts:
        return "It installs into R's own library; a request is for conda, pip or apt."
    file = next((text for text in texts if text.lower().endswith(".r")), "")
    if re.search(r"install|packages|deps|requirements", os.path.basename(file).lower()):
        return f"What the R script {file} installs is not seen here."
    return ""


def _littler(texts: list[str]) -> str:
    names = [text for text in texts if re.fullmatch(r"[A-Za-z][\w.]*", text)]
    return r_reason(f"install.packages(c({', '.join(map(repr, names))}))") or r_reason("p_load(")


def _julia(texts: list[str]) -> str:
    files = [text for text in texts if re.search(r"(?:install|deps|setup)[^/]*\.jl$", text)]
    unseen = f"What the Julia script {files[0]} installs is not seen here." if files else ""
    return julia_reason(" ".join(texts)) or unseen


_BY_WORDS: dict[str, tuple[str, str]] = {
    name: (pattern, reason)
    for names, pattern, reason in (
        (
            "unzip tar 7z",
            r"(?s:.*)^(.*(?:(?:site|dist)-packages|/(?:ana|mini)?conda\d*\b|/miniforge|/usr/local).*"
            r"|/)$",
            r"It unpacks an archive into \1; a request is for conda, pip or apt.",
        ),
        (
            "cp mv rsync",
            r"(?s:.+)\n(.*(?:site|dist)-packages.*)\Z",
            r"It copies files into \1; a request is for conda, pip or apt.",
        ),
        ("add-apt-repository apt-add-repository", r"^([^-].*)$", OF_APT.format(r"\1")),
        ("gh", r"\Aextension\ninstall\n", _NOT_OURS.format("gh")),
        ("eb", r"\.eb$", _NOT_OURS.format("eb")),
        (
            "gdown",
            r"\.(?:whl|deb|conda)$|(?:site|dist)-packages",
            "It fetches a package; that alone installs nothing a request can say.",
        ),
        (
            " ".join(DOWNLOADERS),
            r"\.deb(?:[?#].*)?$",
            "It fetches a Debian package; that alone installs nothing.",
        ),
        ("jupyter", r"\A.*extension(?:\n.*){0,2}\ninstall$", _NOT_OURS.format("jupyter")),
        (
            "ansible",
            r"^(?:ansible\.\w+\.)?(pip|apt|conda|dnf|yum|package|npm|gem|apk|snap|homebrew)$",
            r"It has ansible's module \1 install, on the machines of its inventory.",
        ),
        (
            "ansible-playbook ansible-pull puppet chef-solo chef-client cloud-init",
            r"(?s).+",
            "What it installs, its own files say; they are not read here.",
        ),
        (
            "salt-call salt salt-ssh",
            r"^(pkg|pip|npm|gem|conda|state)\.\w+$",
            r"It has salt's module \1 install.",
        ),
        ("sage", r"\A--?(?:i|p|f|pip)$", _NOT_OURS.format("sage")),
        (
            "apt-mark",
            r"\A(?:.*\n)?hold$",
            "apt keeps them at their versions, which cannot be recorded.",
        ),
    )
    for name in names.split()
}
"""Programs that install if their words, one a line, match; each with the reason."""

_CHOOSERS = {
    "mim": (
        ("install", "uninstall"),
        "mim chooses the wheel that fits the torch that is there, which cannot be recorded.",
        " Without that choice it is: %envinstall --pip {}",
    ),
    "spacy": (
        ("download",),
        "spacy chooses the model that fits the spaCy that is there.",
        " conda has it as well: %envinstall conda:spacy-model-{}",
    ),
}
"""Programs that choose what fits: their verbs, the reason, and a line for it."""


def _chosen(name: str, texts: list[str]) -> str:
    verbs, reason, line = _CHOOSERS[name]
    at = next((at for at, text in enumerate(texts) if text in verbs), len(texts))
    given = zip(["", *texts], texts, strict=False)
    after = [text for before, text in given if before not in ("-f", "-i") and text[:1] != "-"]
    names = " ".join(after[after.index(texts[at]) + 1 :]) if at < len(texts) else ""
    names = re.sub(r"-(?=\d[\w.]*$)", "=", names) if name == "spacy" else names
    wanted = names and texts[at] != "uninstall"
    return (reason + (line.format(names) if wanted else "")) if at < len(texts) else ""


_BY_NAME = (
    (
        r"(?:micropip|piplite)\.install|pyodide(?:_js)?\.load_?[Pp]ackage",
        "It installs into the Python of the browser (Pyodide).",
    ),
    (
        r"dbutils\.library\.install(?!AllPyPI$).*",
        "Databricks installs it for the notebook's session on the whole cluster.",
    ),
    (r".*\.install_pypi_package", "It installs on the machines of the Spark cluster."),
    (r"(?:.*\.)?(?:Pip|Conda)Install", "It installs on the workers of the Dask cluster."),
    (r".*session\.add_packages", "It installs where Snowflake runs the session."),
    (r"mim\.(?:commands\.)?install", _CHOOSERS["mim"][1]),
    (
        r"condacolab\.install.*",
        "It replaces Colab's Python with conda's and restarts the kernel; a request cannot say"
        " that.",
    ),
    (
        r"conda\.cli\.(?:main|python_api\.run_command)",
        "It calls conda from Python, which is not read here.",
    ),
)
"""Functions that install, by their full names; each with the reason."""


def python_reason(name: str, what: str, version: str, indexes: Sequence[str] = ()) -> str:
    """Return why an installing call of Python's is not captured, with the line for it.

    Args:
        name: The function's full name.
        what: Its packages, separated by blanks; empty if unknown.
        indexes: The URLs of the indexes that it names.

    >>> python_reason("micropip.install", "six", "1.16").rpartition(": ")[2]
    '%envinstall --pip six==1.16'
    >>> python_reason("os.listdir", ".", "")
    ''
    """
    if re.fullmatch(r"spacy\.(?:cli\.)?download", name):
        return _chosen("spacy", ["download", what])
    if name.endswith(".install_packages"):  # rpy2's
        return r_reason(f"install.packages({', '.join(map(repr, what.split()))})")
    reason = next((reason for pattern, reason in _BY_NAME if re.fullmatch(pattern, name)), "")
    is_package = reason and what and "conda" not in name and not re.search(r"[:/]", what)
    spec = f"{what}=={version}" if version else what
    options = ("-i", *("--extra-index-url" for _ in indexes[1:]))
    spec += "".join(f" {option} {url}" for option, url in zip(options, indexes, strict=False))
    return reason + (f" The line for it here: %envinstall --pip {spec}" if is_package else "")


LANGUAGES = ("r", "rscript", "littler", "julia")
"""Interpreters that take a program on their standard input."""

SPECIAL: dict[str, Callable[[list[str]], str]] = {
    **dict.fromkeys(("R", "Rscript", "r", "littler"), _r),
    **dict.fromkeys(("install2.r", "install.r", "installBioc.r"), _littler),
    "installGithub.r": lambda _texts: r_reason("install_github("),
    "julia": _julia,
    **{name: partial(_chosen, name) for name in _CHOOSERS},
}

INSTALLERS = frozenset((*OTHERS, *SPECIAL, *_BY_WORDS, *_TASKS, *_RUNS, *RUNNERS))
"""Programs that install something of their own, or have another program do it."""


def may_install(call: Call) -> bool:
    """Return whether a call that the shell refuses was meant to install something."""
    return call.program not in PRINTERS and any("install" in word.text for word in call.words)
