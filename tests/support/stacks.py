"""A stand-in for an image of the Docker Stacks, made on the spot: no registry is needed.

A minimal system from the host's own Debian or Ubuntu archive, and on it what
``stacks_image/Dockerfile`` says. Each part is tagged by a hash of what went into it and made once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from docker.types import Mount
from jupyter_client.blocking.client import BlockingKernelClient

from jstackmagic.image import root
from jstackmagic.image.engine import labels
from jstackmagic.image.engine.dockersdk import connect
from jstackmagic.image.engine.roots import image_root
from jstackmagic.image.engine.serve import _server, wait

from . import cache, channel, environments, standin_mamba, tiers
from .channel import SHEBANG, ChannelBuilder, File
from .debs import build_deb
from .engine import host, socket
from .kernels import PATIENCE, connected
from .locks import held
from .machine import Unavailable, as_root, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from docker import DockerClient
    from docker.models.containers import Container

REPOSITORY = "jstackmagic-tests"
SETTLED = 'fix-permissions "$CONDA_DIR"'
"""What follows an install in an image: else the next layer that runs it copies all these files."""

_SOURCE = Path(__file__).with_name("stacks_image")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_MAMBA = "2.8.1"

# dpkg waits for the disk after each package: not in memory, where there is some to spare. The
# mount is the process's own, and goes with it.
_IN_MEMORY = (
    *("unshare", "--mount", "sh", "-c"),
    'free=$(sed -n "s/^MemAvailable: *\\([0-9]*\\) kB/\\1/p" /proc/meminfo); '
    'if [ "${free:-0}" -gt 4000000 ]; then mount -t tmpfs -o mode=1777 none "$TMPDIR"; fi; '
    'exec "$@"',
    "sh",
)

_KERNEL = ("python", "pip", "ipykernel")
_DEBIAN = (
    *("at", "ed", "gettext-base", "git", "hello", "less", "libpq5", "libsodium23", "locales"),
    *("mosquitto", "tree", "unzip", "vim-tiny"),
)
"""What apt has there, beside a graphviz that is empty: the real one needs 65 packages."""

_NEVER_PUBLISHED = ("man", "locale", "doc")


def image(client: DockerClient) -> str:
    """The tag of the stand-in, which is made now if the engine does not have it.

    Raises:
        Unavailable: This machine cannot make it.
        Unfeasible: The running Python cannot be copied.
    """
    packages, wheels = _channel()
    with _turn():
        system = _root_image(client, packages)
    inputs = [system, str(packages), *(_read(path) for path in _files(_SOURCE)), host_settings()]
    inputs += [_DEBIAN, inspect.getsource(_fill), inspect.getsource(standin_mamba)]
    tag = _tag("stacks", inputs)
    with _turn(), tempfile.TemporaryDirectory(prefix="stacks-") as folder:
        if _is_there(client, tag):
            return tag
        _fill(Path(folder), packages, wheels)
        build(client, tag, Path(folder), ROOT_IMAGE=system)
    return tag


def image_with(client: DockerClient, base: str, wheel: Path) -> str:
    """The tag of an image with jstackmagic in its base environment, made now if it is not there."""
    with zipfile.ZipFile(wheel) as opened:
        contents = sorted((entry.filename, entry.CRC) for entry in opened.infolist())
        metadata = next(name for name, _ in contents if name.endswith("/METADATA"))
        lines = opened.read(metadata).decode().splitlines()
    needs = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    extras = ("fast", "formats", "image")
    needs = [
        each.partition(";")[0] if "extra ==" in each else each
        for each in needs
        if "extra ==" not in each or each.endswith(tuple(f'extra == "{name}"' for name in extras))
    ]
    tag = _tag("jstackmagic", [base, contents, inspect.getsource(image_with), SETTLED])
    with _turn(), tempfile.TemporaryDirectory(prefix="stacks-") as folder:
        if _is_there(client, tag):
            return tag
        shutil.copy(wheel, folder)
        Path(folder, "needs.txt").write_text("\n".join(needs))
        Path(folder, "Dockerfile").write_text(
            f"FROM {base}\nCOPY needs.txt /tmp/\n"
            f"RUN pip install --no-cache-dir --requirement /tmp/needs.txt && {SETTLED}\n"
            f"COPY {wheel.name} /tmp/\nRUN pip install --no-deps /tmp/{wheel.name} && {SETTLED}\n"
        )
        build(client, tag, Path(folder))
    return tag


def _turn() -> AbstractContextManager[None]:
    """Several test runs at once, and the workers of one, make each image once."""
    return held(cache.ROOT / "stacks-image.lock", seconds=800)


def build(client: DockerClient, tag: str, folder: Path, **arguments: str) -> None:
    """Builds a Dockerfile's folder; fails with the last lines of its log."""
    log = []
    events = client.api.build(
        path=str(folder), tag=tag, rm=True, forcerm=True, decode=True, buildargs=arguments
    )
    for event in events:
        log.append(event.get("stream", ""))
        assert "error" not in event, f"{tag}: {event['error']}\n{''.join(log)[-3000:]}"


