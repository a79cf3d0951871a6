"""A shell reached in another way, and that nothing which installs passes without a word."""

from __future__ import annotations

import json
import os
import re
from textwrap import indent
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jstackmagic.capture import notebooks
from jstackmagic.capture.commandlines import recognise
from jstackmagic.capture.lists import expand
from support.captured import asked, cells, dockerfile, script, where
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


class TestDatabricks:
    """A1: a source file that a Databricks workspace exported."""

    JOB = """\
# Databricks notebook source
# MAGIC %pip install fernet==0.1.0

# COMMAND ----------
# MAGIC %sh
# MAGIC apt install -y ghostscript
# MAGIC /databricks/python/bin/python -m pip install -r ../requirements.txt --quiet

# COMMAND ----------
!pip install PyPDF2==2.12.1
"""

    def test_every_install_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "job").mkdir()
        file = tmp_path / "job" / "job.py"
        file.write_text(self.JOB)
        reading = notebooks.read(str(file))
        found = [
            (each.cell, each.line, *map(str, each.found.request.specs))
            for each in reading.findings
            if each.found.request
        ]
        assert found == [
            (1, 2, "fernet==0.1.0"),
            (2, 6, "ghostscript"),
            (2, 7, f"-r {tmp_path}/requirements.txt"),
            (3, 10, "PyPDF2==2.12.1"),
        ]

    def test_it_is_a_notebook_in_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "job.py").write_text(self.JOB)
        (tmp_path / "plain.py").write_text("# MAGIC %pip install six\n")
        assert list(notebooks.files([tmp_path])) == [str(tmp_path / "job.py")]

    def test_other_languages(self, tmp_path: Path) -> None:
        file = tmp_path / "job.py"
        file.write_text(
            "# Databricks notebook source\n# MAGIC %md pip install text\n\n# COMMAND ----------\n"
            '# MAGIC %r\n# MAGIC install.packages("dplyr")\n\n# COMMAND ----------\n'
            "# MAGIC %sql\n# MAGIC select 1\n\n# COMMAND ----------\n"
            'dbutils.library.installPyPI("six", version="1.16")\n\n# COMMAND ----------\n'
            "# MAGIC %sh pip install idna\n"
        )
        reading = notebooks.read(str(file))
        assert asked([each.found for each in reading.findings]) == ["?", "?", "idna"]
        assert reading.problem == "Cells in r, sql are not read."
        assert "six==1.16" in reading.findings[1].found.reason

    def test_a_cell_that_only_mentions_it_is_python(self, tmp_path: Path) -> None:
        file = tmp_path / "job.py"
        file.write_text(
            "# Databricks notebook source\nx = '''\n# MAGIC nothing\n'''\n"
            "# COMMAND ----------\nprint('pip install no')\n"
        )
        assert notebooks.read(str(file)).findings == ()


class TestCellMagics:
    @pytest.mark.parametrize(
        "cell",
        [
            "%%shell\npip install six",
            "%%sh\npip install six",
            "%sh\npip install six",
            "%sh pip install six",
            "%%script bash -e\npip install six",
            "%%script sudo bash\npip install six",
            "%%bash --bg\npip install six",
            "%%bash\n#!/bin/bash\npip install six",
        ],
    )
    def test_a_shell_s(self, cell: str) -> None:
        assert asked(cells(cell)) == ["six"]

    def test_another_interpreter_s_first_line_is_said(self) -> None:
        (find,) = cells("%%bash\n#!/usr/bin/perl\nsystem('pip install six')")
        assert find.request is None
        assert "perl" in find.reason

    def test_so_is_one_in_a_here_document(self, tmp_path: Path) -> None:
        python, bash = dockerfile(
            tmp_path,
            "RUN <<EOF\n#!/usr/bin/env python3\nrun(['pip', 'install', 'six'])\nEOF\n"
            "RUN <<EOF\n#!/bin/bash\npip install idna\nEOF",
        )
        assert "python3" in python.reason
        assert asked([bash]) == ["idna"]

    def test_text_is_none(self) -> None:
        assert cells("%%html\n!pip install six", "%%writefile a.txt\npip install six") == []


