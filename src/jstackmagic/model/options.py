"""The options of the managers' installs, one table each, and one walk over a command's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .packages import ManagerName


class Option(NamedTuple):
    """One option of a command line, or a word that is not an option.

    Attributes:
        name: Its own name, however it was spelled; empty for a word that is not an option.
        value: Its value, or the word.
        words: As it was written, but for letters that shared a dash.
    """

    name: str
    value: str
    words: tuple[str, ...]


class Options:
    """The options of a command, by every way to write them.

    Args:
        valued: Those with a value, apart by blanks: ``-f/--find-links``, the last name is its own.
        flags: The others.
        sources: Those that name a source of packages, with the field of `Sources` for each.
        looks: Those of the flags with which nothing is installed.
    """

    def __init__(
        self,
        *,
        valued: str,
        flags: str,
        sources: Mapping[str, str] | None = None,
        looks: str = "",
    ) -> None:
        self._own: dict[str, str] = {}
        for text in (valued, flags):
            for names in (word.split("/") for word in text.split()):
                self._own |= dict.fromkeys(names, names[-1])
        self.valued = {self._own[word.split("/")[-1]] for word in valued.split()}
        self.sources = sources or {}
        self.looks = frozenset(looks.split())

    def __contains__(self, name: str) -> bool:
        return name in self._own

    def read(self, words: Iterable[str]) -> Iterator[Option]:
        """Separate options from other words, as getopt and optparse do.

        A long name may be shortened if that is clear, short ones may share a dash, a value may
        follow after a blank, ``=`` or nothing; after ``--`` no word is an option.

        >>> table = Options(valued="-f/--find-links --proxy", flags="-U/--upgrade --pre")
        >>> [each[:2] for each in table.read(["-Uf/w", "--find=/x", "--proxy", "-f", "six"])]
        [('--upgrade', ''), ('--find-links', '/w'), ('--find-links', '/x'), ('--proxy', '-f'), \
('', 'six')]
        """
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                dashes: tuple[str, ...] = (word,)
                for each in rest:
                    yield Option("", each, (*dashes, each))
                    dashes = ()
                return
            if word.startswith("--"):
                spelled, equals, value = word.partition("=")
                yield self._one(self._meant(spelled), value, (word,), [] if equals else rest)
            elif word.startswith("-") and len(word) > 1:
                yield from self._short(word, rest)
            else:
                yield Option("", word, (word,))

    def _meant(self, spelled: str) -> str:
        if spelled in self._own:
            return self._own[spelled]
        meant = {own for name, own in self._own.items() if name.startswith(spelled)}
        return meant.pop() if len(meant) == 1 else spelled

    def _short(self, word: str, rest: list[str]) -> Iterator[Option]:
        for at, letter in enumerate(word[1:], start=1):
            spelled = f"-{letter}"
            own = self._own.get(spelled, spelled)
            value = word[at + 1 :].removeprefix("=")
            if own in self.valued and value:
                yield Option(own, value, (spelled, value))
                return
            yield self._one(own, "", (spelled,), rest)
            if own in self.valued:
                return

    def _one(self, own: str, value: str, words: tuple[str, ...], rest: list[str]) -> Option:
        if own in self.valued and not value and rest:
            value = rest.pop(0)
            words = (*words, value)
        return Option(own, value, words)


REQUIREMENTS = Options(
    valued=(
        "-r/--requirement -e/--editable -c/--constraint -i/--pypi-url/--index-url --extra-index-url"
        " -f/--find-links --no-binary --only-binary --trusted-host --use-feature"
        " --hash -C/--config-setting/--config-settings --global-option --install-option"
    ),
    flags="--no-index --pre --prefer-binary --require-hashes",
)
"""The options that a line of a requirements file can have."""

APT = Options(
    valued="-t/--target-release --default-release -o/--option -a/--host-architecture",
    flags=(
        "-y/--yes --assume-yes -q/--quiet -f/--fix-broken -m/--fix-missing --no-install-recommends"
        " --install-recommends --install-suggests --no-install-suggests --reinstall --only-upgrade"
        " --no-upgrade --allow-unauthenticated --allow-downgrades --allow-remove-essential"
        " --allow-change-held-packages --purge --no-remove --no-download -V/--verbose-versions"
        " -s/--just-print/--recon/--no-act/--dry-run/--simulate -d/--download-only --print-uris"
        " --mark-auto"
    ),
    looks="--simulate --download-only --print-uris",
)

CONDA = Options(
    valued=(
        "-c/--channel -f/--file --solver --repodata-fn --subdir/--platform -n/--name -p/--prefix"
        " --safety-checks --extra-safety-checks --channel-priority --console --experimental"
    ),
    flags=(
        "--no-deps --only-deps --freeze-installed --no-update-deps --no-update-dependencies -S"
        " --update-deps --update-specs --satisfied-skip-solve --force-reinstall"
        " --override-channels --strict-channel-priority --no-channel-priority --offline"
        " -k/--insecure -v/--verbose -q/--quiet -y/--yes --json --debug --copy --no-pin"
        " --no-py-pin --clobber -d/--dry-run --download-only --show-channel-urls"
        " -C/--use-index-cache --no-shortcuts --force --force-remove --use-local"
    ),
    looks="--dry-run --download-only",
)

PIP = Options(
    valued=(
        "-r/--requirement -e/--editable -c/--constraint -i/--pypi-url/--index-url --extra-index-url"
        " -f/--find-links --no-binary --only-binary --trusted-host"
        " -C/--config-setting/--config-settings --global-option --build-option --upgrade-strategy"
        " --progress-bar --timeout --retries --resume-retries --cert --client-cert --proxy"
        " --cache-dir --log --report --exists-action --root-user-action -t/--target --platform"
        " --python-version --abi --implementation --keyring-provider --use-feature --src"
        " --use-deprecated --prefix --root --uploaded-prior-to"
    ),
    flags=(
        "--pre --no-deps --user -U/--upgrade --force-reinstall -I/--ignore-installed"
        " --no-cache-dir --no-build-isolation --break-system-packages --require-hashes"
        " --prefer-binary --no-index --compile --no-compile -q/--quiet -v/--verbose --no-input"
        " --isolated --dry-run --use-pep517 --no-color --disable-pip-version-check"
        " --no-warn-script-location --no-warn-conflicts --ignore-requires-python"
        " --require-virtualenv --no-clean --check-build-dependencies --no-python-version-warning"
        " -y/--yes"
    ),
    sources={"--find-links": "find_links"},
    looks="--dry-run",
)

INSTALL: Mapping[ManagerName, Options] = {"apt": APT, "conda": CONDA, "pip": PIP}
"""The options of an install by each manager; an unlisted one has none that are known."""
