"""Results: created, filled block by block, finished, checked, registered and deleted."""
