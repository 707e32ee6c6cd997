"""The voters of a new directory, and what a node of several is refused at its start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kafkapy.errors import StartupError
from kafkapy.metadata.membership import check_membership, check_start, controller_endpoints, names_others, quorum_of
from kafkapy.settings import Settings
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint
from kafkapy_log.identity import Identity, write_identity
from kafkapy_wire.uuid import ZERO_UUID, Uuid

OWN = Uuid(bytes(range(16)))
BOTH = "PLAINTEXT://a:9092,CONTROLLER://a:9093"
STATIC = {"listeners": BOTH, "controller.quorum.voters": "2@b:9093,1@a:9093,3@c:9093"}
DYNAMIC = {"listeners": BOTH, "controller.quorum.bootstrap.servers": "a:9093,b:9093"}
BROKER = {"process.roles": "broker", "node.id": "4", "controller.quorum.voters": STATIC["controller.quorum.voters"]}
ID = "5L6g3nShT-eMCtK--X86sw"


def voter(node_id: int, host: str, directory_id: Uuid = ZERO_UUID, port: int = 9093) -> Voter:
    return Voter(node_id, directory_id, (VoterEndpoint("CONTROLLER", host, port),))


def test_a_node_alone_is_the_voter_and_the_log_says_so() -> None:
    alone = QuorumMembership(1, (voter(1, "localhost", OWN),))
    assert quorum_of(Settings(), OWN) == alone
    assert quorum_of(Settings({"controller.quorum.bootstrap.servers": "localhost:9093"}), OWN) == alone
    listening = Settings({"listeners": "PLAINTEXT://:9092,CONTROLLER://:19093"})
    assert quorum_of(listening, OWN) == QuorumMembership(1, (voter(1, "localhost", OWN, 19093),))


def test_static_voters_are_those_of_the_settings() -> None:
    others = (voter(2, "b"), voter(3, "c"))
    assert quorum_of(Settings(STATIC), OWN) == QuorumMembership(0, (voter(1, "a", OWN), *others))
    assert quorum_of(Settings(BROKER), OWN) == QuorumMembership(0, (voter(1, "a"), *others))
    single = Settings({"controller.quorum.voters": "1@localhost:9094"})
    assert quorum_of(single, OWN) == QuorumMembership(0, (voter(1, "localhost", OWN, 9094),))


def test_a_node_with_bootstrap_servers_finds_the_voters() -> None:
    assert quorum_of(Settings(DYNAMIC), OWN) == QuorumMembership(1, ())
    broker = {"process.roles": "broker", "controller.quorum.bootstrap.servers": "a:9093"}
    assert quorum_of(Settings(broker), OWN) == QuorumMembership(0, ())


def test_a_bootstrap_server_is_this_node_if_its_address_is_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"me": "127.0.0.1", "other": "192.0.2.1"}  # the latter is for documentation, and no machine has it

    def look_up(host: str, port: int, **_: object) -> list[object]:
        if host not in addresses:
            raise socket.gaierror(host)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (addresses[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for host, others in (("me", False), ("other", True), ("unknown", True)):
        settings = Settings({"listeners": BOTH, "controller.quorum.bootstrap.servers": f"{host}:9093"})
        assert settings.has_others is False
        assert names_others(settings) is others


def test_a_controller_has_an_endpoint_a_listener() -> None:
    given = {
        "listeners": "PLAINTEXT://h:1,CONTROLLER://:2,TWO://:3",
        "controller.listener.names": "CONTROLLER,TWO",
        "advertised.listeners": "PLAINTEXT://h:1,TWO://x:4",
    }
    assert controller_endpoints(Settings(given)) == (
        VoterEndpoint("CONTROLLER", "localhost", 2),
        VoterEndpoint("TWO", "x", 4),
    )


# -- refused


def write(directory: Path, cluster_id: str = ID) -> None:
    write_identity(directory, Identity(cluster_id, 1, OWN), fsync=False)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (STATIC, "controller.quorum.voters names 3 nodes (2, 1, 3)"),
        (DYNAMIC, "controller.quorum.bootstrap.servers names other nodes (a:9093, b:9093)"),
        (BROKER, "controller.quorum.voters names 3 nodes (2, 1, 3)"),
    ],
)
def test_a_new_node_of_several_needs_their_cluster_id(tmp_path: Path, given: dict[str, str], named: str) -> None:
    with pytest.raises(StartupError) as caught:
        check_start(Settings(given), tmp_path, None)
    line = str(caught.value)
    assert line.startswith(f"{named}, and {tmp_path} belongs to no cluster yet: start all nodes")
    assert "CLUSTER_ID=" in line
    check_start(Settings(given), tmp_path, ID)
    write(tmp_path)
    check_start(Settings(given), tmp_path, None)


def test_a_node_alone_makes_up_its_cluster_id(tmp_path: Path) -> None:
    check_start(Settings(), tmp_path, None)
    check_start(Settings({"controller.quorum.voters": "1@localhost:9093"}), tmp_path, None)
    write(tmp_path)
    check_start(Settings(), tmp_path, "another")  # it keeps its own, and says so


def test_a_directory_of_another_cluster_is_refused_to_a_node_of_several(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StartupError) as caught:
        check_start(Settings(STATIC), tmp_path, "another")
    assert str(caught.value) == (
        f"Invalid cluster.id in: {tmp_path}/meta.properties. Expected another, but read {ID}: name the directory of "
        "that cluster, or an empty one"
    )


def test_a_broker_that_others_cannot_find_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_found(*_: object, **__: object) -> list[object]:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing_found)
    given = {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.bootstrap.servers": "b:9093"}
    with pytest.raises(StartupError, match=r"set advertised\.listeners=PLAINTEXT://HOST:9092"):
        check_start(Settings(given), tmp_path, ID)


def test_voters_of_the_settings_that_are_not_those_of_the_directory_are_refused(tmp_path: Path) -> None:
    formatted = QuorumMembership(1, (voter(1, "a", OWN),))
    with pytest.raises(StartupError) as caught:
        check_membership(Settings(STATIC), tmp_path, formatted, log_is_empty=True)
    assert str(caught.value) == (
        f"{tmp_path} was formatted with the voters 1 (kraft.version 1), and controller.quorum.voters names 1, 2, 3: "
        "remove controller.quorum.voters, or format an empty directory with these settings"
    )
    check_membership(Settings(STATIC), tmp_path, formatted, log_is_empty=False)  # as Apache Kafka: the log counts
    check_membership(Settings(DYNAMIC), tmp_path, formatted, log_is_empty=True)
    check_membership(Settings(BROKER), tmp_path, formatted, log_is_empty=True)


def test_a_static_cluster_needs_its_voters_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"whose voters controller.quorum.voters names \(kraft.version 0\)"):
        check_membership(Settings(DYNAMIC), tmp_path, QuorumMembership(0, ()), log_is_empty=True)
    check_membership(Settings(STATIC), tmp_path, quorum_of(Settings(STATIC), OWN), log_is_empty=True)
    check_membership(Settings(), tmp_path, quorum_of(Settings(), OWN)._replace(kraft_version=0), log_is_empty=True)
