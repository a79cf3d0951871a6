"""An image that nobody tampered with is equal, whatever was installed, removed and undone."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from support import stacks

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TAG = f"jstackmagic-tests/histories-{os.getpid()}"
BUILT = int(os.environ.get("JSTACKMAGIC_HISTORIES", "2"))
"""How many histories the engine builds: each takes a container and an image."""

_SPECS = st.sampled_from(
    [
        *(
            "--conda six=1.16.0",
            "--conda six=1.17.0",
            "--conda pymongo=4.10.1",
            "--conda demo-tool",
        ),
        *("--pip twitter==1.19.6", "--pip colorama==0.4.6", "--pip click-plugins==1.1.1"),
        *("--pip toolz==1.0.0", "--pip toolz==0.12.0", "--apt hello", "--apt ed"),
    ]
)
_ENVIRONMENTS = st.sampled_from(["base", "base", "python2"])


@st.composite
def histories(draw: st.DrawFn) -> list[str]:
    """Commands of a user: installs, with removals and undos of them between."""
    done: list[str] = []
    installed: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(["install"] * 3 + ["remove", "undo"]))
        if kind == "install" or not installed:
            spec, name = draw(_SPECS), draw(_ENVIRONMENTS)
            target = "" if spec.startswith("--apt") else f"--name {name} "
            done.append(f"install {target}{spec}")
            installed.append((target, spec))
        elif kind == "remove":
            target, spec = draw(st.sampled_from(installed))
            manager, _, rest = spec.removeprefix("--").partition(" ")
            package = rest.partition("=")[0]
            installed = [
                each
                for each in installed
                if each[0] != target or package not in each[1].split("=")[0]
            ]
            done.append(f"remove {target}{manager}:{package}")
        else:
            done.append("undo")
            installed = []  # what is left is no longer known here
    # hypothesis begins with what is simple; the engine builds only what has something to go wrong
    assume(len({*done}) == len(done) > 2)
    assume(any(not line.startswith("install") for line in done))
    return done


@settings(
    max_examples=BUILT,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(history=histories())
def test_the_image_of_any_history_is_equal(
    docker_engine: DockerClient, jstackmagic_image: str, history: list[str]
) -> None:
    container = stacks.idle(docker_engine, jstackmagic_image)

    def do(words: str, *, fails: bool = False) -> str:
        command = ["bash", "-c", f"jstackmagic {words}"]
        status, output = container.exec_run(command, user="jovyan", workdir="/home/jovyan")
        assert fails or status == 0, f"{history}\n{words}\n{output.decode()}"
        return str(output.decode())

    try:
        stacks.know(docker_engine, container, jstackmagic_image)
        for line in history:
            said = do(line)
            # what a removal leaves behind is here and not in the recipe: its offer is taken
            for offered in re.findall(r"To remove .*: jstackmagic (remove .*)", said):
                do(offered)
        do(f"image build {TAG}:1")
        for depth in ("", "--deep", "--history", "--history --deep"):
            said = do(f"image prove --json {TAG}:1 {depth} 2> /dev/null", fails=True)
            proof = json.loads(said)
            found = {
                key: proof[key]
                for key in ("differences", "absent", "unread", "facts", "files", "imports")
                if proof[key]
            }
            assert found == {}, (history, depth)
            assert proof["equal"]
    finally:
        container.remove(force=True, v=True)
        for image in docker_engine.images.list(name=TAG):
            docker_engine.images.remove(image.id, force=True)
