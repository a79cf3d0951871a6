"""Which files a layer has, and how its metadata is written: on plain values."""

from __future__ import annotations

import json
import os
import random
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.image.layers import pack
from jstackmagic.image.layers.assemble import MADE_OF, ours_of
from jstackmagic.image.layers.contents import (
    Contents,
    LayerItem,
    Ownership,
    account,
    contents,
    ownership,
)
from jstackmagic.image.layers.making import too_many
from jstackmagic.image.layers.normal import accounts, locked, merged, paragraphs
from jstackmagic.image.layers.pack import Changed, Packing
from jstackmagic.image.registry.client import Descriptor, RegistryImage
from jstackmagic.image.root import Entry, Root
from jstackmagic.managers.conda.layered import conda_record
from jstackmagic.managers.pip.layered import pip_record
from jstackmagic.model.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

OWN = Ownership(1000, 100, shared=True, set_group=True)
LIB = "/opt/conda/lib/python3.11/site-packages"


def base(*files: str, **hashes: str) -> Root:
    """A base image of files, whose folders are there as well."""
    entries: dict[str, Entry] = {}
    for path in files:
        entries[path] = Entry("file", 0o664, 1000, 100, 1, sha256=hashes.get(path[-1], "same"))
        while (path := path.rpartition("/")[0]) and path not in entries:
            entries[path] = Entry("folder", 0o2775, 1000, 100)
    return Root(entries)


def file(path: str, **more: Any) -> LayerItem:
    return LayerItem(path, mode=0o664, uid=1000, gid=100, size=1, source=path, **more)


def layer(wanted: list[LayerItem], had: list[str], below: Root, here: set[str]) -> Contents:
    there = {*here, *(item.path for item in wanted)}
    for path in tuple(there):
        while path := path.rpartition("/")[0]:
            there.add(path)
    return contents(
        Contents("pip", "/opt/conda"),
        wanted,
        had,
        below,
        folder=lambda path: LayerItem(path, "folder", 0o2775, 1000, 100),
        is_here=there.__contains__,
        sha256=lambda item: "other" if item.path.endswith("changed") else "same",
    )


def paths(found: Contents) -> list[str]:
    return [item.path for item in found.items]


def test_the_children_of_a_folder_are_all_found_whatever_their_names_sort_like() -> None:
    below = base(
        f"{LIB}/a/x", f"{LIB}/a-1.dist-info/RECORD", f"{LIB}/a.py", f"{LIB}/a0", f"{LIB}/b"
    )
    names = [path.rpartition("/")[2] for path in below.children(LIB)]
    assert names == ["a", "a-1.dist-info", "a.py", "a0", "b"]


def test_what_the_base_has_as_it_is_is_not_sent_again() -> None:
    below = base(f"{LIB}/a", f"{LIB}/changed")
    found = layer([file(f"{LIB}/a"), file(f"{LIB}/changed"), file(f"{LIB}/new")], [], below, set())
    assert paths(found) == [f"{LIB}/changed", f"{LIB}/new"]


def test_a_file_that_only_has_another_owner_is_sent() -> None:
    below = base(f"{LIB}/a")
    below.entries[f"{LIB}/a"] = Entry("file", 0o664, 0, 0, 1, sha256="same")
    assert paths(layer([file(f"{LIB}/a")], [], below, set())) == [f"{LIB}/a"]


def test_new_folders_come_with_their_files_and_old_ones_stay_whose_they_are() -> None:
    found = layer([file(f"{LIB}/pkg/sub/a")], [], base(f"{LIB}/b"), set())
    assert paths(found) == [f"{LIB}/pkg", f"{LIB}/pkg/sub", f"{LIB}/pkg/sub/a"]


def test_a_whole_folder_is_taken_away_by_one_whiteout() -> None:
    below = base(f"{LIB}/pkg/a", f"{LIB}/pkg/b", f"{LIB}/kept")
    found = layer([], [f"{LIB}/pkg/a", f"{LIB}/pkg/b"], below, {f"{LIB}/kept"})
    assert found.gone == (f"{LIB}/pkg",)


