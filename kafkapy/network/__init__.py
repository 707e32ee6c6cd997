"""From bytes on a socket to a request, and from its answer back to bytes.

server        accepts, limits and ends connections          connection   one client: read, handle, answer, in order
dispatch      from a frame to an answer                     outbox       answers on their way, file ranges by sendfile
faults        the one door for injected faults
"""
