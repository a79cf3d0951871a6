"""The bill of materials, read by CycloneDX's own library; and what a history put there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from packageurl import PackageURL

from jstackmagic.export import sbom
from jstackmagic.history.file import History
from jstackmagic.model.errors import ExportError
from jstackmagic.model.ledger import Ledger, fold
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Context, Record
from jstackmagic.model.request import Request
from strategies import BASE, SECOND, World, worlds
from support.acceptance import BROUGHT, CONDA, PASSWORD, PIP, PIP_BROUGHT, UNDONE
from support.exports import SECRET
from support.records import remember
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jstackmagic.model.packages import ManagerName
    from support.acceptance import Acceptance

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def said(records: Sequence[Record], **options: Any) -> dict[str, Any]:
    """What the document says, which the library takes."""
    text = sbom.render(fold(records), records=records, **options).text
    error = VALIDATOR.validate_str(text)
    assert error is None, error
    value: dict[str, Any] = json.loads(text)
    bom = Bom.from_json(value)  # type: ignore[attr-defined]
    assert bom.validate()
    assert {c.purl.to_string() for c in bom.components} == {c["purl"] for c in value["components"]}
    return value


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {p["name"].removeprefix("jstackmagic:"): p["value"] for p in component["properties"]}


def record(
    number: int,
    request: Request,
    *added: Package,
    changed: tuple[tuple[Package, Package], ...] = (),
    removed: tuple[Package, ...] = (),
    resolved: tuple[Package, ...] = (),
    user: str = "ada",
) -> Record:
    return Record(
        id=f"{number:08x}.1",
        time=f"2026-11-02T09:0{number}:00.000Z",
        status="ok",
        request=request,
        environment=BASE,
        context=Context(user=user, notebook="/home/ada/work/a.ipynb"),
        outcome=Outcome("ok", 0, 1.0, Change(added, changed, removed), resolved),
    )


def install(manager: ManagerName, *specs: str, **more: Any) -> Request:
    return Request("install", manager, specs, **more)


def test_of_a_real_history(acceptance: Acceptance) -> None:
    records = History(acceptance.history).records()
    value = said(records)
    text = json.dumps(value)
    assert PASSWORD not in text
    by_name = {component["name"]: component for component in value["components"]}
    wanted = {**CONDA, **BROUGHT, **PIP, **PIP_BROUGHT}
    assert wanted.items() <= {n: c["version"] for n, c in by_name.items()}.items()
    assert UNDONE not in by_name
    for name in (*PIP, *CONDA, *BROUGHT):
        if name != "demo-git":  # a checkout has none
            assert len(by_name[name]["hashes"][0]["content"]) == 64
    who = properties(by_name["demo-app"])
    assert who["asked-for"].startswith("demo-app[more]>=1")
    assert who["user"]
    assert who["asked-in"] == who["brought-by"]
    assert "asked-for" not in properties(by_name["demo-base"])
    assert properties(by_name["demo-git"])["asked-for"].startswith("git+file:")
    assert properties(by_name["demo-local"])["asked-for"].endswith(".whl")
    purl = PackageURL.from_string(by_name["demo-git"]["purl"])
    assert purl.qualifiers["vcs_url"].endswith(acceptance.commit)
    conda = PackageURL.from_string(by_name["pymongo"]["purl"])
    assert (conda.type, conda.qualifiers["subdir"], conda.qualifiers["type"]) == (
        *("conda", "linux-64", "conda"),
    )
    private = PackageURL.from_string(by_name["demo-private"]["purl"])
    assert private.qualifiers["repository_url"] == acceptance.private.url.rstrip("/")


def test_purls_are_canonical() -> None:
    """As packageurl-python, the reference, writes them."""
    packages = (
        Package("apt", "libstdc++6", "12.2.0-14+deb12u1", "amd64"),
        Package("apt", "libc6:i386", "1:2.36~rc1", "i386"),
        Package(
            "conda",
            "numpy",
            "2.0",
            "py_0",
            "https://c.example.com/lab",
            "https://c.example.com/lab/noarch/numpy-2.0-py_0.tar.bz2",
        ),
        Package("conda", "x", "1!2.0+a", "0", f"https://c.example.com/t/{SECRET}/lab/linux-64"),
        Package(
            "pip",
            "zope-interface",
            "7.0+local.1",
            source="https://p.example.com/z a.whl?x=1&y=2#sha256=0",
        ),
        Package(
            "pip", "mine", "0.1", source="git+https://g.example.com/r.git@0123abc#subdirectory=a/b"
        ),
        Package("pip", "six", "1.17.0"),
    )
    records = [record(1, install("conda", "numpy"), *packages)]
    value = said(records, distribution="ubuntu")
    for component in value["components"]:
        assert PackageURL.from_string(component["purl"]).to_string() == component["purl"]
    purls = {c["name"]: PackageURL.from_string(c["purl"]) for c in value["components"]}
    assert (purls["libstdc++6"].type, purls["libstdc++6"].namespace) == ("deb", "ubuntu")
    assert purls["libc6:i386"].name == "libc6"
    assert purls["libc6:i386"].version == "1:2.36~rc1"
    assert purls["numpy"].qualifiers == {
        "build": "py_0",
        "channel": "lab",
        "subdir": "noarch",
        "type": "tar.bz2",
    }
    assert purls["x"].qualifiers["channel"] == "lab"
    assert purls["mine"].qualifiers["vcs_url"] == packages[5].source
    assert purls["six"].qualifiers == {}
    assert SECRET not in json.dumps(value)


def test_the_same_history_gives_the_same_bytes_and_another_number_with_another() -> None:
    six, idna = Package("pip", "six", "1.17.0"), Package("pip", "idna", "3.7")
    one = [record(1, install("pip", "six"), six)]
    two = [*one, record(2, install("pip", "idna"), idna)]
    texts = [sbom.render(fold(r), records=r).text for r in (one, one, two)]
    assert texts[0] == texts[1]
    numbers = [json.loads(text)["serialNumber"] for text in texts]
    assert numbers[0] != numbers[2]
    assert "2026-11" not in texts[0]
    assert said(two, timestamp=True)["metadata"]["timestamp"] == "2026-11-02T09:02:00.000Z"


def test_the_same_package_in_two_environments_is_two_components() -> None:
    six = Package("pip", "six", "1.17.0")
    first = record(1, install("pip", "six"), six)
    second = replace(record(2, install("pip", "six"), six), environment=SECOND)
    components = said([first, second])["components"]
    assert [properties(c)["environment"] for c in components] == ["base", "python310"]


def test_what_was_only_planned_is_said() -> None:
    planned = replace(record(1, install("apt", "tree")), status="planned", outcome=None)
    artifact = sbom.render(fold([planned]), records=[planned])
    assert json.loads(artifact.text)["components"] == []
    assert any("tree" in note for note in artifact.notes)


def test_a_recipe_alone_does_not_tell() -> None:
    records = [record(1, install("pip", "six"), Package("pip", "six", "1"))]
    with pytest.raises(ExportError, match="alone"):
        sbom.render(fold(records))


def test_the_verb_gives_it_the_history(history_file: object) -> None:
    remember("pip", ("six",), "six", "1.17.0")
    (component,) = json.loads(verb("export", "sbom").text)["components"]
    assert properties(component)["asked-for"] == "six"


class TestInventory:
    def test_who_asked_for_what(self) -> None:
        app, base = Package("pip", "app", "1"), Package("pip", "base", "1")
        newer = Package("pip", "base", "2")
        records = [
            record(1, install("pip", "app>0"), app, base, resolved=(app,)),
            record(2, install("pip", "base"), resolved=(base,), user="bob"),
            record(
                3, install("pip", "other"), Package("pip", "other", "1"), changed=((base, newer),)
            ),
        ]
        there = {p.package.name: p for p in Ledger.of(records).present()}
        assert (there["app"].spec, there["app"].asked) == ("app>0", records[0])
        assert there["base"].package == newer
        assert (there["base"].brought, there["base"].asked) == (records[2], records[1])

    def test_what_went_back_to_what_the_image_had_is_not_ours(self) -> None:
        old, new = Package("conda", "numpy", "1.0"), Package("conda", "numpy", "2.0")
        away = Package("conda", "scipy", "1.0")
        records = [
            record(1, install("conda", "numpy"), changed=((old, new),)),
            record(2, Request("remove", "conda", ("scipy",)), removed=(away,)),
        ]
        assert [p.package for p in Ledger.of(records).present()] == [new]
        records.append(record(3, install("conda", "numpy=1.0"), changed=((new, old),)))
        records.append(record(4, install("conda", "scipy"), away))
        assert Ledger.of(records).present() == ()

    @given(worlds())
    def test_is_what_the_disk_holds_beyond_the_base(self, world: World) -> None:
        base = world.before[0].disk if world.before else world.state.disk
        wanted = {key: v for key, v in world.state.disk.items() if base.get(key) != v}
        found = {
            (
                "" if p.package.manager == "apt" else p.brought.environment.prefix,
                p.package.manager,
                p.package.name,
            ): p.package.version
            for p in Ledger.of(world.records).present()
        }
        assert found == wanted

    @given(worlds())
    def test_every_world_s_bill_is_valid(self, world: World) -> None:
        if world.records:
            said(world.records)
