"""Settings: text with Kafka's names at the door, typed attributes behind it.

broker.py       Settings: listeners and the areas node, network, log, topics, groups, share, transactions, ...
security.py     SecuritySettings: SASL and TLS, of the node or of one listener
topic.py        TopicSettings: what holds for one topic      group.py   GroupSettings: for one group
listeners.py    Listener, and the rules for listeners and what is advertised
sources.py      a properties file, the environment and the command line, merged (properties.py, environment.py)
support.py      what becomes of a setting that is given: honoured, harmless, refused or told (support_table.py)
describe.py     DescribeConfigs: values, sources, synonyms    alter.py  AlterConfigs: operations and validation
parse.py        types and bounds, Kafka's messages            catalog.py  looks definitions up
definitions.py  all of Kafka's settings, written by generate.py from configs.json
"""

from kafkapy.settings.broker import Settings
from kafkapy.settings.different_defaults import DIFFERENT_DEFAULTS
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.given import GivenSettings
from kafkapy.settings.group import GroupSettings
from kafkapy.settings.listeners import Listener
from kafkapy.settings.sources import collect_settings
from kafkapy.settings.topic import TopicSettings

__all__ = [
    "DIFFERENT_DEFAULTS",
    "GivenSettings",
    "GroupSettings",
    "Listener",
    "Settings",
    "SettingsError",
    "TopicSettings",
    "collect_settings",
]
