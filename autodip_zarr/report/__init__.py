"""Plans, metadata and results, as tables, documents and pictures."""
