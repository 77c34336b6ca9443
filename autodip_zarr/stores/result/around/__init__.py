"""What lies around results in the store that holds them: plates, series, and entries of a source store."""
