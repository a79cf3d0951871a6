"""The comparisons at each depth of a proof, in words; docs/image.md has the same table."""

from __future__ import annotations

COVERAGE: tuple[tuple[str, str, str], ...] = (
    (
        "environments",
        "every one found on either side: conda's, virtual, the system's, the user's own"
        " (~/.local), /usr/local",
        "",
    ),
    (
        "packages",
        "conda's by version, build and channel; Python's by version and origin; Debian's by version"
        " and architecture, and what apt holds",
        "every file that a package owns: content, mode, owner, capabilities, where a link leads",
    ),
    (
        "import path",
        "*.pth, *.egg-link, sitecustomize.py and usercustomize.py, by content",
        "every file in a library folder that no package owns; compiled files that are not of the"
        " source beside them; the top-level modules of what was added are imported, offline",
    ),
    (
        "settings",
        "conda-meta/pinned, frozen and state, .condarc, .mambarc, pip.conf, uv.toml,"
        " EXTERNALLY-MANAGED, /etc/apt, /etc/dpkg, /etc/conda, and dpkg's foreign architectures,"
        " by content",
        "mode and owner",
    ),
    ("kernels", "every kernels/*/kernel.json, by what it says", "the files beside it"),
    (
        "start-up",
        "the programs of ENTRYPOINT and CMD, and the hooks of start.sh, by content",
        "mode and owner",
    ),
    (
        "configuration",
        "ENV, ENTRYPOINT, CMD, USER, WORKDIR, EXPOSE, VOLUME, HEALTHCHECK, STOPSIGNAL, ONBUILD,"
        " against the base's",
        "",
    ),
    (
        "the rest",
        "",
        "every other file, a package's or not",
    ),
    (
        "unreadable",
        "metadata that cannot be read, names nothing, or is a link that leads nowhere: never equal",
        "",
    ),
    (
        "out of sight",
        "home folders beside libraries in ~/.local, environments and settings; what is mounted;"
        " /tmp, /run, /var beside /var/lib; users and groups; apt's marks beside holds; what"
        " the engine, start.sh and the managers' triggers write while a container runs; the group"
        " and its rights inside of an environment, which fix-permissions sets; empty folders,"
        " times, and attributes beside capabilities",
        "the same",
    ),
)
"""For each subject, the shallow comparison, and what --deep adds."""
