"""What is exported for clusters, each read by the real thing."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from distributed.diagnostics.plugin import CondaInstall, PipInstall
from ipyparallel.cluster.launcher import LocalEngineSetLauncher
from traitlets.config.loader import PyFileConfigLoader

from jstackmagic.export import get
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe, Step
from jstackmagic.model.sources import Sources
from strategies import BASE, VENV
from support.exports import one

if TYPE_CHECKING:
    from pathlib import Path

BOTH = Recipe(
    (
        Step(
            "conda",
            BASE,
            install=(Item("numpy>1", "numpy", "2.0.1"),),
            sources=Sources(channels=("lab",)),
        ),
        Step("pip", BASE, install=(Item("dask[array]>2", "dask", "2026.1"),)),
    )
)
INDEX = Sources(index_url="https://index.example.com/simple")
ALONE = one("pip", Item("toolz", "toolz", "1.0.0"), environment=VENV)


def written(name: str, recipe: Recipe, folder: Path) -> Path:
    form = get(name)
    path = folder / next(iter(form.files))
    form.render(recipe).write(path)
    return path


def executed(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names


def test_dask_registers_what_installs_it(tmp_path: Path) -> None:
    names = executed(written("dask", BOTH, tmp_path))
    conda, pip = names["PLUGINS"]
    assert isinstance(conda, CondaInstall)
    assert isinstance(pip, PipInstall)
    assert names["CONDA"] == ["numpy=2.0.1"]
    assert names["CHANNELS"] == ["-c", "lab"]
    assert names["PIP"] == ["dask[array]==2026.1"]
    assert names["ENVIRONMENT"]["EXTRA_PIP_PACKAGES"] == "dask[array]==2026.1"


def test_dask_gives_pip_its_index_as_an_option(tmp_path: Path) -> None:
    recipe = one("pip", Item("toolz", "toolz", "1.0.0"), environment=VENV, sources=INDEX)
    names = executed(written("dask", recipe, tmp_path))
    assert names["PIP_OPTIONS"] == ["--index-url", "https://index.example.com/simple"]
    assert names["PIP"] == ["toolz==1.0.0"]
    assert [type(plugin) for plugin in names["PLUGINS"]] == [PipInstall]


@pytest.mark.parametrize(("recipe", "key"), [(BOTH, "conda"), (ALONE, "pip")])
def test_ray_takes_the_runtime_env(recipe: Recipe, key: str, tmp_path: Path) -> None:
    ray = pytest.importorskip(
        "ray.runtime_env", reason="ray is not installed: jstackmagic[ray]"
    )  # fmt: skip
    content = yaml.safe_load(written("ray", recipe, tmp_path).read_text())
    assert set(ray.RuntimeEnv(**content).to_dict()) >= {key}


def test_the_engines_run_in_it(tmp_path: Path) -> None:
    path = written("ipyparallel", ALONE, tmp_path)
    config = PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    launcher = LocalEngineSetLauncher(config=config)
    assert launcher.engine_cmd == [f"{VENV.prefix}/bin/python", "-m", "ipyparallel.engine"]
    assert (tmp_path / "requirements.txt").read_text() == "toolz==1.0.0\n"


@pytest.mark.cluster
def test_spark_gets_an_archive_that_has_it(tmp_path: Path) -> None:
    """spark-submit itself is a stand-in: 500 MB, and what it does with --archives is its own."""
    path = written("spark", ALONE, tmp_path / "job")
    programs = tmp_path / "bin"
    programs.mkdir()
    submit = programs / "spark-submit"
    submit.write_text('#!/bin/sh\nprintf "%s\\n" "$PYSPARK_PYTHON" "$@"\n')
    submit.chmod(0o755)
    minor = ".".join(map(str, sys.version_info[:2]))
    path.write_text(path.read_text().replace(f"python{VENV.minor} ", f"python{minor} "))
    (programs / f"python{minor}").symlink_to(os.path.realpath(sys.executable))
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    for _ in range(2):  # the second takes the archive that is there
        done = subprocess.run(
            [path, "--master", "local", "a job.py"],
            env=environ, check=True, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
    lines = done.stdout.splitlines()
    archive = tmp_path / "job/environment.tar.gz"
    assert lines[:3] == ["./environment/bin/python", "--archives", f"{archive}#environment"]
    assert lines[-3:] == ["--master", "local", "a job.py"]
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert any(name.endswith("site-packages/toolz/__init__.py") for name in names)


@pytest.mark.parametrize("name", ["dask", "ray", "spark", "ipyparallel"])
def test_nothing_recorded_is_said(name: str) -> None:
    with pytest.raises(ExportError):
        get(name).render(Recipe(()))
