"""For all tests: what they start obeys signals, and the end says what to install for those that were skipped."""

from __future__ import annotations

import re
import signal
from collections import Counter

import pytest

# A shell without job control has its background programs ignore SIGINT and SIGQUIT, and `nohup` has what it starts
# ignore SIGHUP. So would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# Missing program -> how Debian and Ubuntu call the package that has it.
PACKAGES = {"kcat": "kcat", "java": "default-jdk", "mvn": "maven", "go": "golang", "node": "nodejs", "npm": "npm"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = missing_tools([str(report.longrepr) for report in terminalreporter.getreports("skipped")])
    if counts:
        tools = ", ".join(f"{PACKAGES.get(tool, tool)} ({count} tests)" for tool, count in sorted(counts.items()))
        terminalreporter.write_line(f"to run the tests that were skipped for a missing program, install: {tools}")


def missing_tools(reasons: list[str]) -> Counter[str]:
    """Program -> how many tests were skipped since it was not found."""
    return Counter(found[1] for reason in reasons if (found := re.search(r"Skipped: (\S+) not found", reason)))
