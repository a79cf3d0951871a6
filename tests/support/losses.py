"""What each format holds of what can be installed: measured, and as the table of docs/formats.md.

    PYTHONPATH=tests python -m support.losses

writes the table into the page; a test compares the two.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jstackmagic import export
from jstackmagic.capture import files
from jstackmagic.model.errors import JStackMagicError
from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Change, CondaDetail, ManagerName, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Context, Record
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from strategies import BASE, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jstackmagic.export import Artifact
    from jstackmagic.model.environment import EnvironmentRef
    from jstackmagic.model.recipe import Holding, Recipe

PAGE = Path(__file__).resolve().parents[2] / "docs/formats.md"
_TABLE = re.compile(r"(?<=<!-- losses -->\n).*?(?=<!-- end of losses -->)", re.DOTALL)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA, ASKED_SHA = "ab" * 32, "cd" * 32
SECRET = "s3cr3t"

Verdict = Literal["held", "resolved", "said", "apart", "silent"]
SIGNS: dict[Verdict, str] = {"held": "✓", "resolved": "=", "said": "–", "apart": "", "silent": "??"}

LOCKS = ("conda-explicit", "conda-lock", "pylock", "sbom")
"""What hold the packages that a request came to, and not the request."""

IN_THE_IMAGE = ("jupyterhub",)
"""What name an image that holds it all."""


@dataclass(frozen=True)
class Trait:
    """Something that a history may hold.

    Attributes:
        name: For the table.
        records: A history that holds it, and little else.
        tokens: What stands in an export that holds it.
        words: One of them stands in what an export says that does not.
        asks: Whether it is a way of asking, which shows in nothing but the packages it came to.
        apart: The formats that it is no business of, so that they need not speak of it.
    """

    name: str
    records: tuple[Record, ...]
    tokens: tuple[str, ...]
    words: tuple[str, ...] = ()
    asks: bool = False
    apart: tuple[str, ...] = ()


def _record(
    manager: ManagerName,
    specs: tuple[str, ...],
    *packages: Package,
    environment: EnvironmentRef = BASE,
    removed: tuple[Package, ...] = (),
    action: Literal["install", "remove"] = "install",
    number: int = 1,
    **request: Any,
) -> Record:
    return Record(
        id=f"{number:08x}.1",
        time="2026-11-02T09:00:00.000Z",
        status="ok",
        request=Request(action, manager, specs, **request),
        environment=environment,
        context=Context(user="ada"),
        outcome=Outcome("ok", 0, 1.0, Change(added=packages, removed=removed), packages[:1]),
    )


def _conda(name: str, version: str, **more: Any) -> Package:
    url = f"https://conda.example.com/lab/linux-64/{name}-{version}-h0_0.conda"
    source = "https://conda.example.com/lab"
    return Package("conda", name, version, "h0_0", source, url, SHA, **more)


def _pip(name: str, version: str, **more: Any) -> Package:
    url = f"https://files.example.com/{name}-{version}-py3-none-any.whl"
    return replace(Package("pip", name, version, "", "PyPI", url, SHA), **more)


NUMPY, DASK = _conda("numpy", "2.0.7"), _pip("dask", "2026.1.7")
PYTHON = _conda("python", "3.13.1")

TRAITS = (
    Trait("conda packages", (_record("conda", ("numpy",), NUMPY),), ("numpy",)),
    Trait("their versions", (_record("conda", ("numpy",), NUMPY),), ("2.0.7",), ("numpy",)),
    Trait(
        "a channel in a spec",
        (
            _record(
                "conda",
                ("lab7::numpy",),
                replace(
                    NUMPY,
                    source="https://c.example.com/lab7",
                    url=NUMPY.url.replace("/lab/", "/lab7/"),
                ),
            ),
        ),
        ("lab7",),
        ("numpy",),
    ),
    Trait(
        "channels beside the specs",
        (
            _record(
                "conda",
                ("numpy",),
                replace(
                    NUMPY,
                    source="https://c.example.com/lab7",
                    url=NUMPY.url.replace("/lab/", "/lab7/"),
                ),
                sources=Sources(channels=("lab7",)),
            ),
        ),
        ("lab7",),
        ("numpy", "channel"),
    ),
    Trait("pip packages", (_record("pip", ("dask",), DASK),), ("dask",)),
    Trait("their versions", (_record("pip", ("dask",), DASK),), ("2026.1.7",), ("dask",)),
    Trait("extras", (_record("pip", ("dask[extra7]",), DASK),), ("extra7",), ("dask",), asks=True),
    Trait(
        "markers",
        (_record("pip", ("dask; platform_machine != 'machine7'",), DASK),),
        ("machine7",),
        ("dask",),
        asks=True,
    ),
    Trait(
        "a URL",
        (
            _record(
                "pip",
                ("dask @ https://u.example.com/dask-2026.1.7.zip",),
                replace(DASK, source="https://u.example.com/dask-2026.1.7.zip"),
            ),
        ),
        ("u.example.com",),
        ("dask",),
    ),
    Trait(
        "a commit (`git+`)",
        (
            _record(
                "pip",
                ("git+https://git.example.com/dask.git@main#egg=dask",),
                replace(
                    DASK, source=f"git+https://git.example.com/dask.git@{COMMIT}", sha256="", url=""
                ),
            ),
        ),
        (COMMIT,),
        ("dask",),
    ),
    Trait(
        "a local wheel",
        (
            _record(
                "pip",
                ("/w/local7-1.0-py3-none-any.whl",),
                Package(
                    "pip", "local7", "1.0", "", "file:///w/local7-1.0-py3-none-any.whl", "", SHA
                ),
            ),
        ),
        ("local7-1.0-py3-none-any.whl",),
        ("local7",),
    ),
    Trait(
        "an editable project",
        (
            _record(
                "pip",
                ("-e /w/project7",),
                Package("pip", "project7", "1.0", "", "file:///w/project7", editable=True),
            ),
        ),
        ("project7", "editable|-e |--editable"),
        ("project7",),
    ),
    Trait(
        "hashes that were asked for",
        (
            _record(
                "pip",
                (f"dask==2026.1.7 --hash=sha256:{ASKED_SHA}",),
                replace(DASK, sha256=ASKED_SHA),
            ),
        ),
        (ASKED_SHA,),
        ("hash", "dask"),
    ),
    Trait(
        "what `-r FILE` brought",
        (_record("pip", ("-r /w/list7.txt",), _pip("brought7", "1.0", requested=True)),),
        ("brought7",),
        ("list7",),
    ),
    Trait(
        "an index",
        (
            _record(
                "pip",
                ("dask",),
                replace(DASK, source="https://index7.example.com/simple"),
                sources=Sources(index_url="https://index7.example.com/simple"),
            ),
        ),
        ("index7",),
        ("index7", "dask"),
        asks=True,
    ),
    Trait(
        "a private index",
        (
            _record(
                "pip",
                ("dask",),
                replace(DASK, source="https://index7.example.com/simple"),
                sources=Sources(index_url=f"https://me:{SECRET}@index7.example.com/simple"),
            ),
        ),
        ("index7|pip_index_url",),
        ("index7", "dask"),
        asks=True,
    ),
    Trait(
        "options after `--`",
        (_record("pip", ("dask",), DASK, options=("--no-build-isolation",)),),
        ("--no-build-isolation",),
        ("--no-build-isolation", "dask"),
        asks=True,
    ),
    Trait(
        "a further environment",
        (
            _record("conda", ("numpy",), NUMPY),
            _record("pip", ("second7",), _pip("second7", "1.0"), environment=SECOND, number=2),
        ),
        ("numpy", "second7"),
        ("python310", "second7"),
    ),
    Trait(
        "Python's version",
        (_record("pip", ("dask",), DASK, environment=SECOND),),
        (r"3\.10",),
        apart=("apt", "conda-explicit", "pip", "sbom"),
    ),
    Trait(
        "Debian packages",
        (_record("apt", ("tree7",), Package("apt", "tree7", "2.9-7", "amd64")),),
        ("tree7",),
    ),
    Trait(
        "a Debian version that was asked for",
        (_record("apt", ("tree7=2.9-7",), Package("apt", "tree7", "2.9-7", "amd64")),),
        ("2.9-7",),
        ("tree7",),
    ),
    Trait(
        "a `.deb` file",
        (_record("apt", ("/w/tree7_2.9-7_amd64.deb",), Package("apt", "tree7", "2.9-7", "amd64")),),
        ("tree7_2.9-7_amd64.deb",),
        ("tree7",),
    ),
    Trait(
        "the removal of what the image had",
        (
            _record("conda", ("numpy",), NUMPY),
            _record(
                "conda", ("away7",), removed=(_conda("away7", "1.0"),), action="remove", number=2
            ),
        ),
        ("away7",),
    ),
    Trait(
        "conda packages that came along",
        (_record("conda", ("numpy",), NUMPY, _conda("along7", "1.0")),),
        ("along7",),
        apart=tuple(set(export.formats()) - {"conda-explicit", "conda-lock", "sbom"}),
    ),
    Trait(
        "pip packages that came along",
        (_record("pip", ("dask",), DASK, _pip("along8", "1.0")),),
        ("along8",),
        apart=tuple(set(export.formats()) - {"conda-lock", "pylock", "sbom"}),
    ),
)


def with_more(trait: Trait) -> tuple[Record, ...]:
    """A trait's history with a package of conda's and of pip's, for formats that refuse nothing."""
    where = trait.records[0].environment
    python = _conda("python", where.python or "")
    conda, pip = _conda("every-conda", "1.0"), _pip("every-pip", "1.0")
    return (
        *trait.records,
        _record("conda", ("every-conda",), conda, python, environment=where, number=8),
        _record("pip", ("every-pip",), pip, environment=where, number=9),
    )


