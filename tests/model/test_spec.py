"""A spec is a value: what each kind of text comes to, for each manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508

from jstackmagic.model.packages import normalise
from jstackmagic.model.recipe import Item, RecipeStep
from jstackmagic.model.request import Request
from jstackmagic.model.spec import (
    Constraint,
    DebianPackage,
    LocalArchive,
    LocalProject,
    MatchSpec,
    RemoteArchive,
    Requirement,
    RequirementsFile,
    VcsReference,
    read,
    same_place,
)

if TYPE_CHECKING:
    from jstackmagic.model.packages import ManagerName


@pytest.mark.parametrize(
    ("text", "kind", "name", "place"),
    [
        ("Zope.Interface>=7,<8", Requirement, "zope-interface", ""),
        ("six @ https://h.example/six.zip", Requirement, "six", "https://h.example/six.zip"),
        ("r @ git+https://h.example/r@main", Requirement, "r", "git+https://h.example/r@main"),
        ("git+ssh://git@h.example/r.git@v1#egg=R_r", VcsReference, "r-r", ...),
        ("-e git+https://h.example/r#egg=r", VcsReference, "r", "git+https://h.example/r#egg=r"),
        ("-e /w/my project[test]", LocalProject, "", "/w/my project"),
        ("/w/project", LocalProject, "", "/w/project"),
        ("/w/six-1.17.0-py2.py3-none-any.whl", LocalArchive, "six", ...),
        ("file:///w/a%20b/six-1.17.0.tar.gz", LocalArchive, "six", ...),
        ("six-1.17.0.zip", LocalArchive, "six", ...),
        ("https://h.example/six-1.17.0-py3-none-any.whl#sha256=00", RemoteArchive, "six", ...),
        ("https://h.example/archive/main", RemoteArchive, "", ...),
        ("-r /w/my list.txt", RequirementsFile, "", "/w/my list.txt"),
        ("-c https://h.example/limits.txt", Constraint, "", "https://h.example/limits.txt"),
        ("pytz==2004b", Requirement, "pytz", ""),
        ("r-base", Requirement, "r-base", ""),
        ("git", Requirement, "git", ""),
        ("c-", LocalProject, "", "c-"),
    ],
)
def test_what_pip_is_asked(text: str, kind: type, name: str, place: str) -> None:
    spec = read("pip", text)
    assert (type(spec), spec.name) == (kind, name)
    assert spec.place == (text if place is ... else place)
    assert (spec.text, str(spec)) == (text, text)
    assert spec.editable is text.startswith("-e ")


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("NumPy>=1.2,<2", MatchSpec, "numpy"),
        ("https://c.example/lab/linux-64::numpy", MatchSpec, "numpy"),
        ("https://c.example/lab/noarch/a-b-1.0-py_0.conda#00", RemoteArchive, "a-b"),
        ("/w/a-b-1.0-py_0.tar.bz2", LocalArchive, "a-b"),
        ("file:///w/a-b-1.0-py_0.conda", LocalArchive, "a-b"),
        ("--file /w/list.txt", RequirementsFile, ""),
        ("conda", MatchSpec, "conda"),
    ],
)
def test_what_conda_is_asked(text: str, kind: type, name: str) -> None:
    spec = read("conda", text)
    assert (type(spec), spec.name) == (kind, name)


@pytest.mark.parametrize(
    ("text", "channel", "version", "has_build"),
    [
        ("numpy", "", "", False),
        ("forge::numpy=1.26", "forge", "=1.26", False),
        ("numpy=1.26=py312_0", "", "=1.26=py312_0", True),
        ("numpy 1.26.* py312_0", "", "1.26.* py312_0", True),
        ("numpy>=1.2,<2", "", ">=1.2,<2", False),
        ("numpy[channel=forge, build='py*']", "forge", "", True),
    ],
)
def test_a_match_spec_has_parts(text: str, channel: str, version: str, has_build: bool) -> None:
    spec = read("conda", text)
    assert isinstance(spec, MatchSpec)
    assert (spec.channel, spec.version, spec.has_build) == (channel, version, has_build)


def test_what_apt_is_asked() -> None:
    assert read("apt", "tree=2.1.0-1") == DebianPackage("tree=2.1.0-1", "tree", version="2.1.0-1")
    assert read("apt", "tree/sid") == DebianPackage("tree/sid", "tree", release="sid")
    assert read("apt", "libc6:amd64").name == "libc6:amd64"
    assert read("apt", "/w/tool_1.0_amd64.deb") == LocalArchive(
        "/w/tool_1.0_amd64.deb", "tool", "/w/tool_1.0_amd64.deb"
    )


def test_hashes_are_no_part_of_what_is_asked() -> None:
    spec = read("pip", "six[a, b]==1.17.0; python_version>'3' --hash=sha256:00 --hash=sha256:11")
    assert isinstance(spec, Requirement)
    assert (spec.hashes, spec.extras) == (("sha256:00", "sha256:11"), ("a", "b"))
    assert (spec.version, spec.marker) == ("==1.17.0", "python_version>'3'")
    assert spec.unhashed == read("pip", "six[a, b]==1.17.0; python_version>'3'")
    plain = read("pip", "six")
    assert plain.unhashed is plain


_names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,6}[A-Za-z0-9])?", fullmatch=True)
_versions = st.sampled_from(("", "==1.0", ">=1,<2", "~=1.4", "===2004b", " >= 1.20 ", "!=1.*"))
_extras = st.sampled_from(("", "[a]", "[a, B-b]", "[]"))
_markers = st.sampled_from(("", "; python_version>'3'", ' ; extra == "x" and os_name=="nt"'))


@given(_names, _extras, _versions, _markers)
def test_it_reads_what_packaging_reads(name: str, extras: str, version: str, marker: str) -> None:
    """Ours takes masked URLs as well: it must not read otherwise."""
    text = f"{name}{extras}{version}{marker}"
    try:
        theirs = Pep508(text)
    except InvalidRequirement:
        return
    ours = read("pip", text)
    assert isinstance(ours, Requirement) or ours.name == "", "an archive's name: a.zip"
    if isinstance(ours, Requirement):
        assert (ours.name, set(ours.extras)) == (normalise(theirs.name), theirs.extras)
        assert bool(ours.version) == bool(theirs.specifier)
        assert bool(ours.marker) == (theirs.marker is not None)


@given(st.sampled_from(("conda", "pip", "apt")), st.text(max_size=40))
def test_any_text_is_read(manager: ManagerName, text: str) -> None:
    spec = read(manager, text)
    assert spec.text == text
    assert read(manager, text) == spec


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("/w/a b/six-1-py3-none-any.whl", "file:///w/a%20b/six-1-py3-none-any.whl"),
        ("git+ssh://git@h.example/r.git@main#egg=r", "git+ssh://h.example/r.git@0123abc"),
        ("https://me:s3cret@h.example/x.zip#sha256=00", "https://h.example/x.zip"),
        ("/w/project/", "file:///w/project"),
    ],
)
def test_a_place_is_found_again_in_the_installed_metadata(place: str, url: str) -> None:
    assert same_place(place) == same_place(url)
    assert same_place(f"{place}2") != same_place(url) or "#" in place


def test_nouns_hold_values_whatever_they_are_made_of() -> None:
    assert Request("install", "pip", ("six",)).specs == (read("pip", "six"),)  # type: ignore[arg-type]
    step = RecipeStep("conda", None, install=(Item("lab::numpy"),))  # type: ignore[arg-type]
    assert step.install[0].spec == read("conda", "lab::numpy")
    assert Request("install", "pip", step.install and (read("pip", "a"),)).texts == ("a",)
