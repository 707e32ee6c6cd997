"""Each anomaly, planted by hand in a small history, is found, and nothing else is."""

from tests.history.history_builder import TOPIC, History, sent


def test_a_history_without_anomalies_is_clean() -> None:
    history = sent(["a", "b"])
    history.begin(1)
    history.send(1, "c", 0, 2)
    history.poll(1, (0, 0, "a"), committed=True)
    history.commit(1, "g", 1)
    history.end(1)
    history.poll(2, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"), committed=True, final=True)
    verdict = history.check()
    assert verdict.is_clean()
    assert verdict.sizes()["transactions_committed"] == 1
    assert verdict.findings.allowed == {}


def test_lost_write() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 2, "c"))
    assert history.found() == {"lost-write": 1}
    assert history.check().anomalies[0].lines == (3, 4)


def test_below_the_first_poll_a_lost_write_needs_final_polls() -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 1, "b"))
    assert history.found() == {}
    history.poll(1, final=True)
    assert history.found() == {"lost-write": 1}


def test_unseen() -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 0, "a"))
    assert history.found() == {}
    history.poll(1, final=True)
    assert history.found() == {"unseen": 1}


def test_acknowledged_without_an_offset_must_be_seen_in_the_end() -> None:
    history = History()
    history.send(0, "a", 0, None)
    history.poll(1, final=True)
    assert history.found() == {"unseen": 1}


def test_what_was_not_acknowledged_may_be_missing_or_there() -> None:
    history = History()
    history.send(0, "a", 0, None, end="info")
    history.send(0, "b", 0, None, end="")
    history.event(0, "info", "crash")
    history.send(1, "c", 0, None, end="info")
    history.poll(2, (0, 0, "b"), (0, 1, "c"), final=True)
    assert history.found() == {}


def test_inconsistent_offsets() -> None:
    history = History()
    for value in ("a", "b"):
        history.send(0, value, 0, None, end="info")
    history.poll(1, (0, 0, "a"))
    history.poll(2, (0, 0, "b"))
    assert history.found() == {"inconsistent-offsets": 1}


def test_an_offset_acknowledged_twice_is_inconsistent() -> None:
    history = History()
    history.send(0, "a", 0, 5)
    history.send(1, "b", 0, 5)
    assert history.found() == {"inconsistent-offsets": 1}


def test_duplicate() -> None:
    history = sent(["a"])
    for consumer in (1, 2):
        history.poll(consumer, (0, 0, "a"), (0, 1, "a"))
    assert history.found() == {"duplicate": 1}


def test_duplicate_in_another_partition() -> None:
    history = sent(["a"])
    history.poll(1, (0, 0, "a"), (1, 0, "a"))
    assert history.found() == {"duplicate": 1}


def test_phantom() -> None:
    history = sent(["a"])
    history.poll(1, (0, 0, "a"), (0, 1, "from nowhere"))
    assert history.found() == {"phantom": 1}


def test_a_record_in_the_wrong_partition_is_a_phantom() -> None:
    history = History()
    history.send(0, "a", 0, None, end="info")
    history.poll(1, (1, 0, "a"))
    assert history.found() == {"phantom": 1}


def test_a_record_that_is_polled_before_it_is_sent_is_a_phantom() -> None:
    history = History()
    history.poll(1, (0, 0, "a"))
    history.send(0, "a", 0, 0)
    assert history.found() == {"phantom": 1}


def test_a_topic_that_others_fill_has_no_phantoms() -> None:
    history = sent(["a"])
    history.event(1, "ok", "poll", records=[["elsewhere", 0, 0, "x"]])
    assert history.found() == {}


def test_aborted_read() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.end(0, commit=False)
    history.poll(1, (0, 0, "a"))
    assert history.found() == {}, "read_uncommitted may see it"
    history.poll(2, (0, 0, "a"), committed=True)
    assert history.found() == {"G1a": 1}


def test_a_refused_send_that_is_there_is_an_aborted_read() -> None:
    history = History()
    history.send(0, "a", 0, None, end="fail")
    history.poll(1, (0, 0, "a"))
    assert history.found() == {"G1a": 1}


def test_a_crash_before_the_commit_was_asked_for_aborts() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.event(0, "info", "crash")
    history.poll(1, (0, 0, "a"), committed=True)
    assert history.found() == {"G1a": 1}


def test_a_transaction_polls_its_own_send() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.poll(0, (0, 0, "a"), committed=True)
    history.end(0)
    assert history.found() == {"precommitted-read": 1}


