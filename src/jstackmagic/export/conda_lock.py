"""A conda-lock.yml: every package of conda and pip, for one platform or more.

`conda-lock install`, mamba and micromamba take it. The platform is the one the history is of;
`--platform` adds others, for which the channels are asked: there is conda's part alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from ..model.errors import ExportError
from ..model.packages import Package
from ..model.recipe import Holding, Recipe
from ..model.spec import Listing, is_direct
from ..model.words import checked, published
from ._artifact import Artifact
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, Format, option
from ._locked import hashes_of, platform_of_holding
from ._match_specs import channels
from .conda import as_yaml


def render(
    recipe: Recipe, *, name: str = "", prefix: str = "", platforms: Sequence[str] = ()
) -> Artifact:
    """Render an environment's packages, here and on other platforms, as a lock file."""
    chosen = choose(recipe, name=name, prefix=prefix)
    notes = list(chosen.left_out)
    own = platform_of_holding(chosen.holding)
    if not own:
        raise ExportError(
            f"No conda package of {chosen.name} says which platform it is for."
            if any(chosen.items("conda"))
            else f"{chosen.name} has no conda packages.",
            advice="A lock of what pip installed: %envexport pylock",
        )
    held = {own: chosen.holding, **{other.platform: other for other in chosen.elsewhere}}
    missing = [platform for platform in platforms if platform not in held]
    if missing:
        raise ExportError(
            f"Nothing is known of {', '.join(missing)}.",
            advice="The channels are asked where the environment itself is here.",
        )
    packages = [
        package
        for platform, holding in held.items()
        for package in _packages(platform, holding, notes)
    ]
    packages.sort(key=lambda package: (package["manager"], package["name"], package["platform"]))
    notes += _notes(chosen, own, list(held))
    metadata = {
        "content_hash": {platform: _digest(packages, platform) for platform in sorted(held)},
        "channels": [{"url": url, "used_env_vars": []} for url in channels(chosen, notes)],
        "platforms": sorted(held),
        "sources": ["environment.yml"],
    }
    content = {"version": 1, "metadata": metadata, "package": packages}
    return Artifact(as_yaml(content), notes=notes)


def _notes(chosen: Chosen, own: str, held: list[str]) -> Iterator[str]:
    if len(held) == 1:
        yield f"It is for {own} only; --platform adds another."
    elif any(chosen.items("pip")):
        yield f"What pip installed is in it for {own} only."
    locked = {package.key for package in chosen.holding.packages}
    for step in chosen.steps:
        for item in step.install:
            is_list = isinstance(item.spec, Listing)  # what came of it is among the rest
            if (step.manager, item.name) not in locked and not is_list:
                yield f"{item.text} was never seen installed: it is not locked."
    if not chosen.holding.whole:
        yield f"{chosen.name} is not here: only what was installed on top of its image is in it."


def _packages(platform: str, holding: Holding, notes: list[str]) -> Iterator[dict[str, Any]]:
    details = {detail.name: detail for detail in holding.details}
    for package in holding.packages:
        detail = details.get(package.name) if package.manager == "conda" else None
        fields: dict[str, Any] = {
            "name": checked(package.name),
            "version": checked(package.version),
            "manager": package.manager,
            "platform": platform,
            "dependencies": dict(sorted(_spec(text) for text in detail.depends)) if detail else {},
        }
        if package.manager == "pip":
            fields |= _from_pip(package, holding, notes)
        else:
            fields["url"] = published(package.url, notes)
            md5 = detail.md5 if detail else ""
            fields["hash"] = {"md5": md5} if md5 else {}
            fields["hash"] |= {"sha256": package.sha256} if package.sha256 else {}
        if not fields["url"]:
            notes.append(
                f"{package.name} {package.version} is not locked: its archive is not known."
            )
        elif package.manager == "conda" and "md5" not in fields["hash"]:
            notes.append(
                f"{package.name} {package.version} is not locked: conda-lock wants the MD5 of its"
                " archive, which only the environment itself has."
            )
        else:
            yield {**fields, "category": "main", "optional": False}


def _from_pip(package: Package, holding: Holding, notes: list[str]) -> dict[str, Any]:
    direct = is_direct(package)
    url = published(package.source if direct else package.url, notes)
    if url.startswith("file:"):
        notes.append(f"{url} is on this machine.")
    hashes = (package.sha256,) if package.sha256 else hashes_of(package, holding)
    fields: dict[str, Any] = {"url": url, "hash": {"sha256": hashes[0]} if hashes else {}}
    if direct:
        fields["source"] = {"type": "url", "url": url}
    return fields


def _spec(text: str) -> tuple[str, str]:
    """Return a dependency as conda-lock has it: a name, and the rest of the match spec."""
    name, _, rest = text.partition(" ")
    return checked(name), checked(rest.strip() or "*")


def _digest(packages: list[dict[str, Any]], platform: str) -> str:
    """Return a digest that identifies a lock, in place of conda-lock's hash of its own inputs."""
    own = [package for package in packages if package["platform"] == platform]
    return hashlib.sha256(as_yaml(own).encode()).hexdigest()


FORMAT = Format(
    description=__doc__,
    files={"conda-lock.yml": {}},
    render=render,
    options=(
        *ENVIRONMENT,
        option(
            "--platform",
            dest="platforms",
            action="append",
            default=[],
            metavar="PLATFORM",
            help="another one, such as osx-arm64, solved from the channels",
        ),
    ),
    needs={"platforms": "platforms"},
    one_environment=True,
)
