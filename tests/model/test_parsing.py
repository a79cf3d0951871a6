"""From a user's words to specs with managers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.model.cell import read_cell
from jstackmagic.model.errors import InvalidSpec, UsageError
from jstackmagic.model.parsing import only_reader, read_requirement, read_specs, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"numpy>=1.20" six', ["numpy>=1.20", "six"]),
        ("numpy>=1.20", ["numpy>=1.20"]),
        ("'a;rm -rf x'", ["a;rm -rf x"]),
        ("six  # for the old code", ["six"]),
        ("six  # this notebook's", ["six"]),
        ("'six # 1' # \"", ["six # 1"]),
        ("git+https://h.example/r.git#egg=r", ["git+https://h.example/r.git#egg=r"]),
        ("$(id) `id`", ["$(id)", "`id`"]),
        ("-r 'my file.txt'", ["-r", "my file.txt"]),
    ],
)
def test_a_line_is_split_and_nothing_is_expanded(line: str, words: list[str]) -> None:
    assert split_words(line) == words


def test_an_open_quote_is_a_usage_error_that_shows_the_line() -> None:
    with pytest.raises(UsageError, match="closing quotation") as caught:
        split_words("'six")
    assert "'six" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "manager"),
    [
        ("conda-forge::numpy", "conda"),
        ("numpy=1.2", "conda"),
        ("name=1.2=py312_0", "conda"),
        ("numpy[version='>=1.2']", "conda"),
        ("python 3.11.*", "conda"),
        ("/srv/six-1.17.0-py_0.conda", "conda"),
        ("/srv/six-1.17.0-py_0.tar.bz2", "conda"),
        ("https://h.example/linux-64/six-1-0.tar.bz2", "conda"),
        ("dask[array]", "pip"),
        ("git+https://h.example/r.git@main", "pip"),
        ("git+ssh://git@h.example/r.git", "pip"),
        ("https://h.example/six-1.0.tar.gz", "pip"),
        ("six @ https://h.example/six.whl", "pip"),
        ("six@https://h.example/six.whl", "pip"),
        ("dask[array] @ git+https://h.example/dask.git", "pip"),
        ("dist/six-1.17-py2.py3-none-any.whl", "pip"),
        ("./project", "pip"),
        ("../project[dev]", "pip"),
        ("six; python_version<'3.9'", "pip"),
        ("six===1.0", "pip"),
        ("-r requirements.txt", "pip"),
        ("-e .", "pip"),
        ("./x.deb", "apt"),
        ("g++", "apt"),
        ("libstdc++6", "apt"),
        ("six", None),
        ("numpy>=1.20", None),
        ("numpy==1.20", None),
        ("numpy~=1.20", None),
        ("numpy>=1.2,<2", None),
    ],
)
def test_a_spec_only_one_manager_can_read_goes_to_that_one(spec: str, manager: str | None) -> None:
    assert only_reader(spec) == manager


def test_managers_are_said_spec_by_spec_or_for_all() -> None:
    asked = read_specs(["pymongo", "pip:twitter", "apt:graphviz", "conda:x=1"])
    assert asked.specs == (
        (None, "pymongo"),
        ("pip", "twitter"),
        ("apt", "graphviz"),
        ("conda", "x=1"),
    )
    assert read_specs(["six", "apt:jq"], manager="pip").specs == (("pip", "six"), ("apt", "jq"))


@pytest.mark.parametrize(
    "word",
    ["six\nrm -rf x", "", "a\rb", "$(id)", "`id`", "--index-url", ";ls", "|x", "a\x00b", "\u2028a"],
)
def test_what_no_manager_could_read_is_refused(word: str) -> None:
    with pytest.raises(InvalidSpec):
        read_specs([word])


def test_local_paths_become_absolute() -> None:
    asked = read_specs(["-r req/dev.txt", "-e .", "./dist/a b.whl", "x.conda"], folder="/srv/my p")
    assert tuple(map(str, asked.of("pip"))) == (
        "-r /srv/my p/req/dev.txt",
        "-e /srv/my p",
        "/srv/my p/dist/a b.whl",
    )
    assert tuple(map(str, asked.of("conda"))) == ("/srv/my p/x.conda",)


def test_a_direct_url_is_no_path() -> None:
    for spec in ("six@https://h.example/six.whl", "six @ file:///w/six.whl"):
        assert read_specs([spec], folder="/srv").specs == (("pip", spec),)


def test_a_cell_has_sections_comments_and_several_specs_a_line() -> None:
    asked = read_cell(
        "# what I need\n"
        "numpy>=1.20 pandas   # two\n"
        "conda:\n  scipy >=1.10\n  libblas=*=*openblas\n"
        "pip:\n- twitter\n- foo[bar] >= 1.0 ; python_version < '4'\n"
        "apt: graphviz libpq-dev\n"
    )
    assert asked.specs == (
        (None, "numpy>=1.20"),
        (None, "pandas"),
        ("conda", "scipy>=1.10"),
        ("conda", "libblas=*=*openblas"),
        ("pip", "twitter"),
        ("pip", "foo[bar] >= 1.0 ; python_version < '4'"),
        ("apt", "graphviz"),
        ("apt", "libpq-dev"),
    )


def test_a_cell_takes_a_pasted_environment_yml() -> None:
    asked = read_cell(
        "name: chapter\nchannels: [conda-forge, nodefaults]\nprefix: /opt/x\n"
        "dependencies:\n  - python=3.11\n  - pymongo\n  - pip\n  - pip:\n"
        "    - twitter==1.19\n    - -r more.txt\n",
        folder="/srv",
    )
    assert tuple(map(str, asked.of("conda"))) == ("python=3.11", "pymongo", "pip")
    assert tuple(map(str, asked.of("pip"))) == ("twitter==1.19", "-r /srv/more.txt")
    assert asked.sources.channels == ("conda-forge",)
    assert any("chapter" in note for note in asked.notes)
    assert any("prefix" in note for note in asked.notes)


def test_a_cell_takes_a_pasted_requirements_list() -> None:
    asked = read_cell(
        "--index-url https://h.example/simple\n--extra-index-url=https://i.example/simple\n"
        "-c limits.txt\nsix==1.17.0\ndask[array]>=2024.1 # lazy\n",
        folder="/srv",
    )
    assert asked.sources.index_url == "https://h.example/simple"
    assert asked.sources.extra_index_urls == ("https://i.example/simple",)
    assert asked.unsaid == ("six==1.17.0",)
    assert tuple(map(str, asked.of("pip"))) == ("-c /srv/limits.txt", "dask[array]>=2024.1")


def test_a_hash_stays_with_its_requirement_and_pips_options_are_kept() -> None:
    asked = read_cell(
        "--no-binary :all:\n--pre\n-f ./wheels\n"
        "six == 1.17.0 ; python_version > '3' \\\n    --hash=sha256:00 \\\n    --hash sha512:11\n",
        folder="/srv",
    )
    assert asked.specs == (
        ("pip", "six == 1.17.0 ; python_version > '3' --hash=sha256:00 --hash=sha512:11"),
    )
    assert asked.pip_options == ("--no-binary", ":all:", "--pre")
    assert asked.sources.find_links == ("/srv/wheels",)


@pytest.mark.parametrize(
    "body",
    ["--hash=sha256:00", "six --config-settings=a=b", "channels: [a\ndependencies: {", "$(id)"],
)
def test_a_cell_that_cannot_be_read_raises_before_anything_is_started(body: str) -> None:
    with pytest.raises(UsageError, match="Nothing was started"):
        read_cell(body)


@given(st.text(max_size=60))
def test_no_text_brings_the_reader_down(text: str) -> None:
    for read in (lambda: read_specs(split_words(text)), lambda: read_cell(text)):
        try:
            asked = read()
        except UsageError:
            continue
        assert all("\n" not in spec and "\r" not in spec for _, spec in asked.specs)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))))
def test_quoting_for_a_shell_is_undone_word_by_word(words: list[str]) -> None:
    import shlex

    kept = [word for word in words if not word.startswith("#")]
    assert split_words(shlex.join(kept)) == kept


@pytest.mark.parametrize(
    ("spec", "read"),
    [
        ("foo @ file:./foo", "foo @ file:///w/foo"),
        ("foo[a]@file:sub/my%20foo", "foo[a] @ file:///w/sub/my%20foo"),
        (
            "foo @ file:../x.whl#sha256=1 ; os_name == 'nt'",
            "foo @ file:///x.whl#sha256=1 ; os_name == 'nt'",
        ),
        ("foo @ file:///w/foo", "foo @ file:///w/foo"),
        ("foo @ https://h.example/./foo.zip", "foo @ https://h.example/./foo.zip"),
    ],
)
def test_a_relative_file_behind_a_name_is_made_absolute(spec: str, read: str) -> None:
    assert read_requirement(spec, folder="/w").specs == (("pip", read),)
    assert read_specs([spec], folder="/w").specs == (("pip", read),)


@pytest.mark.parametrize("path", ["./foo", "../foo", "/w/foo"])
def test_a_path_behind_a_name_is_no_url(path: str) -> None:
    with pytest.raises(InvalidSpec, match=f"write foo @ file:(//)?{path}"):
        read_requirement(f"foo @ {path}", folder="/w")
