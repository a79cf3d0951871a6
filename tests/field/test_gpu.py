"""A build for CUDA stays one: the guard, and what a build for another machine is told."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.export import binder, conda, dockerfile, pixi
from jstackmagic.history import who
from jstackmagic.history.file import History
from jstackmagic.image.prove.proof import Side, differences
from jstackmagic.install.guards import check_plan
from jstackmagic.model.environment import Environment, EnvironmentRef
from jstackmagic.model.errors import Stopped
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.plan import Outcome, Plan
from jstackmagic.model.recipe import Holding, Item, Recipe, RecipeStep
from jstackmagic.model.record import Record
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.model.variants import cuda_of
from jstackmagic.where.detect import detect
from support.captured import script
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

CONDA = Environment(
    kind="conda-named", name="lab", prefix="/c/envs/lab", python="3.12.1", executable="/c/python"
)
TORCH = Package("conda", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300")


def plan(old: Package, new: Package) -> Plan:
    request = Request("install", old.manager, ("x",))
    return Plan(request, CONDA, "", (), change=Change(changed=((old, new),)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TORCH, Package("conda", "pytorch", "2.5.1", "cpu_mkl_py312h_100")),
        (TORCH, Package("conda", "pytorch", "2.6.0", "cpu_generic_py312h_0")),
        (
            Package("conda", "jaxlib", "0.4.34", "cuda126py312h_200"),
            Package("conda", "jaxlib", "0.4.34", "cpu_py312h_0"),
        ),
        (Package("pip", "torch", "2.4.1+cu121"), Package("pip", "torch", "2.4.1+cpu")),
        (
            Package("pip", "torch-scatter", "2.1.2+pt21cu121"),
            Package("pip", "torch-scatter", "2.1.2+pt21cpu"),
        ),
        (
            Package("pip", "jaxlib", "0.4.25+cuda12.cudnn89"),
            Package("pip", "jaxlib", "0.4.25+cpu.abi"),
        ),
        (
            Package("conda", "torchvision", "0.19.1", "py312_cu121"),
            Package("conda", "torchvision", "0.19.1", "py312_cpu"),
        ),
        (
            Package("conda", "dgl", "2.1.0.cu118", "py310_0"),
            Package("conda", "dgl", "2.1.0", "py310_0"),
        ),
        (Package("pip", "torch", "2.4.1+cu.121"), Package("pip", "torch", "2.4.1+cpu")),
    ],
)
def test_the_cuda_build_is_not_replaced_by_the_cpu_one(old: Package, new: Package) -> None:
    with pytest.raises(Stopped, match="would replace the CUDA build") as caught:
        check_plan(plan(old, new))
    assert "--force" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Package("pip", "torch", "2.4.1+rocm6.1"), Package("pip", "torch", "2.4.1+cpu")),
        (
            Package("conda", "pytorch", "2.5.1", "rocm61_py312h_0"),
            Package("conda", "pytorch", "2.5.1", "cpu_py312h_0"),
        ),
    ],
)
def test_neither_is_one_for_rocm(old: Package, new: Package) -> None:
    with pytest.raises(Stopped, match="would replace the ROCm build"):
        check_plan(plan(old, new))


class TestByNameAlone:
    """Builds whose version says nothing: others in the environment, or their names, do."""

    @staticmethod
    def check(tmp_path: Path, *here: tuple[str, str], change: Change) -> None:
        prefix = tmp_path / "v"
        for name, version in here:
            metadata = prefix / f"lib/python3.12/site-packages/{name}-{version}.dist-info/METADATA"
            metadata.parent.mkdir(parents=True)
            metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (prefix / "bin").mkdir()
        (prefix / "bin/python").symlink_to(sys.executable)
        (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
        request = Request("install", "pip", ("x",))
        check_plan(Plan(request, detect(str(prefix)), "", (), change=change))

    @pytest.mark.parametrize(
        ("library", "old", "new", "stops"),
        [
            ("nvidia-cublas-cu12", "2.5.1", "2.5.1+cpu", True),
            ("nvidia-cuda-runtime-cu11", "2.0.1", "2.6.0+cpu", True),
            ("nvidia-cublas-cu12", "2.5.1", "2.6.0", False),
            ("nvidia-ml-py", "2.5.1", "2.5.1+cpu", False),  # it only asks the driver
            ("six", "2.5.1", "2.5.1+cpu", False),
        ],
    )
    def test_the_torch_of_pypi(
        self, tmp_path: Path, library: str, old: str, new: str, stops: bool
    ) -> None:
        change = Change(changed=((Package("pip", "torch", old), Package("pip", "torch", new)),))
        with pytest.raises(Stopped, match="the CUDA build of torch") if stops else nullcontext():
            self.check(tmp_path, (library, "12.4"), change=change)

    @pytest.mark.parametrize(
        ("here", "new", "stops"),
        [
            ("onnxruntime-gpu", "onnxruntime", True),
            ("faiss-gpu-cu12", "faiss-cpu", True),
            ("paddlepaddle-gpu", "paddlepaddle", True),
            ("onnxruntime", "onnxruntime-gpu", False),
            ("onnxruntime-gpu", "onnx", False),
            ("tensorflow-gpu", "tensorflow", False),  # which has both since 2.1
            ("cupy-cuda12x", "cupy-cuda13x", False),
        ],
    )
    def test_its_files_are_not_overwritten(
        self, tmp_path: Path, here: str, new: str, stops: bool
    ) -> None:
        said = rf"the CUDA build of {new} \({here} 1.19.0\) by one for the CPU \({new} 1.20\)"
        with pytest.raises(Stopped, match=said) if stops else nullcontext():
            self.check(tmp_path, (here, "1.19.0"), change=Change((Package("pip", new, "1.20"),)))

    @pytest.mark.parametrize(
        ("beside", "here", "new", "stops"),
        [
            ("nvidia-cublas-cu12", "tensorflow", "tensorflow-cpu", True),
            ("nvidia-nccl-cu12", "xgboost", "xgboost-cpu", True),
            ("numpy", "tensorflow", "tensorflow-cpu", False),
            ("nvidia-ml-py", "xgboost", "xgboost-cpu", False),
            ("nvidia-cublas-cu12", "tensorflow-hub", "tensorflow-cpu", False),
        ],
    )
    def test_one_for_both_is_one_for_cuda_beside_its_libraries(
        self, tmp_path: Path, beside: str, here: str, new: str, stops: bool
    ) -> None:
        change = Change((Package("pip", new, "2.0"),))
        with pytest.raises(Stopped, match="the CUDA build") if stops else nullcontext():
            self.check(tmp_path, (beside, "12.4"), (here, "1.19.0"), change=change)

    def test_the_one_for_the_cpu_is_not_brought_back_by_an_upgrade(self, tmp_path: Path) -> None:
        old, new = (Package("pip", "onnxruntime", version) for version in ("1.19", "1.20"))
        with pytest.raises(Stopped, match="the CUDA build of onnxruntime"):
            self.check(tmp_path, ("onnxruntime-gpu", "1.19"), change=Change(changed=((old, new),)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TORCH, Package("conda", "pytorch", "2.6.0", "cuda128_py312h_0")),  # another CUDA
        (Package("conda", "numpy", "1.26", "py312h_0"), Package("conda", "numpy", "2", "py312h_1")),
        (  # the index decides what a wheel without a label is for
            Package("pip", "torch", "2.4.1+cu121"),
            Package("pip", "torch", "2.5.0"),
        ),
        (Package("pip", "torch", "2.4.1+cpu"), Package("pip", "torch", "2.4.1+cu121")),
        (Package("conda", "cuda-version", "12.4", "h_3"), Package("conda", "cuda-version", "12.6")),
    ],
)
def test_every_other_change_goes_on(old: Package, new: Package) -> None:
    check_plan(plan(old, new))


@pytest.mark.parametrize(
    ("package", "cuda"),
    [
        (Package("conda", "pyg", "2.3.0", "py39_torch_1.13.0_cu117"), "11.7"),
        (Package("conda", "faiss-gpu", "1.7.4", "py3.10_h9a7_0_cuda11.4.4"), "11.4.4"),
        (Package("conda", "paddlepaddle", "2.4", "py39_gpu_cuda11.7"), "11.7"),
        (Package("conda", "pytorch-cuda", "12.1", "ha16c6d3_6"), "12.1"),
        (Package("conda", "libarrow", "17.0.0", "h9c2d8c9_5_cuda"), "any"),
        (Package("conda", "pytorch", "1.4", "cuda92py37_0"), "9.2"),
        (Package("pip", "torch", "1.4.0+cu92"), "9.2"),
        (Package("pip", "flash-attn", "2.6.3+cu12torch2.4cxx11abifalse"), "12"),
        (Package("pip", "torch", "2.4.1+cu.121"), "12.1"),
        (Package("pip", "cupy-cuda12x", "13.3"), "12"),
        (Package("pip", "cupy-cuda117", "10.6"), "11.7"),
        (Package("pip", "nvidia-cuda-runtime-cu12", "12.4.127"), "12"),
        (Package("pip", "jax-cuda12-plugin", "0.4.35"), "12"),
        (Package("pip", "onnxruntime-gpu", "1.19"), "any"),
        # no CUDA, whatever the letters
        (Package("pip", "nvidia-ml-py", "12.5"), ""),
        (Package("pip", "cuda-python", "12.6"), ""),
        (Package("pip", "py-cu2qu", "1.6"), ""),
        (Package("pip", "gpu-tracker", "1"), ""),
        (Package("pip", "torch", "2.4.1+rocm6.1"), ""),
        (Package("conda", "cuda-python", "12.6.0", "py312_0"), ""),
        (Package("conda", "openmm", "8.1", "py312h_nocuda"), ""),
        (Package("conda", "barracuda-gpusim", "1", "py_0"), ""),
        (Package("conda", "x", "1", "py312_cubic_0"), ""),
        (Package("pip", "y", "2.0+cublas"), ""),
        (Package("pip", "y", "2.0+abcu12"), ""),
    ],
)
def test_a_build_s_own_cuda(package: Package, cuda: str) -> None:
    assert cuda_of(package) == cuda


class TestAFileOfAnEnvironment:
    """A machine without a GPU resolves it to the CPU's builds: pixi can be told, conda's user."""

    LAB = EnvironmentRef("conda-named", "lab", "/opt/conda/envs/lab", "3.12.1")

    @pytest.mark.parametrize(
        ("item", "there", "variables", "cuda"),
        [
            (Item("pytorch", "pytorch", "2.5.1", TORCH.build), (), (), "12.6"),
            (Item("fastai", "fastai", "2.7"), (TORCH,), (), "12.6"),
            (Item("pytorch"), (TORCH,), ("CONDA_OVERRIDE_CUDA=11.8",), "11.8"),
            (Item("pytorch", "pytorch", "2.5.1", "cpu_py312h_0"), (), (), ""),
            (Item("numpy"), (Package("pip", "torch", "2.4.1+cu121"),), (), ""),
        ],
    )
    def test_it_says_for_which(
        self, item: Item, there: tuple[Package, ...], variables: tuple[str, ...], cuda: str
    ) -> None:
        step = RecipeStep("conda", self.LAB, (item,), sources=Sources(variables=variables))
        recipe = Recipe((step,), (Holding(self.LAB, there),))
        manifest = pixi.render(recipe, prefix=self.LAB.prefix).text
        assert (f'[system-requirements]\ncuda = "{cuda}"\n' in manifest) is bool(cuda)
        assert ("system-requirements" in manifest) is bool(cuda)
        for form in (conda, binder):
            notes = form.render(recipe).notes
            assert any(f"CONDA_OVERRIDE_CUDA={cuda} is set" in n for n in notes) is bool(cuda)


class TestTheDockerfile:
    """An engine without a GPU resolves to the CPU's builds, unless it is told."""

    LAB = EnvironmentRef("conda-named", "lab", "/opt/conda/envs/lab", "3.12.1")

    def text(self, item: Item, *there: Package) -> str:
        step = RecipeStep("conda", self.LAB, install=(item,))
        recipe = Recipe((step,), (Holding(self.LAB, there),))
        return dockerfile.render(recipe, style="stacks", base_image="x:1").text

    def test_the_build_that_was_asked_for(self) -> None:
        item = Item("pytorch", "pytorch", "2.5.1", "cuda126_py312hd4dc1a4_300")
        assert "CONDA_OVERRIDE_CUDA='12.6' mamba install" in self.text(item)

    def test_one_that_came_along(self) -> None:
        text = self.text(Item("fastai", "fastai", "2.7"), replace(TORCH, name="pytorch"))
        assert "CONDA_OVERRIDE_CUDA='12.6' mamba install" in text

    def test_a_wheel_for_cuda_says_nothing_to_conda(self) -> None:
        there = Package("pip", "nvidia-cublas-cu12", "12.4"), Package("pip", "torch", "2+cu121")
        assert "CUDA" not in self.text(Item("numpy", "numpy", "2", "py312h_0"), *there)

    @pytest.mark.parametrize("build", ["cpu_mkl_py312h_100", "py312h_0", ""])
    def test_without_a_gpu_nothing_is_said(self, build: str) -> None:
        assert "CUDA" not in self.text(Item("pytorch", "pytorch", "2.5.1", build))

    def test_what_the_line_itself_chose(self) -> None:
        finds = script("CONDA_OVERRIDE_CUDA=11.8 CONDA_SUBDIR=linux-64 mamba install -y pytorch\n")
        (request,) = [find.request for find in finds]
        assert request is not None
        step = RecipeStep("conda", self.LAB, (Item("pytorch"),), sources=request.sources)
        there = replace(TORCH, name="pytorch")
        for recipe in (Recipe((step,)), Recipe((step,), (Holding(self.LAB, (there,)),))):
            text = dockerfile.render(recipe, style="stacks", base_image="x:1").text
            set_first = "CONDA_OVERRIDE_CUDA='11.8' CONDA_SUBDIR='linux-64' mamba"
            assert text.count(f"{set_first} create") == text.count(f"{set_first} install") == 1
            assert "12.6" not in text
        notes = conda.render(Recipe((step,)), prefix=self.LAB.prefix).notes
        assert any("CONDA_OVERRIDE_CUDA=11.8 is set" in note for note in notes)
        artifact = pixi.render(Recipe((step,)), prefix=self.LAB.prefix)
        assert 'cuda = "11.8"' in artifact.text
        assert [note for note in (*notes, *artifact.notes) if "cannot say" in note] == [
            "This file cannot say CONDA_SUBDIR=linux-64, which was given to conda here."
        ] * 2


