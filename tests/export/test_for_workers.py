"""What is exported for clusters, each read by the real thing."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jstackmagic.export import get
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from strategies import BASE, VENV
from support.clusters import processes, until, worker_env
from support.exports import one
from support.kernels import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

BOTH = Recipe(
    (
        RecipeStep(
            "conda",
            BASE,
            install=(Item("numpy>1", "numpy", "2.0.1"),),
            sources=Sources(channels=("lab",)),
        ),
        RecipeStep("pip", BASE, install=(Item("dask[array]>2", "dask", "2026.1"),)),
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
    from distributed.diagnostics.plugin import CondaInstall, PipInstall

    names = executed(written("dask", BOTH, tmp_path))
    conda, pip = names["PLUGINS"]
    assert isinstance(conda, CondaInstall)
    assert isinstance(pip, PipInstall)
    assert names["CONDA"] == ["numpy=2.0.1"]
    assert names["CHANNELS"] == ["-c", "lab"]
    assert names["PIP"] == ["dask[array]==2026.1"]
    assert names["ENVIRONMENT"]["EXTRA_PIP_PACKAGES"] == "dask[array]==2026.1"


def test_dask_gives_pip_its_index_as_an_option(tmp_path: Path) -> None:
    from distributed.diagnostics.plugin import PipInstall

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


@pytest.mark.cluster
def test_the_engines_of_ipcluster_run_in_it(tmp_path: Path, home: Path) -> None:
    import ipyparallel

    prefix = worker_env(tmp_path / "engine")
    recipe = one("pip", ALONE.steps[0].install[0], environment=replace(VENV, prefix=str(prefix)))
    profile = written("ipyparallel", recipe, tmp_path / "profile").parent
    assert (profile / "requirements.txt").read_text() == "toolz==1.0.0\n"
    with processes() as started:
        words = ("start", "-n", "1", f"--profile-dir={profile}", "--ip=127.0.0.1")
        started.start(sys.executable, "-m", "ipyparallel.cluster", *words)
        until(lambda: list((profile / "security").glob("ipcontroller-*client.json")))
        (file,) = (profile / "security").glob("ipcontroller-*client.json")
        with ipyparallel.Client(str(file), timeout=PATIENCE) as client:
            client.wait_for_engines(1, timeout=PATIENCE)
            assert client[:].apply_sync(eval, "__import__('sys').prefix") == [str(prefix)]


@pytest.fixture
def submit(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The script, and an environment where it finds its Python."""
    path = written("spark", ALONE, tmp_path / "job")
    programs = tmp_path / "bin"
    programs.mkdir()
    minor = ".".join(map(str, sys.version_info[:2]))
    path.write_text(path.read_text().replace(f"python{VENV.minor}", f"python{minor}"))
    (programs / f"python{minor}").symlink_to(os.path.realpath(sys.executable))
    return path, {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}


@pytest.mark.cluster
def test_spark_gets_an_archive_that_has_it(
    tmp_path: Path, submit: tuple[Path, dict[str, str]]
) -> None:
    """spark-submit itself is a stand-in: 500 MB, and what it does with --archives is its own."""
    path, environ = submit
    program = tmp_path / "bin/spark-submit"
    program.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$PYSPARK_PYTHON" "${PYSPARK_DRIVER_PYTHON-none}" "$@"\n'
    )
    program.chmod(0o755)
    for mode in ("client", "cluster"):  # the second takes the archive that is there
        done = subprocess.run(
            [path, "--deploy-mode", mode, "a job.py"],
            env=environ, check=True, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        driver = tmp_path / "job/.environment/bin/python" if mode == "client" else "none"
        lines = done.stdout.splitlines()
        archive = tmp_path / "job/environment.tar.gz"
        assert lines[:2] == ["./environment/bin/python", str(driver)]
        assert lines[2:4] == ["--archives", f"{archive}#environment"]
        assert lines[-3:] == ["--deploy-mode", mode, "a job.py"]
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert any(name.endswith("site-packages/toolz/__init__.py") for name in names)


@pytest.mark.cluster
def test_a_job_that_spark_submits_finds_it(
    tmp_path: Path, submit: tuple[Path, dict[str, str]]
) -> None:
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed: jstackmagic[spark]")
    path, environ = submit
    job = tmp_path / "a job.py"
    job.write_text(
        "from pyspark import SparkContext\n"
        "context = SparkContext()\n"
        "found = context.parallelize([0], 1).map(lambda _: __import__('toolz').__file__)\n"
        "print('found', *found.collect())\n"
    )
    home = os.path.dirname(str(pyspark.__file__))
    environ |= {"SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1"}
    environ["PATH"] = f"{home}/bin:{environ['PATH']}"
    words = ("--master", "local-cluster[1,1,512]", "--conf", "spark.executor.memory=512m")
    done = subprocess.run(
        [path, *words, job],
        env=environ, check=False, capture_output=True, text=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "/./environment/" in done.stdout or "/environment/lib/" in done.stdout


@pytest.mark.parametrize("name", ["dask", "ray", "spark", "ipyparallel"])
def test_nothing_recorded_is_said(name: str) -> None:
    with pytest.raises(ExportError):
        get(name).render(Recipe(()))
