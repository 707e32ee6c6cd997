"""AlterClientQuotas and DescribeClientQuotas; the differential scenarios compare every refusal with Apache Kafka."""

from __future__ import annotations

import pytest

from kafkapy_controller.client_quotas import (
    Match,
    QuotaAlteration,
    decide_alter_client_quotas,
    quota_entity,
    quota_filter,
    quotas_of,
)
from kafkapy_controller.decision import at_once
from kafkapy_controller.image import MetadataImage, QuotaEntity
from kafkapy_wire.errors import ErrorCode, KafkaError

from .clusters import apply, cluster

ALICE = quota_entity({"user": "alice"})
DEFAULT_CLIENT = quota_entity({"client-id": None})


def alter(
    image: MetadataImage, *asked: tuple[QuotaEntity, dict[str, float | None]], hosts: frozenset[str] = frozenset()
) -> tuple[MetadataImage, dict[QuotaEntity, str | None]]:
    alterations = [QuotaAlteration(entity, list(values.items())) for entity, values in asked]
    decision = at_once(decide_alter_client_quotas(image, alterations, hosts, validate_only=False))
    errors = {entity: None if error is None else error.message for entity, error in decision.response.items()}
    return apply(image, decision.records), errors


def test_quotas_are_set_changed_and_removed() -> None:
    image, errors = alter(cluster(), (ALICE, {"producer_byte_rate": 1.0, "request_percentage": 0.5}))
    assert errors == {ALICE: None}
    image, _ = alter(image, (ALICE, {"producer_byte_rate": None}), (DEFAULT_CLIENT, {"consumer_byte_rate": 7.0}))
    assert image.client_quotas == {ALICE: {"request_percentage": 0.5}, DEFAULT_CLIENT: {"consumer_byte_rate": 7.0}}
    image, _ = alter(image, (ALICE, {"request_percentage": None}))
    assert image.client_quotas == {DEFAULT_CLIENT: {"consumer_byte_rate": 7.0}}


def test_what_is_so_already_needs_no_record() -> None:
    image, _ = alter(cluster(), (ALICE, {"producer_byte_rate": 1.0}))
    again = [QuotaAlteration(ALICE, [("producer_byte_rate", 1.0), ("consumer_byte_rate", None)])]
    assert at_once(decide_alter_client_quotas(image, again, frozenset(), validate_only=False)).records == []


def test_a_wrong_entity_leaves_the_others_alone() -> None:
    image, errors = alter(
        cluster(),
        (quota_entity({"ip": "nowhere.invalid"}), {"connection_creation_rate": 1.0}),
        (ALICE, {"producer_byte_rate": 1.0, "no_such": 1.0}),
        (DEFAULT_CLIENT, {"consumer_byte_rate": 7.0}),
    )
    assert image.client_quotas == {DEFAULT_CLIENT: {"consumer_byte_rate": 7.0}}
    assert list(errors.values()) == [
        "nowhere.invalid is not a valid IP or resolvable host.",
        "Invalid configuration key no_such",
        None,
    ]


def test_too_many_quotas_at_once_are_refused_as_a_whole() -> None:
    asked = [QuotaAlteration(quota_entity({"user": str(n)}), [("producer_byte_rate", 1.0)]) for n in range(10_001)]
    with pytest.raises(KafkaError) as refusal:
        at_once(decide_alter_client_quotas(cluster(), asked, frozenset(), validate_only=False))
    assert refusal.value.code is ErrorCode.POLICY_VIOLATION
    fewer = at_once(decide_alter_client_quotas(cluster(), asked[1:], frozenset(), validate_only=False))
    assert len(fewer.records) == 10_000


def test_a_filter_takes_entities_with_all_of_its_parts() -> None:
    both = quota_entity({"user": "alice", "client-id": "c"})
    some: dict[str, float | None] = {"producer_byte_rate": 1.0}
    image, _ = alter(cluster(), (ALICE, some), (both, some), (DEFAULT_CLIENT, some))

    def found(*components: tuple[str, int, str | None], strict: bool = False) -> list[QuotaEntity]:
        return [entity for entity, _ in at_once(quotas_of(image, quota_filter(components, strict=strict)))]

    alice = ("user", Match.EXACT, "alice")
    assert found() == [ALICE, both, DEFAULT_CLIENT]
    assert found(strict=True) == []
    assert found(alice) == [ALICE, both]
    assert found(alice, strict=True) == [ALICE]
    assert found(alice, ("client-id", Match.SPECIFIED, None)) == [both]
    assert found(("client-id", Match.DEFAULT, None)) == [DEFAULT_CLIENT]
