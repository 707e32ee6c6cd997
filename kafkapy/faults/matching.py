"""Whether a request meets a rule, and which of its topics, partitions, groups and so on the rule selects.

A `Matcher` is a rule made ready for one version of one API. It is made when the rule is checked, which finds the rules
that could never match, and again when a request of that version comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
from kafkapy.faults.conditions import Condition, parse_condition
from kafkapy.faults.edits import Edit, parse_edit
from kafkapy.faults.invalid_rule import InvalidRule, unknown
from kafkapy.faults.layout import (
    GROUP,
    KEY,
    MEMBER,
    PARTITION,
    TOPIC,
    TRANSACTION,
    EntryId,
    Layout,
    Path,
    TopicId,
    layout_of,
    layouts_of,
)
from kafkapy.faults.message_fields import has_records
from kafkapy.faults.rule_fields import ANYONE, CLIENTS, NODES, RuleFields
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, response_class
from kafkapy_wire.message import parse_versions
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.context import NodeContext
    from kafkapy.faults.patterns import Pattern
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.message import Message

NODE_APIS: Final = frozenset((CONTROLLER_API_MODULES.keys() - API_MODULES.keys()) | {ApiKey.WRITE_TXN_MARKERS})
"""Only nodes send these."""
FOLLOWERS_APIS: Final = (ApiKey.FETCH, ApiKey.LIST_OFFSETS, ApiKey.OFFSET_FOR_LEADER_EPOCH)
STALE_APIS: Final = (ApiKey.METADATA, ApiKey.DESCRIBE_TOPIC_PARTITIONS)
FIRST_ADD_PARTITIONS_OF_NODES: Final = 4
FIRST_FETCH_WITH_REPLICA_STATE: Final = 15
GROUP_KEY, TRANSACTION_KEY = 0, 1
"""Key types of FindCoordinator."""


class Never(Exception):
    """No request of this API and version can meet the rule; `reason` says why."""

    def __init__(self, reason: InvalidRule) -> None:
        super().__init__(reason)
        self.reason = reason


class Selected(NamedTuple):
    """What of one request a rule selects."""

    layout: Layout
    selects: Callable[[Path], bool]
    """Whether it selects an entry. A path that ends early stands for all entries below."""
    paths: list[Path]
    """Of the entries that the request names, or that its fetch session has; those that the rule selects."""
    is_whole: bool
    """Whether the rule is about the request, and not about entries of it."""


class Matcher:
    """A rule, for one version of one API. Raises Never."""

    __slots__ = ("_by_key", "_conditions", "_entries", "_layout", "_once", "_rule", "edits", "error_depth")

    def __init__(self, rule: RuleFields, key: ApiKey, version: int) -> None:
        layout = layout_of(key, version)
        self._rule = rule
        self._layout = layout
        self._once: list[tuple[list[str], Callable[[EntryId], bool]]] = []
        self._by_key: dict[int, tuple[Pattern, ...]] = {}
        self._entries: dict[str, Callable[[EntryId, MetadataImage], bool]] = {}
        self._take_names(rule)
        self._conditions = [self._condition(text) for text in rule.where]
        self.edits: list[Edit] = self._edits() if rule.edit is not None else []
        self.error_depth = self._error_depth() if rule.error is not None else 0
        """In the paths of the entries that get the error; 0: the answer as a whole."""
        self._check_sender()
        self._check_actions()

    # -- is it possible?

    def _take_names(self, rule: RuleFields) -> None:
        layout, kinds = self._layout, self._layout.kinds
        levels = {kind for kind, _ in layout.asked} | {level.kind for level in layout.levels}
        for kind, field, patterns in (
            (GROUP, "group", rule.group),
            (TRANSACTION, "transactional_id", rule.transactional_id),
            (MEMBER, "member", rule.member),
        ):
            if not patterns:
                continue
            if kind in layout.given_once:
                self._once.append((layout.given_once_as(kind), _named(patterns)))
            elif kind in levels:
                self._entries[kind] = _of_entries(_named(patterns))
            elif KEY in kinds and kind != MEMBER:
                self._by_key[GROUP_KEY if kind == GROUP else TRANSACTION_KEY] = patterns
            else:
                raise self._never(field, f"is not about a {field.replace('_', ' ')}")
        for field in ("topic", "topic_id"):
            if getattr(rule, field) and TOPIC not in levels:
                raise self._never(field, "is not about topics")
        if rule.topic or rule.topic_id:
            self._entries[TOPIC] = self._is_topic
        if rule.partition:
            if PARTITION not in levels:
                raise self._never("partition", "is not about partitions")
            partitions = frozenset(rule.partition)
            self._entries[PARTITION] = lambda entry, _: entry in partitions

    def _never(self, field: str, what: str) -> Never:
        """The API, or its version if another version is different."""
        key, version = self._layout.key, self._layout.version
        name = API_VERSIONS[key].message_name
        others = [selecting_fields(layout) for layout in layouts_of(key)]
        here = selecting_fields(self._layout)
        in_version = f" v{version}" if any(field in other for other in others) and field not in here else ""
        known = ", ".join(here) or "no names"
        return Never(InvalidRule(field, f"a {name} request{in_version} {what}; a rule about it may have: {known}"))

    def _condition(self, text: str) -> Condition:
        key, version = self._layout.key, self._layout.version
        condition = parse_condition("where", text, request_class(key))
        if not condition.path.present(version):
            name = API_VERSIONS[key].message_name
            raise Never(InvalidRule("where", f"{name}Request v{version} has no field {condition.path.text}"))
        return condition

    def _edits(self) -> list[Edit]:
        key, version = self._layout.key, self._layout.version
        edits = []
        for path, value in self._rule.edit or ():
            edit = parse_edit(path, value, response_class(key))
            if not edit.path.present(version):
                name = API_VERSIONS[key].message_name
                raise Never(InvalidRule("edit", f"{name}Response v{version} has no field {path}"))
            if edit.value is None and version not in parse_versions(edit.path.last.nullable):
                name = API_VERSIONS[key].message_name
                raise Never(InvalidRule("edit", f"{path} of {name}Response v{version} is never null"))
            edits.append(edit)
        return edits

    def _error_depth(self) -> int:
        layout, rule = self._layout, self._rule
        name = API_VERSIONS[layout.key].message_name
        deepest = max((layout.depth_of(kind) for kind in self._selecting_kinds()), default=0)
        if rule.at is not None:
            if rule.at not in layout.errors_at:
                raise Never(unknown("at", f"place for an error in the answer of {name}", rule.at, layout.errors_at))
            depth = layout.depth_of(rule.at)
            if depth and self._entries and not layout.is_answered_as_asked:
                raise Never(
                    InvalidRule("at", f"the answer of {name} does not say which {rule.at} is about what was asked")
                )
            if 0 < depth < deepest:
                raise Never(InvalidRule("at", f"{rule.at} is not as far inside as what the rule selects", None))
            return depth
        if not deepest:
            return 0  # refused as a whole, as the API does it
        depths = [depth for depth, level in enumerate(layout.levels, 1) if level.error is not None and depth >= deepest]
        if not depths:
            kind = layout.levels[deepest - 1].kind
            raise Never(
                InvalidRule("error", f"the answer of {name} has no error for each {kind}: say where it is by `at`")
            )
        return max([depth for depth in depths if depth <= layout.requested_depth], default=depths[0])

    def _selecting_kinds(self) -> list[str]:
        return [*self._entries, *([KEY] if self._by_key and KEY not in self._layout.given_once else [])]

    def _check_sender(self) -> None:
        rule, layout = self._rule, self._layout
        name = API_VERSIONS[layout.key].message_name
        if rule.sender == NODES and not _nodes_send(layout):
            raise Never(InvalidRule("sender", f"nodes never send {name} v{layout.version} to each other", CLIENTS))
        if rule.sender == CLIENTS and _only_nodes_send(layout):
            raise Never(InvalidRule("sender", f"only nodes send {name} v{layout.version}", NODES))

    def _check_actions(self) -> None:
        rule, layout = self._rule, self._layout
        name = API_VERSIONS[layout.key].message_name
        if rule.throttle_time_ms is not None and not layout.has_throttle_time:
            raise Never(InvalidRule("throttle_time_ms", f"the answer of {name} v{layout.version} has no such field"))
        if rule.corrupt_crc and not has_records(response_class(layout.key)):
            raise Never(InvalidRule("corrupt_crc", f"there are no record batches in the answer of {name}", "Fetch"))
        if rule.stale_metadata and layout.key not in STALE_APIS:
            raise Never(InvalidRule("stale_metadata", f"the answer of {name} is not metadata", "Metadata"))

    # -- does it match?

    def match(self, request: Message, context: NodeContext) -> Selected | None:
        """What the rule selects of the request; None: it does not match."""
        rule = self._rule
        if not _is_from(rule.sender, self._layout, request):
            return None
        for attributes, is_named in self._once:
            if not any(is_named(getattr(request, attribute)) for attribute in attributes):
                return None
        if any(not condition.holds(request, self._layout.version) for condition in self._conditions):
            return None
        if self._by_key and not self._is_key_wanted(request):
            return None
        image = context.node.metadata.image
        selects = self._selector(request, image)
        if selects is None:
            paths = list(_all_paths(self._layout, request, context)) if self.error_depth else []
            return Selected(self._layout, _everything, paths, is_whole=True)
        paths = [path for path in _all_paths(self._layout, request, context) if selects(path)]
        if not paths:
            return None
        # Where the answer has other levels than the request, nothing of it is selected in particular.
        in_answer = selects if self._layout.is_answered_as_asked else _everything
        return Selected(self._layout, in_answer, paths, is_whole=False)

    def _is_key_wanted(self, request: Any) -> bool:
        """Of FindCoordinator, as far as the request has one type of keys, and before version 4 one key."""
        patterns = self._by_key.get(request.key_type)
        return patterns is not None and (KEY not in self._layout.given_once or _named(patterns)(request.key))

    def _selector(self, request: Message, image: MetadataImage) -> Callable[[Path], bool] | None:
        """Whether the rule selects an entry; None: it does not look at entries."""
        tests: dict[str, Callable[[EntryId, MetadataImage], bool]] = dict(self._entries)
        if self._by_key and KEY not in self._layout.given_once:
            tests[KEY] = _of_entries(_named(self._by_key[getattr(request, "key_type", GROUP_KEY)]))
        if not tests:
            return None
        asked = [kind for kind, _ in self._layout.asked]
        answered = [level.kind for level in self._layout.levels]
        by_depth = [tests.get(kind) for kind in (answered if len(answered) >= len(asked) else asked)]

        def selects(path: Path) -> bool:
            return all(test is None or test(entry, image) for test, entry in zip(by_depth, path, strict=False))

        return selects

    def _is_topic(self, entry: EntryId, image: MetadataImage) -> bool:
        assert isinstance(entry, TopicId), entry
        name, topic_id = entry
        if not name and topic_id in image.topics_by_id:
            name = image.topics_by_id[topic_id].name
        if topic_id == ZERO_UUID and name in image.topics:
            topic_id = image.topics[name].topic_id
        rule = self._rule
        if rule.topic and not any(pattern.matches(name) for pattern in rule.topic):
            return False
        return not rule.topic_id or topic_id in rule.topic_id


def matcher_of(rule: RuleFields, key: ApiKey, version: int) -> Matcher:
    """Raises Never."""
    return Matcher(rule, key, version)


def may_match(rule: RuleFields, key: ApiKey, context: NodeContext) -> bool:
    """What can be told without the request's content."""
    if rule.api and key not in rule.api:
        return False
    if rule.version is not None and context.api_version not in rule.version:
        return False
    if rule.broker and context.node.node_id not in rule.broker:
        return False
    client = context.client
    return (
        _is_any(rule.listener, client.listener_name)
        and _is_any(rule.client_id, context.client_id or "")
        and _is_any(rule.client_software, client.software_name)
        and _is_any(rule.client_version, client.software_version)
        and _is_any(rule.principal, str(client.principal))
    )