def test_a_poll_before_the_commit_was_asked_for() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.poll(1, (0, 0, "a"), committed=True)
    history.end(0)
    assert history.found() == {"precommitted-read": 1}


def test_a_poll_while_the_commit_is_under_way_is_early_enough() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.ask(0)
    history.poll(1, (0, 0, "a"), committed=True)
    history.event(0, "ok", "end", commit=True)
    assert history.found() == {}


def test_torn_transaction() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.send(0, "b", 1, 0)
    history.end(0)
    history.send(1, "c", 1, 2)
    history.poll(2, (0, 0, "a"), committed=True, final=True)
    history.poll(2, (1, 2, "c"), committed=True, final=True)
    assert history.found() == {"torn-transaction": 1}


def test_one_visible_part_proves_a_commit_whose_answer_was_lost() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.send(0, "b", 1, 0)
    history.end(0, "info")
    history.event(0, "info", "crash")
    history.poll(2, committed=True, final=True)
    assert history.found() == {}
    history.poll(2, (0, 0, "a"), committed=True)
    assert history.found() == {"torn-transaction": 1}


def test_a_visible_record_proves_the_offsets_of_a_commit_whose_answer_was_lost() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.commit(0, "g", 1, partition=1)
    history.end(0, "info")
    history.event(0, "info", "crash")
    history.resume(1, "g", None, partition=1)
    history.poll(2, (0, 0, "a"), committed=True)
    assert history.found() == {}
    history.resume(1, "g", None, partition=1)
    assert history.found() == {"lost-commit": 1}


def test_an_offset_of_a_commit_whose_answer_was_lost_proves_its_records() -> None:
    for others_committed_it, expected in ((False, {"unseen": 1}), (True, {})):
        history = History()
        if others_committed_it:
            history.commit(1, "g", 1, partition=1)
        history.begin(0)
        history.send(0, "a", 0, 0)
        history.commit(0, "g", 1, partition=1, end="info")
        history.end(0, "info")
        history.event(0, "info", "crash")
        history.resume(1, "g", 1, partition=1)
        history.poll(2, committed=True, final=True)
        assert history.found() == expected


def test_a_lost_transaction_loses_each_of_its_writes() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.send(0, "b", 1, 0)
    history.end(0)
    history.poll(2, committed=True, final=True)
    assert history.found() == {"unseen": 2}


def test_the_torn_transaction_of_the_flow_before_kip_890() -> None:
    """The abort of an earlier transaction is delayed on the network and reaches the next one of the same epoch.

    The producer gave the first abort up and asked again (that one was quick), began anew and sent "b". The delayed
    abort ends what "b" began; "c" silently begins another transaction, and the commit commits only that.
    """
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.ask(0, commit=False)  # the answer never comes: this one is under way still
    history.end(0, commit=False)  # asked again, aborted: the marker is at offset 1
    history.begin(0)
    history.send(0, "b", 0, 2)  # then the delayed abort arrives: a marker at offset 3
    history.send(0, "c", 0, 4)
    history.end(0)
    history.poll(1, (0, 0, "a"), (0, 2, "b"), (0, 4, "c"))
    history.poll(2, (0, 4, "c"), committed=True, final=True)
    verdict = history.check()
    assert verdict.findings.counts == {"torn-transaction": 1}
    assert "'c' at orders-0 offset 4 was polled, but never 'b' at orders-0 offset 2" in verdict.anomalies[0].explanation


def test_a_delayed_commit_that_reaches_the_next_transaction_is_an_aborted_read() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 0)
    history.ask(0)
    history.end(0)
    history.begin(0)
    history.send(0, "b", 0, 2)  # the delayed commit arrives here
    history.end(0, commit=False)
    history.poll(2, (0, 0, "a"), (0, 2, "b"), committed=True, final=True)
    assert history.found() == {"G1a": 1}


def test_a_transaction_that_reuses_the_sequences_of_an_aborted_one() -> None:
    """Seen with librdkafka 2.16: the abort drops a send whose answer was lost, and the next one gets its sequence.

    The broker takes it for a repetition, and acknowledges "b" at the offset of "a", which was aborted.
    """
    history = History()
    history.begin(0)
    history.send(0, "a", 0, None, end="info")
    history.end(0, commit=False)
    history.begin(0)
    history.send(0, "b", 0, 0)
    history.send(0, "c", 1, 0)
    history.end(0)
    history.poll(1, (0, 0, "a"))
    history.poll(2, (1, 0, "c"), committed=True, final=True)
    assert history.found() == {"torn-transaction": 1, "inconsistent-offsets": 1}


