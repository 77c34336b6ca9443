"""Plan what to do, and carry it out."""
