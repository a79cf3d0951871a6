"""Which environment a kernel runs in: what its kernelspec says, and what it leaves open."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.model.errors import UnknownEnvironment
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
        from jstackmagic.where.environment import detect

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
