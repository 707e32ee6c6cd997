"""From bytes on a socket to a request, and from its answer back to bytes.

server        accepts connections, ends idle ones, and all   listeners    listening sockets (advertised: for clients)
              when the node stops                            admission    who may connect (connection_rate, host_limits)
socket_loop   the one task that serves all sockets           poller       which of them are ready
connection    one client: its requests in order              transport    bytes from and to one peer, without waiting
dispatch      from a frame to an answer                      api_table    handlers and codecs by API key and version
stages        what may stand between request and answer      outbox       answers on their way, file ranges by sendfile
"""
