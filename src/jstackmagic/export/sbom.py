"""A software bill of materials (CycloneDX) of what the history put there, and who asked for it.

Every package that an install brought is a component: those that were asked for and those that they
need, with its package URL, its hash where that is known, and the record that brought it; the
document's own component depends on those that were asked for. What the base image holds is not in
it. The document's serial number is made from its content.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from .. import managers
from ..model.credentials import mask
from ..model.environment import EnvironmentRef
from ..model.errors import ExportError
from ..model.inventory import Present
from ..model.ledger import Ledger
from ..model.managers import is_system, place
from ..model.recipe import Recipe
from ..model.record import Record
from ..model.spec import Constraint
from ..model.text import as_json
from ._artifact import Artifact
from ._choice import called
from ._format import Format, option

# by which the ids of what jstackmagic makes are made: uuid5(NAMESPACE_URL, "jstackmagic:sbom")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "jstackmagic:sbom")


def _distribution() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            found = re.search(r'^ID="?([a-z0-9._-]+)"?$', file.read(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else "debian"


def render(
    recipe: Recipe,
    *,
    records: Sequence[Record] = (),
    distribution: str = "debian",
    timestamp: bool = False,
) -> Artifact:
    """Render what a history installed.

    Args:
        recipe: The history's net, which separates what is only planned.
        distribution: The distribution of the Debian packages.
        timestamp: Whether to include the time of the last install.

    Raises:
        ExportError: There is a recipe, but no history of what it installed.
    """
    if recipe.steps and not records:
        raise ExportError(
            "A recipe alone does not say what its installs brought.",
            advice="Take the history: %envexport --recipe history.jsonl sbom",
        )
    present = Ledger.of(records).present()
    found: dict[str, dict[str, Any]] = {}
    asked: list[str] = []
    for each in present:
        component = _component(each, distribution)
        ref, number = component["bom-ref"], 1
        while component["bom-ref"] in found:
            number += 1
            component["bom-ref"] = f"{ref}#{number}"
        found[component["bom-ref"]] = component
        asked += [component["bom-ref"]] if each.asked else []
    metadata: dict[str, Any] = {
        "tools": {"components": [{"type": "application", "name": "jstackmagic"}]},
        "component": {
            "type": "platform",
            "bom-ref": "environment",
            "name": "what was installed on top of the base image",
        },
    }
    times = [record.time for record in records if record.outcome is not None]
    if timestamp and times:
        metadata["timestamp"] = max(times)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": list(found.values()),
        "dependencies": [{"ref": "environment", "dependsOn": asked}],
        "compositions": [{"aggregate": "incomplete", "assemblies": ["environment"]}],
    }
    content = json.dumps(document, sort_keys=True, ensure_ascii=False)
    serial = {"serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"}
    text = as_json({**document, **serial}) + "\n"
    return Artifact(text, notes=tuple(_notes(recipe, present)))


def _notes(recipe: Recipe, present: Iterable[Present]) -> Iterator[str]:
    seen = {each.spec for each in present} | {each.package.name for each in present}
    for step in recipe.steps:
        missing = [
            item.text
            for item in step.install
            if not isinstance(item.spec, Constraint)
            and not {item.name, item.text} & seen
            and not {other.name for other in item.brought} & seen
        ]
        if missing:
            where = f"{step.manager}, {called(step.environment)}" if step.environment else "apt"
            yield mask(
                f"No install was seen to bring {', '.join(missing)} ({where}): it was planned, or"
                " was there already."
            )
        if step.remove:
            yield f"What was removed is not a component: {', '.join(step.remove)}."


def _component(present: Present, distribution: str) -> dict[str, Any]:
    package, environment = present.package, present.brought.environment
    purl = managers.get(package.manager).package_url(package, distribution)
    where = place(package.manager, environment.prefix)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{purl}#{quote(where, safe='/')}" if where else purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
    }
    if re.fullmatch(r"[0-9a-f]{64}", package.sha256):
        component["hashes"] = [{"alg": "SHA-256", "content": package.sha256}]
    properties = _properties(present, None if is_system(package.manager) else environment)
    component["properties"] = [
        {"name": f"jstackmagic:{name}", "value": mask(value)} for name, value in properties if value
    ]
    return component


def _properties(present: Present, environment: EnvironmentRef | None) -> Iterator[tuple[str, str]]:
    package, asked = present.package, present.asked
    who = (asked or present.brought).context
    yield "manager", package.manager
    yield "environment", called(environment) if environment else ""
    yield "brought-by", present.brought.id
    yield "asked-for", present.spec
    yield "asked-in", asked.id if asked else ""
    yield "user", who.user
    yield "notebook", who.notebook
    yield "source", package.source
    yield "editable", "true" if package.editable else ""


FORMAT = Format(
    description=__doc__,
    files={"sbom.cdx.json": {}},
    render=render,
    options=(
        option(
            "--distribution",
            metavar="NAME",
            default=_distribution,
            help="whose the Debian packages are: debian, ubuntu (default: this machine's)",
        ),
        option("--timestamp", action="store_true", help="with the time of the last install in it"),
    ),
    needs={"records": ""},
)
