"""Fetch sessions whose topics are forgotten, deleted and made anew while fetches wait: what is told, and when."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import filled, partition
from compat_tests.differential.scenarios.fetch_waiting import (
    LONG_WAIT_MS,
    UNKNOWN_ID,
    add,
    answered,
    delete_topic,
    of_topics,
)
from kafkapy_wire.messages.fetch import FetchRequest, ForgottenTopic
from kafkapy_wire.uuid import ZERO_UUID, Uuid

VERSIONS = (7, 12, 18)


def forgetting(
    peer: Peer, version: int, request: FetchRequest, *forgotten: tuple[str | Uuid, list[int]]
) -> FetchRequest:
    for topic, partitions in forgotten:
        if version < 13:
            assert isinstance(topic, str)
            one = ForgottenTopic(topic=topic, topic_id=ZERO_UUID, partitions=partitions)
        else:
            topic_id = Uuid(peer.topic_ids.get(topic, UNKNOWN_ID)) if isinstance(topic, str) else topic
            one = ForgottenTopic(topic="", topic_id=topic_id, partitions=partitions)
        request.forgotten_topics_data.append(one)
    return request


@scenario
def what_is_forgotten_ends_no_wait(peer: Peer) -> None:
    for name in ("forget-a", "forget-b"):
        filled(peer, name, 2, batches=1)
    ends = (partition(0, 2), partition(1, 2))
    cases: dict[str, tuple[tuple[str, list[int]], ...]] = {
        "one": (("forget-a", [0]),),
        "a topic": (("forget-a", [0, 1]),),
        "all": (("forget-a", [0, 1]), ("forget-b", [0, 1])),
        "unknown ones": (("forget-a", [7, -1]), ("forget-no", [0])),
        "one twice": (("forget-a", [0, 0]), ("forget-a", [0])),
        "none of it": (("forget-a", []),),
    }
    waiting, sessions = [], {}
    for version in VERSIONS:
        for label in cases:
            whole = of_topics(peer, version, ("forget-a", ends), ("forget-b", ends), session_epoch=0, min_bytes=0)
            sessions[version, label] = peer.ask(whole, version, f"{label} opens").session_id
    for (version, label), session_id in sessions.items():
        asked = of_topics(peer, version, session_id=session_id, session_epoch=1)
        waiting.append(peer.post(forgetting(peer, version, asked, *cases[label]), version, f"forgets {label}"))
    answered(waiting)
    waiting = []
    for (version, label), session_id in sessions.items():
        asked = of_topics(peer, version, session_id=session_id, session_epoch=2, wait_ms=LONG_WAIT_MS)
        waiting.append(peer.post(asked, version, f"has forgotten {label}"))
    peer.meanwhile("a record comes to what some have forgotten")
    add(peer, "forget-a", b"more")
    peer.meanwhile("a record comes to the other topic")
    add(peer, "forget-b", b"more")
    answered(waiting)


@scenario
def forgotten_and_named_in_one_request(peer: Peer) -> None:
    """What is forgotten and named is in the session: it goes first, and comes again."""
    filled(peer, "renamed", 2, batches=2)
    for version in VERSIONS:
        whole = of_topics(peer, version, ("renamed", (partition(0, 4), partition(1, 4))), session_epoch=0, min_bytes=0)
        session_id = peer.ask(whole, version, "opens").session_id
        named = of_topics(
            peer, version, ("renamed", (partition(0, 0),)), session_id=session_id, session_epoch=1, min_bytes=0
        )
        peer.ask(forgetting(peer, version, named, ("renamed", [0])), version, "forgotten and named")
        for epoch, label in ((2, "afterwards"), (3, "again")):
            asked = of_topics(peer, version, session_id=session_id, session_epoch=epoch, min_bytes=0)
            peer.ask(asked, version, label)
        asked = of_topics(peer, version, session_id=session_id, session_epoch=0, min_bytes=0)
        peer.ask(forgetting(peer, version, asked, ("renamed", [0])), version, "a new one that forgets")
        asked = of_topics(peer, version, ("renamed", (partition(0, 0),)), min_bytes=0)
        peer.ask(forgetting(peer, version, asked, ("renamed", [0])), version, "no session, forgets what it names")


@scenario
def a_session_of_nothing(peer: Peer) -> None:
    filled(peer, "nothing-yet", batches=1)
    for version in VERSIONS:
        opened = peer.ask(of_topics(peer, version, session_epoch=0, min_bytes=0), version, "opens")
        named = ("nothing-yet", (partition(0, 0),))
        asked = of_topics(peer, version, named, session_id=opened.session_id, session_epoch=1, min_bytes=0)
        peer.ask(asked, version, "a partition comes in")
        other = peer.ask(of_topics(peer, version, session_epoch=0, min_bytes=0), version, "opens another")
        for epoch in (1, 2):
            asked = of_topics(peer, version, session_id=other.session_id, session_epoch=epoch, min_bytes=0)
            peer.ask(asked, version, f"still nothing, epoch {epoch}")
        peer.ask(of_topics(peer, version, session_epoch=-1, min_bytes=0), version, "no session, nothing")


@scenario
def topics_that_went_are_forgotten(peer: Peer) -> None:
    for name in ("went-stays", "went-goes", "went-anew"):
        filled(peer, name, batches=1)
    end = (partition(0, 2),)
    old = {name: Uuid(topic_id) for name, topic_id in peer.topic_ids.items()}
    sessions = {}
    for version in VERSIONS:
        for label in ("forgets", "keeps"):
            whole = of_topics(
                peer,
                version,
                ("went-stays", end),
                ("went-goes", end),
                ("went-anew", end),
                session_epoch=0,
                min_bytes=0,
            )
            sessions[version, label] = peer.ask(whole, version, f"{label} opens").session_id
    for name in ("went-goes", "went-anew"):
        delete_topic(peer, name)
    filled(peer, "went-anew", batches=1)
    waiting = []
    for (version, label), session_id in sessions.items():
        asked = of_topics(peer, version, session_id=session_id, session_epoch=1)
        if label == "forgets":
            for name in ("went-goes", "went-anew"):
                forgetting(peer, version, asked, (old[name] if version >= 13 else name, [0]))
        waiting.append(peer.post(asked, version, f"{label}, after the deletion"))
    answered(waiting)
    waiting = []
    for (version, label), session_id in sessions.items():
        asked = of_topics(peer, version, session_id=session_id, session_epoch=2, wait_ms=LONG_WAIT_MS)
        waiting.append(peer.post(asked, version, f"{label}, once more"))
    peer.meanwhile("records come")
    add(peer, "went-stays", b"more")
    answered(waiting)
    for (version, label), session_id in sessions.items():
        asked = of_topics(
            peer, version, ("went-anew", (partition(0, 0),)), session_id=session_id, session_epoch=3, min_bytes=0
        )
        peer.ask(asked, version, f"{label}, the new one is named")
        asked = of_topics(peer, version, session_id=session_id, session_epoch=4, min_bytes=0)
        peer.ask(asked, version, f"{label}, the new one is in")
