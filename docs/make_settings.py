"""Write docs/settings.md: what kafkapy makes of each setting of Apache Kafka 4.4.0.

    python docs/make_settings.py [--check]

It reads `kafkapy/settings/support_table.py`, which tests hold to be complete and true.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings.catalog import Definition
    from kafkapy.settings.support import Support

PAGE = Path(__file__).parent / "settings.md"

INTRODUCTION = """\
# Settings

Every setting of Apache Kafka 4.4.0, and what becomes of it on a node of kafkapy.

* **honoured**: it does what Kafka's documentation says, within the limits named here. A test shows its effect.
* **harmless**: it is accepted and has no effect, and a client cannot notice that. The reason says why.
* **refused**: the node does not start with it, and AlterConfigs refuses it, unless its value is Kafka's default. If it
  were ignored, something would be open or lost.
* **later**: kafkapy does not do yet what Kafka does with it. The node starts, and AlterConfigs accepts it, with one
  line in the log that says what is missing and what to do.

A value is written as in Kafka's `server.properties`. It may be given in such a file, as a `KAFKA_*` variable, or as
`--override NAME=VALUE`; of these three, the last wins. `${provider:key}` in a value is refused: kafkapy does
not ask configuration providers.
A listener's own value, `listener.name.<listener>.<setting>`, is honoured for `max.connections` and
`max.connection.creation.rate`.

Besides settings, these variables are known. `CLUSTER_ID`, `KAFKA_CLUSTER_ID` or `KAFKA_KRAFT_CLUSTER_ID` is the id that
a new data directory gets; one that has an id keeps it, and a node of several needs one
([A cluster](cluster.md)). `KAFKA_CREATE_TOPICS=orders:3:1,table:1:1:compact` makes topics
before anybody connects (name, partitions, replicas, cleanup.policy). `KAFKA_ADVERTISED_HOST_NAME` and
`KAFKA_ADVERTISED_PORT` are used if no listeners are given. Variables of applications, of the images' scripts
and of Kubernetes (`KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_HEAP_OPTS`, `KAFKA_SERVICE_HOST`) are ignored.

Written by `python docs/make_settings.py` from `kafkapy/settings/support_table.py`.

## Settings of kafkapy's own

`kafkapy.retention.from.last.write` (boolean, `false`; of a broker, also while it runs). With `true`, a segment counts
as old for `retention.ms` only when its last write is that long ago, too. It is for tests that stamp records 1970: by
their timestamps alone, Apache Kafka deletes those with its next check, in the middle of the test, and so does kafkapy.

`kafkapy.gateway.is.host` (boolean, `false`; of a broker, from its start). Where no host is advertised, each client is
told the address that it has connected to. With `true`, a client that comes from the default gateway is told `localhost`
instead. It is for containers, and the image sets it: there the gateway is the machine of the container, whose clients
come by a published port.
"""

BESIDES = """\
## Names that are not in Apache Kafka's lists

Older settings, those that only plug-ins read, and three that exist only as dynamic ones. A name that ends in a dot
stands for all that begin with it.
"""


def rows(definitions: Mapping[str, Definition], support: Mapping[str, Support]) -> list[str]:
    lines = ["| setting | default | | |", "|---|---|---|---|"]
    for name, definition in definitions.items():
        lines.append(f"| `{name}` | {_default(definition)} | {support[name].state} | {_said(support[name])} |")
    return lines


def _default(definition: Definition) -> str:
    from kafkapy.settings import DIFFERENT_DEFAULTS

    kafkas = "none" if definition.default is None else f"`{definition.default}`" if definition.default else "empty"
    if definition.name in DIFFERENT_DEFAULTS:
        return f"`{DIFFERENT_DEFAULTS[definition.name][0]}` (Kafka: {kafkas})"
    return kafkas


def _said(support: Support) -> str:
    return f"{support.reason}; {support.advice}" if support.advice else support.reason


def counts(support: Mapping[str, Support]) -> str:
    by_state = Counter(one.state for one in support.values())
    return ", ".join(f"{by_state[state]} {state}" for state in ("honoured", "harmless", "refused", "later"))


def page() -> str:
    from kafkapy.settings.catalog import broker_definitions, group_definitions, topic_definitions
    from kafkapy.settings.support import broker_support, group_support, support_besides, topic_support

    sections = [INTRODUCTION]
    for title, definitions, support in (
        ("Brokers", broker_definitions(), broker_support()),
        ("Topics", topic_definitions(), topic_support()),
        ("Groups", group_definitions(), group_support()),
    ):
        head = f"## {title}\n\n{len(definitions)} settings: {counts(support)}.\n"
        sections.append(head + "\n" + "\n".join(rows(definitions, support)) + "\n")
    besides = [f"| `{name}` | {one.state} | {_said(one)} |" for name, one in sorted(support_besides().items())]
    sections.append(BESIDES + "\n" + "\n".join(["| setting | | |", "|---|---|---|", *besides]) + "\n")
    return "\n".join(sections)


def main() -> int:
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} is not what its source says: run python docs/make_settings.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
