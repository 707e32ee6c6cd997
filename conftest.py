"""For all tests: what they start obeys signals, what clients leave is collected, and the end says what to install for
those that were skipped.
"""

from __future__ import annotations

import gc
import re
import signal
import warnings
from collections import Counter
from collections.abc import Generator
from pathlib import Path

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


HERE = Path(__file__).parent
WITH_CLIENTS = (
    "compat_tests",
    "docs",
    "examples",
    "tests/cluster/test_clients_in_process.py",
    "tests/faults/test_clients.py",
    "tests/network/test_kerberos_logins.py",
)
"""Where clients in Python are used: they leave sockets of connections that were refused, or that the broker has closed,
to the garbage collector.
"""
LEFT_SOCKETS = "unclosed (<socket|<ssl|transport)"
"""What the interpreter says of these, and of nothing else."""


def has_clients(item: pytest.Item) -> bool:
    return any(item.path.is_relative_to(HERE / path) for path in WITH_CLIENTS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if has_clients(item):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{LEFT_SOCKETS}:ResourceWarning"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """What the last test of a file has left is collected when nothing has it any more, its fixtures and its log: or it
    would be the failure of whichever test runs when the collector comes.
    """
    done = yield
    if (nextitem is None or nextitem.path != item.path) and has_clients(item):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", LEFT_SOCKETS, ResourceWarning)
            gc.collect()
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = missing_tools([str(report.longrepr) for report in terminalreporter.getreports("skipped")])
    if counts:
        tools = ", ".join(f"{PACKAGES.get(tool, tool)} ({count} tests)" for tool, count in sorted(counts.items()))
        terminalreporter.write_line(f"to run the tests that were skipped for a missing program, install: {tools}")


def missing_tools(reasons: list[str]) -> Counter[str]:
    """Program -> how many tests were skipped since it was not found."""
    return Counter(found[1] for reason in reasons if (found := re.search(r"Skipped: (\S+) not found", reason)))