def _tag(name: str, inputs: Iterable[object]) -> str:
    digest = hashlib.sha256(repr(list(inputs)).encode()).hexdigest()[:16]
    return f"{REPOSITORY}/{name}:{digest}"


def _is_there(client: DockerClient, tag: str) -> bool:
    return any(tag in image.tags for image in client.images.list(name=tag))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _read(path: Path) -> tuple[str, bytes]:
    return path.name, path.read_bytes()


# The conda channel in the image


@functools.cache
def _channel() -> tuple[Path, tuple[str, ...]]:
    """The tests' full channel, with a server, py-rattler and a stand-in for mamba beside it.

    Returns:
        Its folder, and the names of the packages that make a server.
    """
    full = tiers.full()
    wheels = cache.wheels(["jupyter_server", "py-rattler"])
    there = {path.name.rsplit("-", 2)[0] for path in full.folder.glob("*/*.conda")}
    names = {wheel: channel.canonicalize_name(wheel.name.split("-")[0]) for wheel in wheels}

    def make(folder: Path) -> None:
        builder = ChannelBuilder(folder)
        for archive in full.folder.glob("*/*.conda"):
            os.link(archive, folder / archive.parent.name / archive.name)
        for wheel, name in names.items():
            if name not in there:
                builder.add_wheel(wheel)
        _add_mamba(builder)
        builder.index()

    sources = [inspect.getsource(each) for each in (channel, standin_mamba, _add_mamba)]
    inputs = (str(full.folder), [wheel.name for wheel in wheels], sources)
    return cache.kept("stacks-channel", inputs, make), tuple(sorted(names.values()))


def _add_mamba(builder: ChannelBuilder) -> None:
    source = Path(standin_mamba.__file__).read_text()
    builder.add_package(
        "mamba",
        _MAMBA,
        build="standin_0",
        depends=["python", "py-rattler"],
        files={
            "bin/mamba": File.text(SHEBANG + source, executable=True),
            "bin/conda": File(link="mamba"),
        },
    )


# The system


def _root_image(client: DockerClient, packages: Path) -> str:
    """The system alone, from the archives that the host itself installs from."""
    debian = (*("apt", "bash", "ca-certificates", "netbase", "sudo", "tini"), *_libraries(packages))
    release = _release()
    sources = _apt_sources(release)
    makers = [inspect.getsource(each) for each in (_root_image, import_debian)]
    inputs = (release, debian, [_read(path) for path in sources], makers)
    tag = _tag("root", inputs)
    if _is_there(client, tag):
        return tag
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _NEVER_PUBLISHED]
    import_debian(client, tag, debian, "--variant=essential", *leave_out)
    return tag


