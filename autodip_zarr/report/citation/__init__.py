"""What a paper says of results, and what it cites."""
