"""`Asking`: operations on a cluster that runs. `generate.py` makes `async_asking.py` from this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from kafkapy.control.arguments import check_arguments
from kafkapy.control.operations import NAMES
from kafkapy.testing.awaiting import outcome_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.testing.running import Running

P = ParamSpec("P")
T = TypeVar("T")


class Asking:
    """A cluster that is asked while it runs."""

    def __init__(self) -> None:
        self._running: Running | None = None

    def _call(
        self, operation: Callable[Concatenate[ControlledNodes, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        __tracebackhide__ = True
        name = NAMES[operation]
        check_arguments(name, args, kwargs)
        result: T = outcome_of(self._run.submit(name, *args, **kwargs), self._run)
        return result

    @property
    def _run(self) -> Running:
        if self._running is None:
            raise RuntimeError("the Kafka does not run: use it within its `with` block")
        return self._running
