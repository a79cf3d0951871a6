"""conda packages that would reach out of their prefix, and journals that can never be finished."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import time
import zipfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.io import archives
from jstackmagic.io.reading import check_plain, not_plain
from jstackmagic.managers.conda.rattler import journal
from jstackmagic.managers.conda.rattler.bounds import check_archive_contents, check_unpacked
from jstackmagic.managers.pip.harm import is_pythons
from jstackmagic.managers.pip.present import check_metadata
from jstackmagic.managers.pip.wanted import check_archives
from jstackmagic.model.errors import CommandFailed
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read_all
from jstackmagic.where.detect import detect
from jstackmagic.where.distributions import record_rows
from support.environments import make_venv
from support.forked import jstackmagic
from support.verbs import verb
from support.warm import warm_conda
from support.wheels import build_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from support.tiers import Channel

Member = tuple[str, dict[str, Any]]
SYMLINK, HARD = {"type": tarfile.SYMTYPE}, {"type": tarfile.LNKTYPE}
FORMATS = (".conda", ".tar.bz2")


def package(
    folder: Path,
    *members: Member,
    name: str = "bad",
    depends: object = (),
    form: str = ".conda",
    paths: tuple[str, ...] = ("share/ok.txt",),
    link: Mapping[str, Any] | None = None,
    size: int = 0,
) -> Path:
    """Writes an archive as whoever means harm would, by hand."""
    raw = io.BytesIO()
    index = {"name": name, "version": "1.0", "build": "0", "build_number": 0, "depends": depends}
    files = {
        "info/index.json": json.dumps({**index, "subdir": "noarch"}),
        "info/paths.json": json.dumps(
            {"paths_version": 1, "paths": [{"_path": p, "path_type": "hardlink"} for p in paths]}
        ),
        "share/ok.txt": "ok",
        **({"info/link.json": json.dumps(link)} if link else {}),
    }
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for path, details in members:
            member = tarfile.TarInfo(path)
            for key, value in details.items():
                setattr(member, key, value)
            tar.addfile(member)
        if size:
            member = tarfile.TarInfo("share/zeros")
            member.size = size
            tar.addfile(member, _Zeros())  # type: ignore[arg-type]
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{name}-1.0-0{form}"
    if form == ".tar.bz2":
        import bz2

        archive.write_bytes(bz2.compress(raw.getvalue()))
        return archive
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        if sys.version_info >= (3, 14):
            from compression.zstd import compress as packed
        else:
            from backports.zstd import compress as packed
        file.writestr(f"pkg-{name}-1.0-0.tar.zst", packed(raw.getvalue()))
        file.writestr(f"info-{name}-1.0-0.tar.zst", packed(raw.getvalue()))
    return archive


class _Zeros:
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


@pytest.fixture
def prefix(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, shim_channel: Channel, home: Path
) -> Path:
    (home / ".condarc").write_text(
        json.dumps({"channels": [shim_channel.url], "pkgs_dirs": [str(tmp_path / "pkgs")]})
    )
    return warm_conda(tmp_path_factory, tmp_path / "env", shim_channel, "python")


def install(prefix: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which a panic would take along."""
    return jstackmagic("install", "--prefix", prefix, *words)


HOSTILE: dict[str, tuple[Member, ...]] = {
    "an absolute member": (("/tmp/evil", {}),),
    "a member that climbs": (("share/../../evil", {}),),
    "a link to a folder of the machine": (("share/l", {**SYMLINK, "linkname": "/etc"}),),
    "a link that climbs out": (("share/l", {**SYMLINK, "linkname": "../../evil"}),),
    "a hard link to a file of the machine": (("share/h", {**HARD, "linkname": "/etc/hostname"}),),
    "a hard link that climbs out": (("share/h", {**HARD, "linkname": "../../evil"}),),
    "a device": (("share/d", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),),
    "a pipe": (("share/f", {"type": tarfile.FIFOTYPE}),),
}


