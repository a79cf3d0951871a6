"""What a panel that is open costs a cell that installs nothing.

    python benchmarks/panel.py [--cells N]

A kernel runs empty cells by turns, before and after a panel has asked it for something: from then
on it looks at the history's file after each cell. The time of a cell is from its request to its
end, as a notebook sees it; the callbacks of one cell are timed by themselves, in the kernel.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time

from jupyter_client.manager import KernelManager

CALLBACKS = """
import json, statistics, time
from jstackmagic import panel
door, times = panel._door, []
for _ in range(2000):
    start = time.perf_counter_ns()
    door._before_cell(None)
    door._after_cell(None)
    times.append((time.perf_counter_ns() - start) / 1000)
print(json.dumps([statistics.median(times), statistics.quantiles(times, n=100)[98]]))
"""
ASKED, UNASKED = (
    f"from jstackmagic import panel; panel._door._history = {path}"
    for path in ("str(panel._door._session().history.source)", "''")
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JSTACKMAGIC_HISTORY"] = os.path.join(folder, "history.jsonl")
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        said: list[str] = []

        def run(code: str) -> float:
            start = time.perf_counter()
            client.execute_interactive(
                code,
                store_history=False,
                timeout=60,
                output_hook=lambda message: said.append(message["content"].get("text", "")),
            )
            return (time.perf_counter() - start) * 1e6

        run("%load_ext jstackmagic\n%envinstall --record-only --pip six")
        time.sleep(2)  # the packages are read in the background
        times: dict[str, list[float]] = {ASKED: [], UNASKED: []}
        for _ in range(cells // 10):
            for state, taken in times.items():
                run(state)
                taken += [run("pass") for _ in range(10)]
        said.clear()
        run(ASKED)
        run(CALLBACKS)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    opened, closed = (statistics.median(times[state]) for state in (ASKED, UNASKED))
    median, worst = json.loads("".join(said))
    print(f"the panel's callbacks   median {median:.1f} µs, 99 % {worst:.1f} µs")
    print(f"an empty cell           {opened:.0f} µs with a panel, {closed:.0f} µs without")
    print(f"with / without          {opened / closed:.2f}")


if __name__ == "__main__":
    main()
