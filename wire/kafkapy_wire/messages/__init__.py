"""One module an API key, written by `python -m kafkapy_wire.generate`; import the module you need."""
