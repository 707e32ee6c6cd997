"""Seeds: topics, records, committed offsets and ACLs in a file, for a broker to begin with. Knows no broker.

invalid_seed   a seed is refused: where, why, what was probably meant
entries        a topic, its records, a group, an ACL: what a seed says of each
json_lines     an entry as a line of JSON, read and written
document       entries in one object: a dictionary of Python's, or a YAML file
yaml_file      such an object in YAML, with its line numbers
seed           a seed as a whole, from files, a directory or an object
plan           what can be said of a seed without a broker: its entries agree with one another
placing        which partition and which offset each record has
"""

from kafkapy.seeds.invalid_seed import InvalidSeed
from kafkapy.seeds.seed import Seed

__all__ = ["InvalidSeed", "Seed"]
