"""No planted secret reaches the context of a build, or a layer or the settings of its image."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from jstackmagic.cli import main
from jstackmagic.image.engine import build as building
from support.environments import make_uv_venv
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

pytestmark = pytest.mark.docker

SECRET = "hunqter-7Qz/4+xKJ9vWm2"
CONTROL = "this-is-in-the-wheel"
TAG = f"jstackmagic-tests/secrets-{os.getpid()}:1"


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every file of an archive and of the archives in it, with its content."""
    with suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            content = file.read() if file else b""
            yield member.name, member.name.encode() + member.linkname.encode() + content
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
                yield f"{member.name}, unpacked", content
            if b"ustar" in content[257:265]:
                for name, inside in members(content):
                    yield f"{member.name}/{name}", inside


def holding(data: bytes, text: str, control: str) -> tuple[list[str], list[str]]:
    """The files of an archive that have a text, as it is or in a usual spelling of it, and those
    that have the one that must be found."""
    spelt = {text, quote(text, safe=""), json.dumps(text)[1:-1]}
    spelt |= {base64.b64encode(f"{user}{text}".encode()).decode() for user in ("", "me:")}
    wanted = [each.encode() for each in spelt]
    found, controls = [], []
    for name, content in members(data):
        found += [name] if any(each in content for each in wanted) else []
        controls += [name] if control.encode() in content else []
    return found, controls


def plant(home: Path, work: Path, prefix: Path) -> None:
    """Puts the secret where careless people have theirs, and into the history."""
    (home / ".config/pip").mkdir(parents=True)
    (home / ".docker").mkdir()
    auth = base64.b64encode(f"me:{SECRET}".encode()).decode()
    careless = {
        home / ".netrc": f"machine h.example login me password {SECRET}\n",
        home / ".config/pip/pip.conf": f"[global]\nproxy = http://me:{SECRET}@p.example:1\n",
        home / ".docker/config.json": json.dumps({"auths": {"r.example": {"auth": auth}}}),
        work / ".env": f"API_KEY={SECRET}\n",
        work / "notes.txt": SECRET,
        prefix / "pip.conf": f"[global]\nclient-cert = {SECRET}\n",
    }
    for path, text in careless.items():
        path.write_text(text)
    wheel = build_wheel(work, "plain", "1.0", modules={"plain.py": f"x = {CONTROL!r}\n"})
    other = build_wheel(work, "other", "1.0")
    (work / "list.txt").write_text(f"# token: {SECRET}\npip  # password={SECRET}\n")
    notebook = [
        f"!curl -H 'Authorization: Bearer {SECRET}' https://h.example/install.sh | sh",
        f"%env MY_TOKEN={SECRET}\n!pip install {other}",
        f"import os\nos.environ['PIP_PASSWORD'] = '{SECRET}'\n!pip install {wheel}",
    ]
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in notebook]
    data = {"cells": cells, "metadata": {"token": SECRET}, "nbformat": 4, "nbformat_minor": 5}
    (work / "n.ipynb").write_text(json.dumps(data))
    into = ("install", "--record-only", "--prefix", str(prefix), "--pip")
    assert main([*into, str(wheel), "--", "--config-settings", f"token={SECRET}"]) == 0
    assert main([*into, "-r", str(work / "list.txt")]) == 0
    main(["capture", "--prefix", str(prefix), str(work / "n.ipynb")])


def test_no_planted_secret_is_in_the_context_or_the_image(
    docker_host: DockerClient,
    stacks_image: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sent: list[bytes] = []
    context = building._context

    def kept(*words: Any) -> Any:
        made = context(*words)
        sent.append(made.read())
        made.seek(0)
        return made

    monkeypatch.setattr(building, "_context", kept)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    plant(home, tmp_path, make_uv_venv(tmp_path / "env"))
    capfd.readouterr()
    try:
        words = [TAG, "--from", stacks_image, "--label", "team=lab"]
        status = main(["image", "build", *words])
        said = "".join(capfd.readouterr())
        assert status == 0, said
        saved = b"".join(docker_host.images.get(TAG).save())
        config = json.dumps(docker_host.images.get(TAG).attrs)
    finally:
        for image in docker_host.images.list(name=TAG):
            docker_host.images.remove(image.id, force=True)
    (archive,) = sent
    for data, control in ((archive, "plain-1.0"), (saved, "plain.py")):
        found, controls = holding(data, SECRET, CONTROL)
        assert found == []
        assert any(control in name for name in controls)
    assert SECRET not in config + said
