"""A Dockerfile that makes the same installs on top of the base image.

Three styles: ``stacks``, the pattern that the Jupyter Docker Stacks document today; ``legacy``, the
pattern of the images whose environments were called ``root`` and ``python2``; ``plain``, for any
other image. The order is apt, conda, pip, so that each finds what it builds on. Nothing needs
BuildKit but the secrets of private indexes and the caches that ``cache_mounts`` asks for, and there
are no heredocs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from ..managers.page import called
from ..model.environment import EnvironmentRef
from ..model.errors import ExportError
from ..model.pins import Pin
from ..model.recipe import Recipe, RecipeStep, Style
from ..model.words import quoted
from ..where.image import is_user, look_at_image
from ._artifact import Artifact
from ._format import PIN, Format, option
from ._images import check_image
from ._own import FLAG
from ._page import WrittenPage

STYLES: tuple[Style, ...] = get_args(Style)

_STACKS_IMAGE = re.compile(r"(?:[\w.-]+(?::\d+)?/)?jupyter/[\w-]+(?:[:@].*)?", re.ASCII)
_CONDA_PROGRAM = re.compile(r'[\w./-]+|"\$\{CONDA_DIR\}/[\w./-]+"', re.ASCII)


def render(
    recipe: Recipe,
    *,
    style: Style | None = None,
    base_image: str = "",
    fragment: bool = False,
    pin: Pin = "exact",
    cache_mounts: bool = False,
    user: str = "",
    in_image: Sequence[str] = (),
    conda_program: str = "",
    own: RecipeStep | None = None,
) -> Artifact:
    """Render a recipe as a Dockerfile.

    Args:
        style: The pattern to follow; by default ``plain`` on an image that is not of the stacks.
        base_image: The base image; ``stacks`` and ``legacy`` have a default.
        fragment: Leave out the text before the first instruction, to paste the rest.
        cache_mounts: Have BuildKit keep the managers' downloads between builds. conda and pip must
            be able to write to them: as user 1000 in the stacks, elsewhere as root.
        user: The final user, who also runs conda and pip, in the style ``plain``.
        in_image: The prefixes of the environments that the base image brings.
        conda_program: The conda program in the style ``plain``, quoted for the shell.
        own: The step that installs jstackmagic itself, in a last layer of its own.

    Raises:
        ExportError: There is no base image, or something cannot be said safely in a Dockerfile.
    """
    if style is None:
        style = "plain" if base_image and not _STACKS_IMAGE.fullmatch(base_image) else "stacks"
    program = conda_program if style == "plain" else ""
    if program and not _CONDA_PROGRAM.fullmatch(program):
        program = quoted(program)
    page = _PAGES[style](
        pin, cache_mounts=cache_mounts, brought=in_image, programs={"conda": program}
    )
    if style == "plain" and user:
        if not is_user(user):
            raise ExportError(f"{user!r} is not a user of an image.")
        page.user = user
    if cache_mounts:
        who = {(1000, 100): "user 1000 of group 100"}.get(page.owner, "root")
        page.notes.append(f"conda and pip must run as {who} to use the caches that are mounted.")
    if fragment:
        return page.render(recipe, image="", own=own)
    image = base_image or page.default_image
    check_image(
        image, advice=("Name it: --from IMAGE", "Or leave it out, to paste the rest: --fragment")
    )
    if not base_image:
        page.notes.append(
            f"The base image is not known, and {image} is used instead. Name yours: --from"
        )
    return page.render(recipe, image=image, own=own)


class _Stacks(WrittenPage):
    """The pattern that the Jupyter Docker Stacks document; the variables are their images' own."""

    style = "stacks"
    default_image = "jupyter/base-notebook"
    shell = 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]'
    user = "${NB_UID}"
    copy = "COPY --chown=${NB_UID}:${NB_GID}"
    permissions = ('fix-permissions "${CONDA_DIR}"', 'fix-permissions "/home/${NB_USER}"')
    owner = (1000, 100)  # as documented; NB_UID and NB_GID of an image may be others
    kernels = '--prefix "${CONDA_DIR}"'

    def _user_of(self, environment: EnvironmentRef | None) -> str:
        return "root" if environment is None or environment.kind == "system" else self.user

    def inside(self, environment: EnvironmentRef, path: str = "") -> str:
        name = environment.name or ""
        if environment.kind == "conda-base":
            return f'"${{CONDA_DIR}}{path}"'
        if environment.kind == "conda-named" and called(environment) == name:
            return f'"${{CONDA_DIR}}/envs/{name}{path}"'
        return super().inside(environment, path)


class _Legacy(WrittenPage):
    """The pattern of the images with environments named root and python2, until about 2017."""

    style = "legacy"
    default_image = "jupyter/scipy-notebook:82b978b3ceeb"
    user = "jovyan"

    def _user_of(self, environment: EnvironmentRef | None) -> str:
        return "root"


class _Plain(WrittenPage):
    """For any other image: its user is not known, and stays."""

    style = "plain"

    def _user_of(self, environment: EnvironmentRef | None) -> str:
        if environment is None and not self.user:
            self.notes.append(
                "apt needs root: where the image's user is another, write USER root above, and that"
                " user below, or name it: --user"
            )
        return "root" if environment is None or environment.kind == "system" else self.user


_PAGES: dict[Style, type[WrittenPage]] = {"stacks": _Stacks, "legacy": _Legacy, "plain": _Plain}


PATTERN = (
    option(
        "--style",
        choices=STYLES,
        default=lambda: look_at_image().style,
        help="the pattern to follow (default: stacks in, or on, a Jupyter Docker Stacks image)",
    ),
    option(
        "--user",
        default=lambda: look_at_image().user,
        help="who the image is left to, in the style plain (default: as this image says)",
    ),
    option(
        "--in-image",
        action="append",
        default=lambda: list(look_at_image().prefixes),
        metavar="PREFIX",
        help="an environment that the base image brings, and that is not made",
    ),
    option(
        "--conda-program",
        default=lambda: look_at_image().conda,
        help="what runs conda in the base image, in the style plain",
    ),
)
"""The options for a base image, which are this machine's by default."""

FORMAT = Format(
    description=__doc__,
    files={"Dockerfile": {}},
    render=render,
    options=(
        *PATTERN,
        option(
            "--from",
            dest="base_image",
            metavar="IMAGE",
            default="",
            help="the base image, best with its digest",
        ),
        option(
            FLAG,
            rendered=False,
            action="store_true",
            help="put jstackmagic itself there, in a layer of its own, as it is here",
        ),
        option("--fragment", action="store_true", help="without FROM, to paste it"),
        PIN,
        option(
            "--cache-mounts",
            action="store_true",
            help="let BuildKit keep the managers' downloads between builds; no other builder can",
        ),
    ),
    needs={"base image": "", "jstackmagic": "with_jstackmagic"},
)
