"""conda's configuration: the order of its files, how they are read, merged and understood."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.model.environment import ConfiguredChannel
from jstackmagic.model.errors import JStackMagicError
from jstackmagic.where import condarc
from jstackmagic.where.condarc import (
    CondaConfig,
    CondaSetting,
    SettingsSource,
    channel_name,
    channel_urls,
    load,
    merge,
    parse,
    search_path,
)

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"HOME": "/home/ann"}


def merged(*texts: str, environ: dict[str, str] | None = None, **keywords: object) -> CondaConfig:
    """The configuration of files with those texts, the weakest first."""
    sources = [
        SettingsSource(f"/{n}.yml", parse(text, f"/{n}.yml")) for n, text in enumerate(texts)
    ]
    arguments = {"root_prefix": "/opt/conda", "root_writable": True} | keywords
    return merge(sources, environ=ENVIRON | (environ or {}), **arguments)


def channels(*texts: str) -> list[str]:
    return [each.channel for each in merged(*texts).channels]


class TestSearchPath:
    def test_it_is_conda_s(self) -> None:
        environ = {
            "HOME": "/home/ann",
            "XDG_CONFIG_HOME": "/xdg",
            "CONDARC": "/site/condarc.yml",
            "CONDA_PREFIX": "/the/server's",
        }
        folders = ["/etc/conda", "/var/lib/conda", "/opt/conda", "/xdg/conda"]
        folders += ["/home/ann/.config/conda", "/home/ann/.conda"]
        names = (".condarc", "condarc", "condarc.d")
        expected = [f"{folder}/{name}" for folder in folders for name in names]
        expected.append("/home/ann/.condarc")
        expected += [f"/envs/one/{name}" for name in names]
        expected.append("/site/condarc.yml")
        assert list(search_path("/envs/one", "/opt/conda", environ)) == expected

    def test_what_is_not_known_is_left_out(self) -> None:
        paths = search_path("/envs/one", None, ENVIRON)
        assert not [path for path in paths if "$" in path]
        assert "/envs/one/.condarc" in paths

    def test_a_file_that_stands_twice_has_its_weaker_place(self) -> None:
        paths = search_path("/opt/conda", "/opt/conda", ENVIRON)
        assert paths.index("/opt/conda/.condarc") < paths.index("/home/ann/.condarc")
        assert paths.count("/opt/conda/.condarc") == 1

    def test_mamba_reads_its_own_files_as_well(self) -> None:
        environ = ENVIRON | {"MAMBARC": "/site/mambarc"}
        paths = search_path("/envs/one", "/opt/conda", environ, mamba=True)
        assert set(search_path("/envs/one", "/opt/conda", environ)) < set(paths)
        order = ["/etc/conda/.mambarc", "/home/ann/.condarc", "/home/ann/.mambarc"]
        order += ["/site/mambarc", "/envs/one/.mambarc"]
        assert sorted(order, key=paths.index) == order


class TestLoad:
    """Real files in the places conda looks into."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "my conda"
        (root / "conda-meta").mkdir(parents=True)
        (root / "conda-meta" / "history").touch()
        return root

    @pytest.fixture
    def prefix(self, root: Path) -> Path:
        prefix = root / "envs" / "one"
        prefix.mkdir(parents=True)
        return prefix

    def test_the_stronger_file_comes_first(self, home: Path, root: Path, prefix: Path) -> None:
        (root / ".condarc").write_text("channels:\n  - conda-forge\n")
        (home / ".condarc").write_text("channels:\n  - mine\n  - conda-forge\n")
        (prefix / ".condarc").write_text(
            "channels: [of-the-environment]\nchannel_priority: strict\n"
        )
        config = load(str(prefix), str(root))
        assert config.channels == (
            ConfiguredChannel("of-the-environment", f"{prefix}/.condarc"),
            ConfiguredChannel("mine", f"{home}/.condarc"),
            ConfiguredChannel("conda-forge", f"{home}/.condarc"),
        )
        assert config.channel_priority == "strict"
        assert config.files == (f"{root}/.condarc", f"{home}/.condarc", f"{prefix}/.condarc")

    def test_a_folder_of_files(self, root: Path, prefix: Path) -> None:
        folder = root / "condarc.d"
        folder.mkdir()
        (folder / "20-second.yaml").write_text("channels:\n  - second\n")
        (folder / "10-first.yml").write_text("channels:\n  - first\n")
        (folder / "notes.txt").write_text("channels:\n  - not read\n")
        config = load(str(prefix), str(root))
        assert [each.channel for each in config.channels] == ["second", "first"]

    def test_condarc_names_one_more(
        self, root: Path, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("site.yml", "site.txt"):
            (tmp_path / name).write_text("channels:\n  - site\n")
        monkeypatch.setenv("CONDARC", str(tmp_path / "site.yml"))
        assert load(str(prefix), str(root)).channels[0].source == str(tmp_path / "site.yml")
        monkeypatch.setenv("CONDARC", str(tmp_path / "site.txt"))
        assert load(str(prefix), str(root)).channels == ()

    def test_a_change_is_seen(self, home: Path, root: Path, prefix: Path) -> None:
        file = home / ".condarc"
        file.write_text("offline: false\n")
        assert not load(str(prefix), str(root)).offline
        file.write_text("offline: true\n")
        os.utime(file, ns=(1, 1))
        assert load(str(prefix), str(root)).offline

    def test_variables_are_the_strongest(self, home: Path, root: Path, prefix: Path) -> None:
        (home / ".condarc").write_text("channels:\n  - mine\noffline: false\n")
        environ = {
            **os.environ,
            "CONDA_CHANNELS": "one, two,,mine",
            "CONDA_OFFLINE": "yes",
            "CONDA_PKGS_DIRS": "/a b/pkgs,~/pkgs",
            "CONDA_ENVS_PATH": f"/one{os.pathsep}/two",
            "CONDA_PINNED_PACKAGES": "numpy=1.26&python=3.12",
            "CONDA_SSL_VERIFY": "False",
            "CONDA_CHANNEL_PRIORITY": "disabled",
        }
        config = load(str(prefix), str(root), environ)
        assert config.channels == tuple(
            ConfiguredChannel(channel, "CONDA_CHANNELS") for channel in ("one", "two", "mine")
        )
        assert config.offline
        assert config.pkgs_dirs == ("/a b/pkgs", f"{home}/pkgs")
        assert config.envs_dirs[:2] == ("/one", "/two")
        assert config.pinned_packages == ("numpy=1.26", "python=3.12")
        assert config.ssl_verify is False
        assert config.channel_priority == "disabled"

    def test_other_variables_of_conda_s_are_no_settings(self, root: Path, prefix: Path) -> None:
        environ = {
            "HOME": "/nowhere",
            "CONDA_PREFIX": "/x",
            "CONDA_SHLVL": "2",
            "CONDA_EXE": "/x/bin/conda",
            "CONDA_OVERRIDE_CUDA": "12.1",
            "CONDA_DEFAULT_ENV": "base",
        }
        config = load(str(prefix), str(root), environ)
        assert config == load(str(prefix), str(root), {"HOME": "/nowhere"})
        assert config.unhonoured == ()

    @pytest.mark.parametrize(
        "text",
        [
            "channels:\n  - [unclosed\n",
            "channels: [a\n",
            "\tchannels: a\n",
            "just words\n",
            "- a\n- list\n",
            "offline: true\noffline: false\n",
            "channels: &a\n  - *a\n",
            "? [complex, key]\n: 1\n",
        ],
    )
    def test_a_broken_file_is_named(self, text: str, home: Path, root: Path, prefix: Path) -> None:
        (home / ".condarc").write_text(text)
        with pytest.raises(JStackMagicError, match=r"\.condarc is broken") as caught:
            load(str(prefix), str(root))
        assert str(home / ".condarc") in caught.value.problem
        assert caught.value.advice

    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ("channels: conda-forge\n", "channels"),
            ("custom_channels:\n  - a\n", "custom_channels"),
            ("offline: perhaps\n", "offline"),
            ("offline:\n  - a\n", "offline"),
            ("channel_priority: high\n", "channel_priority"),
            ("proxy_servers:\n  http: [a]\n", "proxy_servers.http"),
        ],
    )
    def test_a_wrong_shape_names_setting_and_file(
        self, text: str, setting: str, home: Path, root: Path, prefix: Path
    ) -> None:
        (home / ".condarc").write_text(text)
        with pytest.raises(JStackMagicError) as caught:
            load(str(prefix), str(root))
        assert f"conda's setting {setting} in {home}/.condarc" in caught.value.problem

    def test_a_file_that_is_no_text(self, home: Path, root: Path, prefix: Path) -> None:
        (home / ".condarc").write_bytes(b"\xff\xfe\x00channels")
        with pytest.raises(JStackMagicError, match="cannot be read"):
            load(str(prefix), str(root))

    def test_a_file_one_may_not_read(self, home: Path, root: Path, prefix: Path) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        (home / ".condarc").touch(mode=0o000)
        with pytest.raises(JStackMagicError, match="cannot be read"):
            load(str(prefix), str(root))

    def test_without_any_file(self, home: Path, root: Path, prefix: Path) -> None:
        config = load(str(prefix), str(root))
        assert config.channels == ()
        assert config.files == ()
        assert config.envs_dirs == (f"{root}/envs", f"{home}/.conda/envs")
        assert config.pkgs_dirs == (f"{root}/pkgs", f"{home}/.conda/pkgs")

    def test_what_conda_build_made(self, home: Path, root: Path, prefix: Path) -> None:
        (root / "conda-bld").mkdir()
        config = load(str(prefix), str(root))
        assert channel_urls("local", config) == ((root / "conda-bld").as_uri(),)


