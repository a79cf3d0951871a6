"""The documentation: it is built without a warning, and every example in it is run.

`support.examples` tells how a page says what an example does; a block that does not say it fails
here. A page's cells run in one kernel, in a folder with what the pages speak of (`support.reader`).
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest
import yaml

from jstackmagic import commands
from jstackmagic.commands._parser import parse
from jstackmagic.history.file import History
from jstackmagic.image.engine import labels
from jstackmagic.model.policy import Policy
from jstackmagic.model.text import for_terminal
from jstackmagic.sending.outbox import Outbox
from jstackmagic.sending.servicepolicy import read_served, with_served
from support import engine, stacks
from support.examples import (
    BOTH,
    CONTAINER,
    ENGINE,
    HERE,
    Example,
    Unclear,
    examples,
    is_shown,
    pieces_in,
)
from support.reader import Here, Reader, There, conda_forge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from docker import DockerClient

    from support.environments import Root
    from support.tiers import Channel

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
IMAGE = "registry.example.com/base-notebook:2026-11-02"
"""What the pages call an image of the Docker Stacks."""

WRITTEN = "reference.md"  # by the verbs, whose examples have a test of their own
PAGES = [
    *("../README.md", "../CONTRIBUTING.md"),
    *sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")),
]
PAGES.remove(WRITTEN)


def examples_of(page: str) -> list[Example]:
    try:
        return examples((DOCS / page).resolve())
    except Unclear:
        return []  # for the test of that to tell


def test_it_is_built_without_a_warning_and_has_every_verb_in_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "d"]
    done = subprocess.run(
        [*command, DOCS, tmp_path / "html"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "html/reference.html").read_text()
    for verb in commands.names():
        assert f"%env{verb}" in reference
        for action in commands.parser(verb, magic=True)._actions:
            assert all(option in reference for option in action.option_strings)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    examples((DOCS / page).resolve())


def test_the_readme_has_an_example_of_every_verb() -> None:
    rows = re.findall(
        r"^\| `%env(\w+)` \| `%env(.+?)` \|", (REPOSITORY / "README.md").read_text(), re.M
    )
    assert sorted(verb for verb, _ in rows) == sorted(commands.names())
    for verb, example in rows:
        name, *words = shlex.split(example)
        assert name == verb
        parse(commands.parser(verb, magic=True), words)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```\n%envinfo\n```\n", "say what this is"),
        ("```ipython3\n%envinfo\n```\n<!-- shows: kind -->\n", "say what this is"),
        ("```{code-block} ipython3\n%envinfo\n```\n", "say what this shows"),
        ("```{code-block} ipython3\n%envinfo\n```\n<!-- shows -->\n", "say what, after a colon"),
        ("```{code-block} yaml\na: 1\n```\n<!-- shows: a -->\n", "this cannot be run"),
        ("```{code-block} console\njstackmagic info\n```\n<!-- shows: a -->\n", "begins with '\\$"),
        ("```{code-block} text\nkind\n```\n<!-- output -->\n", "the output of what"),
        ("To see it:\n\n    %envinfo\n", "make this a block"),
    ],
)
def test_a_block_that_does_not_say_it_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text(text)
    with pytest.raises(Unclear, match=reason):
        examples(page)


def test_what_is_seen_is_held_against_what_is_said() -> None:
    assert pieces_in("one … two", "a one\nand   two")
    assert not pieces_in("two … one", "a one\nand two")
    assert is_shown("took 0.1 s\n…\nid 3f9a", "took 12.75 s\nthis\nthat\nid 41c0")
    assert not is_shown("took 0.1 s", "took 12.75 s\nand more")
    assert not is_shown("pymongo 4.1", "pymong 4.1")


# Pages


@pytest.fixture(scope="module")
def environments(make_kernel_env: Callable[..., Path], full_root: Root) -> Callable[[str], Path]:
    """Environments to change, of two kinds; one that is as it was serves the next page."""
    made: dict[str, Snapshot] = {}

    def take(name: str) -> Path:
        if name not in made or not made[name].restored():
            shutil.rmtree(full_root.prefix / "envs" / name, ignore_errors=True)
            make = make_kernel_env if name == "documented" else full_root.create
            words = () if name == "documented" else ("python", "pip")
            made[name] = Snapshot(make(name, *words))
        return made[name].prefix

    return take


class Snapshot:
    """An environment's files at one time: what came since can be taken away."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self._log = prefix / "conda-meta/history"
        self._lines = self._log.read_bytes()
        self._files = self._read()

    def _read(self) -> dict[str, tuple[int, int] | None]:
        """The size and time of each file but bytecode; None of a folder."""
        found: dict[str, tuple[int, int] | None] = {}
        for folder, folders, files in os.walk(self.prefix):
            folders[:] = [name for name in folders if name != "__pycache__"]
            found[folder] = None
            for name in files:
                path = os.path.join(folder, name)
                state = os.lstat(path)
                found[path] = (state.st_size, state.st_mtime_ns)
        return found

    def restored(self) -> bool:
        """Takes away what came; whether all is then as it was."""
        for path in self._read().keys() - self._files:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink(missing_ok=True)
        self._log.write_bytes(self._lines)
        found = self._read()
        found[str(self._log)] = self._files[str(self._log)]
        return found == self._files


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a channel's name means."""
    folder = tmp_path_factory.mktemp("channels")
    conda_forge(folder)
    return folder


