"""Whom an ACL is about, and what no case says that misses operations in turn: regular expressions and descriptions."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.acl_numbers import PatternType, PermissionType, ResourceType
from compat_tests.differential.authorization import CLIENT, AuthorizedPeer, cluster, group, topic
from compat_tests.differential.authorization_controller_cases import CONTROLLER_CASES
from compat_tests.differential.authorization_requests import SHARE_GROUP, A, B, metadata
from compat_tests.differential.peer import ANSWER_TIMEOUT_SECONDS, Connection, api_key_of, versions_of
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
)
from kafkapy_wire.messages.create_acls import AclCreation
from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest

PREFIX = "whom-"
GROUP_OF_PATTERNS = "auth-patterns"


class Rule(NamedTuple):
    """An ACL of the topic of its test."""

    principal: str = "User:ANONYMOUS"
    host: str = CLIENT
    operation: Op = Op.DESCRIBE
    permission: PermissionType = PermissionType.ALLOW
    name: str = ""
    """What comes after the topic's name in its pattern; a name that ends in `~` is a prefix."""


DENIED = PermissionType.DENY
RULES: dict[str, tuple[Rule, ...]] = {
    "user": (Rule(),),
    "everybody": (Rule("User:*"),),
    "lower-case-type": (Rule("user:ANONYMOUS"),),
    "lower-case-name": (Rule("User:anonymous"),),
    "group": (Rule("Group:ANONYMOUS"),),
    "any-group": (Rule("Group:*"),),
    "prefix-of-a-name": (Rule("User:ANON*"),),
    "spaces": (Rule("User: ANONYMOUS"),),
    "any-host": (Rule(host="*"),),
    "block": (Rule(host="127.0.0.0/8"),),
    "host-by-a-block-of-one": (Rule(host="127.0.0.2/32"),),
    "another-block": (Rule(host="127.0.1.0/24"),),
    "name-of-a-host": (Rule(host="localhost"),),
    "mapped-address": (Rule(host="::ffff:127.0.0.2"),),
    "all-operations": (Rule(operation=Op.ALL),),
    **{
        f"by-{operation.name.lower()}": (Rule(operation=operation),)
        for operation in (Op.READ, Op.WRITE, Op.DELETE, Op.ALTER, Op.ALTER_CONFIGS, Op.DESCRIBE_CONFIGS, Op.CREATE)
    },
    "denied": (Rule(), Rule(permission=DENIED)),
    "all-denied": (Rule(), Rule("User:*", "*", Op.ALL, DENIED)),
    "denied-to-a-group": (Rule(), Rule("Group:*", "*", Op.ALL, DENIED)),
    "read-denied": (Rule(operation=Op.READ), Rule(operation=Op.READ, permission=DENIED)),
    "read-denied-describe-allowed": (Rule(), Rule(operation=Op.READ, permission=DENIED)),
    "describe-denied-read-allowed": (Rule(operation=Op.READ), Rule(permission=DENIED)),
    "denied-at-another-host": (Rule(), Rule(host="127.0.0.3", permission=DENIED)),
    "denied-to-a-block": (Rule(), Rule(host="127.0.0.0/30", permission=DENIED)),
    "denied-by-a-prefix": (Rule(), Rule(permission=DENIED, name="~")),
    "allowed-by-a-prefix": (Rule(name="~"),),
    "longer": (Rule(name="er~"),),
}


def acls_are_about_whom_they_name(peer: AuthorizedPeer) -> None:
    creations = [
        AclCreation(
            resource_type=ResourceType.TOPIC,
            resource_name=f"{PREFIX}{label}{rule.name.removesuffix('~')}",
            resource_pattern_type=PatternType.PREFIXED if rule.name.endswith("~") else PatternType.LITERAL,
            principal=rule.principal,
            host=rule.host,
            operation=rule.operation,
            permission_type=rule.permission,
        )
        for label, rules in RULES.items()
        for rule in rules
    ]
    peer.with_acls(creations)
    with peer.as_client() as connection:
        request = metadata(13, *(f"{PREFIX}{label}" for label in RULES), operations=True)
        peer.ask(request, 13, "topics with an ACL each", connection)


def regular_expressions_find_what_may_be_described(peer: AuthorizedPeer) -> None:
    for number, (label, found) in enumerate({"one": [A], "both": [A, B], "none": []}.items()):
        name = f"{GROUP_OF_PATTERNS}-{number}"
        peer.allow(group(Op.READ, name), *(topic(Op.DESCRIBE, each) for each in found))
        with peer.as_client() as connection:
            join = ConsumerGroupHeartbeatRequest(
                group_id=name,
                member_id=f"member-{number}",
                member_epoch=0,
                rebalance_timeout_ms=60_000,
                subscribed_topic_regex="auth-[ab]",
                topic_partitions=[],
            )
            peer.ask(join, 1, f"{label} of two", connection)
            stay = ConsumerGroupHeartbeatRequest(
                group_id=name,
                member_id=f"member-{number}",
                member_epoch=1,
            )
            if found:
                await_assignment(peer, connection, stay, len(found))
        for allowed in ([], [A], [A, B]):
            peer.allow(group(Op.DESCRIBE, name), *(topic(Op.DESCRIBE, each) for each in allowed))
            with peer.as_client() as connection:
                described = ConsumerGroupDescribeRequest(group_ids=[name], include_authorized_operations=True)
                peer.ask(described, 1, f"{label} of two, described by who may see {len(allowed)}", connection)


def await_assignment(
    peer: AuthorizedPeer, connection: Connection, stay: ConsumerGroupHeartbeatRequest, count: int
) -> None:
    """The topics are looked for while the member waits."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
    while True:
        number = connection.post(stay, 1)
        answer: Any = connection.receive(ApiKey.CONSUMER_GROUP_HEARTBEAT, 1, number)
        assert answer.error_code == 0, answer
        stay.member_epoch = answer.member_epoch
        if answer.assignment is not None and len(answer.assignment.topic_partitions) == count:
            stay.topic_partitions = [
                ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=each.topic_id, partitions=each.partitions)
                for each in answer.assignment.topic_partitions
            ]
            peer.ask(stay, 1, "what it has", connection)
            return
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def requests_between_nodes_at_a_broker(peer: AuthorizedPeer) -> None:
    """By a client that may do what nodes do."""
    peer.allow(cluster(Op.CLUSTER_ACTION), cluster(Op.ALTER))
    for case in CONTROLLER_CASES:
        key = api_key_of(case.request())
        if "broker" not in API_VERSIONS[key].listeners:
            with peer.as_client() as connection:
                peer.ask(case.make(versions_of(key)[-1], peer), None, "", connection)


def groups_with_topics_that_may_not_be_described(peer: AuthorizedPeer) -> None:
    for allowed in ([], [A], [A, B]):
        peer.allow(group(Op.READ, SHARE_GROUP), *(topic(Op.DESCRIBE, each) for each in allowed))
        with peer.as_client() as connection:
            described = ShareGroupDescribeRequest(group_ids=[SHARE_GROUP, "x"], include_authorized_operations=True)
            peer.ask(described, 1, f"who may see {len(allowed)}", connection)