class TestMerge:
    """What conda 26.7 makes of the same files; the names are those of its own tests."""

    FILE_1 = "channels:\n  - bugs\n  - daffy\n  - tweety\n"
    FILE_2 = "channels:\n  - porky\n  - bugs\n  - elmer\n"
    FILE_3 = "channels:\n  - wile   #!top\n  - daffy\n  - foghorn\n"
    FILE_4 = "channels:  #!final\n  - pepe\n  - marv\n  - sam\n"
    FILE_5 = "channels:\n  - pepe\n  - marv   #!top\n  - sam\n"
    FILE_6 = "channels:\n  - elmer\n  - marv  #!bottom\n  - bugs\n"
    FILE_7 = "channels:\n  - wile\n  - daffy  #!top\n  - sam    #!top\n  - foghorn\n"
    FILE_8 = "channels:\n  - pepe  #!bottom\n  - marv  #!top\n  - wile\n  - sam\n"
    FILE_9 = "channels: #!final\n  - sam\n  - pepe\n  - marv   #!top\n  - daffy  #!bottom\n"

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ((FILE_1,), "bugs daffy tweety"),
            ((FILE_1, FILE_2), "porky bugs elmer daffy tweety"),
            ((FILE_2, FILE_1), "bugs daffy tweety porky elmer"),
            ((FILE_3, FILE_1), "wile bugs daffy tweety foghorn"),
            ((FILE_4, FILE_1), "pepe marv sam"),
            ((FILE_1, FILE_4), "pepe marv sam bugs daffy tweety"),
            ((FILE_5,), "marv pepe sam"),
            ((FILE_6,), "elmer bugs marv"),
            ((FILE_7,), "daffy sam wile foghorn"),
            ((FILE_8,), "marv wile sam pepe"),
            ((FILE_3, FILE_6), "wile elmer bugs daffy foghorn marv"),
            ((FILE_5, FILE_7), "marv daffy sam wile foghorn pepe"),
            ((FILE_7, FILE_8), "daffy sam marv wile foghorn pepe"),
            ((FILE_9, FILE_1), "marv sam pepe daffy"),
        ],
    )
    @pytest.mark.parametrize("plain", [True, False])
    def test_lists_with_flags(
        self, files: tuple[str, ...], expected: str, plain: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not plain:
            monkeypatch.setattr(condarc, "_parse_plain", lambda text: None)
        assert channels(*files) == expected.split()

    def test_each_channel_has_the_source_that_counts(self) -> None:
        config = merged("channels:\n  - one\n  - two\n", "channels:\n  - two\n")
        assert config.channels == (
            ConfiguredChannel("two", "/1.yml"),
            ConfiguredChannel("one", "/0.yml"),
        )

    def test_the_last_scalar_counts_unless_one_is_final(self) -> None:
        assert merged("offline: no\n", "offline: yes\n").offline
        assert not merged("offline: no  #!final\n", "offline: yes\n").offline
        assert merged("offline: yes\n", "offline: ~\n").offline

    def test_maps(self) -> None:
        config = merged(
            "proxy_servers:\n  http: http://one  #!final\n  https: http://two\n",
            "proxy_servers:\n  http: http://three\n  https: http://four\n  s3: http://five\n",
        )
        assert config.proxy_servers == {
            "http": "http://one",
            "https": "http://four",
            "s3": "http://five",
        }

    def test_a_final_map(self) -> None:
        config = merged(
            "custom_channels:  #!final\n  mine: https://one.example\n",
            "custom_channels:\n  mine: https://two.example\n  yours: https://two.example\n",
        )
        assert config.custom_channels["mine"] == "https://one.example"
        assert "yours" not in config.custom_channels

    def test_maps_of_lists(self) -> None:
        config = merged(
            "custom_multichannels:\n  both:\n    - one\n    - two\n",
            "custom_multichannels:\n  both: [three, one]\n  other: []\n",
        )
        assert config.custom_multichannels["both"] == ("three", "one", "two")
        assert config.custom_multichannels["other"] == ()

    def test_an_empty_list_of_default_channels_is_none(self) -> None:
        assert merged("default_channels: []\n").default_channels == ()
        assert merged("default_channels:\n").default_channels == CondaConfig().default_channels

    def test_names_are_looked_up_at_home_first_where_the_root_is_not_ours(self) -> None:
        config = merged("envs_dirs:\n  - ~/elsewhere\n", root_writable=False)
        assert config.envs_dirs == (
            "/home/ann/elsewhere",
            "/home/ann/.conda/envs",
            "/opt/conda/envs",
        )

    def test_without_a_root(self) -> None:
        config = merged(root_prefix=None)
        assert config.envs_dirs == ("/home/ann/.conda/envs",)
        assert config.pkgs_dirs == ("/home/ann/.conda/pkgs",)

    def test_aliases(self) -> None:
        config = merged("verify_ssl: false\nclient_cert: /c.pem\nwhitelist_channels: [a]\n")
        assert config.ssl_verify is False
        assert config.client_ssl_cert == "/c.pem"
        assert config.allowlist_channels == ("a",)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ssl_verify: true\n", True),
            ("ssl_verify: no\n", False),
            ("ssl_verify: truststore\n", "truststore"),
            ("ssl_verify: ~/ca.pem\n", "/home/ann/ca.pem"),
            ("ssl_verify: ${CA_FILE}\n", "/etc/ca.pem"),
        ],
    )
    def test_ssl_verify(self, text: str, expected: object) -> None:
        assert merged(text, environ={"CA_FILE": "/etc/ca.pem"}).ssl_verify == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("strict", "strict"),
            ("true", "flexible"),
            ("False", "disabled"),
            ("Flexible", "flexible"),
        ],
    )
    def test_channel_priority(self, text: str, expected: str) -> None:
        assert merged(f"channel_priority: {text}\n").channel_priority == expected

    def test_variables_in_values(self) -> None:
        config = merged(
            "channels:\n  - https://$USER_1:${TOKEN}@conda.example.com/x\n  - $UNSET\n"
            "pkgs_dirs:\n  - $SCRATCH/pkgs\n  - ~/pkgs\n"
            "pinned_packages:\n  - $SCRATCH\n",
            environ={"USER_1": "ann", "TOKEN": "s3cret", "SCRATCH": "/scratch"},
        )
        assert [each.channel for each in config.channels] == [
            "https://ann:s3cret@conda.example.com/x",
            "$UNSET",
        ]
        assert config.pkgs_dirs == ("/scratch/pkgs", "/home/ann/pkgs")
        assert config.pinned_packages == ("$SCRATCH",)

    def test_what_an_engine_of_our_own_does_not_honour(self) -> None:
        config = merged(
            "always_copy: false\nauto_update_conda: false\nshow_channel_urls: true\n"
            "repodata_fns:\n  - repodata.json\ntrack_features: []\nsubdir: ~\nsolver: classic\n"
            "channels:\n  - conda-forge\n",
            "always_copy: True\nrepodata_fns:\n  - other.json\nplugins:\n  auth: basic\n"
            "disallowed_packages:\n  - evil\noverride_channels_enabled: no\nclient_cert_key: /k\n",
            "override_channels_enabled: yes\n",
        )
        assert config.unhonoured == tuple(
            CondaSetting(name, "/1.yml")
            for name in (
                *("always_copy", "repodata_fns", "plugins", "disallowed_packages"),
                "override_channels_enabled",
            )
        )

    def test_nor_from_a_variable(self, tmp_path: Path) -> None:
        environ = {"HOME": str(tmp_path), "CONDA_ALWAYS_COPY": "1", "CONDA_USE_LOCAL": "no"}
        config = load(str(tmp_path), None, environ)
        assert config.unhonoured == (CondaSetting("always_copy", "CONDA_ALWAYS_COPY"),)


