"""The Kafka protocol as bytes and values: no sockets, no files, no event loop.

    framing         requests cut out of a byte stream
    messages/       one module an API key, classes declared once for all versions (generated)
    record_formats/ records of the internal topics and files, one module a family (generated)
    message         what those classes are made of
    codec           bytes <-> messages; emit, emit_decoder, emit_encoder write the codecs, explain names a wrong field
    json_format     messages <-> the JSON of Kafka's own converters
    catalog         classes by schema name, for tools
    records         record batches v2; compression: gzip, snappy, lz4, zstd
    api_keys        API keys, versions, header versions; errors: error codes and exceptions; uuid: Kafka's Uuid
    generate        `python -m kafkapy_wire.generate` writes the generated files from schemas/

Import the message modules that you need: each costs time at start-up, so this package imports none of them.
"""

from kafkapy_wire.uuid import ZERO_UUID, Uuid, parse_uuid, random_uuid, uuid_text

__all__ = ["ZERO_UUID", "Uuid", "parse_uuid", "random_uuid", "uuid_text"]
