"""Ends of clients are forgiven when they are proven to be the client's own doing, and only then."""

from __future__ import annotations

import json

import pytest

from compat_tests.crash.client_ends import client_ends

IN_TRANSACTION = "self.producer.send_offsets_to_transaction(offsets, metadata, CALL_TIMEOUT_SECONDS)"


def crash(error: str | None = None) -> str:
    fields = {} if error is None else {"error": error}
    return json.dumps({"time": 1, "process": "p", "type": "info", "f": "crash", **fields}, separators=(",", ":"))


def test_a_client_that_the_test_made_anew_is_no_news() -> None:
    ends = client_ends([crash(), '{"time":2,"process":"p","type":"info","f":"send","error":"timed out"}'])
    assert ends.problems() == []
    assert ends.summary() == "none"


@pytest.mark.parametrize(
    "error",
    [
        "python: rdkafka_txnmgr.c:1: function: Assertion `rk->rk_eos.txn_req_cnt > 0' failed.",
        f"stuck in `{IN_TRANSACTION}`, 101 s after it wrote its last line",
        "unable to dial: dial tcp 10.0.0.1:9092: connect: connection refused",
    ],
)
def test_ends_that_no_broker_can_prevent_are_counted(error: str) -> None:
    ends = client_ends([crash(error), crash(error)])
    assert ends.problems() == []
    assert ends.own.total() == 2


@pytest.mark.parametrize(
    "error",
    [
        "python: rdkafka_txnmgr.c:1: function: Assertion `rk->rk_eos.txn_req_cnt == 0' failed.",
        # The transaction has no end: perhaps the coordinator never answers.
        "stuck in `finish(CALL_TIMEOUT_SECONDS)`, 101 s after it wrote its last line",
        # The step has taken long, but not this call.
        f"stuck in `{IN_TRANSACTION}`, 3 s after it wrote its last line",
        'KafkaError{FATAL,code=OUT_OF_ORDER_SEQUENCE_NUMBER,val=45,str="failed due to sequence desynchronization"}',
        "",
    ],
)
def test_any_other_end_is_a_problem(error: str) -> None:
    ends = client_ends([crash(error)])
    assert ends.own.total() == 0
    assert ends.problems() == [f"p ended by itself 1 times: {[error]}"]
