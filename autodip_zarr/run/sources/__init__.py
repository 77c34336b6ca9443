"""Which images are meant, and what a person says of them beside their metadata."""