class TestParse:
    def test_what_conda_writes_needs_no_yaml(self) -> None:
        """`conda config --add channels ...` and the Docker Stacks write no more than this."""
        text = (
            "# Conda configuration see https://conda.io/projects/conda/en/latest/configuration.html\n"
            "\n"
            "auto_update_conda: false\n"
            "show_channel_urls: true\n"
            "channels:\n"
            "  - conda-forge\n"
            "  - https://conda.example.com/t/${TOKEN}/main   # ours\n"
            "channel_priority: strict #!final\n"
            "envs_dirs:\n"
            "- ~/envs\n"
        )
        settings = condarc._parse_plain(text)
        assert settings is not None
        assert settings == condarc._parse_yaml(text, "")
        assert [item.content for item in settings["channels"].content] == [
            "conda-forge",
            "https://conda.example.com/t/${TOKEN}/main",
        ]

    @given(
        st.lists(
            st.one_of(
                st.sampled_from(
                    [
                        *("channels:", "channels: #!final", "offline: yes", "offline: no #!final"),
                        *("  - conda-forge", "- a", "  - a", "   - b #!top", "  - c: d", "  - e:"),
                        *("  - f:g", "  -  h", "  -", "  - ~", "  - -i", "  - 'j'", "  - k # l"),
                        *(
                            "  - m#n",
                            "# o",
                            "  # p",
                            "",
                            "  ",
                            "---",
                            "...",
                            "q: r s",
                            "t:u",
                            "v :",
                        ),
                        *("w: x:", "y: [z]", "a: &b c", "d: *b", "e: |", "  f", "g: >-", "h: %i"),
                        *("j: 1:2", "k: ${L}", "m: {n: o}", "p: q  ", "r: s\t", "\tt: u", "é: ü"),
                        *("<<: v", "w: !!str x", "y: - z", "a: #b", "c:  # d", "  - e #!bottom  "),
                    ]
                ),
                st.text(alphabet="ab:-# \t!'\"[]{}~$/.,&*|>%@`\\é", max_size=12),
            ),
            max_size=8,
        )
    )
    def test_the_short_way_reads_what_yaml_reads(self, lines: list[str]) -> None:
        """Where the reader without YAML answers, YAML gives the same answer."""
        text = "\n".join(lines)
        settings = condarc._parse_plain(text)
        if settings is not None:
            assert settings == condarc._parse_yaml(text, "")

    def test_nothing(self) -> None:
        assert parse("", "") == parse("# only a comment\n", "") == parse("---\n", "") == {}