class TestDocuments:
    @pytest.mark.parametrize(
        "text",
        [
            "sudo -i <<EOF\npip install six\nEOF",
            "sudo -s <<'EOF'\npip install six\nEOF",
            "sudo su - <<EOF\npip install six\nEOF",
            "su - joe <<'EOF'\npip install six\nEOF",
            "bash -s <<EOF\npip install six\nEOF",
            "bash -s -- a b <<-EOF\n\tpip install six\n\tEOF",
            "cat <<EOF | sudo bash\npip install six\nEOF",
            'echo "pip install six" | bash',
            "printf 'pip install %s\\n' six | sh -s",
            "cat > s.sh <<EOF\npip install six\nEOF\nbash s.sh",
            "echo 'pip install six' > s.sh; sudo sh ./s.sh",
            "sudo -i bash -c 'pip install six'",
            "bash -euxo pipefail -c 'pip install six'",
            "bash -eo pipefail <<'EOF'\npip install six\nEOF",
            "sudo -H -i pip install six",
        ],
    )
    def test_are_followed(self, text: str) -> None:
        assert asked(script(text)) == ["six"]

    @pytest.mark.parametrize(
        "text",
        [
            "ssh host pip install six",
            "docker exec c pip install six",
            "kubectl exec c -- pip install six",
            "chroot /x pip install six",
        ],
    )
    def test_another_machine_s_are_listed(self, text: str) -> None:
        (find,) = script(text)
        assert find.request is None
        assert "another" in find.reason

    def test_one_that_is_only_written_installs_nothing(self) -> None:
        assert script("cat > s.sh <<EOF\npip install six\nEOF\necho done") == []


class TestCommandsAsText:
    """A command that another program is given as text, in a file, or as a task."""

    @pytest.mark.parametrize(
        "text",
        [
            "awk 'BEGIN{system(\"pip install six\")}'",
            "gawk '{\"pip install six\" | getline}' f",
            "awk '{print \"pip install \" $1}' six.txt | sh",
            "git submodule foreach 'pip install -e six'",
            "git bisect run pip install six",
            "cat install-six.sh | bash",
            "base64 -d six.txt | sh",
            "ansible localhost -m pip -a name=six",
            "ansible-playbook six.yml",
            "salt-call --local pip.install six",
            "make six-deps",
            "invoke install-six",
            "nox -s setup-six",
            "sbatch install-six.sh",
            "papermill install-six.ipynb out.ipynb",
            "jupyter nbconvert --execute setup-six.ipynb",
            "/usr/local/bin/start.sh bash -c 'pip install six'",
            "bash entry.sh pip install six",
            "hatch run test:pip install six",
            "npm run setup-six",
            "echo 'pip install six' > /usr/local/bin/start-notebook.d/six.sh",
            "echo '@reboot root pip install six' >> /etc/cron.d/six",
        ],
    )
    def test_is_listed(self, text: str) -> None:
        (find,) = script(text)
        assert find.request is None
        assert "six" in find.command
        assert find.reason

    @pytest.mark.parametrize(
        "text",
        [
            "cat <<E\n$(pip install six)\nE",
            "while read x; do :; done < <(pip install six)",
            "pip list > >(pip install six)",
        ],
    )
    def test_one_in_a_redirection_is_followed(self, text: str) -> None:
        assert asked(script(text)) == ["six"]

    @pytest.mark.parametrize(
        "text",
        [
            "awk '/pip install/ {print $3}' log",
            "awk '{print \"pip install \" $1}' log",
            "gawk '/pip install/' log",
            "git log --grep 'pip install'",
            "sed -i 's/pip install/uv pip install/' Dockerfile",
            "cat <<'E'\n$(pip install six)\nE",
            "echo 'pip install six' > notes.txt",
            "make -j4 deploy",
            "jupyter nbconvert --to html setup.ipynb",
            "sbatch train.sh",
            "/usr/local/bin/start.sh train.py",
            "npm run build",
        ],
    )
    def test_one_that_is_only_text_is_not(self, text: str) -> None:
        assert script(text) == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("apt-get install -y python3-{dev,pip}", "python3-dev python3-pip"),
            ("pip install {six,idna}==1", "six==1 idna==1"),
            ("pip install six{,-x} 'idna'", "six six-x idna"),
            ("pip install '{six,idna}'", "?"),
            ("tini -g -- pip install six", "six"),
        ],
    )
    def test_a_list_in_braces_is_several_words(self, text: str, expected: str) -> None:
        assert asked(script(text)) == [expected]

    def test_a_makefile_that_is_here_tells(self, tmp_path: Path) -> None:
        (tmp_path / "Makefile").write_text("all:\n\tcc x.c\nget:\n\tpip install six\n")
        (tmp_path / "job.sh").write_text("make get\n")
        (found,) = verb("capture", "--dry-run", tmp_path / "job.sh").to_json()["found"]
        assert found["reason"] == "It runs tasks of Makefile, which install (line 4)."
        (tmp_path / "Makefile").write_text("install-deps:\n\tcc x.c\n")
        assert not verb("capture", "--dry-run", tmp_path / "job.sh").to_json()["found"]


