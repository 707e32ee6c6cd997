"""The name by which metric.reporters asks that metrics which clients push (KIP-714) are kept."""

CLIENT_METRICS_RECEIVER = "kafkapy.ClientTelemetryReceiver"
"""It stands in the place of a Java class, and has Kafka's effect: the broker announces the two APIs."""
