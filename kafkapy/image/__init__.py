"""What the container image runs.

`launch` starts the broker: `python -m kafkapy.image`. `defaults` are the settings that hold in the image where its user
gives none. `health` asks the broker of the container whether it serves; it stands alone, so that it starts at once.
"""
