"""Reading for whoever fetches: sessions (KIP-227)."""