def recipe_of(records: tuple[Record, ...]) -> Recipe:
    """What a history comes to, with what an environment that is here would tell of it."""
    recipe = fold(records)
    return replace(recipe, holdings=tuple(map(_whole, recipe.holdings)))


def _whole(held: Holding) -> Holding:
    conda = [package.name for package in held.packages if package.manager == "conda"]
    return replace(held, details=tuple(CondaDetail(n, md5="0" * 32) for n in conda), whole=True)


def render(name: str, records: tuple[Record, ...]) -> Artifact:
    """One format of a history, with the options that it cannot do without."""
    module = export.get(name)
    options: dict[str, Any] = {}
    if name == "jupyterhub":
        options["image"] = "registry.example.com/lab/analysis:1"
    if name in ("dockerfile", "devcontainer"):
        options["base_image"] = "registry.example.com/jupyter/base-notebook:1"
    if name == "sbom":
        options["records"] = records
    return module.render(recipe_of(records), **options)


def content(artifact: Artifact) -> str:
    """All of an export: its text, the files that it makes, and the names of those it copies."""
    made = [f.source.decode() if isinstance(f.source, bytes) else f.source for f in artifact.files]
    return "\n".join((artifact.text, *made))


def verdict(name: str, trait: Trait) -> Verdict:
    """Whether a format holds a trait, says that it does not, or drops it in silence."""
    artifact = render(name, with_more(trait))
    if all(re.search(token, content(artifact)) for token in trait.tokens):
        return "held"
    said = " ".join(artifact.notes)
    if any(word in said for word in trait.words or trait.tokens):
        return "said"
    if trait.asks and name in LOCKS:
        return "resolved"
    return "apart" if name in trait.apart else "silent"


