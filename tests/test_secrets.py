"""Secrets are planted in every place that can hold one, and looked for in all that comes out."""

from __future__ import annotations

import functools
import json
import random
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from jstackmagic import commands, export
from jstackmagic.display import as_text, json_text
from jstackmagic.display.console import PlainConsole
from jstackmagic.display.html import as_html
from jstackmagic.model.credentials import mask
from jstackmagic.model.errors import JStackMagicError
from jstackmagic.session import Session
from support.environments import make_venv
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INDEX = "https://me:{}@h.example/simple"
WHEEL = "six @ https://h.example/six-1.17.0-py3-none-any.whl"
CHANNEL = "https://c.example/t/{}/chan"

LINES = {
    # indexes and channels
    "a password": ["--pip", "six", "-i", INDEX],
    "a token": ["--pip", "six", "-i", "https://{}@h.example/simple"],
    "a further index": ["--pip", "six", "--extra-index-url", INDEX],
    "behind @": ["--pip", "six", "-i", "https://me:a@{}@h.example/simple"],
    "behind /": ["--pip", "six", "-i", "https://me:a/{}@h.example/simple"],
    "behind '": ["--pip", "six", "-i", "https://me:a'{}@h.example/simple"],
    'behind "': ["--pip", "six", "-i", 'https://me:a"{}@h.example/simple'],
    "behind #": ["--pip", "six", "-i", "https://me:a#{}@h.example/simple"],
    "behind ?": ["--pip", "six", "-i", "https://me:a?{}@h.example/simple"],
    "behind a blank": ["--pip", "six", "-i", "https://me:a {}@h.example/simple"],
    "behind |": ["--pip", "six", "-i", "https://me:a|{}@h.example/simple"],
    "behind <": ["--pip", "six", "-i", "https://me:a<{}@h.example/simple"],
    "quoted": ["--pip", "six", "-i", "https://me:%40{}%2f@h.example/simple"],
    "a channel": ["--conda", "six", "-c", CHANNEL],
    "a channel's end": ["--conda", "six", "-c", "https://c.example/t/{}"],
    "a relative channel": ["--conda", "six", "-c", "t/{}/chan"],
    "a channel's password": ["--conda", "six", "-c", "https://me:{}@c.example/chan"],
    "a spec of a relative channel": ["conda:t/{}/chan::six"],
    "a spec of a channel": [f"conda:{CHANNEL}::six"],
    "a spec in brackets": [f"conda:six[channel={CHANNEL}]"],
    "a conda archive": [f"{CHANNEL}/noarch/six-1.17.0-pyhd_0.conda"],
    # signed and direct URLs
    "Amazon's signature": [f"{WHEEL}?X-Amz-Credential=AKIDX&X-Amz-Signature={{}}"],
    "Amazon's token": [f"{WHEEL}?X-Amz-Security-Token={{}}&X-Amz-Expires=3"],
    "Amazon's older one": [f"{WHEEL}?AWSAccessKeyId=A&Signature={{}}&Expires=1"],
    "Google's signature": [f"{WHEEL}?X-Goog-Signature={{}}"],
    "Azure's signature": [f"{WHEEL}?sv=2022-11-02&sp=r&sig={{}}"],
    "GitLab's private token": [f"{WHEEL}?private_token={{}}"],
    "GitLab's job token": [f"{WHEEL}?job_token={{}}"],
    "a client's secret": [f"{WHEEL}?client_secret={{}}"],
    "OAuth's code": [f"{WHEEL}?code={{}}&state=x"],
    "a fragment": [f"{WHEEL}#access_token={{}}"],
    "a second fragment": [f"{WHEEL}#egg=six&access_token={{}}"],
    "git": ["six @ git+https://{}@g.example/r.git@v1"],
    "git's user": ["git+https://oauth2:{}@g.example/r.git@v1#egg=six"],
    "git's token as the user": ["git+https://{}:x-oauth-basic@g.example/r.git#egg=six"],
    "git by ssh": ["git+ssh://git:{}@g.example/r.git#egg=six"],
    "an nginx link": [f"{WHEEL}?e=1700000000&h={'9f8a7b6c' * 4}&token={{}}"],
    "a swift link": [f"{WHEEL}?temp_url_sig={{}}&temp_url_expires=1"],
    "a key pair's policy": [f"{WHEEL}?Policy=eyJ&Signature={{}}&Key-Pair-Id=APK"],
    "S3's user": ["six @ s3://AKID:{}@bucket/six-1.17.0-py3-none-any.whl"],
    # options
    "a proxy": ["--pip", "six", "--", "--proxy", "me:{}@proxy.example:3128"],
    "a proxy's equals sign": ["--pip", "six", "--", "--proxy=me:{}@proxy.example:3128"],
    "a proxy, odd": ["--pip", "six", "--", "--proxy", "me:a/b:{}@proxy.example:3128"],
    "a proxy's URL": ["--pip", "six", "--", "--proxy", "http://me:{}@proxy.example:3128"],
    "a setting": ["--pip", "six", "--", "--config-settings", "token={}"],
    "a setting's equals sign": ["--pip", "six", "--", "--config-settings=token={}"],
    "a setting, short": ["--pip", "six", "--", "-Ctoken={}"],
    "a setting, apart": ["--pip", "six", "--", "-C", "token={}"],
    "a setting's option": ["--pip", "six", "--", "-C--build-option=--password={}"],
    "another's option": ["--pip", "six", "--", "--global-option", "--password={}"],
    "another's option, apart": [
        *("--pip", "six", "--", "--global-option=--api-key", "--global-option={}"),
    ],
    "an index behind dashes": ["--pip", "six", "--", "--index-url", INDEX],
    "an index, short": ["--pip", "six", "--", f"-i{INDEX}"],
    "links": ["--pip", "six", "--", f"-f{INDEX}"],
    "apt's proxy": ["apt:tree", "--", "-o", "Acquire::http::Proxy=http://me:{}@p.example:3128"],
}
CELLS = {
    "pip": f"!pip install -i {INDEX} six",
    "a variable before": f"!PIP_INDEX_URL={INDEX} pip install six",
    "a token before": "!MY_TOKEN={} pip install six",
    "export": f"%%bash\nexport PIP_INDEX_URL={INDEX}\npip install six",
    "an exported token": "%%bash\nexport GH_PAT={}\npip install git+https://$GH_PAT@g.example/r.git",
    "%pip": "%pip install --extra-index-url=https://{}@h.example/simple six",
    "os.environ": f"import os\nos.environ['PIP_INDEX_URL'] = '{INDEX}'\n!pip install six",
    "subprocess": f"import subprocess\nsubprocess.run(['pip', 'install', '-i', '{INDEX}', 'six'])",
    "Python's variable": "TOKEN = '{}'\n!pip install git+https://$TOKEN@g.example/r.git",
    "%conda": f"%conda install -c {CHANNEL} six",
    "a spec of conda": "!conda install t/{}/chan::six",
    "pip's configuration": f"!pip config set global.index-url {INDEX}\n!pip install six",
    "conda's configuration": f"!conda config --add channels {CHANNEL}\n!conda install six",
    "a header": "!curl -H 'Authorization: Bearer {}' https://h.example/install.sh | sh",
    "another header": "!wget --header='PRIVATE-TOKEN: {}' https://h.example/x.whl",
    "a header that is named for nothing": "!curl -H 'X-Some: {}' https://h.example/i.sh | sh",
    "a key's header": "!curl -H 'apikey: {}' https://h.example/i.sh | sh",
    "a cookie": "!curl -b 'session={}' https://h.example/i.sh | sh",
    "sshpass": "!sshpass -p {} ssh me@h.example pip install six",
    "sudo": "!sudo -S apt-get install -y tree <<< {}",
    "Jenkins' variable": "!NEXUS_PSW={} pip install six",
    "a connection": "!AZURE='AccountName=a;AccountKey={};EndpointSuffix=x' pip install six",
    "Dropbox's link": "!pip install 'https://d.example/s/x.whl?rlkey={}&dl=1'",
    "curl's user": "!curl -u me:{} https://h.example/x.whl -o x.whl && pip install x.whl",
    "netrc": "!echo 'machine h.example login me password {}' > ~/.netrc\n!pip install six",
    "uv": f"!uv pip install --index {INDEX} six",
    "uv's variable": "!UV_INDEX_PRIVATE_PASSWORD={} uv pip install six",
    "git clone": "!git clone https://{}@g.example/r.git && pip install ./r",
    "no requirement": f"!pip install six=={INDEX}",
    "an option that pip has not": "!pip install six --token {}",
    "what sudo reads": "!echo {} | sudo -S apt-get install -y tree",
    "what a process reads": (
        "import subprocess\nsubprocess.run(['sudo', '-S', 'apt-get', 'install', 'ed'], input='{}')"
    ),
    "git's helper": "!GIT_ASKPASS='echo {}' pip install git+https://g.example/r.git",
    "%env and a blank": "%env GH_PAT {}\n!pip install git+https://$GH_PAT@g.example/r.git",
    "a build argument": "!docker build --build-arg=NPM_TOKEN={} . && pip install six",
    "conda's token": "!conda token set {}\n!conda install six",
    "a here-document": (
        "%%bash\ncat > ~/.netrc <<EOF\nmachine h\nlogin me\npassword {}\nEOF\npip install six"
    ),
    "Python's call, and a comment": "login(token='{}')  # token=a'{}'\n!pip install six",
    "an annotation": "token: str = '{}'\n!pip install git+https://$token@g.example/r.git",
    "a fallback": "import os\nt = os.getenv('A_TOKEN') or '{}'\n!pip install six -i https://$t@h.example",
    "a substitution": "!A_TOKEN=$(echo {}) pip install six",
    "a file of a token": "!printf '%s' {} > ~/.pypi-token\n!pip install six",
    "several cookies": "!curl -H 'Cookie: a={}; b={}' https://h.example/i.sh | sh",
    "a configuration": (
        "%%writefile pip.conf\n[global]\nextra-index-url =\n"
        "    https://a.example\n    https://me:{}@h.example/simple"
    ),
    "a sum": (
        "import subprocess\n"
        "subprocess.run(['pip', 'install', '-i', 'https://me:' + '{}' + '@h', 'six'])"
    ),
    "a format": "import os\nos.system('pip install -i https://%s:%s@h.example six' % ('me', '{}'))",
    "an environment": (
        "import subprocess\n"
        "subprocess.run(['pip', 'install', 'six'], env=dict(X='y', A_TOKEN='a' '{}'))"
    ),
    "a list of words": (
        "import subprocess\nsubprocess.run(['docker', 'login', '-u', 'me', '-p', '{}'])\n"
        "subprocess.run(['wandb', 'login', '{}'])\n!pip install six"
    ),
    "a broken line": "%%bash\npip install -i https://me:\\\n{}@h.example/simple six",
    "pip's own file": (
        "%%bash\ncat > ~/.config/pip/pip.conf <<EOF\n[global]\nproxy = me:{}@h.example:80\nEOF\n"
        "docker login --password-stdin <<EOF\n{}\nEOF\npip install six"
    ),
    "what a proxy wants": "!curl --proxy-user me:{} https://h.example/i.sh | sh",
}
FILES = {
    ("requirements.txt", "an index"): f"--index-url {INDEX}\nsix\n",
    ("requirements.txt", "a URL"): f"{WHEEL}?token={{}}\n",
    ("requirements.txt", "git"): "-e git+https://{}@g.example/r.git#egg=six\n",
    ("requirements.txt", "a setting"): "six --config-settings token={}\n",
    ("requirements.txt", "a comment"): "# token: {}\nsix\n",
    ("requirements.txt", "a comment behind"): "six  # password={}\n",
    ("requirements.txt", "a key"): (
        "# -----BEGIN RSA PRIVATE KEY-----\n# {}\n# -----END RSA PRIVATE KEY-----\nsix\n"
    ),
    ("requirements.txt", "links"): f"--find-links {INDEX}\nsix\n",
    ("environment.yml", "a channel"): f"channels:\n- {CHANNEL}\ndependencies:\n- six\n",
    ("environment.yml", "a spec"): "dependencies:\n- t/{}/chan::six\n",
    ("environment.yml", "pip's index"): (
        f"dependencies:\n- pip:\n  - --index-url {INDEX}\n  - flask\n"
    ),
    ("environment.yml", "a variable"): "variables:\n  API_TOKEN: {}\ndependencies:\n- six\n",
    ("pyproject.toml", "git"): (
        "[project]\nname='x'\nversion='1'\ndependencies=['six @ git+https://{}@g.example/r.git']\n"
    ),
    ("pyproject.toml", "uv's index"): (
        "[project]\nname='x'\nversion='1'\ndependencies=['six']\n"
        f"[[tool.uv.index]]\nname='p'\nurl='{INDEX}'\n"
    ),
    ("explicit.txt", "a token"): f"@EXPLICIT\n{CHANNEL}/noarch/six-1.17.0-pyhd_0.conda\n",
    ("explicit.txt", "a password"): (
        "@EXPLICIT\nhttps://me:{}@c.example/chan/noarch/six-1.17.0-pyhd_0.conda\n"
    ),
    ("Dockerfile", "a variable"): f"FROM debian\nENV PIP_INDEX_URL={INDEX}\nRUN pip install six\n",
    ("Dockerfile", "a line"): f"FROM debian\nRUN PIP_INDEX_URL={INDEX} pip install six\n",
    ("Dockerfile", "an argument"): "FROM debian\nARG PIP_TOKEN={}\nRUN pip install six\n",
    ("Dockerfile", "a label"): 'FROM debian\nLABEL "api.key"="{}"\nRUN pip install six\n',
    ("Dockerfile", "a login"): "FROM debian\nRUN echo {} | docker login --password-stdin\n",
    ("Dockerfile", "a file"): "FROM debian\nRUN echo '{}' > ~/.token && pip install six\n",
    ("environment.yml", "a list"): (
        "dependencies:\n- pip:\n  - six\n  - --config-settings=token={}\n"
    ),
    ("environment.yml", "an anchor"): "x:\n  token: &a {}\ndependencies:\n- six\n",
    ("pyproject.toml", "a table"): (
        "[project]\nname='x'\nversion='1'\ndependencies=['six']\n[tool.x]\na = {token='{}',b='c'}\n"
    ),
    ("script.py", "a URL"): f"# /// script\n# dependencies = ['{WHEEL}?token={{}}']\n# ///\n",
}


