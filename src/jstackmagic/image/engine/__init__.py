"""Build, commit and run images with a container engine."""

from typing import Literal, get_args

Builder = Literal["buildkit", "classic"]
BUILDERS: tuple[Builder, ...] = get_args(Builder)
