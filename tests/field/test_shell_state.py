"""The state that lines build up before they install: in cells, scripts and Dockerfiles."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jstackmagic.capture import files, notebooks
from support.captured import asked, cells, dockerfile, script, where

if TYPE_CHECKING:
    from pathlib import Path


class TestVariables:
    """A4: a variable that the same script sets."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('PACKAGE=plotly\npip install "$PACKAGE"', ["plotly"]),
            ("VERSION=1.26.4\npip install numpy==${VERSION}", ["numpy==1.26.4"]),
            ("A=1 && B=$A.2 && pip install a==$B", ["a==1.2"]),
            ("PKGS='a b'\npip install $PKGS", ["a b"]),
            ('PKGS=(a b)\npip install "${PKGS[@]}"', ["a b"]),
            ("V=1; V+=.5; pip install a==$V", ["a==1.5"]),
            ("V=1; pip install a==${V:-2} b==${V:+3}", ["a==1 b==3"]),
            ("f() { pip install $1; }\nf six\nf idna", ["six", "idna"]),
            ('again() { for i in 1 2; do "$@" && return; done; }\nagain pip install six', ["six"]),
            ("V=1; f() { pip install a==$V; }; V=2; f", ["a==2"]),
            ("for i in 1 2; do P=six; pip install $P; done", ["six"]),
            ("set -- six idna; pip install $@", ["six idna"]),
            ("set -- six idna; shift; pip install $@ $1", ["idna"]),
            ('f() { local n=$1; shift; pip install "$n[$1]" $2; }; f a b c', ["a[b] c"]),
            ("f() { pip install $1; }; f2() { pip install idna; }; f2 six", ["idna", "?"]),
            ('f() { local p=("$@"); pip install "${p[@]}"; }; f six idna', ["six idna"]),
            ('P=(a b); P+=("c>=1"); pip install "${P[@]}"', ["a b c>=1"]),
            ("P=(a b); pip install $P", ["a"]),
            ("P=($(echo a b)); pip install ${P[*]}", ["a b"]),
            ("P=(a # two\nb\n); pip install ${P[@]}", ["a b"]),
            ("V=11.8.0; pip install a==${V%.*} b==${V%%.*} c==${V#*.} d==${V##*.}",
             ["a==11.8 b==11 c==8.0 d==0"]),
            ("V=11.8.0; pip install a==${V/.0/} b==${V//8/9} c==${V:0:4}",
             ["a==11.8 b==11.9.0 c==11.8"]),
            ("N=3; pip install a==$((N + 1)) b==$N.$(($N*2))", ["a==4 b==3.6"]),
            ("read V <<< 1.5; pip install a==$V", ["a==1.5"]),
            ("mapfile -t P < <(echo six); pip install ${P[@]}", ["six"]),
            ("bash -s -- six <<'E'\npip install $1\nE", ["six"]),
            ("(echo six; echo idna) | xargs pip install", ["six idna"]),
            ("{ echo pip install six; } > s.sh; bash s.sh", ["six"]),
            ("V=1; (V=2); pip install a==$V", ["a==1"]),
            ("V=1; echo 2 | read V; pip install a==$V", ["a==1"]),
            ("export V=1; bash -c 'pip install a==$V'", ["a==1"]),
            ('V=1; bash -c "pip install a==$V"', ["a==1"]),
            ("V=1\nbash <<EOF\nV=2\npip install a==$V\nEOF", ["a==1"]),
            ("V=1\nbash <<'EOF'\nV=2\npip install a==$V\nEOF", ["a==2"]),
            ("if x; then V=1; pip install a==$V; fi", ["a==1"]),
            ("if x; then V=1; else V=1; fi; pip install a==$V", ["a==1"]),
            ("[ -f x ] || exit 1; V=1; pip install a==$V", ["a==1"]),
        ],
    )  # fmt: skip
    def test_is_followed(self, text: str, expected: list[str]) -> None:
        assert asked(script(text)) == expected
        assert asked(cells(f"%%bash\n{text}")) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "PKG=six; read PKG; pip install $PKG",
            "shift; pip install $1",
            "set -- a b; [ -f x ] && shift; shift; pip install $1",
            'P=("$X" a); pip install "${P[@]}"',
            'P=("a b" c); pip install ${P[@]}',
            "V=1.2; pip install a==${V^}",
            "N=x; pip install a==$((N + 1))",
            "read V < there.txt; pip install a==$V",
            "read A B <<< '1 2'; pip install a==$A",
            "(echo six; date) > s.txt; pip install $(cat s.txt)",
            'f() { pip install "$@"; }; f "a b" c',
            "for p in a b; do pip install $p; done",
            "if x; then V=1; else V=2; fi; pip install numpy==$V",
            "V=1; [ -f x ] && V=2; pip install numpy==$V",
            "V=1; test -f x || V=2; pip install numpy==$V",
            "case $x in a) V=1;; *) V=2;; esac; pip install numpy==$V",
            "V=1; while x; do pip install numpy==$V; V=2; done",
            "V=1; bash -c 'pip install numpy==$V'",
            "V=1; . ./settings.sh; pip install numpy==$V",
            "V=1; printf -v V 2; unset V; pip install numpy==$V",
            "V=1; V=$(date); pip install numpy==$V",
            "pip install numpy==${V:-1}",
            "PKGS=('a b' c); pip install \"${PKGS[@]}\"",
            'PKGS="a b"; pip install "$PKGS"',
        ],
    )
    def test_what_only_the_run_can_tell_is_said(self, text: str) -> None:
        assert asked(script(text)) == ["?"]

    def test_python_s_names_are_filled_in_by_ipython(self) -> None:
        finds = cells(
            'version = "1.2"\npackages = ["six", "idna"]',
            "!pip install a=={version} b==$version {' '.join(packages)}",
            'import os\ncommand = f"pip install c=={version}"\nos.system(command)',
        )
        assert asked(finds) == ["a==1.2 b==1.2 six idna", "c==1.2"]

    def test_python_s_branches_and_loops_are_not_guessed(self) -> None:
        assert asked(cells('if x:\n    v = "1"\nelif y:\n    v = "2"\nelse:\n    v = "3"',
                           "!pip install a=={v}")) == ["?"]  # fmt: skip
        assert asked(cells('for v in ["1", "2"]:\n    !pip install a=={v}')) == ["?"]
        assert asked(cells('v = "1"\nif x:\n    v = "2"', "!pip install a=={v}")) == ["?"]
        once = 'v = "1"\ntry:\n    import x\nexcept ImportError:\n    v = "2"'
        assert asked(cells(once, "!pip install a=={v}")) == ["?"]
        assert asked(cells('v = "1"\ndef f():\n    v = "2"\n', "!pip install a=={v}")) == ["a==1"]
        inside = (
            'v = "1"\nif x:\n    v = "2"\n    !pip install a=={v}\nelse:\n    !pip install b=={v}'
        )
        assert asked(cells(inside)) == ["a==2", "b==1"]

    @pytest.mark.parametrize(
        ("cell", "spec"),
        [
            ("%cd /srv/q", "-e /srv/q"),
            ("q = '/srv/q'\n%cd {q}", "-e /srv/q"),
            ("%cd $nobody", "?"),
            ("%pushd /srv/q", "-e /srv/q"),
            ("%popd", "?"),
            ("%cd -", "?"),
        ],
    )
    def test_ipython_s_own_folders(self, cell: str, spec: str) -> None:
        assert asked(cells(cell, "!pip install -e .")) == [spec]

    def test_a_line_s_own_shell_leaves_nothing(self) -> None:
        finds = cells("!V=1", "!export V=1; cd /x", "!pip install a==$V", "!pip install -e .")
        assert asked(finds) == ["?", "-e /w"]

    def test_every_value_is_what_a_shell_makes_of_it(self, tmp_path: Path) -> None:
        bash = shutil.which("bash")
        assert bash is not None
        names = st.sampled_from(["A", "B", "C"])
        values = st.sampled_from(["1", "2", "$A", "${B}x", "'$A'", '"$C $A"', "${A:-9}"])
        lines = st.one_of(
            st.builds("{}={}".format, names, values),
            st.builds("export {}={}".format, names, values),
            st.builds("({}={})".format, names, values),
            st.builds("if true; then {}={}; fi".format, names, values),
            st.builds("false && {}={}".format, names, values),
            st.builds("for i in 1 2; do {}={}; done".format, names, values),
        )

        @settings(max_examples=30, deadline=None)
        @given(st.lists(lines, max_size=6))
        def check(body: list[str]) -> None:
            known = "A=a; B=b; C=c\n" + "\n".join(body) + "\n"
            (tmp_path / "pip").write_text('#!/bin/sh\nshift\nprintf "%s\\n" "$@"\n')
            (tmp_path / "pip").chmod(0o755)
            text = f"{known}pip install p==$A q==$B r==$C"
            done = subprocess.run(
                [bash, "-c", text],
                env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
                check=False,
                capture_output=True,
                text=True,
            )
            finds = script(text)
            if all(find.request for find in finds):
                assert asked(finds) == [" ".join(done.stdout.split())]

        check()


