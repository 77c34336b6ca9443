"""Measurements: each prints what it measured and on what."""
