"""KafkaJS, behind the command line of compat_tests/node.

It knows gzip by itself, snappy and zstd by plug-ins in JavaScript and WebAssembly; its plug-in for lz4 wants a
compiler. It has no static members.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests.client_program import ClientProgram
from compat_tests.client_scenarios import ClientScenarios


@pytest.fixture(params=["none", "gzip", "snappy", "zstd"])
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestKafkaJS(ClientScenarios):
    @pytest.fixture
    def client(self, node_directory: Path, tmp_path: Path) -> ClientProgram:
        return ClientProgram(["node", str(node_directory / "clients.js"), "kafkajs"], tmp_path)
