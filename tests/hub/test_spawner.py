"""The choice of a start, as KubeSpawner itself takes it; test_story.py starts it with Docker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from traitlets.config import Config

from jstackmagic.hub.spawner import ProfileChoice

if TYPE_CHECKING:
    from pathlib import Path

# no cluster is asked: the pod is only described, as it would be sent to this address
CLUSTER = {
    "apiVersion": "v1", "kind": "Config", "current-context": "none", "users": [],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
}  # fmt: skip
IMAGES = {
    "The usual image": "lab/base:1",
    **{each: each for each in ("lab/ada:1", "lab-ada:1", "registry.example.com:5000/lab/ada:1")},
}


class User:
    name = escaped_name = "ada"
    id = 1
    url = "/user/ada/"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    # 900 modules, which the other tests do not need
    from kubernetes_asyncio.config import kube_config

    (tmp_path / "kube").write_text(json.dumps(CLUSTER))
    # $KUBECONFIG was read when kubespawner was imported
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kube"))
    monkeypatch.setattr(
        ProfileChoice, "allowed_images", lambda *_: IMAGES
    )  # of a service, tested there
    config = Config()
    choice = ProfileChoice("http://127.0.0.1:9", "token", usual="lab/base:1")
    config.KubeSpawner.profile_list = choice.profile_list
    return config


def test_each_image_is_a_profile_of_kubespawner_s(config: Config) -> None:
    from kubespawner import KubeSpawner

    async def work() -> None:
        spawner = KubeSpawner(config=config, user=User(), _mock=True)

        async def started(**chosen: str) -> str:
            spawner.user_options = chosen
            await spawner.load_user_options()
            return str(spawner.image)

        form = await spawner.get_options_form()
        assert all(name in form for name in IMAGES)
        slugs = [each["slug"] for each in await spawner.profile_list(spawner)]
        assert len(set(slugs)) == len(IMAGES)  # lab/ada:1 is not lab-ada:1
        for slug, image in zip(slugs, IMAGES.values(), strict=True):
            assert await started(profile=slug) == image
        assert await started() == "lab/base:1"
        with pytest.raises(ValueError, match="evil"):  # what is not offered
            await started(profile="evil/image:1")

    asyncio.run(work())
