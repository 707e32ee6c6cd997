"""The image of `docker/`: the settings of the images whose place it takes, their tools, and test frameworks.

docker_image          the image, built once; its containers
programs              programs that use the modules of testcontainers, in five languages
librdkafka            a client for what those of Rust and .NET start
rust_modules          a command: the modules for Rust, which take long to compile
"""
