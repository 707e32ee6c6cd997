"""Write docs/faults.md: every field of fault rules, and what they can name of each API.

    python docs/make_faults.py [--check]

It reads the fields of `kafkapy.faults` and the schemas of the messages.
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).parent / "faults.md"

INTRODUCTION = """\
# Faults

A test of a client needs a broker that fails as told: an error for one partition, an answer that is lost although the
work was done, a connection that ends in the middle. A *rule* says which requests, when, and what happens to them; a
*fault* is a rule in force. Written by `python docs/make_faults.py`.

## In a test

```python
def test_an_order_is_sent_again(kafka):
    fault = kafka.faults.add(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2, must_fire=True)
    place_order(kafka.bootstrap_servers, "alice", "1 tea")  # your code
    assert fault.read().fired == 2
```

The arguments are the fields below; [Testing with kafkapy](testing.md) has the fixture. `fault.wait(fired=2)` and
`fault.wait(held=1)` return when that has happened, `fault.release()` lets held requests go on, `fault.remove()` ends
it, and so does a `with` block: `with kafka.faults.add(...):`. Each test begins without faults, and fails if one with
`must_fire` never fired. A `with Kafka()` block raises `FaultsNotFired` at its end then, also for faults that a
`reset()` has removed. With `async_kafka` each of these is awaited: `fault = await async_kafka.faults.add(...)`.

A retry of a client waits: set its `retry.backoff.ms` (kafka-python, aiokafka: `retry_backoff_ms`) to 10.

## From a file

```toml
[[faults]]
name = "the leader moves twice"
api = "Produce"
topic = "orders"
error = "NOT_LEADER_OR_FOLLOWER"
times = 2

[[faults]]
name = "a commit whose answer is lost"
api = "EndTxn"
transactional_id = "billing-*"
disconnect = "after"
nth = 3
must_fire = true
```

`kafkapy start --faults faults.toml` has these from its start, and so has each node of `kafkapy cluster --nodes 3
--faults faults.toml`; the variable `KAFKAPY_FAULTS` names a file, too. The file is TOML, JSON (a list of rules, or
`{"faults": [...]}`) or YAML (the same as JSON; it needs `pip install './kafkapy[yaml]'`, where `./kafkapy` is [a
checkout](guides/first-test.md)). If one rule is wrong, nothing is started, and one line says which field, why, and what
was probably meant. When the broker stops, it logs each fault with `must_fire` that never fired.

## In Python, beside a node

Code that runs a `Node` or a `Cluster` itself, under trio, gives it an engine; a test with the fixture needs none.

<!-- not run: a part of a program that runs a node -->
```python
engine = FaultEngine()
async with Node(settings, directory, faults=engine).started():
    fault = engine.add({"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2})
    ...
    assert fault.fired == 2
    engine.remove(fault.id)
```

One engine serves any number of nodes in a process, such as those of `Cluster(..., faults=engine)`. `fault.matched`
counts requests that met the rule, `fault.fired` those that something was done to. `await fault.wait_fired()` and
`await fault.wait_held()` return when that has happened; `fault.release()` lets held requests go on. `engine.unfired`
lists the faults with `must_fire` that never fired.

## What is carried out, and what is not

An injected error suppresses what it claims has failed: a topic, partition or group that the answer refuses is taken
out of the request before it is handled. The others of the same request are handled as always.

| the client is to believe | rule | carried out |
|---|---|---|
| the broker has refused it | `error` | no |
| it has failed, but it has not | `error` with `applied` | yes |
| it is done, but it is not | `error = "NONE"` | no |
| the connection broke, and who knows | `disconnect = "before"` | no |
| | `disconnect = "after"`, or `"middle"` of the answer | yes |
| the broker hangs | `black_hole = "before"` | no |
| | `black_hole = "after"` | yes |

* A rule without `topic`, `partition` and so on is about the request: its `error` is what the API answers to a request
  that fails altogether. With one of them, the error is at each of those that the rule names, as far inside as the
  request names them. `at` says it otherwise.
* A Fetch of a session (KIP-227) does not name its partitions. The rule meets what the session has.
* A request for all topics is met by a rule about any topic.
* With acks=0 there is no answer: an error closes the connection, as in Apache Kafka.
* When a client leaves while its request is held or delayed, the request is still carried out. A Fetch, JoinGroup or
  SyncGroup is given up, and so is what a `black_hole` keeps.
* `throttle_time_ms` is only written into the answer: the broker goes on reading from the connection.

Several faults may meet one request, in the order in which they were added. One that ends the request (an error for
all of it, `disconnect`, `reset_peer`, `black_hole`) is the last.

## Time

Delays are in real time, also while the clock of the node stands still or is moved: they are there for clients, whose
own time-outs go by the machine's clock. To say yourself when a request goes on, use `hold` and release it.

