"""Dockerfiles read as lists: what other people write, and our own, there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jstackmagic.capture import files
from jstackmagic.capture.files import _image
from jstackmagic.export import dockerfile
from jstackmagic.history.file import History
from jstackmagic.model.errors import InvalidSpec
from jstackmagic.model.ledger import fold
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from strategies import BASE, hostile, recipes
from support.growth import growth
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.capture.files import Reading


def reading(folder: Path, text: str) -> Reading:
    path = folder / "Dockerfile"
    path.write_text(text)
    return files.read(path)


def asked(read: Reading) -> list[tuple[str, str, tuple[str, ...]]]:
    """Where, who and what."""
    return [
        (f.target.name or f.target.prefix, f.request.manager, f.request.texts)
        for f in read.found
        if f.request
    ]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Dockerfile", True),
        ("Dockerfile.gpu", True),
        ("lab.Dockerfile", True),
        ("Containerfile", True),
        ("Dockerfile.md", True),
        ("Dockerfile-gpu", True),
        ("Dockerfile_dev_4.0", True),
        ("Dockerfile_README.md", False),
        ("Dockerfile-build.sh", False),
        ("train.Dockerfile-ubuntu", True),
        ("lab.Dockerfile.txt", True),
        ("Dockerfile.dockerignore", False),
        ("docker.txt", False),
        ("NotADockerfile", False),
    ],
)
def test_is_known_by_its_name_and_its_from(name: str, is_one: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("# syntax=x\nARG A\n\nFROM scratch\n")
    readers = [name for name, module in files.formats().items() if module.recognises(path)]
    assert ("dockerfile" in readers) == is_one
    assert len(readers) < 2
    path.write_text("nothing\n")
    found = files.reader(path)
    assert found is None or not found.__name__.endswith(".dockerfile")


def test_what_people_write(tmp_path: Path) -> None:
    """The stacks' documentation, comments in the middle of a line, a cache mount, the exec form."""
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "wheels").mkdir()
    text = """\
ARG BASE=quay.example.com/jupyter/base-notebook:2026
FROM $BASE
USER root
ENV DEBIAN_FRONTEND=noninteractive PINNED=1.26
RUN apt-get update && \\
    # for psycopg

    apt-get install -y --no-install-recommends libpq-dev \\
    graphviz && \\
    rm -rf /var/lib/apt/lists/*
USER ${NB_UID}
WORKDIR /srv/app
COPY --chown=1000:100 requirements.txt ./
COPY wheels/ /wheels/
RUN --mount=type=cache,target=/root/.cache \\
    --network=default pip install -r requirements.txt "numpy==$PINNED"
RUN pip install '$PINNED'
RUN ["/opt/conda/bin/pip", "install", "flake8"]
RUN pip install /wheels/demo-1.0-py3-none-any.whl[x]
RUN mamba install --yes -c lab 'pandas>2' && mamba clean --all -f -y
RUN if [ ! -d /x ]; then conda create -y -n other python=3.12 six; fi
RUN npm install -g thing
CMD ["start.sh"]
"""
    read = reading(tmp_path, text)
    assert asked(read) == [
        ("", "apt", ("libpq-dev", "graphviz")),
        ("", "pip", (f"-r {tmp_path}/requirements.txt", "numpy==1.26")),
        ("/opt/conda", "pip", ("flake8",)),
        ("", "pip", (f"{tmp_path}/wheels/demo-1.0-py3-none-any.whl[x]",)),
        ("", "conda", ("pandas>2",)),
        ("other", "conda", ("python=3.12", "six")),
    ]
    lines = text.splitlines()
    for found in read.found:
        first = found.command.split("\\")[0].split("numpy")[0].strip()
        assert first in lines[found.line - 1], (found, lines[found.line - 1])
    reasons = {found.command: found.reason for found in read.problems}
    assert "npm" in reasons["npm install -g thing"]
    assert any("$PINNED" in reason for reason in reasons.values())
    assert (
        "It is built on quay.example.com/jupyter/base-notebook:2026, which is not read here."
        in read.notes
    )
    assert any("COPY, CMD" in note for note in read.notes)


