"""Which worker does which call, and how workers come and go; knows no image."""
