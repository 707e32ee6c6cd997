"""Two brokers that take the metrics of clients (KIP-714): all APIs that they announce, and what they answer of these.

What is announced without a receiver of metrics is compared by the scenario `api_versions.every_version`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from compat_tests.apache_kafka import TELEMETRY_RECEIVER, ApacheKafka, telemetry_receiver
from compat_tests.broker import Broker
from compat_tests.differential import scenarios
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import SCENARIOS
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.ports import free_port
from compat_tests.tools import need
from kafkapy_wire.messages.api_versions import ApiVersionsRequest

scenarios.load()

SETTINGS = {"node.id": "1", "socket.receive.buffer.bytes": "102400", "socket.send.buffer.bytes": "102400"}


class Pair(NamedTuple):
    kafkapy: Broker
    apache: Broker
    controller_ports: tuple[int, int]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    class_path = need(telemetry_receiver)
    port, controller_port = free_port(), free_port()
    listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
    ours = {**SETTINGS, "listeners": listeners, "metric.reporters": "kafkapy.ClientTelemetryReceiver"}
    theirs = {**SETTINGS, "metric.reporters": TELEMETRY_RECEIVER}
    with (
        KafkapyProcess(ours, data_dir=tmp_path_factory.mktemp("kafkapy")) as kafkapy,
        ApacheKafka(theirs, voters_in_log=True, class_path=class_path) as apache,
    ):
        yield Pair(kafkapy, apache, (controller_port, apache.controller_port))


def test_clients_that_push_metrics_are_answered_the_same(brokers: Pair) -> None:
    """The other scenarios are compared without a receiver."""
    name = "telemetry.what_is_wrong_with_a_push"
    transcripts = []
    for kind, broker in (("kafkapy", brokers.kafkapy), ("apache", brokers.apache)):
        with Peer(kind, "127.0.0.1", broker.port, None) as peer:
            SCENARIOS[name](peer)
        transcripts.append(peer.transcript)
    found = list(differences(*transcripts))
    if found:
        pytest.fail(f"{len(found)} differences\n" + report(found), pytrace=False)
    assert not brokers.kafkapy.bugs(0)


BROKERS_APIS, CONTROLLERS_APIS = 79, 42


@pytest.mark.parametrize("listener", ["broker", "controller"])
def test_the_same_apis_and_features_are_announced(listener: str, brokers: Pair) -> None:
    """Key by key, version by version, in each version of ApiVersions."""
    ports = brokers.controller_ports if listener == "controller" else (brokers.kafkapy.port, brokers.apache.port)
    for version in range(6):
        ours, theirs = (announced(port, version) for port in ports)
        assert len(theirs["apis"]) == (CONTROLLERS_APIS if listener == "controller" else BROKERS_APIS)
        differing = sorted(ours["apis"].items() ^ theirs["apis"].items())
        assert not differing, f"ApiVersions v{version}"
        assert ours == theirs, f"ApiVersions v{version}"


def announced(port: int, version: int) -> dict[str, Any]:
    with Peer("announced", "127.0.0.1", port, None) as peer:
        request = ApiVersionsRequest(client_software_name="announced", client_software_version="1.0")
        answer = peer.quietly(request, version)
    return {
        "error": answer.error_code,
        "apis": {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys},
        "supported": sorted((each.name, each.min_version, each.max_version) for each in answer.supported_features),
        "finalized": sorted(
            (each.name, each.min_version_level, each.max_version_level) for each in answer.finalized_features
        ),
        "epoch is known": answer.finalized_features_epoch >= 0,
        "zk_migration_ready": answer.zk_migration_ready,
    }