def secrets(place: object) -> tuple[str, str]:
    """One as a person chooses it, one as a service makes it: others for each place."""
    drawn = random.Random(str(place))
    chosen = "".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(2, 8)))
    made = "".join(drawn.choices("QZXKJqzxkj0189", k=drawn.randint(15, 37)))
    return f"hunqter-{chosen}{drawn.choice(['', '7'])}", f"Q{made}z1"


@dataclass
class Surfaces:
    """All that comes out of verbs: what they show in every form, what they write, their errors."""

    folder: Path
    shown: dict[str, str] = field(default_factory=dict)

    def run(self, *words: object) -> None:
        said: list[str] = []
        name = " ".join(map(str, words))
        try:
            result, _ = commands.execute(
                str(words[0]),
                [str(word) for word in words[1:]],
                Session(shown=PlainConsole(said.append)),
            )
        except JStackMagicError as error:
            error.coloured = False
            shown = {"the error": "\n".join(error._render_traceback_())}
        else:
            shown = {
                "as text": as_text(result.parts()),
                "as HTML": as_html(result.parts()),
                "as JSON": json_text(result),
                "the document": result.document or "",
                "its name": repr(result),
            }
        for form, text in {**shown, "said": "".join(said)}.items():  # of a file more than once
            self.shown[f"{name}, {form}"] = self.shown.get(f"{name}, {form}", "") + f"{text}\n"

    def show_all(self, *formats: str) -> None:
        """The history, and some formats of it or all, with the files beside."""
        self.run("history")
        for name in formats or export.formats():
            self.run("export", name)
        if not formats:
            self.run("export", "--all", self.folder / "made")

    def all_texts(self) -> dict[str, str]:
        """What was shown and what was written, by where it is."""
        files = {
            str(file.relative_to(self.folder)): file.read_text(errors="replace")
            for file in self.folder.rglob("*")
            if file.is_file() and "given" not in file.parts
        }
        return {**self.shown, **files}

    def holding(self, *wanted: str) -> list[str]:
        """Where one of these texts is, the lines around it included."""
        return [
            f"{name}: {line}"
            for name, text in self.all_texts().items()
            for each in wanted
            for form in {each, quote(each, safe="")}
            if form in text
            for line in text.splitlines()
            if form in line
        ]


