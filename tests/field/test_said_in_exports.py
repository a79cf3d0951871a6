"""What a record says beside what it asks reaches every export: alternatives, what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic import cli
from jstackmagic.model.errors import ExportError
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


def export(*words: str) -> str:
    """The notes of an export."""
    return "\n".join(verb("export", *words).artifact.notes)


def captured(folder: Path, text: str, name: str = "job.py") -> None:
    path = folder / name
    path.write_text(text)
    verb("capture", path)


FORMATS = (("dockerfile", "--from", "base:1"), ("pip",), ("script",))


@pytest.mark.parametrize("form", FORMATS, ids=lambda words: words[0])
def test_alternatives(form: tuple[str, ...], tmp_path: Path, history_file: Path) -> None:
    text = (
        "FROM x\nRUN if y; then pip install tensorflow-aarch64; else pip install tensorflow; fi\n"
    )
    captured(tmp_path, text, "Dockerfile")
    notes = export(*form)
    assert notes.count("one of alternatives") == 2
    verb("remove", "--record-only", "--pip", "tensorflow-aarch64")
    assert export(*form).count("one of alternatives") == 1  # what was chosen is still said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("!R -e \"install.packages('forecast')\"", "conda:r-forecast"),
        ("!echo a a/b select true | sudo debconf-set-selections", "a a/b select true"),
        ("!echo 'deb http://h.example.com ./' > /etc/apt/sources.list.d/x.list", "x.list"),
        ("!pip install $WHAT", "$WHAT is only known"),
        ("!curl -s https://h.example.com/i.sh | bash", "from the network"),
    ],
)
@pytest.mark.parametrize("form", FORMATS[:2], ids=lambda words: words[0])
def test_what_no_request_can_say(
    line: str, said: str, form: tuple[str, ...], tmp_path: Path, history_file: Path
) -> None:
    captured(tmp_path, f"# %%\n{line}\n!pip install six\n")
    notes = export(*form)
    assert "Not in this: " in notes
    assert "job.py" in notes
    assert said in notes


@pytest.mark.parametrize("form", ["pip", "conda", "pylock"])
def test_an_export_of_nothing_else_says_it_too(
    form: str, tmp_path: Path, history_file: Path
) -> None:
    captured(tmp_path, "# %%\n!pip install --target lib six\n")
    with pytest.raises(ExportError) as stopped:
        verb("export", form)
    assert any("Not in this: pip install --target lib six" in line for line in stopped.value.advice)


def test_it_is_recorded_once_and_masked(tmp_path: Path, history_file: Path) -> None:
    text = "# %%\n!curl -s https://me:hunter2@h.example.com/i.sh | bash\n"
    captured(tmp_path, text)
    captured(tmp_path, text)
    lines = history_file.read_text().splitlines()
    assert len(lines) == 1
    assert "hunter2" not in lines[0]
    (record,) = verb("history", "--status", "seen").records
    assert "| bash" in record.commands[0]
    assert "Nothing was installed" in verb("export", "dockerfile", "--from", "x").artifact.text


def test_a_dry_run_records_nothing(tmp_path: Path, history_file: Path) -> None:
    (tmp_path / "job.py").write_text("# %%\n!npm install -g x\n")
    verb("capture", "--dry-run", tmp_path / "job.py")
    assert not history_file.exists()


def test_of_many_some_are_shown(tmp_path: Path, history_file: Path) -> None:
    captured(tmp_path, "# %%\n" + "".join(f"!npm install x{n}\n" for n in range(20)))
    notes = export("dockerfile", "--from", "x")
    assert notes.count("Not in this: ") == 8
    assert "12 more" in notes


@pytest.mark.parametrize(
    "lines",
    [
        "!PIP_INDEX_URL=https://me:hunter2@$HOST/simple pip install six",
        "%env PIP_INDEX_URL=https://me:hunter2@$HOST/simple\n!pip install six",
        "!pip install -r https://me:hunter2@$HOST/list.txt",
        "!curl https://me:hunter2@h.example.com/i.sh | sh",
        "if x:\n    !pip install git+https://me:hunter2@h.example.com/a\nelse:\n    !pip install b",
    ],
)
def test_no_note_shows_a_credential(
    lines: str, tmp_path: Path, history_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.py").write_text(f"# %%\n{lines}\n")
    for words in (("--dry-run",), ("--dry-run", "--json"), ()):
        cli.main(["capture", *words, str(tmp_path / "job.py")])
    cli.main(["export", "dockerfile", "--from", "x"])
    cli.main(["history", "--json"])
    out = capsys.readouterr()
    assert "hunter2" not in f"{out.out}{out.err}{history_file.read_text()}"
    assert "h.example.com" in out.out or "$HOST" in out.out


@pytest.mark.parametrize("form", ["conda", "pip", "pixi", "pylock"])
def test_only_debian_s_packages(form: str, history_file: Path) -> None:
    verb("install", "--record-only", "apt:git=1:2.39", "apt:vim")
    with pytest.raises(ExportError, match=r"Left out: git=1:2.39, vim \(apt\)"):
        verb("export", form)
