"""Subscriptions of consumer groups by pattern: matched beside the event loop, again when topics appear."""

from __future__ import annotations

import pytest

from kafkapy_wire.errors import ErrorCode
from tests.coordinators.consumer_lab import ConsumerLab

NAMELESS = {"subscribed_topic_names": None}


@pytest.fixture
def lab() -> ConsumerLab:
    return ConsumerLab()


async def test_the_topics_of_a_pattern_come_with_a_later_heartbeat(lab: ConsumerLab) -> None:
    lab.topic("events-1", 2)
    lab.topic("other", 1)
    first = lab.joins("a", subscribed_topic_regex="events-.*", **NAMELESS)
    assert (first.member_epoch, lab.assigned(first)) == (1, {})
    await lab.matched()
    assert lab.assigned(lab.beat("a", 1)) == {"events-1": {0, 1}}
    assert lab.consumer_group().is_subscribed_to("events-1")
    assert lab.assigned(lab.joins("b", subscribed_topic_regex="events-.*", **NAMELESS)) == {}, "known, but owned"
    assert lab.epochs()[0] == 3
    await lab.restart()
    assert lab.assigned(lab.beat("a", 2, owned={"events-1": {0, 1}})) == {"events-1": {0}}


async def test_topics_that_appear_are_found(lab: ConsumerLab) -> None:
    lab.topic("events-1", 1)
    lab.joins("a", subscribed_topic_regex="events-.*", **NAMELESS)
    await lab.matched()
    lab.beat("a", 1)
    lab.topic("events-2", 1)
    for _ in range(2):
        lab.beat("a", 2)
        await lab.matched()
    assert lab.beat("a", 2).assignment is None, "not within ten seconds"
    lab.advance(10_000)
    lab.beat("a", 2)
    await lab.matched()
    assert lab.assigned(lab.beat("a", 2)) == {"events-1": {0}, "events-2": {0}}
    lab.delete_topic("events-1")
    assert lab.assigned(lab.beat("a", 3, owned={"events-2": {0}})) == {"events-2": {0}}


async def test_patterns_are_matched_again_after_the_refresh_interval(lab: ConsumerLab) -> None:
    """group.consumer.regex.refresh.interval.ms: an authorizer may see a topic later than it was made."""
    lab.topic("events", 1)
    lab.joins("a", subscribed_topic_regex="ev.*", **NAMELESS)
    await lab.matched()
    lab.beat("a", 1)

    def resolved_at_ms() -> int:
        return lab.consumer_group().resolved["ev.*"].resolved_at_ms

    before = resolved_at_ms()
    for step_ms, is_new in ((599_999, False), (2, True)):
        while step_ms > 0:
            lab.advance(min(step_ms, 40_000))
            lab.beat("a", 2)
            step_ms -= 40_000
        await lab.matched()
        assert (resolved_at_ms() > before) is is_new


async def test_a_pattern_that_nobody_uses_is_forgotten(lab: ConsumerLab) -> None:
    lab.topic("events", 1)
    lab.joins("a", subscribed_topic_regex="ev.*", **NAMELESS)
    await lab.matched()
    lab.beat("a", 1)
    lab.beat("a", 2, owned={"events": {0}}, subscribed_topic_regex="")
    assert lab.consumer_group().resolved == {}
    lab.joins("b", subscribed_topic_regex="e.*", **NAMELESS)
    await lab.matched()
    assert lab.consumer_group().resolved.keys() == {"e.*"}
    lab.beat("b", -1)
    assert lab.consumer_group().resolved == {}


@pytest.mark.parametrize("pattern", ["(", "(?=look)", "x{1001}", "((x{100}){100}){100}", "\\1", "[z-a]"])
async def test_what_is_no_pattern_is_refused(lab: ConsumerLab, pattern: str) -> None:
    answer = lab.joins("a", subscribed_topic_regex=pattern, **NAMELESS)
    assert answer.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
    assert answer.error_message is not None
    assert answer.error_message.startswith(f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: ")
    assert lab.state() == "none"


async def test_a_pattern_that_would_explode_elsewhere_takes_no_time_here(lab: ConsumerLab) -> None:
    lab.topic("a" * 200, 1)
    lab.joins("a", subscribed_topic_regex="((a+)+)+!", **NAMELESS)
    await lab.matched()
    assert lab.consumer_group().resolved["((a+)+)+!"].topics == frozenset()