class TestIndexAndPath:
    """A5: the index or PATH that one cell sets and the next uses."""

    INDEX = "https://pypi.example.com/simple"

    @pytest.mark.parametrize(
        "cell",
        [
            f"%env PIP_INDEX_URL={INDEX}",
            f"%set_env PIP_INDEX_URL {INDEX}",
            f'import os; os.environ["PIP_INDEX_URL"] = "{INDEX}"',
            f'from os import environ\nhost = "{INDEX}"\nenviron["PIP_INDEX_URL"] = host',
            f'import os\nos.environ.update(PIP_INDEX_URL="{INDEX}")',
            f"!pip config set global.index-url {INDEX}",
            f"%%writefile ~/.config/pip/pip.conf\n[global]\nindex-url = {INDEX}",
            f"!echo '[install]' > /etc/pip.conf\n!echo 'index-url={INDEX}' >> /etc/pip.conf",
        ],
    )
    def test_the_request_has_the_index(self, cell: str) -> None:
        (find,) = cells(cell, "!pip install mytools")
        assert find.request is not None
        assert find.request.sources.index_url == self.INDEX

    def test_a_shell_s_own_variable_is_not_the_next_line_s(self) -> None:
        (find,) = cells(f"!export PIP_INDEX_URL={self.INDEX}", "!pip install mytools")
        assert find.request is not None
        assert not find.request.sources
        (find,) = script(f"PIP_INDEX_URL={self.INDEX}\npip install mytools")
        assert find.request is not None
        assert not find.request.sources
        assert "not exported" in find.note

    @pytest.mark.parametrize(
        ("before", "install", "said"),
        [
            ("if x; then export PIP_INDEX_URL={}; fi", "pip install a", "$PIP_INDEX_URL"),
            ("read PIP_EXTRA_INDEX_URL; export PIP_EXTRA_INDEX_URL", "pip install a", "$PIP_EXTRA"),
            ("[ -f x ] && pip config set global.index-url {}", "pip install a", "index-url"),
            ("if x; then export UV_DEFAULT_INDEX={}; fi", "uv pip install a", "$UV_DEFAULT"),
        ],
    )
    def test_an_index_in_a_branch_is_never_the_default_in_silence(
        self, before: str, install: str, said: str
    ) -> None:
        (find,) = script(f"{before.format(self.INDEX)}\n{install}")
        assert asked([find]) == ["a"]
        assert "only known when it runs" in find.note
        assert said in find.note
        (find,) = cells(f'if x:\n    import os; os.environ["PIP_INDEX_URL"] = "{self.INDEX}"',
                        "!pip install mytools")  # fmt: skip
        assert "PIP_INDEX_URL" in find.note

    def test_one_that_the_line_names_itself_stops_it(self) -> None:
        (find,) = script("pip install -i $MIRROR a")
        assert "$MIRROR" in find.reason

    def test_sudo_takes_the_index_away(self) -> None:
        kept, lost = script(
            f"export PIP_INDEX_URL={self.INDEX}\nsudo -E pip install a\nsudo pip install b"
        )
        assert kept.request is not None
        assert kept.request.sources.index_url == self.INDEX
        assert lost.request is not None
        assert not lost.request.sources
        assert "PIP_INDEX_URL" in lost.note

    def test_the_target_is_path_s(self) -> None:
        finds = cells(
            "%env PATH=/content/conda-env/bin:/usr/bin", "!pip install six", "%pip install idna"
        )
        assert [where(find) for find in finds] == ["/content/conda-env", ""]
        assert finds[1].target.interpreter == "{sys.executable}"

    def test_a_folder_that_tells_nothing_is_said(self) -> None:
        (find,) = script("export PATH=/opt/tool/bin:$PATH\npip install six")
        assert where(find) == ""
        assert "/opt/tool/bin" in find.note

    @pytest.mark.parametrize(
        ("before", "said"),
        [
            ("module load python/3.11", "module load python/3.11"),
            ("ml Anaconda3", "ml Anaconda3"),
            ("pyenv shell 3.9.1", "pyenv shell"),
            ("module load gcc/12 cuda/12.1", ""),
            ("module list", ""),
            ("module load python/3.11; source /opt/venv/bin/activate", ""),
        ],
    )
    def test_a_module_that_may_bring_a_python_is_said(self, before: str, said: str) -> None:
        (find,) = script(f"{before}\npip install six")
        assert said in find.note
        assert bool(find.note) is bool(said)

    @pytest.mark.parametrize(
        ("text", "prefix"),
        [
            ("workon lab; pip install six", "~/.virtualenvs/lab"),
            ("export WORKON_HOME=/v; workon lab; pip install six", "/v/lab"),
            ("pyenv activate lab; pip install six", "~/.pyenv/versions/lab"),
            ("uv run pip install six", "/w/.venv"),
            ("uv run --project /p pip install six", "/p/.venv"),
            ("/opt/mc/bin/conda install -y six", "/opt/mc"),
            ("/opt/mc/condabin/mamba install -y six", "/opt/mc"),
            ("/opt/mc/bin/conda install -y -p /e six", "/e"),
            ("conda activate lab; /opt/mc/bin/conda install -y six", "lab"),
            ("/usr/bin/conda install -y six", ""),
            ("/usr/local/bin/micromamba install -y six", ""),
            ("micromamba install -y -r /opt/mm -n base six", "/opt/mm"),
            ("micromamba install -y -r /opt/mm -n x six", "/opt/mm/envs/x"),
            ("export MAMBA_ROOT_PREFIX=/opt/mm; micromamba install -y six", "/opt/mm"),
        ],
    )
    def test_other_ways_to_name_it(self, text: str, prefix: str) -> None:
        (find,) = script(text)
        assert where(find) == prefix

    @pytest.mark.parametrize(
        ("before", "install", "said"),
        [
            ("export PIP_CONFIG_FILE=/x/pip.conf", "pip install a", "/x/pip.conf"),
            ("export CONDARC=$HERE/c", "conda install -y a", "$HERE/c"),
            (
                "export CONDA_CHANNEL_PRIORITY=strict",
                "conda install -y a",
                "channel_priority strict",
            ),
            ("export CONDA_OVERRIDE_CUDA=$(x)", "mamba install -y a", "CUDA is only known"),
            ("export CONDA_OVERRIDE_CUDA=12.1", "mamba install -y a", ""),
            ("export PYTHONUSERBASE=/x", "pip install --user a", "lands below /x"),
            ("export PIP_CONFIG_FILE=/dev/null", "pip install a", ""),
            ("export CONDA_CHANNEL_PRIORITY=flexible CONDA_EXE=/c", "conda install -y a", ""),
            ("export PYTHONUSERBASE=/x", "pip install a", ""),
        ],
    )
    def test_variables_that_set_what_no_request_holds(
        self, before: str, install: str, said: str
    ) -> None:
        (find,) = script(f"{before}\n{install}")
        assert asked([find]) == ["a"]
        assert said in find.note
        assert bool(find.note) is bool(said)

    def test_a_file_that_a_variable_names_is_read_where_it_is_seen(self) -> None:
        (find,) = script(
            f"printf '[global]\\nindex-url={self.INDEX}\\n' > /x/p.conf\n"
            "export PIP_CONFIG_FILE=/x/p.conf\npip install a"
        )
        assert find.request is not None
        assert find.request.sources.index_url == self.INDEX

    @pytest.mark.parametrize(
        "path", ["/usr/local/cuda/bin:$PATH", "$HOME/.local/bin:$PATH", "$PATH:/opt/c/envs/x/bin"]
    )
    def test_other_folders_do_not_take_it_away(self, path: str) -> None:
        (find,) = script(f"export PATH={path}\npip install six")
        assert (where(find), find.note) == ("", "")