def test_an_index_in_a_variable(tmp_path: Path) -> None:
    read = reading(
        tmp_path,
        "FROM x\nENV PIP_INDEX_URL=https://p.example.com/simple\nARG NAME=six\n"
        "RUN pip install ${NAME:-idna} ${OTHER:-flask}\n",
    )
    (request,) = read.requests
    assert request.texts == ("six", "flask")
    assert request.sources.index_url == "https://p.example.com/simple"


def test_only_the_stages_of_the_image_count(tmp_path: Path) -> None:
    read = reading(
        tmp_path,
        "FROM a AS build\nRUN pip install build-tool\n"
        "FROM b AS common\nRUN pip install six\n"
        "FROM common\nCOPY --from=build /x /x\nRUN pip install idna\n",
    )
    assert asked(read) == [("", "pip", ("six",)), ("", "pip", ("idna",))]
    assert any("stage build" in note for note in read.notes)


def staged(number: int, *lines: str, base: str = "b") -> str:
    """Stages of which each has the lines, with the name of the one before it in them."""
    begun = "FROM a AS s0\nCOPY . /\nRUN python -m venv /v && /v/bin/pip install six\n"
    stages = (
        f"FROM {base} AS s{at + 1}\n{text}\n".replace("PREV", f"s{at}")
        for at, text in enumerate(["\n".join(lines)] * number)
    )
    return f"{begun}{''.join(stages)}RUN pip install -r /list.txt\n"


