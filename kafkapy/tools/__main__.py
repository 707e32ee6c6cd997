"""`python -m kafkapy.tools TOOL [ARGUMENTS]`; `--names` lists the commands that an installation has."""

import sys

from kafkapy.tools import main, tool_names

if __name__ == "__main__":
    if sys.argv[1:] == ["--names"]:
        sys.stdout.write("\n".join(tool_names()) + "\n")
    else:
        sys.exit(main())