class TestBuildVariables:
    """A6: variables by which a package is built otherwise."""

    def test_they_are_said(self) -> None:
        (find,) = cells(
            '!CMAKE_ARGS="-DLLAMA_CUBLAS=on" FORCE_CMAKE=1 pip install llama-cpp-python==0.2.45'
            " --force-reinstall --no-cache-dir -q"
        )
        assert asked([find]) == ["llama-cpp-python==0.2.45"]
        assert find.request is not None
        assert find.request.sources.variables == (
            "CMAKE_ARGS=-DLLAMA_CUBLAS=on",
            "FORCE_CMAKE=1",
        )

    @pytest.mark.parametrize(
        "cell", ["%env TORCH_CUDA_ARCH_LIST=8.0", 'import os; os.environ["MPICC_FLAGS"] = "-O2"']
    )
    def test_those_of_an_earlier_cell_too(self, cell: str) -> None:
        (find,) = cells(cell, "!uv pip install apex")
        assert find.request is not None
        assert len(find.request.sources.variables) == 1

    def test_a_wrapper_s_too(self) -> None:
        (find,) = script("sudo env CC=gcc-12 pip install x")
        assert find.request is not None
        assert find.request.sources.variables == ("CC=gcc-12",)

    def test_one_that_no_build_is_known_to_read_is_said(self) -> None:
        (find,) = script("MY_SWITCH=1 pip install x")
        assert "which a request cannot hold: MY_SWITCH=1" in find.note

    def test_others_are_left_out_in_silence(self) -> None:
        line = "TMPDIR=/t HTTPS_PROXY=http://p PIP_CACHE_DIR=/c DEBIAN_FRONTEND=x pip install a"
        (find,) = script(line)
        assert find.note == ""