class TestHandedOver:
    """G3: lists that a shell hands over."""

    @pytest.mark.parametrize(
        "line",
        [
            "pip install $(sed -n '/torch/!p' requirements.txt)",
            "cat requirements.txt | grep -vP '(?i)TORCH' | xargs pip install",
            "head -n 2 requirements.txt | xargs pip install",
            "grep -v $SKIP requirements.txt | while read p; do pip install $p; done",
            "while read p; do pip install $p; done < <(awk '!/torch/' requirements.txt)",
            'while read p; do [ "$p" = torch ] || pip install $p; done < requirements.txt',
            'while read p && [ "$p" != torch ]; do pip install $p; done < requirements.txt',
        ],
    )
    def test_no_line_is_offered_for_a_list_that_loses_some(self, line: str) -> None:
        (found,) = recognise(line, folder="/w")
        assert found.request is None
        assert "only known when it runs" in found.reason or "piped into it" in found.reason
        assert "%envinstall" not in found.reason

    @pytest.mark.parametrize(
        ("line", "ours"),
        [
            ("xargs -a apt.txt apt-get install -y", "%envinstall -f apt.txt"),
            ("cat apt.txt | xargs sudo apt-get install -y", "%envinstall -f apt.txt"),
            ("apt-get install -y $(cat apt.txt)", "%envinstall -f apt.txt"),
            ("apt-get install -y `grep -v '#' apt.txt`", "%envinstall -f apt.txt"),
            ("xargs -n1 pip install < requirements.txt", "%envinstall -f requirements.txt"),
            ("pip install $(grep -v '^#' requirements.txt)", "%envinstall -f requirements.txt"),
            (
                "while read p; do conda install -y $p; done < pkgs.txt",
                "%envinstall --conda -f pkgs.txt",
            ),
            (
                "for p in $(cat requirements.txt); do pip install $p; done",
                "%envinstall -f requirements.txt",
            ),
            (
                'cat requirements.txt | while read -r p; do pip install "$p"; done',
                "%envinstall -f requirements.txt",
            ),
            (
                'while IFS= read -r p || [ -n "$p" ]; do pip install $p; done < requirements.txt',
                "%envinstall -f requirements.txt",
            ),
            ("for p in $(<apt.txt); do apt-get install -y $p; done", "%envinstall -f apt.txt"),
        ],
    )
    def test_the_line_for_it_is_said(self, line: str, ours: str, tmp_path: Path) -> None:
        for finds in (script(line), cells(f"!{line}"), dockerfile(tmp_path, f"RUN {line}")):
            (find,) = finds
            assert find.request is None
            assert find.reason.endswith(ours)

    def test_words_that_flow_in_are_read(self) -> None:
        assert asked(script("echo six idna | xargs pip install -q")) == ["six idna"]
        assert asked(script("printf '%s\\n' six idna | xargs -n1 pip install")) == ["six idna"]

    def test_a_pipe_of_this_machine_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "requirements.txt")
        (tmp_path / "job.py").write_text("# %%\n!pip install $(cat requirements.txt)\n")
        (found,) = verb("capture", "--dry-run", tmp_path / "job.py").to_json()["found"]
        assert "only known when it runs" in found["reason"]

    def test_words_that_a_program_makes_are_not(self) -> None:
        (find,) = script("pip list --outdated | cut -d' ' -f1 | xargs pip install -U")
        assert find.request is None
        assert "%envinstall" not in find.reason


@pytest.mark.parametrize(
    "substituted",
    [
        "case $x in (a|b) pip install six;; esac",
        "case $x in a) pip install six;; *) true;; esac",
        "for i in 1; do case $i in 1) pip install six;; esac; done",
        "echo case; pip install six",
        "(pip install six) || :",
    ],
)
def test_a_pattern_does_not_end_a_substitution(substituted: str) -> None:
    assert asked(script(f"X=$({substituted}); pip install idna")) == ["six", "idna"]