## Names and conditions

`*` in a name stands for any text and `?` for any character: `billing-*`. Brackets mean themselves. A list holds if
one of its values does. Fields of different names must all hold.

`where` looks into the request, by the names of Kafka's protocol: `path operator value`.

| | |
|---|---|
| `acks == -1` | `==` `!=` `<` `<=` `>` `>=`, and a value in JSON |
| `topicData.partitionData.index in [0, 3]` | one of several values; through arrays, one element is enough |
| `transactionalId matches "billing-*"` | a text with `*` and `?` |
| `transactionalId != null` | |

Several conditions must all hold; what needs "or" is two rules. `edit` names fields of the answer in the same way:

```json
{"api": "Metadata", "topic": "orders", "partition": 0, "edit": {"topics.partitions.leaderId": 7}}
```

A rule that could never match is refused: an API that has no groups, a version that it does not have, a field that its
requests do not have.

## Recipes

The first JoinGroup of each generation takes longer than the client's patience:

```json
{"api": "JoinGroup", "group": "billing", "delay_ms": 2000, "jitter_ms": 500, "seed": 7}
```

One request in ten fails, always the same ones:

```json
{"api": "Produce", "probability": 0.1, "seed": 42, "error": "REQUEST_TIMED_OUT"}
```

An idempotent producer has to send again what the broker has already:

```json
{"api": "Produce", "topic": "orders", "disconnect": "after", "nth": 2}
```

Clients see an old leader after a failover, until the fault is removed:

```json
{"api": "Metadata", "stale_metadata": true}
```

A follower falls behind, and out of the ISR:

```json
{"api": "Fetch", "sender": "nodes", "broker": 1, "hold": "before"}
```

A consumer with a damaged network card:

```json
{"api": "Fetch", "client_id": "billing-1", "corrupt_crc": true, "every": 5}
```

A slow line for one client library. Toxiproxy calls these latency, bandwidth and slicer:

```json
{"client_software": "librdkafka", "latency_ms": 80, "jitter_ms": 20, "bandwidth_bytes_per_second": 50000}
```

The coordinator is not there yet, twice for each start of the test:

```json
{"api": "FindCoordinator", "group": "*", "error": "COORDINATOR_NOT_AVAILABLE", "times": 2}
```

## Toxiproxy's words

| Toxiproxy | here |
|---|---|
| latency, jitter | `latency_ms`, `jitter_ms` |
| bandwidth | `bandwidth_bytes_per_second`; of its upstream, `upload_bytes_per_second` |
| slow_close | `slow_close_ms` |
| timeout | `black_hole` with `timeout_ms` |
| reset_peer | `reset_peer` |
| slicer | `slicer_bytes`, `slicer_variation_bytes`, `slicer_delay_ms` |
| limit_data | `limit_data_bytes` |
| down | `disconnect = "before"`, without an API |
| toxicity | `probability` |

They are about answers (downstream). They hold for a connection from the first request on that meets the rule, until
the fault is removed. While answers are held back, further requests of the connection are not read.
"""

HEADINGS = {
    "which": "## Which requests",
    "when": "## When",
    "what": "## What happens to a request",
    "connection": "## What happens to its connection from then on",
    "": "## Besides",
}

APIS = """\
## What each API has

In its newest version. *Names* are the fields that can select something of a request; `error` can be `at` the places.

| API | names | places for an error |
|---|---|---|
"""


def page() -> str:
    from kafkapy.faults import FIELDS

    parts = [INTRODUCTION]
    for kind, heading in HEADINGS.items():
        rows = [
            f"| `{each.name}` | {each.doc}{_default(each.default)} |" for each in FIELDS.values() if each.kind == kind
        ]
        parts.append("\n".join([heading, "", "| field | |", "|---|---|", *rows]) + "\n")
    parts.append(APIS + "\n".join(_api_rows()) + "\n")
    return "\n".join(parts)


def _default(default: object) -> str:
    return f" (default: {default})" if isinstance(default, int) and not isinstance(default, bool) else ""


def _api_rows() -> list[str]:
    from kafkapy.faults.checks import served_apis
    from kafkapy.faults.layout import layouts_of
    from kafkapy.faults.matching import NODE_APIS, selecting_fields

    rows = []
    for key, name in served_apis().items():
        layout = layouts_of(key)[-1]
        names = ", ".join(f"`{field}`" for field in selecting_fields(layout))
        places = ", ".join(f"`{place}`" for place in layout.errors_at)
        nodes = " (between nodes)" if key in NODE_APIS else ""
        rows.append(f"| {name}{nodes} | {names} | {places} |")
    return rows


def main() -> int:
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} is not what its source says: run python docs/make_faults.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
