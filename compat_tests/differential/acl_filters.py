"""Filters of ACLs, as DescribeAcls and DeleteAcls take them: of all there are, but for the fields that are named."""

from __future__ import annotations

from typing import TypeVar

from compat_tests.differential.acl_numbers import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.messages.delete_acls import DeleteAclsFilter
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest

F = TypeVar("F", DeleteAclsFilter, DescribeAclsRequest)


def deletion_of(**fields: int | str | None) -> DeleteAclsFilter:
    return _filled(DeleteAclsFilter(), fields)


def description_of(**fields: int | str | None) -> DescribeAclsRequest:
    return _filled(DescribeAclsRequest(), fields)


def _filled(made: F, fields: dict[str, int | str | None]) -> F:
    everything: dict[str, int | str | None] = {
        "resource_type_filter": ResourceType.ANY,
        "resource_name_filter": None,
        "pattern_type_filter": PatternType.ANY,
        "principal_filter": None,
        "host_filter": None,
        "operation": AclOperation.ANY,
        "permission_type": PermissionType.ANY,
    }
    for name, value in {**everything, **fields}.items():
        setattr(made, name, value)
    return made
