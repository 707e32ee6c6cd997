"""CreateAcls and DeleteAcls; the differential scenarios compare every refusal with Apache Kafka."""

from __future__ import annotations

import pytest

from kafkapy_controller.access_control import acls_matching, decide_create_acls, decide_delete_acls
from kafkapy_controller.acl import Acl, AclFilter, AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_controller.cidr import block_or_none, parse_block
from kafkapy_controller.decision import at_once
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_version import CIDR_HOSTS, METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import random_uuid

from .clusters import apply, cluster

EVERY = AclFilter(ResourceType.ANY, None, PatternType.ANY, None, None, AclOperation.ANY, PermissionType.ANY)


def acl(
    name: str = "t",
    pattern_type: PatternType = PatternType.LITERAL,
    resource_type: ResourceType = ResourceType.TOPIC,
    principal: str = "User:a",
    host: str = "*",
) -> Acl:
    return Acl(resource_type, name, pattern_type, principal, host, AclOperation.READ, PermissionType.ALLOW)


def create(image: MetadataImage, *asked: Acl) -> tuple[MetadataImage, list[str | None]]:
    decision = at_once(decide_create_acls(image, asked, random_uuid))
    return apply(image, decision.records), [None if error is None else error.message for error in decision.response]


def delete(image: MetadataImage, *filters: AclFilter) -> tuple[MetadataImage, list[list[Acl] | KafkaError]]:
    decision = at_once(decide_delete_acls(image, filters))
    return apply(image, decision.records), decision.response


def test_the_same_acl_is_stored_once() -> None:
    image, errors = create(cluster(), acl(), acl(), acl("u"))
    assert errors == [None, None, None]
    image, errors = create(image, acl("u"), acl("v"))
    assert errors == [None, None]
    assert sorted(each.resource_name for each in image.acls.values()) == ["t", "u", "v"]


def test_filters_take_patterns_by_name_by_match_and_by_type() -> None:
    image, _ = create(
        cluster(), acl("abc"), acl("ab", PatternType.PREFIXED), acl("*"), acl("abc", resource_type=ResourceType.GROUP)
    )

    def found(name: str | None, pattern_type: PatternType) -> list[str]:
        wanted = EVERY._replace(resource_type=ResourceType.TOPIC, resource_name=name, pattern_type=pattern_type)
        return sorted(each.resource_name for each in at_once(acls_matching(image, wanted)))

    assert found("abc", PatternType.MATCH) == ["*", "ab", "abc"]
    assert found("abc", PatternType.LITERAL) == ["abc"]
    assert found("ab", PatternType.ANY) == ["ab"]
    assert found(None, PatternType.PREFIXED) == ["ab"]
    assert found(None, PatternType.MATCH) == ["*", "ab", "abc"]


def test_each_filter_is_answered_with_what_it_has_deleted() -> None:
    image, _ = create(cluster(), acl("a"), acl("b"))
    unknown = EVERY._replace(operation=99)
    image, answered = delete(image, EVERY._replace(resource_name="a"), EVERY._replace(resource_name="a"), unknown)
    assert answered[:2] == [[acl("a")], [acl("a")]]
    assert isinstance(answered[2], KafkaError)
    assert answered[2].code is ErrorCode.INVALID_REQUEST
    assert list(image.acls.values()) == [acl("b")]


def test_more_than_ten_thousand_at_once_are_refused() -> None:
    asked = [acl(str(number)) for number in range(10_001)]
    with pytest.raises(KafkaError) as refusal:
        create(cluster(), *asked)
    assert refusal.value.code is ErrorCode.POLICY_VIOLATION
    image, _ = create(cluster(), *asked[1:])
    image, _ = create(image, asked[0])
    with pytest.raises(KafkaError) as refusal:
        delete(image, EVERY)
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    image, answered = delete(image, EVERY._replace(resource_name="7"))
    assert answered == [[acl("7")]]
    assert not delete(image, EVERY)[0].acls


def test_blocks_of_addresses_need_their_level() -> None:
    image = cluster()
    old = image._replace(features={**image.features, METADATA_VERSION: CIDR_HOSTS - 1})
    assert create(image, acl(host="10.0.0.0/8"))[1] == [None]
    (error,) = at_once(decide_create_acls(old, [acl(host="10.0.0.0/8")], random_uuid)).response
    assert error is not None
    assert error.code is ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    ("block", "inside", "outside"),
    [
        ("10.1.2.3/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "::1", "nonsense"]),
        ("1.2.3.4/32", ["1.2.3.4"], ["1.2.3.5"]),
        ("0.0.0.0/0", ["1.2.3.4"], ["0.0.0.0"]),
        ("fd00::/8", ["fd12:0:0:0:0:0:0:1", "fdff::"], ["fe80::1", "10.0.0.1"]),
        ("::/0", ["0:0:0:0:0:0:0:0"], ["1.2.3.4"]),
    ],
)
def test_addresses_in_blocks(block: str, inside: list[str], outside: list[str]) -> None:
    parsed = parse_block(block)
    assert [host in parsed for host in inside + outside] == [True] * len(inside) + [False] * len(outside)


@pytest.mark.parametrize(
    "text", ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "256.0.0.0/8", "fd00::/129", "fd00::/x", "::g/1"]
)
def test_what_is_no_block_is_none(text: str) -> None:
    assert block_or_none(text) is None
    with pytest.raises(ValueError, match=r"Could not parse|not in range"):
        parse_block(text)
