"""Helpers of the formats that hold a recipe of ours."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.environment import EnvironmentRef
from ...model.recipe import Recipe
from ...model.recipefile import requests_of
from .. import Found, Target


def found_in(recipe: Recipe) -> Iterator[Found]:
    """Yield the requests of a recipe, each for its environment."""
    for environment, request in requests_of(recipe):
        yield Found(
            command=" ".join((request.action, *request.texts)),
            line=0,
            request=request,
            target=_target(environment) if environment else Target(),
        )


def _target(environment: EnvironmentRef) -> Target:
    if environment.kind == "conda-base":
        return Target(name="base")
    if environment.kind == "conda-named" and environment.name:
        return Target(name=environment.name, made=True)
    made = environment.kind == "conda-prefix"
    return Target(prefix=environment.prefix, made=made, advised=not made)
