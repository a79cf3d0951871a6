"""For the hub's own configuration: the images that a user may start from.

In ``jupyterhub_config.py``, with the service's address and its own token:

    from jstackmagic.hub.spawner import ProfileChoice
    choice = ProfileChoice("http://127.0.0.1:10101/services/jstackmagic", TOKEN, usual="lab/base:1")
    c.DockerSpawner.allowed_images = choice.allowed_images
    c.KubeSpawner.profile_list = choice.profile_list
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from ..model.text import readable

_SECONDS = 2.0


@dataclass(frozen=True)
class ProfileChoice:
    """The choice of a start."""

    url: str  #: the service's address
    token: str = field(repr=False)  #: the service's own token
    usual: str  #: the image that everybody starts from without a choice

    def allowed_images(self, spawner: Any) -> dict[str, str]:
        """Return the images of a user, for ``c.DockerSpawner.allowed_images``.

        The hub does nothing else meanwhile; so the service answers without asking it who has this
        token, and one that does not answer at once is not waited for.
        """
        url = f"{self.url.rstrip('/')}/api/images?user={quote(spawner.user.name, safe='')}"
        asked = Request(url, headers={"Authorization": f"token {self.token}"})  # noqa: S310
        try:
            with urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
                images = [str(each) for each in json.loads(answer.read())["images"]]
        except (OSError, ValueError, KeyError, TypeError, HTTPException) as error:
            # without the service a server starts as ever
            logging.getLogger("jstackmagic.hub").warning(
                "the images are not known: %s", readable(str(error))
            )
            images = []
        return {"The usual image": self.usual, **{image: image for image in images}}

    async def profile_list(self, spawner: Any) -> list[dict[str, Any]]:
        """Return the profiles of a user, for ``c.KubeSpawner.profile_list``."""
        images = await asyncio.get_running_loop().run_in_executor(
            None, self.allowed_images, spawner
        )
        return [
            {
                "display_name": name,
                # of its own: the usual one is the same for lab/a:1 and lab-a:1
                "slug": hashlib.sha256(image.encode()).hexdigest()[:12],
                "default": image == self.usual,
                "kubespawner_override": {"image": image},
            }
            for name, image in images.items()
        ]
