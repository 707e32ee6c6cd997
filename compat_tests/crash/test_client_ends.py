"""Ends of clients are forgiven when they are proven to be the client's own doing, and only then."""

from __future__ import annotations

import json

import pytest

from compat_tests.crash.client_ends import client_ends
from compat_tests.crash.outdated import Outdated

IN_TRANSACTION = "self.producer.send_offsets_to_transaction(offsets, metadata, CALL_TIMEOUT_SECONDS)"


FENCED = 'KafkaError{FATAL,code=_FENCED,val=-144,str="Producer attempted an operation with an old epoch"}'
NO_TRANSACTION = "caused by org.apache.kafka.common.errors.InvalidTxnStateException: The producer attempted a ..."


def line(function: str, seconds: float, **fields: str) -> str:
    event = {"time": int(seconds * 1e9), "process": "p", "type": "info", "f": function, **fields}
    return json.dumps(event, separators=(",", ":"))


def crash(error: str | None = None, seconds: float = 100) -> str:
    return line("crash", seconds, **({} if error is None else {"error": error}))


def test_a_client_that_the_test_made_anew_is_no_news() -> None:
    ends = client_ends([crash(), line("send", 101, error="timed out")])
    assert ends.problems() == []
    assert ends.summary() == "none"


@pytest.mark.parametrize(
    "error",
    [
        "python: rdkafka_txnmgr.c:1: function: Assertion `rk->rk_eos.txn_req_cnt > 0' failed.",
        f"%1|1795886436.435|TXNERR|rdkafka\nstuck in `{IN_TRANSACTION}`, 101 s after it wrote its last line",
        "segmentation fault",
        "_PyErr_SetObject: exception <class 'str'> is not a BaseException subclass",
        "SystemError(\"_PyErr_SetObject: exception <class \\'str\\'> is not a BaseException subclass\")",
        "unable to dial: dial tcp 10.0.0.1:9092: connect: connection refused",
        "unable to commit transaction offsets: unable to dial: dial tcp 10.0.0.1:9092: i/o timeout",
    ],
)
def test_ends_that_no_broker_can_prevent_are_counted(error: str) -> None:
    ends = client_ends([crash(error), crash(error)])
    assert ends.problems() == []
    assert ends.own.total() == 2


def test_only_a_transaction_that_has_timed_out_is_fenced() -> None:
    assert client_ends([line("begin", 10), crash(FENCED, 41)]).problems() == []
    assert client_ends([line("begin", 10), crash(FENCED, 39)]).problems() != []
    assert client_ends([line("begin", 10), crash(None, 11), crash(FENCED, 50)]).problems() != []


def test_only_an_outdated_coordinator_may_know_of_no_transaction() -> None:
    history = [line("begin", 10), crash(NO_TRANSACTION, 12)]
    assert client_ends(history, [Outdated(11, 11.5)]).problems() == []
    assert client_ends(history, [Outdated(6, 7)]).problems() == []
    assert client_ends(history, [Outdated(3, 4), Outdated(13, 14)]).problems() != []
    assert client_ends(history).problems() != []


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