class TestArchives:
    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("which", HOSTILE)
    def test_what_leads_out_is_refused(self, which: str, form: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="is refused") as caught:
            check_archive_contents(str(package(tmp_path, *HOSTILE[which], form=form)))
        assert caught.value.kept == "Nothing was changed."

    @pytest.mark.parametrize("form", FORMATS)
    def test_what_only_looks_like_it_is_taken(self, form: str, tmp_path: Path) -> None:
        """Links between the folders of a package, and names with dots in them."""
        members = (
            ("share/a/b", {**SYMLINK, "linkname": "../../lib/x"}),
            ("lib/..x", {}),
            ("lib/x...y", {}),
            ("lib/h", {**HARD, "linkname": "share/ok.txt"}),
            ("bin/python", {**SYMLINK, "linkname": os.path.realpath(sys.executable)}),
            ("./lib", {"type": tarfile.DIRTYPE}),
        )
        check_archive_contents(str(package(tmp_path, *members, form=form)))

    @pytest.mark.parametrize("form", FORMATS)
    def test_a_bomb(self, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archives, "_ROOM", 2**20)
        bomb = package(tmp_path, form=form, size=3 * 2**20)
        assert bomb.stat().st_size < 10_000
        with pytest.raises(CommandFailed, match="unpacks to more than 1 MB") as caught:
            check_archive_contents(str(bomb))
        assert "JSTACKMAGIC_MAX_UNPACKED" in caught.value.advice[0]
        monkeypatch.setenv("JSTACKMAGIC_MAX_UNPACKED", "1G")
        check_archive_contents(str(bomb))

    @pytest.mark.parametrize("form", FORMATS)
    def test_what_is_no_archive(self, form: str, tmp_path: Path) -> None:
        path = tmp_path / f"x-1-0{form}"
        for content in (b"", b"PK", b"BZh9" + bytes(100), os.urandom(2000)):
            path.write_bytes(content)
            with pytest.raises(CommandFailed, match="cannot be unpacked"):
                check_archive_contents(str(path))


def wheel(
    folder: Path,
    *members: tuple[str, bytes],
    link: str = "",
    script: str = "x",
    calls: str = "bad:main",
) -> Path:
    """Writes a wheel with members that no builder would put there."""
    made = build_wheel(folder, "bad", "1.0", scripts={script: calls})
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        if link:
            info = zipfile.ZipInfo("bad_link")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, link)
    return made


def sdist(folder: Path, *members: Member, size: int = 0) -> Path:
    """Writes an sdist with members that no builder would put there."""
    made = folder / "bad-1.0.tar.gz"
    text = b"Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n"
    with tarfile.open(made, "w:gz", compresslevel=1) as tar:
        for name, details in (("bad-1.0/PKG-INFO", {}), *members):
            member = tarfile.TarInfo(name)
            for key, value in details.items():
                setattr(member, key, value)
            member.size = 0 if details else len(text)
            tar.addfile(member, io.BytesIO(text))
        if size:
            member = tarfile.TarInfo("bad-1.0/zeros")
            member.size = size
            tar.addfile(member, _Zeros())  # type: ignore[arg-type]
    return made


