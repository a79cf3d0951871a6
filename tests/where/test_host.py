"""What runs us, and what may be done here: files as the runtimes write them, under a fake root."""

from __future__ import annotations

import os
import pwd
import socket
from typing import TYPE_CHECKING

import pytest

from jstackmagic.where.host import Host, look

if TYPE_CHECKING:
    from pathlib import Path

ID = "0848110e7e6a6fe6317d104e099286860b03962119a1a124d9dd6ec4c4dc4b11"
OTHER = "b9bb2fc96c57ef741ffbaaed3c0ac16a70705ba27443ce1a7d73554c9a63d125"
LAYER = "376cc31f15c70b8881fd5df11c5e8fd95996dbb39c25476b969cba70cba8e8c8"
POD = "6ae75be1-2bd4-4a0c-8a1e-3a2f0f3a9f5e"


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def mountinfo(
    *mounts: str, root: str = f"/ / rw,relatime - overlay overlay rw,upperdir=/{LAYER}/diff"
) -> str:
    """/proc/self/mountinfo: the root's line, proc's, and "ROOT POINT ..." of the others."""
    lines = [f"473 387 0:143 {root}", "474 473 0:146 / /proc rw,nosuid,nodev,noexec - proc proc rw"]
    lines += [f"{475 + n} 473 259:2 {mount}" for n, mount in enumerate(mounts)]
    return "\n".join(lines) + "\n"


def network_files(
    folder: str, names: tuple[str, ...] = ("resolv.conf", "hostname", "hosts")
) -> list[str]:
    return [f"{folder}/{name} /etc/{name} rw,relatime - ext4 /dev/nvme0n1p2 rw" for name in names]


def groups(*paths: str) -> str:
    """/proc/self/cgroup under version 1 (several), or version 2 (one)."""
    if len(paths) == 1:
        return f"0::{paths[0]}\n"
    controllers = ("pids", "memory", "cpu,cpuacct", "name=systemd")
    return "".join(f"{9 - n}:{controllers[n]}:{path}\n" for n, path in enumerate(paths))


PRIVATE = groups("/")
DOCKER_FILES = network_files(f"/var/lib/docker/containers/{ID}")
KUBELET = f"/var/lib/kubelet/pods/{POD}"


