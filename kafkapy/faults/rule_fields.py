"""The fields of rules: their types, how they are read, and a sentence on each for users.

They are told here and nowhere else: the refusals, the documentation and what the command line takes are made from them.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.faults import values as read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.faults.patterns import Pattern
    from kafkapy.faults.values import Versions
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.errors import ErrorCode
    from kafkapy_wire.uuid import Uuid

CLIENTS: Final = "clients"
NODES: Final = "nodes"
ANYONE: Final = "anyone"
BEFORE: Final = "before"
MIDDLE: Final = "middle"
AFTER: Final = "after"

WHICH: Final = "which"
WHEN: Final = "when"
WHAT: Final = "what"
CONNECTION: Final = "connection"


def _field(kind: str, of: Callable[[str, object], object], doc: str, *, many: bool = False, default: Any = None) -> Any:
    """`many`: one value or a list. `kind`: the heading under which it is documented."""
    default = () if many else default
    return dataclass_field(default=default, metadata={"kind": kind, "read": of, "doc": doc, "many": many})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFields:
    """The fields of a rule, which is a `Rule` once it is checked."""

    name: str | None = _field("", read.read_text, "a name of yours, for logs and lists")

    api: tuple[ApiKey, ...] = _field(WHICH, read.read_api, "Kafka's name of the API, such as `Produce`", many=True)
    version: Versions | None = _field(WHICH, read.read_versions, 'versions of the API: `9`, `"3-8"` or `"9+"`')
    broker: tuple[int, ...] = _field(WHICH, read.read_index, "the id of the node that got the request", many=True)
    listener: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "the name of the listener it came to", many=True)
    sender: str | None = _field(
        WHICH,
        read.OneOf((CLIENTS, NODES, ANYONE)),
        "`clients`, `nodes` (requests that only nodes send to each other, such as fetches of followers) or `anyone`; "
        "unless it is given, `clients`, for APIs that only nodes use `nodes`",
    )
    client_id: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "the client's `client.id`", many=True)
    client_software: tuple[Pattern, ...] = _field(
        WHICH,
        read.read_pattern,
        "the name that the client library gives itself (KIP-511): `librdkafka`",
        many=True,
    )
    client_version: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "the version of that library", many=True)
    principal: tuple[Pattern, ...] = _field(
        WHICH,
        read.read_principal,
        "the client as `User:alice`, from the end of its login on; until then it is `User:ANONYMOUS`",
        many=True,
    )
    topic: tuple[Pattern, ...] = _field(
        WHICH, read.read_pattern, "a topic that the request is about, also if it gives the topic's id", many=True
    )
    topic_id: tuple[Uuid, ...] = _field(
        WHICH, read.read_topic_id, "the id of a topic, also if the request gives its name", many=True
    )
    partition: tuple[int, ...] = _field(WHICH, read.read_index, "a partition that the request is about", many=True)
    group: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "a group id", many=True)
    member: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "a member id, or a `group.instance.id`", many=True)
    transactional_id: tuple[Pattern, ...] = _field(WHICH, read.read_pattern, "a transactional id", many=True)
    where: tuple[str, ...] = _field(
        WHICH, read.read_text, "a condition on any field of the request, such as `acks == -1`", many=True
    )

    skip: int = _field(WHEN, read.read_index, "so many matching requests pass first", default=0)
    nth: tuple[int, ...] = _field(WHEN, read.read_count, "only the nth matching request; 1 is the first", many=True)
    every: int = _field(WHEN, read.read_count, "every nth matching request", default=1)
    probability: float | None = _field(WHEN, read.read_probability, "each matching request with that probability")
    seed: int | None = _field(WHEN, read.read_seed, "the same seed gives the same series of `probability` (default: 0)")
    times: int | None = _field(WHEN, read.read_count, "so many times, then no more (default: until it is removed)")
    must_fire: bool = _field(WHEN, read.read_bool, "a test fails if it never did", default=False)

    hold: str | None = _field(
        WHAT,
        read.OneOf((BEFORE, AFTER)),
        "the request waits until the fault is released or removed: `before` it is carried out, or `after` that, before "
        "it is answered",
    )
    delay_ms: int | None = _field(WHAT, read.read_milliseconds, "the request is carried out so much later")
    answer_delay_ms: int | None = _field(
        WHAT, read.read_milliseconds, "the request is carried out at once, and answered so much later"
    )
    jitter_ms: int | None = _field(
        WHAT, read.read_milliseconds, "each delay is longer or shorter by up to so much, by `seed`"
    )
    error: ErrorCode | None = _field(
        WHAT,
        read.read_error_code,
        "the error code of the answer, by name or number; what it refuses is not carried out. `NONE` is a lie: the "
        "answer looks well",
    )
    at: str | None = _field(
        WHAT,
        read.read_text,
        "where in the answer `error` is: `top`, `topic`, `partition`, `group` and so on, as the API has it",
    )
    message: str | None = _field(WHAT, read.read_text, "the error message, in answers that have one")
    applied: bool = _field(
        WHAT, read.read_bool, "the request is carried out, although the answer has `error`", default=False
    )
    disconnect: str | None = _field(
        WHAT,
        read.OneOf((BEFORE, MIDDLE, AFTER)),
        "the connection is closed: `before` the request is carried out, in the `middle` of the answer, or `after` the "
        "request was carried out, without an answer",
    )
    reset_peer: str | None = _field(
        WHAT, read.OneOf((BEFORE, MIDDLE, AFTER)), "as `disconnect`, by a TCP reset instead of an orderly end"
    )
    black_hole: str | None = _field(
        WHAT,
        read.OneOf((BEFORE, AFTER)),
        "nothing more comes on this connection, which stays open: the request is lost `before` it is carried out, or "
        "its answer `after` it; removing the fault closes the connection",
    )
    timeout_ms: int | None = _field(WHAT, read.read_milliseconds, "`black_hole` closes the connection after so long")
    throttle_time_ms: int | None = _field(WHAT, read.read_milliseconds, "the `throttle_time_ms` of the answer")
    edit: tuple[tuple[str, str], ...] | None = _field(
        WHAT,
        read.read_edits,
        "fields of the answer and their new values, by Kafka's names: `topics.partitions.leaderId`; if the rule has "
        "`topic`, `partition` and so on, only in those",
    )
    corrupt_crc: bool = _field(
        WHAT, read.read_bool, "the checksums of the record batches in the answer are wrong", default=False
    )
    stale_metadata: bool = _field(
        WHAT, read.read_bool, "the answer is from the metadata as it was when the fault was added", default=False
    )

    latency_ms: int | None = _field(CONNECTION, read.read_milliseconds, "answers leave so much later")
    bandwidth_bytes_per_second: int | None = _field(CONNECTION, read.read_count, "answers leave no faster")
    upload_bytes_per_second: int | None = _field(
        CONNECTION, read.read_count, "requests are read no faster; the client waits with what the system does not keep"
    )
    slicer_bytes: int | None = _field(CONNECTION, read.read_count, "answers leave in pieces of about so many bytes")
    slicer_variation_bytes: int | None = _field(
        CONNECTION, read.read_index, "each piece is longer or shorter by up to so much, by `seed`"
    )
    slicer_delay_ms: int | None = _field(CONNECTION, read.read_milliseconds, "the pause between two pieces")
    limit_data_bytes: int | None = _field(
        CONNECTION, read.read_index, "the connection is closed when so many bytes of answers have left"
    )
    slow_close_ms: int | None = _field(CONNECTION, read.read_milliseconds, "the connection is closed so much later")


class RuleField(NamedTuple):
    """A field of rules, as the documentation and the doors of the control API need it."""

    name: str
    kind: str
    """Which requests it meets (`WHICH`), how often (`WHEN`), what happens to a request (`WHAT`) or from then on to its
    connection (`CONNECTION`); "" for none of them."""
    doc: str
    many: bool
    """Whether it takes a list, too."""
    read: Callable[[str, object], object]
    default: object


def _described_fields() -> dict[str, RuleField]:
    found = {}
    for each in fields(RuleFields):
        about = each.metadata
        assert each.default is not MISSING, each.name
        found[each.name] = RuleField(each.name, about["kind"], about["doc"], about["many"], about["read"], each.default)
    return found


FIELDS: Final[Mapping[str, RuleField]] = _described_fields()
