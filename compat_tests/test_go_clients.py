"""franz-go and sarama, each behind the command line of compat_tests/go."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests.client_program import ClientProgram
from compat_tests.client_scenarios import ClientScenarios, StaticMemberScenarios


@pytest.fixture(params=["none", "gzip", "snappy", "lz4", "zstd"])
def codec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestFranzGo(ClientScenarios, StaticMemberScenarios):
    @pytest.fixture
    def client(self, go_program: Path, tmp_path: Path) -> ClientProgram:
        return ClientProgram([str(go_program), "franz"], tmp_path)


class TestSarama(ClientScenarios, StaticMemberScenarios):
    @pytest.fixture
    def client(self, go_program: Path, tmp_path: Path) -> ClientProgram:
        return ClientProgram([str(go_program), "sarama"], tmp_path)
