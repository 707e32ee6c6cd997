"""`kafkapy check`: does a history of client operations show that a broker broke its promises?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.command_line import count_or_zero
from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from kafkapy.history import Verdict

EXAMPLES = 5
LINE_WIDTH_MAX = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy check`."""
    parser.add_argument(
        "history", metavar="HISTORY", help="a file of JSON lines, see docs/checking-histories.md; - is stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="KIND",
        help="an anomaly that is expected here: reported, but not as a failure; may be given more than once",
    )
    parser.add_argument(
        "--examples",
        type=count_or_zero,
        default=EXAMPLES,
        metavar="N",
        help=f"how many of each kind to show (default: {EXAMPLES})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: clean, 1: anomalies, 2: the history cannot be used (one line on standard error says why)."""
    from kafkapy.history import KINDS, HistoryError, check_history

    for kind in arguments.allow:
        if kind not in KINDS:
            return _unusable(f"there is no anomaly {kind!r}; there are: {', '.join(KINDS)}")
    try:
        if arguments.history == "-":
            verdict, quoted = check_history(sys.stdin.buffer), {}
        else:
            with Path(arguments.history).open("rb") as file:
                verdict = check_history(file)
                file.seek(0)
                quoted = _quoted(file, verdict, arguments.examples)
    except HistoryError as error:
        return _unusable(str(error))
    except OSError as error:
        return _unusable(f"cannot read {arguments.history}: {error.strerror or error}")
    allowed = frozenset(arguments.allow)
    if arguments.json:
        _print_json(verdict, allowed, arguments.examples)
    else:
        _print_text(verdict, allowed, quoted, arguments.examples)
    return 0 if verdict.is_clean(allowed) else 1


def _unusable(why: str) -> int:
    say(f"kafkapy check: {' '.join(why.split())}\n")
    return 2


def _quoted(lines: Iterable[bytes], verdict: Verdict, examples: int) -> dict[int, str]:
    """The lines that the examples name, for the reader; the history is not kept while it is checked."""
    wanted = {
        line
        for kind in verdict.findings.kinds()
        for anomaly in verdict.findings.examples(kind)[:examples]
        for line in anomaly.lines
    }
    if not wanted:
        return {}
    last = max(wanted)
    quoted = {}
    for number, line in enumerate(lines, 1):
        if number in wanted:
            text = line.decode(errors="replace").strip()
            quoted[number] = text if len(text) <= LINE_WIDTH_MAX else text[: LINE_WIDTH_MAX - 1] + "…"
        if number == last:
            break
    return quoted


def _print_text(verdict: Verdict, allowed: frozenset[str], quoted: dict[int, str], examples: int) -> None:
    from kafkapy.history import ALLOWED, KINDS

    findings = verdict.findings
    for kind in findings.kinds():
        note = " [allowed by --allow]" if kind in allowed else ""
        print(f"{kind}: {findings.counts[kind]}{note} - {KINDS[kind]}")
        for anomaly in findings.examples(kind)[:examples]:
            print(f"  {anomaly.explanation}")
            for line in anomaly.lines:
                print(f"    line {line}: {quoted[line]}" if line in quoted else f"    line {line}")
        if findings.counts[kind] > examples:
            print(f"  ... and {findings.counts[kind] - examples} more")
        print()
    for kind, count in findings.allowed.items():
        print(f"allowed: {kind} {count} ({ALLOWED[kind]})")
    if not verdict.has_final_polls:
        print('no final polls ("final": true) in this history: records beyond what was polled are not judged')
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in verdict.sizes().items() if count))
    found = sum(count for kind, count in findings.counts.items() if kind not in allowed)
    print(f"{found} anomalies" if found != 1 else "1 anomaly")


def _print_json(verdict: Verdict, allowed: frozenset[str], examples: int) -> None:
    import json

    document = {
        "clean": verdict.is_clean(allowed),
        "anomalies": {
            kind: {
                "count": verdict.findings.counts[kind],
                "allowed": kind in allowed,
                "examples": [
                    {"explanation": anomaly.explanation, "lines": list(anomaly.lines)}
                    for anomaly in verdict.findings.examples(kind)[:examples]
                ],
            }
            for kind in verdict.findings.kinds()
        },
        "allowed": verdict.findings.allowed,
        "final_polls": verdict.has_final_polls,
        "sizes": verdict.sizes(),
    }
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