@pytest.fixture
def here(
    environments: Callable[[str], Path],
    full_channel: Channel,
    channels: Path,
    home: Path,
) -> Iterator[Here]:
    """With one more kernel, other."""
    names = [full_channel.url, "conda-forge"]
    with Here(environments("documented"), home, names, channels.as_uri()) as here:
        here.knows("other", environments("other"))
        yield here


@pytest.fixture(scope="module")
def made(docker_engine: DockerClient, jstackmagic_image: str, channels: Path) -> Iterator[str]:
    """The image that the pages speak of: the stand-in with jstackmagic, and some of conda-forge."""
    with tempfile.TemporaryDirectory(prefix="documented-") as folder:
        shutil.copytree(channels, Path(folder, "channels"))
        condarc = {"channels": ["file:///opt/channel"]}
        condarc |= {"channel_alias": "file:///opt/channels"}
        Path(folder, "condarc").write_text(json.dumps(condarc))
        Path(folder, "Dockerfile").write_text(
            f"FROM {jstackmagic_image}\nCOPY channels /opt/channels\n"
            "COPY --chown=1000:100 condarc /opt/conda/.condarc\n"
        )
        tag = f"{stacks.REPOSITORY}/documented-{os.getpid()}:1"
        stacks.build(docker_engine, tag, Path(folder))
    yield tag
    docker_engine.images.remove(tag, force=True)


@pytest.fixture
def image(docker_engine: DockerClient, made: str) -> Iterator[str]:
    """The same, called as there."""
    with engine.usual_names():
        docker_engine.images.get(made).tag(*IMAGE.rsplit(":", 1))
        yield IMAGE
        docker_engine.images.remove(IMAGE)


@pytest.fixture
def there(
    docker_engine: DockerClient, image: str, jstackmagic_image: str, tmp_path: Path
) -> Iterator[There]:
    if not engine.host().startswith("unix://"):
        pytest.skip("the container is given the engine's socket, and this engine has none")
    with There(docker_engine, image, jstackmagic_image, tmp_path / "work") as there:
        yield there
    # what a page made: if it were only tagged anew by the next page, it would stay
    for found in docker_engine.api.images():  # summaries: others may remove theirs meanwhile
        names = {tag.rpartition(":")[0] for tag in found["RepoTags"] or ()}
        base = (found["Labels"] or {}).get(labels.BASE)
        if base == image or names & {"analysis", "snapshot", "with-hook"}:
            docker_engine.images.remove(found["Id"], force=True)


