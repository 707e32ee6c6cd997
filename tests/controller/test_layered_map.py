"""A layered map is a dict that never changes: the same content, whatever came in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy_controller import layered_map
from kafkapy_controller.layered_map import LayeredMap

KEYS = st.integers(0, 30)
CHANGES = st.lists(st.tuples(st.dictionaries(KEYS, st.integers(), max_size=6), st.lists(KEYS, unique=True, max_size=4)))


@given(st.dictionaries(KEYS, st.integers()), CHANGES, st.sampled_from([0, 2, 64]))
def test_it_holds_what_a_dict_would(
    start: dict[int, int], changes: list[tuple[dict[int, int], list[int]]], recent_min: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layered_map, "RECENT_MIN", recent_min)
        history = [(LayeredMap(start), dict(start))]
        for values, keys in changes:
            layered, plain = history[-1][0], dict(history[-1][1])
            gone = [key for key in keys if key in plain]
            for key in gone:
                del plain[key]
            plain.update(values)
            history.append((layered.changed(values, gone), plain))
        for layered, plain in history:  # the older ones, too, are what they were
            assert layered == plain
            assert len(layered) == len(plain)
            assert list(layered.items()) == list(zip(layered, layered.values(), strict=True))
            for key in range(31):
                assert (key in layered) == (key in plain)
                assert layered.get(key, "none") == plain.get(key, "none")
                if key not in plain:
                    with pytest.raises(KeyError):
                        layered[key]


def test_keys_come_in_the_order_in_which_they_were_put() -> None:
    names = LayeredMap({"b": 1})
    for number in range(500):
        names = names.changed({f"n{number}": number})
    assert list(names) == ["b", *[f"n{number}" for number in range(500)]]


def test_a_successor_copies_little() -> None:
    """The large dict is shared by the next ones until the small one has grown beyond its square root."""
    names: LayeredMap[int, int] = LayeredMap(dict.fromkeys(range(10_000), 0))
    copies = 0
    for number in range(1_000):
        base = names._base
        names = names.changed({10_000 + number: 0})
        copies += names._base is not base
        assert len(names._recent) <= layered_map.RECENT_MIN + 105
    assert LayeredMap.of(names) is names
    assert copies <= 1_000 // layered_map.RECENT_MIN
