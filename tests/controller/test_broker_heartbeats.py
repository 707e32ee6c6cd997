"""Sessions and states of brokers, as their heartbeats tell them to the active controller."""

from __future__ import annotations

from kafkapy_controller.broker_heartbeats import BrokerControlState, BrokerHeartbeats
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafkapy_wire.record_formats.metadata import BrokerRegistrationChangeRecord

from .clusters import apply, cluster

TIMEOUT_MS = 9_000
FENCED, UNFENCED = BrokerControlState.FENCED, BrokerControlState.UNFENCED
CONTROLLED_SHUTDOWN, SHUTDOWN_NOW = BrokerControlState.CONTROLLED_SHUTDOWN, BrokerControlState.SHUTDOWN_NOW
FAR = 1_000_000
"""An offset that only a broker that has replayed everything can have."""


def active(image: MetadataImage, now_ms: float = 0) -> BrokerHeartbeats:
    heartbeats = BrokerHeartbeats(TIMEOUT_MS)
    heartbeats.activate(image, now_ms)
    return heartbeats


def following(
    heartbeats: BrokerHeartbeats,
    image: MetadataImage,
    broker_id: int = 1,
    *,
    offset: int = FAR,
    want_fence: bool = False,
    want_shut_down: bool = False,
    leads: bool = False,
) -> BrokerControlState:
    request = BrokerHeartbeatRequest(
        broker_id=broker_id,
        broker_epoch=image.brokers[broker_id].epoch,
        current_metadata_offset=offset,
        want_fence=want_fence,
        want_shut_down=want_shut_down,
    )
    _, state = heartbeats.next_state(image, request, lambda: leads)
    heartbeats.note_offset(image.brokers[broker_id], offset)
    return state


def expired(heartbeats: BrokerHeartbeats, image: MetadataImage, now_ms: float) -> list[int]:
    return [broker.broker_id for broker in heartbeats.take_expired(image, now_ms)]


# Sessions


def test_unfenced_brokers_have_a_session_from_the_start_and_fenced_ones_from_their_first_heartbeat() -> None:
    image = cluster([1, 2], fenced=[2])
    heartbeats = active(image)
    assert heartbeats.has_session(image.brokers[1], TIMEOUT_MS)
    assert not heartbeats.has_session(image.brokers[1], TIMEOUT_MS + 1)
    assert not heartbeats.has_session(image.brokers[2], 0)
    heartbeats.touch(image.brokers[2], 5)
    assert heartbeats.has_session(image.brokers[2], 5)


def test_a_silent_broker_is_found_once_just_after_its_timeout() -> None:
    image = cluster([1, 2, 3], fenced=[3])
    heartbeats = active(image)
    heartbeats.touch(image.brokers[2], 100)
    assert heartbeats.deadline_ms == TIMEOUT_MS
    assert expired(heartbeats, image, TIMEOUT_MS) == []
    assert expired(heartbeats, image, TIMEOUT_MS + 1) == [1]
    assert expired(heartbeats, image, TIMEOUT_MS + 2) == []
    assert heartbeats.deadline_ms == TIMEOUT_MS + 100
    assert expired(heartbeats, image, TIMEOUT_MS + 101) == [2]
    assert heartbeats.deadline_ms is None


def test_a_fenced_broker_that_falls_silent_loses_its_session_only() -> None:
    image = cluster([1], fenced=[1])
    heartbeats = active(image)
    heartbeats.touch(image.brokers[1], 0)
    assert expired(heartbeats, image, TIMEOUT_MS + 1) == []
    assert heartbeats.deadline_ms is None
    assert not heartbeats.has_session(image.brokers[1], TIMEOUT_MS + 1)


def test_a_new_registration_ends_the_session_of_the_former_one() -> None:
    image = cluster([1])
    heartbeats = active(image)
    again = image._replace(brokers={1: image.brokers[1]._replace(epoch=77, fenced=True)})
    heartbeats.note_registered(1, 77, 78)
    assert not heartbeats.has_session(again.brokers[1], 0)
    assert not heartbeats.has_session(image.brokers[1], 0)
    assert expired(heartbeats, again, FAR) == []


def test_sessions_of_brokers_that_were_unregistered_are_forgotten() -> None:
    image = cluster([1])
    heartbeats = active(image)
    assert expired(heartbeats, image._replace(brokers={}), TIMEOUT_MS + 1) == []
    assert heartbeats.deadline_ms is None


def test_nobody_is_fenced_by_a_controller_that_was_stopped_itself() -> None:
    image = cluster([1])
    heartbeats = active(image)
    late_ms = TIMEOUT_MS * 4
    assert expired(heartbeats, image, late_ms) == []
    assert heartbeats.deadline_ms == late_ms + TIMEOUT_MS
    assert expired(heartbeats, image, late_ms + TIMEOUT_MS + 1) == [1]


