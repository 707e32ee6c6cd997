"""Add, remove and list ACLs."""

from __future__ import annotations

import sys
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.client.acls import ALL, SUPPORTED
from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_client_settings_arguments, add_ignored, check_principals, run_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from kafkapy.client.acls import Acl, AclFilter
    from kafkapy.client.cluster import Cluster

FAILED = "Error while executing ACL command: "
CLUSTER_NAME = "kafka-cluster"
EVERY_HOST = "*"
_FLAGS = {
    "topic": "TOPIC",
    "group": "GROUP",
    "transactional_id": "TRANSACTIONAL_ID",
    "delegation_token": "DELEGATION_TOKEN",
    "user_principal": "USER",
}
"""Flags, and Kafka's names of the types of resources that they are about; `--cluster` has no name."""
_PATTERNS = {"ANY": 1, "MATCH": 2, "LITERAL": 3, "PREFIXED": 4}
_OPERATIONS = {name.replace("_", "").lower(): name for names in SUPPORTED.values() for name in names}
_NO_RESOURCE = (
    "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or --delegation-token "
    "<Delegation Token ID>"
)


class Resource(NamedTuple):
    """A resource, or with pattern type ANY or MATCH a filter of them."""

    type: str
    name: str
    pattern_type: str

    def __str__(self) -> str:
        return f"ResourcePattern(resourceType={self.type}, name={self.name}, patternType={self.pattern_type})"


