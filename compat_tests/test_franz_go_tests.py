"""franz-go's own tests of groups: chains of members that consume, produce and commit while others come and go.

Classic groups and consumer groups by each balancer, dynamic and static members; share groups with accepted, released,
rejected and renewed records. They take twenty seconds whatever the broker does, most of which is waiting.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from compat_tests.broker import Broker
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.tools import franz_go_tests, need

TESTS = {
    "TestGroupETL",
    "TestShareGroup",
    "TestShareGroupETL",
    "TestShareGroupAckOnClose",
    "TestShareGroupOffsetsAdmin",
}
RECORDS = 2_000


def test_franz_go_finds_nothing_wrong(broker: Broker) -> None:
    program = need(franz_go_tests)
    environment = {
        "KGO_SEEDS": broker.bootstrap,
        "KGO_TEST_RF": "1",
        "KGO_TEST_RECORDS": str(RECORDS),
        "KGO_LOG_LEVEL": "none",
    }
    result = subprocess.run(
        [str(program), "-test.v", "-test.run", f"^({'|'.join(sorted(TESTS))})$", "-test.timeout", "180s"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 10,
    )
    printed = result.stdout + result.stderr
    if result.returncode:
        pytest.fail(printed[-8_000:], pytrace=False)
    passed = set(re.findall(r"^--- PASS: (\w+)", printed, re.MULTILINE))
    assert passed == TESTS, "all that are there were run, and no other"