def test_a_folder_that_others_use_is_not_taken_away() -> None:
    below = base(f"{LIB}/ns/a", f"{LIB}/ns/other")
    found = layer([], [f"{LIB}/ns/a"], below, {f"{LIB}/ns/other"})
    assert found.gone == (f"{LIB}/ns/a",)


def test_a_file_that_is_still_here_is_not_taken_away() -> None:
    below = base(f"{LIB}/a")
    assert layer([], [f"{LIB}/a"], below, {f"{LIB}/a"}).gone == ()


def test_what_the_base_does_not_have_needs_no_whiteout() -> None:
    assert layer([], [f"{LIB}/never"], base(f"{LIB}/a"), {f"{LIB}/a"}).gone == ()


def test_a_link_is_the_same_by_where_it_leads() -> None:
    below = base(f"{LIB}/a")
    below.entries[f"{LIB}/l"] = Entry("link", 0o777, 0, 0, target="a")
    same = LayerItem(f"{LIB}/l", "link", 0o777, 1000, 100, target="a")
    other = LayerItem(f"{LIB}/l", "link", 0o777, 1000, 100, target="b")
    assert paths(layer([same], [], below, set())) == []
    assert paths(layer([other], [], below, set())) == [f"{LIB}/l"]


@pytest.mark.parametrize(
    ("mode", "written"), [(0o600, 0o664), (0o644, 0o664), (0o700, 0o775), (0o4755, 0o4775)]
)
def test_the_umask_of_who_installed_it_does_not_count(mode: int, written: int) -> None:
    assert OWN.of(LayerItem("/a", mode=mode, uid=5, gid=6)) == LayerItem(
        "/a", mode=written, uid=1000, gid=100
    )


def test_an_environment_is_whose_its_prefix_is_in_the_base() -> None:
    below = base("/opt/conda/conda-meta/history", "/opt/conda/envs/a/x", "/srv/y")
    assert ownership("/opt/conda", below, (7, 7)) == OWN
    assert ownership("/opt/conda/envs/new", below, (7, 7)) == OWN
    assert ownership("/srv/venv", below, (7, 7)) == Ownership(7, 7), "of the image's user"


def test_the_user_of_an_image_is_found_in_its_own_files() -> None:
    files = {
        "/etc/passwd": b"root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n",
        "/etc/group": b"users:x:100:\nstaff:x:50:\n",
    }
    assert account("", files) == (0, 0)
    assert account("jovyan", files) == account("1000", files) == (1000, 100)
    assert account("1000:staff", files) == (1000, 50)
    assert account("1234", files) == (1234, 0)


# Metadata


def test_a_conda_record_says_nothing_of_who_installed_it() -> None:
    def record(home: str, **more: object) -> bytes:
        content = {
            "name": "a",
            "files": ["lib/a.py", "lib/__pycache__/a.cpython-311.pyc"],
            "paths_data": {"paths": [{"_path": "lib/a.py"}]},
            "link": {"source": f"{home}/pkgs/a-1-0", "type": 3},
            "extracted_package_dir": f"{home}/pkgs/a-1-0",
            "url": "https://me:s3cret@conda.example.com/c/noarch/a-1-0.conda",
            **more,
        }
        return json.dumps(content).encode()

    one = conda_record(record("/home/one/.conda"), "a", "/opt/conda")
    two = conda_record(record("/opt/conda", requested_spec="a >=1"), "a", "/opt/conda")
    assert one == two
    assert b"s3cret" not in one
    assert b"/home/one" not in one
    assert b".pyc" not in one
    assert json.loads(one)["requested_specs"] == ["a"]
    assert "requested_spec" not in json.loads(conda_record(record("/x"), None, "/opt/conda"))


def test_a_record_of_pips_is_in_order_and_without_bytecode() -> None:
    text = b'b.py,sha256=x,1\n__pycache__/b.cpython-311.pyc,,\n"a,b.py",sha256=y,2\n'
    found = pip_record(text, lambda name: name.endswith(".pyc"), ["REQUESTED"])
    assert found == b'REQUESTED,,\n"a,b.py",sha256=y,2\nb.py,sha256=x,1\n'


def status(*packages: str) -> bytes:
    return b"".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n".encode()
        + f"Version: {v}\n\n".encode()
        for name, _, v in (package.partition("=") for package in packages)
    )