def import_debian(client: DockerClient, tag: str, packages: Iterable[str], *options: str) -> None:
    """Make a root file system of Debian packages, by the host's own lists, and import it.

    Raises:
        Unavailable: mmdebstrap cannot make it; has the end of what it said.
    """
    release = _release()
    command = [program("mmdebstrap"), "--quiet", f"--include={','.join(packages)}", *options]
    command += ["--aptopt=Acquire::Languages none", "--aptopt=Apt::Install-Recommends false"]
    command += [release, "-", *map(str, _apt_sources(release))]
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*as_root(environ=True), *_IN_MEMORY, *command],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**cache.ENVIRON, "TMPDIR": folder},
            stdin=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        repository, _, version = tag.partition(":")
        client.api.import_image_from_stream(process.stdout, repository=repository, tag=version)
        if process.wait() != 0:
            client.images.remove(tag, force=True)
            log.seek(0)
            raise Unavailable(f"no root file system: {log.read().decode()[-1500:]}")


def _release() -> str:
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    names = [line[17:] for line in text.splitlines() if line.startswith("VERSION_CODENAME=")]
    if not names or not shutil.which("dpkg"):
        raise Unavailable("the stand-in for the Docker Stacks is made on Debian or Ubuntu only")
    return names[0].strip('"')


def _apt_sources(release: str) -> list[Path]:
    """The host's own lists that name its own release; not those of other archives."""
    folder = Path("/etc/apt")
    lists = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    return [
        path
        for path in lists
        if path.suffix in (".list", ".sources")
        and path.exists()
        and f"{release}-security" in path.read_text()
    ]


def _libraries(packages: Path) -> list[str]:
    """The Debian packages whose shared libraries the channel's Python needs."""
    boot = _boot(packages)
    modules = boot.glob("lib/python3*/lib-dynload/*.so")
    binaries = [boot / "bin/python", *(path for path in modules if "_tkinter" not in path.name)]
    listed = subprocess.run(["ldd", *binaries], check=False, capture_output=True, text=True)
    words = (line.split() for line in listed.stdout.splitlines())
    found = {Path(line[2]).resolve() for line in words if len(line) > 3 and line[1] == "=>"}
    outside = [str(path) for path in found if boot not in path.parents]
    # dpkg knows a file where its package has it, which may be in /lib, a link to /usr/lib
    outside += [path.removeprefix("/usr") for path in outside]
    owners = subprocess.run(["dpkg", "-S", *outside], check=False, capture_output=True, text=True)
    return sorted({line.split(":")[0] for line in owners.stdout.splitlines()})


# Containers of it


def serving(
    client: DockerClient,
    image: str,
    work: Path,
    *command: str,
    ports: Iterable[int] = (8888,),
    **variables: str,
) -> Container:
    """A server with sudo, the engine's socket, and a folder for its work; remove it in the end."""
    return client.containers.run(
        image,
        list(command) or None,
        detach=True,
        user="root",
        environment={"GRANT_SUDO": "yes", **variables},
        ports={f"{port}/tcp": None for port in ports},
        mounts=[socket(), Mount("/home/jovyan/work", str(work), type="bind")],
        labels={labels.SERVER: "tests"},
    )


_CHANNELS = {"shell": 9001, "iopub": 9002, "stdin": 9003, "control": 9004, "hb": 9005}


@contextlib.contextmanager
def kernel(
    client: DockerClient, image: str, work: Path, **variables: str
) -> Iterator[tuple[Container, BlockingKernelClient]]:
    """Such a container with a kernel in place of the server, which takes longer to start."""
    key = uuid.uuid4().hex
    ports = [f"--{channel}={port}" for channel, port in _CHANNELS.items()]
    command = ["python", "-m", "ipykernel_launcher", "--ip=0.0.0.0", f"--Session.key={key}", *ports]
    made = serving(client, image, work, *command, ports=_CHANNELS.values(), **variables)
    try:
        made.reload()
        there = {name: made.ports[f"{port}/tcp"][0] for name, port in _CHANNELS.items()}
        here = BlockingKernelClient()
        here.load_connection_info(
            {f"{name}_port": int(place["HostPort"]) for name, place in there.items()}
            | {"ip": "127.0.0.1", "key": key}
        )
        yield made, connected(here)
        here.stop_channels()
    finally:
        made.remove(force=True, v=True)


