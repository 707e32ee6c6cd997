"""Who a client is and what it may do.

principal   who it is, as ACLs name it
"""
