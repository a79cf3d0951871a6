"""The panel's quoting: each word reaches the verb as it is, through IPython's line and ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jstackmagic.model.parsing import split_words
from support import panel
from support.kernels import PATIENCE
from support.machine import Unavailable

pytestmark = pytest.mark.browser  # with those that build the panel

WORDS = (
    ["numpy>=1.20,<2"],
    ["a b", "it's", '"quoted"', "back\\slash", ""],
    ["{secret}", "$secret", "${secret}", "{{secret}}", "$$secret", "{secret!r}"],
    ["--why", "<img src=x onerror=1>; rm -rf ~ & `id` $(id) | # !ls"],
    ["six @ https://h.example/six-1.0.whl#sha256=00", "-e", "./my project", "größe"],
)
BROKEN = ("a\nb", "a\rb", "\x00", "\x1b[31m", "a\u2028b", "a\x85b")

SCRIPT = """
const { lineOf, wordsOf } = await import(process.argv[1]);
const refused = word => { try { lineOf("install", [word]); return false; } catch { return true; } };
const [words, broken, typed] = JSON.parse(process.argv[2]);
console.log(JSON.stringify([
  words.map(each => lineOf("install", each)), broken.map(refused), typed.map(wordsOf),
]));
"""


def test_words_reach_the_verb_as_they_are() -> None:
    try:
        module = panel.words()
    except Unavailable as reason:
        pytest.skip(str(reason))
    typed = ["six  'numpy >= 2'", 'a "b c"d', "'open quote", "  "]
    node = Path(sys.executable).parent / "node"
    given = json.dumps([WORDS, BROKEN, typed])
    done = subprocess.run(
        [node, "--input-type=module", "-e", SCRIPT, module.as_uri(), given],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    lines, refused, split = json.loads(done.stdout)
    shell = InteractiveShell.instance()
    shell.user_ns["secret"] = "filled in"
    try:
        for words, line in zip(WORDS, lines, strict=True):
            magic, _, rest = line.partition(" ")
            assert magic == "%envinstall"
            assert split_words(shell.var_expand(rest)) == words
    finally:
        InteractiveShell.clear_instance()
    assert all(refused), "no word ends a line"
    assert split == [["six", "numpy >= 2"], ["a", "b cd"], ["open quote"], []]