class TestSettings:
    """A11: ``conda config``, ``pip config`` and files that are copied or written."""

    LINES = """\
conda config --add channels defaults
conda config --add channels conda-forge
conda config --add channels bioconda
conda install -y samtools
pip config set global.index-url https://pypi.example.com/simple && pip install mytools"""

    def test_in_a_dockerfile_and_in_a_cell(self, tmp_path: Path) -> None:
        run = "\n".join(f"RUN {line}" for line in self.LINES.split("\n"))
        for conda, pip in (dockerfile(tmp_path, run), cells(f"%%bash\n{self.LINES}")):
            assert conda.request is not None
            assert conda.request.sources.channels == ("bioconda", "conda-forge", "defaults")
            assert pip.request is not None
            assert pip.request.sources.index_url == "https://pypi.example.com/simple"

    def test_append_puts_it_last_and_an_option_first(self) -> None:
        (find,) = script(
            "conda config --append channels a\nconda config --append channels b\n"
            "conda config --prepend channels c\nconda install -y -c d x"
        )
        assert find.request is not None
        assert find.request.sources.channels == ("d", "c", "a", "b")

    def test_override_channels_leaves_them_out(self) -> None:
        (find,) = script("conda config --add channels a\nconda install --override-channels -c b x")
        assert find.request is not None
        assert find.request.sources.channels == ("b",)

    def test_copied_files_are_settings(self, tmp_path: Path) -> None:
        text = (
            "COPY .condarc /opt/conda/.condarc\nCOPY pip.conf /etc/pip.conf\n"
            "RUN conda install -y samtools\nRUN pip install mytools"
        )
        conda, pip = dockerfile(
            tmp_path,
            text,
            **{
                ".condarc": "channels:\n  - bioconda\n  - conda-forge\n",
                "pip.conf": "[global]\nextra-index-url = https://a.example.com https://b.example.com",
            },
        )
        assert conda.request is not None
        assert conda.request.sources.channels == ("bioconda", "conda-forge")
        assert pip.request is not None
        assert pip.request.sources.extra_index_urls == (
            "https://a.example.com",
            "https://b.example.com",
        )

    def test_one_that_is_not_here_is_said(self, tmp_path: Path) -> None:
        (pip,) = dockerfile(tmp_path, "COPY pip.conf /etc/pip.conf\nRUN pip install mytools")
        assert "/etc/pip.conf" in pip.reason
        (pip,) = script("curl -so ~/.config/pip/pip.conf https://x.example.com\npip install a")
        assert "pip.conf" in pip.reason

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[ -f x ] && echo six > r.sh; echo pip install six > s.sh; bash s.sh", ["six"]),
            ("if x; then echo 'pip install six' > s.sh; fi; bash s.sh", ["six"]),
            ("if x; then echo 'pip install a' > i.sh; else echo b > i.sh; fi; sh i.sh", ["?"]),
        ],
    )
    def test_a_script_that_a_branch_writes(self, text: str, expected: list[str]) -> None:
        assert asked(script(text)) == expected

    def test_in_a_branch_it_is_said(self) -> None:
        (find,) = script("if x; then conda config --add channels a; fi\nconda install -y b")
        assert find.request is not None
        assert "only known when it runs" in find.note

    def test_what_no_request_holds_is_said(self) -> None:
        (find,) = script("conda config --set channel_priority strict\nconda install -y b")
        assert "channel_priority strict" in find.note
        (find,) = script("conda config --set always_yes true\nconda install b")
        assert find.note == ""

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("echo 'deb https://x.example.com ./' > /etc/apt/sources.list.d/lab.list", "apt"),
            ("echo a b select true | sudo debconf-set-selections", "questions"),
            ("curl -s https://x.example.com/key | sudo apt-key add -", "trust"),
            ("curl -so /etc/apt/trusted.gpg.d/k.gpg https://x.example.com/key", "apt"),
        ],
    )
    def test_apt_s_are_listed(self, line: str, reason: str) -> None:
        first, second = script(f"{line}\napt-get install -y tool")
        assert first.request is None
        assert reason in first.reason
        assert asked([second]) == ["tool"]


