"""Write docs/compatibility.md: what is served, and what differs from Apache Kafka 4.4.0, from where each is said.

    python docs/make_compatibility.py [--check]

The API modules' docstrings say `Differs:` and `Not done:`, `kafkapy.settings` lists its own defaults, and the table of
accepted differences in compat_tests/differential is what a test compares with the real broker.
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
SECTIONS = ("Differs:", "Not done:")

INTRODUCTION = """\
# Compatibility

The reference is Apache Kafka 4.4.0. `compat_tests/differential/` sends the same requests to kafkapy and to the real
broker and compares the decoded answers; whatever differs there is listed below, with its reason, and nothing else may.
What becomes of each setting is in [settings.md](settings.md).

A difference by which kafkapy is kinder to clients has a switch, `--strict NAME`: [strict.md](strict.md).

This holds for every API: without quotas `throttle_time_ms` is 0; a client that uses more than its quota is answered,
told how long to wait, and not read from for that long. `request_percentage` is of the event loop's time. Without
`authorizer.class.name` every client may do everything, and answers list every operation as authorized; with it each API
asks for the operations that Apache Kafka asks for, which is compared with the real broker, each operation missing in
turn: [authorization.md](authorization.md).

Written by `python docs/make_compatibility.py`: change the places it reads.
"""


def api_rows() -> list[str]:
    from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
    from kafkapy_wire.api_keys import API_VERSIONS

    rows = ["| API | key | versions | differs, not done |", "|---|---|---|---|"]
    modules = {*API_MODULES.items(), *CONTROLLER_API_MODULES.items()}
    for key, module in sorted(modules):
        docstring = ast.get_docstring(ast.parse((ROOT / "kafkapy" / "apis" / f"{module}.py").read_text())) or ""
        said = " ".join(f"**{name}** {text}" for name, text in sections(docstring).items())
        served = API_VERSIONS[key]
        name = served.message_name + (" (controllers)" if API_MODULES.get(key, module) != module else "")
        rows.append(f"| {name} | {key.value} | {served.min_version}-{served.max_version} | {escaped(said)} |")
    return rows


def sections(docstring: str) -> dict[str, str]:
    """The paragraphs that begin with one of `SECTIONS`, joined to one line each."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in docstring.splitlines():
        name = next((name for name in SECTIONS if line.startswith(name)), None)
        if name is not None:
            current = found[name] = [line.removeprefix(name).strip()]
        elif not line.strip():
            current = None
        elif current is not None:
            current.append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}


def default_rows() -> list[str]:
    from kafkapy.settings import DIFFERENT_DEFAULTS

    rows = ["| setting | kafkapy | Apache Kafka | why |", "|---|---|---|---|"]
    for name, (ours, kafkas, why) in DIFFERENT_DEFAULTS.items():
        rows.append(f"| `{name}` | `{ours}` | {'none' if kafkas is None else f'`{kafkas}`'} | {escaped(why)} |")
    return rows


def difference_rows() -> list[str]:
    sys.path.insert(0, str(ROOT))
    accepted = import_module("compat_tests.differential.accepted_differences").ACCEPTED
    rows = ["| scenario | where in the answers | why |", "|---|---|---|"]
    rows += [f"| `{each.scenario}` | `{escaped(each.where)}` | {escaped(each.reason)} |" for each in accepted]
    return rows


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page() -> str:
    return "\n".join(
        [
            INTRODUCTION,
            "## APIs",
            "",
            *api_rows(),
            "",
            "## Defaults",
            "",
            *default_rows(),
            "",
            "## Answers that differ",
            "",
            *difference_rows(),
            "",
        ]
    )


def main() -> int:
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text() != text:
            print(f"{PAGE} is not what its sources say: run python docs/make_compatibility.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