class TestChannels:
    CONFIG = CondaConfig(
        channel_alias="https://conda.example.com/t/tk-1/",
        custom_channels={
            "internal": "https://ann:pw@mirror.example.com/conda",
            "internal/deep": "https://deep.example.com",
            "pkgs/pro": "https://repo.anaconda.com",
            "odd": "no-url",
        },
        custom_multichannels={
            "both": ("https://one.example.com/x/", "two"),
            "local": ("file:///home/ann/conda-bld",),
        },
    )

    @pytest.mark.parametrize(
        ("channel", "expected"),
        [
            ("conda-forge", ["https://conda.example.com/t/tk-1/conda-forge"]),
            ("conda-forge/label/dev", ["https://conda.example.com/t/tk-1/conda-forge/label/dev"]),
            ("conda-forge/linux-64", ["https://conda.example.com/t/tk-1/conda-forge"]),
            ("internal", ["https://ann:pw@mirror.example.com/conda/internal"]),
            ("internal/label/x", ["https://ann:pw@mirror.example.com/conda/internal/label/x"]),
            ("internal/deep", ["https://deep.example.com/internal/deep"]),
            ("odd", ["https://conda.example.com/t/tk-1/odd"]),
            ("both", ["https://one.example.com/x", "https://conda.example.com/t/tk-1/two"]),
            ("local", ["file:///home/ann/conda-bld"]),
            ("https://x.example/a/", ["https://x.example/a"]),
            ("https://x.example/a/noarch", ["https://x.example/a"]),
            ("https://x.example/linux-tools", ["https://x.example/linux-tools"]),
            ("s3://bucket/channel", ["s3://bucket/channel"]),
            ("/srv/my channel", ["file:///srv/my%20channel"]),
            ("/srv/my channel/linux-64", ["file:///srv/my%20channel"]),
            (
                "defaults",
                ["https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"],
            ),
            ("pkgs/main", ["https://repo.anaconda.com/pkgs/main"]),
        ],
    )
    def test_urls(self, channel: str, expected: list[str]) -> None:
        assert list(channel_urls(channel, self.CONFIG)) == expected

    def test_defaults_can_be_changed(self) -> None:
        mirror = "https://mirror.example.com/main"
        assert channel_urls("defaults", CondaConfig(default_channels=(mirror,))) == (mirror,)
        multi = CondaConfig(custom_multichannels={"defaults": (mirror,)})
        assert channel_urls("defaults", multi) == (mirror,)

    def test_a_path_from_here_or_home(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", "/home/ann")
        assert channel_urls("./channel", CondaConfig()) == ((tmp_path / "channel").as_uri(),)
        assert channel_urls("~/channel", CondaConfig()) == ("file:///home/ann/channel",)

    @pytest.mark.parametrize("name", ["conda-forge", "defaults", "pkgs/pro", "x/label/dev"])
    def test_a_name_comes_back_from_its_urls(self, name: str) -> None:
        for url in channel_urls(name, CondaConfig()):
            assert channel_name(f"{url}/linux-64", CondaConfig()) == name

    def test_an_unknown_url_is_its_own_name(self) -> None:
        assert channel_name("file:///srv/channel/", CondaConfig()) == "file:///srv/channel"
