"""Requests and their answers, as they were: recorded at the dispatcher of a node, decoded when somebody looks.

    recording = Recording()
    recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
    ...
    recording.assert_sequence("ApiVersions", "Metadata", "Produce", client="billing")
    assert recording.last("Produce").errors == ()

recording.py  what is recorded of nodes while they run
exchanges.py  looked through, counted, compared with what was expected
exchange.py   one request with its answer
tap.py        takes the bytes of both at a dispatcher
selection.py  filters: by API, client, topic, group, ...
names.py      the topics, groups and errors in messages; names of topics that requests give by id
as_json.py    an exchange as plain values; records.py: and the records in it
session.py    JSON lines, from which a session can be sent again
pcapng.py     a capture for Wireshark
replay.py     a session sent again; differences.py: what may differ; learned_ids.py: ids of this run in the requests
"""

from kafkapy.recording.as_json import exchange_as_json
from kafkapy.recording.exchange import Exchange, Outcome
from kafkapy.recording.exchanges import NotRecorded, Recorded
from kafkapy.recording.recording import Recording
from kafkapy.recording.selection import InvalidFilter

__all__ = ["Exchange", "InvalidFilter", "NotRecorded", "Outcome", "Recorded", "Recording", "exchange_as_json"]
