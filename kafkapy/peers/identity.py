"""What a node says of itself to another one."""

from typing import Final

NODE_SOFTWARE: Final = "kafkapy-node"
"""Its client software: where a release is imitated, nodes are served all that clients are refused."""