def address(container: Container) -> str:
    """The URL of its server, with the token, as soon as that answers."""
    with contextlib.closing(connect({"DOCKER_HOST": host()})) as engine:
        return wait(engine, _server(engine, container), seconds=PATIENCE).url


def idle(client: DockerClient, image: str) -> Container:
    """One that waits for commands, with sudo and the engine's socket; remove it in the end."""
    return client.containers.run(
        image,
        ["start.sh", "sleep", "infinity"],
        entrypoint=["tini", "-g", "--"],
        detach=True,
        user="root",
        environment={"GRANT_SUDO": "yes"},
        mounts=[socket()],
    )


def known(client: DockerClient, image: str) -> Path:
    """A cache folder that has what a proof before would have left: the image, read.

    An engine sends 500 MB for it, once for all.
    """

    def make(folder: Path) -> None:
        home = patch.dict(os.environ, XDG_CACHE_HOME=str(folder))
        with home, contextlib.closing(connect({"DOCKER_HOST": host()})) as engine:
            image_root(engine, image)

    return cache.kept("image-roots", [client.images.get(image).id, inspect.getsource(root)], make)


def know(client: DockerClient, container: Container, image: str) -> None:
    """Leave that in a container, as its user's own."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid, member.gid = 1000, 100
        return member

    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(known(client, image), ".cache", filter=owned)
    container.put_archive("/home/jovyan", packed.getvalue())


# The rest


def _boot(packages: Path) -> Path:
    """A Python with py-rattler, to make the image's own environments with."""

    def make(folder: Path) -> None:
        environments.create_environment(
            folder / "boot",
            "python",
            "py-rattler",
            channels=[packages.as_uri()],
            packages=packages.parent / "extracted",
        )

    return cache.kept("stacks-boot", [str(packages)], make) / "boot"


def _fill(folder: Path, packages: Path, server: Iterable[str]) -> None:
    """Puts together what the Dockerfile copies."""
    shutil.copytree(_SOURCE, folder, dirs_exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "test", "pkgs")
    shutil.copytree(_boot(packages), folder / "boot", symlinks=True, ignore=ignored)
    shutil.copy(standin_mamba.__file__, folder / "boot/standin_mamba.py")
    (folder / "boot/base.txt").write_text("\n".join([*_KERNEL, "mamba", *server]))
    (folder / "boot/python2.txt").write_text("\n".join(_KERNEL))
    shutil.copytree(packages, folder / "channel")
    (folder / "debian").mkdir()
    (folder / "debian/names").write_text(" ".join(_DEBIAN))
    with tempfile.TemporaryDirectory() as made:
        shutil.copy(build_deb(Path(made), "graphviz"), folder / "debian")
    (folder / "condarc").write_text(json.dumps({"channels": ["file:///opt/channel"]}))
    for name, text in host_settings().items():
        target = folder / "etc" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def host_settings() -> dict[str, str]:
    """How this host reaches the package index: its certificates and the index itself."""
    settings = {}
    if _CERTIFICATES.exists():
        settings["ssl/certs/ca-certificates.crt"] = _CERTIFICATES.read_text()
        settings["pip.conf"] = f"[global]\ncert = {_CERTIFICATES}\n"
    index = cache.ENVIRON.get("PIP_INDEX_URL")
    if index:
        settings["pip.conf"] = settings.get("pip.conf", "[global]\n") + f"index-url = {index}\n"
    return settings
