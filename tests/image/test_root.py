"""The root file system of an image, read from a stream of layers."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from jstackmagic.image.root import Layer, Root, kept, read
from jstackmagic.model.errors import JStackMagicError

if TYPE_CHECKING:
    from pathlib import Path

METADATA = "opt/conda/conda-meta/six-1.17.0-0.json"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is kept of layers, of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "jstackmagic/roots"


def layer(digest: str, *members: tuple[str, object]) -> Layer:
    """A layer of files (bytes), folders (None), links (text) and tarfile's members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
                continue
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(member, key, value)
            else:
                member.type = tarfile.SYMTYPE if isinstance(content, str) else tarfile.DIRTYPE
                member.linkname = content if isinstance(content, str) else ""
            archive.addfile(member)
    return Layer(digest, lambda: io.BytesIO(buffer.getvalue()))


BASE = layer(
    "sha256:1",
    ("bin", "usr/bin"),
    ("usr", None),
    ("usr/bin", None),
    ("usr/bin/tini", b"tini"),
    ("opt/conda/lib/six", None),
    ("opt/conda/lib/six/a.py", b"a"),
    ("opt/conda/lib/six/b.py", b"b"),
    (METADATA, b"{}"),
)


def test_layers_lie_on_one_another() -> None:
    above = layer("sha256:2", ("./usr/bin/tini", b"other"), ("./opt/conda/lib/six/c.py", b"c"))
    root = read((BASE, above))
    assert root.entries["/usr/bin/tini"].size == 5
    assert list(root.below("/opt/conda/lib/six")) == [
        f"/opt/conda/lib/six/{name}.py" for name in "abc"
    ]
    assert list(root.children("/usr")) == ["/usr/bin"]
    assert list(root.children("/opt/conda/lib")) == ["/opt/conda/lib/six"]
    assert root.contents == {f"/{METADATA}": b"{}"}
    assert root.resolve("/bin/tini") == "/usr/bin/tini"
    assert root.resolve("/bin/none") is None


def test_the_children_of_a_folder_are_all_of_them() -> None:
    """In the order of the paths "six-1.dist-info" stands between "six" and "six/a.py"."""
    names = ("lib/six", "lib/six-1.dist-info", "lib/six.py", "lib/sixty")
    files = [(f"{name}/x" if "." not in name[-3:] else name, b"") for name in names]
    folders = ((name, None) for name in names[:2])
    root = read((layer("sha256:9", *folders, *files),))
    assert list(root.children("/lib")) == ["/lib/six", "/lib/six-1.dist-info", "/lib/six.py"]
    assert list(root.children("/lib/six")) == ["/lib/six/x"]


@pytest.mark.parametrize(
    ("members", "left"),
    [
        ([("opt/conda/lib/six/.wh.a.py", b"")], ["b.py"]),
        ([("opt/conda/lib/.wh.six", b"")], []),
        ([("opt/conda/lib/six/.wh..wh..opq", b""), ("opt/conda/lib/six/c.py", b"")], ["c.py"]),
        ([("opt/conda/lib/six/a.py", {"type": tarfile.CHRTYPE})], ["b.py"]),
        ([("opt/conda/lib/six", "elsewhere")], []),
        ([("opt/conda/lib/.wh.sixty", b"")], ["a.py", "b.py"]),
    ],
    ids=["file", "folder", "opaque", "overlay", "a link in its place", "another name"],
)
def test_a_layer_takes_away(members: list[tuple[str, object]], left: list[str]) -> None:
    root = read((BASE, layer("sha256:2", *members)))
    assert [path.rpartition("/")[2] for path in root.below("/opt/conda/lib/six")] == left


def test_the_kernel_marks_all_that_is_gone_by_links_to_one_device() -> None:
    """A kernel since 5.8 shares the device: in an archive all but the first are hard links."""
    first, second = "opt/conda/lib/six/a.py", "usr/bin/tini"
    members = (
        (first, {"type": tarfile.CHRTYPE}),
        (second, {"type": tarfile.LNKTYPE, "linkname": first}),
    )
    root = read((BASE, layer("sha256:2", *members)))
    assert "/usr/bin/tini" not in root.entries
    assert list(root.below("/opt/conda/lib/six")) == ["/opt/conda/lib/six/b.py"]
    assert root.unread == []


def test_a_hard_link_may_lead_to_a_layer_below() -> None:
    def linked(to: str) -> Root:
        member = ("usr/bin/init", {"type": tarfile.LNKTYPE, "linkname": to})
        return read((BASE, layer(f"sha256:{to}", member)))

    root = linked("usr/bin/tini")
    assert root.entries["/usr/bin/init"] == root.entries["/usr/bin/tini"]
    assert "/usr/bin/init is another name of /gone" in linked("gone").unread[0]


def test_what_takes_metadata_away_takes_its_content() -> None:
    root = read((BASE, layer("sha256:2", ("opt/.wh.conda", b""))))
    assert root.contents == {}


def test_a_hard_link_is_what_it_leads_to() -> None:
    name = METADATA.replace("six", "seven")
    link = {"type": tarfile.LNKTYPE, "linkname": METADATA}
    root = read((layer("sha256:1", (METADATA, b"{1}"), (name, link)),))
    assert root.contents[f"/{name}"] == b"{1}"
    assert root.entries[f"/{name}"] == root.entries[f"/{METADATA}"]


def test_a_layer_is_read_once(cache: Path) -> None:
    first = read((BASE,))
    closed = Layer("sha256:1", lambda: pytest.fail("it was opened again"))
    above = layer("sha256:2", ("usr/bin/tini", b"other"))
    assert read((closed,)) == first
    assert read((closed, above)).entries["/usr/bin/tini"].size == 5
    assert kept(["sha256:1", "sha256:2"]) is not None
    assert kept(["sha256:2", "sha256:1"]) is None
    for path in cache.iterdir():
        path.write_bytes(b"\xc1")
    assert kept(["sha256:1"]) is None


@pytest.mark.parametrize("content", [b"", b"hello" * 200])
def test_a_layer_that_is_no_archive_is_said(content: bytes) -> None:
    with pytest.raises(JStackMagicError, match="sha256:9 is no archive"):
        read((BASE, Layer("sha256:9", lambda: io.BytesIO(content))))


def test_where_nothing_can_be_kept_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    assert read((BASE,)).entries["/usr/bin/tini"].size == 4
