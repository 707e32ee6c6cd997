"""Server-side assignors: which member of a group is to own which partition. Pure functions.

specification.py  what an assignor is given and returns
uniform.py        `uniform`, for members with the same subscriptions (uniform_mixed.py: with different ones)
range.py          `range`
java_order.py     the order in which Java's hash tables would give members and topics to an assignor
"""
