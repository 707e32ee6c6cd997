"""What is wrong with a setting."""


class SettingsError(ValueError):
    """The user gave a value that is not allowed: `str()` is the one line to show, in Kafka's words.

    `name` is the setting at fault where one alone is.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


SHOWN_CHARACTERS_MAX = 1_000  # of a value: the message goes into logs and answers


def invalid_value(name: str, value: object, reason: str) -> SettingsError:
    return SettingsError(f"Invalid value {shortened(str(value))} for configuration {name}: {reason}", name)


def shortened(text: str) -> str:
    """`text`; if it is too long to show, its beginning and its length."""
    if len(text) <= SHOWN_CHARACTERS_MAX:
        return text
    return f"{text[:SHOWN_CHARACTERS_MAX]}... ({len(text)} characters)"