def run_page(page: str, reader: Reader, places: tuple[str, ...]) -> None:
    """Runs those examples of a page that are for these places."""
    for example in examples_of(page):
        where = f"{page}, line {example.line}:\n{example.code}\n"
        if example.mark == "file":
            reader.write(example.words, example.code)
        elif example.is_run and example.place in places:
            beside = example.place == ENGINE and isinstance(reader, There)
            check(example, *(reader.beside if beside else reader.run)(example), where)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(each.is_at(HERE) for each in examples_of(page))],
)
def test_every_example_does_what_the_page_says(page: str, here: Here) -> None:
    run_page(page, here, (HERE, BOTH))


@pytest.mark.docker
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(each.is_at(CONTAINER) for each in examples_of(page))]
)
def test_and_so_it_does_where_there_is_an_engine(page: str, there: There) -> None:
    there.cell("%load_ext jstackmagic").check()
    run_page(page, there, (CONTAINER, BOTH, ENGINE))


def check(example: Example, failure: str, shown: str, where: str) -> None:
    """Holds what was seen against what the page says."""
    words = example.words
    expected = ""
    if example.mark == "fails":
        expected, _, words = (word.strip() for word in words.partition("…"))
    assert failure == expected, f"{where}{shown}"
    if example.output is not None:
        assert is_shown(example.output, shown), f"{where}shows\n{shown}"
    if example.mark == "shows nothing":
        assert shown.strip() == "", f"{where}shows\n{shown}"
    assert pieces_in(words, shown), f"{where}shows\n{shown}"


# Files, by what they are for


def read_history(path: Path) -> None:
    pymongo, graphviz = History(path).records()
    assert (pymongo.status, pymongo.request.texts) == ("ok", ("pymongo>4",))
    assert (graphviz.status, graphviz.request.texts) == ("planned", ("graphviz",))


def read_values(path: Path) -> None:
    schema = json.loads((REPOSITORY / "tests/schemas/z2jh.json").read_text())
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(path.read_text()))


def read_precommit(path: Path) -> None:
    validated = [sys.executable, "-m", "pre_commit", "validate-config", str(path)]
    subprocess.run(validated, check=True)
    (said,) = yaml.safe_load(path.read_text())["repos"][0]["hooks"]
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    (hook,) = [hook for hook in hooks if hook["id"] == said["id"]]
    program, verb, *words = hook["entry"].split()
    assert program == "jstackmagic"
    parse(commands.parser(verb, magic=False), [*words, *said["args"]])


def read_workflow(path: Path) -> None:
    """What the hosting service itself would do with it cannot be had here; the lines can."""
    (job,) = yaml.safe_load(path.read_text())["jobs"].values()
    lines = [step["run"] for step in job["steps"] if "run" in step]
    (line,) = [line for line in lines if line.startswith("jstackmagic ")]
    _, verb, *words = shlex.split(line.partition(" >")[0])
    words.remove("--json")  # which `commands.execute` takes, wherever it stands
    parse(commands.parser(verb, magic=False), words)


def read_hub_config(path: Path) -> None:
    from jupyterhub.app import JupyterHub

    from jstackmagic.hub.app import _parsed

    hub = JupyterHub()
    hub.load_config_file(str(path))
    config = hub.config
    if "services" in config.JupyterHub:
        (service,) = config.JupyterHub.services.get_value([])
        assert Path(service["command"][0]).name == "jstackmagic-hub"
        _parsed(service["command"][1:])
        roles = config.JupyterHub.load_roles.get_value([])
        scopes = {scope for role in roles for scope in role["scopes"]}
        assert {"list:users", "access:services!service=jstackmagic"} <= scopes
        environment = config.Spawner.environment.get_value({})
        assert environment["JSTACKMAGIC_HUB_URL"].startswith(service["url"])
    else:
        from dockerspawner import DockerSpawner

        made = DockerSpawner(config=config, user=SimpleNamespace(name="ada"))
        (name,) = made.allowed_images(made)  # the service does not answer
        assert name == "The usual image"