class Entry(NamedTuple):
    principal: str
    host: str
    operation: str
    permission: str

    def __str__(self) -> str:
        return (
            f"(principal={self.principal}, host={self.host}, operation={self.operation}, "
            f"permissionType={self.permission})"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bootstrap-server", metavar="HOST:PORT")
    parser.add_argument("--bootstrap-controller", metavar="HOST:PORT")
    add_client_settings_arguments(parser)
    actions = parser.add_mutually_exclusive_group(required=True)
    for action in ("list", "add", "remove"):
        actions.add_argument(f"--{action}", action="store_const", dest="action", const=action)
    for flag in ("topic", "group", "transactional-id", "delegation-token", "user-principal"):
        parser.add_argument(f"--{flag}", action="append", default=[], metavar="NAME")
    parser.add_argument("--cluster", nargs="?", const=CLUSTER_NAME, metavar="NAME")
    parser.add_argument(
        "--resource-pattern-type",
        type=str.upper,
        choices=("ANY", "MATCH", "LITERAL", "PREFIXED"),
        default="LITERAL",
        metavar="TYPE",
        help="literal (the default), prefixed; to list and to remove any or match, too",
    )
    for kind in ("allow", "deny"):
        parser.add_argument(f"--{kind}-principal", action="append", default=[], metavar="User:NAME")
        parser.add_argument(f"--{kind}-host", action="append", default=[], metavar="HOST")
    parser.add_argument("--operation", action="append", default=[], metavar="OPERATION", help="default: All")
    parser.add_argument("--principal", action="append", default=[], metavar="User:NAME", help="whose ACLs are listed")
    parser.add_argument("--producer", action="store_true", help="what a producer needs")
    parser.add_argument("--idempotent", action="store_true", help="with --producer")
    parser.add_argument("--consumer", action="store_true", help="what a consumer needs")
    parser.add_argument("--force", action="store_true", help="ask no questions")
    add_ignored(parser, "--authorizer", "--authorizer-properties", takes_value=True)


def run(arguments: argparse.Namespace) -> int:
    arguments.bootstrap_server = arguments.bootstrap_server or arguments.bootstrap_controller
    return run_tool(arguments, {"list": _list, "add": _add, "remove": _remove}[arguments.action], failed=FAILED)


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import AclFilter, describe_acls

    if arguments.producer or arguments.consumer:
        raise ClientError("--producer and --consumer are for --add and --remove")
    resources: Sequence[Resource | None] = _resources(arguments) or [None]
    for principal in arguments.principal or [None]:
        found = {
            acl
            for resource in resources
            for acl in describe_acls(cluster, _filter(resource) if resource is not None else AclFilter())
            if principal is None or acl.principal == principal
        }
        if principal is not None:
            print(f"ACLs for principal `{principal}`")
        for resource, entries in _by_resource(found).items():
            print(f"Current ACLs for resource `{resource}`:\n{_lines(entries)}\n")
    return 0


def _add(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import create_acls, describe_acls

    if arguments.resource_pattern_type in ("ANY", "MATCH"):
        raise ClientError(
            f"A '--resource-pattern-type' value of '{arguments.resource_pattern_type}' is not valid when adding acls."
        )
    for resource, entries in _wanted(arguments).items():
        if not entries:
            raise ClientError("You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.")
        present = set(_by_resource(describe_acls(cluster, _filter(resource))).get(resource, ()))
        new = [entry for entry in entries if entry not in present]
        for entry in entries:
            if entry in present:
                print(f"Acl (pattern={resource}, entry={entry}) already exists.")
        if new:
            print(f"Adding ACLs for resource `{resource}`: \n {_lines(new)}\n")
            create_acls(cluster, [_acl(resource, entry) for entry in new])
    return 0


def _remove(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import delete_acls

    for resource, entries in _wanted(arguments).items():
        if entries:
            told = f"Are you sure you want to remove ACLs: \n {_lines(entries)}\n from"
        else:
            told = "Are you sure you want to delete all ACLs for"
        if not arguments.force and not _confirmed(f"{told} resource filter `{resource}`? (y/n)"):
            continue
        of_resource = _filter(resource)
        filters = [
            of_resource._replace(
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission_type,
            )
            for acl in (_acl(resource, entry) for entry in entries)
        ]
        delete_acls(cluster, filters or [of_resource])
    return 0


def _confirmed(question: str) -> bool:
    print(question, flush=True)
    return sys.stdin.readline().strip().lower() == "y"


def _resources(arguments: argparse.Namespace) -> list[Resource]:
    found = [
        Resource(kind, name.strip(), arguments.resource_pattern_type)
        for flag, kind in _FLAGS.items()
        for name in getattr(arguments, flag)
    ]
    if arguments.cluster or arguments.idempotent:
        # The cluster has one name: a pattern of others says nothing about it.
        found.append(Resource("CLUSTER", CLUSTER_NAME, "LITERAL"))
    return list(dict.fromkeys(found))


def _wanted(arguments: argparse.Namespace) -> dict[Resource, list[Entry]]:
    """The entries of each resource that the arguments name; none where they say nothing of whom. Raises ClientError."""
    _check_roles(arguments)
    resources = _resources(arguments)
    if not resources:
        raise ClientError(_NO_RESOURCE)
    wanted: dict[Resource, list[Entry]] = {}
    for resource in resources:
        operations = _operations_of_roles(arguments, resource.type)
        if operations is None:
            operations = _asked_operations(arguments, resource.type)
        if operations:
            wanted[resource] = _entries(arguments, operations)
    return wanted


def _check_roles(arguments: argparse.Namespace) -> None:
    """Raises ClientError: the arguments do not go with --producer or --consumer."""
    if arguments.idempotent and not arguments.producer:
        raise ClientError("The --idempotent option is only available if --producer is set")
    if not (arguments.producer or arguments.consumer):
        return
    if arguments.operation or arguments.deny_principal or arguments.deny_host:
        raise ClientError("--producer and --consumer go without --operation, --deny-principal and --deny-host")
    if arguments.producer and not arguments.topic:
        raise ClientError("With --producer you must specify a --topic")
    has_other = arguments.cluster or (arguments.transactional_id and not arguments.producer)
    if arguments.consumer and (not arguments.topic or not arguments.group or has_other):
        raise ClientError(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option "
            "should be specified."
        )


def _operations_of_roles(arguments: argparse.Namespace, kind: str) -> list[str] | None:
    """What producers and consumers need of a resource; None: neither was named."""
    if not (arguments.producer or arguments.consumer):
        return None
    needed: list[str] = []
    if arguments.producer:
        needed += {
            "TOPIC": ["CREATE", "WRITE", "DESCRIBE"],
            "TRANSACTIONAL_ID": ["WRITE", "DESCRIBE"],
            "CLUSTER": ["IDEMPOTENT_WRITE"] if arguments.idempotent else [],
        }.get(kind, [])
    if arguments.consumer:
        needed += {"TOPIC": ["READ", "DESCRIBE"], "GROUP": ["READ"]}.get(kind, [])
    return list(dict.fromkeys(needed))


def _asked_operations(arguments: argparse.Namespace, kind: str) -> list[str]:
    """Raises ClientError: one is none, or not of this type of resource."""
    asked = [_OPERATIONS.get(text.replace("-", "").replace("_", "").lower(), "") for text in arguments.operation]
    if any(operation not in SUPPORTED[kind] for operation in asked):
        raise ClientError(f"ResourceType {kind} only supports operations [{', '.join(SUPPORTED[kind])}]")
    return list(dict.fromkeys(asked)) or [ALL]


def _entries(arguments: argparse.Namespace, operations: Iterable[str]) -> list[Entry]:
    """Raises ClientError: a principal has no type."""
    entries = []
    for permission in ("ALLOW", "DENY"):
        principals = getattr(arguments, f"{permission.lower()}_principal")
        hosts = getattr(arguments, f"{permission.lower()}_host") or [EVERY_HOST]
        check_principals(principals)
        entries += [Entry(*each, permission) for each in product(principals, hosts, operations)]
    return list(dict.fromkeys(entries))


def _filter(resource: Resource) -> AclFilter:
    from kafkapy.client.acls import AclFilter

    numbers = _type_numbers()
    return AclFilter(
        resource_type=numbers[resource.type],
        resource_name=resource.name,
        pattern_type=_PATTERNS[resource.pattern_type],
    )


def _acl(resource: Resource, entry: Entry) -> Acl:
    from kafkapy.client.acls import ALLOW, DENY, OPERATIONS, Acl

    return Acl(
        _type_numbers()[resource.type],
        resource.name,
        _PATTERNS[resource.pattern_type],
        entry.principal,
        entry.host,
        OPERATIONS[entry.operation.lower().replace("_", "-")],
        ALLOW if entry.permission == "ALLOW" else DENY,
    )


def _type_numbers() -> dict[str, int]:
    from kafkapy.client.acls import RESOURCE_TYPES

    return {_as_kafka(words): number for words, number in RESOURCE_TYPES.items()}


def _by_resource(acls: Iterable[Acl]) -> dict[Resource, list[Entry]]:
    found: dict[Resource, list[Entry]] = {}
    for acl in sorted(acls):
        resource = Resource(_as_kafka(acl.resource_words), acl.resource_name, _as_kafka(acl.pattern_words))
        entry = Entry(acl.principal, acl.host, _as_kafka(acl.operation_words), _as_kafka(acl.permission_words))
        found.setdefault(resource, []).append(entry)
    return found


def _as_kafka(words: str) -> str:
    """`transactional-id` -> `TRANSACTIONAL_ID`."""
    return words.replace("-", "_").upper()


def _lines(entries: Iterable[Entry]) -> str:
    return "\n".join(f"\t{entry}" for entry in entries)
