"""`kafkapy acls`: who may do what, for a broker with an authorizer."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    counted,
    print_json,
    print_table,
    wants_json,
)

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.acls import Acl, AclFilter
    from kafkapy.client.cluster import Cluster

OPERATIONS = (
    *("all", "read", "write", "create", "delete", "alter", "describe", "cluster-action", "describe-configs"),
    *("alter-configs", "idempotent-write", "create-tokens", "describe-tokens", "two-phase-commit"),
)
RESOURCES = {
    "topic": "a topic",
    "group": "a group",
    "transactional-id": "a transactional id",
    "delegation-token": "a delegation token, by its id",
    "user": "a user whose delegation tokens others make or see",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy acls`."""
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="acls_command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="show ACLs")
    add_json_argument(listing)
    add = commands.add_parser("add", help="allow or deny something")
    remove = commands.add_parser("remove", help="remove the ACLs that these options describe")
    remove.add_argument("--all", action="store_true", help="every ACL, where no option says which")
    for command in (listing, add, remove):
        who = command.add_mutually_exclusive_group(required=command is add)
        who.add_argument("--allow", action="append", metavar="PRINCIPAL", help="such as User:alice; User:* is all")
        who.add_argument("--deny", action="append", metavar="PRINCIPAL", help="denying goes before allowing")
        what = command.add_mutually_exclusive_group(required=command is add)
        for kind in RESOURCES:
            what.add_argument(
                f"--{kind}", action="append", metavar="NAME", help=f"{RESOURCES[kind]}; * is every one; may be repeated"
            )
        what.add_argument("--cluster", action="store_true", help="the cluster itself")
        command.add_argument("--prefixed", action="store_true", help="all whose names begin with NAME")
        command.add_argument(
            "--operation",
            "-o",
            choices=OPERATIONS,
            action="append",
            metavar="O",
            required=command is add,
            help=f"{', '.join(OPERATIONS)}; several with -o read -o write"
            + (" (default: any)" if command is not add else ""),
        )
        command.add_argument("--host", metavar="H", help="from this address, or block of addresses (default: any)")
        add_connection_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.acls_command
    body = {"list": _list, "add": _add, "remove": _remove}[command]
    return run_command(f"acls {command}", arguments, body)


def _resources(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Kind and name of those that the options name, once each. Raises ClientError."""
    from kafkapy.client.errors import ClientError

    if arguments.cluster:
        if arguments.prefixed:
            raise ClientError("--prefixed is for names, and the cluster has none: leave it out")
        return [("cluster", "kafka-cluster")]
    for kind in RESOURCES:
        names = getattr(arguments, kind.replace("-", "_"))
        if names:
            return [(kind, name) for name in dict.fromkeys(names)]
    return []


def _principals(arguments: argparse.Namespace) -> list[str]:
    """Those of --allow or --deny, once each. Raises ClientError: one has no type."""
    from kafkapy.client.errors import ClientError

    principals = list(dict.fromkeys(arguments.allow or arguments.deny or ()))
    for principal in principals:
        kind, colon, _ = principal.partition(":")
        if not (kind and colon):
            raise ClientError(f"{principal!r} is no principal: write User:{principal.lstrip(':')}")
    return principals


def _check_operations(resources: list[tuple[str, str]], operations: list[str]) -> None:
    """Raises ClientError: an ACL would be without effect."""
    from kafkapy.client.acls import SUPPORTED
    from kafkapy.client.errors import ClientError

    for kind, _ in resources:
        supported = [each.lower().replace("_", "-") for each in SUPPORTED[kind.upper().replace("-", "_")]]
        for operation in operations:
            if operation not in supported:
                raise ClientError(f"{operation!r} has no meaning for a {kind}: it has {', '.join(supported)}")


def _filters(arguments: argparse.Namespace) -> list[AclFilter]:
    """One for each principal, resource and operation that the options name. Raises ClientError."""
    from kafkapy.client.acls import ALLOW, ANY, DENY, LITERAL, OPERATIONS, PREFIXED, RESOURCE_TYPES, AclFilter

    wanted = AclFilter(host=arguments.host)
    if arguments.allow or arguments.deny:
        wanted = wanted._replace(permission_type=ALLOW if arguments.allow else DENY)
    if arguments.prefixed:
        wanted = wanted._replace(pattern_type=PREFIXED)
    of_resources = [
        wanted._replace(
            resource_type=RESOURCE_TYPES[kind],
            resource_name=name,
            pattern_type=PREFIXED if arguments.prefixed else LITERAL,
        )
        for kind, name in _resources(arguments)
    ]
    principals: list[str | None] = [*_principals(arguments)] or [None]
    operations = [OPERATIONS[name] for name in dict.fromkeys(arguments.operation or ())] or [ANY]
    return [
        each._replace(principal=principal, operation=operation)
        for each, principal, operation in product(of_resources or [wanted], principals, operations)
    ]


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import describe_acls

    found = sorted({acl for wanted in _filters(arguments) for acl in describe_acls(cluster, wanted)})
    if wants_json(arguments):
        print_json(
            [
                {
                    "permission": acl.permission_words,
                    "principal": acl.principal,
                    "host": acl.host,
                    "operation": acl.operation_words,
                    "resource_type": acl.resource_words,
                    "resource_name": acl.resource_name,
                    "pattern": acl.pattern_words,
                }
                for acl in found
            ]
        )
    elif found:
        print_table(["RESOURCE", "NAME", "PERMISSION", "PRINCIPAL", "HOST", "OPERATION"], list(map(_row, found)))
    else:
        print("there are no such ACLs")
    return 0


def _row(acl: Acl) -> list[str]:
    name = f"{acl.resource_name} (prefix)" if acl.pattern_words == "prefixed" else acl.resource_name
    return [acl.resource_words, name, acl.permission_words, acl.principal, acl.host, acl.operation_words]


def _add(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import ALLOW, DENY, LITERAL, OPERATIONS, PREFIXED, RESOURCE_TYPES, Acl, create_acls

    resources = _resources(arguments)
    assert resources, "the options demand one"
    _check_operations(resources, arguments.operation)
    acls = [
        Acl(
            RESOURCE_TYPES[kind],
            name,
            PREFIXED if arguments.prefixed else LITERAL,
            principal,
            arguments.host or "*",
            OPERATIONS[operation],
            ALLOW if arguments.allow else DENY,
        )
        for (kind, name), principal, operation in product(
            resources, _principals(arguments), dict.fromkeys(arguments.operation)
        )
    ]
    create_acls(cluster, acls)
    for acl in acls:
        print(acl)
    return 0


def _remove(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.acls import AclFilter, delete_acls
    from kafkapy.client.errors import ClientError

    filters = _filters(arguments)
    if filters == [AclFilter()] and not arguments.all:
        raise ClientError("say which ACLs, or --all")
    deleted = delete_acls(cluster, filters)
    for acl in deleted:
        print(acl)
    print(f"{counted(len(deleted), 'ACL')} removed")
    return 0
