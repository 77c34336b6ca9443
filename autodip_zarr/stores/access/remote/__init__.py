"""Buckets and web servers: file systems, what is asked again, and what their errors mean."""
