"""Equal means equal: each tampering is named at the depth where it belongs, with what fixes it.

All of them are done to one image, and all that can be done here to one container, so that a few
proofs serve the module.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support import stacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TAG = f"jstackmagic-tests/tampered-{os.getpid()}"
GOOD, BAD = f"{TAG}:good", f"{TAG}:bad"
SITE = "$(echo /opt/conda/lib/python3*/site-packages)"
USER_SITE = "/home/jovyan/.local/lib/$(basename $(echo /opt/conda/lib/python3*))/site-packages"
HIDE = """
import os, py_compile
source = "twitter/util.py"
was, text = os.stat(source), open(source).read()
open(source, "a").write("\\nHIDDEN = 1\\n")
compiled = py_compile.compile(source)
open(source, "w").write(text)
os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns))
data = bytearray(open(compiled, "rb").read())
data[8:12], data[12:16] = int(was.st_mtime).to_bytes(4, "little"), was.st_size.to_bytes(4, "little")
open(compiled, "wb").write(data)
"""


EDITED = """
import glob, hashlib, json
(record,) = glob.glob("/opt/conda/conda-meta/pymongo-*.json")
found = json.load(open(record))
for entry in found["paths_data"]["paths"]:
    if entry["_path"].endswith("pymongo/errors.py"):
        path = "/opt/conda/" + entry["_path"]
        open(path, "a").write("# x\\n")
        digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
        entry["sha256"] = entry["sha256_in_prefix"] = digest