@pytest.mark.parametrize(
    ("lines", "base"),
    [
        (["COPY --from=PREV / /"] * 3, "b"),
        ([f"COPY --from=PREV /{each} /{each}" for each in ("v", "etc", "list.txt")], "b"),
        ([f"COPY --from=PREV /{each} /" for each in ("x", "y", "list.txt")], "b"),
        ([f"RUN --mount=from=PREV,target=/{each} true" for each in "xyz"], "b"),
        (["COPY --from=PREV /v /v", "COPY --from=PREV / /"], "PREV"),
        (["RUN pip install -r /list.txt"], "PREV"),
    ],
)
def test_the_time_grows_with_stages_that_copy_from_each_other(
    lines: list[str], base: str, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("idna\n")
    assert growth(lambda n: reading(tmp_path, staged(n, *lines, base=base)), 12, least=0.05) < 64


def test_what_many_stages_hand_on_is_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("idna\n")
    read = reading(tmp_path, staged(500, *["COPY --from=PREV / /"] * 3))
    assert asked(read) == [
        ("/v", "pip", ("six",)),
        ("", "pip", (f"-r {tmp_path / 'list.txt'}",)),
    ]


def test_thousands_of_stages_may_stand_on_each_other(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("idna\n")
    read = reading(tmp_path, staged(3000, base="PREV"))
    assert [place for place, _, _ in asked(read)] == ["/v", ""]
    assert "It is built on a, which is not read here." in read.notes


def test_stages_that_double_each_other_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_image, "MAX_COPIED", 10_000)
    (tmp_path / "list.txt").write_text("idna\n")
    with pytest.raises(InvalidSpec, match=r"copy more than 10,000 paths from each other"):
        reading(tmp_path, staged(30, "COPY --from=PREV / /x", "COPY --from=PREV / /y"))


def test_here_documents(tmp_path: Path) -> None:
    read = reading(
        tmp_path,
        "FROM a\nRUN <<EOF\napt-get install -y tree\npip install six\nEOF\n"
        "RUN bash -e <<'END' && true\npip install idna\nEND\n"
        "COPY <<FILE /x\nRUN pip install not-a-command\nFILE\nRUN pip install flask\n",
    )
    assert [(f.line, f.request.texts) for f in read.found if f.request] == [
        (3, ("tree",)),
        (4, ("six",)),
        (7, ("idna",)),
        (12, ("flask",)),
    ]


def test_a_shell_that_runs_in_an_environment(tmp_path: Path) -> None:
    read = reading(
        tmp_path,
        'FROM a\nSHELL ["conda", "run", "--no-capture-output", "-n", "lab", "/bin/bash", "-c"]\n'
        'RUN pip install six\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN pip install idna\n',
    )
    assert asked(read) == [("lab", "pip", ("six",)), ("", "pip", ("idna",))]


def test_a_windows_file_s_escape(tmp_path: Path) -> None:
    read = reading(tmp_path, "# escape=`\nFROM a\nRUN pip install `\n  six\n")
    assert asked(read) == [("", "pip", ("six",))]


@given(st.lists(hostile, max_size=6).map(" ".join) | st.text(max_size=80))
def test_any_text_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = folder / "Dockerfile"
    path.write_bytes(
        f"FROM a\nARG A={text}\nRUN {text}\nCOPY {text}\nSHELL {text}\nRUN x\n".encode(
            errors="ignore"
        )
    )
    files.read(path)


class TestThereAndBack:
    """Export, %envcapture, export: the same file."""

    def again(self, recipe: Recipe, folder: Path, history_file: Path) -> tuple[str, str]:
        """The Dockerfile, and the one of what was captured from it."""
        history_file.unlink(missing_ok=True)
        first = dockerfile.render(recipe, style="stacks", base_image="lab/base")
        path = folder / "Dockerfile"
        first.write(path)
        verb("capture", path, "--prefix", "/usr" if not recipe.steps else self.prefix)
        captured = fold(History(history_file).records())
        return first.text, dockerfile.render(captured, style="stacks", base_image="lab/base").text

    prefix: Path

    @pytest.fixture(autouse=True)
    def _environment(self, conda_root: object) -> None:
        self.prefix = conda_root.prefix  # type: ignore[attr-defined]

    def test_with_a_wheel(self, tmp_path: Path, history_file: Path) -> None:
        wheel = build_wheel(tmp_path / "w", "demo", "1.0")
        recipe = Recipe(
            (
                RecipeStep("apt", None, install=(Item("tree"), Item("libpq-dev=15"))),
                RecipeStep(
                    "conda",
                    BASE,
                    install=(Item("lab::numpy>1"),),
                    sources=Sources(channels=("lab",)),
                    remove=("scipy",),
                ),
                RecipeStep(
                    "pip",
                    BASE,
                    install=(Item(str(wheel)), Item("dask[array]; python_version > '3'")),
                ),
            )
        )
        first, second = self.again(recipe, tmp_path / "out", history_file)
        assert second == first

    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(recipes())
    def test_of_the_base_environment(
        self, tmp_path_factory: pytest.TempPathFactory, history_file: Path, recipe: Recipe
    ) -> None:
        """No versions are seen on a disk here, so that specs stand as they were asked for."""
        seen: set[str] = set()
        steps: list[RecipeStep] = []
        kinds: list[object] = []
        for step in recipe.steps:
            if step.environment not in (None, BASE):
                continue
            items = [i for i in step.install if not (i.name in seen or seen.add(i.name))]
            items = [replace(i, version="", build="") for i in items]
            # a fold gives one step of a kind, and no request more than its manager takes
            options = () if step.manager == "apt" else step.options  # apt-get has no --no-deps
            channels = step.sources.channels if step.manager == "conda" else ()
            index = step.sources.index_url if step.manager == "pip" else ""
            kind = (step.manager, channels, index, options)
            if items and kind not in kinds:
                kinds.append(kind)
                made = replace(step, install=tuple(items), remove=(), options=options)
                steps.append(replace(made, sources=Sources(channels=channels, index_url=index)))
        first, second = self.again(Recipe(tuple(steps)), tmp_path_factory.mktemp("d"), history_file)
        if steps:
            assert second == first