def _is_any(patterns: tuple[Pattern, ...], text: str) -> bool:
    return not patterns or any(pattern.matches(text) for pattern in patterns)


def _is_from(sender: str | None, layout: Layout, request: Message) -> bool:
    """Whether the request is from one that the rule is about."""
    if sender == ANYONE or (sender is None and _only_nodes_send(layout)):
        return True
    return _is_of_node(layout, request) == (sender == NODES)


def _only_nodes_send(layout: Layout) -> bool:
    if layout.key is ApiKey.ADD_PARTITIONS_TO_TXN:
        return layout.version >= FIRST_ADD_PARTITIONS_OF_NODES
    return layout.key in NODE_APIS


def _nodes_send(layout: Layout) -> bool:
    """Followers send some requests of consumers, too, with their replica id."""
    return _only_nodes_send(layout) or layout.key in FOLLOWERS_APIS


def _is_of_node(layout: Layout, request: Message) -> bool:
    if _only_nodes_send(layout):
        return True
    if layout.key is ApiKey.FETCH and layout.version >= FIRST_FETCH_WITH_REPLICA_STATE:
        return bool(request.replica_state.replica_id >= 0)  # type: ignore[attr-defined]  # a FetchRequest
    return bool(getattr(request, "replica_id", -1) >= 0)


