"""A client that has logged in and may do nothing asks for everything; and what there may be very many of."""

from __future__ import annotations

from itertools import cycle

from kafkapy.apis import API_MODULES
from kafkapy_controller.acl import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.api_keys import API_VERSIONS
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from kafkapy_wire.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest, ExpireDelegationTokenResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest, RenewDelegationTokenResponse
from tests.apis.long_arrays import array_paths, request_with
from tests.attack.attacker import Attacker, Login
from tests.attack.scenario import Ground
from tests.attack.secured import MALLORY, SecuredScenario

LISTENER = "SASL_PLAINTEXT"
CREATED_AT_ONCE = 500
TOPICS_AT_ONCE = 1_000


def administrator(ground: Ground) -> Attacker:
    return ground.attacker(listener=LISTENER, login=Login("honest"))


def mallory(ground: Ground) -> Attacker:
    return ground.attacker(listener=LISTENER, login=MALLORY)


def everything(ground: Ground) -> None:
    """Each array of each API with very many entries, none of which is allowed; then all over again, one entry each."""
    for key in API_MODULES:
        version = API_VERSIONS[key].max_version
        for path in array_paths(key):
            for count in (ground.scaled(20_000), 1):
                attacker = mallory(ground)
                frame = attacker.frame(request_with(key, path, count, "honest"), version)
                attacker.answered_or_closed(frame)
                attacker.close()


def unknown_names(ground: Ground) -> None:
    """Names that were never asked for before, of 32 kB each; and topics that are there and not told."""
    attacker, admin = mallory(ground), administrator(ground)
    for number in range(ground.scaled(200)):
        topics = [MetadataRequestTopic(name=f"{number}-{index}-{'x' * 32_000}") for index in range(200)]
        answer = attacker.ask(MetadataRequest(topics=topics), MetadataResponse, 12)
        assert {topic.error_code for topic in answer.topics} == {ErrorCode.TOPIC_AUTHORIZATION_FAILED}
    names = [f"secret-{number}" for number in range(ground.scaled(5_000))]
    for start in range(0, len(names), TOPICS_AT_ONCE):
        made = [
            CreatableTopic(name=name, num_partitions=1, replication_factor=1)
            for name in names[start : start + TOPICS_AT_ONCE]
        ]
        created = admin.ask(CreateTopicsRequest(topics=made, timeout_ms=60_000), CreateTopicsResponse, 7)
        assert {topic.error_code for topic in created.topics} == {ErrorCode.NONE}
    for _ in range(ground.scaled(100)):
        assert not attacker.ask(MetadataRequest(topics=None), MetadataResponse, 12).topics
        topics = [MetadataRequestTopic(name=name) for name in names]
        asked = MetadataRequest(topics=topics, include_topic_authorized_operations=True)
        answer = attacker.ask(asked, MetadataResponse, 12)
        assert {topic.error_code for topic in answer.topics} == {ErrorCode.TOPIC_AUTHORIZATION_FAILED}


def creation(number: int, *, user: str | None = None) -> AclCreation:
    """An ACL of another user; its pattern is a name, a prefix, or everything."""
    pattern, name = [
        (PatternType.LITERAL, f"topic-{number}"),
        (PatternType.PREFIXED, f"{'p' * (number % 200 + 1)}-{number}"),
        (PatternType.LITERAL, "*"),
    ][number % 3]
    return AclCreation(
        resource_type=ResourceType.TOPIC,
        resource_name=name,
        resource_pattern_type=pattern,
        principal=f"User:{user or number}",
        host="*" if number % 7 else "10.0.0.0/8",
        operation=AclOperation.READ,
        permission_type=PermissionType.ALLOW if number % 5 else PermissionType.DENY,
    )


def anything(**names: str) -> dict[str, object]:
    return {
        "resource_name_filter": None,
        "principal_filter": None,
        "host_filter": None,
        "resource_type_filter": ResourceType.ANY,
        "pattern_type_filter": PatternType.ANY,
        "operation": AclOperation.ANY,
        "permission_type": PermissionType.ANY,
        **names,
    }


