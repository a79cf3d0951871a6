"""Say how many tests were skipped and why, and fail where a reason is not on a list.

A plugin: ``pytest -p support.skips --skips-allowed FILE``. A line of the file is a reason as the
test gives it, or one with ``*`` for what differs; what begins with # is a comment.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--skips-allowed", type=Path, required=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not hasattr(session.config, "workerinput") and _others(session.config) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reasons, others = _reasons(config), _others(config)
    terminalreporter.section(f"{reasons.total()} skipped")
    for reason, number in reasons.most_common():
        mark = "  <- not allowed" if reason in others else ""
        terminalreporter.line(f"{number:5} {reason}{mark}")


def _reasons(config: pytest.Config) -> Counter[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    # a skipped report's text is (path, line, "Skipped: REASON")
    texts = [report.longrepr[2] for report in reporter.stats.get("skipped", ())]
    return Counter(text.removeprefix("Skipped: ") for text in texts)


def _others(config: pytest.Config) -> set[str]:
    lines = config.getoption("--skips-allowed").read_text().splitlines()
    allowed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {
        reason
        for reason in _reasons(config)
        if not any(fnmatchcase(reason, pattern) for pattern in allowed)
    }