class TestNothingPasses:
    """Each line with an installer in command position is a find, a note or a problem."""

    installs = (
        st.sampled_from(
            """
        pip install {}|pip3 -q install -U {}|python -m pip install {}|uv pip install {}|uv add {}
        pipx install {}|conda install -y {}|mamba create -n x {}|apt-get -qq install -y {}
        sudo apt install {}|/opt/x/bin/pip install {}|npm install -g {}|gem install {}|yarn add {}
        R -e "install.packages('{}')"|install2.r {}|mim install {}|$TOOL install {}|dpkg -i ./{}.deb
        pip install {} $MORE|pip install {} >=1.0|cargo install {}|pip install {},x|pixi add {}
        pip install '{}>=1' # yes|uv sync --extra {}|poetry add {}|cpanm {}|apk add {}
        conda env create -f {}.yml|pip install -r {}.txt|python -m spacy download {}|pip-sync {}.txt
        add-apt-repository -y ppa:{}|conda remove -y {}|python {}/setup.py install|easy_install {}
        make -C {} install|bash <(curl -s https://h.example.com/{}.sh)
        sh -c "$(wget -qO- https://h.example.com/{})"
        ansible h -m pip -a name={}|salt-call pip.install {}|make {}-deps|sbatch install-{}.sh
        ansible-playbook {}.yml|papermill install-{}.ipynb o.ipynb|poe install-{}
        python -c "import pip; pip.main(['install', '{}'])"|julia -e 'Pkg.add("{}")'
        """.replace("\n", "|").split("|")
        )
        .map(str.strip)
        .filter(bool)
    )
    piped = st.sampled_from(
        [
            *("curl -sL https://h.example.com/{}.sh |bash", "sudo wget -O- {} |sudo sh"),
            *("cat {}.sh |bash", "gunzip -c {}.gz |sh", "sed s/a/b/ {} |sudo bash"),
        ]
    )
    frames = st.sampled_from(
        [
            *("{}", "sudo -H {}", "env A=b {}", "time {}", "nohup {} &", "timeout 9 {}", "! {}"),
            *("({})", "{{ {}; }}", "if x; then {}; fi", "if {}; then :; fi", "x && {}", "x || {}"),
            *("for i in 1 2; do {}; done", "while x; do {}; done", "case $x in (a|b) {};; esac"),
            *("cd /x; {} 2>&1 | tee log", "out=$({})", "echo `{}`", "f() {{\n{}\n}}", "A=b {}"),
            *("f() {{ {}; }}; f", "function g {{\n{}\n}}\ng", "eval {}", "bash <<'E'\n{}\nE"),
            *("if x; then\n  {}\nelse\n  y\nfi", "source act.sh && {}", "set -e; {}", "exec {}"),
            *("sudo -i <<'E'\n{}\nE", "strace -f {}", "su - x <<'E'\n{}\nE", "x | {}", "trap {} 0"),
            *("cat <<'E' | bash\n{}\nE", "if x; then A=1; fi; {}", "conda run -n x {}", "watch {}"),
            *(
                "runuser -u x -- {}",
                "command {}",
                "poetry run {}",
                "retry 3 {}",
                "$SUDO {}",
                "{} || :",
            ),
            *("cat <({})", "coproc {}", "until {}; do y; done", "case $x in\na)\n{}\n;;\nesac"),
            *(
                "xvfb-run -a {}",
                "docker exec c {}",
                "ssh h {}",
                "export X=$({})",
                "numactl -N 0 {}",
            ),
            *(
                "cat > i.sh <<'E'\n{}\nE\nbash i.sh",
                "[[ a =~ b ]] && {}",
                "set -o pipefail; {} | x",
            ),
        ]
    )
    quoting = st.sampled_from(
        [
            *("bash -lc '{}'", 'sh -c "{}"', "echo '{}' | bash", "bash <<< '{}'", "su x -c '{}'"),
            *("source <(echo '{}')", "ssh h '{}'", "sudo bash -c '{}'", "script -qc '{}'"),
            *("/start.sh {}", "bash entry.sh {}"),
            *("awk 'BEGIN{{system(\"{}\")}}'", "git submodule foreach '{}'", "tmux new -d '{}'"),
            *("cat <<E\n$({})\nE", "x < <({})", "echo '{}' > /etc/cron.d/x", "ansible h -a '{}'"),
            *("at now <<< '{}'", "docker run x sh -c '{}'", "printf '%s' '{}' > s.sh; ./s.sh"),
        ]
    )

    @settings(max_examples=150, deadline=None)
    @given(installs | piped, frames, frames | quoting, frames)
    def test_one_within_another(self, install: str, inner: str, middle: str, outer: str) -> None:
        text = install.format("package1")
        for frame in (inner, middle, outer):
            around = frame.replace("{}", "")
            clash = any(sign in text and sign in around for sign in "'\"E#`")
            alone = "\n" not in text or "\n{}\n" in frame
            clash = clash or not _is_shell(text, frame)
            if not clash and alone and not ("|" in text and not re.search(r"[;(\n'\"] ?{}", frame)):
                text = frame.format(text)
        said = [
            f"{find.command} {find.reason} {find.note} {asked([find])[0]}" for find in script(text)
        ]
        assert any("package1" in each for each in said), text

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(installs, frames), min_size=1, max_size=6), st.booleans())
    def test_in_scripts_and_cells(self, lines: list[tuple[str, str]], in_cell: bool) -> None:
        lines = [each for each in lines if _is_shell(*each)]
        names = [f"package{number}" for number in range(len(lines))]
        text = "\n".join(
            frame.format(install.format(name))
            for (install, frame), name in zip(lines, names, strict=True)
        )
        finds = cells(f"%%bash\n{text}") if in_cell else script(text)
        said = [f"{find.command} {find.reason} {find.note} {asked([find])[0]}" for find in finds]
        for name in names:
            assert any(name in each for each in said), (name, text, said)
        for find in finds:
            assert (find.request is None) == bool(find.reason)
            assert 1 <= find.line <= text.count("\n") + 2

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(installs, frames), min_size=1, max_size=4))
    def test_in_dockerfiles(
        self, tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
    ) -> None:
        frames = [each for each in lines if "\n" not in each[1] and _is_shell(*each)]
        names = [f"package{number}" for number in range(len(frames))]
        text = "\n".join(
            f"RUN {frame.format(install.format(name))}"
            for (install, frame), name in zip(frames, names, strict=True)
        )
        finds = dockerfile(tmp_path_factory.mktemp("d"), text)
        said = [f"{find.command} {find.reason} {asked([find])[0]}" for find in finds]
        for name in names:
            assert any(name in each for each in said), (name, text, said)

    @settings(max_examples=100, deadline=None)
    @given(installs, st.sampled_from(["!{}", "x = !{}", "%sx {}", "%%sh\n{}", "%%shell\n{}",
                                      "for i in x:\n    !{}", "if x:\n    !{}", "%%time\n!{}",
                                      "try:\n    !{}\nexcept E:\n    pass"]))  # fmt: skip
    def test_in_ipython_s_lines(self, install: str, frame: str) -> None:
        finds = cells(frame.format(install.format("package1")))
        assert any("package1" in f"{find.command} {find.reason}" for find in finds)

    calls = st.sampled_from(
        """
        os.system({!r})|subprocess.run({!r}, shell=True)|subprocess.run(['bash', '-c', {!r}])
        subprocess.check_call({!r}.split())|get_ipython().system({!r})|os.popen({!r}).read()
        get_ipython().run_cell('!' + {!r})|run_shell({!r})|helper.do(cmd={!r})
        [sh(c) for c in [{!r}]]|Thread(target=os.system, args=({!r},)).start()
        getattr(os, 'system')({!r})|Process(target=os.system, args=[{!r}]).start()
        asyncio.run(asyncio.create_subprocess_shell({!r}))|pty.spawn(['sh', '-c', {!r}])
        subprocess.run(['sh'], input={!r}, text=True)|run = {!r}; os.system(run)
        for c in ['ls', {!r}]: os.system(c)|for c in ['ls', {!r}]: subprocess.run(['sh', '-c', c])
        c = {!r}.split(); c.append('-q'); subprocess.run(c)|c = ''; c += {!r}; os.system(c)
        subprocess.Popen(args={!r}, shell=True, env=mine)|x = subprocess.getoutput({!r})
        exec("import os; os.system('ls')"); os.system({!r})|__import__('os').system({!r})
        """.strip()
        .replace("\n", "|")
        .split("|")
    ).map(str.strip)
    blocks = st.sampled_from(
        ["{}", "if x:\n{}", "try:\n{}\nexcept E:\n    pass", "def f(a):\n{}\nf(1)", "with z:\n{}",
         "for i in y:\n{}", "while x:\n{}", "async def f():\n{}", "class A:\n{}",
         "match x:\n  case 1:\n{}", "if x:\n    pass\nelse:\n{}"]
    )  # fmt: skip

    @settings(max_examples=150, deadline=None)
    @given(installs, calls, blocks, blocks, st.booleans())
    def test_in_python_s_calls(
        self, install: str, call: str, inner: str, outer: str, in_shell: bool
    ) -> None:
        line = install.format("package1")
        whole = not (".split()" in call and re.search("['\"(|>]", line))
        text = (call if whole else "os.system({!r})").format(line)
        for block in (inner, outer):
            text = block.replace("{}", indent(text, " " * 4 if block != "{}" else ""))
        in_shell = in_shell and "get_ipython" not in text
        finds = script(f"python3 <<'E'\nimport os\n{text}\nE") if in_shell else cells(text)
        said = [f"{find.command} {find.reason} {asked([find])[0]}" for find in finds]
        assert any("package1" in each for each in said), text


