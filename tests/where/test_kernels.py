"""Kernelspecs: where they are looked for, and which environment they lead to."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core import paths as jupyter_paths

from jstackmagic.model.errors import UnknownEnvironment
from jstackmagic.where import kernels
from jstackmagic.where.kernels import environment_of, environments, kernelspecs, not_understood

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Root

SOURCE = Path(kernels.__file__).parents[2]


@pytest.fixture
def user_kernels(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of kernelspecs: those of this machine are out of sight."""
    monkeypatch.setattr(kernels, "_system_folders", list)
    return home / ".local/share/jupyter/kernels"


def write_spec(folder: Path, name: str, *argv: str, **fields: Any) -> Path:
    """A kernelspec as `ipykernel install` and others write it."""
    (folder / name).mkdir(parents=True)
    spec = {"argv": list(argv), "display_name": name, "language": "python", **fields}
    (folder / name / "kernel.json").write_text(json.dumps(spec, indent=1))
    return folder / name


IPYKERNEL = ("-m", "ipykernel_launcher", "-f", "{connection_file}")


class TestDataPath:
    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"JUPYTER_PATH": "/one/:/two"},
            {"JUPYTER_DATA_DIR": "/data"},
            {"XDG_DATA_HOME": "/xdg"},
            {"JUPYTER_PREFER_ENV_PATH": "1"},
            {"JUPYTER_PREFER_ENV_PATH": "no"},
            {"JUPYTER_PLATFORM_DIRS": "1"},
            {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "one"},
            {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "base"},
        ],
    )
    @pytest.mark.parametrize("user_site", [True, False])
    def test_it_is_jupyter_s(
        self, environ: dict[str, str], user_site: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(site, "ENABLE_USER_SITE", user_site)
        if "JUPYTER_PLATFORM_DIRS" in environ:
            # Read once, when jupyter_core is imported.
            system = kernels._system_folders()
            monkeypatch.setattr(jupyter_paths, "SYSTEM_JUPYTER_PATH", system)
        expected = KernelSpecManager().kernel_dirs
        assert [f"{folder}/kernels" for folder in kernels.data_path()] == expected

    def test_the_server_s_path_counts_in_its_kernels(self, conda_root: Root, home: Path) -> None:
        """A kernel of B, which a server of A started: A's kernelspecs are what people see."""
        a, b = conda_root.prefix, conda_root.create("b", "python")
        for prefix in (a, b):
            write_spec(prefix / "share/jupyter/kernels", "python3", "python", *IPYKERNEL)
        write_spec(a / "share/jupyter/kernels", "of-a", "python", *IPYKERNEL)
        write_spec(b / "share/jupyter/kernels", "of-b", "python", *IPYKERNEL)
        code = (
            "import json\n"
            "from jstackmagic.where.kernels import environment_of\n"
            "names = ('python3', 'of-a', 'of-b')\n"
            "print(json.dumps({name: environment_of(name).prefix for name in names}))\n"
        )
        server = a / "bin" / "jupyter-lab"
        server.write_text(
            f"#!{a}/bin/python\n"
            "import os, subprocess, sys\n"
            "environ = {**os.environ, 'JPY_PARENT_PID': str(os.getpid())}\n"
            "subprocess.run(sys.argv[1:], env=environ, check=True)\n"
        )
        done = subprocess.run(
            [a / "bin" / "python", server, b / "bin" / "python", "-c", code],
            env={"PYTHONPATH": str(SOURCE), "HOME": str(home), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        )
        assert json.loads(done.stdout) == {"python3": str(a), "of-a": str(a), "of-b": str(b)}


class TestKernelspecs:
    def test_they_are_jupyter_s(self, user_kernels: Path, tmp_path: Path) -> None:
        write_spec(user_kernels, "Mine", "/x/bin/python", *IPYKERNEL, metadata={"debugger": True})
        write_spec(user_kernels, "python3", "/y/bin/python", *IPYKERNEL)
        (user_kernels / "no-spec").mkdir()
        folders = [f"{folder}/kernels" for folder in kernels.data_path()]
        theirs = KernelSpecManager(kernel_dirs=folders).get_all_specs()
        found = kernelspecs()
        assert {name: spec.folder for name, spec in found.items()} == {
            name: each["resource_dir"] for name, each in theirs.items()
        }
        assert {name: list(spec.argv) for name, spec in found.items()} == {
            name: each["spec"]["argv"] for name, each in theirs.items()
        }
        assert found["mine"].metadata == {"debugger": True}
        assert found["mine"].display_name == "Mine"

    def test_a_broken_one_is_left_out(self, user_kernels: Path) -> None:
        write_spec(user_kernels, "good", "/x/bin/python")
        for name, text in {"broken": "{", "list": "[]"}.items():
            (user_kernels / name).mkdir()
            (user_kernels / name / "kernel.json").write_text(text)
        assert kernelspecs().keys() == {"good", "python3"}

    def test_the_native_kernel_needs_no_file(
        self, user_kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kernels, "data_path", lambda: (str(tmp_path),))
        assert kernelspecs().keys() == {"python3"}
        assert environment_of("python3").prefix == sys.prefix


class TestEnvironmentOf:
    @pytest.fixture
    def prefix(self, conda_root: Root, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An environment called "one" beside the running one, which is its root's base."""
        monkeypatch.setattr(sys, "prefix", str(conda_root.prefix))
        return conda_root.create("one", "python")

    @pytest.mark.parametrize(
        "argv",
        [
            pytest.param(["{PREFIX}/bin/python", *IPYKERNEL], id="python"),
            pytest.param(["{PREFIX}/bin/python3.12", *IPYKERNEL], id="python3.12"),
            pytest.param(["{PREFIX}/lib/R/bin/R", "--slave", "-e", "IRkernel::main()"], id="R"),
            pytest.param(["{PREFIX}/bin/xcpp", "-f", "{connection_file}"], id="xeus"),
            pytest.param(["/usr/bin/env", "{PREFIX}/bin/python", *IPYKERNEL], id="env"),
            pytest.param(
                ["env", "-u", "X", "A=b", "{PREFIX}/bin/python", *IPYKERNEL], id="env with options"
            ),
            pytest.param(["conda", "run", "-n", "one", "python", *IPYKERNEL], id="conda run -n"),
            pytest.param(
                ["conda", "run", "--no-capture-output", "--name=one", "python", "-p", "x"],
                id="conda run --name=",
            ),
            pytest.param(
                ["/x/conda", "run", "--cwd", "/", "-p", "{PREFIX}", "python"], id="conda run -p"
            ),
            pytest.param(
                ["{ROOT}/bin/micromamba", "run", "-n", "one", "python", *IPYKERNEL],
                id="micromamba run",
            ),
            pytest.param(
                ["/bin/bash", "-c", "source activate one && exec python -m ipykernel_launcher"],
                id="source activate",
            ),
            pytest.param(
                ["bash", "-lc", "source '{PREFIX}/bin/activate'; python -m ipykernel_launcher"],
                id="source PREFIX/bin/activate",
            ),
            pytest.param(
                ["bash", "-c", ". {ROOT_QUOTED}/bin/activate one\nexec python -m ipykernel"],
                id="source ROOT/bin/activate NAME",
            ),
            pytest.param(
                [
                    *("bash", "-c"),
                    'eval "$(conda shell.bash hook)" && conda activate one && exec "$0" "$@"',
                    *("python", *IPYKERNEL),
                ],
                id="conda activate",
            ),
            pytest.param(
                [
                    "/bin/sh",
                    "-c",
                    "A=b exec '{PREFIX}/bin/python' -m ipykernel -f {connection_file}",
                ],
                id="sh -c",
            ),
            pytest.param(
                ["bash", "-c", 'exec "$@"', "bash", "{PREFIX}/bin/python", *IPYKERNEL],
                id="sh -c with arguments",
            ),
            pytest.param(
                ["python", "-m", "nb_conda_kernels.runner", "{ROOT}", "{PREFIX}", "python"],
                id="nb_conda_kernels",
            ),
            pytest.param(["{prefix}/envs/one/bin/python", *IPYKERNEL], id="jupyter's {prefix}"),
        ],
    )
    def test_the_forms_of_argv(
        self, argv: list[str], prefix: Path, conda_root: Root, user_kernels: Path
    ) -> None:
        for name in ("bin/python3.12", "bin/xcpp", "lib/R/bin/R"):
            (prefix / name).parent.mkdir(parents=True, exist_ok=True)
            (prefix / name).touch()
        values = {
            "{PREFIX}": str(prefix),
            "{ROOT}": str(conda_root.prefix),
            "{ROOT_QUOTED}": f"'{conda_root.prefix}'",
        }
        for name, value in values.items():
            argv = [argument.replace(name, value) for argument in argv]
        write_spec(user_kernels, "mine", *argv)
        found = environment_of("mine")
        assert (found.name, found.prefix) == ("one", str(prefix))
        assert environment_of("MINE") == found

    @pytest.mark.parametrize("command", ["python", "python3", "python{}.{}"])
    def test_a_bare_python_is_the_server_s_wherever_its_kernelspec_lies(
        self,
        command: str,
        prefix: Path,
        conda_root: Root,
        user_kernels: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As jupyter_client has it: ``KernelManager.format_kernel_cmd``."""
        version = environment_of("python3").ref.minor.split(".")
        argv = [command.format(*version), *IPYKERNEL]
        write_spec(prefix / "share/jupyter/kernels", "native", *argv, env={"PATH": f"{prefix}/bin"})
        monkeypatch.setenv("JUPYTER_PATH", str(prefix / "share/jupyter"))
        assert environment_of("native").prefix == str(conda_root.prefix)

    def test_other_bare_names_are_the_server_s_or_on_the_path(
        self,
        prefix: Path,
        conda_root: Root,
        user_kernels: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (prefix / "bin" / "R").touch(mode=0o755)
        write_spec(prefix / "share/jupyter/kernels", "ir", "R", "--slave")
        monkeypatch.setenv("JUPYTER_PATH", str(prefix / "share/jupyter"))
        with pytest.raises(UnknownEnvironment, match="there is no R"):
            environment_of("ir")
        monkeypatch.setenv("PATH", str(prefix / "bin"))
        assert environment_of("ir").prefix == str(prefix)
        (conda_root.prefix / "bin" / "R").touch(mode=0o755)
        assert environment_of("ir").prefix == str(conda_root.prefix)

    def test_nb_conda_kernels_writes_it_down(self, prefix: Path, user_kernels: Path) -> None:
        metadata = {"conda_env_name": "one", "conda_env_path": str(prefix)}
        write_spec(user_kernels, "conda-env-one-py", "whatever", metadata=metadata)
        assert environment_of("conda-env-one-py").prefix == str(prefix)

    def test_a_link_from_outside(self, prefix: Path, user_kernels: Path, tmp_path: Path) -> None:
        (tmp_path / "linked").symlink_to(prefix / "bin" / "python")
        write_spec(user_kernels, "mine", str(tmp_path / "linked"), *IPYKERNEL)
        assert environment_of("mine").prefix == str(prefix)

    def test_system_python(self, user_kernels: Path, tmp_path: Path) -> None:
        python = tmp_path / "usr" / "bin" / "python3"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
        (tmp_path / "usr" / "lib" / "python3.11").mkdir(parents=True)
        write_spec(user_kernels, "system", str(python), *IPYKERNEL)
        found = environment_of("system")
        assert (found.kind, found.prefix) == ("system", str(tmp_path / "usr"))

    def test_a_link_to_a_virtual_environments_python_is_not_in_it(
        self, user_kernels: Path, tmp_path: Path
    ) -> None:
        python, venv = tmp_path / "usr/bin/python3", tmp_path / "venv/bin/python"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
        (tmp_path / "usr/lib/python3.11").mkdir(parents=True)
        venv.parent.mkdir(parents=True)
        venv.symlink_to(python)
        (tmp_path / "venv/pyvenv.cfg").touch()
        (tmp_path / "linked").symlink_to(venv)
        write_spec(user_kernels, "of-venv", str(venv), *IPYKERNEL)
        write_spec(user_kernels, "linked", str(tmp_path / "linked"), *IPYKERNEL)
        assert environment_of("of-venv").prefix == str(tmp_path / "venv")
        assert environment_of("linked").prefix == str(tmp_path / "usr")

    def test_python_2(self, conda_env: Callable[..., Path], user_kernels: Path) -> None:
        prefix = conda_env("python=2.7")
        write_spec(user_kernels, "python2", f"{prefix}/bin/python", *IPYKERNEL)
        assert environment_of("python2").python == "2.7.18"

    @pytest.mark.parametrize(
        "argv",
        [
            ["/gone/bin/python", *IPYKERNEL],
            ["conda", "run", "python"],
            ["conda", "run", "-n", "gone", "python"],
            ["bash", "-c", "module load python; 'unclosed"],
            ["bash"],
            ["env", "A=b"],
            ["/bin/sh"],
            [],
        ],
    )
    def test_what_cannot_be_understood(
        self, argv: list[str], prefix: Path, user_kernels: Path
    ) -> None:
        write_spec(user_kernels, "odd", *argv)
        with pytest.raises(UnknownEnvironment) as caught:
            environment_of("odd")
        assert "kernelspec odd" in caught.value.problem
        assert caught.value.advice[0] == f"It starts: {' '.join(map(quoted, argv))}"
        assert "--prefix" in caught.value.advice[1]

    def test_an_unknown_name(self, user_kernels: Path) -> None:
        write_spec(user_kernels, "analysis", "/x/bin/python")
        with pytest.raises(UnknownEnvironment, match="No kernelspec is called anlysis") as caught:
            environment_of("anlysis")
        assert caught.value.advice[0] == "Did you mean analysis?"
        assert "analysis, python3" in caught.value.advice[1]

    def test_all_of_them(self, prefix: Path, conda_root: Root, user_kernels: Path) -> None:
        write_spec(user_kernels, "one", f"{prefix}/bin/python", *IPYKERNEL)
        write_spec(user_kernels, "again", f"{prefix}/bin/python", *IPYKERNEL)
        write_spec(user_kernels, "gone", "/gone/bin/python", *IPYKERNEL)
        found = {environment.prefix: names for environment, names in environments()}
        assert found == {str(prefix): ("again", "one"), str(conda_root.prefix): ("python3",)}
        assert [error.problem for error in not_understood()] == [
            "The kernelspec gone leads to no environment: there is no /gone/bin/python."
        ]


def quoted(argument: str) -> str:
    import shlex

    return shlex.quote(argument)


def test_no_part_of_jupyter_is_imported() -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(SOURCE)!r})\n"
        "from jstackmagic.where.kernels import kernelspecs\n"
        "kernelspecs()\n"
        "print([name for name in sys.modules if name.startswith(('jupyter', 'traitlets', 'zmq'))])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={"HOME": os.environ["HOME"]},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
