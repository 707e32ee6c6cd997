"""What the handlers of the membership APIs add to the coordinator: versions, and the shapes of answers."""

from __future__ import annotations

import pytest

from kafkapy.apis import (
    delete_groups,
    describe_groups,
    find_coordinator,
    heartbeat,
    join_group,
    leave_group,
    list_groups,
    sync_group,
)
from kafkapy_controller.image import BrokerImage, Endpoint
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.sync_group import SyncGroupRequest
from kafkapy_wire.uuid import ZERO_UUID
from tests.apis.group_context import HOST, NODE_ID, PORT, answer, make_context, make_lab
from tests.coordinators.group_lab import OTHER_NODE_ID, PARTITION_COUNT, GroupLab

SHARE_KEY = "g:AAAAAAAAAAAAAAAAAAAAAQ:0"


def join(version: int, lab: GroupLab, *, client_id: str | None = "client", group_id: str = "g") -> JoinGroupResponse:
    request = JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=-1 if version == 0 else 20_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range")],
    )
    response = answer(join_group.handle, request, make_context(version, lab, client_id=client_id))
    encode(response, version)
    return response


@pytest.mark.parametrize("version", range(10))
def test_refused_join_fits_every_version(version: int) -> None:
    response = join(version, make_lab(), group_id="")
    assert response.error_code == ErrorCode.INVALID_GROUP_ID
    assert response.protocol_name == ("" if version < 7 else None)


def test_join_before_v1_waits_no_longer_than_a_session() -> None:
    lab = make_lab()
    join(0, lab)
    (member,) = lab.group("g").members.values()
    assert (member.rebalance_timeout_ms, member.client_host) == (10_000, "/0:0:0:0:0:0:0:1")


def test_join_without_a_client_id() -> None:
    assert join(4, make_lab(), client_id=None).member_id.startswith("-")


@pytest.mark.parametrize(
    ("host", "text"),
    [("127.0.0.1", "/127.0.0.1"), ("fe80::1%eth0", "/fe80:0:0:0:0:0:0:1%eth0"), ("::ff", "/0:0:0:0:0:0:0:ff")],
)
def test_addresses_as_java_prints_them(host: str, text: str) -> None:
    assert join_group.java_address_text(host) == text


def test_sync_must_name_the_protocol_from_v5() -> None:
    request = SyncGroupRequest(group_id="g", protocol_type="consumer")
    for version, error in ((5, ErrorCode.INCONSISTENT_GROUP_PROTOCOL), (4, ErrorCode.UNKNOWN_MEMBER_ID)):
        assert answer(sync_group.handle, request, make_context(version)).error_code == error


def test_heartbeat_of_an_unknown_group() -> None:
    response = answer(heartbeat.handle, HeartbeatRequest(group_id="g", member_id="m"), make_context(4))
    assert response.error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_leave_names_members_from_v3() -> None:
    lab = make_lab()
    member_id = join(3, lab).member_id
    unknown = answer(leave_group.handle, LeaveGroupRequest(group_id="g", member_id="x"), make_context(2, lab))
    assert (unknown.error_code, unknown.members) == (ErrorCode.UNKNOWN_MEMBER_ID, [])
    request = LeaveGroupRequest(
        group_id="g", members=[MemberIdentity(member_id="x"), MemberIdentity(member_id=member_id)]
    )
    response = answer(leave_group.handle, request, make_context(5, lab))
    assert response.error_code == ErrorCode.NONE
    assert [(member.member_id, member.error_code) for member in response.members] == [("x", 25), (member_id, 0)]
    refused = answer(leave_group.handle, LeaveGroupRequest(), make_context(5, lab))
    assert (refused.error_code, refused.members) == (ErrorCode.INVALID_GROUP_ID, [])


def test_describe_an_unknown_group() -> None:
    request = DescribeGroupsRequest(groups=["g"], include_authorized_operations=True)
    (group,) = answer(describe_groups.handle, request, make_context(5)).groups
    assert (group.error_code, group.group_state, group.authorized_operations) == (0, "Dead", 3_400)
    (group,) = answer(describe_groups.handle, request, make_context(6)).groups
    assert (group.error_code, group.error_message, group.group_state) == (69, "Group g not found.", "Dead")
    assert group.authorized_operations == -(2**31)


def test_authorized_operations_only_when_asked() -> None:
    lab = make_lab()
    join(3, lab)
    for asked, operations in ((True, 3_400), (False, -(2**31))):
        request = DescribeGroupsRequest(groups=["g"], include_authorized_operations=asked)
        (group,) = answer(describe_groups.handle, request, make_context(6, lab)).groups
        assert (group.authorized_operations, group.error_message) == (operations, None)