def there_and_back(name: str, folder: Path) -> tuple[bool, bool]:
    """Whether a format's file is read, and whether exporting what was read gives the same bytes."""
    records = (
        replace(_record("apt", ("tree7",)), status="planned", outcome=None),
        _record("conda", ("numpy", "python"), NUMPY, PYTHON, number=2),
        _record("pip", ("dask[extra7]",), DASK, number=3),
    )
    first = render(name, records)
    path = folder / next(iter(export.get(name).files))
    first.write(path)
    read = next((each for each in (path.parent, path) if files.reader(each)), None)
    if read is None:
        return False, False
    planned = (
        replace(records[0], id=f"{number:08x}.1", request=request)
        for number, request in enumerate(files.read(read).requests)
    )
    try:
        again = render(name, tuple(planned))
    except JStackMagicError:  # what was read of a lock is no lock: nothing of it is installed
        return True, False
    return True, content(again) == content(first)


def table() -> str:
    """The table of the page."""
    names = [name for name in export.formats() if name not in IN_THE_IMAGE]
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{':-:|' * len(names)}"]
    for trait, title in zip(TRAITS, _titles(), strict=True):
        signs = (SIGNS[verdict(name, trait)] for name in names)
        lines.append(f"| {title} | {' | '.join(signs)} |")
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: there_and_back(name, Path(folder, name)) for name in names}
    for at, title in enumerate(("read back", "read back and exported again: the same file")):
        lines.append(f"| {title} | {' | '.join('✓' if ways[name][at] else '' for name in names)} |")
    return "".join(f"{line}\n" for line in lines)


def _titles() -> Iterator[str]:
    whose = ""
    for trait in TRAITS:
        if trait.name == "their versions":
            yield f"{whose}, versions seen on disk"
        else:
            whose = trait.name
            yield trait.name


def page() -> str:
    """The page with the table that is measured now."""
    return _TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
