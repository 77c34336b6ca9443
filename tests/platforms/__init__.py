"""What other programs make of results: real readers and the official schemas, fetched by `make platforms`."""
