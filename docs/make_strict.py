"""Write docs/strict.md: every kindness of kafkapy with its switch, from the table of `kafkapy.strictness`.

python docs/make_strict.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).parent / "strict.md"

BEGINNING = """\
# Strict

kafkapy is kinder to clients than Apache Kafka: a topic is there in the answer to the request that creates it, a
coordinator is ready when it is first asked for, a transaction is over when EndTxn is answered. Most tests are faster
and steadier for it. A test of a client's *retries* is not: it never meets the answer that asks for one.

```sh
kafkapy --strict
```

starts a broker that is no kinder than Apache Kafka. `--strict auto-created-topics,new-coordinators` turns only these
kindnesses off. Where Apache Kafka has a race, which a client loses now and then, strict kafkapy has the client lose it
once, every time. Written by `python docs/make_strict.py`.

The same for a cluster, in a container, and from Python:

```sh
kafkapy cluster --nodes 3 --strict
KAFKAPY_STRICT=true kafkapy
KAFKAPY_STRICT=auto-created-topics,new-coordinators kafkapy
```

```python
@pytest.mark.kafka(strict=True)
def test_the_first_order_is_sent_again(kafka): ...


@pytest.mark.kafka(strict=["ending-transactions"])
def test_the_second_transaction_waits_for_the_first(kafka): ...


Kafka(strict=True)
Node(settings, directory, strict=["all"])
Cluster(directory, members_of(3), strict=["auto-created-topics"])
```

A name that does not exist is refused with the nearest one.

## The switches

"""

END = """\

## What to know

* A race is lost once by the *broker*, not once by each client: when the topic, the coordinator or the producer ids are
  there, the next client finds them. In a test each starts afresh: `kafka.reset()`, and so each test of the `kafka`
  fixture, begins without them.
* A switch works on what clients ask of the broker. The methods of the test kit (`kafka.create_topic`, `kafka.produce`)
  do their work at once, strict or not.
* `ending-transactions` goes by the broker's clock. While a test holds the time, a transaction is not over until
  `kafka.clock.advance(0.15)`.
* A setting that you give wins over Kafka's default: with `settings={"group.initial.rebalance.delay.ms": 0}` there is
  no rebalance delay, strict or not.
* [Faults](faults.md) answer any request with any error, as often as a test wants. Strictness is for what Apache Kafka
  does by itself.

## What differs all the same

[Compatibility](compatibility.md) lists all differences. Those without a switch are of these kinds:

* *Faults of Apache Kafka*: an internal error, no answer at all, a wrong offset, or an answer by a hash table's order,
  where kafkapy says what is the case. A client that relied on them would rely on a mistake.
* *Safety*: work for one request is bounded, a full disk stops no broker, what was answered is on the disk, `listeners`
  is `localhost`, the only broker cannot be unregistered, a request of a client that is gone is dropped.
* *A node alone*: `node.id`, `process.roles`, `controller.listener.names` have defaults, and topics of the coordinators
  have one replica, as in the `server.properties` that Apache Kafka ships. With more nodes the replication factors are
  Kafka's.
* *Races that a broker of one thread does not have*: of two InitProducerId requests for one transactional id at the same
  moment, Apache Kafka may refuse one with CONCURRENT_TRANSACTIONS.
* *Not done yet*: what kafkapy does not serve, it does not announce.
"""


def page() -> str:
    from kafkapy.strictness import SWITCHES

    rows = ["| name | kafkapy | strict, as Apache Kafka |", "|---|---|---|"]
    for name, switch in SWITCHES.items():
        rows.append(f"| `{name}` | {switch.kafkapy} | {switch.strict} |")
    return BEGINNING + "\n".join(rows) + "\n" + END


def main() -> int:
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text() != text:
            print(f"{PAGE} is not what its sources say: run python docs/make_strict.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
