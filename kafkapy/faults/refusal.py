"""An injected error at some entries of a request: they are taken out before it is handled, and are in its answer.

So what an answer refuses was not carried out, and the other entries of the same request are.

Two kinds of requests keep their entries, because what they do is reading: a Fetch of a session, as the session would
forget a partition that the request does not have, and those that ask for everything. Of these only the answer changes.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from kafkapy.errors import CloseConnection
from kafkapy.faults.layout import TopicId, id_of, set_id
from kafkapy.faults.matching import session_paths
from kafkapy_wire.api_keys import ApiKey, response_class
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message, Struct, parse_versions
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy.apis.served import Api
    from kafkapy.context import NodeContext
    from kafkapy.faults.layout import EntryId, Path
    from kafkapy.faults.matching import Selected
    from kafkapy.faults.rule_fields import RuleFields

SESSIONLESS_EPOCH: Final = -1
NO_LEADER: Final = -1


class Refusal:
    """The error of one rule at some entries of one request."""

    def __init__(
        self, rule: RuleFields, api: Api, selected: Selected, depth: int, request: Message, context: NodeContext
    ) -> None:
        assert rule.error is not None, "the rule has an error"
        self._rule = rule
        self._api = api
        self._selected = selected
        self._depth = depth
        self._error = KafkaError(rule.error, rule.message)
        self._refused = list(dict.fromkeys(path[:depth] for path in selected.paths if len(path) >= depth))
        """The paths of what the request names and does not get."""
        self._request = request
        self._context = context

    def take_out(self, request: Message) -> Message | None:
        """What is to be handled; None: nothing is left of the request."""
        layout = self._selected.layout
        if self._rule.applied:
            return request
        if layout.key is ApiKey.FETCH and request.session_epoch != SESSIONLESS_EPOCH:  # type: ignore[attr-defined]
            smaller: Any = copy(request)
            smaller.max_wait_ms = 0  # an error is answered at once
            return smaller  # type: ignore[no-any-return]
        if not self._refused or self._depth > layout.requested_depth:
            return request
        left = layout.part(request, lambda path: not self._takes(path))
        if any(layout.paths(left)):
            return left
        # Metadata has the brokers besides, and clients need them.
        return left if layout.key is ApiKey.METADATA else None

    def _takes(self, path: Path) -> bool:
        return len(path) >= self._depth and self._selected.selects(path)

    def _tell_session(self) -> None:
        """The session is to tell of these partitions again, as the consumer does not get what was in its answer."""
        request, context = self._request, self._context
        if session_paths(self._selected.layout, request, context) is None:
            return
        sessions = context.broker.fetch_sessions  # type: ignore[attr-defined]  # a session is a broker's
        for one in sessions.partitions_of(request.session_id):  # type: ignore[attr-defined]  # a FetchRequest
            if self._selected.selects((TopicId(one.topic_name, one.topic_id), one.index)):
                one.must_be_told = True

    def put_back(self, response: Message | None) -> Message:
        """The answer with the error in it. Raises CloseConnection: there is no answer (acks=0) that could have it."""
        layout = self._selected.layout
        if getattr(self._request, "acks", None) == 0:  # as in Apache Kafka
            raise CloseConnection(f"a produce request with acks=0 failed with {self._error.code.name}")
        if response is None:
            response = response_class(layout.key)()
        self._tell_session()
        named = self._named_entries()
        is_everything = layout.key is ApiKey.METADATA and layout.version == 0 and self._took_all()
        left = list(self._refused)
        answer: Message = self._refuse_in(response, 0, (), named, left)
        if is_everything:  # an empty list has asked for all topics
            setattr(answer, layout.levels[0].answered.name, [])  # type: ignore[union-attr]
            left = list(self._refused)
        for path in left:
            self._add(answer, path, named)
        return answer

    def _took_all(self) -> bool:
        return bool(self._refused) and all(self._takes(path) for path in self._selected.layout.paths(self._request))

    def _named_entries(self) -> dict[Path, Struct]:
        """The entries as the API answers a request that it refuses as a whole."""
        layout = self._selected.layout
        try:
            whole = self._api.error_response(self._request, self._error)
        except CloseConnection:
            return {}
        found: dict[Path, Struct] = {}

        def collect(struct: object, depth: int, above: Path) -> None:
            level = layout.levels[depth]
            assert level.answered is not None
            for entry in getattr(struct, level.answered.name):
                path = (*above, id_of(entry, level.kind))
                if depth + 1 == self._depth:
                    found[path] = entry
                else:
                    collect(entry, depth + 1, path)

        if type(whole) is response_class(layout.key):
            collect(whole, 0, ())
        return found

    def _refuse_in(self, struct: Any, depth: int, above: Path, named: dict[Path, Struct], left: list[Path]) -> Any:
        """A copy in which the selected entries have the error. They are removed from `left`."""
        level = self._selected.layout.levels[depth]
        assert level.answered is not None
        changed = copy(struct)
        entries = []
        for entry in getattr(struct, level.answered.name):
            path = (*above, id_of(entry, level.kind))
            known = next((each for each in left if _is_same(each[: depth + 1], path)), None)
            if known is None and not self._selected.selects(path):
                entries.append(entry)
            elif depth + 1 < self._depth:
                entries.append(self._refuse_in(entry, depth + 1, path, named, left))
            else:
                if known is not None:
                    left.remove(known)
                entries.append(self._refused_entry(known or path, named, entry))
        setattr(changed, level.answered.name, entries)
        return changed

    def _refused_entry(self, path: Path, named: dict[Path, Struct], answered: Struct | None = None) -> Struct:
        level = self._selected.layout.levels[self._depth - 1]
        assert level.error is not None
        entry: Any = next((each for known, each in named.items() if _is_same(known, path)), None)
        if entry is None and answered is not None:
            entry = copy(answered)
            if self._error.code is ErrorCode.LEADER_NOT_AVAILABLE and hasattr(entry, "leader_id"):
                entry.leader_id = NO_LEADER
        elif entry is None:
            entry = level.entry()
            set_id(entry, level.kind, path[-1])
        setattr(entry, level.error, self._error.code)
        if self._error.message is not None and self._has_message(level.entry):
            entry.error_message = self._error.message
        return entry  # type: ignore[no-any-return]

    def _has_message(self, entry: type[Struct]) -> bool:
        version = self._selected.layout.version
        return any(
            each.name == "error_message" and version in parse_versions(each.versions) for each in entry.__fields__
        )

    def _add(self, answer: Any, path: Path, named: dict[Path, Struct]) -> None:
        """Add the entry of a path that the answer does not have, with those around it."""
        place = answer
        for depth, entry_id in enumerate(path):
            level = self._selected.layout.levels[depth]
            assert level.answered is not None
            entries = getattr(place, level.answered.name)
            if depth + 1 == len(path):
                entries.append(self._refused_entry(path, named))
                return
            inner = next((each for each in entries if _is_same_id(id_of(each, level.kind), entry_id)), None)
            if inner is None:
                inner = level.entry()
                set_id(inner, level.kind, entry_id)
                entries.append(inner)
            place = inner


def _is_same(one: Path, other: Path) -> bool:
    return len(one) == len(other) and all(map(_is_same_id, one, other))


def _is_same_id(one: EntryId, other: EntryId) -> bool:
    """Topics are the same if their names or their ids are: a request may have one of them, and the answer both."""
    if isinstance(one, TopicId) and isinstance(other, TopicId):
        is_same_name = bool(one.name) and one.name == other.name
        return is_same_name or (one.topic_id != ZERO_UUID and one.topic_id == other.topic_id)
    return one == other