class TestDistributions:
    """Wheels and sdists of this machine, which pip and uv unpack."""

    @staticmethod
    def check(path: Path) -> None:
        """Looks at it as an install does, in a list among others."""
        listed = path.parent / "list.txt"
        listed.write_text(f"six\n{path}\n")
        for spec in (str(path), f"-r {listed}", f"bad @ {path.as_uri()}"):
            check_archives(Request("install", "pip", read_all("pip", [spec])), detect())

    @pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "bad-1.0.data/data/../../../evil"])
    def test_a_member_that_leads_out(self, name: str, tmp_path: Path) -> None:
        for made in (wheel(tmp_path, (name, b"x")), sdist(tmp_path, (f"bad-1.0/../{name}", {}))):
            with pytest.raises(CommandFailed, match="is refused: a member is"):
                self.check(made)

    def test_a_link_that_leads_out(self, tmp_path: Path) -> None:
        for made in (
            wheel(tmp_path, link="/etc"),
            sdist(tmp_path, ("bad-1.0/l", {**SYMLINK, "linkname": "../../../etc"})),
        ):
            with pytest.raises(CommandFailed, match="which lies outside"):
                self.check(made)

    def test_a_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archives, "_ROOM", 2**20)
        size = 4 * 2**20
        for made in (wheel(tmp_path, ("zeros", bytes(size))), sdist(tmp_path, size=size)):
            with pytest.raises(CommandFailed, match=r"unpacks to more than \d MB") as caught:
                self.check(made)
            assert "JSTACKMAGIC_MAX_UNPACKED" in caught.value.advice[0]
            monkeypatch.setenv("JSTACKMAGIC_MAX_UNPACKED", "1G")
            self.check(made)
            monkeypatch.delenv("JSTACKMAGIC_MAX_UNPACKED")

    def test_a_bomb_that_lies_about_its_size(self, tmp_path: Path) -> None:
        made = wheel(tmp_path, ("zeros", bytes(3 * 2**20)))
        true, untrue = (size.to_bytes(4, "little") for size in (3 * 2**20, 10))
        made.write_bytes(made.read_bytes().replace(true, untrue))
        with pytest.raises(CommandFailed, match="cannot be unpacked"):
            self.check(made)

    @pytest.mark.parametrize("script", ["../evil", "/tmp/evil", "python", "python3.11"])
    def test_a_script_in_the_place_of_another(self, script: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="it has a script"):
            self.check(wheel(tmp_path, script=script))

    @pytest.mark.parametrize("calls", ["bad:x; import os", "bad:f()", "bad:"])
    def test_a_script_that_calls_what_is_no_name(self, calls: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="its script x calls"):
            self.check(wheel(tmp_path, calls=calls))
        for good in ("bad", "bad.b:c.d", "bad:main [x, y]"):
            self.check(wheel(tmp_path, calls=good))

    @pytest.mark.parametrize(
        "name", ["scripts/python3", "data/pyvenv.cfg", "data/conda-meta/x.json", "data/bin/python"]
    )
    def test_a_file_that_an_environment_runs_on(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(CommandFailed, match="it has a file"):
            self.check(wheel(tmp_path, (f"bad-1.0.data/{name}", b"x")))
        self.check(wheel(tmp_path, ("bad-1.0.data/data/etc/python", b"x")))

    def test_what_only_looks_like_it_is_taken(self, tmp_path: Path) -> None:
        self.check(wheel(tmp_path, ("a..b/c", b""), link="bad.py", script="python-thing"))
        inside = ("bad-1.0/a/l", {**SYMLINK, "linkname": "../PKG-INFO"})
        self.check(sdist(tmp_path, ("bad-1.0/..x", {}), ("./bad-1.0/y", {}), inside))

    @pytest.mark.parametrize("engine", ["uv", "pip"])
    def test_the_environment_stays_as_it_was(self, engine: str, tmp_path: Path) -> None:
        prefix = make_venv(tmp_path / "env")
        bad = wheel(tmp_path, ("../evil", b"x"))
        done = install(prefix, "--engine", engine, "--pip", bad)
        assert done.returncode == 1
        assert "is refused" in done.stderr, done.stderr
        assert not list(prefix.glob("lib/python*/site-packages/bad*"))


class TestLists:
    @pytest.mark.parametrize("path", ["/tmp/evil", "../../evil", "share/../../../evil", "", "a\0b"])
    def test_a_path_outside(self, path: str, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / "paths.json").write_text(json.dumps({"paths": [{"_path": path}]}))
        with pytest.raises(CommandFailed, match="its list has the path"):
            check_unpacked(str(tmp_path))

    @pytest.mark.parametrize(
        "path", ["conda-meta/history", "conda-meta/x-1-0.json", "bin/python", "./bin//python3.12"]
    )
    def test_a_path_of_anothers(self, path: str, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / "paths.json").write_text(json.dumps({"paths": [{"_path": path}]}))
        with pytest.raises(CommandFailed, match="its list has the path"):
            check_unpacked(str(tmp_path))
        (tmp_path / "info" / "index.json").write_text('{"name": "pypy3.9"}')
        if "python" in path:
            assert check_unpacked(str(tmp_path)) == [path]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("paths.json", '{"paths": [{"_path": 5}]}'),
            ("paths.json", '{"paths": ["x", null]}'),
            ("paths.json", '{"paths": [{"_path": "\\ud800"}]}'),
            ("paths.json", '{"x": ' + "[" * 30_000 + "]" * 30_000 + "}"),
            ("link.json", '{"noarch": 3}'),
            ("link.json", '{"noarch": {"entry_points": {"a": 1}}}'),
            ("index.json", '{"name": {}}'),
        ],
    )
    def test_a_list_that_cannot_be_read(self, name: str, text: str, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / name).write_text(text)
        with pytest.raises(CommandFailed, match=rf"x-1-0 is refused: its {name} cannot be read"):
            check_unpacked(str(tmp_path), "x-1-0")

    def test_what_is_listed_as_a_link_is_one(self, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        entry = {"_path": "x", "path_type": "softlink"}
        (tmp_path / "info" / "paths.json").write_text(json.dumps({"paths": [entry]}))
        (tmp_path / "x").touch()
        with pytest.raises(CommandFailed, match="its list has the link 'x'"):
            check_unpacked(str(tmp_path))
        (tmp_path / "x").unlink()
        (tmp_path / "x").symlink_to("y")
        assert check_unpacked(str(tmp_path)) == ["x"]

    @pytest.mark.parametrize("command", ["../../evil", "/tmp/evil", "..", "a b"])
    def test_an_entry_point_outside(self, command: str, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        link = {"noarch": {"type": "python", "entry_points": [f"{command} = x:main"]}}
        (tmp_path / "info" / "link.json").write_text(json.dumps(link))
        with pytest.raises(CommandFailed, match="entry point"):
            check_unpacked(str(tmp_path))

    def test_an_old_list(self, tmp_path: Path) -> None:
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / "files").write_text("share/x\n../evil\n")
        with pytest.raises(CommandFailed, match=r"\.\./evil"):
            check_unpacked(str(tmp_path))


class TestInstalling:
    @pytest.mark.parametrize(
        ("paths", "link"),
        [
            (("/tmp/evil-{0}",), None),
            (("../../evil-{0}",), None),
            (("share/not-there.txt",), None),
            (("share/ok.txt",), {"noarch": {"type": "python", "entry_points": ["../e = x:y"]}}),
        ],
    )
    def test_the_environment_stays_as_it_was(
        self, paths: tuple[str, ...], link: Mapping[str, Any] | None, prefix: Path, tmp_path: Path
    ) -> None:
        bad = package(tmp_path / "in", paths=paths, link=link)
        before = sorted(str(path) for path in prefix.rglob("*"))
        done = install(prefix, "--conda", bad)
        assert done.returncode == 1, done.stderr
        assert "is refused" in done.stderr
        after = sorted(str(path) for path in prefix.rglob("*"))
        assert [path for path in after if path not in before] in (
            [],
            [str(prefix / "conda-meta" / "jstackmagic.lock")],
        )
        good = package(tmp_path / "in", name="good")
        done = install(prefix, "--conda", good)
        assert done.returncode == 0, done.stderr
        assert (prefix / "share" / "ok.txt").read_text() == "ok"

    @pytest.mark.parametrize("depends", ["x", [5], {}])
    def test_metadata_that_is_none(self, depends: object, prefix: Path, tmp_path: Path) -> None:
        done = install(prefix, "--conda", package(tmp_path / "in", depends=depends))
        assert done.returncode == 2
        assert "is not a package archive" in done.stderr, done.stderr
        assert not list(prefix.glob(".jstackmagic*"))

    @pytest.mark.parametrize("name", ["../../../x-1.0-0.tar.bz2", "a/b-1.0-0.conda"])
    def test_a_file_name_of_repodata_that_climbs(
        self, name: str, prefix: Path, tmp_path: Path
    ) -> None:
        channel = tmp_path / "channel"
        data = package(channel / "noarch", name="x", form=".tar.bz2").read_bytes()
        entry = {
            "name": "x",
            "version": "1.0",
            "build": "0",
            "build_number": 0,
            "depends": [],
            "subdir": "noarch",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        packages = {"packages": {name: entry}, "packages.conda": {}, "repodata_version": 1}
        (channel / "noarch" / "repodata.json").write_text(json.dumps(packages))
        done = install(prefix, "--conda", "-c", f"file://{channel}", "x")
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr
        assert "panicked" not in done.stderr
        assert not list(prefix.glob("conda-meta/x-*"))


class TestAJournalThatCannotBeFinished:
    @pytest.fixture
    def cut_off(self, prefix: Path, tmp_path: Path) -> Path:
        """The prefix of an install that was killed, of a package that can never be linked."""
        bad = package(tmp_path / "in", paths=("/tmp/evil",))
        record = {
            "name": "bad",
            "version": "1.0",
            "build": "0",
            "build_number": 0,
            "depends": [],
            "subdir": "noarch",
            "fn": bad.name,
            "url": f"file://{bad}",
            "channel": "",
        }
        item = journal.Linked(record, str(tmp_path / "pkgs" / "bad-1.0-0"), str(bad))
        plan = journal.Journal(argv=("conda", "install", "bad"), link=(item,), started=time.time())
        assert asdict(plan)
        journal.write(str(prefix), plan)
        return prefix

    def test_the_repair_says_how_to_drop_it(self, cut_off: Path) -> None:
        for _ in range(2):
            done = install(cut_off, "--repair")
            assert done.returncode == 1
            assert "is refused" in done.stderr
            assert f"install --repair --prefix {cut_off} --force" in done.stderr
            assert journal.read(str(cut_off)) is not None

    def test_dropped_it_says_what_is_left_and_installs_go_on(self, cut_off: Path) -> None:
        done = install(cut_off, "--repair", "--force")
        assert done.returncode == 0, done.stderr
        assert "Dropped: conda install bad" in done.stderr
        assert "Not or half linked: bad-1.0-0" in done.stderr
        assert "Finished" not in done.stderr
        assert "Nothing was cut off" not in done.stderr
        assert journal.read(str(cut_off)) is None
        assert verb("install", "--prefix", cut_off, "--conda", "demo-tool").change

    def test_one_that_can_be_finished_is_not_dropped(self, cut_off: Path, tmp_path: Path) -> None:
        package(tmp_path / "in")  # whoever built it has put it right
        done = install(cut_off, "--repair", "--force")
        assert done.returncode == 0, done.stderr
        assert "Dropped" not in done.stderr
        assert (cut_off / "share" / "ok.txt").exists()


def test_a_package_of_an_index_does_not_take_the_place_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip lets it; and removes with a package, or after a cut, what its RECORD claims."""
    prefix = make_venv(tmp_path / "env")
    links = {path.name: os.readlink(path) for path in prefix.glob("bin/python*")}
    build_wheel(tmp_path / "wheels", "takes", "1.0", scripts={"python": "takes:x", "tool": "x:y"})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    words = ("--engine", "pip", "--prefix", prefix, "--pip", "takes")
    for action in ("install", "remove"):
        verb(action, *words)
        assert {path.name: os.readlink(path) for path in prefix.glob("bin/python*")} == links
        assert (prefix / "bin/tool").exists() is (action == "install")
    assert not is_pythons(f"{prefix}/bin/python-config", str(prefix))
    assert not is_pythons(f"{prefix}/lib/bin/python", str(prefix))


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bombs")
    made = build_wheel(folder, "bomb", "1.0")
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("bomb/zeros", bytes(400 << 20))
    build_wheel(folder, "carrier", "1.0", requires=["bomb"])
    build_wheel(folder, "carrier", "0.5")
    return folder


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_bomb_that_a_manager_fetches_is_stopped_and_nothing_of_it_stays(
    engine: str, bombs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = make_venv(tmp_path / "env", pip=engine == "pip")
    monkeypatch.setenv("PIP_FIND_LINKS", str(bombs))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("JSTACKMAGIC_MAX_UNPACKED", "4M")
    words = ("--engine", engine, "--prefix", prefix, "--pip")
    verb("install", *words, "carrier==0.5")
    with pytest.raises(CommandFailed, match="came to more than 4 MB") as caught:
        verb("install", *words, "carrier==1.0")
    assert "JSTACKMAGIC_MAX_UNPACKED" in caught.value.advice[0]
    assert not list(prefix.rglob("*bomb*"))
    assert not list(tmp_path.rglob("zeros"))
    assert list(prefix.rglob("carrier-0.5.dist-info"))
    verb("install", *words, "--dry-run", "carrier==0.5")  # nothing is left to be finished


@pytest.mark.parametrize("text", ["a\0b.py,,\n", "\0\0\nx,,\n", 'x,"\0",\n'])
def test_a_record_has_paths_that_can_be_looked_at(text: str, tmp_path: Path) -> None:
    """pip installs it, and takes it for no error."""
    assert not any("\0" in row.below(str(tmp_path)) for row in record_rows(text))


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_pipe_among_the_metadata_is_named_and_not_waited_for(engine: str, tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "env", pip=engine == "pip")
    (site,) = map(type(prefix), detect(prefix).site_packages)
    (site / "odd-1.0.dist-info").mkdir()
    os.mkfifo(site / "odd-1.0.dist-info/RECORD")
    words = ("--engine", engine, "--prefix", prefix, "--pip")
    with pytest.raises(CommandFailed, match=r"odd-1\.0\.dist-info/RECORD is not a file"):
        verb("install", *words, build_wheel(tmp_path, "new", "1.0"))


def test_a_pipe_that_comes_after_the_first_look_is_named_too(tmp_path: Path) -> None:
    environment = detect(make_venv(tmp_path / "env"))
    odd = tmp_path / environment.site_packages[0] / "odd-1.0.dist-info"
    odd.mkdir()
    (odd / "RECORD").symlink_to(tmp_path / "target")
    (tmp_path / "target").touch()
    os.utime(odd, (1e9, 1e9))  # one that has not changed for long is listed once
    check_metadata(environment)
    (tmp_path / "target").unlink()
    os.mkfifo(tmp_path / "target")  # the folder is as it was
    with pytest.raises(CommandFailed, match=r"odd-1\.0\.dist-info/RECORD is not a file"):
        check_metadata(environment)
    (tmp_path / "target").unlink()
    check_metadata(environment)
    os.mkfifo(odd / "METADATA")
    with pytest.raises(CommandFailed, match=r"odd-1\.0\.dist-info/METADATA is not a file"):
        check_metadata(environment)


def test_only_what_would_be_waited_for_is_refused(tmp_path: Path) -> None:
    for name, to in (
        ("nowhere", "nothing"),
        ("itself", "itself"),
        ("file", "a"),
        ("b", "/dev/null"),
    ):
        (tmp_path / name).symlink_to(to)
    (tmp_path / "a").touch()
    (tmp_path / "folder").mkdir()
    for place in (tmp_path, tmp_path / "missing", tmp_path / "a"):
        check_plain(not_plain(str(place)), what="a list")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with pytest.raises(CommandFailed, match="where a list should be"):
        check_plain(not_plain(str(tmp_path)), what="a list")


def test_the_check_costs_little(tmp_path: Path) -> None:
    members = [(f"lib/module{n}.py", {}) for n in range(5000)]
    archive = package(tmp_path, *members, size=100 * 2**20)
    began = time.process_time()
    check_archive_contents(str(archive))
    assert time.process_time() - began < 3