class TestDockerfilePath:
    """B20: ``ENV PATH`` decides which pip."""

    def test_a_virtual_environment(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path,
            "RUN python3 -m venv /opt/venv\nENV VIRTUAL_ENV=/opt/venv\n"
            'ENV PATH="$VIRTUAL_ENV/bin:$PATH"\nRUN pip install six\nRUN uv pip install idna',
        )
        assert [where(find) for find in finds] == ["/opt/venv", "/opt/venv"]

    def test_the_stacks_recipe(self, tmp_path: Path) -> None:
        made, pip, conda = dockerfile(
            tmp_path,
            "ARG conda_env=chapter\n"
            "RUN mamba create --yes -p $CONDA_DIR/envs/$conda_env python=3.11 ipython\n"
            "ENV PATH $CONDA_DIR/envs/${conda_env}/bin:$PATH\n"
            "ENV CONDA_DEFAULT_ENV ${conda_env}\nRUN pip install six\nRUN conda install -y numpy",
        )
        assert [where(find) for find in (made, pip, conda)] == ["chapter"] * 3
        assert "activated shell" in conda.note

    def test_appended_it_takes_nothing_away(self, tmp_path: Path) -> None:
        (find,) = dockerfile(
            tmp_path, "ENV PATH=$PATH:/opt/conda/envs/chapter/bin\nRUN pip install six"
        )
        assert where(find) == ""

    def test_conda_goes_to_the_base_of_the_one_on_path(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path,
            "ENV PATH=/usr/local/cuda/bin:$PATH\nENV PATH=/opt/conda/bin:$PATH\n"
            "RUN conda install -y a\nRUN /opt/conda/envs/x/bin/pip install b\nRUN uv pip install c",
        )
        assert [where(find) for find in finds] == ["/opt/conda", "/opt/conda/envs/x", "/opt/conda"]

    def test_a_venv_does_not_move_conda(self) -> None:
        (find,) = script("python -m venv /opt/v\n. /opt/v/bin/activate\nconda install -y a")
        assert where(find) == ""

    def test_sudo_has_a_path_of_its_own(self) -> None:
        (find,) = script("source activate x && sudo pip install a")
        assert where(find) == ""
        assert "x" in find.note


