"""An image made of a base's and our layers: its manifest and its configuration. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..engine.labels import BASE, BASE_DIGEST
from ..registry.client import CONFIG, LAYER, MANIFEST, Descriptor, RegistryImage, digest_of
from .contents import Contents, title_of
from .pack import Packed

MADE_OF = "jstackmagic.layer"
"""The annotation of each of our layers: manager, environment, Python and packages, as JSON."""


@dataclass(frozen=True, slots=True)
class OurLayer:
    """One of our layers."""

    packed: Packed
    manager: str  #: the packages' manager; empty for the histories, ``dpkg`` for Debian's lists
    prefix: str  #: the environment's prefix; empty for the system
    #: name, version in the base and in the layer of each package
    packages: tuple[tuple[str, str, str], ...] = ()
    python: str = ""  #: the minor version that the packages were installed for

    @classmethod
    def of(cls, contents: Contents, packed: Packed) -> OurLayer:
        """Return a layer that was just packed."""
        return cls(packed, contents.manager, contents.prefix, contents.packages, contents.python)

    def described(self) -> Descriptor:
        """Return its description in a manifest."""
        made_of = {
            "diff_id": self.packed.diff_id,
            "manager": self.manager,
            "prefix": self.prefix,
            "python": self.python,
            "packages": [list(each) for each in self.packages],
        }
        annotations = {MADE_OF: json.dumps(made_of, sort_keys=True)}
        return Descriptor(self.packed.digest, self.packed.size, LAYER, annotations)


def ours_of(layers: Sequence[Descriptor]) -> list[OurLayer]:
    """Return those layers of a manifest that are ours; they are the last ones."""
    found = []
    for described in layers:
        # what somebody else wrote there is no layer of ours
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(described.annotations.get(MADE_OF, ""))
            packed = Packed(described.digest, described.size, said["diff_id"])
            packages = tuple((name, before, after) for name, before, after in said["packages"])
            found.append(
                OurLayer(packed, said["manager"], said["prefix"], packages, said["python"])
            )
    return found


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image, ready to be sent."""

    manifest: bytes  #: its manifest, as it is sent
    config: bytes  #: its configuration, as it is sent
    base: tuple[Descriptor, ...]  #: the layers of the base image
    ours: tuple[OurLayer, ...]  #: ours, on top of them

    @property
    def digest(self) -> str:
        """Return the digest of the manifest, which names the image."""
        return digest_of(self.manifest)


def assemble(
    base: RegistryImage, ours: Sequence[OurLayer], labels: Mapping[str, str], created: str
) -> Assembled:
    """Put our layers on a base image; its command and user stay.

    Args:
        ours: Our layers, the lowest first.
        created: The creation time, ISO 8601.
    """
    config: dict[str, Any] = {**base.config, "created": created}
    config["config"] = {**base.settings, "Labels": {**base.labels, **labels}}
    config["rootfs"] = {
        "type": "layers",
        "diff_ids": [*base.diff_ids, *(layer.packed.diff_id for layer in ours)],
    }
    words = [
        {
            "created": created,
            "created_by": f"jstackmagic: {title_of(layer.manager, layer.prefix)}",
            "comment": "from the record",
        }
        for layer in ours
    ]
    config["history"] = [*(base.config.get("history") or ()), *words]
    written = _json(config)
    described = [*base.layers, *(layer.described() for layer in ours)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Descriptor(digest_of(written), len(written), CONFIG).to_json(),
        "layers": [each.to_json() for each in described],
        "annotations": {key: labels[key] for key in (BASE, BASE_DIGEST) if key in labels},
    }
    return Assembled(_json(manifest), written, base.layers, tuple(ours))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