@contextmanager
def surfaces() -> Iterator[Surfaces]:
    """A fresh history, a folder for exports, and one that is given to the verbs."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        (folder / "given").mkdir()
        patch.chdir(folder / "given")
        patch.setenv("JSTACKMAGIC_HISTORY", str(folder / "history.jsonl"))
        yield Surfaces(folder)


def notebook(folder: Path, *sources: str) -> Path:
    """A notebook of these cells."""
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    path = folder / "x.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    return path


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_venv(tmp_path_factory.mktemp("secrets") / "venv", pip=False)


@pytest.fixture(scope="module", autouse=True)
def parsers() -> Iterator[None]:
    """A verb's parser is made once, not for each of a thousand lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "parser", functools.cache(commands.parser))
        yield


def planted(places: Mapping[Any, str | list[str]]) -> Iterator[tuple[Any, list[str]]]:
    """Yield each place twice: with one of its own secrets, each about another package."""
    for place, texts in places.items():
        for secret, name in zip(secrets(place), ("six", "seven"), strict=True):
            given = [texts] if isinstance(texts, str) else texts
            yield place, [text.replace("{}", secret).replace("six", name) for text in given]


@pytest.mark.parametrize("kind", ["lines", "cells", "installed files", "captured files"])
def test_nothing_of_any_place_comes_out_in_any_format(kind: str, venv: Path) -> None:
    places: dict[str, Mapping[Any, str | list[str]]] = {"lines": LINES, "cells": CELLS}
    with surfaces() as out:
        for place, texts in planted(places.get(kind, FILES)):
            if kind == "lines" and place != "apt's proxy":  # which no Dockerfile takes
                out.run("install", "--prefix", venv, "--record-only", *texts)
            elif kind == "cells":
                out.run("capture", "--prefix", venv, notebook(out.folder / "given", *texts))
            elif kind != "lines":
                file = out.folder / "given" / place[0]
                file.write_text(texts[0])
                words = ["capture"] if "captured" in kind else ["install", "--record-only", "-f"]
                out.run(words[0], "--prefix", venv, *words[1:], file)
        out.show_all()
        planted_here = [each for place in places.get(kind, FILES) for each in secrets(place)]
        assert out.holding(*planted_here) == []
        refused = {name.split()[1] for name in out.shown if re.match("export .*, the error", name)}
        # which need packages that are there, or an image
        assert refused <= {"conda-explicit,", "conda-lock,", "jupyterhub,", "pylock,"}


