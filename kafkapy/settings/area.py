"""`Area`: what the typed groups of settings have in common.

A field is a setting: `group_max_size: int = 2_147_483_647` is Kafka's group.max.size with Kafka's default (a test holds
defaults and types to Kafka's tables, and the exceptions to `DIFFERENT_DEFAULTS`); bounds are checked where text is
parsed. Areas stand in for dataclasses because those cost half a millisecond each at start, and there are ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self, dataclass_transform


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Area:
    """An immutable group of settings, made with keyword arguments; what is not given has its default."""

    # Kafka's name -> attribute, of every field.
    SETTING_NAMES: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        names = [name for name in cls.__annotations__ if name.islower()]
        cls.SETTING_NAMES = {name.replace("_", "."): name for name in names}

    def __init__(self, **values: object) -> None:
        unknown = values.keys() - self.SETTING_NAMES.values()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        self.__dict__.update(values)

    def replace(self, values: Mapping[str, object]) -> Self:
        """A copy with these `values`, by attribute."""
        return type(self)(**{**self.__dict__, **values})

    def with_settings(self, values: Mapping[str, object]) -> Self:
        """A copy with those of the typed `values`, by Kafka's name, that belong to this area."""
        own = {self.SETTING_NAMES[name]: value for name, value in values.items() if name in self.SETTING_NAMES}
        return self.replace(own) if own else self

    def setting(self, name: str) -> int:
        """The value of the number that Kafka calls `name`."""
        value = getattr(self, self.SETTING_NAMES[name])
        assert isinstance(value, int), f"{name} is {value!r}"
        return value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.SETTING_NAMES.values())

    __hash__ = None  # type: ignore[assignment]  # compared by value; nobody needs one as a key

    def __repr__(self) -> str:
        changed = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({changed})"