def _named(patterns: tuple[Pattern, ...]) -> Callable[[EntryId], bool]:
    def is_named(entry: object) -> bool:
        if isinstance(entry, tuple):  # a member: its id, and that of its instance
            return any(is_named(each) for each in entry)
        return isinstance(entry, str) and any(pattern.matches(entry) for pattern in patterns)

    return is_named


def _of_entries(is_named: Callable[[EntryId], bool]) -> Callable[[EntryId, MetadataImage], bool]:
    return lambda entry, _: is_named(entry)


def _everything(_path: Path) -> bool:
    return True


def _all_paths(layout: Layout, request: Message, context: NodeContext) -> Iterator[Path]:
    """What the request names, and what its fetch session has."""
    named = list(layout.paths(request))
    session = session_paths(layout, request, context)
    if session is None:
        yield from named
        return
    yield from (path for path in named if path)
    yield from session


def session_paths(layout: Layout, request: Message, context: NodeContext) -> list[Path] | None:
    """The partitions of the fetch session that the request goes on with (KIP-227); None: it names all that it wants."""
    if layout.key is not ApiKey.FETCH or context.at_controller:
        return None
    session_id, epoch = request.session_id, request.session_epoch  # type: ignore[attr-defined]  # a FetchRequest
    if session_id == 0 or epoch <= 0:
        return None
    sessions = context.broker.fetch_sessions  # type: ignore[attr-defined]  # a RequestContext: not at a controller
    return [(TopicId(one.topic_name, one.topic_id), one.index) for one in sessions.partitions_of(session_id)]


def selecting_fields(layout: Layout) -> list[str]:
    """The fields of a rule that select something of such a request."""
    kinds = layout.kinds
    found: list[str] = [
        field for field in ("topic", "partition", "group", "member", "transactional_id") if field in kinds
    ]
    if KEY in kinds:
        found += ["group", "transactional_id"]
    if TOPIC in kinds:
        found.insert(1, "topic_id")
    return found
