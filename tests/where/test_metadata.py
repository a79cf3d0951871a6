"""Packages as they lie on disk."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.model.packages import Package, PackageSet
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import (
    applying,
    conda_distributions,
    files_of,
    read_debian,
    read_distributions,
    read_packages,
)
from support.environments import make_venv, uv
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable


def test_conda_packages_are_read_with_channel_build_and_hash(
    conda_env: Callable[..., Path],
) -> None:
    environment = detect(conda_env("python", "six"))
    packages = read_packages(environment, ("conda", "pip"))
    six = packages.get("conda", "six")
    assert six is not None
    record = json.loads(
        Path(environment.prefix, "conda-meta", f"six-{six.version}-{six.build}.json").read_text()
    )
    assert six.sha256 == record["sha256"]
    assert six.url == record["url"]
    assert six.url.startswith(six.source + "/noarch/")
    assert six.requested
    assert six.size
    assert packages.get("pip", "six") is None, "conda's distribution is listed once, as conda's"
    assert conda_distributions(environment)["six"] == six.version
    assert any(path.endswith("site-packages/six.py") for path in files_of(six, environment))


@pytest.mark.parametrize("extras", [("",), ("", "x"), ("", "y")])
@pytest.mark.parametrize(
    "marker",
    [
        *("", "extra == 'x'", 'extra=="x"', "python_version > '3' and extra == 'x'"),
        *("extra == 'x' or python_version > '3'", "(extra == 'x' and os_name == 'or')"),
        *("extra != 'x'", "'x' == extra", "os_name == 'extra == '", "python_version < '3'"),
    ],
)
def test_a_requirement_applies_as_packaging_has_it(marker: str, extras: tuple[str, ...]) -> None:
    from packaging.requirements import Requirement

    text = f"six>=1; {marker}" if marker else "six>=1"
    need = Requirement(text)
    wanted = need.marker is None or any(need.marker.evaluate({"extra": each}) for each in extras)
    assert applying(text, extras) == (need if wanted else None)


def test_a_wheel_shows_its_source_hash_size_and_that_it_was_asked_for(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "venv")
    needed = build_wheel(tmp_path / "w", "needed.part", "1.0")
    wheel = build_wheel(tmp_path / "w", "My_Tool", "2.0", requires=["needed.part"])
    uv("pip", "install", wheel, needed.parent / needed.name, prefix=prefix)
    environment = detect(prefix)
    packages = read_packages(environment, ("pip",))
    tool = packages.get("pip", "my-tool")
    assert tool is not None
    assert (tool.version, tool.source) == ("2.0", wheel.as_uri())
    assert tool.requested
    assert tool.size
    assert any(path.endswith("my_tool.py") for path in files_of(tool, environment)) or files_of(
        tool, environment
    )
    assert packages.get("pip", "needed-part") is not None


def test_an_editable_install_says_so(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "venv")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "0.1"\n[tool.setuptools]\npy-modules = ["mine"]\n'
    )
    (project / "mine.py").write_text("")
    uv("pip", "install", "-e", project, prefix=prefix)
    mine = read_packages(detect(prefix), ("pip",)).get("pip", "mine")
    assert mine is not None
    assert mine.editable
    assert mine.source == project.as_uri()


def test_what_pip_left_half_removed_and_strange_files_do_not_count(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "venv")
    environment = detect(prefix)
    site = Path(environment.site_packages[0])
    (site / "~ix-1.0.dist-info").mkdir()
    (site / "empty-1.0.dist-info").mkdir()
    (site / "old_style-1.5-py3.11.egg-info").write_text(
        "Metadata-Version: 1.1\nName: old-style\nVersion: 1.5\n"
    )
    names = {package.name for package in read_packages(environment, ("pip",)).packages}
    assert "old-style" in names
    assert not names & {"ix", "~ix", "empty"}


@pytest.mark.parametrize("broken", ["", "{", '{"name": 3}'])
def test_a_half_written_conda_record_is_still_counted(
    conda_env: Callable[..., Path], broken: str
) -> None:
    prefix = conda_env("python", "six")
    record = next(prefix.glob("conda-meta/six-*.json"))
    record.write_text(broken)
    (prefix / "conda-meta/environment.json").write_text("[]")
    six = read_packages(detect(prefix), ("conda",)).get("conda", "six")
    assert six is not None
    assert f"six-{six.version}-{six.build}" == record.stem


def test_debian_packages_come_from_dpkgs_own_file(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg"
    folder.mkdir(parents=True)
    (folder / "arch").write_text("amd64\ni386\n")
    (folder / "status").write_text(
        "Package: graphviz\nStatus: install ok installed\nInstalled-Size: 100\n"
        "Architecture: amd64\nVersion: 2.42.2-7\nDescription: draw\n Version: no field\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
        "Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36\n\n"
        "Package: tzdata\nStatus: hold ok installed\nArchitecture: all\nVersion: 2024a\n"
    )
    states = tmp_path / "var/lib/apt/extended_states"
    states.parent.mkdir(parents=True)
    states.write_text("Package: tzdata\nArchitecture: all\nAuto-Installed: 1\n")
    found = {package.name: package for package in read_debian(tmp_path)}
    assert set(found) == {"graphviz", "libc6:i386", "tzdata"}
    assert found["graphviz"] == Package(
        "apt", "graphviz", "2.42.2-7", build="amd64", size=102400, requested=True
    )
    assert not found["tzdata"].requested
    assert read_debian(tmp_path / "nowhere") == ()


@pytest.mark.dpkg
@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="no dpkg on this system")
def test_debian_packages_are_what_dpkg_says_here() -> None:
    import subprocess

    lines = subprocess.run(
        ["dpkg-query", "-W", "-f", "${binary:Package}\t${Version}\t${db:Status-Status}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    # dpkg writes the architecture of every Multi-Arch: same package; we only of foreign ones
    ours = {(package.name.split(":")[0], package.version) for package in read_debian()}
    assert ours == {
        (name.split(":")[0], version) for name, version, status in rows if status == "installed"
    }


def test_subtracting_sets_gives_what_was_added_changed_and_removed() -> None:
    old = PackageSet(
        (Package("pip", "a", "1"), Package("pip", "b", "1"), Package("conda", "c", "1"))
    )
    new = PackageSet(
        (Package("pip", "b", "2"), Package("conda", "c", "1"), Package("conda", "a", "1"))
    )
    change = new - old
    assert [package.key for package in change.added] == [("conda", "a")]
    assert [(a.version, b.version) for a, b in change.changed] == [("1", "2")]
    assert [package.key for package in change.removed] == [("pip", "a")]
    assert not new - new


def test_a_pipe_or_a_loop_in_the_place_of_metadata_is_not_waited_for(tmp_path: Path) -> None:
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    (meta / "history").touch()
    os.mkfifo(meta / "piped-1.0-0.json")
    (meta / "looped-1.0-0.json").symlink_to("looped-1.0-0.json")
    found = read_packages(detect(tmp_path), ("conda",))
    assert {package.name for package in found.packages} == {"piped"}


def test_a_distribution_that_was_read_half_written_is_read_again(tmp_path: Path) -> None:
    """Both states have one time, as within a tick of the kernel's clock."""
    python = make_venv(tmp_path / "env")
    folder = next(python.glob("lib/python*/site-packages")) / "half-1.0.dist-info"
    folder.mkdir()
    environment = detect(python)
    assert "half" not in {package.name for package in read_distributions(environment)}
    stat = folder.stat()
    (folder / "METADATA").write_text("Name: half\nVersion: 1.0\n")
    os.utime(folder, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "half" in {package.name for package in read_distributions(environment)}