def test_nothing_of_apts_proxy_comes_out(venv: Path) -> None:
    place = "apt's proxy"
    with surfaces() as out:
        for _, words in planted({place: LINES[place]}):
            out.run("install", "--prefix", venv, "--record-only", *words)
        out.show_all("dockerfile", "script")
        assert out.holding(*secrets(place)) == []


TEXTS = [*map(" ".join, LINES.values()), *CELLS.values(), *FILES.values()]


@pytest.mark.parametrize("end", [*").,:;?!…`]}", " (pip)", "; x", ": not kept.", ").\n"])
def test_what_is_masked_stays_as_it_is_in_a_sentence(end: str) -> None:
    """A text is masked where it is made, and again where it is shown, among others."""
    for text in TEXTS:
        once_masked = mask(text.replace("{}", "hunqter-ab1"))
        for sentence in (once_masked + end, once_masked.replace("*", r"\*") + end):
            assert mask(sentence) == sentence


def test_nothing_that_moves_a_cursor_or_turns_a_line_comes_out(venv: Path) -> None:
    hostile = (
        "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u2066\u2028\u200b\ufeff\U000e0041\x1b]8;;x\x1b\\"
    )
    sources = [
        f"!pip install $(echo {hostile}) six",
        f"!pip install six{hostile}",
        f"!conda install 'x{hostile}'",
        f"%%bash\npip install \\\n $X{hostile}\nRUN touch /pwned",
        f"!curl https://h.example/{hostile}.sh | sh",
    ]
    with surfaces() as out:
        out.run("install", "--prefix", venv, "--record-only", f"six{hostile}")
        out.run("install", "--prefix", venv, "--record-only", "six", "--", f"--x{hostile}")
        out.run("capture", "--prefix", venv, notebook(out.folder / "given", *sources))
        assert "Not understood" in "".join(out.shown.values())
        out.show_all()
        moves, beyond = (
            r"\x00-\x08\x0b-\x1f",
            r"\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u200b\ufeff\U000e0041",
        )
        held = [
            (name, line)
            for name, text in out.all_texts().items()
            for line in text.split("\n")
            # JSON writes the first out; a JSON file is for programs
            if re.search(f"[{moves}]" if ".json" in name else f"[{moves}{beyond}]", line)
        ]
        assert held == []


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_nothing_of_a_real_install_comes_out(engine: str, tmp_path: Path) -> None:
    """The index wants the password; what the managers print has it, too."""
    secret = "hunqter-9x@/"
    prefix = make_venv(tmp_path / "venv")
    with surfaces() as out, WheelIndex(tmp_path / "wheels", user="me", password=secret) as index:
        index.add("private-thing", "1.0")
        index.add("private-thing", "2.0")
        into = ("install", "--prefix", prefix, "--engine", engine, "--pip")
        url = index.url_with_credentials
        out.run(*into, "private-thing==1.0", "-i", url)
        out.run(*into, "private-thing", "-U", "-i", url)
        out.run(*into, "no-such-thing", "-i", url)
        listed = out.folder / "given/requirements.txt"
        listed.write_text(f"--extra-index-url {url}\nprivate-thing==1.0\n")
        out.run(*into, "-r", listed)
        out.run("undo")
        assert "2.0" in out.shown[f"{' '.join(map(str, into))} private-thing -U -i {url}, as text"]
        out.show_all()
        # the names of these calls have it, as the user typed it
        out.shown = {re.sub(r"\S*hunqter\S*", "", name): text for name, text in out.shown.items()}
        assert out.holding(secret) == []
        assert "private-thing" in (out.folder / "history.jsonl").read_text()


