"""`python -m kafkapy.image [OPTIONS OF kafkapy start]`: what the image's `launch` script runs."""

import sys

from kafkapy.image.launch import launch

if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
