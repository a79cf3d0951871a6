"""The former place of ``jstackmagic.pins``, for exports that still look here."""

from ..pins import PINS, Pin, pinned

__all__ = ["PINS", "Pin", "pinned"]
