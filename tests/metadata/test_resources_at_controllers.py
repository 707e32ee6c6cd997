"""Which resources a controller refuses before it looks at their settings, when a client asks it directly."""

from __future__ import annotations

from kafkapy.metadata.altering import named_twice, refused_at_controller
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import AlterConfigsResource

TOPIC, LOGGER, UNKNOWN = 2, 8, 99


def resource(resource_type: int, name: str) -> AlterConfigsResource:
    return AlterConfigsResource(resource_type=resource_type, resource_name=name)


def test_a_resource_named_several_times_is_refused_once() -> None:
    once = resource(TOPIC, "once")
    left, refused = refused_at_controller([*(resource(TOPIC, "often") for _ in range(3)), once])
    assert left == [once]
    assert [(each.resource_name, error and error.code) for each, error in refused] == [
        ("often", ErrorCode.INVALID_REQUEST)
    ]


def test_loggers_and_unknown_types_are_not_stored() -> None:
    left, refused = refused_at_controller([resource(LOGGER, "1"), resource(UNKNOWN, "x")])
    assert not left
    assert [error and error.code for _, error in refused] == [
        ErrorCode.INVALID_REQUEST,
        ErrorCode.UNSUPPORTED_VERSION,
    ]


def test_loggers_may_come_twice() -> None:
    assert not named_twice([resource(LOGGER, "1"), resource(LOGGER, "1")])
