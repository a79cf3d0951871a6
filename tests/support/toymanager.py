"""A fourth package manager, in one folder's worth of code: a package is a file in ``PREFIX/toys``.

The file ``toys/NAME`` holds the version. The tests register it in the one list.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jstackmagic.managers import Choice, Engine, EngineOptions, Manager
from jstackmagic.managers.keep import Archives
from jstackmagic.managers.layered import LayerFile
from jstackmagic.model.errors import CommandFailed, InvalidSpec, Stopped
from jstackmagic.model.managers import Listed
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.plan import Command, Plan
from jstackmagic.model.request import Request
from jstackmagic.model.spec import NamedPackage, read_all
from jstackmagic.model.words import quoted_spec
from jstackmagic.where.reader import PackageReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jstackmagic.display.console import Console
    from jstackmagic.managers import Spelling
    from jstackmagic.managers.goal import Exactness, Goal, Wish
    from jstackmagic.managers.page import Page
    from jstackmagic.model.environment import Environment
    from jstackmagic.model.ledger import Origins
    from jstackmagic.model.recipe import RecipeStep

NEWEST = {"robot": "2.0", "train": "1.1"}
"""What its index holds."""

NEEDS: dict[str, tuple[str, ...]] = {}
"""What a toy needs."""


def installed(environment: Environment, root: Path) -> tuple[Package, ...]:
    folder = Path(environment.prefix, "toys")
    if not folder.is_dir():
        return ()
    return tuple(
        Package("toy", file.name, file.read_text(), requested=True) for file in folder.iterdir()
    )


class _ToyReader(PackageReader):
    def packages(self, environment: Environment, root: Path) -> tuple[Package, ...]:
        return installed(environment, root)

    def files(self, package: Package, environment: Environment) -> tuple[str, ...]:
        return self.metadata(package, environment)

    def needs(self, environment: Environment) -> Iterable[tuple[str, Iterable[str]]]:
        for package in installed(environment, Path("/")):
            yield package.name, NEEDS.get(package.name, ())


shelf = _ToyReader()


def spec(text: str) -> NamedPackage:
    name, _, version = text.partition("@")
    return NamedPackage(text, name, version=version)


def split(spec: str) -> tuple[str, str]:
    name, _, version = spec.partition("==")
    return name, version or NEWEST.get(name, "")


class _Shelf(Engine):
    def plan(self, request: Request, environment: Environment) -> Plan:
        here = PackageSet(installed(environment, Path("/")))
        after = dict(here.by_key)
        for name, version in map(split, request.texts):
            if request.action == "remove":
                after.pop(("toy", name), None)
            elif not version:
                raise CommandFailed(f"There is no toy {name}: 404.")
            else:
                after["toy", name] = Package("toy", name, version, requested=True)
        change = PackageSet(tuple(after.values())) - here
        commands = (MANAGER.command(request, environment),) if change else ()
        satisfied = () if change else self.resolved(request, environment)
        return Plan(request, environment, "toy", commands, change=change, satisfied=satisfied)

    def run(self, plan: Plan, output: Console) -> int:
        folder = Path(plan.environment.prefix, "toys")
        folder.mkdir(exist_ok=True)
        change = plan.change or Change()
        for package in (*change.added, *(new for _, new in change.changed)):
            (folder / package.name).write_text(package.version)
        for package in change.removed:
            (folder / package.name).unlink()
        return 0

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        here = PackageSet(installed(environment, Path("/")))
        found = (here.get("toy", split(spec)[0]) for spec in request.texts)
        return tuple(package for package in found if package is not None)


class _Box(Archives):
    def of(self, package: Package) -> Path | None:
        path = self.folder / f"{package.name}-{package.version}"
        return path if path.is_file() else None

    def keep(self, packages: Sequence[Package], goal: Goal, environment: Environment) -> list[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        pairs = ((Path(environment.prefix, "toys", p.name), p) for p in packages)
        return [shutil.copy(path, self.folder / f"{p.name}-{p.version}") for path, p in pairs]

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        specs = [spec for request in installs for spec in request.texts]
        if not all((self.folder / spec.replace("==", "-")).is_file() for spec in specs):
            return None
        options = ("--from", str(self.folder))
        return Request("install", "toy", read_all("toy", specs), options=options)


class _Toy(Manager):
    name = "toy"

    def check(self, request: Request, environment: Environment) -> None:
        for spec in request.texts:
            if not split(spec)[0].isidentifier():
                raise InvalidSpec(f"{spec!r} is no toy.", kept="Nothing was started.")

    def check_target(self, request: Request, environment: Environment) -> None:
        pass

    def engine(self, choice: Choice, options: EngineOptions) -> Engine:
        return _Shelf()

    def command(self, request: Request, environment: Environment) -> Command:
        return Command(("toys", request.action, environment.prefix, *request.texts))

    def bring_back(
        self, packages: Sequence[Package], origins: Origins, spelling: Spelling
    ) -> list[Request]:
        specs = [f"{package.name}=={package.version}" for package in packages]
        return [Request("install", "toy", read_all("toy", specs))]

    def bring(self, goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
        if exactness == "asked":
            specs = [item.text for _, item in goal.items("toy")]
        else:
            specs = [f"{p.name}=={p.version}" for p in goal.missing("toy", here)]
        return [Request("install", "toy", read_all("toy", specs))] if specs else []

    def layered(
        self, package: Package, environment: Environment, spec: str | None
    ) -> Iterable[LayerFile]:
        if package.version == "0":
            raise Stopped(f"{package.name} is a draft: it is in no image.")
        form = (b"%b, asked as " + spec.encode()) if spec else b"%b"
        yield LayerFile(f"{environment.prefix}/toys/{package.name}", lambda text: form % text)

    def archives(self, kept: Path) -> Archives:
        return _Box(kept / "toy")

    def write(self, step: RecipeStep, page: Page) -> None:
        assert step.environment is not None
        prefix = page.inside(step.environment)
        gone, here = list(map(quoted_spec, step.remove)), list(map(page.word, step.install))
        page.run(
            [
                [f"toys {verb} {prefix}", *words]
                for verb, words in (("remove", gone), ("install", here))
                if words
            ]
        )

    def mark(
        self, there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment
    ) -> None:
        pass


MANAGER = _Toy()
LISTED = Listed("toy", __name__, f"{__name__}:shelf", "toys/{name}")
