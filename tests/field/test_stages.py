"""Stages of a Dockerfile: what COPY --from takes along is in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import files, lists
from support.captured import asked, script, where

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.capture.files import Reading


def _read(folder: Path, *lines: str) -> Reading:
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    return files.read(folder / "Dockerfile")


@pytest.mark.parametrize(
    ("run", "copy", "prefix"),
    [
        ("python -m venv /opt/venv && /opt/venv/bin/pip install six", "/opt/venv /opt/venv",
         "/opt/venv"),
        ("python -m venv /opt/venv && /opt/venv/bin/pip install six", "/opt/venv/ /app/env/",
         "/app/env"),
        ("python -m venv /opt/a/venv && /opt/a/venv/bin/pip install six", "/opt /srv",
         "/srv/a/venv"),
        ("micromamba create -y -p /opt/env six", "/opt/env /opt/env", "/opt/env"),
        ("conda create -y -n lab six", "/opt/conda/envs/lab /opt/lab", "/opt/lab"),
        ("pip install --user six", "/root/.local /root/.local", ""),
        ("pip install six", "/usr/local/lib/python3.11/site-packages"
         " /usr/local/lib/python3.11/site-packages", ""),
    ],
)  # fmt: skip
def test_an_environment_that_is_copied_is_in_the_image(
    run: str, copy: str, prefix: str, tmp_path: Path
) -> None:
    reading = _read(
        tmp_path, "FROM a AS build", "RUN apt-get install -y gcc", f"RUN {run}", "FROM b",
        f"COPY --from=build {copy}",
    )  # fmt: skip
    (find,) = reading.found
    assert (asked([find]), where(find)) == (["six"], prefix)
    assert not any("is not in the image" in note for note in reading.notes)


def test_from_stage_to_stage(tmp_path: Path) -> None:
    reading = _read(
        tmp_path, "FROM x AS a", "RUN python -m venv /v && /v/bin/pip install six",
        "FROM x AS b", "COPY --from=a /v /v", "RUN /v/bin/pip install idna",
        "FROM x", "COPY --from=1 /v /opt/v",
    )  # fmt: skip
    assert [(asked([find]), where(find)) for find in reading.found] == [
        (["six"], "/opt/v"), (["idna"], "/opt/v"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("run", "copy"),
    [
        ("pip install --prefix=/install six", "/install /usr/local"),
        ("pip install --target /deps six", "/deps /usr/lib/python3/dist-packages"),
        ("conda create -y -n lab six && conda-pack -n lab -o /e.tar && tar xf /e.tar -C /venv",
         "/venv /venv"),
        ("pip install six", "/usr/local /opt/python"),
    ],
)  # fmt: skip
def test_what_cannot_be_matched_is_listed(run: str, copy: str, tmp_path: Path) -> None:
    reading = _read(
        tmp_path, "FROM a AS build", f"RUN {run}", "FROM b", f"COPY --from=build {copy}"
    )
    assert [find.request for find in reading.found] == [None] * len(reading.found)
    assert all("COPY --from, line 4, takes" in find.reason for find in reading.found)
    assert reading.found


def test_a_stage_that_only_builds_something_is_left_out(tmp_path: Path) -> None:
    reading = _read(
        tmp_path, "FROM a AS web", "RUN pip install mkdocs", "FROM b",
        "COPY --from=web /site /srv", "RUN pip install flask",
    )  # fmt: skip
    assert asked(list(reading.found)) == ["flask"]
    assert "Of the stage web, the image has /site: all else in it is left out." in reading.notes


def test_a_stage_that_nothing_is_copied_from_is_left_out(tmp_path: Path) -> None:
    reading = _read(tmp_path, "FROM a AS test", "RUN pip install pytest", "FROM b", "RUN true")
    assert reading.found == ()
    assert "The stage test is not in the image: what it runs is left out." in reading.notes


def test_a_secret_in_a_variable_holds_for_its_run_and_is_said(tmp_path: Path) -> None:
    mount = "--mount=type=secret,id=pip,env=PIP_INDEX_URL"
    first, second = _read(
        tmp_path, "FROM a", f"RUN {mount} pip install six", "RUN pip install idna"
    ).found
    assert "only known when it runs" in first.reason
    assert second.request
    assert second.note == ""


class TestWheels:
    """Wheels of one stage, installed in another: asked for as what they are of."""

    @pytest.mark.parametrize(
        ("made", "install", "expected"),
        [
            ("pip wheel --no-deps -w /w -r /r.txt", "/w/*", "-r {}/r.txt"),
            ("pip wheel -w /w -r /r.txt gunicorn==20", "--no-index -f /w six idna gunicorn",
             "six==1.16.0 idna<4 gunicorn==20"),
            ("pip download -d /w -r /r.txt --platform x", "--no-index --find-links=/w -r /r.txt",
             "-r {}/r.txt"),
            ("cd /w && pip wheel six==1.0 idna", "/w/six-*.whl", "six==1.0"),
            ("pip wheel -w /w six==1.0 idna", "/w/six-1.0-py3-none-any.whl", "six==1.0"),
            ("pip wheel -w /w 'dask[array]==2'", "--no-index -f /w 'dask[array]'",
             "dask[array]==2"),
            ("cd /p && python -m build -w -o /w", "/w/*.whl", "{}/p"),
            ("cd /p && poetry build -f wheel && mv dist /x", "/w/*.whl", "?"),
            ("pip wheel -w /w /p", "--no-index -f /w my.p", "{}/p"),
            ("pip wheel -w /w /p", "--no-index -f /w needed", "needed"),
            ("pip wheel -w /w /p[x]", "--no-index -f /w my-p[x]", "my-p[x] @ file://{}/p"),
            ("pip wheel -w /w g@git+https://h.e/g", "-f /w g[x]", "g[x] @ git+https://h.e/g"),
            ("if x; then pip wheel -w /w six==1; else pip wheel -w /w six==2; fi", "/w/*", "?"),
            ("if x; then pip wheel -w /w six==1; fi", "/w/*", "six==1"),
            ("pip wheel -w /w six && rm -rf /w", "/w/*", "?"),
            ("pip wheel -w /w six==$X", "/w/*", "?"),
            ("pip wheel -w /other six", "--no-index -f /w six", "?"),
        ],
    )  # fmt: skip
    def test_of_a_stage(self, made: str, install: str, expected: str, tmp_path: Path) -> None:
        (tmp_path / "r.txt").write_text("six==1.16.0\nidna<4\n")
        (tmp_path / "p").mkdir()
        (tmp_path / "p" / "pyproject.toml").write_text("[project]\nname='My-P'\n")
        reading = _read(
            tmp_path, "FROM x AS b", "COPY . /", "ARG X", f"RUN {made}", "FROM x",
            "COPY --from=b /w /w", "COPY --from=b /r.txt /", f"RUN pip install {install}",
        )  # fmt: skip
        assert asked(list(reading.found)) == [expected.format(tmp_path)]

    def test_their_index_and_options_count_and_no_deps_of_both(self, tmp_path: Path) -> None:
        reading = _read(
            tmp_path, "FROM x AS b", "RUN pip wheel -i https://w.example.com --pre -w /w six",
            "FROM x", "RUN --mount=from=b,source=/w,target=/m pip install --no-deps /m/*",
            "RUN pip install --no-index -f /w six",
        )  # fmt: skip
        first, second = reading.found
        assert first.request is not None
        assert first.request.sources.index_url == "https://w.example.com"
        assert first.request.options == ("--pre",)
        assert second.request is None, "a mount is there for its own RUN alone"

    def test_a_cache_that_begins_with_a_stage_s_files(self, tmp_path: Path) -> None:
        reading = _read(
            tmp_path, "FROM x AS b", "RUN pip wheel -w /w six==1", "FROM x",
            "RUN --mount=type=cache,from=b,source=/w,target=/w pip install --no-index -f /w/ six",
            "RUN --mount=type=cache,target=/w pip install --no-index -f /w/ six",
        )  # fmt: skip
        assert asked(list(reading.found)) == ["six==1", "?"]

    def test_which_project_a_wheel_is_of_may_be_unclear(self, tmp_path: Path) -> None:
        (tmp_path / "setup.py").touch()
        reading = _read(
            tmp_path, "FROM x", "COPY . /p", "RUN pip wheel -w /w /p && pip install -f /w a",
        )  # fmt: skip
        assert [find.reason for find in reading.found] == [
            "It takes a from wheels, and what they are of is not clear."
        ]

    def test_in_a_script(self) -> None:
        finds = script("pip wheel -w w six==1\npip install w/*.whl")
        assert [asked(list(lists.expand(find))) for find in finds] == [["six==1"]]


def test_a_list_that_lines_of_another_stage_write(tmp_path: Path) -> None:
    reading = _read(
        tmp_path, "FROM x AS b", "RUN poetry export -o /r.txt && echo six > /s.txt", "FROM x",
        "COPY --from=b /r.txt /s.txt /", "RUN pip install -r /s.txt && pip install -r /r.txt",
    )  # fmt: skip
    assert asked(list(reading.found)) == ["six", "?"]
    assert "poetry, line 2, in the stage b writes it" in reading.found[1].reason


def test_two_stages_of_one_name(tmp_path: Path) -> None:
    """Docker refuses them; a copy is from the one before it."""
    reading = _read(
        tmp_path, "FROM x AS b", "RUN python -m venv /v && /v/bin/pip install six", "FROM x AS b",
        "COPY --from=b /v /w", "FROM x", "COPY --from=b /w /z",
    )  # fmt: skip
    assert [(asked([find]), where(find)) for find in reading.found] == [(["six"], "/z")]


@pytest.mark.parametrize("index", ["https://[x/simple", "https://h.example]/s", "https://u@[]/"])
def test_a_url_that_no_one_can_read(index: str, tmp_path: Path) -> None:
    reading = _read(tmp_path, "FROM x", f'ADD "{index}" /y', f'RUN pip install -i "{index}" six')
    assert asked(list(reading.found)) == ["six"]
