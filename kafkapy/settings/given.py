"""What a user gave, and where."""

from __future__ import annotations


class GivenSettings(dict[str, str]):
    """Values by Kafka's names, each with its `origins`: a file, a variable, an option. Made by `sources.gather`."""

    __slots__ = ("origins", "warnings")

    def __init__(self) -> None:
        super().__init__()
        self.origins: dict[str, str] = {}
        self.warnings: list[str] = []

    def add(self, name: str, value: str, origin: str) -> None:
        self[name] = value
        self.origins[name] = origin
