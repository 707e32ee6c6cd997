"""Metrics that clients push (KIP-714): who is asked for which, and what has come.

client_metrics.py   the clients that ask and push, what each is asked for, and when it may push again
instances.py        what is known of one client
subscriptions.py    the subscriptions of the metadata, and which clients they match
received.py         what was pushed last
otlp.py             the metrics in what was pushed, by the opentelemetry-proto package
"""