def read_policy(path: Path) -> None:
    history = path.with_name("history.jsonl")
    served = msgspec.to_builtins(read_served(path.read_bytes()))  # as the service reads it
    Outbox(history, "http://hub").keep(policy=served, fetched="2026-11-02")
    policy = with_served(Policy(hub_url="http://hub"), history)
    assert policy.deny == ("telnetlib3",)
    assert policy.reasons[0] == ("telnetlib3", "Use ssh")
    assert policy.left_out().endswith("7 days ago (in the hub's policy (http://hub)): Bad releases"
                                      " are found in their first days.")  # fmt: skip
    assert policy.locked == ("index_url", "extra_index_urls")


def read_hub_manifest(path: Path) -> None:
    """Held against itself, and against what the service asks of its variables."""
    from jupyterhub.services import auth as hub_auth

    from jstackmagic.hub import app as hub_app

    service, deployment = yaml.safe_load_all(path.read_text())
    pod = deployment["spec"]["template"]
    labels, wanted = pod["metadata"]["labels"], deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"] == wanted
    assert wanted.items() <= labels.items()
    (container,) = pod["spec"]["containers"]
    variables = {each["name"] for each in container["env"]}
    read = inspect.getsource(hub_app) + inspect.getsource(hub_auth)
    assert variables - {"DATABASE"} <= set(re.findall(r"JUPYTERHUB_\w+", read))
    assert {"JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_PREFIX"} < variables


READERS: dict[str, Callable[[Path], None]] = {
    ".github/workflows/image.yml": read_workflow,
    ".pre-commit-config.yaml": read_precommit,
    "history.jsonl": read_history,
    "hub-values.yaml": read_values,
    "jstackmagic-hub.yaml": read_hub_manifest,
    "jupyterhub_config.d/images.py": read_hub_config,
    "jupyterhub_config.d/jstackmagic.py": read_hub_config,
    "policy.json": read_policy,
    "values.yaml": read_values,
}
"""Who reads a file that no example of its page is about."""


@pytest.mark.parametrize(
    ("page", "file"),
    [
        (page, example.words)
        for page in PAGES
        for example in examples_of(page)
        if example.mark == "file"
    ],
)
def test_every_file_has_its_reader(page: str, file: str, tmp_path: Path) -> None:
    (example,) = [each for each in examples_of(page) if each.words == file]
    if file in READERS:
        path = tmp_path / Path(file).name
        path.write_text(example.code)
        READERS[file](path)
    else:
        later = [each for each in examples_of(page) if each.line > example.line and each.is_run]
        folder, _, name = file.rpartition("/")
        assert any(name in each.code + each.words or f" {folder}\n" in each.code for each in later)


# The verbs' own examples, which ``--help`` and the page of the verbs show