def many_acls(ground: Ground) -> None:
    """Refused to who may not; made by who may, until there are too many at once; then looked for and decided by."""
    attacker, admin = mallory(ground), administrator(ground)
    count = ground.scaled(20_000)
    creations = [creation(number) for number in range(count)]
    refused = attacker.ask(CreateAclsRequest(creations=creations), CreateAclsResponse, 3)
    assert {each.error_code for each in refused.results} == {ErrorCode.CLUSTER_AUTHORIZATION_FAILED}
    too_many = CreateAclsRequest(creations=[creation(number) for number in range(10_001)])
    codes = {each.error_code for each in admin.ask(too_many, CreateAclsResponse, 3).results}
    assert codes == {ErrorCode.POLICY_VIOLATION}
    for start in range(0, count, CREATED_AT_ONCE):
        some = creations[start : start + CREATED_AT_ONCE]
        created = admin.ask(CreateAclsRequest(creations=some), CreateAclsResponse, 3)
        assert {each.error_code for each in created.results} == {ErrorCode.NONE}, created
    for number in range(ground.scaled(100)):
        filters = anything() if number % 2 else anything(principal_filter="User:7", host_filter="*")
        described = admin.ask(DescribeAclsRequest(**filters), DescribeAclsResponse, 3)  # type: ignore[arg-type]
        assert len(described.resources) > 1 or number % 2 == 0
        denied = attacker.ask(DescribeAclsRequest(**filters), DescribeAclsResponse, 3)  # type: ignore[arg-type]
        assert denied.error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        topics = [MetadataRequestTopic(name=f"{'p' * 180}-{number}-{index}") for index in range(1_000)]
        answer = attacker.ask(MetadataRequest(topics=topics), MetadataResponse, 12)
        assert {topic.error_code for topic in answer.topics} == {ErrorCode.TOPIC_AUTHORIZATION_FAILED}
    everything_there = DeleteAclsFilter(**anything())  # type: ignore[arg-type]
    asked = DeleteAclsRequest(filters=[everything_there] * ground.scaled(200))
    denied_deletion = attacker.ask(asked, DeleteAclsResponse, 3)
    codes = {each.error_code for each in denied_deletion.filter_results}
    assert codes == {ErrorCode.CLUSTER_AUTHORIZATION_FAILED}


def many_tokens(ground: Ground) -> None:
    """Each user may have tokens, without any right: as many as it likes, and with very many renewers."""
    attacker, other = mallory(ground), administrator(ground)
    request = CreateDelegationTokenRequest(max_lifetime_ms=-1)
    for _ in range(ground.scaled(2_000)):
        created = attacker.ask(request, CreateDelegationTokenResponse, 3)
        assert created.error_code == ErrorCode.NONE, created
    renewers = [CreatableRenewers(principal_type="User", principal_name=f"renewer-{number}") for number in range(5_000)]
    for _ in range(ground.scaled(20)):
        long = CreateDelegationTokenRequest(renewers=renewers, max_lifetime_ms=-1)
        assert attacker.ask(long, CreateDelegationTokenResponse, 3).error_code == ErrorCode.NONE
    huge = [CreatableRenewers(principal_type="User", principal_name="x" * 30_000)] * 300
    beyond = CreateDelegationTokenRequest(renewers=huge, max_lifetime_ms=-1)
    refused = attacker.ask(beyond, CreateDelegationTokenResponse, 3)
    assert refused.error_code == ErrorCode.RECORD_LIST_TOO_LARGE, refused
    for number, key in zip(range(ground.scaled(4_000)), cycle((b"", b"x" * 64, b"x" * 100_000))):
        renewed = other.ask(RenewDelegationTokenRequest(hmac=key), RenewDelegationTokenResponse, 2)
        assert renewed.error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND, renewed
        expired = other.ask(
            ExpireDelegationTokenRequest(hmac=key, expiry_time_period_ms=-number), ExpireDelegationTokenResponse, 2
        )
        assert expired.error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND, expired
    for _ in range(ground.scaled(20)):
        told = attacker.ask(DescribeDelegationTokenRequest(owners=None), DescribeDelegationTokenResponse, 3)
        assert len(told.tokens) == ground.scaled(2_000) + ground.scaled(20)
    for number in range(ground.scaled(2_000)):
        stranger = Attacker(ground.broker.port_of(LISTENER))
        token_id = told.tokens[number % len(told.tokens)].token_id if number % 2 else f"none-{number}"
        first = f"n,,n={token_id},r=fyko+d2lbbFgONRv9qkxdawL,tokenauth=true"
        assert stranger.authenticate("SCRAM-SHA-256", first.encode()).error_code == ErrorCode.NONE
        stranger.close()


SCENARIOS = [
    SecuredScenario(
        "everything that is not allowed",
        "20,000 entries in each array of each API, by a client without rights",
        everything,
        cpu_seconds_max=12,
        memory_mb_max=150,
        log_kb_max=60,
        log_level="info",
    ),
    SecuredScenario(
        "names of what is not allowed",
        "40,000 of 32 kB each, and 5,000 topics that a client may not see",
        unknown_names,
        cpu_seconds_max=5,
        memory_mb_max=200,
    ),
    SecuredScenario(
        "very many ACLs",
        "20,000, made, refused, described, and decided by",
        many_acls,
        cpu_seconds_max=8,
        memory_mb_max=150,
    ),
    SecuredScenario(
        "very many delegation tokens",
        "2,000 of a client without rights, 20 with 5,000 renewers each, and guesses",
        many_tokens,
        cpu_seconds_max=5,
        memory_mb_max=120,
    ),
]
