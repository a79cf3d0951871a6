"""Stages of a Dockerfile: what COPY --from takes along is in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import files
from support.captured import asked, where

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
    assert "only known when it runs" in first.note
    assert second.note == ""
