"""Images in Zarr hierarchies: found, their headers and their planes."""