def test_dpkgs_list_has_the_base_and_what_was_recorded_and_no_more() -> None:
    found = paragraphs(status("b=1", "a=1"), status("a=1", "b=2", "new=1", "drift=1"), ["new", "b"])
    assert found == status("a=1", "b=2", "new=1")
    assert paragraphs(status("a=1", "b=1"), status("a=1"), ["b"]) == status("a=1")


def test_dpkgs_list_goes_over_to_another_base() -> None:
    old, ours, fixed = status("a=1", "b=1"), status("a=1", "b=1", "new=1"), status("a=2", "b=1")
    assert merged(old, ours, fixed) == (status("a=2", "b=1", "new=1"), ())
    assert merged(old, status("a=1", "b=2"), status("a=1", "b=3"))[1] == ("b",)
    assert merged(old, status("a=1"), status("a=2", "b=1"))[0] == status("a=2")


def test_only_the_systems_own_new_users_are_carried_along_and_no_password_is() -> None:
    was = b"root:x:0:0::/root:/bin/sh\n"
    here = (
        was + b"redis:x:101:102::/var/lib/redis:/bin/false\nanna:x:1001:100::/home/anna:/bin/sh\n"
    )
    content, new = accounts(was, here)
    assert new == ("redis",)
    assert content == was + b"redis:x:101:102::/var/lib/redis:/bin/false\n"
    assert locked(b"root:*:1::::::\n", new, 9) == b"root:*:1::::::\nredis:!:::::::\n"
    assert locked(b"root:*::\n", new, 4) == b"root:*::\nredis:!::\n"


def test_no_engine_runs_an_image_of_that_many_layers() -> None:
    base = RegistryImage(
        Reference("h.example/x"), "x", "", "", (Descriptor("sha256:0", 1),) * 123, {}
    )
    assert [*too_many(base, 2)] == []
    assert "123 layers: with 3 more" in next(too_many(base, 3))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"diff_id": "x", "packages": 1}'])
def test_a_layer_that_somebody_else_describes_is_none_of_ours(text: str) -> None:
    assert ours_of([Descriptor("sha256:0", 1, annotations={MADE_OF: text})]) == []


def packages(folder: Path, *names: str) -> Contents:
    """A layer of packages, each with a file of more than what a part has at least."""
    items = []
    for name in names:
        file = folder / f"{name}.py"
        if not file.exists():
            file.write_bytes(random.Random(name).randbytes(100_000))
        at = file.stat().st_mtime_ns
        path = f"/opt/x/lib/python3/site-packages/{name}/a.py"
        items.append(LayerItem(path, source=str(file), size=100_000, stamp=(at,)))
    return Contents("pip", "/opt/x", tuple(items))


@pytest.mark.parametrize("damaged", [False, True])
def test_a_layer_is_packed_from_an_earlier_one_and_comes_out_the_same(
    tmp_path: Path, damaged: bool
) -> None:
    first, second = Packing(tmp_path / "first"), Packing(tmp_path / "second")
    archive = first.path(first.pack(packages(tmp_path, "a", "c")))
    more = packages(tmp_path, "a", "b", "c")
    wanted = second.pack(more)
    if damaged:
        content = bytearray(archive.read_bytes())
        content[150_000] ^= 1
        archive.write_bytes(content)
    else:  # it is not even read
        (tmp_path / "a.py").rename(tmp_path / "gone.py")
    assert first.pack(more) == wanted
    assert first.path(wanted).read_bytes() == second.path(wanted).read_bytes()
    with tarfile.open(first.path(wanted)) as opened:
        names = [member.name.split("/")[-2] for member in opened]
    assert names == ["a", "b", "c"]


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    for change in (b"", b"more than there was" * 10_000):
        layer = packages(tmp_path, "a")
        (tmp_path / "a.py").write_bytes(change)
        with pytest.raises(Changed):
            Packing(tmp_path / "store").pack(layer)


def test_archives_make_room_for_later_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Packing(tmp_path / "store")
    kept = [store.path(store.pack(packages(tmp_path, name))) for name in "abc"]
    for at, file in enumerate(kept):
        os.utime(file, (at, at))
    monkeypatch.setattr(pack, "_KEPT_SIZE", 250_000)
    store.sent()
    assert [file.exists() for file in kept] == [False, True, True]