class TestTheRecord:
    """The virtual packages by which conda chose are in it, and a proof tells builds apart."""

    @pytest.mark.parametrize(
        ("environ", "driver", "virtual"),
        [
            ({"CONDA_OVERRIDE_CUDA": "12.4"}, "", "__cuda=12.4"),
            ({"CONDA_OVERRIDE_CUDA": "12.4"}, "11.8", "__cuda=12.4"),
            ({"CONDA_OVERRIDE_GLIBC": "2.17"}, "", "__glibc=2.17"),
            ({}, "", "__glibc="),
        ],
    )
    def test_virtual_packages(
        self,
        environ: dict[str, str],
        driver: str,
        virtual: str,
        tmp_path: Path,
        history_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(who, "_driver_cuda", lambda: driver)  # there is no GPU here
        verb("install", "--record-only", "-p", make_venv(tmp_path / "v"), "--pip", "six")
        (record,) = History(history_file).records()
        assert any(each.startswith(virtual) for each in record.context.virtual)
        assert virtual in str(verb("history", record.id).parts())

    @pytest.mark.parametrize(
        ("environ", "asked", "line"),
        [
            ({"CONDA_OVERRIDE_CUDA": "12.6"}, "pytorch", "CONDA_OVERRIDE_CUDA='12.6' "),
            ({"CONDA_OVERRIDE_GLIBC": "2.17"}, "numpy", "CONDA_OVERRIDE_GLIBC='2.17' "),
            (
                {"CONDA_OVERRIDE_LINUX": "5.4", "CONDA_OVERRIDE_CUDA": "11.8"},
                "jaxlib",
                "CONDA_OVERRIDE_CUDA='11.8' CONDA_OVERRIDE_LINUX='5.4' ",
            ),
            ({"CONDA_OVERRIDE_CUDA": ""}, "numpy", ""),
            ({}, "numpy", ""),
        ],
    )
    def test_what_is_only_recorded_keeps_the_overrides(
        self,
        environ: dict[str, str],
        asked: str,
        line: str,
        conda_root: Environment,
        history_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        verb("install", "--record-only", "-p", conda_root.prefix, f"conda:{asked}")
        for name in environ:
            monkeypatch.delenv(name)
        text = verb("export", "dockerfile").text
        assert f"{line}mamba install" in text
        assert text.count("CONDA_OVERRIDE_") == line.count("=")

    def test_an_override_that_is_empty_means_no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
        assert not any(each.startswith("__cuda") for each in who.virtual_packages())

    @pytest.mark.parametrize(
        ("here", "there", "said"),
        [
            (TORCH, replace(TORCH, build="cpu_mkl_py312h_100"), "CONDA_OVERRIDE_CUDA=12.6"),
            (TORCH, replace(TORCH, build="cuda118_py312h_300"), "the same version"),
            (replace(TORCH, build="cpu_0"), TORCH, "here built for the CPU"),
            (
                Package("pip", "torch", "2.4.1+rocm6.1"),
                Package("pip", "torch", "2.4.1+cpu"),
                "built for ROCm",
            ),
            (Package("pip", "torch", "2.4.1+cu121"), Package("pip", "torch", "2.4.1+cpu"), "index"),
            (TORCH, replace(TORCH, version="2.5.0"), "has 2.5.1; build again"),
            (TORCH, replace(TORCH, build="cuda126_py312h_301"), "has 2.5.1; build again"),
        ],
    )
    def test_a_proof_tells_variant_from_version(
        self, here: Package, there: Package, said: str
    ) -> None:
        ref = EnvironmentRef("conda-named", "lab", "/c/envs/lab", "3.12.1")
        request = Request("install", here.manager, (here.name,))
        outcome = Outcome("ok", 0, 1.0, change=Change(added=(here,)))
        record = Record("1.1", "2026-01-01T00:00:00Z", "ok", request, ref, outcome=outcome)
        side = Side(ref, ref.prefix, PackageSet((here,)), PackageSet((there,)))
        (found,) = differences(side, [record])
        assert said in found.fix
