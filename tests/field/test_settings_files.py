"""pip's and conda's settings in files that lines write: by their places, sections and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.captured import asked, cells, dockerfile, script

if TYPE_CHECKING:
    from pathlib import Path

    from jstackmagic.capture import Found


def index(found: Found) -> str:
    assert found.request is not None
    return found.request.sources.index_url


def wrote(name: str, path: str, section: str = "global") -> str:
    return f"printf '[{section}]\\nindex-url = https://{name}\\n' > {path}"


USER, SYSTEM = "~/.config/pip/pip.conf", "/etc/pip.conf"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([wrote("user", USER), wrote("system", SYSTEM)], "https://user"),
        ([wrote("new", USER), wrote("legacy", "~/.pip/pip.conf")], "https://new"),
        ([wrote("site", "/opt/v/pip.conf"), wrote("user", USER)], "https://user"),
        ([wrote("site", "/opt/v/pip.conf"), ". /opt/v/bin/activate"], "https://site"),
        ([wrote("site", "/opt/v/pip.conf"), ". /opt/w/bin/activate"], ""),
        ([wrote("install", SYSTEM, "install"), wrote("global", USER)], "https://install"),
        ([wrote("freeze", USER, "freeze")], ""),
        ([wrote("named", "/x"), wrote("user", USER), "export PIP_CONFIG_FILE=/x"], "https://named"),
        ([wrote("user", USER), "export PIP_INDEX_URL=https://variable"], "https://variable"),
        ([wrote("user", USER), f"cp {USER} /tmp/kept; rm {USER}"], ""),
        ([wrote("user", USER), f"echo > {USER}"], ""),
        ([wrote("here", "pip.conf")], ""),
        (
            [
                "pip config --user set global.index-url https://user",
                "pip config --global set global.index-url https://system",
            ],
            "https://user",
        ),
        (
            [
                "pip config set install.index-url https://install",
                "pip config set global.index-url https://global",
            ],
            "https://install",
        ),
        (
            [
                "pip config set install.index-url https://install",
                "pip config set global.index-url https://global",
                "pip config unset install.index-url",
            ],
            "https://global",
        ),
        (["/opt/v/bin/pip config --site set global.index-url https://v"], ""),
    ],
)
def test_the_strongest_file_and_section_counts(lines: list[str], expected: str) -> None:
    found = script("\n".join([*lines, "pip install mytool"]))[-1]
    assert (index(found), found.note) == (expected, "")


def test_credentials_in_a_file_stay_variables() -> None:
    (found,) = script(
        "cat > ~/.pip/pip.conf <<EOF\n[global]\n"
        "index-url = https://${WHO}:${TOKEN}@h.example.com/s\nEOF\npip install a"
    )
    assert index(found) == "https://${WHO}:${TOKEN}@h.example.com/s"
    assert "Its index has ${WHO}, ${TOKEN}, which pip fills in only in a list" in found.note


def test_a_variable_that_python_deletes() -> None:
    (found,) = cells(
        'import os\nos.environ["PIP_INDEX_URL"] = "https://a"',
        'del os.environ["PIP_INDEX_URL"]\n!pip install a',
    )
    assert (index(found), found.note) == ("", "")


def test_user_files_are_those_of_the_user_who_installs(tmp_path: Path) -> None:
    text = "\n".join(
        [
            f"RUN {wrote('joe', '/home/joe/.config/pip/pip.conf')}",
            "RUN pip install a",
            "USER joe",
            "RUN pip install b",
        ]
    )
    assert list(map(index, dockerfile(tmp_path, text))) == ["", "https://joe"]


@pytest.mark.parametrize(
    "cell",
    [
        'import os\np = os.path.expanduser("~/.config/pip/pip.conf")\n'
        'with open(p, "w") as f:\n    f.write("[global]\\n")\n'
        '    f.write("index-url=https://w\\n")',
        "from pathlib import Path\n"
        '(Path.home() / ".pip" / "pip.conf").write_text("[global]\\nindex-url=https://w\\n")',
        'conf = open("/etc/pip.conf", mode="w")\n'
        'print("[global]", file=conf)\nprint("index-url=https://w", file=conf)\nconf.close()',
        'import os, shutil\nopen("/tmp/c", "w").write("[global]\\nindex-url=https://w\\n")\n'
        'shutil.copy("/tmp/c", os.path.expanduser("~/.config/pip/pip.conf"))',
        '!pip config set global.index-url https://w\nopen("notes.txt", "w").write("x")',
        'open("/etc/pip.conf", "w").writelines(["[global]\\n", "index-url=https://w\\n"])',
    ],
)
def test_python_writes_it(cell: str) -> None:
    (found,) = cells(cell, "!pip install mytool")
    assert (index(found), found.note) == ("https://w", "")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('open("/etc/pip.conf", "w").write(secret)', "Python, line 1, says what pip reads"),
        ('import configparser\nwith open("/etc/pip.conf", "w") as f:\n    conf.write(f)', "line 3"),
        ('if x:\n    open("/etc/pip.conf", "w").write("")', "which is not seen"),
        ("!aws codeartifact login --tool pip --domain d --repository r", "aws, line 1"),
        ("!jf setup pip", "jf, line 1"),
        ('open("/etc/pip.conf").read()', ""),
        ('open("pip.conf", "w").write(secret)', ""),
        ("!aws codeartifact login --tool npm --domain d --repository r", ""),
    ],
)
def test_what_is_not_seen_is_said(cell: str, said: str) -> None:
    (found,) = cells(cell, "!pip install mytool")
    assert said in found.reason
    assert bool(found.reason) is bool(said)
    assert (found.request is None) is bool(said)  # the default index may have another mytool


KNOWN_LATER = "https://u:$(cat /run/secrets/tok)@pkgs.example.com/simple"


@pytest.mark.parametrize(
    "lines",
    [
        f"PIP_INDEX_URL={KNOWN_LATER} pip install tool",
        f"export PIP_EXTRA_INDEX_URL={KNOWN_LATER}\npip install tool",
        "export PIP_FIND_LINKS=$WHEELS\npip install tool",
        f"pip config set global.index-url {KNOWN_LATER}\npip install tool",
        f"printf '[global]\\nindex-url = {KNOWN_LATER}\\n' > /etc/pip.conf\npip install tool",
        f"UV_INDEX_URL={KNOWN_LATER} uv pip install tool",
        f"UV_INDEX={KNOWN_LATER} uv add tool",
        "export UV_INDEX_URL=$INDEX\nuv tool install tool",
        f"PIP_INDEX_URL={KNOWN_LATER} pipx install tool",
        "export PIP_INDEX_URL=$INDEX\npipx inject app tool",
        f"conda config --add channels {KNOWN_LATER}\nconda install tool",
        f"export CONDA_CHANNELS={KNOWN_LATER}\nmamba install tool",
    ],
)
def test_a_source_that_only_the_run_knows_leads_to_no_other(lines: str) -> None:
    (found,) = script(lines)
    assert found.request is None
    assert "only known when it runs" in found.reason or "is not seen" in found.reason


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("PIP_INDEX_URL=$X pip install -i https://k tool", "https://k"),  # the line's own counts
        ("export PIP_INDEX_URL=https://k\npipx install tool", "https://k"),
        ("pipx install -i https://k tool", "https://k"),
        ("if x; then export PIP_INDEX_URL=https://k; fi\npip install tool", ""),  # a note says it
        ("PIP_INDEX_URL=$X pip install --isolated tool", ""),
    ],
)
def test_what_is_known_is_planned(lines: str, expected: str) -> None:
    (found,) = script(lines)
    assert index(found) == expected


def test_a_list_that_python_writes(tmp_path: Path) -> None:
    finds = cells(
        'with open("q.txt", "w") as f:\n    f.write("six\\n")\n    f.write("idna\\n")',
        "!pip install -r q.txt",
        'for name in names:\n    open("p.txt", "a").write(name)',
        "!pip install -r p.txt",
    )
    assert [dict(found.written) for found in finds] == [
        {"/w/q.txt": "six\nidna\n"},
        {"/w/p.txt": None},
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("conda config --add channels a\nconda config --system --add channels b", ("a", "b")),
        ("conda config --add channels a\nconda config --env --add channels b", ("b", "a")),
        ("conda config --add channels a\nconda config --file /x --add channels b", ("a",)),
        (
            "conda config --add channels a --add channels b\nconda config --remove channels a",
            ("b",),
        ),
        ("conda config --add channels a\nconda config --remove-key channels", ()),
        ("printf 'channels: [a]\\n' > /x\nexport CONDARC=/x", ("a",)),
        (
            "printf 'channels: [a]\\n' > /opt/conda/.condarc\nconda config --add channels b",
            ("b", "a"),
        ),
    ],
)
def test_channels_of_several_files(lines: str, expected: tuple[str, ...]) -> None:
    (found,) = script(f"{lines}\nconda install six")
    assert found.request is not None
    assert (found.request.sources.channels, found.note) == (expected, "")


class TestVariablesOfAnEnvironment:
    """conda keeps variables for an environment, and sets them where it is activated."""

    KEPT = "conda env config vars set -n lab PIP_INDEX_URL=https://x\n"

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            ("conda run -n lab pip install six", "https://x"),
            ("conda activate lab\npip install six", "https://x"),
            ("conda activate lab\nconda deactivate\npip install six", ""),
            ("conda run -n other pip install six", ""),
            (
                "conda env config vars unset -n lab PIP_INDEX_URL\nconda run -n lab pip install a",
                "",
            ),
        ],
    )
    def test_they_count_where_it_is_active(self, lines: str, expected: str) -> None:
        (found,) = script(self.KEPT + lines)
        assert index(found) == expected

    def test_those_of_an_environment_yml(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path,
            "COPY environment.yml .\nRUN conda env create -f environment.yml\n"
            "RUN conda run -n lab pip install six\nRUN pip install idna",
            **{
                "environment.yml": "name: lab\ndependencies: [python]\n"
                "variables: {PIP_INDEX_URL: https://v}\n"
            },
        )
        assert [index(found) for found in finds[1:]] == ["https://v", ""]
        assert asked(finds[1:]) == ["six", "idna"]


class TestLogins:
    """A login that lines write into a file is in no request: it is said, and never shown."""

    @pytest.mark.parametrize(
        ("line", "spec"),
        [
            ("echo 'machine g.example.com login u password hunter2' > ~/.netrc",
             "-i https://g.example.com/simple six"),
            ("echo 'machine g.example.com login u password hunter2' >> ~/.netrc",
             "git+https://g.example.com/o/r"),
            ("echo https://u:hunter2@g.example.com > ~/.git-credentials",
             "git+https://g.example.com/o/r"),
            ("git config --global url.https://u:hunter2@g.example.com/.insteadOf https://g.example.com/",
             "git+https://g.example.com/o/r"),
            ("cp $NETRC_FILE ~/.netrc", "--extra-index-url https://g.example.com/simple six"),
            ("if x; then echo 'machine g.example.com password hunter2' > ~/.netrc; fi",
             "-i https://g.example.com/simple six"),
        ],
    )  # fmt: skip
    def test_it_is_said(self, line: str, spec: str) -> None:
        (find,) = script(f"{line}\npip install {spec}")
        assert "with a login for g.example.com" in find.note
        assert "hunter2" not in find.note

    @pytest.mark.parametrize(
        "text",
        [
            "echo 'machine h.example.com login u password p' > ~/.netrc\n"
            "pip install -i https://g.example.com/simple six",
            "echo 'machine g.example.com login u password p' > ~/.netrc\npip install six",
            "git config --global user.name g.example.com\npip install git+https://g.example.com/r",
            "echo 'machine g.example.com login u password p' > ~/.netrc\nrm ~/.netrc\n"
            "pip install -i https://g.example.com/simple six",
        ],
    )
    def test_of_another_host_it_is_not(self, text: str) -> None:
        (find,) = script(text)
        assert not find.note

    def test_one_that_a_build_mounts(self, tmp_path: Path) -> None:
        mount = "--mount=type=secret,id=netrc,target=/root/.netrc"
        (find,) = dockerfile(tmp_path, f"RUN {mount} pip install -i https://g.example.com/s six")
        assert "The secret netrc" in find.note


def test_a_channel_that_conda_config_defines_is_said() -> None:
    text = "conda config --set custom_channels.own https://c.example.com\nconda install -c own six"
    (find,) = script(text)
    assert "custom_channels https://c.example.com" in find.note


@pytest.mark.parametrize(
    "text",
    [
        "conda install -c nodefaults -c lab six",
        "export CONDA_CHANNELS=lab,nodefaults\nconda install six",
        "conda config --add channels nodefaults\nconda config --add channels lab\n"
        "mamba install six",
    ],
)
def test_nodefaults_is_a_word_and_no_channel(text: str) -> None:
    (find,) = script(text)
    assert find.request is not None
    assert find.request.sources.channels == ("lab",)