def test_a_poll_passes_over_records() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.poll(2, (0, 0, "a"), (0, 2, "c"))
    assert history.found() == {"int-poll-skip": 1}


def test_a_consumer_passes_over_records_between_polls() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.event(2, "ok", "assign", partitions=[[TOPIC, 0, 0]])
    history.poll(2, (0, 0, "a"))
    history.poll(2, (0, 2, "c"))
    assert history.found() == {"poll-skip": 1}


def test_a_consumer_starts_beyond_where_it_was_told_to() -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"))
    history.event(2, "ok", "assign", partitions=[[TOPIC, 0, 0]])
    history.poll(2, (0, 1, "b"))
    assert history.found() == {"poll-skip": 1}


def test_markers_and_aborted_records_are_no_skips() -> None:
    history = sent(["a"])
    history.begin(1)
    history.send(1, "b", 0, 1)
    history.end(1, commit=False)
    history.send(0, "c", 0, 3)
    history.poll(2, (0, 0, "a"), (0, 1, "b"), (0, 3, "c"))
    history.poll(3, (0, 0, "a"), (0, 3, "c"), committed=True)
    assert history.found() == {}


def test_a_poll_goes_back() -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 0, "a"))
    assert history.found() == {"int-nonmonotonic-poll": 1}


def test_polls_of_a_transaction_go_back() -> None:
    history = sent(["a", "b"])
    history.event(1, "ok", "subscribe", group="g")
    history.begin(1)
    history.poll(1, (0, 0, "a"), (0, 1, "b"))
    history.poll(1, (0, 0, "a"))
    assert history.found() == {"int-nonmonotonic-poll": 1}


def test_a_consumer_goes_back() -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"))
    history.poll(1, (0, 1, "b"))
    assert history.found() == {"nonmonotonic-poll": 1}


def test_subscribed_consumers_may_jump() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.event(2, "ok", "subscribe", group="g")
    for offset, value in ((0, "a"), (2, "c"), (1, "b")):
        history.poll(2, (0, offset, value))
    verdict = history.check()
    assert verdict.is_clean()
    assert verdict.findings.allowed == {"poll-skip-subscribed": 1, "nonmonotonic-poll-subscribed": 1}


def test_a_resumed_consumer_may_not_jump() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.event(2, "ok", "subscribe", group="g")
    history.commit(2, "g", 1)
    history.resume(2, "g", 1)
    history.poll(2, (0, 2, "c"))
    assert history.found() == {"poll-skip": 1}


def test_a_rebalance_within_a_transaction_allows_a_jump() -> None:
    history = sent(["a", "b", "c"])
    history.event(1, "ok", "subscribe", group="g")
    history.begin(1)
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.poll(1, (0, 0, "a"), rebalanced=True)
    assert history.found() == {}


def test_sends_go_back() -> None:
    history = History()
    history.send(0, "a", 0, 1)
    history.send(0, "b", 0, 0)
    assert history.found() == {"nonmonotonic-send": 1}


def test_sends_of_a_transaction_go_back() -> None:
    history = History()
    history.begin(0)
    history.send(0, "a", 0, 1)
    history.send(0, "b", 0, 0)
    history.end(0)
    assert history.found() == {"int-nonmonotonic-send": 1}


def test_sends_under_way_together_keep_the_order_of_their_invocations() -> None:
    history = History()
    for value in ("a", "b"):
        history.send(0, value, 0, None, end="")
    for value, offset in (("b", 1), ("a", 0)):
        history.event(0, "ok", "send", topic=TOPIC, partition=0, value=value, offset=offset)
    assert history.found() == {}


def test_lost_commit() -> None:
    for told in (None, 1):
        history = sent(["a", "b"])
        history.poll(1, (0, 0, "a"), (0, 1, "b"))
        history.commit(1, "g", 1)
        history.commit(1, "g", 2)
        history.resume(2, "g", told)
        assert history.found() == {"lost-commit": 1}


def test_a_commit_without_an_answer_may_be_there_or_not() -> None:
    for told in (1, 2):
        history = sent(["a", "b"])
        history.commit(1, "g", 1)
        history.commit(1, "g", 2, end="info")
        history.resume(2, "g", told)
        assert history.found() == {}


