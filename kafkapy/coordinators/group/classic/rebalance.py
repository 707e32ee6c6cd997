"""The phases of a classic group's rebalance, and every timer that can move it on.

    prepare             members are asked to join; the join deadline is set
    _end_join_phase     members that have not joined are removed
    _complete_join      the others get the new generation; the sync deadline is set
    (leader's SyncGroup, in protocol.py)
    leaving             members leave
    _expire_*           a deadline passed: the member or the phase is given up

As in Apache Kafka, membership during a rebalance is not logged: a group is written when it is Stable or Empty. So these
functions change memory and return nothing. The exception is a group that loses its last member: `_removing`
appends its record first, and if the append fails the group is unchanged. Timers execute their decisions themselves.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.deadline import RETRY_MS, deciding_deadline
from kafkapy.coordinators.group.classic.answers import join_response
from kafkapy.coordinators.group.classic.group_record import empty_generation
from kafkapy.coordinators.group.classic.state import ClassicGroupState
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kafkapy.clock import Clock
    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.classic.group import ClassicGroup
    from kafkapy.coordinators.group.classic.member import ClassicMember
    from kafkapy.settings.current import CurrentSettings

logger = logging.getLogger("kafkapy.groups")

_EMPTY, _PREPARING, _COMPLETING, _STABLE, _DEAD = ClassicGroupState

NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1_000
"""How long a first JoinGroup may stay parked. Its client has no member id to send heartbeats with, and if it hung up
and asked again under another id, the rebalance would wait for a member that does not exist."""


class Rebalancer:
    """Moves the groups of one shard through their rebalances."""

    def __init__(self, settings: CurrentSettings, clock: Clock, execute: Callable[[Decision[None]], bool]) -> None:
        self._settings = settings
        self._clock = clock
        self._execute = execute

    # -- phases

    def prepare_or_complete_join(self, group: ClassicGroup, reason: str) -> None:
        """Members have changed: begin a rebalance, or continue the running one."""
        if group.can_rebalance:
            self.prepare(group, reason)
        else:
            self.complete_join_if_all_joined(group)

    def prepare(self, group: ClassicGroup, reason: str) -> None:
        """Ask all members to join again."""
        for member in group.members.values():
            if group.state is _COMPLETING:
                member.assignment = b""
            # Also in a stable group whose assignment is not committed yet: the rebalance replaces it.
            self.answer_sync(group, member, ErrorCode.REBALANCE_IN_PROGRESS)
        group.pending_syncs.clear()
        group.drop_sync_deadline()
        is_initial = group.state is _EMPTY
        group.transition_to(_PREPARING, self._clock.now_ms())
        logger.info("group %s: rebalance after generation %d: %s", group.group_id, group.generation_id, reason)
        if is_initial:
            self._begin_initial_delay(group)
        elif group.has_all_members_joined:
            self._complete_join(group)
        else:
            self._set_join_deadline(group, group.rebalance_timeout_ms, partial(self._end_join_phase, group))

    def complete_join_if_all_joined(self, group: ClassicGroup) -> None:
        # The initial rebalance ends with its delay, however many have joined.
        if group.state is _PREPARING and group.has_all_members_joined and group.previous_state is not _EMPTY:
            self._complete_join(group)

    def _end_join_phase(self, group: ClassicGroup) -> Decision[None]:
        """Remove members that have not joined in time. Static members stay (KIP-345)."""
        if group.state is not _PREPARING:
            return NOTHING
        late = [member for member in group.members.values() if member.join is None and not member.is_static]

        def go_on() -> None:
            for member in late:
                logger.info("group %s: %s has not joined in time", group.group_id, member.member_id)
                group.remove(member.member_id)
            self._complete_join(group)

        return self._removing(group, go_on, leaves_it_empty=len(late) == len(group.members))

    def _complete_join(self, group: ClassicGroup) -> None:
        """End the join phase with the present members."""
        group.drop_join_deadline()
        if group.members and not group.elect_joined_leader():
            # Only static members are left and none of them has joined: sessions decide who stays. With a time-out of
            # next to nothing the phase would begin anew in every turn of the event loop.
            delay_ms = max(group.rebalance_timeout_ms, RETRY_MS)
            self._set_join_deadline(group, delay_ms, partial(self._end_join_phase, group))
            return
        group.next_generation(self._clock.now_ms())
        if group.state is _EMPTY:
            logger.info("group %s: empty as of generation %d", group.group_id, group.generation_id)
        else:
            self._announce_generation(group)

    # -- members that go

    def leaving(self, group: ClassicGroup, member_ids: Collection[str]) -> Decision[None]:
        """Remove members that leave. The initial rebalance goes on to the end of its delay."""
        in_initial_delay = group.state is _PREPARING and group.previous_state is _EMPTY
        return self._removal(group, member_ids, f"{', '.join(member_ids)} left", completes_join=not in_initial_delay)

    def _removal(
        self, group: ClassicGroup, member_ids: Collection[str], reason: str, *, completes_join: bool = True
    ) -> Decision[None]:
        """Remove members, pending ones too, and begin or continue a rebalance."""

        def go_on() -> None:
            for member_id in member_ids:
                group.remove(member_id)
            if group.is_in(_STABLE, _COMPLETING):
                self.prepare_or_complete_join(group, reason)
            elif completes_join and group.state is _PREPARING and group.has_all_members_joined:
                self._complete_join(group)

        nobody_is_left = group.members.keys() <= set(member_ids) and group.pending_joins.keys() <= set(member_ids)
        goes_on = group.is_in(_STABLE, _COMPLETING) or (group.state is _PREPARING and completes_join)
        return self._removing(group, go_on, leaves_it_empty=nobody_is_left and goes_on)

    def _removing(self, group: ClassicGroup, go_on: Callable[[], None], *, leaves_it_empty: bool) -> Decision[None]:
        """Call `go_on`, which removes members. If the group becomes empty, its record is appended first."""
        if not leaves_it_empty:
            go_on()
            return NOTHING

        def apply() -> None:
            go_on()
            assert group.state is _EMPTY, f"group {group.group_id} has lost its last member and is {group.state}"

        return Decision([empty_generation(group, self._clock.now_ms())], None, apply=apply)

    # -- the generation

    def _announce_generation(self, group: ClassicGroup) -> None:
        logger.info("group %s: generation %d, members: %d", group.group_id, group.generation_id, len(group.members))
        for member in group.members.values():
            group.answer_join(member, join_response(group, member, with_members=member.member_id == group.leader))
            self.expect_heartbeat(group, member)
            member.is_new = False
            group.pending_syncs[member.member_id] = None
        if group.sync_deadline is None:
            group.sync_deadline = self._deadline(partial(self._expire_pending_syncs, group))
        group.sync_deadline.set(group.rebalance_timeout_ms)

    def answer_sync(self, group: ClassicGroup, member: ClassicMember, error: ErrorCode = ErrorCode.NONE) -> None:
        """Answer a parked SyncGroup and restart the session, which could not expire while the request was parked."""
        if group.answer_sync(member, error):
            self.expect_heartbeat(group, member)

    def received_sync(self, group: ClassicGroup, member_id: str) -> None:
        group.pending_syncs.pop(member_id, None)
        if not group.pending_syncs:
            group.drop_sync_deadline()

    # -- the first rebalance of an empty group (KIP-134)

    def _begin_initial_delay(self, group: ClassicGroup) -> None:
        delay_ms = self._settings.now.groups.group_initial_rebalance_delay_ms
        if delay_ms <= 0:
            self._complete_join(group)
            return
        remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
        self._set_join_deadline(group, delay_ms, partial(self._extend_initial_delay, group, delay_ms, remaining_ms))

    def _extend_initial_delay(self, group: ClassicGroup, delay_ms: int, remaining_ms: int) -> Decision[None]:
        """Extend the initial delay while new members join, up to the rebalance timeout."""
        if not group.new_member_added or not remaining_ms:
            return self._end_join_phase(group)
        group.new_member_added = False
        next_delay_ms = min(self._settings.now.groups.group_initial_rebalance_delay_ms, remaining_ms)
        next_remaining_ms = max(remaining_ms - delay_ms, 0)
        self._set_join_deadline(
            group, next_delay_ms, partial(self._extend_initial_delay, group, next_delay_ms, next_remaining_ms)
        )
        return NOTHING

    # -- timers

    def expect_heartbeat(self, group: ClassicGroup, member: ClassicMember, timeout_ms: int | None = None) -> None:
        """Restart the member's session."""
        if member.session is None:
            member.session = self._deadline(partial(self._expire_session, group, member))
        member.session.set(member.session_timeout_ms if timeout_ms is None else timeout_ms)

    def expect_join(self, group: ClassicGroup, member_id: str, timeout_ms: int) -> None:
        """A member id was given out: the client must join with it before the timer ends (KIP-394)."""
        pending = group.pending_joins[member_id] = self._deadline(partial(self._expire_pending_join, group, member_id))
        pending.set(timeout_ms)

    def _expire_session(self, group: ClassicGroup, member: ClassicMember) -> Decision[None]:
        if group.members.get(member.member_id) is not member or member.keeps_session_by_waiting:
            return NOTHING
        logger.info("group %s: the session of %s has ended", group.group_id, member.member_id)
        return self._removal(group, [member.member_id], f"session of {member.member_id} ended")

    def _expire_pending_join(self, group: ClassicGroup, member_id: str) -> Decision[None]:
        if group.state is _PREPARING:
            return self._removal(group, [member_id], f"{member_id} did not come back")
        group.remove(member_id)
        return NOTHING

    def _expire_pending_syncs(self, group: ClassicGroup) -> Decision[None]:
        """Remove members, static ones too, that have joined but not sent their SyncGroup."""
        if not group.is_in(_COMPLETING, _STABLE) or not group.pending_syncs:
            return NOTHING
        missing = sorted(group.pending_syncs)
        reason = f"no SyncGroup from {', '.join(missing)}"

        def go_on() -> None:
            for member_id in missing:
                group.remove(member_id)
            self.prepare(group, reason)

        leaves_it_empty = group.members.keys() <= set(missing) and not group.pending_joins
        return self._removing(group, go_on, leaves_it_empty=leaves_it_empty)

    def _set_join_deadline(self, group: ClassicGroup, delay_ms: int, expire: Callable[[], Decision[None]]) -> None:
        group.drop_join_deadline()
        group.join_deadline = self._deadline(expire)
        group.join_deadline.set(delay_ms)

    def _deadline(self, expire: Callable[[], Decision[None]]) -> Deadline:
        return deciding_deadline(self._clock, self._execute, expire)
