"""Which environment a kernel runs in: what its kernelspec says, and what it leaves open."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.model.errors import CommandFailed, UnknownEnvironment
from jstackmagic.where import kernels
from jstackmagic.where.kernels import environment_of, environments, not_understood
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.environments import Root

IPYKERNEL = ("-m", "ipykernel_launcher", "-f", "{connection_file}")


@pytest.fixture
def root(conda_root: Root, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A conda whose base runs this process, with an environment ``conda-test`` beside it."""
    monkeypatch.setattr(sys, "prefix", str(conda_root.prefix))
    monkeypatch.setattr(kernels, "_system_folders", list)
    conda_root.create("conda-test", "python")
    return conda_root


@pytest.fixture
def tools(root: Root) -> Path:
    """The programs of project tools, which are installed in conda's base."""
    for tool in (
        "pixi",
        "uv",
        "poetry",
        "hatch",
        "rye",
        "pdm",
        "envkernel",
        "srun",
        "start-kernel",
    ):
        (root.prefix / "bin" / tool).touch(mode=0o755)
    return root.prefix / "bin"


def kernel(home: Path, name: str, *argv: object, **fields: Any) -> None:
    """Write a kernelspec of the user's."""
    folder = home / ".local/share/jupyter/kernels" / name
    folder.mkdir(parents=True)
    spec = {"argv": [str(word) for word in argv], "display_name": name, **fields}
    (folder / "kernel.json").write_text(json.dumps(spec))


def notebook(folder: Path, name: str, display_name: str = "") -> Path:
    """A notebook with one install, of a kernelspec."""
    cell = {"cell_type": "code", "source": "!pip install six", "metadata": {}, "outputs": []}
    kernelspec = {"name": name, "display_name": display_name, "language": "python"}
    path = folder / "n.ipynb"
    path.write_text(json.dumps({"metadata": {"kernelspec": kernelspec}, "cells": [cell]}))
    return path


