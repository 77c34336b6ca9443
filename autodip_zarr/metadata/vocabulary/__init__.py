"""The vocabulary: what the words of headers mean, as data."""
