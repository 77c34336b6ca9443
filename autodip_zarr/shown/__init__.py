"""What came from files, made harmless to look at: as lines, pages, pictures, and tables in notebooks."""
