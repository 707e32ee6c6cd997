"""Two brokers with an authorizer, as an administrator and as a client whose ACLs change from request to request.

Both are User:ANONYMOUS, at different addresses: the administrator and the nodes themselves at 127.0.0.1, where
everything is allowed, the client at 127.0.0.2, where only that is allowed which a test says.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from compat_tests.differential.acl_filters import deletion_of, description_of
from compat_tests.differential.acl_numbers import AclOperation, PatternType, PermissionType, ResourceType
from compat_tests.differential.peer import Connection, Peer
from compat_tests.differential.plain import Plain
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest
from kafkapy_wire.messages.delete_acls import DeleteAclsRequest

SETTINGS = {
    "node.id": "1",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Until the first ACLs are there; they are about every resource, so that nothing is open afterwards.
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:somebody;User:else",
}
ADMINISTRATOR, CLIENT = "127.0.0.1", "127.0.0.2"
ANONYMOUS = "User:ANONYMOUS"
CLUSTER = (ResourceType.CLUSTER, "kafka-cluster")
ALL_RESOURCES = (
    CLUSTER,
    *((kind, "*") for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)),
    *((kind, "*") for kind in (ResourceType.DELEGATION_TOKEN, ResourceType.USER)),
)
NEEDS_PERMISSION = re.compile(r".*needs (\w+) permission.*", re.DOTALL)


class Allowed(NamedTuple):
    """One operation that the client may do."""

    operation: AclOperation
    resource_type: ResourceType
    name: str

    def __str__(self) -> str:
        return f"{self.operation.name} {self.resource_type.name} {self.name}"


def cluster(operation: AclOperation) -> Allowed:
    return Allowed(operation, *CLUSTER)


def topic(operation: AclOperation, name: str) -> Allowed:
    return Allowed(operation, ResourceType.TOPIC, name)


def group(operation: AclOperation, name: str) -> Allowed:
    return Allowed(operation, ResourceType.GROUP, name)


def transactional_id(operation: AclOperation, name: str) -> Allowed:
    return Allowed(operation, ResourceType.TRANSACTIONAL_ID, name)


class ClientConnection(Connection):
    """One from the client's address."""

    source_address = (CLIENT, 0)


class AuthorizedPeer(Peer):
    """A broker, asked by the administrator without further ado, and by the client with `as_client`."""

    controller_port = 0
    """Of its controller's own listener."""

    def open_up(self) -> None:
        """Allow the administrator everything, and nobody else anything."""
        creations = [_creation(ADMINISTRATOR, AclOperation.ALL, *resource) for resource in ALL_RESOURCES]
        self._create(creations)

    def allow(self, *allowed: Allowed) -> None:
        """From now on the client may do this, and nothing else."""
        everything = deletion_of(host_filter=CLIENT)
        deleted = self.quietly(DeleteAclsRequest(filters=[everything]))
        assert [result.error_code for result in deleted.filter_results] == [0], deleted
        if allowed:
            self._create([_creation(CLIENT, *one) for one in allowed])
        self._await_acls(CLIENT, len(set(allowed)))

    def _create(self, creations: Sequence[AclCreation]) -> None:
        created = self.quietly(CreateAclsRequest(creations=list(creations)))
        assert [result.error_code for result in created.results] == [0] * len(creations), created

    def _await_acls(self, host: str, count: int) -> None:
        described = description_of(host_filter=host)
        self.until(
            described,
            lambda answer: sum(len(resource.acls) for resource in answer.resources) == count,
            f"{count} ACLs of {host}",
        )

    def with_acls(self, creations: Sequence[AclCreation]) -> None:
        """These too. Returns when a client of this broker is told by them."""
        self._create(creations)
        everything = description_of(resource_type_filter=ResourceType.TOPIC)
        names = {each.resource_name for each in creations}
        self.until(
            everything,
            lambda answer: (
                sum(len(each.acls) for each in answer.resources if each.resource_name in names) == len(creations)
            ),
            f"{len(creations)} ACLs",
        )

    @contextlib.contextmanager
    def as_client(self, port: int | None = None) -> Iterator[ClientConnection]:
        connection = ClientConnection(self.host, port or self.port)
        try:
            yield connection
        finally:
            connection.close()


def _creation(host: str, operation: AclOperation, resource_type: ResourceType, name: str) -> AclCreation:
    return AclCreation(
        resource_type=resource_type,
        resource_name=name,
        resource_pattern_type=PatternType.LITERAL,
        principal=ANONYMOUS,
        host=host,
        operation=operation,
        permission_type=PermissionType.ALLOW,
    )


def comparable(value: Plain) -> Plain:
    """The same with words of refusals that are comparable: Apache Kafka quotes the request's object in them.

    The order of topics is that of a hash table there, also of those that are paged otherwise; and of partitions that
    are fetched for a share group only those are compared that are refused, as others have nothing to tell at first.
    """
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items()}
    if isinstance(value, list):
        kept = [comparable(each) for each in value if not _is_an_empty_share_topic(each)]
        if all(isinstance(each, dict) and "topic_authorized_operations" in each for each in kept):
            kept.sort(key=lambda each: str(each["name"]) if isinstance(each, dict) else "")
        return kept
    if isinstance(value, str):
        return NEEDS_PERMISSION.sub(r"<needs \1 permission>", value)
    return value


def _is_an_empty_share_topic(value: Plain) -> bool:
    if not isinstance(value, dict) or not isinstance(partitions := value.get("partitions"), list):
        return False
    return bool(partitions) and all(
        isinstance(each, dict) and "acquired_records" in each and each["error_code"] == 0 for each in partitions
    )
