"""The options of the managers' installs, one table each, and one walk over a command's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from .credentials import names_a_secret
from .packages import ManagerName

_Table = TypeVar("_Table", bound="OptionTable")


class Option(NamedTuple):
    """One option of a command line, or a word that is not an option."""

    name: str  #: its own name, however it was spelled; empty for a word that is not an option
    value: str  #: its value, or the word
    words: tuple[str, ...]  #: as it was written, but for letters that shared a dash


@dataclass(frozen=True, slots=True)
class OptionTable:
    """The options of a command, by every way to write them."""

    #: for each spelling, the option's own name and whether a value follows
    names: Mapping[str, tuple[str, bool]]
    #: those that change only how the program works: the result is the same
    manner: frozenset[str] = frozenset()
    #: those that name a source of packages, with the field of `Sources` for each
    sources: Mapping[str, str] = field(default_factory=dict)
    looks: frozenset[str] = frozenset()  #: those with which nothing is installed

    @classmethod
    def of(
        cls: type[_Table],
        base: OptionTable | None = None,
        *,
        valued: str = "",
        flags: str = "",
        manner_valued: str = "",
        manner_flags: str = "",
        sources: Mapping[str, str] | None = None,
        looks: str = "",
    ) -> _Table:
        """Declare options as text, apart by blanks: ``-c/--channel``, the last name is its own.

        Args:
            base: A table whose options these are added to.
        """
        names = dict(base.names) if base else {}
        for text, takes_value in (
            (f"{valued} {manner_valued}", True),
            (f"{flags} {manner_flags}", False),
        ):
            for words in (word.split("/") for word in text.split()):
                names |= dict.fromkeys(words, (words[-1], takes_value))
        manner = {word.rpartition("/")[2] for word in f"{manner_valued} {manner_flags}".split()}
        manner |= base.manner if base else set()
        given = frozenset(looks.split()) | (base.looks if base else frozenset())
        return cls(names, frozenset(manner), sources or {}, given)

    def __or__(self: _Table, other: OptionTable) -> _Table:
        return replace(self, names={**self.names, **other.names}, manner=self.manner | other.manner)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def takes(self, name: str) -> bool | None:
        """Return whether a value follows the option; None for an unknown option."""
        return self.names[name][1] if name in self.names else None

    def options(self, words: Iterable[str]) -> Iterator[Option]:
        """Separate options from other words; see `walk`.

        >>> table = OptionTable.of(valued="-f/--find-links --proxy", flags="-U/--upgrade --pre")
        >>> [each[:2] for each in table.options(["-Uf/w", "--find=/x", "--proxy", "-f", "six"])]
        [('--upgrade', ''), ('--find-links', '/w'), ('--find-links', '/x'), ('--proxy', '-f'), \
('', 'six')]
        """
        words = list(words)
        for name, written, at, begin in self.walk(words):
            yield Option(name, "" if at is None else words[at][begin:], written)

    def walk(
        self, words: Sequence[str], *, leading: bool = False
    ) -> Iterator[tuple[str, tuple[str, ...], int | None, int]]:
        """Separate options from other words, as getopt, optparse and argparse do.

        A long name may be shortened if that is clear, short ones may share a dash, a value may
        follow after a blank, ``=`` or nothing; after ``--`` no word is an option.

        Args:
            leading: Whether the first word that is not an option ends the options.

        Yields:
            The option's name, or "" for another word; `Option.words`; the number of the word that
            the value is in, None without one; and where in that word it begins.
        """
        over = False
        dashes: tuple[str, ...] = ()
        rest = iter(range(len(words)))
        for at in rest:
            word = words[at]
            if over or not word.startswith("-") or word == "-":
                yield "", (*dashes, word), at, 0
                over, dashes = over or leading, ()
            elif word == "--":
                over, dashes = True, (word,)
            elif word.startswith("--"):
                spelled, equals, _ = word.partition("=")
                name, takes_value = self._meant(spelled)
                if equals:
                    yield name, (word,), at, len(spelled) + 1
                else:
                    yield _with_next(name, word, words, rest if takes_value else iter(()))
            else:
                for end, letter in enumerate(word[1:], start=2):
                    name, takes_value = self.names.get(f"-{letter}", (f"-{letter}", False))
                    is_given = word[end : end + 1] == "="
                    if is_given or (takes_value and word[end:]):
                        begin = end + is_given
                        parts = (f"-{letter}", word[begin:])
                        yield name, parts if takes_value else ("-" + word[end - 1 :],), at, begin
                        break
                    yield _with_next(name, f"-{letter}", words, rest if takes_value else iter(()))

    def _meant(self, spelled: str) -> tuple[str, bool]:
        if spelled in self.names:
            return self.names[spelled]
        meant = {self.names[known] for known in self.names if known.startswith(spelled)}
        # the value of an unknown option that names a secret is not a word to show
        unknown = (spelled, names_a_secret(spelled.lstrip("-")))
        return meant.pop() if len(meant) == 1 else unknown


def _with_next(
    name: str, spelled: str, words: Sequence[str], rest: Iterator[int]
) -> tuple[str, tuple[str, ...], int | None, int]:
    at = next(rest, None)
    return name, (spelled,) if at is None else (spelled, words[at]), at, 0


REQUIREMENTS = OptionTable.of(
    valued=(
        "-r/--requirement -e/--editable -c/--constraint -i/--pypi-url/--index-url --extra-index-url"
        " -f/--find-links --no-binary --only-binary --trusted-host --use-feature"
        " --hash -C/--config-setting/--config-settings --global-option --install-option"
    ),
    flags="--no-index --pre --prefer-binary --require-hashes",
)
"""The options that a line of a requirements file can have."""

APT = OptionTable.of(
    valued="-t/--default-release/--target-release -o/--option -a/--host-architecture",
    flags=(
        "-y/--yes/--assume-yes -q/--quiet -f/--fix-broken -m/--fix-missing --no-install-recommends"
        " --install-recommends --install-suggests --no-install-suggests --reinstall --only-upgrade"
        " --no-upgrade --allow-unauthenticated --allow-downgrades --allow-remove-essential"
        " --allow-change-held-packages --purge --no-remove --no-download -V/--verbose-versions"
        " -s/--simulate/--just-print/--dry-run/--recon/--no-act -d/--download-only --print-uris"
        " --mark-auto"
    ),
    looks="--no-act --download-only --print-uris",
)

CONDA = OptionTable.of(
    valued=(
        "-c/--channel -f/--file --solver --repodata-fn --subdir/--platform -n/--name -p/--prefix"
        " --safety-checks --extra-safety-checks --channel-priority --console --experimental"
    ),
    flags=(
        "--no-deps --only-deps --freeze-installed/--no-update-dependencies/--no-update-deps"
        " --update-deps --update-specs -S/--satisfied-skip-solve --force-reinstall"
        " --override-channels --strict-channel-priority --no-channel-priority --offline"
        " -k/--insecure -v/--verbose -q/--quiet -y/--yes --json --debug --copy --no-pin"
        " --no-py-pin --clobber -d/--dry-run --download-only --show-channel-urls"
        " -C/--use-index-cache --no-shortcuts --force-remove/--force --use-local"
    ),
    looks="--dry-run --download-only",
)

PIP = OptionTable.of(
    valued=(
        "-r/--requirement -e/--editable -c/--constraint -i/--pypi-url/--index-url --extra-index-url"
        " -f/--find-links --no-binary --only-binary --trusted-host"
        " -C/--config-setting/--config-settings --global-option --build-option --upgrade-strategy"
        " --cert --client-cert --proxy -t/--target --platform --python-version --abi"
        " --implementation --keyring-provider --src --prefix --root --uploaded-prior-to"
    ),
    flags=(
        "--pre --no-deps --user -U/--upgrade --force-reinstall -I/--ignore-installed"
        " --no-build-isolation --break-system-packages --require-hashes --prefer-binary --no-index"
        " --compile --no-compile --isolated --dry-run --use-pep517 --ignore-requires-python"
    ),
    manner_valued=(
        "--progress-bar --timeout --retries --resume-retries --cache-dir --log --report"
        " --exists-action --root-user-action --use-feature --use-deprecated"
    ),
    manner_flags=(
        "--no-cache-dir -q/--quiet -v/--verbose --no-input --no-color --disable-pip-version-check"
        " --no-warn-script-location --no-warn-conflicts --require-virtualenv --no-clean"
        " --check-build-dependencies --no-python-version-warning"
    ),
    sources={"--find-links": "find_links"},
    looks="--dry-run",
)

INSTALL: Mapping[ManagerName, OptionTable] = {"apt": APT, "conda": CONDA, "pip": PIP}
"""The options of an install by each manager; an unlisted one has none that are known."""