def test_a_controller_that_becomes_active_again_begins_with_new_sessions() -> None:
    image = cluster([1])
    heartbeats = active(image)
    following(heartbeats, image, want_shut_down=True, leads=True)
    heartbeats.begin_controlled_shutdown(image.brokers[1], 50)
    heartbeats.activate(image, 20_000)
    assert heartbeats.deadline_ms == 20_000 + TIMEOUT_MS
    assert following(heartbeats, image) is UNFENCED


def test_the_broker_of_the_controllers_own_process_lives_as_long_as_it() -> None:
    image = cluster([1, 2])
    heartbeats = active(image)
    heartbeats.keep(image.brokers[1])
    assert expired(heartbeats, image, TIMEOUT_MS + 1) == [2]
    assert heartbeats.deadline_ms is None
    assert heartbeats.has_session(image.brokers[1], FAR)
    heartbeats.touch(image.brokers[2], TIMEOUT_MS + 2)
    heartbeats.begin_controlled_shutdown(image.brokers[2], 50)
    assert following(heartbeats, image, 2, want_shut_down=True) is SHUTDOWN_NOW, "it knows everything at once"


# States


def test_a_fenced_broker_is_unfenced_when_it_wants_and_has_replayed_its_registration() -> None:
    image = cluster([1], fenced=[1])
    heartbeats = active(image)
    registered_at = image.brokers[1].epoch
    assert following(heartbeats, image, offset=registered_at - 1) is FENCED
    assert not heartbeats.has_caught_up(image.brokers[1], registered_at - 1)
    assert following(heartbeats, image, offset=registered_at, want_fence=True) is FENCED
    assert following(heartbeats, image, offset=registered_at) is UNFENCED
    assert heartbeats.has_caught_up(image.brokers[1], registered_at)


def test_a_registration_behind_other_records_counts_at_its_own_offset() -> None:
    image = cluster([1], fenced=[1])
    heartbeats = active(image)
    broker = image.brokers[1]
    heartbeats.note_registered(1, broker.epoch, broker.epoch + 10)
    assert following(heartbeats, image, offset=broker.epoch + 9) is FENCED
    assert following(heartbeats, image, offset=broker.epoch + 10) is UNFENCED


def test_a_fenced_broker_may_stop_at_once() -> None:
    image = cluster([1], fenced=[1])
    assert following(active(image), image, want_shut_down=True, leads=True) is SHUTDOWN_NOW


def test_an_unfenced_broker_is_fenced_if_it_wants() -> None:
    image = cluster([1])
    assert following(active(image), image, want_fence=True) is FENCED
    assert following(active(image), image, want_fence=True, want_shut_down=True, leads=True) is SHUTDOWN_NOW


def test_a_broker_that_leads_nothing_may_stop_at_once() -> None:
    image = cluster([1, 2])
    assert following(active(image), image, want_shut_down=True) is SHUTDOWN_NOW


def test_a_controlled_shutdown_waits_until_others_lead_and_know_it() -> None:
    image = cluster([1, 2, 3])
    heartbeats = active(image)
    assert following(heartbeats, image, want_shut_down=True, leads=True) is CONTROLLED_SHUTDOWN
    heartbeats.begin_controlled_shutdown(image.brokers[1], 50)
    assert following(heartbeats, image, want_shut_down=True, leads=True) is CONTROLLED_SHUTDOWN
    following(heartbeats, image, 2, offset=50)
    following(heartbeats, image, 3, offset=49)
    assert following(heartbeats, image, want_shut_down=True) is CONTROLLED_SHUTDOWN
    heartbeats.begin_controlled_shutdown(image.brokers[1], 60)  # the first offset counts
    following(heartbeats, image, 3, offset=50)
    assert following(heartbeats, image, want_shut_down=True) is SHUTDOWN_NOW


def test_brokers_that_stop_or_are_fenced_hold_up_no_shutdown() -> None:
    image = cluster([1, 2, 3], fenced=[3])
    heartbeats = active(image)
    for broker_id in (1, 2):
        assert following(heartbeats, image, broker_id, offset=0, want_shut_down=True, leads=True) is CONTROLLED_SHUTDOWN
        heartbeats.begin_controlled_shutdown(image.brokers[broker_id], 50)
    assert following(heartbeats, image, 1, offset=0, want_shut_down=True) is SHUTDOWN_NOW


def test_a_broker_that_is_fenced_leaves_its_controlled_shutdown() -> None:
    image = cluster([1, 2])
    heartbeats = active(image)
    heartbeats.begin_controlled_shutdown(image.brokers[1], FAR)
    epoch = image.brokers[1].epoch
    fenced = apply(image, [BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=epoch, fenced=1)])
    assert following(heartbeats, fenced, want_shut_down=True, leads=True) is SHUTDOWN_NOW
    assert following(heartbeats, fenced) is UNFENCED
