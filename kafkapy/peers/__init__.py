"""Connections to other nodes of the cluster.

peer.py         one node at one address: requests and their answers, one at a time
peer_socket.py  the connection to it
tls_peer_socket.py  the same with TLS
login.py        SASL over it
peers.py        all of them, by address or by broker id
channel.py      the active controller, wherever it is
identity.py     what a node says of itself
unavailable.py  what requests fail with, and how often the log says so
"""

from kafkapy.peers.channel import ControllerChannel
from kafkapy.peers.peers import Peers
from kafkapy.peers.unavailable import Outage, PeerUnavailable, level_of

__all__ = ["ControllerChannel", "Outage", "PeerUnavailable", "Peers", "level_of"]