class TestLoginShell:
    """B21: ``conda activate`` written into .bashrc, and who reads that."""

    WRITES = 'RUN echo "conda activate chapter" >> ~/.bashrc\n'

    def test_a_login_shell_reads_it(self, tmp_path: Path) -> None:
        (find,) = dockerfile(
            tmp_path, self.WRITES + 'SHELL ["/bin/bash", "--login", "-c"]\nRUN pip install six'
        )
        assert where(find) == "chapter"
        assert ".bashrc" in find.note

    def test_another_shell_does_not(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path, self.WRITES + 'RUN pip install six\nRUN ["/bin/bash", "-lc", "pip install a"]'
        )
        assert [where(find) for find in finds] == ["", "chapter"]

    def test_bash_env_has_bash_read_it(self, tmp_path: Path) -> None:
        (find,) = dockerfile(
            tmp_path,
            self.WRITES + 'ENV BASH_ENV=~/.bashrc\nSHELL ["/bin/bash", "-c"]\nRUN pip install six',
        )
        assert where(find) == "chapter"

    def test_variables_in_it_count_too(self) -> None:
        (find,) = cells(
            "!echo 'export PIP_INDEX_URL=https://i.example.com' >> ~/.bashrc",
            "!bash -lc 'pip install six'",
        )
        assert find.request is not None
        assert find.request.sources.index_url == "https://i.example.com"


class TestAlternatives:
    """B23: of several installs one runs."""

    def test_in_one_run(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path,
            'ARG TARGETARCH\nRUN if [ "$TARGETARCH" = "arm64" ]; then '
            "pip install tensorflow-aarch64; else pip install tensorflow; fi",
        )
        assert asked(finds) == ["tensorflow-aarch64", "tensorflow"]
        assert all("alternatives" in find.when for find in finds)

    def test_in_a_cell(self) -> None:
        finds = cells("if IN_COLAB:\n    !pip install x\nelse:\n    !conda install -y x")
        assert all("alternatives" in find.when for find in finds)

    @pytest.mark.parametrize(
        "text",
        [
            "pip install a || conda install -y a",
            "case $x in a) pip install a;; b) pip install b;; esac",
            "if x; then pip install a; elif y; then pip install b; fi",
        ],
    )
    def test_in_other_ways(self, text: str) -> None:
        first, second = script(text)
        assert "alternatives" in first.when
        assert first.command in second.when

    @pytest.mark.parametrize(
        "text",
        [
            "if ! pip show a; then pip install a; fi; pip install b",
            "if x; then pip install a; else pip install a; fi",
            "pip install a && pip install b",
            "apt-get update || true; pip install a; pip install b",
            "if x; then pip install a; pip install b; fi",
        ],
    )
    def test_what_may_both_run_are_none(self, text: str) -> None:
        assert not any("alternatives" in find.when for find in script(text))

    def test_try_and_except(self) -> None:
        (find,) = cells("try:\n    import six\nexcept ImportError:\n    !pip install six")
        assert (find.note, find.when) == ("", "It runs only if Python raises ImportError.")

    @pytest.mark.parametrize(
        ("text", "when"),
        [
            ("if [ -f x ]; then pip install six; fi", "if this holds: [ -f x ]"),
            ("if a; then b; else pip install six; fi", "if this does not hold: a"),
            ("[ -f x ] && [ -d y ] && pip install six", "if this holds: [ -f x ] && [ -d y ]"),
            ("for i in a; do pip show six || pip install six; done", "if this fails: pip show six"),
            ("case $Y in b) pip install six;; esac", "in one case of $Y"),
            ("dpkg -i a.deb || apt-get install -fy", ""),
            ("apt-get update && cd x && pip install six || exit 1", ""),
            ("if pip install six; then echo; fi", ""),
            ("f() { pip install six; }; while f; do echo; done", ""),
        ],
    )
    def test_what_may_not_run_says_so(self, text: str, when: str) -> None:
        first, *_ = script(text)
        assert first.when == (f"It runs only {when}." if when else "")

    @pytest.mark.parametrize(
        ("cell", "when"),
        [
            ("if 'google.colab' in sys.modules:\n    !pip install six",
             "It runs only if this is true: 'google.colab' in sys.modules."),
            ("if A:\n    pass\nelse:\n    %pip install six", "It runs only if this is false: A."),
            ("if __name__ == '__main__':\n    %pip install six", ""),
            ("try:\n    %pip install six\nexcept OSError:\n    pass", ""),
        ],
    )  # fmt: skip
    def test_what_may_not_run_in_a_cell(self, cell: str, when: str) -> None:
        assert [find.when for find in cells(cell)] == [when]


class TestExecutable:
    """A10: the kernel's own Python, by every way to say it."""

    @pytest.mark.parametrize(
        "cell",
        [
            "!$sys.executable -m pip install numpy",
            '!"{sys.executable}" -m pip install numpy',
            "!{sys.prefix}/bin/pip install numpy",
            "!$sys.prefix/bin/pip install numpy",
            "import sys\npython = sys.executable\n!{python} -m pip install numpy",
        ],
    )
    def test_is_the_kernel_s(self, cell: str) -> None:
        (find,) = cells(cell)
        assert asked([find]) == ["numpy"]
        assert "{sys." in (find.target.prefix or find.target.interpreter)

    def test_a_name_that_python_does_not_know_is_the_shell_s(self) -> None:
        (find,) = cells("!$tool.executable -m pip install numpy")
        assert find.request is None or "{sys." not in find.target.interpreter


