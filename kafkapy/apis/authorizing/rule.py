"""What rules are made of: requests in part, and answers with errors for the rest."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from kafkapy.pending import Pending
from kafkapy.security.access import REFUSED, is_allowed
from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from kafkapy.context import NodeContext
    from kafkapy_controller.acl import AclOperation, ResourceType
    from kafkapy_controller.image import MetadataImage

    Answer: TypeAlias = Message | Pending[Any] | Coroutine[object, object, Any] | None

T = TypeVar("T")

AT_ONCE_MAX: Final = 500
"""Entries of a request; a decision takes some microseconds."""

TOPIC_REFUSED: Final = "Topic authorization failed."
GROUP_REFUSED: Final = "Group authorization failed."
CLUSTER_REFUSED: Final = "Cluster authorization failed."
TRANSACTIONAL_ID_REFUSED: Final = "Transactional Id authorization failed."


class Served(NamedTuple):
    """An API without its rule: see `kafkapy.apis.served.Api`."""

    handle: Callable[[Any, Any], Any]
    error_response: Callable[[Any, KafkaError], Any]


def then(answer: Answer, finish: Callable[[Any], Any]) -> Any:
    """The answer with what `finish` makes of it, as soon as it is there. No answer at all stays none."""
    if isinstance(answer, Pending):
        return answer.map(lambda response: None if response is None else finish(response))
    if answer is None or isinstance(answer, Message):
        return None if answer is None else finish(answer)
    return _then_later(answer, finish)


async def _then_later(answer: Coroutine[object, object, Any], finish: Callable[[Any], Any]) -> Any:
    return then(await answer, finish)


def with_fields(request: Any, **fields: object) -> Any:
    """A copy of the message or struct with other values."""
    changed = copy.copy(request)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def parted(
    context: NodeContext,
    items: Iterable[T],
    operation: AclOperation,
    resource_type: ResourceType,
    name_of: Callable[[T], str | None],
) -> tuple[list[T], list[T]]:
    """Those that the client may do it to, and the others. One without a name is left to the handler."""
    decisions: dict[str, bool] = {}
    allowed: list[T] = []
    refused: list[T] = []
    for item in items:
        name = name_of(item)
        if name is None:
            allowed.append(item)
            continue
        if name not in decisions:
            decisions[name] = is_allowed(context, operation, resource_type, name)
        (allowed if decisions[name] else refused).append(item)
    return allowed, refused


class Parts(NamedTuple):
    """Which lists of a request and its answer have the entries that are allowed or refused each for itself."""

    asked: str
    answered: str


def handle_in_part(
    served: Served,
    request: Any,
    context: NodeContext,
    parts: Parts,
    operation: AclOperation,
    resource_type: ResourceType,
    name_of: Callable[[Any], str | None],
    message: str | None = None,
) -> Any:
    """Handle the entries that are allowed; the others are answered with the authorization error of their type."""
    items = getattr(request, parts.asked)
    if len(items) > AT_ONCE_MAX:
        return _handle_many_in_part(served, request, context, parts, operation, resource_type, name_of, message)
    allowed, refused = parted(context, items, operation, resource_type, name_of)
    if not refused:
        return served.handle(request, context)
    error = KafkaError(REFUSED[resource_type], message)
    refusal = served.error_response(with_fields(request, **{parts.asked: refused}), error)
    return answer_in_part(served, with_fields(request, **{parts.asked: allowed}), context, parts, refusal)


async def _handle_many_in_part(
    served: Served,
    request: Any,
    context: NodeContext,
    parts: Parts,
    operation: AclOperation,
    resource_type: ResourceType,
    name_of: Callable[[Any], str | None],
    message: str | None,
) -> Any:
    """The same in turns."""
    turn = Turn()
    allowed: list[Any] = []
    refused: list[Any] = []
    items = getattr(request, parts.asked)
    for start in range(0, len(items), AT_ONCE_MAX):
        some, others = parted(context, items[start : start + AT_ONCE_MAX], operation, resource_type, name_of)
        allowed += some
        refused += others
        await turn.share()
    answer = None
    if refused:
        error = KafkaError(REFUSED[resource_type], message)
        refusal = served.error_response(with_fields(request, **{parts.asked: refused}), error)
        answer = answer_in_part(served, with_fields(request, **{parts.asked: allowed}), context, parts, refusal)
    else:
        answer = served.handle(request, context)
    while answer is not None and not isinstance(answer, Message | Pending):
        answer = await answer
    return answer


def answer_in_part(served: Served, request: Any, context: NodeContext, parts: Parts, refusal: Any) -> Any:
    """Handle what is left of the request, and add the entries of `refusal` to the answer."""
    if not getattr(request, parts.asked):
        return refusal

    def add(answer: Any) -> Any:
        setattr(answer, parts.answered, [*getattr(answer, parts.answered), *getattr(refusal, parts.answered)])
        return answer

    return then(served.handle(request, context), add)


def by_name(entry: Any) -> str | None:
    name: str | None = entry.name
    return name


def name_or_id(image: MetadataImage) -> Callable[[Any], str | None]:
    """The topic's name, of an entry that may have its id instead. None: there is no topic with that id."""

    def name_of(entry: Any) -> str | None:
        if entry.name:
            return entry.name  # type: ignore[no-any-return]  # of any message
        topic = image.topics_by_id.get(entry.topic_id)
        return None if topic is None else topic.name

    return name_of
