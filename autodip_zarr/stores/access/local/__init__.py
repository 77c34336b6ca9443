"""Folders and archives of the local file system."""
