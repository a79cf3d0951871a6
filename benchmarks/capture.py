"""Reading installs out of notebooks: `jstackmagic capture` on as many as a department has.

    python benchmarks/capture.py [--notebooks N] [--lines N] [--seed N]

Makes notebooks of usual sizes, outputs included, that hold a known number of install lines; reads
them on one core, each run in a process of its own; and prints the time of the processor, how it
compares with loading the same files with nbformat, and whether memory grows with their number.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

INSTALLS = (
    "!pip install -q {a} {b}",
    "!pip install --upgrade '{a}>=1.2' -q",
    "%pip install {a}=={v} {b}",
    "!{{sys.executable}} -m pip install {a} --no-cache-dir",
    "!conda install -y -c conda-forge {a}={v}",
    "!apt-get -qq install -y {a} > /dev/null",
    "!sudo -E apt-get install -y {a} 2>&1 | tail -1",
    "import os; os.system('pip install {a}')",
    'subprocess.check_call([sys.executable, "-m", "pip", "install", "{a}"])',
    "!pip install git+https://git.example.com/{a}/{b}.git@v{v}#egg={b}",
    "!pip uninstall -y {a}",
    "x = !pip install {a}[{b}] \\\n    {b}",
    "!pip install {a}>={v}",
    "!curl -fsSL https://example.com/{a}.sh | bash",
)
CODE = (
    "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\n%matplotlib inline",
    "df = pd.read_csv('data/part.csv')\ndf = df[df.value > 0].groupby('key').mean()\ndf.head()",
    "def model(x, *, depth=3):\n    '''Fit and predict.'''\n    for i in range(depth):\n"
    "        x = step(x, i)  # one layer\n    return {'score': score(x), 'x': x}\n",
    "fig, ax = plt.subplots(figsize=(8, 4))\nax.plot(df.index, df.value)\nax.set_title('% of all')",
    "print('run !pip install -r requirements.txt first')\n# !pip install wheel\npipeline.fit(X, y)",
)
WORDS = ("alpha", "beta", "gamma", "delta", "kappa", "sigma", "omega", "lambda", "theta")


def source(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def output(dice: random.Random) -> dict[str, object]:
    """An output: some text, a table, or a picture of some ten kilobytes."""
    kind = dice.random()
    if kind < 0.5:
        lines = [f"epoch {i}: loss {dice.random():.6f}\n" for i in range(dice.randrange(1, 60))]
        return {"name": "stdout", "output_type": "stream", "text": lines}
    data: dict[str, object] = {"text/plain": ["<Figure size 800x400>"]}
    if kind < 0.75:
        rows = "".join(f"<tr><td>{dice.random()}</td><td>{i}</td></tr>\n" for i in range(40))
        data["text/html"] = source(f"<table>\n{rows}</table>")
    else:
        size = min(int(dice.lognormvariate(10, 0.8)), 400_000)
        data["image/png"] = base64.b64encode(dice.randbytes(size)).decode()
    return {"data": data, "metadata": {}, "output_type": "display_data"}


def notebook(dice: random.Random, installs: int) -> dict[str, object]:
    cells: list[dict[str, object]] = []
    count = dice.randrange(8, 40)
    code = ["\n".join(dice.choices(CODE, k=dice.randrange(1, 4))) for _ in range(count)]
    for _ in range(installs):
        words = {name: dice.choice(WORDS) for name in "ab"}
        line = dice.choice(INSTALLS).format(**words, v=f"{dice.randrange(9)}.{dice.randrange(30)}")
        code.insert(dice.randrange(4), line)
    for number, text in enumerate(code):
        if dice.random() < 0.4:
            cells.append(
                {"cell_type": "markdown", "metadata": {}, "source": source("# Step\n" * 3)}
            )
        cells.append(
            {
                "cell_type": "code",
                "execution_count": number,
                "metadata": {},
                "outputs": [output(dice) for _ in range(dice.choice((0, 0, 1, 1, 2)))],
                "source": source(text),
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python", "version": "3.10.4"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def make(folder: Path, notebooks: int, lines: int, seed: int) -> int:
    """Write the notebooks and return how many bytes they have."""
    dice = random.Random(seed)
    installs = [0] * notebooks
    for _ in range(lines):
        installs[dice.randrange(notebooks)] += 1
    size = 0
    for number, count in enumerate(installs):
        file = folder / f"{number % 20:02}" / f"{number}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        size += file.write_text(json.dumps(notebook(dice, count), indent=1))
    return size


def measure(what: str, folder: str) -> None:
    """Run one of the ways on one core and print what it took, as JSON."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = 0
    if what == "nbformat":
        import nbformat

        start = process_time()
        for file in sorted(Path(folder).rglob("*.ipynb")):
            nbformat.read(file, as_version=4)
    elif what == "read":
        from jstackmagic.capture import notebooks

        start = process_time()
        for path in notebooks.files([folder]):
            found += len({(each.cell, each.line) for each in notebooks.read(path).findings})
    else:
        from jstackmagic import commands

        words = [*(["--dry-run"] if what == "dry run" else []), folder]
        start = process_time()
        result, _ = commands.execute("capture", words, commands.Session())
        str(result)
        found = len({(c.finding.file, c.finding.cell, c.finding.line) for c in result.captures})
    seconds = process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "found": found, "MiB": peak}))


def measured(what: str, folder: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "JSTACKMAGIC_HISTORY": os.path.join(home, "history.jsonl")}
        command = [sys.executable, __file__, "--measure", what, str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notebooks", type=int, default=1600)
    parser.add_argument("--lines", type=int, default=2300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as scratch:
        few, many = Path(scratch, "few"), Path(scratch, "many")
        make(few, options.notebooks // 10, options.lines // 10, options.seed)
        size = make(many, options.notebooks, options.lines, options.seed)
        print(f"{options.notebooks} notebooks, {size / 2**20:.0f} MiB, {options.lines} installs")
        for what in ("read", "dry run", "capture"):
            small, large = measured(what, few), measured(what, many)
            print(
                f"{what:8} {large['seconds']:6.2f} s on one core, {large['found']} lines found;"
                f" peak {large['MiB']:.0f} MiB, {large['MiB'] / small['MiB']:.2f} times that of"
                f" a tenth of them"
            )
            if what == "read":
                small_seconds = small["seconds"]
        theirs = measured("nbformat", few)["seconds"]
        print(
            f"nbformat.read alone takes {theirs / small_seconds:.1f} times as long as our reading"
        )


if __name__ == "__main__":
    main()
