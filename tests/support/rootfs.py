"""A base image made of files of this machine, put into a registry without an engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jstackmagic.image.layers import disk
from jstackmagic.image.layers.contents import Contents, LayerItem, Ownership
from jstackmagic.image.layers.pack import Packing
from jstackmagic.image.registry.client import (
    CONFIG,
    MANIFEST,
    Descriptor,
    Registry,
    digest_of,
    this_platform,
)
from jstackmagic.image.registry.connection import Connection
from jstackmagic.model.reference import parse_tag

from .forked import jstackmagic

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from .registries import Served

FILES = {
    "/etc/passwd": b"root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/bash\n",
    "/etc/group": b"root:x:0:\nusers:x:100:\n",
}


def items_below(*folders: Path, files: Mapping[str, bytes] = FILES) -> list[Any]:
    """What lies below some folders, as the image's user has it.

    The folders above them are in the image, too: of this run's own, another test may change the
    mode meanwhile, and a layer would differ.
    """
    owner = Ownership(1000, 100, shared=True, set_group=True)
    found = [disk.text(path, content) for path, content in files.items()]
    for top in folders:
        for folder, names, others in os.walk(top):
            for name in (*names, *others):
                made = disk.item(f"{folder}/{name}", print, owner)
                if made:
                    found.append(made)
        made = disk.item(str(top), print, owner)
        assert made is not None
        found.append(made)
        above = Path(made.path).parents
        found += [LayerItem(str(each), "folder", 0o755) for each in above if str(each) != "/"]
    found = [*{item.path: item for item in found}.values()]
    return sorted(found, key=lambda item: item.path)


def push_base(
    served: Served,
    name: str,
    items: Iterable[Any],
    folder: Path,
    environ: Mapping[str, str],
    maintainer: str = "tests",
) -> str:
    """Put an image of one layer into a registry; return its reference."""
    reference = f"{served.address}/{name}"
    registry = Registry(parse_tag(reference), Connection(served.address, environ))
    packing = Packing(folder)
    packed = packing.pack(Contents("", "", items=tuple(items)))
    registry.upload(packing.path(packed), packed.digest, lambda _: None, folder / "notes")
    operating_system, architecture = this_platform().split("/")[:2]
    config = {
        "os": operating_system,
        "architecture": architecture,
        "created": "2026-11-01T00:00:00Z",
        "config": {
            "User": "1000",
            "Env": ["CONDA_DIR=/opt/conda", "PATH=/usr/bin"],
            "Entrypoint": ["tini", "-g", "--"],
            "Cmd": ["start.sh"],
            "Labels": {"maintainer": maintainer},
        },
        "rootfs": {"type": "layers", "diff_ids": [packed.diff_id]},
        "history": [{"created_by": "tests"}],
    }
    content = json.dumps(config).encode()
    (folder / "config").write_bytes(content)
    registry.upload(folder / "config", digest_of(content), lambda _: None, folder / "notes")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Descriptor(digest_of(content), len(content), CONFIG).to_json(),
        "layers": [Descriptor(packed.digest, packed.size).to_json()],
    }
    registry.put_manifest(parse_tag(reference).tag, json.dumps(manifest).encode())
    registry.connection.close()
    return reference


class User:
    """Somebody with a home folder, a login and an environment, who types commands.

    Args:
        folder: For the home.
        environ: More variables.
    """

    def __init__(self, folder: Path, **environ: str) -> None:
        self.home = folder
        folder.mkdir(exist_ok=True)
        keep = {k: v for k, v in os.environ.items() if k.startswith(("PATH", "PIP_", "LANG"))}
        self.environ = {**keep, "HOME": str(folder), "DOCKER_HOST": "unix:///nowhere", **environ}

    def say(self, *words: str, status: int = 0) -> Any:
        """Run a command; return its JSON."""
        done = self.run(*words, "--json")
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(done.stdout)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return jstackmagic(*words, environ=self.environ, folder=self.home)
