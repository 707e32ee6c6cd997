"""Logins and TLS of unmodified clients: every pair of client and mechanism, and credentials that change."""
