"""AlterClientQuotas and DescribeClientQuotas: quotas of users, client ids and addresses (KIP-546)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import IntEnum
from typing import NamedTuple

from kafkapy_controller.decision import Decision, Steps, check_record_count
from kafkapy_controller.image import MetadataImage, QuotaEntity
from kafkapy_controller.image_records import quota_records
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.errors import ErrorCode, KafkaError

USER, CLIENT_ID, IP = "user", "client-id", "ip"
TYPES_MAX = 3
SORTED_TYPES_MAX = 1_000
ENTITIES_IN_A_STEP = 200
OPERATIONS_IN_A_STEP = 1_000

_LONG = 2**63
_INT = 2**31 - 1
# The highest value of each, if it is an integer; None: any number.
_OF_CLIENTS: Mapping[str, int | None] = {
    "producer_byte_rate": _LONG,
    "consumer_byte_rate": _LONG,
    "request_percentage": None,
    "controller_mutation_rate": None,
}
_OF_ADDRESSES: Mapping[str, int | None] = {"connection_creation_rate": _INT}
_FRACTION_MAX = 1e-6


class QuotaAlteration(NamedTuple):
    """What is asked for one entity: in order, (key, value), where None removes the quota."""

    entity: QuotaEntity
    operations: Sequence[tuple[str, float | None]]


def quota_entity(parts: Mapping[str, str | None]) -> QuotaEntity:
    """From names by type, in their order. With very many types it is none, and they stay as they are."""
    return tuple(sorted(parts.items()) if len(parts) <= SORTED_TYPES_MAX else parts.items())


def decide_alter_client_quotas(
    image: MetadataImage, asked: Sequence[QuotaAlteration], hosts: AbstractSet[str], *, validate_only: bool
) -> Steps[Decision[dict[QuotaEntity, KafkaError | None]]]:
    """The error, or None, of each entity. `hosts` are those names among the entities of type ip that are addresses, or
    have one.

    Raises KafkaError POLICY_VIOLATION: too many quotas change.
    """
    answers: dict[QuotaEntity, KafkaError | None] = {}
    records: list[MetadataRecord] = []
    for entity, operations in asked:
        try:
            if entity in answers:
                raise _invalid(f"Ignoring duplicate entity {_text(entity)}")
            values: dict[str, float | None] = {}
            is_twice = False
            for number, (key, value) in enumerate(operations, 1):
                is_twice = is_twice or key in values
                values.setdefault(key, value)
                if not number % OPERATIONS_IN_A_STEP:
                    yield
            if is_twice:
                # Apache Kafka has noted an answer for the entity by then, so that the entity looks like a second one.
                raise _invalid(f"Ignoring duplicate entity {_text(entity)}")
            records += yield from _altered(image, entity, values, hosts)
        except KafkaError as error:
            answers[entity] = error.with_traceback(None)
        else:
            answers[entity] = None
        check_record_count(len(records))
        yield
    return Decision([] if validate_only else records, answers)


def _altered(
    image: MetadataImage, entity: QuotaEntity, values: Mapping[str, float | None], hosts: AbstractSet[str]
) -> Steps[list[MetadataRecord]]:
    """The records of one entity. Raises KafkaError INVALID_REQUEST."""
    highest = _keys_of(entity, hosts)
    current = image.client_quotas.get(entity, {})
    records: list[MetadataRecord] = []
    for number, (key, value) in enumerate(values.items(), 1):
        if not number % OPERATIONS_IN_A_STEP:
            yield
        if value is None:
            if key in current:
                records += quota_records(entity, {key: 0.0}, remove=True)
            continue
        _check_value(key, value, highest)
        if current.get(key) != value:
            records += quota_records(entity, {key: value})
    return records


def _keys_of(entity: QuotaEntity, hosts: AbstractSet[str]) -> Mapping[str, int | None]:
    """The quotas that the entity can have. Raises KafkaError INVALID_REQUEST: it is none."""
    if not entity:
        raise _invalid("Invalid empty client quota entity")
    for kind, name in entity:
        if kind not in (USER, CLIENT_ID, IP):
            raise _invalid(f"Unhandled client quota entity type: {kind}")
        if name == "":
            raise _invalid(f"Empty {kind} not supported")
    parts = dict(entity)
    if IP not in parts:
        return _OF_CLIENTS
    if len(parts) > 1:
        raise _invalid("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
    if parts[IP] is not None and parts[IP] not in hosts:
        raise _invalid(f"{parts[IP]} is not a valid IP or resolvable host.")
    return _OF_ADDRESSES


def _check_value(key: str, value: float, highest: Mapping[str, int | None]) -> None:
    """Raises KafkaError INVALID_REQUEST."""
    if key not in highest:
        raise _invalid(f"Invalid configuration key {key}")
    if not math.isfinite(value):
        raise _invalid(f"Quota {key} must be a finite number")
    if value <= 0:
        raise _invalid(f"Quota {key} must be greater than 0")
    limit = highest[key]
    if limit is None:
        return
    if value > limit:
        kind = "a LONG" if limit == _LONG else "an INT"
        raise _invalid(f"Proposed value for {key} is too large for {kind}.")
    if math.fmod(value, 1.0) > _FRACTION_MAX:
        raise _invalid(f"{key} cannot be a fractional value.")


def _text(entity: QuotaEntity) -> str:
    """As Apache Kafka writes it in messages."""
    parts = ", ".join(f"{kind}={'null' if name is None else name}" for kind, name in entity)
    return f"ClientQuotaEntity(entries={{{parts}}})"


# Describing


class Match(IntEnum):
    """Which names of a type a filter takes."""

    EXACT = 0
    DEFAULT = 1
    SPECIFIED = 2
    """Any name, and the default."""


class QuotaFilter(NamedTuple):
    """`exact` and `any_name`: entities have all these parts. `strict`: and no others."""

    exact: Mapping[str, str | None]
    any_name: frozenset[str]
    strict: bool

    def takes(self, entity: QuotaEntity) -> bool:
        count = len(self.exact) + len(self.any_name)
        if self.strict and (not count or len(entity) != count):
            return False
        parts = dict(entity)
        return self.any_name <= parts.keys() and all(
            kind in parts and parts[kind] == name for kind, name in self.exact.items()
        )


def quota_filter(components: Iterable[tuple[str, int, str | None]], *, strict: bool) -> QuotaFilter:
    """From (entity type, match type, match). Of many only the first few are read: one of them is refused.

    Raises KafkaError: INVALID_REQUEST; UNSUPPORTED_VERSION, an entity type that is not known.
    """
    exact: dict[str, str | None] = {}
    any_name: set[str] = set()
    for kind, match_type, match in components:
        if not kind:
            raise _invalid("Invalid empty entity type.")
        if kind in exact or kind in any_name:
            raise _invalid(f"Entity type {kind} cannot appear more than once in the filter.")
        if kind not in (USER, CLIENT_ID, IP):
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
        if match_type not in (Match.EXACT, Match.DEFAULT, Match.SPECIFIED):
            raise _invalid(f"Unknown match type {match_type}")
        if match_type == Match.EXACT:
            if match is None:
                raise _invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.")
            exact[kind] = match
            continue
        if match is not None:
            raise _invalid(f"Request specified MATCH_TYPE_{Match(match_type).name}, but also specified a match string.")
        if match_type == Match.DEFAULT:
            exact[kind] = None
        else:
            any_name.add(kind)
    kinds = exact.keys() | any_name
    if IP in kinds and len(kinds) > 1:
        raise _invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId "
            "filter component."
        )
    return QuotaFilter(exact, frozenset(any_name), strict)


def quotas_of(image: MetadataImage, wanted: QuotaFilter) -> Steps[list[tuple[QuotaEntity, Mapping[str, float]]]]:
    """The entities that the filter takes, with their quotas."""
    found = []
    for number, (entity, quotas) in enumerate(image.client_quotas.items()):
        if wanted.takes(entity):
            found.append((entity, quotas))
        if number % ENTITIES_IN_A_STEP == 0:
            yield
    return found


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)
