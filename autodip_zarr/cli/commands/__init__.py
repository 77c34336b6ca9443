"""The commands, one a module; each says in its options what it takes, and calls the rest of the package."""
