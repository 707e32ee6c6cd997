"""`kafkapy format`: options and words of `kafka-storage format`, and a broker that starts from what it made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from kafkapy.cli import main
from kafkapy_controller.metadata_batches import read_snapshot
from kafkapy_controller.voters import QuorumMembership
from kafkapy_log import LogStore
from kafkapy_log.identity import read_identity
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.record_formats.metadata import FeatureLevelRecord
from kafkapy_wire.uuid import parse_uuid, uuid_text
from tests.shell.running_node import connect, running_node

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
FIRST_SNAPSHOT = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("KAFKA_") or name == "CLUSTER_ID":
            monkeypatch.delenv(name)


def features_in(directory: Path) -> dict[str, int]:
    return {
        record.name: record.feature_level
        for batch in read_snapshot((directory / FIRST_SNAPSHOT).read_bytes())
        for record in batch.records
        if isinstance(record, FeatureLevelRecord)
    }


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["format", *arguments]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    return line


def test_a_formatted_directory_has_what_kafka_storage_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "data"
    assert main(["format", "-t", CLUSTER_ID, "--standalone", "--data-dir", str(directory)]) == 0
    assert capsys.readouterr().out == (
        f"Formatting dynamic metadata voter directory {directory} with metadata.version 4.4-IV2.\n"
    )
    assert {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()} == {
        ".lock",
        "meta.properties",
        FIRST_SNAPSHOT,
    }
    properties = dict(line.split("=") for line in (directory / "meta.properties").read_text().splitlines())
    assert (properties["version"], properties["cluster.id"], properties["node.id"]) == ("1", CLUSTER_ID, "1")
    assert features_in(directory)["metadata.version"] == 33
    membership = QuorumMembership(0, ())
    for batch in read_snapshot((directory / FIRST_SNAPSHOT).read_bytes()):
        for record in batch.control_records:
            membership = membership.replay(record)
    assert membership.kraft_version == 1
    assert [(v.node_id, uuid_text(v.directory_id)) for v in membership.voters] == [(1, properties["directory.id"])]


def test_a_node_begins_with_what_was_formatted(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    settings = tmp_path / "server.properties"
    settings.write_text(
        f"node.id=3\nlog.dirs={directory}\nprocess.roles=broker,controller\n"
        "controller.listener.names=CONTROLLER\ncontroller.quorum.voters=3@localhost:9093\n"
    )
    arguments = [str(settings), "-t", "my-cluster", "-r", "3.9", "-f", "transaction.version=0"]
    assert main(["format", *arguments]) == 0
    assert features_in(directory) == {"metadata.version": 21}

    async def finalized() -> dict[str, int]:
        given = {"node.id": "3", "controller.quorum.voters": "3@localhost:9093"}
        async with running_node(directory, given) as node, connect(node) as client:
            assert node.broker.cluster_id == "my-cluster"
            request = ApiVersionsRequest(client_software_name="a-test", client_software_version="1")
            response = await client.ask(request, ApiVersionsResponse, 4)
            return {feature.name: feature.max_version_level for feature in response.finalized_features}

    assert trio.run(finalized) == {"metadata.version": 21}


def test_a_directory_is_formatted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path)]
    assert main(["format", "-t", "one", *where]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert refused(capsys, "-t", "one", *where) == (
        f"kafkapy: Log directory {tmp_path} is already formatted. Use --ignore-formatted to ignore this directory and "
        "format the others."
    )
    assert refused(capsys, "-t", "other", "-g", *where) == (
        f"kafkapy: Invalid cluster.id in: {tmp_path}/meta.properties. Expected other, but read one"
    )
    assert refused(capsys, "-g", *where, "--override", "node.id=2") == (
        f"kafkapy: Stored node id 1 doesn't match previous node id 2 in {tmp_path}/meta.properties. If you moved your "
        "data, make sure your configured node id matches. If you intend to create a new node, you should remove all "
        "data in your data directories."
    )
    assert main(["format", "-t", "one", "-g", *where]) == 0
    assert capsys.readouterr() == ("All of the log directories are already formatted.\n", "")
    user = ["--add-scram", "SCRAM-SHA-256=[name=admin,password=secret]"]
    assert refused(capsys, *user, *where).endswith("`kafkapy users add` does, as a client that may log in already")
    assert main(["format", "-g", *user, *where]) == 0
    assert capsys.readouterr().err.startswith("--add-scram makes users with a new directory only: ")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-r", "2.8"], "Unknown metadata.version '2.8'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, "),
        (
            ["-r", "4.4", "-f", "metadata.version=30"],
            "Use --release-version instead of --feature metadata.version=X to",
        ),
        (["-f", "metadata.version=34"], "metadata.version 4.5-IV0 is not yet stable."),
        (["-f", "group.version"], "Can't parse feature=level string group.version: equals sign not found."),
        (["-f", "group.version=x"], "Can't parse feature=level string group.version=x: unable to parse x as a short."),
        (["-f", f"group.version={'9' * 5_000}"], "Can't parse feature=level string group.version=999"),
        (
            ["-f", "nonsense=1"],
            "Unsupported feature: nonsense. Supported features are: eligible.leader.replicas.version",
        ),
        (
            ["-f", "kraft.version=0"],
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the ",
        ),
        (
            ["-s", "--override", "controller.quorum.voters=1@localhost:9093"],
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --stand",
        ),
        (["-t", ""], "--cluster-id is empty: leave it out for a new id, or set the variable"),
        (
            ["-t", "two words"],
            "the cluster id 'two words' is not valid: it may hold visible ASCII characters, no spaces",
        ),
    ],
)
def test_what_cannot_be_formatted_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    line = refused(capsys, *arguments, "--data-dir", str(tmp_path / "data"))
    assert line.startswith(f"kafkapy: {says}")
    assert len(line) < 1_000
    assert not (tmp_path / "data").exists()


def test_a_file_is_no_data_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    says = f"kafkapy: cannot use the data directory {file} (is a file, not a directory): name another directory"
    assert refused(capsys, "--data-dir", str(file)) == says


def test_a_directory_in_use_is_not_formatted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = LogStore.open(tmp_path, node_id=1, now_ms=0, fsync=False)
    (tmp_path / "meta.properties").unlink()
    assert "is in use by another broker" in refused(capsys, "--data-dir", str(tmp_path))
    store.close(clean=False)


def test_the_metadata_of_a_cluster_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = tmp_path / "__cluster_metadata-0"
    metadata.mkdir()
    (metadata / f"{0:020d}.log").write_bytes(b"precious")
    line = refused(capsys, "--data-dir", str(tmp_path))
    assert line == f"kafkapy: {metadata} holds the metadata of a cluster: format an empty directory"
    assert [path.name for path in metadata.iterdir()] == [f"{0:020d}.log"]


def test_damaged_meta_properties_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meta.properties").write_bytes(b"version=1\ncluster.id=x\nnode.id=one\n")
    assert refused(capsys, "-g", "--data-dir", str(tmp_path)) == (
        f"kafkapy: {tmp_path}/meta.properties cannot be read (node.id is 'one'): restore it from a copy, or name "
        "another directory"
    )


def test_the_cluster_id_of_the_environment_is_taken_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_ID", CLUSTER_ID)
    assert main(["format", "--data-dir", str(tmp_path / "one")]) == 0
    assert f"cluster.id={CLUSTER_ID}\n" in (tmp_path / "one" / "meta.properties").read_text()
    other = "MkU3OEVBNTcwNTJENDM2Qg"
    assert main(["format", "-t", other, "--data-dir", str(tmp_path / "other")]) == 0
    assert f"cluster.id={other}\n" in (tmp_path / "other" / "meta.properties").read_text()


# -- several nodes

VOTERS = "1@localhost:9093:3Db5QLSqSZieL3rJBUUegA,2@other:9093:Kz0l_VXNQTmFZfDmVVOgSw"
OF_SEVERAL = ["--override", "controller.quorum.bootstrap.servers=localhost:9093,other:9093"]
LISTENERS = ["--override", "listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"]


def membership_in(directory: Path) -> QuorumMembership:
    membership = QuorumMembership(0, ())
    for batch in read_snapshot((directory / FIRST_SNAPSHOT).read_bytes()):
        for record in batch.control_records:
            membership = membership.replay(record)
    return membership


def test_initial_controllers_are_the_voters_each_with_its_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["format", "-t", CLUSTER_ID, "-I", VOTERS, *OF_SEVERAL, *LISTENERS]
    for node_id, kind in (("1", "dynamic metadata voter"), ("2", "dynamic metadata voter"), ("3", "dynamic metadata")):
        directory = tmp_path / node_id
        assert main([*common, "--data-dir", str(directory), "--override", f"node.id={node_id}"]) == 0
        assert capsys.readouterr().out.startswith(f"Formatting {kind} directory {directory} with ")
        membership = membership_in(directory)
        assert membership == membership_in(tmp_path / "1")
        assert membership.kraft_version == 1
        identity = read_identity(directory)
        assert identity is not None
        own = membership.voter(identity.node_id)
        assert (own.directory_id if own is not None else None) == (identity.directory_id if node_id != "3" else None)
    assert [(one.node_id, one.endpoints[0].host) for one in membership.voters] == [(1, "localhost"), (2, "other")]


def test_a_controller_that_comes_to_a_cluster_knows_no_voters(tmp_path: Path) -> None:
    assert main(["format", "-t", "x", "-N", *OF_SEVERAL, *LISTENERS, "--data-dir", str(tmp_path)]) == 0
    assert membership_in(tmp_path) == QuorumMembership(1, ())


def test_a_broker_has_no_metadata_of_its_own(tmp_path: Path) -> None:
    roles = ["--override", "process.roles=broker"]
    assert main(["format", "-t", "x", *roles, *OF_SEVERAL, "--data-dir", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {".lock", "meta.properties"}


def test_nodes_of_several_are_not_formatted_with_an_id_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path / "data"), *LISTENERS]
    assert refused(capsys, *where, *OF_SEVERAL, "-N").startswith("kafkapy: --cluster-id is missing, and this node is ")
    assert refused(capsys, *where, "-I", VOTERS).startswith("kafkapy: --cluster-id is missing, and this node is ")
    assert not (tmp_path / "data").exists()


def test_a_reserved_id_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "-t", "x", "-I", "1@h:9093:AAAAAAAAAAAAAAAAAAAAAQ", "--data-dir", str(tmp_path / "data"))
    assert line.startswith("kafkapy: the directory ID AAAAAAAAAAAAAAAAAAAAAQ is reserved: choose another for node 1, ")


def test_users_of_scram_are_in_the_metadata_of_the_new_cluster(tmp_path: Path) -> None:
    """The keys are those that Apache Kafka's tool makes of the same salt and passwords."""
    credentials = ["SCRAM-SHA-256=[name=alice,salt=N3E=,saltedpassword=YCE=]", "SCRAM-SHA-512=[name=bob,password=x]"]
    assert main(["format", *(f"--add-scram={one}" for one in credentials), "--data-dir", str(tmp_path)]) == 0

    async def stored() -> None:
        async with running_node(tmp_path) as node:
            alice = node.broker.metadata.image.scram_credentials["alice", 1]
            assert (alice.salt, alice.iterations) == (b"7q", 4096)
            assert alice.stored_key[:4] == bytes(byte % 256 for byte in (-24, -19, 126, 121))
            assert alice.server_key[:4] == bytes(byte % 256 for byte in (-51, -17, 17, 77))
            assert len(node.broker.metadata.image.scram_credentials["bob", 2].stored_key) == 64

    trio.run(stored)


