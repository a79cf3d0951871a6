"""An image made of a base's and our layers: its manifest and its configuration. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..engine.labels import BASE, BASE_DIGEST
from ..registry.client import CONFIG, LAYER, MANIFEST, Descriptor
from .pack import Packed
from .select import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..registry.client import Image
    from .select import Contents

MADE_OF = "jstackmagic.layer"
"""The annotation of each of our layers: manager, environment, Python and packages, as JSON."""


@dataclass(frozen=True, slots=True)
class OurLayer:
    """One of our layers.

    Attributes:
        packed: Its archive.
        manager: The packages' manager; empty for the histories, ``dpkg`` for Debian's lists.
        prefix: The environment's prefix; empty for the system.
        packages: Name, version in the base and in the layer of each package.
        python: The minor version that the packages were installed for.
    """

    packed: Packed
    manager: str
    prefix: str
    packages: tuple[tuple[str, str, str], ...] = ()
    python: str = ""

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
        text = described.annotations.get(MADE_OF)
        if text:
            said = json.loads(text)
            packed = Packed(described.digest, described.size, said["diff_id"])
            packages = tuple((name, before, after) for name, before, after in said["packages"])
            found.append(
                OurLayer(packed, said["manager"], said["prefix"], packages, said["python"])
            )
    return found


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image, ready to be sent.

    Attributes:
        manifest: Its manifest, as it is sent.
        config: Its configuration, as it is sent.
        base: The layers of the base image.
        ours: Ours, on top of them.
    """

    manifest: bytes
    config: bytes
    base: tuple[Descriptor, ...]
    ours: tuple[OurLayer, ...]

    @property
    def digest(self) -> str:
        """Return the digest of the manifest, which names the image."""
        return digest_of(self.manifest)


def assemble(
    base: Image, ours: Sequence[OurLayer], labels: Mapping[str, str], created: str
) -> Assembled:
    """Put our layers on a base image; its command and user stay.

    Args:
        base: The base image.
        ours: Our layers, the lowest first.
        labels: The labels to add to the base's.
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


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
