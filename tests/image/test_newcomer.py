"""A newcomer in a stock container: pip install jstackmagic, install, export, build, prove."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from support import stacks
from support.served import ServedKernel

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TAG = f"jstackmagic-tests/newcomer-{os.getpid()}"
WHO = r"jstackmagic \d\S* and \d+ packages that only it needs"


def test_the_first_proof_holds_with_and_without_us(
    docker_engine: DockerClient, stacks_image: str, jstackmagic_wheel: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(0o777)
    base = f"--from {stacks_image}"
    wheel = shutil.copy(jstackmagic_wheel, work)
    container = stacks.serving(docker_engine, stacks_image, work)
    try:
        stacks.know(docker_engine, container, stacks_image)
        with ServedKernel(stacks.address(container)) as kernel:

            def say(code: str) -> str:
                return kernel.run(code).check().shown

            say("%cd -q /home/jovyan/work")
            say(f"!pip install --quiet /home/jovyan/work/{os.path.basename(wheel)}")
            say("%load_ext jstackmagic")
            say("%envinstall --conda pymongo=4.10.1")
            say("%envinstall --pip twitter==1.19.6")
            say("%envinstall --apt hello")

            shown = say("%envdiff --unexplained")  # certifi is ours, and twitter needs it too
            assert "Nothing differs in environment base" in shown
            assert re.search(f"{WHO}: here beside these", shown)

            shown = say(f"%envexport dockerfile {base} --output Dockerfile")
            assert re.search(f"will not have {WHO}: --with-jstackmagic puts them there", shown)
            lines = (work / "Dockerfile").read_text().splitlines()
            assert not [each for each in lines[2:] if re.search("jstackmagic(?!/)", each)]
            shown = say(f"proof = %envimage prove {TAG}:without --file Dockerfile")
            assert "holds exactly what is here" in shown
            assert re.search(f"{WHO}: here in base beside these.* not have them", shown)
            assert say("proof.exit_status").strip() == "0"

            shown = say(f"%envexport dockerfile {base} --with-jstackmagic --output Dockerfile")
            assert re.search(f"The image will have {WHO}", shown)
            shown = say(f"proof = %envimage prove {TAG}:with --file Dockerfile")
            assert "holds exactly what is here" in shown
            assert "beside these" not in shown
            assert say("proof.exit_status").strip() == "0"
            code = "import jstackmagic.magics as m; print(m.__name__)"
            command = ["/opt/conda/bin/python", "-c", code]
            said = docker_engine.containers.run(f"{TAG}:with", command, remove=True)
            assert said.decode().splitlines()[-1] == "jstackmagic.magics"

            # a package that nobody recorded is still a difference
            say("!pip install --quiet toolz==1.0.0")
            shown = say(f"proof = %envimage prove {TAG}:without")
            assert [line.split()[1] for line in shown.splitlines() if line.startswith("base ")] == [
                "pip:toolz"
            ]
    finally:
        container.remove(force=True, v=True)
        for image in docker_engine.images.list(name=TAG):
            docker_engine.images.remove(image.id, force=True)
