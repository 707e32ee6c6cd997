"""What every client of another language has to get done: one test class a client inherits these tests.

The class makes the `client` fixture, and `codec`, which has the codecs that its client knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from compat_tests.broker import Broker
from compat_tests.client_program import ClientProgram, Record, until_delivered, until_settled
from compat_tests.conftest import StartBroker
from compat_tests.deadlines import eventually

START_MS = time.time_ns() // 1_000_000 - 3_600_000  # what is older than its retention does not stay
MESSAGE_BYTES_MAX = 1_048_588  # max.message.bytes by default: a whole batch, its header included
BATCH_OVERHEAD_BYTES = 100  # more than the headers of a batch and of its one record

MESSAGE_TOO_LARGE = 10
AWKWARD_RECORDS = [
    Record(b"plain", timestamp=START_MS),
    Record(None, key=b"deleted", timestamp=START_MS + 1),
    Record(b"", key=b"", timestamp=START_MS + 2),
    Record("Grüße, 世界 🦊".encode(), key="clé".encode(), timestamp=START_MS + 3),
    Record(bytes(range(256)), key=b"\x00\xff", timestamp=START_MS + 4),
    Record(b"headers", headers=(("träce", "é".encode()), ("empty", b"")), timestamp=START_MS + 5),
    Record(b"again " * 5_000, timestamp=START_MS + 6),
]


class ClientScenarios:
    no_call_for: frozenset[str] = frozenset()
    """What of a round of admin calls this client cannot ask."""

    def test_every_codec_carries_every_kind_of_record(
        self, client: ClientProgram, codec: str, broker: Broker, new_name: Callable[..., str]
    ) -> None:
        """Tombstones, headers, unicode, empty and binary bytes, to a topic that the first produce makes."""
        topic = new_name()
        records = AWKWARD_RECORDS + [Record(f"{codec} {n} ".encode() * 20) for n in range(300)]
        outcomes = client.produce(broker.bootstrap, topic, records, codec)
        assert [(o.offset, o.error) for o in outcomes] == [(offset, 0) for offset in range(len(records))]
        consumed = client.consume(broker.bootstrap, topic, len(records))
        assert consumed == records
        assert [record.offset for record in consumed] == list(range(len(records)))

    def test_a_consumer_starts_from_a_time(
        self, client: ClientProgram, broker: Broker, new_name: Callable[..., str]
    ) -> None:
        topic = new_name()
        records = [Record(str(n).encode(), timestamp=START_MS + 10 * n) for n in range(50)]
        client.produce(broker.bootstrap, topic, records)
        assert client.consume(broker.bootstrap, topic, 20, from_timestamp_ms=START_MS + 295) == records[30:]

    def test_a_message_may_be_as_large_as_the_topic_allows_and_no_larger(
        self, client: ClientProgram, broker: Broker, new_name: Callable[..., str]
    ) -> None:
        topic = new_name()
        fits = Record(b"x" * (MESSAGE_BYTES_MAX - BATCH_OVERHEAD_BYTES))
        too_large = Record(b"x" * MESSAGE_BYTES_MAX)
        assert [o.error for o in client.produce(broker.bootstrap, topic, [fits])] == [0]
        assert [o.error for o in client.produce(broker.bootstrap, topic, [too_large])] == [MESSAGE_TOO_LARGE]
        assert client.consume(broker.bootstrap, topic, 1) == [fits]

    def test_members_join_leave_and_die_and_nothing_is_lost(
        self,
        client: ClientProgram,
        start_broker: StartBroker,
        new_name: Callable[..., str],
    ) -> None:
        # A dead member is noticed when its session is over, and a broker grants six seconds at least by default.
        broker = start_broker(group_min_session_timeout_ms="500")
        topic, group = new_name(), new_name("group")
        client.create(broker.bootstrap, topic, 4)
        sent: list[str] = []

        def send(stage: str) -> None:
            values = [f"{stage} {n}" for n in range(40)]
            client.produce(broker.bootstrap, topic, [Record(v.encode(), partition=n % 4) for n, v in enumerate(values)])
            sent.extend(values)

        with client.member(broker.bootstrap, group, topic, session_timeout_ms=2_000) as first:
            until_settled([first], 4)
            send("one member")
            eventually(lambda: set(sent) <= set(first.values), "the first member has read all")
            with client.member(broker.bootstrap, group, topic, session_timeout_ms=2_000) as second:
                until_settled([first, second], 4)
                send("two members")
                eventually(lambda: set(sent) <= {*first.values, *second.values}, "both have read all")
                assert set(second.values) <= {value for value in sent if value.startswith("two")}, (
                    "what the first member had committed came again"
                )
                first.leave()
                until_settled([second], 4)
                with client.member(broker.bootstrap, group, topic, session_timeout_ms=2_000) as third:
                    until_settled([second, third], 4)
                    second.kill()
                    send("after a death")
                    until_settled([third], 4)
                    eventually(
                        lambda: set(sent) <= {*first.values, *second.values, *third.values}, "all three have read all"
                    )

    def test_idempotent_producer_loses_and_doubles_nothing_when_the_broker_restarts(
        self, client: ClientProgram, start_broker: StartBroker, new_name: Callable[..., str]
    ) -> None:
        """Killed once with requests in flight, stopped once; each partition then has each record once, in order."""
        broker = start_broker(num_partitions="2")
        topic = new_name()
        records = [Record(str(n).encode(), partition=n // 10 % 2) for n in range(3_000)]
        with client.producing(broker.bootstrap, topic) as producer:
            for turn in range(2):
                producer.send(records[turn * 1_000 : (turn + 1) * 1_000])
                until_delivered(producer, turn * 1_000 + 200)
                broker.stop(kill=turn == 0)
                broker.start()
            producer.send(records[2_000:])
            outcomes = producer.finish()
        assert [o.error for o in outcomes] == [0] * len(records)
        consumed = client.consume(broker.bootstrap, topic, len(records))
        for partition in (0, 1):
            expected = [record.value for record in records if record.partition == partition]
            found = [record for record in consumed if record.partition == partition]
            assert [record.value for record in found] == expected
            assert [record.offset for record in found] == list(range(len(expected)))
            assert sorted(o.offset for o in outcomes if o.partition == partition) == list(range(len(expected)))

    def test_a_round_of_admin_calls(self, client: ClientProgram, broker: Broker, new_name: Callable[..., str]) -> None:
        topic = new_name()
        client.produce(broker.bootstrap, topic, [Record(str(n).encode(), timestamp=START_MS + n) for n in range(10)])
        answers = client.admin(broker.bootstrap, topic, new_name("group"), START_MS + 4)
        expected = {
            "ports": [broker.port],
            "has_controller": True,
            "create_again_error": 36,  # TOPIC_ALREADY_EXISTS
            "invalid_name_error": 17,  # INVALID_TOPIC_EXCEPTION
            "delete_unknown_error": 3,  # UNKNOWN_TOPIC_OR_PARTITION
            "partitions": 4,
            "retention": ["60000", "120000"],
            "topic_gone": True,
            "earliest": 0,
            "latest": 10,
            "at_timestamp": 4,
            "earliest_after_cut": 3,
            "committed": 5,
            "group_listed": True,
            "group_state": "Empty",
            "delete_group_again_error": 69,  # GROUP_ID_NOT_FOUND
        }
        assert answers == {name: value for name, value in expected.items() if name not in self.no_call_for}


class StaticMemberScenarios:
    """For clients that know `group.instance.id` (KIP-345)."""

    def test_static_member_comes_back_without_a_rebalance(
        self,
        client: ClientProgram,
        broker: Broker,
        new_name: Callable[..., str],
    ) -> None:
        topic, group = new_name(), new_name("group")
        client.create(broker.bootstrap, topic, 4)

        with client.member(broker.bootstrap, group, topic, session_timeout_ms=30_000, instance_id="a") as a:
            with client.member(broker.bootstrap, group, topic, session_timeout_ms=30_000, instance_id="b") as b:
                until_settled([a, b], 4)
                before, assignments_of_a = b.assigned, a.assignments
                b.kill()
            with client.member(broker.bootstrap, group, topic, session_timeout_ms=30_000, instance_id="b") as b:
                eventually(lambda: b.assigned == before, "the static member has its partitions back")
                client.produce(broker.bootstrap, topic, [Record(b"on", partition=p) for p in range(4)])
                eventually(lambda: len(a.values) == len(b.values) == 2, "both go on reading")
                assert a.assignments == assignments_of_a, "the other member was disturbed"