class TestContainer:
    @pytest.mark.parametrize(
        ("files", "runtime", "container_id"),
        [
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": groups(*[f"/docker/{ID}"] * 4),
                    "/proc/self/mountinfo": mountinfo(*DOCKER_FILES),
                },
                "docker",
                ID,
                id="docker, cgroup 1",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": groups(f"/system.slice/docker-{ID}.scope"),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "docker",
                ID,
                id="docker, cgroup 2 of the host, host's network files hidden",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(*DOCKER_FILES),
                },
                "docker",
                ID,
                id="docker, cgroup 2 in a namespace of its own",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(*network_files(f"/docker/containers/{ID}")),
                },
                "docker",
                ID,
                id="docker, its data on a file system of its own",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": groups(*[f"/docker/{OTHER}/docker/{ID}"] * 4),
                    "/proc/self/mountinfo": mountinfo(
                        *network_files(f"/docker/volumes/x/_data/containers/{ID}")
                    ),
                },
                "docker",
                ID,
                id="docker in docker",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": groups(f"/../docker-{OTHER}.scope"),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "docker",
                None,
                id="docker, a group that is another container's",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(
                        f"/ /var/lib/docker/containers/{OTHER}/mounts/shm rw - tmpfs shm rw",
                        f"/var/lib/docker/containers/{OTHER}/hosts /mnt/hosts rw - ext4 /dev/a rw",
                    ),
                    "/etc/hostname": f"{OTHER[:12]}\n",
                },
                "docker",
                None,
                id="docker, other containers' mounts and a host name tell nothing",
            ),
            pytest.param(
                {
                    "/run/.containerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(
                        *network_files(f"/containers/overlay-containers/{ID}/userdata")
                    ),
                },
                "podman",
                ID,
                id="podman, rootless",
            ),
            pytest.param(
                {
                    "/run/.containerenv": "",
                    "/proc/self/cgroup": groups(
                        *[f"/machine.slice/libpod-{ID}.scope"] * 3,
                        f"/machine.slice/libpod-{ID}.scope/init.scope",
                    ),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "podman",
                ID,
                id="podman, cgroup 1 with systemd inside",
            ),
            pytest.param(
                {
                    "/run/.containerenv": "",
                    "/proc/self/cgroup": groups(f"/user.slice/x.service/libpod-payload-{ID}"),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "podman",
                ID,
                id="podman, cgroups split",
            ),
            pytest.param(
                {
                    "/run/.containerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(
                        *network_files(
                            f"/containers/storage/overlay-containers/{OTHER}/userdata",
                            ("resolv.conf", "hosts"),
                        ),
                        f"/containers/storage/overlay-containers/{ID}/userdata/.containerenv "
                        "/run/.containerenv rw - tmpfs tmpfs rw",
                    ),
                },
                "podman",
                ID,
                id="podman, in a pod",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": groups(*[f"/kubepods/burstable/pod{POD}/{ID}"] * 4),
                    "/proc/self/mountinfo": mountinfo(
                        f"{KUBELET}/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw",
                        *network_files(
                            f"/var/lib/docker/containers/{OTHER}", ("resolv.conf", "hostname")
                        ),
                    ),
                },
                "kubernetes",
                ID,
                id="kubernetes on docker, cgroup 1",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": groups(
                        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"
                        f"{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope"
                    ),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "kubernetes",
                ID,
                id="kubernetes on containerd, cgroup 2 of the host",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": groups(
                        *[
                            "/system.slice/containerd.service/kubepods-burstable-pod"
                            f"{POD.replace('-', '_')}.slice:cri-containerd:{ID}"
                        ]
                        * 4
                    ),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "kubernetes",
                ID,
                id="kubernetes on containerd, cgroup 1 with systemd's names",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": groups(
                        f"/kubepods.slice/kubepods-pod{POD}.slice/crio-{ID}.scope/container"
                    ),
                    "/proc/self/mountinfo": mountinfo(),
                },
                "kubernetes",
                ID,
                id="kubernetes on cri-o",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(
                        f"{KUBELET}/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw",
                        *network_files(
                            f"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{OTHER}",
                            ("resolv.conf", "hostname"),
                        ),
                    ),
                },
                "kubernetes",
                None,
                id="kubernetes, a private namespace: the files are the sandbox's",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(
                        *network_files(f"/var/lib/nerdctl/1935db59/containers/default/{ID}")
                    ),
                },
                "containerd",
                ID,
                id="nerdctl",
            ),
            pytest.param(
                {
                    "/proc/self/cgroup": groups("/user.slice/user-1000.slice/session-2.scope"),
                    "/proc/self/mountinfo": mountinfo(
                        f"/ /var/lib/docker/overlay2/{LAYER}/merged rw - overlay overlay rw",
                        f"/ /var/lib/docker/containers/{OTHER}/mounts/shm rw - tmpfs shm rw",
                        root="/ / rw,relatime - ext4 /dev/nvme0n1p2 rw",
                    ),
                },
                None,
                None,
                id="a machine that runs containers",
            ),
            pytest.param(
                {
                    "/.dockerenv": "",
                    "/proc/self/cgroup": PRIVATE,
                    "/proc/self/mountinfo": mountinfo(root="/ / rw - ext4 /dev/vda rw,discard"),
                },
                None,
                None,
                id="a virtual machine made from an image",
            ),
            pytest.param({}, None, None, id="nothing can be read"),
        ],
    )
    def test_runtime_and_id(
        self, files: dict[str, str], runtime: str | None, container_id: str | None, tmp_path: Path
    ) -> None:
        found = look({}, lay(tmp_path, files))
        assert (found.runtime, found.container_id) == (runtime, container_id)

    def test_kubernetes_says_so_to_every_pod(self, tmp_path: Path) -> None:
        files = {"/proc/self/cgroup": PRIVATE, "/proc/self/mountinfo": mountinfo()}
        found = look({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, lay(tmp_path, files))
        assert (found.runtime, found.container_id) == ("kubernetes", None)

    def test_this_machine(self) -> None:
        """Whatever it is: an id has the form of one, and there is none without a runtime."""
        found = look()
        assert found.container_id is None or (found.runtime and len(found.container_id) == 64)


class TestImage:
    def test_a_spawner_says_it(self, tmp_path: Path) -> None:
        found = look({"JUPYTER_IMAGE_SPEC": "a/b:1", "JUPYTER_IMAGE": "a/c:2"}, tmp_path)
        assert (found.image, found.image_source) == ("a/b:1", "$JUPYTER_IMAGE_SPEC")
        found = look({"JUPYTER_IMAGE": "a/c:2"}, tmp_path)
        assert (found.image, found.image_source) == ("a/c:2", "$JUPYTER_IMAGE")

    def test_podman_writes_it(self, tmp_path: Path) -> None:
        text = (
            'engine="podman-4.3.1"\nname="quirky_bell"\n'
            f'id="{ID}"\nimage="quay.example/jupyter/base-notebook:latest"\n'
            f'imageid="{LAYER}"\nrootless=1\ngraphRootMounted=1\n'
        )
        found = look({}, lay(tmp_path, {"/run/.containerenv": text}))
        assert found.image == "quay.example/jupyter/base-notebook:latest"
        assert found.image_source == "/run/.containerenv"
        assert found.runtime == "podman"

    def test_no_guess(self, tmp_path: Path) -> None:
        environ = {"NB_USER": "jovyan", "NB_UID": "1000", "CONDA_DIR": "/opt/conda"}
        assert look(environ, stacks(tmp_path)).image is None


def stacks(root: Path) -> Path:
    return lay(root, {f"/usr/local/bin/{name}": "" for name in ("start.sh", "fix-permissions")})


class TestStacks:
    ENVIRON = {"NB_USER": "jovyan", "NB_UID": "1000", "CONDA_DIR": "/opt/conda"}

    def test_today_s(self, tmp_path: Path) -> None:
        assert look({}, stacks(tmp_path)).stacks

    def test_the_chapter_s(self, tmp_path: Path) -> None:
        names = ("start.sh", "start-notebook.sh", "start-singleuser.sh")
        root = lay(tmp_path, {f"/usr/local/bin/{name}": "" for name in names})
        assert look(self.ENVIRON, root).stacks
        assert not look({}, root).stacks

    def test_repo2docker_s_has_the_variables_only(self, tmp_path: Path) -> None:
        root = lay(tmp_path, {"/usr/local/bin/repo2docker-entrypoint": ""})
        assert not look(self.ENVIRON, root).stacks


OF_JOVYAN = "Uid:\t1000\t1000\t1000\t1000\n"


class TestSudo:
    @pytest.fixture(autouse=True)
    def _jovyan(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        record = pwd.struct_passwd(("jovyan", "x", 1000, 100, "", "/home/jovyan", "/bin/bash"))
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: record)

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A Docker Stacks container with sudo in it, started as jovyan."""
        root = lay(
            stacks(tmp_path),
            {
                "/usr/bin/sudo": "",
                "/proc/self/status": f"Name:\tpython\n{OF_JOVYAN}NoNewPrivs:\t0\n",
                "/proc/1/status": f"Name:\ttini\n{OF_JOVYAN}",
            },
        )
        (root / "usr/bin/sudo").chmod(0o4755)
        return root

    def answer(self, root: Path, **environ: str) -> tuple[str, str]:
        found = look({"PATH": "/opt/conda/bin:/usr/bin:/bin", **environ}, root)
        assert found.sudo_reason
        return found.sudo, found.sudo_reason

    def test_nothing_tells(self, root: Path) -> None:
        assert self.answer(root)[0] == "unknown"

    def test_root_needs_none(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert self.answer(root)[0] == "yes"

    def test_it_is_not_there(self, root: Path) -> None:
        (root / "usr/bin/sudo").unlink()
        assert self.answer(root) == ("no", "sudo is not installed")

    def test_it_has_lost_its_bit(self, root: Path) -> None:
        (root / "usr/bin/sudo").chmod(0o755)
        assert self.answer(root)[0] == "no"

    def test_the_container_forbids_it(self, root: Path) -> None:
        """As Zero to JupyterHub does, and `docker run --security-opt no-new-privileges`."""
        lay(root, {"/proc/self/status": "Name:\tpython\nNoNewPrivs:\t1\n"})
        answer, reason = self.answer(root, GRANT_SUDO="yes", SUDO_UID="0")
        assert answer == "no"
        assert "no_new_privs" in reason

    @pytest.mark.parametrize("value", ["1", "yes"])
    def test_granted(self, value: str, root: Path) -> None:
        assert self.answer(root, GRANT_SUDO=value, SUDO_UID="0")[0] == "yes"
        lay(root, {"/proc/1/status": "Name:\ttini\nUid:\t0\t0\t0\t0\n"})
        assert self.answer(root, GRANT_SUDO=value)[0] == "yes"

    def test_granted_but_not_started_as_root(self, root: Path) -> None:
        answer, reason = self.answer(root, GRANT_SUDO="yes")
        assert answer == "no"
        assert "--user root" in reason

    def test_only_the_stacks_heed_the_variable(self, root: Path) -> None:
        (root / "usr/local/bin/start.sh").unlink()
        assert self.answer(root, GRANT_SUDO="yes", SUDO_UID="0")[0] == "unknown"

    @pytest.mark.parametrize(
        ("rule", "answer"),
        [
            ("jovyan ALL=(ALL) NOPASSWD:ALL", "yes"),
            ("jovyan ALL=(ALL:ALL) NOPASSWD: ALL", "yes"),
            ("ALL ALL = NOPASSWD: ALL", "yes"),
            ("jovyan ALL=(ALL) ALL", "unknown"),
            ("ann ALL=(ALL) NOPASSWD:ALL", "unknown"),
            ("# jovyan ALL=(ALL) NOPASSWD:ALL", "unknown"),
            ("jovyan ALL=(ALL) NOPASSWD: /usr/bin/true", "unknown"),
        ],
    )
    def test_a_rule_one_can_read(self, rule: str, answer: str, root: Path) -> None:
        lay(root, {"/etc/sudoers.d/90-image": f"# a rule\n{rule}\n"})
        assert self.answer(root)[0] == answer


class TestAround:
    def test_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = look({}, tmp_path)
        assert found.uid == os.geteuid()
        assert found.is_root == (os.geteuid() == 0)
        assert found.user == pwd.getpwuid(os.geteuid()).pw_name
        monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
        assert look({}, tmp_path).user == "4000000000"

    def test_hub(self, tmp_path: Path) -> None:
        assert look({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, tmp_path).hub
        assert not look({}, tmp_path).hub

    def test_engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert look({}, tmp_path).engine is None
        assert look({"DOCKER_HOST": "tcp://host:2375"}, tmp_path).engine == "tcp://host:2375"
        path = lay(tmp_path, {"/var/run/docker.sock": ""}) / "var/run/docker.sock"
        assert look({}, tmp_path).engine is None
        path.unlink()
        monkeypatch.chdir(path.parent)  # a socket's path may have 108 characters at most
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("docker.sock")
            assert look({}, tmp_path).engine == "unix:///var/run/docker.sock"

    def test_it_is_a_value(self, tmp_path: Path) -> None:
        assert look({}, tmp_path) == look({}, tmp_path)
        assert isinstance(look(), Host)


def test_a_gateways_kernel_is_remote_and_one_of_a_notebooks_server_is_not(tmp_path: Path) -> None:
    ours = {"JPY_PARENT_PID": "7", "JPY_SESSION_NAME": "work/a.ipynb"}
    cases: list[tuple[dict[str, str], bool]] = [
        (ours, False), ({}, False), ({"JPY_PARENT_PID": "7"}, True),
        ({**ours, "KERNEL_GATEWAY": "1"}, True),
    ]  # fmt: skip
    found = [(environ, bool(look(environ, tmp_path).remote)) for environ, _ in cases]
    assert found == cases
