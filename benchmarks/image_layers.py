"""What a change to a long history costs: rebuilt layers and seconds, for each kind of Dockerfile.

    python benchmarks/image_layers.py [--from IMAGE] [--builder classic|buildkit]

The recipe as `%envexport dockerfile` writes it, and as `%envimage build` has BuildKit build it,
which keeps the managers' downloads, beside all installs in one RUN and beside a RUN for each
install in the order in which they were made. Each is built, then built again after one more pip
package was installed, and after the first install was taken back. Without --from the tests'
stand-in for an image of the Docker Stacks is made; the engine is DOCKER_HOST's or the tests' own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from jstackmagic.display.console import quiet
from jstackmagic.export.dockerfile import render
from jstackmagic.image.engine import BUILDERS
from jstackmagic.image.engine.build import BuildOptions, build, builder_of
from jstackmagic.image.engine.dockersdk import connect
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Record
from jstackmagic.model.reference import parse_tag
from jstackmagic.model.request import Request
from support import engine as engines
from support import stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jstackmagic.image.engine import Builder
    from jstackmagic.image.engine.build import Built
    from jstackmagic.image.engine.dockersdk import ContainerEngine
    from jstackmagic.model.packages import ManagerName

BASE = EnvironmentRef(kind="conda-base", name="base", prefix="/opt/conda", python=None)
INSTALLS: tuple[tuple[ManagerName, str, str], ...] = (
    ("conda", "demo-tool", "1.0"),
    ("pip", "twitter", "1.19.6"),
    ("apt", "hello", ""),
    ("conda", "pymongo", "4.13.2"),
    ("pip", "toolz", "1.0.0"),
    ("pip", "tabulate", "0.9.0"),
    ("apt", "ed", ""),
    ("pip", "colorama", "0.4.6"),
    ("pip", "humanize", "4.12.0"),
    ("pip", "more-itertools", "10.5.0"),
)
ONE_MORE: tuple[ManagerName, str, str] = ("pip", "cachetools", "5.5.0")
REPOSITORY = "jstackmagic-tests/layers"

_COMMANDS = {
    "apt": "apt-get update --yes && apt-get install --yes --no-install-recommends {}",
    "conda": "mamba install --yes {} && mamba clean --all -f -y",
    "pip": "pip install --no-cache-dir {}",
}


def record(number: int, manager: ManagerName, name: str, version: str) -> Record:
    """A successful install."""
    package = Package(manager, name, version, requested=True)
    return Record(
        id=f"{number:08x}.1",
        time="2026-11-23T00:00:00Z",
        status="ok",
        request=Request("install", manager, (name,)),
        environment=BASE,
        outcome=Outcome("ok", 0, 1.0, Change(added=(package,)), (package,)),
    )


def records(installs: Sequence[tuple[ManagerName, str, str]]) -> list[Record]:
    return [record(number, *install) for number, install in enumerate(installs, start=1)]


def taken_back(history: list[Record]) -> list[Record]:
    """The history with its first install undone."""
    first = history[0]
    assert first.outcome is not None
    undone = replace(
        first,
        id=f"{len(history) + 1:08x}.1",
        request=replace(first.request, action="remove"),
        outcome=replace(first.outcome, change=Change(removed=first.outcome.change.added)),
        undoes=first.id,
    )
    return [*history, undone]


def standing(history: list[Record]) -> list[Record]:
    """The installs that nobody took back."""
    void = {each.undoes for each in history if each.undoes}
    return [each for each in history if each.id not in void and not each.undoes]


def _command(each: Record) -> str:
    assert each.outcome is not None
    (package,) = each.outcome.change.added
    equals = {"conda": "=", "pip": "==", "apt": ""}[package.manager]
    version = package.version if equals else ""
    return _COMMANDS[package.manager].format(f"'{package.name}{equals}{version}'")


def recipe(history: list[Record], base: str) -> str:
    return render(fold(history), style="stacks", base_image=base).text


def cached_recipe(history: list[Record], base: str) -> str:
    return render(fold(history), style="stacks", base_image=base, cache_mounts=True).text


def one_run(history: list[Record], base: str) -> str:
    commands = " && \\\n    ".join(map(_command, standing(history)))
    return f"FROM {base}\nUSER root\nRUN {commands}\nUSER ${{NB_UID}}\n"


def run_per_install(history: list[Record], base: str) -> str:
    lines = "".join(f"RUN {_command(each)}\n" for each in standing(history))
    return f"FROM {base}\nUSER root\n{lines}USER ${{NB_UID}}\n"


def timed(engine: ContainerEngine, text: str, builder: Builder | None) -> Built:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(text)
        asked = BuildOptions(parse_tag(REPOSITORY), builder=builder)
        return build(engine, Path(folder), asked, console=quiet())


def compare(engine: ContainerEngine, base: str, builder: Builder | None) -> None:
    kinds: dict[str, Callable[[list[Record], str], str]] = {
        "the recipe": recipe,
        "one RUN": one_run,
        "a RUN per install": run_per_install,
    }
    if builder_of(engine, builder) == "buildkit":
        kinds["the recipe, downloads kept"] = cached_recipe
    first, more = records(INSTALLS), records((*INSTALLS, ONE_MORE))
    print(f"{len(INSTALLS)} installs on {base}, built with {builder or 'the default builder'}")
    below = len(engine.client.api.inspect_image(base)["RootFS"]["Layers"])
    head = ("", "layers", "built", "one more by pip", "the first taken back")
    print(f"{head[0]:28}{head[1]:>8}{head[2]:>10}{head[3]:>24}{head[4]:>24}")
    for name, write in kinds.items():
        unique = f"ENV BENCHMARK={uuid4()}\n"

        def text(
            history: list[Record],
            write: Callable[[list[Record], str], str] = write,
            unique: str = unique,
        ) -> str:
            start, found, rest = write(history, base).partition("USER root\n")
            return f"{start}{unique}{found}{rest}"

        built = timed(engine, text(first), builder)
        before, cells = layers(engine), []
        for after in (more, taken_back(first)):
            again = timed(engine, text(after), builder)
            rebuilt = set(layers(engine)) - set(before)
            cells.append(f"{len(rebuilt)} rebuilt, {again.seconds:.1f} s")
        made = len(before) - below
        print(f"{name:28}{made:>8}{built.seconds:>8.1f} s{cells[0]:>24}{cells[1]:>24}")
    engine.client.images.remove(REPOSITORY, force=True)


def layers(engine: ContainerEngine) -> list[str]:
    """The layers of what was built last, as the engine knows them."""
    found: list[str] = engine.client.api.inspect_image(REPOSITORY)["RootFS"]["Layers"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="base", default="")
    parser.add_argument("--builder", choices=BUILDERS)
    options = parser.parse_args()
    with engines.engine() as client:
        engine = connect({"DOCKER_HOST": engines.host()})
        compare(engine, options.base or stacks.image(client), options.builder)


if __name__ == "__main__":
    main()
