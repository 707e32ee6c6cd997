"""Every state of a classic group meets every request, of a member, of a stranger and of another generation."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group.classic.state import PREVIOUS_STATES, ClassicGroupState
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_groups import ListedGroup
from tests.coordinators.group_lab import GroupLab

NONE = ErrorCode.NONE
UNKNOWN = ErrorCode.UNKNOWN_MEMBER_ID
GENERATION = ErrorCode.ILLEGAL_GENERATION
REBALANCE = ErrorCode.REBALANCE_IN_PROGRESS
NON_EMPTY = ErrorCode.NON_EMPTY_GROUP
NOT_FOUND = ErrorCode.GROUP_ID_NOT_FOUND
PARKED = None

STATES = ("none", "Empty", "PreparingRebalance", "CompletingRebalance", "Stable")

# What each request hears in each of STATES. The member is a follower whose generation is the group's.
EXPECTED: dict[str, tuple[ErrorCode | None, ...]] = {
    "join new member": (ErrorCode.MEMBER_ID_REQUIRED,) * 5,
    "join member, same metadata": (UNKNOWN, UNKNOWN, PARKED, NONE, NONE),
    "join member, new metadata": (UNKNOWN, UNKNOWN, PARKED, PARKED, PARKED),
    "join stranger": (UNKNOWN,) * 5,
    "sync member": (UNKNOWN, UNKNOWN, REBALANCE, PARKED, NONE),
    "sync member, other generation": (UNKNOWN, UNKNOWN, GENERATION, GENERATION, GENERATION),
    "sync stranger": (UNKNOWN,) * 5,
    "heartbeat member": (UNKNOWN, UNKNOWN, REBALANCE, NONE, NONE),
    "heartbeat member, other generation": (UNKNOWN, UNKNOWN, GENERATION, GENERATION, GENERATION),
    "heartbeat stranger": (UNKNOWN,) * 5,
    "commit member": (NOT_FOUND, UNKNOWN, NONE, REBALANCE, NONE),
    "commit member, other generation": (NOT_FOUND, UNKNOWN, GENERATION, GENERATION, GENERATION),
    "commit stranger": (NOT_FOUND, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    "commit nobody": (NONE, NONE, UNKNOWN, UNKNOWN, UNKNOWN),
    "leave member": (UNKNOWN, UNKNOWN, NONE, NONE, NONE),
    "leave stranger": (UNKNOWN,) * 5,
    "delete group": (NOT_FOUND, NONE, NON_EMPTY, NON_EMPTY, NON_EMPTY),
}


async def group_in(lab: GroupLab, state: str) -> tuple[str, int]:
    """A member that is (or was) a follower in a group in that state, and the generation."""
    if state == "none":
        return "nobody-1", 1
    leader, follower, generation_id = await lab.stable_pair()
    if state == "Empty":
        lab.leave(follower)
        lab.leave(leader)
        generation_id = lab.group().generation_id
    elif state == "PreparingRebalance":
        await lab.join(leader)
    elif state == "CompletingRebalance":
        await lab.join(leader)
        await lab.join(follower)
        generation_id += 1
    if state == "PreparingRebalance":
        await lab.new_member_id()  # keeps the rebalance open once the follower is back
    assert lab.state() == state
    return follower, generation_id


async def request(lab: GroupLab, name: str, member_id: str, generation_id: int) -> ErrorCode | None:
    """The error of the answer; None: parked."""
    verb, _, who = name.partition(" ")
    if "stranger" in who:
        member_id = "stranger"
    if "other generation" in who:
        generation_id -= 1
    if who in ("nobody", "new member"):
        member_id, generation_id = "", -1
    match verb:
        case "join":
            options = {"protocols": (("range", b"\0\0\0\0\0\0"),)} if "new metadata" in who else {}
            join = await lab.join(member_id, **options)  # type: ignore[arg-type]
            return None if join.parked else ErrorCode(join.answer.error_code)
        case "sync":
            sync = await lab.sync(member_id, generation_id)
            return None if sync.parked else ErrorCode(sync.answer.error_code)
        case "heartbeat":
            return lab.heartbeat(member_id, generation_id)
        case "commit":
            return await lab.commit(member_id=member_id, generation_id=generation_id)
        case "leave":
            return lab.leave(member_id)
        case _:
            return lab.groups.delete_group("readers").result()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", EXPECTED)
async def test_every_state_times_every_request(lab: GroupLab, state: str, name: str) -> None:
    member_id, generation_id = await group_in(lab, state)
    assert await request(lab, name, member_id, generation_id) == EXPECTED[name][STATES.index(state)]


def test_every_state_can_be_reached_and_left_but_the_last() -> None:
    assert set(PREVIOUS_STATES) == set(ClassicGroupState)
    for state in ClassicGroupState:
        ways_out = [after for after, before in PREVIOUS_STATES.items() if state in before and after is not state]
        assert bool(ways_out) == (state is not ClassicGroupState.DEAD)


# What DescribeGroups shows in each state: protocol data, member metadata, member assignment.
@pytest.mark.parametrize(
    ("state", "protocol", "metadata", "assignment"),
    [
        ("PreparingRebalance", "", False, b"two"),
        ("CompletingRebalance", "", False, b"two"),
        ("Stable", "range", True, b"two"),
    ],
)
async def test_what_is_described(lab: GroupLab, state: str, protocol: str, metadata: bool, assignment: bytes) -> None:
    follower, _ = await group_in(lab, state)
    described = lab.describe()
    assert (described.group_state, described.protocol_type, described.protocol_data) == (state, "consumer", protocol)
    (member,) = (member for member in described.members if member.member_id == follower)
    assert (bool(member.member_metadata), member.member_assignment) == (metadata, assignment)
    assert (member.client_id, member.client_host) == ("client", "/127.0.0.1")


async def test_listing(lab: GroupLab) -> None:
    await lab.stable_member()
    await lab.commit(group_id="simple")
    listed = {group.group_id: (group.protocol_type, group.group_state, group.group_type) for group in list_(lab)}
    assert listed == {"readers": ("consumer", "Stable", "classic"), "simple": ("", "Empty", "classic")}
    assert [group.group_id for group in list_(lab, states=("sTABLE",))] == ["readers"]
    assert [group.group_id for group in list_(lab, states=("empty", "dead"), types=("Classic",))] == ["simple"]
    assert list_(lab, states=("no state",)) == []
    assert list_(lab, types=("consumer",)) == []


def list_(lab: GroupLab, states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> list[ListedGroup]:
    return lab.groups.list_groups(states, types).result()