class TestUvLists:
    """A8: ``uv pip install -r`` with what is not a list to pip."""

    def test_a_project_is_read_as_one(self, tmp_path: Path) -> None:
        from jstackmagic.capture.lists import expand

        project = '[project]\nname = "x"\ndependencies = ["six"]\n'
        (find,) = dockerfile(
            tmp_path,
            "COPY pyproject.toml ./\n"
            "RUN uv pip install --system --no-cache -r pyproject.toml --extra server",
            **{"pyproject.toml": f'{project}[project.optional-dependencies]\nserver = ["idna"]\n'},
        )
        (read,) = expand(find)
        assert asked([read]) == ["six idna"]

    def test_pip_itself_cannot(self) -> None:
        (find,) = script("pip install -r pyproject.toml")
        assert find.request is None

    def test_a_plain_list_stays_one(self) -> None:
        assert asked(script("uv pip install -r requirements.txt")) == ["-r /w/requirements.txt"]


def test_zsh_has_arrays_and_a_path_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x.zsh").write_text(
        "#!/usr/bin/env zsh\npath=(/opt/conda/envs/z/bin $path)\nP=(a b)\npip install $P\n"
    )
    (find,) = files.read(tmp_path / "x.zsh").found
    assert (asked([find]), where(find)) == (["a b"], "/opt/conda/envs/z")


@pytest.mark.parametrize("line", ['exec sudo bash "$0" "$@"', "./x.sh again", '"$0"'])
def test_a_script_that_starts_itself_is_read_once(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text(f"[ $UID = 0 ] || {line}\npip install six\n")
    assert asked(list(files.read(tmp_path / "x.sh").found)) == ["six"]


class TestExportsOfAFile:
    """``export $(cat FILE)`` sets what the file says, or nobody knows what."""

    def test_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("# c\nPIP_INDEX_URL=https://a.example.com\n")
        (tmp_path / "x.sh").write_text("export $(grep -v '^#' .env | xargs)\npip install six\n")
        (find,) = files.read(tmp_path / "x.sh").found
        assert find.request is not None
        assert find.request.sources.index_url == "https://a.example.com"

    def test_is_said(self) -> None:
        (find,) = script("export $(cat .env)\npip install six")
        assert "export $(cat .env)" in find.note

    def test_a_name_alone_is_no_file(self) -> None:
        (find,) = script("A=1; export A; pip install six")
        assert not find.note


class TestPythonsBranches:
    """What only one branch sets is unknown after it, and known within."""

    INDEX = 'os.environ["PIP_INDEX_URL"] = "https://a.example.com"'

    @pytest.mark.parametrize(
        "cell",
        [
            "if x:\n    %cd /sub\n!pip install ./p",
            "try:\n    os.chdir('/sub')\nexcept OSError:\n    pass\n!pip install ./p",
            "def f():\n    os.chdir('/sub')\nf()\n!pip install ./p",
            "for d in x:\n    os.chdir('/sub')\n!pip install ./p",
            "match x:\n    case 1:\n        os.chdir('/sub')\n!pip install ./p",
            "go = lambda: os.chdir('/sub')\n!pip install ./p",
        ],
    )
    def test_a_folder_is_not_guessed(self, cell: str) -> None:
        (find,) = cells(f"import os\n{cell}")
        assert "only known when it runs" in find.reason

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            (f"if x:\n    {INDEX}\n    !pip install six", "https://a.example.com"),
            (f"if x:\n    {INDEX}\nelse:\n    {INDEX}\n!pip install six", "https://a.example.com"),
            (f"if x:\n    {INDEX}\nelse:\n    !pip install six", ""),
            (f"if x:\n    {INDEX}\n!pip install six", "said"),
            ("os.environ.update(mine)\n!pip install six", "said"),
            ("for k, v in x:\n    os.environ[k] = v\n!pip install six", "said"),
            ("os.environ.update(dict(PIP_INDEX_URL='https://a.example.com'))\n!pip install six",
             "https://a.example.com"),
        ],
    )  # fmt: skip
    def test_an_index_is_never_the_default_in_silence(self, cell: str, expected: str) -> None:
        (find,) = cells(f"import os\n{cell}")
        assert find.request is not None
        assert (find.request.sources.index_url or ("said" if find.note else "")) == expected

    def test_in_a_script_that_a_shell_runs(self) -> None:
        (find,) = script(
            f"python <<'E'\nimport os\nif x:\n    {self.INDEX}\nos.system('pip install six')\nE"
        )
        assert "PIP_INDEX_URL" in find.note


