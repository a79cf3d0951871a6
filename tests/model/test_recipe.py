"""The fold: each of its rules by an example, and its laws by any history."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Change, ManagerName, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.record import Record, Status
from jstackmagic.model.request import Action, Request
from jstackmagic.model.sources import Sources
from jstackmagic.model.spec import read
from strategies import BASE, SECOND, VENV, World, worlds

if TYPE_CHECKING:
    from jstackmagic.model.environment import EnvironmentRef

_numbers = count(0x1000)  # beyond those of `strategies.World`


def package(
    name: str, version: str = "1.0", manager: ManagerName = "pip", **more: object
) -> Package:
    return Package(manager, name, version, **more)  # type: ignore[arg-type]


def record(
    *specs: str,
    manager: ManagerName = "pip",
    action: Action = "install",
    environment: EnvironmentRef = BASE,
    status: Status = "ok",
    added: tuple[Package, ...] = (),
    changed: tuple[tuple[Package, Package], ...] = (),
    removed: tuple[Package, ...] = (),
    resolved: tuple[Package, ...] = (),
    undoes: str = "",
    **options: object,
) -> Record:
    outcome = None
    if status in ("ok", "failed", "found") or added or changed or removed:
        outcome = Outcome(
            status if status in ("failed", "interrupted") else "ok",  # type: ignore[arg-type]
            0,
            1.0,
            change=Change(added, changed, removed),
            resolved=resolved,
        )
    return Record(
        id=f"{next(_numbers):08x}.1",
        time="2026-01-01T00:00:00.000Z",
        status=status,
        request=Request(action, manager, specs, **options),  # type: ignore[arg-type]
        environment=environment,
        outcome=outcome,
        undoes=undoes,
    )


def specs(recipe: Recipe) -> list[str]:
    return [item.text for step in recipe.steps for item in step.install]


LIST = "-r /w/req.txt"
SIX, COLORAMA = (
    package(name, version, requested=True)
    for name, version in (("six", "1.16"), ("colorama", "0.4.6"))
)
MINE = package("six", "1.15", source="file:///w/six", editable=True)
MOVED = ((SIX, package("six", "1.15")),)
REMOVED = record("six", action="remove", removed=(SIX,))
INDEX = Sources(index_url="https://pypi.example.com/simple")


class TestWhatCounts:
    def test_an_install_with_the_version_seen_on_disk(self) -> None:
        six = package("six", "1.17.0", source="https://pypi.example.com/simple", sha256="ab")
        assert fold([record("six>=1", added=(six,), resolved=(six,))]) == Recipe(
            (
                RecipeStep(
                    "pip",
                    BASE,
                    install=(
                        Item(
                            "six>=1",
                            "six",
                            "1.17.0",
                            source="https://pypi.example.com/simple",
                            sha256="ab",
                        ),
                    ),
                ),
            )
        )

    def test_what_was_already_there_and_what_is_planned(self) -> None:
        there = record("numpy", manager="conda", resolved=(package("numpy", "2.1", "conda"),))
        planned = record("graphviz", manager="apt", status="planned")
        recipe = fold([there, planned])
        assert [step.manager for step in recipe.steps] == ["apt", "conda"]
        assert recipe.steps[1].install[0].version == "2.1"
        assert recipe.steps[0].install == (Item(read("apt", "graphviz"), "graphviz"),)

    @pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
    def test_not_what_never_arrived(self, status: Status) -> None:
        assert fold([record("six", status=status)]) == Recipe()

    @pytest.mark.parametrize("status", ["failed", "interrupted"])
    def test_what_arrived_all_the_same(self, status: Status) -> None:
        half = record("six", "idna", status=status, added=(package("six"), package("other")))
        assert specs(fold([half])) == ["six"]

    def test_what_a_failed_list_of_requirements_brought_of_what_it_names(self) -> None:
        by_conda = package("of-conda", manager="conda", requested=True)
        arrived = (package("six", requested=True), package("dependency"), by_conda)
        assert specs(fold([record("-r /w/list.txt", status="failed", added=arrived)])) == ["six"]

    def test_what_was_found_on_disk_that_a_person_had_asked_for(self) -> None:
        editable = package(
            "mine", source="file:///home/j/my%20project", editable=True, requested=True
        )
        commit = package(
            "tool", source="git+https://git.example.com/tool.git@0123abc", requested=True
        )
        found = record(status="found", added=(editable, commit, package("dependency")))
        assert specs(fold([found])) == [
            "-e /home/j/my project",
            "tool @ git+https://git.example.com/tool.git@0123abc",
        ]

    def test_what_a_failed_removal_did_remove(self) -> None:
        six, idna = package("six"), package("idna")
        history = [record("six", "idna", added=(six, idna))]
        history.append(record("six", "idna", action="remove", status="failed", removed=(six,)))
        assert specs(fold(history)) == ["idna"]


class TestWhatCancels:
    def test_removed_after_install(self) -> None:
        six = package("six")
        history = [record("six", added=(six,)), record("six", action="remove", removed=(six,))]
        assert fold(history) == Recipe()

    def test_the_removal_of_a_package_of_the_base_stays(self) -> None:
        numpy = package("numpy", manager="conda")
        history = [record("numpy", manager="conda", action="remove", removed=(numpy,))]
        assert fold(history) == Recipe((RecipeStep("conda", BASE, remove=("numpy",)),))

    def test_moved_and_then_removed_leaves_a_removal(self) -> None:
        old, new = package("numpy", "1", "conda"), package("numpy", "2", "conda")
        history = [
            record("numpy>1", manager="conda", changed=((old, new),)),
            record("numpy", manager="conda", action="remove", removed=(new,)),
        ]
        assert fold(history) == Recipe((RecipeStep("conda", BASE, remove=("numpy",)),))

    def test_installed_again_takes_the_removal_back(self) -> None:
        numpy = package("numpy", manager="conda")
        history = [
            record("numpy", manager="conda", action="remove", removed=(numpy,)),
            record("numpy", manager="conda", added=(numpy,)),
        ]
        assert [step.remove for step in fold(history).steps] == [()]
        again = record("numpy", manager="conda", action="remove", removed=(numpy,))
        assert fold([*history, again]).steps[0].remove == ("numpy",), "the base still has it"

    def test_what_was_ours_once_may_be_the_base_s_of_another_image(self) -> None:
        numpy = package("numpy", manager="conda")
        gone = {"manager": "conda", "action": "remove", "removed": (numpy,)}
        history = [record("numpy", manager="conda", added=(numpy,)), record("numpy", **gone)]  # type: ignore[arg-type]
        assert fold(history) == Recipe()
        assert fold([*history, record("numpy", **gone)]).steps[0].remove == ("numpy",)  # type: ignore[arg-type]

    def test_brought_back_by_another_takes_the_removal_back(self) -> None:
        numpy, scipy = (package(name, manager="conda") for name in ("numpy", "scipy"))
        history = [
            record("numpy", manager="conda", action="remove", removed=(numpy,)),
            record("scipy", manager="conda", added=(scipy, numpy)),
        ]
        assert [step.remove for step in fold(history).steps] == [()]

    def test_a_planned_install_takes_the_removal_back(self) -> None:
        numpy = package("numpy", manager="conda")
        history = [
            record("numpy", manager="conda", action="remove", removed=(numpy,)),
            record("numpy", manager="conda", status="planned"),
        ]
        assert [step.remove for step in fold(history).steps] == [()]

    def test_a_planned_removal(self) -> None:
        plan = record("six", status="planned")
        gone = record("six", action="remove", status="planned")
        assert fold([plan, gone]) == Recipe()
        assert fold([gone]).steps[0].remove == ("six",)

    def test_removed_along_with_another(self) -> None:
        pandas, numpy = (package(name, manager="conda") for name in ("pandas", "numpy"))
        history = [
            record("pandas", manager="conda", added=(pandas, numpy)),
            record("numpy", manager="conda", action="remove", removed=(numpy, pandas)),
        ]
        assert fold(history) == Recipe()

    def test_undone(self) -> None:
        first = record("six", added=(package("six"),))
        undo = record("six", action="remove", removed=(package("six"),), undoes=first.id)
        assert fold([first, undo]) == Recipe()
        back = record("six", added=(package("six"),), undoes=undo.id)
        assert specs(fold([first, undo, back])) == ["six"]

    def test_a_whole_transaction_undone_by_its_id(self) -> None:
        first = record("six", added=(package("six"),))
        second = replace(record("idna", added=(package("idna"),)), id=f"{first.transaction}.2")
        undo = record("idna", action="remove", undoes=first.transaction)
        assert fold([first, second, undo]) == Recipe()

    def test_an_undo_that_failed_took_nothing_back(self) -> None:
        first = record("six", added=(package("six"),))
        undo = record("six", action="remove", status="failed", undoes=first.id)
        assert specs(fold([first, undo])) == ["six"]

    def test_an_undone_removal_brings_back_what_went_along(self) -> None:
        pandas, numpy = (package(name, manager="conda") for name in ("pandas", "numpy"))
        first = record("pandas", manager="conda", added=(pandas, numpy))
        gone = record("numpy", manager="conda", action="remove", removed=(numpy, pandas))
        undo = record("numpy", manager="conda", added=(numpy, pandas), undoes=gone.id)
        assert specs(fold([first, gone, undo])) == ["pandas"]

    def test_the_undo_of_something_unknown_is_an_ordinary_change(self) -> None:
        six = package("six")
        undo = record("six", action="remove", removed=(six,), undoes="ffffffff.1")
        assert fold([record("six", added=(six,)), undo]) == Recipe()


class TestWhatReplaces:
    def test_a_later_spec_of_the_same_package(self) -> None:
        old, new = package("six", "1.16"), package("six", "1.17")
        history = [
            record("six<1.17", added=(old,)),
            record("idna", added=(package("idna"),)),
            record("Six>=1.17", changed=((old, new),)),
        ]
        assert specs(fold(history)) == ["idna", "Six>=1.17"]
        assert fold(history).steps[0].install[1].version == "1.17"

    def test_the_same_again_keeps_its_place(self) -> None:
        history = [record("six"), record("idna"), record("six", upgrade=True), record("six")]
        assert [(i.text, i.upgrade) for i in fold(history).steps[0].install] == [
            ("six", True),
            ("idna", False),
        ]

    def test_a_version_that_another_install_moved(self) -> None:
        old, new = package("numpy", "1.26", "conda"), package("numpy", "2.1", "conda")
        history = [
            record("numpy", manager="conda", added=(old,)),
            record("scipy", manager="conda", changed=((old, new),)),
        ]
        assert fold(history).steps[0].install[0].version == "2.1"

    def test_extras_add_up(self) -> None:
        history = [record("dask[array]>2"), record("dask[dataframe]>3"), record("dask")]
        assert specs(fold(history)) == ["dask[array,dataframe]"]

    def test_not_in_another_environment_or_by_another_manager(self) -> None:
        history = [
            record("six", added=(package("six", "1"),)),
            record("six", environment=SECOND, added=(package("six", "2"),)),
            record("six", manager="conda", added=(package("six", "3", "conda"),)),
        ]
        recipe = fold(history)
        assert [(s.manager, s.environment, s.install[0].version) for s in recipe.steps] == [
            ("conda", BASE, "3"),
            ("pip", BASE, "1"),
            ("pip", SECOND, "2"),
        ]

    def test_one_prefix_is_one_environment_as_last_recorded(self) -> None:
        other = replace(BASE, prefix="/opt/conda/", python="3.13.9")
        recipe = fold([record("six"), record("idna", environment=other)])
        assert [step.environment for step in recipe.steps] == [other]

    def test_pip_is_content_with_what_conda_has(self) -> None:
        by_conda = package("typing_extensions", "4.12", "conda")
        recipe = fold([record("typing-extensions", resolved=(by_conda,))])
        assert recipe.steps[0].install[0].version == "4.12"


class TestSteps:
    def test_apt_then_each_environment_conda_then_pip(self) -> None:
        history = [
            record("aa", environment=SECOND),
            record("bb"),
            record("cc", manager="conda", environment=SECOND),
            record("dd", manager="apt", environment=VENV),
            record("ee", manager="conda"),
        ]
        assert [(s.manager, s.environment) for s in fold(history).steps] == [
            ("apt", None),
            ("conda", SECOND),
            ("pip", SECOND),
            ("conda", BASE),
            ("pip", BASE),
        ]

    def test_an_environment_s_place_is_that_of_the_oldest_install_that_is_left(self) -> None:
        six = package("six")
        history = [
            record("six", added=(six,)),
            record("six", action="remove", removed=(six,)),
            record("aa", environment=SECOND),
            record("bb"),
        ]
        assert [step.environment for step in fold(history).steps] == [SECOND, BASE]

    def test_runs_that_were_asked_for_alike_merge(self) -> None:
        history = [
            record("aa", manager="conda"),
            record("bb", manager="conda"),
            record("cc", manager="conda", sources=Sources(channels=("forge",))),
            record("dd", manager="conda", sources=Sources(channels=("forge",))),
            record("ee", manager="conda", sources=Sources(channels=("forge", "bio"))),
            record("ff", manager="conda"),
        ]
        assert [(s.sources.channels, [i.text for i in s.install]) for s in fold(history).steps] == [
            ((), ["aa", "bb"]),
            (("forge",), ["cc", "dd"]),
            (("forge", "bio"), ["ee"]),
            ((), ["ff"]),
        ]

    @pytest.mark.parametrize(
        "options",
        [
            {"sources": Sources(index_url="https://pypi.example.com/simple")},
            {"sources": Sources(extra_index_urls=("https://pypi.example.com/simple",))},
            {"options": ("--no-deps",)},
        ],
    )
    def test_runs_that_pip_would_read_differently_do_not(self, options: dict[str, object]) -> None:
        assert len(fold([record("aa"), record("bb", **options)]).steps) == 2  # type: ignore[arg-type]

    def test_a_constraint_holds_for_its_own_request_alone(self) -> None:
        history = [record("aa"), record("-c /w/c.txt", "bb"), record("cc")]
        assert [[i.text for i in s.install] for s in fold(history).steps] == [
            ["aa"],
            ["-c /w/c.txt", "bb"],
            ["cc"],
        ]

    def test_a_file_of_requirements_runs_alone_and_tells_what_it_brought(self) -> None:
        editable = package("mine", source="file:///w/mine", editable=True)
        arrived = (package("idna", "3.1"), package("six", "1.16"), editable)
        moved = ((package("six", "1.16"), package("six", "1.17")),)
        history = [
            record("aa"),
            record("-r /w/list.txt", "bb", added=(*arrived, package("bb"))),
            record("cc", changed=moved),
        ]
        recipe = fold(history)
        assert [[i.text for i in s.install] for s in recipe.steps] == [
            ["aa"],
            ["-r /w/list.txt", "bb"],
            ["cc"],
        ]
        brought = recipe.steps[1].install[0].brought
        again = record("-r /w/list.txt", "bb")
        assert fold([*history, again]) == recipe
        assert [(i.name, i.version) for i in brought] == [("idna", "3.1"), ("six", "1.17")]
        gone = record("idna", action="remove", removed=(package("idna"),))
        brought = fold([*history, gone]).steps[1].install[0].brought
        assert [item.name for item in brought] == ["six"]

    @pytest.mark.parametrize(
        ("later", "left"),
        [
            ([REMOVED], ["colorama==0.4.6"]),
            ([REMOVED, record("colorama", action="remove", removed=(COLORAMA,))], []),
            ([record("six", action="remove", status="planned")], ["colorama==0.4.6"]),
            ([record(status="found", removed=(SIX,))], ["colorama==0.4.6"]),
            ([record("six==1.15", changed=MOVED)], ["colorama==0.4.6", "six==1.15"]),
            ([record("six==1.15", status="planned")], ["colorama==0.4.6", "six==1.15"]),
            ([record("old", changed=MOVED)], ["six==1.15", "colorama==0.4.6", "old"]),
            ([record("six", changed=((SIX, MINE),))], ["colorama==0.4.6", "six"]),
            ([record("old", changed=((SIX, MINE),))], ["-e /w/six", "colorama==0.4.6", "old"]),
            ([record("six>1", resolved=(SIX,))], [LIST, "six>1"]),
            ([record("rich", action="remove", removed=(package("rich"),))], [LIST]),
            ([record("old", changed=((package("rich"), package("rich", "2")),))], [LIST, "old"]),
            ([REMOVED, record(LIST, added=(SIX,))], [LIST]),
            ([REMOVED, replace(record("six", added=(SIX,)), undoes=REMOVED.id)], [LIST]),
        ],
    )
    def test_what_is_left_of_a_list_takes_its_place(
        self, later: list[Record], left: list[str]
    ) -> None:
        there = replace(COLORAMA, requested=False)
        arrived = (SIX, package("rich"))
        first = record(LIST, "-c /w/c.txt", added=arrived, resolved=(there,), sources=INDEX)
        recipe = fold([first, *later])
        assert [text for text in specs(recipe) if text != "-c /w/c.txt"] == left
        items = [item for step in recipe.steps for item in step.install]
        assert all(item.version for item in items if item.name not in ("", "old"))
        if left[0:1] == ["colorama==0.4.6"]:
            assert recipe.steps[0].sources == INDEX
            assert specs(recipe)[0] == "-c /w/c.txt"

    def test_of_two_lists_the_other_stays_and_a_dependency_is_not_asked_for(self) -> None:
        b, c, deep = (package(name, requested=name != "deep") for name in ("bb", "cc", "deep"))
        history = [
            record("-r /w/one.txt", "aa", added=(package("aa"), b, c, deep)),
            record("-r /w/two.txt", added=(package("dd", requested=True),)),
            record("cc", action="remove", removed=(c,)),
        ]
        assert specs(fold(history)) == ["bb==1.0", "aa", "-r /w/two.txt"]
        again = fold([*history, record("-r /w/one.txt", added=(c,))]).steps[-1].install
        assert [each.name for each in again[0].brought] == ["bb", "cc"]

    @pytest.mark.parametrize(
        ("manager", "text", "source", "left"),
        [
            ("conda", "--file /w/list.txt", "https://conda.example/forge", "bb==1.0"),
            ("pip", "/w/project", "file:///w/bb", "bb @ file:///w/bb"),
            (
                "pip",
                LIST,
                "git+https://g.example/b.git@ab1",
                "bb @ git+https://g.example/b.git@ab1",
            ),
        ],
    )
    def test_what_is_left_is_asked_for_where_it_came_from(
        self, manager: ManagerName, text: str, source: str, left: str
    ) -> None:
        b = package("bb", manager=manager, source=source, requested=True)
        c = package("cc", manager=manager, requested=True)
        first = record(text, manager=manager, added=(b, c))
        gone = record("cc", manager=manager, action="remove", removed=(c,))
        (item,) = fold([first, gone]).steps[0].install
        assert (item.text, item.version) == (left, "1.0")

    @pytest.mark.parametrize(
        ("spec", "source"),
        [
            ("-e /home/j/my project[test]", "file:///home/j/my%20project"),
            (
                "git+https://****@git.example.com/t.git@main",
                "git+https://git.example.com/t.git@ab1",
            ),
            ("/w/folder", "file:///w/folder"),
            ("https://example.com/archive/main.zip", "https://example.com/archive/main.zip"),
        ],
    )
    def test_a_place_is_known_by_what_it_installed(self, spec: str, source: str) -> None:
        tool = package("tool", "0.1", source=source)
        history = [record(spec, added=(tool,), resolved=(tool,))]
        assert fold(history).steps[0].install == (
            Item(read("pip", spec), "tool", "0.1", source=source),
        )
        gone = record("tool", action="remove", removed=(tool,))
        assert fold([*history, gone]) == Recipe()

    def test_a_foreign_architecture_is_another_package(self) -> None:
        native, foreign = package("libc6", "2", "apt"), package("libc6:i386", "3", "apt")
        history = [record("libc6:i386", "libc6:amd64", manager="apt", resolved=(native, foreign))]
        install = fold(history).steps[0].install
        assert [(item.name, item.version) for item in install] == [
            ("libc6:i386", "3"),
            ("libc6", "2"),
        ]


@pytest.mark.parametrize(
    ("manager", "spec", "name"),
    [
        ("conda", "numpy=1.26=py312_0", "numpy"),
        ("conda", "conda-forge/linux-64::NumPy[version='>=1']", "numpy"),
        ("conda", "numpy >=1.2,<2", "numpy"),
        ("conda", "_libgcc_mutex", "_libgcc_mutex"),
        ("conda", "/w/my-tool-1.0-py_0.conda", "my-tool"),
        ("conda", "https://c.example.com/noarch/my-tool-1.0-py_0.tar.bz2#0123", "my-tool"),
        ("pip", "Ruamel.YAML[jinja2] >= 0.17 ; python_version > '3'", "ruamel-yaml"),
        ("pip", "tool @ git+https://git.example.com/t.git@main", "tool"),
        ("pip", "tool[x]@https://example.com/t.zip", "tool"),
        ("pip", "git+ssh://git@git.example.com/t.git#egg=My_Tool[x]", "my-tool"),
        ("pip", "-e git+https://git.example.com/t.git#egg=t", "t"),
        ("pip", "/w/my_tool-1.0-py3-none-any.whl[extra]", "my-tool"),
        ("pip", "https://example.com/my-tool-1.0.tar.gz", "my-tool"),
        ("pip", "-r /w/numpy-1.0.tar.gz", ""),
        ("pip", "/w/folder", ""),
        ("pip", "https://example.com/archive/main.zip", ""),
        ("apt", "g++", "g++"),
        ("apt", "graphviz/bookworm", "graphviz"),
        ("apt", "/w/tool_1.0-1_amd64.deb", "tool"),
    ],
)
def test_the_name_in_a_spec(manager: ManagerName, spec: str, name: str) -> None:
    assert read(manager, spec).name == name


# -- laws


def replay(recipe: Recipe) -> list[Record]:
    """The records that installing a recipe where it is already installed would leave."""
    return [
        record(
            *(item.text for item in step.install),
            manager=step.manager,
            environment=step.environment or BASE,
            resolved=tuple(
                package(item.name, item.version, step.manager, build=item.build)
                for item in step.install
            ),
            sources=step.sources,
        )
        for step in recipe.steps
        if step.install
    ]


def contents(recipe: Recipe) -> dict[tuple[str, ManagerName, str], str]:
    return {
        (step.environment.prefix if step.environment else "", step.manager, item.name): item.version
        for step in recipe.steps
        for item in step.install
    }


@given(worlds())
def test_what_is_asked_for_and_still_there_is_in_the_recipe_and_nothing_else(world: World) -> None:
    expected = {key: world.state.disk[key] for key in world.state.asked & world.state.disk.keys()}
    assert contents(fold(world.records)) == expected


@given(worlds())
def test_folding_twice_and_replaying_change_nothing(world: World) -> None:
    recipe = fold(world.records)
    assert fold(iter(world.records)) == recipe
    assert fold([*world.records, *replay(recipe)]) == recipe


@given(worlds(), st.sampled_from((BASE, SECOND, VENV)), st.sampled_from(("conda", "pip", "apt")))
def test_install_then_undo_is_nothing(
    world: World, environment: EnvironmentRef, manager: ManagerName
) -> None:
    before = fold(world.records)
    world.install(environment, manager, {"aa": ("aa>1", "77")}, moved={"bb": "78"})
    after = fold(world.records)
    assert after != before
    world.undo_last()
    assert fold(world.records) == before
    world.undo_last()
    assert fold(world.records) == after, "and undone twice it is there again"


@given(worlds(), st.sampled_from((BASE, SECOND, VENV)), st.sampled_from(("conda", "pip", "apt")))
def test_install_then_remove_is_nothing(
    world: World, environment: EnvironmentRef, manager: ManagerName
) -> None:
    before = fold(world.records)
    world.install(environment, manager, {"new": ("new", "1")})
    world.remove(environment, manager, "new")
    assert fold(world.records) == before


@given(worlds())
def test_what_is_new_comes_last_and_moves_nothing(world: World) -> None:
    before = specs(fold(world.records))
    world.install(SECOND, "pip", {"new": ("new", "1")})
    after = specs(fold(world.records))
    assert [spec for spec in after if spec != "new"] == before
    in_second = [s for s in fold(world.records).steps if s.environment == SECOND]
    assert in_second[-1].install[-1].text == "new"
