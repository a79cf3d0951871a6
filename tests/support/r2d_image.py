"""A base image for repo2docker, which pulls its own from a registry and fetches conda with it.

Its build pack is used as it is, but for the one script that downloads micromamba and installs the
notebook server's environment: here that is in the base image already, made by the stand-in for
mamba. That knows nothing of ``environment.yml``; what this file adds to it does.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from repo2docker.buildpacks.conda import CondaBuildPack

from jstackmagic.display.console import quiet
from jstackmagic.image.engine import build as builder
from jstackmagic.image.engine.dockersdk import connect
from jstackmagic.model.reference import parse_tag

from . import engine, stacks

if TYPE_CHECKING:
    import io

    from docker import DockerClient

_BASE = """\
ARG IMAGE
FROM $IMAGE
USER root
RUN apt-get -qq update && \\
    apt-get -qq install --yes --no-install-recommends locales less unzip gettext-base >/dev/null
COPY mamba /tmp/mamba
RUN mamba create --yes --prefix /srv/conda python mamba && \\
    mamba create --yes --prefix /srv/conda/envs/notebook python ipykernel pip && \\
    cp /opt/conda/.condarc /srv/conda/ && \\
    mv /srv/conda/bin/mamba /srv/conda/bin/mamba-standin && \\
    install --mode 755 /tmp/mamba /srv/conda/bin/mamba && \\
    chown -R 1000:1000 /srv/conda
"""

_MAMBA = r'''#!/opt/conda/bin/python
"""mamba for repo2docker: `env update` and `env create` of the lists that we write."""
import os, subprocess, sys, tempfile

words = sys.argv[1:]
program = os.path.join(os.path.dirname(sys.argv[0]), "mamba-standin")
if words[0] == "list":
    sys.exit(0)
if words[0] != "env":
    os.execv(program, [program, *words])
prefix = words[words.index("-p" if "-p" in words else "--prefix") + 1]
file = words[words.index("--file") + 1]
section, conda, pip = "", [], []
for line in open(file):
    text = line.strip()
    if line.startswith("- pip:") or line.startswith("  - "):
        pip += [text[2:].strip("'")] if line.startswith("  - ") else []
    elif line.startswith("- ") and section == "dependencies":
        conda.append(text[2:].strip("'"))
    elif not line.startswith("-"):
        section = text.partition(":")[0]
verb = "create" if words[1] == "create" else "install"
subprocess.run([program, verb, "--yes", "--prefix", prefix, *conda], check=True)
if pip:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(pip))
        listed.flush()
        command = [prefix + "/bin/python", "-m", "pip", "install", "-r", listed.name]
        # conda and mamba run pip in the list's own folder
        subprocess.run(command, check=True, cwd=os.path.dirname(os.path.abspath(file)))
'''


class _Pack(CondaBuildPack):
    script: Path

    def get_build_script_files(self) -> dict[str, str]:
        files = super().get_build_script_files().items()
        kept = {name: to for name, to in files if "install-base-env" not in name}
        return {**kept, str(self.script): "/tmp/install-base-env.bash"}


class _Engine:
    """What repo2docker builds with: our own client of BuildKit, which its Dockerfile needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(
        self, *, fileobj: io.BytesIO, tag: str, buildargs: dict[str, str], **_: object
    ) -> list[str]:
        with tarfile.open(fileobj=fileobj) as archive:
            archive.extractall(self.folder)
        text = (self.folder / "Dockerfile").read_text()
        for name, value in buildargs.items():
            text = text.replace(f"ARG {name}\n", f"ARG {name}={value}\n")
        (self.folder / "Dockerfile").write_text(text)
        asked = builder.BuildOptions(tag=parse_tag(tag), builder="buildkit")
        reached = connect({"DOCKER_HOST": engine.host()})
        builder.build(reached, self.folder, asked, console=quiet())
        return []


def base_image(client: DockerClient, stacks_image: str) -> str:
    """The tag of the base image, which is made now if the engine does not have it."""
    tag = stacks._tag("r2d-base", [stacks_image, _BASE, _MAMBA])
    with stacks._turn(), tempfile.TemporaryDirectory(prefix="r2d-") as folder:
        if not stacks._is_there(client, tag):
            Path(folder, "Dockerfile").write_text(_BASE)
            Path(folder, "mamba").write_text(_MAMBA)
            stacks.build(client, tag, Path(folder), IMAGE=stacks_image)
    return tag


def build(base: str, repository: Path, work: Path) -> str:
    """Builds a repository's image with repo2docker's build pack; returns its tag."""
    pack = _Pack(base)
    pack.script = work / "install-base-env.bash"
    pack.script.write_text("#!/bin/sh\ntrue\n")
    pack.script.chmod(0o755)
    pack.platform = "linux/amd64"
    tag = f"{stacks.REPOSITORY}/r2d:{os.getpid()}"
    here = os.getcwd()
    os.chdir(repository)
    try:
        assert pack.detect()
        arguments = {"NB_USER": "jovyan", "NB_UID": "1000"}
        list(pack.build(_Engine(work / "context"), tag, 0, arguments, [], {}))
    finally:
        os.chdir(here)
    return tag