@pytest.mark.parametrize("version", range(4))
def test_delete_answers_each_group_once(version: int) -> None:
    lab = make_lab()
    join(4, lab)
    request = DeleteGroupsRequest(groups_names=["g", "other", "g"])
    results = answer(delete_groups.handle, request, make_context(version, lab)).results
    answered = [(result.group_id, result.error_code, result.error_message) for result in results]
    assert answered == [("g", 0, None), ("other", 69, None)]


def test_list() -> None:
    lab = make_lab()
    join(4, lab)
    (group,) = answer(list_groups.handle, ListGroupsRequest(states_filter=["EMPTY"]), make_context(5, lab)).groups
    assert (group.group_id, group.protocol_type, group.group_state, group.group_type) == ("g", "", "Empty", "classic")


# -- FindCoordinator


@pytest.mark.parametrize("version", range(4))
@pytest.mark.parametrize("key_type", [0, 1])
def test_find_one_coordinator(version: int, key_type: int) -> None:
    lab = make_lab()
    request = FindCoordinatorRequest(key="g", key_type=key_type)
    response = answer(find_coordinator.handle, request, make_context(version, lab))
    assert (response.error_code, response.error_message) == (ErrorCode.NONE, "NONE")
    assert (response.node_id, response.host, response.port) == (NODE_ID, HOST, PORT)
    assert lab.log.creations == (1 if key_type in (0, 1) or version == 0 else 0)
    encode(response, version)


def test_find_several_coordinators() -> None:
    request = FindCoordinatorRequest(coordinator_keys=["a", "b"])
    response = answer(find_coordinator.handle, request, make_context(4))
    found = [(one.key, one.error_code, one.error_message, one.node_id, one.port) for one in response.coordinators]
    assert found == [("a", 0, "", NODE_ID, PORT), ("b", 0, "", NODE_ID, PORT)]


@pytest.mark.parametrize(
    ("version", "key_type", "key", "error", "has_text"),
    [
        (5, 2, SHARE_KEY, 42, False),
        (6, 2, SHARE_KEY, 0, False),
        (6, 2, "a:b:" + SHARE_KEY[2:], 0, False),
        (6, 2, "g:no-uuid:0", 42, False),
        (6, 2, SHARE_KEY[:-1] + "x", 42, False),
        (6, 2, SHARE_KEY[1:], 42, False),
        (6, 2, "", 42, False),
        (6, 3, "g", 42, True),
        (4, -1, "g", 42, True),
    ],
)
def test_key_types(version: int, key_type: int, key: str, error: int, has_text: bool) -> None:
    request = FindCoordinatorRequest(coordinator_keys=[key], key_type=key_type)
    (found,) = answer(find_coordinator.handle, request, make_context(version)).coordinators
    assert (found.error_code, bool(found.error_message)) == (error, has_text)
    assert found.node_id == (NODE_ID if error == 0 else -1)


def test_find_without_a_registered_broker() -> None:
    lab = make_lab()
    lab.metadata.image = lab.metadata.image._replace(brokers={})
    response = answer(find_coordinator.handle, FindCoordinatorRequest(key="g"), make_context(3, lab))
    assert (response.error_code, response.node_id, response.port) == (ErrorCode.COORDINATOR_NOT_AVAILABLE, -1, -1)
    assert response.error_message == "The coordinator is not available."


@pytest.mark.parametrize(
    ("fenced", "listener", "error"),
    [
        (False, "PLAINTEXT", ErrorCode.NONE),
        (True, "PLAINTEXT", ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (False, "INTERNAL", ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ],
)
def test_find_a_coordinator_on_another_broker(fenced: bool, listener: str, error: ErrorCode) -> None:
    lab = make_lab()
    endpoints = {listener: Endpoint(listener, "other.example", 9_999, 0)}
    other = BrokerImage(OTHER_NODE_ID, 2, ZERO_UUID, endpoints, {}, fenced=fenced)
    lab.metadata.image = lab.metadata.image._replace(brokers={**lab.metadata.image.brokers, OTHER_NODE_ID: other})
    lab.log.led_elsewhere.update(range(PARTITION_COUNT))
    for version in (3, 6):
        request = FindCoordinatorRequest(key="g", coordinator_keys=["g"])
        response = answer(find_coordinator.handle, request, make_context(version, lab))
        found = response if version < 4 else response.coordinators[0]
        assert found.error_code == error
        expected = (-1, "", -1) if error else (OTHER_NODE_ID, "other.example", 9_999)
        assert (found.node_id, found.host, found.port) == expected


def test_find_a_coordinator_that_is_not_registered() -> None:
    lab = make_lab()
    lab.log.led_elsewhere.update(range(PARTITION_COUNT))
    response = answer(find_coordinator.handle, FindCoordinatorRequest(key="g"), make_context(3, lab))
    assert response.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
