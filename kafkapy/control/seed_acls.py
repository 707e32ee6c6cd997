"""The ACLs of a seed, held against a cluster and made in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_controller.access_control import decide_create_acls
from kafkapy_controller.decision import RECORDS_PER_DECISION_MAX, Decision, Steps, at_once
from kafkapy_wire.record_formats.metadata import RemoveAccessControlEntryRecord
from kafkapy_wire.uuid import random_uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.seeds.plan import Plan
    from kafkapy_controller.acl import Acl
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.errors import KafkaError

WANTED: Final = "the active controller to store ACLs"


def check_acls(nodes: ControlledNodes, plan: Plan) -> list[Acl]:
    """Those that are not there yet. Raises InvalidSeed: Kafka would refuse one, or nobody asks for ACLs there."""
    if not plan.acls:
        return []
    if nodes.brokers[0].broker.authorizer is None:
        first = next(iter(plan.acls.values()))
        raise first.place.refusal(
            "", "the broker has no authorizer, so that ACLs mean nothing: set authorizer.class.name"
        )
    for some in _some_at_a_time(list(plan.acls)):
        errors = at_once(decide_create_acls(nodes.image, some, random_uuid)).response
        for acl, error in zip(some, errors, strict=True):
            if error is not None:
                raise plan.acls[acl].place.refusal("", error.message or error.code.name)
    there = set(nodes.image.acls.values())
    return [acl for acl in plan.acls if acl not in there]


async def create_acls(nodes: ControlledNodes, acls: Sequence[Acl]) -> None:
    """When this returns they hold at every broker. Raises KafkaError, NotYet."""
    for some in _some_at_a_time(acls):

        def decide(image: MetadataImage, some: Sequence[Acl] = some) -> Steps[Decision[list[KafkaError | None]]]:
            return decide_create_acls(image, some, random_uuid)

        for error in await nodes.decide(decide, WANTED):
            if error is not None:
                raise error
    if acls:
        await nodes.follow()


async def delete_acls(nodes: ControlledNodes, acls: Collection[Acl]) -> None:
    """Those of them that are there. Raises KafkaError, NotYet."""
    wanted = set(acls)

    def decide(image: MetadataImage) -> Steps[Decision[None]]:
        yield
        ids = [acl_id for acl_id, acl in image.acls.items() if acl in wanted]
        return Decision([RemoveAccessControlEntryRecord(id=each) for each in ids[:RECORDS_PER_DECISION_MAX]], None)

    for _ in _some_at_a_time(list(wanted)):
        await nodes.decide(decide, WANTED)


def _some_at_a_time(acls: Sequence[Acl]) -> list[Sequence[Acl]]:
    """As many as one decision of the controller may make."""
    return [acls[at : at + RECORDS_PER_DECISION_MAX] for at in range(0, len(acls), RECORDS_PER_DECISION_MAX)]