class TestVariablesOfAFile:
    """``load_dotenv`` sets what a ``.env`` file has, and leaves what is set already."""

    LOADED = "from dotenv import load_dotenv\nload_dotenv({})\n!pip install six"
    SET = "%env PIP_INDEX_URL=https://before.example.com\n"

    @pytest.mark.parametrize(
        ("text", "cell", "index"),
        [
            ("PIP_INDEX_URL=https://a.example.com  # ours\n", LOADED, "https://a.example.com"),
            ("A=1\nexport PIP_INDEX_URL='https://a.example.com'", LOADED, "https://a.example.com"),
            ('PIP_INDEX_URL="https://a.example.com"', SET + LOADED, "https://before.example.com"),
            ("PIP_INDEX_URL=https://a.example.com/#x", "%dotenv -o\n!pip install six",
             "https://a.example.com/#x"),
            ("OPENAI_API_KEY=abc\n# PIP_INDEX_URL=https://no.example.com", LOADED, ""),
            ("PIP_INDEX_URL=https://${HOST}/simple", LOADED, "said"),
            (None, LOADED, "said"),
            (None, "import dotenv\ndotenv.load_dotenv('other')\n!pip install six", "said"),
        ],
    )  # fmt: skip
    def test_they_count_for_the_next_install(
        self, text: str | None, cell: str, index: str, tmp_path: Path
    ) -> None:
        if text is not None:
            (tmp_path / ".env").write_text(text)
        path = tmp_path / "n.ipynb"
        cells = [{"cell_type": "code", "metadata": {}, "source": cell.format("")}]
        path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}))
        (found,) = (each.found for each in notebooks.read(str(path)).findings)
        assert found.request is not None
        assert (found.request.sources.index_url or ("said" if found.note else "")) == index


class TestLinesInNotes:
    """A note names the line, and in a notebook's file the cell, that it is about."""

    CELLS = (
        "x = 1",
        "y = 2\n!pip config set global.index-url https://pypi.example.com/simple\n",
        "%%bash\n\nsource ./env.sh\npip install a",
        "import os\n\nos.system('update-alternatives --set python3 /usr/bin/python3.9')",
        "%%capture\n\n%%bash\ntrue\nupdate-alternatives --set python /usr/bin/python3.9",
    )

    @pytest.mark.parametrize(
        ("cell", "said"),
        [
            (2, "cell 3, line 3, is not seen"),
            (3, "cell 4, line 3, chooses"),
            (4, "cell 5, line 5, chooses"),
        ],
    )
    def test_in_a_notebook(self, tmp_path: Path, cell: int, said: str) -> None:
        sources = (*self.CELLS[: cell + 1], "!pip install six")
        cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
        path = tmp_path / "n.ipynb"
        path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}))
        notes = " ".join(each.found.note for each in notebooks.read(str(path)).findings)
        assert said in notes

    @pytest.mark.parametrize("marker", ["# %%\n", "# + \n", ""])
    def test_in_a_script_of_cells(self, tmp_path: Path, marker: str) -> None:
        path = tmp_path / "n.py"
        chosen = "# !update-alternatives --set python3 /usr/bin/python3.9\n"
        head = "# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n"
        path.write_text(f"{head}{marker}{chosen}{marker}# !pip install six\n")
        (finding,) = notebooks.read(str(path)).findings
        line = 6 + bool(marker)
        assert f"line {line}, chooses" in finding.found.note
        assert finding.line == line + 1 + bool(marker)


@pytest.mark.parametrize("words", ["-p /opt/c/envs/y", "-n y"])
def test_an_environment_that_a_line_names_needs_no_note(words: str) -> None:
    (find,) = script(f"export CONDA_DEFAULT_ENV=lab\nconda install -y {words} a")
    assert not find.note


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("pip install a", True),
        ("conda install -y a", True),
        ("mamba install -y -c x a", True),
        ("/opt/c/envs/y/bin/pip install a", False),
        ("conda install -y -p /opt/c/envs/y a", False),
    ],
)
def test_a_folder_on_path_of_which_nothing_is_known(line: str, note: bool) -> None:
    (find,) = script(f"export PATH=/opt/hub/user/bin:$PATH\n{line}")
    assert ("PATH begins with /opt/hub/user/bin" in find.note) is note


@pytest.mark.parametrize(
    ("line", "specs"),
    [
        ("uv --directory sub pip install -r r.txt", ["-r /w/sub/r.txt"]),
        ("uv pip install --directory sub -e .", ["-e /w/sub"]),
        ("uv --project sub pip install -r r.txt", ["-r /w/r.txt"]),  # it moves no path
        ("uv --directory $D pip install -r r.txt", ["?"]),
    ],
)
def test_uv_works_in_the_folder_that_it_is_told(line: str, specs: list[str]) -> None:
    assert asked(script(line)) == specs


@pytest.mark.parametrize(
    ("line", "specs"),
    [
        ("pip install --group dev", ["?"]),
        ("uv pip install --group sub/pyproject.toml:dev", ["?"]),
        ("uv pip install --group dev six", ["?", "six"]),
    ],
)
def test_a_group_has_a_line_of_its_own(line: str, specs: list[str]) -> None:
    finds = script(line)
    assert asked(finds) == specs
    assert finds[0].reason.endswith(f"%envinstall --group {line.split()[-len(specs)]}")
    assert all("--group" not in find.request.options for find in finds if find.request)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("mamba install -y -p $CONDA_PREFIX six", "lab"),
        ("conda install -y --prefix ${CONDA_PREFIX} six", "lab"),
        ("conda install -y -p $OTHER six", "$OTHER"),
    ],
)
def test_the_prefix_of_what_is_active(line: str, place: str) -> None:
    (find,) = script(f"conda activate lab\n{line}")
    assert where(find) == place
    (find,) = script(line)
    assert where(find).startswith("$")