SHOWS = {
    "capture": {
        "analysis.ipynb": "install twitter … planned",
        "--dry-run ~/work": "analysis.ipynb … asked for before … first.ipynb … would be planned",
        "notebooks --name other": "flake8 … other … planned",
        "environment.yml --group dev": "isort … planned",
    },
    "diff": {
        "": "differs in",
        "--name other": "other",
        "--unexplained": "differs in … jstackmagic … and no difference",
        "--adopt": "All of it is in the history now",
        "client": "fails: UsageError … There is no variable client",
    },
    "export": {
        "dockerfile": "FROM $BASE_IMAGE … 'twitter==",
        f"dockerfile --output Dockerfile --from {IMAGE}": "Wrote Dockerfile",
        "dockerfile --fragment --pin spec": "RUN … 'twitter'",
        "dockerfile --with-jstackmagic": "jstackmagic",
        f"dockerfile --check Dockerfile --from {IMAGE}": "Dockerfile: up to date",
        "--all FOLDER": "FOLDER",
        "--check-all FOLDER": "up to date",
        "json --output recipe.json": "Wrote recipe.json",
        "--recipe recipe.json dockerfile": "FROM $BASE_IMAGE … 'twitter==",
    },
    "history": {
        "": "install demo-library … install isort",
        "3f9a": "demo-library … isort",
        "3f9a.1 --log": "demo-library",
        "--manager pip --status failed": "No record in",
        "--since 7d --limit 10": "install demo-library … install isort",
        "--verify": "demo-library",
        "--image": "Nothing is recorded yet in /etc/jstackmagic/history.jsonl",
    },
    "hook": {
        "install": "Wrote /usr/local/bin/before-notebook.d/50-jstackmagic",
        "install --folder PATH": "Wrote PATH/50-jstackmagic",
        "install --snippet FILE": "Wrote FILE",
        "install --keep": "Wrote /usr/local/bin/before-notebook.d/50-jstackmagic",
        "remove": "Removed /usr/local/bin/before-notebook.d/50-jstackmagic",
        "run": "What the image brought is noted",
    },
    "image": {
        "build analysis:2026-11": "Built … analysis:2026-11",
        "push registry.example.com/team/analysis:2026-11": "fails: UsageError … which image this",
        "prove": "holds exactly what is here",
        "prove analysis:2026-11 --deep": "analysis:2026-11 holds exactly what is here",
        "prove --file Dockerfile": "holds exactly what is here",
        "run analysis:2026-11": "/?token=",
        "list": "analysis:2026-11",
        "stop": "Stopped",
        "commit snapshot": "Later, nobody can say … snapshot",
        "suggest": "No other of the Docker Stacks has more of what was installed",
    },
    "info": {
        "": "kind … conda … Python",
        "--kernel ir": "ir … conda environment",
        "--name other": "other",
        "--all-kernels": "other",
        "--packages pymongo --name root": "Packages in environment base",
    },
    "install": {
        "pymongo": "+ pymongo 4.13.2",
        "pymongo pip:twitter apt:tree": "+ tree … + twitter",
        '--pip "numpy>=1.20" -r requirements.txt': "+ flake8 … + numpy",
        "-f environment.yml": "+ demo-library",
        "--group dev": "isort … is already there",
        "--conda -c conda-forge python-graphviz": "-c conda-forge … + python-graphviz",
        "--name other six": "environment other … + six",
        "--missing": "Nothing that it imports is missing",
        "--missing old.ipynb --dry-run": "Nothing that it imports is missing",
        "--dry-run pandas": "Would run … + pandas",
        "--pip twitter -- --no-deps": "twitter",
        "numpy>=1.20\npip:\ntwitter\napt:\ngraphviz": "graphviz … numpy … twitter",
    },
    "remove": {
        "--dry-run pymongo": "Would run … − pymongo",
        "pymongo": "− pymongo",
        "pip:twitter apt:tree": "− tree … − twitter",
        "--name other six": "environment other … − six",
    },
    "report": {
        "": "1 person … graphviz",
        "homes --by seconds --since 30d": "2 people … pip:twitter",
        "homes --image '*base-notebook*' --at-least 5": "0 people",
        "homes -o report.html": "Wrote … report.html",
        "homes --suggest --covers 80% -o next/Dockerfile": "Wrote … all installs superfluous",
        "homes --against analysis:2026-11": "the replay has nothing to do for 0 of 2 recipes",
    },
    "replay": {
        "": "+ dnspython",
        "--dry-run": "Everything that the history says is there already",
        "--loose": "Everything that the history says is there already",
        "--from environment.yml": "+ demo-library",
        "--from analysis:2026-11": "Everything that the history says is there already",
        "--name other": "environment other … + dnspython",
        "--keep": "kept",
    },
    "sync": {
        "": "fails: UsageError … This session is connected to no cluster",
        "client": "fails: UsageError … There is no variable client",
        "--dry-run": "fails: UsageError … This session is connected to no cluster",
        "--prove": "fails: UsageError … This session is connected to no cluster",
        "--via index": "fails: UsageError … This session is connected to no cluster",
        "--force": "fails: UsageError … This session is connected to no cluster",
    },
    "request": {
        'apt:libgl1 --why "OpenCV needs it"': "libgl1",
        "": "apt:libgl1",
    },
    "shared": {
        "": "0 lines sent. No service is set",
        "--details no": "stay here",
    },
    "undo": {
        "--dry-run": "Would run … − dnspython",
        "": "− dnspython",
        "--to 3f9a": "− demo-library",
        "3f9a.2": "− toolz",
        "3f9a": "− demo-tool",
    },
}
"""What each shows, in the order of the help."""

