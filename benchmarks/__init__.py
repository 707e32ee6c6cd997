"""kafkapy, Apache Kafka, kfake and librdkafka's mock cluster measured side by side: `python -m benchmarks`.

    __main__        the command line
    measurement     what a row, a metric and a result are
    rows/           one module a family of rows: what is measured
    runner          A B A B: peers take turns, round by round
    peers           how each peer is started, asked for its first answer, watched and stopped
    clusters        peers that are three nodes each
    installation    kafkapy as a user has it: a wheel in a virtual environment of its own
    kfake_program   kfake as a program, built from kfake/main.go
    filling         topics of many partitions with records in each
    raw_client      a client that costs next to nothing, so that the broker is what is measured
    cluster_client  what a client of a cluster asks beside that
    targets         what the figures are held to
    report, plot    table, JSON and picture
    profiling       where the time of one row goes inside kafkapy
    walks           how many Python functions a request passes; a program of its own

Needs Linux (/proc, CPU clocks of other processes); README.md says what each row means and what is fair.
"""