@pytest.mark.parametrize(
    "argument",
    [
        "SCRAM-SHA-256=[name=a,password=x,topsecret]",
        "SCRAM-SHA-256=[name=a,password=x,topsecret=y]",
        "SCRAM-SHA-256=[name=a,salt=QQ==,saltedpassword=topsecret!]",
        "SCRAM-SHA-256:[name:a,password:topsecret]",
        "SCRAM-SHA-256=[name=a\udcff,password=topsecret]",
        "SCRAM-SHA-256=[name=a,password=topsecret\udcff]",
    ],
)
def test_a_user_that_cannot_be_read_is_one_line_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    line = refused(capsys, "--add-scram", argument, "--data-dir", str(tmp_path / "data"))
    assert "SCRAM" in line.upper() or "saltedPassword" in line
    assert "topsecret" not in line
    assert not (tmp_path / "data").exists()


def test_ids_are_printed_for_clusters_and_directories(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for _ in range(2):
        assert main(["random-uuid"]) == 0
        printed.append(capsys.readouterr().out.removesuffix("\n"))
    assert len({parse_uuid(text) for text in printed}) == 2
    assert [len(text) for text in printed] == [22, 22]


def test_several_directories_are_formatted_and_one_is_added_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def directories(*names: str) -> list[str]:
        return ["--override", f"log.dirs={','.join(str(tmp_path / name) for name in names)}"]

    def identities(*names: str) -> list[dict[str, str]]:
        files = [tmp_path / name / "meta.properties" for name in names]
        return [dict(line.split("=") for line in file.read_text().splitlines()) for file in files]

    assert main(["format", "-t", "one", *directories("a", "b")]) == 0
    assert capsys.readouterr().out == (
        f"Formatting data directory {tmp_path / 'b'} with metadata.version 4.4-IV2.\n"
        f"Formatting dynamic metadata voter directory {tmp_path / 'a'} with metadata.version 4.4-IV2.\n"
    )
    assert sorted(each.name for each in (tmp_path / "b").iterdir()) == [".lock", "meta.properties"]
    assert refused(capsys, *directories("a", "b", "c")).startswith(
        f"kafkapy: Log directory {tmp_path / 'a'} is already formatted. Use --ignore-formatted"
    )
    assert main(["format", "-g", *directories("a", "b", "c")]) == 0
    assert {each["cluster.id"] for each in identities("a", "b", "c")} == {"one"}
    assert len({each["directory.id"] for each in identities("a", "b", "c")}) == 3