class TestProjectTools:
    """D1: a program that lies in an environment does not run in it."""

    @pytest.mark.parametrize(
        "argv",
        [
            ["{bin}/pixi", "run", "python", *IPYKERNEL],
            ["{bin}/uv", "run", "--with", "ipykernel", "python", *IPYKERNEL],
            ["{bin}/poetry", "run", "python", *IPYKERNEL],
            ["{bin}/hatch", "run", "python", *IPYKERNEL],
            ["{bin}/rye", "run", "python", *IPYKERNEL],
            ["{bin}/envkernel", "lmod", "run", "python/3.12", "--", "python", *IPYKERNEL],
            ["{bin}/srun", "{bin}/python", *IPYKERNEL],
            ["{bin}/start-kernel", "-f", "{connection_file}"],
            ["env", "UV_PROJECT=/p", "{bin}/uv", "run", "python", *IPYKERNEL],
            ["bash", "-c", "cd /p && exec {bin}/pixi run python -m ipykernel_launcher"],
            ["bash", "-c", "module load python/3.12; exec python -m ipykernel_launcher"],
            ["bash", "-lc", ". /p/setup.sh && python -m ipykernel_launcher"],
            ["conda", "run", "-n", "conda-test", "pixi", "run", "python", *IPYKERNEL],
            ["python", "-m", "poetry_kernel", "-f", "{connection_file}"],
            ["{bin}/python", "-m", "remote_ikernel", "--host", "x"],
            ["python", "-m", "sparkmagic.kernels.pysparkkernel.pysparkkernel", "-f", "x"],
            ["{bin}/python", "/srv/scripts/launch_kubernetes.py", "--kernel-id", "x"],
            ["{bin}/python", "-c", "import subprocess; subprocess.run(['ssh', 'x'])"],
        ],
    )
    def test_tell_nothing(self, argv: list[str], home: Path, tools: Path) -> None:
        kernel(home, "tool", *(word.replace("{bin}", str(tools)) for word in argv))
        with pytest.raises(UnknownEnvironment, match="does not say which") as caught:
            environment_of("tool")
        assert "--prefix" in caught.value.advice[1]
        assert "tool" not in [name for found in environments() for name in found.kernels]
        assert any("tool" in error.problem for error in not_understood())

    def test_no_verb_goes_to_base_instead(self, home: Path, tools: Path) -> None:
        kernel(home, "pixi", tools / "pixi", "run", "python", *IPYKERNEL)
        for name, *words in (("info",), ("install", "six", "--dry-run")):
            with pytest.raises(UnknownEnvironment):
                verb(name, "--kernel", "pixi", *words)

    @pytest.mark.parametrize(
        "script",
        [
            '#!/bin/bash\nsource {root}/bin/activate conda-test\nexec python -m ipykernel "$@"\n',
            '#!/bin/sh\ncd /srv\nexec {root}/envs/conda-test/bin/python -m ipykernel "$@"\n',
            '#!/bin/sh\nmodule load x\nexec {root}/envs/conda-test/bin/python -m ipykernel "$@"\n',
            '#!/usr/bin/env bash\nexport PATH={root}/envs/conda-test/bin:$PATH\n'
            'exec python -m ipykernel_launcher "$@"\n',
            "#!/bin/sh\ncat <<'E' >&2\nexec {root}/bin/python\nE\n"
            "exec {root}/envs/conda-test/bin/python -m ipykernel\n",
            "#!/bin/sh\ncat <<-E; conda activate conda-test\n\texec {root}/bin/python\n\tE\n"
            "exec python -m ipykernel\n",
            "#!/bin/bash\ncat <<< E\nexec {root}/envs/conda-test/bin/python -m ipykernel\nE\n",
            '#!/bin/bash\nD={root}/envs/conda-test\nexec "$D/bin/python" -m ipykernel "$@"\n',
            '#!/bin/sh\n. {root}/bin/activate "${NO:-conda-test}"\nexec python -m ipykernel\n',
            '#!/bin/bash\nN=${2#x}\nN=conda-test\nconda activate $N\nexec python -m ipykernel\n',
            '#!/bin/sh\nshift\nshift\nP={root}/envs/$1/bin/python\nexec $P -m ipykernel -f "$2"\n',
        ],
    )  # fmt: skip
    def test_a_helper_script_is_read(self, script: str, home: Path, root: Root) -> None:
        path = root.prefix / "bin" / "start-kernel"
        path.write_text(script.replace("{root}", str(root.prefix)))
        path.chmod(0o755)
        kernel(home, "helped", path, "-a", "-b", "conda-test", "{connection_file}")
        assert environment_of("helped").name == "conda-test"

    @pytest.mark.parametrize(
        "script",
        [
            "#!/bin/sh\nconda activate $NAME\nexec python -m ipykernel\n",
            "#!/bin/sh\nexec $D/bin/python -m ipykernel\n",
            "#!/bin/sh\nD={root}\nif x; then D={root}/envs/conda-test; fi\n"
            "exec $D/bin/python -m ipykernel\n",
        ],
    )
    def test_one_that_only_the_run_can_fill_in_is_not(
        self, script: str, home: Path, root: Root
    ) -> None:
        path = root.prefix / "bin" / "start-kernel"
        path.write_text(script.replace("{root}", str(root.prefix)))
        path.chmod(0o755)
        kernel(home, "helped", path)
        with pytest.raises(UnknownEnvironment, match="does not say which"):
            environment_of("helped")

    def test_an_activation_by_its_path_needs_no_conda_that_is_known(
        self, home: Path, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("python", name="far/envs/lab")
        line = f"source {prefix.parents[1]}/bin/activate lab && exec python -m ipykernel_launcher"
        kernel(home, "far", "bash", "-c", line)
        assert environment_of("far").prefix == str(prefix)

    def test_an_interpreter_by_its_path_counts_more_than_an_activation(
        self, home: Path, root: Root
    ) -> None:
        line = f"source activate conda-test && exec {root.prefix}/bin/python -m ipykernel_launcher"
        kernel(home, "both", "bash", "-c", line)
        assert environment_of("both").name == "base"

    def test_the_kernelspec_s_own_path_counts(self, home: Path, root: Root) -> None:
        folder = root.prefix / "envs/conda-test/bin"
        kernel(home, "by-path", "python3.12", *IPYKERNEL, env={"PATH": f"{folder}:/usr/bin"})
        (folder / "python3.12").touch(mode=0o755)
        assert environment_of("by-path").name == "conda-test"


HOOK = """
__conda_setup="$('{other}/bin/conda' 'shell.bash' 'hook' 2> /dev/null)"
if [ $? -eq 0 ]; then
    eval "$__conda_setup"
else
    if [ -f "{other}/etc/profile.d/conda.sh" ]; then
        . "{other}/etc/profile.d/conda.sh"
    else
        export PATH="{other}/bin:$PATH"
    fi
fi
unset __conda_setup
"""
"""The lines of ``conda init``, without its comments."""


class TestLinesOfAShell:
    """What the lines before a kernel set decides, and what only the run knows is not guessed."""

    @pytest.fixture
    def places(self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """Two condas with environments of one name, and two virtual environments."""
        root, other = tmp_path / "root", tmp_path / "other"
        prefixes = (root, root / "envs/conda-test", other, other / "envs/conda-test")
        names = ["conda-meta/history", "bin/python"]
        made = [*(prefix / name for prefix in prefixes for name in names)]
        names = ["conda", "activate", "micromamba", "../etc/profile.d/conda.sh", "../condabin/x"]
        made += [prefix / "bin" / name for prefix in (root, other) for name in names]
        virtual = (home / "lab", tmp_path / "project/.venv")
        made += [prefix / name for prefix in virtual for name in ("bin/python", "pyvenv.cfg")]
        for path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)
        monkeypatch.setattr(sys, "prefix", str(root))
        monkeypatch.setattr(kernels, "_system_folders", list)
        return {
            "{root}": str(root),
            "{other}": str(other),
            "{mine}": str(root / "envs/conda-test"),
            "{its}": str(other / "envs/conda-test"),
            "{venv}": str(virtual[0]),
            "{project}": str(tmp_path / "project"),
        }

    def prefix(self, argv: list[str], home: Path, places: dict[str, str], **fields: Any) -> str:
        for name, value in places.items():
            argv = [word.replace(name, value) for word in argv]
        kernel(home, "mine", *argv, **fields)
        return environment_of("mine").prefix

    @pytest.mark.parametrize(
        ("script", "expected"),
        [
            ("source {other}/etc/profile.d/conda.sh && conda activate conda-test && {run}", "its"),
            ('R={other}\n. "$R/etc/profile.d/conda.sh"\nconda activate conda-test\n{run}', "its"),
            (
                'eval "$({other}/bin/conda shell.bash hook)"; conda activate conda-test; {run}',
                "its",
            ),
            ("PATH={other}/bin:$PATH; source activate conda-test; {run}", "its"),
            (HOOK + "conda activate conda-test\n{run}", "its"),
            ("{other}/bin/conda run -n conda-test python -m ipykernel", "its"),
            ("export MAMBA_ROOT_PREFIX={other}\nmicromamba activate conda-test\n{run}", "its"),
            (". {root}/etc/profile.d/conda.sh; conda activate conda-test; {run}", "mine"),
            ("conda activate conda-test # base\n# don't\n{run}", "mine"),
            ("conda activate conda-test > /dev/null 2>&1\n{run} 2>> log", "mine"),
            ("conda activate conda-test || exit 1; {run}", "mine"),
            ("exec > log 2>&1; conda activate conda-test\npython \\\n -m ipykernel", "mine"),
            ("conda activate conda-test; python -m ipykernel 2>&1 | tee log", "mine"),
            (
                "conda activate conda-test; /srv/prepare --all; exec -a k python -m ipykernel",
                "mine",
            ),
            ("PATH={mine}/bin:$PATH python -m ipykernel", "mine"),
            ("conda activate conda-test; PATH=/cuda/bin:$PATH {run}", "mine"),
            ("usage() { echo none; exit 1; }\nconda activate conda-test; {run}", "mine"),
            ("conda activate gone; exec {mine}/bin/python -m ipykernel", "mine"),
            ("source ~/lab/bin/activate && {run}", "venv"),
            ('exec "$HOME/lab/bin/python" -m ipykernel', "venv"),
            ("cd {project} && source .venv/bin/activate && {run}", "project"),
            ("cd {project}; exec .venv/bin/python -m ipykernel", "project"),
            ("python -m ipykernel", "root"),
        ],
    )
    def test_they_are_followed(
        self, script: str, expected: str, home: Path, places: dict[str, str]
    ) -> None:
        line = script.replace("{run}", "exec python -m ipykernel_launcher -f {connection_file}")
        found = self.prefix(["bash", "-c", line], home, places)
        assert found.removesuffix("/.venv") == places[f"{{{expected}}}"]

    @pytest.mark.parametrize(
        "script",
        [
            "module load anaconda3; source activate conda-test; {run}",  # of another conda
            '. "$MINICONDA/etc/profile.d/conda.sh"; conda activate conda-test; {run}',
            ". {other}/etc/profile.d/conda.sh; conda activate gone; {run}",
            "conda activate conda-test; module load python/3.12; {run}",
            "conda activate conda-test; conda deactivate; {run}",
            "conda activate conda-test; use_project; {run}",
            "conda activate conda-test || source activate base; {run}",
            "[ -f x ] && conda activate conda-test; {run}",
            "act() { conda activate conda-test; }; act; {run}",
            "(conda activate conda-test); {run}; exit",
            '[ "$X" = 1 ] && exec {mine}/bin/python -m ipykernel; exec {its}/bin/python -m x',
            "if [ $X ]; then exec {mine}/bin/python -m ipykernel; fi; {run}",
            "case $X in a) exec {mine}/bin/python;; *) exec {its}/bin/python;; esac",
            "source .venv/bin/activate && {run}",
            "cd $PROJECT && exec .venv/bin/python -m ipykernel",
            "for file in /etc/x/*; do . $file; done; {run}",
        ],
    )
    def test_what_only_the_run_knows_is_not_guessed(
        self,
        script: str,
        home: Path,
        places: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(places["{project}"])  # its .venv is not the kernel's
        line = script.replace("{run}", "exec python -m ipykernel_launcher -f {connection_file}")
        if "(" in script and "act()" not in script:
            line = line.replace("exec python", "python")
        with pytest.raises(UnknownEnvironment, match="leads to no environment"):
            self.prefix(["bash", "-c", line], home, places)

    @pytest.mark.parametrize(
        ("argv", "expected"),
        [
            (["nice", "-n", "10", "{mine}/bin/python", *IPYKERNEL], "mine"),
            (["xvfb-run", "-a", "{mine}/bin/python", *IPYKERNEL], "mine"),
            (["numactl", "--cpunodebind=0", "bash", "-c", "exec {mine}/bin/python"], "mine"),
            (["env", "-S", "{mine}/bin/python -X utf8 -m ipykernel_launcher"], "mine"),
            (["{root}/bin/conda", "run", "-nconda-test", "env", "A=1", "python"], "mine"),
            (["{root}/bin/conda", "run", "-n", "conda-test", "sh", "-c", "python"], "mine"),
            (["micromamba", "-r", "{other}", "run", "-n", "conda-test", "python"], "its"),
            (["micromamba", "run", "--root-prefix={other}", "-n", "conda-test", "python"], "its"),
        ],
    )
    def test_programs_that_start_another_are_followed(
        self, argv: list[str], expected: str, home: Path, places: dict[str, str]
    ) -> None:
        assert self.prefix(argv, home, places) == places[f"{{{expected}}}"]

    @pytest.mark.parametrize(
        "argv",
        [
            [".venv/bin/python", *IPYKERNEL],
            ["bash", "-lc", "python -m ipykernel"],  # a profile sets PATH
            ["{root}/bin/conda", "run", "-n", "conda-test", "bash", "-lc", "python -m ipykernel"],
            ["sudo", "-u", "x", "python", *IPYKERNEL],
            ["apptainer", "exec", "image.sif", "{mine}/bin/python", *IPYKERNEL],
        ],
    )
    def test_others_are_not(
        self, argv: list[str], home: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(places["{project}"])
        with pytest.raises(UnknownEnvironment, match="leads to no environment"):
            self.prefix(argv, home, places)

    def test_a_variable_of_the_kernelspec_counts(self, home: Path, places: dict[str, str]) -> None:
        line = "conda activate $LAB; exec python -m ipykernel"
        found = self.prefix(["bash", "-c", line], home, places, env={"LAB": "conda-test"})
        assert found == places["{mine}"]

    def test_a_shim_is_a_link_to_another_program(self, home: Path, tmp_path: Path) -> None:
        """mise's ``python`` leads to mise, which lies beside a Python that it does not start."""
        system = tmp_path / "usr/bin"
        system.mkdir(parents=True)
        (tmp_path / f"usr/lib/python{sys.version_info[0]}.{sys.version_info[1]}").mkdir(
            parents=True
        )
        for name in ("mise", "python3"):
            (system / name).touch(mode=0o755)
        (tmp_path / "python").symlink_to(system / "mise")
        kernel(home, "shim", tmp_path / "python", *IPYKERNEL)
        with pytest.raises(UnknownEnvironment, match="does not say which"):
            environment_of("shim")

    def test_an_entry_point_with_a_long_prefix_is_read(
        self, home: Path, places: dict[str, str]
    ) -> None:
        """Where a first line would be too long, pip writes a shell's line that Python skips."""
        path = home / "ipython"
        path.write_text(
            f"#!/bin/sh\n'''exec' \"{places['{mine}']}/bin/python\" \"$0\" \"$@\"\n' '''\n"
            "import sys\nfrom IPython import start_ipython\nsys.exit(start_ipython())\n"
        )
        path.chmod(0o755)
        assert self.prefix([str(path), "kernel"], home, places) == places["{mine}"]


class TestStartedElsewhere:
    """D2: something else decides where the kernel runs."""

    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            (
                {"kernel_provisioner": {"provisioner_name": "pixi-kernel-provisioner"}},
                "pixi-kernel-provisioner",
            ),
            (
                {"process_proxy": {"class_name": "eg.processproxies.k8s.KubernetesProcessProxy"}},
                "KubernetesProcessProxy",
            ),
            ({"kernel_provisioner": "broken"}, "broken"),
        ],
    )
    def test_it_is_named(self, metadata: Any, name: str, home: Path, root: Root) -> None:
        kernel(home, "far", "python", *IPYKERNEL, metadata=metadata)
        with pytest.raises(UnknownEnvironment, match=f"started by .*{name}") as caught:
            environment_of("far")
        assert "--prefix" in caught.value.advice[1]
        assert all("far" not in found.kernels for found in environments())

    @pytest.mark.parametrize(
        "metadata",
        [
            {"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
            {"process_proxy": {"class_name": "eg.processproxies.processproxy.LocalProcessProxy"}},
            {"debugger": True},
            None,
        ],
    )
    def test_the_local_ones_run_here(self, metadata: Any, home: Path, root: Root) -> None:
        kernel(home, "near", "python", *IPYKERNEL, metadata=metadata)
        assert environment_of("near").name == "base"

    def test_the_first_enterprise_gateway_says_it_beside_the_metadata(
        self, home: Path, root: Root
    ) -> None:
        proxy = {"class_name": "processproxies.yarn.YarnClusterProcessProxy"}
        kernel(home, "far", "python", *IPYKERNEL, process_proxy=proxy)
        with pytest.raises(UnknownEnvironment, match=r"started by .*YarnClusterProcessProxy"):
            environment_of("far")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("JUPYTER_GATEWAY_URL", "https://gateway.example.com"),
            ("JUPYTER_DEFAULT_PROVISIONER_NAME", "pod-provisioner"),
        ],
    )
    def test_the_server_s_variables_count(
        self, variable: str, value: str, home: Path, root: Root, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        local = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
        kernel(home, "near", "python", *IPYKERNEL, metadata=local)
        kernel(home, "unsaid", "python", *IPYKERNEL)
        assert environment_of("unsaid").name == "base"
        monkeypatch.setenv(variable, value)
        with pytest.raises(UnknownEnvironment, match="decides where it runs"):
            environment_of("unsaid")
        if variable != "JUPYTER_GATEWAY_URL":
            assert environment_of("near").name == "base"

    def test_a_notebook_of_such_a_kernel_says_so(
        self, home: Path, root: Root, tmp_path: Path
    ) -> None:
        metadata = {"kernel_provisioner": {"provisioner_name": "pixi-kernel-provisioner"}}
        kernel(home, "pixi", "python", *IPYKERNEL, metadata=metadata)
        (captured,) = verb("capture", "--dry-run", notebook(tmp_path, "pixi")).captures
        assert "pixi-kernel-provisioner" in " ".join(captured.notes)


class TestNbCondaKernels:
    """D4: kernels that nb_conda_kernels lists, without a kernel.json."""

    @pytest.mark.parametrize(
        ("name", "display_name", "expected"),
        [
            ("conda-env-conda-test-py", "Python [conda env:conda-test] *", "conda-test"),
            ("conda-env-conda-test-r", "R [conda env:conda-test]", "conda-test"),
            ("conda-env-conda-test-py", "", "conda-test"),
            ("conda-root-py", "Python [conda env:root] *", "base"),
            ("conda-root-r", "R [conda root]", "base"),
            ("conda-base-py", "Python [conda env:base]", "base"),
        ],
    )
    def test_a_notebook_goes_to_its_environment(
        self, name: str, display_name: str, expected: str, root: Root, tmp_path: Path
    ) -> None:
        path = notebook(tmp_path, name, display_name)
        (captured,) = verb("capture", "--dry-run", path).captures
        assert captured.environment.name == expected
        assert captured.notes == ()

    @pytest.mark.parametrize("name", ["conda-env-gone-py", "analysis", "conda-env-py"])
    def test_one_that_is_not_here_is_said(self, name: str, root: Root, tmp_path: Path) -> None:
        (captured,) = verb("capture", "--dry-run", notebook(tmp_path, name)).captures
        assert captured.environment.name == "base"
        assert f"kernel {name}" in " ".join(captured.notes)

    def test_a_kernelspec_of_that_name_counts_first(self, home: Path, root: Root) -> None:
        kernel(home, "conda-env-conda-test-py", f"{root.prefix}/bin/python", *IPYKERNEL)
        assert environment_of("conda-env-conda-test-py").name == "base"

    def test_the_option_takes_the_name_too(self, root: Root) -> None:
        assert environment_of("conda-env-conda-test-py").name == "conda-test"


class TestLinkedPrefix:
    """D6: a prefix that is a link, switched by a rebuild."""

    def test_it_is_one_environment(self, home: Path, root: Root) -> None:
        from jstackmagic.where.detect import detect

        envs = root.prefix / "envs"
        for name in ("env-1", "env-2"):
            root.create(name, "python")
        link = envs / "dash"
        link.symlink_to(envs / "env-1")
        kernel(home, "dash", link / "bin/python", *IPYKERNEL)
        before = environment_of("dash")
        link.unlink()
        link.symlink_to(envs / "env-2")
        after = environment_of("dash")
        assert before.ref == after.ref
        assert (after.name, after.prefix) == ("dash", str(link))
        assert detect(link).name == "dash"


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("cache/uv/environments-v2/run-1a2b", "uv's cache"),
        ("cache/uv/archive-v0/x1y2", "uv's cache"),
        ("share/uv/tools/ruff", "uv tool install ruff --with"),
        ("share/pipx/venvs/black", "pipx inject black"),
        ("project/.tox/py312", "tox's"),
        ("project/.pixi/envs/default", "its own tool keeps"),
        ("pip-build-env-ab12/overlay", "when the build ends"),
        ("uv/tools", ""),  # the folder of a user who calls it so
        ("my-uv/environments", ""),
        ("tools/ruff", ""),
    ],
)
def test_a_throw_away_environment_is_named_before_anything_goes_in(
    folder: str, said: str, tmp_path: Path
) -> None:
    prefix = make_venv(tmp_path / folder)
    facts = verb("info", "-p", prefix).parts()
    assert bool(said) is ("temporary" in str(facts))
    notes = verb("install", "--dry-run", "-p", prefix, "--pip", "six").done[0].plan.notes
    assert any(said in note for note in notes) if said else not notes


@pytest.mark.parametrize("is_there", [True, False])
def test_an_environment_whose_python_is_gone(tmp_path: Path, is_there: bool) -> None:
    """An image update took away what a virtual environment in the home stands on."""
    prefix = tmp_path / "v"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to(sys.executable if is_there else tmp_path / "old/python3.9")
    (prefix / "pyvenv.cfg").write_text(f"home = {tmp_path}/old\nversion = 3.9.7\n")
    assert ("3.9.7, which is gone" in str(verb("info", "-p", prefix).parts())) is not is_there
    verb("install", "--record-only", "-p", prefix, "--pip", "six")
    if not is_there:
        with pytest.raises(CommandFailed) as caught:
            verb("replay", "--dry-run", "-p", prefix)
        assert "python3 -m venv --clear" in str(caught.value)
        assert "--loose" not in str(caught.value)
