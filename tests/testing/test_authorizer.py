"""Clusters of the test kit with an authorizer: their nodes may do what nodes have to, clients what ACLs say."""

from __future__ import annotations

import pytest

from kafkapy.testing import Kafka, KafkaNotStarted
from kafkapy.testing.node_principals import node_settings
from kafkapy.testing.options import Options
from kafkapy.testing.users import users_of

SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
}
USERS = {"admin": "secret"}


@pytest.mark.parametrize("security", [{"users": USERS}, {"users": USERS, "tls": True}, {"tls": "mutual"}])
def test_nodes_with_an_authorizer_form_a_cluster_and_replicate(security: dict[str, object]) -> None:
    topics = {"orders": {"replicas": 3, "settings": {"min.insync.replicas": 3}}}
    with Kafka(nodes=3, settings=SETTINGS, topics=topics, **security) as kafka:  # type: ignore[arg-type]
        kafka.produce("orders", "1 tea")
        assert len(kafka.records("orders")) == 1
        assert not [line for line in kafka.log if "Denied" in line]


def test_nodes_that_could_not_form_a_cluster_do_not_start() -> None:
    refused = pytest.raises(KafkaNotStarted, match=r"give users= or tls=, or super.users=User:ANONYMOUS")
    with refused, Kafka(nodes=3, settings=SETTINGS):
        pass


def super_users(options: Options) -> list[str]:
    return node_settings(options).get("super.users", "").split(";")


def test_only_nodes_are_added_to_the_super_users() -> None:
    users = users_of(USERS, ())
    assert node_settings(Options(users=users, tls=True)) == {}, "without an authorizer nobody is asked"
    assert super_users(Options(settings=SETTINGS)) == ["User:admin"], "a node alone asks nobody"
    nodes = ["User:admin", "User:kafkapy-node"]
    assert super_users(Options(settings=SETTINGS, users=users)) == [*nodes, "User:ANONYMOUS"]
    assert super_users(Options(settings=SETTINGS, users=users, tls=True)) == [*nodes, "User:CN=server"]
    assert super_users(Options(settings=SETTINGS, tls=True)) == ["User:admin", "User:CN=server"]
    rules = {"ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/"}
    assert super_users(Options(settings=SETTINGS | rules, tls=True)) == ["User:admin", "User:server"]
    for enough in ({"super.users": "User:ANONYMOUS"}, {"allow.everyone.if.no.acl.found": "true"}):
        assert node_settings(Options(settings=SETTINGS | enough, nodes=3))
