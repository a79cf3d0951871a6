"""E8: one name, two packages: pip's graphviz is conda's python-graphviz."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from jstackmagic.export import conda, pep723, pip
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.recipe import Item, Recipe, RecipeStep

LAB = EnvironmentRef("conda-named", "lab", "/c/envs/lab", "3.12.1")
PIPS = RecipeStep("pip", LAB, install=(Item("graphviz", "graphviz", "0.20"),))
CONDAS = RecipeStep("conda", LAB, install=(Item("python-graphviz", "python-graphviz", "0.20"),))
SYSTEMS = RecipeStep("conda", LAB, install=(Item("graphviz", "graphviz", "12.0"),))


def test_pips_stays_in_the_pip_section() -> None:
    found = yaml.safe_load(conda.render(Recipe((PIPS,)), name="lab").text)
    assert found["dependencies"][-1] == {"pip": ["graphviz==0.20"]}
    assert not [d for d in found["dependencies"] if isinstance(d, str) and "graphviz" in d]


def test_both_of_one_name_stay_apart() -> None:
    found = yaml.safe_load(conda.render(Recipe((SYSTEMS, PIPS)), name="lab").text)
    assert "graphviz=12.0" in found["dependencies"]
    assert found["dependencies"][-1] == {"pip": ["graphviz==0.20"]}


@pytest.mark.parametrize("form", [pip, pep723])
@pytest.mark.parametrize("step", [CONDAS, SYSTEMS])
def test_condas_is_left_out_of_pips_list_and_said(form: Any, step: RecipeStep) -> None:
    six = RecipeStep("pip", LAB, install=(Item("six", "six", "1.17.0"),))
    made = form.render(Recipe((step, six)), name="lab")
    assert "graphviz" not in made.text
    assert any(step.install[0].name in note for note in made.notes)
