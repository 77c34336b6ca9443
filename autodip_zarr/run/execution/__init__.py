"""Carrying a plan out: image by image on the driver, block by block on workers."""
