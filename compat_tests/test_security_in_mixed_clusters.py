"""A secured cluster of Apache Kafka 4.4.0 and kafkapy: what one kind writes about users, ACLs, tokens and quotas holds
at the other, and requests that are forwarded to a controller of either kind are decided for the user who sent them.

Everything has SASL_SSL, brokers log in at one another by SCRAM, and controllers by PLAIN. Node 1 is Apache Kafka's. The
cluster is shared by all tests: each has topics and users of its own.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat_tests import client_login
from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.looking import OPERATOR, controller_of
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.secured import format_options, secured
from compat_tests.deadlines import eventually
from compat_tests.differential.acl_filters import deletion_of, description_of
from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.acl_numbers import PatternType, PermissionType, ResourceType
from compat_tests.differential.peer import Connection, ConnectionClosed, api_key_of, versions_of
from compat_tests.tools import need
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages import alter_client_quotas as w_quotas
from kafkapy_wire.messages import alter_user_scram_credentials as w_scram
from kafkapy_wire.messages import create_acls as w_acls
from kafkapy_wire.messages import create_delegation_token as w_create_token
from kafkapy_wire.messages import create_topics as w_create
from kafkapy_wire.messages import delete_acls as w_delete_acls
from kafkapy_wire.messages import describe_client_quotas as w_describe_quotas
from kafkapy_wire.messages import describe_cluster as w_cluster
from kafkapy_wire.messages import describe_configs as w_configs
from kafkapy_wire.messages import describe_delegation_token as w_describe_tokens
from kafkapy_wire.messages import describe_user_scram_credentials as w_describe_scram
from kafkapy_wire.messages import expire_delegation_token as w_expire_token
from kafkapy_wire.messages import find_coordinator as w_find
from kafkapy_wire.messages import incremental_alter_configs as w_alter
from kafkapy_wire.messages import init_producer_id as w_producer
from kafkapy_wire.messages import list_groups as w_groups
from kafkapy_wire.messages import metadata as w_metadata
from kafkapy_wire.messages import offset_fetch as w_offsets
from kafkapy_wire.messages import produce as w_produce
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.sasl import scram

APACHE, OURS = 1, (2, 3)
NODES = (APACHE, *OURS)
USERS = (OPERATOR, "alice", "bob", "carol", "dora")
TOPIC_PREFIX = "alice-"
DENIED = "alice-denied"
SHA_256 = 1
HOUR_MS = 3_600_000
ANSWER_SECONDS = 60.0
SWITCHES_MAX = 40


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    need(jar_directory)
    directory = tmp_path_factory.mktemp("secured")
    with secured(directory / "certificates") as settings:
        more = {
            "delegation.token.secret.key": "the secret of all nodes",
            "connection.failed.authentication.delay.ms": "10",
        }
        made = ClusterProcesses(
            directory / "nodes", 3, apache=[APACHE], settings={**settings, **more}, format_options=format_options(USERS)
        )
        with made:
            yield made
            assert not made.bugs(), made.bugs()


class Asking:
    """Asks brokers of the cluster as users."""

    def __init__(self, cluster: ClusterProcesses) -> None:
        self.cluster = cluster

    def connection(self, node_id: int, user: str) -> Connection:
        place = self.cluster.nodes[node_id].place
        return client_login.raw_connection(user, place.host, place.port, patience=ANSWER_SECONDS)

    def __call__(self, node_id: int, user: str, request: Message, version: int | None = None) -> Any:
        connection = self.connection(node_id, user)
        try:
            key = api_key_of(request)
            used = versions_of(key)[-1] if version is None else version
            return connection.receive(key, used, connection.post(request, used))
        finally:
            connection.close()


@pytest.fixture
def ask(cluster: ClusterProcesses) -> Asking:
    return Asking(cluster)


def creation(user: str, kind: int, name: str, operation: int, *, prefixed: bool = False, deny: bool = False) -> Any:
    return w_acls.AclCreation(
        resource_type=kind,
        resource_name=name,
        resource_pattern_type=PatternType.PREFIXED if prefixed else PatternType.LITERAL,
        principal=f"User:{user}",
        host="*",
        operation=operation,
        permission_type=PermissionType.DENY if deny else PermissionType.ALLOW,
    )


def create_acls(ask: Asking, node_id: int, *creations: Any) -> None:
    answer = ask(node_id, OPERATOR, w_acls.CreateAclsRequest(creations=list(creations)))
    assert [each.error_code for each in answer.results] == [0] * len(creations)


def acls_of(ask: Asking, node_id: int, user: str) -> set[tuple[object, ...]]:
    request = description_of(principal_filter=f"User:{user}")
    answer = ask(node_id, OPERATOR, request)
    assert not answer.error_code, answer
    return {
        (
            *(found.resource_type, found.resource_name, found.pattern_type),
            *(acl.principal, acl.host, acl.operation, acl.permission_type),
        )
        for found in answer.resources
        for acl in found.acls
    }


def until_all_have(ask: Asking, user: str, count: int) -> None:
    seen: list[set[tuple[object, ...]]] = []

    def same() -> bool:
        seen[:] = [acls_of(ask, node_id, user) for node_id in NODES]
        return len(seen[0]) == count and all(each == seen[0] for each in seen)

    try:
        eventually(same, f"the {count} ACLs of {user} are the same on all brokers")
    except AssertionError as error:
        error.add_note(f"by node: {dict(zip(NODES, seen, strict=False))}")
        raise


def new_topic(name: str) -> Message:
    return w_create.CreateTopicsRequest(
        topics=[w_create.CreatableTopic(name=name, num_partitions=3, replication_factor=3)], timeout_ms=20_000
    )


def altered(topic: str) -> Message:
    resource = w_alter.AlterConfigsResource(
        resource_type=ResourceType.TOPIC,
        resource_name=topic,
        configs=[w_alter.AlterableConfig(name="retention.ms", config_operation=0, value="1000000")],
    )
    return w_alter.IncrementalAlterConfigsRequest(resources=[resource])


def quota(user: str, name: str, value: float, *, remove: bool = False) -> Message:
    return w_quotas.AlterClientQuotasRequest(
        entries=[
            w_quotas.AlterClientQuotasRequestEntryData(
                entity=[w_quotas.AlterClientQuotasRequestEntityData(entity_type="user", entity_name=user)],
                ops=[w_quotas.OpData(key=name, value=value, remove=remove)],
            )
        ]
    )


def grant_alice(ask: Asking) -> None:
    """Half of it through a broker of each kind."""
    create_acls(
        ask,
        APACHE,
        creation("alice", ResourceType.TOPIC, TOPIC_PREFIX, Op.ALL, prefixed=True),
        creation("alice", ResourceType.GROUP, "alice-group", Op.READ),
    )
    create_acls(
        ask,
        OURS[0],
        creation("alice", ResourceType.TOPIC, DENIED, Op.ALL, deny=True),
        creation("alice", ResourceType.TRANSACTIONAL_ID, "alice-tx", Op.WRITE),
        creation("alice", ResourceType.CLUSTER, "kafka-cluster", Op.DESCRIBE),
    )
    until_all_have(ask, "alice", 5)


REQUESTS: dict[str, Callable[[], Message]] = {
    "metadata": lambda: w_metadata.MetadataRequest(
        topics=[w_metadata.MetadataRequestTopic(name=name) for name in ("alice-1", DENIED, "other")],
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=True,
    ),
    "all metadata": lambda: w_metadata.MetadataRequest(topics=None, allow_auto_topic_creation=False),
    "authorized operations of the cluster": lambda: w_cluster.DescribeClusterRequest(
        include_cluster_authorized_operations=True
    ),
    "settings": lambda: w_configs.DescribeConfigsRequest(
        resources=[
            w_configs.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=[])
            for kind, name in ((2, "alice-1"), (2, DENIED), (2, "other"), (4, "1"))
        ]
    ),
    "coordinators": lambda: w_find.FindCoordinatorRequest(key_type=0, coordinator_keys=["other-group"]),
    "coordinator of another transaction": lambda: w_find.FindCoordinatorRequest(
        key_type=1, coordinator_keys=["other-tx"]
    ),
    "groups": lambda: w_groups.ListGroupsRequest(),
    "offsets": lambda: w_offsets.OffsetFetchRequest(
        groups=[w_offsets.OffsetFetchRequestGroup(group_id="other-group", topics=None)]
    ),
    "a producer": lambda: w_producer.InitProducerIdRequest(transactional_id="other-tx", transaction_timeout_ms=1_000),
    "topics": lambda: w_create.CreateTopicsRequest(
        topics=[
            w_create.CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in ("other", DENIED)
        ],
        timeout_ms=5_000,
        validate_only=True,
    ),
    "changed settings": lambda: altered("other"),
    "quotas": lambda: quota("alice", "producer_byte_rate", 1.0),
    "seen quotas": lambda: w_describe_quotas.DescribeClientQuotasRequest(),
    "ACLs": lambda: w_acls.CreateAclsRequest(creations=[creation("alice", ResourceType.TOPIC, "other", Op.READ)]),
    "deleted ACLs": lambda: w_delete_acls.DeleteAclsRequest(filters=[deletion_of()]),
    "seen ACLs": description_of,
    "users": lambda: w_describe_scram.DescribeUserScramCredentialsRequest(users=None),
}


STATES = ("brokers", "configs", "nodes", "replica_nodes", "isr_nodes", "offline_replicas")
"""Lists of which an authorizer has decided nothing; they change while they are compared."""


def decisions(answer: object) -> object:
    """What an authorizer has decided: error codes, authorized operations, and whose they are."""
    if isinstance(answer, list):
        return sorted((decisions(each) for each in answer), key=repr)
    fields = getattr(answer, "__fields__", None)
    if fields is None:
        return None
    found: dict[str, object] = {}
    for field in fields:
        value = getattr(answer, field.name)
        if field.name.endswith(("error_code", "authorized_operations")) or (
            isinstance(value, str) and field.name in ("name", "resource_name", "key", "group_id")
        ):
            found[field.name] = value
        elif isinstance(value, list) and field.name not in STATES:
            found[field.name] = decisions(value)
    return found


def until_another_leads(cluster: ClusterProcesses, leader: int) -> None:
    eventually(lambda: controller_of(cluster.bootstrap) != leader, "another controller is active")


def make_active(cluster: ClusterProcesses, *, apache: bool) -> None:
    """The active controller is of this kind."""
    for _ in range(SWITCHES_MAX):
        leader = controller_of(cluster.bootstrap)
        if (leader == APACHE) is apache:
            return
        cluster.nodes[leader].stop()
        until_another_leads(cluster, leader)
        cluster.nodes[leader].start()
    pytest.fail(f"the active controller has not become one of {'Apache Kafka' if apache else 'kafkapy'}")


def until_in_sync(ask: Asking, *topics: str) -> None:
    """Every broker knows these topics, and that all replicas are in sync."""

    def seen(node_id: int) -> dict[str, bool]:
        return {
            each.name: all(partition.error_code == 0 and len(partition.isr_nodes) == 3 for partition in each.partitions)
            for each in ask(node_id, OPERATOR, REQUESTS["all metadata"]()).topics
        }

    eventually(
        lambda: all(all(found.get(name) for name in topics) for found in map(seen, NODES)),
        "all brokers have all replicas in sync",
    )


def test_the_same_acls_decide_the_same_on_brokers_and_controllers_of_both_kinds(
    cluster: ClusterProcesses, ask: Asking
) -> None:
    """Each forwards to the active controller what it does not decide itself: a controller of either kind decides it for
    alice, and not for the node that has sent it."""
    grant_alice(ask)
    made = 0
    for name in ("alice-1", DENIED, "other"):
        assert ask(APACHE, OPERATOR, new_topic(name)).topics[0].error_code == 0
    for apache in (controller_of(cluster.bootstrap) == APACHE, controller_of(cluster.bootstrap) != APACHE):
        make_active(cluster, apache=apache)
        until_in_sync(ask, "alice-1", DENIED, "other")
        kind = "Apache Kafka" if apache else "kafkapy"
        for what, request in REQUESTS.items():
            theirs, ours = (decisions(ask(node_id, "alice", request())) for node_id in (APACHE, OURS[0]))
            assert "error_code" in repr(theirs)
            assert ours == theirs, f"{what}, while {kind} has the active controller"
        for node_id in NODES:
            made += 1
            allowed = ask(node_id, "alice", new_topic(f"alice-made-{made}")).topics[0]
            assert allowed.error_code == ErrorCode.NONE, (node_id, kind, allowed)
            refused = ask(node_id, "alice", new_topic(f"mallory-{made}")).topics[0]
            assert refused.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED, (node_id, kind)
            assert ask(node_id, "alice", altered("alice-1")).responses[0].error_code == ErrorCode.NONE, (node_id, kind)
            for not_hers, code in (
                (altered("other"), ErrorCode.TOPIC_AUTHORIZATION_FAILED),
                (altered(DENIED), ErrorCode.TOPIC_AUTHORIZATION_FAILED),
            ):
                assert ask(node_id, "alice", not_hers).responses[0].error_code == code, (node_id, kind)
            answer = ask(node_id, "alice", quota("alice", "producer_byte_rate", 1.0))
            assert answer.entries[0].error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED, (node_id, kind)
    for node_id in (APACHE, OURS[0]):
        assert len(acls_of(ask, node_id, "alice")) == 5, "nothing that was refused was done"


def test_acls_that_one_kind_deletes_are_gone_at_the_other(ask: Asking) -> None:
    for node_id in (APACHE, OURS[0]):
        create_acls(ask, node_id, creation("bob", ResourceType.TOPIC, f"bob-{node_id}", Op.READ))
    until_all_have(ask, "bob", 2)
    for node_id, other in ((APACHE, OURS[0]), (OURS[0], APACHE)):
        gone = w_delete_acls.DeleteAclsFilter(
            resource_type_filter=ResourceType.TOPIC,
            resource_name_filter=f"bob-{other}",
            pattern_type_filter=PatternType.LITERAL,
            principal_filter="User:bob",
            host_filter=None,
            operation=Op.ANY,
            permission_type=PermissionType.ANY,
        )
        answer = ask(node_id, OPERATOR, w_delete_acls.DeleteAclsRequest(filters=[gone]))
        assert len(answer.filter_results[0].matching_acls) == 1
    until_all_have(ask, "bob", 0)


def upsertion(user: str, password: str) -> Message:
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, scram.ITERATIONS_MIN)
    change = w_scram.ScramCredentialUpsertion(
        name=user, mechanism=SHA_256, iterations=scram.ITERATIONS_MIN, salt=salt, salted_password=salted
    )
    return w_scram.AlterUserScramCredentialsRequest(upsertions=[change])


def logs_in(ask: Asking, node_id: int, user: str, password: str, *, is_token: bool = False) -> bool:
    place = ask.cluster.nodes[node_id].place
    try:
        client_login.raw_connection(
            user, place.host, place.port, patience=ANSWER_SECONDS, password=password, is_token=is_token
        ).close()
    except ConnectionClosed:
        return False
    return True


def until_login(
    ask: Asking, node_id: int, user: str, password: str, *, works: bool = True, is_token: bool = False
) -> None:
    eventually(
        lambda: logs_in(ask, node_id, user, password, is_token=is_token) is works,
        f"{user} {'logs in' if works else 'is refused'} at node {node_id}",
    )


def test_users_that_one_kind_has_changed_log_in_at_the_other(ask: Asking) -> None:
    for node_id, password in ((APACHE, "from Apache Kafka"), (OURS[0], "from kafkapy"), (OURS[1], "again")):
        answer = ask(node_id, OPERATOR, upsertion("carol", password))
        assert answer.results[0].error_code == 0, answer
        for at in NODES:
            until_login(ask, at, "carol", password)
            assert not logs_in(ask, at, "carol", "wrong")
            assert not logs_in(ask, at, "carol", client_login.password_of("carol")), "the one before"
    gone = w_scram.ScramCredentialDeletion(name="carol", mechanism=SHA_256)
    answer = ask(OURS[0], OPERATOR, w_scram.AlterUserScramCredentialsRequest(deletions=[gone]))
    assert answer.results[0].error_code == 0
    for at in NODES:
        until_login(ask, at, "carol", "again", works=False)


def test_delegation_tokens_of_one_kind_are_taken_by_the_other(ask: Asking) -> None:
    for node_id in (APACHE, OURS[0]):
        create = w_create_token.CreateDelegationTokenRequest(max_lifetime_ms=HOUR_MS)
        token = ask(node_id, "dora", create)
        assert not token.error_code, token
        password = scram.base64_text(token.hmac)
        for at in NODES:
            until_login(ask, at, token.token_id, password, is_token=True)
            assert not logs_in(ask, at, token.token_id, "wrong", is_token=True)
            seen = ask(at, "dora", w_describe_tokens.DescribeDelegationTokenRequest(owners=None))
            found = {each.token_id: each for each in seen.tokens}[token.token_id]
            assert (found.hmac, found.principal_name) == (token.hmac, "dora")
            assert (found.issue_timestamp, found.max_timestamp) == (token.issue_timestamp_ms, token.max_timestamp_ms)
        other = OURS[1] if node_id == APACHE else APACHE
        expired = ask(
            other, "dora", w_expire_token.ExpireDelegationTokenRequest(hmac=token.hmac, expiry_time_period_ms=-1)
        )
        assert not expired.error_code, expired
        for at in NODES:
            until_login(ask, at, token.token_id, password, works=False, is_token=True)


def quotas_at(ask: Asking, node_id: int) -> object:
    component = w_describe_quotas.ComponentData(entity_type="user", match_type=0, match="dora")
    answer = ask(node_id, OPERATOR, w_describe_quotas.DescribeClientQuotasRequest(components=[component], strict=False))
    assert not answer.error_code, answer
    return sorted((value.key, value.value) for entry in answer.entries or () for value in entry.values)


def until_quotas(ask: Asking, node_id: int, wanted: object) -> None:
    eventually(lambda: quotas_at(ask, node_id) == wanted, f"node {node_id} has the quotas {wanted}")


def test_quotas_that_one_kind_has_set_hold_at_the_other(ask: Asking) -> None:
    create_acls(ask, OURS[1], creation("dora", ResourceType.TOPIC, "dora-topic", Op.WRITE))
    until_all_have(ask, "dora", 1)
    topic = w_create.CreatableTopic(
        name="dora-topic",
        num_partitions=-1,
        replication_factor=-1,
        assignments=[
            w_create.CreatableReplicaAssignment(partition_index=index, broker_ids=[node_id])
            for index, node_id in enumerate((APACHE, OURS[0]))
        ],
        configs=[w_create.CreatableTopicConfig(name="min.insync.replicas", value="1")],
    )
    answer = ask(APACHE, OPERATOR, w_create.CreateTopicsRequest(topics=[topic], timeout_ms=20_000))
    assert answer.topics[0].error_code == 0, answer
    for node_id, value in ((APACHE, 2_000.0), (OURS[0], 1_000.0)):
        answer = ask(node_id, OPERATOR, quota("dora", "producer_byte_rate", value))
        assert answer.entries[0].error_code == 0
        for at in NODES:
            until_quotas(ask, at, [("producer_byte_rate", value)])
        for index, at in enumerate((APACHE, OURS[0])):
            assert throttled_ms(ask, at, index) > 0, (
                f"node {at} throttles by the quota that node {node_id} was asked for"
            )
    answer = ask(OURS[1], OPERATOR, quota("dora", "producer_byte_rate", 0.0, remove=True))
    assert answer.entries[0].error_code == 0
    for at in NODES:
        until_quotas(ask, at, [])


def throttled_ms(ask: Asking, node_id: int, partition: int) -> int:
    """Of a record that is too large for the quota."""
    records = build_batch([NewRecord(int(time.time() * 1_000), None, bytes(20_000))])
    data = w_produce.PartitionProduceData(index=partition, records=records)
    request = w_produce.ProduceRequest(
        acks=1, timeout_ms=10_000, topic_data=[w_produce.TopicProduceData(name="dora-topic", partition_data=[data])]
    )

    def answered() -> Any:
        answer = ask(node_id, "dora", request, 9)
        return answer if not answer.responses[0].partition_responses[0].error_code else None

    return int(eventually(answered, f"node {node_id} leads dora-topic-{partition}").throttle_time_ms)
