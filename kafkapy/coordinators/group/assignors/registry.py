"""The assignors by name: what group.consumer.assignors may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.group.assignors import range as range_assignor
from kafkapy.coordinators.group.assignors import uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.coordinators.group.assignors.specification import GroupSpec, Target

ASSIGNORS: Final[dict[str, Callable[[GroupSpec], dict[str, Target]]]] = {
    uniform.NAME: uniform.assign,
    range_assignor.NAME: range_assignor.assign,
}
