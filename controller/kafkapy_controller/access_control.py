"""CreateAcls and DeleteAcls: which ACLs become records, and why others do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kafkapy_controller.acl import (
    CLUSTER_NAME,
    WILDCARD,
    Acl,
    AclFilter,
    AclOperation,
    PatternType,
    PermissionType,
    ResourceType,
    acl_record,
    is_unknown,
    name_of,
)
from kafkapy_controller.cidr import parse_block
from kafkapy_controller.decision import RECORDS_PER_DECISION_MAX, Decision, Steps, check_record_count
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import CIDR_HOSTS, level_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import RemoveAccessControlEntryRecord
from kafkapy_wire.uuid import Uuid

ACLS_IN_A_STEP = 500


def decide_create_acls(
    image: MetadataImage, asked: Sequence[Acl], new_id: Callable[[], Uuid]
) -> Steps[Decision[list[KafkaError | None]]]:
    """An error, or None, for each of `asked`, in its order. One that exists already is no error.

    Raises KafkaError POLICY_VIOLATION: they are too many.
    """
    errors: list[KafkaError | None] = []
    valid: dict[Acl, None] = {}
    for acl in asked:
        try:
            _check_new(acl, takes_blocks=image.metadata_version >= CIDR_HOSTS)
        except KafkaError as error:
            errors.append(error.with_traceback(None))
        else:
            valid[acl] = None
            errors.append(None)
        yield
    for number, acl in enumerate(image.acls.values()):
        valid.pop(acl, None)
        if number % ACLS_IN_A_STEP == 0:
            yield
    check_record_count(len(valid))
    records: list[MetadataRecord] = []
    for acl in valid:
        records.append(acl_record(_unused(new_id, image), acl))
        yield
    return Decision(records, errors)


def _unused(new_id: Callable[[], Uuid], image: MetadataImage) -> Uuid:
    acl_id = new_id()
    while acl_id in image.acls:
        acl_id = new_id()
    return acl_id


def _check_new(acl: Acl, *, takes_blocks: bool) -> None:
    """Raises KafkaError: INVALID_REQUEST; UNSUPPORTED_VERSION, a block of addresses is its host. First the broker's
    checks, then the controller's, in Apache Kafka's order.
    """
    if acl.resource_type == ResourceType.CLUSTER and acl.resource_name != CLUSTER_NAME:
        raise _invalid(f"The only valid name for the CLUSTER resource is {CLUSTER_NAME}")
    if not acl.resource_name:
        raise _invalid("Invalid empty resource name")
    if acl.resource_type == ResourceType.ANY or is_unknown(ResourceType, acl.resource_type):
        raise _invalid(f"Invalid resourceType {name_of(ResourceType, acl.resource_type)}")
    if acl.pattern_type not in (PatternType.LITERAL, PatternType.PREFIXED):
        raise _invalid(f"Invalid patternType {name_of(PatternType, acl.pattern_type)}")
    if acl.operation == AclOperation.ANY or is_unknown(AclOperation, acl.operation):
        raise _invalid(f"Invalid operation {name_of(AclOperation, acl.operation)}")
    if acl.permission_type not in (PermissionType.DENY, PermissionType.ALLOW):
        raise _invalid(f"Invalid permissionType {name_of(PermissionType, acl.permission_type)}")
    if ":" not in acl.principal:
        raise _invalid(
            f"Could not parse principal from `{acl.principal}` (no colon is present separating the principal type from "
            "the principal name)"
        )
    _check_host(acl.host, takes_blocks=takes_blocks)


def _check_host(host: str, *, takes_blocks: bool) -> None:
    if not host:
        raise _invalid("Host pattern cannot be null or empty")
    if host == WILDCARD or "/" not in host:
        return
    if not takes_blocks:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"CIDR-based ACL host patterns require metadata version {level_name(CIDR_HOSTS)} or higher.",
        )
    try:
        parse_block(host)
    except ValueError as error:
        raise _invalid(f"Invalid CIDR notation '{host}': {error}") from None


def decide_delete_acls(
    image: MetadataImage, filters: Sequence[AclFilter]
) -> Steps[Decision[list[list[Acl] | KafkaError]]]:
    """The ACLs that each of `filters` has deleted, or INVALID_REQUEST: it has a number that is not known. An ACL that
    several filters match is in the answer to each.

    Raises KafkaError INVALID_REQUEST: they are too many.
    """
    deleted: dict[Uuid, None] = {}
    matching: list[list[Acl] | KafkaError] = []
    for each in filters:
        unknown = _unknown_part(each)
        if unknown is not None:
            matching.append(_invalid(f"Unknown {unknown}."))
            continue
        found: list[Acl] = []
        for number, (acl_id, acl) in enumerate(image.acls.items()):
            if each.matches(acl):
                if len(deleted) >= RECORDS_PER_DECISION_MAX:
                    raise _invalid(
                        f"Cannot remove more than {RECORDS_PER_DECISION_MAX} acls in a single delete operation."
                    )
                found.append(acl)
                deleted[acl_id] = None
            if number % ACLS_IN_A_STEP == 0:
                yield
        matching.append(found)
        yield
    records: list[MetadataRecord] = [RemoveAccessControlEntryRecord(id=acl_id) for acl_id in deleted]
    return Decision(records, matching)


def _unknown_part(wanted: AclFilter) -> str | None:
    if is_unknown(ResourceType, wanted.resource_type) or is_unknown(PatternType, wanted.pattern_type):
        return "patternFilter"
    if is_unknown(AclOperation, wanted.operation) or is_unknown(PermissionType, wanted.permission_type):
        return "entryFilter"
    return None


def acls_matching(image: MetadataImage, wanted: AclFilter) -> Steps[list[Acl]]:

    found = []
    for number, acl in enumerate(image.acls.values()):
        if wanted.matches(acl):
            found.append(acl)
        if number % ACLS_IN_A_STEP == 0:
            yield
    return found


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)
