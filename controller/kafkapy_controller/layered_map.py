"""An immutable map: a changed copy takes time in proportion to the change, not to the size.

A broker makes topics one by one, by the thousand: a copy of a `dict` of them all for each would be quadratic. Here the
successor shares one large `dict` and copies the small one of what has changed since; when that has grown beyond the
square root of the large one, both become one.
"""

from __future__ import annotations

from collections.abc import Collection, ItemsView, Iterator, Mapping, ValuesView
from math import isqrt
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

RECENT_MIN: Final = 64

_GONE: Any = object()
_ABSENT: Any = object()


class LayeredMap(Mapping[K, V]):
    """`base` with `recent` over it, where a key may be marked as gone. In the order of a `dict`, but that a key that
    was gone for a while may stand where it stood before.
    """

    __slots__ = ("_base", "_length", "_merged", "_recent")

    def __init__(self, content: Mapping[K, V] | None = None) -> None:
        self._base: dict[K, V] = {} if content is None else dict(content)
        self._recent: dict[K, V] = {}
        self._length = len(self._base)
        self._merged: dict[K, V] | None = self._base  # made when the whole map is iterated

    @classmethod
    def of(cls, mapping: Mapping[K, V]) -> LayeredMap[K, V]:
        """A LayeredMap with the same content; the mapping itself if it is one."""
        return mapping if isinstance(mapping, LayeredMap) else cls(mapping)

    def changed(self, values: Mapping[K, V], gone: Collection[K] = ()) -> LayeredMap[K, V]:
        """The map without the keys `gone`, all of which it has, then with `values`."""
        if not values and not gone:
            return self
        recent, base, length = dict(self._recent), self._base, self._length
        for key in gone:
            length -= 1
            if key in base:
                recent[key] = _GONE
            else:
                del recent[key]
        for key, value in values.items():
            known = recent.get(key, _ABSENT)
            if known is _GONE or (known is _ABSENT and key not in base):
                length += 1
            recent[key] = value
        if len(recent) > RECENT_MIN + isqrt(len(base)):
            base, recent = _merge(base, recent), {}
        successor: LayeredMap[K, V] = LayeredMap.__new__(LayeredMap)
        successor._base, successor._recent, successor._length = base, recent, length
        successor._merged = None if recent else base
        return successor

    def _all(self) -> dict[K, V]:
        merged = self._merged
        if merged is None:
            merged = self._merged = _merge(self._base, self._recent)
        return merged

    def __getitem__(self, key: K) -> V:
        value = self._recent.get(key, _ABSENT)
        if value is _ABSENT:
            return self._base[key]
        if value is _GONE:
            raise KeyError(key)
        return value  # type: ignore[no-any-return]

    def get(self, key: K, default: Any = None) -> Any:
        value = self._recent.get(key, _ABSENT)
        if value is _ABSENT:
            return self._base.get(key, default)
        return default if value is _GONE else value

    def __contains__(self, key: object) -> bool:
        value = self._recent.get(key, _ABSENT)  # type: ignore[arg-type]  # any object may be asked for
        return key in self._base if value is _ABSENT else value is not _GONE

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[K]:
        return iter(self._all())

    def values(self) -> ValuesView[V]:
        return self._all().values()

    def items(self) -> ItemsView[K, V]:
        return self._all().items()

    def __repr__(self) -> str:
        return f"LayeredMap({self._all()!r})"


def _merge(base: dict[K, V], recent: dict[K, V]) -> dict[K, V]:
    merged = {**base, **recent}
    for key, value in recent.items():
        if value is _GONE:
            del merged[key]
    return merged
