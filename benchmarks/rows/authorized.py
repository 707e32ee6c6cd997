"""The requests of `pipeline` with an authorizer that has 10,000 ACLs, of which the client needs one."""

from __future__ import annotations

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow
from benchmarks.peers import Broker
from benchmarks.raw_client import Connection, UnexpectedAnswer
from benchmarks.rows.pipeline import IN_FLIGHT, produce_pipelined
from kafkapy_controller.acl import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse

ACLS = 10_000
ACLS_AT_ONCE = 1_000
CREATE_ACLS_VERSION = 3
CLIENT = "User:ANONYMOUS"
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Of what no ACL is about, everybody may do all: topics and ACLs are made without a user who logs in.
    "allow.everyone.if.no.acl.found": "true",
}
RATE = Metric(
    "authorized_per_second", f"One-record produces, {IN_FLIGHT} in flight, {ACLS:,} ACLs", "req/s", Better.HIGHER
)
CPU = Metric("authorized_cpu_us", "... broker CPU for each", "µs")


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    others = [_acl(f"topic-{number}", f"User:user-{number % 100}") for number in range(ACLS)]
    for start in range(0, ACLS, ACLS_AT_ONCE):
        _create(broker, others[start : start + ACLS_AT_ONCE])
    _produce(broker, topic, scale.warm_up_requests)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    seconds, cpu_seconds = _produce(broker, topic, scale.pipelined_requests)
    return {
        RATE.key: scale.pipelined_requests / seconds,
        CPU.key: cpu_seconds / scale.pipelined_requests * 1e6,
    }


def _produce(broker: Broker, topic: str, count: int) -> tuple[float, float]:
    _create(broker, [_acl(topic, CLIENT)])
    return produce_pipelined(broker, topic, count)


def _acl(topic: str, principal: str) -> AclCreation:
    return AclCreation(
        resource_type=ResourceType.TOPIC,
        resource_name=topic,
        resource_pattern_type=PatternType.LITERAL,
        principal=principal,
        host="*",
        operation=AclOperation.ALL,
        permission_type=PermissionType.ALLOW,
    )


def _create(broker: Broker, acls: list[AclCreation]) -> None:
    with Connection(broker.address) as connection:
        request = CreateAclsRequest(creations=acls)
        answer = connection.call(ApiKey.CREATE_ACLS, request, CREATE_ACLS_VERSION, CreateAclsResponse)
    if any(result.error_code for result in answer.results):
        raise UnexpectedAnswer(f"CreateAcls: {answer.results[0]}")


AUTHORIZED = SteadyRow(
    name="authorized",
    metrics=(RATE, CPU),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.CREATE_ACLS}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=120.0,
    settings=SETTINGS,
)