json.dump(found, open(record, "w"))
"""


CAPABLE = """
import os
packed = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep
os.setxattr("/usr/bin/tail", "security.capability", packed)
"""


class Tampering(NamedTuple):
    """Something done to the image as root, and what the proof says of it.

    Attributes:
        command: For bash.
        said: A regular expression that a row or sentence matches.
        depth: The first that has to see it.
        here: Whether it is done to the container, too, where every row's advice is typed.
    """

    command: str
    said: str
    depth: str = "shallow"
    here: bool = True


def venv(prefix: str) -> str:
    return f"/opt/conda/bin/python -m venv --without-pip {prefix}"


def distribution(folder: str, name: str, version: str) -> str:
    path = f"{folder}/{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    return f"mkdir -p {path} && printf '{metadata}' > {path}/METADATA"


TAMPERINGS: dict[str, Tampering] = {
    "a .pth": Tampering(f"echo /srv > {SITE}/added.pth", "import path .*/added.pth"),
    "an egg-link": Tampering(f"echo /srv > {SITE}/six.egg-link", "import path .*/six.egg-link"),
    "sitecustomize": Tampering(
        f"echo 'x = 1' > {SITE}/sitecustomize.py", "import path .*/sitecustomize.py"
    ),
    "another version in the user's own folder": Tampering(
        distribution(USER_SITE, "twitter", "1.0"), r"packages in /home/jovyan/\.local.*twitter"
    ),
    "a distribution in /usr/local": Tampering(
        distribution("/usr/local/lib/python3.11/site-packages", "foo", "1.0"),
        "packages in /usr.*foo",
    ),
    "a hold": Tampering("apt-mark hold hello", "system hold hello"),
    "the entry point's program gone": Tampering(
        "rm /usr/bin/tini", "start-up /usr/bin/tini .*not there", here=False
    ),
    "start.sh": Tampering(
        "echo true >> /usr/local/bin/start.sh", "start-up /usr/local/bin/start.sh", here=False
    ),
    "a hook": Tampering(
        "echo true > /usr/local/bin/before-notebook.d/x.sh", "start-up .*before-notebook.d/x.sh"
    ),
    "an environment in /opt": Tampering(venv("/opt/venv"), "environment /opt/venv"),
    "an environment in the home": Tampering(
        venv("/home/jovyan/venv"), "environment /home/jovyan/venv"
    ),
    "a conda environment": Tampering(
        "mkdir -p /opt/x/conda-meta && touch /opt/x/conda-meta/history", "environment /opt/x"
    ),
    "a dangling conda record": Tampering(
        "ln -s nowhere.json /opt/conda/conda-meta/gone-1.0-0.json", "gone-1.0-0.json.*not there"
    ),
    "a dangling dist-info": Tampering(
        f"ln -s /nowhere {SITE}/gone-1.0.dist-info", "gone-1.0.dist-info.*not there"
    ),
    "a pin": Tampering("echo 'six 1.*' >> /opt/conda/conda-meta/pinned", "settings .*/pinned"),
    "conda's variables": Tampering(
        """echo '{"env_vars": {"A": "b"}}' > /opt/conda/conda-meta/state""",
        "settings .*/conda-meta/state",
    ),
    ".condarc": Tampering("echo '{}' > /opt/conda/.condarc", r"settings .*/\.condarc", here=False),
    "the user's .condarc": Tampering(
        "echo '{}' > /home/jovyan/.condarc", r"settings /home/jovyan/\.condarc"
    ),
    "pip.conf": Tampering("echo '# x' >> /etc/pip.conf", "settings /etc/pip.conf"),
    "apt's preferences": Tampering(
        "echo > /etc/apt/preferences.d/x", "settings /etc/apt/preferences.d/x"
    ),
    "a .pth that is a link": Tampering(
        f"ln -s /etc/hostname {SITE}/linked.pth", "import path .*/linked.pth"
    ),
    "usercustomize in the user's own folder": Tampering(
        f"mkdir -p {USER_SITE} && echo 'x = 1' > {USER_SITE}/usercustomize.py",
        "import path /home/jovyan/.*/usercustomize.py",
    ),
    "a package downgraded by hand": Tampering(
        f"cd {SITE} && sed -i 's/^Version: .*/Version: 0.1/' certifi-*.dist-info/METADATA",
        "base pip:certifi",
        here=False,
    ),
    "the build of a conda record": Tampering(
        'sed -i \'s/"build": "[^"]*/&x/\' /opt/conda/conda-meta/idna-*.json',
        "base conda:idna",
        here=False,
    ),
    "a distribution without a name": Tampering(
        f"echo > $(echo {SITE}/soupsieve-*.dist-info/METADATA)",
        "soupsieve.*dist-info in the image does not name its distribution",
        here=False,
    ),
    "a conda record that is no record": Tampering(
        "echo > /opt/conda/conda-meta/arrow-*.json",
        "The record of arrow in base in the image cannot be read",
        here=False,
    ),
    "an architecture": Tampering("dpkg --add-architecture armel", "settings /var/lib/dpkg/arch"),
    "a key of apt's": Tampering(
        "echo x > /etc/apt/trusted.gpg.d/x.asc", "settings /etc/apt/trusted.gpg.d/x.asc"
    ),
    "a kernel's variables": Tampering(
        "cd /opt/conda/share/jupyter/kernels/python3 &&"
        """ sed -i 's/{/{"env": {"PYTHONPATH": "\\/srv"},/' kernel.json""",
        "kernel /opt/conda/.*/kernel.json",
    ),
    "a kernelspec": Tampering(
        "mkdir -p /usr/local/share/jupyter/kernels/extra &&"
        """ echo '{"argv": ["x"], "display_name": "x"}'"""
        " > /usr/local/share/jupyter/kernels/extra/kernel.json",
        "kernel /usr/local/share/jupyter/kernels/extra/kernel.json",
    ),
    "a module": Tampering(f"echo 'x = 1' > {SITE}/added.py", "none .*/added.py", "deep"),
    "a package of no manager": Tampering(
        f"mkdir {SITE}/nobodys && echo > {SITE}/nobodys/__init__.py",
        "none .*/nobodys/__init__.py",
        "deep",
    ),
    "a compiled module": Tampering(
        f"cp {SITE}/twitter/__pycache__/ansi.*.pyc {SITE}/hidden.pyc || "
        f"cp $(ls {SITE}/six*.py {SITE}/__pycache__/six*.pyc | tail -1) {SITE}/hidden.pyc",
        "none .*/hidden.pyc",
        "deep",
    ),
    "a compiled file that hides its source": Tampering(
        f"cd {SITE} && /opt/conda/bin/python -c '{HIDE}'",
        "twitter .*util.*pyc hides its source",
        "deep",
        here=False,
    ),
    "a Debian package's file replaced": Tampering(
        "echo '#!/bin/sh' > /usr/bin/hello", "hello /usr/bin/hello changed", "deep"
    ),
    "a Debian package's file gone": Tampering(
        "rm /usr/bin/tac", "coreutils /usr/bin/tac not", "deep"
    ),
    "a pip package's file": Tampering(
        f"echo '# x' >> {SITE}/twitter/stream.py", "twitter .*/stream.py changed", "deep"
    ),
    "a conda package's file": Tampering(
        f"echo '# x' >> {SITE}/dns/exception.py", "dnspython .*/exception.py changed", "deep", False
    ),
    "a module that cannot be imported": Tampering(
        f"echo '1/0' >> {SITE}/bson/__init__.py",
        "(pymongo|bson) in base: ZeroDivisionError",
        "deep",
        here=False,
    ),
    "the mode of a Debian file": Tampering(
        "chmod 666 /usr/bin/env", "coreutils /usr/bin/env other mode", "deep", here=False
    ),
    "the mode of a folder": Tampering("chmod 700 /usr/share", "/usr/share other mode", "deep"),
    "the mode of this process's folder": Tampering(
        "chmod 777 /opt/conda/bin", "/opt/conda/bin other mode", "deep"
    ),
    "an owner": Tampering("chown 1000 /usr/bin/sort", "coreutils /usr/bin/sort other own", "deep"),
    "the mode of a pip file": Tampering(
        f"chmod 600 {SITE}/twitter/api.py", "twitter .*/api.py other mode", "deep"
    ),
    "the owner of a pip file": Tampering(
        f"chown 0 {SITE}/twitter/ansi.py", "twitter .*/ansi.py other owner", "deep", here=False
    ),
    "/etc/localtime": Tampering(
        "ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", "none /etc/localtime", "deep"
    ),
    "a program of no package": Tampering(
        "cp /usr/bin/true /usr/local/bin/true", "none /usr/local/bin/true", "deep"
    ),
    "a pip package's file gone": Tampering(
        f"rm {SITE}/twitter/follow.py", "twitter .*/follow.py not ", "deep"
    ),
    "a pip package's file and its RECORD": Tampering(
        f"cd {SITE} && echo '# x' >> twitter/auth.py && sed -i 's/^\\(twitter.auth.py\\),.*/\\1,,/'"
        " twitter-*.dist-info/RECORD",
        "twitter .*/auth.py changed",
        "deep",
        here=False,
    ),
    "a conda package's file and its record": Tampering(
        f"/opt/conda/bin/python -c '{EDITED}'", "pymongo .*/errors.py changed", "deep", here=False
    ),
    "a Debian package's file diverted": Tampering(
        "dpkg-divert --quiet --local --add --rename /usr/bin/tsort",
        "coreutils /usr/bin/tsort not in",
        "deep",
        here=False,
    ),
    "the mode of a setting": Tampering(
        "chmod 600 /etc/dpkg/dpkg.cfg", "/etc/dpkg/dpkg.cfg other mode", "deep"
    ),
    "a group": Tampering("chgrp users /usr/bin/dir", "coreutils /usr/bin/dir other own", "deep"),
    "another's program in place of one": Tampering(
        "ln -f /usr/bin/true /usr/bin/wc", "coreutils /usr/bin/wc changed", "deep"
    ),
    "a loop of links": Tampering(
        f"ln -s b.py {SITE}/a.py && ln -s a.py {SITE}/b.py", "none .*/a.py", "deep"
    ),
    "the loader's settings": Tampering(
        "touch /etc/ld.so.preload && echo /srv > /etc/ld.so.conf.d/x.conf",
        "none /etc/ld.so.conf.d/x.conf",
        "deep",
    ),
    "a shell's settings": Tampering(
        "echo 'export X=1' > /etc/profile.d/x.sh && echo 'X=1' >> /etc/environment",
        "none /etc/profile.d/x.sh",
        "deep",
    ),
    "cron's and sudo's settings": Tampering(
        "mkdir -p /etc/cron.d && touch /etc/cron.d/x /etc/sudoers.d/x",
        "none /etc/sudoers.d/x",
        "deep",
    ),
    "a certificate": Tampering(
        "echo '# x' >> /etc/ssl/certs/ca-certificates.crt", "ca-certificates.crt changed", "deep"
    ),
    "a capability": Tampering(
        f"/opt/conda/bin/python -c '{CAPABLE}'", "/usr/bin/tail other capabilities", "deep"
    ),
    "a folder at the top": Tampering(
        "mkdir /data && echo 'x = 1' > /data/x.py", "none /data/x.py", "deep"
    ),
    "a RECORD gone": Tampering(
        f"rm {SITE}/attrs-*.dist-info/RECORD", "attrs .*/RECORD not", "deep"
    ),
}
CONFIGURATION = {
    "ENV MPLBACKEND=pdf": "image configuration ENV MPLBACKEND not set pdf",
    'ENTRYPOINT ["tini", "--"]': "image configuration ENTRYPOINT",
    'CMD ["bash"]': "image configuration CMD",
    "WORKDIR /srv": "image configuration WORKINGDIR",
    "EXPOSE 1234": "image configuration EXPOSEDPORTS",
    "HEALTHCHECK CMD true": "image configuration HEALTHCHECK",
    "STOPSIGNAL SIGINT": "image configuration STOPSIGNAL",
    "ONBUILD RUN true": "image configuration ONBUILD",
    "USER root": "image configuration USER 1000 root",
}


OUT_OF_SIGHT = {
    *("a compiled file that hides its source", "a Debian package's file replaced"),
    *("the mode of a pip file", "the owner of a pip file"),
    *("/etc/localtime", "a program of no package", "a folder at the top"),
    *("a pip package's file and its RECORD", "a conda package's file and its record"),
    *(
        "a module that cannot be imported",
        "the loader's settings",
        "a shell's settings",
        "cron's and sudo's settings",
    ),
}
"""Tamperings that a proof from the history alone does not see: it knows no modes and owners of what
was installed, no content of Debian's files, no more of others than the packages' own lists say, and
not what scripts write."""


class Live:
    """A container with packages that were recorded, and an image that was built of them."""

    def __init__(self, client: DockerClient, container: str) -> None:
        self.container = client.containers.get(container)

    def do(self, *commands: str, user: str = "jovyan", fails: bool = False) -> str:
        """Runs commands one after another, each in a shell of its own."""
        words = ["bash", "-ec", "".join(f"(\n{command}\n)\n" for command in commands)]
        status, output = self.container.exec_run(words, user=user, workdir="/home/jovyan")
        assert fails or status == 0, f"{commands}\n{output.decode()}"
        return str(output.decode())

    def type(self, lines: Iterable[str]) -> None:
        """Types what the advice says, in a terminal: files to put back in one line."""
        rest, typed = list(lines), []
        for restore in ("%envimage restore --alone ", "%envimage restore "):
            paths = [line.removeprefix(restore) for line in rest if line.startswith(restore)]
            rest = [line for line in rest if not line.startswith(restore)]
            typed += [restore + " ".join(paths)] * bool(paths)
        typed += rest
        self.do(*(re.sub(r"^%env", "jstackmagic ", line.lstrip("!")) for line in typed))

    def prove(self, image: str, *options: str) -> Any:
        words = " ".join(("jstackmagic image prove --json", image, *options))
        said = self.do(f"{words} 2> /dev/null", fails=True)
        return json.loads(said)


def rows(proof: Mapping[str, Any]) -> list[str]:
    """All that a proof names, a line each."""
    found = [*proof["absent"], *proof["unread"], *proof["imports"]]
    for row in proof["differences"]:
        package = row["here"] or row["image"]
        found.append(f"{row['where']} {package['manager']}:{package['name']} {row['fix']}")
    beside = (*proof["facts"], *proof["files"])
    found += [" ".join(value or "none" for value in row.values()) for row in beside]
    return found


def lines(named: Iterable[str]) -> list[str]:
    """What the rows of a proof say to type, each once; a build comes last."""
    found = {row: re.search(r".*(?:: |\s)([%!]\S+ .*)$", row) for row in named}
    silent = [row for row, line in found.items() if line is None]
    assert silent == []
    typed = dict.fromkeys(line[1] for line in found.values() if line)
    return sorted(typed, key=lambda line: line.startswith("%envimage build"))


@pytest.fixture(scope="module")
def live(docker_engine: DockerClient, jstackmagic_image: str) -> Iterator[Live]:
    container = stacks.idle(docker_engine, jstackmagic_image)
    try:
        stacks.know(docker_engine, container, jstackmagic_image)
        live = Live(docker_engine, container.id)
        live.do("jstackmagic install conda:pymongo=4.10.1 pip:twitter==1.19.6 apt:hello")
        live.do(f"jstackmagic image build {GOOD}")
        yield live
    finally:
        container.remove(force=True, v=True)
        for image in docker_engine.images.list(name=TAG):
            docker_engine.images.remove(image.id, force=True)


@pytest.fixture(scope="module")
def tampered(live: Live) -> dict[str, list[str]]:
    """What each depth says of the image with all tamperings."""
    script = "".join(f"(\n{each.command}\n)\n" for each in TAMPERINGS.values())
    run = json.dumps(["bash", "-ec", script])
    text = f"FROM {GOOD}\nUSER root\nRUN {run}\n" + "".join(f"{c}\n" for c in CONFIGURATION)
    live.do(
        f"mkdir -p tampered && cat > tampered/Dockerfile <<'END'\n{text}END",
        f"jstackmagic image build {BAD} -f tampered/Dockerfile && rm -r tampered",
    )
    depths = {"shallow": "", "deep": "--deep", "history": "--history --deep"}
    return {depth: rows(live.prove(BAD, options)) for depth, options in depths.items()}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_each_tampering_is_named_where_it_belongs(
    name: str, tampered: dict[str, list[str]]
) -> None:
    tampering = TAMPERINGS[name]
    named = {
        depth
        for depth, found in tampered.items()
        if any(re.search(tampering.said, r) for r in found)
    }
    expected = {"deep"} if tampering.depth == "deep" else {"shallow", "deep"}
    assert named - {"history"} == expected, "\n".join(tampered["deep"])
    assert ("history" in named) != (name in OUT_OF_SIGHT), "\n".join(tampered["history"])


@pytest.mark.parametrize("said", CONFIGURATION.values(), ids=list(CONFIGURATION))
def test_a_changed_configuration_is_named(said: str, tampered: dict[str, list[str]]) -> None:
    for depth in ("shallow", "history"):
        assert any(said in row for row in tampered[depth])


def test_what_was_done_to_the_image_is_undone_by_the_line_of_every_row(
    live: Live, tampered: dict[str, list[str]]
) -> None:
    assert len(tampered["deep"]) > len(TAMPERINGS)
    typed = lines(tampered["deep"])
    assert typed == [f"%envimage build {BAD}"]
    live.type(typed)
    assert rows(live.prove(BAD, "--deep")) == []


def test_what_was_done_here_is_undone_by_the_line_of_every_row(live: Live) -> None:
    done = {name: each for name, each in TAMPERINGS.items() if each.here}
    own = done.pop("a pip package's file")
    live.do(*(each.command for each in done.values()), user="root")
    live.do(
        own.command,
        # what conda, pip and apt did without a record, and what a removal leaves
        "pip install --quiet toolz==1.0.0",
        "sudo apt-get install --quiet --yes --no-install-recommends ed",
        "jstackmagic install --pip click-plugins==1.1.1",
        "jstackmagic remove --pip click-plugins",
    )
    named = rows(live.prove(GOOD, "--deep"))
    for name, each in done.items():
        assert any(re.search(each.said, row) for row in named), (name, named)
    assert any("pip:toolz" in row for row in named)
    assert any("pip:click Nothing here needs it any more" in row for row in named)
    for _ in range(2):
        live.type([*lines(named), f"%envimage build {GOOD}"])
        named = rows(live.prove(GOOD, "--deep"))
        if not named:
            break
    assert named == []
