"""What is wrong with a setting."""


class SettingsError(ValueError):
    """The user gave a value that cannot be: `str()` is the one line to show, in Kafka's words.

    `name` is the setting at fault where one alone is.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


def invalid_value(name: str, value: object, reason: str) -> SettingsError:
    return SettingsError(f"Invalid value {value} for configuration {name}: {reason}", name)
