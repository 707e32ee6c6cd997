"""What an administrator asks about ACLs, and every way to ask for it wrongly."""

from __future__ import annotations

from compat_tests.differential.acl_filters import deletion_of, description_of
from compat_tests.differential.acl_numbers import AclOperation, PatternType, PermissionType, ResourceType
from compat_tests.differential.peer import Peer
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest
from kafkapy_wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest

PRINCIPAL = "User:acl-tester"
UNHEARD_OF = 99


def creation(**fields: int | str) -> AclCreation:
    made = AclCreation(
        resource_type=ResourceType.TOPIC,
        resource_name="acl-topic",
        resource_pattern_type=PatternType.LITERAL,
        principal=PRINCIPAL,
        host="*",
        operation=AclOperation.READ,
        permission_type=PermissionType.ALLOW,
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def deletion(**fields: int | str | None) -> DeleteAclsFilter:
    return deletion_of(**{"principal_filter": PRINCIPAL, **fields})


def description(**fields: int | str | None) -> DescribeAclsRequest:
    return description_of(**{"principal_filter": PRINCIPAL, **fields})


def wrong_acls_are_refused(peer: Peer) -> None:
    wrong: dict[str, dict[str, int | str]] = {
        "any type": {"resource_type": ResourceType.ANY},
        "unheard-of type": {"resource_type": UNHEARD_OF},
        "any pattern": {"resource_pattern_type": PatternType.ANY},
        "match": {"resource_pattern_type": PatternType.MATCH},
        "unheard-of pattern": {"resource_pattern_type": UNHEARD_OF},
        "any operation": {"operation": AclOperation.ANY},
        "unheard-of operation": {"operation": UNHEARD_OF},
        "any permission": {"permission_type": PermissionType.ANY},
        "unheard-of permission": {"permission_type": UNHEARD_OF},
        "no name": {"resource_name": ""},
        "no principal": {"principal": "nobody"},
        "empty principal": {"principal": ""},
        "no host": {"host": ""},
        "another cluster": {"resource_type": ResourceType.CLUSTER, "resource_name": "other"},
        "a cluster without name": {"resource_type": ResourceType.CLUSTER, "resource_name": ""},
        "a block that is none": {"host": "10.0.0/8"},
        "a long block": {"host": "10.0.0.0/33"},
        "a block of no address": {"host": "256.0.0.0/8"},
        "an IPv6 block that is none": {"host": "fd00::/129"},
        "an IPv6 block without length": {"host": "fd00::/x"},
        "an IPv6 block of no address": {"host": "fd00::g/8"},
        "unknown type": {"resource_type": 0},
        "negative type": {"resource_type": -1},
        "unknown operation": {"operation": 0},
        "negative operation": {"operation": -1},
        "unknown permission": {"permission_type": 0},
        "unknown pattern": {"resource_pattern_type": 0},
        "a principal without type": {"principal": ":a"},
        "a principal without name": {"principal": "User"},
        "a name of a host": {"host": "localhost"},
        "a prefix of the cluster": {
            "resource_type": ResourceType.CLUSTER,
            "resource_name": "kafka-cluster",
            "resource_pattern_type": PatternType.PREFIXED,
        },
        "an operation of clusters": {"operation": AclOperation.IDEMPOTENT_WRITE},
        "an operation of tokens": {"operation": AclOperation.DESCRIBE_TOKENS},
        "a user without type": {"resource_type": ResourceType.USER, "resource_name": "a"},
        "a name of many lines": {"resource_name": "a\nb"},
        "a prefix of everything": {"resource_name": "*", "resource_pattern_type": PatternType.PREFIXED},
        "a group": {"principal": "Group:a"},
        "a user without name": {"principal": "User:"},
        "a name with colons": {"principal": "User:a:b=c,d"},
        "spaces": {"principal": " User:a", "host": " 10.0.0.1"},
        "all wrong": {"resource_type": ResourceType.ANY, "operation": AclOperation.ANY, "host": ""},
    }
    for label, fields in wrong.items():
        peer.ask(CreateAclsRequest(creations=[creation(**fields)]), 3, label)
    odd = description_of()
    taken = deletion(principal_filter=None)
    for principal in ("Group:a", "User:", "User:a:b=c,d", " User:a"):
        odd.principal_filter = taken.principal_filter = principal
        peer.ask(odd, 3, f"of {principal}")
        peer.ask(DeleteAclsRequest(filters=[taken]), 3, f"of {principal}")
    peer.ask(DeleteAclsRequest(filters=[deletion()]), 3, "odd ones")
    for principal in ("nobody", ""):
        peer.ask(description(principal_filter=principal), 3, f"principal {principal!r}")
        peer.ask(DeleteAclsRequest(filters=[deletion(principal_filter=principal)]), 3, f"principal {principal!r}")
    peer.ask(description(host_filter=""), 3, "no host")
    peer.until(description(), lambda answer: not answer.resources, "no ACLs yet")
    mixed = [creation(), creation(operation=UNHEARD_OF), creation(resource_name="acl-other")]
    peer.ask(CreateAclsRequest(creations=mixed), 3, "one of three is wrong")
    found = description()
    peer.until(found, lambda answer: len(answer.resources) == 2, "two ACLs")
    peer.ask(found, 3, "the others")
    for field in ("resource_type_filter", "pattern_type_filter", "operation", "permission_type"):
        peer.ask(description(**{field: UNHEARD_OF}), 3, f"unheard-of {field}")
        filters = [deletion(**{field: UNHEARD_OF}), deletion(resource_name_filter="nothing")]
        peer.ask(DeleteAclsRequest(filters=filters), 3, f"unheard-of {field}")
    peer.ask(DeleteAclsRequest(filters=[deletion()]), 3, "all")
    peer.until(found, lambda answer: not answer.resources, "no ACLs")


def filters_take_what_they_say(peer: Peer) -> None:
    acls = [
        creation(),
        creation(),
        creation(resource_pattern_type=PatternType.PREFIXED, resource_name="acl-"),
        creation(resource_name="*", operation=AclOperation.ALL, permission_type=PermissionType.DENY),
        creation(resource_type=ResourceType.GROUP, host="10.0.0.0/8"),
        creation(resource_type=ResourceType.USER, resource_name="User:a", operation=AclOperation.CREATE_TOKENS),
        creation(resource_type=ResourceType.TRANSACTIONAL_ID, operation=AclOperation.TWO_PHASE_COMMIT),
        creation(resource_type=ResourceType.DELEGATION_TOKEN, operation=AclOperation.DESCRIBE, host="::1"),
    ]
    peer.ask(CreateAclsRequest(creations=acls), 3, "several")
    peer.ask(CreateAclsRequest(creations=acls), 2, "again")
    peer.until(description(), lambda answer: sum(len(one.acls) for one in answer.resources) == 7, "seven ACLs")
    wanted: dict[str, dict[str, int | str | None]] = {
        "all": {},
        "a topic by name": {"resource_type_filter": ResourceType.TOPIC, "resource_name_filter": "acl-topic"},
        "what matches a name": {"resource_name_filter": "acl-topic", "pattern_type_filter": PatternType.MATCH},
        "what matches any name": {"pattern_type_filter": PatternType.MATCH},
        "prefixes": {"pattern_type_filter": PatternType.PREFIXED},
        "a prefix by name": {"pattern_type_filter": PatternType.PREFIXED, "resource_name_filter": "acl-"},
        "literals by a prefix": {"pattern_type_filter": PatternType.LITERAL, "resource_name_filter": "acl-"},
        "a host": {"host_filter": "10.0.0.0/8"},
        "an operation": {"operation": AclOperation.ALL},
        "a permission": {"permission_type": PermissionType.DENY},
        "an empty name": {"resource_name_filter": ""},
        "nobody": {"principal_filter": "User:nobody"},
    }
    for label, fields in wanted.items():
        peer.ask_versions(description(**fields), label)
    some = [deletion(operation=AclOperation.ALL), deletion(resource_name_filter="*"), deletion(host_filter="::1")]
    peer.ask(DeleteAclsRequest(filters=some), 3, "some, one of them twice")
    peer.until(description(), lambda answer: sum(len(one.acls) for one in answer.resources) == 5, "five ACLs")
    peer.ask(description(), 3, "the rest")
    peer.ask(DeleteAclsRequest(filters=[deletion(), deletion()]), 2, "the rest, twice")
    peer.until(description(), lambda answer: not answer.resources, "no ACLs")