BEFORE = {
    "export": ["%envinstall --pip twitter"],
    "history": ["%envinstall demo-library pip:isort"],
    "image": [
        "%envinstall six pip:toolz",
        f"%envexport dockerfile --output Dockerfile --from {IMAGE}",
    ],
    "remove": ["%envinstall pymongo", "%envinstall --name other six"],
    "report": ["%envinstall --record-only apt:graphviz"],
    "replay": ["%envinstall --record-only dnspython pip:isort"],
    "undo": [
        "%envinstall demo-tool pip:toolz",
        "%envinstall demo-library",
        "%envinstall dnspython",
    ],
}
"""What was done with an empty history, when a verb's examples begin."""

AFTER = {
    "history": ["%envremove demo-library"],
    "image": ["%envremove six pip:toolz"],
    "install": ["%envremove demo-library"],
    "replay": ["%envremove demo-library dnspython"],
}

_THERE = re.compile(
    r"apt:|^(replay|report) .*analysis:|--image$|image |hook (install|install --keep|remove|run)$"
)
"""The examples that are for a container of the Docker Stacks."""

_MEANT = {"replay": {"FILE": "environment.yml", "IMAGE": "analysis:2026-11"}}


def shown_by(verb: str) -> dict[str, str]:
    """The examples of a verb, each a cell, by their words without the comment."""
    text = (commands.load(verb).__doc__ or "").partition("Examples:\n")[2]
    found: dict[str, str] = {}
    for cell in re.findall(r"^%.*(?:\n(?!%).+)*", textwrap.dedent(text), re.MULTILINE):
        for written, meant in _MEANT.get(verb, {}).items():
            cell = cell.replace(f" {written} ", f" {meant} ")
        first, *others = cell.splitlines()
        words = first.partition(f"%env{verb}")[2].partition("  #")[0].strip()
        if first.startswith("%%"):
            words = "\n".join(others)
        found[words] = cell
    return found


def run_verbs(reader: Reader, verbs: Iterable[str]) -> None:
    """Runs the verbs' examples, one after the other."""
    reader.cell("%load_ext jstackmagic").check()
    for verb in verbs:
        reader.forget()
        found = shown_by(verb)
        assert list(found) == list(SHOWS[verb]), verb
        for code in BEFORE.get(verb, ()):
            reader.cell(code).check()
        if verb == "replay" and isinstance(reader, There):
            reader.cell("%envimage build analysis:2026-11").check()
        for words, code in found.items():
            if isinstance(reader, There) or not _THERE.search(f"{verb} {words}"):
                shows = SHOWS[verb][words].removeprefix("fails: ")
                mark = "shows" if shows == SHOWS[verb][words] else "fails"
                example = Example(0, "ipython3", code, mark, shows, HERE)
                if verb == "hook" and isinstance(reader, There):  # its user is not root
                    seen = reader.commands(for_terminal(code), user="root")
                else:
                    seen = reader.run(example)
                check(example, *seen, f"{code}\n")
        for code in AFTER.get(verb, ()):
            reader.cell(code).check()


def test_every_example_of_a_verb_does_what_it_says(here: Here, full_root: Root) -> None:
    prefix = full_root.create("r", "r-base")
    here.knows("ir", prefix, argv=[str(prefix / "bin/R"), "--slave", "-e", "IRkernel::main()"])
    run_verbs(here, commands.names())


@pytest.mark.docker
@pytest.mark.parametrize(
    "verbs", [("image",), ("history", "hook", "install", "remove", "replay", "report", "request")]
)
def test_and_so_does_every_example_that_needs_a_container(
    verbs: tuple[str, ...], there: There
) -> None:
    if verbs != ("image",):  # which proves that the image has every environment
        failed, shown = there.commands("mamba create --yes --name other python pip")
        assert not failed, shown
    run_verbs(there, verbs)
