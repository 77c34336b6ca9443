"""Whole planes and stacks: scaled, cut into tiles, fitted, blended."""
