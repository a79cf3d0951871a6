"""%envexport itself: --check, --all, --check-all, and the hook for pre-commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from jstackmagic import export
from jstackmagic.export import Artifact, File
from jstackmagic.export._source import said as notes_of
from jstackmagic.model.errors import ExportError, UsageError
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from support.acceptance import PASSWORD
from support.records import remember
from support.verbs import command, verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from support.acceptance import Acceptance

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(sys.executable).parent / "jstackmagic"
FROM = ("--from", "registry.example.com/lab/base:1")
ALL = (*FROM, "--image", "registry.example.com/lab/analysis:1")


class TestCheck:
    def test_exits_with_one_and_the_difference(self, tmp_path: Path) -> None:
        remember("pip", ("six",), "six", "1.17.0")
        path = tmp_path / "Dockerfile"
        assert command("export", "dockerfile", *FROM, "--output", path).returncode == 0
        done = command("export", "dockerfile", *FROM, "--check", path)
        assert (done.returncode, done.stdout) == (0, f"{path}: up to date.\n")
        remember("pip", ("idna",), "idna", "3.7")
        before = path.read_bytes()
        done = command("export", "dockerfile", *FROM, "--check", path)
        assert done.returncode == 1
        assert "+    'idna==3.7'" in done.stdout
        assert path.read_bytes() == before
        shown = verb("export", "dockerfile", *FROM, "--check", path)
        assert shown.exit_status == 1
        assert shown.to_json()["up_to_date"] is False

    def test_a_missing_file_is_all_difference(self, tmp_path: Path) -> None:
        remember("apt", ("tree",), "tree", "2")
        checked = verb("export", "apt", "--check", tmp_path / "apt.txt")
        assert checked.exit_status == 1
        assert "+tree\n" in checked.difference

    def test_looks_at_what_lies_beside_it_too(self, tmp_path: Path) -> None:
        wheel = build_wheel(tmp_path, "six", "9.0")
        remember("pip", (str(wheel),), "six", "9.0")
        path = tmp_path / "out/install.sh"
        copy = tmp_path / "out/jstackmagic" / wheel.name
        verb("export", "script", "--output", path)
        assert verb("export", "script", "--check", path).exit_status == 0
        copy.write_bytes(b"other")
        assert (
            f"{copy} is not what was installed"
            in verb("export", "script", "--check", path).difference
        )
        copy.unlink()
        assert f"{copy} is missing" in verb("export", "script", "--check", path).difference

    def test_on_another_machine_the_hash_tells(self, tmp_path: Path) -> None:
        import hashlib

        content = b"the wheel"
        file = File("x.whl", "/gone/x.whl", hashlib.sha256(content).hexdigest())
        artifact = Artifact("text\n", (file,))
        (tmp_path / "a").write_text("text\n")
        (tmp_path / "x.whl").write_bytes(content)
        assert artifact.difference(tmp_path / "a") == ""
        (tmp_path / "x.whl").write_bytes(b"another")
        assert "x.whl" in artifact.difference(tmp_path / "a")

    def test_line_ends_and_a_last_line_count(self, tmp_path: Path) -> None:
        remember("apt", ("tree",), "tree", "2")
        path = tmp_path / "apt.txt"
        verb("export", "apt", "--output", path)
        text = path.read_bytes()
        for other in (text.replace(b"\n", b"\r\n"), text[:-1], text + b"\n"):
            path.write_bytes(other)
            assert verb("export", "apt", "--check", path).exit_status == 1

    def test_shows_no_credential_of_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "apt.txt"
        path.write_text("https://me:s3cr3t@p.example.com/x\n")
        assert "s3cr3t" not in str(verb("export", "apt", "--check", path))


class TestAll:
    def test_every_format_and_which_is_which(
        self, acceptance: Acceptance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JSTACKMAGIC_HISTORY", str(acceptance.history))
        written = verb("export", "--all", tmp_path, *ALL)
        assert written.missing == ()
        readme = (tmp_path / "README.md").read_text()
        for name, form in export.formats().items():
            for file in form.files:
                assert (tmp_path / file).is_file()
                assert f"## {file}\n\n`%envexport {name}`:" in readme
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert PASSWORD.encode() not in path.read_bytes(), path
        # what holds one environment is there for the other too
        for file in ("environment.yml", "requirements.txt", "pixi.toml", "pep723.py"):
            assert "demo-private" in (tmp_path / "environments/analysis" / file).read_text()
            assert f"## environments/analysis/{file}" in readme
        assert not (tmp_path / "environments/analysis/Dockerfile").exists()
        assert (tmp_path / "binder/postBuild").stat().st_mode & 0o111
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        verb("export", "--all", tmp_path, *ALL)
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        assert verb("export", "--check-all", tmp_path, *ALL).exit_status == 0
        (tmp_path / "apt.txt").write_text("")
        checked = verb("export", "--check-all", tmp_path, *ALL)
        assert checked.exit_status == 1
        assert "apt.txt" in checked.difference

    def test_one_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        remember("apt", ("tree",), "tree", "2")
        written = verb("export", "--all", tmp_path)
        missing = dict(written.missing)
        assert "image" in missing["jupyterhub/values.yaml"]
        assert not (tmp_path / "jupyterhub").exists()
        assert "jupyterhub/values.yaml" in (tmp_path / "README.md").read_text()
        assert verb("export", "--check-all", tmp_path).exit_status == 0

    def test_a_wheel_that_is_gone_keeps_no_other_format_back(self, tmp_path: Path) -> None:
        wheel = build_wheel(tmp_path / "w", "six", "9.0")
        remember("pip", (str(wheel),), "six", "9.0")
        remember("apt", ("tree",), "tree", "2")
        wheel.unlink()
        missing = dict(verb("export", "--all", tmp_path / "out").missing)
        assert "is no longer there" in missing["Dockerfile"]
        assert (tmp_path / "out/apt.txt").read_text().endswith("\ntree\n")
        assert not (tmp_path / "out/Dockerfile").exists()

    def test_on_a_machine_with_the_recipe_alone(self, tmp_path: Path, history_file: Path) -> None:
        remember("pip", ("six",), "six", "1.17.0")
        verb("export", "--all", tmp_path, *ALL)
        history_file.unlink()
        checked = verb(
            "export", "--recipe", tmp_path / "recipe.json", "--check-all", tmp_path, *ALL
        )
        assert checked.exit_status == 0
        assert any("sbom" in note for note in checked.notes)  # it needs the history

    def test_no_two_files_want_one_name(self, tmp_path: Path) -> None:
        """Two wheels of one name, of which some formats take the second alone."""
        for folder in ("a", "b"):
            wheel = build_wheel(tmp_path / folder, "six", "9.0")
            remember("conda" if folder == "a" else "pip", (str(wheel),), "six", "9.0")
        verb("export", "--all", tmp_path / "out", *ALL)
        copies = list((tmp_path / "out/jstackmagic").rglob("*.whl"))
        assert copies
        for path in (tmp_path / "out").rglob("*.whl"):
            relative = path.relative_to(
                path.parents[[p.name for p in path.parents].index("jstackmagic")]
            )
            assert {p.read_bytes() for p in (tmp_path / "out").rglob(str(relative))} == {
                path.read_bytes()
            }

    @pytest.mark.parametrize(
        "words", [(), ("--all", "x", "apt"), ("--all", "x", "--check-all", "x")]
    )
    def test_one_thing_at_a_time(self, words: tuple[str, ...]) -> None:
        with pytest.raises(UsageError) as raised:
            verb("export", *words)
        assert "dockerfile" in raised.value.advice[0]

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(ExportError):
            verb("export", "--all", tmp_path / "out")


class TestPreCommit:
    def test_the_hook_is_one(self) -> None:
        command = [
            sys.executable,
            "-m",
            "pre_commit",
            "validate-manifest",
            REPOSITORY / ".pre-commit-hooks.yaml",
        ]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def test_stops_a_commit_of_a_file_that_is_old(self, tmp_path: Path) -> None:
        """By pre-commit itself, in this environment in the place of one that it would make."""
        (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
        words = ["--recipe", "recipe.json", *FROM, "--style", "plain", "--check", "Dockerfile"]
        hook |= {
            "args": ["dockerfile", *words],
            "language": "system",
            "entry": f"{shlex.quote(str(PROGRAM.parent))}/{hook['entry']}",
        }
        config = {"repos": [{"repo": "local", "hooks": [hook]}]}
        (tmp_path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
        environ = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")}

        def run(*command: object) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(word) for word in command],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                env=environ,
                stdin=subprocess.DEVNULL,
            )

        run("git", "init", "--quiet")
        remember("pip", ("six",), "six", "1.17.0")
        verb("export", "json", "--output", tmp_path / "recipe.json")
        verb("export", "dockerfile", *FROM, "--style", "plain", "--output", tmp_path / "Dockerfile")
        run("git", "add", "--all")
        remember("pip", ("idna",), "idna", "3.7")
        verb("export", "json", "--output", tmp_path / "recipe.json")
        done = run(sys.executable, "-m", "pre_commit", "run", "--all-files")
        assert done.returncode == 1
        assert "idna==3.7" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("six[x]\nidna\n", True),
        ("six ; python_version > '3'\n", True),
        ("six==1 \\\n  --hash=sha256:00\n", True),
        ("--index-url https://${T}@h.example\nsix\n", True),
        ("six==1  # [not] ; this\n", False),
        (None, True),
    ],
)
def test_what_the_rest_of_a_list_loses_is_said(
    text: str | None, said: bool, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_text(text)
    first = remember("pip", (f"-r {path}",), "six", "1.17.0")
    moved = Package("pip", "idna", "3.7", requested=True)
    outcome = Outcome("ok", 0, 0.1, Change(added=(moved, *first.outcome.change.added)))
    gone = Outcome("ok", 0, 0.1, Change(removed=(moved,)))
    records = [
        replace(first, outcome=outcome),
        replace(first, id="b.1", request=Request("remove", "pip", ("idna",)), outcome=gone),
    ]
    notes = [note for note in notes_of(records) if str(path) in note]
    assert bool(notes) is said
    assert all("six is asked for by name and version" in note for note in notes)
    assert not notes_of(records[:1])
