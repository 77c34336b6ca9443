"""Stores on real servers of this machine: S3, and the web, well-behaved and not."""
