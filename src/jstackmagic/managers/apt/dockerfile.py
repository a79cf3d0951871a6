"""apt-get's words in a Dockerfile and in a script."""

from __future__ import annotations

from ...model.recipe import RecipeStep
from ...model.words import checked, quoted, quoted_spec
from ..page import Downloads, Page

_PROGRAMS = {"stacks": "apt-get", "script": "as_root env DEBIAN_FRONTEND=noninteractive apt-get"}
_PROGRAM = "DEBIAN_FRONTEND=noninteractive apt-get"
_AS_ROOT = """\
command -v apt-get >/dev/null || stop "there is no apt-get here"
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}"""
# The images of Debian and Ubuntu empty apt's usual folder after each install (docker-clean).
_KEEP_ARCHIVES = "-o Dir::Cache::Archives=kept"
_DOWNLOADS = Downloads(
    clean=("apt-get clean && rm -rf /var/lib/apt/lists/*",),
    # every Debian has these folders, so that no mount leaves an empty one behind
    mounts=(("apt", "/var/cache/apt"), ("apt-lists", "/var/lib/apt/lists")),
)


def write(step: RecipeStep, page: Page) -> None:
    """Write a step."""
    page.need(_AS_ROOT)
    program = _PROGRAMS.get(page.style, _PROGRAM)
    commands = [[f"{program} update --yes"]]
    if step.remove:
        commands.append([f"{program} remove --yes", *map(quoted_spec, step.remove)])
    if step.install:
        keep = f" {_KEEP_ARCHIVES}" if page.keeps else ""
        head = f"{program} install --yes --no-install-recommends{keep}"
        commands.append([head, *map(quoted, step.options), *map(page.word, step.install)])
    seen = [item for item in step.install if item.version and "/" not in item.text]
    if seen and page.pin == "exact":
        page.comment(
            "Debian's archives keep no old versions to ask for. These were:",
            *(f"  {checked(item.name)} {checked(item.version)}" for item in seen),
        )
    page.run(commands, _DOWNLOADS)
