"""Other versions of Python and of the dependencies."""
