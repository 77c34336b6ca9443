"""Calibrations: which configurations suit pairs of noisy and clean images, and the table that says so."""
