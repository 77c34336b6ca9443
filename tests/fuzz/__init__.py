"""Hostile and damaged inputs for everything that reads what others wrote."""
