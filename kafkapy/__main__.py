"""`python -m kafkapy` is `kafkapy`."""

import sys

import kafkapy

if not hasattr(kafkapy, "__version__"):
    # The working directory is the parent of a checkout, and has Python take the checkout for a namespace package of our
    # name. Without that directory on the path the import finds the package.
    import os

    here = os.path.realpath(os.getcwd())  # noqa: PTH109  # pathlib costs more than all else here
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    for name in [name for name in sys.modules if name == "kafkapy" or name.startswith("kafkapy.")]:
        del sys.modules[name]

from kafkapy.cli import main

sys.exit(main())