@pytest.mark.parametrize(
    "text",
    [
        f"six==1.17.0 \\\n    --hash=sha256:{'0a1b' * 16} \\\n    --hash=sha256:{'9c8d' * 16}",
        "token-bucket==0.3.0 secret-storage>=3.3 tokenize-rt[key] keyrings.alt==5.0",
        "https://c.example/conda-forge/noarch/token-bucket-0.3.0-pyhd8ed1ab_0.conda",
        "Successfully installed token-bucket-0.3.0 secretstorage-3.3.3",
        "git+https://g.example/r.git@v1.2.3#egg=x&subdirectory=a",
        "x==1.0+g8abb2f1d.d20260101 torch==2.5.1+cu124",
        f"https://g.example/o/r/archive/{'8abb2f1d' * 5}.zip",
        "apt-get install -y libpam-pwquality=1.4.5-1 libsecret-tools gnupg-agent",
        "RUN --mount=type=secret,id=pip_token,target=/run/secrets/t pip install x",
        "uv pip install --keyring-provider subprocess six",
        '{token-bucket,secret-storage} requires = ["token-bucket>=1", "keyring"]',
        "key = lambda x: x\nfor key, token in pairs: tokens = tokenizer('hello world')",
        "https://f.example/packages/d9/5a/" + "e7c31adb" * 7 + "/six-1.16.0-py2.py3-none-any.whl",
        "https://f.example/six-1.16.0.tar.gz#sha256=" + "8abb2f1d" * 8,
        "https://c.example/conda-forge/linux-64/pytorch-2.5.1-cuda126_py313hf7cdfc2_306.conda#"
        + "0f5c8d0a" * 4,
        "git+https://g.example/r.git@" + "8abb2f1d" * 5 + "#egg=x",
        "https://h.example/x?commit=" + "8abb2f1d" * 5,
        "https://h.example/550e8400-e29b-41d4-a716-446655440000/x.whl",
        "/home/me/550e8400-e29b-41d4-a716-446655440000/x.whl",
        "https://h.example/x?filename=PyYAML-6.0.1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "https://h.example/AzureMachineLearningWorkspace2Client/x.whl",
        "tensorflow-io-gcs-filesystem==0.37.1",
        "conda-forge::numpy=1.26.4=py311h64a7726_0",
        "gllm-inference-binary==0.5.9",
        "global-forecast-validation sk-learn-extensions-for-time-series",
        "- django-generate-secret-key: 1.0.2",
        "Invalid token: expected a version",
        "apt-key: command not found",
        "pass: 3, fail: 2",
        "curl -H 'Accept: text/html' -H 'User-Agent: pip/24' https://h.example/x | sh",
        "A='x=1;y=2' B=\"keyboard=us\" sudo -n apt-get install tree <<< y",
        "libssl1.1=1.1.1w-0+deb11u1",
        "example/base-notebook:python-3.11@sha256:" + "0a" * 32,
        '["https://h.example:8080/x","me@b.example"]',
        "secrets=${JSTACKMAGIC_SECRETS:-/run/secrets}",
        "PIP_PASSWORD_FILE=/run/secrets/pip --key-file ~/.ssh/id",
        'PIP_INDEX_URL="$(cat /run/secrets/pip_index_url)"',
        'jwt = ">=1.7,<2"\ntoken = "*"\n["token", "numpy"]',
        'token = os.environ["TOKEN"]\nkey = input("key? ")\nlogin(token=token)',
        'password = getpass.getpass("Password: ")',
        "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        "apt-key adv --recv-keys E298A3A825C0D65DFD57CBB651716619E084DAB9",
        "docker login -u me --password-stdin < ~/pw && docker run -p 8888:8888 x",
        "conda config --set add_anaconda_token false",
        r"npm install x --token \$T --registry https://\${T}@h.example/x",  # as Markdown escapes it
        r'git+https://\$T@g.example/r.git --password="\${P:-x}"',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text
