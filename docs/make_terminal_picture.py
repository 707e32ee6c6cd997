"""Draw docs/images/terminal.svg: a broker, a few commands, and what they really print.

python docs/make_terminal_picture.py        (with kafkapy installed; port 9092 must be free)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parent / "images" / "terminal.svg"
COMMANDS = (
    "kafkapy topics create orders --partitions 3",
    "echo 'alice:1 tea' | kafkapy produce orders --key-separator :",
    "kafkapy consume orders --from-beginning --print-key --group shop -n 1",
    "kafkapy groups describe shop",
    "kcat -b localhost:9092 -C -t orders -o beginning -e -q -f '%k -> %s (offset %o)\\n'",
)
CHARACTER_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 18
BACKGROUND, TEXT, PROMPT, COMMENT = "#1b1f27", "#d7dae0", "#7fd88f", "#8a93a5"


def session() -> list[tuple[str, str]]:
    """(colour, line) of all that is shown."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    lines = [(PROMPT, "$ kafkapy &")]
    with tempfile.TemporaryDirectory() as work:
        broker = subprocess.Popen(
            ["kafkapy", "start"], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert broker.stdout is not None
            lines += [(COMMENT, broker.stdout.readline().rstrip()), (COMMENT, broker.stdout.readline().rstrip())]
            for command in COMMANDS:
                done = subprocess.run(
                    command, shell=True, env=environment, capture_output=True, text=True, timeout=30, check=True
                )
                lines.append((PROMPT, f"$ {command}"))
                lines += [(TEXT, line) for line in (done.stderr + done.stdout).splitlines()]
        finally:
            broker.terminate()
            broker.wait(timeout=10)
    return lines


def picture(lines: list[tuple[str, str]]) -> str:
    width = round(max(len(line) for _, line in lines) * CHARACTER_WIDTH + 2 * MARGIN)
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    texts = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + 14 + index * LINE_HEIGHT}" fill="{colour}">{escape(line)}</text>'
        for index, (colour, line) in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n{texts}\n</svg>\n'
    )


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(session()))
