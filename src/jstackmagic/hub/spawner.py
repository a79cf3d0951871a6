"""For the hub's own configuration: the images that a user may start from.

In ``jupyterhub_config.py``, with the service's address and its own token:

    from jstackmagic.hub.spawner import Choice
    choice = Choice("http://127.0.0.1:10101/services/jstackmagic", TOKEN, usual="lab/base:1")
    c.DockerSpawner.allowed_images = choice.allowed_images
    c.KubeSpawner.profile_list = choice.profile_list
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPError

_SECONDS = 3.0


@dataclass(frozen=True)
class Choice:
    """The choice of a start.

    Attributes:
        url: The service's address.
        token: The service's own token.
        usual: The image that everybody starts from without a choice.
    """

    url: str
    token: str = field(repr=False)
    usual: str

    def allowed_images(self, spawner: Any) -> dict[str, str]:
        """Return the images of a user, for ``c.DockerSpawner.allowed_images``."""
        client = HTTPClient()
        try:
            answer = client.fetch(*self._asked(spawner), **self._how())
            return self._named(json.loads(answer.body)["images"])
        except (HTTPError, OSError, ValueError, KeyError) as error:
            return self._without(error)
        finally:
            client.close()

    async def profile_list(self, spawner: Any) -> list[dict[str, Any]]:
        """Return the profiles of a user, for ``c.KubeSpawner.profile_list``."""
        try:
            answer = await AsyncHTTPClient().fetch(*self._asked(spawner), **self._how())
            images = self._named(json.loads(answer.body)["images"])
        except (HTTPError, OSError, ValueError, KeyError) as error:
            images = self._without(error)
        return [
            {
                "display_name": name,
                "default": image == self.usual,
                "kubespawner_override": {"image": image},
            }
            for name, image in images.items()
        ]

    def _asked(self, spawner: Any) -> tuple[str]:
        return (f"{self.url.rstrip('/')}/api/images?user={quote(spawner.user.name, safe='')}",)

    def _how(self) -> dict[str, Any]:
        return {
            "headers": {"Authorization": f"token {self.token}"},
            "request_timeout": _SECONDS,
            "follow_redirects": False,
        }

    def _named(self, images: list[str]) -> dict[str, str]:
        return {"The usual image": self.usual, **{image: image for image in images}}

    def _without(self, error: Exception) -> dict[str, str]:
        """Return the usual image alone: without the service a server starts as ever."""
        logging.getLogger("jstackmagic.hub").warning("the images are not known: %s", error)
        return self._named([])
