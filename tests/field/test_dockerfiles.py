"""Dockerfiles as they are written: a path inside the image is never a path here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import files, lists
from support.captured import dockerfile

if TYPE_CHECKING:
    from pathlib import Path


def read(
    folder: Path, text: str, name: str = "Dockerfile"
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return what is asked, and why the rest is not."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"FROM base\n{text}")
    reading = files.read(path)
    return [r.texts for r in reading.requests], [f.reason for f in reading.problems]


def targets(folder: Path, text: str) -> list[str]:
    path = folder / "Dockerfile"
    path.write_text(f"FROM base\n{text}")
    return [f.target.prefix or f.target.name for f in files.read(path).found if f.request]


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """An unrelated list of this machine, whose path the Dockerfiles name."""
    path = tmp_path / "here" / "requirements.txt"
    path.parent.mkdir()
    path.write_text("evil\n")
    return path


@pytest.fixture
def context(tmp_path: Path) -> Path:
    path = tmp_path / "context"
    path.mkdir()
    (path / "requirements.txt").write_text("six\n")
    (path / "environment.yml").write_text("dependencies: [numpy]\n")
    return path


# B18: a path of the image


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r {file}",
        "pip install -c {file} six",
        "pip install -e {folder}",
        "cd {folder} && pip install .",
        "conda install --file {file}",
        "conda env update -f {file}",
        'pip install "x @ file://{folder}/x.whl"',
    ],
)
def test_what_no_copy_brought_is_only_in_the_image(command: str, evil: Path, context: Path) -> None:
    text = command.format(file=evil, folder=evil.parent)
    asked, reasons = read(context, f"RUN {text}\n")
    assert not any(str(evil.parent) in each for texts in asked for each in texts)
    assert reasons
    assert "only in the image" in reasons[0]


def test_an_inline_document_is_read_and_not_the_file_here(evil: Path, context: Path) -> None:
    asked, reasons = read(context, f"COPY <<EOF {evil}\nidna\nEOF\nRUN pip install -r {evil}\n")
    assert (asked, reasons) == ([("idna",)], [])


@pytest.mark.parametrize("line", ["-r {evil}", "-c {evil}", "x @ file://{evil}"])
def test_a_list_that_names_a_path_of_the_image(line: str, evil: Path, context: Path) -> None:
    (context / "list.txt").write_text(f"six\n{line.format(evil=evil)}\n")
    asked, reasons = read(context, "COPY list.txt /l.txt\nRUN pip install -r /l.txt\n")
    assert not asked
    assert "path of the image" in reasons[0]


@pytest.mark.parametrize("line", ["-r base.txt", "-c base.txt", "-e .", "./sub[x]", "."])
def test_a_list_that_names_what_is_not_copied_with_it(line: str, context: Path) -> None:
    (context / "base.txt").write_text("idna\n")
    (context / "list.txt").write_text(f"{line}\nsix\n-f ./w\nb ; os_name == '.'\n")
    asked, reasons = read(context, "COPY list.txt /l/\nRUN pip install -r /l/list.txt\n")
    assert not asked
    assert reasons[0].endswith(line.partition("[")[0])
    asked, reasons = read(context, "WORKDIR /l\nCOPY . /l/\nRUN pip install -r list.txt\n")
    assert (asked, reasons) == ([(f"-r {context}/list.txt",)], [])


def test_an_inline_list_that_includes_another(evil: Path, context: Path) -> None:
    text = f"COPY <<EOF /l.txt\n-r {evil}\nEOF\nRUN pip install -r /l.txt\n"
    asked, reasons = read(context, text)
    assert not asked
    assert "names another list" in reasons[0]


def test_advice_names_no_path_of_the_image(evil: Path, context: Path) -> None:
    _, reasons = read(context, f"RUN pip install $(cat {evil})\n")
    assert "only in the image" in reasons[0]
    assert "%envinstall" not in reasons[0]
    text = f"COPY requirements.txt {evil}\nRUN pip install $(uniq {evil})\n"
    assert f"-f {context}/requirements.txt" in read(context, text)[1][0]


@pytest.mark.parametrize(
    "command",
    [
        "pip install $(cat {file})",
        "pip install `cat {file}`",
        "pip install $(grep -v '^#' {file} | tr '\\n' ' ')",
        "xargs -a {file} pip install",
        "xargs -n1 pip install < {file}",
        "cat {file} | xargs pip install",
        "PKGS=$(cat {file}) && pip install $PKGS",
        "cp {file} /b.txt && pip install -r /b.txt",
        "grep -v '^#' {file} > /b.txt && pip install -r /b.txt",
    ],
)
def test_a_list_of_the_context_that_a_shell_hands_over_is_read(
    command: str, evil: Path, context: Path
) -> None:
    (context / "requirements.txt").write_text("six\n")
    text = f"COPY requirements.txt {evil}\nRUN {command.format(file=evil)}\n"
    assert read(context, text) == ([("six",)], [])


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ("echo flask >> /r.txt", [("six", "flask")]),
        ("printf 'a\\nb\\n' | tee -a /r.txt", [("six", "a", "b")]),
        ("sed -i s/six/idna/ /r.txt", []),
        ("patch /r.txt < p.diff", []),
        ("mv /other.txt /r.txt", [("idna",)]),
        ("sed s/six/idna/ /r.txt", None),  # prints, and changes nothing
        ("cat /r.txt", None),
    ],
)
def test_what_a_line_makes_of_a_copied_list(
    change: str, asked: list[tuple[str, ...]] | None, context: Path
) -> None:
    (context / "other.txt").write_text("idna\n")
    copies = "COPY requirements.txt /r.txt\nCOPY other.txt /other.txt\n"
    found, reasons = read(context, f"{copies}RUN {change} && pip install -r /r.txt\n")
    assert found == ([(f"-r {context}/requirements.txt",)] if asked is None else asked)
    assert bool(reasons) is (asked == [])


def test_extras_of_a_clone_stay(context: Path) -> None:
    clone = "git clone https://git.example.com/o/p.git /opt/q"
    found, _ = read(context, f"RUN {clone} && cd /opt/q && pip install -e .[all]\n")
    assert found == [("p[all] @ git+https://git.example.com/o/p.git",)]


def test_a_clone_is_its_url(evil: Path, context: Path) -> None:
    clone = f"git clone -b v2 https://git.example.com/p {evil.parent}"
    asked, _ = read(context, f"RUN {clone} && cd {evil.parent} && pip install -e .\n")
    assert asked == [("git+https://git.example.com/p@v2",)]


def test_a_folder_that_is_copied_brings_the_list_in_it(evil: Path, context: Path) -> None:
    asked, _ = read(context, f"COPY . {evil.parent}\nRUN pip install -r {evil}\n")
    assert asked == [(f"-r {context}/requirements.txt",)]


def test_a_later_copy_overwrites(context: Path) -> None:
    (context / "other.txt").write_text("idna\n")
    text = "COPY requirements.txt /r.txt\nCOPY other.txt /r.txt\nRUN pip install -r /r.txt\n"
    assert read(context, text)[0] == [(f"-r {context}/other.txt",)]


def test_a_mount_is_there_for_its_run_alone(context: Path) -> None:
    mount = "--mount=type=bind,source=requirements.txt,target=/m/r.txt"
    text = f"RUN {mount} pip install -r /m/r.txt\nRUN pip install -r /m/r.txt\n"
    asked, reasons = read(context, text)
    assert asked == [(f"-r {context}/requirements.txt",)]
    assert len(reasons) == 1


def test_a_stage_is_copied_in_part(context: Path) -> None:
    text = (
        "WORKDIR /src\nCOPY requirements.txt .\nFROM other\nCOPY --from=0 /src /app\n"
        "COPY --from=image.example.com/x /lists /l\n"
        "RUN pip install -r /app/requirements.txt\nRUN pip install -r /l/r.txt\n"
    )
    asked, reasons = read(context, text)
    assert asked == [(f"-r {context}/requirements.txt",)]
    assert "image.example.com/x" in reasons[0]


def test_a_secret_on_pips_settings_is_said_for_its_run_alone(context: Path) -> None:
    mount = "--mount=type=secret,id=pip,target=/etc/pip.conf"
    path = context / "Dockerfile"
    path.write_text(f"FROM base\nRUN {mount} pip install six\nRUN pip install idna\n")
    six, idna = files.read(path).found
    assert "/etc/pip.conf" in six.reason
    assert idna.request
    assert not idna.note


def test_settings_that_are_mounted_count_for_their_run_alone(context: Path) -> None:
    (context / "pip.conf").write_text("[global]\nindex-url = https://i.example.com/simple\n")
    mount = "--mount=type=bind,source=pip.conf,target=/etc/pip.conf"
    path = context / "Dockerfile"
    path.write_text(f"FROM base\nRUN {mount} pip install six\nRUN pip install idna\n")
    six, idna = files.read(path).requests
    assert six.sources.index_url == "https://i.example.com/simple"
    assert not idna.sources


@pytest.mark.parametrize(
    "line",
    [
        'ENTRYPOINT ["pip", "install", "late"]',
        "CMD pip install late && jupyter lab",
        "HEALTHCHECK --interval=5m CMD pip install late",
    ],
)
def test_what_runs_in_a_container_is_listed(line: str, context: Path) -> None:
    asked, reasons = read(context, f"RUN pip install six\n{line}\nRUN pip install idna\n")
    assert asked == [("six",), ("idna",)]
    assert "in a container, and not in the image" in reasons[0]


HOOKS = "/usr/local/bin/before-notebook.d"


@pytest.fixture
def hooks(context: Path) -> Path:
    """A context with a hook that installs, by itself and in folders."""
    for folder in ("hooks", "rootfs/etc/cont-init.d"):
        (context / folder).mkdir(parents=True)
        (context / folder / "late.sh").write_text("#!/bin/bash\npip install late\n")
    (context / "late.sh").write_text("#!/bin/bash\npip install late\n")
    return context


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"COPY late.sh {HOOKS}/", f"{HOOKS}/late.sh"),
        (f"COPY late.sh {HOOKS}/10-it.sh", f"{HOOKS}/10-it.sh"),
        (f"WORKDIR $X\nADD --chmod=755 hooks {HOOKS}", f"{HOOKS}/late.sh"),
        ("COPY rootfs /", "/etc/cont-init.d/late.sh"),
        (f"COPY <<EOF {HOOKS}/it.sh\npip install late\nEOF", f"{HOOKS}/it.sh"),
        ("COPY late.sh /etc/profile.d/late.sh", "/etc/profile.d/late.sh"),
        ("COPY late.sh /etc/cron.d/late", "/etc/cron.d/late"),
        ("COPY late.sh /root/.bashrc", "/root/.bashrc"),
        (f"COPY late.sh /tmp/\nRUN cp /tmp/late.sh {HOOKS}", f"{HOOKS}/late.sh"),
        (f"COPY late.sh /tmp/\nRUN mv /tmp/late.sh {HOOKS}/it.sh", f"{HOOKS}/it.sh"),
        (f"COPY late.sh /tmp/\nRUN install -m 755 /tmp/late.sh {HOOKS}/it.sh", f"{HOOKS}/it.sh"),
        (f"COPY late.sh /tmp/\nRUN install -t {HOOKS} /tmp/late.sh", f"{HOOKS}/late.sh"),
        (f"COPY late.sh /opt/\nRUN ln -s /opt/late.sh {HOOKS}/it.sh", f"{HOOKS}/it.sh"),
        (f"COPY hooks /tmp/hooks\nRUN cp -r /tmp/hooks/. {HOOKS}/", f"{HOOKS}/late.sh"),
        (f"COPY hooks /tmp/hooks\nRUN cp /tmp/hooks/*.sh {HOOKS}/", f"{HOOKS}/late.sh"),
        ("COPY rootfs /tmp/r\nRUN rsync -a /tmp/r/ /", "/etc/cont-init.d/late.sh"),
        (f"RUN --mount=type=bind,target=/c cp /c/late.sh {HOOKS}/", f"{HOOKS}/late.sh"),
        (f"COPY late.sh /tmp/\nRUN cat /tmp/late.sh | tee {HOOKS}/it.sh", f"{HOOKS}/it.sh"),
        (f"COPY late.sh /h/\nFROM base\nCOPY --from=0 /h/late.sh {HOOKS}/", f"{HOOKS}/late.sh"),
        (f"COPY hooks /h\nFROM base\nCOPY --from=0 /h/*.sh {HOOKS}/", f"{HOOKS}/late.sh"),
        (f"RUN echo pip install x > /h/i\nFROM base\nCOPY --from=0 /h/ {HOOKS}/", f"{HOOKS}/i"),
    ],
)
def test_a_hook_that_installs_is_listed(text: str, path: str, hooks: Path) -> None:
    (hooks / "Dockerfile").write_text(f"FROM base\n{text}\n")
    (found,) = files.read(hooks / "Dockerfile").found
    assert found.request is None
    assert found.reason.startswith(f"{path} installs when a server")
    assert found.line == 2 + text.partition("EOF")[0].count("\n")


@pytest.mark.parametrize(
    "text",
    [
        f"ADD https://e.example/late.sh {HOOKS}/",
        f"COPY --from=e.example/other /h/late.sh {HOOKS}/",
        f"COPY missing.sh {HOOKS}/",
        f"RUN curl -o {HOOKS}/late.sh https://e.example/x",
        f"RUN wget -P {HOOKS} https://e.example/late.sh",
    ],
)
def test_a_hook_that_is_not_seen_is_listed(text: str, hooks: Path) -> None:
    asked, (reason,) = read(hooks, text)
    assert not asked
    assert reason.startswith(f"What {HOOKS}/")
    assert reason.endswith("starts it is not seen here.")


@pytest.mark.parametrize(
    ("name", "content", "copy"),
    [
        ("late.sh", "#!/bin/bash\n# pip install late\nexport A=1\n", f"late.sh {HOOKS}/"),
        ("README.md", "For more: pip install late\n", f"hooks {HOOKS}"),
        ("motd.sh", 'echo "for more: pip install late"\n', "motd.sh /etc/profile.d/"),
        ("late.sh", "#!/bin/bash\npip install late\n", "late.sh /opt/tools/"),
        ("late.sh", "#!/bin/bash\npip install late\n", "late.sh /opt/before-notebook.dx/"),
    ],
)
def test_what_installs_nothing_later(name: str, content: str, copy: str, context: Path) -> None:
    (context / "hooks").mkdir()
    for folder in (context, context / "hooks"):
        (folder / name).write_text(content)
    assert read(context, f"COPY {copy}\n") == ([], [])


def test_a_hook_that_dockerignore_leaves_out_is_not_there(hooks: Path) -> None:
    (hooks / ".dockerignore").write_text("late.sh\n**/late.sh\n")
    assert read(hooks, f"COPY hooks {HOOKS}\nCOPY late.sh {HOOKS}/\n") == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        'COPY late.sh /\nENTRYPOINT ["tini", "-g", "--", "/late.sh"]',
        'COPY late.sh /usr/local/bin/start\nENTRYPOINT ["start"]',
        "COPY late.sh /usr/local/bin/\nCMD late.sh --port 8888",
        'ENTRYPOINT ["/late.sh"]\nCOPY late.sh /',
        'COPY late.sh /\nENTRYPOINT ["tini", "--"]\nCMD ["/late.sh"]',
        'ENTRYPOINT ["bash", "-c"]\nCMD ["pip install late"]',
        'COPY late.sh /\nENTRYPOINT ["/late.sh"]\nFROM 0',
    ],
)
def test_a_script_that_a_container_starts_with_is_listed(text: str, hooks: Path) -> None:
    asked, (reason,) = read(hooks, text)
    assert not asked
    assert reason.endswith("runs it in a container, and not in the image.")


def test_only_the_last_command_of_an_image_counts(hooks: Path) -> None:
    assert read(hooks, "COPY late.sh /\nCMD /late.sh\nFROM 0\nCMD jupyter lab\n") == ([], [])


def test_a_program_that_is_copied_is_read_where_it_runs(hooks: Path) -> None:
    assert read(hooks, "COPY late.sh /usr/local/bin/get-all\nRUN get-all\n") == ([("late",)], [])


def test_copied_with_its_parents(context: Path) -> None:
    (context / "a").mkdir()
    (context / "a/r.txt").write_text("idna\n")
    text = "COPY --parents a/r.txt /tmp/\nRUN pip install -r /tmp/a/r.txt\n"
    assert read(context, text)[0] == [(f"-r {context}/a/r.txt",)]


# B16: patterns


CONDA = """\
COPY environment.yml* .devcontainer/noop.txt /tmp/conda-tmp/
RUN if [ -f "/tmp/conda-tmp/environment.yml" ]; then umask 0002 && /opt/conda/bin/conda env update \
-n base -f /tmp/conda-tmp/environment.yml; fi && rm -rf /tmp/conda-tmp
"""


@pytest.mark.parametrize("name", ["Dockerfile", ".devcontainer/Dockerfile"])
def test_patterns_match_in_the_context(name: str, context: Path) -> None:
    assert read(context, CONDA, name)[0] == [(f"--file {context}/environment.yml",)]
    text = "COPY requirements*.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n"
    assert read(context, text, name)[0] == [(f"-r {context}/requirements.txt",)]


def test_a_dev_container_says_its_context(context: Path) -> None:
    text = "COPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n"
    own = context / ".devcontainer"
    own.mkdir()
    (own / "requirements.txt").write_text("idna\n")
    (own / "devcontainer.json").write_text('{"build": {"context": "."}} // as it is by default')
    assert read(context, text, ".devcontainer/Dockerfile")[0] == [(f"-r {own}/requirements.txt",)]


@pytest.mark.parametrize(
    ("place", "git", "context_is"),
    [
        ("docker/Dockerfile", False, ""),
        ("app/web/Dockerfile", True, ""),
        ("app/Dockerfile", False, "app"),
        ("docker/web/Dockerfile", False, ""),
        ("app/web/Dockerfile", False, "app/web"),
    ],
)
def test_a_context_above(place: str, git: bool, context_is: str, context: Path) -> None:
    (context / place).parent.mkdir(parents=True)
    if git:
        (context / ".git").mkdir()
        (context / "app" / ".git").write_text("")
    text = "COPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n"
    (context / place).write_text(f"FROM base\n{text}")
    reading = files.read(context / place)
    (found,) = reading.found
    if context_is:
        assert f"no {context / context_is}/requirements.txt" in next(lists.expand(found)).reason
        assert "taken for its context" not in " ".join(reading.notes)
    else:
        assert found.request is not None
        assert found.request.texts == (f"-r {context}/requirements.txt",)
        assert f"lies in {context}, which is taken for its context" in " ".join(reading.notes)


def test_a_pattern_that_matches_nothing_brings_nothing(evil: Path, context: Path) -> None:
    text = f"COPY lists/*.txt {evil.parent}/\nRUN pip install -r {evil}\n"
    assert "only in the image" in read(context, text)[1][0]


def test_nothing_above_the_context_is_copied(evil: Path, context: Path) -> None:
    text = "COPY ../here/requirements*.txt /r/\nRUN pip install -r /r/requirements.txt\n"
    asked, reasons = read(context, text)
    assert not asked
    assert len(reasons) == 1


# B19: URLs, git, archives


@pytest.mark.parametrize(
    ("add", "command", "asked"),
    [
        ("https://h.example.com/r.txt /tmp/", "-r /tmp/r.txt", "-r https://h.example.com/r.txt"),
        ("https://h.example.com/a.txt /b.txt", "-r /b.txt", "-r https://h.example.com/a.txt"),
        ("https://git.example.com/p.git#v1 /p", "/p", "git+https://git.example.com/p.git@v1"),
        ("git@git.example.com:me/p.git /p", "/p", "git+ssh://git@git.example.com/me/p.git"),
    ],
)
def test_add_of_what_lies_elsewhere(add: str, command: str, asked: str, context: Path) -> None:
    assert read(context, f"ADD {add}\nRUN pip install {command}\n") == ([(asked,)], [])


@pytest.mark.parametrize(
    ("fetch", "asked"),
    [
        ("wget https://h.example.com/a/r.txt", "/r.txt"),
        ("wget -qO /r.txt https://h.example.com/a/r.txt", "/r.txt"),
        ("wget -q -P /tmp https://h.example.com/a/r.txt", "/tmp/r.txt"),
        ("curl -fsSL https://h.example.com/a/r.txt -o /r.txt", "/r.txt"),
        ("curl -LO https://h.example.com/a/r.txt?raw=1", "/r.txt"),
        ("curl -s https://h.example.com/a/r.txt > /l.txt", "/l.txt"),
    ],
)
def test_a_list_that_a_line_downloads_is_its_url(fetch: str, asked: str, context: Path) -> None:
    found, reasons = read(context, f"RUN {fetch} && pip install -r {asked}\n")
    assert [each[0].partition("?")[0] for each in found] == ["-r https://h.example.com/a/r.txt"]
    assert not reasons


def test_what_apt_takes_no_url_for_is_said(context: Path) -> None:
    add = "ADD https://h.example.com/x.deb /x.deb\nRUN apt-get install -y /x.deb\n"
    curl = "RUN curl -LO https://h.example.com/y.deb && apt-get install -y ./y.deb\n"
    asked, reasons = read(context, add + curl)
    assert not asked
    assert "it comes from https://h.example.com/x.deb" in reasons[0]
    assert "it comes from https://h.example.com/y.deb" in reasons[-1]


def test_an_archive_that_is_unpacked_is_said(context: Path) -> None:
    asked, reasons = read(context, "ADD x.tar.gz /opt/\nRUN pip install /opt/x\n")
    assert not asked
    assert "x.tar.gz" in reasons[0]


# B20 and B21: which environment


def test_path_decides_which_pip(context: Path) -> None:
    text = (
        "RUN python3 -m venv /opt/venv\nENV VIRTUAL_ENV=/opt/venv\n"
        'ENV PATH="$VIRTUAL_ENV/bin:$PATH"\nRUN pip install six\nRUN uv pip install idna\n'
    )
    assert targets(context, text) == ["/opt/venv", "/opt/venv"]


def test_a_path_that_is_appended_does_not_decide(context: Path) -> None:
    text = 'ENV PATH="$PATH:/opt/venv/bin"\nRUN pip install six\n'
    assert targets(context, text) == [""]


def test_condas_default_environment_is_condas_alone(context: Path) -> None:
    text = "ENV CONDA_DEFAULT_ENV chapter\nRUN conda install -y numpy\nRUN pip install six\n"
    assert targets(context, text) == ["chapter", ""]


def test_an_activation_in_bashrc_counts_for_a_login_shell(context: Path) -> None:
    written = 'RUN echo "conda activate chapter" >> ~/.bashrc\n'
    login = 'SHELL ["/bin/bash", "--login", "-c"]\n'
    assert targets(context, f"{written}{login}RUN pip install six\n") == ["chapter"]
    assert targets(context, f"{written}RUN pip install six\n") == [""]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        # a variable in the path, and a folder before it that holds no Python
        ("ARG E=lab\nENV PATH=/usr/lib/cuda/bin:/opt/envs/${E}/bin:$PATH\n", "/opt/envs/lab"),
        # the later ENV counts
        ("ENV PATH=/opt/a/envs/x/bin:$PATH\nENV PATH=/opt/venv/bin:$PATH\n", "/opt/venv"),
        # one RUN's own PATH is gone with it
        ("RUN export PATH=/opt/venv/bin:$PATH && pip --version\n", ""),
        ("RUN . /opt/venv/bin/activate\n", ""),
        # what a login shell would read is another user's
        (
            'USER root\nRUN echo "conda activate lab" >> ~/.bashrc\nUSER jovyan\n'
            'SHELL ["bash", "-lc"]\n',
            "",
        ),
        (
            'USER jovyan\nRUN echo "conda activate lab" >> /home/jovyan/.bashrc\n'
            'SHELL ["bash", "-l", "-c"]\n',
            "lab",
        ),
        ('COPY activate.sh /etc/profile.d/lab.sh\nSHELL ["bash", "-lc"]\n', "lab"),
        ('ENV BASH_ENV=/root/.bashrc\nRUN echo "conda activate lab" > $HOME/.bashrc\n', ""),
        ('SHELL ["conda", "run", "-n", "lab", "/bin/bash", "-c"]\n', "lab"),
    ],
)
def test_where_an_install_goes(text: str, where: str, context: Path) -> None:
    (context / "activate.sh").write_text(
        "source /opt/conda/etc/profile.d/conda.sh\nconda activate lab\n"
    )
    assert targets(context, f"{text}RUN pip install six\n") == [where]


# Stages, triggers, users and scripts


def test_a_stage_begins_with_all_that_its_base_has_settled(context: Path) -> None:
    text = (
        "AS first\nENV PIP_INDEX_URL=https://pypi.example.com/simple PATH=/opt/venv/bin:$PATH\n"
        'ARG V=1.2\nWORKDIR /srv\nCOPY requirements.txt ./\nSHELL ["/bin/bash", "-c"]\n'
        "FROM first\nRUN pip install -r requirements.txt a==$V\n"
    )
    path = context / "Dockerfile"
    path.write_text(f"FROM base {text}")
    (found,) = files.read(path).found
    assert found.request is not None
    assert found.request.texts == (f"-r {context}/requirements.txt", "a==1.2")
    assert found.request.sources.index_url == "https://pypi.example.com/simple"
    assert found.target.prefix == "/opt/venv"


def test_another_stage_s_variables_do_not_hold(context: Path) -> None:
    text = "ENV V=1.2\nFROM other\nRUN pip install a==$V\n"
    assert "$V" in read(context, text)[1][0]


def test_onbuild_runs_in_the_children_alone(context: Path) -> None:
    asked, reasons = read(context, "ONBUILD RUN pip install six\nRUN pip install idna\n")
    assert asked == [("idna",)]
    assert "ONBUILD" in reasons[0]
    asked, reasons = read(context, "ONBUILD RUN pip install six\nFROM a\n")
    assert (asked, reasons) == ([], [])  # the second FROM is another image, not that stage
    path = context / "Dockerfile"
    path.write_text("FROM x AS a\nONBUILD RUN pip install six\nFROM a\nRUN pip install idna\n")
    assert [r.texts for r in files.read(path).requests] == [("six",), ("idna",)]


@pytest.mark.parametrize(
    ("user", "file"),
    [
        ("USER jovyan\n", "~/r.txt"),
        ("USER jovyan\n", "$HOME/r.txt"),
        ("USER jovyan:users\n", "${HOME}/r.txt"),
        ("USER root\nENV HOME=/home/jovyan\n", "~/r.txt"),
        ("FROM quay.io/jupyter/base-notebook:2026-01-01\n", "r.txt"),
    ],
)
def test_the_home_is_the_image_s(user: str, file: str, context: Path) -> None:
    text = f"{user}COPY requirements.txt /home/jovyan/r.txt\nRUN pip install -r {file}\n"
    assert read(context, text)[0] == [(f"-r {context}/requirements.txt",)]


@pytest.mark.parametrize(
    "run",
    [
        "bash /s/setup.sh",
        "/s/setup.sh",
        "cd /s && ./setup.sh",
        "chmod +x /s/setup.sh && sudo /s/setup.sh",
    ],
)
def test_a_script_that_is_copied_is_read(run: str, context: Path) -> None:
    (context / "setup.sh").write_text("#!/bin/bash\nset -e\npip install fromscript\n")
    assert read(context, f"COPY setup.sh /s/\nRUN {run}\n")[0] == [("fromscript",)]
    _, reasons = read(context, f"RUN {run}\n")
    assert "setup.sh" in reasons[0]


def test_a_python_script_is_no_shell_s(context: Path) -> None:
    (context / "run.py").write_text("#!/usr/bin/env python3\nprint('pip install no')\n")
    assert read(context, "COPY run.py /s/\nRUN /s/run.py\n") == ([], [])


def test_a_folder_of_links_is_the_image_s(context: Path) -> None:
    (context / "wheels").mkdir()
    text = "COPY wheels /w\nRUN pip install --find-links /w six\nRUN pip install -f/lost idna\n"
    path = context / "Dockerfile"
    path.write_text(f"FROM base\n{text}RUN pip install --no-index --find-links=/lost a\n")
    six, idna, lost = files.read(path).found
    assert six.request is not None
    assert six.request.sources.find_links == (f"{context}/wheels",)
    assert idna.request is not None
    assert (idna.request.options, "/lost" in idna.note) == ((), True)
    assert (lost.request, "/lost" in lost.reason) == (None, True)


@pytest.mark.parametrize(
    ("commands", "spec"),
    [
        ("git checkout v2.1", "git+https://git.example.com/p@v2.1"),
        ("git checkout -q 0a1b2c3", "git+https://git.example.com/p@0a1b2c3"),
        ("git -C /opt/p switch dev", "git+https://git.example.com/p@dev"),
        ("git reset --hard v1 && cd /opt", "git+https://git.example.com/p@v1"),
        ("git checkout -- setup.py", "git+https://git.example.com/p"),
        ("git checkout $REF", ""),
        ("if x; then git checkout v1; fi", ""),
    ],
)
def test_what_is_checked_out_of_a_clone(commands: str, spec: str, context: Path) -> None:
    clone = "git clone https://git.example.com/p /opt/p && cd /opt/p"
    asked, reasons = read(context, f"RUN {clone} && {commands}; pip install /opt/p\n")
    assert asked == ([(spec,)] if spec else [])
    assert spec or "known only when it runs" in reasons[0]


def test_the_case_of_a_stage_s_name_does_not_count(context: Path) -> None:
    path = context / "Dockerfile"
    path.write_text("FROM x AS Build\nRUN pip install six\nFROM build\nRUN pip install idna\n")
    reading = files.read(path)
    assert [request.texts for request in reading.requests] == [("six",), ("idna",)]
    assert not any("not in the image" in note for note in reading.notes)


def test_a_folder_is_relative_to_the_image_s_home(context: Path) -> None:
    copy = "WORKDIR $HOME/app\nCOPY requirements.txt ./\n"
    text = f"{copy}RUN cd ~/app && pip install -r requirements.txt\n"
    assert read(context, text)[0] == [(f"-r {context}/requirements.txt",)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('ENV LIST "six idna"', ("six", "idna")),
        ("ENV LIST six idna", ("six", "idna")),
        ("ENV V=1\nENV LIST 'six'\"==$V\"", ("six==1",)),
        ('ENV LIST="six idna"', ("six", "idna")),
    ],
)
def test_quotes_of_env(line: str, expected: tuple[str, ...], context: Path) -> None:
    assert read(context, f"{line}\nRUN pip install $LIST\n") == ([expected], [])


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("e.com/debian:12-slim", "debian:12-slim"),
        ("nvidia/cuda:12.1-devel-ubuntu22.04", "ubuntu22.04"),
        ("python:3.12-bookworm", "bookworm"),
        ("python:3.12", ""),
    ],
)
def test_the_release_that_packages_of_debian_are_of(base: str, said: str, context: Path) -> None:
    (context / "Dockerfile").write_text(f"FROM {base}\nRUN apt-get install -y git=1:2\n")
    notes = [note for note in files.read(context / "Dockerfile").notes if "Debian" in note]
    assert notes == [f"Its Debian packages are of {said}, in names and in versions."] * bool(said)


@pytest.mark.parametrize(
    ("rules", "left_out"),
    [
        ("dev\n", True),
        ("*\n!other.txt\n", True),
        ("**/requirements.txt\n", True),
        ("/dev/*.txt\n# dev\n", True),
        ("*.txt\n", False),  # of the context's own folder alone
        ("*\n!dev\n", False),
        ("dev\n!dev/requirements.txt\n", False),
    ],
)
def test_dockerignore_leaves_files_out_of_a_copy(rules: str, left_out: bool, context: Path) -> None:
    (context / "dev").mkdir()
    (context / "dev" / "requirements.txt").write_text("idna\n")
    (context / ".dockerignore").write_text(rules)
    asked, reasons = read(context, "COPY . /w\nRUN pip install -r /w/dev/requirements.txt\n")
    assert (asked == [], any(".dockerignore leaves" in r for r in reasons)) == (left_out, left_out)
    (context / "Dockerfile.dockerignore").write_text("")  # its own counts alone
    assert read(context, "COPY . /w\nRUN pip install -r /w/dev/requirements.txt\n")[1] == []


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ("mkdir /w && mv /b/*.whl /w/ && pip install /w/*.whl", True),
        ("cp -r /b /w && pip install --no-index --find-links=/w six", True),
        ("mkdir /w && cp -r /b /w && pip install /w/b/*.whl", True),
        ("ls /b/*.whl | xargs pip install", True),
        ("find /b -name '*.whl' | xargs -n1 pip install", True),
        ("pip install $(ls /b/*.whl)", True),
        ("cd /b && ls *.whl | xargs pip install", True),
        ("mv /b/*.whl /w/ && pip install /b/*.whl", False),
        ("ls /c/*.whl | xargs pip install", False),
        ("find /b -mtime 1 -name '*.whl' | xargs pip install", False),
    ],
)
def test_wheels_that_are_moved_or_listed(commands: str, found: bool, context: Path) -> None:
    asked, reasons = read(context, f"RUN pip wheel -w /b six==1.16\nRUN {commands}\n")
    assert (asked == [("six==1.16",)], reasons == []) == (found, found)


def test_paths_and_shells_of_windows(context: Path) -> None:
    (context / "Dockerfile").write_text(
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM windows.example.com/windows/core\n"
        'SHELL ["powershell", "-Command"]\nWORKDIR C:\\app\nCOPY requirements.txt C:/lists/\n'
        "RUN pip install -r C:\\lists\\requirements.txt `\n  idna\n"
        "RUN pip install 'flask>=2' ; pip install a,b\nRUN pip install 'flask>=2'\n"
    )
    reading = files.read(context / "Dockerfile")
    listed = (f"-r {context}/requirements.txt", "idna")
    assert [r.texts for r in reading.requests] == [listed, ("flask>=2",)]
    assert ["powershell runs it" in each.reason for each in reading.problems] == [True]
    assert "an image of Windows" in reading.notes[0]


def test_an_empty_base_is_said_to_be_empty(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM a AS b\nFROM scratch\nCOPY --from=b / /\n")
    assert files.read(context / "Dockerfile").notes[0].startswith("It begins empty")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("https://h.example.com/t-1.0%2Bcu1-cp38-cp38-win_amd64.whl", "write t==1.0+cu1"),
        ("pywin32==306", "It is for Windows alone."),
        ("https://h.example.com/t-1.0-py3-none-any.whl", ""),
        ("'pywin32; sys_platform == \"win32\"'", ""),
    ],
)
def test_a_line_asks_for_what_is_of_another_system(spec: str, reason: str, context: Path) -> None:
    asked, reasons = read(context, f"RUN pip install six {spec}\n")
    assert asked[0][0] == "six"
    assert (len(asked[0]) == 1, "".join(reasons).endswith(reason)) == (bool(reason), True)
    assert read(context, "RUN pip uninstall pywin32\n")[1] == []
    url = "https://c.example.com/ch/{}/six-1-0.conda"
    assert "write six=1" in read(context, f"RUN conda install -y {url.format('win-64')}\n")[1][0]
    assert read(context, f"RUN conda install -y {url.format('noarch')}\n")[1] == []


def test_the_lock_that_a_copy_brings_is_the_line_s(context: Path) -> None:
    (context / "uv.lock").write_text("version = 1\n")
    text = "COPY {} /w/\nWORKDIR /w\nRUN uv sync --frozen && pipenv install six\n"
    for copied, line in (("uv.lock", "-f uv.lock"), ("requirements.txt", "-f pyproject.toml")):
        locked, named = read(context, text.format(copied))[1]
        assert locked.endswith(f"%envinstall {line}")
        assert "%envinstall" not in named  # packages by name are of no list


def test_an_instruction_that_docker_has_not_is_listed(context: Path) -> None:
    text = "RUN apt-get update && \\\n  apt-get install -y gcc\n  pip install six\nRUNN x y\n"
    text += "  && pip install B\nA_B c\n"
    assert read(context, f"EXPOSE 80\nSTOPSIGNAL 9\nLABEL a=b\nVOLUME /d\n{text}") == (
        [("gcc",)],
        [
            f"Docker has no instruction {name}: its build stops there."
            for name in ("PIP", "RUNN", "&&", "A_B")
        ],
    )


def test_a_stage_on_another_has_the_python_of_its_image(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM python:3.9 AS a\nFROM a AS b\nRUN pip install six\n")
    assert [f.target.interpreter for f in files.read(context / "Dockerfile").found] == ["python3.9"]


@pytest.mark.parametrize(
    ("rule", "left_out"),
    [("*.txt", True), ("**/*.txt", True), ("dev", False), ("d/*.txt", False)],
)
def test_what_a_copy_excludes_is_not_there(rule: str, left_out: bool, context: Path) -> None:
    text = f"COPY --exclude={rule} . /w\nRUN pip install -r /w/requirements.txt\n"
    asked, reasons = read(context, text)
    assert (asked == [], [f"--exclude={rule}" in each for each in reasons]) == (
        left_out,
        [True] * left_out,
    )


@pytest.mark.parametrize(
    ("before", "rule", "file", "left_out"),
    [
        ("", ".*", ".txt", True),
        ("", "**/.*", "d/.txt", True),
        ("", "d", "d/.txt", True),
        ("", "*.txt", "d/.txt", False),
        ("COPY .txt /w/.txt\n", ".*", ".txt", False),  # the first copy stays
    ],
)
def test_copy_excludes_by_the_rules_of_dockerignore(
    before: str, rule: str, file: str, left_out: bool, context: Path
) -> None:
    (context / "d").mkdir()
    for name in (".txt", "d/.txt"):
        (context / name).write_text("six\n")
    text = f"{before}COPY --exclude={rule} . /w\nRUN pip install -r /w/{file}\n"
    asked, reasons = read(context, text)
    assert (asked == [], [f"--exclude={rule}" in each for each in reasons]) == (
        left_out,
        [True] * left_out,
    )


@pytest.mark.parametrize(
    ("before", "project", "reason"),
    [
        ("tar xzf p-1.0.tar.gz && cd p-1.0", ".", "unpacked from https://h.example.com/p-1.0"),
        ("mkdir p && tar -xzf p-1.0.tar.gz -C p --strip-components=1", "./p", "unpacked from"),
        ("tar --extract --file=p-1.0.tar.gz", "./p-1.0/sub", "unpacked from"),
        ("tar czf p-1.0.tar.gz sub", "./sub", ""),  # that makes the archive
        ("tar xzf data.tgz -C /opt/r", ".", ""),  # into the clone
        ("tar xzf data.tgz", "./sub", ""),
    ],
)
def test_what_an_archive_brings_is_not_the_clones(
    tmp_path: Path, before: str, project: str, reason: str
) -> None:
    clone = "RUN git clone https://git.example.com/o/r.git /opt/r\nWORKDIR /opt/r\n"
    fetch = "wget -q https://h.example.com/p-1.0.tar.gz"
    *_, find = dockerfile(tmp_path, f"{clone}RUN {fetch} && {before} && pip install {project}")
    assert (find.request is None) is bool(reason)
    assert reason in find.reason
    if find.request is not None:
        assert find.request.texts[0].startswith("git+https://git.example.com/o/r.git")
