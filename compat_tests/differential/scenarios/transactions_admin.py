"""What administrators see: ListTransactions, DescribeTransactions, DescribeProducers, FindCoordinator."""

from __future__ import annotations

import time
from typing import Any

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import new_producer, produce
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest

VERSIONS = range(3)


def in_every_state(peer: Peer, prefix: str) -> dict[str, TransactionalProducer]:
    """One transactional id in each state that lasts, named after it."""
    peer.create_topic(prefix, 2)
    producers = {
        state: TransactionalProducer.ready(peer, f"{prefix}-{state}")
        for state in ("Empty", "Ongoing", "CompleteCommit", "CompleteAbort")
    }
    for state, producer in producers.items():
        if state != "Empty":
            producers[state] = producer.opened(prefix, 0, 1)
        if state.startswith("Complete"):
            producers[state] = producer.ended(committed=state == "CompleteCommit")
    return producers


def listed(peer: Peer, prefix: str, label: str, request: ListTransactionsRequest, version: int) -> None:
    """Write down the answer, of which only those whose id begins with the prefix: other scenarios have theirs."""
    answer = peer.quietly(request, version)
    answer.transaction_states = [
        found for found in answer.transaction_states if found.transactional_id.startswith(prefix)
    ]
    answer.transaction_states.sort(key=lambda found: found.transactional_id)
    peer.note(f"ListTransactions v{version} {label}", peer.normaliser.plain(answer, version))


@scenario
def transactions_are_listed_by_state(peer: Peer) -> None:
    in_every_state(peer, "list-states")
    for states in (
        *(
            [state]
            for state in ("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort")
        ),
        *([state] for state in ("Dead", "PrepareEpochFence", "empty", "", "NoSuchState")),
        ["Empty", "Ongoing"],
        ["Empty", "NoSuchState", "Empty", "NorThis", "NoSuchState"],
        [],
    ):
        for version in VERSIONS:
            listed(peer, "list-states", f"{states}", ListTransactionsRequest(state_filters=states), version)


@scenario
def transactions_are_listed_by_producer_id(peer: Peer) -> None:
    producers = in_every_state(peer, "list-ids")
    empty, open_one = producers["Empty"].producer_id, producers["Ongoing"].producer_id
    for label, ids in {
        "one": [empty],
        "two": [empty, open_one],
        "one unknown": [empty, 987_654_321],
        "-1": [-1],
    }.items():
        for states in ([], ["Ongoing"]):
            for version in VERSIONS:
                request = ListTransactionsRequest(producer_id_filters=ids, state_filters=states)
                listed(peer, "list-ids", f"{label} {states}", request, version)


@scenario
def transactions_are_listed_by_duration(peer: Peer) -> None:
    """How long ago it began; one that never began is older than everything."""
    in_every_state(peer, "list-ages")
    time.sleep(0.03)  # so that each of them is older than the shortest time asked for, on either broker
    for duration_ms in (0, 10, 3_600_000, -1, -5, 2**62):
        for version in VERSIONS[1:]:
            request = ListTransactionsRequest(duration_filter=duration_ms)
            listed(peer, "list-ages", f"for {duration_ms} ms", request, version)


@scenario
def transactions_are_listed_by_pattern(peer: Peer) -> None:
    in_every_state(peer, "list-names")
    ask_patterns(
        peer,
        "list-names",
        "list-names-Empty",
        "list-names-.*",
        "list-names-(Empty|Ongoing)",
        "^list-names-Complete(Commit|Abort)$",
        "LIST-NAMES-.*",
        "(?i)LIST-names-EMPTY",
        "names-Empty",
        "list-names",
        "list-names-[A-E].*",
        r"list\-names-\w+",
        "(?P<group>list)-names-Empty",
        "",
        "(",
        "[z-a]",
        "*",
        "a{2,1}",
    )


@scenario
def dialects_of_patterns(peer: Peer) -> None:
    in_every_state(peer, "list-dialect")
    ask_patterns(
        peer,
        "list-dialect",
        "(?=list).*",
        r"(l)ist-dia\1ect-.*",
        "list-dialect-Empty++",
        "[[:lower:]]+-dialect-[[:alpha:]]+",
        r"\Qlist-dialect-Empty\E",
        r"list-dialect-\pL+",
        "(?<group>list)-dialect-Empty",
    )


def ask_patterns(peer: Peer, prefix: str, *patterns: str) -> None:
    for pattern in patterns:
        listed(peer, prefix, repr(pattern), ListTransactionsRequest(transactional_id_pattern=pattern), 2)


@scenario
def transactions_are_described(peer: Peer) -> None:
    producers = in_every_state(peer, "describe")
    peer.create_topic("describe-more")
    producers["Ongoing"].opened("describe-more")
    names = [producer.name for producer in producers.values()]
    peer.ask(DescribeTransactionsRequest(transactional_ids=names), label="every state")
    for ids in ([], ["describe-unknown"], [""], ["describe-Empty", "describe-unknown", "", "describe-Empty"]):
        peer.ask(DescribeTransactionsRequest(transactional_ids=ids), label=f"{ids}")


@scenario
def producers_are_described(peer: Peer) -> None:
    """Those that have written, transactional or idempotent, and what they have open."""
    producers = in_every_state(peer, "describe-producers")
    idempotent = TransactionalProducer(peer, "", new_producer(peer), 0)
    records = idempotent.batch(b"1", b"2", is_transactional=False)
    peer.ask(produce(peer, 13, "describe-producers", records))
    for producer in producers.values():
        producer.described()  # so that the transcript knows them in this order

    def ask(label: str, topics: dict[str, list[int]]) -> Any:
        asked = [TopicRequest(name=name, partition_indexes=found) for name, found in topics.items()]
        return peer.ask(DescribeProducersRequest(topics=asked), label=label)

    ask("both", {"describe-producers": [0, 1]})
    ask("unknown partition", {"describe-producers": [2, -1]})
    ask("unknown topic", {"describe-producers-not": [0]})
    ask("invalid topic", {"describe producers": [0], "": [0]})
    ask("no partitions", {"describe-producers": [], "describe-producers-not": []})
    ask("nothing", {})
    ask("twice", {"describe-producers": [1, 1]})


@scenario
def coordinators_of_transactions(peer: Peer) -> None:
    TransactionalProducer.ready(peer, "coordinator")
    for key in ("coordinator", "coordinator-unknown", ""):
        for version in range(1, 7):
            request = FindCoordinatorRequest(key_type=1)
            if version >= 4:
                request.coordinator_keys = [key]
            else:
                request.key = key
            peer.ask(request, version, f"{key!r}")
    for version in range(4, 7):
        several = FindCoordinatorRequest(key_type=1, coordinator_keys=["coordinator", "", "coordinator", "other"])
        peer.ask(several, version, "several")
        peer.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=[]), version, "none")