def test_a_commit_in_a_transaction_has_its_outcome() -> None:
    for kind, commit, told, expected in (
        ("ok", True, 1, {}),
        ("ok", True, None, {"lost-commit": 1}),
        ("ok", False, None, {}),
        ("ok", False, 1, {"phantom-commit": 1}),
        ("info", True, 1, {}),
        ("info", True, None, {}),
    ):
        history = History()
        history.begin(1)
        history.commit(1, "g", 1)
        history.end(1, kind, commit=commit)
        history.resume(2, "g", told)
        assert history.found() == expected, (kind, commit, told)


def test_phantom_commit() -> None:
    history = History()
    history.commit(1, "g", 1)
    history.commit(1, "other", 7)
    history.commit(1, "g", 9, end="fail")
    history.resume(2, "g", 7)
    history.resume(2, "g", 9)
    assert history.found() == {"phantom-commit": 2}


def test_a_commit_beyond_what_was_polled() -> None:
    history = sent(["a", "b", "c"])
    history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
    history.event(2, "ok", "subscribe", group="g")
    history.poll(2, (0, 0, "a"))
    history.commit(2, "g", 1)
    assert history.found() == {}
    history.commit(2, "g", 3)
    assert history.found() == {"commit-beyond-poll": 1}


def test_a_group_that_was_told_to_skip_is_judged_from_there_on() -> None:
    for within_a_transaction in (False, True):
        history = sent(["a", "b", "c"])
        history.poll(1, (0, 0, "a"), (0, 1, "b"), (0, 2, "c"))
        history.event(2, "ok", "subscribe", group="g")
        history.poll(2, (0, 0, "a"))
        for _ in range(2):
            if within_a_transaction:
                history.begin(2)
            history.commit(2, "g", 3)
            if within_a_transaction:
                history.end(2)
        assert history.found() == {"commit-beyond-poll": 1}, "once for one and the same"


def test_a_commit_behind_a_marker_is_not_beyond() -> None:
    history = sent(["a"])
    history.begin(1)
    history.send(1, "b", 0, 1)
    history.end(1, commit=False)
    history.event(2, "ok", "subscribe", group="g")
    history.poll(2, (0, 0, "a"), committed=True)
    history.poll(3, (0, 1, "b"))
    history.commit(2, "g", 3)
    assert history.found() == {}


def test_transactions_that_read_from_each_other() -> None:
    history = History()
    for process in (1, 2):
        history.begin(process)
        history.send(process, f"of {process}", process, 0)
    for process in (1, 2):
        history.ask(process)
    for process, other in ((1, 2), (2, 1)):
        history.poll(process, (other, 0, f"of {other}"), committed=True)
    for process in (1, 2):
        history.event(process, "ok", "end", commit=True)
    verdict = history.check()
    assert verdict.findings.counts == {"G1c": 1}
    assert verdict.findings.allowed == {}


def test_interleaved_writes_are_allowed() -> None:
    history = History()
    for process in (1, 2):
        history.begin(process)
    for process, partition, offset in ((1, 0, 0), (2, 0, 1), (2, 1, 0), (1, 1, 1)):
        history.send(process, f"{process} to {partition}", partition, offset)
    for process in (1, 2):
        history.end(process)
    verdict = history.check()
    assert verdict.is_clean()
    assert verdict.findings.allowed == {"G0": 1}


def test_a_circle_through_the_order_of_writes_is_allowed() -> None:
    """2 read what 1 wrote to partition 0, and wrote to partition 1 before 1 did."""
    history = History()
    for process in (1, 2):
        history.begin(process)
    history.send(2, "x", 1, 0)
    history.send(1, "a", 0, 0)
    history.send(1, "y", 1, 1)
    history.end(1)
    history.poll(2, (0, 0, "a"), committed=True)
    history.end(2)
    verdict = history.check()
    assert verdict.is_clean()
    assert verdict.findings.allowed == {"G1c-ww": 1}


def test_a_circle_through_what_was_not_polled_yet_is_allowed() -> None:
    history = sent(["a"])
    for process in (1, 2):
        history.begin(process)
        history.poll(process, (0, 0, "a"), committed=True)
    for process, offset in ((1, 1), (2, 2)):
        history.send(process, f"of {process}", 0, offset)
        history.end(process)
    verdict = history.check()
    assert verdict.is_clean()
    assert verdict.findings.allowed == {"G2": 1}
