"""What came from files, made harmless to look at: as lines, as pages, and as tables in notebooks."""
