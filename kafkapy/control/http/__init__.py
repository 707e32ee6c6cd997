"""The control API: the table of operations over HTTP, for every language.

    POST /v1/OPERATION      its arguments by name, as a JSON object
    GET  /v1/OPERATION?...  the same for those that change nothing
    GET  /live, /ready      200 while the process runs; while all its nodes serve
    GET  /openapi.json      all of it, described
    GET  /events            what clients ask and are answered, as it happens (server-sent events)

serve.py      listens, with hypercorn
app.py        routes, answers, errors
guard.py      who may ask: Host header, token
arguments.py  JSON to arguments: wrong ones are refused with the field, the reason, the nearest choice
as_json.py    values to JSON
openapi.py    the description
events.py     the stream
"""
