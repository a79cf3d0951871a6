"""The Dockerfile of the next image of many people."""

from __future__ import annotations

from dataclasses import replace

from .. import export
from ..export._source import Source
from ..image.stacks import base_image
from ..io.reading import path_of
from ..model.errors import UsageError
from ..report.nextimage import Suggestion
from ._exported import Exported


def share(text: str) -> float:
    """Read a share, such as ``80%`` or ``0.8``.

    Raises:
        UsageError: It is not a share.
    """
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise UsageError(f"{text!r} is not a share of the installs.", advice="Write 80% or 0.8")
    return number


def dockerfile(
    suggestion: Suggestion, image: str, *, style: str = "", output: str | None = None
) -> Exported:
    """Render a suggestion, and write it where a file is named.

    Args:
        image: The base image; empty for the one that most people start from.
        style: The pattern to follow. This machine is not the image: without one it is that of the
            Docker Stacks where an environment lies in their ``/opt/conda``.
    """
    form = export.get("dockerfile")
    guessed = "stacks" if "/opt/conda" in suggestion.in_image else "plain"
    given = {
        **form.defaults(),
        "base_image": image or suggestion.image,
        "in_image": suggestion.in_image,
        "style": style or guessed,
        "user": "",
        "conda_program": "",
    }
    artifact = Source(suggestion.recipe).render(form, given, base_image)
    notes = [*suggestion.sentences(), *artifact.notes]
    if not style:
        other = "plain" if guessed == "stacks" else "stacks"
        notes.append(f"By where the environments are, this follows --style {guessed}, not {other}.")
    artifact = replace(artifact, notes=tuple(notes))
    written = artifact.write(path_of(output)) if output else ()
    return Exported(artifact, tuple(map(str, written)))
