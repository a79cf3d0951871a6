"""Hypothesis strategies for the nouns, and a small world in which histories make sense."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.packages import Change, ManagerName, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.record import Context, Record
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from support.records import BASE

SECOND = EnvironmentRef(
    kind="conda-named", name="python310", prefix="/opt/conda/envs/python310", python="3.10.14"
)
BY_PREFIX = EnvironmentRef(kind="conda-prefix", name=None, prefix="/srv/r env", python=None)
VENV = EnvironmentRef(kind="venv", name=None, prefix="/home/jovyan/venv", python="3.12.3")
SYSTEM = EnvironmentRef(kind="system", name=None, prefix="/usr", python="3.12.3")

MANAGERS: tuple[ManagerName, ...] = ("conda", "pip", "apt")

names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?", fullmatch=True)
versions = st.from_regex(r"[1-9][0-9]?(\.[0-9]{1,2}){1,2}", fullmatch=True)
managers = st.sampled_from(MANAGERS)
environments = st.sampled_from((BASE, SECOND, BY_PREFIX, VENV))
texts = st.text(st.characters(codec="utf-8"), max_size=30)
_QUOTES = st.sampled_from(" '\"\\$`#&|;<>(){}[]!*?~-=%@:,.aE0é")
_LINE_ENDS = st.sampled_from("\n\r\t\0\x0b\u2028\u0085\u202e")
hostile = st.text(_QUOTES, min_size=1, max_size=12) | st.text(
    _QUOTES | _LINE_ENDS | st.characters(), min_size=1, max_size=12
)


@st.composite
def specs(draw: st.DrawFn, manager: ManagerName, name: str) -> str:
    """A spec of one package, as its manager reads it."""
    version = draw(versions)
    if manager == "apt":
        return draw(st.sampled_from((name, f"{name}={version}")))
    if manager == "conda":
        forms = (name, f"{name}>={version}", f"{name}={version}", f"forge::{name}", f"{name} <9")
        return draw(st.sampled_from(forms))
    forms = (name, f"{name}=={version}", f"{name}[extra]>={version}", f"{name}; python_version>'3'")
    return draw(st.sampled_from(forms))


@st.composite
def packages(draw: st.DrawFn, manager: ManagerName | None = None) -> Package:
    return Package(
        manager=manager or draw(managers),
        name=draw(names),
        version=draw(versions),
        build=draw(st.sampled_from(("", "py313_0"))),
        source=draw(texts),
        size=draw(st.none() | st.integers(0, 10**9)),
        requested=draw(st.booleans()),
        editable=draw(st.booleans()),
    )


@st.composite
def changes(draw: st.DrawFn) -> Change:
    some = st.lists(packages(), max_size=2).map(tuple)
    pairs = st.lists(st.tuples(packages(), packages()), max_size=2).map(tuple)
    return Change(added=draw(some), changed=draw(pairs), removed=draw(some))


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    return Outcome(
        status=draw(st.sampled_from(("ok", "failed", "interrupted"))),
        exit_status=draw(st.integers(-9, 255)),
        seconds=draw(st.floats(0, 1e6, allow_nan=False)),
        change=draw(changes()),
        resolved=tuple(draw(st.lists(packages(), max_size=2))),
        message=draw(texts),
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    return Request(
        action=draw(st.sampled_from(("install", "remove"))),
        manager=draw(managers),
        specs=tuple(draw(st.lists(texts, max_size=3))),
        upgrade=draw(st.booleans()),
        sources=Sources(
            channels=tuple(draw(st.lists(texts, max_size=2))),
            index_url=draw(texts),
            extra_index_urls=tuple(draw(st.lists(texts, max_size=2))),
        ),
        options=tuple(draw(st.lists(texts, max_size=2))),
    )


@dataclass(frozen=True)
class State:
    """What a simulated machine holds, and what its user asked for and still has.

    Attributes:
        disk: Versions by prefix, manager and name.
        asked: The keys of ``disk`` that a person asked for.
    """

    disk: dict[tuple[str, ManagerName, str], str]
    asked: frozenset[tuple[str, ManagerName, str]] = frozenset()


@dataclass
class World:
    """A machine whose managers do what they are told and whose history says so."""

    state: State
    records: list[Record] = field(default_factory=list)
    before: list[State] = field(default_factory=list)

    def install(
        self,
        environment: EnvironmentRef,
        manager: ManagerName,
        wanted: dict[str, tuple[str, str]],
        *,
        moved: dict[str, str] | None = None,
        options: Request | None = None,
    ) -> Record:
        """Install.

        Args:
            wanted: The spec and the version it comes to, by name.
            moved: Packages that it moves or brings as dependencies.
            options: A request whose channels, indexes and options to take.
        """
        scope = "" if manager == "apt" else environment.prefix
        targets = {**(moved or {}), **{name: version for name, (_, version) in wanted.items()}}
        disk = dict(self.state.disk)
        added, changed = [], []
        for name, version in targets.items():
            old = disk.get((scope, manager, name))
            disk[scope, manager, name] = version
            if old is None:
                added.append(Package(manager, name, version))
            elif old != version:
                changed.append((Package(manager, name, old), Package(manager, name, version)))
        asked = self.state.asked | {(scope, manager, name) for name in wanted}
        return self._record(
            replace(
                options or Request("install", manager, ()),
                specs=tuple(spec for spec, _ in wanted.values()),
            ),
            environment,
            Change(added=tuple(added), changed=tuple(changed)),
            tuple(Package(manager, name, version) for name, (_, version) in wanted.items()),
            State(disk, asked),
        )

    def remove(self, environment: EnvironmentRef, manager: ManagerName, name: str) -> Record:
        scope = "" if manager == "apt" else environment.prefix
        disk = dict(self.state.disk)
        version = disk.pop((scope, manager, name), None)
        removed = () if version is None else (Package(manager, name, version),)
        return self._record(
            Request("remove", manager, (name,)),
            environment,
            Change(removed=removed),
            (),
            State(disk, self.state.asked - {(scope, manager, name)}),
        )

    def undo_last(self) -> Record:
        """Take the last record back, as `%envundo` would: the disk is as it was before it."""
        last, before = self.records[-1], self.before[-1]
        now = self.state.disk
        make = {key: Package(key[1], key[2], version) for key, version in before.disk.items()}
        there = {key: Package(key[1], key[2], version) for key, version in now.items()}
        change = Change(
            added=tuple(make[key] for key in make.keys() - there.keys()),
            changed=tuple(
                (there[key], make[key])
                for key in make.keys() & there.keys()
                if make[key] != there[key]
            ),
            removed=tuple(there[key] for key in there.keys() - make.keys()),
        )
        action = "remove" if last.request.action == "install" else "install"
        request = Request(action, last.request.manager, last.request.texts)
        return self._record(request, last.environment, change, (), before, undoes=last.id)

    def _record(
        self,
        request: Request,
        environment: EnvironmentRef,
        change: Change,
        resolved: tuple[Package, ...],
        state: State,
        undoes: str = "",
    ) -> Record:
        record = Record(
            id=f"{len(self.records):08x}.1",
            time="2026-01-01T00:00:00.000Z",
            status="ok",
            request=request,
            environment=environment,
            context=Context(user="jovyan"),
            outcome=Outcome("ok", 0, 1.0, change=change, resolved=resolved),
            undoes=undoes,
        )
        self.before.append(self.state)
        self.records.append(record)
        self.state = state
        return record


# few names, so that requests meet: replaced, removed, moved as dependencies of each other
_COMMON = st.sampled_from(("aa", "bb", "cc", "dd", "numpy"))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A machine after a few installs, removals and undos."""
    places = [(e, m) for e in (BASE, SECOND) for m in ("conda", "pip")] + [(BASE, "apt")]
    base = draw(st.lists(st.tuples(st.sampled_from(places), _COMMON), max_size=4))
    world = World(
        State({("" if m == "apt" else e.prefix, m, name): "0.1" for (e, m), name in base})
    )
    for _ in range(draw(st.integers(0, 8))):
        environment, manager = draw(st.sampled_from(places))
        action = draw(st.sampled_from(("install", "install", "install", "remove", "undo")))
        if action == "undo" and world.records:
            world.undo_last()
        elif action == "remove":
            world.remove(environment, manager, draw(_COMMON))
        else:
            wanted = {
                name: (draw(specs(manager, name)), draw(versions))
                for name in draw(st.lists(_COMMON, min_size=1, max_size=2, unique=True))
            }
            moved = draw(st.dictionaries(_COMMON, versions, max_size=1))
            channel = draw(st.sampled_from(((), ("forge",)))) if manager == "conda" else ()
            world.install(
                environment,
                manager,
                wanted,
                moved={name: v for name, v in moved.items() if name not in wanted},
                options=Request("install", manager, (), sources=Sources(channels=channel)),
            )
    return world


