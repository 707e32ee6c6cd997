"""Clients that ended by themselves: which errors are the client's own doing. Whatever is not proven here is a problem.

A `crash` line of a history has an `error` where the client could not go on. One without was the test's own idea.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compat_tests.crash.outdated import Outdated

TRANSACTION_TIMEOUT_MS = 30_000
SEGMENTATION_FAULT = "segmentation fault"
EXAMPLES = 3


@dataclass(frozen=True)
class OwnEnd:
    """An end of a client that no broker can prevent, and why."""

    name: str
    pattern: str
    seconds_open_min: float = 0.0
    """The client's transaction had begun at least so long before."""
    only_outdated: bool = False
    """Meanwhile a node may have answered by what was true before."""


OWN_ENDS = (
    # An answer to AddPartitionsToTxn that was sent twice comes in the next transaction, which has no request open.
    OwnEnd("librdkafka asserted txn_req_cnt > 0", r"rk->rk_eos\.txn_req_cnt > 0"),
    # The call is given CALL_TIMEOUT_SECONDS and must return by then, whatever brokers do. A handle of a broker that
    # went away keeps the request.
    OwnEnd(
        "librdkafka overran the timeout of send_offsets_to_transaction",
        r"^stuck in `self\.producer\.send_offsets_to_transaction\(.*CALL_TIMEOUT_SECONDS\)`, "
        r"(?:[2-9]\d|\d{3,}) s after it wrote its last line$",
    ),
    # franz-go 1.22 asks another time when the coordinator cannot be reached, but not when the broker that it asks for
    # the coordinator cannot be: a node that is down, or cut off.
    OwnEnd(
        "franz-go gave up as it reached no broker to ask for a coordinator",
        r"^(?:unable to commit transaction offsets: )?unable to dial: dial tcp [\d.]+:\d+: "
        r"(?:connect: connection refused|i/o timeout)$",
    ),
    # Whatever a broker answers, a client must not read where there is nothing.
    OwnEnd("a segmentation fault of librdkafka", rf"^{SEGMENTATION_FAULT}$"),
    # Seen once in hours. The C code of confluent-kafka 2.16 has raised something that Python does not take for an
    # exception: no answer of a broker may come to that.
    OwnEnd(
        "confluent-kafka raised a str",
        r"_PyErr_SetObject: exception <class \\?'str\\?'> is not a BaseException subclass",
    ),
    # The coordinator aborts such a transaction and fences its producer. All clients have this timeout.
    OwnEnd(
        "a transaction was open for longer than transaction.timeout.ms",
        r"code=_FENCED|ProducerFencedException|PRODUCER_FENCED|INVALID_PRODUCER_EPOCH",
        seconds_open_min=TRANSACTION_TIMEOUT_MS / 1000,
    ),
    # A client that still asks a coordinator which was cut off, or paused, hears of the transaction before, which has
    # ended: such a refusal needs nothing to be stored.
    OwnEnd(
        "an outdated coordinator knew of no transaction",
        r"InvalidTxnStateException|INVALID_TXN_STATE",
        only_outdated=True,
    ),
)


def is_own_end(error: str) -> bool:
    """Whether a client may go on with another process, whatever happened to the brokers meanwhile."""
    return any(
        re.search(own.pattern, error, re.MULTILINE)
        for own in OWN_ENDS
        if not own.seconds_open_min and not own.only_outdated
    )


@dataclass
class ClientEnds:
    own: Counter[str] = field(default_factory=Counter)
    unexplained: dict[str, list[str]] = field(default_factory=dict)
    """Errors by client."""

    def problems(self) -> list[str]:
        return [
            f"{process} ended by itself {len(errors)} times: {errors[:EXAMPLES]}"
            for process, errors in sorted(self.unexplained.items())
        ]

    def summary(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in sorted(self.own.items())) or "none"


def client_ends(history: Iterable[str], outdated: Sequence[Outdated] = ()) -> ClientEnds:
    """What the `crash` lines of a history say. `outdated`: when a node may have answered by what was true before."""
    ends = ClientEnds()
    begun: dict[str, int] = {}
    for text in history:
        if '"f":"begin"' not in text and '"f":"crash"' not in text:
            continue
        line = json.loads(text)
        process, now = line["process"], line["time"]
        if line["f"] == "begin":
            begun[process] = now
            continue
        seconds = now / 1e9
        seconds_open = seconds - begun.pop(process, now) / 1e9
        was_outdated = any(each.meets(seconds - seconds_open, seconds) for each in outdated)
        if (error := line.get("error")) is None:
            continue
        for own in OWN_ENDS:
            if (
                re.search(own.pattern, error, re.MULTILINE)
                and seconds_open >= own.seconds_open_min
                and (was_outdated or not own.only_outdated)
            ):
                ends.own[own.name] += 1
                break
        else:
            ends.unexplained.setdefault(process, []).append(error)
    return ends


def client_ends_in(path: Path, outdated: Sequence[Outdated] = ()) -> ClientEnds:
    with path.open() as lines:
        return client_ends(lines, outdated)
