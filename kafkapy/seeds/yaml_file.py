"""A document in YAML. Every object and list knows its lines; names stay what is written; times are texts."""

from __future__ import annotations

from typing import Any, Final

from kafkapy.errors import how_to_install
from kafkapy.seeds.document import PlacedDict, PlacedList
from kafkapy.seeds.invalid_seed import InvalidSeed, shown

try:
    import yaml
except ImportError as error:
    raise InvalidSeed(
        "",
        f"YAML needs PyYAML, which is not installed: {how_to_install('yaml')}, or write JSON lines in a file whose "
        "name ends in .jsonl",
    ) from error

YAML_BYTES_MAX: Final = 16 * 1024 * 1024
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_PLAIN: Final = frozenset(
    {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "binary", "map", "seq")}
)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses aliases: a text of a few lines can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise InvalidSeed("", "aliases (*name) are not taken: write it out", line=mark.line + 1)
        return super().compose_node(parent, index)


def parse_yaml(text: str) -> object:
    """Raises InvalidSeed, without a file's name."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _plain(loader, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(str(error.problem or error.context).split())
        raise InvalidSeed("", f"that is not YAML: {reason}", line=None if mark is None else mark.line + 1) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidSeed):
            raise
        reason = "it nests too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise InvalidSeed("", f"that is not YAML: {reason}") from None
    finally:
        loader.dispose()


def _plain(loader: _Loader, node: Any) -> object:
    if node.tag == _TIMESTAMP:
        return node.value
    if node.tag not in _PLAIN:
        reason = f"values of the kind {shown(node.tag)} are not taken"
        raise InvalidSeed("", reason, line=node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        placed = PlacedDict()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidSeed("", "a list or an object is no name", line=key.start_mark.line + 1)
            if key.value in placed:
                raise InvalidSeed("", f"{shown(key.value)} is there twice", line=key.start_mark.line + 1)
            placed.lines[key.value] = key.start_mark.line + 1
            placed[key.value] = _plain(loader, value)
        return placed
    if isinstance(node, yaml.SequenceNode):
        listed = PlacedList()
        for each in node.value:
            listed.lines.append(each.start_mark.line + 1)
            listed.append(_plain(loader, each))
        return listed
    try:
        return loader.construct_object(node)
    except (ValueError, yaml.YAMLError):
        reason = f"{shown(node.value)} is no valid {node.tag.rpartition(':')[2]}"
        raise InvalidSeed("", reason, line=node.start_mark.line + 1) from None
