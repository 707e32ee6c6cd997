"""Write docs/openapi.json: the control API as it describes itself at /openapi.json.

python docs/make_openapi.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kafkapy.control.http.openapi import description

PAGE = Path(__file__).parent / "openapi.json"


def main() -> int:
    text = json.dumps(description(), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} is not what its source says: run python docs/make_openapi.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
