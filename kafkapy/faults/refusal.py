"""An injected error at some entries of a request: they are taken out before it is handled, and are in its answer.

So what an answer refuses was not carried out, and the other entries of the same request are.

Two kinds of requests keep their entries, because what they do is reading: a Fetch of a session, as the session would
forget a partition that the request does not have, and those that ask for everything. Of these only the answer changes.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from kafkapy.errors import CloseConnection
from kafkapy.faults.by_path import ByPath
from kafkapy.faults.layout import TopicId, id_of, set_id
from kafkapy.faults.matching import session_paths
from kafkapy_wire.api_keys import ApiKey, response_class
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message, Struct, parse_versions

if TYPE_CHECKING:
    from kafkapy.apis.served import Api
    from kafkapy.context import NodeContext
    from kafkapy.faults.layout import Path
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
        self._refused = dict.fromkeys(path[:depth] for path in selected.paths if len(path) >= depth)
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
        left: ByPath[None] = ByPath()
        for path in self._refused:
            left.put(path, None)
        if layout.key is ApiKey.METADATA and layout.version == 0 and self._took_all():
            response = copy(response)
            setattr(response, layout.levels[0].list_name, [])  # an empty list has asked for all topics
        answer: Message = self._refuse_in(response, 0, (), named, left)
        places: ByPath[Any] = ByPath()
        if left:
            self._note_places(answer, (), places)
        for path in left:
            self._add(answer, path, named, places)
        return answer

    def _took_all(self) -> bool:
        return bool(self._refused) and all(self._takes(path) for path in self._selected.layout.paths(self._request))

    def _named_entries(self) -> ByPath[Struct]:
        """The entries as the API answers a request that it refuses as a whole."""
        found: ByPath[Struct] = ByPath()
        try:
            whole = self._api.error_response(self._request, self._error)
        except CloseConnection:
            return found
        levels = self._selected.layout.levels

        def collect(struct: object, depth: int, above: Path) -> None:
            level = levels[depth]
            for entry in getattr(struct, level.list_name):
                path = (*above, id_of(entry, level.kind))
                if depth + 1 == self._depth:
                    found.put(path, entry)
                else:
                    collect(entry, depth + 1, path)

        if type(whole) is response_class(self._api.key):
            collect(whole, 0, ())
        return found

    def _refuse_in(self, struct: Any, depth: int, above: Path, named: ByPath[Struct], left: ByPath[None]) -> Any:
        """A copy in which the selected entries have the error. They are removed from `left`."""
        level = self._selected.layout.levels[depth]
        changed = copy(struct)
        entries = []
        for entry in getattr(struct, level.list_name):
            path = (*above, id_of(entry, level.kind))
            is_innermost = depth + 1 == self._depth
            known = left.pop(path) if is_innermost else None
            if known is None and not self._selected.selects(path):
                entries.append(entry)
            elif is_innermost:
                entries.append(self._refused_entry(known or path, named, entry))
            else:
                entries.append(self._refuse_in(entry, depth + 1, path, named, left))
        setattr(changed, level.list_name, entries)
        return changed

    def _refused_entry(self, path: Path, named: ByPath[Struct], answered: Struct | None = None) -> Struct:
        level = self._selected.layout.levels[self._depth - 1]
        assert level.error is not None
        entry: Any = named.get(path)
        if entry is None and answered is not None:
            entry = copy(answered)
            if self._error.code is ErrorCode.LEADER_NOT_AVAILABLE and hasattr(entry, "leader_id"):
                entry.leader_id = NO_LEADER
        elif entry is None:
            entry = level.new_entry(self._selected.layout.version)
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

    def _note_places(self, struct: Any, path: Path, places: ByPath[Any]) -> None:
        """The entries of an answer that others are in, by path."""
        if len(path) == self._depth - 1:
            return
        level = self._selected.layout.levels[len(path)]
        for entry in getattr(struct, level.list_name):
            inner = (*path, id_of(entry, level.kind))
            places.put(inner, entry)
            self._note_places(entry, inner, places)

    def _add(self, answer: Any, path: Path, named: ByPath[Struct], places: ByPath[Any]) -> None:
        """Add the entry of a path that the answer does not have, with those around it."""
        levels = self._selected.layout.levels
        place = answer
        for depth in range(1, len(path)):
            above = path[:depth]
            inner = places.get(above)
            if inner is None:
                level = levels[depth - 1]
                inner = level.new_entry(self._selected.layout.version)
                set_id(inner, level.kind, above[-1])
                getattr(place, level.list_name).append(inner)
                places.put(above, inner)
            place = inner
        getattr(place, levels[len(path) - 1].list_name).append(self._refused_entry(path, named))