def test_a_find_in_a_notebook_says_file_cell_line_and_reason(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    sources = ["1", "%%bash\n\nP=$(date)\npip install $P"]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": [{**cell, "source": s} for s in sources]}))
    result = verb("capture", "--dry-run", path)
    (found,) = result.to_json()["found"]
    assert (found["file"], found["cell"], found["line"]) == (str(path), 2, 4)
    assert "$(date)" in found["reason"]
    assert where(result.captures[0].found) == ""


def _is_shell(install: str, frame: str) -> bool:
    """Return whether bash runs it: ``eval`` removes the quotes, and then it is another command;
    ``$((…))`` is arithmetic."""
    if "$({})" in frame and install.startswith("(") and install.endswith(")"):
        return False
    return not ("eval {}" in frame and re.search("['\"(]", install))


@pytest.mark.parametrize(
    "line",
    [
        "pip install -r /dev/stdin <<E\nsix\nidna>=1\nE",
        "python -m pip install -r /dev/stdin <<'E'\nsix\nidna>=1\nE",
        "uv pip install -r - <<E\nsix\nidna>=1\nE",
        "conda install --file /dev/stdin <<E\nsix\nidna>=1\nE",
        "printf 'six\\nidna>=1\\n' | pip install -r /dev/fd/0",
        "pip install -r/dev/stdin <<E\nsix\nidna>=1\nE",
        "pip install --requirement=/dev/stdin <<E\nsix\nidna>=1\nE",
        "conda install -y --file=/dev/fd/0 <<E\nsix\nidna>=1\nE",
        "uv pip install -r- <<E\nsix\nidna>=1\nE",
        "printf 'six\\nidna>=1\\n' > r.txt; sudo pip install -r /dev/stdin < r.txt",
        "printf 'six\\n#x\\nidna>=1\\n' > r.txt; pip install -r <(grep -v '^#' r.txt)",
    ],
)
def test_a_list_that_flows_into_it_is_read(line: str) -> None:
    (found,) = (each for find in script(line) for each in expand(find))
    assert asked([found]) == ["six idna>=1"]


@pytest.mark.parametrize(
    "line",
    [
        "pip install -r /dev/stdin",
        "conda install --file /dev/fd/0 < unseen.txt",
        "conda install --file=/dev/fd/0",
        "uv pip install -r-",
        "curl -s https://e.example/r.txt | pip install -r -",
        "pip install -r <(make-list)",
    ],
)
def test_a_list_that_flows_into_it_unseen_is_listed(line: str) -> None:
    (found,) = (each for find in script(line) for each in expand(find))
    assert found.request is None
    assert "not seen here" in found.reason or "only known when it runs" in found.reason


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("printf 'six\\0idna\\0' | xargs -0 pip install", "six idna"),
        ("echo six,idna | xargs -d, pip install", "six idna"),
        ("echo 'six idna' | xargs pip install", "six idna"),
        ("printf 'six\\nidna\\n' | xargs -d '\\n' pip install", "six idna"),
        ("printf 'six\\nidna\\n' | xargs -0 pip install", "?"),  # one word, with a line's end
        ("find . -name '*.whl' -print0 | xargs -0 pip install", "?"),
        ("find . -name '*.txt' -exec pip install -r {} +", "?"),
    ],
)
def test_what_separates_the_words_of_xargs(line: str, expected: str) -> None:
    assert asked(script(line)) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        'CMD=(pip install); "${CMD[@]}" six',
        "PIP=(python -m pip); ${PIP[@]} install six",
        'P=(pip install -q); P+=(--pre); "${P[@]}" six',
    ],
)
def test_a_command_in_an_array(line: str) -> None:
    assert asked(script(line)) == ["six"]
