"""The code blocks of a page: what the tests of the documentation look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_FENCE = re.compile(r"^( *)```([\w-]*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """The lines between two fences, without their common indentation."""

    page: Path
    language: str
    line: int
    """The number of the first line of the code; 1 is the first of the page."""
    code: str
    not_run: str | None
    """Why it is not run, from the comment `<!-- not run: ... -->` above the block."""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def blocks(page: Path, *languages: str) -> list[Block]:
    """All blocks of a page, or those in one of the languages. Raises ValueError: a block has no end."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        first = number
        while number < len(lines) and lines[number] != f"{opening[1]}```":
            number += 1
        if number == len(lines):
            raise ValueError(f"{page}:{first}: the block has no end")
        code = "".join(f"{line.removeprefix(opening[1])}\n" for line in lines[first:number])
        above = next((line for line in reversed(lines[: first - 1]) if line.strip()), "")
        reason = NOT_RUN.fullmatch(above.strip())
        found.append(Block(page, opening[2], first + 1, code, reason and reason[1]))
        number += 1
    return [block for block in found if not languages or block.language in languages]