@st.composite
def items(draw: st.DrawFn, manager: ManagerName) -> Item:
    name = draw(names)
    version = draw(st.just("") | versions)
    return Item(draw(specs(manager, name)), name, version, build="h0_0" if version else "")


@st.composite
def steps(draw: st.DrawFn, manager: ManagerName, environment: EnvironmentRef | None) -> RecipeStep:
    return RecipeStep(
        manager,
        environment,
        install=tuple(draw(st.lists(items(manager), min_size=1, max_size=4))),
        remove=tuple(draw(st.lists(names, max_size=2, unique=True))),
        sources=Sources(
            channels=draw(st.sampled_from(((), ("forge", "https://conda.example.com/lab")))),
            index_url=draw(st.sampled_from(("", "https://pypi.example.com/simple"))),
        ),
        options=draw(st.sampled_from(((), ("--no-deps",)))),
    )


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """A recipe with steps in the order that a fold gives."""
    found: list[RecipeStep] = []
    if draw(st.booleans()):
        found.append(draw(steps("apt", None)))
    for environment in draw(st.lists(environments, max_size=3, unique=True)):
        if environment.kind.startswith("conda"):
            found += draw(st.lists(steps("conda", environment), max_size=2))
        if environment.python is not None:
            found += draw(st.lists(steps("pip", environment), max_size=2))
    return Recipe(tuple(found))
