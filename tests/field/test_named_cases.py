"""Cases that go through several verbs: from a file or a line to the history and the exports."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import files
from jstackmagic.model.errors import InvalidSpec, Stopped
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import debian_owners
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Root
    from support.wheels import WheelIndex

FORMATS = (("dockerfile", "--from", "base:1"), ("conda",), ("binder",), ("sbom",), ("script",))


def exported(*words: str) -> str:
    """The text, the other files and the notes of an export."""
    made = verb("export", *words).artifact
    beside = [each.source.decode() for each in made.files if isinstance(each.source, bytes)]
    return "\n".join((made.text, *beside, *made.notes))


class TestAChannelsVariable:
    """B8: ``$CHANNEL_TOKEN`` in a list's channels is the environment's, and never written down."""

    TEXT = (
        "channels:\n- https://${CHANNEL_TOKEN}@conda.example.com/ch\n"
        "- https://conda.example.com/t/$CHANNEL_TOKEN/ch\ndependencies:\n- six\n"
    )

    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHANNEL_TOKEN", "tk-1")

    def test_it_is_kept_as_written(
        self, tmp_path: Path, conda_root: Root, history_file: Path
    ) -> None:
        path = tmp_path / "environment.yml"
        path.write_text(self.TEXT)
        verb("install", "--record-only", "-p", conda_root.prefix, "-f", path)
        channels = json.loads(history_file.read_text().splitlines()[0])["request"]["channels"]
        assert channels == [
            "https://${CHANNEL_TOKEN}@conda.example.com/ch",
            "https://conda.example.com/t/$CHANNEL_TOKEN/ch",
        ]
        for form in FORMATS:
            assert "tk-1" not in exported(*form)
        assert "****" not in exported("conda")
        (found,) = verb("capture", "--dry-run", path).to_json()["found"]
        assert "tk-1" not in json.dumps(found)

    @pytest.mark.parametrize("placeholder", ["<TOKEN>", "****", "[redacted]"])
    def test_what_conda_masked_can_load_nothing(self, placeholder: str, tmp_path: Path) -> None:
        path = tmp_path / "list.txt"
        url = f"https://repo.example.com/t/{placeholder}/channels/stable/noarch/my-1.0-0.conda"
        path.write_text(f"@EXPLICIT\n{url}\n")
        with pytest.raises(InvalidSpec, match="no download"):
            files.read(path)


class TestARelativeChannelWithAToken:
    """B9: ``t/TOKEN/CHANNEL`` below the alias is a credential, too."""

    CHANNEL = "t/tk-abc-123/private_channel"

    @pytest.mark.parametrize("way", ["option", "list", "spec"])
    def test_it_is_nowhere(
        self, way: str, tmp_path: Path, conda_root: Root, history_file: Path
    ) -> None:
        path = tmp_path / "environment.yml"
        path.write_text(f"channels: [{self.CHANNEL}]\ndependencies: [mytool]\n")
        words = {
            "option": ("--conda", "-c", self.CHANNEL, "mytool"),
            "list": ("-f", str(path)),
            "spec": ("--conda", f"{self.CHANNEL}::mytool"),
        }[way]
        verb("install", "--record-only", "-p", conda_root.prefix, *words)
        said = "".join(exported(*form) for form in FORMATS)
        assert "tk-abc-123" not in history_file.read_text() + said + str(verb("history"))
        assert "mytool" in said
        if way != "spec":
            assert "--mount=type=secret" in exported("dockerfile", "--from", "base:1")

    def test_nor_in_what_capture_says(self, tmp_path: Path) -> None:
        path = tmp_path / "job.py"
        path.write_text(f"# %%\n!conda install -y -c {self.CHANNEL} mytool\n")
        result = verb("capture", "--dry-run", path)
        assert "tk-abc-123" not in f"{result}{result.to_json()}"

    def test_a_folder_called_t_is_no_token(self, tmp_path: Path) -> None:
        path = tmp_path / "job.py"
        path.write_text("# %%\n!conda install -y ./t/project/a-1-0.conda\n")
        result = verb("capture", "--dry-run", path)
        assert "t/project/a-1-0.conda" in f"{result}{result.to_json()}"


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="there is no dpkg here")
def test_the_real_system_s_distributions_are_debian_s(
    wheel_index: WheelIndex, history_file: Path
) -> None:
    """C3: pip would replace what Debian installed; it stops before, and says the way out."""
    owned = debian_owners(["pyyaml", "six", "blinker"], detect("/usr"))
    if not owned:
        pytest.skip("Debian installed none of these distributions here")
    name, (version, package) = next(iter(owned.items()))
    wheel_index.add(name, "999.0")
    words = ("--", "--break-system-packages")
    with pytest.raises(Stopped) as caught:
        verb("install", "--prefix", "/usr", "--pip", f"{name}>=999", "-i", wheel_index.url, *words)
    assert f"{name} {version}, which Debian installed ({package})" in str(caught.value)
    assert not history_file.exists()


class TestAnsweredBeforehand:
    """E3: an answer for debconf and a component that is switched on."""

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (
                "!echo ttf-mscorefonts-installer msttcorefonts/accepted-mscorefonts-eula select"
                " true | sudo debconf-set-selections",
                "accepted-mscorefonts-eula",
            ),
            ("!sudo debconf-set-selections <<< 'a a/b select true'", "a a/b select true"),
            ("!sudo sed -i 's/ main$/ main contrib/' /etc/apt/sources.list", "contrib"),
            ("!sudo apt-add-repository -y contrib", "contrib"),
            ("!echo 'deb http://h.example.com x contrib' | sudo tee -a /etc/apt/sources.list",
             "contrib"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("form", FORMATS[:1] + FORMATS[-1:], ids=lambda form: form[0])
    def test_it_is_listed_and_the_export_says_it(
        self, line: str, said: str, form: tuple[str, ...], tmp_path: Path, history_file: Path
    ) -> None:
        path = tmp_path / "job.py"
        path.write_text(f"# %%\n{line}\n!sudo apt-get install -y ttf-mscorefonts-installer\n")
        verb("capture", path)
        text = exported(*form)
        assert said in text.partition("Not in this: ")[2]
        assert "ttf-mscorefonts-installer" in text

    def test_looking_at_the_answers_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "job.py"
        path.write_text("# %%\n!debconf-show tzdata\n!grep contrib /etc/apt/sources.list\n")
        assert not verb("capture", "--dry-run", path).captures


class TestTwoIndexesInEveryFormat:
    """E7: each package from its own index, or the format's one list is said."""

    OTHER = "https://a.example.com/whl/cpu"

    @pytest.mark.parametrize("first", ["torch", "six"])
    @pytest.mark.parametrize("form", ["pip", "conda", "binder", "pep723", "pixi"])
    def test_the_default_index_stays(
        self, form: str, first: str, tmp_path: Path, history_file: Path
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        steps = [("torch==1.0+cpu", "-i", self.OTHER), ("six",)]
        for words in steps if first == "torch" else reversed(steps):
            verb("install", "--record-only", "--prefix", prefix, "--pip", *words)
        text = exported(form)
        assert self.OTHER in text
        own = {
            "pep723": 'torch = { index = "index-1" }',  # else uv takes the first that has it
            "pixi": f'torch = {{version = "==1.0+cpu", index = "{self.OTHER}"}}',
        }
        assert own.get(form, "torch==1.0+cpu") in text
        assert "six" in text
        assert f"--index-url {self.OTHER}" not in text.replace("--extra-index-url", "")
        assert "default = true" not in text
        assert "the first of the indexes" in text or "dependency confusion" in text

    @pytest.mark.parametrize("form", ["conda", "pixi"])
    @pytest.mark.parametrize(
        ("second", "said"),
        [(("-c", "bioconda"), True), ((), True), (("-c", "lab", "-c", "bioconda"), False)],
    )
    def test_one_order_of_channels_is_said(
        self, form: str, second: tuple[str, ...], said: bool, tmp_path: Path, history_file: Path
    ) -> None:
        prefix = tmp_path / "env"
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "conda-meta" / "history").write_text("")
        for words in (("-c", "lab", "numpy"), (*second, "samtools")):
            verb("install", "--record-only", "--prefix", prefix, "--conda", *words)
        text = exported(form)
        assert ("in this file lab is first for all" in text) is said
